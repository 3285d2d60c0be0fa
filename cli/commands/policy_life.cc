// `carnet policy propose|renew|revert|approve|activate|withdraw|status|history|impact`: how a
// bundle comes into force.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <ostream>
#include <set>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/commands/approve.h"
#include "cli/commands/policy_findings.h"
#include "cli/commands/policy_impact.h"
#include "cli/commands/policy_propose.h"
#include "cli/commands/policy_report.h"
#include "cli/output.h"
#include "coordinator/core/expiry.h"
#include "coordinator/core/people.h"
#include "policies/dates.h"
#include "policies/group_findings.h"
#include "policies/loader.h"
#include "policies/test_runner.h"

namespace carnet::cli {
namespace {

constexpr std::size_t kPrefixMin = 6;
constexpr std::size_t kShown = 12;
constexpr std::size_t kReportBytesMax = std::size_t{256} * 1024;
constexpr int kDaysMax = 90;

struct LifeOptions {
  std::string state;
  std::string folder;
  std::string bundle;
  std::string exception;
  std::string against;
  ApprovalOptions approval;
  std::string from;
  int days = kDaysMax;
};

std::string Short(const std::string& sha256) {
  return HexEncode(AsBytes(sha256)).substr(0, kShown);
}

absl::StatusOr<absl::Time> StartOf(const LifeOptions& options) {
  if (options.from.empty()) {
    return absl::Now();
  }
  const absl::StatusOr<absl::CivilDay> day = policies::ParseDate(options.from);
  if (!day.ok()) {
    return absl::InvalidArgumentError("policy: --from: a day, e.g. 2026-12-01");
  }
  return absl::FromCivil(*day, absl::UTCTimeZone());
}

nlohmann::json ReportOf(const v1::BundleStatus& status) {
  const absl::StatusOr<nlohmann::json> report = ParseJson(status.report_json(), kReportBytesMax);
  return report.ok() ? *report : nlohmann::json::object();
}

// Of the bundle in force, when its end is near.
std::optional<int> WarningOf(const v1::BundleStatus& status) {
  return status.state() == "in-force"
             ? coordinator::ExpiryWarning(ToTime(status.valid_to()) - absl::Now())
             : std::nullopt;
}

nlohmann::json StatusJson(const v1::BundleStatus& status) {
  nlohmann::json needs = nlohmann::json::array();
  for (const v1::NeedStatus& need : status.needs()) {
    needs.push_back(
        {{"policy", need.need().policy()},
         {"need", need.need().need()},
         {"from", std::vector<std::string>(need.need().from().begin(), need.need().from().end())},
         {"approvers",
          std::vector<std::string>(need.approvers().begin(), need.approvers().end())}});
  }
  nlohmann::json object = {{"bundle", HexEncode(AsBytes(status.bundle_sha256()))},
                           {"revision", status.revision()},
                           {"state", status.state()},
                           {"intent", status.intent()},
                           {"author", status.author()},
                           {"valid_from", FormatTimestamp(ToTime(status.valid_from()))},
                           {"valid_to", FormatTimestamp(ToTime(status.valid_to()))},
                           {"tighten_only", status.tighten_only()},
                           {"proposed_index", status.proposed_index()},
                           {"activated_index", status.activated_index()},
                           {"needs", std::move(needs)}};
  if (const auto warning = WarningOf(status); warning.has_value()) {
    object["ends_within_days"] = *warning;
  }
  if (!status.report_json().empty()) {
    object["report"] = ReportOf(status);
  }
  return object;
}

void PrintStatus(std::ostream& out, const v1::BundleStatus& status) {
  out << Short(status.bundle_sha256()) << "  revision " << status.revision() << ", "
      << status.state() << " (" << status.intent() << "), "
      << FormatTimestamp(ToTime(status.valid_from())) << " to "
      << FormatTimestamp(ToTime(status.valid_to())) << '\n';
  if (const auto warning = WarningOf(status); warning.has_value()) {
    out << (*warning == 0
                ? std::string("  it has ended: nothing crosses")
                : absl::StrCat("  it ends within ", *warning, *warning == 1 ? " day" : " days"))
        << " (carnet policy renew)\n";
  }
  if (status.intent() == "bootstrap" && status.state() == "in-force") {
    out << "  approved by one person only, who founded the federation\n";
  }
  if (status.tighten_only() && (status.state() == "proposed" || status.state() == "in-force")) {
    out << "  it only tightens: its author's signature is enough\n";
  }
  for (const v1::NeedStatus& need : status.needs()) {
    out << "  " << need.need().policy() << ": " << need.approvers_size() << " of "
        << need.need().need() << " from " << absl::StrJoin(need.need().from(), ", ") << '\n';
  }
}

absl::StatusOr<v1::GetPolicyHistoryResponse> FetchHistory(Client& client) {
  return client.Call(client.governance(), &v1::Governance::Stub::GetPolicyHistory,
                     v1::GetPolicyHistoryRequest());
}
absl::StatusOr<v1::GetPolicyStatusResponse> FetchStatus(Client& client) {
  return client.Call(client.governance(), &v1::Governance::Stub::GetPolicyStatus,
                     v1::GetPolicyStatusRequest());
}

// The one bundle that `name` means: the beginning of its digest, or its revision (of those that
// were in force).
absl::StatusOr<v1::BundleStatus> FindBundle(
    const google::protobuf::RepeatedPtrField<v1::BundleStatus>& bundles, const std::string& name) {
  const v1::BundleStatus* found = nullptr;
  std::uint64_t revision = 0;
  const bool number = name.size() < kPrefixMin && absl::SimpleAtoi(name, &revision);
  for (const v1::BundleStatus& bundle : bundles) {
    const bool was_in_force = bundle.state() == "in-force" || bundle.state() == "superseded";
    const bool same = number
                          ? was_in_force && bundle.revision() == revision
                          : name.size() >= kPrefixMin &&
                                absl::StartsWith(HexEncode(AsBytes(bundle.bundle_sha256())), name);
    if (same && found != nullptr) {
      return absl::InvalidArgumentError("policy: several bundles begin like this");
    }
    found = same ? &bundle : found;
  }
  if (found == nullptr) {
    return WithRemedy(absl::NotFoundError("policy: no such bundle"),
                      "give at least 6 digits of its digest: carnet policy history");
  }
  return *found;
}

absl::StatusOr<v1::BundleStatus> FindProposal(Client& client, const std::string& name) {
  CARNET_ASSIGN_OR_RETURN(const v1::GetPolicyStatusResponse status, FetchStatus(client));
  return FindBundle(status.proposals(), name);
}

// What the coordinator shows of a proposal is what stands on record.
absl::Status CheckReportOf(Client& client, const v1::BundleStatus& proposal) {
  CARNET_ASSIGN_OR_RETURN(const Digest digest, ToDigest(AsBytes(proposal.bundle_sha256())));
  CARNET_ASSIGN_OR_RETURN(const auto bundle, FetchBundle(client, digest));
  return CheckReport(proposal.report_json(), AsBytes(proposal.report_sha256()), *bundle);
}

absl::StatusOr<int> Send(Client& client, const ProposalOrder& order, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const ProposedBundle proposed, ProposeBundle(client, order));
  const std::string digest = HexEncode(proposed.bundle->sha256());
  CARNET_ASSIGN_OR_RETURN(const v1::GetPolicyHistoryResponse history, FetchHistory(client));
  CARNET_ASSIGN_OR_RETURN(v1::BundleStatus status, FindBundle(history.bundles(), digest));
  CARNET_ASSIGN_OR_RETURN(const v1::GetPolicyStatusResponse open, FetchStatus(client));
  for (const v1::BundleStatus& proposal : open.proposals()) {
    status = proposal.bundle_sha256() == status.bundle_sha256() ? proposal : status;
  }
  if (context.json) {
    *context.out << StatusJson(status).dump() << '\n';
    return kGood;
  }
  *context.out << "proposed " << digest << " (record " << proposed.index << ")\n";
  if (proposed.shortened) {
    *context.out << "  it only tightens, so it ends with the bundle in force\n";
  }
  PrintStatus(*context.out, status);
  PrintReport(*context.out, ReportOf(status));
  return kGood;
}

absl::StatusOr<int> Propose(const LifeOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(const auto in_force, FetchBundle(*client, Digest{}));
  policies::LoadOptions load;
  load.home = in_force->home();
  CARNET_ASSIGN_OR_RETURN(const auto content, policies::LoadBundle(options.folder, load));
  CARNET_ASSIGN_OR_RETURN(const policies::TestReport tests, policies::RunTests(*content));
  if (tests.outcomes.empty() || tests.failed > 0) {
    return WithRemedy(
        absl::FailedPreconditionError(tests.outcomes.empty()
                                          ? "policy: a bundle without tests cannot be proposed"
                                          : absl::StrCat("policy: ", tests.failed, " of its ",
                                                         tests.outcomes.size(), " tests fail")),
        "see: carnet policy test");
  }
  CARNET_ASSIGN_OR_RETURN(const PolicyFindings findings,
                          FindingsOf(*content, options.folder, absl::Now()));
  CARNET_RETURN_IF_ERROR(CheckSourced(findings));
  PrintFindings(*context.err, findings);
  CARNET_ASSIGN_OR_RETURN(const absl::Time from, StartOf(options));
  return Send(*client, {"change", content, from, absl::Hours(24) * options.days}, context);
}

absl::StatusOr<int> Renew(const LifeOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(const auto content, FetchBundle(*client, Digest{}));
  CARNET_ASSIGN_OR_RETURN(const absl::Time from, StartOf(options));
  return Send(*client, {"renew", content, from, absl::Hours(24) * options.days}, context);
}

absl::StatusOr<int> Revert(const LifeOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(const v1::GetPolicyHistoryResponse history, FetchHistory(*client));
  CARNET_ASSIGN_OR_RETURN(const v1::BundleStatus old,
                          FindBundle(history.bundles(), options.bundle));
  CARNET_ASSIGN_OR_RETURN(const Digest digest, ToDigest(AsBytes(old.bundle_sha256())));
  CARNET_ASSIGN_OR_RETURN(const auto content, FetchBundle(*client, digest));
  CARNET_ASSIGN_OR_RETURN(const absl::Time from, StartOf(options));
  return Send(*client, {"revert", content, from, absl::Hours(24) * options.days}, context);
}

absl::StatusOr<int> ApproveExceptionOf(Client& client, const LifeOptions& options,
                                       CommandContext& context) {
  Digest digest{};  // the bundle in force
  if (!options.bundle.empty()) {
    CARNET_ASSIGN_OR_RETURN(const v1::BundleStatus proposal, FindProposal(client, options.bundle));
    CARNET_ASSIGN_OR_RETURN(digest, ToDigest(AsBytes(proposal.bundle_sha256())));
  }
  CARNET_ASSIGN_OR_RETURN(const auto bundle, FetchBundle(client, digest));
  return ApproveException(client, context, *bundle, options.exception, options.approval);
}

absl::StatusOr<int> Approve(const LifeOptions& options, CommandContext& context) {
  if (options.bundle.empty() && options.exception.empty()) {
    return absl::InvalidArgumentError(
        "policy approve: name a proposal (carnet policy status), or --exception");
  }
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  if (!options.exception.empty()) {
    return ApproveExceptionOf(*client, options, context);
  }
  CARNET_ASSIGN_OR_RETURN(const v1::BundleStatus proposal, FindProposal(*client, options.bundle));
  CARNET_RETURN_IF_ERROR(CheckReportOf(*client, proposal));
  std::set<std::string> asked;
  for (const v1::NeedStatus& need : proposal.needs()) {
    asked.insert(need.need().from().begin(), need.need().from().end());
  }
  CARNET_ASSIGN_OR_RETURN(const std::set<std::string> roles,
                          RolesToSignIn(*client, options.approval, asked, "the changed policies"));
  CARNET_ASSIGN_OR_RETURN(const Digest digest, ToDigest(AsBytes(proposal.bundle_sha256())));
  for (const std::string& role : roles) {
    CARNET_ASSIGN_OR_RETURN(
        const std::uint64_t index,
        SendApproval(*client, {.kind = coordinator::kApprovalOfBundle,
                               .subject = digest,
                               .report_sha256 = ToBytes(proposal.report_sha256()),
                               .role = role,
                               .life = absl::Hours(24) * options.approval.days}));
    if (context.json) {
      *context.out
          << nlohmann::json{{"bundle", HexEncode(digest)}, {"role", role}, {"index", index}}.dump()
          << '\n';
    } else {
      *context.out << "approved " << Short(proposal.bundle_sha256()) << " as " << role
                   << " (record " << index << ")\n";
    }
  }
  if (!context.json) {
    PrintReport(*context.out, ReportOf(proposal));
  }
  return kGood;
}

using BundleCall = grpc::Status (v1::Governance::Stub::*)(grpc::ClientContext*,
                                                          const v1::BundleRequest&,
                                                          v1::GovernanceReceipt*);

absl::StatusOr<int> CallFor(const LifeOptions& options, CommandContext& context, BundleCall call,
                            const char* done) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(const v1::GetPolicyHistoryResponse history, FetchHistory(*client));
  CARNET_ASSIGN_OR_RETURN(const v1::BundleStatus bundle,
                          FindBundle(history.bundles(), options.bundle));
  v1::BundleRequest request;
  request.set_request_id(client->NewRequestId());
  request.set_bundle_sha256(bundle.bundle_sha256());
  CARNET_ASSIGN_OR_RETURN(const v1::GovernanceReceipt response,
                          client->Call(client->governance(), call, request));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t index, client->CheckReceipt(response.receipt()));
  if (context.json) {
    *context.out << nlohmann::json{{"bundle", HexEncode(AsBytes(bundle.bundle_sha256()))},
                                   {"revision", bundle.revision()},
                                   {"index", index}}
                        .dump()
                 << '\n';
  } else {
    *context.out << done << " " << Short(bundle.bundle_sha256()) << ", revision "
                 << bundle.revision() << " (record " << index << ")\n";
  }
  return kGood;
}

absl::StatusOr<int> Status(const LifeOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(const v1::GetPolicyStatusResponse status, FetchStatus(*client));
  CARNET_ASSIGN_OR_RETURN(const auto in_force, FetchBundle(*client, Digest{}));
  const std::vector<std::string> overdue = policies::OverdueGroups(*in_force, absl::Now());
  if (context.json) {
    nlohmann::json object = StatusJson(status.in_force());
    object["overdue_groups"] = overdue;
    *context.out << object.dump() << '\n';
  } else {
    PrintStatus(*context.out, status.in_force());
    for (const std::string& group : overdue) {
      *context.out << "  " << group << '\n';
    }
  }
  for (const v1::BundleStatus& proposal : status.proposals()) {
    if (context.json) {
      *context.out << StatusJson(proposal).dump() << '\n';
    } else {
      PrintStatus(*context.out, proposal);
    }
  }
  return kGood;
}

absl::StatusOr<int> ImpactOfProposal(const LifeOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(const v1::BundleStatus proposal, FindProposal(*client, options.bundle));
  CARNET_RETURN_IF_ERROR(CheckReportOf(*client, proposal));
  if (context.json) {
    *context.out << ReportOf(proposal).dump() << '\n';
    return kGood;
  }
  PrintStatus(*context.out, proposal);
  PrintReport(*context.out, ReportOf(proposal));
  return kGood;
}

absl::StatusOr<int> Impact(const LifeOptions& options, CommandContext& context) {
  if (!options.against.empty()) {
    return CompareDrafts({options.bundle, options.against}, context);
  }
  if (!IsDraft(options.bundle)) {
    return ImpactOfProposal(options, context);
  }
  absl::StatusOr<std::unique_ptr<Client>> opened = Client::Open(options.state);
  if (absl::IsInvalidArgument(opened.status())) {
    return WithRemedy(opened.status(),
                      "give --state DIR or set CARNET_CONTEXT to weigh it against the bundle in "
                      "force; or compare two folders without a server: --against FOLDER");
  }
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, std::move(opened));
  CARNET_ASSIGN_OR_RETURN(const absl::Time from, StartOf(options));
  return PreviewDraft(*client, {options.bundle, from, absl::Hours(24) * options.days}, context);
}

absl::StatusOr<int> History(const LifeOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(const v1::GetPolicyHistoryResponse history, FetchHistory(*client));
  Table table({"BUNDLE", "REVISION", "STATE", "WHY", "FROM", "UNTIL", "AUTHOR"});
  for (const v1::BundleStatus& bundle : history.bundles()) {
    if (context.json) {
      *context.out << StatusJson(bundle).dump() << '\n';
      continue;
    }
    table.Add({Short(bundle.bundle_sha256()), absl::StrCat(bundle.revision()), bundle.state(),
               bundle.intent(), FormatTimestamp(ToTime(bundle.valid_from())),
               FormatTimestamp(ToTime(bundle.valid_to())), bundle.author()});
  }
  if (!context.json) {
    *context.out << table.ToString();
  }
  return kGood;
}

}  // namespace

void RegisterPolicyLifeCommands(CLI::App& app, CommandContext& context) {
  CLI::App* policy = AddNoun(app, "policy", "What may cross a border");
  const auto options = std::make_shared<LifeOptions>();
  const auto add = [&](const char* name, const char* help,
                       std::function<absl::StatusOr<int>(const LifeOptions&)> body) {
    CLI::App* command = AddCommand(*policy, context, name, help,
                                   [options, body = std::move(body)] { return body(*options); });
    command->add_option("--state", options->state,
                        "The coordinator's state folder; default: the context in CARNET_CONTEXT");
    return command;
  };
  CLI::App* propose = add("propose", "Sign a changed bundle and ask for its approvals",
                          [&context](const LifeOptions& given) {
                            return WithErrorsAsJson(context, Propose(given, context));
                          });
  propose->add_option("folder", options->folder, "Folder of policies, with their tests")
      ->required();
  CLI::App* renew = add("renew", "Ask to prolong the bundle in force, unchanged",
                        [&context](const LifeOptions& given) { return Renew(given, context); });
  CLI::App* revert = add("revert", "Ask to bring back a bundle that was in force",
                         [&context](const LifeOptions& given) { return Revert(given, context); });
  CLI::App* approve = add("approve", "Sign your approval of a proposal and its report",
                          [&context](const LifeOptions& given) { return Approve(given, context); });
  approve->add_option("bundle", options->bundle, "Beginning of its digest, at least 6 digits");
  approve->add_option("--exception", options->exception,
                      "Approve this exception (<policy>/<exception>) instead; without a bundle, as "
                      "it is in force");
  AddApprovalOptions(*approve, options->approval);
  CLI::App* activate =
      add("activate", "Put an approved bundle into force now, or hear what it lacks",
          [&context](const LifeOptions& given) {
            return CallFor(given, context, &v1::Governance::Stub::ActivatePolicy, "in force");
          });
  CLI::App* withdraw =
      add("withdraw", "Take a proposal back", [&context](const LifeOptions& given) {
        return CallFor(given, context, &v1::Governance::Stub::WithdrawPolicy, "withdrawn");
      });
  CLI::App* impact = add("impact", "What a proposal, or a folder of policies, would change",
                         [&context](const LifeOptions& given) { return Impact(given, context); });
  impact
      ->add_option("bundle", options->bundle,
                   "Beginning of a proposal's digest, at least 6 digits; or a folder of policies")
      ->required();
  impact->add_option("--against", options->against,
                     "Compare with this folder in place of the bundle in force, without a server");
  for (CLI::App* command : {revert, activate, withdraw}) {
    command->add_option("bundle", options->bundle, "Beginning of its digest, at least 6 digits")
        ->required();
  }
  for (CLI::App* command : {propose, renew, revert, impact}) {
    command->add_option("--from", options->from, "Day on which it comes into force; default: now");
    command->add_option("--days", options->days, "How long it holds")
        ->check(CLI::Range(1, kDaysMax))
        ->capture_default_str();
  }
  add("status", "The bundle in force, and what waits for approval",
      [&context](const LifeOptions& given) { return Status(given, context); });
  add("history", "Every bundle that was in force or proposed",
      [&context](const LifeOptions& given) { return History(given, context); });
}

}  // namespace carnet::cli
