// What speaks against the place of a region, and who clears it.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "base/status.h"
#include "coordinator/core/drafts.h"
#include "coordinator/core/location.h"
#include "coordinator/core/statements.h"
#include "policies/jurisdictions.h"

namespace carnet::coordinator {
namespace {

absl::Status CheckDocument(const Bytes& sha256) {
  return sha256.empty() || sha256.size() == kDigestBytes
             ? absl::OkStatus()
             : absl::InvalidArgumentError("location: the document's SHA-256 has 32 bytes");
}

absl::Status CheckWord(const char* field, const std::string& word,
                       const std::set<std::string>& words) {
  return words.count(word) != 0
             ? absl::OkStatus()
             : absl::InvalidArgumentError(
                   absl::StrCat("location: ", field, ": one of ", absl::StrJoin(words, ", ")));
}

absl::StatusOr<const Region*> FindRegion(const State& state, const std::string& name) {
  const auto region = state.regions.find(name);
  if (region == state.regions.end()) {
    return absl::NotFoundError("location: no such region is registered (carnet region list)");
  }
  return &region->second;
}

// Of a live machine of the region, by id or slot.
absl::StatusOr<std::string> WorkerIn(const State& state, const std::string& region,
                                     const std::string& name) {
  for (const auto& [id, worker] : state.workers) {
    if (!worker.revoked && worker.terms.region() == region &&
        (id == name || worker.terms.slot() == name)) {
      return id;
    }
  }
  return absl::NotFoundError("location: no enrolled worker of this region has this id or slot");
}

// What was observed does speak against the place that is on record.
absl::Status CheckObservation(const Region& region, const ContradictLocation& command) {
  CARNET_RETURN_IF_ERROR(CheckWord("observed", command.observed, Observations()));
  CARNET_RETURN_IF_ERROR(CheckDocument(command.document_sha256));
  if ((command.observed == kObservedRoundTrip) != (command.round_trip_micros > 0) ||
      command.round_trip_micros > kRoundTripMicrosMax) {
    return absl::InvalidArgumentError(
        "location: a round trip of 1 to 60000000 microseconds comes with `round-trip-time`, and "
        "with nothing else");
  }
  if (command.seen_in.empty()) {
    return command.observed == kObservedAddress
               ? absl::InvalidArgumentError(
                     "location: an address speaks for some place: say which (seen_in)")
               : absl::OkStatus();
  }
  if (!policies::CheckJurisdiction(command.seen_in).ok()) {
    return absl::InvalidArgumentError("location: seen_in: no code of a place (docs/facts.md)");
  }
  const auto& places = region.terms.jurisdictions();
  return std::find(places.begin(), places.end(), command.seen_in) == places.end()
             ? absl::OkStatus()
             : absl::InvalidArgumentError(
                   "location: seen_in: the region is registered there: nothing is contradicted");
}

}  // namespace

absl::StatusOr<Decided> DecideOn(Drafts drafts, const ContradictLocation& command) {
  const State& state = drafts.state();
  CARNET_RETURN_IF_ERROR(RequireRole(state, command.user_id, LocationReporters()));
  CARNET_ASSIGN_OR_RETURN(const Region* const region, FindRegion(state, command.region));
  CARNET_RETURN_IF_ERROR(CheckObservation(*region, command));
  if (region->contradictions.size() >= kContradictionsMax) {
    return absl::ResourceExhaustedError(
        "location: 64 observations speak against this region already, which is the limit");
  }
  v1::LocationContradicted record;
  record.set_region(command.region);
  if (!command.worker.empty()) {
    CARNET_ASSIGN_OR_RETURN(*record.mutable_worker_id(),
                            WorkerIn(state, command.region, command.worker));
  }
  record.set_observed(command.observed);
  record.set_seen_in(command.seen_in);
  record.set_round_trip_micros(command.round_trip_micros);
  record.set_document_sha256(ToString(command.document_sha256));
  record.set_reported_by(command.user_id);
  const std::uint64_t index = drafts.Add(std::move(record));
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const ClearLocation& command) {
  const State& state = drafts.state();
  CARNET_RETURN_IF_ERROR(RequireRole(state, command.user_id, {kLocationClearer}));
  CARNET_ASSIGN_OR_RETURN(const Region* const region, FindRegion(state, command.region));
  CARNET_RETURN_IF_ERROR(CheckWord("reason", command.reason, Clearances()));
  CARNET_RETURN_IF_ERROR(CheckDocument(command.document_sha256));
  if (region->contradictions.empty()) {
    return absl::FailedPreconditionError(
        "location: nothing speaks against this region's place: there is nothing to clear");
  }
  v1::LocationCleared record;
  record.set_region(command.region);
  for (const auto& [index, contradiction] : region->contradictions) {
    record.add_contradictions(index);
  }
  record.set_reason(command.reason);
  record.set_document_sha256(ToString(command.document_sha256));
  record.set_cleared_by(command.user_id);
  *record.mutable_stated() = command.stated;
  // Over each that is open: one that came since the person looked is not among them.
  CARNET_RETURN_IF_ERROR(CheckStatement(state, record, command.stated, command.user_id,
                                        {kLocationClearer}, drafts.now()));
  const std::uint64_t index = drafts.Add(std::move(record));
  return std::move(drafts).Answer(index);
}

}  // namespace carnet::coordinator
