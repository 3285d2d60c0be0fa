// Models and statements that left home.
#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "coordinator/audit/checks.h"

namespace carnet::coordinator::audit {
namespace {

// A release, or a reading, counts so long.
constexpr absl::Duration kLifeMax = absl::Hours(24);

// What both say of the person and of the time. The person; null: nobody who could be meant.
template <typename Record>
const User* CheckPerson(const Step& step, const Record& record, const std::string& user_id) {
  const auto user = step.state().users.find(user_id);
  const bool enrolled = user != step.state().users.end() && !user->second.revoked;
  if (!step.Expect(enrolled, "release", "a person who is enrolled and not revoked", user_id)) {
    return nullptr;
  }
  step.Expect(record.jurisdiction() == user->second.jurisdiction &&
                  record.recipient() == user->second.organisation,
              "release",
              absl::StrCat(user_id, ", who works in ", user->second.jurisdiction, " for ",
                           user->second.organisation),
              absl::StrCat("somebody in ", record.jurisdiction(), " for ", record.recipient()));
  const absl::Time at = ToTime(record.common().at());
  step.Expect(ToTime(record.expires()) > at && ToTime(record.expires()) <= at + kLifeMax, "release",
              "an end within 24 hours", "another time");
  return &user->second;
}

// Shard -> digest, hex, as the record has them.
std::map<std::string, std::string> ShardsIn(const v1::Release& record) {
  std::map<std::string, std::string> shards;
  for (int i = 0; i < record.shards_size() && i < record.shard_sha256_size(); ++i) {
    shards[absl::StrCat(record.shards(i), "@", HexEncode(AsBytes(record.shard_sha256(i))))] =
        record.shards(i);
  }
  return shards;
}

void CheckLineage(const Step& step, const v1::Release& record) {
  const State& state = step.state();
  const auto versions = state.model_versions.find(record.model_sha256());
  const std::map<std::string, std::string> named = ShardsIn(record);
  const bool same_count = record.shards_size() == record.shard_sha256_size() &&
                          static_cast<std::size_t>(record.shards_size()) == named.size();
  step.Expect(
      same_count && versions != state.model_versions.end() &&
          versions->second.size() == named.size() &&
          std::all_of(named.begin(), named.end(),
                      [&](const auto& shard) { return versions->second.count(shard.first) != 0; }),
      "release", "every shard of the model's lineage, and no other", "other shards");
  for (const auto& [version, name] : named) {
    const auto shard = state.shards.find(name);
    const bool same = shard != state.shards.end() &&
                      version == absl::StrCat(name, "@", HexEncode(shard->second.sha256));
    step.Expect(!same || !shard->second.withdrawn.has_value(), "release",
                "a model of shards that nobody withdrew",
                same && shard->second.withdrawn.has_value()
                    ? absl::StrCat(name, ", which record ", *shard->second.withdrawn, " withdrew")
                    : "");
  }
}

}  // namespace

void Check(const Step& step, const v1::Release& record) {
  const User* const user = CheckPerson(step, record, record.released_to());
  const Job* const job = step.state().FindJob(record.job_id());
  if (!step.Expect(job != nullptr, "reference", "a job on record", record.job_id()) ||
      user == nullptr) {
    return;
  }
  const bool made =
      std::any_of(job->results.begin(), job->results.end(), [&record](const RoundResult& result) {
        return result.round == record.round() &&
               AsText(result.model_sha256) == record.model_sha256();
      });
  step.Expect(made, "release",
              absl::StrCat("the aggregate of round ", record.round(), " of ", record.job_id()),
              absl::StrCat("model ", Hex(record.model_sha256())));
  if (job->submitted.submitter() != user->id) {
    ExpectRole(step, user->id, {"admin", "operator"});
  }
  CheckLineage(step, record);
}

void Check(const Step& step, const v1::LogRead& record) {
  CheckPerson(step, record, record.reader());
}

}  // namespace carnet::coordinator::audit
