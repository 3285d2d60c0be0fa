#include "base/http.h"

#include <array>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "base/json.h"

namespace carnet {
namespace {

using Code = absl::StatusCode;

constexpr std::size_t kErrorBytesMax = std::size_t{64} * 1024;
constexpr std::size_t kPeerMessageBytesMax = 1024;

struct CodeRow {
  Code code;
  const char* name;
  int http;
};

// connectrpc.com/docs/protocol#error-codes
constexpr std::array<CodeRow, 16> kCodes = {
    {{Code::kCancelled, "canceled", 499},
     {Code::kUnknown, "unknown", 500},
     {Code::kInvalidArgument, "invalid_argument", 400},
     {Code::kDeadlineExceeded, "deadline_exceeded", 504},
     {Code::kNotFound, "not_found", 404},
     {Code::kAlreadyExists, "already_exists", 409},
     {Code::kPermissionDenied, "permission_denied", 403},
     {Code::kResourceExhausted, "resource_exhausted", 429},
     {Code::kFailedPrecondition, "failed_precondition", 400},
     {Code::kAborted, "aborted", 409},
     {Code::kOutOfRange, "out_of_range", 400},
     {Code::kUnimplemented, "unimplemented", 501},
     {Code::kInternal, "internal", 500},
     {Code::kUnavailable, "unavailable", 503},
     {Code::kDataLoss, "data_loss", 500},
     {Code::kUnauthenticated, "unauthenticated", 401}}};

const CodeRow& RowOf(Code code) {
  for (const CodeRow& row : kCodes) {
    if (row.code == code) {
      return row;
    }
  }
  return kCodes[1];
}

absl::string_view FindHeader(const HttpHeaders& headers, absl::string_view name) {
  for (const auto& header : headers) {
    if (absl::EqualsIgnoreCase(header.first, name)) {
      return header.second;
    }
  }
  return {};
}

Code CodeFromHttpStatus(int status) {
  switch (status) {
    case 400:
      return Code::kInvalidArgument;
    case 401:
      return Code::kUnauthenticated;
    case 403:
      return Code::kPermissionDenied;
    case 404:
      return Code::kNotFound;
    case 409:
      return Code::kAborted;
    case 405:
    case 501:
      return Code::kUnimplemented;
    case 413:
    case 429:
    case 431:
      return Code::kResourceExhausted;
    case 500:
      return Code::kInternal;
    case 408:
    case 502:
    case 503:
    case 504:
      return Code::kUnavailable;
    default:
      return Code::kUnknown;
  }
}

// What a peer says may end on a terminal or in a log.
std::string Printable(absl::string_view text) {
  std::string result;
  for (const char c : text.substr(0, kPeerMessageBytesMax)) {
    result.push_back(c >= ' ' && c <= '~' ? c : '?');
  }
  return result;
}

}  // namespace

absl::string_view HttpRequest::Header(absl::string_view name) const {
  return FindHeader(headers, name);
}

absl::string_view HttpResponse::Header(absl::string_view name) const {
  return FindHeader(headers, name);
}

int HttpStatusFromCode(absl::StatusCode code) {
  return code == Code::kOk ? 200 : RowOf(code).http;
}

absl::string_view ConnectCodeName(absl::StatusCode code) {
  return RowOf(code).name;
}

HttpResponse ErrorResponse(const absl::Status& status) {
  HttpResponse response;
  response.status = HttpStatusFromCode(status.code());
  const nlohmann::json body = {{"code", std::string(ConnectCodeName(status.code()))},
                               {"message", std::string(status.message())}};
  response.body =
      body.dump(-1, ' ', /*ensure_ascii=*/true, nlohmann::json::error_handler_t::replace);
  return response;
}

absl::Status StatusFromResponse(const HttpResponse& response) {
  if (response.status >= 200 && response.status < 300) {
    return absl::OkStatus();
  }
  const auto body = ParseJson(response.body, kErrorBytesMax);
  if (body.ok() && body->is_object()) {
    const auto code = body->find("code");
    const auto message = body->find("message");
    if (code != body->end() && code->is_string()) {
      for (const CodeRow& row : kCodes) {
        if (code->get_ref<const std::string&>() == row.name) {
          return absl::Status(row.code, message != body->end() && message->is_string()
                                            ? Printable(message->get_ref<const std::string&>())
                                            : row.name);
        }
      }
    }
  }
  return absl::Status(CodeFromHttpStatus(response.status),
                      "http: the server refused with status " + std::to_string(response.status));
}

}  // namespace carnet
