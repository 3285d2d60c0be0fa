// What persons state with keys of their own: facts of the registry, opening balances, evidence.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/timestamp.h"
#include "coordinator/audit/checks.h"
#include "coordinator/core/people.h"
#include "ledger/verifier/person_statement.h"
#include "policies/facts.h"
#include "policies/roles.h"

namespace carnet::coordinator::audit {
namespace {

constexpr absl::Duration kAgeMax = absl::Hours(24);
constexpr absl::Duration kSkewMax = absl::Minutes(5);

// Nobody has asked for anything yet: records of `carnet init`, which may find no key of a holder.
bool IsFounding(const State& state, const v1::Common& common) {
  return state.invitations.empty() && state.requests.empty() && common.request_id().empty();
}

void ExpectInTime(const Step& step, const v1::Common& common, const v1::PersonStatement& stated) {
  const absl::Time at = ToTime(common.at());
  const absl::Time said = ToTime(stated.at());
  // Whether it was the last word on its subject in the log before, this log cannot show.
  if (step.state().genesis.has_succeeds() && said < ToTime(step.state().genesis.common().at())) {
    step.Add(Severity::kNote, "statement-carried", "a statement that was signed for this log",
             "one that was carried over from the log before: compare it with what that log held");
  }
  step.Expect(said <= at + kSkewMax && (IsFounding(step.state(), common) || said >= at - kAgeMax),
              "statement-time", "a statement signed within the day before its record",
              "another time");
}

}  // namespace

bool ExpectStated(const Step& step, const v1::Common& common, const v1::PersonStatement& stated,
                  const std::set<std::string>& roles, const StatementVerifier& verify,
                  const std::string& entry) {
  const State& state = step.state();
  if (stated.signature().empty()) {
    step.Add(IsFounding(state, common) ? Severity::kNote : Severity::kBadEvidence,
             "statement-unsigned",
             absl::StrCat("the signature of a person with one of the roles ",
                          absl::StrJoin(roles, ", ")),
             "none: what the record says is unknown");
    return false;
  }
  const auto user = state.users.find(stated.user_id());
  const bool may =
      roles.count(stated.role()) != 0 && HoldsRole(state, stated.user_id(), stated.role());
  bool counts =
      step.Expect(may, "statement-by-wrong-role",
                  absl::StrCat("a person who holds one of the roles ", absl::StrJoin(roles, ", ")),
                  absl::StrCat(stated.user_id(), " as ", stated.role(),
                               user == state.users.end() ? ", who is not enrolled"
                               : user->second.revoked    ? ", who is revoked"
                                                         : ""));
  if (user != state.users.end()) {
    counts = step.Expect(verify(user->second.public_key).ok(), "statement-signature",
                         absl::StrCat("a signature with the key of ", stated.user_id(),
                                      " over what the record says"),
                         "another one") &&
             counts;
  }
  counts = step.Expect(state.statement_nonces.count(stated.nonce()) == 0, "statement-once",
                       "a statement once on record", "the same one again") &&
           counts;
  const auto newest = state.stated_at.find(entry);
  counts = step.Expect(newest == state.stated_at.end() || ToTime(stated.at()) > newest->second,
                       "statement-order",
                       absl::StrCat("a statement signed after those on record of ", entry),
                       "an older one") &&
           counts;
  ExpectInTime(step, common, stated);
  return counts;
}

void Check(const Step& step, const v1::EvidenceRecorded& record) {
  const State& state = step.state();
  step.Expect(state.evidence.count(record.evidence_id()) == 0, "evidence",
              absl::StrCat("one item ", record.evidence_id()), "a second one");
  const auto& kinds = policies::EvidenceKinds();
  const auto kind = std::find_if(kinds.begin(), kinds.end(), [&](const auto& candidate) {
    return record.kind() == candidate.name;
  });
  const v1::PersonStatement& stated = record.stated();
  if (step.Expect(kind != kinds.end(), "evidence", "a kind of docs/facts.md", record.kind())) {
    if (!record.accepted_by().empty()) {
      ExpectRole(step, record.accepted_by(), {kind->accepted_by});
      step.Expect(stated.user_id() == record.accepted_by() && stated.role() == kind->accepted_by,
                  "evidence", absl::StrCat("accepted by its own signer, as ", kind->accepted_by),
                  absl::StrCat("signed by ", stated.user_id(), " as ", stated.role()));
    }
    // Whoever decides about policy may bring it.
    ExpectStated(step, record.common(), stated,
                 {policies::IsAccountRole(stated.role()) || stated.role().empty()
                      ? std::string(kind->accepted_by)
                      : stated.role()},
                 [&](ByteView key) { return ledger::verifier::VerifyStated(record, key); });
  }
  step.Expect(record.recipient() == state.genesis.organisation() ||
                  state.suppliers.count(record.recipient()) != 0,
              "reference", "a registered supplier or the home organisation", record.recipient());
  step.Expect(ToTime(record.valid_from()) < ToTime(record.valid_to()), "evidence",
              "valid_to after valid_from", "not so");
}

void Check(const Step& step, const v1::EvidenceAccepted& record) {
  const auto found = step.state().evidence.find(record.evidence_id());
  if (!step.Expect(found != step.state().evidence.end(), "evidence",
                   absl::StrCat("evidence-recorded of ", record.evidence_id()), "none before")) {
    return;
  }
  const Evidence& item = found->second;
  step.Expect(!item.withdrawn, "evidence", "an item in force", "one withdrawn before");
  step.Expect(item.accepted == nullptr, "evidence", "an item that nobody accepted yet",
              "one that counts already");
  const absl::StatusOr<Digest> digest = ledger::verifier::DigestOfItem(item.terms);
  step.Expect(digest.ok() && AsText(*digest) == record.item_sha256() &&
                  item.terms.document_sha256() == record.document_sha256(),
              "evidence", "the item that is on record", Hex(record.item_sha256()));
  const auto& kinds = policies::EvidenceKinds();
  for (const policies::EvidenceKind& kind : kinds) {
    if (item.terms.kind() == kind.name) {
      ExpectStated(step, record.common(), record.stated(), {kind.accepted_by},
                   [&](ByteView key) { return ledger::verifier::VerifyStated(record, key); });
    }
  }
}

}  // namespace carnet::coordinator::audit
