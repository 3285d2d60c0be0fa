// The chain of trust from the statement key in genesis to the signer of each record.
#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "ledger/verifier/lineage.h"

namespace carnet::ledger::verifier {
namespace {

std::optional<Finding> Expect(std::uint64_t index, const VerifiedRecord& record,
                              const std::string& who, ByteView key) {
  if (ToString(record.public_key) == ToString(key)) {
    return std::nullopt;
  }
  return Finding{
      .expected = absl::StrCat(record.type, " signed by ", who, ", key ", HexEncode(key)),
      .actual = absl::StrCat("signed by key ", HexEncode(record.public_key)),
      .index = index};
}

std::optional<Finding> ExpectMember(std::uint64_t index, const VerifiedRecord& record,
                                    const std::map<std::string, Enrolled>& members,
                                    const std::string& id) {
  const auto member = members.find(id);
  if (member == members.end() || member->second.index >= index) {
    return Finding{.expected = absl::StrCat("the enrolment of ", id, " before its ", record.type),
                   .actual = "not in the manifest",
                   .index = index,
                   .missing = true};
  }
  if (member->second.revoked && *member->second.revoked < index) {
    return Finding{.expected = absl::StrCat("nothing of ", id, " after its revocation at ",
                                            *member->second.revoked),
                   .actual = absl::StrCat("a ", record.type),
                   .index = index};
  }
  return Expect(index, record, id, member->second.public_key);
}

}  // namespace

Members EnrolledMembers(const RecordMap& records) {
  Members members;
  for (const auto& [index, record] : records) {
    if (const auto* user = record.As<v1::UserEnrolled>(); user != nullptr) {
      members.users.emplace(user->user_id(), Enrolled{.index = index,
                                                      .public_key = ToBytes(user->public_key()),
                                                      .region = {},
                                                      .supplier = {},
                                                      .revoked = {}});
    }
    if (const auto* worker = record.As<v1::WorkerEnrolled>(); worker != nullptr) {
      members.workers.emplace(worker->worker_id(),
                              Enrolled{.index = index,
                                       .public_key = ToBytes(worker->statement_public_key()),
                                       .region = worker->region(),
                                       .supplier = worker->supplier(),
                                       .revoked = {}});
    }
    if (const auto* left = record.As<v1::UserRevoked>(); left != nullptr) {
      const auto user = members.users.find(left->user_id());
      if (user != members.users.end() && !user->second.revoked) {
        user->second.revoked = index;
      }
    }
    if (const auto* revoked = record.As<v1::WorkerRevoked>(); revoked != nullptr) {
      const auto worker = members.workers.find(revoked->worker_id());
      if (worker != members.workers.end() && !worker->second.revoked) {
        worker->second.revoked = index;
      }
    }
  }
  return members;
}

bool IsCoordinators(const VerifiedRecord& record) {
  return record.As<v1::JobSubmitted>() == nullptr && record.As<v1::Contribution>() == nullptr &&
         record.As<v1::Evaluation>() == nullptr && record.As<v1::Approval>() == nullptr &&
         record.As<v1::PolicyProposed>() == nullptr && record.As<v1::ModelAssessed>() == nullptr;
}

std::optional<Finding> FollowKeys(const RecordMap& records, std::optional<KeyHistory>& keys) {
  const auto first = records.find(0);
  if (first == records.end()) {
    return Finding{.expected = "record 0", .actual = "not there", .index = 0, .missing = true};
  }
  absl::StatusOr<KeyHistory> history = KeyHistory::Create(first->second);
  if (!history.ok()) {
    return Finding{.expected = "a genesis that names its signer",
                   .actual = std::string(history.status().message()),
                   .index = 0};
  }
  for (const auto& [index, record] : records) {
    if (record.As<v1::KeyRotated>() == nullptr) {
      continue;
    }
    if (const absl::Status added = history->Add(index, record); !added.ok()) {
      return Finding{.expected = "a handover from the key in force",
                     .actual = std::string(added.message()),
                     .index = index};
    }
  }
  keys = *std::move(history);
  return std::nullopt;
}

std::optional<Finding> CheckSigners(const RecordMap& records, const KeyHistory& keys,
                                    const Members& members) {
  for (const auto& [index, record] : records) {
    std::optional<Finding> finding;
    if (const auto* job = record.As<v1::JobSubmitted>(); job != nullptr) {
      finding = ExpectMember(index, record, members.users, job->submitter());
    } else if (const auto* approval = record.As<v1::Approval>(); approval != nullptr) {
      finding = ExpectMember(index, record, members.users, approval->approver());
    } else if (const auto* proposed = record.As<v1::PolicyProposed>(); proposed != nullptr) {
      finding = ExpectMember(index, record, members.users, proposed->author());
    } else if (const auto* assessed = record.As<v1::ModelAssessed>(); assessed != nullptr) {
      finding = ExpectMember(index, record, members.users, assessed->assessor());
    } else if (const auto* contribution = record.As<v1::Contribution>(); contribution != nullptr) {
      finding = ExpectMember(index, record, members.workers, contribution->worker_id());
    } else if (const auto* evaluation = record.As<v1::Evaluation>(); evaluation != nullptr) {
      finding = ExpectMember(index, record, members.workers, evaluation->worker_id());
    } else {
      finding = Expect(index, record, "the coordinator", keys.StatementKeyAt(index));
    }
    if (finding) {
      return finding;
    }
  }
  return std::nullopt;
}

}  // namespace carnet::ledger::verifier
