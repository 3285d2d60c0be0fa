// `carnet policy …` as a user runs it, without a process.
#include "cli/commands/policy_commands.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "cli/commands/policy_report.h"
#include "crypto/hash.h"
#include "policies/loader.h"
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

TEST_CASE("carnet policy test: the worked bundle of the design holds its 37 cases") {
  const std::string folder = testing::InTree("tests/unit/cli/worked_bundle");
  const Outcome outcome = Run("policy test --json " + folder);
  CHECK(outcome.code == kGood);
  const auto report = nlohmann::json::parse(outcome.out);
  CHECK(report["passed"] == 37);
  CHECK(report["failed"] == 0);
  // As the case fails where one of its rules is another one.
  const Folder changed;
  std::filesystem::copy(folder, changed.path(), std::filesystem::copy_options::recursive);
  std::ifstream file(folder + "/protection-abroad.yaml");
  std::string text((std::istreambuf_iterator<char>(file)), {});
  const std::size_t bound = text.find("at_least: 8");
  REQUIRE(bound != std::string::npos);
  changed.Write("protection-abroad.yaml", text.replace(bound, 11, "at_least: 7"));
  CHECK(Run("policy test " + changed.path()).code == kRefused);
}

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

TEST_CASE("carnet policy check: with --json a mistake is JSON on stdout, with the same exit code") {
  const Folder folder;
  folder.Write("p.yaml", "policy: p\nkind: guardrail\nrulez: []\n");
  folder.Write("q.yaml", "policy: q\nnote: {a: stayed, then enforce}\n");
  for (const char* command : {"check", "test"}) {
    const Outcome outcome = Run(absl::StrCat("policy ", command, " --json ", folder.path()));
    CHECK(outcome.code == kUsage);
    const auto errors = nlohmann::json::parse(outcome.out)["errors"];
    REQUIRE(errors.size() == 1);  // what is no YAML is told first
    CHECK(errors[0]["file"] == folder.path() + "/q.yaml");
    CHECK(errors[0]["line"] == 2);
    CHECK(errors[0]["column"].get<int>() > 1);
    CHECK(errors[0]["message"] == "an empty value");
    CHECK_THAT(errors[0]["hint"].get<std::string>(), Catch::Contains("in quotes"));
  }
  std::filesystem::remove(folder.path() + "/q.yaml");
  const Outcome rules = Run("policy check --json " + folder.path());
  bool told = false;
  const auto said = nlohmann::json::parse(rules.out);
  for (const auto& error : said["errors"]) {
    told = told || (error["line"] == 3 && error["column"] == 1 &&
                    error["message"] == "unknown key 'rulez' in a policy" &&
                    error["hint"].get<std::string>().find("'rules'") != std::string::npos);
  }
  INFO(rules.out);
  CHECK(told);
  const Outcome nowhere = Run("policy check --json " + folder.path() + "/nowhere");
  CHECK(nowhere.code == kCannotDecide);
  const auto error = nlohmann::json::parse(nowhere.out)["errors"][0];
  CHECK_THAT(error["file"].get<std::string>(), Catch::Contains("/nowhere"));
  CHECK(error["line"] == 0);
  CHECK_FALSE(error["message"].get<std::string>().empty());
}

TEST_CASE("carnet policy check: lists of places without a source are named") {
  const Folder folder;
  folder.Write("house.yaml", Run("policy pack show house").out);
  folder.Write("groups.yaml",
               "home: DE\ngroups:\n  a: {members: [DE], source: a test, as_of: 2026-01-01}\n"
               "  b: {members: [FR], source: a test, as_of: 2026-01-01, review_by: 2026-02-01}\n");
  const Outcome outcome = Run("policy check " + folder.path());
  CHECK(outcome.code == kRefused);
  CHECK_THAT(outcome.out,
             Catch::Contains("group a has no review_by, so the bundle cannot be proposed\n") &&
                 Catch::Contains("group b was to be reviewed by 2026-02-01\n"));
  const auto json = nlohmann::json::parse(Run("policy check --json " + folder.path()).out);
  CHECK(json["unsourced_groups"] == nlohmann::json({"group a has no review_by"}));
  CHECK(json["overdue_groups"].size() == 1);
  CHECK(json["edited_packs"].empty());
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
  CHECK_THAT(Run("policy pack list").out, Catch::Contains("gdpr-chapter-v       regime    "));
  const auto packs = nlohmann::json::parse(Run("policy pack list --json").out);
  CHECK(packs.size() >= 25);
  CHECK(packs[0]["sha256"].get<std::string>().size() == 64);
  CHECK_THAT(Run("policy pack show groups").out, Catch::Contains("groups:"));
  CHECK_THAT(Run("policy pack show sg-pdpa --tests").out, Catch::StartsWith("tests: sg-pdpa\n"));
  CHECK(Run("policy pack show nothing").code == kCannotDecide);
  CHECK_THAT(Run("policy pack show sg-pdp").err, Catch::Contains("did you mean sg-pdpa?"));
  CHECK_THAT(Run("policy facts").out, Catch::StartsWith("# Facts\n"));
}

std::string ReadText(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

TEST_CASE("carnet policy pack import: packs come with tests and groups, pinned, once") {
  const Folder folder;
  const std::string to = folder.path() + "/rules";
  const Outcome imported = Run("policy pack import house sg-pdpa --to " + to);
  INFO(imported.err);
  CHECK(imported.code == kGood);
  CHECK_THAT(ReadText(to + "/sg-pdpa.yaml"),
             Catch::StartsWith("# From the starter pack sg-pdpa, sha256 ") &&
                 Catch::Contains("\npolicy: sg-pdpa\n"));
  CHECK(Run("policy test " + to).code == kGood);
  CHECK(nlohmann::json::parse(ReadText(to + "/packs.lock"))["packs"].size() == 3);
  CHECK(Run("policy pack import sg-pdpa --to " + to).code != kGood);
  CHECK(Run("policy pack import sg-pdpa --force --to " + to).code == kGood);
  CHECK(Run("policy pack update " + to).code == kGood);
  CHECK(Run("policy pack update " + folder.path()).code == kCannotDecide);
}

TEST_CASE("carnet policy pack update: what is new is told in words and replaced, edits are kept") {
  const Folder folder;
  const std::string to = folder.path() + "/rules";
  REQUIRE(Run("policy pack import house sg-pdpa --to " + to).code == kGood);
  // As if an older program had written it: without the rule about certificates.
  std::string text = ReadText(to + "/sg-pdpa.yaml");
  text = text.substr(0, text.find("  - id: certified"));
  std::ofstream(to + "/sg-pdpa.yaml") << text;
  policies::PackLock lock = ReadPackLock(to).value();
  lock["sg-pdpa"].sha256 = Digest{};
  REQUIRE(WritePackLock(to, lock).ok());
  const Outcome edited = Run("policy pack update " + to);
  CHECK(edited.code == kRefused);
  CHECK_THAT(edited.out, Catch::Contains("sg-pdpa was edited here, so it stays") &&
                             Catch::Contains("Rule sg-pdpa/certified is new (allow)."));
  CHECK(ReadText(to + "/sg-pdpa.yaml") == text);
  lock["sg-pdpa"].files["sg-pdpa.yaml"] = crypto::Sha256(AsBytes(text));
  REQUIRE(WritePackLock(to, lock).ok());
  CHECK(Run("policy pack update --check " + to).code == kRefused);
  CHECK(ReadText(to + "/sg-pdpa.yaml") == text);
  const auto report = nlohmann::json::parse(Run("policy pack update --json " + to).out);
  CHECK(report[2]["state"] == "new");
  CHECK(report[2]["written"] == true);
  CHECK_THAT(ReadText(to + "/sg-pdpa.yaml"), Catch::Contains("  - id: certified"));
  CHECK(Run("policy pack update " + to).code == kGood);
}

TEST_CASE(
    "carnet policy pack update: a pack that was changed by hand is never as in this program") {
  const Folder folder;
  const std::string to = folder.path() + "/rules";
  REQUIRE(Run("policy pack import house sg-pdpa --to " + to).code == kGood);
  CHECK(Run("policy pack update --check " + to).code == kGood);
  CHECK_THAT(Run("policy check " + to).out, !Catch::Contains("by hand"));
  std::string text = ReadText(to + "/sg-pdpa.yaml");
  text = text.substr(0, text.find("  - id: certified"));
  std::ofstream(to + "/sg-pdpa.yaml") << text;
  const Outcome checked = Run("policy pack update --check " + to);
  CHECK(checked.code == kRefused);
  CHECK_THAT(checked.out, Catch::Contains("sg-pdpa was edited here") &&
                              Catch::Contains("house is as in this program") &&
                              Catch::Contains("Rule sg-pdpa/certified is new (allow)."));
  const auto report = nlohmann::json::parse(Run("policy pack update --check --json " + to).out);
  CHECK(report[2]["state"] == "edited");
  CHECK(report[2]["written"] == false);
  CHECK_THAT(
      Run("policy check " + to).out,
      Catch::Contains("pack sg-pdpa was changed by hand since it was imported: sg-pdpa.yaml\n"));
  CHECK(Run("policy pack update --force " + to).code == kGood);
  CHECK(Run("policy pack update --check " + to).code == kGood);
  CHECK_THAT(ReadText(to + "/sg-pdpa.yaml"), Catch::Contains("  - id: certified"));
}

TEST_CASE("carnet policy init: the answers choose the packs, and the folder passes its tests") {
  const Folder folder;
  const std::string to = folder.path() + "/rules";
  const Outcome written =
      Run("policy init " + to + " --home FR --people FR,SG,KE --places FR,SG --us-rules no --json");
  INFO(written.err);
  REQUIRE(written.code == kGood);
  const auto json = nlohmann::json::parse(written.out);
  CHECK(json["policies"] ==
        nlohmann::json({"eu-russia-ai", "eu-special-category", "gdpr-chapter-v", "house",
                        "own-rules", "protection-abroad", "raw-data-stays", "sg-pdpa"}));
  CHECK(json["tests_failed"] == 0);
  CHECK(json["uncovered"] == nlohmann::json({"Kenya (KE)"}));
  CHECK_THAT(Run("policy check " + to).out, Catch::Contains("home is FR"));
  CHECK(Run("policy fmt --check " + to).code == kGood);
  CHECK(Run("policy pack update " + to).code == kGood);
  CHECK(Run("policy init " + to).code != kGood);
  CHECK(Run("policy init " + folder.path() + "/other --people UK").code == kUsage);
}

TEST_CASE("carnet policy init: what comes home is not refused where no machine stands at home") {
  const Folder folder;
  const std::string to = folder.path() + "/rules";
  const Outcome written = Run("policy init " + to +
                              " --home DE --people DE,FR,US --places SG,US --us-rules yes --json");
  INFO(written.err);
  REQUIRE(written.code == kGood);
  CHECK(nlohmann::json::parse(written.out)["tests_failed"] == 0);
  const auto refused = [&](const std::string& op, const std::string& kind,
                           const std::string& place) {
    const std::string facts =
        folder.Write("facts.json", absl::StrCat(R"({"op":")", op, R"(","artifact.kind":")", kind,
                                                R"(","to.jurisdiction":")", place, R"("})"));
    const std::string decision =
        Run(absl::StrCat("policy decide --json --facts ", facts, " --bundle ", to)).out;
    CHECK_THAT(decision, Catch::Contains("verdict"));
    return decision.find("own-rules/places") != std::string::npos;
  };
  CHECK_FALSE(refused("send_delta", "delta", "DE"));
  CHECK_FALSE(refused("aggregate", "aggregate", "DE"));
  CHECK_FALSE(refused("read_log", "log", "DE"));
  CHECK_FALSE(refused("place", "job", "SG"));
  CHECK(refused("place", "job", "FR"));
  CHECK(refused("send_delta", "delta", "FR"));
}

TEST_CASE("carnet policy fmt: files are put in order, or only named") {
  const Folder folder;
  const std::string file = folder.Write("p.yaml", "policy:   p\nrules:\n- id: a # why\n");
  CHECK(Run("policy fmt --check " + file).code == kRefused);
  CHECK(Run("policy fmt " + folder.path()).code == kGood);
  CHECK(ReadText(file) == "policy: p\nrules:\n  - id: a # why\n");
  CHECK(Run("policy fmt --check " + file).code == kGood);
  folder.Write("bad.yaml", "a: [\n");
  CHECK(Run("policy fmt " + folder.path()).code == kUsage);
}

TEST_CASE("carnet policy schema: prints JSON") {
  CHECK(nlohmann::json::parse(Run("policy schema").out)["$defs"].contains("condition"));
}

TEST_CASE("carnet policy diff: gains and losses in words") {
  const Folder folder;
  const std::string to = folder.path() + "/rules";
  REQUIRE(Run("policy pack import house sg-pdpa --to " + to).code == kGood);
  const std::string command = "policy diff --at 2026-11-21T09:00:00Z ";
  CHECK(Run(absl::StrCat(command, to, " ", to)).out == "No difference.\n");
  std::filesystem::copy(to, folder.path() + "/less", std::filesystem::copy_options::recursive);
  std::filesystem::remove(folder.path() + "/less/sg-pdpa.yaml");
  std::filesystem::remove_all(folder.path() + "/less/tests");
  const Outcome diff = Run(absl::StrCat(command, folder.path(), "/less ", to));
  CHECK(diff.code == kGood);
  CHECK_THAT(diff.out, Catch::Contains(" of personal data about people in Singapore (SG), ") &&
                           Catch::Contains("Regime sg-pdpa is new: "));
  CHECK(nlohmann::json::parse(Run(absl::StrCat(command, to, " ", to, " --json")).out)["gains"]
            .empty());
}

TEST_CASE("carnet policy approve: a report that is not the one of that digest is not signed") {
  const auto content = policies::LoadBundle(kExample, policies::LoadOptions());
  INFO(content.status().ToString());
  REQUIRE(content.ok());
  policies::BundleHead head;
  head.revision = 2;
  head.parent = crypto::Sha256(AsBytes("the bundle before"));
  head.valid_from = absl::FromUnixSeconds(1795000000);
  head.valid_to = head.valid_from + absl::Hours(24);
  const auto bundle = *policies::IssueBundle(**content, head);
  const auto check = [&](const nlohmann::json& shown, const nlohmann::json& signed_one) {
    return CheckReport(shown.dump(), crypto::Sha256(AsBytes(signed_one.dump())), *bundle);
  };
  const nlohmann::json report = {{"bundle", HexEncode(bundle->sha256())},
                                 {"parent", HexEncode(*head.parent)},
                                 {"impact", {{"flows", 7}}}};
  CHECK(check(report, report).ok());
  nlohmann::json milder = report;
  milder["impact"]["flows"] = 0;
  CHECK(absl::IsUnauthenticated(check(milder, report)));
  nlohmann::json of_another = report;
  of_another["bundle"] = HexEncode(*head.parent);
  CHECK(absl::IsUnauthenticated(check(of_another, of_another)));
  nlohmann::json after_another = report;
  after_another["parent"] = HexEncode(bundle->sha256());
  CHECK(absl::IsUnauthenticated(check(after_another, after_another)));
  CHECK(absl::IsUnauthenticated(check(nlohmann::json::array(), nlohmann::json::array())));
  nlohmann::json of_a_draft = report;
  of_a_draft["draft"] = of_a_draft["bundle"];
  of_a_draft.erase("bundle");
  CHECK(absl::IsUnauthenticated(check(of_a_draft, of_a_draft)));
}

TEST_CASE("CLI: a report counts flows and records, says n of m, and what it did not weigh") {
  const nlohmann::json none = {{"flows", 0}, {"recorded", 0}};
  const nlohmann::json example = {
      {"operation", "read_log"}, {"from", "DE"}, {"to", "KE"},   {"labels", ""},
      {"reason", "p/near"},      {"flows", 1},   {"recorded", 3}};
  nlohmann::json opened = {{"flows", 1}, {"recorded", 3}};
  opened["examples"].push_back(example);
  nlohmann::json report = {{"tests", {{"passed", 4}, {"failed", 0}}},
                           {"impact",
                            {{"days", 30},
                             {"jobs", 70},
                             {"jobs_decided", 64},
                             {"operations", 1},
                             {"operations_decided", 1},
                             {"flows", 9},
                             {"deny_to_allow", opened},
                             {"allow_to_deny", none},
                             {"jobs_that_would_stop", nlohmann::json::array({"j-one"})}}}};
  std::ostringstream weighed;
  PrintReport(weighed, report);
  CHECK(weighed.str() ==
        "  tests: 4 pass on the coordinator's own run\n"
        "  impact on 9 flows, with today's facts: those of 64 of 70 jobs, and of 1 of 1 releases, "
        "log readings and stagings of the last 30 days\n"
        "  DENY→ALLOW: 1 flows, recorded 3 times\n"
        "    read_log DE→KE, 1 flows, recorded 3 times: p/near\n"
        "  ALLOW→DENY: 0 flows, recorded 0 times\n"
        "    would stop: j-one\n");
  report.erase("impact");
  report["tests"]["failed"] = 1;
  std::ostringstream alone;
  PrintReport(alone, report);
  CHECK(alone.str() ==
        "  tests: 4 pass, 1 fails (carnet policy test)\n"
        "  no flows on record were weighed: that takes a coordinator\n");
}

}  // namespace
}  // namespace carnet::cli
