// What a compact manifest weighs at 100 workers a round, with records of the shape that a
// coordinator writes under the starter packs: seven decisions for each member when a round opens,
// one more when it closes, two tickets.
// Measured: 4.6 MB for 1,000 rounds (bar of the design: 10 MB), because ids follow from their
// record's nonce and are left out (docs/decisions/0020-ids-follow-from-the-nonce.md); 16.9 MB with
// ids that do not.
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "crypto/hash.h"
#include "ledger/manifest.h"
#include "ledger/merkle.h"
#include "ledger/record.h"
#include "ledger/record_ids.h"
#include "ledger/verifier/manifest.h"
#include "ledger/verifier/record_ids.h"
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
  // follow: ids follow from their record's nonce, as the coordinator makes them; else they are
  // random.
  LargeRounds(SmallFederation& federation, bool follow)
      : federation_(federation), follow_(follow) {}

  void Add(std::uint32_t round) {
    BeginIds(std::uint64_t{1} << 20);
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
  // For the record that is appended next; decisions are numbered from `first` on, tickets from 0.
  void BeginIds(std::uint64_t first) {
    // The fixture numbers the nonces of its records.
    nonce_ = DigestOf(absl::StrCat("nonce ", federation_.size() + 1));
    numbers_ = {{'d', first}, {'t', 0}};
  }
  // docs/formats.md, "Ids that follow from a record".
  std::string Id(const char* prefix) {
    Bytes text(nonce_.begin(), nonce_.end());
    const std::uint64_t number = follow_ ? numbers_[*prefix]++ : random_();
    for (unsigned shift = 0; shift < 64; shift += 8) {
      text.push_back(static_cast<std::uint8_t>(number >> shift));
    }
    const Digest digest = crypto::Sha256(text);
    return MakeId(prefix, std::span(digest).first<kIdRandomBytes>());
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
    BeginIds(0);
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
  const bool follow_;
  Digest nonce_{};
  std::map<char, std::uint64_t> numbers_;
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
double BytesOfThousandRounds(bool follow) {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  LargeRounds rounds(federation, follow);
  std::size_t early = 0;
  for (std::uint32_t round = 1; round <= 15; ++round) {
    rounds.Add(round);
    if (round == 5) {
      early = CompactBytes(federation, federation.log());
    }
  }
  return 100.0 * static_cast<double>(CompactBytes(federation, federation.log()) - early);
}

TEST_CASE("Manifest, compact: 1,000 rounds of 100 workers are within 10 MB") {
  // Ten ids of ten random bytes for each of 100,000 members.
  constexpr double kIdsBytes = 100'000.0 * 10 * 10;
  const double following = BytesOfThousandRounds(true);
  const double random = BytesOfThousandRounds(false);
  WARN("compact manifest of 1,000 rounds of 100 workers: "
       << following / 1e6 << " MB (bar: " << kBarBytes / 1e6
       << " MB); with ids that do not follow from their record " << random / 1e6 << " MB");
  CHECK(following < kBarBytes);
  // What cannot be worked out is kept.
  CHECK(random > following + kIdsBytes);
}

TEST_CASE("Manifest, compact: ids that were left out come back, and so do those that were not") {
  for (const bool follow : {true, false}) {
    CAPTURE(follow);
    const TempDir dir;
    SmallFederation federation(dir.path());
    federation.Found();
    LargeRounds(federation, follow).Add(1);
    const v1::SignedRecord opened = *federation.log().ReadRecord(5);
    const std::string shortened = ShortenIds(opened.statement());
    // Seven decisions and two tickets of each member.
    CHECK((opened.statement().size() - shortened.size() > 900 * 14) == follow);
    CHECK(*verifier::RestoreIds(shortened, kStatementBytesMax) == opened.statement());
    // What none of them follows from is as it was.
    const std::string other = R"({"common":{"nonce":"AAAA"},"id":"d-aaaaaaaaaaaaaaaa"})";
    CHECK(ShortenIds(other) == other);
    CHECK(*verifier::RestoreIds(other, kStatementBytesMax) == other);
  }
}

TEST_CASE("Manifest, compact: a mark of an id that is not as due is refused") {
  const std::string nonce = R"({"nonce":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","id":")";
  REQUIRE(verifier::RestoreIds(nonce + "\x01"
                                       "d"
                                       "\x05"
                                       "\"}",
                               200)
              .ok());
  const auto refused = [](const std::string& text, std::size_t bytes_max = 200) {
    return absl::IsUnauthenticated(verifier::RestoreIds(text, bytes_max).status());
  };
  CHECK(
      refused("{\"id\":\"\x01"
              "d"
              "\x05"
              "\"}"));  // no nonce
  CHECK(refused(nonce + "\x01"
                        "w"
                        "\x05"
                        "\"}"));   // another kind
  CHECK(refused(nonce + "\x01"));  // no end
  CHECK(refused(nonce + "\x01"
                        "d"));  //
  CHECK(refused(nonce + "\x01"
                        "d"
                        "\x85"));  //
  CHECK(refused(nonce + "\x01"
                        "d"
                        "\xff\xff\xff\xff\xff\x01"));  // too large
  CHECK(refused(nonce + std::string("\x01"
                                    "d"
                                    "\x85\x00",
                                    4)));  // longer than need be
  CHECK(refused(nonce + "\x01"
                        "d"
                        "\x05"
                        "\"}",
                70));  // over the bound
}

}  // namespace
}  // namespace carnet::ledger
