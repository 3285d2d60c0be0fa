// What a person signs to renew his certificate: both sides make the message with the same code.
// Pure.
#ifndef CARNET_EXCHANGE_RENEWAL_H_
#define CARNET_EXCHANGE_RENEWAL_H_

#include "base/bytes.h"
#include "carnet/v1/renewal.pb.h"

namespace carnet::exchange {

// Beside a person's context.yaml: where certificates are renewed, one HOST:PORT a line.
inline constexpr char kHttpsAddressesFile[] = "https-addresses";

// "carnet/renew-user/v1" || SHA-256(deterministic serialisation of the request without `proof`).
Bytes RenewUserProofMessage(const v1::RenewUserRequest& request);

}  // namespace carnet::exchange

#endif  // CARNET_EXCHANGE_RENEWAL_H_
