// The trainer protocol, version 1, as a trainer speaks it: one JSON object a line, requests on
// standard input, replies on standard output, one request at a time.
//
//   -> {"op":"start","job":"…","protocol":1,"layout":"layout.json","settings":{…},"device":"auto"}
//   <- {"ok":true,"trainer":"softmax","version":"1.0"}
//   -> {"op":"fit","round":7,"parameters":"in.safetensors","delta":"out.safetensors",
//       "data":["shard-a/"],"steps":100,"seed":123}
//   <- {"progress":{"step":40,"of":100,"loss":0.31}}          any number of these
//   <- {"done":{"examples":1200,"steps":100,"metrics":{"loss":0.28}}}
//   -> {"op":"evaluate","parameters":"in.safetensors","data":["golden/"]}
//   <- {"done":{"examples":500,"metrics":{"accuracy":0.94}}}
//   -> {"op":"checkpoint","to":"ckpt/"}
//   <- {"done":{}}
//   -> {"op":"stop"}                                          no reply; the trainer exits with 0
//
// A request that fails is answered by {"error":{"code":"…","message":"…"}}; the trainer stays and
// takes the next request. A line that breaks the protocol is answered by the code `protocol`, and
// the trainer exits: two sides that disagree about the protocol must not go on.
#ifndef CARNET_WORKER_TRAINERS_PROTOCOL_H_
#define CARNET_WORKER_TRAINERS_PROTOCOL_H_

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace carnet::trainers {

inline constexpr int kProtocolVersion = 1;
// Longest request line, in bytes without its newline.
inline constexpr std::size_t kLineBytesMax = std::size_t{1} << 20;
inline constexpr std::uint64_t kStepsMax = 1'000'000'000;
// Largest number of entries of `data`, and longest path in bytes.
inline constexpr std::size_t kDataPathsMax = 4096;
inline constexpr std::size_t kPathBytesMax = 4096;
// Deepest nesting of objects and arrays in a request.
inline constexpr std::size_t kJsonDepthMax = 16;

// Why a request failed. The word of each is fixed (ErrorWord), so that a worker can count and
// report it.
enum class ErrorCode {
  kProtocol,     // not a line of protocol 1, or a request out of order
  kUnsupported,  // a device or an operation that this trainer does not have
  kSettings,     // an unknown setting, a missing one, or a value out of its range
  kLayout,       // the layout, the parameters or the data have other names or shapes than expected
  kParameters,   // the parameter file is missing, unreadable or malformed
  kData,         // a data file is missing, unreadable or malformed
  kNotFinite,    // a parameter, a delta or a metric is NaN or infinite
  kIo,           // an output could not be written
  kInternal,     // a bug in the trainer
};

// "protocol", "unsupported", "settings", "layout", "parameters", "data", "not-finite", "io",
// "internal".
absl::string_view ErrorWord(ErrorCode code);

// An error with its code. `message` is read by people on this machine (the worker keeps it in its
// log and sends only the code home): it may name files, lines and fields, never their contents.
absl::Status TrainerError(ErrorCode code, absl::string_view message);
// The code of a status made by TrainerError; kInternal for any other error.
ErrorCode ErrorCodeOf(const absl::Status& status);

struct StartRequest {
  std::string job;
  std::string layout_path;
  nlohmann::json settings;  // always an object
  std::string device;
};

struct FitRequest {
  std::uint64_t round = 0;
  std::string parameters_path;
  std::string delta_path;
  std::vector<std::string> data_paths;  // 1..kDataPathsMax
  std::uint64_t steps = 0;              // 1..kStepsMax
  std::uint64_t seed = 0;
};

struct EvaluateRequest {
  std::string parameters_path;
  std::vector<std::string> data_paths;
};

struct FitResult {
  std::uint64_t examples = 0;  // rows that the trainer read
  std::uint64_t steps = 0;
  std::map<std::string, double> metrics;  // refused unless finite
};

struct EvaluateResult {
  std::uint64_t examples = 0;
  std::map<std::string, double> metrics;
};

struct Progress {
  std::uint64_t step = 0;
  std::uint64_t of = 0;
  double loss = 0;
};
using ProgressSink = std::function<void(const Progress&)>;

// What a trainer does with each request. Called by ServeTrainer from one thread, in the protocol's
// order: Start succeeds once before anything else. Errors are made by TrainerError.
class Trainer {
 public:
  virtual ~Trainer() = default;
  virtual std::string Name() const = 0;
  virtual std::string Version() const = 0;
  virtual absl::Status Start(const StartRequest& request) = 0;
  // Leaves a delta (local - base) of the job's layout at `delta_path`, or nothing there and an
  // error.
  virtual absl::StatusOr<FitResult> Fit(const FitRequest& request,
                                        const ProgressSink& progress) = 0;
  virtual absl::StatusOr<EvaluateResult> Evaluate(const EvaluateRequest& request) = 0;
  // Writes what a later start would need besides the parameters into the directory `to`.
  virtual absl::Status Checkpoint(const std::string& to) = 0;
};

// The exit code of a trainer process.
enum class TrainerExit {
  kStopped = 0,      // asked to by `stop`
  kInputEnded = 1,   // standard input ended without `stop`: the worker is gone
  kProtocol = 2,     // a line that is no protocol 1
  kOutputFailed = 3  // a reply could not be written
};

// Reads requests from `in` and answers them on `out` (flushed after each line) until `stop`, the
// end of the input or a line that breaks the protocol. Blocks the calling thread; never throws.
TrainerExit ServeTrainer(Trainer& trainer, std::istream& in, std::ostream& out);

}  // namespace carnet::trainers

#endif  // CARNET_WORKER_TRAINERS_PROTOCOL_H_
