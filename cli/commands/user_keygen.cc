#include "cli/commands/user_keygen.h"

#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/ids.h"
#include "base/rng.h"
#include "base/status.h"
#include "exchange/member_keys.h"
#include "exchange/person_keys.h"

namespace carnet::cli {
namespace {

namespace fs = std::filesystem;

struct KeygenOptions {
  std::string name;
  std::string out;
};

absl::StatusOr<int> Keygen(const KeygenOptions& options, CommandContext& context) {
  CARNET_RETURN_IF_ERROR(ValidateSlotName(options.name));
  const fs::path folder = options.out;
  std::error_code error;
  if (fs::exists(folder / "context.yaml", error)) {
    return WithRemedy(
        WithOperatorDetail(absl::AlreadyExistsError("this folder is a person's"), folder.string()),
        "name another folder with --out");
  }
  CARNET_RETURN_IF_ERROR(MakeDirs(folder));
  SystemRng rng;
  CARNET_ASSIGN_OR_RETURN(const exchange::MemberKeys keys,
                          exchange::KeepMemberKeys(folder / "keys", rng));
  CARNET_ASSIGN_OR_RETURN(
      const std::string text,
      exchange::MakePersonKeys(options.name, keys.statement, keys.wrapping.public_key(), keys.tls));
  const fs::path request = folder / absl::StrCat(options.name, ".request");
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(request, AsBytes(text)));
  const std::string key = HexEncode(keys.statement.public_key());
  if (context.json) {
    *context.out << nlohmann::json{{"name", options.name},
                                   {"public_key", key},
                                   {"request", request.string()}}
                        .dump()
                 << '\n';
    return kGood;
  }
  *context.out << "your keys are in " << (folder / "keys").string() << " and nowhere else\n"
               << "  key     ed25519 " << key << '\n'
               << "  give    " << request.string() << " to whoever runs carnet init: people."
               << options.name << ".request in federation.yaml\n"
               << "  after   put what init wrote for you (people/" << options.name << ") into "
               << folder.string()
               << "; then: export CARNET_CONTEXT=" << (folder / "context.yaml").string() << '\n';
  return kGood;
}

}  // namespace

void RegisterUserKeygen(CLI::App& user, CommandContext& context) {
  const auto options = std::make_shared<KeygenOptions>();
  CLI::App* command = AddCommand(user, context, "keygen",
                                 "Make your own keys here, before the federation is founded",
                                 [options, &context] { return Keygen(*options, context); });
  command->add_option("name", options->name, "Your name under `people` of federation.yaml")
      ->required();
  command->add_option("--out", options->out, "Folder for your keys and NAME.request")->required();
}

}  // namespace carnet::cli
