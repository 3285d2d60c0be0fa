// What of a real log the coordinator shows to workers that follow how the policies came to be:
// coordinator/rpc/policy_trail.h. The records come from the real core.
#include "coordinator/rpc/policy_trail.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "coordinator/core/job_spec.h"
#include "ledger/log.h"
#include "scenario/policy_office.h"
#include "scenario/site_world.h"
#include "unit/ledger/temp_dir.h"

namespace carnet::coordinator {
namespace {

using nlohmann::json;
using worker::PolicyChain;

// A World's records in a log on disk.
struct StoredLog {
  explicit StoredLog(const World& world) {
    crypto::SecretBytes seed(32);
    seed.Mutable()[0] = 9;
    log = *ledger::Log::Open({.state_dir = dir.path(), .head_file = {}, .origin = "test/log"},
                             *crypto::Ed25519KeyPair::FromSeed(seed));
    REQUIRE(log->Append(world.signed_log()).ok());
  }
  v1::NextTaskResponse Fill(PolicyTrail& trail, std::uint64_t followed) const {
    v1::NextTaskRequest request;
    request.set_policy_followed(followed);
    v1::NextTaskResponse response;
    const absl::Status filled = trail.Fill(*log, request, log->Head(), &response);
    INFO(filled.ToString());
    REQUIRE(filled.ok());
    return response;
  }

  testing_ledger::TempDir dir;
  std::unique_ptr<ledger::Log> log;
};

// Polls until there is nothing more, as a worker does. Returns how many polls it took.
int FollowAll(const StoredLog& stored, const SiteLog& log, PolicyTrail& trail, PolicyChain* chain) {
  for (int polls = 1;; ++polls) {
    const v1::NextTaskResponse response = stored.Fill(trail, chain->followed());
    for (const v1::ProvenRecord& proven : response.policy()) {
      const absl::Status followed =
          chain->Follow(proven, log.head(), log.keys(), response.bundle_json());
      INFO(followed.ToString());
      REQUIRE(followed.ok());
    }
    if (!response.policy_continues()) {
      return polls;
    }
    REQUIRE(response.policy_size() > 0);
  }
}

TEST_CASE("Policy trail: a job whose tags read like a record's type is no part of it") {
  World world(501);
  PolicyOffice office(world);
  world.Submit(1, 1);
  const std::string type = GENERATE("approval", "key-rotated");
  const bool in_settings = GENERATE(false, true);
  CAPTURE(type, in_settings);
  v1::JobSubmitted job = world.At<v1::JobSubmitted>(world.Find("job-submitted").back());
  world.FillCommon(job.mutable_common());
  job.set_job_id("j-bbbbbbbbbbbbbbbb");
  auto& free_texts = in_settings ? *job.mutable_spec()->mutable_local()->mutable_settings()
                                 : *job.mutable_spec()->mutable_tags();
  free_texts["predicateType"] = "urn:carnet:" + type + ":v1";
  job.set_spec_sha256(ToString(*JobSpecDigest(job.spec())));
  world.Forge(job, world.user_key());
  const std::uint64_t named = world.signed_log().size() - 1;
  REQUIRE(world.signed_log().back().statement().find("\"predicateType\":\"urn:carnet:" + type) !=
          std::string::npos);

  const StoredLog stored(world);
  const SiteLog log(world);
  PolicyTrail trail;
  CHECK_FALSE(*trail.HasNews(*stored.log, named));
  CHECK(trail.Rotations(0, stored.log->Size()).empty());
  const v1::NextTaskResponse response = stored.Fill(trail, 1);
  CHECK(static_cast<std::size_t>(response.policy_size()) == log.Trail().size());
  CHECK(std::none_of(response.policy().begin(), response.policy().end(),
                     [&](const auto& proven) { return proven.proof().index() == named; }));
  PolicyChain chain = log.Begin();
  CHECK(FollowAll(stored, log, trail, &chain) == 1);
}

TEST_CASE("Policy trail: a record written with escapes is found all the same") {
  World world(502);
  PolicyOffice office(world);
  const Person ann = office.Hire(3, {"legal"});
  std::string statement = world.signed_log()[world.Find("approval").back()].statement();
  const std::string plain = "urn:carnet:approval:v1";
  statement.replace(statement.find(plain), plain.size(), "\\u0075rn:carnet:approval:v1");
  World escaped(503);
  const StoredLog before(escaped);
  v1::SignedRecord record = ledger::SignRecord(statement, world.user_key());
  REQUIRE(ledger::OpenRecord(record).ok());
  REQUIRE(before.log->Append({record}).ok());
  PolicyTrail trail;
  CHECK(*trail.HasNews(*before.log, escaped.signed_log().size()));
}

TEST_CASE("Policy trail: the bundle comes again with an activation long after its proposal") {
  World world(504);
  PolicyOffice office(world);
  const auto propose = [&](const std::string& rule) {
    json bundle = office.Json();
    PolicyOffice::Policy(bundle, "house")["rules"].push_back(
        {{"id", rule}, {"effect", "deny"}, {"when", {{"op", {{"is", "read_log"}}}}}});
    const auto next = office.Next(bundle);
    const absl::Status proposed = office.Propose(next);
    INFO(proposed.ToString());
    REQUIRE(proposed.ok());
    return ToBytes(AsText(next->sha256()));
  };
  // Twice: the oldest of 17 that wait comes into force.
  for (const char* turn : {"a", "b"}) {
    const Bytes oldest = propose(std::string(turn) + "0");
    for (int i = 1; i <= 16; ++i) {
      propose(turn + std::to_string(i));
    }
    REQUIRE(world.Do(ActivatePolicy{kOperator, oldest}).ok());
  }
  const StoredLog stored(world);
  const SiteLog log(world);
  PolicyTrail trail;
  PolicyChain chain = log.Begin();
  CHECK(FollowAll(stored, log, trail, &chain) == 2);
  CHECK(chain.in_force().revision == 3);
  CHECK(chain.in_force().sha256 == world.state().bundle->sha256());

  SECTION("and whoever knows all but the last record gets its text too") {
    const std::uint64_t last = world.Find("policy-activated").back();
    const v1::NextTaskResponse response = stored.Fill(trail, last);
    CHECK(response.policy_size() == 1);
    CHECK(response.bundle_json() == world.state().bundle->CanonicalJson());
    CHECK_FALSE(response.policy_continues());
  }
}

}  // namespace
}  // namespace carnet::coordinator
