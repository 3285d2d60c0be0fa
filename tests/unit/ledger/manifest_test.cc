#include "ledger/verifier/manifest.h"

#include <catch2/catch.hpp>
#include <functional>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "ledger/manifest.h"
#include "ledger/record.h"
#include "ledger/shared_proof.h"
#include "manifest_parts.h"
#include "small_federation.h"
#include "temp_dir.h"

namespace carnet::ledger {
namespace {

using google::protobuf::Message;
using testing_ledger::DigestOf;
using testing_ledger::ManifestParts;
using testing_ledger::SmallFederation;
using testing_ledger::TempDir;
using verifier::ManifestReport;
using verifier::Verdict;
using Signer = SmallFederation::Signer;

std::string Describe(const ManifestReport& report) {
  const verifier::Check& last = report.checks.back();
  return absl::StrCat(last.name, ": expected ", last.expected, ", actual ", last.actual, " at ",
                      last.index.value_or(9999));
}

// A manifest of a whole log from a writer that looks at nothing.
Bytes CarelessManifest(const SmallFederation& federation, const LogView& log) {
  const std::uint64_t size = log.Size();
  ManifestParts parts;
  parts.form = "full";
  parts.job = federation.job_id();
  parts.model = HexEncode(federation.model());
  parts.head = log.Head().note;
  std::vector<std::uint64_t> indexes;
  std::set<std::uint64_t> seen;
  for (std::uint64_t index = 0; index < size; ++index) {
    const v1::SignedRecord record = *log.ReadRecord(index);
    parts.records.push_back({index, record.statement(), record.signature() + record.public_key()});
    indexes.push_back(index);
    const Record opened = *OpenRecord(record);
    const auto* contribution = opened.As<v1::Contribution>();
    if (contribution != nullptr && contribution->seen().size() <= size) {
      seen.insert(contribution->seen().size());
    }
  }
  const absl::StatusOr<std::vector<Digest>> nodes =
      ProveTogether(log, indexes, {seen.begin(), seen.end()}, size);
  REQUIRE(nodes.ok());
  for (const Digest& node : *nodes) {
    parts.nodes.emplace_back(AsText(node));
  }
  return parts.Write();
}

// A federation of two rounds whose records `tamper` changed before they were signed.
ManifestReport VerifyLie(const SmallFederation::Tamper& tamper) {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.SetTamper(tamper);
  federation.Found();
  federation.Round();
  federation.Round();
  return verifier::VerifyManifest(
      federation.model(), CarelessManifest(federation, federation.log()), federation.Policy());
}

template <typename T>
SmallFederation::Tamper Change(std::function<void(T&)> change) {
  return [change](Message& predicate, Signer&) {
    if (auto* typed = dynamic_cast<T*>(&predicate); typed != nullptr) {
      change(*typed);
    }
  };
}

TEST_CASE("Manifest: who, what, where, under which policy, index and head of a trained model") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  federation.Round();
  federation.Round();
  const Bytes manifest = *MakeManifest(federation.log(), federation.Order());
  const ManifestReport report =
      verifier::VerifyManifest(federation.model(), manifest, federation.Policy());
  INFO(Describe(report));
  REQUIRE(report.verdict == Verdict::kGood);
  CHECK(report.federation == "test");
  CHECK(report.submitter == "u-eeeeeeeeeeeeeeee");
  CHECK(report.job_name == "digits");
  CHECK(report.rounds == 2);
  CHECK(report.base_model_sha256 == DigestOf("base model"));
  REQUIRE(report.participants.size() == 2);
  CHECK(report.participants[0].region == "sg");
  CHECK(report.participants[0].contributions == 2);
  CHECK(report.participants[1].examples == 960);
  CHECK(report.bundle_revision == 1);
  CHECK(report.last_index == 14);
  CHECK(report.head.size == 15);
  CHECK(report.records == 15);
  CHECK(report.checks.size() == 9);
  CHECK(report.caveats.size() == 3);
  CHECK(report.caveats.front().find("operator only") == 0);
}

TEST_CASE("Manifest: no record moves home") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.SetTamper([](Message& predicate, Signer&) {
    if (auto* worker = dynamic_cast<v1::WorkerEnrolled*>(&predicate);
        worker != nullptr && worker->region() == "sg") {
      worker->set_region("home");
    }
    if (auto* given = dynamic_cast<v1::Contribution*>(&predicate);
        given != nullptr && given->region() == "sg") {
      given->set_region("home");
    }
  });
  federation.Found();
  v1::RegionRegistered moved;
  moved.set_region("home");
  moved.mutable_terms()->add_jurisdictions("AE");
  federation.Append(moved, Signer::kCoordinator);
  federation.Round();
  const ManifestReport report = verifier::VerifyManifest(
      federation.model(), CarelessManifest(federation, federation.log()), federation.Policy());
  INFO(Describe(report));
  REQUIRE(report.participants.size() == 2);
  CHECK(report.participants[0].region == "home");
  CHECK(report.participants[0].jurisdictions == std::vector<std::string>{"DE"});
}

TEST_CASE("Manifest: a withdrawn shard that the model contains is named, and no other") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  federation.Round();
  const auto withdraw = [&](const std::string& shard, const std::string& data) {
    v1::ShardWithdrawn withdrawn;
    withdrawn.set_dataset("digits");
    withdrawn.set_shard(shard);
    withdrawn.set_sha256(ToString(DigestOf(data)));
    withdrawn.set_reason("subject-request");
    return federation.Append(withdrawn, Signer::kCoordinator);
  };
  withdraw("1", "other data of that name");
  withdraw("3", "digits/3");
  const std::uint64_t index = withdraw("2", "digits/2");
  const ManifestReport report = verifier::VerifyManifest(
      federation.model(), *MakeManifest(federation.log(), federation.Order()), federation.Policy());
  INFO(Describe(report));
  REQUIRE(report.verdict == Verdict::kGood);
  REQUIRE(report.withdrawn.size() == 1);
  CHECK(report.withdrawn[0].name == "digits/2");
  CHECK(report.withdrawn[0].reason == "subject-request");
  CHECK(report.withdrawn[0].index == index);
}

TEST_CASE("Manifest: the model of an earlier round, and the base model, have theirs") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  ManifestOrder base = federation.Order();
  federation.Round();
  ManifestOrder first = federation.Order();
  federation.Round();
  const auto policy = federation.Policy();
  CHECK(verifier::VerifyManifest(first.model_sha256, *MakeManifest(federation.log(), first), policy)
            .rounds == 1);
  const ManifestReport report =
      verifier::VerifyManifest(base.model_sha256, *MakeManifest(federation.log(), base), policy);
  CHECK(report.verdict == Verdict::kGood);
  CHECK(report.rounds == 0);
}

TEST_CASE("Manifest: another model file is named with both digests") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  federation.Round();
  const Bytes manifest = *MakeManifest(federation.log(), federation.Order());
  const ManifestReport report =
      verifier::VerifyManifest(DigestOf("other"), manifest, federation.Policy());
  CHECK(report.verdict == Verdict::kBadEvidence);
  CHECK(report.checks.back().name == "model file");
  CHECK(report.checks.back().actual == absl::StrCat("SHA-256 ", HexEncode(DigestOf("other"))));
}

TEST_CASE("Manifest: another log, another genesis and an unmet quorum are told apart") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  federation.Round();
  const Bytes manifest = *MakeManifest(federation.log(), federation.Order());
  const auto verify = [&](const std::string& policy) {
    const auto parsed = verifier::ParseTrustPolicy(policy);
    INFO(parsed.status());
    REQUIRE(parsed.ok());
    return verifier::VerifyManifest(federation.model(), manifest, *parsed);
  };
  const std::string policy = federation.PolicyText();
  CHECK(verify(policy).verdict == Verdict::kGood);
  const NoteKey other{.name = testing_ledger::kOrigin,
                      .public_key = testing_ledger::KeyOfSeed(9).public_key()};
  const ManifestReport other_key =
      verify(absl::StrReplaceAll(policy, {{federation.log().key().Vkey(), other.Vkey()}}));
  CHECK(other_key.verdict == Verdict::kBadEvidence);
  CHECK(other_key.checks.back().name == "head");
  const std::string genesis = HexEncode(federation.Policy().genesis);
  const ManifestReport other_genesis =
      verify(absl::StrReplaceAll(policy, {{genesis, HexEncode(DigestOf("other"))}}));
  CHECK(other_genesis.verdict == Verdict::kBadEvidence);
  CHECK(other_genesis.checks.back().name == "genesis");
  const ManifestReport unmet = verify(absl::StrReplaceAll(
      policy,
      {{"quorum none",
        "witness w "
        "example.com/witness+10a1c019+BGSEitir7W6FmBs7OHWyUrh2frtLAvcDrKOx5xu9ao5Q\nquorum w"}}));
  CHECK(unmet.verdict == Verdict::kCannotDecide);
}

TEST_CASE("Manifest: any record that is left out is missed") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  federation.Round();
  const ManifestOrder whole = federation.Order();
  for (std::uint64_t left_out = 1; left_out < federation.size(); ++left_out) {
    ManifestOrder order = whole;
    order.indexes.erase(order.indexes.begin() + static_cast<std::ptrdiff_t>(left_out));
    const ManifestReport report = verifier::VerifyManifest(
        federation.model(), *MakeManifest(federation.log(), order), federation.Policy());
    CAPTURE(left_out);
    CHECK(report.verdict != Verdict::kGood);
  }
}

// A well signed lie, the check that must find it, and where.
struct Lie {
  const char* what;
  SmallFederation::Tamper tamper;
  const char* check;
  std::optional<std::uint64_t> index;
};

std::vector<Lie> ContributionLies() {
  const std::string other = ToString(DigestOf("other"));
  return {
      {"a contribution from another region", Change<v1::Contribution>([](auto& c) {
         c.set_region(c.region() == "sg" ? "ae" : c.region());
       }),
       "lineage", 6},
      {"from another supplier", Change<v1::Contribution>([](auto& c) { c.set_supplier("tiger"); }),
       "lineage", 6},
      {"on another base model",
       Change<v1::Contribution>([=](auto& c) { c.set_base_model_sha256(other); }), "lineage", 6},
      {"on other shards", Change<v1::Contribution>([=](auto& c) { c.set_shard_sha256(0, other); }),
       "lineage", 6},
      {"to another round", Change<v1::Contribution>([](auto& c) { c.set_round_opened_index(1); }),
       "lineage", 6},
      {"that saw another history",
       Change<v1::Contribution>([](auto& c) { c.mutable_seen()->set_size(99); }),
       "what workers saw", 6},
      {"that saw another log",
       Change<v1::Contribution>([](auto& c) { c.mutable_seen()->set_origin("x"); }),
       "what workers saw", 6},
      {"that saw another root of this log",
       Change<v1::Contribution>([](auto& c) { c.mutable_seen()->set_root(std::string(32, 'x')); }),
       "what workers saw", 6},
      {"that saw more than there was",
       Change<v1::Contribution>([](auto& c) { c.mutable_seen()->set_size(8); }), "what workers saw",
       6},
  };
}

std::vector<Lie> RoundLies() {
  const std::string other = ToString(DigestOf("other"));
  return {
      {"another weight", Change<v1::Aggregate>([](auto& a) { a.set_weights(0, 481); }), "lineage",
       6},
      {"a contribution less", Change<v1::Aggregate>([](auto& a) {
         a.mutable_included()->RemoveLast();
         a.mutable_weights()->RemoveLast();
       }),
       "lineage", 9},
      {"a contribution twice",
       Change<v1::RoundClosed>([](auto& c) { *c.mutable_included(1) = c.included(0); }), "lineage",
       9},
      {"something that is no contribution",
       [](Message& m, Signer&) {
         if (auto* closed = dynamic_cast<v1::RoundClosed*>(&m); closed != nullptr) {
           closed->mutable_included(0)->set_index(2);
         }
         if (auto* aggregate = dynamic_cast<v1::Aggregate*>(&m); aggregate != nullptr) {
           aggregate->set_included(0, 2);
         }
       },
       "lineage", 9},
      {"a worker outside the cohort",
       Change<v1::RoundOpened>([](auto& r) { r.mutable_members(0)->set_worker_id("w"); }),
       "lineage", 6},
      {"a round on another model",
       Change<v1::RoundOpened>([=](auto& r) { r.set_model_sha256(other); }), "lineage", 5},
      {"a round left out", Change<v1::RoundOpened>([](auto& r) { r.set_round(r.round() + 1); }),
       "lineage", 5},
      {"under another bundle",
       Change<v1::RoundOpened>([=](auto& r) { r.mutable_basis()->set_bundle_sha256(other); }),
       "lineage", 5},
      {"under another revision",
       Change<v1::RoundClosed>([](auto& r) { r.mutable_basis()->set_revision(2); }), "lineage", 8},
      {"an aggregate of another base",
       Change<v1::Aggregate>([=](auto& a) { a.set_base_model_sha256(other); }), "lineage", 9},
      {"a bundle that genesis does not name",
       Change<v1::Genesis>([](auto& g) { g.set_bundle_json("{ }"); }), "genesis", 0},
  };
}

std::vector<Lie> SignerLies() {
  return {
      {"a contribution signed by another worker",
       [](Message& m, Signer& signer) {
         signer = dynamic_cast<v1::Contribution*>(&m) != nullptr ? Signer::kWorker2 : signer;
       },
       "signers", 6},
      {"a contribution signed by the coordinator",
       [](Message& m, Signer& signer) {
         signer = dynamic_cast<v1::Contribution*>(&m) != nullptr ? Signer::kCoordinator : signer;
       },
       "signers", 6},
      {"a job signed by the coordinator",
       [](Message& m, Signer& signer) {
         signer = dynamic_cast<v1::JobSubmitted*>(&m) != nullptr ? Signer::kCoordinator : signer;
       },
       "signers", 4},
      {"an aggregate signed by a worker",
       [](Message& m, Signer& signer) {
         signer = dynamic_cast<v1::Aggregate*>(&m) != nullptr ? Signer::kWorker1 : signer;
       },
       "signers", 9},
      {"a job of somebody who is not enrolled",
       Change<v1::JobSubmitted>([](auto& j) { j.set_submitter("u-x"); }), "signers", 4},
  };
}

TEST_CASE("Manifest: well signed records that break the lineage are named by index") {
  for (const std::vector<Lie>& lies : {ContributionLies(), RoundLies(), SignerLies()}) {
    for (const Lie& lie : lies) {
      CAPTURE(lie.what);
      const ManifestReport report = VerifyLie(lie.tamper);
      INFO(Describe(report));
      CHECK(report.verdict != Verdict::kGood);
      CHECK(report.checks.back().name == lie.check);
      CHECK(report.checks.back().index == lie.index);
    }
  }
}

TEST_CASE("Manifest: a contribution that was lost after the round closed is in no aggregate") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  federation.Round(SmallFederation::Loss::kSecondAfterClose);
  federation.Round();
  const ManifestReport report = verifier::VerifyManifest(
      federation.model(), *MakeManifest(federation.log(), federation.Order()), federation.Policy());
  INFO(Describe(report));
  CHECK(report.verdict == Verdict::kGood);
  CHECK(report.participants[0].contributions == 2);
  CHECK(report.participants[1].contributions == 1);
}

TEST_CASE("Manifest: nothing of a worker counts after its revocation") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  v1::WorkerRevoked revoked;
  revoked.set_worker_id("w-bbbbbbbbbbbbbbbb");
  federation.Append(revoked, Signer::kCoordinator, {{.name = "key", .sha256 = DigestOf("key")}});
  federation.Round();
  const ManifestReport report = verifier::VerifyManifest(
      federation.model(), *MakeManifest(federation.log(), federation.Order()), federation.Policy());
  CHECK(report.verdict == Verdict::kBadEvidence);
  CHECK(report.checks.back().name == "signers");
  CHECK(report.checks.back().index == 7);
}

TEST_CASE("Manifest: rounds follow the policies that the records put into force") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  federation.Round();
  const std::uint64_t activated = federation.ActivatePolicies("second bundle");
  federation.Round();
  const auto verify = [&federation](const ManifestOrder& order) {
    return verifier::VerifyManifest(federation.model(), *MakeManifest(federation.log(), order),
                                    federation.Policy());
  };
  const ManifestReport report = verify(federation.Order());
  INFO(Describe(report));
  REQUIRE(report.verdict == Verdict::kGood);
  REQUIRE(report.policies.size() == 2);
  CHECK(report.policies[0].revision == 1);
  CHECK(report.policies[0].last_round == 1);
  CHECK(report.policies[1].bundle_sha256 == DigestOf("second bundle"));
  CHECK(report.policies[1].revision == 2);
  CHECK(report.policies[1].first_round == 2);

  SECTION("an activation that is left out is missed") {
    ManifestOrder order = federation.Order();
    order.indexes.erase(order.indexes.begin() + static_cast<std::ptrdiff_t>(activated));
    const ManifestReport less = verify(order);
    CHECK(less.verdict == Verdict::kCannotDecide);
    CHECK(less.checks.back().name == "lineage");
    CHECK(less.checks.back().index == activated + 1);
  }
}

TEST_CASE("Manifest: policies that came into force otherwise than in a row are bad evidence") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  federation.Round();
  SECTION("after another bundle than the one in force") {
    SUCCEED();
    federation.SetTamper(Change<v1::PolicyActivated>(
        [](auto& a) { a.set_parent_sha256(ToString(DigestOf("other"))); }));
  }
  SECTION("of a revision that is in force already") {
    SUCCEED();
    federation.SetTamper(Change<v1::PolicyActivated>([](auto& a) { a.set_revision(1); }));
  }
  const std::uint64_t activated = federation.ActivatePolicies("second bundle");
  federation.Round();
  const ManifestReport report = verifier::VerifyManifest(
      federation.model(), *MakeManifest(federation.log(), federation.Order()), federation.Policy());
  INFO(Describe(report));
  CHECK(report.verdict == Verdict::kBadEvidence);
  CHECK(report.checks.back().name == "lineage");
  CHECK(report.checks.back().index == activated);
}

TEST_CASE("Manifest: rounds under policies that are no longer in force are bad evidence") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  federation.ActivatePolicies("second bundle");
  federation.SetTamper(Change<v1::RoundOpened>([](auto& r) {
    r.mutable_basis()->set_bundle_sha256(ToString(DigestOf("{}")));
    r.mutable_basis()->set_revision(1);
  }));
  federation.Round();
  const ManifestReport report = verifier::VerifyManifest(
      federation.model(), *MakeManifest(federation.log(), federation.Order()), federation.Policy());
  CHECK(report.verdict == Verdict::kBadEvidence);
  CHECK(report.checks.back().name == "lineage");
}

TEST_CASE("Manifest: its writer refuses what no verifier would take") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  ManifestOrder order = federation.Order();
  order.indexes.push_back(99);
  CHECK(absl::IsOutOfRange(MakeManifest(federation.log(), order).status()));
  order = federation.Order();
  order.job_id.clear();
  CHECK(absl::IsInvalidArgument(MakeManifest(federation.log(), order).status()));
  federation.SetTamper(
      Change<v1::Contribution>([](auto& c) { c.mutable_seen()->set_root(std::string(32, 'x')); }));
  federation.Round();
  CHECK(absl::IsFailedPrecondition(MakeManifest(federation.log(), federation.Order()).status()));
}

}  // namespace
}  // namespace carnet::ledger
