#include "worker/core/stated_labels.h"

#include "absl/strings/str_cat.h"
#include "ledger/verifier/person_statement.h"
#include "ledger/verifier/record.h"

namespace carnet::worker {
namespace {

constexpr const char* kStewards[] = {"data-steward"};
constexpr const char* kRegistrars[] = {"compliance", "dpo", "legal"};

// Signed with the key of a person who held the role where the record stands.
template <typename Record, typename Roles>
bool Counts(const StatementView& view, const Record& record, std::uint64_t index,
            const Roles& roles) {
  const v1::PersonStatement& stated = record.stated();
  bool allowed = false;
  for (const char* const role : roles) {
    allowed = allowed || stated.role() == role;
  }
  const auto person = view.chain.people().find(stated.user_id());
  return allowed && person != view.chain.people().end() &&
         view.chain.HeldAt(stated.user_id(), stated.role(), index) &&
         ledger::verifier::VerifyStated(record, person->second.public_key).ok();
}

// Calls take(record, index) for each record of the type that the coordinator signed, and that
// counts.
template <typename Record, typename Roles, typename Take>
void ForEachStated(const StatementView& view, const Roles& roles, const Take& take) {
  for (const v1::ProvenRecord& proven : view.task.context()) {
    const std::uint64_t index = proven.proof().index();
    const auto record = ledger::verifier::VerifyProvenRecord(proven, view.head);
    const auto* said = record.ok() ? record->template As<Record>() : nullptr;
    if (said != nullptr && record->public_key == view.keys.StatementKeyAt(index) &&
        Counts(view, *said, index, roles)) {
      take(*said, index);
    }
  }
}

}  // namespace

std::map<std::string, SiteLabels> StatedLabels(const StatementView& view,
                                               const std::map<std::string, std::string>& digests) {
  std::map<std::string, SiteLabels> labels;
  ForEachStated<v1::DatasetRegistered>(
      view, kStewards, [&](const v1::DatasetRegistered& record, std::uint64_t) {
        for (const v1::ShardRegistration& shard : record.shards()) {
          const v1::ShardLabels& said = shard.labels();
          if (said.categories().empty()) {
            continue;  // the steward does not know either
          }
          const std::string name = absl::StrCat(record.dataset(), "/", shard.shard());
          const auto bytes = digests.find(name);
          if (bytes == digests.end() ||
              (!shard.sha256().empty() && shard.sha256() != bytes->second)) {
            continue;  // of no shard of this task, or of other bytes
          }
          SiteLabels& known = labels[name];
          known.subjects_in.insert(said.subjects_in().begin(), said.subjects_in().end());
          known.categories.insert(said.categories().begin(), said.categories().end());
        }
      });
  return labels;
}

std::set<std::string> StatedPlaces(const StatementView& view, const std::string& region) {
  std::set<std::string> places;
  std::uint64_t newest = 0;
  ForEachStated<v1::RegionRegistered>(
      view, kRegistrars, [&](const v1::RegionRegistered& record, std::uint64_t index) {
        if (record.region() == region && index >= newest) {
          newest = index;
          places = {record.terms().jurisdictions().begin(), record.terms().jurisdictions().end()};
        }
      });
  return places;
}

}  // namespace carnet::worker
