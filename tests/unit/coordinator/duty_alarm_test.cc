#include "coordinator/duty_alarm.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/log.h"
#include "scenario/world.h"

namespace carnet::coordinator {
namespace {

constexpr char kTwoDuties[] =
    "policy: after\nkind: guardrail\ntitle: T\n"
    "approvals: {propose: [dpo], need: 1, from: [dpo]}\neffective: {from: 2026-01-01}\nrules:\n"
    "  - id: files\n    effect: require\n"
    "    when: {op: {is: send_model}, to.jurisdiction: {is: SG}}\n    require:\n"
    "      - {id: dossier, phase: post, duty: File it., of: legal, within: 2d}\n"
    "      - {id: notice, phase: post, duty: Tell them., of: legal, within: 30d}\n";

// A federation with these duties, and what is told of them while it lives.
struct Stage {
  explicit Stage(std::uint64_t seed) : world(seed, {kTwoDuties}) {
    SetLogSink([this](absl::string_view line) { lines.emplace_back(line); });
  }
  ~Stage() { SetLogSink(nullptr); }

  // What a look says for the first time: lines of the log about late duties.
  std::vector<nlohmann::json> Look(DutyAlarm& alarm) {
    lines.clear();
    alarm.Look(world.state(), metrics);
    std::vector<nlohmann::json> told;
    for (const std::string& line : lines) {
      nlohmann::json entry = nlohmann::json::parse(line);
      if (entry["event"] == "policy.duty-late") {
        told.push_back(std::move(entry));
      }
    }
    return told;
  }
  bool Shows(const std::string& state, int duties) const {
    return absl::StrContains(metrics.ExpositionText(), absl::StrCat("carnet_policy_duties{state=\"",
                                                                    state, "\"} ", duties, "\n"));
  }
  void BecomeLate() {
    world.Advance(absl::Hours(49));
    REQUIRE(world.Do(RecordLateDuties{}).ok());
    REQUIRE(world.Find("obligation-late").size() == 1);
  }
  void Meet(const std::string& rule) {
    const auto& duties = world.state().duties;
    const auto duty = std::find_if(duties.begin(), duties.end(), [&](const auto& each) {
      return each.second.terms.rule() == rule;
    });
    REQUIRE(duty != duties.end());
    REQUIRE(world.Do(MeetObligation{kOperator, duty->first, world.Random(32)}).ok());
  }

  World world;
  Metrics metrics;
  std::vector<std::string> lines;
};

TEST_CASE("Duty alarm: a duty is open, then late and told once, then met and gone") {
  Stage stage(990);
  DutyAlarm alarm;
  CHECK(stage.Look(alarm).empty());
  CHECK(stage.Shows("open", 0));
  CHECK(stage.Shows("late", 0));
  stage.world.Submit(2, 2);
  stage.world.Settle();
  REQUIRE(stage.world.Find("obligation-due").size() == 2);
  CHECK(stage.Look(alarm).empty());
  CHECK(stage.Shows("open", 2));

  stage.BecomeLate();
  const std::uint64_t late = stage.world.Find("obligation-late").front();
  const std::vector<nlohmann::json> told = stage.Look(alarm);
  REQUIRE(told.size() == 1);
  CHECK(told[0]["level"] == "error");
  CHECK(told[0]["rule"] == "after/files.dossier");
  CHECK(told[0]["record"] == late);
  CHECK(told[0]["duty"] == stage.world.At<v1::ObligationLate>(late).obligation_id());
  CHECK(stage.Shows("open", 1));
  CHECK(stage.Shows("late", 1));
  CHECK(stage.Look(alarm).empty());

  stage.Meet("after/files.dossier");
  CHECK(stage.Look(alarm).empty());
  CHECK(stage.Shows("open", 1));
  CHECK(stage.Shows("late", 0));
  stage.Meet("after/files.notice");
  CHECK(stage.Look(alarm).empty());
  CHECK(stage.Shows("open", 0));
}

TEST_CASE("Duty alarm: a duty that is met in time is never told") {
  Stage stage(991);
  DutyAlarm alarm;
  stage.world.Submit(2, 2);
  stage.world.Settle();
  stage.Meet("after/files.dossier");
  stage.world.Advance(absl::Hours(49));
  REQUIRE(stage.world.Do(RecordLateDuties{}).ok());
  CHECK(stage.world.Find("obligation-late").empty());
  CHECK(stage.Look(alarm).empty());
  CHECK(stage.Shows("open", 1));
  CHECK(stage.Shows("late", 0));
}

TEST_CASE("Duty alarm: who starts anew hears of what is late and not met") {
  Stage stage(992);
  stage.world.Submit(2, 2);
  stage.world.Settle();
  stage.BecomeLate();
  DutyAlarm before;
  CHECK(stage.Look(before).size() == 1);
  DutyAlarm after;
  CHECK(stage.Look(after).size() == 1);
  stage.Meet("after/files.dossier");
  DutyAlarm again;
  CHECK(stage.Look(again).empty());
}

}  // namespace
}  // namespace carnet::coordinator
