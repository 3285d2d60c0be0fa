// `carnet witness`: a witness as a small daemon of its own. Its state folder holds witness.yaml
// (carnet.v1.WitnessConfig), keys/witness, witness.db and the lock.
#ifndef CARNET_LEDGER_WITNESS_SERVER_H_
#define CARNET_LEDGER_WITNESS_SERVER_H_

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/rng.h"

namespace carnet::ledger {

inline constexpr char kWitnessConfigName[] = "witness.yaml";
inline constexpr char kWitnessKeyId[] = "witness";
// Requests that wait for the store; further ones are answered 503.
inline constexpr std::size_t kWitnessRequestsWaitingMax = 256;

struct WitnessInit {
  std::filesystem::path state_dir;  // must not exist
  std::string name;                 // of the key: [A-Za-z0-9._/-], at most 255 bytes
  std::vector<std::string> logs;    // vkeys
};
// Makes the folder, a new key and witness.yaml; returns the witness's vkey. Errors: ALREADY_EXISTS
// the folder does. INVALID_ARGUMENT a bad name or vkey. Those of base/files.h.
absl::StatusOr<std::string> InitWitness(const WitnessInit& init, Rng& rng);

struct WitnessServerOptions {
  std::filesystem::path state_dir;
  std::string listen;  // ADDRESS:PORT; empty: as in witness.yaml
};
// Called once, when requests are served: where, and the vkey for policies.
using WitnessReady = std::function<void(const std::string& address, const std::string& vkey)>;

// Serves until SIGTERM or SIGINT, and then returns OK:
//   POST /add-checkpoint                       C2SP tlog-witness
//   GET /<hex sha256 of the origin>/checkpoint for monitors
//   GET /healthz, /metrics
// Errors: those of the folder (NOT_FOUND, FAILED_PRECONDITION another process has it), of
// witness.yaml (INVALID_ARGUMENT) and of the port (ALREADY_EXISTS taken).
absl::Status RunWitness(const WitnessServerOptions& options, const Clock& clock,
                        const WitnessReady& ready);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_WITNESS_SERVER_H_
