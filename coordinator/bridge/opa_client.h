// Asks the organisation's own Open Policy Agent for its verdict on one flow.
#ifndef CARNET_COORDINATOR_BRIDGE_OPA_CLIENT_H_
#define CARNET_COORDINATOR_BRIDGE_OPA_CLIENT_H_

#include <atomic>
#include <filesystem>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/http_client.h"
#include "base/metrics.h"
#include "carnet/v1/config.pb.h"
#include "coordinator/core/commands.h"
#include "coordinator/publish/witness_client.h"

namespace carnet::coordinator {

inline constexpr absl::Duration kOpaTimeout = absl::Seconds(2);
inline constexpr absl::Duration kOpaTimeoutMax = absl::Seconds(30);
inline constexpr absl::Duration kOpaValidFor = absl::Minutes(10);

struct OpaOptions {
  std::string engine_sha256;       // SHA-256 (raw) of the URL as configured: which engine answers
  WitnessUrl url;                  // with the path of the rule: /v1/data/…
  std::string ca_certificate_pem;  // for https
  absl::Duration timeout = kOpaTimeout;
  absl::Duration valid_for = kOpaValidFor;
};

// Reads what coordinator.yaml says; files are relative to `state_dir`. Errors INVALID_ARGUMENT: a
// URL that is none, with a query, without a rule, or of plain http beyond loopback; https without
// `ca_file`; a time out of its bounds. Those of base/files.h.
absl::StatusOr<OpaOptions> LoadOpaOptions(const v1::OpaConfig& config,
                                          const std::filesystem::path& state_dir);

// Thread-safe: each question is one connection of its own.
class OpaClient {
 public:
  // `metrics` outlives the client.
  OpaClient(OpaOptions options, Metrics& metrics, HttpCaller call = HttpCall)
      : options_(std::move(options)), metrics_(metrics), call_(std::move(call)) {}

  // POST {"input": <input>}. A rule that is undefined for it says no. Whatever is no verdict (a
  // timeout, another status than 200, a redirect too, an answer that is not one) is an outcome of
  // its own, which denies. Blocks for at most the timeout. `input` is JSON.
  RecordBridgeVerdict Ask(const std::string& input) const;
  const std::string& engine_sha256() const { return options_.engine_sha256; }
  // Further questions come to nothing at once, so that nobody waits for them.
  void Stop() { stopped_ = true; }

 private:
  // The error of the closed list of BridgeVerdict, or empty and the answer in `verdict`.
  std::string AskOnce(const std::string& input, v1::BridgeVerdict* verdict) const;

  const OpaOptions options_;
  Metrics& metrics_;
  const HttpCaller call_;
  std::atomic<bool> stopped_ = false;
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_BRIDGE_OPA_CLIENT_H_
