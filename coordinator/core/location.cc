#include "coordinator/core/location.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/timestamp.h"
#include "policies/facts.h"

namespace carnet::coordinator {
namespace {

const std::string& OperatorIn(const State& state, const v1::RegionConfig& terms) {
  return terms.supplier().empty() ? state.genesis.organisation() : terms.supplier();
}

bool CoversPlace(const v1::EvidenceRecorded& item, const std::string& place) {
  return std::find(item.destinations().begin(), item.destinations().end(), place) !=
         item.destinations().end();
}

}  // namespace

const std::set<std::string>& Observations() {
  static const auto& words =
      *new std::set<std::string>{kObservedAddress, kObservedRoundTrip, kObservedByOfficer};
  return words;
}

const std::set<std::string>& Clearances() {
  static const auto& words =
      *new std::set<std::string>{"corrected", "explained", "machines-gone", "mistaken"};
  return words;
}

const std::set<std::string>& LocationReporters() {
  static const auto& roles = *new std::set<std::string>{"compliance", "dpo", "legal"};
  return roles;
}

bool HasInstanceIdentity(const State& state, const v1::RegionConfig& terms, absl::Time at) {
  return !terms.jurisdictions().empty() &&
         std::all_of(terms.jurisdictions().begin(), terms.jurisdictions().end(),
                     [&](const std::string& place) {
                       return std::any_of(
                           state.evidence.begin(), state.evidence.end(), [&](const auto& entry) {
                             const v1::EvidenceRecorded& item = entry.second.terms;
                             return entry.second.accepted != nullptr && !entry.second.withdrawn &&
                                    item.kind() == policies::kInstanceIdentity &&
                                    item.recipient() == OperatorIn(state, terms) &&
                                    at >= ToTime(item.valid_from()) &&
                                    at < ToTime(item.valid_to()) && CoversPlace(item, place);
                           });
                     });
}

v1::LocationGrade LocationGradeOf(const State& state, const std::string& region, absl::Time at) {
  const auto known = state.regions.find(region);
  if (known == state.regions.end()) {
    return v1::LOCATION_GRADE_UNSPECIFIED;
  }
  if (!known->second.contradictions.empty()) {
    return v1::LOCATION_GRADE_UNKNOWN;
  }
  const v1::RegionConfig& terms = known->second.terms;
  return terms.location_evidence() == v1::LOCATION_GRADE_PROVIDER &&
                 !HasInstanceIdentity(state, terms, at)
             ? v1::LOCATION_GRADE_CLAIMED
             : terms.location_evidence();
}

absl::Status CheckGrade(const State& state, const v1::RegionConfig& terms, absl::Time at) {
  if (terms.location_evidence() != v1::LOCATION_GRADE_PROVIDER ||
      HasInstanceIdentity(state, terms, at)) {
    return absl::OkStatus();
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "region: location `provider` needs evidence on file: the signed instance identity that "
      "compliance verified (carnet evidence add --kind instance-identity --recipient ",
      OperatorIn(state, terms), " --to ", absl::StrJoin(terms.jurisdictions(), ","),
      " --document FILE --from DAY --until DAY), then say it again"));
}

std::size_t ContradictedRegions(const State& state) {
  return static_cast<std::size_t>(
      std::count_if(state.regions.begin(), state.regions.end(),
                    [](const auto& entry) { return !entry.second.contradictions.empty(); }));
}

}  // namespace carnet::coordinator
