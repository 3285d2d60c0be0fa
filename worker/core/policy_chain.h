// How the policies in force came to be, as this worker folded it itself out of the ledger: from
// genesis, which its join token pins, over every record about people and policies. What the
// coordinator says about approvals, roles and bundles counts here only as far as these records bear
// it out. Pure.
#ifndef CARNET_WORKER_CORE_POLICY_CHAIN_H_
#define CARNET_WORKER_CORE_POLICY_CHAIN_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "carnet/v1/federation.pb.h"
#include "ledger/verifier/key_history.h"
#include "ledger/verifier/record.h"
#include "policies/loader.h"

namespace carnet::worker {

inline constexpr std::size_t kPeopleMax = 4096;
// Approvals that may still count. Beyond it, those that ended go first, then the oldest of jobs and
// exceptions.
inline constexpr std::size_t kApprovalsMax = 16384;
// Roles that a person held in turn.
inline constexpr std::size_t kTermsMax = 256;
// Roles that one record gives or takes.
inline constexpr int kRolesOfRecordMax = 16;
// Proposals that wait, each with at most kBundleJsonBytesMax of text.
inline constexpr std::size_t kProposalsMax = 64;
// The newest of them keep their text; an older one's comes again with its activation.
inline constexpr std::size_t kProposalTextsMax = 16;
// Proposals that were withdrawn since the bundle came into force.
inline constexpr std::size_t kWithdrawnMax = 4096;
// Bundles ever in force.
inline constexpr std::size_t kBundlesMax = 4096;
// PolicyChain::Save().
inline constexpr std::size_t kChainBytesMax = std::size_t{32} << 20;

// Whether an error is a contradiction within what the coordinator itself signed, so that the
// records prove it to anybody. Every other refusal may come from a record that was not shown.
bool IsContradiction(const absl::Status& status);
absl::Status Contradiction(absl::string_view what);

class PolicyChain {
 public:
  // A role that somebody holds or held.
  struct Term {
    std::string role;
    std::uint64_t from = 0;   // index of the record that gave it
    std::uint64_t until = 0;  // of the record that took it; 0: he holds it
  };
  struct Person {
    Bytes public_key;
    std::set<std::string> roles;  // that count
    bool revoked = false;
    std::vector<Term> terms =
        {};  // oldest first; at most kTermsMax, of those that ended the newest
  };
  struct Approval {
    std::string approver;
    std::string kind;
    Bytes subject_sha256;
    Bytes report_sha256;  // of a bundle; else empty
    std::string role;
    absl::Time expires;
    bool held = false;  // its signer held the role when it was recorded
    Bytes nonce;        // the same signature is on record once
    bool used = false;  // it passed a role on
  };
  // Which approvals of a subject count.
  struct Asked {
    absl::string_view kind;
    ByteView subject_sha256;
    absl::Time at;             // not ended by then
    std::uint64_t after = 0;   // recorded after this index
    std::uint64_t before = 0;  // and before this one
    absl::string_view except;  // whose own never counts; empty: nobody
  };
  struct Proposal {
    std::uint64_t index = 0;
    std::string author;
    std::set<std::string> author_roles;  // when it was proposed
    std::string intent;
    std::uint64_t revision = 0;
    Bytes parent_sha256;
    std::string bundle_json;  // empty: let go
    Bytes report_sha256;      // empty: not examined yet
  };
  // A bundle that is or was in force.
  struct InForce {
    std::uint64_t index = 0;  // of the record that activated it; 0: genesis
    Digest sha256{};
    std::uint64_t revision = 0;
    absl::Time since;  // common.at of that record
    absl::Time valid_from;
    absl::Time valid_to;  // exclusive
  };

  // genesis: record 0, verified, with the leaf hash that the join token names. Error
  // UNAUTHENTICATED: its bundle is not what it says, or cannot be read by this version.
  static absl::StatusOr<PolicyChain> Create(const ledger::verifier::VerifiedRecord& genesis);

  // Everything that was followed, as text, and back. Error DATA_LOSS: it is not what Save wrote
  // under this genesis.
  std::string Save() const;
  static absl::StatusOr<PolicyChain> Restore(const ledger::verifier::VerifiedRecord& genesis,
                                             absl::string_view text);

  // Folds the next record in. head: verified, an extension of every head that this worker saw.
  // keys: who signs for the coordinator. bundle_json: what came besides, in case that an activated
  // bundle's own text was let go. On an error nothing changes. Errors name the record:
  //   UNAUTHENTICATED      not proven under the head, or signed by somebody else than it says
  //   FAILED_PRECONDITION  it does not follow from what was shown: out of order, an unknown person
  //                        or proposal, a role or a bundle without the approvals that it needs
  //   DATA_LOSS            IsContradiction; a time before that of an earlier record among others
  //   RESOURCE_EXHAUSTED   over a limit above
  absl::Status Follow(const v1::ProvenRecord& proven, const ledger::verifier::TreeHead& head,
                      const ledger::verifier::KeyHistory& keys, absl::string_view bundle_json);

  // Records before this index are known.
  std::uint64_t followed() const { return followed_; }
  const policies::Bundle& bundle() const { return *bundle_; }
  const InForce& in_force() const { return history_.back(); }
  const std::vector<InForce>& history() const { return history_; }  // oldest first
  const std::map<std::string, Person>& people() const { return people_; }

  // Whether a record at `index` could be decided on `basis`: it names the bundle that was in force
  // there, within its validity and not before it came into force. Errors: FAILED_PRECONDITION,
  // DATA_LOSS (IsContradiction: an older revision than the one that the log had activated before,
  // another bundle of its number, or a time before that).
  absl::Status CheckBasis(const v1::DecisionBasis& basis, std::uint64_t index) const;

  // Whether that person held the role where the record at `index` stands.
  bool HeldAt(const std::string& user_id, const std::string& role, std::uint64_t index) const;

  // The persons whose approval counts, in a role that its signer held when it was recorded and
  // holds now. By person and role.
  std::set<std::pair<std::string, std::string>> Approvers(const Asked& asked) const;

  // Who wrote the exception of this text into the policies: the author of the first of the bundles,
  // up to the one in force, that have had it ever since. Empty: it is in genesis, or not in force.
  std::string ExceptionAuthor(ByteView subject_sha256) const;

 private:
  using Record = ledger::verifier::VerifiedRecord;
  PolicyChain() = default;

  absl::Status Fold(std::uint64_t index, const Record& record,
                    const ledger::verifier::KeyHistory& keys, absl::string_view bundle_json);
  absl::Status FoldUser(std::uint64_t index, const v1::UserEnrolled& record);
  absl::Status FoldRoles(std::uint64_t index, const v1::UserRoleChanged& record);
  absl::Status FoldRevoked(std::uint64_t index, const v1::UserRevoked& record);
  absl::Status FoldApproval(std::uint64_t index, const Record& record,
                            const v1::Approval& approval);
  absl::Status FoldProposed(std::uint64_t index, const Record& record,
                            const v1::PolicyProposed& proposed);
  absl::Status FoldExamined(const v1::PolicyExamined& record);
  absl::Status FoldActivated(std::uint64_t index, const v1::PolicyActivated& record,
                             absl::string_view bundle_json);
  absl::Status FoldWithdrawn(const v1::PolicyWithdrawn& record);

  // The steps of FoldActivated; policy_activation.cc.
  absl::Status CheckSuccession(const v1::PolicyActivated& record) const;
  absl::Status CheckHead(const v1::PolicyActivated& record, const Proposal& proposal,
                         const policies::Bundle& next) const;
  absl::Status CheckApprovals(const v1::PolicyActivated& record, const Proposal& proposal,
                              const policies::Bundle& next) const;

  bool GenesisVouches(std::uint64_t index, const v1::UserEnrolled& record,
                      const std::string& role) const;
  bool Holds(const std::string& user_id, const std::string& role) const;
  // The coordinator's clock never goes back from record to record.
  absl::Status CheckTime(absl::Time at) const;
  // The index of the approval that passes `role` on; error FAILED_PRECONDITION: none does.
  absl::StatusOr<std::uint64_t> PassedOn(const v1::UserRoleChanged& record, const Person& person,
                                         const std::string& role) const;
  void DropApprovals(absl::Time at);
  bool MakeRoomForApproval();
  void NoteExceptions(const std::string& author, const policies::Bundle& before);

  v1::Genesis genesis_;
  Digest genesis_leaf_{};
  std::uint64_t followed_ = 1;
  std::shared_ptr<const policies::Bundle> bundle_;
  std::vector<InForce> history_;
  std::map<std::string, Person> people_;
  std::map<std::uint64_t, Approval> approvals_;  // by index
  std::map<std::string, Proposal> proposals_;    // that wait, by bundle digest (raw)
  std::set<std::string> withdrawn_;              // of this parent, by bundle digest (raw)
  // Of the exceptions in force that genesis does not have: who wrote them, by their text's digest
  // (raw).
  std::map<std::string, std::string> exception_authors_;
  absl::Time last_;  // common.at of the newest record that the coordinator signed
};

}  // namespace carnet::worker

#endif  // CARNET_WORKER_CORE_POLICY_CHAIN_H_
