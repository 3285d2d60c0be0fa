#include "exchange/renewal.h"

#include "exchange/signed_bytes.h"

namespace carnet::exchange {

Bytes RenewUserProofMessage(const v1::RenewUserRequest& request) {
  return ProofMessage("carnet/renew-user/v1", request);
}

}  // namespace carnet::exchange
