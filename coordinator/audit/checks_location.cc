// How the place of a region is known: what a grade stands on, and what speaks against it.
#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/timestamp.h"
#include "coordinator/audit/checks.h"
#include "ledger/verifier/person_statement.h"

namespace carnet::coordinator::audit {
namespace {

const std::set<std::string>& Observed() {
  static const auto& words = *new std::set<std::string>{"address", "officer", "round-trip-time"};
  return words;
}

const std::set<std::string>& Reasons() {
  static const auto& words =
      *new std::set<std::string>{"corrected", "explained", "machines-gone", "mistaken"};
  return words;
}

std::string Indexes(const std::set<std::uint64_t>& indexes) {
  return absl::StrCat("records ", absl::StrJoin(indexes, ", "));
}

bool IsInForce(const Evidence& evidence, absl::Time at) {
  return evidence.accepted != nullptr && !evidence.withdrawn &&
         ToTime(evidence.terms.valid_from()) <= at && at < ToTime(evidence.terms.valid_to());
}

}  // namespace

void ExpectProofOfPlace(const Step& step, const v1::RegionRegistered& record) {
  // What a succession carries over stands before its evidence, and is only a claim until then.
  const bool carried = step.state().genesis.has_succeeds() && record.common().request_id().empty();
  if (carried || record.terms().location_evidence() != v1::LOCATION_GRADE_PROVIDER) {
    return;
  }
  const absl::Time at = ToTime(record.common().at());
  const std::string& supplier = record.terms().supplier().empty()
                                    ? step.state().genesis.organisation()
                                    : record.terms().supplier();
  std::set<std::string> proved;
  for (const auto& [id, evidence] : step.state().evidence) {
    if (evidence.terms.kind() == "instance-identity" && evidence.terms.recipient() == supplier &&
        IsInForce(evidence, at)) {
      proved.insert(evidence.terms.destinations().begin(), evidence.terms.destinations().end());
    }
  }
  for (const std::string& place : record.terms().jurisdictions()) {
    step.Expect(proved.count(place) != 0, "location",
                absl::StrCat("evidence of instance-identity in force for ", supplier, " in ", place,
                             ", on which the grade `provider` stands"),
                "none before");
  }
}

void Check(const Step& step, const v1::LocationContradicted& record) {
  const State& state = step.state();
  // What a succession carries over may have been said by somebody who is not there any more.
  if (!record.reported_by().empty() || !state.genesis.has_succeeds()) {
    ExpectRole(step, record.reported_by(), {"compliance", "dpo", "legal"});
  }
  const auto region = state.regions.find(record.region());
  if (!step.Expect(region != state.regions.end(), "reference", "a registered region",
                   record.region())) {
    return;
  }
  step.Expect(Observed().count(record.observed()) != 0, "location",
              absl::StrCat("observed: one of ", absl::StrJoin(Observed(), ", ")),
              record.observed());
  const auto& places = region->second.terms.jurisdictions();
  step.Expect(std::find(places.begin(), places.end(), record.seen_in()) == places.end(), "location",
              "a place other than those on record of the region", record.seen_in());
  step.Expect((record.observed() == "round-trip-time") == (record.round_trip_micros() > 0),
              "location", "a measured time with `round-trip-time` and nothing else",
              absl::StrCat(record.observed(), ", ", record.round_trip_micros(), " us"));
  if (!record.worker_id().empty()) {
    const Worker* const worker = state.FindWorker(record.worker_id());
    step.Expect(worker != nullptr && worker->terms.region() == record.region(), "reference",
                absl::StrCat("an enrolled worker of region ", record.region()), record.worker_id());
  }
}

// Everything that was open is cleared at once: nobody overlooks one.
void Check(const Step& step, const v1::LocationCleared& record) {
  const State& state = step.state();
  ExpectRole(step, record.cleared_by(), {"compliance"});
  ExpectStated(step, record.common(), record.stated(), {"compliance"},
               [&](ByteView key) { return ledger::verifier::VerifyStated(record, key); });
  step.Expect(
      record.stated().signature().empty() || record.stated().user_id() == record.cleared_by(),
      "location", absl::StrCat("signed by ", record.cleared_by()), record.stated().user_id());
  step.Expect(Reasons().count(record.reason()) != 0, "location",
              absl::StrCat("reason: one of ", absl::StrJoin(Reasons(), ", ")), record.reason());
  const auto region = state.regions.find(record.region());
  if (!step.Expect(region != state.regions.end(), "reference", "a registered region",
                   record.region())) {
    return;
  }
  std::set<std::uint64_t> open;
  for (const auto& [index, contradiction] : region->second.contradictions) {
    open.insert(index);
  }
  const std::set<std::uint64_t> cleared(record.contradictions().begin(),
                                        record.contradictions().end());
  step.Expect(!cleared.empty() && cleared == open &&
                  cleared.size() == static_cast<std::size_t>(record.contradictions_size()),
              "location",
              absl::StrCat("everything open against region ", record.region(), ": ", Indexes(open)),
              Indexes(cleared));
}

}  // namespace carnet::coordinator::audit
