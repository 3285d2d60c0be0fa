#include "coordinator/core/expiry.h"

#include <algorithm>
#include <utility>

#include "base/timestamp.h"

namespace carnet::coordinator {

std::optional<int> ExpiryWarning(absl::Duration left) {
  if (left <= absl::ZeroDuration()) {
    return 0;
  }
  std::optional<int> warning;
  for (const int days : kExpiryWarningDays) {
    if (left <= absl::Hours(24) * days) {
      warning = days;
    }
  }
  return warning;
}

absl::Time BundleEnds(const State& state) {
  return state.bundle->head().valid_to;
}

std::optional<absl::Time> EvidenceEnds(const State& state, absl::Time now) {
  std::optional<absl::Time> first;
  for (const auto& [id, evidence] : state.evidence) {
    const absl::Time ends = ToTime(evidence.terms.valid_to());
    if (!evidence.withdrawn && evidence.accepted != nullptr && now < ends) {
      first = std::min(first.value_or(ends), ends);
    }
  }
  return first;
}

std::vector<Ending> EndingSoon(const State& state, absl::Time now) {
  std::vector<Ending> endings;
  const absl::Time bundle_ends = BundleEnds(state);
  if (const auto warning = ExpiryWarning(bundle_ends - now); warning.has_value()) {
    endings.push_back({"", "", bundle_ends, *warning});
  }
  for (const auto& [id, evidence] : state.evidence) {
    const absl::Time ends = ToTime(evidence.terms.valid_to());
    const auto warning = ExpiryWarning(ends - now);
    if (!evidence.withdrawn && evidence.accepted != nullptr && now < ends && warning.has_value()) {
      endings.push_back({id, evidence.terms.kind(), ends, *warning});
    }
  }
  return endings;
}

std::vector<Ending> ExpiryWatch::News(const State& state, absl::Time now) {
  std::vector<Ending> news;
  std::map<std::string, int> said;
  for (Ending& ending : EndingSoon(state, now)) {
    const std::string name =
        ending.evidence_id.empty() ? ToString(state.bundle->sha256()) : ending.evidence_id;
    const auto before = said_.find(name);
    said[name] = ending.warning_days;
    if (before == said_.end() || before->second != ending.warning_days) {
      news.push_back(std::move(ending));
    }
  }
  said_ = std::move(said);
  return news;
}

}  // namespace carnet::coordinator
