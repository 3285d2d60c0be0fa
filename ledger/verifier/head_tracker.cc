#include "ledger/verifier/head_tracker.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "ledger/verifier/errors.h"
#include "ledger/verifier/merkle.h"

namespace carnet::ledger::verifier {
namespace {

constexpr char kEvidenceHeader[] = "carnet-fork/v1\n";
constexpr std::size_t kEvidenceBytesMax = 2 * kHeadBytesMax + 64 * 64;

absl::string_view ReasonName(ForkReason reason) {
  switch (reason) {
    case ForkReason::kSmaller:
      return "smaller";
    case ForkReason::kOtherRoot:
      return "other-root";
    case ForkReason::kBadProof:
      return "bad-proof";
  }
  return "";
}

absl::StatusOr<std::vector<Digest>> ReadPath(const v1::ConsistencyProof& proof) {
  std::vector<Digest> path;
  if (static_cast<std::size_t>(proof.hashes_size()) > kProofHashesMax) {
    return BadEvidence("consistency proof: too many hashes");
  }
  for (const std::string& hash : proof.hashes()) {
    const absl::StatusOr<Digest> digest = ToDigest(AsBytes(hash));
    if (!digest.ok()) {
      return BadEvidence("consistency proof: a hash is not 32 bytes");
    }
    path.push_back(*digest);
  }
  return path;
}

// Why `newer` contradicts `older`; nothing: it extends it by `path`.
std::optional<ForkReason> Contradiction(const TreeHead& older, const TreeHead& newer,
                                        const std::vector<Digest>& path) {
  if (newer.size < older.size) {
    return ForkReason::kSmaller;
  }
  if (newer.size == older.size) {
    return newer.root == older.root ? std::nullopt : std::optional(ForkReason::kOtherRoot);
  }
  const absl::Status extends =
      VerifyConsistency(older.size, older.root, newer.size, newer.root, path);
  return extends.ok() ? std::nullopt : std::optional(ForkReason::kBadProof);
}

std::string Section(absl::string_view name, absl::string_view text) {
  return absl::StrCat(name, " ", text.size(), "\n", text);
}

// Takes `<name> <bytes>\n<bytes of text>` off `rest`.
bool TakeSection(absl::string_view name, absl::string_view& rest, std::string& text) {
  std::size_t size = 0;
  const std::size_t line_end = rest.find('\n');
  absl::string_view line = rest.substr(0, line_end);
  if (line_end == absl::string_view::npos || !absl::ConsumePrefix(&line, absl::StrCat(name, " ")) ||
      !absl::SimpleAtoi(line, &size) || size > rest.size() - line_end - 1) {
    return false;
  }
  text = std::string(rest.substr(line_end + 1, size));
  rest.remove_prefix(line_end + 1 + size);
  return true;
}

}  // namespace

HeadTracker HeadTracker::CreateEmpty(VerifierKey log) {
  return HeadTracker(std::move(log));
}

absl::StatusOr<HeadTracker> HeadTracker::Create(VerifierKey log, absl::string_view remembered) {
  HeadTracker tracker(std::move(log));
  CARNET_ASSIGN_OR_RETURN(tracker.head_, VerifyHead(remembered, tracker.log_));
  return tracker;
}

absl::StatusOr<VerifiedHead> HeadTracker::Advance(absl::string_view note,
                                                  const v1::ConsistencyProof& proof) {
  if (fork_) {
    return Misbehaviour(fork_->message);
  }
  CARNET_ASSIGN_OR_RETURN(VerifiedHead newer, VerifyHead(note, log_));
  if (!head_) {
    head_ = std::move(newer);
    return *head_;
  }
  const TreeHead& older = head_->tree;
  CARNET_ASSIGN_OR_RETURN(const std::vector<Digest> path, ReadPath(proof));
  if (newer.tree.size > older.size && older.size > 0) {
    if (path.empty() && proof.new_size() == 0) {
      return MissingData("consistency proof: none came with a larger head");
    }
    if (proof.old_size() != older.size || proof.new_size() != newer.tree.size) {
      return BadEvidence("consistency proof: it is for other sizes");
    }
  }
  if (const std::optional<ForkReason> reason = Contradiction(older, newer.tree, path); reason) {
    return Forked(*reason, newer, proof);
  }
  head_ = std::move(newer);
  return *head_;
}

absl::Status HeadTracker::Forked(ForkReason reason, const VerifiedHead& newer,
                                 const v1::ConsistencyProof& proof) {
  std::string hashes;
  for (const std::string& hash : proof.hashes()) {
    absl::StrAppend(&hashes, Base64Encode(AsBytes(hash)), "\n");
  }
  Fork fork;
  fork.reason = reason;
  fork.file_name = absl::StrCat("fork-", newer.tree.size, ".tlog-fork");
  fork.evidence = absl::StrCat(kEvidenceHeader, "reason ", ReasonName(reason), "\n",
                               Section("old", head_->note), Section("new", newer.note),
                               Section("proof", hashes));
  fork.message =
      absl::StrCat("log misbehaviour (", ReasonName(reason), "): it signed ", head_->tree.size,
                   " records with root ", HexEncode(head_->tree.root), " and ", newer.tree.size,
                   " records with root ", HexEncode(newer.tree.root));
  fork_ = std::move(fork);
  return Misbehaviour(fork_->message);
}

v1::Seen HeadTracker::Seen() const {
  v1::Seen seen;
  if (head_) {
    seen.set_origin(head_->tree.origin);
    seen.set_size(head_->tree.size);
    seen.set_root(ToString(head_->tree.root));
  }
  return seen;
}

absl::StatusOr<ForkReason> VerifyForkEvidence(absl::string_view evidence, const VerifierKey& log) {
  const absl::Status malformed = BadEvidence("fork evidence: malformed");
  if (evidence.size() > kEvidenceBytesMax || !absl::ConsumePrefix(&evidence, kEvidenceHeader) ||
      !absl::ConsumePrefix(&evidence, "reason ") ||
      evidence.find('\n') == absl::string_view::npos) {
    return malformed;
  }
  const std::string reason(evidence.substr(0, evidence.find('\n')));
  evidence.remove_prefix(reason.size() + 1);
  std::string old_note;
  std::string new_note;
  std::string hashes;
  if (!TakeSection("old", evidence, old_note) || !TakeSection("new", evidence, new_note) ||
      !TakeSection("proof", evidence, hashes) || !evidence.empty()) {
    return malformed;
  }
  CARNET_ASSIGN_OR_RETURN(const VerifiedHead older, VerifyHead(old_note, log));
  CARNET_ASSIGN_OR_RETURN(const VerifiedHead newer, VerifyHead(new_note, log));
  std::vector<Digest> path;
  for (absl::string_view rest = hashes; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    const absl::StatusOr<Bytes> hash = Base64Decode(rest.substr(0, end));
    if (end == absl::string_view::npos || !hash.ok() || hash->size() != kDigestBytes ||
        path.size() == kProofHashesMax) {
      return malformed;
    }
    path.emplace_back();
    std::copy(hash->begin(), hash->end(), path.back().begin());
    rest.remove_prefix(end + 1);
  }
  const std::optional<ForkReason> found = Contradiction(older.tree, newer.tree, path);
  if (!found || ReasonName(*found) != reason) {
    return BadEvidence("fork evidence: its heads do not contradict each other as it says");
  }
  return *found;
}

}  // namespace carnet::ledger::verifier
