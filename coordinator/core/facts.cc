#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "coordinator/core/approvals.h"
#include "coordinator/core/assessments.h"
#include "coordinator/core/bridge.h"
#include "coordinator/core/counters.h"
#include "coordinator/core/flows.h"
#include "coordinator/core/location.h"
#include "coordinator/core/registry.h"
#include "coordinator/core/statements.h"
#include "policies/operations.h"

namespace carnet::coordinator {
namespace {

using policies::FactSet;
using policies::Value;

// The table and the types here are both ours: a value that it refuses is our bug, except where the
// text comes from a record (a certificate name, a code); such a value stays unknown, which denies.
void SetFact(FactSet* facts, absl::string_view path, Value value) {
  const policies::FactId id = policies::FindFact(path);
  CARNET_CHECK(id != policies::kNoFact);
  if (id != policies::kCounters && facts->Get(id).is_not_applicable()) {
    return;
  }
  facts->Set(path, std::move(value)).IgnoreError();
}

void SetText(FactSet* facts, absl::string_view path, const std::string& text) {
  if (!text.empty()) {
    SetFact(facts, path, Value::Text(text));
  }
}

std::vector<std::string> ToVector(const std::set<std::string>& items) {
  return std::vector<std::string>(items.begin(), items.end());
}

const char* GradeWord(v1::LocationGrade grade) {
  switch (grade) {
    case v1::LOCATION_GRADE_CLAIMED:
      return "claimed";
    case v1::LOCATION_GRADE_CONTRACT:
      return "contract";
    case v1::LOCATION_GRADE_PROVIDER:
      return "provider";
    default:
      return "";
  }
}

// The other end is a person and no machine.
bool IsToPerson(const FlowContext& flow) {
  return flow.operation == v1::OPERATION_RELEASE_MODEL || flow.operation == v1::OPERATION_READ_LOG;
}

// Genesis says where home is; of every other region somebody whose word counts must.
bool IsPlaceStated(const State& state, const std::string& region) {
  return region == "home" || IsVouchedFor(state, absl::StrCat("region/", region));
}

void SetDataFacts(const FlowContext& flow, FactSet* facts) {
  if (!flow.labels.has_value()) {
    SetFact(facts, "data.personal", Value::YesNo(false));
    SetFact(facts, "data.subjects_in", Value::List({}));
    SetFact(facts, "data.categories", Value::List({}));
    return;
  }
  if (!flow.labels->known) {
    return;
  }
  const std::set<std::string>& categories = flow.labels->categories;
  const bool personal = categories != std::set<std::string>{"none"};
  SetFact(facts, "data.personal", Value::YesNo(personal));
  // People without a place are not the same as no people.
  if (!personal || !flow.labels->subjects_in.empty()) {
    SetFact(
        facts, "data.subjects_in",
        Value::List(personal ? ToVector(flow.labels->subjects_in) : std::vector<std::string>{}));
  }
  // `personal` alone says that people are in the data, and no category besides.
  std::set<std::string> named = categories;
  named.erase("none");
  named.erase("personal");
  SetFact(facts, "data.categories", Value::List(ToVector(named)));
}

// What the recipient's end is known to be. Whoever stands at a place that nobody stated is known by
// name alone: who runs a region was said with its place.
bool IsEndKnown(const State& state, const FlowContext& flow) {
  return state.regions.count(flow.to_region) == 0 || IsPlaceStated(state, flow.to_region);
}

// That there are none is a statement of its own; no statement is none. The word among others is no
// word of the table, so such a list stays unknown.
void SetCertifications(const v1::SupplierConfig& terms, FactSet* facts) {
  if (terms.certifications().empty()) {
    return;
  }
  std::vector<std::string> held(terms.certifications().begin(), terms.certifications().end());
  if (held == std::vector<std::string>{kNoCertifications}) {
    held.clear();
  }
  SetFact(facts, "recipient.certifications", Value::List(std::move(held)));
}

void SetRecipientFacts(const State& state, const FlowContext& flow, FactSet* facts) {
  const std::string& recipient = flow.recipient;
  SetText(facts, "recipient.org", recipient);
  if (!IsEndKnown(state, flow)) {
    return;
  }
  const bool home = recipient == state.genesis.organisation();
  if (home) {
    SetText(facts, "recipient.organised_in", state.genesis.home_jurisdiction());
    SetText(facts, "deal.kind", "internal");
  }
  const auto supplier = state.suppliers.find(recipient);
  // What nobody signed is unknown.
  if (supplier == state.suppliers.end() ||
      !IsVouchedFor(state, absl::StrCat("supplier/", recipient))) {
    return;
  }
  const v1::SupplierConfig& terms = supplier->second;
  if (!home) {
    SetText(facts, "recipient.organised_in", terms.organised_in());
    SetText(facts, "deal.kind", terms.deal());
  }
  SetText(facts, "recipient.principal_place", terms.principal_place());
  if (terms.has_listed_owner_pct()) {
    SetFact(facts, "recipient.listed_owner_pct", Value::Number(terms.listed_owner_pct()));
  }
  SetText(facts, "recipient.ultimate_parent", terms.ultimate_parent());
  if (!terms.owners().empty()) {
    std::vector<policies::Owner> owners;
    for (const v1::OwnerConfig& owner : terms.owners()) {
      owners.push_back({owner.jurisdiction(), owner.percent()});
    }
    SetFact(facts, "recipient.owners", Value::Owners(std::move(owners)));
  }
  SetCertifications(terms, facts);
}

// Counts: valid at `at`, between these parties, for this destination, which somebody stated, and
// for every category of the class.
bool Covers(const State& state, const v1::EvidenceRecorded& item, const FlowContext& flow,
            absl::Time at) {
  if (!IsEndKnown(state, flow) || at < ToTime(item.valid_from()) || at >= ToTime(item.valid_to())) {
    return false;
  }
  const Worker* worker = state.FindWorker(flow.worker_id);
  const std::string site_operator =
      worker != nullptr && IsPlaceStated(state, worker->terms.region())
          ? state.OperatorOf(worker->terms.region())
          : "";
  const bool parties =
      item.recipient() == flow.recipient &&
      (item.sender() == state.genesis.organisation() || item.sender() == site_operator);
  if (!parties || std::find(item.destinations().begin(), item.destinations().end(), flow.to) ==
                      item.destinations().end()) {
    return false;
  }
  if (item.categories().empty() || !flow.labels.has_value()) {
    return true;
  }
  return std::all_of(flow.labels->categories.begin(), flow.labels->categories.end(),
                     [&](const std::string& category) {
                       return std::find(item.categories().begin(), item.categories().end(),
                                        category) != item.categories().end();
                     });
}

void SetEvidence(const State& state, const FlowContext& flow, absl::Time at, FactSet* facts) {
  std::set<std::string> kinds;
  for (const auto& [id, evidence] : state.evidence) {
    if (!evidence.withdrawn && evidence.accepted != nullptr &&
        Covers(state, evidence.terms, flow, at)) {
      kinds.insert(evidence.terms.kind());
    }
  }
  SetFact(facts, "evidence", Value::List(ToVector(kinds)));
}

// The counters that the bundle reads; one that nobody opened stays unknown.
void SetCounters(const State& state, const policies::Bundle& bundle, const FlowContext& flow,
                 absl::Time at, FactSet* facts) {
  for (const policies::Counter& counter : bundle.counters()) {
    const std::optional<std::uint64_t> people = CountPeople(state, counter, flow.versions, at);
    if (people.has_value()) {
      SetFact(facts, counter.Path(), Value::Number(static_cast<double>(*people)));
    }
  }
}

// What was assessed of the model that moves, or that what moves comes of. Anonymity is approved or
// it is not: nobody's word for it is none.
void SetModelFacts(const State& state, const FlowContext& flow, absl::Time at, FactSet* facts) {
  const ModelFacts model = ModelFactsOf(state, flow.job, flow.model_sha256, at);
  const bool anonymous =
      flow.artifact == v1::ARTIFACT_KIND_MODEL && model.anonymity == kAnonymityApproved;
  SetFact(facts, "artifact.anonymity", Value::Text(anonymous ? kAnonymityApproved : "none"));
  if (!model.controlled.empty()) {
    SetFact(facts, "model.controlled", Value::YesNo(model.controlled == "yes"));
  }
  SetText(facts, "model.export_class", model.export_class);
}

void SetWorkerFacts(const State& state, const FlowContext& flow, FactSet* facts) {
  const Worker* worker = state.FindWorker(flow.worker_id);
  if (worker == nullptr) {
    return;
  }
  const v1::WorkerStatement& statement = worker->terms.statement();
  SetFact(facts, "worker.trainer_isolated", Value::YesNo(statement.trainer_isolated()));
  SetText(facts, "worker.chip_eccn", statement.chip_eccn());
  // Nothing here verifies attestation, so nobody is attested and no memory is protected.
  SetFact(facts, "worker.attested", Value::YesNo(false));
  SetFact(facts, "worker.memory_protected", Value::YesNo(false));
}

}  // namespace

FactSet Facts(const State& state, const FlowContext& flow, absl::Time at) {
  return Facts(state, *state.bundle, flow, at);
}

FactSet Facts(const State& state, const policies::Bundle& bundle, const FlowContext& flow,
              absl::Time at) {
  FactSet facts = policies::FactsFor(flow.operation, flow.artifact);
  if (IsPlaceStated(state, flow.from_region)) {
    SetText(&facts, "from.jurisdiction", flow.from);
  }
  const bool registered = state.regions.count(flow.to_region) != 0;
  if (IsEndKnown(state, flow)) {
    SetText(&facts, "to.jurisdiction", flow.to);
  }
  if (registered) {
    if (IsPlaceStated(state, flow.to_region)) {
      SetText(&facts, "to.location_grade", GradeWord(LocationGradeOf(state, flow.to_region, at)));
    }
  } else if (IsToPerson(flow) && !flow.to.empty()) {
    // An admin at home put the place on record, and not the one who is there.
    SetText(&facts, "to.location_grade", GradeWord(v1::LOCATION_GRADE_CONTRACT));
  }
  SetModelFacts(state, flow, at, &facts);
  SetFact(&facts, "artifact.end_to_end_encrypted", Value::YesNo(flow.end_to_end_encrypted));
  SetDataFacts(flow, &facts);
  SetText(&facts, "data.label",
          flow.labels.has_value() ? flow.labels->Name() : policies::kNoDataLabel);
  if (flow.job != nullptr) {
    SetText(&facts, "job.id", flow.job->id);
    SetText(&facts, "job.purpose", flow.job->submitted.spec().purpose());
    SetFact(&facts, "round.repeating",
            Value::YesNo(flow.job->submitted.spec().rounds().count() > 1));
    SetFact(&facts, "secagg.k", Value::Number(1));  // trusted mode: the coordinator sees each delta
    for (const char* path : {"dp.epsilon", "dp.delta", "dp.unit"}) {
      facts.Set(path, Value::NotApplicable()).IgnoreError();
    }
  }
  SetText(&facts, "key.held_in", "home");
  SetRecipientFacts(state, flow, &facts);
  SetWorkerFacts(state, flow, &facts);
  SetEvidence(state, flow, at, &facts);
  SetCounters(state, bundle, flow, at, &facts);
  if (std::vector<policies::Approval> approvals = ApprovalsThatCount(state, bundle, flow.job, at);
      !approvals.empty()) {
    SetFact(&facts, "approvals", Value::Approvals(std::move(approvals)));
  }
  SetBridgeFact(state, bundle, at, &facts);
  return facts;
}

}  // namespace carnet::coordinator
