// `carnet evidence add|accept|withdraw|list`: documents that rules ask for.
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
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
#include "cli/signing.h"
#include "coordinator/core/statements.h"
#include "exchange/data_digest.h"
#include "ledger/person_statement.h"
#include "policies/dates.h"
#include "policies/facts.h"
#include "policies/jurisdictions.h"
#include "policies/roles.h"

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
  bool yes = false;
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

// In the role that makes it count, if this person holds it; else in another that decides about
// policy, which proposes it.
absl::Status SignItem(Client& client, v1::AddEvidenceRequest* request) {
  const std::string accepting = coordinator::AcceptingRole(request->kind());
  CARNET_ASSIGN_OR_RETURN(std::set<std::string> roles, OwnRoles(client));
  const bool accepts = roles.count(accepting) != 0;
  std::erase_if(roles, [](const std::string& role) { return policies::IsAccountRole(role); });
  if (accepts || roles.empty()) {
    roles = {accepting};
  }
  v1::EvidenceRecorded record;
  record.set_kind(request->kind());
  record.set_sender(request->sender());
  record.set_recipient(request->recipient());
  *record.mutable_destinations() = request->destinations();
  *record.mutable_categories() = request->categories();
  *record.mutable_valid_from() = request->valid_from();
  *record.mutable_valid_to() = request->valid_to();
  record.set_document_sha256(request->document_sha256());
  CARNET_RETURN_IF_ERROR(SignStatement(client, roles, &record, record.mutable_stated()));
  *request->mutable_stated() = record.stated();
  return absl::OkStatus();
}

std::string DayText(const google::protobuf::Timestamp& time) {
  return absl::FormatTime("%Y-%m-%d", ToTime(time), absl::UTCTimeZone());
}

// What the person said of the item is so. True: he said all of it.
absl::StatusOr<bool> CompareItem(const EvidenceOptions& options, const v1::EvidenceRecorded& item) {
  const auto differs = [&](const char* option) {
    return absl::FailedPreconditionError(
        absl::StrCat("evidence: the item on record has another ", option, ": nothing was signed"));
  };
  if (!options.kind.empty() && options.kind != item.kind()) {
    return differs("--kind");
  }
  if (!options.recipient.empty() && options.recipient != item.recipient()) {
    return differs("--recipient");
  }
  const std::set<std::string> said(options.destinations.begin(), options.destinations.end());
  if (!said.empty() &&
      said != std::set<std::string>(item.destinations().begin(), item.destinations().end())) {
    return differs("--to");
  }
  if (!options.until.empty()) {
    CARNET_ASSIGN_OR_RETURN(const absl::CivilDay until, ParseDay("--until", options.until));
    if (absl::FromCivil(until + 1, absl::UTCTimeZone()) != ToTime(item.valid_to())) {
      return differs("--until");
    }
  }
  return !options.kind.empty() && !options.recipient.empty() && !said.empty() &&
         !options.until.empty();
}

// What is accepted is the item as it is shown here, of the document that is at hand.
absl::StatusOr<int> Accept(const EvidenceOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const Digest document, exchange::FileDigest(options.document));
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(const v1::ListRegistryResponse registry, FetchRegistry(*client));
  const auto entry = std::find_if(
      registry.evidence().begin(), registry.evidence().end(),
      [&](const v1::EvidenceEntry& each) { return each.evidence().evidence_id() == options.id; });
  if (entry == registry.evidence().end() || entry->ended()) {
    return WithRemedy(absl::NotFoundError("no such item of evidence in force"),
                      "carnet evidence list");
  }
  const v1::EvidenceRecorded& item = entry->evidence();
  if (AsText(document) != item.document_sha256()) {
    return WithOperatorDetail(
        absl::FailedPreconditionError("evidence: this is not the document of the item"),
        options.document);
  }
  CARNET_ASSIGN_OR_RETURN(const bool named, CompareItem(options, item));
  v1::EvidenceRecorded shown = item;
  shown.clear_common();
  shown.clear_stated();
  CARNET_RETURN_IF_ERROR(ShowBeforeSigning(context, shown, {options.yes, !named}));
  v1::EvidenceAccepted record;
  record.set_evidence_id(item.evidence_id());
  record.set_document_sha256(item.document_sha256());
  CARNET_ASSIGN_OR_RETURN(const Digest digest, ledger::EvidenceItemDigest(item));
  record.set_item_sha256(ToString(digest));
  CARNET_RETURN_IF_ERROR(SignStatement(*client, {coordinator::AcceptingRole(item.kind())}, &record,
                                       record.mutable_stated()));
  v1::AcceptEvidenceRequest request;
  request.set_request_id(client->NewRequestId());
  request.set_evidence_id(record.evidence_id());
  request.set_document_sha256(record.document_sha256());
  request.set_item_sha256(record.item_sha256());
  *request.mutable_stated() = record.stated();
  CARNET_ASSIGN_OR_RETURN(const v1::AcceptEvidenceResponse response,
                          client->Call(client->admin(), &v1::Admin::Stub::AcceptEvidence, request));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t index, client->CheckReceipt(response.receipt()));
  if (context.json) {
    *context.out << nlohmann::json{{"evidence_id", options.id}, {"index", index}}.dump() << '\n';
  } else {
    *context.out << "accepted " << options.id << ": " << item.kind() << " for " << item.recipient()
                 << " to " << absl::StrJoin(item.destinations(), ", ") << " for "
                 << (item.categories().empty() ? "every category"
                                               : absl::StrJoin(item.categories(), ", "))
                 << ", from " << DayText(item.valid_from()) << " until before "
                 << DayText(item.valid_to()) << " (record " << index << ")\n";
  }
  return kGood;
}

absl::StatusOr<int> Add(const EvidenceOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(v1::AddEvidenceRequest request, MakeRequest(options));
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  request.set_request_id(client->NewRequestId());
  CARNET_ASSIGN_OR_RETURN(const v1::ListRegistryResponse registry, FetchRegistry(*client));
  request.set_sender(registry.organisation());
  CARNET_RETURN_IF_ERROR(SignItem(*client, &request));
  CARNET_ASSIGN_OR_RETURN(const v1::AddEvidenceResponse response,
                          client->Call(client->admin(), &v1::Admin::Stub::AddEvidence, request));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t index, client->CheckReceipt(response.receipt()));
  if (context.json) {
    *context.out << nlohmann::json{{"evidence_id", response.evidence_id()},
                                   {"accepted", response.accepted()},
                                   {"index", index}}
                        .dump()
                 << '\n';
  } else {
    *context.out << (response.accepted() ? "recorded " : "proposed ") << response.evidence_id()
                 << ": " << options.kind << " for " << options.recipient << " to "
                 << absl::StrJoin(options.destinations, ", ") << " (record " << index << ")\n";
    if (!response.accepted()) {
      *context.out << "it counts once somebody with the role "
                   << coordinator::AcceptingRole(options.kind)
                   << " accepts it: carnet evidence accept " << response.evidence_id()
                   << " --document FILE\n";
    }
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
  Table table({"EVIDENCE", "KIND", "RECIPIENT", "TO", "CATEGORIES", "FROM", "BEFORE", "ACCEPTED BY",
               "STATE"});
  for (const v1::EvidenceEntry& entry : registry.evidence()) {
    if (context.json) {
      *context.out << EvidenceJson(entry).dump() << '\n';
      continue;
    }
    const v1::EvidenceRecorded& item = entry.evidence();
    table.Add({item.evidence_id(), item.kind(), item.recipient(),
               absl::StrJoin(item.destinations(), " "),
               item.categories().empty() ? "all" : absl::StrJoin(item.categories(), " "),
               DayText(item.valid_from()), DayText(item.valid_to()),
               entry.accepted() ? VoucherText(entry.accepted_by()) : "nobody",
               entry.ended()                             ? "withdrawn"
               : !entry.accepted()                       ? "proposed"
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
  CLI::App* add =
      AddCommand(*noun, context, "add",
                 "Put a document on record as evidence; it counts if you hold the role of its kind",
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
  CLI::App* accept =
      AddCommand(*noun, context, "accept", "Make an item that somebody proposed count",
                 [options, &context] { return Accept(*options, context); });
  accept->add_option("evidence", options->id, "Evidence id (e-…)")->required();
  accept
      ->add_option("--document", options->document,
                   "The document that you read; only its SHA-256 leaves this machine")
      ->required();
  accept->add_option("--kind", options->kind, "What it must be");
  accept->add_option("--recipient", options->recipient, "Whom it must bind");
  accept->add_option("--to", options->destinations, "The destinations that it must cover")
      ->delimiter(',');
  accept->add_option("--until", options->until, "The last day of its validity (UTC)");
  accept->add_flag("--yes", options->yes, "Accept what is shown, also what is not named here");
  CLI::App* withdraw = AddCommand(*noun, context, "withdraw", "End an item of evidence now",
                                  [options, &context] { return Withdraw(*options, context); });
  withdraw->add_option("evidence", options->id, "Evidence id (e-…)")->required();
  CLI::App* list = AddCommand(*noun, context, "list", "Items of evidence on record",
                              [options, &context] { return List(*options, context); });
  for (CLI::App* command : {add, accept, withdraw, list}) {
    command->add_option("--state", options->state,
                        "The coordinator's state folder; default: the context in CARNET_CONTEXT");
  }
}

}  // namespace carnet::cli
