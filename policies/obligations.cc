#include "policies/obligations.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

namespace carnet::policies {
namespace {

struct Bound {
  double number = 0;
  bool strict = false;  // more than, not at least
  const v1::Obligation* from = nullptr;
};

// All wishes about one kind, joined as they come.
struct Joined {
  std::optional<Bound> least;
  std::optional<Bound> most;
  std::optional<std::set<std::string>> values;
  const v1::Obligation* values_from = nullptr;
};

class Merger {
 public:
  void Add(const v1::Obligation& obligation) {
    Joined& joined = joined_[obligation.kind()];
    std::vector<std::string> words = absl::StrSplit(obligation.bound(), ' ');
    const std::string verb = words.front();
    words.erase(words.begin());
    double number = 0;
    const bool numeric = words.size() == 1 && absl::SimpleAtod(words[0], &number);
    if ((verb == "at_least" || verb == "more_than") && numeric) {
      AddLeast({number, verb == "more_than", &obligation}, &joined);
    } else if (verb == "at_most" && numeric) {
      if (!joined.most.has_value() || number < joined.most->number) {
        joined.most = Bound{number, false, &obligation};
      }
    } else if ((verb == "is" || verb == "in") && !words.empty()) {
      AddValues({words.begin(), words.end()}, obligation, &joined);
    } else {
      Conflict(obligation.kind(), obligation, obligation);
    }
  }

  MergedObligations Finish() {
    for (const auto& entry : joined_) {
      const Joined& joined = entry.second;
      if (joined.least.has_value() && joined.most.has_value() &&
          (joined.least->number > joined.most->number ||
           (joined.least->strict && joined.least->number == joined.most->number))) {
        Conflict(entry.first, *joined.least->from, *joined.most->from);
      }
      for (const std::optional<Bound>& bound : {joined.least, joined.most}) {
        if (bound.has_value()) {
          merged_.obligations.push_back(*bound->from);
        }
      }
      if (joined.values.has_value()) {
        v1::Obligation obligation = *joined.values_from;
        obligation.set_bound(absl::StrCat(joined.values->size() == 1 ? "is " : "in ",
                                          absl::StrJoin(*joined.values, " ")));
        merged_.obligations.push_back(std::move(obligation));
      }
    }
    std::stable_sort(merged_.obligations.begin(), merged_.obligations.end(),
                     [](const v1::Obligation& a, const v1::Obligation& b) {
                       return std::tie(a.kind(), a.bound()) < std::tie(b.kind(), b.bound());
                     });
    return std::move(merged_);
  }

 private:
  static void AddLeast(const Bound& bound, Joined* joined) {
    if (!joined->least.has_value() || bound.number > joined->least->number ||
        (bound.number == joined->least->number && bound.strict && !joined->least->strict)) {
      joined->least = bound;
    }
  }

  void AddValues(const std::set<std::string>& values, const v1::Obligation& obligation,
                 Joined* joined) {
    if (!joined->values.has_value()) {
      joined->values = values;
      joined->values_from = &obligation;
      return;
    }
    std::set<std::string> both;
    std::set_intersection(values.begin(), values.end(), joined->values->begin(),
                          joined->values->end(), std::inserter(both, both.begin()));
    if (both.empty()) {
      Conflict(obligation.kind(), *joined->values_from, obligation);
      return;
    }
    if (both.size() < joined->values->size()) {
      joined->values_from = &obligation;
    }
    joined->values = std::move(both);
  }

  void Conflict(const std::string& kind, const v1::Obligation& first,
                const v1::Obligation& second) {
    merged_.conflicts.push_back({kind, first.rule(), second.rule()});
  }

  std::map<std::string, Joined> joined_;
  MergedObligations merged_;
};

}  // namespace

MergedObligations MergeObligations(const std::vector<v1::Obligation>& obligations) {
  Merger merger;
  for (const v1::Obligation& obligation : obligations) {
    merger.Add(obligation);
  }
  return merger.Finish();
}

std::optional<DeltaRetention> RetentionOf(const std::vector<v1::Obligation>& merged) {
  DeltaRetention retention;
  int least = 0;
  int most = 0;
  for (const v1::Obligation& obligation : merged) {
    const std::pair<absl::string_view, absl::string_view> bound =
        absl::StrSplit(obligation.bound(), absl::MaxSplits(' ', 1));
    if (obligation.kind() == kDeltasRetainedFor) {
      retention.person = std::string(bound.second);
      retention.rule = obligation.rule();
    } else if (obligation.kind() == kDeltasRetainedDays) {
      int* const days = bound.first == "at_least" ? &least : &most;
      if (!absl::SimpleAtoi(bound.second, days)) {
        return std::nullopt;
      }
    }
  }
  if (retention.person.empty()) {
    return std::nullopt;
  }
  retention.days = least > 0 ? least : most;
  return retention;
}

}  // namespace carnet::policies
