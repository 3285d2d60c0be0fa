// How the place of a region is known, and what speaks against it. Pure.
//
// A grade is put on record by compliance; nothing here measures where a machine stands. What is
// observed can only falsify: while something speaks against a region's place, its grade is unknown,
// whatever is registered, until somebody with the role clears it.
#ifndef CARNET_COORDINATOR_CORE_LOCATION_H_
#define CARNET_COORDINATOR_CORE_LOCATION_H_

#include <cstddef>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

// Open contradictions of one region; a further one is refused, for it changes nothing.
inline constexpr std::size_t kContradictionsMax = 64;
// No round trip on Earth takes longer; more is another unit.
inline constexpr std::uint64_t kRoundTripMicrosMax = 60'000'000;

inline constexpr char kObservedAddress[] = "address";
inline constexpr char kObservedRoundTrip[] = "round-trip-time";
inline constexpr char kObservedByOfficer[] = "officer";

// The closed lists of location-contradicted.observed and location-cleared.reason.
const std::set<std::string>& Observations();
const std::set<std::string>& Clearances();
// Who may report; only kLocationClearer clears.
const std::set<std::string>& LocationReporters();
inline constexpr char kLocationClearer[] = "compliance";

// Evidence of kind instance-identity is in force at `at` that binds the region's supplier (the home
// organisation where it has none) and covers each of its jurisdictions.
bool HasInstanceIdentity(const State& state, const v1::RegionConfig& terms, absl::Time at);

// The grade that counts at `at`: unknown while something speaks against the place; `claimed` where
// `provider` is registered and its evidence is not, or no longer, in force; else as registered.
// UNSPECIFIED: no such region.
v1::LocationGrade LocationGradeOf(const State& state, const std::string& region, absl::Time at);

// FAILED_PRECONDITION: `provider`, without that evidence; the message says what to add.
absl::Status CheckGrade(const State& state, const v1::RegionConfig& terms, absl::Time at);

// Regions that something speaks against.
std::size_t ContradictedRegions(const State& state);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_LOCATION_H_
