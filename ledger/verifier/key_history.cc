#include "ledger/verifier/key_history.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "carnet/v1/records.pb.h"
#include "crypto/authority.h"
#include "crypto/ed25519.h"
#include "crypto/hash.h"
#include "ledger/verifier/errors.h"

namespace carnet::ledger::verifier {
namespace {

absl::Status Bad(absl::string_view why) {
  return BadEvidence(absl::StrCat("key-rotated: ", why));
}

bool SignedBy(const std::string& key, const std::string& text, const std::string& signature) {
  const absl::StatusOr<crypto::Ed25519PublicKey> parsed = crypto::ToEd25519PublicKey(AsBytes(key));
  return parsed.ok() && crypto::Ed25519Verify(*parsed, AsBytes(text), AsBytes(signature));
}

// What both keys sign (docs/formats.md).
std::string Handover(const v1::KeyRotated& rotated, absl::string_view origin) {
  return absl::StrCat("carnet/key-rotated/v1\n", rotated.kind(), "\n", origin, "\n",
                      Base64Encode(AsBytes(rotated.old_public_key())), "\n",
                      Base64Encode(AsBytes(rotated.new_public_key())), "\n");
}

// The newest key of a log.
const VerifierKey& Newest(const VerifierKey& log) {
  return log.successors.empty() ? log : log.successors.back();
}

bool Holds(const VerifierKey& log, const std::string& public_key) {
  return AsText(log.public_key) == public_key ||
         std::any_of(log.successors.begin(), log.successors.end(),
                     [&](const VerifierKey& key) { return AsText(key.public_key) == public_key; });
}

// Precondition: `log` holds the old key.
absl::StatusOr<VerifierKey> NextLogKey(const VerifierKey& log, const v1::KeyRotated& rotated) {
  const absl::StatusOr<VerifierKey> key = ParseVerifierKey(rotated.log_vkey());
  const std::string text = Handover(rotated, log.name);
  if (!key.ok() || key->type != log.type || key->name != log.name ||
      AsText(key->public_key) != rotated.new_public_key()) {
    return Bad("it names no key of this log");
  }
  if (!SignedBy(rotated.old_public_key(), text, rotated.old_key_signature()) ||
      !SignedBy(rotated.new_public_key(), text, rotated.new_key_signature())) {
    return Bad("the log's key did not hand over to the new one");
  }
  VerifierKey followed = log;
  if (!Holds(log, rotated.new_public_key())) {
    followed.successors.push_back(*key);
  }
  return followed;
}

}  // namespace

absl::StatusOr<KeyHistory> KeyHistory::Create(const VerifiedRecord& genesis) {
  const auto* first = genesis.As<v1::Genesis>();
  if (first == nullptr || ToString(genesis.public_key) != first->statement_public_key()) {
    return BadEvidence("record 0: not a genesis, signed by the key that it names");
  }
  KeyHistory history;
  history.statement_keys_.push_back({.after = 0, .key = genesis.public_key});
  const absl::StatusOr<VerifierKey> log = ParseVerifierKey(first->log_vkey());
  if (!log.ok()) {
    return BadEvidence("record 0: it names no log key");
  }
  history.log_ = *log;
  if (first->ca_spki_sha256().empty()) {
    return history;
  }
  const absl::StatusOr<Digest> ca = ToDigest(AsBytes(first->ca_spki_sha256()));
  if (!ca.ok()) {
    return BadEvidence("record 0: the digest of its certificate authority is not 32 bytes");
  }
  if (!first->ca_certificate_pem().empty()) {
    const auto certificate = crypto::ParseCertificatePem(first->ca_certificate_pem());
    if (!certificate.ok() || certificate->spki_sha256 != *ca) {
      return BadEvidence("record 0: the certificate of its authority is another one's");
    }
  }
  history.authorities_.push_back({.certificate_pem = first->ca_certificate_pem(),
                                  .spki_sha256 = *ca,
                                  .until = absl::InfiniteFuture()});
  return history;
}

absl::Status KeyHistory::Add(std::uint64_t index, const VerifiedRecord& record) {
  const auto* rotated = record.As<v1::KeyRotated>();
  if (rotated == nullptr || index <= last_index_) {
    return Bad("another record, or out of order");
  }
  if (rotations_ >= kRotationsMax) {
    return absl::ResourceExhaustedError("key-rotated: over 1024 of them");
  }
  if (record.public_key != StatementKeyAt(index)) {
    return Bad("not signed by the statement key in force");
  }
  if (rotated->kind() == "statement") {
    if (AsText(statement_keys_.back().key) != rotated->old_public_key() ||
        !SignedBy(rotated->new_public_key(), Handover(*rotated, log_.name),
                  rotated->new_key_signature())) {
      return Bad("another old statement key, or the new one did not sign");
    }
    statement_keys_.push_back({.after = index, .key = ToBytes(rotated->new_public_key())});
  } else if (rotated->kind() == "log") {
    if (AsText(Newest(log_).public_key) != rotated->old_public_key()) {
      return Bad("another old log key");
    }
    CARNET_ASSIGN_OR_RETURN(log_, NextLogKey(log_, *rotated));
  } else if (rotated->kind() == "ca") {
    // Signed by its own key: that is the new key's word, in the place of new_key_signature.
    const auto certificate = crypto::VerifyAuthority(rotated->ca_certificate_pem());
    const Digest old = crypto::Sha256(AsBytes(rotated->old_public_key()));
    if (!certificate.ok() || AsText(certificate->spki) != rotated->new_public_key() ||
        authorities_.empty() || authorities_.back().spki_sha256 != old ||
        certificate->spki_sha256 == old || !rotated->has_overlap_until()) {
      return Bad("another old authority, or not the new one's certificate");
    }
    authorities_.back().until = ToTime(rotated->overlap_until());
    authorities_.push_back({.certificate_pem = rotated->ca_certificate_pem(),
                            .spki_sha256 = certificate->spki_sha256,
                            .until = absl::InfiniteFuture()});
  } else {
    return Bad("an unknown kind of key");
  }
  ++rotations_;
  last_index_ = index;
  return absl::OkStatus();
}

const Bytes& KeyHistory::StatementKeyAt(std::uint64_t index) const {
  const auto later =
      std::find_if(statement_keys_.rbegin(), statement_keys_.rend(),
                   [index](const StatementKey& candidate) { return candidate.after < index; });
  return later == statement_keys_.rend() ? statement_keys_.front().key : later->key;
}

std::string KeyHistory::AuthoritiesPem(absl::Time now) const {
  std::string pem;
  for (const Authority& authority : authorities_) {
    if (now < authority.until) {
      absl::StrAppend(&pem, authority.certificate_pem);
    }
  }
  return pem;
}

absl::StatusOr<VerifierKey> FollowLogKey(const VerifierKey& trusted, const VerifiedRecord& record) {
  const auto* rotated = record.As<v1::KeyRotated>();
  if (rotated == nullptr || rotated->kind() != "log" ||
      !Holds(trusted, rotated->old_public_key()) || trusted.successors.size() >= kRotationsMax) {
    return Bad("not of this log's key");
  }
  return NextLogKey(trusted, *rotated);
}

}  // namespace carnet::ledger::verifier
