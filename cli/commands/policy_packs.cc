// `carnet policy pack list|show|import|update`: starter policies and what became of them here.
#include <algorithm>
#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/list_dir.h"
#include "base/status.h"
#include "base/yaml.h"
#include "cli/commands/policy_commands.h"
#include "crypto/hash.h"
#include "policies/difference.h"
#include "policies/loader.h"

namespace carnet::cli {
namespace {

using policies::Pack;
using policies::PackLock;
using policies::SourceFile;

// Policies are read by other people and tools.
constexpr mode_t kFileMode = 0644;
constexpr mode_t kFolderMode = 0755;
constexpr char kGroupsPack[] = "groups";

struct PackOptions {
  std::string name;
  std::vector<std::string> names;
  std::string folder = ".";
  bool force = false;
  bool check = false;
  bool tests = false;
};

std::filesystem::path PathOf(const std::string& folder, const std::string& file) {
  return std::filesystem::path(folder) / file;
}

absl::StatusOr<const Pack*> PackNamed(const std::string& name) {
  const Pack* pack = policies::FindPack(absl::StripSuffix(name, ".yaml"));
  if (pack != nullptr) {
    return pack;
  }
  std::vector<std::string> names;
  for (const Pack& known : policies::Packs()) {
    names.push_back(known.name);
  }
  const std::string meant = yaml::DidYouMean(name, names);
  return WithRemedy(
      WithOperatorDetail(absl::NotFoundError("no pack has this name"), name),
      meant.empty() ? "see: carnet policy pack list" : absl::StrCat("did you mean ", meant, "?"));
}

absl::StatusOr<int> List(CommandContext& context) {
  if (context.json) {
    nlohmann::json packs = nlohmann::json::array();
    for (const Pack& pack : policies::Packs()) {
      packs.push_back({{"name", pack.name},
                       {"kind", pack.kind},
                       {"title", pack.title},
                       {"facts_as_of", pack.facts_as_of},
                       {"review_by", pack.review_by},
                       {"sha256", HexEncode(pack.sha256)}});
    }
    *context.out << packs.dump() << '\n';
    return kGood;
  }
  for (const Pack& pack : policies::Packs()) {
    *context.out << absl::StrFormat("%-20s %-9s %s\n", pack.name, pack.kind, pack.title);
  }
  return kGood;
}

absl::StatusOr<int> Show(CommandContext& context, const PackOptions& options) {
  CARNET_ASSIGN_OR_RETURN(const Pack* pack, PackNamed(options.name));
  const SourceFile& file = pack->files[options.tests ? pack->files.size() - 1 : 0];
  if (context.json) {
    *context.out << nlohmann::json{{"name", pack->name},
                                   {"file", file.name},
                                   {"sha256", HexEncode(pack->sha256)},
                                   {"text", file.text}}
                        .dump()
                 << '\n';
  } else {
    *context.out << file.text;
  }
  return kGood;
}

absl::StatusOr<std::string> ReadPolicyFile(const std::filesystem::path& path) {
  CARNET_ASSIGN_OR_RETURN(const Bytes text, ReadFile(path, yaml::kTextBytesMax));
  return ToString(text);
}

// The groups that the folder has and the pack's rules name.
absl::Status RequireGroups(const std::string& folder, const Pack& pack) {
  std::error_code error;
  if (!std::filesystem::exists(PathOf(folder, "groups.yaml"), error)) {
    return absl::OkStatus();
  }
  CARNET_ASSIGN_OR_RETURN(const std::string groups, ReadPolicyFile(PathOf(folder, "groups.yaml")));
  policies::LoadOptions options;
  const absl::StatusOr<std::shared_ptr<const policies::Bundle>> together =
      policies::BundleFromFiles({{"groups.yaml", groups}, pack.files.front()}, options);
  if (together.ok()) {
    return absl::OkStatus();
  }
  return WithRemedy(absl::FailedPreconditionError(absl::StrCat(
                        "the pack does not fit the groups here: ", together.status().message())),
                    "copy what is missing from: carnet policy pack show groups");
}

absl::StatusOr<int> Import(CommandContext& context, const PackOptions& options) {
  CARNET_RETURN_IF_ERROR(MakeDirs(options.folder, kFolderMode));
  CARNET_ASSIGN_OR_RETURN(PackLock lock, ReadPackLock(options.folder));
  std::vector<const Pack*> packs;
  for (const std::string& name : options.names) {
    CARNET_ASSIGN_OR_RETURN(const Pack* pack, PackNamed(name));
    packs.push_back(pack);
  }
  std::error_code error;
  const Pack* groups = policies::FindPack(kGroupsPack);
  if (!std::filesystem::exists(PathOf(options.folder, "groups.yaml"), error) &&
      std::find(packs.begin(), packs.end(), groups) == packs.end()) {
    packs.insert(packs.begin(), groups);
  }
  nlohmann::json written = nlohmann::json::array();
  for (const Pack* pack : packs) {
    if (pack != groups) {
      CARNET_RETURN_IF_ERROR(RequireGroups(options.folder, *pack));
    }
    CARNET_RETURN_IF_ERROR(WritePack(options.folder, *pack, "", options.force, &lock));
    CARNET_RETURN_IF_ERROR(WritePackLock(options.folder, lock));
    written.push_back({{"name", pack->name}, {"sha256", HexEncode(pack->sha256)}});
    if (!context.json) {
      *context.out << "imported " << pack->name << ", sha256 " << HexEncode(pack->sha256) << '\n';
    }
  }
  if (context.json) {
    *context.out << written.dump() << '\n';
  }
  return kGood;
}

// What `update` would do with one pinned pack.
struct Update {
  std::string name;
  std::string state;  // current, new, edited, gone
  std::vector<std::string> changes;
  std::string home;  // of the folder
  const Pack* pack = nullptr;
};

// The folder's policies with one pack as it is now, against what they are.
absl::Status FindChanges(const std::string& folder, const Pack& pack, Update* update) {
  CARNET_ASSIGN_OR_RETURN(const std::shared_ptr<const policies::Bundle> before,
                          policies::LoadBundle(folder));
  std::vector<SourceFile> files;
  CARNET_ASSIGN_OR_RETURN(const std::vector<std::filesystem::path> paths, ListDir(folder));
  for (const std::filesystem::path& path : paths) {
    const std::string name = path.filename().string();
    if (absl::EndsWith(name, ".yaml")) {
      CARNET_ASSIGN_OR_RETURN(const std::string text, ReadPolicyFile(path));
      files.push_back({name, name == pack.files.front().name ? pack.files.front().text : text});
    }
  }
  policies::LoadOptions options;
  options.home = before->home();
  CARNET_ASSIGN_OR_RETURN(const std::shared_ptr<const policies::Bundle> after,
                          policies::BundleFromFiles(files, options));
  const policies::Difference difference =
      policies::DifferenceOf(*before, *after, SystemClock().Now());
  for (const std::vector<std::string>* lines :
       {&difference.rules, &difference.gains, &difference.losses}) {
    update->changes.insert(update->changes.end(), lines->begin(), lines->end());
  }
  update->home = before->home();
  return absl::OkStatus();
}

absl::StatusOr<Update> UpdateOf(const std::string& folder, const std::string& name,
                                const policies::PackPin& pin) {
  Update update{name, "current", {}, "", policies::FindPack(name)};
  if (update.pack == nullptr) {
    update.state = "gone";
    return update;
  }
  const bool edited = !EditedFiles(folder, pin).empty();
  if (!edited && update.pack->sha256 == pin.sha256) {
    return update;
  }
  update.state = edited ? "edited" : "new";
  CARNET_RETURN_IF_ERROR(FindChanges(folder, *update.pack, &update));
  return update;
}

const char* SentenceOf(const Update& update, bool written) {
  return update.state == "current"  ? "is as in this program"
         : update.state == "gone"   ? "is not in this program any more"
         : written                  ? "was replaced"
         : update.state == "edited" ? "was edited here, so it stays; --force replaces it"
                                    : "can be replaced";
}

absl::StatusOr<int> RunUpdate(CommandContext& context, const PackOptions& options) {
  CARNET_ASSIGN_OR_RETURN(PackLock lock, ReadPackLock(options.folder));
  if (lock.empty()) {
    return WithRemedy(
        WithOperatorDetail(absl::NotFoundError("no packs were imported here"), options.folder),
        "carnet policy pack import NAME --to FOLDER");
  }
  nlohmann::json report = nlohmann::json::array();
  bool pending = false;
  const PackLock pinned = lock;
  for (const auto& [name, pin] : pinned) {
    CARNET_ASSIGN_OR_RETURN(const Update update, UpdateOf(options.folder, name, pin));
    const bool write =
        !options.check && (update.state == "new" || (update.state == "edited" && options.force));
    if (write) {
      CARNET_RETURN_IF_ERROR(WritePack(options.folder, *update.pack, update.home, true, &lock));
      CARNET_RETURN_IF_ERROR(WritePackLock(options.folder, lock));
    }
    pending = pending || (!write && update.state != "current");
    report.push_back(
        {{"name", name}, {"state", update.state}, {"written", write}, {"changes", update.changes}});
    if (!context.json) {
      *context.out << name << ' ' << SentenceOf(update, write) << '\n';
      for (const std::string& change : update.changes) {
        *context.out << "  " << change << '\n';
      }
    }
  }
  if (context.json) {
    *context.out << report.dump() << '\n';
  }
  return pending ? kRefused : kGood;
}

std::string WithHome(const std::string& text, const std::string& home) {
  return home.empty()
             ? text
             : absl::StrReplaceAll(text, {{"\nhome: DE\n", absl::StrCat("\nhome: ", home, "\n")}});
}

}  // namespace

absl::StatusOr<PackLock> ReadPackLock(const std::string& folder) {
  const absl::StatusOr<Bytes> text =
      ReadFile(PathOf(folder, policies::kPackLockName), policies::kPackLockBytesMax);
  if (absl::IsNotFound(text.status())) {
    return PackLock();
  }
  CARNET_RETURN_IF_ERROR(text.status());
  absl::StatusOr<PackLock> lock = policies::PackLockFromText(AsText(*text));
  if (!lock.ok()) {
    return WithRemedy(
        WithOperatorDetail(lock.status(), PathOf(folder, policies::kPackLockName).string()),
        "remove it and import the packs again");
  }
  return lock;
}

std::vector<std::string> EditedFiles(const std::string& folder, const policies::PackPin& pin) {
  std::vector<std::string> edited;
  for (const auto& [name, sha256] : pin.files) {
    const absl::StatusOr<std::string> text = ReadPolicyFile(PathOf(folder, name));
    if (!text.ok() || crypto::Sha256(AsBytes(*text)) != sha256) {
      edited.push_back(name);
    }
  }
  return edited;
}

absl::Status WritePackLock(const std::string& folder, const PackLock& lock) {
  return WriteFileAtomic(PathOf(folder, policies::kPackLockName),
                         AsBytes(policies::PackLockToText(lock)), kFileMode);
}

absl::Status WritePack(const std::string& folder, const Pack& pack, const std::string& home,
                       bool force, PackLock* lock) {
  policies::PackPin pin{pack.sha256, {}};
  for (const SourceFile& file : pack.files) {
    const std::filesystem::path path = PathOf(folder, file.name);
    const std::string text = WithHome(policies::ImportedText(pack, file), home);
    CARNET_RETURN_IF_ERROR(MakeDirs(path.parent_path(), kFolderMode));
    CARNET_RETURN_IF_ERROR(force ? WriteFileAtomic(path, AsBytes(text), kFileMode)
                                 : CreateFileAtomic(path, AsBytes(text), kFileMode));
    pin.files[file.name] = crypto::Sha256(AsBytes(text));
  }
  (*lock)[pack.name] = std::move(pin);
  return absl::OkStatus();
}

void RegisterPolicyPackCommands(CLI::App& policy, CommandContext& context) {
  const auto options = std::make_shared<PackOptions>();
  CLI::App* pack = policy.add_subcommand("pack", "Starter policies that travel with the program");
  pack->require_subcommand(1);
  AddCommand(*pack, context, "list", "What there is", [&context] { return List(context); });
  CLI::App* show = AddCommand(*pack, context, "show", "One of them as it is written",
                              [&context, options] { return Show(context, *options); });
  show->add_option("name", options->name, "Name of the pack")->required();
  show->add_flag("--tests", options->tests, "Its tests instead");
  CLI::App* import = AddCommand(*pack, context, "import", "Copy packs into a folder of policies",
                                [&context, options] { return Import(context, *options); });
  import->add_option("names", options->names, "Names of packs")->required();
  import->add_option("--to", options->folder, "Folder of policies")->capture_default_str();
  import->add_flag("--force", options->force, "Replace files that are there");
  CLI::App* update = AddCommand(*pack, context, "update",
                                "What this program's packs change, in words; replaces "
                                "those that were not edited",
                                [&context, options] { return RunUpdate(context, *options); });
  update->add_option("folder", options->folder, "Folder of policies")->capture_default_str();
  update->add_flag("--check", options->check, "Only say so; exit 1 if something is new or edited");
  update->add_flag("--force", options->force, "Replace what was edited too");
}

}  // namespace carnet::cli
