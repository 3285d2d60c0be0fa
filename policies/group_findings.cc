#include "policies/group_findings.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "policies/dates.h"
#include "policies/source.h"

namespace carnet::policies {
namespace {

// Of a bundle that was loaded: the groups are maps by name.
const std::vector<yaml::Entry>& GroupsOf(const Bundle& bundle) {
  static const auto& none = *new std::vector<yaml::Entry>();
  const yaml::Node* groups =
      bundle.source().groups.has_value() ? bundle.source().groups->root.Find("groups") : nullptr;
  return groups == nullptr ? none : groups->entries;
}

bool Says(const yaml::Node& group, absl::string_view key) {
  const yaml::Node* value = group.Find(key);
  return value != nullptr && (!value->text.empty() || !value->items.empty());
}

}  // namespace

std::vector<std::string> UnsourcedGroups(const Bundle& bundle) {
  std::vector<std::string> findings;
  for (const yaml::Entry& group : GroupsOf(bundle)) {
    if (group.value.Find("members") == nullptr && group.value.Find("conditional") == nullptr) {
      continue;  // made from groups that say it themselves
    }
    std::vector<std::string> missing;
    for (const char* key : {"source", "as_of", "review_by"}) {
      if (!Says(group.value, key)) {
        missing.push_back(absl::StrCat("no ", key));
      }
    }
    if (!missing.empty()) {
      findings.push_back(absl::StrCat("group ", group.key, " has ", absl::StrJoin(missing, ", ")));
    }
  }
  return findings;
}

absl::Status CheckSourced(const Bundle& bundle) {
  const std::vector<std::string> findings = UnsourcedGroups(bundle);
  return findings.empty() ? absl::OkStatus()
                          : absl::FailedPreconditionError(absl::StrCat(
                                "policy: ", absl::StrJoin(findings, "; "),
                                ": say in the groups file where each list comes from (source), of "
                                "which day it is (as_of) and when it is to be looked at again "
                                "(review_by)"));
}

std::vector<std::string> OverdueGroups(const Bundle& bundle, absl::Time at) {
  std::vector<std::string> findings;
  for (const yaml::Entry& group : GroupsOf(bundle)) {
    const yaml::Node* by = group.value.Find("review_by");
    if (by == nullptr) {
      continue;
    }
    const absl::StatusOr<absl::CivilDay> day = ParseDate(by->text);
    if (day.ok() && absl::ToCivilDay(at, absl::UTCTimeZone()) > *day) {
      findings.push_back(absl::StrCat("group ", group.key, " was to be reviewed by ", by->text));
    }
  }
  return findings;
}

}  // namespace carnet::policies
