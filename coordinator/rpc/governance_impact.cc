// What a bundle would change: reports for proposals, and for drafts that are put on no record.
#include <optional>
#include <utility>

#include "base/status.h"
#include "coordinator/core/policy_life.h"
#include "coordinator/rpc/governance_service.h"
#include "policies/loader.h"
#include "policies/test_runner.h"

namespace carnet::coordinator {
namespace {

// Where records come in while the flows are weighed, they are weighed again: an audit makes the
// report again with the state before its record, and can say less of one that was overtaken.
constexpr int kWeighedMax = 3;

}  // namespace

absl::StatusOr<std::string> GovernanceService::Report(std::shared_ptr<const policies::Bundle> after,
                                                      const policies::TestReport& tests,
                                                      ReportKind kind,
                                                      const grpc::CallbackServerContext& context) {
  std::shared_ptr<const policies::Bundle> before;
  absl::Time at;
  CARNET_RETURN_IF_ERROR(
      services_.engine.ReadBlocking([&before, &at](const State& state, absl::Time now) {
        before = state.bundle;
        at = now;
      }));
  const Examination examination = ExamineChange(before, std::move(after), tests, at);
  absl::StatusOr<std::string> report = absl::InternalError("policy: no report was made");
  bool overtaken = true;
  for (int i = 0; overtaken && i < kWeighedMax; ++i) {
    if (context.IsCancelled()) {
      return absl::CancelledError("policy: nobody waits for the report");
    }
    std::optional<State> copy;
    CARNET_RETURN_IF_ERROR(
        services_.engine.ReadBlocking([&copy](const State& state, absl::Time) { copy = state; }));
    if (copy->bundle->sha256() != before->sha256()) {
      return absl::FailedPreconditionError(
          "policy: another bundle came into force since: propose again");
    }
    report = ImpactReport(examination, &*copy, copy->size, kind);
    if (!report.ok() || kind == ReportKind::kDraft) {
      return report;
    }
    CARNET_RETURN_IF_ERROR(services_.engine.ReadBlocking(
        [&overtaken, size = copy->size](const State& state, absl::Time) {
          overtaken = state.size != size;
        }));
  }
  return report;
}

absl::StatusOr<std::string> GovernanceService::ReportOnDraft(
    const DraftBasis& basis, std::shared_ptr<const policies::Bundle> draft,
    const grpc::CallbackServerContext& context) {
  if (context.IsCancelled()) {
    return absl::CancelledError("policy: nobody waits for the report");
  }
  CARNET_RETURN_IF_ERROR(CheckDraft(basis, *draft));
  const absl::StatusOr<policies::TestReport> tests = policies::RunTests(*draft);
  if (!tests.ok()) {
    return absl::InvalidArgumentError("policy: its tests cannot run: carnet policy test");
  }
  return Report(std::move(draft), *tests, ReportKind::kDraft, context);
}

void GovernanceService::Preview(grpc::CallbackServerContext* context, const std::string& user_id,
                                std::shared_ptr<const policies::Bundle> draft, Turn turn,
                                grpc::ServerUnaryReactor* reactor,
                                v1::PreviewPolicyResponse* response) {
  services_.engine.Read([this, context, user_id, reactor, response, turn = std::move(turn),
                         draft = std::move(draft)](const State& state, absl::Time) mutable {
    absl::StatusOr<DraftBasis> basis = BasisOfDraft(state, user_id, *draft);
    absl::Status status = basis.status();
    if (status.ok()) {
      status = services_.examine.TrySubmit([this, context, reactor, response,
                                            turn = std::move(turn), draft = std::move(draft),
                                            basis = *std::move(basis)]() mutable {
        absl::StatusOr<std::string> report = ReportOnDraft(basis, std::move(draft), *context);
        if (report.ok()) {
          response->set_report_json(*std::move(report));
        }
        reactor->Finish(ToGrpcStatus(report.status()));
      });
    }
    if (!status.ok()) {
      reactor->Finish(ToGrpcStatus(status));
    }
  });
}

grpc::ServerUnaryReactor* GovernanceService::PreviewPolicy(grpc::CallbackServerContext* context,
                                                           const v1::PreviewPolicyRequest* request,
                                                           v1::PreviewPolicyResponse* response) {
  return InTurn(context, [this, context, request, response](const std::string& user_id, Turn turn,
                                                            grpc::ServerUnaryReactor* reactor) {
    absl::StatusOr<std::shared_ptr<const policies::Bundle>> draft =
        policies::BundleFromJson(request->bundle_json());
    if (!draft.ok()) {
      reactor->Finish(ToGrpcStatus(
          absl::InvalidArgumentError("policy: the bundle is not sound: carnet policy check")));
      return;
    }
    Preview(context, user_id, *std::move(draft), std::move(turn), reactor, response);
  });
}

}  // namespace carnet::coordinator
