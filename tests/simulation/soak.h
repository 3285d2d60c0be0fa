// A federation that runs for hours: the real core (tests/scenario/world.h) over the real log on
// disk, by a simulated clock.
#ifndef CARNET_TESTS_SIMULATION_SOAK_H_
#define CARNET_TESTS_SIMULATION_SOAK_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "ledger/log.h"
#include "ledger/verifier/trust_policy.h"
#include "scenario/policy_office.h"
#include "scenario/world.h"
#include "unit/ledger/temp_dir.h"

namespace carnet::coordinator {

// What two states must agree on to be the same to everybody outside.
std::string Fingerprint(const State& state);

class Soak {
 public:
  explicit Soak(std::uint64_t seed);

  // One heartbeat of the fleet, 10 s: workers come, go, train, lie and fail; what is due by the
  // clock is done; everything that was decided is appended to the log.
  void Tick();
  // Closes the log, opens it again and folds it: the state of a coordinator that starts. While it
  // is closed, as many files are open as at the first restart.
  State Restart();
  // What does not hold although it must between any two ticks; empty: everything does.
  std::string Broken() const;

  const World& world() const { return world_; }
  const ledger::Log& log() const { return *log_; }
  const std::filesystem::path& state_dir() const { return dir_.path(); }
  ledger::verifier::TrustPolicy Trust() const;
  // Notes of the heads that were published, one an hour.
  const std::vector<std::string>& published() const { return published_; }
  std::uint64_t restarts() const { return restarts_; }
  std::uint64_t rotations() const { return rotations_; }
  std::uint64_t renewals() const { return renewals_; }

 private:
  // Once in `times`.
  bool Sometimes(std::uint64_t times) { return random_() % times == 0; }
  void ComeAndGo();
  void Train();
  void Work(const std::string& slot);
  void Evaluate(const Job& job);
  void RotateStatementKey();
  void RenewPolicies();
  void RenewEvidence();
  void Flush();
  void Publish();

  const testing_ledger::TempDir dir_;
  std::mt19937_64 random_;
  World world_;
  const crypto::Ed25519KeyPair log_key_;  // the statement key that the world begins with
  PolicyOffice office_;
  std::vector<Person> people_;
  std::unique_ptr<ledger::Log> log_;
  std::vector<std::string> published_;
  std::uint64_t tick_ = 0;
  std::size_t files_ = 0;  // open while the log is closed
  std::uint64_t restarts_ = 0;
  std::uint64_t rotations_ = 0;
  std::uint64_t renewals_ = 0;
};

}  // namespace carnet::coordinator

#endif  // CARNET_TESTS_SIMULATION_SOAK_H_
