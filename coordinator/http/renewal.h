// carnet.v1.Renewal over HTTPS: how a person's certificate is renewed.
#ifndef CARNET_COORDINATOR_HTTP_RENEWAL_H_
#define CARNET_COORDINATOR_HTTP_RENEWAL_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/http_server.h"
#include "carnet/v1/renewal.pb.h"
#include "coordinator/rpc/services.h"
#include "crypto/certificates.h"

namespace carnet::coordinator {

// How long after its end a person's certificate may still be renewed.
inline constexpr absl::Duration kUserRenewalGrace = absl::Hours(24 * 7);

// Whether `request` asks for what its person may have. csr: of the request; old: the certificate
// that it names, by an authority that counts, whatever the time. Pure. Errors: UNAUTHENTICATED the
// three do not belong together, to somebody enrolled and to `now`; PERMISSION_DENIED he is revoked,
// or the certificate expired more than kUserRenewalGrace ago.
absl::Status CheckRenewUser(const State& state, const v1::RenewUserRequest& request,
                            const crypto::CertificateRequest& csr,
                            const crypto::CertificateInfo& old, absl::Time now);

// Thread-safe. It makes no records, as a worker's renewal makes none.
class Renewal {
 public:
  // It outlives the routes.
  explicit Renewal(const Services& services) : services_(services) {}

  // POST /carnet.v1.Renewal/RenewUser; the body is proto3 JSON (Connect unary).
  void Route(HttpServer* server);

 private:
  void OnRenewUser(HttpRequest request, HttpServer::Done done);
  // A certificate of the same key and name as `old`, with the proofs.
  absl::StatusOr<v1::RenewUserResponse> Answer(const crypto::CertificateInfo& old);

  const Services& services_;
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_HTTP_RENEWAL_H_
