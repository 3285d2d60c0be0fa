#include "worker/settings.h"

#include <catch2/catch.hpp>
#include <fstream>

#include "base/files.h"
#include "crypto/hash.h"
#include "tests/unit/worker/test_support.h"

namespace carnet::worker {
namespace {

namespace fs = std::filesystem;

struct Folder {
  Folder() {
    Put("data/sg.csv", "1,2\n3,4\n");
    Put("train.py", "print()\n");
  }
  void Put(const char* name, absl::string_view text) const {
    REQUIRE(MakeDirs((directory.path() / name).parent_path()).ok());
    REQUIRE(WriteFileAtomic(directory.path() / name, AsBytes(text)).ok());
  }
  absl::StatusOr<Settings> Load(absl::string_view yaml,
                                const std::vector<std::string>& data = {}) const {
    Put("worker.yaml", yaml);
    return LoadSettings(directory.path() / "worker.yaml", data, "/proc/self/exe");
  }
  TestDirectory directory;
};

TEST_CASE("Settings: without a file, the built-in trainers and the arguments' data") {
  const Folder folder;
  const auto settings = LoadSettings(
      std::nullopt, {"digits/sg=" + (folder.directory.path() / "data/sg.csv").string()},
      "/proc/self/exe");
  REQUIRE(settings.ok());
  CHECK(settings->trainers.at("mlp").command ==
        std::vector<std::string>{"/proc/self/exe", "trainer", "mlp"});
  CHECK(settings->data.at("digits/sg").is_absolute());
  CHECK(settings->trainer_memory_bytes_max == kTrainerMemoryBytesDefault);
  CHECK(settings->weakest_mode == v1::PRIVACY_MODE_TRUSTED);
}

TEST_CASE("Settings: worker.yaml names trainers, data, floors and limits") {
  const Folder folder;
  const auto settings = folder.Load(
      "trainers:\n"
      "  numpy: {command: [/usr/bin/python3, train.py], files: [train.py], environment: [HOME]}\n"
      "data: {digits/sg: data/sg.csv}\n"
      "floors: {mode: secagg, k: 3}\n"
      "trainer_memory_max: 1 GiB\n"
      "trainer_disk_max: 2 GB\n"
      "fit_deadline_max: 10m\n"
      "chip_eccn: none\n"
      "trainer_isolation_off: yes\n");
  INFO(settings.status());
  REQUIRE(settings.ok());
  const Trainer& trainer = settings->trainers.at("numpy");
  CHECK(trainer.command ==
        std::vector<std::string>{"/usr/bin/python3",
                                 (folder.directory.path() / "train.py").string()});
  CHECK(trainer.environment == std::vector<std::string>{"HOME"});
  CHECK(settings->weakest_mode == v1::PRIVACY_MODE_SECAGG);
  CHECK(settings->k_min == 3);
  CHECK(settings->trainer_memory_bytes_max == std::uint64_t{1} << 30);
  CHECK(settings->trainer_disk_bytes_max == 2'000'000'000);
  CHECK(settings->fit_deadline_max == absl::Minutes(10));
  CHECK(settings->isolation_off);
}

TEST_CASE("Settings: a configuration that cannot be meant is refused") {
  const Folder folder;
  const char* bad[] = {
      "trainers: {numpy: {command: [python3, train.py], files: [train.py]}}\n",
      "trainers: {numpy: {command: [/usr/bin/python3, train.py]}}\n",
      "trainers: {numpy: {files: [train.py]}}\n",
      "trainers: {Numpy: {command: [/usr/bin/python3], files: [train.py]}}\n",
      "trainers: {numpy: {command: [/usr/bin/python3], files: [train.py], environment: ['A=1']}}\n",
      "data: {digits: data/sg.csv}\n",
      "trainer_memory_max: 0 B\n",
      "fit_deadline_max: 0s\n",
      "trainer_memory: 1 GiB\n",
  };
  for (const char* yaml : bad) {
    CAPTURE(yaml);
    CHECK(folder.Load(yaml).status().code() == absl::StatusCode::kInvalidArgument);
  }
  CHECK(folder.Load("data: {digits/sg: nowhere.csv}\n").status().code() ==
        absl::StatusCode::kNotFound);
  CHECK_FALSE(folder.Load("chip_eccn: none\n", {"digits/sg"}).ok());
  CHECK_FALSE(folder
                  .Load("data: {digits/sg: data/sg.csv}\n",
                        {"digits/sg=" + (folder.directory.path() / "train.py").string()})
                  .ok());
}

TEST_CASE(
    "Settings: a trainer's digest is that of its files, a built-in one's that of this program") {
  const Folder folder;
  const auto settings = folder.Load(
      "trainers: {numpy: {command: [/usr/bin/python3, train.py], files: [train.py]}}\n");
  REQUIRE(settings.ok());
  const Digest program{7};
  CHECK(TrainerDigest(settings->trainers.at("softmax"), program).value() == program);
  const std::string list = HexEncode(crypto::Sha256(AsBytes("print()\n"))) + "  train.py\n";
  CHECK(TrainerDigest(settings->trainers.at("numpy"), program).value() ==
        crypto::Sha256(AsBytes(list)));
  folder.Put("train.py", "print(2)\n");
  CHECK(TrainerDigest(settings->trainers.at("numpy"), program).value() !=
        crypto::Sha256(AsBytes(list)));
}

TEST_CASE("Settings: claims state the digest and rows of every shard") {
  const Folder folder;
  const auto settings = folder.Load("data: {digits/sg: data/sg.csv}\n");
  REQUIRE(settings.ok());
  const auto claims = ClaimShards(settings->data);
  REQUIRE(claims.ok());
  REQUIRE(claims->size() == 1);
  CHECK(claims->front().dataset() == "digits");
  CHECK(claims->front().shard() == "sg");
  CHECK(claims->front().rows() == 2);
  const auto site = MakeSite(*settings, *claims, Digest{7});
  REQUIRE(site.ok());
  CHECK(site->shards.at("digits/sg") == crypto::Sha256(AsBytes("1,2\n3,4\n")));
  CHECK(site->trainers.at("mlp") == Digest{7});
}

TEST_CASE("Settings: a shard's name is DATASET/SHARD") {
  CHECK(ParseShardName("digits/sg").ok());
  for (const char* bad : {"", "digits", "digits/", "/sg", "a/b/c", "digits/..", "Digits/sg"}) {
    CAPTURE(bad);
    CHECK_FALSE(ParseShardName(bad).ok());
  }
}

}  // namespace
}  // namespace carnet::worker
