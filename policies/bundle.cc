#include "policies/bundle.h"

#include <set>
#include <utility>

#include "base/status.h"
#include "crypto/hash.h"
#include "policies/compiled.h"
#include "policies/exceptions.h"
#include "policies/source.h"

namespace carnet::policies {
namespace {

// What the conditions of a bundle read.
struct Read {
  std::set<std::string> counters;  // paths
  std::set<FactId> facts;
};

void Collect(const Condition& condition, Read* read) {
  if (condition.kind == Condition::Kind::kAtom && condition.fact == kCounters) {
    read->counters.insert(condition.counter);
  } else if (condition.kind == Condition::Kind::kAtom) {
    read->facts.insert(condition.fact);
  }
  for (const Condition& child : condition.children) {
    Collect(child, read);
  }
}

void Collect(const std::optional<Condition>& condition, Read* read) {
  if (condition.has_value()) {
    Collect(*condition, read);
  }
}

void Collect(const Policy& policy, Read* read) {
  Collect(policy.applies_when, read);
  Collect(policy.unless, read);
  for (const NamedCondition& term : policy.terms) {
    Collect(term.condition, read);
  }
  for (const Rule& rule : policy.rules) {
    Collect(rule.when, read);
    Collect(rule.unless, read);
    Collect(rule.limit, read);
    for (const Item& item : rule.items) {
      Collect(item.check, read);
    }
  }
  for (const Exception& exception : policy.exceptions) {
    Collect(exception.only_when, read);
  }
}

Read ReadBy(const CompiledBundle& bundle) {
  Read read;
  for (const Policy& policy : bundle.policies) {
    Collect(policy, &read);
  }
  for (const Group& group : bundle.groups) {
    for (const ConditionalMember& member : group.conditional) {
      Collect(member.when, &read);
    }
  }
  return read;
}

std::vector<Counter> CountersIn(const Read& read) {
  std::vector<Counter> counters;
  for (const std::string& path : read.counters) {
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
      canonical_json_(std::move(canonical_json)),
      sha256_(crypto::Sha256(AsBytes(canonical_json_))) {
  const Read read = ReadBy(*compiled_);
  counters_ = CountersIn(read);
  reads_bridge_ = read.facts.count(kBridgeOpa) != 0;
  exceptions_ =
      std::make_shared<const std::vector<ApprovedException>>(ReadExceptions(*source_, *compiled_));
}

std::shared_ptr<const Bundle> Bundle::ValidForEver() const {
  BundleHead head = head_;
  head.valid_from = absl::InfinitePast();
  head.valid_to = absl::InfiniteFuture();
  return std::make_shared<const Bundle>(head, source_, compiled_, canonical_json_);
}

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
  for (const ApprovedException& exception : *exceptions_) {
    names.push_back(exception.name);
  }
  return names;
}

}  // namespace carnet::policies
