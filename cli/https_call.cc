#include "cli/https_call.h"

#include "base/json.h"
#include "base/status.h"

namespace carnet::cli {
namespace {

constexpr std::size_t kAnswerBytesMax = std::size_t{4} << 20;

}  // namespace

absl::Status CallHttps(const HttpsCall& call, const google::protobuf::Message& request,
                       google::protobuf::Message* response) {
  HttpRequest http;
  http.method = "POST";
  http.path = call.path;
  http.headers = {{"Content-Type", "application/json"}};
  CARNET_ASSIGN_OR_RETURN(http.body, MessageToJson(request));
  absl::Status last = absl::UnavailableError("no address of the coordinator");
  for (const exchange::HostPort& address : call.addresses) {
    HttpCallOptions options;
    options.host = address.host;
    options.port = address.port;
    options.tls = call.tls;
    options.response_bytes_max = kAnswerBytesMax;
    const absl::StatusOr<HttpResponse> answer = HttpCall(options, http);
    if (answer.ok()) {
      CARNET_RETURN_IF_ERROR(StatusFromResponse(*answer));
      return JsonToMessage(answer->body, response, kAnswerBytesMax);
    }
    last = answer.status();
    if (!absl::IsUnavailable(last) && !absl::IsDeadlineExceeded(last)) {
      return WithRemedy(last, call.if_unknown);
    }
  }
  return WithRemedy(absl::UnavailableError(last.message()), call.if_away);
}

}  // namespace carnet::cli
