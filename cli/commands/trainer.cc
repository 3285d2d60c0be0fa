// `carnet trainer softmax|mlp` (started by workers), `init` and `digest`.
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "exchange/data_digest.h"
#include "worker/trainers/builtin.h"

namespace carnet::cli {
namespace {

struct TrainerOptions {
  std::string name;
  trainers::InitialModelSettings settings;
  std::string out;
  std::vector<std::string> files;
  std::string base = ".";
};

absl::StatusOr<int> Init(const TrainerOptions& options, CommandContext& context) {
  CARNET_RETURN_IF_ERROR(trainers::WriteInitialModel(options.name, options.settings, options.out));
  CARNET_ASSIGN_OR_RETURN(const Digest digest, exchange::FileDigest(options.out));
  if (context.json) {
    *context.out << nlohmann::json{{"out", options.out}, {"sha256", HexEncode(digest)}}.dump()
                 << '\n';
  } else {
    *context.out << "wrote " << options.out << ", sha256 " << HexEncode(digest) << '\n';
  }
  return kGood;
}

absl::StatusOr<int> PrintDigest(const TrainerOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const Digest digest, exchange::FilesDigest(options.base, options.files));
  const std::string text = absl::StrCat("sha256:", HexEncode(digest));
  if (context.json) {
    *context.out << nlohmann::json{{"digest", text}}.dump() << '\n';
  } else {
    *context.out << text << '\n';
  }
  return kGood;
}

void AddBuiltin(CLI::App& noun, CommandContext& context, const char* name) {
  // A worker talks to it over its standard streams; people have no use for it.
  AddCommand(noun, context, name, "A built-in trainer, for workers",
             [name]() -> absl::StatusOr<int> {
               return trainers::RunBuiltinTrainer(name, std::cin, std::cout);
             })
      ->group("");
}

}  // namespace

void RegisterTrainerCommands(CLI::App& app, CommandContext& context) {
  CLI::App* noun = AddNoun(app, "trainer", "Trainers: first models and digests");
  AddBuiltin(*noun, context, "softmax");
  AddBuiltin(*noun, context, "mlp");
  const auto options = std::make_shared<TrainerOptions>();
  CLI::App* init = AddCommand(*noun, context, "init", "Write the model that a job starts from",
                              [options, &context] { return Init(*options, context); });
  init->add_option("trainer", options->name, "softmax or mlp")->required();
  init->add_option("--features", options->settings.features,
                   "Columns of the data without the label")
      ->required();
  init->add_option("--classes", options->settings.classes, "Labels are 0 to classes - 1")
      ->required();
  init->add_option("--hidden", options->settings.hidden, "mlp: units of the hidden layer");
  init->add_option("--seed", options->settings.seed, "mlp: the same seed gives the same bytes");
  init->add_option("--out", options->out, "File to write")->required();
  CLI::App* digest =
      AddCommand(*noun, context, "digest", "The digest that a job names a trainer by",
                 [options, &context] { return PrintDigest(*options, context); });
  digest->add_option("files", options->files, "The trainer's files, as worker.yaml lists them")
      ->required();
  digest->add_option("--base", options->base, "Folder of worker.yaml; default: here");
}

}  // namespace carnet::cli
