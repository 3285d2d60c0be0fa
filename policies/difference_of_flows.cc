#include "policies/difference_of_flows.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "policies/evaluate.h"
#include "policies/explain.h"
#include "policies/jurisdictions.h"
#include "policies/operations.h"
#include "policies/situations.h"

namespace carnet::policies {
namespace {

constexpr std::size_t kNamesMax = 3;  // of a list of places; the rest is counted

// A change of one operation with one class of destinations and one of people.
struct Change {
  bool gain = false;
  bool with_papers = false;
  std::size_t movement = 0;
  std::size_t subjects = 0;  // position in the classes; one past them: nobody
};

class Sweep {
 public:
  Sweep(const Bundle& before, const Bundle& after, absl::Time at)
      : before_(before),
        after_(after),
        at_(at),
        places_(before, after),
        papers_(EveryPaper(before, after)) {}

  void Run() {
    for (std::size_t to = 0; to < places_.classes().size(); ++to) {
      std::vector<Change> changes;
      for (std::size_t movement = 0; movement < Movements().size(); ++movement) {
        for (std::size_t subjects = 0; subjects <= places_.classes().size(); ++subjects) {
          Try(to, movement, subjects, &changes);
        }
      }
      if (!changes.empty()) {
        Note(to, changes);
      }
    }
  }

  std::vector<std::string> Sentences(bool gain) const {
    std::vector<std::string> sentences;
    for (const auto& [what, destinations] : destinations_) {
      if (what.first == gain) {
        const std::vector<std::string> names = NamesOf(destinations);
        sentences.push_back(absl::StrCat(Listed(names), " ", Verb(names.size() == 1, gain), ": ",
                                         what.second, "."));
      }
    }
    std::sort(sentences.begin(), sentences.end());
    return sentences;
  }

 private:
  static std::string Verb(bool one, bool gain) {
    return gain ? (one ? "gains" : "gain") : (one ? "loses" : "lose");
  }

  bool Allows(const Bundle& bundle, const FactSet& facts) const {
    return Evaluate(bundle, facts, at_, Words::kLeftOut).verdict() == v1::VERDICT_ALLOW;
  }

  void Try(std::size_t to, std::size_t movement, std::size_t subjects,
           std::vector<Change>* changes) const {
    const std::vector<PlaceClass>& classes = places_.classes();
    const std::string subject = subjects < classes.size() ? classes[subjects].front() : kNobody;
    for (const bool with_papers : {false, true}) {
      const FactSet facts = NeutralFacts(Movements()[movement], subject, classes[to].front(),
                                         with_papers ? papers_ : std::vector<std::string>{});
      const bool then = Allows(before_, facts);
      const bool now = Allows(after_, facts);
      if (then != now) {
        changes->push_back({now, with_papers, movement, subjects});
        return;
      }
    }
  }

  // Operations with the same people and papers are one sentence.
  void Note(std::size_t to, const std::vector<Change>& changes) {
    std::map<std::tuple<bool, bool, std::size_t>, std::vector<std::size_t>> people;
    for (const Change& change : changes) {
      people[{change.gain, change.with_papers, change.movement}].push_back(change.subjects);
    }
    std::map<std::tuple<bool, bool, std::vector<std::size_t>>, std::vector<std::string>> movements;
    for (const auto& [key, subjects] : people) {
      const auto& [gain, with_papers, movement] = key;
      // The use of a key, and of what it opens, are one operation in words.
      std::vector<std::string>& names = movements[{gain, with_papers, subjects}];
      std::string name = OperationName(Movements()[movement].operation);
      if (names.empty() || names.back() != name) {
        names.push_back(std::move(name));
      }
    }
    for (const auto& [key, names] : movements) {
      const auto& [gain, with_papers, subjects] = key;
      destinations_[{gain, absl::StrCat(absl::StrJoin(names, ", "), " of ", DataOf(subjects),
                                        with_papers ? ", with all papers" : ", without papers")}]
          .push_back(to);
    }
  }

  std::vector<std::string> NamesOf(const std::vector<std::size_t>& positions) const {
    std::vector<std::string> names;
    for (const std::size_t position : positions) {
      for (const std::string& code : places_.classes()[position]) {
        names.push_back(JurisdictionNameAndCode(code));
      }
    }
    std::sort(names.begin(), names.end());
    return names;
  }

  static std::string Listed(const std::vector<std::string>& names) {
    if (names.size() <= kNamesMax) {
      return absl::StrJoin(names, ", ");
    }
    const std::vector<std::string> first(names.begin(), names.begin() + kNamesMax);
    return absl::StrCat(absl::StrJoin(first, ", "), " and ", names.size() - kNamesMax,
                        " more places");
  }

  std::string DataOf(const std::vector<std::size_t>& subjects) const {
    std::vector<std::size_t> people = subjects;
    const auto nobody = std::find(people.begin(), people.end(), places_.classes().size());
    const bool other_data = nobody != people.end();
    if (other_data) {
      people.erase(nobody);
    }
    if (people.empty()) {
      return "data about no people";
    }
    return absl::StrCat(other_data ? "data about no people, and of " : "",
                        "personal data about people in ", Listed(NamesOf(people)));
  }

  const Bundle& before_;
  const Bundle& after_;
  absl::Time at_;
  PlaceClasses places_;
  std::vector<std::string> papers_;
  std::map<std::pair<bool, std::string>, std::vector<std::size_t>> destinations_;
};

}  // namespace

void CompareFlows(const Bundle& before, const Bundle& after, absl::Time at,
                  std::vector<std::string>* gains, std::vector<std::string>* losses) {
  Sweep sweep(before, after, at);
  sweep.Run();
  *gains = sweep.Sentences(true);
  *losses = sweep.Sentences(false);
}

}  // namespace carnet::policies
