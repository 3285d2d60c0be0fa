// How services over HTTP answer: proto3 JSON, as Connect's unary calls have it.
#ifndef CARNET_COORDINATOR_HTTP_ANSWERS_H_
#define CARNET_COORDINATOR_HTTP_ANSWERS_H_

#include <google/protobuf/message.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/http_server.h"
#include "coordinator/rpc/services.h"

namespace carnet::coordinator {

// Of a request, for JsonToMessage.
inline constexpr std::size_t kBodyBytesMax = std::size_t{64} * 1024;

// 200 with the message; an ErrorResponse where it has no JSON.
HttpResponse JsonResponse(const google::protobuf::Message& message);

template <typename Message>
HttpResponse ResponseOf(const absl::StatusOr<Message>& answer) {
  return answer.ok() ? JsonResponse(*answer) : ErrorResponse(answer.status());
}

// Answers on the storage executor, where files may be read, with what `work` returns: a StatusOr of
// a message. `services` outlives the answer. A full executor answers RESOURCE_EXHAUSTED at once.
template <typename Work>
void FinishHttp(const Services& services, HttpServer::Done done, Work work) {
  auto shared = std::make_shared<HttpServer::Done>(std::move(done));
  const absl::Status admitted = services.storage.TrySubmit(
      [shared, work = std::move(work)]() mutable { (*shared)(ResponseOf(work())); });
  if (!admitted.ok()) {
    (*shared)(ErrorResponse(admitted));
  }
}

// Submits `body`; when its answer is durable, FinishHttp with `work` of the index of the answering
// record. Errors: those of Engine::Submit; INTERNAL there is no such record.
template <typename Work>
void SubmitAndFinishHttp(const Services& services, CommandBody body, const std::string& request_id,
                         HttpServer::Done done, Work work) {
  services.engine.Submit(
      std::move(body), request_id,
      [&services, done = std::move(done),
       work = std::move(work)](absl::StatusOr<Answer> answer) mutable {
        if (!answer.ok() || !answer->index.has_value()) {
          done(ErrorResponse(answer.ok() ? absl::InternalError("no record") : answer.status()));
          return;
        }
        FinishHttp(
            services, std::move(done),
            [work = std::move(work), index = *answer->index]() mutable { return work(index); });
      });
}

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_HTTP_ANSWERS_H_
