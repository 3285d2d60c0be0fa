#include "cli/commands/policy_impact.h"

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/json.h"
#include "base/status.h"
#include "cli/commands/policy_commands.h"
#include "cli/commands/policy_propose.h"
#include "cli/commands/policy_report.h"
#include "cli/output.h"
#include "coordinator/core/impact.h"
#include "policies/loader.h"
#include "policies/test_runner.h"

namespace carnet::cli {
namespace {

// A coordinator examines one proposal after another.
constexpr absl::Duration kPreviewMax = absl::Minutes(5);
constexpr std::size_t kShown = 12;

// Home is where the federation is, whatever the draft says.
absl::StatusOr<std::shared_ptr<const policies::Bundle>> OpenDraft(const std::string& path,
                                                                  const std::string& home) {
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    return OpenBundle(path);
  }
  policies::LoadOptions options;
  options.home = home;
  return policies::LoadBundle(path, options);
}

absl::StatusOr<int> Print(const std::string& report_json, const policies::Bundle& draft,
                          CommandContext& context) {
  const absl::StatusOr<nlohmann::json> report =
      ParseJson(report_json, coordinator::kReportBytesMax);
  const std::string digest = HexEncode(draft.sha256());
  if (!report.ok() || !report->is_object() || report->value("draft", nlohmann::json()) != digest ||
      !report->contains("tests")) {
    return absl::UnauthenticatedError("policy: the coordinator sent a report of something else");
  }
  const int code = (*report)["tests"].value("failed", std::uint64_t{0}) > 0 ? kRefused : kGood;
  if (context.json) {
    *context.out << report->dump() << '\n';
    return code;
  }
  *context.out << "draft " << digest.substr(0, kShown)
               << ": on no record, so nobody can approve it (carnet policy propose)\n";
  PrintReport(*context.out, *report);
  return code;
}

}  // namespace

bool IsDraft(const std::string& name) {
  std::error_code error;
  return std::filesystem::exists(name, error);
}

absl::StatusOr<int> PreviewDraft(Client& client, const DraftOrder& order, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const auto in_force, FetchBundle(client, Digest{}));
  CARNET_ASSIGN_OR_RETURN(const auto content, OpenDraft(order.path, in_force->home()));
  CARNET_ASSIGN_OR_RETURN(const ProposedBundle next,
                          NextBundle(*in_force, {"change", content, order.valid_from, order.life}));
  v1::PreviewPolicyRequest request;
  request.set_bundle_json(next.bundle->CanonicalJson());
  ProgressLine line(context);
  line.Show(
      "the coordinator runs its tests, sweeps its situations and weighs the flows on record…");
  const absl::StatusOr<v1::PreviewPolicyResponse> response =
      client.Call(client.governance(), &v1::Governance::Stub::PreviewPolicy, request, kPreviewMax);
  line.Clear();
  if (!response.ok()) {
    return response.status();
  }
  return Print(response->report_json(), *next.bundle, context);
}

absl::StatusOr<int> CompareDrafts(const DraftPaths& paths, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const auto before, OpenBundle(paths.before));
  CARNET_ASSIGN_OR_RETURN(const auto after, OpenDraft(paths.after, before->home()));
  CARNET_ASSIGN_OR_RETURN(const policies::TestReport tests, policies::RunTests(*after));
  ProgressLine line(context);
  const coordinator::Examination examination = coordinator::ExamineChange(
      before, after, tests, absl::Now(),
      [&line](const std::string& policy, std::uint64_t decided, std::uint64_t of) {
        line.Show(absl::StrCat(policy, ": ", decided, " of ", of, " situations"));
      });
  line.Clear();
  CARNET_ASSIGN_OR_RETURN(
      const std::string report,
      coordinator::ImpactReport(examination, nullptr, 0, coordinator::ReportKind::kDraft));
  return Print(report, *after, context);
}

}  // namespace carnet::cli
