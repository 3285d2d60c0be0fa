// Evidence: who brings a document, and whose word makes it count.
#include <algorithm>
#include <iterator>
#include <set>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "coordinator/core/drafts.h"
#include "coordinator/core/people.h"
#include "coordinator/core/statements.h"
#include "ledger/person_statement.h"

namespace carnet::coordinator {
namespace {

constexpr int kEvidenceDestinationsMax = 256;
constexpr std::size_t kEvidenceMax = 10000;

absl::Status CheckEvidence(const State& state, const v1::AddEvidenceRequest& evidence) {
  if (state.suppliers.count(evidence.recipient()) == 0 &&
      evidence.recipient() != state.genesis.organisation()) {
    return absl::NotFoundError(
        "evidence: the recipient is neither a registered supplier nor the home organisation");
  }
  if (evidence.destinations().empty() || evidence.destinations_size() > kEvidenceDestinationsMax) {
    return absl::InvalidArgumentError("evidence: name 1 to 256 destinations");
  }
  if (evidence.document_sha256().size() != kDigestBytes) {
    return absl::InvalidArgumentError("evidence: the document's SHA-256 is required");
  }
  if (ToTime(evidence.valid_to()) <= ToTime(evidence.valid_from())) {
    return absl::InvalidArgumentError("evidence: valid_to is not after valid_from");
  }
  if (state.evidence.size() >= kEvidenceMax) {
    return absl::ResourceExhaustedError("evidence: 10000 items are on record, which is the limit");
  }
  return absl::OkStatus();
}

// The roles of a person that decide about policy.
std::set<std::string> PolicyRolesOf(const State& state, const std::string& user_id) {
  std::set<std::string> roles;
  const auto user = state.users.find(user_id);
  if (user != state.users.end() && !user->second.revoked) {
    std::copy_if(user->second.roles.begin(), user->second.roles.end(),
                 std::inserter(roles, roles.end()),
                 [](const std::string& role) { return !IsAccountRole(role); });
  }
  return roles;
}

// As it is signed: without its id and who accepted it.
v1::EvidenceRecorded ItemOf(const State& state, const v1::AddEvidenceRequest& evidence) {
  v1::EvidenceRecorded record;
  record.set_kind(evidence.kind());
  record.set_sender(state.genesis.organisation());
  record.set_recipient(evidence.recipient());
  *record.mutable_destinations() = evidence.destinations();
  *record.mutable_categories() = evidence.categories();
  *record.mutable_valid_from() = evidence.valid_from();
  *record.mutable_valid_to() = evidence.valid_to();
  record.set_document_sha256(evidence.document_sha256());
  *record.mutable_stated() = evidence.stated();
  return record;
}

}  // namespace

absl::StatusOr<Decided> DecideOn(Drafts drafts, const AddEvidence& command) {
  const State& state = drafts.state();
  const std::string accepting = AcceptingRole(command.evidence.kind());
  if (accepting.empty()) {
    return absl::InvalidArgumentError("evidence: unknown kind (see docs/facts.md)");
  }
  const std::set<std::string> roles = PolicyRolesOf(state, command.user_id);
  if (roles.empty()) {
    return absl::PermissionDeniedError(
        absl::StrCat("evidence is brought by somebody with a role that decides about policy; ",
                     accepting, " makes this kind count"));
  }
  CARNET_RETURN_IF_ERROR(CheckEvidence(state, command.evidence));
  if (!command.evidence.sender().empty() &&
      command.evidence.sender() != state.genesis.organisation()) {
    return absl::InvalidArgumentError("evidence: its sender is the home organisation");
  }
  v1::EvidenceRecorded record = ItemOf(state, command.evidence);
  CARNET_RETURN_IF_ERROR(CheckStatement(state, record, command.evidence.stated(), command.user_id,
                                        roles, drafts.now()));
  record.set_evidence_id(drafts.NewId("e"));
  if (record.stated().role() == accepting) {
    record.set_accepted_by(command.user_id);
  }
  const std::uint64_t index = drafts.Add(record);
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const AcceptEvidence& command) {
  const State& state = drafts.state();
  const v1::AcceptEvidenceRequest& acceptance = command.acceptance;
  const auto found = state.evidence.find(acceptance.evidence_id());
  if (found == state.evidence.end() || found->second.withdrawn) {
    return absl::NotFoundError("no such item of evidence in force");
  }
  const Evidence& item = found->second;
  const std::string accepting = AcceptingRole(item.terms.kind());
  CARNET_RETURN_IF_ERROR(RequireRole(state, command.user_id, {accepting}));
  if (item.accepted != nullptr) {
    return std::move(drafts).Answer(item.accepted->index);
  }
  CARNET_ASSIGN_OR_RETURN(const Digest digest, ledger::EvidenceItemDigest(item.terms));
  if (acceptance.item_sha256() != AsText(digest) ||
      acceptance.document_sha256() != item.terms.document_sha256()) {
    return absl::FailedPreconditionError(
        "evidence: the item on record is another than the one that was accepted");
  }
  v1::EvidenceAccepted record;
  record.set_evidence_id(acceptance.evidence_id());
  record.set_document_sha256(acceptance.document_sha256());
  record.set_item_sha256(acceptance.item_sha256());
  *record.mutable_stated() = acceptance.stated();
  CARNET_RETURN_IF_ERROR(CheckStatement(state, record, acceptance.stated(), command.user_id,
                                        {accepting}, drafts.now()));
  const std::uint64_t index = drafts.Add(record);
  return std::move(drafts).Answer(index);
}

absl::StatusOr<Decided> DecideOn(Drafts drafts, const WithdrawEvidence& command) {
  const auto item = drafts.state().evidence.find(command.evidence_id);
  if (item == drafts.state().evidence.end() || item->second.withdrawn) {
    return absl::NotFoundError("no such item of evidence in force");
  }
  CARNET_RETURN_IF_ERROR(
      RequireRole(drafts.state(), command.user_id, {"operator", "compliance", "dpo", "legal"}));
  v1::EvidenceExpired record;
  record.set_evidence_id(command.evidence_id);
  const std::uint64_t index =
      drafts.Add(record, {DigestSubject("document", item->second.terms.document_sha256())});
  return std::move(drafts).Answer(index);
}

}  // namespace carnet::coordinator
