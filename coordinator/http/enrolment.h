// carnet.v1.Enrolment over HTTPS: how a machine without a certificate becomes a worker's or a
// person's, and how a worker renews.
#ifndef CARNET_COORDINATOR_HTTP_ENROLMENT_H_
#define CARNET_COORDINATOR_HTTP_ENROLMENT_H_

#include <map>
#include <string>

#include "base/http_server.h"
#include "base/mutex.h"
#include "coordinator/rpc/services.h"
#include "crypto/certificates.h"

namespace carnet::coordinator {

// Challenges that wait for their answer; a further one takes the place of the oldest.
inline constexpr std::size_t kChallengesMax = 1024;
inline constexpr absl::Duration kChallengeLife = absl::Minutes(5);
// Certificates live this long; an unrevoked worker may renew an expired one until its lease ends.
inline constexpr absl::Duration kCertificateLife = absl::Hours(24 * 7);
// People's certificates.
inline constexpr absl::Duration kUserCertificateLife = absl::Hours(24 * 90);
// How far a renewal's clock may be off.
inline constexpr absl::Duration kRenewClockSkew = absl::Minutes(5);

// Thread-safe. Unauthenticated requests make no records: only a live token does.
class Enrolment {
 public:
  // It outlives the routes.
  explicit Enrolment(const Services& services) : services_(services) {}

  // POST /carnet.v1.Enrolment/Challenge, Enroll, EnrollUser, Renew; bodies are proto3 JSON (Connect
  // unary).
  void Route(HttpServer* server);

 private:
  struct Challenge {
    Bytes answer;
    Bytes wrapping_public_key;
    absl::Time expires;
  };

  HttpResponse OnChallenge(const HttpRequest& request);
  void OnEnroll(HttpRequest request, HttpServer::Done done);
  void OnEnrollUser(HttpRequest request, HttpServer::Done done);
  void OnRenew(HttpRequest request, HttpServer::Done done);
  absl::StatusOr<EnrollWorker> CheckEnroll(const v1::EnrollRequest& request);
  // Certificate, proofs and head for a worker on record at `index`.
  absl::StatusOr<v1::EnrollResponse> Answer(std::uint64_t index, const Bytes& spki);

  // The same for a person.
  absl::StatusOr<v1::EnrollUserResponse> AnswerUser(std::uint64_t index, const Bytes& spki);

  const Services& services_;
  Mutex mutex_;
  std::map<std::string, Challenge> challenges_ CARNET_GUARDED_BY(mutex_);  // by id
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_HTTP_ENROLMENT_H_
