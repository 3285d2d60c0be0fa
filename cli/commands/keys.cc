// `carnet key rotate`, and `carnet ledger erase`: acts of administrators that cannot be taken back.
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "cli/client.h"
#include "cli/commands.h"

namespace carnet::cli {
namespace {

struct KeyOptions {
  std::string state;
  std::string kind;
  std::uint32_t overlap_days = 0;
  std::uint64_t index = 0;
  std::string field = "name";
  std::string reason;
};

const std::map<std::string, v1::ErasureReason>& Reasons() {
  static const auto* const reasons = new std::map<std::string, v1::ErasureReason>{
      {"subject-request", v1::ERASURE_REASON_SUBJECT_REQUEST},
      {"retention-ended", v1::ERASURE_REASON_RETENTION_ENDED},
      {"ordered-by-court", v1::ERASURE_REASON_ORDERED_BY_COURT},
      {"entered-by-mistake", v1::ERASURE_REASON_ENTERED_BY_MISTAKE}};
  return *reasons;
}

// Who learns the new key of the log by themselves, and who must be told.
constexpr char kAfterLogRotation[] =
    "  workers learn it with their next poll; people's `carnet` follows the record\n"
    "  witnesses read no records: each adds the new vkey to its `logs` before the overlap ends\n"
    "  auditors: `carnet ledger trust` writes a trust.policy with both keys; an earlier one "
    "follows\n"
    "  the record where statements are at hand, and takes heads of the old key alone elsewhere\n";

// The same of the certificate authority.
constexpr char kAfterCaRotation[] =
    "  workers follow it with their next poll and renew at once; one that is away until the "
    "overlap\n"
    "  ends needs a new invitation\n"
    "  people: each runs `carnet user renew` before the overlap ends\n"
    "  other clients of the HTTPS port: give them ca.pem of the state folder, which holds both\n";

// What becomes of the old key, the new one's public text, and who does what.
struct RotationText {
  std::string old_key;
  std::string new_key;
  std::string after;
};

RotationText TextOf(const v1::KeyRotated& rotated, const std::string& until) {
  const std::string hex = HexEncode(AsBytes(rotated.new_public_key()));
  if (rotated.kind() == "log") {
    return {absl::StrCat(", signs beside the new one until ", until, ", then it is destroyed"),
            rotated.log_vkey(), kAfterLogRotation};
  }
  if (rotated.kind() == "ca") {
    return {absl::StrCat(", its certificates count until ", until, ", then it is destroyed"), hex,
            kAfterCaRotation};
  }
  return {", its destruction is ordered", hex, ""};
}

void PrintRotation(std::uint64_t index, const v1::KeyRotated& rotated, CommandContext& context) {
  const std::string until =
      rotated.has_overlap_until()
          ? absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", ToTime(rotated.overlap_until()),
                             absl::UTCTimeZone())
          : "";
  if (context.json) {
    nlohmann::json object = {{"index", index},
                             {"kind", rotated.kind()},
                             {"old_public_key", HexEncode(AsBytes(rotated.old_public_key()))},
                             {"new_public_key", HexEncode(AsBytes(rotated.new_public_key()))},
                             {"key_id", rotated.key_id()}};
    if (!rotated.log_vkey().empty()) {
      object["vkey"] = rotated.log_vkey();
    }
    if (!rotated.ca_certificate_pem().empty()) {
      object["ca_certificate"] = rotated.ca_certificate_pem();
    }
    if (!until.empty()) {
      object["overlap_until"] = until;
    }
    *context.out << object.dump() << '\n';
    return;
  }
  const RotationText text = TextOf(rotated, until);
  *context.out << "the " << rotated.kind() << " key was rotated (record " << index << ")\n  old  "
               << HexEncode(AsBytes(rotated.old_public_key())) << text.old_key << "\n  new  "
               << text.new_key << ", keys/" << rotated.key_id()
               << ".key: it belongs into the backup of the state folder\n"
               << text.after;
}

absl::StatusOr<int> Rotate(const KeyOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  v1::RotateKeyRequest request;
  request.set_request_id(client->NewRequestId());
  request.set_kind(options.kind);
  request.set_overlap_days(options.overlap_days);
  CARNET_ASSIGN_OR_RETURN(const v1::RotateKeyResponse response,
                          client->Call(client->admin(), &v1::Admin::Stub::RotateKey, request));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t index, client->CheckReceipt(response.receipt()));
  CARNET_ASSIGN_OR_RETURN(const auto record, client->FetchRecord(index));
  const auto* rotated = record.As<v1::KeyRotated>();
  if (rotated == nullptr || rotated->kind() != options.kind) {
    return absl::UnauthenticatedError("the coordinator answered with another record");
  }
  PrintRotation(index, *rotated, context);
  return kGood;
}

absl::StatusOr<int> Erase(const KeyOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  v1::EraseRequest request;
  request.set_request_id(client->NewRequestId());
  request.set_index(options.index);
  request.set_field(options.field);
  request.set_reason(Reasons().at(options.reason));
  CARNET_ASSIGN_OR_RETURN(const v1::EraseResponse response,
                          client->Call(client->admin(), &v1::Admin::Stub::Erase, request));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t index, client->CheckReceipt(response.receipt()));
  if (context.json) {
    *context.out << nlohmann::json{{"index", index}, {"erases", options.index}}.dump() << '\n';
  } else {
    *context.out << "field " << options.field << " of record " << options.index
                 << " is erased under record " << index
                 << "\n  the record itself stays; backups and snapshots of the state folder may "
                    "still hold the value\n";
  }
  return kGood;
}

void AddState(CLI::App* command, const std::shared_ptr<KeyOptions>& options) {
  command->add_option("--state", options->state,
                      "The coordinator's state folder; default: the context in CARNET_CONTEXT");
}

}  // namespace

void RegisterKeyCommands(CLI::App& app, CommandContext& context) {
  const auto options = std::make_shared<KeyOptions>();
  CLI::App* key = AddNoun(app, "key", "The coordinator's own keys");
  CLI::App* rotate = AddCommand(*key, context, "rotate", "Put a new key in the place of one",
                                [options, &context] { return Rotate(*options, context); });
  rotate->add_option("KIND", options->kind, "statement, log or ca")
      ->required()
      ->check(CLI::IsMember({"statement", "log", "ca"}));
  rotate
      ->add_option("--overlap-days", options->overlap_days,
                   "log and ca: both keys count so long, 1 to 90; default 14")
      ->check(CLI::Range(1, 90));
  AddState(rotate, options);
  CLI::App* ledger = AddNoun(app, "ledger", "The log: verify, read, hand out");
  CLI::App* erase =
      AddCommand(*ledger, context, "erase", "Destroy what the vault holds for a record",
                 [options, &context] { return Erase(*options, context); });
  erase->add_option("INDEX", options->index, "The record's index")->required();
  erase->add_option("--field", options->field, "What to erase: name")
      ->check(CLI::IsMember({"name"}));
  erase->add_option("--reason", options->reason, "Why; goes on record")
      ->required()
      ->check(CLI::IsMember(Reasons()));
  AddState(erase, options);
}

}  // namespace carnet::cli
