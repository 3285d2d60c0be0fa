// What an auditor's program writes while it computes a hostile log's rounds again, and the files
// that go along with a bundle.
#include "coordinator/recompute/recompute.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <set>
#include <string>

#include "base/bytes.h"
#include "base/files.h"
#include "coordinator/recompute/kept_files.h"
#include "crypto/hash.h"
#include "crypto/sealed.h"
#include "exchange/artifact.h"
#include "exchange/retained_key.h"
#include "exchange/sealing.h"
#include "tests/unit/coordinator/aggregation_fixture.h"
#include "tests/unit/exchange/test_headers.h"

namespace carnet::coordinator {
namespace {

namespace fs = std::filesystem;
using aggregation::AggregationFixture;

constexpr char kGoodId[] = "j-aaaaaaaaaaaaaaaa";

Bytes BytesOf(const Digest& digest) {
  return Bytes(digest.begin(), digest.end());
}

void Write(const fs::path& file, const Bytes& bytes) {
  REQUIRE(MakeDirs(file.parent_path()).ok());
  REQUIRE(WriteFileAtomic(file, bytes).ok());
}

// A round that one worker's delta went into, kept for a person.
class KeptRound {
 public:
  KeptRound()
      : rng_(7),
        round_key_(crypto::X25519KeyPair::Generate(rng_)),
        person_(crypto::X25519KeyPair::Generate(rng_)) {
    const std::vector<float> base = {1, 2, 3};
    const aggregation::DigestedFile model = fixture_.WriteModel("base", base);
    aggregation_.base_model_sha256 = BytesOf(model.sha256);
    fs::create_directories(blobs() / "model");
    fs::rename(model.path, blobs() / "model" / HexEncode(model.sha256));
    aggregation_.spec = &spec_;
    aggregation_.round = 1;
    key_.set_key_id("k-cccccccccccccccc");
    key_.set_public_key(ToString(round_key_.public_key()));
    key_.set_kept_for_public_key(ToString(person_.public_key()));
    const auto wrapped =
        exchange::WrapRetainedKey(round_key_, key_.key_id(), person_.public_key(), rng_);
    REQUIRE(wrapped.ok());
    key_.set_encapsulated(ToString(wrapped->encapsulated));
    key_.set_wrapped_key(ToString(wrapped->ciphertext));
    aggregation_.key = &key_;
    Contribute();
  }

  fs::path root() const { return fixture_.Path("."); }
  fs::path blobs() const { return fixture_.Path("blobs"); }
  const audit::Aggregation& Of(const std::string& job_id) {
    aggregation_.job_id = job_id;
    return aggregation_;
  }
  std::unique_ptr<Recomputer> NewRecomputer() const {
    auto same = crypto::X25519KeyPair::FromPrivateKey(person_.private_key());
    REQUIRE(same.ok());
    auto recomputer = Recomputer::Make({blobs(), 1}, *std::move(same));
    REQUIRE(recomputer.ok());
    return *std::move(recomputer);
  }

 private:
  void Contribute() {
    const Bytes plain = AggregationFixture::Encode(model::Codec::kFp32, {1, 1, 1}, "/w");
    v1::ArtifactHeader fields = exchange::DeltaFields();
    fields.set_plaintext_bytes(plain.size());
    crypto::SecretBytes data_key(crypto::kDataKeyBytes);
    rng_.Fill(data_key.Mutable());
    crypto::SealedSalt salt{};
    rng_.Fill(salt);
    fields.set_salt(std::string(salt.begin(), salt.end()));
    fields.clear_encapsulated();
    fields.clear_wrapped_key();
    REQUIRE(exchange::WrapKeyInHeader(data_key, round_key_.public_key(), rng_, &fields).ok());
    const auto header = exchange::MakeHeader(fields);
    REQUIRE(header.ok());
    Write(fixture_.Path("plain"), plain);
    const auto sealed = exchange::SealFile(*header, data_key, salt, fixture_.Path("plain"),
                                           fixture_.Path("sealed"));
    REQUIRE(sealed.ok());
    const fs::path name = blobs() / "delta" / HexEncode(sealed->sealed_sha256);
    fs::create_directories(name.parent_path());
    fs::rename(fixture_.Path("sealed"), name);
    Write(name.string() + ".header", ToBytes(header->bytes));
    aggregation_.deltas = {{"/w", BytesOf(sealed->sealed_sha256), 1}};
  }

  exchange::CountingRng rng_;
  AggregationFixture fixture_;
  crypto::X25519KeyPair round_key_;
  crypto::X25519KeyPair person_;
  v1::JobSpec spec_;
  v1::KeyRetained key_;
  audit::Aggregation aggregation_;
};

std::set<std::string> NamesIn(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    names.insert(entry.path().string());
  }
  return names;
}

TEST_CASE("Recompute: a round that is kept gives its model") {
  KeptRound kept;
  const auto recomputer = kept.NewRecomputer();
  const auto result = recomputer->Compute(kept.Of(kGoodId));
  INFO(result.status().ToString());
  REQUIRE(result.ok());
  CHECK(result->model_sha256.size() == kDigestBytes);
  CHECK(result->optimizer_state_sha256.empty());
}

TEST_CASE("Recompute: the id of a job in a log is no path, and one that is none is bad evidence") {
  KeptRound kept;
  const fs::path outside = fs::absolute(kept.root()) / "outside";
  const fs::path beside = fs::temp_directory_path() / "carnet-recompute-escaped-0-model";
  const std::set<std::string> before = NamesIn(kept.root());
  for (const std::string& id :
       {outside.string(), std::string("../carnet-recompute-escaped"), outside.string() + '\0' + "x",
        std::string("j-aaaaaaaaaaaaaaaa/../../x"), std::string()}) {
    CAPTURE(id);
    const auto recomputer = kept.NewRecomputer();
    CHECK(absl::IsInvalidArgument(recomputer->Compute(kept.Of(id)).status()));
  }
  CHECK(NamesIn(kept.root()) == before);
  CHECK_FALSE(fs::exists(beside));
}

// Three files as a coordinator keeps them, and the rounds that name them.
class Kept {
 public:
  Kept() {
    REQUIRE(MakeDirs(blobs()).ok());
    for (const char* text : {"base model one", "base model two"}) {
      models.push_back(Add(BlobKind::kModel, text));
    }
    for (const char* text : {"sealed one", "sealed two"}) {
      deltas.push_back(Add(BlobKind::kDelta, text));
      Write(blobs() / "delta" / (HexEncode(deltas.back().sha256) + ".header"), ToBytes("header"));
    }
  }
  fs::path blobs() const { return fixture_.Path("blobs"); }
  fs::path out() const { return fixture_.Path("out"); }
  fs::path In(const fs::path& folder, const BlobId& id) const {
    return folder / BlobKindName(id.kind) / HexEncode(id.sha256);
  }
  std::vector<RetainedRound> Rounds(const std::string& first, const std::string& second) const {
    return {{kGoodId, 1, first, models[0], {deltas[0]}},
            {kGoodId, 2, second, models[1], {deltas[1]}}};
  }

  std::vector<BlobId> models;
  std::vector<BlobId> deltas;

 private:
  BlobId Add(BlobKind kind, const std::string& text) {
    const BlobId id{kind, BytesOf(crypto::Sha256(AsBytes(text)))};
    Write(In(blobs(), id), ToBytes(text));
    return id;
  }
  AggregationFixture fixture_;
};

TEST_CASE("Kept files: half a file of a copy that was cut off is no copy") {
  const Kept kept;
  const auto rounds = kept.Rounds("u-a", "u-a");
  Write(kept.In(kept.out(), kept.deltas[0]), ToBytes("sea"));
  Write(kept.In(kept.out(), kept.models[0]).string() + ".part", ToBytes("base"));
  const auto copied = CopyKeptFiles(rounds, kept.blobs(), kept.out());
  INFO(copied.status().ToString());
  REQUIRE(copied.ok());
  CHECK(copied->deltas == 2);
  CHECK(copied->gone == 0);
  for (const BlobId& id : {kept.deltas[0], kept.models[0]}) {
    const auto bytes = ReadFile(kept.In(kept.out(), id), 1024);
    REQUIRE(bytes.ok());
    CHECK(BytesOf(crypto::Sha256(*bytes)) == id.sha256);
  }
  for (const std::string& name : NamesIn(kept.out())) {
    CHECK(name.find(".part") == std::string::npos);
  }
}

TEST_CASE("Kept files: one that is not what it is named after is not handed on") {
  const Kept kept;
  Write(kept.In(kept.blobs(), kept.deltas[0]), ToBytes("another"));
  CHECK(absl::IsDataLoss(
      CopyKeptFiles(kept.Rounds("u-a", "u-a"), kept.blobs(), kept.out()).status()));
  CHECK_FALSE(fs::exists(kept.In(kept.out(), kept.deltas[0])));
}

TEST_CASE("Kept files: whoever was not given the round before gets the base model") {
  const Kept kept;
  SECTION("the round before is kept for the same person") {
    const auto copied = CopyKeptFiles(kept.Rounds("u-a", "u-a"), kept.blobs(), kept.out());
    REQUIRE(copied.ok());
    CHECK(copied->models == 1);
    CHECK_FALSE(fs::exists(kept.In(kept.out(), kept.models[1])));
  }
  SECTION("it is kept for somebody else") {
    const auto copied = CopyKeptFiles(kept.Rounds("u-a", "u-b"), kept.blobs(), kept.out());
    REQUIRE(copied.ok());
    CHECK(copied->models == 2);
    CHECK(fs::exists(kept.In(kept.out(), kept.models[1])));
  }
}

}  // namespace
}  // namespace carnet::coordinator
