// The keys of every map in a bundle's files: what the loader takes, and what the JSON Schema
// offers. Internal to policies/.
#ifndef CARNET_POLICIES_KEYS_H_
#define CARNET_POLICIES_KEYS_H_

#include <string>
#include <vector>

namespace carnet::policies::keys {

using Keys = std::vector<std::string>;

inline const Keys& Policy() {
  static const auto& keys = *new Keys{
      "policy", "kind",       "title",   "covers",  "approvals",    "effective", "facts_as_of",
      "review", "mode",       "zone",    "aliases", "applies_when", "unless",    "terms",
      "rules",  "exceptions", "sources", "note",    "unconfirmed"};
  return keys;
}

// What every rule may have, whatever its effect.
inline const Keys& AnyRule() {
  static const auto& keys = *new Keys{"id",    "effect", "when",   "unless", "because",    "fix",
                                      "cites", "mode",   "status", "note",   "unconfirmed"};
  return keys;
}

inline const Keys& Status() {
  static const auto& keys =
      *new Keys{"in_force", "in_force_from", "stayed_until", "not_enforced", "proposed", "note"};
  return keys;
}

inline const Keys& Exception() {
  static const auto& keys =
      *new Keys{"id", "lifts", "only_when", "ticket", "valid", "approvals", "note"};
  return keys;
}

inline const Keys& Groups() {
  static const auto& keys = *new Keys{"home", "groups", "aliases", "note"};
  return keys;
}

inline const Keys& Group() {
  static const auto& keys =
      *new Keys{"members", "conditional", "expression", "title",      "source",
                "as_of",   "review_by",   "note",       "unconfirmed"};
  return keys;
}

inline const Keys& Tests() {
  static const auto& keys = *new Keys{"tests",      "at",         "bundle", "base",   "counters",
                                      "base-allow", "situations", "cases",  "groups", "note"};
  return keys;
}

inline const Keys& Case() {
  static const auto& keys = *new Keys{"name",
                                      "set",
                                      "situation",
                                      "at",
                                      "expect",
                                      "reason",
                                      "not_reason",
                                      "missing",
                                      "warns",
                                      "not_warns",
                                      "shadows",
                                      "exception",
                                      "exception_possible",
                                      "duty",
                                      "note"};
  return keys;
}

// A duty that a case expects, where it says more than the rule.
inline const Keys& CaseDuty() {
  static const auto& keys = *new Keys{"rule", "of", "within", "text"};
  return keys;
}

inline const Keys& GroupTest() {
  static const auto& keys = *new Keys{"group", "members", "perhaps", "note"};
  return keys;
}

}  // namespace carnet::policies::keys

#endif  // CARNET_POLICIES_KEYS_H_
