#include "policies/evaluate.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/timestamp.h"
#include "policies/dates.h"
#include "policies/evaluation.h"
#include "policies/jurisdictions.h"
#include "policies/obligations.h"
#include "policies/operations.h"

namespace carnet::policies {
namespace {

constexpr char kUnknownItem[] = "unknown";
constexpr char kPersonal[] = "personal";

bool IsWithoutLabels(v1::ArtifactKind kind) {
  return kind == v1::ARTIFACT_KIND_JOB || kind == v1::ARTIFACT_KIND_KEY ||
         kind == v1::ARTIFACT_KIND_METRICS || kind == v1::ARTIFACT_KIND_LOG;
}

// Levels of the house, and labels of data that are not about people: `personal` says nothing of
// them.
bool IsAboutData(const std::string& category) {
  static const auto& words =
      *new std::set<std::string>{"confidential", "core_data", "home_only", "important_data",
                                 "internal",     "localised", "public",    "restricted"};
  return words.count(category) > 0;
}

v1::Obligation ObligationOf(const Condition& atom, const std::string& rule) {
  v1::Obligation obligation;
  obligation.set_kind(FactTable()[static_cast<std::size_t>(atom.fact)].path);
  obligation.set_rule(rule);
  obligation.set_phase("runtime");
  const char* comparison = atom.op == Operator::kAtLeast    ? "at_least "
                           : atom.op == Operator::kAtMost   ? "at_most "
                           : atom.op == Operator::kMoreThan ? "more_than "
                                                            : nullptr;
  if (comparison != nullptr) {
    obligation.set_bound(absl::StrCat(comparison, atom.literal));
    return obligation;
  }
  std::set<std::string> values(atom.words.begin(), atom.words.end());
  values.insert(atom.places.codes.begin(), atom.places.codes.end());
  obligation.set_bound(
      absl::StrCat(values.size() == 1 ? "is " : "in ", absl::StrJoin(values, " ")));
  return obligation;
}

void AddRetention(const Retention& retention, const std::string& rule,
                  std::vector<v1::Obligation>* obligations) {
  const auto add = [&](const char* kind, std::string bound) {
    v1::Obligation obligation;
    obligation.set_kind(kind);
    obligation.set_bound(std::move(bound));
    obligation.set_rule(rule);
    obligation.set_phase("runtime");
    obligations->push_back(std::move(obligation));
  };
  add(kDeltasRetainedFor, absl::StrCat("is ", retention.person));
  if (retention.days_min > 0) {
    add(kDeltasRetainedDays, absl::StrCat("at_least ", retention.days_min));
  }
  if (retention.days_max > 0) {
    add(kDeltasRetainedDays, absl::StrCat("at_most ", retention.days_max));
  }
}

v1::Obligation DutyOf(const Item& item, const std::string& rule) {
  v1::Obligation duty;
  duty.set_kind("duty");
  duty.set_bound(absl::StrCat("within ", SpanText(item.within)));
  duty.set_rule(rule);
  duty.set_phase("post");
  duty.set_duty(item.duty);
  duty.set_of(item.duty_of);
  duty.set_within_seconds(static_cast<std::uint64_t>(absl::ToInt64Seconds(item.within)));
  return duty;
}

}  // namespace

void Evaluation::Run() {
  FillBasis();
  if (CheckBundle() && CheckFacts()) {
    Declassify();
    for (const Policy& policy : bundle_.compiled().policies) {
      JudgePolicy(policy);
    }
    RequireCoverage();
    RequirePermission();
    MergeAll();
  }
  Conclude();
}

// What the decision is taken on.
void Evaluation::FillBasis() {
  v1::Flow& flow = *decision_->mutable_flow();
  flow.set_operation(OperationFromWord(Fact(kOp).text()));
  flow.set_artifact(ArtifactFromWord(Fact(kArtifactKind).text()));
  flow.set_from(PlaceText(Fact(kFromJurisdiction).text()));
  flow.set_to(PlaceText(Fact(kToJurisdiction).text()));
  flow.set_recipient(Fact(kRecipientOrg).text());
  flow.set_label_class(Fact(kDataLabel).text());
  if (flow.operation() != v1::OPERATION_UNSPECIFIED) {
    operation_bit_ = std::uint32_t{1} << flow.operation();
  }
  if (flow.artifact() != v1::ARTIFACT_KIND_UNSPECIFIED) {
    kind_bit_ = std::uint32_t{1} << flow.artifact();
  }
  *decision_->mutable_at() = ToTimestamp(at_);
  const Digest facts_sha256 = view_.facts->Sha256();
  decision_->set_facts_sha256(facts_sha256.data(), facts_sha256.size());
  decision_->set_bundle_sha256(bundle_.sha256().data(), bundle_.sha256().size());
  decision_->set_revision(bundle_.revision());
  decision_->set_evaluator(kEvaluatorVersion);
}

bool Evaluation::CheckBundle() {
  const BundleHead& head = bundle_.head();
  if (at_ < head.valid_from) {
    v1::Failure& failure = AddFailure(Mode::kEnforce, "bundle/not-yet-valid");
    failure.set_because("The policies in force are not valid yet.");
    failure.set_fix("Wait, or check the clock.");
    return false;
  }
  if (at_ >= head.valid_to) {
    v1::Failure& failure = AddFailure(Mode::kEnforce, "bundle/expired");
    failure.set_because("The policies in force have expired; nothing crosses without valid ones.");
    failure.set_fix("Have the bundle renewed or a new one activated.");
    return false;
  }
  return true;
}

bool Evaluation::CheckFacts() {
  const Value& subjects = Fact(kDataSubjectsIn);
  if (Fact(kDataPersonal).text() != "yes" || subjects.kind() != Value::Kind::kList ||
      !subjects.list().empty()) {
    return true;
  }
  v1::Failure& failure = AddFailure(Mode::kEnforce, "facts/inconsistent");
  failure.set_because("The data is labelled as about people, but about people of no place.");
  failure.set_fix(
      "Have a data steward correct the labels: name the places, or that no people are concerned.");
  failure.add_facts_used("data.personal = yes");
  failure.add_facts_used("data.subjects_in = []");
  return false;
}

std::set<std::string> Evaluation::RemovedLabels() {
  std::set<std::string> removed;
  for (const Policy& policy : bundle_.compiled().policies) {
    if (!policy.declassifies) {
      continue;
    }
    for (const Rule& rule : policy.rules) {
      if (rule.effect != Effect::kDeclassify || rule.mode != Mode::kEnforce ||
          at_ < rule.in_force_from || at_ < policy.effective_from || at_ >= policy.effective_to) {
        continue;
      }
      view_.Enter(policy);
      // Taking a label away needs certainty that the policy applies, not only that it may.
      const bool applies =
          Test(policy.applies_when, view_) == Truth::kTrue &&
          (!policy.unless.has_value() || Test(*policy.unless, view_) == Truth::kFalse);
      if (applies && When(rule) == Truth::kTrue) {
        removed.insert(rule.removes.begin(), rule.removes.end());
        decision_->add_rules(rule.reason);
      }
    }
  }
  return removed;
}

// Removing `personal` removes what only says whose and which personal data it is.
void Evaluation::Declassify() {
  const std::set<std::string> removed = RemovedLabels();
  if (removed.empty()) {
    return;
  }
  const bool people = removed.count(kPersonal) > 0;
  std::vector<std::string> categories;
  for (const std::string& category : Fact(kDataCategories).list()) {
    if (removed.count(category) == 0 && (!people || IsAboutData(category))) {
      categories.push_back(category);
    }
  }
  if (people || Fact(kDataCategories).kind() == Value::Kind::kList) {
    categories_ = Value::List(std::move(categories));
    view_.values[kDataCategories] = &categories_;
    view_.bits[kDataCategories] = WordBits(FactTable()[kDataCategories], categories_);
  }
  if (people) {
    personal_ = Value::YesNo(false);
    subjects_ = Value::List({});
    view_.values[kDataPersonal] = &personal_;
    view_.bits[kDataPersonal] = WordBits(FactTable()[kDataPersonal], personal_);
    view_.values[kDataSubjectsIn] = &subjects_;
  }
  view_.Forget();
}

bool Evaluation::Applies(const Policy& policy) const {
  return at_ >= policy.effective_from && at_ < policy.effective_to && Reached(policy.reach) &&
         Test(policy.applies_when, view_) != Truth::kFalse &&
         !(policy.unless.has_value() && Test(*policy.unless, view_) == Truth::kTrue);
}

Truth Evaluation::When(const Rule& rule) const {
  const Truth when = Reached(rule.reach) ? Test(rule.when, view_) : Truth::kFalse;
  return rule.unless.has_value() && when != Truth::kFalse
             ? And(when, Not(Test(*rule.unless, view_)))
             : when;
}

// Allows are all looked at: a refusal names those that would have done.
bool Evaluation::PassesBy(const RuleIndex& rule) const {
  if (rule.effect == Effect::kAllow || rule.effect == Effect::kDeclassify) {
    return rule.effect == Effect::kDeclassify;
  }
  return !Reached(rule.reach) ||
         std::any_of(rule.conjuncts.begin(), rule.conjuncts.end(), [this](int memo) {
           return memo >= 0 && view_.memo[static_cast<std::size_t>(memo)] ==
                                   static_cast<std::uint8_t>(Truth::kFalse);
         });
}

void Evaluation::JudgePolicy(const Policy& policy) {
  view_.Enter(policy);
  if (!Applies(policy)) {
    return;
  }
  JudgeReview(policy);
  std::vector<const Rule*> allows;
  bool satisfied = false;
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    if (PassesBy(policy.index[i])) {
      continue;
    }
    const Rule& rule = policy.rules[i];
    if (at_ < rule.in_force_from) {
      continue;
    }
    if (rule.effect != Effect::kAllow) {
      JudgeRule(policy, rule);
    } else if (rule.mode == policy.mode) {  // an allow that only warns grants nothing
      allows.push_back(&rule);
      satisfied = JudgeAllow(policy, rule) || satisfied;
    }
  }
  if (!policy.regime) {
    return;
  }
  if (policy.mode == Mode::kEnforce) {
    NoteCoverage(policy, allows, satisfied);
  }
  if (!satisfied && !policy.covers.nobody) {
    RequireAllow(policy, allows);
  }
}

bool Evaluation::JudgeAllow(const Policy& policy, const Rule& rule) {
  if (When(rule) != Truth::kTrue || !UnmetItems(policy, rule).empty()) {
    return false;
  }
  AddObligations(policy, rule);
  if (policy.mode == Mode::kEnforce) {
    decision_->add_rules(rule.reason);
  }
  return true;
}

// Whom an applied regime speaks for.
void Evaluation::NoteCoverage(const Policy& policy, const std::vector<const Rule*>& allows,
                              bool satisfied) {
  if (policy.covers.nobody || policy.covers.everything) {
    nobody_allowed_ = nobody_allowed_ || satisfied;
  }
  if (policy.covers.nobody) {
    nobody_policy_ = &policy;
    nobody_allows_ = allows;
    return;
  }
  for (const std::string& place : Fact(kDataSubjectsIn).list()) {
    if (place != kUnknownItem &&
        (policy.covers.everything || PlaceIn(place, policy.covers.people, view_) == Truth::kTrue)) {
      covered_.insert(place);
    }
  }
}

std::vector<std::string> Evaluation::ApprovedBy(const Approvers& approvers, const std::string& rule,
                                                bool exception) const {
  std::set<std::string> persons;
  for (const Approval& approval : Fact(kApprovals).approvals()) {
    const bool of_rule = approval.rule == rule;
    const bool of_job = approval.rule == kApprovalOfWholeJob && !exception;
    if ((of_rule || of_job) &&
        std::binary_search(approvers.roles.begin(), approvers.roles.end(), approval.role)) {
      persons.insert(approval.person);
    }
  }
  return {persons.begin(), persons.end()};
}

bool Evaluation::Met(const Rule& rule, const Item& item) const {
  switch (item.phase) {
    case Phase::kPost:
      return true;
    case Phase::kApproval:
      return ApprovedBy(item.approvers, absl::StrCat(rule.reason, ".", item.id), false).size() >=
             item.approvers.need;
    default:
      // Whether deltas can be kept for a person is seen when the round is planned.
      return item.retention.has_value() || Test(item.check, view_) == Truth::kTrue;
  }
}

// An exception stands for its item.
std::vector<const Item*> Evaluation::UnmetItems(const Policy& policy, const Rule& rule) {
  std::vector<const Item*> unmet;
  for (const Item& item : rule.items) {
    if (!Met(rule, item) && !Lifted(policy, rule, &item, rule.mode)) {
      unmet.push_back(&item);
    }
  }
  return unmet;
}

void Evaluation::JudgeRule(const Policy& policy, const Rule& rule) {
  if (When(rule) == Truth::kFalse) {
    return;
  }
  if (rule.effect == Effect::kDeny) {
    if (!Lifted(policy, rule, nullptr, rule.mode)) {
      FillFailure(policy, rule, nullptr, &AddFailure(rule.mode, rule.reason));
    }
    return;
  }
  if (rule.effect == Effect::kLimit) {
    JudgeLimit(policy, rule);
    return;
  }
  AddObligations(policy, rule);
  for (const Item* item : UnmetItems(policy, rule)) {
    FillFailure(policy, rule, item,
                &AddFailure(rule.mode, absl::StrCat(rule.reason, ".", item->id)));
  }
}

// The counter already holds the people of this flow.
void Evaluation::JudgeLimit(const Policy& policy, const Rule& rule) {
  if (Test(rule.limit, view_) != Truth::kTrue) {
    FillFailure(policy, rule, nullptr, &AddFailure(rule.mode, rule.reason));
    return;
  }
  if (rule.mode == Mode::kEnforce) {
    const Condition& atom = rule.limit.children.front();
    v1::Reservation& reservation = *decision_->add_reservations();
    reservation.set_rule(rule.reason);
    reservation.set_counter(atom.counter);
    reservation.set_ceiling(static_cast<std::uint64_t>(atom.number));
  }
}

// Everybody in personal data is covered by a regime that applied.
void Evaluation::RequireCoverage() {
  if (IsWithoutLabels(decision_->flow().artifact()) || Fact(kDataPersonal).text() == "no") {
    return;
  }
  const Value& subjects = Fact(kDataSubjectsIn);
  bool unknown = Fact(kDataPersonal).text() != "yes" || subjects.kind() != Value::Kind::kList;
  for (const std::string& item : subjects.list()) {
    if (item == kUnknownItem) {
      unknown = true;
    } else if (covered_.count(item) == 0) {
      const std::string& code = PlaceText(item);
      const std::string place = JurisdictionNameAndCode(code);
      v1::Failure& failure = AddFailure(Mode::kEnforce, absl::StrCat("uncovered/", code));
      failure.set_because(absl::StrCat("No policy in force speaks for people in ", place, "."));
      failure.set_fix(
          absl::StrCat("Add a regime that covers ", place, ", or leave their data out."));
      failure.add_facts_used(absl::StrCat("data.subjects_in = ", subjects.ToString()));
    }
  }
  if (!unknown) {
    return;
  }
  v1::Failure& failure = AddFailure(Mode::kEnforce, "uncovered/unknown");
  failure.set_because("Nobody has said whose data this is.");
  failure.set_fix("Have a data steward sign the labels of the data.");
  if (Fact(kDataPersonal).text() != "yes") {
    failure.add_missing_facts("data.personal");
  }
  if (subjects.kind() != Value::Kind::kList ||
      std::find(subjects.list().begin(), subjects.list().end(), kUnknownItem) !=
          subjects.list().end()) {
    failure.add_missing_facts("data.subjects_in");
  }
}

// Where nobody's data is concerned, the house itself must say yes.
void Evaluation::RequirePermission() {
  const v1::ArtifactKind kind = decision_->flow().artifact();
  const bool needed = IsWithoutLabels(kind) || kind == v1::ARTIFACT_KIND_UNSPECIFIED ||
                      Fact(kDataPersonal).text() == "no";
  if (!needed || nobody_allowed_) {
    return;
  }
  AddNobodyFailure();
}

bool Evaluation::Lifted(const Policy& policy, const Rule& rule, const Item* item, Mode mode) {
  for (const Exception& exception : policy.exceptions) {
    const bool meant =
        &policy.rules[static_cast<std::size_t>(exception.rule)] == &rule &&
        (exception.item < 0 ? item == nullptr
                            : item == &rule.items[static_cast<std::size_t>(exception.item)]);
    if (!meant || at_ < exception.from || at_ >= exception.to ||
        Test(exception.only_when, view_) != Truth::kTrue ||
        ApprovedBy(exception.approvers, absl::StrCat(policy.name, "/", exception.id), true).size() <
            exception.approvers.need) {
      continue;
    }
    const auto& known = decision_->exceptions();
    if (mode == Mode::kEnforce &&
        std::find(known.begin(), known.end(), exception.id) == known.end()) {
      decision_->add_exceptions(exception.id);
    }
    return true;
  }
  return false;
}

// A check of the round's plan that is met now stays a duty of the round.
void Evaluation::AddObligations(const Policy& policy, const Rule& rule) {
  for (const Item& item : rule.items) {
    if (item.phase == Phase::kPost && rule.mode == Mode::kEnforce &&
        !Lifted(policy, rule, &item, rule.mode)) {
      duties_.push_back(DutyOf(item, absl::StrCat(rule.reason, ".", item.id)));
    }
    if (item.phase != Phase::kRuntime || rule.mode != Mode::kEnforce) {
      continue;
    }
    if (item.retention.has_value()) {
      AddRetention(*item.retention, absl::StrCat(rule.reason, ".", item.id), &obligations_);
    }
    for (const Condition& atom : item.check.children) {
      if (Test(atom, view_) == Truth::kTrue) {
        obligations_.push_back(ObligationOf(atom, absl::StrCat(rule.reason, ".", item.id)));
      }
    }
  }
}

void Evaluation::MergeAll() {
  MergedObligations merged = MergeObligations(obligations_);
  for (const ObligationConflict& conflict : merged.conflicts) {
    v1::Failure& failure = AddFailure(Mode::kEnforce, "obligations/conflict");
    failure.set_because(absl::StrCat("Nothing satisfies both ", conflict.first_rule, " and ",
                                     conflict.second_rule, " on ", conflict.kind, "."));
    failure.set_fix("Have one of the two rules changed.");
  }
  for (v1::Obligation& obligation : merged.obligations) {
    *decision_->add_obligations() = std::move(obligation);
  }
  for (v1::Obligation& duty : duties_) {
    *decision_->add_obligations() = std::move(duty);
  }
}

void Evaluation::Conclude() {
  const auto& failures = decision_->failures();
  if (failures.empty()) {
    decision_->set_verdict(v1::VERDICT_ALLOW);
    return;
  }
  const bool only_holds = std::all_of(failures.begin(), failures.end(),
                                      [](const v1::Failure& failure) { return failure.hold(); });
  decision_->set_verdict(only_holds ? v1::VERDICT_HOLD : v1::VERDICT_DENY);
  decision_->clear_obligations();
  decision_->clear_reservations();
}

v1::Decision Evaluate(const Bundle& bundle, const FactSet& facts, absl::Time at, Words words) {
  v1::Decision decision;
  Evaluation(bundle, facts, at, words, &decision).Run();
  return decision;
}

}  // namespace carnet::policies
