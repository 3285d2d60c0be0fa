#include "policies/fact_setters.h"

#include <algorithm>
#include <iterator>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "base/status.h"
#include "policies/counters.h"

namespace carnet::policies {
namespace {

constexpr char kFollows[] = "it follows from the operation";
constexpr char kNotHere[] = "nothing records it in this version";
constexpr char kAssess[] =
    "carnet data assess MODEL --controlled no --export-class none --document FILE --until DAY";
constexpr char kLabels[] =
    "carnet data register DATASET/SHARD --subjects-in PLACES --categories WORDS";
constexpr char kPlace[] = "carnet region update REGION --in PLACES";

// In the order of the enumerators.
constexpr FactSetter kSetters[] = {
    {kApprovals, "carnet job approve JOB", ""},
    {kArtifactAnonymity,
     "carnet data assess MODEL --anonymity approved --document FILE --until DAY", ""},
    {kArtifactEndToEndEncrypted, "", kFollows},
    {kArtifactKind, "", kFollows},
    {kAt, "", kFollows},
    {kBridgeOpa, "", "the organisation's own engine answers, if `bridge.opa` names it"},
    {kDataCategories, kLabels, "a shard whose bytes are others has no labels"},
    {kDataLabel, "", kFollows},
    {kDataPersonal, kLabels, "a shard whose bytes are others has no labels"},
    {kDataSubjectsIn, kLabels, "a shard whose bytes are others has no labels"},
    {kDealKind, "carnet supplier update SUPPLIER --deal WORD", ""},
    {kDpDelta, "", kNotHere},
    {kDpEpsilon, "", kNotHere},
    {kDpUnit, "", kNotHere},
    {kEvidence,
     "carnet evidence add --kind KIND --recipient SUPPLIER --to PLACES --document FILE --from DAY "
     "--until DAY",
     ""},
    {kFromJurisdiction, kPlace, ""},
    {kJobId, "", kFollows},
    {kJobPurpose, "", "`purpose` of the job file"},
    {kKeyHeldIn, "", kFollows},
    {kModelControlled, kAssess, ""},
    {kModelExportClass, kAssess, ""},
    {kOp, "", kFollows},
    {kRecipientCertifications, "carnet supplier update SUPPLIER --certifications WORDS",
     "`none` says that it has none"},
    {kRecipientListedOwnerPct, "carnet supplier update SUPPLIER --listed-share PERCENT", ""},
    {kRecipientOrg, "", "the region's supplier, or the organisation that a person was invited for"},
    {kRecipientOrganisedIn, "carnet supplier update SUPPLIER --organised-in PLACE", ""},
    {kRecipientOwners, "carnet supplier update SUPPLIER --owner PLACE=PERCENT", ""},
    {kRecipientPrincipalPlace, "carnet supplier update SUPPLIER --principal-place PLACE", ""},
    {kRecipientUltimateParent, "carnet supplier update SUPPLIER --parent PLACE", ""},
    {kRoundRepeating, "", kFollows},
    {kSecaggK, "", kFollows},
    {kToJurisdiction, kPlace, "of a person: where the invitation says that the person works"},
    {kToLocationGrade, "carnet region update REGION --location contract", ""},
    {kWorkerAttested, "", kNotHere},
    {kWorkerChipEccn, "", "`chip_eccn` of worker.yaml"},
    {kWorkerMemoryProtected, "", kNotHere},
    {kWorkerTrainerIsolated, "", "the worker says so when it enrols"},
    {kCounters, "carnet policy counter open COUNTER --people N --as-of DAY", ""},
};
static_assert(std::size(kSetters) == kFactCount + 1);

// How one fact comes on record.
std::string How(FactId fact, absl::string_view path, absl::string_view recipient) {
  const FactSetter& setter = SetterOf(fact);
  if (*setter.command == '\0') {
    return setter.otherwise;
  }
  // A counter is opened as such, whatever window a rule reads.
  const absl::string_view counter = path.substr(0, path.find(kCounterWindowMark));
  const absl::string_view supplier = recipient.empty() ? kSupplierWord : recipient;
  return absl::StrReplaceAll(setter.command, {{kSupplierWord, supplier}, {"COUNTER", counter}});
}

}  // namespace

const FactSetter& SetterOf(FactId fact) {
  CARNET_CHECK(fact >= 0 && fact <= kCounters);
  return kSetters[fact];
}

bool HangsOnUnknown(const v1::Failure& failure) {
  return failure.forbidden() && !failure.hold() && !failure.missing_facts().empty();
}

std::string HowToRecord(const v1::Failure& failure, absl::string_view recipient) {
  std::vector<std::string> advice;
  for (const std::string& path : failure.missing_facts()) {
    const FactId fact = FindFact(path);
    const bool command = fact != kNoFact && *SetterOf(fact).command != '\0';
    if (fact != kNoFact && (command || failure.fix().empty())) {
      advice.push_back(absl::StrCat("nobody recorded ", path, ": ", How(fact, path, recipient)));
    }
  }
  return absl::StrJoin(advice, "; ");
}

}  // namespace carnet::policies
