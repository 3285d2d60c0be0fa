// A rotation of the certificate authority, as an operator asks for it.
#ifndef CARNET_TESTS_SCENARIO_CA_ROTATION_H_
#define CARNET_TESTS_SCENARIO_CA_ROTATION_H_

#include <string>

#include "base/rng.h"
#include "base/timestamp.h"
#include "coordinator/core/keys.h"
#include "crypto/certificates.h"
#include "scenario/world.h"

namespace carnet::coordinator {

inline constexpr char kNewKeyId[] = "k-aaaaaaaaaaaaaaaa";

inline crypto::CertificateAuthority NewAuthority(absl::Time now,
                                                 const std::string& name = "test CA") {
  SystemRng rng;
  return crypto::CertificateAuthority::Create(
             name, {now - absl::Minutes(5), now + absl::Hours(24 * 3650)}, rng)
      .value();
}

inline RotateKey CaRotation(const World& world, const crypto::CertificateAuthority& next,
                            absl::Duration overlap, const std::string& key_id = kNewKeyId) {
  RotateKey command;
  command.user_id = kOperator;
  command.rotated.set_kind(kCaKind);
  command.rotated.set_key_id(key_id);
  command.rotated.set_old_public_key(*PublicKeyInForce(world.state(), kCaKind));
  command.rotated.set_new_public_key(ToString(next.key().spki()));
  command.rotated.set_ca_certificate_pem(next.certificate_pem());
  *command.rotated.mutable_overlap_until() = ToTimestamp(world.now() + overlap);
  return command;
}

// To some new authority; both count for two days.
inline RotateKey CaRotation(const World& world) {
  return CaRotation(world, NewAuthority(world.now()), absl::Hours(48));
}

}  // namespace carnet::coordinator

#endif  // CARNET_TESTS_SCENARIO_CA_ROTATION_H_
