// One witness as the log's operator calls it (C2SP tlog-witness, client side).
#ifndef CARNET_COORDINATOR_PUBLISH_WITNESS_CLIENT_H_
#define CARNET_COORDINATOR_PUBLISH_WITNESS_CLIENT_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/http_client.h"
#include "ledger/verifier/heads.h"
#include "ledger/view.h"

namespace carnet::coordinator {

// How often one request is sent again from the size that the witness names.
inline constexpr int kWitnessTriesMax = 3;
inline constexpr std::size_t kWitnessAnswerBytesMax = std::size_t{16} * 1024;

// Where an HTTP resource is: http://HOST:PORT[/PATH] or https://HOST[:PORT][/PATH].
struct WitnessUrl {
  bool tls = false;
  std::string host;
  std::uint16_t port = 0;
  std::string path;  // without a slash at its end
};
// Error INVALID_ARGUMENT: user names, queries and other schemes included.
absl::StatusOr<WitnessUrl> ParseWitnessUrl(absl::string_view url);

struct WitnessPeer {
  std::string name;  // in the policy
  ledger::verifier::VerifierKey key;
  WitnessUrl submission;
  WitnessUrl monitoring;
  std::string ca_certificate_pem;  // for https
  absl::Duration timeout = absl::Seconds(5);
};

// Sends one request. Tests give their own.
using HttpCaller =
    std::function<absl::StatusOr<HttpResponse>(const HttpCallOptions&, const HttpRequest&)>;

// The log as the verifier knows it: its founding key, with those that it was handed over to.
absl::StatusOr<ledger::verifier::VerifierKey> LogOf(const ledger::LogView& log);

// For one thread at a time.
class WitnessClient {
 public:
  explicit WitnessClient(WitnessPeer peer, HttpCaller call = HttpCall)
      : peer_(std::move(peer)), call_(std::move(call)) {}

  const std::string& name() const { return peer_.name; }
  const ledger::verifier::VerifierKey& key() const { return peer_.key; }

  // The witness's signature line for `head`, verified. Starts from the size that the witness last
  // knew, and again from the one that it names.
  //
  // Errors: OUT_OF_RANGE the witness knows a head of this log that `head` does not extend: a larger
  // one, or another history. UNAUTHENTICATED its answer holds no valid cosignature, or it refuses
  // this log. UNAVAILABLE and the others of HttpCall: try again later.
  absl::StatusOr<std::string> Cosign(const ledger::SignedHead& head, const ledger::LogView& log);

  // The newest head of the log that the witness cosigned, as it answers monitors; not verified.
  // NOT_FOUND: none yet.
  absl::StatusOr<std::string> NewestHead(absl::string_view origin) const;

 private:
  absl::StatusOr<HttpResponse> Send(const WitnessUrl& url, HttpRequest request) const;
  absl::StatusOr<std::string> OwnLine(const ledger::SignedHead& head, const ledger::LogView& log,
                                      absl::string_view answer) const;

  const WitnessPeer peer_;
  const HttpCaller call_;
  std::uint64_t known_size_ = 0;
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_PUBLISH_WITNESS_CLIENT_H_
