// The bytes as what Open Policy Agent answers: a verdict is within its limits, and reads the same
// when it is written again.
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "base/status.h"
#include "coordinator/bridge/opa_answer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  using carnet::coordinator::OpaAnswer;
  using carnet::coordinator::ParseOpaAnswer;
  const std::string body(reinterpret_cast<const char*>(data), size_bytes);
  const absl::StatusOr<OpaAnswer> answer = ParseOpaAnswer(body);
  if (!answer.ok()) {
    CARNET_CHECK(absl::IsInvalidArgument(answer.status()) || absl::IsNotFound(answer.status()));
    return 0;
  }
  CARNET_CHECK(size_bytes <= carnet::coordinator::kOpaAnswerBytesMax);
  CARNET_CHECK(answer->reasons.size() <= carnet::coordinator::kOpaReasonsMax);
  CARNET_CHECK(answer->decision_id.size() <= carnet::coordinator::kOpaDecisionIdBytesMax);
  nlohmann::json again = {{"result", {{"allow", answer->allow}, {"reasons", answer->reasons}}}};
  if (!answer->decision_id.empty()) {
    again["decision_id"] = answer->decision_id;
  }
  const absl::StatusOr<OpaAnswer> read = ParseOpaAnswer(again.dump());
  CARNET_CHECK(read.ok() && read->allow == answer->allow && read->reasons == answer->reasons &&
               read->decision_id == answer->decision_id);
  return 0;
}
