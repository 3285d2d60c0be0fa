#include "coordinator/core/decide.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "coordinator/core/drafts.h"
#include "coordinator/core/fold.h"

namespace carnet::coordinator {
namespace {

// A record that came signed brings a request id of its own: one that is on record is of another
// command, and would stand for two.
absl::Status CheckOwnIds(const State& state, const Command& command, const Decided& decided) {
  for (const NewRecord& record : decided.records) {
    const std::string& id = ledger::CommonOf(record.predicate).request_id();
    if (record.signed_record.has_value() && id != command.request_id &&
        state.requests.count(id) != 0) {
      return absl::AlreadyExistsError(
          "the request id of the signed record is on record: sign it again with a new one");
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Decided> Decide(const State& state, const Command& command) {
  CARNET_CHECK(command.entropy.size() == 32);
  if (!command.request_id.empty()) {
    if (const auto known = state.requests.find(command.request_id); known != state.requests.end()) {
      Decided decided;
      decided.answer_index = known->second;
      return decided;
    }
  }
  absl::StatusOr<Decided> decided = std::visit(
      [&](const auto& body) { return DecideOn(Drafts(state, command), body); }, command.body);
  if (decided.ok()) {
    CARNET_RETURN_IF_ERROR(CheckOwnIds(state, command, *decided));
  }
  return decided;
}

absl::Status RequireRole(const State& state, const std::string& user_id,
                         const std::set<std::string>& roles) {
  const auto user = state.users.find(user_id);
  if (user == state.users.end() || user->second.revoked) {
    return absl::PermissionDeniedError("this user is not enrolled");
  }
  const bool allowed = std::any_of(roles.begin(), roles.end(), [&](const std::string& role) {
    return user->second.roles.count(role) != 0;
  });
  if (!allowed) {
    return absl::PermissionDeniedError(
        absl::StrCat("this needs one of the roles: ", absl::StrJoin(roles, ", ")));
  }
  return absl::OkStatus();
}

absl::StatusOr<const Job*> RunningJob(const State& state, const std::string& job_id) {
  const Job* job = state.FindJob(job_id);
  if (job == nullptr) {
    return absl::NotFoundError("no such job");
  }
  if (job->phase != JobPhase::kRunning) {
    return absl::FailedPreconditionError("the job has ended");
  }
  return job;
}

absl::StatusOr<const Worker*> LiveWorker(const State& state, const std::string& worker_id) {
  const Worker* worker = state.FindWorker(worker_id);
  if (worker == nullptr || worker->revoked) {
    return absl::PermissionDeniedError("revoked");
  }
  return worker;
}

absl::Status CheckPreparedUnder(const State& state, ByteView bundle_sha256) {
  return bundle_sha256.empty() || AsText(bundle_sha256) == AsText(state.bundle->sha256())
             ? absl::OkStatus()
             : absl::FailedPreconditionError("another policy bundle is in force by now");
}

ledger::Subject DigestSubject(std::string name, absl::string_view sha256) {
  const absl::StatusOr<Digest> digest = ToDigest(AsBytes(sha256));
  CARNET_CHECK(digest.ok());
  return ledger::Subject{std::move(name), *digest};
}

void OrderDestruction(Drafts* drafts, const std::string& job_id, std::uint32_t round,
                      std::uint32_t attempt, absl::string_view purpose_prefix,
                      const std::string& reason) {
  v1::KeyDestructionOrdered order;
  for (const auto& [id, key] : drafts->state().keys) {
    if (key.phase == KeyPhase::kLive && key.terms.job_id() == job_id &&
        key.terms.round() == round && key.terms.attempt() == attempt &&
        absl::StartsWith(key.terms.purpose(), purpose_prefix)) {
      order.add_key_ids(id);
    }
  }
  if (!order.key_ids().empty()) {
    order.set_reason(reason);
    drafts->Add(std::move(order));
  }
}

std::optional<std::uint64_t> AddRefusals(Drafts* drafts, const std::vector<v1::Refusal>& refusals) {
  std::optional<std::uint64_t> last;
  std::set<std::string> seen;
  for (const v1::Refusal& refusal : refusals) {
    const std::string key = RefusalKey(drafts->state(), refusal);
    if (!seen.insert(key).second) {
      continue;
    }
    if (drafts->state().refusal_keys.count(key) != 0) {
      drafts->Repeat(refusal);
      continue;
    }
    last = drafts->Add(refusal);
  }
  return last;
}

std::uint64_t AddRefusal(Drafts* drafts, const v1::Refusal& refusal) {
  const std::optional<std::uint64_t> added = AddRefusals(drafts, {refusal});
  return added.has_value() ? *added
                           : drafts->state().refusal_keys.at(RefusalKey(drafts->state(), refusal));
}

std::string RefusedByPolicy(const v1::Refusal& refusal) {
  std::set<std::string> reasons;
  for (const v1::Decision& decision : refusal.decisions()) {
    for (const v1::Failure& failure : decision.failures()) {
      reasons.insert(failure.reason());
    }
  }
  return absl::StrCat("refused by policy", reasons.empty() ? "" : ": ",
                      absl::StrJoin(reasons, ", "));
}

absl::Status RefusedByPolicy(const v1::Refusal& refusal, std::uint64_t index) {
  return absl::PermissionDeniedError(
      absl::StrCat(RefusedByPolicy(refusal), " (record ", index, ")"));
}

}  // namespace carnet::coordinator
