#include "ledger/verifier/manifest.h"

#include <map>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "carnet/v1/records.pb.h"
#include "crypto/hash.h"
#include "ledger/verifier/errors.h"
#include "ledger/verifier/lineage.h"
#include "ledger/verifier/releases.h"
#include "ledger/verifier/shared_proof.h"

namespace carnet::ledger::verifier {
namespace {

Verdict VerdictOf(const absl::Status& status) {
  if (absl::IsDataLoss(status)) {
    return Verdict::kMisbehaviour;
  }
  return absl::IsNotFound(status) ? Verdict::kCannotDecide : Verdict::kBadEvidence;
}

// The steps in their order; each returns whether the next may run.
class ManifestCheck {
 public:
  ManifestCheck(const TrustPolicy& policy, ManifestReport& report)
      : policy_(policy), report_(report) {}

  void Run(const Digest& model_file_sha256, ByteView manifest_file);

 private:
  bool Pass(const char* name) {
    report_.checks.push_back(
        {.name = name, .passed = true, .expected = {}, .actual = {}, .index = {}});
    return true;
  }
  bool Fail(const char* name, Finding finding) {
    report_.verdict = finding.missing ? Verdict::kCannotDecide : Verdict::kBadEvidence;
    report_.checks.push_back({.name = name,
                              .passed = false,
                              .expected = std::move(finding.expected),
                              .actual = std::move(finding.actual),
                              .index = finding.index});
    return false;
  }
  bool Fail(const char* name, const char* expected, const absl::Status& status,
            std::optional<std::uint64_t> index = {}) {
    Fail(name, {.expected = expected, .actual = std::string(status.message()), .index = index});
    report_.verdict = VerdictOf(status);
    return false;
  }
  bool Decide(const char* name, std::optional<Finding> finding) {
    return finding ? Fail(name, *std::move(finding)) : Pass(name);
  }

  bool CheckModelFile(const Digest& model_file_sha256);
  TrustPolicy FollowedPolicy() const;
  bool CheckHead();
  bool CheckRecords();
  bool CheckTree();
  bool CheckGenesis();
  bool CheckSeen();

  const TrustPolicy& policy_;
  ManifestReport& report_;
  Manifest manifest_;
  RecordMap records_;
  PartialTree tree_;
  const v1::Genesis* genesis_ = nullptr;
};

bool ManifestCheck::CheckModelFile(const Digest& model_file_sha256) {
  report_.model_sha256 = manifest_.model_sha256;
  report_.job_id = manifest_.job_id;
  if (manifest_.model_sha256 != model_file_sha256) {
    return Fail("model file",
                {.expected = absl::StrCat("SHA-256 ", HexEncode(manifest_.model_sha256)),
                 .actual = absl::StrCat("SHA-256 ", HexEncode(model_file_sha256)),
                 .index = {}});
  }
  return Pass("model file");
}

// The policy, with each log's keys that its own key handed over to by a record of the manifest.
// That these records are in the log is checked with all others, under the head that this makes
// believable.
TrustPolicy ManifestCheck::FollowedPolicy() const {
  TrustPolicy policy = policy_;
  for (const IndexedRecord& entry : manifest_.records) {
    if (!absl::StrContains(entry.record.statement(), "urn:carnet:key-rotated:v1")) {
      continue;
    }
    const absl::StatusOr<VerifiedRecord> record = VerifyRecord(entry.record);
    for (VerifierKey& log : policy.logs) {
      if (absl::StatusOr<VerifierKey> followed =
              record.ok() ? FollowLogKey(log, *record) : record.status();
          followed.ok()) {
        log = *std::move(followed);
      }
    }
  }
  return policy;
}

bool ManifestCheck::CheckHead() {
  absl::StatusOr<TrustedHead> head = VerifyTrustedHead(manifest_.head, FollowedPolicy());
  if (!head.ok()) {
    return Fail("head", "a head signed by the log of the trust policy", head.status());
  }
  report_.head = head->head.tree;
  report_.origin = report_.head.origin;
  report_.cosigned = std::move(head->cosigned);
  if (head->operator_only) {
    report_.caveats.emplace_back("operator only: no protection against a split view");
  }
  return Pass("head");
}

// The `seen` of a record; null: it has none.
const v1::Seen* SeenOf(const VerifiedRecord& record) {
  if (const auto* contribution = record.As<v1::Contribution>(); contribution != nullptr) {
    return &contribution->seen();
  }
  const auto* evaluation = record.As<v1::Evaluation>();
  return evaluation == nullptr ? nullptr : &evaluation->seen();
}

absl::StatusOr<PartialTree> TreeOf(const Manifest& manifest, const RecordMap& records,
                                   std::uint64_t size) {
  std::map<std::uint64_t, Digest> leaves = manifest.leaves;
  std::set<std::uint64_t> seen_sizes;
  for (const auto& [index, record] : records) {
    leaves.emplace(index, record.leaf_hash);
    if (const v1::Seen* seen = SeenOf(record); seen != nullptr) {
      seen_sizes.insert(seen->size());
    }
  }
  return PartialTree::Build(size, leaves, seen_sizes, manifest.nodes);
}

bool ManifestCheck::CheckRecords() {
  for (const IndexedRecord& entry : manifest_.records) {
    absl::StatusOr<VerifiedRecord> record = VerifyRecord(entry.record);
    if (!record.ok()) {
      return Fail("records", "a statement with its signature", record.status(), entry.index);
    }
    if (manifest_.form == ManifestForm::kCompact && record->As<v1::Contribution>() != nullptr) {
      return Fail("records", {.expected = "contributions by their leaf hash alone",
                              .actual = "a contribution in full in the compact form",
                              .index = entry.index});
    }
    records_.emplace(entry.index, *std::move(record));
  }
  manifest_.records.clear();  // Verified and parsed: the texts are not needed twice.
  report_.records = records_.size();
  report_.leaves = manifest_.leaves.size();
  return CheckTree();
}

bool ManifestCheck::CheckTree() {
  absl::StatusOr<PartialTree> tree = TreeOf(manifest_, records_, report_.head.size);
  if (!tree.ok()) {
    return Fail("records", "one proof for all records, neither more nor less", tree.status());
  }
  tree_ = *std::move(tree);
  if (tree_.root() != report_.head.root) {
    return Fail("records",
                {.expected = absl::StrCat("records of the log whose root is ",
                                          HexEncode(report_.head.root)),
                 .actual = absl::StrCat("records and nodes that give ", HexEncode(tree_.root())),
                 .index = {}});
  }
  for (const auto& [index, record] : records_) {
    if (const absl::Status taken = TakeErasure(index, record, report_.erased); !taken.ok()) {
      return Fail("records", "an erasure that follows its order", taken, index);
    }
  }
  return Pass("records");
}

bool ManifestCheck::CheckGenesis() {
  const auto first = records_.find(0);
  if (first == records_.end()) {
    return Fail(
        "genesis",
        {.expected = "record 0", .actual = "not in the manifest", .index = 0, .missing = true});
  }
  if (first->second.leaf_hash != policy_.genesis) {
    return Fail("genesis", {.expected = absl::StrCat("leaf ", HexEncode(policy_.genesis)),
                            .actual = absl::StrCat("leaf ", HexEncode(first->second.leaf_hash)),
                            .index = 0});
  }
  genesis_ = first->second.As<v1::Genesis>();
  if (genesis_ == nullptr || genesis_->origin() != report_.origin) {
    return Fail("genesis", {.expected = absl::StrCat("genesis of ", report_.origin),
                            .actual = "another record",
                            .index = 0});
  }
  if (const absl::Status accepted = CheckSuccession(*genesis_, policy_); !accepted.ok()) {
    return Fail("genesis", "a log that the trust policy accepts in the place of another", accepted,
                0);
  }
  const Digest bundle = crypto::Sha256(AsBytes(genesis_->bundle_json()));
  if (AsText(bundle) != genesis_->bundle_sha256()) {
    return Fail("genesis", {.expected = absl::StrCat("policy bundle ",
                                                     HexEncode(AsBytes(genesis_->bundle_sha256()))),
                            .actual = absl::StrCat("policy bundle ", HexEncode(bundle)),
                            .index = 0});
  }
  report_.federation = genesis_->federation();
  report_.organisation = genesis_->organisation();
  report_.home_jurisdiction = genesis_->home_jurisdiction();
  report_.bundle_sha256 = bundle;
  report_.bundle_revision = genesis_->bundle_revision();
  return Pass("genesis");
}

bool ManifestCheck::CheckSeen() {
  constexpr char kName[] = "what workers saw";
  for (const auto& [index, record] : records_) {
    const v1::Seen* seen = SeenOf(record);
    if (seen == nullptr) {
      continue;
    }
    const absl::StatusOr<Digest> root = ToDigest(AsBytes(seen->root()));
    if (!root.ok() || seen->origin() != report_.origin || seen->size() > index) {
      return Fail(kName,
                  {.expected = absl::StrCat("a head of this log of at most ", index, " records"),
                   .actual = absl::StrCat("one of ", seen->size(), " records of ", seen->origin()),
                   .index = index});
    }
    // CheckTree computed it from records and nodes that lead to the head.
    if (tree_.RootOf(seen->size()) != *root) {
      return Fail(kName, {.expected = "a head that this log extends",
                          .actual = absl::StrCat("the worker signed that it saw ", seen->size(),
                                                 " records with root ", HexEncode(*root)),
                          .index = index});
    }
  }
  return Pass(kName);
}

void ManifestCheck::Run(const Digest& model_file_sha256, ByteView manifest_file) {
  absl::StatusOr<Manifest> manifest = ParseManifest(manifest_file);
  if (!manifest.ok()) {
    Fail("manifest file", "a manifest", manifest.status());
    return;
  }
  manifest_ = *std::move(manifest);
  report_.form = manifest_.form;
  Pass("manifest file");
  if (!CheckModelFile(model_file_sha256) || !CheckHead() || !CheckRecords() || !CheckGenesis()) {
    return;
  }
  const Members members = EnrolledMembers(records_);
  std::optional<KeyHistory> keys;
  if (!Decide("keys", FollowKeys(records_, keys)) ||
      !Decide("signers", CheckSigners(records_, *keys, members)) || !CheckSeen() ||
      !Decide("lineage", CheckLineage({records_, manifest_.leaves}, *genesis_, members,
                                      manifest_.job_id, manifest_.model_sha256, report_))) {
    return;
  }
  std::optional<Finding> released = CheckReleases(records_, *genesis_, members, report_);
  if ((released || !report_.releases.empty()) && !Decide("releases", std::move(released))) {
    return;
  }
  report_.verdict = Verdict::kGood;
  if (report_.form == ManifestForm::kCompact) {
    report_.caveats.push_back(absl::StrCat(
        "compact form: ", report_.leaves,
        " contributions are known by index and leaf hash alone; "
        "what they say, who signed them and what their workers saw is left to the log"));
  }
  report_.caveats.emplace_back(
      "worker identities are as good as the operator's certificate authority");
  report_.caveats.emplace_back(
      "a log proves what was appended, not what was left out: training outside the log does not "
      "show here");
}

}  // namespace

ManifestReport VerifyManifest(const Digest& model_file_sha256, ByteView manifest_file,
                              const TrustPolicy& policy) {
  ManifestReport report;
  ManifestCheck(policy, report).Run(model_file_sha256, manifest_file);
  return report;
}

absl::StatusOr<std::vector<v1::ProvenRecord>> ProveSingly(const Manifest& manifest,
                                                          std::uint64_t tree_size) {
  RecordMap records;
  for (const IndexedRecord& entry : manifest.records) {
    CARNET_ASSIGN_OR_RETURN(VerifiedRecord record, VerifyRecord(entry.record));
    records.emplace(entry.index, std::move(record));
  }
  CARNET_ASSIGN_OR_RETURN(const PartialTree tree, TreeOf(manifest, records, tree_size));
  std::vector<v1::ProvenRecord> proven;
  for (const IndexedRecord& entry : manifest.records) {
    const std::optional<std::vector<Digest>> path = tree.InclusionPath(entry.index);
    if (!path) {
      return BadEvidence("manifest: the shared proof does not show a record");
    }
    v1::ProvenRecord& record = proven.emplace_back();
    *record.mutable_record() = entry.record;
    record.mutable_proof()->set_index(entry.index);
    record.mutable_proof()->set_tree_size(tree_size);
    for (const Digest& hash : *path) {
      record.mutable_proof()->add_hashes(ToString(hash));
    }
  }
  return proven;
}

absl::StatusOr<Manifest> CompactForm(const Manifest& full, std::uint64_t tree_size) {
  Manifest compact{.form = ManifestForm::kCompact,
                   .job_id = full.job_id,
                   .model_sha256 = full.model_sha256,
                   .head = full.head,
                   .records = {},
                   .leaves = full.leaves,
                   .nodes = {}};
  RecordMap records;
  std::set<std::uint64_t> seen_sizes;
  for (const IndexedRecord& entry : full.records) {
    CARNET_ASSIGN_OR_RETURN(VerifiedRecord record, VerifyRecord(entry.record));
    if (record.As<v1::Contribution>() != nullptr) {
      compact.leaves.emplace(entry.index, record.leaf_hash);
    } else {
      compact.records.push_back(entry);
      if (const v1::Seen* seen = SeenOf(record); seen != nullptr) {
        seen_sizes.insert(seen->size());
      }
    }
    records.emplace(entry.index, std::move(record));
  }
  CARNET_ASSIGN_OR_RETURN(const PartialTree tree, TreeOf(full, records, tree_size));
  compact.nodes = tree.NodesFor(seen_sizes);
  return compact;
}

absl::StatusOr<TrustPolicy> PolicyOfItself(const Manifest& manifest) {
  if (manifest.records.empty()) {
    return BadEvidence("manifest: it holds no record");
  }
  CARNET_ASSIGN_OR_RETURN(const VerifiedRecord first,
                          VerifyRecord(manifest.records.front().record));
  const auto* genesis = first.As<v1::Genesis>();
  if (genesis == nullptr) {
    return BadEvidence("manifest: it does not begin with a genesis record");
  }
  const absl::StatusOr<VerifierKey> log = ParseVerifierKey(genesis->log_vkey());
  if (!log.ok()) {
    return BadEvidence("manifest: its genesis names no key of a log");
  }
  TrustPolicy policy;
  policy.logs.push_back(*log);
  policy.quorum = "none";
  policy.genesis = first.leaf_hash;
  policy.succeeds.push_back(genesis->succeeds().origin());
  return policy;
}

}  // namespace carnet::ledger::verifier
