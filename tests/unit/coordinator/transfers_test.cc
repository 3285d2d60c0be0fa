// coordinator/rpc/stream_turn.h, transfers.h: who ends a stream, and that no change is missed.
#include "coordinator/rpc/transfers.h"

#include <catch2/catch.hpp>

#include "coordinator/core/release.h"
#include "coordinator/core/tasks.h"
#include "coordinator/rpc/stream_turn.h"
#include "scenario/policy_office.h"
#include "scenario/world.h"

namespace carnet::coordinator {
namespace {

using Next = StreamTurn::Next;

const absl::Status kCutStatus = absl::PermissionDeniedError("cut: refused");

// Starts an operation; whether it began.
bool Begins(StreamTurn& turn, Next* next = nullptr) {
  bool started = false;
  const Next given = turn.Start([&started] { started = true; });
  CHECK(started == (given == Next::kStarted));
  if (next != nullptr) {
    *next = given;
  }
  return started;
}

struct FakeStream final : Transfer {
  std::string Artifact() const override { return artifact; }
  std::uint64_t Stop() override {
    ++stops;
    return bytes;
  }
  void Cut(const absl::Status& why, bool drop) override { cuts.emplace_back(why, drop); }
  void Abort() override { ++aborts; }

  std::string artifact;
  std::uint64_t bytes = 0;
  int stops = 0;
  int aborts = 0;
  std::vector<std::pair<absl::Status, bool>> cuts;
};

// A job with an open round, in which sg-1 uploads.
struct Stage {
  explicit Stage(std::uint64_t seed) : world(seed) {
    job = world.Submit(2, 1);
    world.Settle();
  }
  TransferName NameOf(const std::string& slot, bool upload) const {
    const std::string id = world.worker(slot).id;
    const auto tasks = TasksFor(world.state(), id, world.now());
    REQUIRE(tasks.size() == 1);
    const v1::Ticket& ticket = upload ? tasks.front().upload : tasks.front().download;
    return {id, TaskId(tasks.front().name), ticket.ticket_id(), upload};
  }
  std::vector<Engine::Urgent> Look() { return transfers.Look(world.state(), world.now()); }
  // Decides what the registry asks for, as the engine would, and lets it know.
  void Decide(std::vector<Engine::Urgent> urgent) {
    for (Engine::Urgent& each : urgent) {
      const auto decided = world.Do(std::move(each.body));
      Answer answer;
      if (decided.ok()) {
        answer.index = decided->answer_index;
      }
      each.callback(decided.ok() ? absl::StatusOr<Answer>(answer) : decided.status());
    }
  }
  void Revoke(const std::string& slot) {
    REQUIRE(world.Do(RevokeWorker{kOperator, world.worker(slot).id, "operator"}).ok());
  }

  World world;
  std::string job;
  Metrics metrics;
  Transfers transfers{absl::Seconds(5), metrics};
};

}  // namespace

TEST_CASE("StreamTurn: operations and work take turns until our work ends the stream") {
  StreamTurn turn;
  CHECK(Begins(turn));
  CHECK(turn.Back());
  CHECK(Begins(turn));
  CHECK(turn.Back());
  CHECK(turn.End(absl::OkStatus()) == absl::OkStatus());
  CHECK(!turn.End(absl::OkStatus()).has_value());
  CHECK(!turn.Cut(kCutStatus));
  CHECK(!Begins(turn));
}

TEST_CASE("StreamTurn: a stopped stream starts nothing, and is ended by its cut") {
  StreamTurn turn;
  SECTION("while an operation is outstanding") {
    CHECK(Begins(turn));
    turn.Stop();
    CHECK(!turn.Back());
    CHECK(turn.Cut(kCutStatus));
  }
  SECTION("while work is under way") {
    turn.Stop();
    Next next = Next::kStarted;
    CHECK(!Begins(turn, &next));
    CHECK(next == Next::kParked);
    CHECK(turn.Cut(kCutStatus));
  }
  SECTION("when work wants to end it") {
    turn.Stop();
    CHECK(!turn.End(absl::OkStatus()).has_value());
    CHECK(turn.Cut(kCutStatus));
  }
  CHECK(turn.End(kCutStatus) == kCutStatus);
  CHECK(!turn.Back());
}

TEST_CASE("StreamTurn: a cut leaves the end to work under way, and takes it from gRPC") {
  StreamTurn turn;
  SECTION("work goes on to the next operation") {
    CHECK(!turn.Cut(kCutStatus));
    Next next = Next::kStarted;
    CHECK(!Begins(turn, &next));
    CHECK(next == Next::kEnd);
    CHECK(turn.End(absl::OkStatus()) == kCutStatus);
  }
  SECTION("work ends by itself") {
    CHECK(!turn.Cut(kCutStatus));
    CHECK(turn.End(absl::OkStatus()) == kCutStatus);
  }
  SECTION("an operation is outstanding") {
    CHECK(Begins(turn));
    CHECK(turn.Cut(kCutStatus));
    CHECK(!turn.Back());
    CHECK(turn.End(absl::OkStatus()) == kCutStatus);
    CHECK(!turn.Back());
  }
}

TEST_CASE("Transfers: what may move is let alone") {
  Stage stage(141);
  FakeStream stream;
  auto begun = stage.transfers.Begin(stage.NameOf("sg-1", true), stream, stage.world.state(),
                                     stage.world.now());
  CHECK(begun.urgent.empty());
  CHECK(stage.Look().empty());
  CHECK(stream.stops == 0);
  CHECK(stage.transfers.active() == 1);
  begun.place.reset();
  CHECK(stage.transfers.active() == 0);
}

TEST_CASE("Transfers: a change stops the stream at once, and ends it when that is on record") {
  Stage stage(142);
  FakeStream stream;
  stream.bytes = 77;
  const auto begun = stage.transfers.Begin(stage.NameOf("sg-1", true), stream, stage.world.state(),
                                           stage.world.now());
  CHECK(stage.Look().empty());
  stage.Revoke("sg-1");
  auto urgent = stage.Look();
  REQUIRE(urgent.size() == 1);
  CHECK(stream.stops == 1);
  CHECK(stream.cuts.empty());
  CHECK(stage.Look().empty());  // asked once
  stage.Decide(std::move(urgent));
  REQUIRE(stream.cuts.size() == 1);
  CHECK(stream.cuts[0].first == absl::PermissionDeniedError("cut: worker-revoked"));
  CHECK(stream.cuts[0].second);
  const auto& record = stage.world.At<v1::TransferCut>(stage.world.Find("transfer-cut").back());
  CHECK(record.bytes_crossed() == 77);
  CHECK(stage.metrics.ExpositionText().find(
            "carnet_transfers_cut_total{reason=\"worker-revoked\"} 1") != std::string::npos);
}

TEST_CASE("Transfers: what ends by time alone is cut without a record, at the next look") {
  Stage stage(153);
  const absl::Duration life = absl::Minutes(5);  // of the bundle; the ticket's is 10 minutes
  PolicyOffice office(stage.world);
  nlohmann::json json = office.Json();
  PolicyOffice::Policy(json, "house")["rules"].push_back(nlohmann::json::parse(
      R"({"id": "stop", "effect": "deny", "when": {"from.jurisdiction": {"is": "NZ"}}})"));
  REQUIRE(office.Propose(office.Next(json, absl::ZeroDuration(), life)).ok());
  stage.world.Settle();
  REQUIRE(stage.world.state().bundle->revision() == 2);
  FakeStream stream;
  stream.bytes = 9;
  const auto begun = stage.transfers.Begin(stage.NameOf("sg-1", true), stream, stage.world.state(),
                                           stage.world.now());
  REQUIRE(begun.urgent.empty());
  stage.world.Advance(life - absl::Seconds(1));
  CHECK(stage.Look().empty());
  stage.world.Advance(absl::Seconds(4));
  CHECK(stage.Look().empty());  // looked at a moment ago
  CHECK(stream.stops == 0);
  stage.world.Advance(absl::Seconds(1));
  auto urgent = stage.Look();
  REQUIRE(urgent.size() == 1);
  stage.Decide(std::move(urgent));
  REQUIRE(stream.cuts.size() == 1);
  CHECK(stream.cuts[0].first == absl::PermissionDeniedError("cut: refused"));
  const auto& record = stage.world.At<v1::TransferCut>(stage.world.Find("transfer-cut").back());
  CHECK(record.bytes_crossed() == 9);
}

TEST_CASE("Transfers: a stream that begins while the change is applied is caught") {
  Stage stage(143);
  const TransferName name = stage.NameOf("sg-1", true);
  stage.Revoke("sg-1");
  CHECK(stage.Look().empty());  // the change has been looked at before the stream began
  FakeStream stream;
  auto begun = stage.transfers.Begin(name, stream, stage.world.state(), stage.world.now());
  REQUIRE(begun.urgent.size() == 1);
  stage.Decide(std::move(begun.urgent));
  CHECK(stream.cuts.size() == 1);
}

TEST_CASE("Transfers: two streams under one ticket are cut by one record, with the further one") {
  Stage stage(144);
  FakeStream near;
  FakeStream far;
  near.bytes = 10;
  far.bytes = 90;
  const TransferName name = stage.NameOf("fr-1", false);
  const auto first = stage.transfers.Begin(name, near, stage.world.state(), stage.world.now());
  const auto second = stage.transfers.Begin(name, far, stage.world.state(), stage.world.now());
  stage.Revoke("fr-1");
  auto urgent = stage.Look();
  REQUIRE(urgent.size() == 1);
  stage.Decide(std::move(urgent));
  CHECK(near.cuts.size() == 1);
  CHECK(far.cuts.size() == 1);
  REQUIRE(stage.world.Find("transfer-cut").size() == 1);
  CHECK(stage.world.At<v1::TransferCut>(stage.world.Find("transfer-cut")[0]).bytes_crossed() == 90);
}

TEST_CASE("Transfers: what crossed of several uploads under one ticket adds up") {
  Stage stage(149);
  FakeStream first;
  FakeStream again;
  FakeStream other;
  first.artifact = again.artifact = "a";
  other.artifact = "b";
  first.bytes = 10;
  again.bytes = 30;
  other.bytes = 5;
  const TransferName name = stage.NameOf("fr-1", true);
  const auto begin = [&](FakeStream& stream) {
    return stage.transfers.Begin(name, stream, stage.world.state(), stage.world.now());
  };
  const auto one = begin(first);
  const auto two = begin(again);
  const auto three = begin(other);
  stage.Revoke("fr-1");
  stage.Decide(stage.Look());
  REQUIRE(stage.world.Find("transfer-cut").size() == 1);
  CHECK(stage.world.At<v1::TransferCut>(stage.world.Find("transfer-cut")[0]).bytes_crossed() == 35);
}

// A staging from fr-1 to home-1, both halves under way.
struct BothHalves {
  explicit BothHalves(Stage& from) : stage(from) {
    REQUIRE(stage.world.Do(StageData{kOperator, "digits", "fr", "home-1", stage.world.live}).ok());
    up.bytes = 50;
    down.bytes = 20;
    const State& state = stage.world.state();
    first = stage.transfers.Begin(Half("fr-1", true), up, state, stage.world.now());
    second = stage.transfers.Begin(Half("home-1", false), down, state, stage.world.now());
  }
  TransferName Half(const std::string& slot, bool upload) const {
    const std::string& id = stage.world.state().stagings.begin()->first;
    return {stage.world.worker(slot).id,
            TaskId({upload ? v1::TASK_KIND_SEND_SHARD : v1::TASK_KIND_RECEIVE_SHARD, id, 0, 0}), id,
            upload};
  }
  const v1::TransferCut& Cut() const {
    REQUIRE(stage.world.Find("transfer-cut").size() == 1);
    return stage.world.At<v1::TransferCut>(stage.world.Find("transfer-cut")[0]);
  }

  Stage& stage;
  FakeStream up;
  FakeStream down;
  Transfers::Begun first;
  Transfers::Begun second;
};

TEST_CASE("Transfers: both halves of a staging end with one record, when it is durable") {
  Stage stage(150);
  BothHalves halves(stage);
  std::string reason;
  std::string direction;
  SECTION("both are forbidden: what reached the receiver is on record") {
    REQUIRE(stage.world.Do(WithdrawShard{kOperator, "digits", "fr", "licence-ended"}).ok());
    reason = "shard-withdrawn";
    direction = "download";
  }
  SECTION("one of them is: that one is") {
    stage.Revoke("fr-1");
    reason = "worker-revoked";
    direction = "upload";
  }
  auto urgent = stage.Look();
  REQUIRE(urgent.size() == 1);
  CHECK(halves.up.stops == 1);
  CHECK(halves.down.stops == 1);
  CHECK(halves.up.cuts.empty());
  CHECK(halves.down.cuts.empty());
  stage.Decide(std::move(urgent));
  for (const FakeStream* half : {&halves.up, &halves.down}) {
    REQUIRE(half->cuts.size() == 1);
    CHECK(half->cuts[0].first == absl::PermissionDeniedError("cut: " + reason));
    CHECK(half->cuts[0].second);
  }
  CHECK(halves.Cut().direction() == direction);
  CHECK(halves.Cut().bytes_crossed() == (direction == "upload" ? 50 : 20));
  CHECK(stage.world.Find("staging-abandoned").size() == 1);
}

TEST_CASE("Transfers: a stream that begins while the cut of its ticket is under way shares it") {
  Stage stage(151);
  const TransferName name = stage.NameOf("sg-1", true);
  FakeStream stream;
  const auto begun = stage.transfers.Begin(name, stream, stage.world.state(), stage.world.now());
  stage.Revoke("sg-1");
  auto urgent = stage.Look();
  REQUIRE(urgent.size() == 1);
  FakeStream late;
  const auto other = stage.transfers.Begin(name, late, stage.world.state(), stage.world.now());
  CHECK(other.urgent.empty());
  CHECK(late.stops == 1);
  stage.Decide(std::move(urgent));
  CHECK(stream.cuts.size() == 1);
  REQUIRE(late.cuts.size() == 1);
  CHECK(late.cuts[0].first == absl::PermissionDeniedError("cut: worker-revoked"));
}

TEST_CASE("Transfers: a model on its way to a person is cut with what allowed it") {
  Stage stage(152);
  for (const char* slot : {"fr-1", "sg-1", "ae-1"}) {
    if (stage.world.state().jobs.at(stage.job).round->labels.count(stage.world.worker(slot).id) !=
        0) {
      REQUIRE(stage.world.Do(stage.world.Contribute(stage.job, slot)).ok());
    }
  }
  stage.world.Settle();
  const auto released = stage.world.Do(ReleaseModel{kOperator, stage.job, 1});
  REQUIRE(released.ok());
  REQUIRE(released->answer.ok());
  FakeStream stream;
  stream.bytes = 33;
  const auto begun = stage.transfers.Begin({"", "", ReleaseTicket(*released->answer_index), false},
                                           stream, stage.world.state(), stage.world.now());
  CHECK(begun.urgent.empty());
  CHECK(stage.Look().empty());
  SECTION("a shard behind it is withdrawn") {
    const std::string shard = stage.world.At<v1::Release>(*released->answer_index).shards(0);
    REQUIRE(stage.world
                .Do(WithdrawShard{kOperator, "digits", shard.substr(shard.find('/') + 1),
                                  "licence-ended"})
                .ok());
    stage.Decide(stage.Look());
    REQUIRE(stream.cuts.size() == 1);
    CHECK(stream.cuts[0].first == absl::PermissionDeniedError("cut: shard-withdrawn"));
    const auto& cut = stage.world.At<v1::TransferCut>(stage.world.Find("transfer-cut").back());
    CHECK(cut.bytes_crossed() == 33);
    CHECK(cut.worker_id().empty());
  }
  SECTION("its day is over, which no record says") {
    stage.world.Advance(kReleaseLife);
    CHECK(stage.Look().empty());
    REQUIRE(stream.cuts.size() == 1);
    CHECK(stream.cuts[0].first.code() == absl::StatusCode::kFailedPrecondition);
    CHECK(stage.world.Find("transfer-cut").empty());
  }
}

TEST_CASE("Transfers: both directions of one worker are cut, each with its record") {
  Stage stage(145);
  FakeStream up;
  FakeStream down;
  const auto first =
      stage.transfers.Begin(stage.NameOf("fr-1", true), up, stage.world.state(), stage.world.now());
  const auto second = stage.transfers.Begin(stage.NameOf("fr-1", false), down, stage.world.state(),
                                            stage.world.now());
  stage.Revoke("fr-1");
  stage.Decide(stage.Look());
  CHECK(up.cuts.size() == 1);
  CHECK(down.cuts.size() == 1);
  CHECK(stage.world.Find("transfer-cut").size() == 2);
}

TEST_CASE("Transfers: time alone is looked at, and what is over ends without a record") {
  Stage stage(146);
  FakeStream stream;
  const auto begun = stage.transfers.Begin(stage.NameOf("sg-1", true), stream, stage.world.state(),
                                           stage.world.now());
  CHECK(stage.Look().empty());
  stage.world.Advance(absl::Hours(24 * 31));  // past the round's deadline; no record says so
  CHECK(stage.Look().empty());
  REQUIRE(stream.cuts.size() == 1);
  CHECK(stream.cuts[0].first.code() == absl::StatusCode::kFailedPrecondition);
  CHECK(!stream.cuts[0].second);
  CHECK(stage.world.Find("transfer-cut").empty());
}

TEST_CASE("Transfers: a peer that takes no end is cut off at the next look") {
  Stage stage(147);
  FakeStream stream;
  const auto begun = stage.transfers.Begin(stage.NameOf("sg-1", true), stream, stage.world.state(),
                                           stage.world.now());
  stage.Revoke("sg-1");
  stage.Decide(stage.Look());
  REQUIRE(stream.cuts.size() == 1);
  CHECK(stream.aborts == 0);
  stage.world.Advance(absl::Seconds(5));
  CHECK(stage.Look().empty());
  CHECK(stream.aborts == 1);
}

TEST_CASE("Transfers: a cut that is not put on record lets the peer resume and keeps what came") {
  Stage stage(148);
  FakeStream stream;
  const auto begun = stage.transfers.Begin(stage.NameOf("sg-1", true), stream, stage.world.state(),
                                           stage.world.now());
  stage.Revoke("sg-1");
  auto urgent = stage.Look();
  REQUIRE(urgent.size() == 1);
  urgent[0].callback(absl::UnavailableError("the coordinator is stopping"));
  REQUIRE(stream.cuts.size() == 1);
  CHECK(stream.cuts[0].first.code() == absl::StatusCode::kUnavailable);
  CHECK(!stream.cuts[0].second);
}

}  // namespace carnet::coordinator
