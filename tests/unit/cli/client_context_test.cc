// cli/client_context.h
#include "cli/client_context.h"

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "absl/strings/str_replace.h"
#include "base/status.h"
#include "ledger/note.h"

namespace carnet::cli {
namespace {

class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "carnet-test-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;

  std::filesystem::path Write(const std::string& text) const {
    const std::filesystem::path file = path_ / "context.yaml";
    std::ofstream(file) << text;
    return file;
  }

 private:
  std::filesystem::path path_;
};

std::string GoodContext() {
  return "address: 127.0.0.1:7600\ntrust_domain: digits.acme.example\nuser_id: "
         "u-aaaaaaaaaaaaaaaa\nca_file: ca.pem\ncertificate_file: user.pem\nkey_dir: keys\n"
         "log_vkey: " +
         ledger::NoteKey{"digits.acme.example/log", {}}.Vkey() + "\n";
}

}  // namespace

TEST_CASE("Context: --state goes before CARNET_CONTEXT, and one of them is needed") {
  CHECK(*FindContext("home", "elsewhere.yaml") == "home/operator/context.yaml");
  CHECK(*FindContext("", "elsewhere.yaml") == "elsewhere.yaml");
  for (const char* variable : {static_cast<const char*>(nullptr), ""}) {
    const auto none = FindContext("", variable);
    CHECK(absl::IsInvalidArgument(none.status()));
    CHECK(Remedy(none.status()).find("CARNET_CONTEXT") != std::string::npos);
  }
}

TEST_CASE("Context: paths are relative to the file, and one folder may hold both keys") {
  const TempDir dir;
  const std::filesystem::path file = dir.Write(GoodContext());
  const auto identity = LoadContext(file);
  REQUIRE(identity.ok());
  CHECK(identity->facts.address() == "127.0.0.1:7600");
  CHECK(identity->ca_file == file.parent_path() / "ca.pem");
  CHECK(identity->key_dir == file.parent_path() / "keys");
  CHECK(identity->tls_key_dir == identity->key_dir);
}

TEST_CASE("Context: each wrong field is named") {
  const std::pair<const char*, std::pair<const char*, const char*>> cases[] = {
      {"address", {"127.0.0.1:7600", "nowhere"}},
      {"trust_domain", {"trust_domain: digits.acme.example", "trust_domain: Digits"}},
      {"user_id", {"u-aaaaaaaaaaaaaaaa", "w-aaaaaaaaaaaaaaaa"}},
      {"ca_file", {"ca_file: ca.pem\n", ""}},
      {"key_dir", {"key_dir: keys\n", ""}},
      {"log_vkey", {"digits.acme.example/log+", "another/log+"}}};
  for (const auto& [field, change] : cases) {
    CAPTURE(field);
    const TempDir dir;
    const auto loaded =
        LoadContext(dir.Write(absl::StrReplaceAll(GoodContext(), {{change.first, change.second}})));
    REQUIRE(absl::IsInvalidArgument(loaded.status()));
    CHECK(std::string(loaded.status().message()).find(field) != std::string::npos);
  }
}

TEST_CASE("Context: unknown keys are refused, and a missing file is not found") {
  const TempDir dir;
  CHECK(absl::IsInvalidArgument(LoadContext(dir.Write(GoodContext() + "pasword: x\n")).status()));
  CHECK(absl::IsNotFound(LoadContext("/nowhere/context.yaml").status()));
}

}  // namespace carnet::cli
