#include "worker/trainers/protocol.h"

#include <cmath>
#include <cstddef>
#include <istream>
#include <limits>
#include <ostream>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "worker/trainers/line_reader.h"

namespace carnet::trainers {
namespace {

using nlohmann::json;

constexpr char kErrorCodePayload[] = "carnet/trainer-error";
constexpr std::size_t kMetricNameBytesMax = 64;

struct ErrorName {
  ErrorCode code;
  const char* word;
};
constexpr ErrorName kErrorNames[] = {
    {ErrorCode::kProtocol, "protocol"},     {ErrorCode::kUnsupported, "unsupported"},
    {ErrorCode::kSettings, "settings"},     {ErrorCode::kLayout, "layout"},
    {ErrorCode::kParameters, "parameters"}, {ErrorCode::kData, "data"},
    {ErrorCode::kNotFinite, "not-finite"},  {ErrorCode::kIo, "io"},
    {ErrorCode::kInternal, "internal"},
};

absl::Status ProtocolError(absl::string_view message) {
  return TrainerError(ErrorCode::kProtocol, message);
}

// JSON that means one thing: no repeated keys, no deeper than kJsonDepthMax, nothing after the
// value.
absl::StatusOr<json> ParseStrictObject(absl::string_view line) {
  bool repeated = false;
  bool too_deep = false;
  std::vector<std::set<std::string>> keys;
  const json::parser_callback_t check = [&](int depth, json::parse_event_t event, json& value) {
    too_deep = too_deep || depth > static_cast<int>(kJsonDepthMax);
    if (event == json::parse_event_t::object_start) {
      keys.emplace_back();
    } else if (event == json::parse_event_t::object_end) {
      keys.pop_back();
    } else if (event == json::parse_event_t::key) {
      repeated = !keys.back().insert(value.get<std::string>()).second || repeated;
    }
    return true;
  };
  json value = json::parse(line.begin(), line.end(), check, /*allow_exceptions=*/false);
  if (value.is_discarded()) {
    return ProtocolError("the line is not JSON");
  }
  if (repeated || too_deep) {
    return ProtocolError(repeated ? "the line repeats a key" : "the line is nested too deeply");
  }
  if (!value.is_object()) {
    return ProtocolError("the line is not a JSON object");
  }
  return value;
}

absl::Status RequireExactKeys(const json& message, const std::set<std::string>& expected) {
  for (const auto& item : message.items()) {
    if (expected.count(item.key()) == 0) {
      return ProtocolError("the request has an unknown field");
    }
  }
  for (const std::string& key : expected) {
    if (!message.contains(key)) {
      return ProtocolError(absl::StrCat("the request lacks the field ", key));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> TextOf(const json& value, const char* key) {
  if (!value.is_string()) {
    return ProtocolError(absl::StrCat(key, ": expected a text"));
  }
  std::string text = value.get<std::string>();
  if (text.empty() || text.size() > kPathBytesMax || text.find('\0') != std::string::npos) {
    return ProtocolError(
        absl::StrCat(key, ": expected 1 to ", kPathBytesMax, " bytes without NUL"));
  }
  return text;
}

absl::StatusOr<std::string> Text(const json& message, const char* key) {
  return TextOf(message.at(key), key);
}

absl::StatusOr<std::uint64_t> Count(const json& message, const char* key, std::uint64_t min,
                                    std::uint64_t max) {
  const json& value = message.at(key);
  if (!value.is_number_unsigned() || value.get<std::uint64_t>() < min ||
      value.get<std::uint64_t>() > max) {
    return ProtocolError(absl::StrCat(key, ": expected an integer from ", min, " to ", max));
  }
  return value.get<std::uint64_t>();
}

absl::StatusOr<std::vector<std::string>> DataPaths(const json& message) {
  const json& value = message.at("data");
  if (!value.is_array() || value.empty() || value.size() > kDataPathsMax) {
    return ProtocolError(absl::StrCat("data: expected a list of 1 to ", kDataPathsMax, " paths"));
  }
  std::vector<std::string> paths;
  for (const json& entry : value) {
    CARNET_ASSIGN_OR_RETURN(std::string path, TextOf(entry, "data"));
    paths.push_back(std::move(path));
  }
  return paths;
}

absl::StatusOr<StartRequest> ParseStart(const json& message) {
  CARNET_RETURN_IF_ERROR(
      RequireExactKeys(message, {"op", "job", "protocol", "layout", "settings", "device"}));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t version,
                          Count(message, "protocol", 0, std::numeric_limits<std::uint64_t>::max()));
  if (version != static_cast<std::uint64_t>(kProtocolVersion)) {
    return ProtocolError("this trainer speaks protocol 1 only");
  }
  if (!message.at("settings").is_object()) {
    return ProtocolError("settings: expected an object");
  }
  StartRequest request;
  CARNET_ASSIGN_OR_RETURN(request.job, Text(message, "job"));
  CARNET_ASSIGN_OR_RETURN(request.layout_path, Text(message, "layout"));
  CARNET_ASSIGN_OR_RETURN(request.device, Text(message, "device"));
  request.settings = message.at("settings");
  return request;
}

absl::StatusOr<FitRequest> ParseFit(const json& message) {
  CARNET_RETURN_IF_ERROR(
      RequireExactKeys(message, {"op", "round", "parameters", "delta", "data", "steps", "seed"}));
  constexpr std::uint64_t kAny = std::numeric_limits<std::uint64_t>::max();
  FitRequest request;
  CARNET_ASSIGN_OR_RETURN(request.round, Count(message, "round", 0, kAny));
  CARNET_ASSIGN_OR_RETURN(request.parameters_path, Text(message, "parameters"));
  CARNET_ASSIGN_OR_RETURN(request.delta_path, Text(message, "delta"));
  CARNET_ASSIGN_OR_RETURN(request.data_paths, DataPaths(message));
  CARNET_ASSIGN_OR_RETURN(request.steps, Count(message, "steps", 1, kStepsMax));
  CARNET_ASSIGN_OR_RETURN(request.seed, Count(message, "seed", 0, kAny));
  return request;
}

absl::StatusOr<EvaluateRequest> ParseEvaluate(const json& message) {
  CARNET_RETURN_IF_ERROR(RequireExactKeys(message, {"op", "parameters", "data"}));
  EvaluateRequest request;
  CARNET_ASSIGN_OR_RETURN(request.parameters_path, Text(message, "parameters"));
  CARNET_ASSIGN_OR_RETURN(request.data_paths, DataPaths(message));
  return request;
}

absl::StatusOr<json> MetricsJson(const std::map<std::string, double>& metrics) {
  json object = json::object();
  for (const auto& [name, value] : metrics) {
    if (!std::isfinite(value)) {
      return TrainerError(ErrorCode::kNotFinite, "a metric is not finite");
    }
    if (name.empty() || name.size() > kMetricNameBytesMax) {
      return TrainerError(ErrorCode::kInternal, "a metric has a bad name");
    }
    object[name] = value;
  }
  return object;
}

// One conversation: what was asked so far, and the replies.
class Conversation {
 public:
  Conversation(Trainer& trainer, std::ostream& out) : trainer_(trainer), out_(out) {}

  bool stopped() const { return stopped_; }
  bool output_failed() const { return !out_.good(); }

  // Answers one line, except errors, which the caller writes.
  absl::Status Handle(absl::string_view line) {
    CARNET_ASSIGN_OR_RETURN(const json message, ParseStrictObject(line));
    if (!message.contains("op") || !message.at("op").is_string()) {
      return ProtocolError("the request lacks the field op");
    }
    const std::string op = message.at("op").get<std::string>();
    if (op == "stop") {
      CARNET_RETURN_IF_ERROR(RequireExactKeys(message, {"op"}));
      stopped_ = true;
      return absl::OkStatus();
    }
    if (op == "start") {
      return Start(message);
    }
    if (op != "fit" && op != "evaluate" && op != "checkpoint") {
      return ProtocolError("the request has an unknown op");
    }
    if (!started_) {
      return ProtocolError("the first request must be start");
    }
    if (op == "fit") {
      return Fit(message);
    }
    return op == "evaluate" ? Evaluate(message) : Checkpoint(message);
  }

  void WriteError(const absl::Status& error) {
    Write({{"error",
            {{"code", std::string(ErrorWord(ErrorCodeOf(error)))},
             {"message", std::string(error.message())}}}});
  }

 private:
  void Write(const json& reply) {
    out_ << reply.dump(-1, ' ', false, json::error_handler_t::replace) << '\n' << std::flush;
  }

  absl::Status Start(const json& message) {
    if (started_) {
      return ProtocolError("start was already given");
    }
    CARNET_ASSIGN_OR_RETURN(const StartRequest request, ParseStart(message));
    CARNET_RETURN_IF_ERROR(trainer_.Start(request));
    started_ = true;
    Write({{"ok", true}, {"trainer", trainer_.Name()}, {"version", trainer_.Version()}});
    return absl::OkStatus();
  }

  absl::Status Fit(const json& message) {
    CARNET_ASSIGN_OR_RETURN(const FitRequest request, ParseFit(message));
    const ProgressSink progress = [this](const Progress& p) {
      Write({{"progress", {{"step", p.step}, {"of", p.of}, {"loss", p.loss}}}});
    };
    CARNET_ASSIGN_OR_RETURN(const FitResult result, trainer_.Fit(request, progress));
    CARNET_ASSIGN_OR_RETURN(json metrics, MetricsJson(result.metrics));
    Write({{"done",
            {{"examples", result.examples},
             {"steps", result.steps},
             {"metrics", std::move(metrics)}}}});
    return absl::OkStatus();
  }

  absl::Status Evaluate(const json& message) {
    CARNET_ASSIGN_OR_RETURN(const EvaluateRequest request, ParseEvaluate(message));
    CARNET_ASSIGN_OR_RETURN(const EvaluateResult result, trainer_.Evaluate(request));
    CARNET_ASSIGN_OR_RETURN(json metrics, MetricsJson(result.metrics));
    Write({{"done", {{"examples", result.examples}, {"metrics", std::move(metrics)}}}});
    return absl::OkStatus();
  }

  absl::Status Checkpoint(const json& message) {
    CARNET_RETURN_IF_ERROR(RequireExactKeys(message, {"op", "to"}));
    CARNET_ASSIGN_OR_RETURN(const std::string to, Text(message, "to"));
    CARNET_RETURN_IF_ERROR(trainer_.Checkpoint(to));
    Write({{"done", json::object()}});
    return absl::OkStatus();
  }

  Trainer& trainer_;
  std::ostream& out_;
  bool started_ = false;
  bool stopped_ = false;
};

// Handle, with a wall against what libraries below throw (memory, mostly).
absl::Status HandleWithoutThrowing(Conversation& conversation, absl::string_view line) {
  try {
    return conversation.Handle(line);
  } catch (const std::bad_alloc&) {
    return TrainerError(ErrorCode::kInternal, "out of memory");
  } catch (const std::exception&) {
    return TrainerError(ErrorCode::kInternal, "a library threw an exception");
  }
}

}  // namespace

absl::string_view ErrorWord(ErrorCode code) {
  for (const ErrorName& name : kErrorNames) {
    if (name.code == code) {
      return name.word;
    }
  }
  CARNET_CHECK(false);
  return "";
}

absl::Status TrainerError(ErrorCode code, absl::string_view message) {
  const bool ours = code == ErrorCode::kInternal || code == ErrorCode::kIo;
  absl::Status status = ours ? absl::InternalError(message) : absl::InvalidArgumentError(message);
  status.SetPayload(kErrorCodePayload, absl::Cord(ErrorWord(code)));
  return status;
}

ErrorCode ErrorCodeOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kErrorCodePayload);
  for (const ErrorName& name : kErrorNames) {
    if (payload.has_value() && *payload == name.word) {
      return name.code;
    }
  }
  return ErrorCode::kInternal;
}

TrainerExit ServeTrainer(Trainer& trainer, std::istream& in, std::ostream& out) {
  Conversation conversation(trainer, out);
  std::string line;
  while (true) {
    const LineResult read = ReadLine(in, kLineBytesMax, line);
    if (read == LineResult::kEnd || read == LineResult::kFailed) {
      return TrainerExit::kInputEnded;
    }
    const absl::Status handled = read == LineResult::kTooLong
                                     ? ProtocolError("the line is too long")
                                     : HandleWithoutThrowing(conversation, line);
    if (!handled.ok()) {
      conversation.WriteError(handled);
    }
    if (conversation.output_failed()) {
      return TrainerExit::kOutputFailed;
    }
    if (conversation.stopped()) {
      return TrainerExit::kStopped;
    }
    if (!handled.ok() && ErrorCodeOf(handled) == ErrorCode::kProtocol) {
      return TrainerExit::kProtocol;
    }
  }
}

}  // namespace carnet::trainers
