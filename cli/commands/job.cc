// `carnet job`: check, submit, list, status, watch, approve, stop, metrics, export.
#include <algorithm>
#include <map>
#include <memory>
#include <ostream>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/commands/approve.h"
#include "cli/commands/job_export.h"
#include "cli/commands/job_submit.h"
#include "cli/commands/job_watch.h"
#include "cli/json_views.h"
#include "cli/output.h"
#include "cli/problems.h"
#include "policies/explain.h"

namespace carnet::cli {
namespace {

struct JobOptions {
  std::string state;
  std::string file;
  std::string job_id;
  bool watch = false;
  std::uint32_t round = 0;
  std::string out;
  bool compact = false;
  ApprovalOptions approval;
};

std::map<std::string, double> ToMap(const google::protobuf::Map<std::string, double>& metrics) {
  return std::map<std::string, double>(metrics.begin(), metrics.end());
}

Colour ColourOf(v1::JobState state) {
  switch (state) {
    case v1::JOB_STATE_COMPLETED:
      return Colour::kGood;
    case v1::JOB_STATE_STOPPED:
      return Colour::kBad;
    case v1::JOB_STATE_WAITING:
      return Colour::kWarning;
    default:
      return Colour::kDim;
  }
}

absl::StatusOr<int> Submit(const JobOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const JobFile file, LoadJobFile(options.file));
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(const Submitted submitted, SubmitJobFile(*client, context, file));
  if (context.json) {
    *context.out << nlohmann::json{{"job_id", submitted.job_id}, {"index", submitted.index}}.dump()
                 << std::endl;
  } else {
    *context.out << "submitted " << submitted.job_id << " (record " << submitted.index
                 << ", receipt verified)" << std::endl;
  }
  if (options.watch) {
    return WatchJob(*client, context, submitted.job_id);
  }
  if (!context.json) {
    *context.out << "Next: carnet job watch " << submitted.job_id
                 << (options.state.empty() ? "" : absl::StrCat(" --state ", options.state)) << '\n';
  }
  return kGood;
}

void PrintRegion(const v1::RegionVerdict& region, CommandContext& context, bool* denied) {
  std::vector<std::string> allowed;
  std::set<std::string> required;
  for (const v1::Decision& decision : region.decisions()) {
    if (decision.verdict() != v1::VERDICT_ALLOW) {
      continue;
    }
    const std::string name = policies::OperationName(decision.flow().operation());
    if (std::find(allowed.begin(), allowed.end(), name) == allowed.end()) {
      allowed.push_back(name);
    }
    for (const v1::Obligation& obligation : decision.obligations()) {
      required.insert(absl::StrCat(obligation.kind(), " ", obligation.bound()));
    }
  }
  const std::vector<Problem> problems = ProblemsOf(region.decisions());
  *denied = *denied || !problems.empty();
  const bool nobody = region.workers().empty();
  const std::string verdict =
      !problems.empty() ? Coloured(context, Colour::kBad, "denied")
      : nobody && region.region() != "home"
          ? Coloured(context, Colour::kWarning, "no enrolled worker holds the data here")
          : Coloured(context, Colour::kGood, "allowed");
  *context.out << region.region() << ": " << verdict;
  if (!nobody) {
    *context.out << " (" << absl::StrJoin(region.workers(), " ") << ")";
  }
  *context.out << '\n';
  for (const Problem& problem : problems) {
    *context.out << ProblemText(problem) << '\n';
  }
  if (problems.empty() && !allowed.empty()) {
    *context.out << "  " << absl::StrJoin(allowed, ", ") << '\n';
  }
  for (const Problem& warning : WarningsOf(region.decisions())) {
    *context.out << Coloured(context, Colour::kWarning, WarningText(warning)) << '\n';
  }
  if (!required.empty()) {
    *context.out << "  required: " << absl::StrJoin(required, ", ") << '\n';
  }
}

absl::StatusOr<int> Check(const JobOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const JobFile file, LoadJobFile(options.file));
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  v1::CheckJobRequest request;
  *request.mutable_spec() = file.spec;
  CARNET_ASSIGN_OR_RETURN(const v1::CheckJobResponse response,
                          client->Call(client->jobs(), &v1::Jobs::Stub::CheckJob, request));
  bool denied = false;
  for (const v1::RegionVerdict& region : response.regions()) {
    if (!context.json) {
      PrintRegion(region, context, &denied);
      continue;
    }
    nlohmann::json object = {{"region", region.region()},
                             {"workers", nlohmann::json::array()},
                             {"decisions", nlohmann::json::array()}};
    for (const std::string& worker : region.workers()) {
      object["workers"].push_back(worker);
    }
    for (const v1::Decision& decision : region.decisions()) {
      denied = denied || decision.verdict() != v1::VERDICT_ALLOW;
      object["decisions"].push_back(DecisionJson(decision));
    }
    *context.out << object.dump() << '\n';
  }
  return denied ? kRefused : kGood;
}

absl::StatusOr<int> List(const JobOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(
      const v1::ListJobsResponse response,
      client->Call(client->jobs(), &v1::Jobs::Stub::ListJobs, v1::ListJobsRequest()));
  Table table({"JOB", "NAME", "STATE", "ROUND", "EVALUATION", "SUBMITTED"});
  for (const v1::JobStatus& job : response.jobs()) {
    if (context.json) {
      *context.out << JobStatusJson(job).dump() << '\n';
      continue;
    }
    const std::string state = JobStateWord(job.state());
    table.Add(
        {job.job_id(), job.name(),
         job.waiting_for().empty() ? state : absl::StrCat(state, ": ", job.waiting_for()),
         absl::StrCat(job.round(), "/", job.rounds()), FormatMetrics(ToMap(job.metrics())),
         absl::FormatTime("%Y-%m-%d %H:%M", ToTime(job.submitted_at()), absl::LocalTimeZone())});
  }
  if (!context.json) {
    *context.out << (table.empty() ? "no jobs\n" : table.ToString());
  }
  return kGood;
}

absl::StatusOr<v1::JobStatus> GetStatus(Client& client, const std::string& job_id) {
  v1::GetJobRequest request;
  request.set_job_id(job_id);
  return client.Call(client.jobs(), &v1::Jobs::Stub::GetJob, request);
}

absl::StatusOr<int> Status(const JobOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(const v1::JobStatus job, GetStatus(*client, options.job_id));
  if (context.json) {
    *context.out << JobStatusJson(job).dump() << '\n';
    return kGood;
  }
  std::ostream& out = *context.out;
  out << job.job_id() << " \"" << job.name()
      << "\": " << Coloured(context, ColourOf(job.state()), JobStateWord(job.state()));
  for (const std::string& why : {job.waiting_for(), job.end_reason()}) {
    if (!why.empty()) {
      out << " (" << why << ")";
    }
  }
  out << "\n  round      " << job.round() << " of " << job.rounds();
  if (job.attempt() > 1) {
    out << ", attempt " << job.attempt();
  }
  out << "\n  submitted  "
      << absl::FormatTime("%Y-%m-%d %H:%M:%S", ToTime(job.submitted_at()), absl::LocalTimeZone())
      << " by " << job.submitter() << "\n  model      " << ShortDigest(AsBytes(job.model_sha256()))
      << '\n';
  if (!job.metrics().empty()) {
    out << "  evaluated  " << FormatMetrics(ToMap(job.metrics())) << '\n';
  }
  for (const v1::BorderTraffic& traffic : job.traffic()) {
    out << "  border     " << traffic.from() << "→" << traffic.to() << "  "
        << FormatBytes(traffic.bytes()) << '\n';
  }
  out << "  refusals   " << job.refusals() << '\n';
  return kGood;
}

absl::StatusOr<int> Watch(const JobOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  return WatchJob(*client, context, options.job_id);
}

absl::StatusOr<int> Approve(const JobOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  return ApproveJob(*client, context, options.job_id, options.approval);
}

absl::StatusOr<int> Stop(const JobOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  v1::StopJobRequest request;
  request.set_request_id(client->NewRequestId());
  request.set_job_id(options.job_id);
  CARNET_ASSIGN_OR_RETURN(const v1::StopJobResponse response,
                          client->Call(client->jobs(), &v1::Jobs::Stub::StopJob, request));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t index, client->CheckReceipt(response.receipt()));
  if (context.json) {
    *context.out << nlohmann::json{{"job_id", options.job_id}, {"index", index}}.dump() << '\n';
  } else {
    *context.out << "stopped " << options.job_id << " (record " << index << ")\n";
  }
  return kGood;
}

absl::StatusOr<int> Metrics(const JobOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  v1::GetMetricsRequest request;
  request.set_job_id(options.job_id);
  CARNET_ASSIGN_OR_RETURN(const v1::GetMetricsResponse response,
                          client->Call(client->jobs(), &v1::Jobs::Stub::GetMetrics, request));
  Table table({"ROUND", "CONTRIBUTIONS", "TRAINING", "EVALUATION"});
  for (const v1::RoundMetrics& round : response.rounds()) {
    if (context.json) {
      *context.out << MetricsJson(round).dump() << '\n';
    } else {
      table.Add({absl::StrCat(round.round()), absl::StrCat(round.contributions()),
                 FormatMetrics(ToMap(round.training())), FormatMetrics(ToMap(round.evaluation()))});
    }
  }
  if (!context.json) {
    *context.out << (table.empty() ? "no round is finished yet\n" : table.ToString());
  }
  return kGood;
}

absl::StatusOr<int> Export(const JobOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  return ExportJob(*client, context, {options.job_id, options.round, options.out, options.compact});
}

}  // namespace

void RegisterJobCommands(CLI::App& app, CommandContext& context) {
  CLI::App* noun = AddNoun(app, "job", "Training jobs: check, submit, follow, export");
  const auto options = std::make_shared<JobOptions>();
  const auto add = [&](const char* name, const char* help,
                       absl::StatusOr<int> (*run)(const JobOptions&, CommandContext&)) {
    CLI::App* command = AddCommand(*noun, context, name, help,
                                   [options, run, &context] { return run(*options, context); });
    command->add_option("--state", options->state,
                        "The coordinator's state folder; default: the context in CARNET_CONTEXT");
    return command;
  };
  const auto file = [&](CLI::App* command) {
    command->add_option("file", options->file, "Job file")->required();
    return command;
  };
  const auto job = [&](CLI::App* command) {
    command->add_option("job", options->job_id, "Job id (j-…)")->required();
    return command;
  };
  file(add("check", "Say what policy would allow and require, region by region", Check));
  file(add("submit", "Upload the model, sign the job and submit it", Submit))
      ->add_flag("--watch", options->watch, "Follow it to its end");
  add("list", "Jobs that you may see", List);
  job(add("status", "Where a job stands", Status));
  job(add("watch", "Follow a job to its end: 0 completed, 1 stopped", Watch));
  AddApprovalOptions(*job(add("approve", "Sign your approval of a job that waits for it", Approve)),
                     options->approval);
  job(add("stop", "Stop a job", Stop));
  job(add("metrics", "Metrics of each finished round", Metrics));
  CLI::App* exported = job(add("export", "Model, manifest and trust files, verified", Export));
  exported->add_option("--out", options->out, "Folder to write to")->required();
  exported->add_option("--round", options->round,
                       "Round whose model is meant; default: the newest");
  exported->add_flag("--compact", options->compact,
                     "A smaller manifest: contributions by their leaf hashes alone");
}

}  // namespace carnet::cli
