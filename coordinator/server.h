// `carnet coordinator run`: everything wired together, from the state folder to the listening
// ports.
#ifndef CARNET_COORDINATOR_SERVER_H_
#define CARNET_COORDINATOR_SERVER_H_

#include <filesystem>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/rng.h"

namespace carnet::coordinator {

struct ServerOptions {
  std::filesystem::path state_dir;
  std::string listen_grpc;  // empty: as in coordinator.yaml
  std::string listen_https;
};

// Called once, when requests are served: the addresses that it listens on.
using ReadyCallback =
    std::function<void(const std::string& grpc, const std::string& https, std::uint64_t records)>;

// Serves until SIGTERM or SIGINT (then it finishes what is under way, and returns OK) or until it
// cannot go on.
//
// Errors: those of the state folder (another process has it: FAILED_PRECONDITION; a rolled back or
// damaged ledger: DATA_LOSS, ledger::IsLogMisbehaviour, exit 4, nothing was appended; a file or key
// that the state needs is missing: DATA_LOSS, naming it), of the ports (ALREADY_EXISTS taken), and
// of a failed append (start again). After an error the caller ends the process at once
// (std::_Exit): threads may still run.
absl::Status RunCoordinator(const ServerOptions& options, Clock& clock, Rng& rng,
                            const ReadyCallback& ready);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_SERVER_H_
