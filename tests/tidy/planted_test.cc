// Each rule finds a planted violation, and leaves alone what only looks like one.
#include <catch2/catch.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/tidy/rules.h"

namespace carnet::tidy {
namespace {

// A function of `lines` lines, its signature and closing brace included.
std::string FunctionOf(const std::string& signature, std::size_t lines) {
  std::string text = absl::StrCat(signature, " {\n");
  for (std::size_t i = 2; i < lines; ++i) {
    absl::StrAppend(&text, "  Work();\n");
  }
  return absl::StrCat(text, "}\n");
}

}  // namespace

TEST_CASE("Planted: code is told from comments, strings and separators") {
  CHECK(CodeOnly("a // b\nc") == "a     \nc");
  CHECK(CodeOnly("a /* b\n b */ c") == "a     \n      c");
  CHECK(CodeOnly("f(\"a\\\"{\") + '{' + '\\''") == "f(      ) +     +     ");
  CHECK(CodeOnly("R\"x({ \")\" })x\" y") == std::string(14, ' ') + " y");
  CHECK(CodeOnly("1'000'000 + x") == "1'000'000 + x");
  CHECK(WithoutDirectives("#define A { \\\n  {\nb") == "             \n   \nb");
}

TEST_CASE("Planted: an include upwards or sideways is found") {
  CHECK(CheckLayers({{"base/a.cc", "#include \"crypto/hash.h\"\n"}}).size() == 1);
  CHECK(CheckLayers({{"crypto/a.cc", "#include \"model/layout.h\"\n"}}).size() == 1);
  CHECK(CheckLayers({{"worker/a.cc", "\n#include \"coordinator/engine.h\"\n"}}).front().line == 2);
  CHECK(CheckLayers({{"coordinator/a.cc", "#include \"worker/agent.h\"\n"}}).size() == 1);
  CHECK(CheckLayers({{"ledger/a.cc", "#include \"model/layout.h\"\n"}}).size() == 1);
  CHECK(CheckLayers({{"base/a.cc", "#include \"carnet/v1/config.pb.h\"\n"}}).size() == 1);
  CHECK(CheckLayers({{"cli/a.cc", "#include \"tests/testing/fake_clock.h\"\n"}}).size() == 1);
}

TEST_CASE("Planted: an include downwards, at home or in a comment is not") {
  CHECK(
      CheckLayers({{"cli/a.cc", "#include \"coordinator/engine.h\"\n#include \"base/bytes.h\"\n"}})
          .empty());
  CHECK(CheckLayers(
            {{"ledger/a.cc", "#include \"ledger/log.h\"\n#include \"carnet/v1/ledger.pb.h\"\n"}})
            .empty());
  CHECK(CheckLayers({{"tests/unit/base/a.cc", "#include \"cli/commands.h\"\n"}}).empty());
  CHECK(
      CheckLayers({{"base/a.cc", "// #include \"cli/commands.h\"\n#include <vector>\n"}}).empty());
}

TEST_CASE("Planted: gRPC, SQLite and OpenSSL behind their walls") {
  CHECK(CheckLayers({{"coordinator/core/a.cc", "#include <grpcpp/grpcpp.h>\n"}}).size() == 1);
  CHECK(CheckLayers({{"coordinator/a.cc", "#include \"carnet/v1/jobs.grpc.pb.h\"\n"}}).size() == 1);
  CHECK(CheckLayers({{"coordinator/rpc/a.cc", "#include \"carnet/v1/jobs.grpc.pb.h\"\n"}}).empty());
  CHECK(CheckLayers({{"coordinator/a.cc", "#include <sqlite3.h>\n"}}).size() == 1);
  CHECK(CheckLayers({{"ledger/store.cc", "#include <sqlite3.h>\n"}}).empty());
  CHECK(CheckLayers({{"worker/a.cc", "#include <openssl/evp.h>\n"}}).size() == 1);
  CHECK(CheckLayers({{"base/http_server.cc", "#include <openssl/ssl.h>\n"}}).empty());
}

TEST_CASE("Planted: a verifier that reaches the writer through a header is found") {
  const Source verifier{"ledger/verifier.cc", "#include \"ledger/head.h\"\n"};
  const Source clean{"ledger/head.h", "#include \"base/bytes.h\"\n"};
  const Source reaches{"ledger/head.h", "#include \"base/bytes.h\"\n#include \"ledger/store.h\"\n"};
  CHECK(CheckVerifierIsIndependent({clean, verifier}).empty());
  const Findings findings = CheckVerifierIsIndependent({reaches, verifier});
  REQUIRE(findings.size() == 1);
  CHECK(findings.front().path == "ledger/head.h");
  CHECK(findings.front().line == 2);
}

TEST_CASE("Planted: a pure core that reads the clock, a file or starts a thread is found") {
  CHECK(CheckPureCores({{"coordinator/core/a.cc", "#include <thread>\n"}}).size() == 1);
  CHECK(CheckPureCores({{"policies/a.cc", "#include <fstream>\n"}}).size() == 1);
  CHECK(CheckPureCores({{"worker/core/a.cc", "auto t = absl::Now();\n"}}).size() == 1);
  CHECK(CheckPureCores({{"worker/core/a.cc", "// never absl::Now()\n#include <map>\n"}}).empty());
  CHECK(CheckPureCores({{"coordinator/engine.cc", "#include <thread>\n"}}).empty());
}

TEST_CASE("Planted: a function of 71 lines is found wherever it stands") {
  for (const std::string signature :
       {"int F(int a)", "TEST_CASE(\"x\")", "template <class T>\nT F()", "A::A() : a_{1}, b_(2)",
        "auto F() const -> std::vector<int>", "static int F(std::vector<int> a = {}, int b = 1)"}) {
    CAPTURE(signature);
    const std::size_t extra = signature.find('\n') == std::string::npos ? 0 : 1;
    CHECK(CheckFunctionLengths({{"base/a.cc", FunctionOf(signature, 70 - extra)}}).empty());
    CHECK(CheckFunctionLengths({{"base/a.cc", FunctionOf(signature, 71 - extra)}}).size() == 1);
    const std::string nested = absl::StrCat("namespace carnet {\nclass A {\n public:\n",
                                            FunctionOf(signature, 71), "};\n}\n");
    CHECK(CheckFunctionLengths({{"base/a.h", nested}}).size() == 1);
  }
}

TEST_CASE("Planted: a long class, namespace or table is no long function") {
  const std::string functions = absl::StrCat(FunctionOf("int F()", 50), FunctionOf("int G()", 50));
  CHECK(CheckFunctionLengths({{"base/a.h", absl::StrCat("namespace carnet {\n", functions, "}\n")}})
            .empty());
  CHECK(
      CheckFunctionLengths({{"base/a.h", absl::StrCat("class A {\n", functions, "};\n")}}).empty());
  std::string table = "const int kTable[] = {\n";
  for (int i = 0; i < 100; ++i) {
    table += "  1,\n";
  }
  CHECK(CheckFunctionLengths({{"base/a.cc", absl::StrCat(table, "};\n")}}).empty());
}

TEST_CASE("Planted: long functions of Python and shell are found") {
  std::string body;
  for (int i = 0; i < 69; ++i) {
    body += "    work()\n";
  }
  const std::string python = absl::StrCat("def f():\n", body);
  CHECK(CheckFunctionLengths({{"sdk/a.py", absl::StrCat(python, "\n\nwork()\n")}}).empty());
  CHECK(CheckFunctionLengths({{"sdk/a.py", absl::StrCat(python, "    work()\n")}}).size() == 1);
  CHECK(CheckFunctionLengths({{"scripts/a.sh", absl::StrCat("f() {\n", body, "}\n")}}).size() == 1);
}

TEST_CASE("Planted: a long file is found, counted in lines") {
  std::string text;
  for (int i = 0; i < 600; ++i) {
    text += "\n";
  }
  CHECK(CheckFileLengths({{"base/a.cc", text}}, kFileLinesMax).empty());
  CHECK(CheckFileLengths({{"base/a.cc", absl::StrCat(text, "\n")}}, kFileLinesMax).size() == 1);
  CHECK(CheckFileLengths({{"docs/a.md", absl::StrCat(text, "\n")}}, kFileLinesMax).empty());
}

TEST_CASE("Planted: words of unfinished work are found in code and comments") {
  CHECK(CheckUnfinishedWords({{"base/a.cc",
                               "// TO"
                               "DO: more\n"}})
            .size() == 1);
  CHECK(CheckUnfinishedWords({{"scripts/a.sh",
                               "# FIX"
                               "ME\n"}})
            .size() == 1);
  CHECK(CheckUnfinishedWords({{"base/a.cc", "// METODOS\n"}}).empty());
}

TEST_CASE("Planted: throw, using namespace and std::cout are found in code only") {
  CHECK(CheckLanguage({{"base/a.cc", "throw 1;\n"}}).size() == 1);
  CHECK(CheckLanguage({{"tests/a.cc", "throw 1;\n"}}).empty());
  CHECK(CheckLanguage({{"tests/a.cc", "using namespace std;\n"}}).size() == 1);
  CHECK(CheckLanguage({{"worker/a.cc", "std::cout << 1;\n"}}).size() == 1);
  CHECK(CheckLanguage({{"cli/a.cc", "std::cout << 1;\n"}}).empty());
  CHECK(CheckLanguage({{"base/a.cc", "// may throw\nF(\"throw\");\n"}}).empty());
}

TEST_CASE("Planted: sleeps are found in tests") {
  CHECK(CheckSleeps({{"tests/a.cc", "std::this_thread::sleep_for(x);\n"}}).size() == 1);
  CHECK(CheckSleeps({{"tests/a.cc", "absl::SleepFor(x);\n"}}).size() == 1);
  CHECK(CheckSleeps({{"worker/a.cc", "absl::SleepFor(x);\n"}}).empty());
}

TEST_CASE("Planted: machine paths and registry hosts are found") {
  CHECK(CheckMachinePaths({{"scripts/a.sh",
                            "cd /ro"
                            "ot/carnet\n"}})
            .size() == 1);
  CHECK(CheckMachinePaths({{"docs/a.md",
                            "`/t"
                            "mp/x`\n"}})
            .size() == 1);
  CHECK(CheckMachinePaths({{"docs/a.md",
                            "https://example.org/wo"
                            "rk/x $ROOT/t"
                            "mp/x\n"}})
            .empty());
  CHECK(CheckMachinePaths(
            {{"tests/interop/package-lock.json", "\"resolved\": \"https://example.org/a.tgz\"\n"}})
            .size() == 1);
}

TEST_CASE("Planted: a header without comment or with another guard is found") {
  const std::string guard = "#ifndef CARNET_BASE_A_H_\n#define CARNET_BASE_A_H_\n#endif\n";
  CHECK(CheckHeaders({{"base/a.h", "// What it is.\n" + guard}}).empty());
  CHECK(CheckHeaders({{"base/a.h", guard}}).size() == 1);
  CHECK(CheckHeaders({{"base/b.h", "// What it is.\n" + guard}}).size() == 1);
}

TEST_CASE("Planted: a source that no CMakeLists.txt names is found") {
  const Source cmake{"worker/CMakeLists.txt", "carnet_library(worker\n  SRCS a.cc core/b.cc)\n"};
  CHECK(CheckDeadFiles({cmake, {"worker/a.cc", ""}, {"worker/core/b.cc", ""}}).empty());
  CHECK(CheckDeadFiles({cmake, {"worker/b.cc", ""}}).size() == 1);
  CHECK(CheckDeadFiles({cmake, {"worker/aa.cc", ""}}).size() == 1);
  CHECK(CheckDeadFiles({{"worker/a.cc", ""}}).size() == 1);
  CHECK(CheckDeadFiles({{"docs/a.cc", ""}}).empty());
  const Source user{"docs/a.cc", "#include \"tests/testing/fake.h\"\n"};
  CHECK(CheckDeadFiles({user, {"tests/testing/fake.h", ""}}).empty());
  CHECK(CheckDeadFiles({user, {"tests/testing/other.h", ""}}).size() == 1);
}

TEST_CASE("Planted: names that ctest cannot pass on are found") {
  CHECK(CheckTestNames({{"tests/a.cc", "TEST_CASE(\"A: b; c\") {\n"}}).size() == 1);
  CHECK(CheckTestNames({{"tests/a.cc", "TEST_CASE(\"A: [0, 1)\", \"[x]\") {\n"}}).size() == 1);
  CHECK(
      CheckTestNames({{"tests/a.cc", "TEST_CASE(\"A: 1..kMax, or less\", \"[x]\") {\n"}}).empty());
}

TEST_CASE("Planted: a script that goes on after an error is found") {
  CHECK(CheckScripts({{"scripts/a.sh", "#!/usr/bin/env bash\nls\n"}}).size() == 1);
  CHECK(CheckScripts({{"scripts/a", "#!/usr/bin/env bash\nset -euo pipefail\nls\n"}}).empty());
  CHECK(CheckScripts({{"scripts/lib.sh", "# shellcheck shell=bash\nls\n"}}).empty());
}

}  // namespace carnet::tidy
