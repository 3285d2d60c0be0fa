// What the file of a manifest may be: bounds, sections, the two forms, and what hostile ones do.
#include <zstd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <string>

#include "absl/strings/match.h"
#include "ledger/manifest.h"
#include "ledger/verifier/manifest.h"
#include "manifest_parts.h"
#include "small_federation.h"
#include "temp_dir.h"

namespace carnet::ledger {
namespace {

using testing_ledger::DigestOf;
using testing_ledger::ManifestParts;
using testing_ledger::PackFrame;
using testing_ledger::SmallFederation;
using testing_ledger::TempDir;
using verifier::ManifestForm;
using verifier::ManifestReport;
using verifier::Verdict;

// One round, and further records after it, so that the proof needs nodes.
class Fixture {
 public:
  Fixture() : federation_(dir_.path()) {
    federation_.Found();
    federation_.Round();
    order_ = federation_.Order();
    for (int i = 0; i < 7; ++i) {
      federation_.log().Append({federation_.Filler()}).IgnoreError();
    }
  }
  ManifestParts Parts(ManifestForm form) {
    const Bytes full = *MakeManifest(federation_.log(), order_);
    if (form == ManifestForm::kFull) {
      return ManifestParts::Read(full);
    }
    return PartsOf(*verifier::CompactForm(*verifier::ParseManifest(full), federation_.size()));
  }
  static ManifestParts PartsOf(const verifier::Manifest& manifest) {
    ManifestParts parts;
    parts.form = manifest.form == ManifestForm::kFull ? "full" : "compact";
    parts.job = manifest.job_id;
    parts.model = HexEncode(manifest.model_sha256);
    parts.head = manifest.head;
    for (const verifier::IndexedRecord& entry : manifest.records) {
      parts.records.push_back({entry.index, entry.record.statement(),
                               entry.record.signature() + entry.record.public_key()});
    }
    for (const auto& [index, hash] : manifest.leaves) {
      parts.leaves.emplace_back(index, ToString(hash));
    }
    for (const Digest& node : manifest.nodes) {
      parts.nodes.emplace_back(AsText(node));
    }
    return parts;
  }
  ManifestReport Verify(const Bytes& file) const {
    return verifier::VerifyManifest(federation_.model(), file, federation_.Policy());
  }
  ManifestReport VerifyChanged(const std::function<void(ManifestParts&)>& change,
                               ManifestForm form = ManifestForm::kFull) {
    ManifestParts parts = Parts(form);
    change(parts);
    return Verify(parts.Write());
  }
  Verdict Judge(const std::function<void(ManifestParts&)>& change,
                ManifestForm form = ManifestForm::kFull) {
    return VerifyChanged(change, form).verdict;
  }
  SmallFederation& federation() { return federation_; }
  ManifestOrder& order() { return order_; }

 private:
  const TempDir dir_;
  SmallFederation federation_;
  ManifestOrder order_;
};

// 600 MiB of zeros in less than 20 kB, whose header states `stated` bytes. RFC 8878 §3.1.1: magic,
// a descriptor of one segment with 8 bytes of content size, blocks of one repeated byte each.
Bytes Bomb(std::uint64_t stated) {
  constexpr std::uint32_t kBlockBytes = 128 * 1024;
  constexpr std::uint32_t kBlocks = 4800;
  Bytes bomb = {0x28, 0xb5, 0x2f, 0xfd, 0xe0};
  for (int i = 0; i < 8; ++i) {
    bomb.push_back(static_cast<std::uint8_t>(stated >> (8 * i)));
  }
  for (std::uint32_t block = 1; block <= kBlocks; ++block) {
    const std::uint32_t header = kBlockBytes << 3 | 1 << 1 | (block == kBlocks ? 1 : 0);
    for (int i = 0; i < 3; ++i) {
      bomb.push_back(static_cast<std::uint8_t>(header >> (8 * i)));
    }
    bomb.push_back(0);
  }
  return bomb;
}

void Flip(std::string& text, std::size_t at) {
  text[at] = static_cast<char>(text[at] ^ 1);
}

TEST_CASE("Manifest file: written and read by another hand it is the same") {
  Fixture fixture;
  for (const ManifestForm form : {ManifestForm::kFull, ManifestForm::kCompact}) {
    const ManifestParts parts = fixture.Parts(form);
    CHECK(parts.form == (form == ManifestForm::kFull ? "full" : "compact"));
    CHECK_FALSE(parts.nodes.empty());
    CHECK(fixture.Verify(parts.Write()).verdict == Verdict::kGood);
  }
}

TEST_CASE("Manifest file: a changed part is bad evidence") {
  Fixture fixture;
  const auto judge = [&fixture](const std::function<void(ManifestParts&)>& change) {
    return fixture.Judge(change);
  };
  CHECK(judge([](ManifestParts& m) { Flip(m.records[6].statement, 200); }) ==
        Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { Flip(m.records[6].signature_and_key, 8); }) ==
        Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { Flip(m.records[6].signature_and_key, 70); }) ==
        Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { Flip(m.head, m.head.size() / 2); }) == Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { m.records[6].statement.clear(); }) == Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { m.records[6].statement.assign((1 << 20) + 1, ' '); }) ==
        Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { m.magic = "carnet-manifest/v2"; }) == Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { m.form = "short"; }) == Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { m.model[0] = 'g'; }) == Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { m.model[0] = m.model[0] == 'a' ? 'b' : 'a'; }) ==
        Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { m.job = "j-other"; }) == Verdict::kCannotDecide);
  CHECK(judge([](ManifestParts& m) { m.job.assign(200, 'j'); }) == Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { m.head.assign(20'000, ' '); }) == Verdict::kBadEvidence);
}

TEST_CASE("Manifest file: nodes too few, too many, changed or in another order are bad evidence") {
  Fixture fixture;
  REQUIRE(fixture.Parts(ManifestForm::kFull).nodes.size() >= 2);
  const auto judge = [&fixture](const std::function<void(ManifestParts&)>& change) {
    const ManifestReport report = fixture.VerifyChanged(change);
    CHECK(report.checks.back().name == "records");
    return report.verdict;
  };
  CHECK(judge([](ManifestParts& m) { m.nodes.pop_back(); }) == Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { m.nodes.erase(m.nodes.begin()); }) == Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { m.nodes.push_back(m.nodes.back()); }) ==
        Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { std::swap(m.nodes[0], m.nodes[1]); }) ==
        Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { Flip(m.nodes[0], 5); }) == Verdict::kBadEvidence);
}

TEST_CASE("Manifest file: records in other places, twice or out of order are bad evidence") {
  Fixture fixture;
  const auto judge = [&fixture](const std::function<void(ManifestParts&)>& change) {
    return fixture.Judge(change);
  };
  // Both are well signed; only the tree says where they belong.
  CHECK(judge([](ManifestParts& m) {
          std::swap(m.records[6].statement, m.records[7].statement);
          std::swap(m.records[6].signature_and_key, m.records[7].signature_and_key);
        }) == Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { std::swap(m.records[6], m.records[7]); }) ==
        Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { m.records.push_back(m.records.back()); }) ==
        Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { m.records.back().index = 9'999; }) == Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { m.records.back().index += 1; }) == Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { m.records.erase(m.records.begin()); }) ==
        Verdict::kBadEvidence);
}

TEST_CASE("Manifest file: it states its size, and the size is bounded before memory is taken") {
  Fixture fixture;
  const std::string text = fixture.Parts(ManifestForm::kFull).Text();
  CHECK(fixture.Verify(PackFrame(text)).verdict == Verdict::kGood);
  CHECK(fixture.Verify(PackFrame(text + "x")).verdict == Verdict::kBadEvidence);
  CHECK(fixture.Verify(PackFrame(text.substr(0, text.size() - 1))).verdict ==
        Verdict::kBadEvidence);
  Bytes two = PackFrame(text);
  two.insert(two.end(), two.begin(), two.end());
  CHECK(fixture.Verify(two).verdict == Verdict::kBadEvidence);
  const Bytes bomb = Bomb(std::uint64_t{600} << 20);
  CHECK(bomb.size() < 20'000);
  const ManifestReport report = fixture.Verify(bomb);
  CHECK(report.verdict == Verdict::kBadEvidence);
  CHECK(absl::StrContains(report.checks.back().actual, "does not state a size"));
  CHECK(fixture.Verify(Bomb(std::uint64_t{1} << 20)).verdict == Verdict::kBadEvidence);
  CHECK(fixture.Verify(Bomb(std::uint64_t{1} << 63)).verdict == Verdict::kBadEvidence);
}

TEST_CASE("Manifest file: a frame that states no size, or another one than it has, is refused") {
  Fixture fixture;
  const std::string text = fixture.Parts(ManifestForm::kFull).Text();
  Bytes silent(ZSTD_compressBound(text.size()));
  ZSTD_CCtx* context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, 0);
  silent.resize(ZSTD_compress2(context, silent.data(), silent.size(), text.data(), text.size()));
  ZSTD_freeCCtx(context);
  CHECK(fixture.Verify(silent).verdict == Verdict::kBadEvidence);
  // RFC 8878 §3.1.1.1: magic of 4 bytes, a descriptor, then the content size in a frame of one
  // segment: here two bytes, of the size less 256.
  Bytes lying = PackFrame(text);
  REQUIRE((lying[4] >> 5 & 1) == 1);
  REQUIRE((lying[4] >> 6) >= 1);
  lying[5] ^= 1;
  CHECK(fixture.Verify(lying).verdict == Verdict::kBadEvidence);
}

TEST_CASE("Manifest file: counts larger than what follows are refused") {
  Fixture fixture;
  ManifestParts parts = fixture.Parts(ManifestForm::kFull);
  parts.records.clear();
  parts.nodes.clear();
  std::string text = parts.Text();  // ... records 0, leaves 0, nodes 0
  for (const std::size_t back : {12, 8, 4}) {
    std::string changed = text;
    changed.replace(text.size() - back, 4, "\xff\xff\xff\xff");
    CAPTURE(back);
    CHECK(fixture.Verify(PackFrame(changed)).verdict == Verdict::kBadEvidence);
  }
}

TEST_CASE("Manifest, compact: the chain of models, places and policies without the contributions") {
  Fixture fixture;
  const ManifestReport full = fixture.VerifyChanged([](ManifestParts&) {});
  const ManifestReport report =
      fixture.VerifyChanged([](ManifestParts&) {}, ManifestForm::kCompact);
  REQUIRE(report.verdict == Verdict::kGood);
  CHECK(report.form == verifier::ManifestForm::kCompact);
  CHECK(report.leaves == 2);
  CHECK(report.records == full.records - 2);
  CHECK(report.rounds == full.rounds);
  REQUIRE(report.participants.size() == 2);
  CHECK(report.participants[0].region == full.participants[0].region);
  CHECK(report.participants[0].supplier == "lion");
  CHECK(report.participants[0].shards == full.participants[0].shards);
  CHECK(report.participants[0].contributions == 1);
  CHECK(report.participants[0].examples == 0);
  CHECK(std::any_of(report.caveats.begin(), report.caveats.end(), [](const std::string& caveat) {
    return absl::StartsWith(caveat, "compact form: 2 contributions");
  }));
}

TEST_CASE("Manifest, compact: a contribution that it hides is missed") {
  Fixture fixture;
  // The writer leaves it out and proves the rest, so that the tree holds.
  fixture.order().indexes.erase(fixture.order().indexes.begin() + 6);
  const ManifestReport report =
      fixture.VerifyChanged([](ManifestParts&) {}, ManifestForm::kCompact);
  CHECK(report.verdict == Verdict::kCannotDecide);
  CHECK(report.checks.back().name == "lineage");
  CHECK(report.checks.back().expected == "the contribution at 6");
}

TEST_CASE("Manifest, compact: leaves that are changed, moved, twice or beside their statement") {
  Fixture fixture;
  const auto judge = [&fixture](const std::function<void(ManifestParts&)>& change) {
    return fixture.Judge(change, ManifestForm::kCompact);
  };
  CHECK(judge([](ManifestParts& m) { Flip(m.leaves[0].second, 3); }) == Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { std::swap(m.leaves[0].second, m.leaves[1].second); }) ==
        Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { std::swap(m.leaves[0], m.leaves[1]); }) ==
        Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { m.leaves[1].first = m.leaves[0].first; }) ==
        Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { m.leaves[0].first = m.records[5].index; }) ==
        Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { m.leaves[1].first = 9'999; }) == Verdict::kBadEvidence);
  CHECK(judge([](ManifestParts& m) { m.leaves.pop_back(); }) == Verdict::kBadEvidence);
}

TEST_CASE("Manifest: each form holds what it says that it holds") {
  Fixture fixture;
  CHECK(fixture.Judge([](ManifestParts& m) { m.form = "full"; }, ManifestForm::kCompact) ==
        Verdict::kBadEvidence);
  const ManifestReport report = fixture.VerifyChanged([](ManifestParts& m) { m.form = "compact"; });
  CHECK(report.verdict == Verdict::kBadEvidence);
  CHECK(report.checks.back().index == 6);
}

TEST_CASE("Manifest, compact: it follows keys, policies and erasures as the full form does") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  federation.Round();
  federation.RotateStatementKey(77);
  federation.ActivatePolicies("second bundle");
  federation.Round();
  v1::Erasure erasure;
  erasure.set_index(1);
  erasure.set_field("name");
  erasure.set_vault_id("u-eeeeeeeeeeeeeeee");
  erasure.set_reason(v1::ERASURE_REASON_SUBJECT_REQUEST);
  const std::uint64_t ordered = federation.Append(erasure, SmallFederation::Signer::kCoordinator,
                                                  {{.name = "leaf", .sha256 = DigestOf("leaf")}});
  const Bytes full = *MakeManifest(federation.log(), federation.Order());
  const auto compact = verifier::CompactForm(*verifier::ParseManifest(full), federation.size());
  REQUIRE(compact.ok());
  const ManifestReport report = verifier::VerifyManifest(
      federation.model(), Fixture::PartsOf(*compact).Write(), federation.Policy());
  CHECK(report.verdict == Verdict::kGood);
  CHECK(report.policies.size() == 2);
  REQUIRE(report.erased.size() == 1);
  CHECK(report.erased[0].ordered == ordered);
}

TEST_CASE("Manifest, compact: nothing of a worker counts after its revocation") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  v1::WorkerRevoked revoked;
  revoked.set_worker_id("w-bbbbbbbbbbbbbbbb");
  federation.Append(revoked, SmallFederation::Signer::kCoordinator,
                    {{.name = "key", .sha256 = DigestOf("key")}});
  federation.Round();
  const Bytes full = *MakeManifest(federation.log(), federation.Order());
  const auto compact = verifier::CompactForm(*verifier::ParseManifest(full), federation.size());
  const ManifestReport report = verifier::VerifyManifest(
      federation.model(), Fixture::PartsOf(*compact).Write(), federation.Policy());
  CHECK(report.verdict == Verdict::kBadEvidence);
  CHECK(report.checks.back().name == "lineage");
  CHECK(report.checks.back().index == 7);
}

TEST_CASE("Manifest: held against itself it fits, and says nothing of whose log it is") {
  Fixture fixture;
  const Bytes file = fixture.Parts(ManifestForm::kFull).Write();
  const auto policy = verifier::PolicyOfItself(*verifier::ParseManifest(file));
  REQUIRE(policy.ok());
  CHECK(verifier::VerifyManifest(fixture.federation().model(), file, *policy).verdict ==
        Verdict::kGood);
  CHECK_FALSE(verifier::PolicyOfItself({}).ok());
}

}  // namespace
}  // namespace carnet::ledger
