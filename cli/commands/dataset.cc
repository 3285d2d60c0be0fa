// `carnet data register|list|show`: datasets, their shards and labels.
#include <filesystem>
#include <map>
#include <memory>
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
#include "coordinator/registration.h"

namespace carnet::cli {
namespace {

struct DatasetOptions {
  std::string state;
  std::string file;
  std::string name;  // DATASET/SHARD, or a dataset
  std::vector<std::string> subjects_in;
  std::vector<std::string> categories;
  std::vector<std::string> people;
  std::string stored_in = "home";
  std::uint64_t rows = 0;
  std::string sha256;
  std::string path;
};

using Datasets = std::map<std::string, v1::DatasetConfig>;

// One shard, as the options say it.
absl::StatusOr<Datasets> FromOptions(const DatasetOptions& options) {
  const std::size_t slash = options.name.find('/');
  if (slash == std::string::npos) {
    return WithRemedy(absl::InvalidArgumentError("data register: which shard?"),
                      "name it as DATASET/SHARD, or give a file with `datasets` (-f)");
  }
  v1::ShardConfig shard;
  shard.mutable_subjects_in()->Add(options.subjects_in.begin(), options.subjects_in.end());
  shard.mutable_categories()->Add(options.categories.begin(), options.categories.end());
  shard.set_stored_in(options.stored_in);
  shard.set_rows(options.rows);
  shard.set_sha256(options.sha256);
  shard.set_path(options.path);
  for (const std::string& text : options.people) {
    const std::vector<std::string> parts = absl::StrSplit(text, '=');
    const absl::StatusOr<std::uint64_t> people =
        parts.size() == 2 ? ParseUint64(parts[1])
                          : absl::StatusOr<std::uint64_t>(absl::InvalidArgumentError(""));
    if (!people.ok()) {
      return absl::InvalidArgumentError(
          "data register: --people: place, category and number, such as US.health=12000");
    }
    (*shard.mutable_people())[parts[0]] = *people;
  }
  Datasets datasets;
  (*datasets[options.name.substr(0, slash)].mutable_shards())[options.name.substr(slash + 1)] =
      std::move(shard);
  return datasets;
}

absl::StatusOr<v1::RegisterDatasetRequest> MakeRequest(const std::string& name,
                                                       const v1::DatasetConfig& dataset,
                                                       const std::filesystem::path& base) {
  v1::RegisterDatasetRequest request;
  request.set_dataset(name);
  const std::map<std::string, v1::ShardConfig> shards(dataset.shards().begin(),
                                                      dataset.shards().end());
  for (const auto& [shard_name, shard] : shards) {
    CARNET_ASSIGN_OR_RETURN(*request.add_shards(),
                            coordinator::ToRegistration(shard_name, dataset, shard, base));
    CARNET_RETURN_IF_ERROR(
        coordinator::CheckShard(absl::StrCat("datasets.", name, ".shards.", shard_name),
                                request.shards(request.shards_size() - 1)));
  }
  return request;
}

absl::StatusOr<int> Register(const DatasetOptions& options, CommandContext& context) {
  Datasets datasets;
  std::filesystem::path base;
  if (options.file.empty()) {
    CARNET_ASSIGN_OR_RETURN(datasets, FromOptions(options));
  } else {
    CARNET_ASSIGN_OR_RETURN(const v1::FederationConfig fragment, LoadFragment(options.file));
    datasets.insert(fragment.datasets().begin(), fragment.datasets().end());
    base = std::filesystem::path(options.file).parent_path();
    if (datasets.empty()) {
      return WithOperatorDetail(
          absl::InvalidArgumentError("data register: the file names none under `datasets`"),
          options.file);
    }
  }
  std::vector<v1::RegisterDatasetRequest> requests;
  for (const auto& [name, dataset] : datasets) {
    CARNET_ASSIGN_OR_RETURN(v1::RegisterDatasetRequest request, MakeRequest(name, dataset, base));
    requests.push_back(std::move(request));
  }
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  for (v1::RegisterDatasetRequest& request : requests) {
    request.set_request_id(client->NewRequestId());
    v1::DatasetRegistered record;
    record.set_dataset(request.dataset());
    *record.mutable_shards() = request.shards();
    CARNET_RETURN_IF_ERROR(
        SignStatement(*client, coordinator::StewardRoles(), &record, record.mutable_stated()));
    *request.mutable_stated() = record.stated();
    CARNET_ASSIGN_OR_RETURN(
        const v1::RegisterResponse response,
        client->Call(client->admin(), &v1::Admin::Stub::RegisterDataset, request));
    CARNET_RETURN_IF_ERROR(
        PrintRegistered(*client, "dataset", request.dataset(), response, context));
  }
  return kGood;
}

// Every dataset, or the one of that name.
absl::StatusOr<int> List(const DatasetOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(const v1::ListRegistryResponse registry, FetchRegistry(*client));
  Table table(
      {"SHARD", "PEOPLE IN", "CATEGORIES", "STORED IN", "ROWS", "HELD BY", "STATED BY", "STATE"});
  bool found = options.name.empty();
  for (const v1::DatasetEntry& entry : registry.datasets()) {
    if (!options.name.empty() && entry.dataset() != options.name) {
      continue;
    }
    found = true;
    if (context.json) {
      *context.out << DatasetJson(entry).dump() << '\n';
      continue;
    }
    for (const v1::ShardEntry& shard : entry.shards()) {
      const v1::ShardRegistration& terms = shard.registered();
      table.Add({absl::StrCat(entry.dataset(), "/", terms.shard()),
                 absl::StrJoin(terms.labels().subjects_in(), " "), CategoriesText(terms.labels()),
                 terms.stored_in(), absl::StrCat(terms.rows()), absl::StrCat(shard.held_by_size()),
                 VoucherText(shard.stated_by()), shard.withdrawn() ? "withdrawn" : "registered"});
    }
  }
  if (!found) {
    return WithRemedy(absl::NotFoundError("no such dataset is registered"), "carnet data list");
  }
  if (!context.json) {
    *context.out << (table.empty() ? "no data is registered\n" : table.ToString());
  }
  return kGood;
}

void AddTerms(CLI::App* command, DatasetOptions& options) {
  command->add_option("shard", options.name, "DATASET/SHARD");
  command->add_option("-f,--file", options.file,
                      "Register what stands under `datasets` in this file instead, a part of "
                      "federation.yaml");
  command->add_option("--subjects-in", options.subjects_in, "Whose people are in it, e.g. FR,DE")
      ->delimiter(',');
  command
      ->add_option("--categories", options.categories,
                   "E.g. personal,health; none: about nobody; left out: unknown, which denies")
      ->delimiter(',');
  command->add_option("--people", options.people,
                      "How many, US.health=12000; may be repeated. Counters need it");
  command->add_option("--stored-in", options.stored_in, "Region, or home")->capture_default_str();
  command->add_option("--rows", options.rows, "Rows, unless --path names the file");
  command->add_option("--sha256", options.sha256, "Digest, if it is known");
  command->add_option("--path", options.path, "File or folder, hashed and counted here");
  AddStateOption(command, &options.state);
}

}  // namespace

void RegisterDatasetCommands(CLI::App& app, CommandContext& context) {
  CLI::App* noun = AddNoun(app, "data", "Registered data");
  const auto options = std::make_shared<DatasetOptions>();
  AddTerms(AddCommand(*noun, context, "register", "Register shards and their labels",
                      [options, &context] { return Register(*options, context); }),
           *options);
  AddStateOption(AddCommand(*noun, context, "list", "Registered shards",
                            [options, &context] { return List(*options, context); }),
                 &options->state);
  CLI::App* show = AddCommand(*noun, context, "show", "What is on record of a dataset",
                              [options, &context] { return List(*options, context); });
  show->add_option("dataset", options->name, "Name of the dataset")->required();
  AddStateOption(show, &options->state);
}

}  // namespace carnet::cli
