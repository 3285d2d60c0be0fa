#include "worker/trainers/protocol.h"

#include <catch2/catch.hpp>
#include <limits>
#include <sstream>

#include "tests/unit/trainers/talk.h"

namespace carnet::trainers {
namespace {

// Accepts everything and returns what it was told to.
class ScriptedTrainer : public Trainer {
 public:
  std::string Name() const override { return "scripted"; }
  std::string Version() const override { return "2.5"; }
  absl::Status Start(const StartRequest& request) override {
    started_with = request;
    return start_result;
  }
  absl::StatusOr<FitResult> Fit(const FitRequest& request, const ProgressSink& progress) override {
    fitted_with = request;
    progress({3, request.steps, 0.5});
    if (throws) {
      throw std::runtime_error("from a library");
    }
    return fit_result;
  }
  absl::StatusOr<EvaluateResult> Evaluate(const EvaluateRequest&) override {
    return EvaluateResult{7, {{"accuracy", 0.75}}};
  }
  absl::Status Checkpoint(const std::string& to) override {
    checkpointed_to = to;
    return absl::OkStatus();
  }

  absl::Status start_result;
  FitResult fit_result{12, 3, {{"loss", 0.25}}};
  bool throws = false;
  StartRequest started_with;
  FitRequest fitted_with;
  std::string checkpointed_to;
};

constexpr char kStart[] =
    R"({"op":"start","job":"j","protocol":1,"layout":"l.json","settings":{"a":1},"device":"auto"})"
    "\n";
constexpr char kFit[] =
    R"({"op":"fit","round":7,"parameters":"in","delta":"out","data":["a","b"],"steps":9,"seed":18446744073709551615})"
    "\n";
constexpr char kStop[] = "{\"op\":\"stop\"}\n";

struct Served {
  TrainerExit exit = TrainerExit::kInputEnded;
  std::string out;
};

Served Serve(Trainer& trainer, const std::string& text) {
  std::istringstream in(text);
  std::ostringstream out;
  const TrainerExit exit = ServeTrainer(trainer, in, out);
  return {exit, out.str()};
}

TEST_CASE("Trainer protocol: start, fit, evaluate, checkpoint and stop answer as specified") {
  ScriptedTrainer trainer;
  const Served served =
      Serve(trainer, std::string(kStart) + kFit +
                         "{\"op\":\"evaluate\",\"parameters\":\"in\",\"data\":[\"g\"]}\n"
                         "{\"op\":\"checkpoint\",\"to\":\"ckpt/\"}\n" +
                         kStop);
  CHECK(served.exit == TrainerExit::kStopped);
  CHECK(served.out ==
        "{\"ok\":true,\"trainer\":\"scripted\",\"version\":\"2.5\"}\n"
        "{\"progress\":{\"loss\":0.5,\"of\":9,\"step\":3}}\n"
        "{\"done\":{\"examples\":12,\"metrics\":{\"loss\":0.25},\"steps\":3}}\n"
        "{\"done\":{\"examples\":7,\"metrics\":{\"accuracy\":0.75}}}\n"
        "{\"done\":{}}\n");
  CHECK(trainer.started_with.settings == nlohmann::json{{"a", 1}});
  CHECK(trainer.fitted_with.round == 7);
  CHECK(trainer.fitted_with.data_paths == std::vector<std::string>{"a", "b"});
  CHECK(trainer.fitted_with.seed == std::numeric_limits<std::uint64_t>::max());
  CHECK(trainer.checkpointed_to == "ckpt/");
}

TEST_CASE("Trainer protocol: a line that breaks it is answered and ends the trainer with 2") {
  const std::string bad = GENERATE(
      as<std::string>(),  //
      "", "not json", "[]", "\"start\"", "{}", "{\"op\":5}", "{\"op\":\"dance\"}",
      "{\"op\":\"stop\",\"now\":true}", "{\"op\":\"stop\"} trailing",
      "{\"op\":\"stop\",\"op\":\"stop\"}", "{\"op\":\"checkpoint\"}",
      "{\"op\":\"checkpoint\",\"to\":\"\"}", "{\"op\":\"checkpoint\",\"to\":\"a\\u0000b\"}",
      "{\"op\":\"checkpoint\",\"to\":\"\xFF\"}");
  CAPTURE(bad);
  ScriptedTrainer trainer;
  const Served served = Serve(trainer, std::string(kStart) + bad + "\n" + kFit);
  CHECK(served.exit == TrainerExit::kProtocol);
  CHECK(served.out.find("\"code\":\"protocol\"") != std::string::npos);
  CHECK(trainer.fitted_with.steps == 0);
}

TEST_CASE("Trainer protocol: each field of fit has its type and range") {
  const std::string bad = GENERATE(
      as<std::string>(),
      R"({"op":"fit","parameters":"in","delta":"out","data":["a"],"steps":9,"seed":1})",
      R"({"op":"fit","round":-1,"parameters":"in","delta":"out","data":["a"],"steps":9,"seed":1})",
      R"({"op":"fit","round":1,"parameters":5,"delta":"out","data":["a"],"steps":9,"seed":1})",
      R"({"op":"fit","round":1,"parameters":"in","delta":"out","data":[],"steps":9,"seed":1})",
      R"({"op":"fit","round":1,"parameters":"in","delta":"out","data":"a","steps":9,"seed":1})",
      R"({"op":"fit","round":1,"parameters":"in","delta":"out","data":["a"],"steps":0,"seed":1})",
      R"({"op":"fit","round":1,"parameters":"in","delta":"out","data":["a"],"steps":1.5,"seed":1})",
      R"({"op":"fit","round":1,"parameters":"in","delta":"out","data":["a"],"steps":1000000001,"seed":1})",
      R"({"op":"fit","round":1,"parameters":"in","delta":"out","data":["a"],"steps":9,"seed":18446744073709551616})",
      R"({"op":"fit","round":1,"parameters":"in","delta":"out","data":["a"],"steps":9,"seed":1,"more":1})");
  CAPTURE(bad);
  ScriptedTrainer trainer;
  CHECK(Serve(trainer, std::string(kStart) + bad + "\n").exit == TrainerExit::kProtocol);
}

TEST_CASE("Trainer protocol: start comes first, once, and in protocol 1") {
  ScriptedTrainer trainer;
  CHECK(Serve(trainer, kFit).exit == TrainerExit::kProtocol);
  CHECK(Serve(trainer, std::string(kStart) + kStart).exit == TrainerExit::kProtocol);
  const std::string version_2 =
      R"({"op":"start","job":"j","protocol":2,"layout":"l","settings":{},"device":"auto"})";
  CHECK(Serve(trainer, version_2 + "\n").exit == TrainerExit::kProtocol);
  const std::string list_settings =
      R"({"op":"start","job":"j","protocol":1,"layout":"l","settings":[],"device":"auto"})";
  CHECK(Serve(trainer, list_settings + "\n").exit == TrainerExit::kProtocol);
}

TEST_CASE(
    "Trainer protocol: a failed request leaves the trainer there, a failed start may be repeated") {
  ScriptedTrainer trainer;
  trainer.start_result = TrainerError(ErrorCode::kSettings, "learning_rate: is required");
  const Served refused = Serve(trainer, std::string(kStart) + kStart + kStop);
  CHECK(refused.exit == TrainerExit::kStopped);
  const std::string line =
      "{\"error\":{\"code\":\"settings\",\"message\":\"learning_rate: is required\"}}\n";
  CHECK(refused.out == line + line);
}

TEST_CASE("Trainer protocol: a metric that is not finite never leaves as a number") {
  ScriptedTrainer trainer;
  trainer.fit_result.metrics["loss"] = std::numeric_limits<double>::quiet_NaN();
  const Served served = Serve(trainer, std::string(kStart) + kFit + kStop);
  CHECK(served.exit == TrainerExit::kStopped);
  CHECK(served.out.find("not-finite") != std::string::npos);
  CHECK(served.out.find("done") == std::string::npos);
}

TEST_CASE("Trainer protocol: an exception below becomes an internal error") {
  ScriptedTrainer trainer;
  trainer.throws = true;
  const Served served = Serve(trainer, std::string(kStart) + kFit + kStop);
  CHECK(served.exit == TrainerExit::kStopped);
  CHECK(served.out.find("\"code\":\"internal\"") != std::string::npos);
  CHECK(served.out.find("from a library") == std::string::npos);
}

TEST_CASE("Trainer protocol: lines are bounded and nesting too") {
  ScriptedTrainer trainer;
  CHECK(Serve(trainer, std::string(kLineBytesMax + 1, ' ')).exit == TrainerExit::kProtocol);
  std::string padded = kStop;
  padded.insert(0, kLineBytesMax - padded.size() + 1, ' ');
  CHECK(Serve(trainer, padded).exit == TrainerExit::kStopped);
  const std::string deep = std::string(100000, '[') + std::string(100000, ']');
  CHECK(Serve(trainer, "{\"op\":" + deep + "}\n").exit == TrainerExit::kProtocol);
}

TEST_CASE("Trainer protocol: the end of the input without stop is told apart by its exit code") {
  ScriptedTrainer trainer;
  CHECK(Serve(trainer, kStart).exit == TrainerExit::kInputEnded);
  CHECK(Serve(trainer, "").exit == TrainerExit::kInputEnded);
}

TEST_CASE("Trainer protocol: an unknown built-in is refused") {
  const Talk talk = TalkInText("resnet", kStop);
  CHECK(talk.exit_code == 2);
  CHECK(talk.ErrorCode() == "unsupported");
}

TEST_CASE("Trainer errors: every code has one word and survives the way through a status") {
  for (const char* word : {"protocol", "unsupported", "settings", "layout", "parameters", "data",
                           "not-finite", "io", "internal"}) {
    bool found = false;
    for (int code = 0; code <= static_cast<int>(ErrorCode::kInternal); ++code) {
      const auto error_code = static_cast<ErrorCode>(code);
      found = found || ErrorWord(error_code) == word;
      CHECK(ErrorCodeOf(TrainerError(error_code, "m")) == error_code);
    }
    CHECK(found);
  }
  CHECK(ErrorCodeOf(absl::NotFoundError("m")) == ErrorCode::kInternal);
}

}  // namespace
}  // namespace carnet::trainers
