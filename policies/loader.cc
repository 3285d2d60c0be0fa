#include "policies/loader.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/files.h"
#include "base/json.h"
#include "base/status.h"
#include "base/utf8.h"
#include "policies/atoms.h"
#include "policies/compiler.h"
#include "policies/dates.h"
#include "policies/jurisdictions.h"
#include "policies/node_json.h"
#include "policies/rule_index.h"
#include "policies/source.h"

namespace carnet::policies {
namespace {

constexpr char kBundleFormat[] = "carnet-bundle/1";
constexpr char kTestsFolder[] = "tests";
constexpr double kRevisionMax = 9007199254740992.0;  // 2^53: exact in JSON

// Maps are walked in the order of their keys, as in canonical JSON, so that a bundle means the same
// whether it comes from files or from the ledger.
void SortKeys(yaml::Node* node) {
  std::sort(node->entries.begin(), node->entries.end(),
            [](const yaml::Entry& a, const yaml::Entry& b) { return a.key < b.key; });
  for (yaml::Entry& entry : node->entries) {
    SortKeys(&entry.value);
  }
  for (yaml::Node& item : node->items) {
    SortKeys(&item);
  }
}

bool IsPlainText(absl::string_view text) {
  while (!text.empty()) {
    const std::optional<char32_t> character = TakeCodePoint(text);
    if (!character.has_value() || IsDeceptive(*character)) {
      return false;
    }
  }
  return true;
}

// The tree of a bundle's JSON; all scalars are texts there, as in the files.
absl::StatusOr<yaml::Node> FromJson(const nlohmann::json& json, absl::string_view where) {
  yaml::Node node;
  if (json.is_string()) {
    node.text = json.get<std::string>();
    if (!IsPlainText(node.text)) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": a text with deceptive characters"));
    }
    return node;
  }
  if (json.is_array()) {
    node.kind = yaml::Kind::kList;
    for (const nlohmann::json& item : json) {
      CARNET_ASSIGN_OR_RETURN(yaml::Node child, FromJson(item, where));
      node.items.push_back(std::move(child));
    }
    return node;
  }
  if (!json.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(where, ": a value that is no text"));
  }
  node.kind = yaml::Kind::kMap;
  for (const auto& item : json.items()) {
    if (!IsPlainText(item.key())) {
      return absl::InvalidArgumentError(absl::StrCat(where, ": a key with deceptive characters"));
    }
    CARNET_ASSIGN_OR_RETURN(yaml::Node child, FromJson(item.value(), where));
    node.entries.push_back({item.key(), {}, std::move(child)});
  }
  return node;
}

nlohmann::json DocumentsToJson(const std::vector<Document>& documents) {
  nlohmann::json items = nlohmann::json::array();
  for (const Document& document : documents) {
    items.push_back(ToJson(document.root));
  }
  return items;
}

absl::StatusOr<std::string> CanonicalBundle(const BundleHead& head, const BundleSource& source) {
  nlohmann::json json = {{"format", kBundleFormat},
                         {"facts", kFactsVersion},
                         {"groups", source.groups.has_value() ? ToJson(source.groups->root)
                                                              : nlohmann::json::object()},
                         {"policies", DocumentsToJson(source.policies)},
                         {"tests", DocumentsToJson(source.tests)}};
  if (head.revision != 0) {
    json["revision"] = head.revision;
    json["parent"] = head.parent.has_value() ? HexEncode(*head.parent) : "";
    json["valid"] = {{"from", FormatInstant(head.valid_from)},
                     {"to", FormatInstant(head.valid_to)}};
  }
  CARNET_ASSIGN_OR_RETURN(std::string text, CanonicalJson(json));
  if (text.size() > kBundleJsonBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("the bundle is larger than ", kBundleJsonBytesMax, " bytes"));
  }
  return text;
}

absl::StatusOr<std::shared_ptr<const Bundle>> MakeBundle(const BundleHead& head,
                                                         BundleSource source) {
  Diagnostics diagnostics;
  std::shared_ptr<const CompiledBundle> compiled = Compile(source, diagnostics);
  CARNET_RETURN_IF_ERROR(diagnostics.ToStatus());
  CARNET_ASSIGN_OR_RETURN(std::string json, CanonicalBundle(head, source));
  return std::make_shared<const Bundle>(head,
                                        std::make_shared<const BundleSource>(std::move(source)),
                                        std::move(compiled), std::move(json));
}

absl::string_view NameOf(const Document& document, absl::string_view key) {
  const yaml::Node* name = document.root.Find(key);
  return name == nullptr ? absl::string_view() : absl::string_view(name->text);
}

void SortByName(std::vector<Document>* documents, absl::string_view key) {
  std::stable_sort(
      documents->begin(), documents->end(),
      [key](const Document& a, const Document& b) { return NameOf(a, key) < NameOf(b, key); });
}

// Which kind of file it is follows from the key that names it.
absl::Status Sort(Document document, BundleSource* source) {
  const auto has = [&document](absl::string_view key) {
    return document.root.is_map() && document.root.Find(key) != nullptr;
  };
  if (has("policy")) {
    source->policies.push_back(std::move(document));
  } else if (has("tests")) {
    source->tests.push_back(std::move(document));
  } else if (has("groups")) {
    if (source->groups.has_value()) {
      return MistakeAt(document.file, document.root.position, "a second file of groups",
                       absl::StrCat("the first is ", source->groups->file, "; make them one"));
    }
    source->groups = std::move(document);
  } else {
    return MistakeAt(document.file, document.root.position, "neither a policy, groups nor tests",
                     "expected a key 'policy', 'groups' or 'tests'");
  }
  return absl::OkStatus();
}

void SetHome(const std::string& home, BundleSource* source) {
  if (!source->groups.has_value()) {
    source->groups = Document{"home", {}};
    source->groups->root.kind = yaml::Kind::kMap;
    yaml::Node groups;
    groups.kind = yaml::Kind::kMap;
    source->groups->root.entries.push_back({"groups", {}, std::move(groups)});
  }
  yaml::Node value;
  value.text = home;
  std::vector<yaml::Entry>& entries = source->groups->root.entries;
  for (yaml::Entry& entry : entries) {
    if (entry.key == "home") {
      value.position = entry.value.position;
      entry.value = std::move(value);
      return;
    }
  }
  entries.push_back({"home", {}, std::move(value)});
}

absl::StatusOr<BundleHead> HeadFromJson(const nlohmann::json& json) {
  BundleHead head;
  if (!json.contains("revision")) {
    return head;
  }
  const nlohmann::json& revision = json["revision"];
  const nlohmann::json parent = json.value("parent", nlohmann::json());
  const nlohmann::json valid = json.value("valid", nlohmann::json());
  const bool shaped = revision.is_number_unsigned() && revision.get<double>() <= kRevisionMax &&
                      revision.get<std::uint64_t>() > 0 && parent.is_string() &&
                      valid.is_object() && valid.contains("from") && valid.contains("to") &&
                      valid["from"].is_string() && valid["to"].is_string();
  if (!shaped) {
    return absl::InvalidArgumentError("the bundle's revision, parent or validity is malformed");
  }
  head.revision = revision.get<std::uint64_t>();
  if (!parent.get_ref<const std::string&>().empty()) {
    CARNET_ASSIGN_OR_RETURN(head.parent, DigestFromHex(parent.get_ref<const std::string&>()));
  }
  CARNET_ASSIGN_OR_RETURN(head.valid_from, ParseInstant(valid["from"].get<std::string>()));
  CARNET_ASSIGN_OR_RETURN(head.valid_to, ParseInstant(valid["to"].get<std::string>()));
  return head;
}

absl::Status CheckHead(const BundleHead& head) {
  const auto whole = [](absl::Time time) {
    return absl::FromUnixSeconds(absl::ToUnixSeconds(time)) == time;
  };
  if (head.revision == 0 || static_cast<double>(head.revision) > kRevisionMax) {
    return absl::InvalidArgumentError("a bundle in force has a revision of 1 or more");
  }
  if (head.valid_from >= head.valid_to || head.valid_to - head.valid_from > kBundleValidityMax ||
      !whole(head.valid_from) || !whole(head.valid_to)) {
    return absl::InvalidArgumentError("a bundle is valid for whole seconds, at most 90 days");
  }
  return absl::OkStatus();
}

// The shape of the outer object, before anything in it is read.
absl::Status CheckBundleJson(const nlohmann::json& json) {
  const std::set<std::string> keys = {"facts",    "format",   "groups", "parent",
                                      "policies", "revision", "tests",  "valid"};
  if (!json.is_object()) {
    return absl::InvalidArgumentError("a bundle is a JSON object");
  }
  for (const auto& item : json.items()) {
    if (keys.count(item.key()) == 0) {
      return absl::InvalidArgumentError("a bundle has a key that this version does not know");
    }
  }
  if (json.value("format", nlohmann::json()) != kBundleFormat ||
      json.value("facts", nlohmann::json()) != kFactsVersion) {
    return absl::InvalidArgumentError(absl::StrCat("expected a bundle of format ", kBundleFormat,
                                                   " and facts version ", kFactsVersion));
  }
  if (!json.value("groups", nlohmann::json()).is_object() ||
      !json.value("policies", nlohmann::json()).is_array() ||
      !json.value("tests", nlohmann::json()).is_array()) {
    return absl::InvalidArgumentError("a bundle holds groups, policies and tests");
  }
  return absl::OkStatus();
}

absl::Status DocumentsFromJson(const nlohmann::json& items, absl::string_view kind,
                               std::vector<Document>* documents) {
  if (items.size() > kBundleFilesMax) {
    return absl::InvalidArgumentError("a bundle has too many files");
  }
  for (std::size_t i = 0; i < items.size(); ++i) {
    Document document{absl::StrCat("/", kind, "/", i), {}};
    CARNET_ASSIGN_OR_RETURN(document.root, FromJson(items[i], document.file));
    documents->push_back(std::move(document));
  }
  return absl::OkStatus();
}

// Adds the *.yaml files of one folder, sorted.
absl::Status AppendYamlFiles(const std::filesystem::path& directory,
                             std::vector<std::filesystem::path>* paths) {
  std::error_code error;
  std::filesystem::directory_iterator entries(directory, error);
  const auto first = static_cast<std::ptrdiff_t>(paths->size());
  for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
    const std::filesystem::path& path = entries->path();
    if (path.extension() == ".yml") {
      return MistakeAt(path.string(), {1, 1}, "a policy file called .yml",
                       "rename it to .yaml, so that it is not left out");
    }
    if (path.extension() != ".yaml") {
      continue;
    }
    if (paths->size() == kBundleFilesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("a bundle has at most ", kBundleFilesMax, " files"));
    }
    paths->push_back(path);
  }
  if (error) {
    return WithOperatorDetail(
        error == std::errc::permission_denied
            ? absl::PermissionDeniedError("cannot read the folder of policies")
            : absl::NotFoundError("there is no folder of policies"),
        directory.string());
  }
  std::sort(paths->begin() + first, paths->end());
  return absl::OkStatus();
}

// The files of a bundle: those of its folder, then those of tests/ in it.
absl::StatusOr<std::vector<std::filesystem::path>> YamlFilesIn(
    const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> paths;
  CARNET_RETURN_IF_ERROR(AppendYamlFiles(directory, &paths));
  if (paths.empty()) {
    return WithOperatorDetail(absl::NotFoundError("the folder holds no *.yaml file"),
                              directory.string());
  }
  std::error_code error;
  if (std::filesystem::is_directory(directory / kTestsFolder, error)) {
    CARNET_RETURN_IF_ERROR(AppendYamlFiles(directory / kTestsFolder, &paths));
  }
  return paths;
}

}  // namespace

std::shared_ptr<CompiledBundle> Compile(const BundleSource& source, Diagnostics& diagnostics) {
  auto bundle = std::make_shared<CompiledBundle>();
  Names group_names;
  if (source.groups.has_value()) {
    CompileGroups(*source.groups, diagnostics, bundle.get(), &group_names);
  }
  std::set<std::string> names;
  const Policy* for_nobody = nullptr;
  bundle->policies.reserve(source.policies.size());
  for (const Document& document : source.policies) {
    Policy policy = CompilePolicy(document, *bundle, group_names, diagnostics);
    if (!names.insert(policy.name).second && !policy.name.empty()) {
      diagnostics.Add(document.file, document.root.position,
                      absl::StrCat("two policies are called ", policy.name), "rename one");
    }
    if (policy.covers.nobody && for_nobody != nullptr) {
      diagnostics.Add(document.file, document.root.position,
                      absl::StrCat("two regimes cover no personal data: ", for_nobody->name,
                                   " and ", policy.name),
                      "one house regime says what is allowed there");
    }
    bundle->rule_count += policy.rules.size();
    bundle->policies.push_back(std::move(policy));
    for_nobody = bundle->policies.back().covers.nobody ? &bundle->policies.back() : for_nobody;
  }
  if (source.policies.empty() || source.policies.size() > kPoliciesMax ||
      bundle->rule_count > kRulesMax) {
    diagnostics.Add(
        "bundle", {},
        absl::StrCat(source.policies.size(), " policies with ", bundle->rule_count, " rules"),
        absl::StrCat("expected 1 to ", kPoliciesMax, " policies with at most ", kRulesMax,
                     " rules"));
  }
  for (const Document& document : source.tests) {
    bundle->suites.push_back(CompileTests(document, *bundle, diagnostics));
  }
  NumberAtoms(bundle.get());
  IndexRules(bundle.get());
  return bundle;
}

absl::StatusOr<std::shared_ptr<const Bundle>> BundleFromFiles(const std::vector<SourceFile>& files,
                                                              const LoadOptions& options) {
  if (files.size() > kBundleFilesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a bundle has at most ", kBundleFilesMax, " files"));
  }
  BundleSource source;
  std::vector<std::string> mistakes;
  for (const SourceFile& file : files) {
    absl::StatusOr<yaml::Node> root = yaml::Parse(file.text, file.name);
    absl::Status status = root.status();
    if (root.ok()) {
      SortKeys(&*root);
      status = Sort({file.name, *std::move(root)}, &source);
    }
    if (!status.ok()) {
      mistakes.emplace_back(status.message());
    }
  }
  if (!mistakes.empty()) {
    mistakes.resize(std::min(mistakes.size(), kLoadErrorsMax));
    return absl::InvalidArgumentError(absl::StrJoin(mistakes, "\n"));
  }
  if (!options.home.empty()) {
    CARNET_RETURN_IF_ERROR(CheckJurisdiction(options.home));
    SetHome(options.home, &source);
    SortKeys(&source.groups->root);
  }
  SortByName(&source.policies, "policy");
  SortByName(&source.tests, "tests");
  return MakeBundle(BundleHead(), std::move(source));
}

absl::StatusOr<std::shared_ptr<const Bundle>> LoadBundle(const std::filesystem::path& directory,
                                                         const LoadOptions& options) {
  CARNET_ASSIGN_OR_RETURN(const std::vector<std::filesystem::path> paths, YamlFilesIn(directory));
  std::vector<SourceFile> files;
  for (const std::filesystem::path& path : paths) {
    CARNET_ASSIGN_OR_RETURN(const Bytes text, ReadFile(path, yaml::kTextBytesMax));
    files.push_back({path.string(), ToString(text)});
  }
  return BundleFromFiles(files, options);
}

absl::StatusOr<std::shared_ptr<const Bundle>> BundleFromJson(absl::string_view json) {
  CARNET_ASSIGN_OR_RETURN(const nlohmann::json object, ParseJson(json, kBundleJsonBytesMax));
  CARNET_RETURN_IF_ERROR(CheckBundleJson(object));
  CARNET_ASSIGN_OR_RETURN(const BundleHead head, HeadFromJson(object));
  if (head.revision != 0) {
    CARNET_RETURN_IF_ERROR(CheckHead(head));
  }
  BundleSource source;
  if (!object["groups"].empty()) {
    Document groups{"/groups", {}};
    CARNET_ASSIGN_OR_RETURN(groups.root, FromJson(object["groups"], groups.file));
    source.groups = std::move(groups);
  }
  CARNET_RETURN_IF_ERROR(DocumentsFromJson(object["policies"], "policies", &source.policies));
  CARNET_RETURN_IF_ERROR(DocumentsFromJson(object["tests"], "tests", &source.tests));
  SortByName(&source.policies, "policy");  // another order is not canonical
  SortByName(&source.tests, "tests");
  CARNET_ASSIGN_OR_RETURN(std::shared_ptr<const Bundle> bundle,
                          MakeBundle(head, std::move(source)));
  if (bundle->CanonicalJson() != json) {
    return absl::InvalidArgumentError("the bundle's JSON is not in its canonical form");
  }
  return bundle;
}

absl::StatusOr<std::shared_ptr<const Bundle>> IssueBundle(const Bundle& bundle,
                                                          const BundleHead& head) {
  CARNET_RETURN_IF_ERROR(CheckHead(head));
  return MakeBundle(head, bundle.source());
}

absl::StatusOr<std::shared_ptr<const Bundle>> SubsetOf(const Bundle& bundle,
                                                       const std::vector<std::string>& policies) {
  BundleSource source;
  source.groups = bundle.source().groups;
  for (const std::string& name : policies) {
    const auto found = std::find_if(
        bundle.source().policies.begin(), bundle.source().policies.end(),
        [&name](const Document& document) { return NameOf(document, "policy") == name; });
    if (found == bundle.source().policies.end()) {
      return absl::NotFoundError(absl::StrCat("no policy is called ", name));
    }
    source.policies.push_back(*found);
  }
  SortByName(&source.policies, "policy");
  return MakeBundle(BundleHead(), std::move(source));
}

}  // namespace carnet::policies
