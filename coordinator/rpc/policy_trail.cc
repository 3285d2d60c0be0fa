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
constexpr absl::string_view kRotation = "key-rotated";
// Longer than any of them.
constexpr std::size_t kTypeBytesMax = 64;

// Whether the statement may be of a type that this class tells apart. Never false for one that is:
// without a backslash every text stands in the JSON as it is, the type among them. That it stands
// there proves nothing: a job's tags hold any text, and the same key.
bool MayMatter(absl::string_view statement) {
  constexpr absl::string_view kUrn = "urn:carnet:";
  if (statement.find('\\') != absl::string_view::npos) {
    return true;
  }
  for (std::size_t at = statement.find(kUrn); at != absl::string_view::npos;
       at = statement.find(kUrn, at + kUrn.size())) {
    const absl::string_view rest = statement.substr(at + kUrn.size(), kTypeBytesMax);
    const absl::string_view word = rest.substr(0, rest.find(':'));
    if (word == kRotation || std::find(kTypes.begin(), kTypes.end(), word) != kTypes.end()) {
      return true;
    }
  }
  return false;
}

}  // namespace

absl::Status PolicyTrail::Look(std::uint64_t index, const v1::SignedRecord& record) {
  if (!MayMatter(record.statement())) {
    return absl::OkStatus();
  }
  CARNET_ASSIGN_OR_RETURN(const ledger::Record opened, ledger::OpenVerifiedRecord(record));
  if (opened.type == kRotation) {
    rotations_.push_back(index);
  }
  if (std::find(kTypes.begin(), kTypes.end(), opened.type) == kTypes.end()) {
    return absl::OkStatus();
  }
  indexes_.push_back(index);
  if (opened.As<v1::PolicyProposed>() != nullptr) {
    proposals_.push_back(index);
  }
  if (const auto* activated = opened.As<v1::PolicyActivated>(); activated != nullptr) {
    activations_[index] = activated->proposed_index();
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

// Those that the worker does not know, up to the first activation whose bundle it may not hold.
std::vector<std::uint64_t> PolicyTrail::Next(std::uint64_t followed, std::uint64_t size,
                                             std::optional<std::uint64_t>* proposal) const {
  std::vector<std::uint64_t> wanted;
  const auto first = std::lower_bound(indexes_.begin(), indexes_.end(), followed);
  const auto end = std::lower_bound(first, indexes_.end(), size);
  for (auto at = first; at != end && wanted.size() < kTrailRecordsMax; ++at) {
    wanted.push_back(*at);
    const auto activation = activations_.find(*at);
    if (activation == activations_.end()) {
      continue;
    }
    const auto proposed =
        std::lower_bound(proposals_.begin(), proposals_.end(), activation->second);
    const auto later = std::lower_bound(proposed, proposals_.end(), *at) - proposed;
    if (activation->second < *first ||
        later > static_cast<std::ptrdiff_t>(kTrailProposalTextsKept)) {
      *proposal = activation->second;
      break;
    }
  }
  return wanted;
}

absl::StatusOr<std::string> PolicyTrail::TextOf(const ledger::LogView& log, std::uint64_t index) {
  CARNET_ASSIGN_OR_RETURN(const v1::SignedRecord record, log.ReadRecord(index));
  CARNET_ASSIGN_OR_RETURN(const ledger::Record opened, ledger::OpenVerifiedRecord(record));
  const auto* proposed = opened.As<v1::PolicyProposed>();
  return proposed == nullptr ? std::string() : proposed->bundle_json();
}

absl::Status PolicyTrail::Fill(const ledger::LogView& log, const v1::NextTaskRequest& request,
                               const ledger::SignedHead& head, v1::NextTaskResponse* response) {
  const std::uint64_t followed = request.policy_followed();
  if (followed == 0) {
    return absl::OkStatus();
  }
  std::vector<std::uint64_t> wanted;
  std::optional<std::uint64_t> proposal;
  {
    const MutexLock lock(mutex_);
    CARNET_ASSIGN_OR_RETURN(const bool whole, CatchUp(log, head.head.size));
    wanted = Next(followed, head.head.size, &proposal);
    const std::uint64_t next = wanted.empty() ? followed : wanted.back() + 1;
    const auto rest = std::lower_bound(indexes_.begin(), indexes_.end(), next);
    response->set_policy_continues(!whole || (rest != indexes_.end() && *rest < head.head.size));
  }
  std::string text;
  if (proposal.has_value()) {
    CARNET_ASSIGN_OR_RETURN(text, TextOf(log, *proposal));
  }
  std::size_t bytes = 0;
  for (const std::uint64_t index : wanted) {
    v1::ProvenRecord proven;
    CARNET_ASSIGN_OR_RETURN(*proven.mutable_record(), log.ReadRecord(index));
    const bool with_text = proposal.has_value() && index == wanted.back();
    bytes += proven.record().statement().size() + (with_text ? text.size() : 0);
    if (bytes > kTrailBytesMax && response->policy_size() > 0) {
      response->set_policy_continues(true);
      return absl::OkStatus();
    }
    CARNET_ASSIGN_OR_RETURN(*proven.mutable_proof(), log.InclusionProof(index, head.head.size));
    *response->add_policy() = std::move(proven);
    if (with_text) {
      response->set_bundle_json(text);
    }
  }
  return absl::OkStatus();
}

}  // namespace carnet::coordinator
