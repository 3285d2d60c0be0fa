#include "policies/packs.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/json.h"
#include "base/status.h"
#include "base/yaml.h"
#include "crypto/hash.h"

namespace carnet::policies {
namespace {

constexpr char kLockFormat[] = "carnet-packs/1";
constexpr char kTestsFolder[] = "tests/";
constexpr char kGroups[] = "groups";

std::string TextAt(const yaml::Node& map, absl::string_view key) {
  const yaml::Node* node = map.Find(key);
  return node == nullptr ? "" : node->text;
}

void Describe(const SourceFile& file, Pack* pack) {
  const absl::StatusOr<yaml::Node> root = yaml::Parse(file.text, file.name);
  CARNET_CHECK(root.ok());
  pack->kind = pack->name == kGroups ? kGroups : TextAt(*root, "kind");
  pack->title =
      pack->name == kGroups ? "The groups of places that the packs name" : TextAt(*root, "title");
  pack->facts_as_of = TextAt(*root, "facts_as_of");
  if (const yaml::Node* review = root->Find("review"); review != nullptr) {
    pack->review_by = TextAt(*review, "by");
  }
}

Digest DigestOf(const std::vector<SourceFile>& files) {
  std::string text;
  for (const SourceFile& file : files) {
    absl::StrAppend(&text, file.name, absl::string_view("\0", 1), file.text,
                    absl::string_view("\0", 1));
  }
  return crypto::Sha256(AsBytes(text));
}

std::vector<Pack> MakePacks() {
  std::vector<Pack> packs;
  for (const SourceFile& file : PackFiles()) {
    if (absl::StartsWith(file.name, kTestsFolder)) {
      continue;
    }
    Pack pack;
    pack.name = std::string(absl::StripSuffix(file.name, ".yaml"));
    pack.files.push_back(file);
    for (const SourceFile& test : PackFiles()) {
      if (test.name == absl::StrCat(kTestsFolder, file.name)) {
        pack.files.push_back(test);
      }
    }
    Describe(file, &pack);
    pack.sha256 = DigestOf(pack.files);
    packs.push_back(std::move(pack));
  }
  return packs;
}

}  // namespace

absl::StatusOr<std::shared_ptr<const Bundle>> StarterBundle(const std::string& home) {
  LoadOptions options;
  options.home = home;
  return BundleFromFiles(PackFiles(), options);
}

const std::vector<Pack>& Packs() {
  static const auto& packs = *new std::vector<Pack>(MakePacks());
  return packs;
}

const Pack* FindPack(absl::string_view name) {
  const auto found = std::find_if(Packs().begin(), Packs().end(),
                                  [name](const Pack& pack) { return pack.name == name; });
  return found == Packs().end() ? nullptr : &*found;
}

std::string PackLockToText(const PackLock& lock) {
  nlohmann::json packs = nlohmann::json::object();
  for (const auto& [name, pin] : lock) {
    nlohmann::json files = nlohmann::json::object();
    for (const auto& [file, sha256] : pin.files) {
      files[file] = HexEncode(sha256);
    }
    packs[name] = {{"sha256", HexEncode(pin.sha256)}, {"files", std::move(files)}};
  }
  return nlohmann::json{{"format", kLockFormat}, {"packs", std::move(packs)}}.dump(2) + "\n";
}

absl::StatusOr<PackLock> PackLockFromText(absl::string_view text) {
  CARNET_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(text, kPackLockBytesMax));
  if (!json.is_object() || json.value("format", nlohmann::json()) != kLockFormat ||
      !json.value("packs", nlohmann::json()).is_object()) {
    return absl::InvalidArgumentError("this is no lock of packs");
  }
  PackLock lock;
  for (const auto& entry : json["packs"].items()) {
    const nlohmann::json& value = entry.value();
    if (!value.is_object() || !value.value("sha256", nlohmann::json()).is_string() ||
        !value.value("files", nlohmann::json()).is_object()) {
      return absl::InvalidArgumentError("a pack in the lock has no digest or no files");
    }
    PackPin& pin = lock[entry.key()];
    CARNET_ASSIGN_OR_RETURN(pin.sha256,
                            DigestFromHex(value["sha256"].get_ref<const std::string&>()));
    for (const auto& file : value["files"].items()) {
      if (!file.value().is_string()) {
        return absl::InvalidArgumentError("a file in the lock has no digest");
      }
      CARNET_ASSIGN_OR_RETURN(pin.files[file.key()],
                              DigestFromHex(file.value().get_ref<const std::string&>()));
    }
  }
  if (PackLockToText(lock) != text) {
    return absl::InvalidArgumentError("the lock of packs was written by hand");
  }
  return lock;
}

std::string ImportedText(const Pack& pack, const SourceFile& file) {
  return absl::StrCat("# From the starter pack ", pack.name, ", sha256 ", HexEncode(pack.sha256),
                      ".\n# Yours from here on; `carnet policy pack update` tells what later packs "
                      "change.\n",
                      file.text);
}

}  // namespace carnet::policies
