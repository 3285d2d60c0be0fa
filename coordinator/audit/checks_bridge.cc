// What the organisation's own policy engine is said to have answered. Nothing shows that it did:
// its own decision log does, by the ids that it gave. What is checked is that it was asked about
// one flow, that its answer says nothing else, and that it counts no longer than it may.
#include <algorithm>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "coordinator/audit/checks.h"
#include "crypto/hash.h"
#include "policies/facts.h"
#include "policies/operations.h"

namespace carnet::coordinator::audit {
namespace {

constexpr char kCheck[] = "bridge";
constexpr absl::Duration kAnswerMax = absl::Hours(24);
constexpr absl::Duration kErrorMax = absl::Minutes(10);
constexpr int kReasonsMax = 16;
constexpr std::size_t kReasonBytesMax = 256;
constexpr std::size_t kDecisionIdBytesMax = 128;
constexpr std::size_t kInputBytesMax = std::size_t{64} << 10;

// The record speaks of the flow that was asked about.
void CheckFlow(const Step& step, const v1::BridgeVerdict& record) {
  const absl::StatusOr<policies::FactSet> facts = policies::FactSet::FromJson(record.input());
  const bool readable = record.input().size() <= kInputBytesMax && facts.ok() &&
                        facts->CanonicalJson() == record.input() &&
                        facts->Get("bridge.opa").is_unknown();
  if (!step.Expect(readable, kCheck, "the facts of one flow, without the answer",
                   absl::StrCat(record.input().size(), " bytes of something else"))) {
    return;
  }
  step.Expect(AsText(crypto::Sha256(AsBytes(record.input()))) == record.input_sha256(), kCheck,
              "the digest of the input", Hex(record.input_sha256()));
  const auto text = [&facts](const char* path) { return facts->Get(path).text(); };
  const v1::Flow& flow = record.flow();
  step.Expect(policies::OperationWord(flow.operation()) == text("op") &&
                  policies::ArtifactWord(flow.artifact()) == text("artifact.kind") &&
                  flow.from() == text("from.jurisdiction") &&
                  flow.to() == text("to.jurisdiction") &&
                  flow.recipient() == text("recipient.org") &&
                  flow.label_class() == text("data.label") && record.job_id() == text("job.id"),
              kCheck, "the flow that the input speaks of", flow.ShortDebugString());
  step.Expect(record.job_id().empty() || step.state().FindJob(record.job_id()) != nullptr,
              "reference", "a job on record", record.job_id());
}

void CheckAnswer(const Step& step, const v1::BridgeVerdict& record) {
  static const auto& errors = *new std::set<std::string>{"unreachable", "timed-out", "not-trusted",
                                                         "refused", "not-a-verdict"};
  const bool error = record.outcome() == "error";
  step.Expect(error || record.outcome() == "allowed" || record.outcome() == "denied", kCheck,
              "allowed, denied or error", record.outcome());
  step.Expect(error ? errors.count(record.error()) != 0 : record.error().empty(), kCheck,
              "an error of the closed list, and only of an error", record.error());
  step.Expect(
      record.reasons_size() <= kReasonsMax &&
          std::all_of(record.reasons().begin(), record.reasons().end(),
                      [](const std::string& reason) { return reason.size() <= kReasonBytesMax; }) &&
          record.engine_decision_id().size() <= kDecisionIdBytesMax,
      kCheck, "at most 16 reasons of 256 bytes and an id of 128", "more");
  const absl::Time at = ToTime(record.common().at());
  const absl::Time until = ToTime(record.valid_until());
  step.Expect(until > at && until <= at + (error ? kErrorMax : kAnswerMax), kCheck,
              error ? "an end within 10 minutes" : "an end within 24 hours", "another time");
}

}  // namespace

void Check(const Step& step, const v1::BridgeVerdict& record) {
  const policies::Bundle& bundle = *step.state().bundle;
  step.Expect(record.bridge() == "opa", kCheck, "opa", record.bridge());
  step.Expect(record.engine_sha256().size() == kDigestBytes, kCheck,
              "the digest of the URL that was asked",
              absl::StrCat(record.engine_sha256().size(), " bytes"));
  step.Expect(
      record.bundle_sha256() == AsText(bundle.sha256()) && record.revision() == bundle.revision(),
      kCheck, absl::StrCat("revision ", bundle.revision(), ", which was in force"),
      absl::StrCat("revision ", record.revision()));
  CheckFlow(step, record);
  CheckAnswer(step, record);
}

}  // namespace carnet::coordinator::audit
