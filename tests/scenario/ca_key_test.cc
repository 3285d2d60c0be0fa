// The federation's certificate authority gives way to another: given records, when a command, then
// records.
#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

#include "base/timestamp.h"
#include "coordinator/core/keys.h"
#include "coordinator/core/reconcile.h"
#include "coordinator/core/retention.h"
#include "scenario/ca_rotation.h"
#include "scenario/world.h"

namespace carnet::coordinator {
namespace {

TEST_CASE("CA key: both authorities count for the overlap, then the old key goes") {
  World world(61);
  CHECK(AuthorityInForce(world.state()) == world.state().genesis.ca_certificate_pem());
  CHECK(world.state().KeyIdOf(kCaKind) == "ca");
  const std::string old_key = *PublicKeyInForce(world.state(), kCaKind);
  const crypto::CertificateAuthority next = NewAuthority(world.now());
  const auto done = world.Do(CaRotation(world, next, absl::Hours(48)));
  INFO(done.status().ToString());
  REQUIRE(done.ok());
  CHECK(world.At<v1::KeyRotated>(*done->answer_index).old_public_key() == old_key);
  CHECK(world.At<v1::KeyRotated>(*done->answer_index).rotated_by() == kOperator);
  CHECK(AuthorityInForce(world.state()) == next.certificate_pem());
  CHECK(*PublicKeyInForce(world.state(), kCaKind) == AsText(next.key().spki()));
  CHECK(world.state().KeyIdOf(kCaKind) == kNewKeyId);
  CHECK(world.state().KeyIdOf(kLogKind) == "log");
  world.Settle();
  CHECK(world.Find("key-destruction-ordered").empty());
  CHECK(world.Look().wake <= ToTime(world.At<v1::KeyRotated>(*done->answer_index).overlap_until()));
  CHECK(NeededKeys(world.state()).count("ca") == 1);
  CHECK(NeededKeys(world.state()).count(kNewKeyId) == 1);
  world.Advance(absl::Hours(48));
  // Also after a restart in between.
  const Agenda agenda = Reconcile(world.Refold(), Running{}, world.now());
  CHECK(std::any_of(agenda.start.begin(), agenda.start.end(),
                    [](const Effect& effect) { return effect.key == "retire/ca"; }));
  world.Settle();
  REQUIRE(world.Find("key-destruction-ordered").size() == 1);
  CHECK(world.At<v1::KeyDestructionOrdered>(world.Find("key-destruction-ordered")[0]).key_ids(0) ==
        "ca");
  CHECK(world.Find("key-destroyed").size() == 1);
  CHECK(NeededKeys(world.state()).count("ca") == 0);
  CHECK(NeededKeys(world.state()).count(kNewKeyId) == 1);
}

TEST_CASE("CA key: one rotation at a time, beside those of the other keys") {
  World world(62);
  REQUIRE(world.Do(CaRotation(world, NewAuthority(world.now()), absl::Hours(24 * 90))).ok());
  const auto second = [&] {
    return world.Do(
        CaRotation(world, NewAuthority(world.now()), absl::Hours(48), "k-bbbbbbbbbbbbbbbb"));
  };
  CHECK(absl::IsFailedPrecondition(second().status()));
  // The end of the overlap is not enough: the old key is destroyed first.
  world.Advance(absl::Hours(24 * 90));
  CHECK(absl::IsFailedPrecondition(second().status()));
  world.Settle();
  const auto done = second();
  INFO(done.status().ToString());
  CHECK(done.ok());
}

TEST_CASE("CA key: a rotation that cannot be is refused and leaves no record") {
  World world(63);
  const crypto::CertificateAuthority next = NewAuthority(world.now());
  const std::uint64_t size = world.state().size;
  const RotateKey good = CaRotation(world, next, absl::Hours(48));
  const auto refused = [&](auto change,
                           absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
    RotateKey command = good;
    change(command);
    return world.Do(command).status().code() == code && world.state().size == size;
  };
  CHECK(refused([](RotateKey& c) { c.user_id = "u-zzzzzzzzzzzzzzzz"; },
                absl::StatusCode::kPermissionDenied));
  CHECK(refused([&](RotateKey& c) {
    *c.rotated.mutable_overlap_until() = ToTimestamp(world.now() + absl::Hours(1));
  }));
  CHECK(refused([&](RotateKey& c) {
    *c.rotated.mutable_overlap_until() = ToTimestamp(world.now() + absl::Hours(24 * 91));
  }));
  CHECK(refused([](RotateKey& c) { c.rotated.clear_overlap_until(); }));
  CHECK(refused([](RotateKey& c) { c.rotated.clear_ca_certificate_pem(); }));
  CHECK(refused([](RotateKey& c) { c.rotated.set_ca_certificate_pem("garbage"); }));
  CHECK(refused([](RotateKey& c) { c.rotated.set_log_vkey("test+00000000+AAAA"); }));
  CHECK(refused([](RotateKey& c) { c.rotated.set_new_key_signature("signature"); }));
  CHECK(refused([](RotateKey& c) { c.rotated.set_old_key_signature("signature"); }));
  CHECK(refused([](RotateKey& c) { c.rotated.set_key_id("ca"); }));
  // Another key's certificate, and one of an authority with another name.
  CHECK(refused([&](RotateKey& c) {
    c.rotated.set_ca_certificate_pem(NewAuthority(world.now()).certificate_pem());
  }));
  CHECK(refused([&](RotateKey& c) {
    const crypto::CertificateAuthority other = NewAuthority(world.now(), "other CA");
    c.rotated.set_new_public_key(ToString(other.key().spki()));
    c.rotated.set_ca_certificate_pem(other.certificate_pem());
  }));
  // One that would begin later, or end before the overlap does.
  CHECK(refused([&](RotateKey& c) {
    const crypto::CertificateAuthority later = NewAuthority(world.now() + absl::Hours(24));
    c.rotated.set_new_public_key(ToString(later.key().spki()));
    c.rotated.set_ca_certificate_pem(later.certificate_pem());
  }));
  CHECK(refused([&](RotateKey& c) {
    const crypto::CertificateAuthority old = NewAuthority(world.now() - absl::Hours(24 * 3649));
    c.rotated.set_new_public_key(ToString(old.key().spki()));
    c.rotated.set_ca_certificate_pem(old.certificate_pem());
  }));
  // Of a key that is not in force.
  CHECK(refused(
      [&](RotateKey& c) {
        c.rotated.set_old_public_key(ToString(NewAuthority(world.now()).key().spki()));
      },
      absl::StatusCode::kAborted));
  // A certificate beside a key of another kind.
  CHECK(refused([](RotateKey& c) { c.rotated.set_kind(kStatementKind); },
                absl::StatusCode::kInvalidArgument));
  CHECK(world.Do(good).ok());
}

}  // namespace
}  // namespace carnet::coordinator
