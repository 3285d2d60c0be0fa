#include "ledger/verifier/releases.h"

#include <map>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "ledger/verifier/policy_history.h"

namespace carnet::ledger::verifier {
namespace {

using MaybeFinding = std::optional<Finding>;

MaybeFinding CheckPerson(std::uint64_t index, const v1::Release& release, const Members& members) {
  const auto person = members.users.find(release.released_to());
  if (person == members.users.end() || person->second.index >= index) {
    return Finding{.expected = absl::StrCat("the enrolment of ", release.released_to()),
                   .actual = "not in the manifest",
                   .index = index,
                   .missing = true};
  }
  if (person->second.revoked && *person->second.revoked < index) {
    return Finding{.expected = absl::StrCat("nothing to ", release.released_to(),
                                            " after the revocation at ", *person->second.revoked),
                   .actual = "a release",
                   .index = index};
  }
  return std::nullopt;
}

// What the rounds of the manifest trained on is named; a base model may have brought more.
MaybeFinding CheckShards(std::uint64_t index, const v1::Release& release,
                         const ManifestReport& report) {
  std::map<std::string, std::string> named;
  for (int i = 0; i < release.shards_size() && i < release.shard_sha256_size(); ++i) {
    named[release.shards(i)] = release.shard_sha256(i);
  }
  for (const Participant& participant : report.participants) {
    for (const auto& [name, digest] : participant.shards) {
      const auto shard = named.find(name);
      if (shard == named.end() || shard->second != AsText(digest)) {
        return Finding{
            .expected = absl::StrCat("a release that names ", name, " as it was trained on"),
            .actual = shard == named.end() ? "it does not" : "another digest",
            .index = index};
      }
    }
  }
  return std::nullopt;
}

MaybeFinding CheckRelease(std::uint64_t index, const v1::Release& release, const Members& members,
                          const PolicyHistory& policies, const ManifestReport& report) {
  if (release.round() != report.rounds || index <= report.last_index) {
    return Finding{.expected = absl::StrCat("the model of round ", report.rounds,
                                            ", after the record that made it"),
                   .actual = absl::StrCat("the model of round ", release.round()),
                   .index = index};
  }
  if (MaybeFinding finding = CheckPerson(index, release, members); finding) {
    return finding;
  }
  if (MaybeFinding finding = CheckShards(index, release, report); finding) {
    return finding;
  }
  return policies.Check(index, release.basis());
}

}  // namespace

ModelRelease ReleaseIn(std::uint64_t index, const v1::Release& record) {
  return {.index = index,
          .to = record.released_to(),
          .jurisdiction = record.jurisdiction(),
          .recipient = record.recipient(),
          .at = ToTime(record.common().at()),
          .revision = record.basis().revision(),
          .bundle_sha256 = ToDigest(AsBytes(record.basis().bundle_sha256())).value_or(Digest{})};
}

std::optional<Finding> CheckReleases(const RecordMap& records, const v1::Genesis& genesis,
                                     const Members& members, ManifestReport& report) {
  PolicyHistory policies(genesis);
  for (const auto& [index, record] : records) {
    if (const auto* activated = record.As<v1::PolicyActivated>(); activated != nullptr) {
      if (MaybeFinding finding = policies.Follow(index, *activated); finding) {
        return finding;
      }
    }
    const auto* release = record.As<v1::Release>();
    if (release == nullptr || release->job_id() != report.job_id ||
        release->model_sha256() != AsText(report.model_sha256)) {
      continue;
    }
    if (MaybeFinding finding = CheckRelease(index, *release, members, policies, report); finding) {
      return finding;
    }
    report.releases.push_back(ReleaseIn(index, *release));
  }
  return std::nullopt;
}

}  // namespace carnet::ledger::verifier
