// One decision in the making. Internal to policies/.
#ifndef CARNET_POLICIES_EVALUATION_H_
#define CARNET_POLICIES_EVALUATION_H_

#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "carnet/v1/policies.pb.h"
#include "policies/bundle.h"
#include "policies/compiled.h"
#include "policies/condition.h"
#include "policies/evaluate.h"
#include "policies/facts.h"

namespace carnet::policies {

// Every step of docs/policies.md, "the verdict", is one method.
class Evaluation {
 public:
  Evaluation(const Bundle& bundle, const FactSet& facts, absl::Time at, Words words,
             v1::Decision* decision)
      : bundle_(bundle),
        view_(bundle.compiled(), facts, at),
        at_(at),
        words_(words),
        decision_(decision) {}

  void Run();

 private:
  // The steps; each adds to the decision. Those that return bool say whether to go on.
  void FillBasis();
  bool CheckBundle();
  bool CheckFacts();
  void Declassify();
  void JudgePolicy(const Policy& policy);
  void RequireCoverage();
  void RequirePermission();
  void MergeAll();
  void Conclude();

  std::set<std::string> RemovedLabels();
  void JudgeReview(const Policy& policy);
  void JudgeRule(const Policy& policy, const Rule& rule);
  // Whether the allow is satisfied.
  bool JudgeAllow(const Policy& policy, const Rule& rule);
  void NoteCoverage(const Policy& policy, const std::vector<const Rule*>& allows, bool satisfied);
  void RequireAllow(const Policy& policy, const std::vector<const Rule*>& allows);
  // Those who approved `rule` (or the whole job, unless an exception is asked for) in one of the
  // roles asked for: each once, sorted.
  std::vector<std::string> ApprovedBy(const Approvers& approvers, const std::string& rule,
                                      bool exception) const;
  bool Met(const Rule& rule, const Item& item) const;
  // The items that are not met and that no exception stands for.
  std::vector<const Item*> UnmetItems(const Policy& policy, const Rule& rule);

  bool Reached(const Reach& reach) const {
    return (reach.operations & operation_bit_) != 0 && (reach.kinds & kind_bit_) != 0;
  }
  // Whether the rule decides nothing here, as far as its index and what was answered already say.
  bool PassesBy(const RuleIndex& rule) const;
  bool Applies(const Policy& policy) const;
  Truth When(const Rule& rule) const;
  // `home` by its code.
  const std::string& PlaceText(const std::string& place) const {
    return place == "home" ? bundle_.home() : place;
  }
  bool Lifted(const Policy& policy, const Rule& rule, const Item* item, Mode mode);
  const Value& Fact(FactId id) const { return *view_.values[static_cast<std::size_t>(id)]; }

  v1::Failure& AddFailure(Mode mode, const std::string& reason);
  void AddNobodyFailure();
  // Whether there is an allow that only persons keep from being satisfied.
  bool AddMissingApprovals(const Policy& policy, const std::vector<const Rule*>& allows);
  void FillFailure(const Policy& policy, const Rule& rule, const Item* item, v1::Failure* failure);
  void JudgeLimit(const Policy& policy, const Rule& rule);
  void AddObligations(const Policy& policy, const Rule& rule);
  void FillMissingApproval(const Rule& rule, const Item& item, v1::Failure* failure) const;
  static void WriteMissingApproval(const Approvers& approvers, v1::Failure* failure);

  const Bundle& bundle_;
  FactView view_;
  absl::Time at_;
  Words words_;
  v1::Decision* decision_;
  std::uint32_t operation_bit_ = ~std::uint32_t{0};  // unknown: any
  std::uint32_t kind_bit_ = ~std::uint32_t{0};

  // Labels after declassification; view_ points here once one was removed.
  Value personal_;
  Value subjects_;
  Value categories_;

  // Codes of data.subjects_in that an applied regime covers.
  std::set<std::string> covered_;
  bool nobody_allowed_ = false;             // the regime for no personal data has a satisfied allow
  std::vector<const Rule*> nobody_allows_;  // what would satisfy it
  const Policy* nobody_policy_ = nullptr;
  std::vector<v1::Obligation> obligations_;  // of the round
  std::vector<v1::Obligation> duties_;       // afterwards
};

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_EVALUATION_H_
