// The facts of a flow as the site that takes part in it knows them. What only the coordinator
// knows, or says, stays unknown. Pure.
#ifndef CARNET_WORKER_CORE_SITE_FACTS_H_
#define CARNET_WORKER_CORE_SITE_FACTS_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "carnet/v1/policies.pb.h"
#include "carnet/v1/records.pb.h"
#include "policies/facts.h"

namespace carnet::worker {

// Labels of data: whose it is and what it is about.
struct SiteLabels {
  std::set<std::string> subjects_in;
  std::set<std::string> categories;  // {"none"}: no personal data
};

struct SiteKnowledge {
  std::string home;           // jurisdiction, from genesis
  std::string organisation;   // of the federation, from genesis
  std::string region;         // its own, from its enrolment
  std::string site_operator;  // its supplier by its enrolment, or the organisation
  bool trainer_isolated = false;
  std::string chip_eccn;                     // empty: unknown
  std::map<std::string, SiteLabels> labels;  // worker.yaml, by dataset/shard
};

// The class of data whose labels nobody signed.
inline constexpr char kUnknownClass[] = "unknown";

// The labels that a flow's class stands for: "AE,DE|health,personal". Empty text: no data behind
// it. Nothing: "unknown", or another text.
std::optional<SiteLabels> ParseLabelClass(absl::string_view text);

// Every subject and category of `own` is among those of `claimed`.
bool Covers(const SiteLabels& claimed, const SiteLabels& own);

struct SiteFlow {
  v1::Flow flow;                           // as the record says
  bool worker_is_ours = false;             // the worker concerned is this one
  std::optional<bool> end_to_end;          // nothing: unknown
  const v1::JobSubmitted* job = nullptr;   // null outside jobs
  std::vector<policies::Approval> counts;  // approvals on record that count
  bool anonymous = false;  // of the task's model, approved on record (core/site_assessment.h)
};
// Places, recipient, labels and purpose as the record and the job say them; isolation and chip as
// this site knows them. Unknown: the grade of location, the deal with a supplier and who owns it,
// principal places and certifications, export facts of models, evidence and counters; labels of the
// class "unknown".
// Approvals that the table of facts refuses are nobody's. Error INVALID_ARGUMENT: places, a
// recipient or labels that the table refuses, or a class that is none: unknown, they would lift
// what they stand for.
absl::StatusOr<policies::FactSet> SiteFacts(const SiteFlow& flow, const SiteKnowledge& site);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_CORE_SITE_FACTS_H_
