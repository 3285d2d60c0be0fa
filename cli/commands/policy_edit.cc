// `carnet policy init|fmt|diff|schema`: writing policies.
#include <algorithm>
#include <filesystem>
#include <iostream>
#include <map>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/json.h"
#include "base/status.h"
#include "base/yaml.h"
#include "cli/commands/policy_commands.h"
#include "policies/dates.h"
#include "policies/difference.h"
#include "policies/format.h"
#include "policies/jurisdictions.h"
#include "policies/loader.h"
#include "policies/schema.h"
#include "policies/test_runner.h"

namespace carnet::cli {
namespace {

using policies::Bundle;
using BundlePtr = std::shared_ptr<const Bundle>;

constexpr mode_t kFileMode = 0644;
constexpr char kOwnRules[] = "own-rules.yaml";

struct EditOptions {
  std::string folder;
  std::string home;
  std::string people;
  std::string places;
  std::string us;
  std::vector<std::string> paths;
  bool check = false;
  std::string before;
  std::string after;
  std::string at;
};

// ---- init

// What the answers ask for, in the order in which it is written.
std::set<std::string> PacksFor(const std::vector<std::string>& people, const std::string& home,
                               bool us) {
  const policies::Pack* groups = policies::FindPack("groups");
  const auto in_eea = [groups](const std::string& code) {
    const absl::StatusOr<yaml::Node> root = yaml::Parse(groups->files.front().text, "groups.yaml");
    CARNET_CHECK(root.ok());
    const yaml::Node* members = root->Find("groups")->Find("eea")->Find("members");
    return std::any_of(members->items.begin(), members->items.end(),
                       [&code](const yaml::Node& member) { return member.text == code; });
  };
  static const auto& by_country = *new std::map<std::string, std::vector<std::string>>{
      {"CN", {"cn-data-export"}},  {"SA", {"sa-pdpl"}},
      {"AE", {"ae-pdpl"}},         {"AE-DIFC", {"ae-difc"}},
      {"AE-ADGM", {"ae-adgm"}},    {"SG", {"sg-pdpa"}},
      {"MY", {"my-pdpa"}},         {"IN", {"in-dpdp", "in-rbi-payments"}},
      {"ID", {"id-pdp"}},          {"VN", {"vn-pdpl"}},
      {"RU", {"ru-localisation"}}, {"US", {"us-28cfr202", "us-health"}}};
  std::set<std::string> packs = {"groups", "house"};
  for (const std::string& code : people) {
    const auto found = by_country.find(code);
    if (found != by_country.end()) {
      packs.insert(found->second.begin(), found->second.end());
    }
    if (in_eea(code)) {
      packs.insert(
          {"gdpr-chapter-v", "eu-special-category", "raw-data-stays", "protection-abroad"});
    }
  }
  if (us) {
    packs.insert({"us-ear-ai", "us-ear-e2ee", "us-sanctions", "us-listed-parties"});
  }
  if (in_eea(home)) {
    packs.insert("eu-russia-ai");
  }
  return packs;
}

std::string OwnRules(const std::string& places, absl::CivilDay today) {
  return absl::StrReplaceAll(
      R"(# Rules of your own organisation, beside the packs. Each file is one policy; docs/policies.md has the words.
policy: own-rules
kind: guardrail              # it may only deny or add requirements; a regime also grants
title: Where our own machines and suppliers stand
approvals: {propose: [compliance], need: 2, from: [compliance, dpo]}     # persons; the author never counts
effective: {from: @TODAY@}
review: {by: @REVIEW@, grace: 30d, then: hold}      # after the grace, what this policy is about waits
mode: enforce                # shadow | warn | enforce; begin with warn to see what it would stop
rules:
  - id: places
    effect: deny
    when:
      op: {not_in: [read_log, release_model]}      # people who read are no machines: regimes decide about them
      to.jurisdiction: {not_in: [@PLACES@]}        # home too: deltas and metrics come back to it
    because: We have no machines and no suppliers there.
    fix: Use a site in one of the places that own-rules names, or have that list changed.
)",
      {{"@PLACES@", places},
       {"@TODAY@", absl::FormatCivilTime(today)},
       {"@REVIEW@", absl::FormatCivilTime(today + 364)}});
}

std::string OwnTests(const std::string& home, const std::string& first, const std::string& stranger,
                     absl::CivilDay today) {
  return absl::StrReplaceAll(
      R"(# A case for each rule that passes, and one that fails; `carnet policy test FOLDER` runs them.
tests: own-rules
at: @TODAY@T09:00:00Z
bundle: [own-rules]
base-allow: {kind: regime, rules: [{id: ok, effect: allow}]}     # only what own-rules itself says can fail
base: {op: place, artifact.kind: job, data.personal: not_applicable, data.subjects_in: not_applicable}
cases:
  - {name: one of our places, set: {to.jurisdiction: "@FIRST@"}, expect: allow}
  - {name: a delta comes home, set: {op: send_delta, artifact.kind: delta, data.personal: no, data.subjects_in: [], to.jurisdiction: "@HOME@"}, expect: allow}
  - {name: metrics come home, set: {op: send_metrics, artifact.kind: metrics, to.jurisdiction: "@HOME@"}, expect: allow}
  - {name: sums are made at home, set: {op: aggregate, artifact.kind: aggregate, data.personal: no, data.subjects_in: [], to.jurisdiction: "@HOME@"}, expect: allow}
  - {name: the log is read at home, set: {op: read_log, artifact.kind: log, to.jurisdiction: "@HOME@"}, expect: allow}
  - {name: who reads the log elsewhere is no machine, set: {op: read_log, artifact.kind: log, to.jurisdiction: "@STRANGER@"}, expect: allow}
  - {name: nor is who is given a model, set: {op: release_model, artifact.kind: model, data.personal: no, data.subjects_in: [], to.jurisdiction: "@STRANGER@"}, expect: allow}
  - {name: a delta goes elsewhere, set: {op: send_delta, artifact.kind: delta, data.personal: no, data.subjects_in: [], to.jurisdiction: "@STRANGER@"}, expect: deny, reason: own-rules/places}
  - {name: another place, set: {to.jurisdiction: "@STRANGER@"}, expect: deny, reason: own-rules/places}
  - {name: nobody knows where, set: {to.jurisdiction: unknown}, expect: deny, reason: own-rules/places, missing: to.jurisdiction}
)",
      {{"@HOME@", home},
       {"@FIRST@", first},
       {"@STRANGER@", stranger},
       {"@TODAY@", absl::FormatCivilTime(today)}});
}

absl::StatusOr<std::vector<std::string>> ReadCodes(const std::string& list) {
  std::vector<std::string> codes;
  for (const absl::string_view part :
       absl::StrSplit(list, absl::ByAnyChar(", "), absl::SkipEmpty())) {
    CARNET_RETURN_IF_ERROR(policies::CheckJurisdiction(part));
    if (std::find(codes.begin(), codes.end(), part) == codes.end()) {
      codes.emplace_back(part);
    }
  }
  return codes;
}

// Asks on the terminal for what no option said.
void Ask(CommandContext& context, const char* question, const char* otherwise,
         std::string* answer) {
  if (!answer->empty()) {
    return;
  }
  if (context.out_is_terminal && !context.json) {
    *context.out << question << " [" << otherwise << "] " << std::flush;
    std::getline(std::cin, *answer);
  }
  *answer = std::string(absl::StripAsciiWhitespace(*answer));
  if (answer->empty()) {
    *answer = otherwise;
  }
}

absl::Status WriteNew(const std::filesystem::path& path, const std::string& text) {
  return CreateFileAtomic(path, AsBytes(text), kFileMode);
}

struct Answers {
  std::string home;
  std::vector<std::string> people;
  std::vector<std::string> places;  // not empty
  bool us = false;
};

absl::StatusOr<Answers> ReadAnswers(CommandContext& context, EditOptions options) {
  Ask(context, "Which country is your organisation in?", "DE", &options.home);
  Ask(context, "Whose data do you train on? Countries, with commas.", options.home.c_str(),
      &options.people);
  Ask(context, "Where do your machines and suppliers stand?", options.home.c_str(),
      &options.places);
  Ask(context, "Do US export rules and sanctions bind you (US chips, US partners)? yes or no",
      "yes", &options.us);
  Answers answers;
  CARNET_RETURN_IF_ERROR(policies::CheckJurisdiction(options.home));
  answers.home = options.home;
  CARNET_ASSIGN_OR_RETURN(answers.people, ReadCodes(options.people));
  CARNET_ASSIGN_OR_RETURN(answers.places, ReadCodes(options.places));
  if (answers.places.empty()) {
    return absl::InvalidArgumentError("no place for machines is named");
  }
  if (options.us != "yes" && options.us != "no") {
    return absl::InvalidArgumentError("answer yes or no");
  }
  answers.us = options.us == "yes";
  return answers;
}

// A country that is none of `places`.
std::string StrangerTo(const std::vector<std::string>& places) {
  for (const std::string& code : policies::CountryCodes()) {
    const bool named = std::any_of(places.begin(), places.end(), [&code](const std::string& place) {
      return place.substr(0, 2) == code;
    });
    if (!named) {
      return code;
    }
  }
  return "AQ";
}

std::string Quoted(const std::vector<std::string>& codes) {
  return absl::StrJoin(codes, ", ", [](std::string* out, const std::string& code) {
    absl::StrAppend(out, "\"", code, "\"");
  });
}

// Where machines stand, and home, where the coordinator's does.
std::vector<std::string> PlacesAndHome(const Answers& answers) {
  std::vector<std::string> places = answers.places;
  if (std::find(places.begin(), places.end(), answers.home) == places.end()) {
    places.insert(places.begin(), answers.home);
  }
  return places;
}

absl::Status WriteFolder(const std::string& folder, const Answers& answers) {
  std::error_code error;
  if (std::filesystem::exists(folder, error) && !std::filesystem::is_empty(folder, error)) {
    return WithRemedy(
        WithOperatorDetail(absl::AlreadyExistsError("the folder is not empty"), folder),
        "name a new folder");
  }
  CARNET_RETURN_IF_ERROR(MakeDirs(std::filesystem::path(folder) / "tests", 0755));
  policies::PackLock lock;
  for (const std::string& name : PacksFor(answers.people, answers.home, answers.us)) {
    CARNET_RETURN_IF_ERROR(
        WritePack(folder, *policies::FindPack(name), answers.home, false, &lock));
  }
  CARNET_RETURN_IF_ERROR(WritePackLock(folder, lock));
  const absl::CivilDay today = absl::ToCivilDay(SystemClock().Now(), absl::UTCTimeZone());
  const std::filesystem::path path(folder);
  const std::vector<std::string> places = PlacesAndHome(answers);
  CARNET_RETURN_IF_ERROR(WriteNew(path / kOwnRules, OwnRules(Quoted(places), today)));
  return WriteNew(path / "tests" / kOwnRules,
                  OwnTests(answers.home, answers.places.front(), StrangerTo(places), today));
}

// Countries of people for whom no regime that was written speaks.
std::vector<std::string> Uncovered(const std::vector<std::string>& people, const Answers& answers) {
  std::vector<std::string> uncovered;
  const std::set<std::string> none = PacksFor({}, answers.home, answers.us);
  for (const std::string& code : people) {
    const std::set<std::string> packs = PacksFor({code}, answers.home, answers.us);
    const bool covered = std::any_of(packs.begin(), packs.end(), [&none](const std::string& name) {
      return none.count(name) == 0 && policies::FindPack(name)->kind == "regime";
    });
    if (!covered) {
      uncovered.push_back(policies::JurisdictionNameAndCode(code));
    }
  }
  return uncovered;
}

absl::StatusOr<int> Init(CommandContext& context, const EditOptions& options) {
  CARNET_ASSIGN_OR_RETURN(const Answers answers, ReadAnswers(context, options));
  CARNET_RETURN_IF_ERROR(WriteFolder(options.folder, answers));
  CARNET_ASSIGN_OR_RETURN(const BundlePtr bundle, policies::LoadBundle(options.folder));
  CARNET_ASSIGN_OR_RETURN(const policies::TestReport tests, policies::RunTests(*bundle));
  const std::vector<std::string> uncovered = Uncovered(answers.people, answers);
  if (context.json) {
    *context.out << nlohmann::json{{"folder", options.folder},
                                   {"policies", bundle->PolicyNames()},
                                   {"tests", tests.outcomes.size()},
                                   {"tests_failed", tests.failed},
                                   {"uncovered", uncovered}}
                        .dump()
                 << '\n';
    return kGood;
  }
  *context.out << "Wrote " << bundle->PolicyNames().size() << " policies with "
               << tests.outcomes.size() << " test cases to " << options.folder << ": "
               << absl::StrJoin(bundle->PolicyNames(), ", ") << ".\n";
  for (const std::string& place : uncovered) {
    *context.out << "No pack speaks for people in " << place
                 << ": data about them moves nowhere until you write a regime that covers them.\n";
  }
  *context.out << "Not legal advice: every list and threshold needs counsel.\n"
               << "Next: edit " << options.folder << "/" << kOwnRules
               << ", then: carnet policy test " << options.folder << "\n";
  return kGood;
}

// ---- fmt

absl::StatusOr<std::vector<std::filesystem::path>> FilesOf(const std::vector<std::string>& paths) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const std::string& path : paths) {
    if (!std::filesystem::is_directory(path, error)) {
      files.emplace_back(path);
      continue;
    }
    for (const std::filesystem::path& folder :
         {std::filesystem::path(path), std::filesystem::path(path) / "tests"}) {
      for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end;
           entry.increment(error)) {
        if (entry->path().extension() == ".yaml") {
          files.push_back(entry->path());
        }
      }
      error.clear();
    }
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) {
    return absl::NotFoundError("there is no *.yaml file to format");
  }
  return files;
}

absl::StatusOr<int> Format(CommandContext& context, const EditOptions& options) {
  CARNET_ASSIGN_OR_RETURN(const std::vector<std::filesystem::path> files, FilesOf(options.paths));
  std::vector<std::string> changed;
  for (const std::filesystem::path& path : files) {
    CARNET_ASSIGN_OR_RETURN(const Bytes text, ReadFile(path, yaml::kTextBytesMax));
    CARNET_ASSIGN_OR_RETURN(const std::string formatted,
                            policies::FormatPolicyFile(AsText(text), path.string()));
    if (formatted == AsText(text)) {
      continue;
    }
    changed.push_back(path.string());
    if (!options.check) {
      CARNET_RETURN_IF_ERROR(WriteFileAtomic(path, AsBytes(formatted), kFileMode));
    }
  }
  if (context.json) {
    *context.out << nlohmann::json{{"files", files.size()}, {"changed", changed}}.dump() << '\n';
  } else {
    for (const std::string& path : changed) {
      *context.out << (options.check ? "would change " : "changed ") << path << '\n';
    }
  }
  return options.check && !changed.empty() ? kRefused : kGood;
}

// ---- diff

absl::StatusOr<int> Diff(CommandContext& context, const EditOptions& options) {
  CARNET_ASSIGN_OR_RETURN(const BundlePtr before, OpenBundle(options.before));
  CARNET_ASSIGN_OR_RETURN(const BundlePtr after, OpenBundle(options.after));
  absl::Time at = SystemClock().Now();
  if (!options.at.empty()) {
    CARNET_ASSIGN_OR_RETURN(at, policies::ParseInstant(options.at));
  }
  const policies::Difference difference = policies::DifferenceOf(*before, *after, at);
  if (context.json) {
    *context.out << nlohmann::json{{"rules", difference.rules},
                                   {"gains", difference.gains},
                                   {"losses", difference.losses}}
                        .dump()
                 << '\n';
    return kGood;
  }
  for (const std::vector<std::string>* lines :
       {&difference.gains, &difference.losses, &difference.rules}) {
    for (const std::string& line : *lines) {
      *context.out << line << '\n';
    }
  }
  if (difference.gains.empty() && difference.losses.empty()) {
    *context.out << (difference.rules.empty() ? "No difference.\n"
                                              : "No flow that was tried changes its verdict.\n");
  }
  return kGood;
}

absl::StatusOr<int> Schema(CommandContext& context) {
  *context.out << policies::PolicySchema().dump(context.json ? -1 : 2) << '\n';
  return kGood;
}

}  // namespace

void RegisterPolicyEditCommands(CLI::App& policy, CommandContext& context) {
  const auto options = std::make_shared<EditOptions>();
  CLI::App* init =
      AddCommand(policy, context, "init", "Write a folder of policies with tests, from packs",
                 [&context, options] { return Init(context, *options); });
  init->add_option("folder", options->folder, "New folder")->required();
  init->add_option("--home", options->home, "Country of your organisation: DE");
  init->add_option("--people", options->people, "Countries of the people in your data: DE,FR,SG");
  init->add_option("--places", options->places, "Where your machines and suppliers stand: DE,SG");
  init->add_option("--us-rules", options->us, "Whether US export rules and sanctions bind you")
      ->check(CLI::IsMember({"yes", "no"}));
  CLI::App* format = AddCommand(policy, context, "fmt", "Write policy files in one manner",
                                [&context, options] { return Format(context, *options); });
  format->add_option("paths", options->paths, "Files and folders")->required();
  format->add_flag("--check", options->check, "Change nothing; exit 1 if something would change");
  CLI::App* diff = AddCommand(policy, context, "diff", "What changes from one bundle to another",
                              [&context, options] { return Diff(context, *options); });
  diff->add_option("before", options->before, "Folder, or JSON of a bundle")->required();
  diff->add_option("after", options->after, "Folder, or JSON of a bundle")->required();
  AddCommand(policy, context, "schema", "JSON Schema of policy files, for editors",
             [&context] { return Schema(context); });
  diff->add_option("--at", options->at, "Time at which flows are tried; default: now");
}

}  // namespace carnet::cli
