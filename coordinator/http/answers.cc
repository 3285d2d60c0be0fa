#include "coordinator/http/answers.h"

#include "base/json.h"

namespace carnet::coordinator {

HttpResponse JsonResponse(const google::protobuf::Message& message) {
  const absl::StatusOr<std::string> json = MessageToJson(message);
  if (!json.ok()) {
    return ErrorResponse(json.status());
  }
  HttpResponse response;
  response.body = *json;
  return response;
}

}  // namespace carnet::coordinator
