// What a bundle becomes at load: names resolved to positions, dates to instants, groups to bit
// sets, and for each policy and rule the operations and kinds of artifact that it can concern at
// all. Internal to policies/.
#ifndef CARNET_POLICIES_COMPILED_H_
#define CARNET_POLICIES_COMPILED_H_

#include <array>
#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "policies/facts.h"
#include "policies/jurisdictions.h"

namespace carnet::policies {

// Strong Kleene logic: and is the least, or the greatest, not turns the order round.
enum class Truth : std::uint8_t { kFalse = 0, kUnknown = 1, kTrue = 2 };
inline Truth And(Truth a, Truth b) {
  return a < b ? a : b;
}
inline Truth Or(Truth a, Truth b) {
  return a < b ? b : a;
}
inline Truth Not(Truth a) {
  return static_cast<Truth>(2 - static_cast<int>(a));
}

enum class Operator : std::uint8_t {
  kIs,
  kIsNot,
  kIn,
  kNotIn,
  kHas,
  kAnyIn,
  kAllIn,
  kAtLeast,
  kAtMost,
  kMoreThan,
  kBefore,
  kAfter,
  kOwnedBy,
};

// A union of single places and groups.
struct PlaceSet {
  std::vector<std::string> codes;
  std::vector<int> groups;  // positions in CompiledBundle::groups
};

struct Condition {
  enum class Kind : std::uint8_t { kAll, kAny, kTerm, kAtom };

  // What a test reads comes first, so that it lies together.
  Kind kind = Kind::kAll;
  Operator op = Operator::kIs;
  FactType type = FactType::kWord;  // of `fact`
  int memo = -1;                    // kAtom: equal ones share it (policies/atoms.h); -1: alone
  bool more_than = false;           // owners: more than `number`, not at least
  int term = 0;                     // kTerm: position in Policy::terms
  FactId fact = kNoFact;            // kAtom: `fact` `op` literal; the literal depends on its type
  std::uint64_t bits = 0;           // words, yes/no, chips: WordBits of what is asked for
  std::vector<Condition> children;  // kAll (empty: true), kAny
  double number = 0;                // numbers; ranks: position of the word; owners: percent
  PlaceSet places;
  absl::Time time;                 // start of the day (before) or of the day after (after)
  std::string counter;             // path, where fact is kCounters
  std::vector<std::string> words;  // the same as bits, as texts; names are compared as texts
  std::string literal;             // as a person reads it: "group eea", "tia", "8"
};

// Places that count only under a condition on other facts.
struct ConditionalMember {
  std::string code;
  Condition when;
};

struct Group {
  struct Term {
    bool subtract = false;
    int group = 0;
  };

  std::string name;
  std::bitset<kCountrySlots> countries;
  // No conditional member is in reach, so `whole` decides for every code without a hyphen.
  bool flat = false;
  std::bitset<kCountrySlots> whole;
  std::vector<std::string> parts;  // members that are parts of countries, sorted
  std::vector<ConditionalMember> conditional;
  std::vector<Term> expression;  // not empty: the group is this, from left to right
};

// Codes that one legal regime reads as others: HK -> CN.
using Aliases = std::map<std::string, std::string, std::less<>>;

enum class Mode : std::uint8_t { kShadow, kWarn, kEnforce };  // the weakest first
enum class Effect : std::uint8_t { kAllow, kDeny, kRequire, kDeclassify, kLimit };

// Which operations (bit: v1::Operation) and kinds (bit: v1::ArtifactKind) a condition can be
// anything but false for, if both are known.
struct Reach {
  std::uint32_t operations = ~std::uint32_t{0};
  std::uint32_t kinds = ~std::uint32_t{0};
};

// Who must approve, and how many of them.
struct Approvers {
  std::vector<std::string> roles;  // sorted; each approving person holds one of them
  std::uint32_t need = 0;          // persons; 0: nobody
};

enum class Phase : std::uint8_t { kPre, kRuntime, kPost, kApproval };

// The round's deltas are kept for a person, with the key that opens them.
struct Retention {
  std::string person;  // user id
  int days_min = 0;    // 0: no bound
  int days_max = 0;    // 0: no bound
};

struct Item {
  std::string id;
  Condition check;                     // kPre, kRuntime without `retention`
  std::optional<Retention> retention;  // kRuntime: asked for instead of a check
  std::string fix;
  Phase phase = Phase::kPre;
  Approvers approvers;    // kApproval
  std::string duty;       // kPost: what is to be done
  std::string duty_of;    // kPost: the role that does it
  absl::Duration within;  // kPost: from the moment of the decision
};

struct Rule {
  std::string id;
  std::string reason;  // <policy>/<rule>
  Effect effect = Effect::kDeny;
  Condition when;
  std::optional<Condition> unless;
  std::vector<Item> items;           // allow, require
  std::vector<std::string> removes;  // declassify
  Condition limit;                   // limit: one atom, counter at_most ceiling
  bool floor = false;
  Mode mode = Mode::kEnforce;  // of policy, rule and status the weakest
  absl::Time in_force_from = absl::InfinitePast();
  std::string because;
  std::string fix;
  std::vector<std::string> cites;
  std::vector<std::string> unconfirmed;  // what nobody has confirmed about the rule
  Reach reach;
};

// What must be known of a rule to pass it by.
struct RuleIndex {
  static constexpr std::size_t kConjunctsMax = 3;
  Reach reach;
  // Condition::memo of atoms of which each must hold for `when` to hold; -1: no such atom.
  std::array<int, kConjunctsMax> conjuncts = {-1, -1, -1};
  Effect effect = Effect::kDeny;
};

struct Exception {
  std::string id;
  int rule = 0;
  int item = -1;        // -1: a deny
  Approvers approvers;  // its own, else those of its policy: never nobody
  Condition only_when;
  absl::Time from;
  absl::Time to;  // exclusive
};

struct NamedCondition {
  std::string name;
  Condition condition;
};

struct Covers {
  bool nobody = false;      // `no personal data`
  bool everything = false;  // people everywhere, and no personal data
  PlaceSet people;
};

enum class OverdueAction : std::uint8_t { kNone, kWarn, kHold, kDeny };

struct Policy {
  std::string name;
  std::string title;
  bool regime = false;
  Covers covers;
  Mode mode = Mode::kEnforce;
  absl::Time effective_from = absl::InfinitePast();
  absl::Time effective_to = absl::InfiniteFuture();    // exclusive
  std::string review_by;                               // YYYY-MM-DD, for messages
  absl::Time review_due = absl::InfiniteFuture();      // the first moment after `by`
  absl::Time review_overdue = absl::InfiniteFuture();  // the first moment after the grace
  OverdueAction overdue = OverdueAction::kNone;
  const Aliases* aliases = nullptr;  // into CompiledBundle::aliases
  Condition applies_when;
  std::optional<Condition> unless;
  std::vector<NamedCondition> terms;
  std::vector<Rule> rules;
  std::vector<RuleIndex> index;  // of each rule (policies/rule_index.h)
  std::vector<Exception> exceptions;
  bool declassifies = false;  // one of its rules takes labels away
  Reach reach;
};

// What a case says of a duty; what is empty may be anything.
struct ExpectedDuty {
  std::string rule;  // reason id
  std::string of;    // the role that does it
  std::string text;  // what is to be done
  absl::Duration within = absl::ZeroDuration();
};

struct TestCase {
  std::string name;
  std::string place;  // file:line:column
  FactSet facts;
  absl::Time at;
  std::string expect;  // allow | deny | hold
  std::vector<std::string> reasons;
  std::vector<std::string> not_reasons;
  std::vector<std::string> missing;
  std::vector<std::string> warns;      // in mode warn
  std::vector<std::string> shadows;    // in mode shadow
  std::vector<std::string> not_warns;  // in neither
  std::vector<std::string> exceptions;
  // Whether an exception could lift what failed: each of `reasons`, or everything if none is named.
  std::optional<bool> exception_possible;
  std::vector<ExpectedDuty> duties;
};

// What a group must hold: these places for certain, those under a condition, no other country.
struct GroupTest {
  int group = 0;      // position in CompiledBundle::groups
  std::string place;  // file:line:column
  std::vector<std::string> members;
  std::vector<std::string> perhaps;
};

struct TestSuite {
  std::string name;
  std::string place;                  // of the list of policies
  std::vector<std::string> policies;  // empty: all of the bundle
  bool base_allow = false;            // with the test-only regime that allows everything
  std::vector<TestCase> cases;
  std::vector<GroupTest> groups;
};

// Immutable once made: policies point into it.
struct CompiledBundle {
  CompiledBundle() = default;
  CompiledBundle(const CompiledBundle&) = delete;
  CompiledBundle& operator=(const CompiledBundle&) = delete;

  std::string home;
  std::vector<Group> groups;
  std::map<std::string, Aliases, std::less<>> aliases;
  std::vector<Policy> policies;  // by name
  std::vector<TestSuite> suites;
  std::size_t rule_count = 0;
  std::size_t memo_count = 0;  // Condition::memo is below it
};

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_COMPILED_H_
