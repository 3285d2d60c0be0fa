// What a worker or a person signs to enrol, or a worker to renew: both sides make the message with
// the same code. Pure.
#ifndef CARNET_EXCHANGE_ENROLMENT_H_
#define CARNET_EXCHANGE_ENROLMENT_H_

#include "base/bytes.h"
#include "carnet/v1/federation.pb.h"

namespace carnet::exchange {

// HPKE info of the enrolment challenge.
inline constexpr char kEnrolmentChallengeInfo[] = "carnet/enrolment-challenge/v1";

// "carnet/enroll/v1" || SHA-256(deterministic serialisation of the request without `proof`).
Bytes EnrollProofMessage(const v1::EnrollRequest& request);
// "carnet/enroll-user/v1" || the same.
Bytes EnrollUserProofMessage(const v1::EnrollUserRequest& request);
// "carnet/renew/v1" || the same.
Bytes RenewProofMessage(const v1::RenewRequest& request);

}  // namespace carnet::exchange

#endif  // CARNET_EXCHANGE_ENROLMENT_H_
