#include "ledger/verifier/manifest.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "carnet/v1/records.pb.h"
#include "crypto/hash.h"
#include "ledger/verifier/errors.h"
#include "ledger/verifier/lineage.h"
#include "ledger/verifier/merkle.h"

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
  bool CheckGenesis();
  bool CheckSeen();

  const TrustPolicy& policy_;
  ManifestReport& report_;
  Manifest manifest_;
  RecordMap records_;
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
  for (const v1::ProvenRecord& proven : manifest_.records) {
    if (!absl::StrContains(proven.record().statement(), "urn:carnet:key-rotated:v1")) {
      continue;
    }
    const absl::StatusOr<VerifiedRecord> record = VerifyRecord(proven.record());
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

bool ManifestCheck::CheckRecords() {
  for (const v1::ProvenRecord& proven : manifest_.records) {
    const std::uint64_t index = proven.proof().index();
    absl::StatusOr<VerifiedRecord> record = VerifyRecord(proven.record());
    if (!record.ok()) {
      return Fail("records", "a statement with its signature", record.status(), index);
    }
    if (const absl::Status included =
            VerifyInclusionProof(record->leaf_hash, proven.proof(), report_.head);
        !included.ok()) {
      return Fail("records", "a record of the log", included, index);
    }
    if (const absl::Status taken = TakeErasure(index, *record, report_.erased); !taken.ok()) {
      return Fail("records", "an erasure that follows its order", taken, index);
    }
    records_.emplace(index, *std::move(record));
  }
  report_.records = records_.size();
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

// The `seen` of a record; null: it has none.
const v1::Seen* SeenOf(const VerifiedRecord& record) {
  if (const auto* contribution = record.As<v1::Contribution>(); contribution != nullptr) {
    return &contribution->seen();
  }
  const auto* evaluation = record.As<v1::Evaluation>();
  return evaluation == nullptr ? nullptr : &evaluation->seen();
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
    const auto proof = manifest_.consistency.find(seen->size());
    if (proof == manifest_.consistency.end()) {
      return Fail(kName, {.expected = absl::StrCat("a consistency proof from ", seen->size()),
                          .actual = "not in the manifest",
                          .index = index,
                          .missing = true});
    }
    std::vector<Digest> path;
    for (const std::string& hash : proof->second.hashes()) {
      path.push_back(ToDigest(AsBytes(hash)).value_or(Digest{}));
    }
    const absl::Status prefix =
        VerifyConsistency(seen->size(), *root, report_.head.size, report_.head.root, path);
    if (proof->second.new_size() != report_.head.size || !prefix.ok()) {
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
  Pass("manifest file");
  if (!CheckModelFile(model_file_sha256) || !CheckHead() || !CheckRecords() || !CheckGenesis()) {
    return;
  }
  const Members members = EnrolledMembers(records_);
  std::optional<KeyHistory> keys;
  if (!Decide("keys", FollowKeys(records_, keys)) ||
      !Decide("signers", CheckSigners(records_, *keys, members)) || !CheckSeen() ||
      !Decide("lineage", CheckLineage(records_, *genesis_, members, manifest_.job_id,
                                      manifest_.model_sha256, report_))) {
    return;
  }
  report_.verdict = Verdict::kGood;
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

}  // namespace carnet::ledger::verifier
