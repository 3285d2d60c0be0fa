// A coordinator that lies about its own keys, and the audit that finds it.
#include <catch2/catch.hpp>
#include <string>

#include "base/timestamp.h"
#include "coordinator/core/keys.h"
#include "scenario/audit_world.h"
#include "scenario/ca_rotation.h"

namespace carnet::coordinator {
namespace {

TEST_CASE("Audit: a whole rotation of the certificate authority is good") {
  World world(71);
  REQUIRE(world.Do(CaRotation(world)).ok());
  world.Advance(absl::Hours(48));
  world.Settle();
  REQUIRE(world.Find("key-destroyed").size() == 1);
  const audit::Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(report.findings.empty());
}

TEST_CASE("Audit: an authority that never stopped to count is a gap") {
  World world(72);
  REQUIRE(world.Do(CaRotation(world)).ok());
  world.Advance(absl::Hours(49));
  // Time in a log is that of its records.
  REQUIRE(
      world
          .Do(InviteWorker{kOperator, world.Random(32), "fr", "fr-9", world.now() + absl::Hours(1)})
          .ok());
  const audit::Report report = AuditWorld(world);
  INFO(TextOf(report));
  CHECK(FindingOf(report, "key-order") != nullptr);
}

// A rotation as `change` makes it, which Decide would have refused.
audit::Report AuditLie(std::uint64_t seed, void (*change)(v1::KeyRotated&, const World&)) {
  World world(seed);
  v1::KeyRotated lie = CaRotation(world).rotated;
  lie.set_rotated_by(kOperator);
  world.FillCommon(lie.mutable_common());
  change(lie, world);
  world.Forge(lie, world.statement_key());
  return AuditWorld(world);
}

TEST_CASE("Audit: an authority that could not have come is found") {
  const auto found = [](std::uint64_t seed, const std::string& check,
                        void (*change)(v1::KeyRotated&, const World&)) {
    const audit::Report report = AuditLie(seed, change);
    INFO(TextOf(report));
    return FindingOf(report, check) != nullptr;
  };
  CHECK_FALSE(found(73, "rotation", [](v1::KeyRotated&, const World&) {}));
  CHECK(found(74, "rotation", [](v1::KeyRotated& lie, const World& world) {
    *lie.mutable_overlap_until() = ToTimestamp(world.now() + absl::Hours(24 * 365));
  }));
  CHECK(found(75, "role",
              [](v1::KeyRotated& lie, const World&) { lie.set_rotated_by("u-zzzzzzzzzzzzzzzz"); }));
}

}  // namespace
}  // namespace carnet::coordinator
