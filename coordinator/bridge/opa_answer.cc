#include "coordinator/bridge/opa_answer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"
#include "base/utf8.h"

namespace carnet::coordinator {
namespace {

using nlohmann::json;

constexpr int kDepthMax = 16;

absl::Status NoVerdict(const char* why) {
  return absl::InvalidArgumentError(absl::StrCat("opa: ", why));
}

bool HasOnly(const json& object, const std::set<std::string>& keys) {
  return std::all_of(object.items().begin(), object.items().end(),
                     [&keys](const auto& item) { return keys.count(item.key()) != 0; });
}

// One line that reads as what it is.
bool IsPlain(absl::string_view text) {
  while (!text.empty()) {
    const std::optional<char32_t> character = TakeCodePoint(text);
    if (!character.has_value() || *character < U' ' || IsDeceptive(*character)) {
      return false;
    }
  }
  return true;
}

bool IsId(absl::string_view text) {
  return text.size() <= kOpaDecisionIdBytesMax &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7F'; });
}

absl::StatusOr<std::vector<std::string>> ReadReasons(const json& reasons) {
  if (!reasons.is_array() || reasons.size() > kOpaReasonsMax) {
    return NoVerdict("`reasons` is not a list of at most 16");
  }
  std::vector<std::string> texts;
  for (const json& reason : reasons) {
    const auto* const text = reason.get_ptr<const std::string*>();
    if (text == nullptr || text->empty() || text->size() > kOpaReasonBytesMax || !IsPlain(*text)) {
      return NoVerdict("a reason is not one line of at most 256 bytes");
    }
    texts.push_back(*text);
  }
  return texts;
}

absl::Status ReadResult(const json& result, OpaAnswer* answer) {
  if (result.is_boolean()) {
    answer->allow = result.get<bool>();
    return absl::OkStatus();
  }
  if (!result.is_object() || !HasOnly(result, {"allow", "reasons"})) {
    return NoVerdict("`result` is neither a boolean nor an object of `allow` and `reasons`");
  }
  const auto allow = result.find("allow");
  if (allow == result.end() || !allow->is_boolean()) {
    return NoVerdict("`allow` is not a boolean");
  }
  answer->allow = allow->get<bool>();
  if (const auto reasons = result.find("reasons"); reasons != result.end()) {
    CARNET_ASSIGN_OR_RETURN(answer->reasons, ReadReasons(*reasons));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<OpaAnswer> ParseOpaAnswer(absl::string_view body) {
  CARNET_ASSIGN_OR_RETURN(const json document, ParseJson(body, kOpaAnswerBytesMax, kDepthMax));
  if (!document.is_object() ||
      !HasOnly(document, {"result", "decision_id", "metrics", "provenance"})) {
    return NoVerdict("the answer is not one of its data API");
  }
  OpaAnswer answer;
  if (const auto id = document.find("decision_id"); id != document.end()) {
    const auto* const text = id->get_ptr<const std::string*>();
    if (text == nullptr || !IsId(*text)) {
      return NoVerdict("`decision_id` is not an id of at most 128 bytes");
    }
    answer.decision_id = *text;
  }
  const auto result = document.find("result");
  if (result == document.end()) {
    return absl::NotFoundError("opa: the rule is undefined for this input");
  }
  CARNET_RETURN_IF_ERROR(ReadResult(*result, &answer));
  return answer;
}

}  // namespace carnet::coordinator
