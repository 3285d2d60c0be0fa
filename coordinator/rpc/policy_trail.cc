#include "coordinator/rpc/policy_trail.h"

#include <algorithm>
#include <array>

#include "base/status.h"
#include "ledger/record.h"

namespace carnet::coordinator {
namespace {

constexpr std::uint64_t kReadAtOnce = 256;

// federation.proto, NextTaskResponse.policy.
constexpr std::array<absl::string_view, 8> kTypes = {
    "approval",         "policy-activated", "policy-examined", "policy-proposed",
    "policy-withdrawn", "user-enrolled",    "user-revoked",    "user-role-changed"};

// "approval" of {"predicateType":"urn:carnet:approval:v1"}; empty: the text is laid out otherwise.
// Quotes within a JSON text are escaped, so the key is found nowhere else.
absl::string_view TypeIn(absl::string_view statement) {
  constexpr absl::string_view kKey = R"("predicateType":"urn:carnet:)";
  const std::size_t at = statement.find(kKey);
  if (at == absl::string_view::npos) {
    return "";
  }
  const absl::string_view rest = statement.substr(at + kKey.size(), 64);
  return rest.substr(0, rest.find(':'));
}

absl::StatusOr<std::string> TypeOf(const v1::SignedRecord& record) {
  const absl::string_view seen = TypeIn(record.statement());
  if (!seen.empty()) {
    return std::string(seen);
  }
  CARNET_ASSIGN_OR_RETURN(const ledger::Record opened, ledger::OpenVerifiedRecord(record));
  return opened.type;
}

}  // namespace

absl::Status PolicyTrail::Look(std::uint64_t index, const v1::SignedRecord& record) {
  CARNET_ASSIGN_OR_RETURN(const std::string type, TypeOf(record));
  if (type == "key-rotated") {
    rotations_.push_back(index);
  }
  if (std::find(kTypes.begin(), kTypes.end(), type) == kTypes.end()) {
    return absl::OkStatus();
  }
  indexes_.push_back(index);
  if (type == "policy-activated") {
    CARNET_ASSIGN_OR_RETURN(const ledger::Record opened, ledger::OpenVerifiedRecord(record));
    if (const auto* activated = opened.As<v1::PolicyActivated>(); activated != nullptr) {
      in_force_ = {index, activated->proposed_index(), activated->bundle_sha256()};
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> PolicyTrail::CatchUp(const ledger::LogView& log, std::uint64_t size) {
  const std::uint64_t until = std::min(size, read_ + kTrailLookMax);
  while (read_ < until) {
    CARNET_ASSIGN_OR_RETURN(const std::vector<ledger::StoredRecord> records,
                            log.ReadRange(read_, std::min(kReadAtOnce, until - read_)));
    if (records.empty()) {
      return absl::InternalError("policies: the log gave no records within its size");
    }
    for (const ledger::StoredRecord& stored : records) {
      CARNET_RETURN_IF_ERROR(Look(read_, stored.record));
      ++read_;
    }
  }
  return read_ >= size;
}

absl::StatusOr<bool> PolicyTrail::HasNews(const ledger::LogView& log, std::uint64_t followed) {
  if (followed == 0) {
    return false;
  }
  const std::uint64_t size = log.Size();
  const MutexLock lock(mutex_);
  CARNET_ASSIGN_OR_RETURN(const bool whole, CatchUp(log, size));
  return !whole || (!indexes_.empty() && indexes_.back() >= followed);
}

std::vector<std::uint64_t> PolicyTrail::Rotations(std::size_t known, std::uint64_t size) const {
  const MutexLock lock(mutex_);
  const auto first =
      rotations_.begin() + static_cast<std::ptrdiff_t>(std::min(known, rotations_.size()));
  return {first, std::lower_bound(first, rotations_.end(), size)};
}

absl::Status PolicyTrail::Fill(const ledger::LogView& log, const v1::NextTaskRequest& request,
                               const ledger::SignedHead& head, v1::NextTaskResponse* response) {
  const std::uint64_t followed = request.policy_followed();
  if (followed == 0) {
    return absl::OkStatus();
  }
  std::vector<std::uint64_t> wanted;
  Activation in_force;
  {
    const MutexLock lock(mutex_);
    CARNET_ASSIGN_OR_RETURN(const bool whole, CatchUp(log, head.head.size));
    const auto first = std::lower_bound(indexes_.begin(), indexes_.end(), followed);
    const auto end = std::lower_bound(first, indexes_.end(), head.head.size);
    const auto count =
        std::min<std::ptrdiff_t>(end - first, static_cast<std::ptrdiff_t>(kTrailRecordsMax));
    wanted.assign(first, first + count);
    in_force = in_force_;
    response->set_policy_continues(!whole || first + count != end);
  }
  std::size_t bytes = 0;
  for (const std::uint64_t index : wanted) {
    v1::ProvenRecord proven;
    CARNET_ASSIGN_OR_RETURN(*proven.mutable_record(), log.ReadRecord(index));
    bytes += proven.record().statement().size();
    if (bytes > kTrailBytesMax && response->policy_size() > 0) {
      response->set_policy_continues(true);
      break;
    }
    CARNET_ASSIGN_OR_RETURN(*proven.mutable_proof(), log.InclusionProof(index, head.head.size));
    *response->add_policy() = std::move(proven);
  }
  // The worker may have let go of what was proposed long before.
  const bool sent_along = std::binary_search(wanted.begin(), wanted.end(), in_force.proposed_index);
  if (in_force.index != 0 && in_force.index < head.head.size && !response->policy_continues() &&
      in_force.bundle_sha256 != request.bundle_sha256() && !sent_along) {
    CARNET_ASSIGN_OR_RETURN(const v1::SignedRecord record, log.ReadRecord(in_force.proposed_index));
    CARNET_ASSIGN_OR_RETURN(const ledger::Record opened, ledger::OpenVerifiedRecord(record));
    if (const auto* proposed = opened.As<v1::PolicyProposed>(); proposed != nullptr) {
      response->set_bundle_json(proposed->bundle_json());
    }
  }
  return absl::OkStatus();
}

}  // namespace carnet::coordinator
