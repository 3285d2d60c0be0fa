#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/timestamp.h"
#include "coordinator/audit/checks.h"
#include "coordinator/core/registry.h"
#include "crypto/spiffe.h"
#include "ledger/verifier/person_statement.h"
#include "policies/facts.h"
#include "policies/roles.h"

namespace carnet::coordinator::audit {
namespace {

using google::protobuf::util::MessageDifferencer;

constexpr absl::Duration kInvitationMax = absl::Hours(24);

bool KnowsOrganisation(const State& state, const std::string& name) {
  return name == state.genesis.organisation() || state.suppliers.count(name) != 0;
}

// A worker at a site where no record put the shard: it is stored there, or was staged there.
bool ArrivedLawfully(const State& state, const Shard& shard, const std::string& key,
                     const Worker& worker) {
  const std::string& region = worker.terms.region();
  if (shard.terms.stored_in() == region) {
    return true;
  }
  return std::any_of(state.stagings.begin(), state.stagings.end(), [&](const auto& entry) {
    const v1::StagingOrdered& ordered = entry.second.ordered;
    const Worker* to = state.FindWorker(ordered.to_worker_id());
    return entry.second.phase == StagingPhase::kStaged && to != nullptr &&
           to->terms.region() == region && ShardKey(ordered.dataset(), ordered.shard()) == key;
  });
}

void CheckClaim(const Step& step, const v1::ShardStaged& record, const Shard& shard,
                const Worker& worker) {
  const std::string key = ShardKey(record.dataset(), record.shard());
  if (!ArrivedLawfully(step.state(), shard, key, worker)) {
    step.Add(Severity::kGap, "shard-arrival",
             absl::StrCat("a staging that brought ", key, " from ", shard.terms.stored_in(),
                          " to region ", worker.terms.region()),
             absl::StrCat("worker ", record.worker_id(), " says that it holds it"));
  }
}

void CheckArrival(const Step& step, const v1::ShardStaged& record, const Shard& shard) {
  const auto staging = step.state().stagings.find(record.staging_id());
  if (!step.Expect(staging != step.state().stagings.end(), "staging",
                   absl::StrCat("staging-ordered of ", record.staging_id()), "none before")) {
    return;
  }
  const v1::StagingOrdered& ordered = staging->second.ordered;
  step.Expect(staging->second.phase == StagingPhase::kOrdered, "staging", "a staging under way",
              staging->second.phase == StagingPhase::kStaged ? "one whose shard has arrived before"
                                                             : "one that was abandoned");
  step.Expect(ToTime(record.common().at()) < ToTime(ordered.expires()), "staging",
              "an arrival before the staging expires", "a later one");
  ExpectNotWithdrawn(step, {ShardKey(ordered.dataset(), ordered.shard())});
  step.Expect(ordered.to_worker_id() == record.worker_id() &&
                  ordered.dataset() == record.dataset() && ordered.shard() == record.shard(),
              "staging",
              absl::StrCat(ordered.dataset(), "/", ordered.shard(), " at ", ordered.to_worker_id()),
              absl::StrCat(record.dataset(), "/", record.shard(), " at ", record.worker_id()));
  step.Expect(shard.sha256 == ToBytes(record.sha256()), "staging",
              absl::StrCat("the registered shard, ", Hex(shard.sha256)), Hex(record.sha256()));
}

// Bytes that are registered and not withdrawn have their labels: no second name gives them others.
// What `carnet init` registers at once is its own statement.
void CheckOneLabelling(const Step& step, const std::string& key,
                       const v1::ShardRegistration& wanted) {
  for (const auto& [other, shard] : step.state().shards) {
    const bool same_bytes = !wanted.sha256().empty() && AsText(shard.sha256) == wanted.sha256();
    step.Expect(!same_bytes || shard.withdrawn.has_value() || step.state().workers.empty() ||
                    MessageDifferencer::Equals(shard.terms.labels(), wanted.labels()),
                "shard", absl::StrCat("the labels of ", other, ", which has the same digest"),
                absl::StrCat("others for ", key));
  }
}

// The same within one record, of what it adds.
void CheckOneLabelling(const Step& step, const v1::DatasetRegistered& record) {
  std::map<std::string, const v1::ShardRegistration*> by_digest;
  for (const v1::ShardRegistration& shard : record.shards()) {
    if (shard.sha256().empty() || step.state().workers.empty() ||
        step.state().shards.count(ShardKey(record.dataset(), shard.shard())) != 0) {
      continue;
    }
    const auto [first, added] = by_digest.emplace(shard.sha256(), &shard);
    step.Expect(
        added || MessageDifferencer::Equals(first->second->labels(), shard.labels()), "shard",
        absl::StrCat("the labels of ", first->second->shard(), ", which has the same digest"),
        absl::StrCat("others for ", shard.shard()));
  }
}

// Nobody manages accounts and decides about policies, but whoever founded the federation alone.
void CheckFoundersRoles(const Step& step, const v1::UserEnrolled& record) {
  const auto& founders = step.state().genesis.first_holders();
  const bool alone = founders.empty()
                         ? step.index() == 1
                         : std::any_of(founders.begin(), founders.end(), [&](const auto& holder) {
                             return holder.bootstrap() && holder.user_id() == record.user_id();
                           });
  step.Expect(
      alone || !policies::MixesAdminWithPolicy(record.roles()), "enrolment",
      "an admin who decides nothing about policies",
      absl::StrCat(record.user_id(), " with the roles ", absl::StrJoin(record.roles(), ", ")));
}

// Without an invitation: somebody whom genesis names, with that key and no more roles. A genesis
// that names nobody vouches for whom `carnet init` enrolled right behind it.
void CheckFounder(const Step& step, const v1::UserEnrolled& record) {
  const auto& founders = step.state().genesis.first_holders();
  if (founders.empty()) {
    step.Expect(step.index() == step.state().users.size() + 1, "enrolment",
                "an invitation, or a place right behind genesis", "neither");
    return;
  }
  const auto founder = std::find_if(founders.begin(), founders.end(), [&](const auto& holder) {
    return holder.user_id() == record.user_id() && holder.public_key() == record.public_key();
  });
  if (step.Expect(founder != founders.end(), "enrolment", "an invitation, or a name in genesis",
                  "neither")) {
    for (const std::string& role : record.roles()) {
      const auto& roles = founder->roles();
      step.Expect(std::find(roles.begin(), roles.end(), role) != roles.end(), "enrolment",
                  "the roles that genesis says", role);
    }
  }
}

}  // namespace

void Check(const Step& step, const v1::Genesis& record) {
  step.Expect(step.index() == 0, "genesis", "one genesis, as record 0", "another one");
  step.Expect(!record.home_jurisdiction().empty() && !record.organisation().empty(), "genesis",
              "a home jurisdiction and an organisation", "an empty field");
  const auto& founders = record.first_holders();
  const auto alone = std::count_if(founders.begin(), founders.end(),
                                   [](const auto& founder) { return founder.bootstrap(); });
  step.Expect(alone == 0 || (alone == 1 && (founders.size() == 1 || record.has_succeeds())),
              "genesis", "a founder who is everything only where nobody else founded",
              absl::StrCat(alone, " of ", founders.size()));
}

void Check(const Step& step, const v1::UserEnrolled& record) {
  const State& state = step.state();
  step.Expect(state.users.count(record.user_id()) == 0, "enrolment",
              absl::StrCat("one enrolment of ", record.user_id()), "a second one");
  for (const auto& [id, user] : state.users) {
    step.Expect(user.public_key != ToBytes(record.public_key()), "enrolment",
                "a key of the person's own", absl::StrCat("the key of ", id));
  }
  if (record.token_sha256().empty()) {
    CheckFounder(step, record);
    CheckFoundersRoles(step, record);
    return;
  }
  const auto invitation = state.user_invitations.find(HexEncode(AsBytes(record.token_sha256())));
  if (!step.Expect(invitation != state.user_invitations.end(), "enrolment",
                   "an invitation on record", "none before")) {
    return;
  }
  const v1::UserInvited& terms = invitation->second.terms;
  step.Expect(invitation->second.user_id.empty(), "enrolment", "an invitation used once",
              absl::StrCat("the one of ", invitation->second.user_id));
  step.Expect(ToTime(record.common().at()) < ToTime(terms.expires()), "enrolment",
              "an invitation that has not expired", "one that has");
  step.Expect(
      record.user_id() == terms.user_id() &&
          absl::StrJoin(record.roles(), ", ") == absl::StrJoin(terms.roles(), ", "),
      "enrolment",
      absl::StrCat(terms.user_id(), " with the roles ", absl::StrJoin(terms.roles(), ", ")),
      absl::StrCat(record.user_id(), " with the roles ", absl::StrJoin(record.roles(), ", ")));
  step.Expect(
      record.jurisdiction() == terms.jurisdiction() &&
          record.organisation() == terms.organisation(),
      "enrolment",
      absl::StrCat("a person in \"", terms.jurisdiction(), "\" for \"", terms.organisation(),
                   "\", as invited"),
      absl::StrCat("in \"", record.jurisdiction(), "\" for \"", record.organisation(), "\""));
}

void Check(const Step& step, const v1::SupplierRegistered& record) {
  ExpectStated(
      step, record.common(), record.stated(), {"compliance", "dpo", "legal"},
      [&](ByteView key) { return ledger::verifier::VerifyStated(record, key); },
      absl::StrCat("supplier/", record.supplier()));
  const v1::SupplierConfig& terms = record.terms();
  if (record.supplier() == step.state().genesis.organisation()) {
    step.Expect(terms.organised_in().empty(), "supplier",
                "the home organisation where genesis says", "another place");
    step.Expect(terms.deal().empty(), "supplier", "no deal with the home organisation",
                terms.deal());
  }
  step.Expect(!terms.has_listed_owner_pct() ||
                  (terms.listed_owner_pct() >= 0 && terms.listed_owner_pct() <= 100),
              "supplier", "a share of listed parties of 0 to 100 percent",
              absl::StrCat(terms.listed_owner_pct()));
  double percent = 0;
  for (const v1::OwnerConfig& owner : record.terms().owners()) {
    percent += owner.percent();
  }
  step.Expect(percent <= 100, "supplier", "owners of at most 100 percent", absl::StrCat(percent));
}

void Check(const Step& step, const v1::RegionRegistered& record) {
  ExpectStated(
      step, record.common(), record.stated(), {"compliance", "dpo", "legal"},
      [&](ByteView key) { return ledger::verifier::VerifyStated(record, key); },
      absl::StrCat("region/", record.region()));
  const std::string& supplier = record.terms().supplier();
  step.Expect(record.region() != "home", "region", "home as genesis says it", "another home");
  step.Expect(supplier.empty() || KnowsOrganisation(step.state(), supplier), "reference",
              "a registered supplier", absl::StrCat("supplier ", supplier));
  step.Expect(!record.terms().jurisdictions().empty(), "region", "the jurisdictions of the region",
              "none");
  ExpectProofOfPlace(step, record);
  // Machines do not change hands with a record.
  for (const auto& [id, worker] : step.state().workers) {
    step.Expect(worker.revoked || worker.terms.region() != record.region() ||
                    worker.terms.supplier() ==
                        (supplier.empty() ? step.state().genesis.organisation() : supplier),
                "region", absl::StrCat("supplier ", worker.terms.supplier(), ", of worker ", id),
                absl::StrCat("supplier ", supplier));
  }
}

void Check(const Step& step, const v1::EvidenceExpired& record) {
  const auto item = step.state().evidence.find(record.evidence_id());
  if (step.Expect(item != step.state().evidence.end(), "evidence",
                  absl::StrCat("evidence-recorded of ", record.evidence_id()), "none before")) {
    step.Expect(!item->second.withdrawn, "evidence", "an item in force", "one withdrawn before");
  }
}

void Check(const Step& step, const v1::WorkerInvited& record) {
  const State& state = step.state();
  step.Expect(state.regions.count(record.region()) != 0, "reference", "a registered region",
              record.region());
  step.Expect(state.OperatorOf(record.region()) == record.supplier(), "enrolment",
              absl::StrCat("supplier ", state.OperatorOf(record.region())),
              absl::StrCat("supplier ", record.supplier()));
  step.Expect(state.invitations.count(HexEncode(AsBytes(record.token_sha256()))) == 0, "enrolment",
              "a fresh join token", "one on record before");
  step.Expect(ToTime(record.expires()) <= ToTime(record.common().at()) + kInvitationMax,
              "enrolment", "a join token of at most 24 h", "a longer one");
}

void Check(const Step& step, const v1::WorkerEnrolled& record) {
  const State& state = step.state();
  const auto invitation = state.invitations.find(HexEncode(AsBytes(record.token_sha256())));
  if (!step.Expect(invitation != state.invitations.end(), "enrolment",
                   "worker-invited with this token", "none before")) {
    return;
  }
  const v1::WorkerInvited& terms = invitation->second.terms;
  step.Expect(invitation->second.worker_id.empty(), "enrolment", "a join token used once",
              absl::StrCat("used before by ", invitation->second.worker_id));
  step.Expect(ToTime(record.common().at()) < ToTime(terms.expires()), "enrolment",
              "a join token that has not expired", "an expired one");
  step.Expect(state.workers.count(record.worker_id()) == 0, "enrolment",
              absl::StrCat("one enrolment of ", record.worker_id()), "a second one");
  const auto id = crypto::SpiffeId::Worker(state.genesis.trust_domain(), terms.region(),
                                           terms.supplier(), terms.slot());
  step.Expect(
      id.ok() && id->ToString() == record.spiffe_id() && record.region() == terms.region() &&
          record.supplier() == terms.supplier() && record.slot() == terms.slot(),
      "enrolment",
      absl::StrCat(terms.region(), "/", terms.supplier(), "/", terms.slot(), ", as invited"),
      absl::StrCat(record.region(), "/", record.supplier(), "/", record.slot(), ", ",
                   record.spiffe_id()));
  for (const auto& [other_id, other] : state.workers) {
    step.Expect(other.terms.statement_public_key() != record.statement_public_key(), "enrolment",
                "a statement key of the worker's own", absl::StrCat("the key of ", other_id));
    step.Expect(other.revoked || other.terms.spiffe_id() != record.spiffe_id(), "enrolment",
                "one live worker in a slot", absl::StrCat(other_id, " is not revoked"));
  }
}

void Check(const Step& step, const v1::WorkerRevoked& record) {
  static const auto& reasons =
      *new std::set<std::string>{"operator", "two-live-uses", "lease-ended", "misbehaviour"};
  step.Expect(reasons.count(record.reason()) != 0, "revocation", "a reason of the closed list",
              record.reason());
  const Worker* const worker = LiveWorkerOf(step, record.worker_id(), "revocation");
  step.Expect(worker == nullptr || record.reason() != "lease-ended" ||
                  ToTime(record.common().at()) >= ToTime(worker->terms.lease_until()),
              "revocation", "a lease that has ended", "one that goes on");
}

void Check(const Step& step, const v1::DatasetRegistered& record) {
  ExpectStated(step, record.common(), record.stated(), {"data-steward"},
               [&](ByteView key) { return ledger::verifier::VerifyStated(record, key); });
  for (const v1::ShardRegistration& shard : record.shards()) {
    const std::string key = ShardKey(record.dataset(), shard.shard());
    const auto known = step.state().shards.find(key);
    step.Expect(known == step.state().shards.end() || IsAsRegistered(known->second, shard), "shard",
                absl::StrCat("one registration of ", key), "a second one, with other words");
    step.Expect(known == step.state().shards.end() || !known->second.withdrawn.has_value(), "shard",
                absl::StrCat("a new name for the data of ", key, ", which was withdrawn"),
                "the same name");
    step.Expect(step.state().regions.count(shard.stored_in()) != 0, "reference",
                "a registered region", absl::StrCat(key, " is stored in ", shard.stored_in()));
    if (known == step.state().shards.end()) {
      CheckOneLabelling(step, key, shard);
    }
  }
  CheckOneLabelling(step, record);
}

void Check(const Step& step, const v1::ShardStaged& record) {
  const State& state = step.state();
  const auto shard = state.shards.find(ShardKey(record.dataset(), record.shard()));
  if (!step.Expect(shard != state.shards.end(), "reference", "a registered shard",
                   absl::StrCat(record.dataset(), "/", record.shard()))) {
    return;
  }
  const Worker* const worker = LiveWorkerOf(step, record.worker_id(), "shard");
  if (worker == nullptr) {
    return;
  }
  if (record.staging_id().empty()) {
    CheckClaim(step, record, shard->second, *worker);
  } else {
    CheckArrival(step, record, shard->second);
  }
}

void Check(const Step& step, const v1::StagingOrdered& record) {
  const State& state = step.state();
  step.Expect(state.stagings.count(record.staging_id()) == 0, "staging",
              absl::StrCat("one order ", record.staging_id()), "a second one");
  const auto shard = state.shards.find(ShardKey(record.dataset(), record.shard()));
  const Worker* const from = LiveWorkerOf(step, record.from_worker_id(), "staging");
  LiveWorkerOf(step, record.to_worker_id(), "staging");
  if (!step.Expect(shard != state.shards.end(), "reference", "a registered shard",
                   absl::StrCat(record.dataset(), "/", record.shard())) ||
      from == nullptr) {
    return;
  }
  ExpectNotWithdrawn(step, {shard->first});
  const auto copy = shard->second.holders.find(record.from_worker_id());
  step.Expect(copy != shard->second.holders.end() && copy->second == shard->second.sha256,
              "staging", "a sender that holds the registered shard", record.from_worker_id());
}

void Check(const Step& step, const v1::StagingAbandoned& record) {
  const auto staging = step.state().stagings.find(record.staging_id());
  step.Expect(
      staging != step.state().stagings.end() && staging->second.phase == StagingPhase::kOrdered,
      "staging", "a staging under way", record.staging_id());
}

void Check(const Step& step, const v1::ClockAccepted& record) {
  ExpectRole(step, record.accepted_by(), {"operator", "admin"});
}

// ---- shared by several ----

const Worker* LiveWorkerOf(const Step& step, const std::string& worker_id, const char* check) {
  const Worker* const worker = step.state().FindWorker(worker_id);
  if (!step.Expect(worker != nullptr, check, "an enrolled worker", worker_id)) {
    return nullptr;
  }
  const bool live = step.Expect(!worker->revoked, check, "a worker that is not revoked", worker_id);
  return live ? worker : nullptr;
}

void ExpectRole(const Step& step, const std::string& user_id, const std::set<std::string>& roles) {
  const auto user = step.state().users.find(user_id);
  if (!step.Expect(user != step.state().users.end(), "role", "an enrolled person", user_id)) {
    return;
  }
  step.Expect(!user->second.revoked, "role", "a person who is not revoked", user_id);
  const bool holds = std::any_of(roles.begin(), roles.end(), [&](const std::string& role) {
    return user->second.roles.count(role) != 0;
  });
  step.Expect(holds, "role",
              absl::StrCat(user_id, " with one of the roles ", absl::StrJoin(roles, ", ")),
              absl::StrCat("the roles ", absl::StrJoin(user->second.roles, ", ")));
}

std::string Hex(const std::string& bytes) {
  return bytes.empty() ? "nothing" : HexEncode(AsBytes(bytes));
}
std::string Hex(const Bytes& bytes) {
  return bytes.empty() ? "nothing" : HexEncode(bytes);
}

}  // namespace carnet::coordinator::audit
