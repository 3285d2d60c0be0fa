// A federation of one person and two workers that trains a model for some rounds: real records,
// really signed, in a real log. Everything is derived from fixed seeds, so that the same calls make
// the same bytes.
#ifndef CARNET_TESTS_UNIT_LEDGER_SMALL_FEDERATION_H_
#define CARNET_TESTS_UNIT_LEDGER_SMALL_FEDERATION_H_

#include <google/protobuf/message.h>

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "carnet/v1/records.pb.h"
#include "crypto/ed25519.h"
#include "ledger/log.h"
#include "ledger/manifest.h"
#include "ledger/record.h"
#include "ledger/verifier/trust_policy.h"

namespace carnet::testing_ledger {

inline constexpr char kOrigin[] = "ledger.test/log";

// The pair of a seed of 32 bytes `seed`.
crypto::Ed25519KeyPair KeyOfSeed(std::uint8_t seed);
// 32 bytes that stand for the digest of `name`.
Digest DigestOf(const std::string& name);

class SmallFederation {
 public:
  // Which key signs a record; the worker's is named by its number.
  enum class Signer { kCoordinator, kUser, kWorker1, kWorker2 };
  // Changes a record before it is signed: how tests tell well-signed lies.
  using Tamper = std::function<void(google::protobuf::Message& predicate, Signer& signer)>;

  // state_dir: exists. head_file: empty for the default.
  explicit SmallFederation(const std::filesystem::path& state_dir,
                           const std::filesystem::path& head_file = {});

  void SetTamper(Tamper tamper) { tamper_ = std::move(tamper); }
  void FoundLog();  // genesis
  // genesis, user, two workers, job.
  void Found();
  enum class Loss { kNone, kSecondAfterClose };
  // round-opened, two contributions, round-closed, aggregate; with a loss, the second contribution
  // is rejected between the last two. The next round each time.
  void Round(Loss loss = Loss::kNone);
  // key-rotated: the coordinator's statements after it are signed by the pair of `seed`.
  std::uint64_t RotateStatementKey(std::uint8_t seed);
  // policy-activated: rounds after it are decided with the bundle that has the digest of `name`.
  std::uint64_t ActivatePolicies(const std::string& name);
  // Closes the log; the files stay.
  void Close() { log_.reset(); }

  ledger::Log& log() { return *log_; }
  // Signs and appends; the index.
  std::uint64_t Append(google::protobuf::Message& predicate, Signer signer,
                       const std::vector<ledger::Subject>& subjects = {});
  v1::SignedRecord Sign(google::protobuf::Message& predicate, Signer signer,
                        const std::vector<ledger::Subject>& subjects = {});
  // An evidence record: small and of no consequence, for tests that need many.
  v1::SignedRecord Filler();

  // Of the canonical JSON of a job's spec, as job-submitted names it.
  static Digest SpecDigest(const v1::JobSpec& spec);
  Digest model() const { return model_; }  // the newest
  std::uint64_t size() const { return log_->Size(); }
  const std::string& job_id() const { return job_id_; }
  ledger::ManifestOrder Order() const;  // every record of the log
  ledger::verifier::TrustPolicy Policy() const;
  std::string PolicyText() const;

 private:
  void FillCommon(v1::Common& common);
  std::uint64_t Open(const v1::DecisionBasis& basis);
  void Contribute(std::uint64_t opened, int worker, std::vector<std::uint64_t>& indexes);
  void Reject(int worker);

  crypto::Ed25519KeyPair log_key_;
  crypto::Ed25519KeyPair coordinator_;
  crypto::Ed25519KeyPair user_;
  crypto::Ed25519KeyPair worker_1_;
  crypto::Ed25519KeyPair worker_2_;
  std::unique_ptr<ledger::Log> log_;
  Tamper tamper_;
  std::uint64_t counter_ = 0;
  std::string job_id_ = "j-aaaaaaaaaaaaaaaa";
  std::uint32_t round_ = 0;
  Digest model_;
  Digest bundle_;
  std::uint64_t revision_ = 1;
};

}  // namespace carnet::testing_ledger

#endif  // CARNET_TESTS_UNIT_LEDGER_SMALL_FEDERATION_H_
