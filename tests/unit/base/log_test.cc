#include "base/log.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "base/metrics.h"
#include "base/status.h"

namespace carnet {
namespace {

// Collects lines while it lives.
class Collected {
 public:
  Collected() {
    SetLogSink([this](absl::string_view line) { lines.emplace_back(line); });
  }
  ~Collected() {
    SetLogSink(nullptr);
    SetLogLevel(LogLevel::kInfo);
  }
  std::vector<std::string> lines;
};

TEST_CASE("Log: a line is one JSON object with time, level, event and fields") {
  Collected log;
  Log(LogLevel::kWarning, "upload.stalled",
      {{"worker", "w-abc"},
       {"bytes", std::uint64_t{7}},
       {"left", -3},
       {"share", 0.5},
       {"last", true}});
  REQUIRE(log.lines.size() == 1);
  const auto line = nlohmann::json::parse(log.lines[0]);
  CHECK(line["level"] == "warning");
  CHECK(line["event"] == "upload.stalled");
  CHECK(line["worker"] == "w-abc");
  CHECK(line["bytes"] == 7);
  CHECK(line["left"] == -3);
  CHECK(line["share"] == 0.5);
  CHECK(line["last"] == true);
  CHECK(line["ts"].get<std::string>().size() == std::string("2026-11-21T09:00:00.123456Z").size());
  CHECK(log.lines[0].rfind("{\"ts\":", 0) == 0);
}

TEST_CASE("Log: text can neither break the line nor fill the disk") {
  Collected log;
  Log(LogLevel::kError, "bad",
      {{"text", "a\nb\x1b[31m"},
       {"long", std::string(5000, 'x')},
       {"raw", std::string("\xFF\xFE")}});
  REQUIRE(log.lines.size() == 1);
  CHECK(log.lines[0].find('\n') == std::string::npos);
  CHECK(log.lines[0].find('\x1b') == std::string::npos);
  CHECK(log.lines[0].size() < 2 * kLogTextBytesMax);
  CHECK(nlohmann::json::parse(log.lines[0])["text"] == "a\nb\x1b[31m");
}

TEST_CASE("Log: levels below the lowest are not written") {
  Collected log;
  Log(LogLevel::kDebug, "quiet");
  CHECK(log.lines.empty());
  SetLogLevel(LogLevel::kDebug);
  Log(LogLevel::kDebug, "loud");
  CHECK(log.lines.size() == 1);
  SetLogLevel(LogLevel::kError);
  Log(LogLevel::kWarning, "quiet");
  CHECK(log.lines.size() == 1);
}

TEST_CASE("Log: an error shows its code, message, detail and remedy") {
  Collected log;
  Log(LogLevel::kError, "open",
      {{"error", WithOperatorDetail(absl::NotFoundError("file: does not exist"), "/p")}});
  REQUIRE(log.lines.size() == 1);
  CHECK(nlohmann::json::parse(log.lines[0])["error"] == "NOT_FOUND: file: does not exist\n/p");
}

TEST_CASE("Log: lines of several threads do not mix") {
  Collected log;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([i] {
      for (int j = 0; j < 100; ++j) {
        Log(LogLevel::kInfo, "line", {{"thread", i}, {"index", j}});
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  CHECK(log.lines.size() == 400);
  for (const std::string& line : log.lines) {
    CHECK(nlohmann::json::accept(line));
  }
}

TEST_CASE("Log levels: are named as they are written") {
  CHECK(*ParseLogLevel("debug") == LogLevel::kDebug);
  CHECK(*ParseLogLevel("error") == LogLevel::kError);
  CHECK(ParseLogLevel("INFO").status().code() == absl::StatusCode::kInvalidArgument);
}

TEST_CASE("Metrics: count, set and observe under their declared names") {
  Metrics metrics;
  metrics.Add(metric::kRpcRequests, {"Enroll", "OK"});
  metrics.Add(metric::kRpcRequests, {"Enroll", "OK"}, 2);
  metrics.Set(metric::kLedgerSize, 41);
  metrics.Observe(metric::kLedgerCommitSeconds, 0.003);
  const std::string text = metrics.ExpositionText();
  CHECK(text.find("# TYPE carnet_rpc_requests_total counter") != std::string::npos);
  CHECK(text.find("carnet_rpc_requests_total{code=\"OK\",method=\"Enroll\"} 3") !=
        std::string::npos);
  CHECK(text.find("carnet_ledger_size_records 41") != std::string::npos);
  CHECK(text.find("carnet_ledger_commit_duration_seconds_bucket{le=\"0.005\"} 1") !=
        std::string::npos);
  CHECK(text.find("carnet_ledger_commit_duration_seconds_bucket{le=\"0.002\"} 0") !=
        std::string::npos);
}

TEST_CASE("Metrics: series are bounded, the rest is counted as other") {
  Metrics metrics;
  const std::size_t count = kMetricSeriesMax + 50;
  for (std::size_t i = 0; i < count; ++i) {
    metrics.Add(metric::kErrors, {std::to_string(i), "x"});
  }
  const std::string text = metrics.ExpositionText();
  CHECK(text.find("carnet_errors_total{code=\"other\",room=\"other\"} 50") != std::string::npos);
  // A label that is too long never becomes a series of its own.
  metrics.Add(metric::kRounds, {std::string(kMetricLabelBytesMax + 1, 'y')});
  CHECK(metrics.ExpositionText().find("carnet_rounds_total{outcome=\"other\"} 1") !=
        std::string::npos);
}

}  // namespace
}  // namespace carnet
