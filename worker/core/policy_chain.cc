#include "worker/core/policy_chain.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "base/utf8.h"
#include "crypto/hash.h"
#include "policies/roles.h"

namespace carnet::worker {

using ledger::verifier::KeyHistory;
using ledger::verifier::TreeHead;

namespace {

constexpr char kContradictionMark[] = "carnet/policy-contradiction";

absl::Status Untrusted(absl::string_view what) {
  return absl::UnauthenticatedError(what);
}
absl::Status Refused(absl::string_view what) {
  return absl::FailedPreconditionError(what);
}

const v1::Common& CommonOf(const google::protobuf::Message& record) {
  static const v1::Common& none = *new v1::Common();
  const auto* field = record.GetDescriptor()->FindFieldByName("common");
  return field == nullptr
             ? none
             : dynamic_cast<const v1::Common&>(record.GetReflection()->GetMessage(record, field));
}

bool AreRoleNames(const google::protobuf::RepeatedPtrField<std::string>& roles) {
  return std::all_of(roles.begin(), roles.end(), policies::IsRoleName);
}

bool IsOneOf(const std::string& word, std::initializer_list<absl::string_view> words) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

using Terms = std::vector<PolicyChain::Term>;

void BeginTerm(Terms& terms, const std::string& role, std::uint64_t index) {
  const bool held = std::any_of(terms.begin(), terms.end(), [&](const PolicyChain::Term& term) {
    return term.role == role && term.until == 0;
  });
  if (held) {
    return;
  }
  const auto ended = std::find_if(terms.begin(), terms.end(),
                                  [](const PolicyChain::Term& term) { return term.until != 0; });
  if (terms.size() >= kTermsMax && ended != terms.end()) {
    terms.erase(ended);
  }
  terms.push_back({role, index, 0});
}

// Empty role: each.
void EndTerms(Terms& terms, const std::string& role, std::uint64_t index) {
  for (PolicyChain::Term& term : terms) {
    if (term.until == 0 && (role.empty() || term.role == role)) {
      term.until = index;
    }
  }
}

// The same error with the record that it is about, its mark kept.
absl::Status AtRecord(std::uint64_t index, const absl::Status& status) {
  absl::Status named(status.code(), absl::StrCat("policy record ", index, ": ", status.message()));
  if (IsContradiction(status)) {
    named.SetPayload(kContradictionMark, absl::Cord("1"));
  }
  return OperatorDetail(status).empty()
             ? named
             : WithOperatorDetail(std::move(named), OperatorDetail(status));
}

}  // namespace

bool IsContradiction(const absl::Status& status) {
  return status.GetPayload(kContradictionMark).has_value();
}

absl::Status Contradiction(absl::string_view what) {
  absl::Status status = absl::DataLossError(what);
  status.SetPayload(kContradictionMark, absl::Cord("1"));
  return status;
}

absl::StatusOr<PolicyChain> PolicyChain::Create(const Record& genesis) {
  const auto* record = genesis.As<v1::Genesis>();
  if (record == nullptr) {
    return Untrusted("policies: record 0 is no genesis");
  }
  auto bundle = policies::BundleFromJson(record->bundle_json());
  if (!bundle.ok()) {
    return WithOperatorDetail(
        Untrusted("policies: this version cannot read the bundle that genesis puts into force"),
        bundle.status().message());
  }
  if (AsText((*bundle)->sha256()) != record->bundle_sha256() ||
      (*bundle)->revision() != record->bundle_revision()) {
    return Untrusted("policies: the bundle in genesis is not the one that genesis names");
  }
  const auto& founders = record->first_holders();
  const auto bootstraps =
      std::count_if(founders.begin(), founders.end(),
                    [](const v1::FirstHolder& founder) { return founder.bootstrap(); });
  if (bootstraps > 1 || (bootstraps == 1 && founders.size() > 1 && !record->has_succeeds())) {
    return Untrusted("policies: genesis lets one of several founders be everything");
  }
  PolicyChain chain;
  chain.genesis_ = *record;
  chain.genesis_.clear_bundle_json();
  chain.genesis_leaf_ = genesis.leaf_hash;
  chain.last_ = ToTime(record->common().at());
  chain.bundle_ = *std::move(bundle);
  for (const v1::ExceptionAuthor& carried : record->exception_authors()) {
    if (carried.subject_sha256().size() != kDigestBytes || carried.author().empty()) {
      return Untrusted("policies: genesis names an author of no exception");
    }
    chain.exception_authors_[carried.subject_sha256()] = carried.author();
  }
  chain.history_.push_back(InForce{0, chain.bundle_->sha256(), chain.bundle_->revision(),
                                   ToTime(record->common().at()), chain.bundle_->head().valid_from,
                                   chain.bundle_->head().valid_to});
  return chain;
}

bool PolicyChain::Holds(const std::string& user_id, const std::string& role) const {
  const auto person = people_.find(user_id);
  return person != people_.end() && !person->second.revoked &&
         person->second.roles.count(role) != 0;
}

// A genesis that names nobody vouches for whom `carnet init` enrolled right behind it.
bool PolicyChain::GenesisVouches(std::uint64_t index, const v1::UserEnrolled& record,
                                 const std::string& role) const {
  if (genesis_.first_holders().empty()) {
    return index == people_.size() + 1 && record.token_sha256().empty();
  }
  return std::any_of(genesis_.first_holders().begin(), genesis_.first_holders().end(),
                     [&](const v1::FirstHolder& holder) {
                       return holder.user_id() == record.user_id() &&
                              holder.public_key() == record.public_key() &&
                              std::find(holder.roles().begin(), holder.roles().end(), role) !=
                                  holder.roles().end();
                     });
}

bool PolicyChain::IsLoneFounder(std::uint64_t index, const v1::UserEnrolled& record) const {
  const auto& founders = genesis_.first_holders();
  if (founders.empty()) {
    return index == 1;
  }
  return std::any_of(founders.begin(), founders.end(), [&](const v1::FirstHolder& founder) {
    return founder.bootstrap() && founder.user_id() == record.user_id() &&
           founder.public_key() == record.public_key();
  });
}

absl::Status PolicyChain::FoldUser(std::uint64_t index, const v1::UserEnrolled& record) {
  if (!IsId("u", record.user_id()) || !AreRoleNames(record.roles()) ||
      (record.roles_size() > kRolesOfRecordMax && !record.token_sha256().empty())) {
    return Refused("a person whose id or roles no coordinator gives");
  }
  if (people_.count(record.user_id()) != 0) {
    return Refused("a person is enrolled twice");
  }
  for (const auto& [id, person] : people_) {
    if (AsText(person.public_key) == record.public_key()) {
      return Refused("a person with the key of another one");
    }
  }
  if (people_.size() >= kPeopleMax) {
    return absl::ResourceExhaustedError("4096 people are enrolled, which is the limit");
  }
  Person person;
  person.public_key = ToBytes(record.public_key());
  for (const std::string& role : record.roles()) {
    if (policies::IsAccountRole(role) || GenesisVouches(index, record, role)) {
      person.roles.insert(role);
      BeginTerm(person.terms, role, index);
    }
  }
  if (policies::MixesAdminWithPolicy(person.roles) && !IsLoneFounder(index, record)) {
    return Refused("an admin who decides about policies");
  }
  people_[record.user_id()] = std::move(person);
  return absl::OkStatus();
}

absl::StatusOr<std::uint64_t> PolicyChain::PassedOn(const v1::UserRoleChanged& record,
                                                    const Person& person,
                                                    const std::string& role) const {
  const Digest key_sha256 = crypto::Sha256(person.public_key);
  for (const std::uint64_t index : record.approvals()) {
    const auto given = approvals_.find(index);
    if (given != approvals_.end() && !given->second.used && given->second.held &&
        given->second.kind == "role" && given->second.role == role &&
        given->second.approver == record.changed_by() &&
        AsText(given->second.subject_sha256) == AsText(key_sha256) &&
        ToTime(record.common().at()) < given->second.expires &&
        Holds(given->second.approver, role)) {
      return index;
    }
  }
  return Refused(absl::StrCat("nobody who holds the role ", role, " signed for it"));
}

absl::Status PolicyChain::FoldRoles(std::uint64_t index, const v1::UserRoleChanged& record) {
  const auto found = people_.find(record.user_id());
  if (found == people_.end() || found->second.revoked ||
      AsText(found->second.public_key) != record.public_key()) {
    return Refused("it changes the roles of a person or key that was not shown");
  }
  if (record.granted_size() + record.revoked_size() > kRolesOfRecordMax ||
      !AreRoleNames(record.granted())) {
    return Refused("it gives roles that no coordinator gives");
  }
  std::set<std::uint64_t> used;
  std::set<std::string> roles = found->second.roles;
  roles.insert(record.granted().begin(), record.granted().end());
  for (const std::string& role : record.granted()) {
    if ((role == policies::kAdminRole || !policies::IsAccountRole(role)) &&
        policies::MixesAdminWithPolicy(roles)) {
      return Refused("it lets an admin decide about policies");
    }
    // An account's role is an admin's business: it decides nothing about policies.
    if (!policies::IsAccountRole(role)) {
      CARNET_ASSIGN_OR_RETURN(const std::uint64_t given, PassedOn(record, found->second, role));
      used.insert(given);
    }
  }
  Person& person = found->second;
  for (const std::string& role : record.granted()) {
    person.roles.insert(role);
    BeginTerm(person.terms, role, index);
  }
  for (const std::string& role : record.revoked()) {
    person.roles.erase(role);
    EndTerms(person.terms, role, index);
  }
  // Each passes a role on once. It stays until it ends, so that its signature is known again.
  for (const std::uint64_t given : used) {
    approvals_.at(given).used = true;
  }
  return absl::OkStatus();
}

absl::Status PolicyChain::FoldRevoked(std::uint64_t index, const v1::UserRevoked& record) {
  const auto found = people_.find(record.user_id());
  if (found == people_.end()) {
    return Refused("it revokes a person who was not shown");
  }
  found->second.revoked = true;
  EndTerms(found->second.terms, "", index);
  return absl::OkStatus();
}

absl::Status PolicyChain::FoldApproval(std::uint64_t index, const Record& record,
                                       const v1::Approval& approval) {
  const auto person = people_.find(approval.approver());
  if (person == people_.end() || person->second.revoked) {
    return Refused("an approval by nobody who is enrolled");
  }
  if (person->second.public_key != record.public_key) {
    return Untrusted("an approval that is not signed with its approver's own key");
  }
  if (!IsOneOf(approval.kind(), {"bundle", "exception", "job", "role"}) ||
      !policies::IsRoleName(approval.role()) || approval.subject_sha256().size() != kDigestBytes) {
    return Refused("an approval of nothing that is approved");
  }
  for (const auto& [other_index, other] : approvals_) {
    if (AsText(other.nonce) == approval.common().nonce() &&
        AsText(other.subject_sha256) == approval.subject_sha256()) {
      return Refused(absl::StrCat("the same signature as in record ", other_index));
    }
  }
  if (!MakeRoomForApproval()) {
    return absl::ResourceExhaustedError("16384 approvals still count, which is the limit");
  }
  const bool of_bundle = approval.kind() == "bundle";
  approvals_[index] = Approval{approval.approver(),
                               approval.kind(),
                               ToBytes(approval.subject_sha256()),
                               of_bundle ? ToBytes(approval.report_sha256()) : Bytes(),
                               approval.role(),
                               ToTime(approval.expires()),
                               Holds(approval.approver(), approval.role()),
                               ToBytes(approval.common().nonce()),
                               false};
  return absl::OkStatus();
}

absl::Status PolicyChain::FoldProposed(std::uint64_t index, const Record& record,
                                       const v1::PolicyProposed& proposed) {
  const auto author = people_.find(proposed.author());
  if (author == people_.end() || author->second.revoked) {
    return Refused("a proposal by nobody who is enrolled");
  }
  if (author->second.public_key != record.public_key) {
    return Untrusted("a proposal that is not signed with its author's own key");
  }
  if (AsText(crypto::Sha256(AsBytes(proposed.bundle_json()))) != proposed.bundle_sha256()) {
    return Refused("a proposal whose bundle is not the one that it names");
  }
  if (proposed.bundle_json().size() > policies::kBundleJsonBytesMax ||
      !IsUtf8(proposed.bundle_json()) ||
      !IsOneOf(proposed.intent(), {"change", "renew", "revert"})) {
    return Refused("a proposal of nothing that is a bundle, or for nothing that is known");
  }
  if (withdrawn_.count(proposed.bundle_sha256()) != 0) {
    return Refused("a proposal that was withdrawn before: its approvals were too");
  }
  if (proposals_.count(proposed.bundle_sha256()) != 0 || proposals_.size() >= kProposalsMax) {
    return absl::ResourceExhaustedError("the same proposal twice, or more than 64 that wait");
  }
  proposals_[proposed.bundle_sha256()] = Proposal{index,
                                                  proposed.author(),
                                                  author->second.roles,
                                                  proposed.intent(),
                                                  proposed.revision(),
                                                  ToBytes(proposed.parent_sha256()),
                                                  proposed.bundle_json(),
                                                  {}};
  std::vector<Proposal*> with_text;
  for (auto& [digest, proposal] : proposals_) {
    if (!proposal.bundle_json.empty()) {
      with_text.push_back(&proposal);
    }
  }
  if (with_text.size() > kProposalTextsMax) {
    (*std::min_element(with_text.begin(), with_text.end(), [](auto* a, auto* b) {
      return a->index < b->index;
    }))->bundle_json.clear();
  }
  return absl::OkStatus();
}

absl::Status PolicyChain::FoldExamined(const v1::PolicyExamined& record) {
  const auto found = proposals_.find(record.bundle_sha256());
  if (found == proposals_.end() || !found->second.report_sha256.empty()) {
    return Refused("it examines no proposal that waits for it");
  }
  if (AsText(crypto::Sha256(AsBytes(record.report_json()))) != record.report_sha256()) {
    return Contradiction("its report is not the one that it names");
  }
  found->second.report_sha256 = ToBytes(record.report_sha256());
  return absl::OkStatus();
}

absl::Status PolicyChain::FoldWithdrawn(const v1::PolicyWithdrawn& record) {
  if (withdrawn_.size() >= kWithdrawnMax) {
    return absl::ResourceExhaustedError("4096 proposals were withdrawn, which is the limit");
  }
  if (proposals_.erase(record.bundle_sha256()) == 0) {
    return Refused("it withdraws no proposal that waits");
  }
  withdrawn_.insert(record.bundle_sha256());
  return absl::OkStatus();
}

// Those that can count for nothing any more.
void PolicyChain::DropApprovals(absl::Time at) {
  std::erase_if(approvals_, [&](const auto& entry) {
    return entry.second.expires <= at ||
           (entry.second.kind == "bundle" &&
            proposals_.count(ToString(entry.second.subject_sha256)) == 0);
  });
}

// False: all that are left may still count, and none is of a job or an exception.
bool PolicyChain::MakeRoomForApproval() {
  if (approvals_.size() >= kApprovalsMax) {
    DropApprovals(last_);
  }
  if (approvals_.size() >= kApprovalsMax) {
    const auto oldest = std::find_if(approvals_.begin(), approvals_.end(), [](const auto& entry) {
      return entry.second.kind == "job" || entry.second.kind == "exception";
    });
    if (oldest != approvals_.end()) {
      approvals_.erase(oldest);
    }
  }
  return approvals_.size() < kApprovalsMax;
}

absl::Status PolicyChain::CheckTime(absl::Time at) const {
  return at >= last_ ? absl::OkStatus()
                     : Contradiction(absl::StrCat("it is of ", FormatTimestamp(at),
                                                  ", although the coordinator had written ",
                                                  FormatTimestamp(last_), " before it"));
}

absl::Status PolicyChain::Fold(std::uint64_t index, const Record& record, const KeyHistory& keys,
                               absl::string_view bundle_json) {
  // What persons sign themselves.
  if (const auto* approval = record.As<v1::Approval>(); approval != nullptr) {
    return FoldApproval(index, record, *approval);
  }
  if (const auto* proposed = record.As<v1::PolicyProposed>(); proposed != nullptr) {
    return FoldProposed(index, record, *proposed);
  }
  if (record.public_key != keys.StatementKeyAt(index)) {
    return Untrusted("it is not signed by the coordinator");
  }
  CARNET_RETURN_IF_ERROR(CheckTime(ToTime(CommonOf(*record.predicate).at())));
  if (const auto* user = record.As<v1::UserEnrolled>(); user != nullptr) {
    return FoldUser(index, *user);
  }
  if (const auto* roles = record.As<v1::UserRoleChanged>(); roles != nullptr) {
    return FoldRoles(index, *roles);
  }
  if (const auto* revoked = record.As<v1::UserRevoked>(); revoked != nullptr) {
    return FoldRevoked(index, *revoked);
  }
  if (const auto* examined = record.As<v1::PolicyExamined>(); examined != nullptr) {
    return FoldExamined(*examined);
  }
  if (const auto* activated = record.As<v1::PolicyActivated>(); activated != nullptr) {
    return FoldActivated(index, *activated, bundle_json);
  }
  if (const auto* withdrawn = record.As<v1::PolicyWithdrawn>(); withdrawn != nullptr) {
    return FoldWithdrawn(*withdrawn);
  }
  return Refused("a record that is not about people or policies");
}

absl::Status PolicyChain::Follow(const v1::ProvenRecord& proven, const TreeHead& head,
                                 const KeyHistory& keys, absl::string_view bundle_json) {
  const std::uint64_t index = proven.proof().index();
  if (index < followed_) {
    return AtRecord(index, Refused(absl::StrCat("out of order: record ", followed_ - 1,
                                                " was shown before it")));
  }
  const auto record = ledger::verifier::VerifyProvenRecord(proven, head);
  if (!record.ok()) {
    return AtRecord(index, record.status());
  }
  if (const absl::Status folded = Fold(index, *record, keys, bundle_json); !folded.ok()) {
    return AtRecord(index, folded);
  }
  followed_ = index + 1;
  if (record->public_key == keys.StatementKeyAt(index)) {
    last_ = std::max(last_, ToTime(CommonOf(*record->predicate).at()));
  }
  return absl::OkStatus();
}

absl::Status PolicyChain::CheckBasis(const v1::DecisionBasis& basis, std::uint64_t index) const {
  const auto after = std::find_if(history_.begin(), history_.end(),
                                  [index](const InForce& bundle) { return bundle.index > index; });
  const InForce& there = *std::prev(after);  // genesis is at 0
  if (basis.revision() < there.revision) {
    return Contradiction(absl::StrCat("record ", index, " is decided on revision ",
                                      basis.revision(), " of the policies, although record ",
                                      there.index, " put revision ", there.revision,
                                      " into force before it"));
  }
  if (basis.revision() > there.revision) {
    return Refused(absl::StrCat("record ", index, " is decided on revision ", basis.revision(),
                                " of the policies; this site was shown none after revision ",
                                there.revision));
  }
  if (AsText(there.sha256) != basis.bundle_sha256()) {
    return Contradiction(absl::StrCat("record ", index,
                                      " is decided on another bundle of revision ",
                                      basis.revision(), " than the one in force"));
  }
  const absl::Time at = ToTime(basis.at());
  if (at < there.since) {
    return Contradiction(absl::StrCat("record ", index, " is decided at ", FormatTimestamp(at),
                                      ", before record ", there.index, " put revision ",
                                      there.revision, " of the policies into force"));
  }
  if (at < there.valid_from || at >= there.valid_to) {
    return Contradiction(absl::StrCat("record ", index,
                                      " is decided outside the validity of revision ",
                                      basis.revision(), " of the policies"));
  }
  return absl::OkStatus();
}

bool PolicyChain::HeldAt(const std::string& user_id, const std::string& role,
                         std::uint64_t index) const {
  const auto person = people_.find(user_id);
  return person != people_.end() && std::any_of(person->second.terms.begin(),
                                                person->second.terms.end(), [&](const Term& term) {
                                                  return term.role == role && term.from < index &&
                                                         (term.until == 0 || index < term.until);
                                                });
}

std::set<std::pair<std::string, std::string>> PolicyChain::Approvers(const Asked& asked) const {
  std::set<std::pair<std::string, std::string>> approvers;
  for (auto entry = approvals_.upper_bound(asked.after);
       entry != approvals_.end() && entry->first < asked.before; ++entry) {
    const Approval& approval = entry->second;
    if (approval.kind == asked.kind && approval.held && asked.at < approval.expires &&
        approval.approver != asked.except &&
        AsText(approval.subject_sha256) == AsText(asked.subject_sha256) &&
        Holds(approval.approver, approval.role)) {
      approvers.emplace(approval.approver, approval.role);
    }
  }
  return approvers;
}

std::string PolicyChain::ExceptionAuthor(ByteView subject_sha256) const {
  const auto author = exception_authors_.find(std::string(AsText(subject_sha256)));
  return author == exception_authors_.end() ? std::string() : author->second;
}

}  // namespace carnet::worker
