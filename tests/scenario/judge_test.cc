// What is thrown while a flow is judged is a denial with a reason of its own, and never a yes.
#include "coordinator/core/judge.h"

#include <catch2/catch.hpp>
#include <new>
#include <stdexcept>

#include "scenario/world.h"

namespace carnet::coordinator {
namespace {

using policies::Words;

policies::FactSet Gather(const State& state, const FlowContext& flow, absl::Time at) {
  return Facts(state, flow, at);
}

// Says yes, in more bytes than a record can hold, as long as words are asked for.
v1::Decision LongYes(Words words) {
  v1::Decision decision;
  decision.set_verdict(v1::VERDICT_ALLOW);
  if (words == Words::kWritten) {
    decision.set_evaluator(policies::kEvaluatorVersion);
    decision.add_warnings()->set_because(std::string(kDecisionBytesMax, 'x'));
  }
  return decision;
}

FlowContext ModelFor(const World& world, const std::string& job) {
  return SendModelFlows(world.state(), world.state().jobs.at(job),
                        world.state().workers.at(world.worker("fr-1").id))
      .front();
}

void ExpectDenied(const World& world, const FlowContext& flow, const JudgeParts& parts,
                  const char* reason) {
  for (const Words words : {Words::kWritten, Words::kLeftOut}) {
    const Judged judged = JudgeBy(parts, world.state(), flow, world.now(), words);
    CHECK(judged.in_error);
    CHECK(judged.decision.verdict() == v1::VERDICT_DENY);
    REQUIRE(judged.decision.failures_size() == 1);
    CHECK(judged.decision.failures(0).reason() == reason);
    CHECK_FALSE(judged.decision.failures(0).because().empty());
    CHECK_FALSE(judged.decision.failures(0).hold());
    CHECK(judged.decision.rules().empty());
    CHECK(judged.decision.obligations().empty());
    CHECK(judged.decision.reservations().empty());
    CHECK(judged.decision.facts_sha256() == ToString(judged.facts.Sha256()));
    CHECK(IsInError(judged.decision));
  }
}

TEST_CASE("Judge: what is thrown while facts are gathered is a denial, whatever it is") {
  World world(980);
  const FlowContext flow = ModelFor(world, world.Submit(1, 1));
  REQUIRE(Judge(world.state(), flow, world.now(), Words::kWritten).decision.verdict() ==
          v1::VERDICT_ALLOW);
  SECTION("an exception of the library") {
    ExpectDenied(world, flow,
                 {[](const State&, const FlowContext&, absl::Time) -> policies::FactSet {
                    throw std::runtime_error("gather");
                  },
                  policies::Evaluate},
                 kFactsError);
  }
  SECTION("anything else") {
    ExpectDenied(world, flow,
                 {[](const State&, const FlowContext&, absl::Time) -> policies::FactSet {
                    throw 7;  // NOLINT: the point is that it is no exception
                  },
                  policies::Evaluate},
                 kFactsError);
  }
}

TEST_CASE("Judge: what is thrown during the evaluation is a denial, whatever it is") {
  World world(981);
  const FlowContext flow = ModelFor(world, world.Submit(1, 1));
  SECTION("an exception of the library") {
    ExpectDenied(world, flow,
                 {Gather,
                  [](const policies::Bundle&, const policies::FactSet&, absl::Time,
                     Words) -> v1::Decision { throw std::bad_alloc(); }},
                 kBundleError);
  }
  SECTION("anything else") {
    ExpectDenied(
        world, flow,
        {Gather,
         [](const policies::Bundle&, const policies::FactSet&, absl::Time, Words) -> v1::Decision {
           throw "neither";  // NOLINT: the point is that it is no exception
         }},
        kBundleError);
  }
}

TEST_CASE("Judge: a yes that was at hand when something was thrown is a denial") {
  World world(982);
  const FlowContext flow = ModelFor(world, world.Submit(1, 1));
  // The words do not fit, and the evaluation without them throws.
  const JudgeParts parts{
      Gather, [](const policies::Bundle&, const policies::FactSet&, absl::Time, Words words) {
        if (words == Words::kLeftOut) {
          throw std::runtime_error("again");
        }
        return LongYes(words);
      }};
  CHECK(LongYes(Words::kWritten).verdict() == v1::VERDICT_ALLOW);
  ExpectDenied(world, flow, parts, kBundleError);
}

TEST_CASE("Judge: by its own parts it is the judgement") {
  World world(983);
  const FlowContext flow = ModelFor(world, world.Submit(1, 1));
  const JudgeParts parts{Gather, policies::Evaluate};
  CHECK(JudgeBy(parts, world.state(), flow, world.now(), Words::kWritten)
            .decision.SerializeAsString() ==
        Judge(world.state(), flow, world.now(), Words::kWritten).decision.SerializeAsString());
}

}  // namespace
}  // namespace carnet::coordinator
