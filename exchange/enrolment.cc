#include "exchange/enrolment.h"

#include "exchange/signed_bytes.h"

namespace carnet::exchange {

Bytes EnrollProofMessage(const v1::EnrollRequest& request) {
  return ProofMessage("carnet/enroll/v1", request);
}

Bytes EnrollUserProofMessage(const v1::EnrollUserRequest& request) {
  return ProofMessage("carnet/enroll-user/v1", request);
}

Bytes RenewProofMessage(const v1::RenewRequest& request) {
  return ProofMessage("carnet/renew/v1", request);
}

}  // namespace carnet::exchange
