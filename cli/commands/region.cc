// `carnet region add|update|list|show|contradict|clear`: places where workers stand.
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/status.h"
#include "cli/commands/region_location.h"
#include "cli/json_views.h"
#include "cli/output.h"
#include "cli/registry.h"
#include "cli/registry_view.h"
#include "cli/signing.h"
#include "coordinator/core/registry.h"
#include "coordinator/core/statements.h"

namespace carnet::cli {
namespace {

struct RegionOptions {
  std::string state;
  std::string file;
  std::string name;
  std::vector<std::string> jurisdictions;
  std::optional<std::string> supplier;
  std::string location;
  bool yes = false;
};

using Entries = std::map<std::string, v1::RegionConfig>;

absl::StatusOr<v1::LocationGrade> ParseGrade(const std::string& word) {
  for (int grade = v1::LOCATION_GRADE_UNKNOWN; grade <= v1::LOCATION_GRADE_PROVIDER; ++grade) {
    if (LocationWord(static_cast<v1::LocationGrade>(grade)) == word) {
      return static_cast<v1::LocationGrade>(grade);
    }
  }
  return absl::InvalidArgumentError(
      "region: --location: one of unknown, claimed, contract, provider");
}

// What the options say; what they leave out stays.
absl::Status Amend(const RegionOptions& options, v1::RegionConfig* terms) {
  if (!options.jurisdictions.empty()) {
    terms->clear_jurisdictions();
    terms->mutable_jurisdictions()->Add(options.jurisdictions.begin(), options.jurisdictions.end());
  }
  if (options.supplier) {
    terms->set_supplier(*options.supplier);
  }
  if (!options.location.empty()) {
    CARNET_ASSIGN_OR_RETURN(const v1::LocationGrade grade, ParseGrade(options.location));
    terms->set_location_evidence(grade);
  }
  return absl::OkStatus();
}

absl::StatusOr<Entries> Wanted(const RegionOptions& options, const Entries& on_record) {
  Entries wanted;
  if (!options.file.empty()) {
    CARNET_ASSIGN_OR_RETURN(const v1::FederationConfig fragment, LoadFragment(options.file));
    wanted.insert(fragment.regions().begin(), fragment.regions().end());
    if (wanted.empty()) {
      return WithOperatorDetail(
          absl::InvalidArgumentError("region: the file names none under `regions`"), options.file);
    }
  } else if (!options.name.empty()) {
    const auto known = on_record.find(options.name);
    v1::RegionConfig terms = known == on_record.end() ? v1::RegionConfig() : known->second;
    CARNET_RETURN_IF_ERROR(Amend(options, &terms));
    wanted.emplace(options.name, std::move(terms));
  } else {
    return WithRemedy(absl::InvalidArgumentError("region: which one?"),
                      "name it, or give a file with `regions` (-f)");
  }
  return wanted;
}

// Something in `terms` was named by nobody here.
bool IsTaken(const RegionOptions& options, const v1::RegionConfig& terms) {
  v1::RegionConfig named;
  return options.file.empty() &&
         (!Amend(options, &named).ok() ||
          !google::protobuf::util::MessageDifferencer::Equals(named, terms));
}

absl::StatusOr<int> Register(const RegionOptions& options, Expected expected,
                             CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(const v1::ListRegistryResponse registry, FetchRegistry(*client));
  Entries on_record;
  for (const v1::RegionEntry& entry : registry.regions()) {
    on_record.emplace(entry.region(), entry.terms());
  }
  CARNET_ASSIGN_OR_RETURN(const Entries wanted, Wanted(options, on_record));
  for (const auto& [name, terms] : wanted) {
    CARNET_RETURN_IF_ERROR(CheckExpected(expected, on_record.count(name) != 0, "region " + name));
    CARNET_RETURN_IF_ERROR(coordinator::CheckRegion("regions." + name, terms));
  }
  for (const auto& [name, terms] : wanted) {
    v1::RegisterRegionRequest request;
    request.set_request_id(client->NewRequestId());
    request.set_region(name);
    v1::RegionRegistered record;
    record.set_region(name);
    *record.mutable_terms() = coordinator::WithDefaultGrade(terms);
    CARNET_RETURN_IF_ERROR(
        ShowBeforeSigning(context, record, {options.yes, IsTaken(options, terms)}));
    CARNET_RETURN_IF_ERROR(
        SignStatement(*client, coordinator::RegistrarRoles(), &record, record.mutable_stated()));
    *request.mutable_terms() = record.terms();
    *request.mutable_stated() = record.stated();
    CARNET_ASSIGN_OR_RETURN(
        const v1::RegisterResponse response,
        client->Call(client->admin(), &v1::Admin::Stub::RegisterRegion, request));
    CARNET_RETURN_IF_ERROR(PrintRegistered(*client, "region", name, response, context));
  }
  return kGood;
}

struct Presence {
  std::size_t workers = 0;
  std::size_t live = 0;
};

absl::StatusOr<std::map<std::string, Presence>> PresenceByRegion(Client& client) {
  CARNET_ASSIGN_OR_RETURN(
      const v1::ListWorkersResponse response,
      client.Call(client.admin(), &v1::Admin::Stub::ListWorkers, v1::ListWorkersRequest()));
  std::map<std::string, Presence> regions;
  for (const v1::WorkerStatus& worker : response.workers()) {
    if (!worker.revoked()) {
      Presence& region = regions[worker.region()];
      ++region.workers;
      region.live += worker.live() ? 1 : 0;
    }
  }
  return regions;
}

// Every region, or the one of that name.
absl::StatusOr<int> List(const RegionOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(const v1::ListRegistryResponse registry, FetchRegistry(*client));
  CARNET_ASSIGN_OR_RETURN(auto presence, PresenceByRegion(*client));
  Table table(
      {"REGION", "PLACE", "LOCATION", "SUPPLIER", "WORKERS", "LIVE", "STATED BY", "RECORD"});
  bool found = options.name.empty();
  std::string against;
  for (const v1::RegionEntry& entry : registry.regions()) {
    if (!options.name.empty() && entry.region() != options.name) {
      continue;
    }
    found = true;
    const Presence& region = presence[entry.region()];
    if (context.json) {
      *context.out << RegionJson(entry, region.workers, region.live).dump() << '\n';
      continue;
    }
    table.Add({entry.region(), absl::StrJoin(entry.terms().jurisdictions(), " "),
               LocationText(entry), entry.terms().supplier(), absl::StrCat(region.workers),
               absl::StrCat(region.live),
               entry.region() == "home" ? "genesis" : VoucherText(entry.stated_by()),
               absl::StrCat(entry.index())});
    against += ContradictionsText(entry);
  }
  if (!found) {
    return WithRemedy(absl::NotFoundError("no such region is registered"), "carnet region list");
  }
  if (!context.json) {
    *context.out << table.ToString() << against;
  }
  return kGood;
}

void AddTerms(CLI::App* command, RegionOptions& options) {
  command->add_option("region", options.name, "Name of the region");
  command->add_option("-f,--file", options.file,
                      "Register what stands under `regions` in this file instead, a part of "
                      "federation.yaml");
  command->add_option("--in", options.jurisdictions, "Its jurisdictions, e.g. AE,AE-DIFC")
      ->delimiter(',');
  command->add_option("--supplier", options.supplier,
                      "Who runs it; default: the home organisation");
  command->add_option("--location", options.location,
                      "Who vouches for the place: unknown, claimed, contract or provider");
  command->add_flag("--yes", options.yes, "Sign what is shown, also what is not named here");
  AddStateOption(command, &options.state);
}

}  // namespace

void RegisterRegionCommands(CLI::App& app, CommandContext& context) {
  CLI::App* noun = AddNoun(app, "region", "Places where workers stand");
  const auto options = std::make_shared<RegionOptions>();
  AddTerms(AddCommand(*noun, context, "add", "Register a region",
                      [options, &context] { return Register(*options, Expected::kNew, context); }),
           *options);
  AddTerms(
      AddCommand(*noun, context, "update", "Change what is on record of a region",
                 [options, &context] { return Register(*options, Expected::kKnown, context); }),
      *options);
  AddStateOption(AddCommand(*noun, context, "list", "Registered regions, and who is live there",
                            [options, &context] { return List(*options, context); }),
                 &options->state);
  CLI::App* show = AddCommand(*noun, context, "show", "What is on record of a region",
                              [options, &context] { return List(*options, context); });
  show->add_option("region", options->name, "Name of the region")->required();
  AddStateOption(show, &options->state);
  AddRegionLocation(*noun, context);
}

}  // namespace carnet::cli
