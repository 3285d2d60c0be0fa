#include "worker/core/identity.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/ids.h"
#include "base/status.h"
#include "crypto/certificates.h"
#include "crypto/hash.h"
#include "ledger/verifier/record.h"

namespace carnet::worker {
namespace {

absl::Status Untrusted(absl::string_view what) {
  return absl::UnauthenticatedError(absl::StrCat("enrolment: ", what));
}

bool SameBytes(ByteView a, absl::string_view b) {
  return AsText(a) == b;
}

absl::StatusOr<ledger::verifier::VerifiedRecord> CheckGenesis(
    const FederationFacts& facts, const v1::EnrollResponse& answer,
    const ledger::verifier::TreeHead& head) {
  CARNET_ASSIGN_OR_RETURN(auto record,
                          ledger::verifier::VerifyProvenRecord(answer.genesis(), head));
  const auto* genesis = record.As<v1::Genesis>();
  if (genesis == nullptr || answer.genesis().proof().index() != 0 ||
      record.leaf_hash != facts.genesis_leaf) {
    return Untrusted("record 0 is not the one that the join token names");
  }
  if (genesis->trust_domain() != facts.trust_domain ||
      !SameBytes(record.public_key, genesis->statement_public_key())) {
    return Untrusted("record 0 contradicts the join token");
  }
  return record;
}

// Whether the log that the records name had this key: as its first, or handed over to it.
bool HadKey(const ledger::verifier::KeyHistory& keys, const ledger::verifier::VerifierKey& log) {
  const ledger::verifier::VerifierKey& named = keys.log();
  return named.name == log.name &&
         (named.public_key == log.public_key ||
          std::any_of(named.successors.begin(), named.successors.end(),
                      [&](const auto& key) { return key.public_key == log.public_key; }));
}

// The token's key, and each one that was followed from it.
bool HadKeys(const ledger::verifier::KeyHistory& keys, const ledger::verifier::VerifierKey& log) {
  return HadKey(keys, log) &&
         std::all_of(log.successors.begin(), log.successors.end(),
                     [&](const auto& followed) { return HadKey(keys, followed); });
}

auto FindAuthority(const ledger::verifier::KeyHistory& history, const Digest& spki_sha256) {
  return std::find_if(history.authorities().begin(), history.authorities().end(),
                      [&](const auto& known) { return known.spki_sha256 == spki_sha256; });
}

absl::Status CheckEnrolled(const FederationFacts& facts, const OwnPublicKeys& keys,
                           const v1::EnrollResponse& answer, const ledger::verifier::TreeHead& head,
                           Identity* identity) {
  CARNET_ASSIGN_OR_RETURN(const auto record,
                          ledger::verifier::VerifyProvenRecord(answer.enrolled(), head));
  const auto* enrolled = record.As<v1::WorkerEnrolled>();
  if (enrolled == nullptr ||
      record.public_key != identity->keys->StatementKeyAt(answer.enrolled().proof().index())) {
    return Untrusted("worker-enrolled is not a record of the coordinator");
  }
  const Digest tls_spki_sha256 = crypto::Sha256(keys.tls_spki);
  if (enrolled->worker_id() != answer.worker_id() || !IsId("w", enrolled->worker_id()) ||
      enrolled->spiffe_id() != facts.spiffe_id.ToString() ||
      enrolled->slot() != facts.spiffe_id.slot() ||
      enrolled->region() != facts.spiffe_id.region() ||
      !SameBytes(tls_spki_sha256, enrolled->tls_spki_sha256()) ||
      !SameBytes(keys.statement, enrolled->statement_public_key()) ||
      !SameBytes(keys.wrapping, enrolled->wrapping_public_key())) {
    return Untrusted("worker-enrolled names another worker or other keys");
  }
  identity->worker_id = enrolled->worker_id();
  identity->supplier = enrolled->supplier();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ledger::verifier::VerifierKey> FollowLog(
    ledger::verifier::VerifierKey log,
    const google::protobuf::RepeatedPtrField<v1::ProvenRecord>& rotations) {
  for (const v1::ProvenRecord& proven : rotations) {
    CARNET_ASSIGN_OR_RETURN(const auto record, ledger::verifier::VerifyRecord(proven.record()));
    if (auto next = ledger::verifier::FollowLogKey(log, record); next.ok()) {
      log = *std::move(next);
    }
  }
  return log;
}

absl::Status FollowRotations(const google::protobuf::RepeatedPtrField<v1::ProvenRecord>& rotations,
                             const ledger::verifier::TreeHead& head,
                             ledger::verifier::KeyHistory* keys) {
  for (const v1::ProvenRecord& proven : rotations) {
    const std::uint64_t index = proven.proof().index();
    CARNET_ASSIGN_OR_RETURN(const auto record, ledger::verifier::VerifyProvenRecord(proven, head));
    if (index > keys->last_index()) {
      CARNET_RETURN_IF_ERROR(keys->Add(index, record));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckCertificate(const FederationFacts& facts, const OwnPublicKeys& keys,
                              const ledger::verifier::KeyHistory& history,
                              const v1::EnrollResponse& answer, absl::Time at) {
  CARNET_ASSIGN_OR_RETURN(const auto authority,
                          crypto::ParseCertificatePem(answer.ca_certificate_pem()));
  const auto known = FindAuthority(history, authority.spki_sha256);
  if (!authority.is_authority || known == history.authorities().end()) {
    return Untrusted("the CA is not one of this federation");
  }
  absl::Time when = at;
  if (at == absl::InfinitePast()) {
    CARNET_ASSIGN_OR_RETURN(const auto own, crypto::ParseCertificatePem(answer.certificate_pem()));
    when = own.validity.not_before;
  } else if (at >= known->until) {
    return Untrusted("the CA has given way to another");
  }
  CARNET_ASSIGN_OR_RETURN(
      const auto own,
      crypto::VerifyCertificate(answer.certificate_pem(), answer.ca_certificate_pem(), when));
  if (own.spki != keys.tls_spki || own.spiffe_id != facts.spiffe_id || !own.client) {
    return Untrusted("the certificate is not for this worker's key and name");
  }
  return absl::OkStatus();
}

bool SameKeys(const ledger::verifier::KeyHistory& a, const ledger::verifier::KeyHistory& b) {
  const auto same = [](const auto& one, const auto& other) {
    return one.spki_sha256 == other.spki_sha256 && one.certificate_pem == other.certificate_pem &&
           one.until == other.until;
  };
  const auto same_key = [](const auto& one, const auto& other) {
    return one.public_key == other.public_key;
  };
  return a.rotations() == b.rotations() && a.last_index() == b.last_index() &&
         a.StatementKeyAt(a.last_index() + 1) == b.StatementKeyAt(b.last_index() + 1) &&
         a.log().public_key == b.log().public_key &&
         std::equal(a.log().successors.begin(), a.log().successors.end(),
                    b.log().successors.begin(), b.log().successors.end(), same_key) &&
         std::equal(a.authorities().begin(), a.authorities().end(), b.authorities().begin(),
                    b.authorities().end(), same);
}

absl::StatusOr<Roots> RootsAt(const ledger::verifier::KeyHistory& history, absl::Time now) {
  Roots roots;
  roots.pem = history.AuthoritiesPem(now);
  if (roots.pem.empty()) {
    return absl::FailedPreconditionError("the ledger names no certificate authority that counts");
  }
  for (const auto& authority : history.authorities()) {
    if (now < authority.until) {
      roots.until = std::min(roots.until, authority.until);
    }
  }
  return roots;
}

absl::StatusOr<Identity> EstablishIdentity(const FederationFacts& facts, const OwnPublicKeys& keys,
                                           const v1::EnrollResponse& answer, absl::Time at) {
  Identity identity(facts.spiffe_id);
  CARNET_ASSIGN_OR_RETURN(ledger::verifier::VerifierKey log,
                          ledger::verifier::ParseVerifierKey(facts.log_vkey));
  // That these are in the log is checked below, under the head that this makes believable.
  CARNET_ASSIGN_OR_RETURN(identity.log, FollowLog(std::move(log), answer.rotations()));
  CARNET_ASSIGN_OR_RETURN(const auto head,
                          ledger::verifier::VerifyHead(answer.head(), identity.log));
  CARNET_ASSIGN_OR_RETURN(const auto genesis, CheckGenesis(facts, answer, head.tree));
  const auto* genesis_predicate = genesis.As<v1::Genesis>();
  identity.home_jurisdiction = genesis_predicate->home_jurisdiction();
  CARNET_ASSIGN_OR_RETURN(identity.keys, ledger::verifier::KeyHistory::Create(genesis));
  CARNET_RETURN_IF_ERROR(FollowRotations(answer.rotations(), head.tree, &*identity.keys));
  if (!HadKeys(*identity.keys, identity.log)) {
    return Untrusted("the log never had the key that the join token names, or one that followed");
  }
  // Its own, or one that the founding authority gave way to.
  if (FindAuthority(*identity.keys, facts.ca_spki_sha256) == identity.keys->authorities().end()) {
    return Untrusted("the federation never had the CA that the join token names");
  }
  CARNET_RETURN_IF_ERROR(CheckEnrolled(facts, keys, answer, head.tree, &identity));
  CARNET_RETURN_IF_ERROR(CheckCertificate(facts, keys, *identity.keys, answer, at));
  return identity;
}

}  // namespace carnet::worker
