#include "policies/bundle.h"

#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "policies/compiled.h"
#include "policies/source.h"

namespace carnet::policies {
namespace {

void Collect(const Condition& condition, std::set<std::string>* paths) {
  if (condition.kind == Condition::Kind::kAtom && condition.fact == kCounters) {
    paths->insert(condition.counter);
  }
  for (const Condition& child : condition.children) {
    Collect(child, paths);
  }
}

void Collect(const std::optional<Condition>& condition, std::set<std::string>* paths) {
  if (condition.has_value()) {
    Collect(*condition, paths);
  }
}

void Collect(const Policy& policy, std::set<std::string>* paths) {
  Collect(policy.applies_when, paths);
  Collect(policy.unless, paths);
  for (const NamedCondition& term : policy.terms) {
    Collect(term.condition, paths);
  }
  for (const Rule& rule : policy.rules) {
    Collect(rule.when, paths);
    Collect(rule.unless, paths);
    Collect(rule.limit, paths);
    for (const Item& item : rule.items) {
      Collect(item.check, paths);
    }
  }
  for (const Exception& exception : policy.exceptions) {
    Collect(exception.only_when, paths);
  }
}

std::vector<Counter> CountersOf(const CompiledBundle& bundle) {
  std::set<std::string> paths;
  for (const Policy& policy : bundle.policies) {
    Collect(policy, &paths);
  }
  for (const Group& group : bundle.groups) {
    for (const ConditionalMember& member : group.conditional) {
      Collect(member.when, &paths);
    }
  }
  std::vector<Counter> counters;
  for (const std::string& path : paths) {
    const absl::StatusOr<Counter> counter = ParseCounter(path);
    CARNET_CHECK(counter.ok());  // The loader let no other in.
    counters.push_back(*counter);
  }
  return counters;
}

}  // namespace

Bundle::Bundle(BundleHead head, std::shared_ptr<const BundleSource> source,
               std::shared_ptr<const CompiledBundle> compiled, std::string canonical_json)
    : head_(std::move(head)),
      source_(std::move(source)),
      compiled_(std::move(compiled)),
      counters_(CountersOf(*compiled_)),
      canonical_json_(std::move(canonical_json)),
      sha256_(crypto::Sha256(AsBytes(canonical_json_))) {}

const std::string& Bundle::home() const {
  return compiled_->home;
}

std::vector<std::string> Bundle::PolicyNames() const {
  std::vector<std::string> names;
  for (const Policy& policy : compiled_->policies) {
    names.push_back(policy.name);
  }
  return names;
}

std::size_t Bundle::rule_count() const {
  return compiled_->rule_count;
}

std::vector<std::string> Bundle::ExceptionsWithApprovals() const {
  std::vector<std::string> names;
  for (const Policy& policy : compiled_->policies) {
    for (const Exception& exception : policy.exceptions) {
      if (exception.approvers.need > 0) {
        names.push_back(absl::StrCat(policy.name, "/", exception.id));
      }
    }
  }
  return names;
}

}  // namespace carnet::policies
