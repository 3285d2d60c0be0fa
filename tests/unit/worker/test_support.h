// A federation in memory: a log, a coordinator's keys and records, as a worker sees them.
#ifndef CARNET_TESTS_UNIT_WORKER_TEST_SUPPORT_H_
#define CARNET_TESTS_UNIT_WORKER_TEST_SUPPORT_H_

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/rng.h"
#include "carnet/v1/federation.pb.h"
#include "crypto/certificates.h"
#include "crypto/ed25519.h"
#include "crypto/p256.h"
#include "crypto/x25519.h"
#include "ledger/head.h"
#include "worker/core/identity.h"
#include "worker/core/task_check.h"

namespace carnet::worker {

class TestDirectory {
 public:
  TestDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "carnet-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TestDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Bytes that follow from a seed. Not for keys outside tests.
class TestRng final : public Rng {
 public:
  explicit TestRng(std::uint64_t seed) : state_(seed) {}
  void Fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& byte : out) {
      state_ = state_ * 6364136223846793005u + 1442695040888963407u;
      byte = static_cast<std::uint8_t>(state_ >> 56);
    }
  }

 private:
  std::uint64_t state_;
};

inline constexpr std::int64_t kTestNowSeconds = 1'795'253'000;  // 2026-11-21
inline absl::Time TestNow() {
  return absl::FromUnixSeconds(kTestNowSeconds);
}

// A log whose tree is computed anew for each proof: tests are small.
class TestLog {
 public:
  explicit TestLog(const std::string& origin);

  // The index of the record.
  std::uint64_t Append(const v1::SignedRecord& record);
  std::string Head(std::uint64_t size) const;
  std::string Head() const { return Head(leaves_.size()); }
  std::uint64_t size() const { return leaves_.size(); }
  v1::ProvenRecord Prove(std::uint64_t index, std::uint64_t size) const;
  v1::ConsistencyProof Consistency(std::uint64_t old_size, std::uint64_t new_size) const;
  ledger::verifier::VerifierKey key() const;
  std::string vkey() const;
  ledger::verifier::TreeHead tree_head() const;
  const Digest& leaf(std::uint64_t index) const { return leaves_.at(index); }
  // Heads are signed by this key from here on, and by no other.
  void UseKey(crypto::Ed25519KeyPair key) {
    key_ = std::make_shared<const crypto::Ed25519KeyPair>(std::move(key));
  }
  const crypto::Ed25519KeyPair& pair() const { return *key_; }
  // Another history from `index` on.
  void Tamper(std::uint64_t index) { leaves_.at(index)[0] ^= 1; }

 private:
  std::string origin_;
  std::shared_ptr<const crypto::Ed25519KeyPair> key_;
  std::vector<Digest> leaves_;
  std::vector<v1::SignedRecord> records_;
};

// Coordinator and one worker, enrolled, with a job and an open round.
class TestFederation {
 public:
  TestFederation();

  v1::SignedRecord Sign(const google::protobuf::Message& predicate,
                        const crypto::Ed25519KeyPair& key) const;
  v1::Common Common();
  std::uint64_t AppendBy(const crypto::Ed25519KeyPair& key,
                         const google::protobuf::Message& predicate);

  OwnPublicKeys PublicKeys() const;
  v1::EnrollResponse Answer() const;

  // What the task of this round is made from; tests change parts and call MakeTask again.
  v1::JobSubmitted Job() const;
  v1::RoundOpened Round() const;
  // Appends user, job and round, and proves them under the newest head.
  v1::Task MakeTask(const v1::JobSubmitted& job, const v1::RoundOpened& round);
  v1::Task MakeTask() { return MakeTask(Job(), Round()); }
  Site MakeSite() const;
  Identity MakeIdentity() const;

  TestRng rng{7};
  TestLog log{"digits.acme.example/log"};
  crypto::Ed25519KeyPair coordinator_key;
  crypto::Ed25519KeyPair user_key;
  crypto::P256Key tls_key;
  crypto::Ed25519KeyPair statement_key;
  crypto::X25519KeyPair wrapping_key;
  crypto::X25519KeyPair round_key;
  crypto::CertificateAuthority authority;
  std::string certificate_pem;
  FederationFacts facts;
  std::uint64_t enrolled_index = 0;
  Digest trainer_digest{};
  Digest shard_sha256{};
  exchange::Header model_header;
  std::uint64_t sealed_model_bytes = 0;
};

}  // namespace carnet::worker

#endif  // CARNET_TESTS_UNIT_WORKER_TEST_SUPPORT_H_
