// `carnet policy …` as a user runs it, without a process.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "cli/commands.h"
#include "tests/testing/source_dir.h"

namespace carnet::cli {
namespace {

struct Outcome {
  int code = 0;
  std::string out;
  std::string err;
};

// `arguments` as after `carnet`.
Outcome Run(const std::string& arguments) {
  std::ostringstream out;
  std::ostringstream err;
  CommandContext context;
  context.out = &out;
  context.err = &err;
  CLI::App app("carnet", "carnet");
  RegisterPolicyCommands(app, context);
  Outcome outcome;
  try {
    app.parse(arguments);
    outcome.code = context.exit_code;
  } catch (const CLI::ParseError&) {
    outcome.code = kUsage;
  }
  outcome.out = out.str();
  outcome.err = err.str();
  return outcome;
}

// A folder that goes when the test ends.
class Folder {
 public:
  Folder()
      : path_(std::filesystem::temp_directory_path() / absl::StrCat("carnet-policy-", ::getpid())) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return (path_ / name).string();
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

const std::string kExample = testing::InTree("examples/digits/policies");

TEST_CASE("carnet policy check: the starter packs and the example are sound, from anywhere") {
  const Outcome packs = Run("policy check");
  CHECK(packs.code == kGood);
  CHECK_THAT(packs.out, Catch::Contains("home is DE") && Catch::Contains(", 0 of them fail"));
  const Outcome example = Run(absl::StrCat("policy check --json ", kExample));
  CHECK(example.code == kGood);
  const auto json = nlohmann::json::parse(example.out);
  CHECK(json["home"] == "DE");
  CHECK(json["tests_failed"] == 0);
  CHECK(json["policies"].size() == 5);
}

TEST_CASE("carnet policy check: a mistake is told with its place, and exits 2") {
  const Folder folder;
  folder.Write("p.yaml", "policy: p\nkind: guardrail\nrulez: []\n");
  const Outcome outcome = Run("policy check " + folder.path());
  CHECK(outcome.code == kUsage);
  CHECK_THAT(outcome.err, Catch::Contains("p.yaml:3:1: unknown key 'rulez'") &&
                              Catch::Contains("did you mean 'rules'?"));
  CHECK(outcome.out.empty());
  CHECK(Run("policy check " + folder.path() + "/nowhere").code == kCannotDecide);
}

TEST_CASE("carnet policy test: exits 1 and shows the decision of each case that fails") {
  CHECK(Run(absl::StrCat("policy test ", kExample)).code == kGood);
  const Folder folder;
  folder.Write("house.yaml", Run("policy pack show house").out);
  folder.Write("tests.yaml",
               "tests: mine\nat: 2026-11-21T09:00:00Z\ncases:\n"
               "  - {name: a job may go, set: {op: place, artifact.kind: job, to.location_grade: "
               "claimed}, expect: allow}\n"
               "  - {name: a key may go, set: {op: use_key, artifact.kind: key, to.location_grade: "
               "contract}, expect: allow}\n");
  const Outcome outcome = Run("policy test " + folder.path());
  CHECK(outcome.code == kRefused);
  CHECK_THAT(outcome.out, Catch::Contains("tests.yaml:4:5: a job may go\n") &&
                              Catch::Contains("expected allow, got deny (failed: "
                                              "house/place-is-known)") &&
                              Catch::Contains("Denied: job.") && !Catch::Contains("a key may go") &&
                              Catch::EndsWith("1 of 2 cases pass\n"));
  CHECK(Run("policy check " + folder.path()).code == kRefused);
  CHECK_THAT(Run("policy check " + folder.path() + "/house.yaml").err,
             Catch::Contains("a bundle is a folder of policies"));
  CHECK(nlohmann::json::parse(Run("policy test --json " + folder.path()).out)["failed"] == 1);
  std::filesystem::remove(folder.path() + "/tests.yaml");
  CHECK(Run("policy test " + folder.path()).code == kCannotDecide);
}

TEST_CASE("carnet policy decide: one flow from its facts, without a server") {
  const Folder folder;
  const std::string facts = folder.Write(
      "facts.json",
      R"({"op":"send_model","artifact.kind":"model","data.personal":"yes","data.subjects_in":["FR"],
          "to.jurisdiction":"AE","to.location_grade":"contract","evidence":["scc-2021-914"],
          "round.repeating":"yes"})");
  const std::string command = absl::StrCat("policy decide --facts ", facts,
                                           " --at 2026-11-21T09:00:00Z --bundle ", kExample);
  const Outcome denied = Run(command);
  CHECK(denied.code == kRefused);
  CHECK(denied.out ==
        "Denied: model to United Arab Emirates (AE).\n"
        "  1 problem: not permitted: The evidence on file holds [scc-2021-914]; needed: tia.\n"
        "     Fix: Attach the transfer impact assessment for this recipient.\n");
  CHECK_THAT(Run(command + " --for auditor").out, Catch::Contains("carnet policy decide"));
  const Outcome json = Run(command + " --json");
  CHECK(json.code == kRefused);
  const std::string decision = folder.Write("decision.json", json.out);
  CHECK(Run("policy explain " + decision).out == denied.out);
  CHECK_THAT(Run("policy explain --for officer " + decision).out,
             Catch::Contains("rule: gdpr-chapter-v/safeguards.tia"));
}

TEST_CASE("carnet policy decide: facts that are none, and times that are none, exit 2") {
  const Folder folder;
  const std::string bad = folder.Write("bad.json", R"({"to.country":"DE"})");
  const Outcome outcome = Run("policy decide --facts " + bad);
  CHECK(outcome.code == kUsage);
  CHECK_THAT(outcome.err,
             Catch::Contains("no fact is called 'to.country'") && Catch::Contains(bad));
  const std::string good = folder.Write("good.json", R"({"op":"train"})");
  CHECK(Run("policy decide --at noon --facts " + good).code == kUsage);
  CHECK(Run("policy decide --for nobody --facts " + good).code == kUsage);
  CHECK(Run("policy decide").code == kUsage);
  CHECK(Run("policy explain " + good).code == kUsage);
  CHECK(Run("policy decide --facts " + good + " --bundle " + good).code == kUsage);
}

TEST_CASE("carnet policy pack: what travels with the program can be read") {
  CHECK_THAT(Run("policy pack list").out, Catch::Contains("gdpr-chapter-v.yaml\n"));
  CHECK_THAT(Run("policy pack show groups").out, Catch::Contains("groups:"));
  CHECK(Run("policy pack show nothing").code == kCannotDecide);
  CHECK_THAT(Run("policy facts").out, Catch::StartsWith("# Facts\n"));
}

}  // namespace
}  // namespace carnet::cli
