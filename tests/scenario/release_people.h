// People at other places, and what they ask for.
#ifndef CARNET_TESTS_SCENARIO_RELEASE_PEOPLE_H_
#define CARNET_TESTS_SCENARIO_RELEASE_PEOPLE_H_

#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <utility>

#include "crypto/ed25519.h"
#include "scenario/world.h"

namespace carnet::coordinator {

// Invited by the operator, who is an admin here, and enrolled. Empty: nobody said.
inline std::string EnrolAt(World& world, std::uint8_t tag, const std::string& jurisdiction,
                           const std::string& organisation,
                           const std::set<std::string>& roles = {"operator"}) {
  const Bytes token(32, tag);
  const auto invited = world.Do(InviteUser{kOperator, token, roles, world.now() + absl::Hours(24),
                                           jurisdiction, organisation});
  INFO(invited.status().ToString());
  REQUIRE(invited.ok());
  crypto::SecretBytes seed(32);
  seed.Mutable()[0] = tag;
  seed.Mutable()[31] = 78;
  const crypto::Ed25519KeyPair key = *crypto::Ed25519KeyPair::FromSeed(seed);
  const EnrollUser enroll{token, Bytes(32, tag), ToBytes(AsText(key.public_key())),
                          world.At<v1::UserInvited>(*invited->answer_index).user_id()};
  const auto enrolled = world.Do(enroll);
  INFO(enrolled.status().ToString());
  REQUIRE(enrolled.ok());
  return world.At<v1::UserEnrolled>(*enrolled->answer_index).user_id();
}

// The reasons of the refusal at `index`.
inline std::set<std::string> ReasonsAt(const World& world, std::uint64_t index) {
  std::set<std::string> reasons;
  for (const v1::Decision& decision : world.At<v1::Refusal>(index).decisions()) {
    for (const v1::Failure& failure : decision.failures()) {
      reasons.insert(failure.reason());
    }
  }
  return reasons;
}

// Why `command` is refused, which it must be, with a record that says so.
inline std::set<std::string> RefusedFor(World& world, const CommandBody& command) {
  const auto done = world.Do(command);
  INFO(done.status().ToString());
  REQUIRE(done.ok());
  REQUIRE(done->answer.code() == absl::StatusCode::kPermissionDenied);
  REQUIRE(done->answer_index.has_value());
  return ReasonsAt(world, *done->answer_index);
}

// The index of the record under which `command` is allowed, which it must be.
inline std::uint64_t AllowedBy(World& world, const CommandBody& command) {
  const auto done = world.Do(command);
  INFO(done.status().ToString());
  REQUIRE(done.ok());
  INFO(done->answer.ToString());
  REQUIRE(done->answer.ok());
  REQUIRE(done->answer_index.has_value());
  return *done->answer_index;
}

}  // namespace carnet::coordinator

#endif  // CARNET_TESTS_SCENARIO_RELEASE_PEOPLE_H_
