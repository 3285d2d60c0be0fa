#include "coordinator/rpc/people_gate.h"

#include <memory>
#include <utility>

#include "base/status.h"
#include "coordinator/core/release.h"
#include "coordinator/rpc/admin_status.h"
#include "ledger/record.h"

namespace carnet::coordinator {
namespace {

// Details travel in HTTP/2 trailers, of which gRPC takes 8 KiB.
constexpr std::size_t kDetailsBytesMax = 5 * 1024;

absl::StatusOr<v1::ReleaseModelResponse> ReadAnswer(const Services& services, std::uint64_t index) {
  CARNET_ASSIGN_OR_RETURN(const v1::SignedRecord signed_record, services.log.ReadRecord(index));
  CARNET_ASSIGN_OR_RETURN(const ledger::Record record, ledger::OpenVerifiedRecord(signed_record));
  v1::ReleaseModelResponse answer;
  if (const auto* refusal = record.As<v1::Refusal>(); refusal != nullptr) {
    answer.set_refused(true);
    *answer.mutable_decisions() = refusal->decisions();
    SortDeniedFirst(answer.mutable_decisions());
  } else if (record.As<v1::Release>() == nullptr) {
    return absl::AlreadyExistsError("this request id was used for another request");
  }
  return answer;
}

// Blocks.
grpc::Status WithDetails(const Services& services, const Answer& answer) {
  const grpc::Status plain = ToGrpcStatus(answer.status);
  if (!answer.index.has_value()) {
    return plain;
  }
  const absl::StatusOr<v1::ReleaseModelResponse> decided = ReadAnswer(services, *answer.index);
  if (!decided.ok() || decided->ByteSizeLong() > kDetailsBytesMax) {
    return plain;
  }
  return grpc::Status(plain.error_code(), plain.error_message(), decided->SerializeAsString());
}

// Puts the decision on record where it is not yet, and passes its answer on.
void DecideFirst(const Services& services, CommandBody body, Passed passed) {
  services.engine.Submit(
      std::move(body), "",
      [&services, passed = std::move(passed)](absl::StatusOr<Answer> answer) mutable {
        if (!answer.ok() || answer->status.ok()) {
          passed(ToGrpcStatus(answer.status()));
          return;
        }
        const auto shared = std::make_shared<Passed>(std::move(passed));
        const absl::Status admitted = services.storage.TrySubmit(
            [&services, shared, answer = *answer] { (*shared)(WithDetails(services, answer)); });
        if (!admitted.ok()) {
          (*shared)(ToGrpcStatus(answer->status));
        }
      });
}

absl::Status CheckPublished(const Services& services, const RoundResult& result) {
  const absl::StatusOr<ledger::SignedHead> head = services.log.PublishedHead();
  if (!head.ok() || head->head.size <= result.aggregate_index) {
    return absl::OutOfRangeError(
        "release: the published head does not cover this model yet: try again when the witnesses "
        "have cosigned a newer one");
  }
  return absl::OkStatus();
}

// What does not depend on policies.
absl::Status CheckReleasable(const Services& services, const State& state,
                             const std::string& user_id, const v1::ReleaseModelRequest& request) {
  CARNET_ASSIGN_OR_RETURN(const Job* const job, ExportableJob(state, user_id, request.job_id()));
  CARNET_ASSIGN_OR_RETURN(const RoundResult* const result, ResultOfRound(*job, request.round()));
  if (const std::string held = services.engine.HeldBy(Engine::Holder::kClock); !held.empty()) {
    return absl::FailedPreconditionError(absl::StrCat("release: waits for ", held));
  }
  return CheckPublished(services, *result);
}

}  // namespace

void PassReading(const Services& services, const std::string& user_id, Passed passed) {
  services.engine.Read(
      [&services, user_id, passed = std::move(passed)](const State& state, absl::Time now) mutable {
        if (MayReadLog(state, user_id, now)) {
          passed(grpc::Status::OK);
        } else {
          DecideFirst(services, ReadLog{user_id}, std::move(passed));
        }
      });
}

void PassRelease(const Services& services, const std::string& user_id, const std::string& job_id,
                 std::uint32_t round, Passed passed) {
  services.engine.Read([&services, user_id, job_id, round, passed = std::move(passed)](
                           const State& state, absl::Time now) mutable {
    const absl::StatusOr<const Job*> job = ExportableJob(state, user_id, job_id);
    const absl::StatusOr<const RoundResult*> result =
        job.ok() ? ResultOfRound(**job, round) : absl::StatusOr<const RoundResult*>(job.status());
    if (!result.ok()) {
      passed(ToGrpcStatus(result.status()));
    } else if (LiveRelease(state, user_id, (*result)->model_sha256, now) == nullptr) {
      passed(grpc::Status(grpc::StatusCode::PERMISSION_DENIED,
                          "no live release of this model to you: carnet job export asks for one"));
    } else {
      // It was allowed once; is it today? Nothing is recorded if so.
      DecideFirst(services, ReleaseModel{user_id, job_id, (*result)->round}, std::move(passed));
    }
  });
}

void ReleaseModelFor(const Services& services, const std::string& user_id,
                     const v1::ReleaseModelRequest* request, v1::ReleaseModelResponse* response,
                     grpc::ServerUnaryReactor* reactor) {
  const auto fill = [&services, response](std::uint64_t index) -> absl::Status {
    CARNET_ASSIGN_OR_RETURN(*response, ReadAnswer(services, index));
    CARNET_ASSIGN_OR_RETURN(*response->mutable_receipt(), services.log.MakeReceipt(index));
    return absl::OkStatus();
  };
  services.engine.Read([&services, user_id, request, reactor, fill](const State& state,
                                                                    absl::Time) {
    if (absl::Status status = CheckReleasable(services, state, user_id, *request); !status.ok()) {
      reactor->Finish(ToGrpcStatus(status));
      return;
    }
    services.engine.Submit(
        ReleaseModel{user_id, request->job_id(), request->round()}, request->request_id(),
        [&services, user_id, reactor, fill](absl::StatusOr<Answer> answer) {
          // A refusal by policy is an answer with a record; one for want of a role has none.
          if (!answer.ok() || !answer->index.has_value()) {
            reactor->Finish(ToGrpcStatus(answer.ok() ? answer->status : answer.status()));
            return;
          }
          services.own_answers->Note(user_id, *answer->index);
          FinishOn(services.storage, reactor,
                   [fill, index = *answer->index] { return fill(index); });
        });
  });
}

}  // namespace carnet::coordinator
