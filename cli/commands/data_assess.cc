// `carnet data assess|assessments`: what a person of a compliance role found out about a model,
// signed by himself.
#include "cli/commands/data_assess.h"

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "base/bytes.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "cli/client.h"
#include "cli/commands/approve.h"
#include "cli/output.h"
#include "cli/registry.h"
#include "cli/registry_view.h"
#include "cli/signing.h"
#include "coordinator/core/assessments.h"
#include "exchange/data_digest.h"
#include "policies/dates.h"

namespace carnet::cli {
namespace {

struct AssessOptions {
  std::string state;
  std::string model;
  std::string controlled;
  std::string export_class;
  std::string anonymity;
  std::string document;
  std::string from;
  std::string until;
  bool withdraw = false;
};

// The first model of a job, a file, or a digest.
absl::StatusOr<Digest> FindModel(Client& client, const std::string& name) {
  std::error_code error;
  if (std::filesystem::is_regular_file(name, error)) {
    return exchange::FileDigest(name);
  }
  if (absl::StartsWith(name, "j-")) {
    CARNET_ASSIGN_OR_RETURN(const v1::JobSubmitted job, FetchSubmission(client, name));
    return ToDigest(AsBytes(job.model_sha256()));
  }
  const absl::StatusOr<Digest> digest = DigestFromHex(absl::StripPrefix(name, "sha256:"));
  if (!digest.ok()) {
    return WithRemedy(absl::InvalidArgumentError("assessment: which model?"),
                      "name a file, a job (j-…), or the SHA-256 of a model");
  }
  return digest;
}

absl::StatusOr<absl::CivilDay> ParseDay(const char* option, const std::string& text) {
  absl::StatusOr<absl::CivilDay> day = policies::ParseDate(text);
  if (!day.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("assessment: ", option, ": a day, e.g. 2026-11-21"));
  }
  return day;
}

// Whole days in UTC; the last one counts.
absl::Status FillStatement(const AssessOptions& options, v1::ModelAssessed* record) {
  if (options.document.empty() || options.until.empty()) {
    return WithRemedy(absl::InvalidArgumentError("assessment: on what paper, and until when?"),
                      "give --document FILE and --until DAY");
  }
  absl::CivilDay from = absl::ToCivilDay(absl::Now(), absl::UTCTimeZone());
  if (!options.from.empty()) {
    CARNET_ASSIGN_OR_RETURN(from, ParseDay("--from", options.from));
  }
  CARNET_ASSIGN_OR_RETURN(const absl::CivilDay until, ParseDay("--until", options.until));
  if (until < from) {
    return absl::InvalidArgumentError("assessment: --until is before --from");
  }
  record->set_controlled(options.controlled);
  record->set_export_class(options.export_class);
  record->set_anonymity(options.anonymity);
  CARNET_ASSIGN_OR_RETURN(const Digest document, exchange::FileDigest(options.document));
  record->set_document_sha256(ToString(document));
  *record->mutable_valid_from() = ToTimestamp(absl::FromCivil(from, absl::UTCTimeZone()));
  *record->mutable_valid_to() = ToTimestamp(absl::FromCivil(until + 1, absl::UTCTimeZone()));
  return absl::OkStatus();
}

absl::StatusOr<int> Assess(const AssessOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  v1::ModelAssessed record;
  FillCommon(*client, record.mutable_common());
  record.set_assessor(client->identity().facts.user_id());
  CARNET_ASSIGN_OR_RETURN(const Digest model, FindModel(*client, options.model));
  record.set_model_sha256(ToString(model));
  record.set_withdrawn(options.withdraw);
  if (!options.withdraw) {
    CARNET_RETURN_IF_ERROR(FillStatement(options, &record));
  }
  CARNET_RETURN_IF_ERROR(coordinator::CheckAssessment(record));
  v1::SignedRequest request;
  CARNET_ASSIGN_OR_RETURN(*request.mutable_record(), SignAsUser(*client, record));
  CARNET_ASSIGN_OR_RETURN(
      const v1::GovernanceReceipt response,
      client->Call(client->governance(), &v1::Governance::Stub::AssessModel, request));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t index,
                          client->VerifyReceipt(request.record(), response.receipt()));
  if (context.json) {
    *context.out << nlohmann::json{{"model_sha256", HexEncode(model)},
                                   {"withdrawn", options.withdraw},
                                   {"index", index}}
                        .dump()
                 << '\n';
  } else {
    *context.out << (options.withdraw ? "withdrawn: the assessment of model " : "assessed model ")
                 << ShortDigest(model) << " (record " << index << ")\n";
  }
  return kGood;
}

std::string StateOf(const v1::ModelAssessed& assessment) {
  const absl::Time now = absl::Now();
  return assessment.withdrawn()                  ? "withdrawn"
         : now >= ToTime(assessment.valid_to())  ? "expired"
         : now < ToTime(assessment.valid_from()) ? "not yet"
                                                 : "in force";
}

std::string Or(const std::string& word) {
  return word.empty() ? "not stated" : word;
}

absl::StatusOr<int> List(const AssessOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(const v1::ListRegistryResponse registry, FetchRegistry(*client));
  Table table({"MODEL", "CONTROLLED", "EXPORT CLASS", "ANONYMITY", "BEFORE", "STATE", "RECORD"});
  for (const v1::AssessmentEntry& entry : registry.assessments()) {
    if (context.json) {
      *context.out << AssessmentJson(entry).dump() << '\n';
      continue;
    }
    const v1::ModelAssessed& item = entry.assessment();
    table.Add({ShortDigest(AsBytes(item.model_sha256())), Or(item.controlled()),
               Or(item.export_class()), Or(item.anonymity()),
               item.withdrawn()
                   ? ""
                   : absl::FormatTime("%Y-%m-%d", ToTime(item.valid_to()), absl::UTCTimeZone()),
               StateOf(item), absl::StrCat(entry.index())});
  }
  if (!context.json) {
    *context.out << (table.empty() ? "no model is assessed\n" : table.ToString());
  }
  return kGood;
}

}  // namespace

void AddDataAssess(CLI::App& noun, CommandContext& context) {
  const auto options = std::make_shared<AssessOptions>();
  CLI::App* assess =
      AddCommand(noun, context, "assess", "Sign what is known of a model: export class, anonymity",
                 [options, &context] { return Assess(*options, context); });
  assess
      ->add_option("model", options->model,
                   "A model's file or SHA-256, or a job (j-…): its first model")
      ->required();
  assess->add_option("--controlled", options->controlled, "Export-controlled: yes or no");
  assess->add_option("--export-class", options->export_class, "4E091 or none");
  assess->add_option("--anonymity", options->anonymity,
                     "approved or none: whether nobody can be identified from it; of exactly this "
                     "model");
  assess->add_option("--document", options->document,
                     "The paper that says so; only its SHA-256 leaves this machine");
  assess->add_option("--from", options->from, "First day of its validity (UTC); default: today");
  assess->add_option("--until", options->until, "Last day of its validity (UTC)");
  assess->add_flag("--withdraw", options->withdraw, "End what is on record of this model");
  AddStateOption(assess, &options->state);
  AddStateOption(AddCommand(noun, context, "assessments", "What is on record of models",
                            [options, &context] { return List(*options, context); }),
                 &options->state);
}

}  // namespace carnet::cli
