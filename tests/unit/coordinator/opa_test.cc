#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "coordinator/bridge/opa_answer.h"
#include "coordinator/bridge/opa_client.h"

namespace carnet::coordinator {
namespace {

using absl::StatusCode;

// Answers of the data API, from openpolicyagent.org/docs/rest-api ("Get a Document (with Input)"
// and "Get a Document"): a boolean rule, an undefined one, and with `?provenance` and `?metrics`.
TEST_CASE("Opa: what its data API is documented to answer is read as what it says") {
  const auto yes = ParseOpaAnswer(R"({"result": true})");
  REQUIRE(yes.ok());
  CHECK(yes->allow);
  CHECK(yes->decision_id.empty());
  const auto no =
      ParseOpaAnswer(R"({"decision_id":"b84cf736-213d-4932-a8e4-bb5c648f1b4d","result":false})");
  REQUIRE(no.ok());
  CHECK_FALSE(no->allow);
  CHECK(no->decision_id == "b84cf736-213d-4932-a8e4-bb5c648f1b4d");
  CHECK(ParseOpaAnswer("{}").status().code() == StatusCode::kNotFound);
  const auto more =
      ParseOpaAnswer(R"({"provenance":{"version":"0.30.2","bundles":{"authz":{"revision":"x"}}},)"
                     R"("metrics":{"timer_rego_query_eval_ns":69994},"result":true})");
  REQUIRE(more.ok());
  CHECK(more->allow);
}

TEST_CASE("Opa: a verdict may say why, in lines that read as what they are") {
  const auto answer =
      ParseOpaAnswer(R"({"result":{"allow":false,"reasons":["no contract","übrigens: SG"]}})");
  REQUIRE(answer.ok());
  CHECK_FALSE(answer->allow);
  CHECK(answer->reasons == std::vector<std::string>{"no contract", "übrigens: SG"});
  const std::string bad =
      GENERATE(R"(["a\nb"])", R"(["a\tb"])", R"(["\u202eevil"])", R"(["\u0000"])", R"([""])",
               R"([1])", R"("no")", R"({"0":"no"})", R"([null])", R"(["\ud800"])");
  CAPTURE(bad);
  CHECK_FALSE(
      ParseOpaAnswer(absl::StrCat(R"({"result":{"allow":true,"reasons":)", bad, "}}")).ok());
}

TEST_CASE("Opa: what is not plainly a verdict is none") {
  const std::string body = GENERATE(
      "", "true", "[]", "null", "{\"result\":null}", "{\"result\":\"true\"}", "{\"result\":1}",
      "{\"result\":[true]}", "{\"result\":{}}", "{\"result\":{\"allow\":\"yes\"}}",
      "{\"result\":{\"allow\":true,\"deny\":true}}", "{\"result\":{\"reasons\":[]}}",
      "{\"result\":true,\"result\":false}", "{\"result\":true} {}",
      "{\"result\":true,\"allow\":true}", "{\"code\":\"internal_error\",\"message\":\"x\"}",
      "{\"result\":true,\"decision_id\":7}", "{\"result\":true,\"decision_id\":\"a b\"}",
      "\xEF\xBB\xBF{\"result\":true}", "<html>login</html>");
  CAPTURE(body);
  CHECK(ParseOpaAnswer(body).status().code() == StatusCode::kInvalidArgument);
}

TEST_CASE("Opa: an answer beyond its limits is none") {
  const auto reasons = [](std::size_t count, std::size_t bytes) {
    std::string text = "{\"result\":{\"allow\":true,\"reasons\":[";
    for (std::size_t i = 0; i < count; ++i) {
      absl::StrAppend(&text, i == 0 ? "\"" : ",\"", std::string(bytes, 'x'), "\"");
    }
    return absl::StrCat(text, "]}}");
  };
  CHECK(ParseOpaAnswer(reasons(16, 256)).ok());
  CHECK_FALSE(ParseOpaAnswer(reasons(17, 1)).ok());
  CHECK_FALSE(ParseOpaAnswer(reasons(1, 257)).ok());
  CHECK_FALSE(ParseOpaAnswer(
                  absl::StrCat("{\"result\":true,\"decision_id\":\"", std::string(129, 'x'), "\"}"))
                  .ok());
  CHECK_FALSE(ParseOpaAnswer(absl::StrCat("{\"result\":true,\"metrics\":\"",
                                          std::string(kOpaAnswerBytesMax, 'x'), "\"}"))
                  .ok());
  CHECK_FALSE(ParseOpaAnswer(absl::StrCat("{\"result\":true,\"metrics\":", std::string(40, '['),
                                          std::string(40, ']'), "}"))
                  .ok());
}

HttpResponse Said(const std::string& body, int status = 200) {
  HttpResponse response;
  response.status = status;
  response.body = body;
  return response;
}

OpaOptions Options() {
  OpaOptions options;
  options.url = *ParseWitnessUrl("http://127.0.0.1:8181/v1/data/carnet/verdict");
  options.valid_for = absl::Minutes(3);
  return options;
}

RecordBridgeVerdict AskWith(absl::StatusOr<HttpResponse> response, HttpRequest* seen = nullptr,
                            HttpCallOptions* how = nullptr) {
  Metrics metrics;
  const OpaClient client(Options(), metrics,
                         [&](const HttpCallOptions& options, const HttpRequest& request) {
                           if (seen != nullptr) {
                             *seen = request;
                           }
                           if (how != nullptr) {
                             *how = options;
                           }
                           return response;
                         });
  return client.Ask(R"({"op":"place"})");
}

TEST_CASE("Opa: a question is one POST with the facts as its input") {
  HttpRequest request;
  HttpCallOptions how;
  const RecordBridgeVerdict said =
      AskWith(Said(R"({"result":{"allow":true},"decision_id":"d1"})"), &request, &how);
  CHECK(said.verdict.outcome() == "allowed");
  CHECK(said.verdict.engine_decision_id() == "d1");
  CHECK(said.verdict.error().empty());
  CHECK(said.valid_for == absl::Minutes(3));
  CHECK(request.method == "POST");
  CHECK(request.path == "/v1/data/carnet/verdict");
  CHECK(request.Header("content-type") == "application/json");
  CHECK(request.body == R"({"input":{"op":"place"}})");
  CHECK(how.port == 8181);
  CHECK(how.timeout == absl::Seconds(2));
  CHECK(how.response_bytes_max == 64 * 1024);
  CHECK_FALSE(how.tls.has_value());
}

TEST_CASE("Opa: whatever comes of a question is on record, and only a verdict is one") {
  const auto error_of = [](absl::StatusOr<HttpResponse> response) {
    const RecordBridgeVerdict said = AskWith(std::move(response));
    CHECK(said.verdict.outcome() == "error");
    CHECK(said.verdict.reasons().empty());
    return said.verdict.error();
  };
  CHECK(error_of(absl::UnavailableError("x")) == "unreachable");
  CHECK(error_of(absl::DeadlineExceededError("x")) == "timed-out");
  CHECK(error_of(absl::UnauthenticatedError("x")) == "not-trusted");
  CHECK(error_of(absl::ResourceExhaustedError("x")) == "not-a-verdict");
  CHECK(error_of(Said(R"({"result":true})", 500)) == "refused");
  CHECK(error_of(Said(R"({"result":true})", 302)) == "refused");
  CHECK(error_of(Said("", 204)) == "refused");
  CHECK(error_of(Said(R"({"result":"yes"})")) == "not-a-verdict");
}

TEST_CASE("Opa: a rule that is undefined for the input says no") {
  const RecordBridgeVerdict said = AskWith(Said("{}"));
  CHECK(said.verdict.outcome() == "denied");
  CHECK(said.verdict.error().empty());
  REQUIRE(said.verdict.reasons_size() == 1);
  CHECK(said.verdict.reasons(0) == "the rule is undefined for this input");
  CHECK(said.valid_for == absl::Minutes(3));
}

TEST_CASE("Opa: nobody waits for it any more once it is stopped") {
  Metrics metrics;
  int calls = 0;
  OpaClient client(Options(), metrics, [&](const HttpCallOptions&, const HttpRequest&) {
    ++calls;
    return absl::StatusOr<HttpResponse>(Said("{\"result\":true}"));
  });
  CHECK(client.Ask("{}").verdict.outcome() == "allowed");
  client.Stop();
  CHECK(client.Ask("{}").verdict.outcome() == "error");
  CHECK(calls == 1);
}

TEST_CASE("Opa: its configuration names a rule, over TLS or on this machine") {
  const auto load = [](const std::string& url, const std::string& ca = "",
                       std::uint64_t valid_ms = 0, std::uint64_t timeout_ms = 0) {
    v1::OpaConfig config;
    config.set_url(url);
    config.set_ca_file(ca);
    config.mutable_valid_for()->set_millis(valid_ms);
    config.mutable_timeout()->set_millis(timeout_ms);
    return LoadOpaOptions(config, std::filesystem::temp_directory_path());
  };
  const auto good = load("http://127.0.0.1:8181/v1/data/carnet/verdict");
  REQUIRE(good.ok());
  CHECK(good->timeout == absl::Seconds(2));
  CHECK(good->valid_for == absl::Minutes(10));
  CHECK(load("http://localhost:8181/v1/data/carnet/verdict", "", 10000, 30000).ok());
  CHECK(load("http://127.8.0.1:8181/v1/data/carnet/verdict").ok());
  const auto six = load("http://[::1]:8181/v1/data/carnet/verdict");
  REQUIRE(six.ok());
  CHECK(six->url.host == "::1");
  CHECK(six->url.port == 8181);
  const std::string bad = GENERATE(
      "", "opa.acme.example:8181", "http://opa.acme.example:8181/v1/data/carnet/verdict",
      "https://opa.acme.example/v1/data/carnet/verdict", "http://127.0.0.1:8181",
      "http://127.0.0.1:8181/v1/policies/x", "http://127.0.0.1:8181/v1/data",
      "http://127.0.0.1:8181/v1/data/x?metrics", "http://u@127.0.0.1:8181/v1/data/x",
      "http://127.evil.example:8181/v1/data/x", "http://127.0.0.1.evil.example:8181/v1/data/x",
      "http://localhost.evil.example:8181/v1/data/x", "http://0.0.0.0:8181/v1/data/x",
      "http://[fe80::1]:8181/v1/data/x", "http://[::]:8181/v1/data/x");
  CAPTURE(bad);
  CHECK(load(bad).status().code() == StatusCode::kInvalidArgument);
  CHECK(load("https://opa.acme.example/v1/data/x", "no-such-file.pem").status().code() ==
        StatusCode::kNotFound);
  const std::string url = "http://127.0.0.1:8181/v1/data/x";
  CHECK_FALSE(load(url, "", 9999).ok());
  CHECK_FALSE(load(url, "", 24 * 3600 * 1000 + 1).ok());
  CHECK_FALSE(load(url, "", 0, 30001).ok());
}

}  // namespace
}  // namespace carnet::coordinator
