// `carnet supplier add|update|list|show`: whose machines are rented.
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/config_loader.h"
#include "base/status.h"
#include "cli/output.h"
#include "cli/registry.h"
#include "cli/registry_view.h"
#include "cli/signing.h"
#include "coordinator/core/registry.h"
#include "coordinator/core/statements.h"

namespace carnet::cli {
namespace {

struct SupplierOptions {
  std::string state;
  std::string file;
  std::string name;
  std::optional<std::string> organised_in;
  std::optional<std::string> principal_place;
  std::optional<std::string> parent;
  std::vector<std::string> owners;
  std::vector<std::string> certifications;
  std::string gpu_hour;
  std::string egress_gb;
  std::optional<double> listed_share;
  std::optional<std::string> deal;
  bool yes = false;
};

// How the home organisation is named here, whatever it is called.
constexpr char kHome[] = "home";

absl::Status SetMoney(const std::string& text, const char* option, v1::Money* money) {
  const absl::StatusOr<MoneyValue> value = ParseMoney(text);
  if (!value.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("supplier: ", option, ": such as 2.10 USD"));
  }
  money->set_micros(value->micros);
  money->set_currency(value->currency);
  return absl::OkStatus();
}

absl::Status SetOwners(const std::vector<std::string>& texts, v1::SupplierConfig* terms) {
  terms->clear_owners();
  for (const std::string& text : texts) {
    const std::vector<std::string> parts = absl::StrSplit(text, '=');
    const absl::StatusOr<double> percent =
        parts.size() == 2 ? ParseFiniteDouble(parts[1])
                          : absl::StatusOr<double>(absl::InvalidArgumentError(""));
    if (!percent.ok()) {
      return absl::InvalidArgumentError("supplier: --owner: a place and percent, such as SG=60");
    }
    v1::OwnerConfig* owner = terms->add_owners();
    owner->set_jurisdiction(parts[0]);
    owner->set_percent(*percent);
  }
  return absl::OkStatus();
}

// What the options say; what they leave out stays.
absl::Status Amend(const SupplierOptions& options, v1::SupplierConfig* terms) {
  if (options.organised_in) {
    terms->set_organised_in(*options.organised_in);
  }
  if (options.principal_place) {
    terms->set_principal_place(*options.principal_place);
  }
  if (options.parent) {
    terms->set_ultimate_parent(*options.parent);
  }
  if (!options.owners.empty()) {
    CARNET_RETURN_IF_ERROR(SetOwners(options.owners, terms));
  }
  if (!options.certifications.empty()) {
    terms->clear_certifications();
    terms->mutable_certifications()->Add(options.certifications.begin(),
                                         options.certifications.end());
  }
  if (options.listed_share) {
    terms->set_listed_owner_pct(*options.listed_share);
  }
  if (options.deal) {
    terms->set_deal(*options.deal);
  }
  if (!options.gpu_hour.empty()) {
    CARNET_RETURN_IF_ERROR(
        SetMoney(options.gpu_hour, "--gpu-hour", terms->mutable_price()->mutable_gpu_hour()));
  }
  if (!options.egress_gb.empty()) {
    CARNET_RETURN_IF_ERROR(
        SetMoney(options.egress_gb, "--egress-gb", terms->mutable_price()->mutable_egress_gb()));
  }
  return absl::OkStatus();
}

using Entries = std::map<std::string, v1::SupplierConfig>;

absl::StatusOr<Entries> Wanted(const SupplierOptions& options, const std::string& organisation,
                               const Entries& on_record) {
  Entries wanted;
  if (!options.file.empty()) {
    CARNET_ASSIGN_OR_RETURN(const v1::FederationConfig fragment, LoadFragment(options.file));
    wanted.insert(fragment.suppliers().begin(), fragment.suppliers().end());
    if (wanted.empty()) {
      return WithOperatorDetail(absl::InvalidArgumentError("supplier: the file names none under "
                                                           "`suppliers`"),
                                options.file);
    }
  } else if (!options.name.empty()) {
    const std::string& name = options.name == kHome ? organisation : options.name;
    const auto known = on_record.find(name);
    v1::SupplierConfig terms = known == on_record.end() ? v1::SupplierConfig() : known->second;
    CARNET_RETURN_IF_ERROR(Amend(options, &terms));
    wanted.emplace(name, std::move(terms));
  } else {
    return WithRemedy(absl::InvalidArgumentError("supplier: which one?"),
                      "name it, or give a file with `suppliers` (-f)");
  }
  return wanted;
}

// Something in `terms` was named by nobody here.
bool IsTaken(const SupplierOptions& options, const v1::SupplierConfig& terms) {
  v1::SupplierConfig named;
  return options.file.empty() &&
         (!Amend(options, &named).ok() ||
          !google::protobuf::util::MessageDifferencer::Equals(named, terms));
}

absl::StatusOr<int> Register(const SupplierOptions& options, Expected expected,
                             CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(const v1::ListRegistryResponse registry, FetchRegistry(*client));
  Entries on_record;
  for (const v1::SupplierEntry& entry : registry.suppliers()) {
    on_record.emplace(entry.supplier(), entry.terms());
  }
  CARNET_ASSIGN_OR_RETURN(const Entries wanted,
                          Wanted(options, registry.organisation(), on_record));
  for (const auto& [name, terms] : wanted) {
    const bool home = name == registry.organisation();
    // Home was never added, and is always there.
    CARNET_RETURN_IF_ERROR(
        CheckExpected(expected, home || on_record.count(name) != 0, "supplier " + name));
    CARNET_RETURN_IF_ERROR(home ? coordinator::CheckHome(kHome, terms)
                                : coordinator::CheckSupplier("suppliers." + name, terms));
  }
  for (const auto& [name, terms] : wanted) {
    v1::RegisterSupplierRequest request;
    request.set_request_id(client->NewRequestId());
    request.set_supplier(name);
    v1::SupplierRegistered record;
    record.set_supplier(name);
    *record.mutable_terms() = terms;
    CARNET_RETURN_IF_ERROR(
        ShowBeforeSigning(context, record, {options.yes, IsTaken(options, terms)}));
    CARNET_RETURN_IF_ERROR(
        SignStatement(*client, coordinator::RegistrarRoles(), &record, record.mutable_stated()));
    *request.mutable_terms() = record.terms();
    *request.mutable_stated() = record.stated();
    CARNET_ASSIGN_OR_RETURN(
        const v1::RegisterResponse response,
        client->Call(client->admin(), &v1::Admin::Stub::RegisterSupplier, request));
    CARNET_RETURN_IF_ERROR(PrintRegistered(*client, "supplier", name, response, context));
  }
  return kGood;
}

absl::StatusOr<int> List(const SupplierOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(const v1::ListRegistryResponse registry, FetchRegistry(*client));
  Table table({"SUPPLIER", "ORGANISED IN", "PARENT", "OWNERS", "LISTED", "CERTIFICATIONS", "DEAL",
               "STATED BY", "RECORD"});
  for (const v1::SupplierEntry& entry : registry.suppliers()) {
    if (context.json) {
      *context.out << SupplierJson(entry).dump() << '\n';
      continue;
    }
    const bool home = entry.supplier() == registry.organisation();
    table.Add({entry.supplier(), home ? kHome : entry.terms().organised_in(),
               entry.terms().ultimate_parent(), OwnersText(entry.terms()),
               ListedText(entry.terms()), absl::StrJoin(entry.terms().certifications(), " "),
               home ? "internal" : entry.terms().deal(), VoucherText(entry.stated_by()),
               absl::StrCat(entry.index())});
  }
  if (!context.json) {
    *context.out << (table.empty() ? "no supplier is registered\n" : table.ToString());
  }
  return kGood;
}

absl::StatusOr<int> Show(const SupplierOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(const v1::ListRegistryResponse registry, FetchRegistry(*client));
  const auto entry = std::find_if(
      registry.suppliers().begin(), registry.suppliers().end(), [&](const v1::SupplierEntry& each) {
        return each.supplier() == (options.name == kHome ? registry.organisation() : options.name);
      });
  if (entry == registry.suppliers().end()) {
    return WithRemedy(absl::NotFoundError("no such supplier is registered"),
                      "carnet supplier list");
  }
  *context.out << SupplierJson(*entry).dump(context.json ? -1 : 2) << '\n';
  return kGood;
}

void AddTerms(CLI::App* command, SupplierOptions& options) {
  command->add_option("supplier", options.name, "Name of the supplier; home: your organisation");
  command->add_option("-f,--file", options.file,
                      "Register what stands under `suppliers` in this file instead, a part of "
                      "federation.yaml");
  command->add_option("--organised-in", options.organised_in, "Place of its law, e.g. SG");
  command->add_option("--principal-place", options.principal_place,
                      "Place of business; nobody said: unknown");
  command->add_option("--parent", options.parent, "Place of its ultimate parent");
  command->add_option("--owner", options.owners, "Place and percent, SG=60; may be repeated");
  command
      ->add_option("--certifications", options.certifications,
                   "E.g. iso-27001,global-cbpr; none: it has none")
      ->delimiter(',');
  command->add_option("--listed-share", options.listed_share,
                      "Percent of it that parties on sanctions or entity lists own together, 0 to "
                      "100");
  command->add_option("--deal", options.deal, "The contract with it, e.g. compute-rental");
  command->add_option("--gpu-hour", options.gpu_hour, "Price, e.g. \"2.10 USD\"");
  command->add_option("--egress-gb", options.egress_gb, "Price, e.g. \"0.09 USD\"");
  command->add_flag("--yes", options.yes, "Sign what is shown, also what is not named here");
  AddStateOption(command, &options.state);
}

}  // namespace

void RegisterSupplierCommands(CLI::App& app, CommandContext& context) {
  CLI::App* noun = AddNoun(app, "supplier", "Whose machines are rented");
  const auto options = std::make_shared<SupplierOptions>();
  AddTerms(AddCommand(*noun, context, "add", "Register a supplier",
                      [options, &context] { return Register(*options, Expected::kNew, context); }),
           *options);
  AddTerms(
      AddCommand(*noun, context, "update", "Change what is on record of a supplier",
                 [options, &context] { return Register(*options, Expected::kKnown, context); }),
      *options);
  AddStateOption(AddCommand(*noun, context, "list", "Registered suppliers",
                            [options, &context] { return List(*options, context); }),
                 &options->state);
  CLI::App* show = AddCommand(*noun, context, "show", "What is on record of a supplier",
                              [options, &context] { return Show(*options, context); });
  show->add_option("supplier", options->name, "Name of the supplier")->required();
  AddStateOption(show, &options->state);
}

}  // namespace carnet::cli
