// A worker in France with a view of its own, and the task that a World opened for it.
#ifndef CARNET_TESTS_SCENARIO_FRENCH_SITE_H_
#define CARNET_TESTS_SCENARIO_FRENCH_SITE_H_

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "scenario/site_world.h"

namespace carnet::coordinator {

// The task of the worker in France for a round that was opened, and its own view of the log.
struct FrenchSite {
  explicit FrenchSite(World& world)
      : log(world),
        chain(log.Begin()),
        identity(*crypto::SpiffeId::Worker("test.acme.example", "fr", "gaul", "fr-1")) {
    identity.keys = log.keys();
    const std::vector<std::uint64_t> trail = log.Trail();
    const absl::Status followed = log.Follow(&chain, trail);
    INFO(followed.ToString());
    REQUIRE(followed.ok());
    knowledge.home = "DE";
    knowledge.organisation = "acme";
    knowledge.region = "fr";
    knowledge.site_operator = "gaul";
    knowledge.trainer_isolated = true;
    const std::uint64_t opened = world.Find("round-opened").back();
    *task.mutable_opened() = log.Prove(opened);
    for (const char* type : {"job-submitted", "region-registered", "dataset-registered"}) {
      for (const std::uint64_t index : world.Find(type)) {
        *task.add_context() = log.Prove(index);
      }
    }
    train.opened = *ledger::OpenRecord(log.Record(opened))->As<v1::RoundOpened>();
    train.opened_index = opened;
    for (const v1::RoundMember& member : train.opened.members()) {
      if (member.worker_id() == world.worker("fr-1").id) {
        train.member = member;
      }
    }
    REQUIRE(train.member.authorisations_size() > 0);
    now = world.now();
  }

  absl::Status Check() const {
    worker::CheckedTask checked;
    checked.work = train;
    return worker::CheckSite(
        task, checked,
        {.identity = identity, .head = log.head(), .chain = chain, .site = knowledge, .now = now});
  }
  v1::Authorisation& Of(v1::Operation operation) {
    for (v1::Authorisation& authorisation : *train.member.mutable_authorisations()) {
      if (authorisation.flow().operation() == operation) {
        return authorisation;
      }
    }
    FAIL("no such flow");
    return *train.member.add_authorisations();
  }
  void Refused(const std::string& words) const {
    const absl::Status status = Check();
    INFO(status.ToString());
    CHECK(absl::IsPermissionDenied(status));
    CHECK(std::string(status.message()).find(words) != std::string::npos);
  }

  SiteLog log;
  worker::PolicyChain chain;
  worker::Identity identity;
  worker::SiteKnowledge knowledge;
  v1::Task task;
  worker::TrainTask train;
  absl::Time now;
};

inline void StartRound(World& world) {
  world.Submit(1, 1);
  world.Settle();
  REQUIRE_FALSE(world.Find("round-opened").empty());
}

}  // namespace carnet::coordinator

#endif  // CARNET_TESTS_SCENARIO_FRENCH_SITE_H_
