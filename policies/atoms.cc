#include "policies/atoms.h"

#include <string>
#include <unordered_map>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace carnet::policies {
namespace {

// Everything that decides how `atom` comes out, under aliases that are told apart by `scope`.
std::string KeyOf(const Condition& atom, std::size_t scope) {
  return absl::StrCat(scope, "|", atom.fact, "|", static_cast<int>(atom.op), "|", atom.counter, "|",
                      atom.bits, "|", atom.number, "|", atom.more_than ? 1 : 0, "|",
                      absl::ToUnixNanos(atom.time), "|", absl::StrJoin(atom.words, ","), "|",
                      absl::StrJoin(atom.places.codes, ","), "|",
                      absl::StrJoin(atom.places.groups, ","), "|", atom.literal);
}

class Numbering {
 public:
  void Enter(const Aliases* aliases) {
    scope_ = scopes_.emplace(aliases, scopes_.size()).first->second;
  }
  void Add(Condition& condition) {
    if (condition.kind == Condition::Kind::kAtom) {
      condition.memo = static_cast<int>(
          numbers_.emplace(KeyOf(condition, scope_), numbers_.size()).first->second);
    }
    for (Condition& child : condition.children) {
      Add(child);
    }
  }
  void Add(std::optional<Condition>& condition) {
    if (condition.has_value()) {
      Add(*condition);
    }
  }
  std::size_t count() const { return numbers_.size(); }

 private:
  std::unordered_map<const Aliases*, std::size_t> scopes_;
  std::unordered_map<std::string, std::size_t> numbers_;
  std::size_t scope_ = 0;
};

}  // namespace

void NumberAtoms(CompiledBundle* bundle) {
  Numbering numbering;
  for (Policy& policy : bundle->policies) {
    numbering.Enter(policy.aliases);
    numbering.Add(policy.applies_when);
    numbering.Add(policy.unless);
    for (NamedCondition& term : policy.terms) {
      numbering.Add(term.condition);
    }
    for (Rule& rule : policy.rules) {
      numbering.Add(rule.when);
      numbering.Add(rule.unless);
      numbering.Add(rule.limit);
      for (Item& item : rule.items) {
        numbering.Add(item.check);
      }
    }
    for (Exception& exception : policy.exceptions) {
      numbering.Add(exception.only_when);
    }
  }
  bundle->memo_count = numbering.count();
}

}  // namespace carnet::policies
