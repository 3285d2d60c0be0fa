#include <map>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/tidy/rules.h"

namespace carnet::tidy {
namespace {

// The floors of docs/architecture.md.
const std::map<std::string, int>& Floors() {
  static const auto* const kFloors = new std::map<std::string, int>{
      {"base", 0},     {"api", 0},      {"crypto", 1},      {"model", 1},  {"ledger", 2},
      {"policies", 2}, {"exchange", 2}, {"coordinator", 3}, {"worker", 3}, {"cli", 4},
  };
  return *kFloors;
}

// Rooms that may include less than everything below them.
const std::map<std::string, std::set<std::string>>& Narrower() {
  static const auto* const kNarrower = new std::map<std::string, std::set<std::string>>{
      {"ledger", {"base", "crypto", "api"}},
  };
  return *kNarrower;
}

// The files of ledger/ that write it, without extension; its verifier shares no code with them.
const std::set<std::string>& LedgerWriterFiles() {
  static const auto* const kWriter = new std::set<std::string>{"ledger/log", "ledger/store"};
  return *kWriter;
}
constexpr char kVerifierPrefix[] = "ledger/verifier";

struct Wall {
  const char* header;                // a prefix of what is included
  std::vector<std::string> allowed;  // prefixes of the files that may
  const char* why;
};

const std::vector<Wall>& Walls() {
  static const auto* const kWalls = new std::vector<Wall>{
      {"grpc", {"coordinator/rpc/", "worker/rpc/", "cli/", "tests/"}, "gRPC stays at the edges"},
      {"sqlite3.h", {"ledger/", "tests/"}, "SQLite is wrapped in ledger/"},
      {"openssl/", {"crypto/", "base/http", "tests/"}, "OpenSSL is wrapped in crypto/"},
  };
  return *kWalls;
}

const std::vector<std::string>& PureFolders() {
  static const auto* const kPure = new std::vector<std::string>{
      "coordinator/audit/",         "coordinator/core/", "worker/core/",
      "crypto/secure_aggregation/", "policies/",         kVerifierPrefix};
  return *kPure;
}

// The one place in a pure room that touches files: it reads a bundle's texts and hands them on.
constexpr char kImpureFile[] = "policies/loader";

const std::set<std::string>& ImpureHeaders() {
  static const auto* const kImpure = new std::set<std::string>{
      "thread",          "mutex",        "shared_mutex", "condition_variable", "future",
      "random",          "fstream",      "filesystem",   "unistd.h",           "fcntl.h",
      "sys/stat.h",      "sys/socket.h", "iostream",     "base/rng.h",         "base/files.h",
      "base/executor.h", "base/http.h",  "base/log.h",   "netinet/in.h",
  };
  return *kImpure;
}

struct Include {
  std::size_t line;
  std::string header;
};

std::vector<Include> IncludesOf(const Source& source) {
  std::vector<Include> includes;
  const std::vector<std::string> lines = Lines(source.text);
  const std::vector<std::string> code = Lines(CodeOnly(source.text));
  for (std::size_t i = 0; i < lines.size() && i < code.size(); ++i) {
    if (!absl::StartsWith(code[i], "#") || !HasWord(code[i], "include")) {
      continue;
    }
    const std::size_t open = lines[i].find_first_of("\"<");
    const std::size_t close = lines[i].find_first_of("\">", open + 1);
    if (open != std::string::npos && close != std::string::npos) {
      includes.push_back({i + 1, lines[i].substr(open + 1, close - open - 1)});
    }
  }
  return includes;
}

// The room that a header belongs to, or nothing.
std::string RoomOf(const std::string& header) {
  if (absl::StartsWith(header, "carnet/v1/")) {
    return "api";
  }
  const std::string top = TopFolder(header);
  return Floors().count(top) > 0 ? top : "";
}

std::string WhyNotIncluded(const std::string& path, const std::string& header) {
  const std::string room = RoomOf(path);
  const std::string other = RoomOf(header);
  if (room.empty()) {
    return "";
  }
  if (TopFolder(header) == "tests") {
    return "the product includes no tests";
  }
  if (other.empty() || other == room) {
    return "";
  }
  if (Floors().at(other) >= Floors().at(room)) {
    return absl::StrCat(room, "/ (floor ", Floors().at(room), ") may not include ", other,
                        "/ (floor ", Floors().at(other), ")");
  }
  const auto narrower = Narrower().find(room);
  if (narrower != Narrower().end() && narrower->second.count(other) == 0) {
    return absl::StrCat(room, "/ may not include ", other, "/");
  }
  return "";
}

std::string WhyBehindWall(const std::string& path, const std::string& header) {
  for (const Wall& wall : Walls()) {
    const bool hit =
        absl::StartsWith(header, wall.header) ||
        (absl::StartsWith(wall.header, "grpc") && absl::EndsWith(header, ".grpc.pb.h"));
    bool allowed = false;
    for (const std::string& prefix : wall.allowed) {
      allowed = allowed || absl::StartsWith(path, prefix);
    }
    if (hit && !allowed) {
      return absl::StrCat("includes ", header, ": ", wall.why);
    }
  }
  return "";
}

std::string WithoutExtension(const std::string& path) {
  return path.substr(0, path.rfind('.'));
}

}  // namespace

Findings CheckLayers(const Sources& sources) {
  Findings findings;
  for (const Source& source : sources) {
    if (!IsCpp(source)) {
      continue;
    }
    for (const Include& include : IncludesOf(source)) {
      for (const std::string& why : {WhyNotIncluded(source.path, include.header),
                                     WhyBehindWall(source.path, include.header)}) {
        if (!why.empty()) {
          findings.push_back({source.path, include.line, why});
        }
      }
    }
  }
  return findings;
}

Findings CheckVerifierIsIndependent(const Sources& sources) {
  std::map<std::string, const Source*> by_path;
  std::vector<std::string> waiting;
  for (const Source& source : sources) {
    by_path[source.path] = &source;
    if (IsCpp(source) && absl::StartsWith(source.path, kVerifierPrefix)) {
      waiting.push_back(source.path);
    }
  }
  Findings findings;
  std::set<std::string> seen(waiting.begin(), waiting.end());
  while (!waiting.empty()) {
    const std::string path = waiting.back();
    waiting.pop_back();
    for (const Include& include : IncludesOf(*by_path.at(path))) {
      if (LedgerWriterFiles().count(WithoutExtension(include.header)) > 0) {
        findings.push_back(
            {path, include.line,
             absl::StrCat("the verifier must not reach the writer's ", include.header)});
      } else if (by_path.count(include.header) > 0 && seen.insert(include.header).second) {
        waiting.push_back(include.header);
      }
    }
  }
  return findings;
}

Findings CheckPureCores(const Sources& sources) {
  Findings findings;
  for (const Source& source : sources) {
    bool pure = false;
    for (const std::string& folder : PureFolders()) {
      pure = pure || absl::StartsWith(source.path, folder);
    }
    if (!pure || !IsCpp(source) || absl::StartsWith(source.path, kImpureFile)) {
      continue;
    }
    for (const Include& include : IncludesOf(source)) {
      if (ImpureHeaders().count(include.header) > 0 ||
          absl::StartsWith(include.header, "boost/asio")) {
        findings.push_back({source.path, include.line,
                            absl::StrCat("a pure core includes ", include.header,
                                         ": threads, clocks, randomness, sockets and files come in "
                                         "as parameters")});
      }
    }
    const std::vector<std::string> code = Lines(CodeOnly(source.text));
    for (std::size_t i = 0; i < code.size(); ++i) {
      if (absl::StrContains(code[i], "absl::Now()") || HasWord(code[i], "system_clock")) {
        findings.push_back({source.path, i + 1, "a pure core reads the clock"});
      }
    }
  }
  return findings;
}

}  // namespace carnet::tidy
