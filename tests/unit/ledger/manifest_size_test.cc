// What a compact manifest weighs at 100 workers a round, with records of the shape that a
// coordinator writes under the starter packs: seven decisions for each member when a round opens,
// one more when it closes, two tickets.
// Measured: 16.9 MB for 1,000 rounds, so the design's bar of 10 MB is NOT met; the random bytes of
// ids alone take it up (docs/decisions/0017-compact-manifests.md). Without ids: 4.6 MB.
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "ledger/manifest.h"
#include "ledger/merkle.h"
#include "ledger/verifier/manifest.h"
#include "small_federation.h"
#include "temp_dir.h"

namespace carnet::ledger {
namespace {

using testing_ledger::DigestOf;
using testing_ledger::SmallFederation;
using testing_ledger::TempDir;

constexpr int kWorkers = 100;
constexpr double kBarBytes = 10e6;  // 1,000 rounds, design of the ledger

class LargeRounds {
 public:
  // ids: each decision and ticket has a random id, as today. Without, what is left is what a packer
  // would keep if ids could be worked out from the record.
  LargeRounds(SmallFederation& federation, bool ids) : federation_(federation), ids_(ids) {}

  void Add(std::uint32_t round) {
    v1::RoundOpened opened;
    opened.set_job_id(federation_.job_id());
    opened.set_round(round);
    opened.set_attempt(1);
    opened.set_model_sha256(ToString(DigestOf(absl::StrCat("model ", round))));
    for (int worker = 0; worker < kWorkers; ++worker) {
      AddMember(worker, *opened.add_members());
    }
    const std::uint64_t first =
        federation_.Append(opened, SmallFederation::Signer::kCoordinator) + 1;
    Contribute(round, first);
    Close(round, first);
  }

 private:
  std::string Id(const char* prefix) {
    std::string id = absl::StrCat(prefix, "-");
    for (int i = 0; ids_ && i < 16; ++i) {
      id += "abcdefghijklmnopqrstuvwxyz234567"[random_() % 32];
    }
    return id;
  }
  static std::string Worker(int worker) {
    return absl::StrCat("w-", 1'000'000 + worker, "aaaaaaaaa");
  }

  void Authorise(int worker, v1::Operation operation, v1::Authorisation& authorisation) {
    authorisation.set_decision_id(Id("d"));
    authorisation.set_facts_sha256(
        ToString(DigestOf(absl::StrCat("facts ", worker, " ", static_cast<int>(operation)))));
    authorisation.mutable_flow()->set_operation(operation);
    authorisation.mutable_flow()->set_from("DE");
    authorisation.mutable_flow()->set_to(absl::StrCat("C", worker % 10));
    authorisation.mutable_flow()->set_recipient(absl::StrCat("supplier-", worker % 10));
    authorisation.add_rules(absl::StrCat("house/rule-", static_cast<int>(operation)));
  }
  void AddMember(int worker, v1::RoundMember& member) {
    member.set_worker_id(Worker(worker));
    member.add_shards(absl::StrCat("digits/", worker));
    member.add_shard_sha256(ToString(DigestOf(member.shards(0))));
    member.set_weight(480);
    for (const v1::Operation operation :
         {v1::OPERATION_PLACE, v1::OPERATION_SEND_MODEL, v1::OPERATION_USE_KEY,
          v1::OPERATION_USE_KEY, v1::OPERATION_TRAIN, v1::OPERATION_SEND_DELTA,
          v1::OPERATION_SEND_METRICS}) {
      Authorise(worker, operation, *member.add_authorisations());
    }
    member.mutable_download()->set_ticket_id(Id("t"));
    member.mutable_upload()->set_ticket_id(Id("t"));
  }
  void Contribute(std::uint32_t round, std::uint64_t first) {
    std::vector<v1::SignedRecord> batch;
    for (int worker = 0; worker < kWorkers; ++worker) {
      v1::Contribution contribution;
      contribution.set_job_id(federation_.job_id());
      contribution.set_round(round);
      contribution.set_attempt(1);
      contribution.set_round_opened_index(first - 1);
      contribution.set_worker_id(Worker(worker));
      contribution.mutable_seen()->set_root(ToString(EmptyRoot()));
      contribution.set_sealed_sha256(ToString(DigestOf(absl::StrCat(round, " ", worker))));
      batch.push_back(federation_.Sign(contribution, SmallFederation::Signer::kWorker1));
    }
    REQUIRE(federation_.log().Append(batch).ok());
  }
  void Close(std::uint32_t round, std::uint64_t first) {
    v1::RoundClosed closed;
    v1::Aggregate aggregate;
    for (int worker = 0; worker < kWorkers; ++worker) {
      const std::uint64_t index = first + static_cast<std::uint64_t>((worker * 37 + round) % 100);
      v1::Included& included = *closed.add_included();
      included.set_worker_id(Worker(worker));
      included.set_index(index);
      Authorise(worker, v1::OPERATION_SEND_DELTA, *included.add_authorisations());
      aggregate.add_included(index);
      aggregate.add_weights(480);
    }
    closed.set_job_id(federation_.job_id());
    closed.set_round(round);
    closed.set_attempt(1);
    federation_.Append(closed, SmallFederation::Signer::kCoordinator,
                       {{.name = "model", .sha256 = DigestOf("model")}});
    aggregate.set_job_id(federation_.job_id());
    aggregate.set_round(round);
    aggregate.set_attempt(1);
    aggregate.set_base_model_sha256(ToString(DigestOf(absl::StrCat("model ", round))));
    aggregate.set_model_sha256(ToString(DigestOf(absl::StrCat("model ", round + 1))));
    federation_.Append(aggregate, SmallFederation::Signer::kCoordinator);
  }

  SmallFederation& federation_;
  const bool ids_;
  std::mt19937_64 random_{1};
};

std::size_t CompactBytes(const SmallFederation& federation, const LogView& log) {
  const Bytes full = *MakeManifest(log, federation.Order());
  verifier::Manifest compact =
      *verifier::CompactForm(*verifier::ParseManifest(full), federation.size());
  ManifestContents contents;
  contents.compact = true;
  contents.job_id = compact.job_id;
  contents.head = compact.head;
  for (verifier::IndexedRecord& entry : compact.records) {
    contents.records.emplace_back(entry.index, std::move(entry.record));
  }
  contents.leaves = std::move(compact.leaves);
  contents.nodes = std::move(compact.nodes);
  return PackManifest(contents)->size();
}

// Bytes that 1,000 rounds take, from what rounds 6 to 15 add.
double BytesOfThousandRounds(bool ids) {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  LargeRounds rounds(federation, ids);
  std::size_t early = 0;
  for (std::uint32_t round = 1; round <= 15; ++round) {
    rounds.Add(round);
    if (round == 5) {
      early = CompactBytes(federation, federation.log());
    }
  }
  return 100.0 * static_cast<double>(CompactBytes(federation, federation.log()) - early);
}

TEST_CASE("Manifest, compact: its size is within what the ids in its records take") {
  // Ten ids of ten random bytes for each of 100,000 members.
  constexpr double kIdsBytes = 100'000.0 * 10 * 10;
  const double today = BytesOfThousandRounds(true);
  const double without = BytesOfThousandRounds(false);
  WARN("compact manifest of 1,000 rounds of 100 workers: "
       << today / 1e6 << " MB; without the ids of decisions and tickets " << without / 1e6
       << " MB (bar: " << kBarBytes / 1e6 << " MB); their random bytes alone are "
       << kIdsBytes / 1e6 << " MB");
  CHECK(without < kBarBytes);
  CHECK(today < without + 2 * kIdsBytes);
}

}  // namespace
}  // namespace carnet::ledger
