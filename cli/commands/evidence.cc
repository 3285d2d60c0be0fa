// `carnet evidence add|withdraw|list`: documents that rules ask for.
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "cli/registry.h"
#include "cli/registry_view.h"
#include "exchange/data_digest.h"
#include "policies/dates.h"
#include "policies/facts.h"
#include "policies/jurisdictions.h"

namespace carnet::cli {
namespace {

struct EvidenceOptions {
  std::string state;
  std::string kind;
  std::string recipient;
  std::vector<std::string> destinations;
  std::vector<std::string> categories;
  std::string document;
  std::string from;
  std::string until;
  std::string id;
};

// Known before the coordinator is asked, so that a slip of the keyboard gets a good answer.
absl::Status CheckKind(const std::string& kind) {
  std::vector<std::string> names;
  for (const policies::EvidenceKind& known : policies::EvidenceKinds()) {
    if (kind == known.name) {
      return absl::OkStatus();
    }
    names.emplace_back(known.name);
  }
  return WithRemedy(absl::InvalidArgumentError("evidence: --kind: no such kind"),
                    absl::StrCat("one of ", absl::StrJoin(names, ", ")));
}

absl::StatusOr<absl::CivilDay> ParseDay(const char* option, const std::string& text) {
  absl::StatusOr<absl::CivilDay> day = policies::ParseDate(text);
  if (!day.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("evidence: ", option, ": a day, e.g. 2026-11-21"));
  }
  return day;
}

absl::StatusOr<v1::AddEvidenceRequest> MakeRequest(const EvidenceOptions& options) {
  CARNET_RETURN_IF_ERROR(CheckKind(options.kind));
  CARNET_ASSIGN_OR_RETURN(const absl::CivilDay from, ParseDay("--from", options.from));
  CARNET_ASSIGN_OR_RETURN(const absl::CivilDay until, ParseDay("--until", options.until));
  if (until < from) {
    return absl::InvalidArgumentError("evidence: --until is before --from");
  }
  v1::AddEvidenceRequest request;
  request.set_kind(options.kind);
  request.set_recipient(options.recipient);
  for (const std::string& code : options.destinations) {
    CARNET_RETURN_IF_ERROR(policies::CheckJurisdiction(code));
    request.add_destinations(code);
  }
  request.mutable_categories()->Add(options.categories.begin(), options.categories.end());
  // Whole days in UTC; the last one counts.
  *request.mutable_valid_from() = ToTimestamp(absl::FromCivil(from, absl::UTCTimeZone()));
  *request.mutable_valid_to() = ToTimestamp(absl::FromCivil(until + 1, absl::UTCTimeZone()));
  CARNET_ASSIGN_OR_RETURN(const Digest document, exchange::FileDigest(options.document));
  request.set_document_sha256(ToString(document));
  return request;
}

absl::StatusOr<int> Add(const EvidenceOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(v1::AddEvidenceRequest request, MakeRequest(options));
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  request.set_request_id(client->NewRequestId());
  CARNET_ASSIGN_OR_RETURN(const v1::AddEvidenceResponse response,
                          client->Call(client->admin(), &v1::Admin::Stub::AddEvidence, request));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t index, client->CheckReceipt(response.receipt()));
  if (context.json) {
    *context.out << nlohmann::json{{"evidence_id", response.evidence_id()}, {"index", index}}.dump()
                 << '\n';
  } else {
    *context.out << "recorded " << response.evidence_id() << ": " << options.kind << " for "
                 << options.recipient << " to " << absl::StrJoin(options.destinations, ", ")
                 << " (record " << index << ")\n";
  }
  return kGood;
}

absl::StatusOr<int> Withdraw(const EvidenceOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  v1::WithdrawEvidenceRequest request;
  request.set_request_id(client->NewRequestId());
  request.set_evidence_id(options.id);
  CARNET_ASSIGN_OR_RETURN(
      const v1::WithdrawEvidenceResponse response,
      client->Call(client->admin(), &v1::Admin::Stub::WithdrawEvidence, request));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t index, client->CheckReceipt(response.receipt()));
  if (context.json) {
    *context.out << nlohmann::json{{"evidence_id", options.id}, {"index", index}}.dump() << '\n';
  } else {
    *context.out << "withdrawn " << options.id << " (record " << index << ")\n";
  }
  return kGood;
}

absl::StatusOr<int> List(const EvidenceOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(const v1::ListRegistryResponse registry, FetchRegistry(*client));
  Table table({"EVIDENCE", "KIND", "RECIPIENT", "TO", "CATEGORIES", "FROM", "BEFORE", "STATE"});
  for (const v1::EvidenceEntry& entry : registry.evidence()) {
    if (context.json) {
      *context.out << EvidenceJson(entry).dump() << '\n';
      continue;
    }
    const v1::EvidenceRecorded& item = entry.evidence();
    const auto day = [](const google::protobuf::Timestamp& time) {
      return absl::FormatTime("%Y-%m-%d", ToTime(time), absl::UTCTimeZone());
    };
    table.Add({item.evidence_id(), item.kind(), item.recipient(),
               absl::StrJoin(item.destinations(), " "),
               item.categories().empty() ? "all" : absl::StrJoin(item.categories(), " "),
               day(item.valid_from()), day(item.valid_to()),
               entry.ended()                             ? "withdrawn"
               : absl::Now() >= ToTime(item.valid_to())  ? "expired"
               : absl::Now() < ToTime(item.valid_from()) ? "not yet"
                                                         : "in force"});
  }
  if (!context.json) {
    *context.out << (table.empty() ? "no evidence is on record\n" : table.ToString());
  }
  return kGood;
}

}  // namespace

void RegisterEvidenceCommands(CLI::App& app, CommandContext& context) {
  CLI::App* noun = AddNoun(app, "evidence", "Documents that rules ask for");
  const auto options = std::make_shared<EvidenceOptions>();
  CLI::App* add = AddCommand(*noun, context, "add", "Put a document on record as evidence",
                             [options, &context] { return Add(*options, context); });
  add->add_option("--kind", options->kind, "What it is, e.g. scc-2021-914 or tia")->required();
  add->add_option("--recipient", options->recipient, "Supplier that it binds")->required();
  add->add_option("--to", options->destinations, "Destinations that it covers, e.g. SG,AE")
      ->required()
      ->delimiter(',');
  add->add_option("--categories", options->categories,
                  "Data categories that it covers; default: every one")
      ->delimiter(',');
  add->add_option("--document", options->document,
                  "The document; only its SHA-256 leaves this machine")
      ->required();
  add->add_option("--from", options->from, "First day of its validity (UTC)")->required();
  add->add_option("--until", options->until, "Last day of its validity (UTC)")->required();
  CLI::App* withdraw = AddCommand(*noun, context, "withdraw", "End an item of evidence now",
                                  [options, &context] { return Withdraw(*options, context); });
  withdraw->add_option("evidence", options->id, "Evidence id (e-…)")->required();
  CLI::App* list = AddCommand(*noun, context, "list", "Items of evidence on record",
                              [options, &context] { return List(*options, context); });
  for (CLI::App* command : {add, withdraw, list}) {
    command->add_option("--state", options->state,
                        "The coordinator's state folder; default: the context in CARNET_CONTEXT");
  }
}

}  // namespace carnet::cli
