#include "coordinator/core/counters.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "coordinator/core/statements.h"

namespace carnet::coordinator {
namespace {

// A version that goes on crossing is put on record again after this time, so that it stays in
// windows that slide; a window that began within it still holds the crossing.
constexpr absl::Duration kCountedAgainAfter = absl::Hours(24);

// Categories of data that some law calls sensitive.
bool IsSensitive(const std::string& category) {
  static const auto& words = *new std::set<std::string>{
      "biometric", "children",    "criminal", "ethnicity", "financial", "genetic",
      "genomic",   "geolocation", "health",   "medicaid",  "medicare",  "other_omic",
      "payments",  "politics",    "religion", "sex_life",  "union"};
  return words.count(category) != 0;
}

// Whether labels with these categories can mean people of the counter's category.
bool MayHold(const v1::ShardLabels& labels, const std::string& counted) {
  return counted == "personal" ||
         std::any_of(labels.categories().begin(), labels.categories().end(),
                     [&counted](const std::string& category) {
                       return counted == "sensitive" ? IsSensitive(category) : category == counted;
                     });
}

bool Crosses(const google::protobuf::RepeatedPtrField<v1::Authorisation>& authorisations) {
  return std::any_of(authorisations.begin(), authorisations.end(),
                     [](const v1::Authorisation& authorisation) {
                       return authorisation.flow().from() != authorisation.flow().to();
                     });
}

void ReserveRound(const State& state, const Job& job, absl::Time at, ShardVersions* reserved) {
  if (job.round.has_value() && !job.round->closed.has_value() &&
      at < ToTime(job.round->opened.deadline())) {
    for (const v1::RoundMember& member : job.round->opened.members()) {
      const bool cut = state.cut_tickets.count(member.download().ticket_id()) != 0 ||
                       state.cut_tickets.count(member.upload().ticket_id()) != 0;
      if (!cut && Crosses(member.authorisations())) {
        reserved->insert(job.versions.begin(), job.versions.end());
        const ShardVersions own =
            VersionsOf(state, {member.shards().begin(), member.shards().end()});
        reserved->insert(own.begin(), own.end());
      }
    }
  }
  if (job.evaluation.has_value() && at < ToTime(job.evaluation->opened.deadline()) &&
      Crosses(job.evaluation->opened.member().authorisations())) {
    reserved->insert(job.versions.begin(), job.versions.end());
  }
}

}  // namespace

std::string VersionOf(const std::string& name, const Shard& shard) {
  return absl::StrCat(name, "@", HexEncode(shard.sha256));
}

ShardVersions VersionsOf(const State& state, const std::vector<std::string>& shards) {
  ShardVersions versions;
  for (const std::string& name : shards) {
    if (const auto shard = state.shards.find(name); shard != state.shards.end()) {
      versions.insert(VersionOf(name, shard->second));
    }
  }
  return versions;
}

std::optional<std::uint64_t> PeopleIn(const State& state, const std::string& version,
                                      const policies::Counter& counter) {
  const auto shard = state.shards.find(version.substr(0, version.find('@')));
  if (shard == state.shards.end() || shard->second.stated == nullptr) {
    return std::nullopt;
  }
  const v1::ShardLabels& labels = shard->second.terms.labels();
  const std::string part = absl::StrCat(counter.code, "-");
  std::uint64_t people = 0;
  for (const std::string& place : labels.subjects_in()) {
    const bool whole = absl::StartsWith(counter.code, absl::StrCat(place, "-"));
    if (place != counter.code && !whole && !absl::StartsWith(place, part)) {
      continue;
    }
    const auto counted =
        labels.people().find(absl::StrCat(whole ? counter.code : place, ".", counter.category));
    if (counted != labels.people().end()) {
      people += counted->second;
    } else if (MayHold(labels, counter.category)) {
      return std::nullopt;
    }
  }
  return people;
}

ShardVersions ReservedVersions(const State& state, absl::Time at) {
  ShardVersions reserved;
  for (const auto& [id, job] : state.jobs) {
    ReserveRound(state, job, at, &reserved);
  }
  for (const auto& [id, staging] : state.stagings) {
    const v1::StagingOrdered& ordered = staging.ordered;
    if (staging.phase == StagingPhase::kOrdered && at < ToTime(ordered.expires()) &&
        Crosses(ordered.authorisations())) {
      const ShardVersions own = VersionsOf(state, {ShardKey(ordered.dataset(), ordered.shard())});
      reserved.insert(own.begin(), own.end());
    }
  }
  return reserved;
}

std::optional<std::uint64_t> CountPeople(const State& state, const policies::Counter& counter,
                                         const ShardVersions& versions, absl::Time at) {
  const auto opening = state.openings.find(counter.Name());
  if (opening == state.openings.end() ||
      !IsVouchedFor(state, absl::StrCat("counter/", counter.Name()))) {
    return std::nullopt;
  }
  const absl::Time start = policies::WindowStart(counter.window, at);
  std::uint64_t total = ToTime(opening->second.as_of()) >= start ? opening->second.people() : 0;
  ShardVersions counted = ReservedVersions(state, at);
  counted.insert(versions.begin(), versions.end());
  for (const auto& [version, last] : state.crossed) {
    if (last + kCountedAgainAfter > start) {
      counted.insert(version);
    }
  }
  for (const std::string& version : counted) {
    const std::optional<std::uint64_t> people = PeopleIn(state, version, counter);
    if (!people.has_value()) {
      return std::nullopt;
    }
    total += *people;
  }
  return total;
}

ShardVersions NotYetCounted(const State& state, const ShardVersions& versions, absl::Time at) {
  ShardVersions fresh;
  std::vector<policies::Counter> counters = state.bundle->counters();
  for (const auto& [name, opening] : state.openings) {
    if (const auto opened = policies::ParseCounter(name); opened.ok()) {
      counters.push_back(*opened);
    }
  }
  for (const std::string& version : versions) {
    const auto last = state.crossed.find(version);
    if (last != state.crossed.end() && last->second + kCountedAgainAfter > at) {
      continue;
    }
    for (const policies::Counter& counter : counters) {
      if (PeopleIn(state, version, counter).value_or(1) > 0) {
        fresh.insert(version);
        break;
      }
    }
  }
  return fresh;
}

}  // namespace carnet::coordinator
