// `carnet config check`: is a file as it should be?
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "base/config_loader.h"
#include "base/files.h"
#include "base/status.h"
#include "base/yaml.h"
#include "carnet/v1/config.pb.h"
#include "cli/client_context.h"
#include "cli/commands.h"
#include "coordinator/core/job_spec.h"
#include "coordinator/init.h"
#include "worker/settings.h"
#include "worker/site_labels.h"

namespace carnet::cli {
namespace {

struct ConfigOptions {
  std::string file;
  std::string kind;
};

// Each kind has a key that the others do not.
absl::StatusOr<std::string> GuessKind(const std::string& file) {
  CARNET_ASSIGN_OR_RETURN(const Bytes text, ReadFile(file, yaml::kTextBytesMax));
  CARNET_ASSIGN_OR_RETURN(const yaml::Node root, yaml::Parse(AsText(text), file));
  const std::pair<const char*, const char*> marks[] = {{"job", "job"},
                                                       {"federation", "federation"},
                                                       {"log_vkey", "context"},
                                                       {"trainers", "worker"},
                                                       {"data", "worker"},
                                                       {"floors", "worker"},
                                                       {"chip_eccn", "worker"},
                                                       {"listen", "coordinator"},
                                                       {"head_file", "coordinator"},
                                                       {"heartbeat", "coordinator"}};
  for (const auto& [key, kind] : marks) {
    if (root.is_map() && root.Find(key) != nullptr) {
      return std::string(kind);
    }
  }
  return WithRemedy(
      WithOperatorDetail(absl::InvalidArgumentError("config: what kind of file is it?"), file),
      "give --kind job, federation, worker, coordinator or context");
}

absl::Status CheckJobFile(const std::string& file) {
  CARNET_ASSIGN_OR_RETURN(v1::JobSpec spec, LoadYamlFile<v1::JobSpec>(file));
  if (spec.model().sha256().empty()) {
    // `carnet job submit` fills it in from the model file, which need not be there yet.
    spec.mutable_model()->set_sha256(HexEncode(Digest{}));
  }
  return coordinator::ValidateJob(coordinator::WithDefaults(std::move(spec)));
}

absl::Status CheckAs(const std::string& kind, const std::string& file) {
  if (kind == "job") {
    return CheckJobFile(file);
  }
  if (kind == "federation") {
    CARNET_ASSIGN_OR_RETURN(const v1::FederationConfig config,
                            LoadYamlFile<v1::FederationConfig>(file));
    return coordinator::ValidateFederation(config);
  }
  if (kind == "worker") {
    CARNET_RETURN_IF_ERROR(
        worker::LoadSettings(std::filesystem::path(file), {}, "/proc/self/exe").status());
    return worker::LoadSiteLabels(std::filesystem::path(file)).status();
  }
  if (kind == "coordinator") {
    return LoadYamlFile<v1::CoordinatorConfig>(file).status();
  }
  return LoadContext(file).status();
}

absl::StatusOr<int> Check(const ConfigOptions& options, CommandContext& context) {
  std::string kind = options.kind;
  if (kind.empty()) {
    CARNET_ASSIGN_OR_RETURN(kind, GuessKind(options.file));
  }
  if (absl::Status status = CheckAs(kind, options.file); !status.ok()) {
    // Messages of the loader name the file and the line already.
    return OperatorDetail(status).empty() ? WithOperatorDetail(std::move(status), options.file)
                                          : status;
  }
  if (context.json) {
    *context.out << nlohmann::json{{"file", options.file}, {"kind", kind}, {"good", true}}.dump()
                 << '\n';
  } else {
    *context.out << options.file << ": a good " << kind << " file\n";
  }
  return kGood;
}

}  // namespace

void RegisterConfigCommands(CLI::App& app, CommandContext& context) {
  CLI::App* noun = AddNoun(app, "config", "Configuration files");
  const auto options = std::make_shared<ConfigOptions>();
  CLI::App* check = AddCommand(*noun, context, "check", "Check a file without using it",
                               [options, &context] { return Check(*options, context); });
  check->add_option("file", options->file, "A job, federation, worker, coordinator or context file")
      ->required();
  check->add_option("--kind", options->kind, "What it is; default: told from its keys")
      ->check(CLI::IsMember({"job", "federation", "worker", "coordinator", "context"}));
}

}  // namespace carnet::cli
