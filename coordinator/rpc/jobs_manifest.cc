#include "coordinator/rpc/jobs_manifest.h"

#include <algorithm>
#include <map>

#include "base/status.h"
#include "ledger/record.h"

namespace carnet::coordinator {
namespace {

// Collects indexes while the log goes by.
class LineageScan {
 public:
  // `published`: size of the published head, which the manifest will be under.
  LineageScan(const ManifestFacts& facts, std::uint64_t published)
      : facts_(facts), published_(published) {}

  absl::Status Visit(std::uint64_t index, const v1::SignedRecord& signed_record) {
    CARNET_ASSIGN_OR_RETURN(const ledger::Record record, ledger::OpenVerifiedRecord(signed_record));
    // Rotations, erasures and withdrawals up to now: they say how the other records are to be read.
    if (((IsFederations(record) || IsOfModel(record)) && index <= facts_.aggregate_index) ||
        record.As<v1::KeyRotated>() != nullptr || record.As<v1::Erasure>() != nullptr ||
        record.As<v1::ErasureDone>() != nullptr || record.As<v1::ShardWithdrawn>() != nullptr) {
      indexes_.push_back(index);
    } else if (record.As<v1::PolicyActivated>() != nullptr) {
      later_policies_.push_back(index);
    } else if (const auto* user = record.As<v1::UserEnrolled>(); user != nullptr) {
      later_users_[user->user_id()] = index;
    } else if (const auto* release = record.As<v1::Release>(); release != nullptr) {
      Released(index, *release);
    } else if (const auto* key = record.As<v1::KeyCreated>(); key != nullptr) {
      if (key->job_id() == facts_.job_id && key->round() <= facts_.round) {
        keys_.insert(key->key_id());
        indexes_.push_back(index);
      }
    } else if (const auto* order = record.As<v1::KeyDestructionOrdered>(); order != nullptr) {
      AddIfOurs(index, order->key_ids());
    } else if (const auto* destroyed = record.As<v1::KeyDestroyed>(); destroyed != nullptr) {
      AddIfOurs(index, destroyed->key_ids());
    }
    return absl::OkStatus();
  }

  std::vector<std::uint64_t> Take() && { return std::move(indexes_); }

 private:
  // A release of this model, with what came after the aggregate and is needed to check it.
  void Released(std::uint64_t index, const v1::Release& release) {
    // One that no published head covers yet is left to a later manifest.
    if (index >= published_ || release.job_id() != facts_.job_id ||
        release.model_sha256() != AsText(facts_.model_sha256)) {
      return;
    }
    indexes_.push_back(index);
    indexes_.insert(indexes_.end(), later_policies_.begin(), later_policies_.end());
    later_policies_.clear();
    if (const auto user = later_users_.find(release.released_to()); user != later_users_.end()) {
      indexes_.push_back(user->second);
    }
  }

  static bool IsFederations(const ledger::Record& record) {
    return record.As<v1::Genesis>() != nullptr || record.As<v1::UserEnrolled>() != nullptr ||
           record.As<v1::SupplierRegistered>() != nullptr ||
           record.As<v1::RegionRegistered>() != nullptr ||
           record.As<v1::EvidenceRecorded>() != nullptr ||
           record.As<v1::EvidenceAccepted>() != nullptr ||
           record.As<v1::EvidenceExpired>() != nullptr ||
           record.As<v1::WorkerEnrolled>() != nullptr ||
           record.As<v1::WorkerRevoked>() != nullptr ||
           record.As<v1::DatasetRegistered>() != nullptr ||
           record.As<v1::PolicyActivated>() != nullptr || record.As<v1::ShardStaged>() != nullptr ||
           record.As<v1::StagingOrdered>() != nullptr;
  }

  // What was found out about other models, and who reported what about places, is not for whoever
  // gets this one.
  bool IsOfModel(const ledger::Record& record) const {
    const auto* assessed = record.As<v1::ModelAssessed>();
    return assessed != nullptr && assessed->model_sha256() == AsText(facts_.model_sha256);
  }

  template <typename Ids>
  void AddIfOurs(std::uint64_t index, const Ids& ids) {
    if (std::any_of(ids.begin(), ids.end(),
                    [this](const std::string& id) { return keys_.count(id) != 0; })) {
      indexes_.push_back(index);
    }
  }

  const ManifestFacts& facts_;
  const std::uint64_t published_;
  std::set<std::string> keys_;
  std::vector<std::uint64_t> later_policies_;         // after the aggregate, not needed so far
  std::map<std::string, std::uint64_t> later_users_;  // enrolled after the aggregate, by id
  std::vector<std::uint64_t> indexes_;
};

}  // namespace

absl::StatusOr<ManifestFacts> ManifestFactsOf(const Job& job, std::uint32_t round,
                                              std::uint64_t durable_size) {
  const auto result =
      round == 0 ? job.results.end() - (job.results.empty() ? 0 : 1)
                 : std::find_if(job.results.begin(), job.results.end(),
                                [round](const RoundResult& item) { return item.round == round; });
  if (result == job.results.end() || result->aggregate_index >= durable_size) {
    return absl::NotFoundError("the job has no aggregate of this round");
  }
  ManifestFacts facts;
  facts.job_id = job.id;
  CARNET_ASSIGN_OR_RETURN(facts.model_sha256, ToDigest(result->model_sha256));
  facts.round = result->round;
  facts.aggregate_index = result->aggregate_index;
  // What follows the aggregate before the next one is its evaluation, and the job's end.
  const auto next = result + 1;
  for (const std::uint64_t index : job.records) {
    const bool own = next == job.results.end() || index <= result->aggregate_index;
    // What the organisation's own policy engine was asked holds all facts of a flow, whether it was
    // let move or not: nothing that whoever gets the model is to read.
    const bool asked = job.bridge_records.count(index) != 0;
    if (own && !asked && index < durable_size) {
      facts.records.push_back(index);
    }
  }
  return facts;
}

absl::StatusOr<ledger::ManifestOrder> MakeManifestOrder(const ledger::LogView& log,
                                                        const ManifestFacts& facts) {
  CARNET_ASSIGN_OR_RETURN(const ledger::SignedHead head, log.PublishedHead());
  LineageScan scan(facts, head.head.size);
  CARNET_RETURN_IF_ERROR(
      log.ForEachRecord(0, [&scan](std::uint64_t index, const v1::SignedRecord& record) {
        return scan.Visit(index, record);
      }));
  ledger::ManifestOrder order;
  order.job_id = facts.job_id;
  order.model_sha256 = facts.model_sha256;
  order.indexes = std::move(scan).Take();
  order.indexes.insert(order.indexes.end(), facts.records.begin(), facts.records.end());
  return order;
}

}  // namespace carnet::coordinator
