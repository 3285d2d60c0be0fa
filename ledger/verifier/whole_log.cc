#include "ledger/verifier/whole_log.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/json.h"
#include "base/status.h"
#include "carnet/v1/records.pb.h"
#include "ledger/verifier/errors.h"
#include "ledger/verifier/key_history.h"
#include "ledger/verifier/lineage.h"
#include "ledger/verifier/merkle.h"
#include "ledger/verifier/record.h"

namespace carnet::ledger::verifier {
namespace {

constexpr std::uint64_t kWidth = 256;
constexpr char kRotatedType[] = "urn:carnet:key-rotated:v1";
constexpr std::size_t kEntryBytesMax = 65'535;
constexpr std::size_t kStatementBytesMax = std::size_t{1} << 20;

// tlog-tiles: 3-digit groups, all but the last with an x before them; `.p/<width>` where partial.
std::string ResourcePath(absl::string_view prefix, std::uint64_t index, std::uint64_t width) {
  std::string groups = absl::StrFormat("%03d", index % 1000);
  while ((index /= 1000) > 0) {
    groups = absl::StrFormat("x%03d/", index % 1000) + groups;
  }
  return absl::StrCat(prefix, "/", groups, width == kWidth ? "" : absl::StrCat(".p/", width));
}

// Splits a bundle of length-prefixed parts. at_least: parts that must be there; more are dropped (a
// full bundle stands in for a partial one).
absl::StatusOr<std::vector<std::string>> SplitBundle(ByteView bundle, std::size_t length_bytes,
                                                     std::size_t part_max, std::uint64_t at_least) {
  std::vector<std::string> parts;
  while (!bundle.empty()) {
    std::size_t length = 0;
    if (bundle.size() < length_bytes || parts.size() == kWidth) {
      return BadEvidence("an entry bundle is malformed");
    }
    for (std::size_t i = 0; i < length_bytes; ++i) {
      length = length << 8 | bundle[i];
    }
    bundle = bundle.subspan(length_bytes);
    if (length == 0 || length > part_max || length > bundle.size()) {
      return BadEvidence("an entry bundle is malformed");
    }
    parts.emplace_back(AsText(bundle.first(length)));
    bundle = bundle.subspan(length);
  }
  if (parts.size() < at_least) {
    return MissingData("an entry bundle is shorter than the head says");
  }
  parts.resize(at_least);
  return parts;
}

// Signature and key (base64) of an entry that is written as all are: by their places. False: it is
// not.
bool UsualParts(absl::string_view entry, absl::string_view* signature, absl::string_view* key) {
  constexpr absl::string_view kHead =
      R"({"apiVersion":"0.0.2","kind":"hashedrekord","spec":{"hashedRekordV002":{"data":{"algorithm":"SHA2_256","digest":")";
  constexpr absl::string_view kSignature = R"("},"signature":{"content":")";
  constexpr absl::string_view kKey =
      R"(","verifier":{"keyDetails":"PKIX_ED25519","publicKey":{"rawBytes":")";
  constexpr absl::string_view kEnd = R"("}}}}}})";
  constexpr std::size_t kDigestChars = 44;
  constexpr std::size_t kSignatureChars = 88;
  constexpr std::size_t kKeyChars = 60;
  const auto take = [&entry](std::size_t chars) {
    const absl::string_view taken = entry.substr(0, chars);
    entry.remove_prefix(taken.size());
    return taken;
  };
  if (take(kHead.size()) != kHead) {
    return false;
  }
  take(kDigestChars);
  if (take(kSignature.size()) != kSignature) {
    return false;
  }
  *signature = take(kSignatureChars);
  if (take(kKey.size()) != kKey) {
    return false;
  }
  *key = take(kKeyChars);
  return entry == kEnd;
}

// Signature and key of a leaf, with the statement beside it. Whether they fit is for VerifyRecord
// to say.
absl::StatusOr<v1::SignedRecord> RecordOf(const std::string& entry, std::string statement) {
  absl::string_view signature_text;
  absl::string_view key_text;
  std::string members[2];
  if (!UsualParts(entry, &signature_text, &key_text)) {
    const absl::StatusOr<nlohmann::json> leaf = ParseJson(entry, kEntryBytesMax);
    if (!leaf.ok() || !leaf->is_object()) {
      return BadEvidence("an entry is no JSON object");
    }
    const auto text = [&leaf](const char* pointer) {
      const nlohmann::json::json_pointer path(pointer);
      return leaf->contains(path) && leaf->at(path).is_string() ? leaf->at(path).get<std::string>()
                                                                : std::string();
    };
    members[0] = text("/spec/hashedRekordV002/signature/content");
    members[1] = text("/spec/hashedRekordV002/signature/verifier/publicKey/rawBytes");
    signature_text = members[0];
    key_text = members[1];
  }
  const auto signature = Base64Decode(signature_text);
  const auto spki = Base64Decode(key_text);
  if (!signature.ok() || !spki.ok()) {
    return BadEvidence("an entry is no hashedrekord");
  }
  const auto key = crypto::Ed25519SpkiDecode(*spki);
  if (!key.ok()) {
    return BadEvidence("an entry's key is not of Ed25519");
  }
  v1::SignedRecord record;
  record.set_statement(std::move(statement));
  record.set_signature(ToString(*signature));
  record.set_public_key(ToString(*key));
  return record;
}

// One pass over the log, from the first bundle to the last.
class LogCheck {
 public:
  LogCheck(LogSource& source, const TrustPolicy& policy, const RecordTaker& take,
           const ForEach& for_each, LogVerdict& verdict)
      : source_(source), policy_(policy), take_(take), for_each_(for_each), verdict_(verdict) {}

  absl::Status Run(const std::vector<std::string>& old_heads);

 private:
  absl::Status ReadHead();
  // Adds to the policy what its logs' keys handed over to, by records of this log. Its size is what
  // the note says, so this only makes a head believable: everything is checked under it afterwards.
  absl::Status FollowHandovers(absl::string_view note);
  // That each key which FollowHandovers took was handed over to by a record that was checked: what
  // a source says twice need not be the same.
  absl::Status CheckFollowed() const;
  absl::Status ReadOldHeads(const std::vector<std::string>& old_heads);
  // The resource, or the full one in its place.
  absl::StatusOr<Bytes> ReadResource(absl::string_view prefix, std::uint64_t index,
                                     std::uint64_t width);
  absl::Status CheckBundle(std::uint64_t index, std::uint64_t width);
  absl::Status CheckStatements(std::uint64_t index, const std::vector<std::string>& entries);
  // That the coordinator's records are signed by the key in force.
  absl::Status CheckSigner(std::uint64_t position, const VerifiedRecord& record);
  absl::Status CheckOldHeads();
  // The hashes of a tile that the entries give, against the stored ones. blame: the tile's entries
  // are the log's.
  absl::Status CheckTile(std::size_t level, std::uint64_t index, const std::vector<Digest>& hashes);
  absl::Status PushUp(std::size_t level, const Digest& hash);
  absl::Status Fail(absl::Status status, std::uint64_t index) {
    index_ = index;
    return status;
  }

 public:
  std::optional<std::uint64_t> index() const { return index_; }

 private:
  struct Level {
    std::uint64_t tile = 0;
    std::vector<Digest> hashes;
  };

  LogSource& source_;
  TrustPolicy policy_;
  const RecordTaker& take_;
  const ForEach& for_each_;
  LogVerdict& verdict_;
  std::optional<KeyHistory> keys_;
  std::vector<VerifierKey> followed_;  // that the policy does not name
  std::uint64_t size_ = 0;
  RootBuilder root_;
  std::vector<Level> levels_;        // 1 and above
  std::vector<TreeHead> old_heads_;  // ascending size
  std::size_t next_old_head_ = 0;
  bool statements_ = false;
  std::optional<std::uint64_t> index_;
};

absl::Status LogCheck::ReadHead() {
  CARNET_ASSIGN_OR_RETURN(const Bytes note, source_.Read("checkpoint"));
  absl::StatusOr<TrustedHead> trusted = VerifyTrustedHead(AsText(note), policy_);
  if (absl::IsUnauthenticated(trusted.status()) && FollowHandovers(AsText(note)).ok()) {
    trusted = VerifyTrustedHead(AsText(note), policy_);
  }
  CARNET_ASSIGN_OR_RETURN(TrustedHead head, std::move(trusted));
  verdict_.report.head = head.head.tree;
  verdict_.report.operator_only = head.operator_only;
  verdict_.report.cosigned = std::move(head.cosigned);
  size_ = verdict_.report.head.size;
  return absl::OkStatus();
}

absl::Status LogCheck::FollowHandovers(absl::string_view note) {
  CARNET_ASSIGN_OR_RETURN(const TreeHead head, ReadUnverifiedHead(note));
  for (std::uint64_t first = 0; first < head.size; first += kWidth) {
    const std::uint64_t width = std::min(kWidth, head.size - first);
    CARNET_ASSIGN_OR_RETURN(const Bytes bundle, ReadResource("statements", first / kWidth, width));
    if (!absl::StrContains(AsText(bundle), kRotatedType)) {
      continue;
    }
    CARNET_ASSIGN_OR_RETURN(const std::vector<std::string> statements,
                            SplitBundle(bundle, 4, kStatementBytesMax, width));
    CARNET_ASSIGN_OR_RETURN(const Bytes entry_bundle,
                            ReadResource("tile/entries", first / kWidth, width));
    CARNET_ASSIGN_OR_RETURN(const std::vector<std::string> entries,
                            SplitBundle(entry_bundle, 2, kEntryBytesMax, width));
    for (std::size_t i = 0; i < width; ++i) {
      if (!absl::StrContains(statements[i], kRotatedType)) {
        continue;
      }
      CARNET_ASSIGN_OR_RETURN(const v1::SignedRecord record, RecordOf(entries[i], statements[i]));
      CARNET_ASSIGN_OR_RETURN(const VerifiedRecord verified, VerifyRecord(record));
      for (VerifierKey& log : policy_.logs) {
        absl::StatusOr<VerifierKey> followed = FollowLogKey(log, verified);
        if (followed.ok() && followed->successors.size() > log.successors.size()) {
          log = *std::move(followed);
          followed_.push_back(log.successors.back());
        }
      }
    }
  }
  return absl::OkStatus();
}

absl::Status LogCheck::CheckFollowed() const {
  for (const VerifierKey& followed : followed_) {
    const bool handed_over =
        keys_.has_value() && keys_->log().name == followed.name &&
        std::any_of(keys_->log().successors.begin(), keys_->log().successors.end(),
                    [&](const VerifierKey& key) { return key.public_key == followed.public_key; });
    if (!handed_over) {
      return BadEvidence("the head is signed by a key that no record of the log hands over to");
    }
  }
  return absl::OkStatus();
}

absl::Status LogCheck::CheckSigner(std::uint64_t position, const VerifiedRecord& record) {
  if (position == 0 && record.As<v1::Genesis>() != nullptr) {
    CARNET_ASSIGN_OR_RETURN(keys_, KeyHistory::Create(record));
    return CheckSuccession(*record.As<v1::Genesis>(), policy_);
  }
  if (!keys_) {
    return absl::OkStatus();  // The trust policy pins a record 0 that names no keys.
  }
  if (record.As<v1::KeyRotated>() != nullptr) {
    return keys_->Add(position, record);
  }
  return !IsCoordinators(record) || record.public_key == keys_->StatementKeyAt(position)
             ? absl::OkStatus()
             : BadEvidence(
                   absl::StrCat(record.type, ": not signed by the coordinator's key in force"));
}

absl::Status LogCheck::ReadOldHeads(const std::vector<std::string>& old_heads) {
  const VerifierKey* log = policy_.FindLog(verdict_.report.head.origin);
  for (const std::string& note : old_heads) {
    CARNET_ASSIGN_OR_RETURN(const VerifiedHead old, VerifyHead(note, *log));
    if (old.tree.size > size_) {
      return Misbehaviour(
          absl::StrCat("the log signed ", old.tree.size, " records before and now holds ", size_));
    }
    old_heads_.push_back(old.tree);
  }
  std::sort(old_heads_.begin(), old_heads_.end(),
            [](const TreeHead& a, const TreeHead& b) { return a.size < b.size; });
  return absl::OkStatus();
}

absl::Status LogCheck::CheckOldHeads() {
  for (; next_old_head_ < old_heads_.size() && old_heads_[next_old_head_].size == root_.size();
       ++next_old_head_) {
    if (old_heads_[next_old_head_].root != root_.Root()) {
      return Misbehaviour(
          absl::StrCat("the log signed another root at ", root_.size(), " records: two histories"));
    }
    ++verdict_.report.old_heads_checked;
  }
  return absl::OkStatus();
}

absl::StatusOr<Bytes> LogCheck::ReadResource(absl::string_view prefix, std::uint64_t index,
                                             std::uint64_t width) {
  absl::StatusOr<Bytes> bytes = source_.Read(ResourcePath(prefix, index, width));
  if (absl::IsNotFound(bytes.status()) && width < kWidth) {
    bytes = source_.Read(ResourcePath(prefix, index, kWidth));
  }
  return bytes;
}

absl::Status LogCheck::CheckTile(std::size_t level, std::uint64_t index,
                                 const std::vector<Digest>& hashes) {
  CARNET_ASSIGN_OR_RETURN(const Bytes stored,
                          ReadResource(absl::StrCat("tile/", level), index, hashes.size()));
  if (stored.size() < hashes.size() * kDigestBytes || stored.size() > kWidth * kDigestBytes) {
    return BadEvidence(
        absl::StrCat("tile ", index, " of level ", level, " has another size than the head says"));
  }
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    if (!std::equal(hashes[i].begin(), hashes[i].end(),
                    stored.begin() + static_cast<std::ptrdiff_t>(i * kDigestBytes))) {
      const std::uint64_t position = index * kWidth + i;
      return Fail(BadEvidence(absl::StrCat("hash ", position, " of level ", level,
                                           " is not that of its entries")),
                  level == 0 ? position : position << (8 * level));
    }
  }
  ++verdict_.report.tiles_checked;
  return absl::OkStatus();
}

absl::Status LogCheck::PushUp(std::size_t level, const Digest& hash) {
  if (levels_.size() < level) {
    levels_.emplace_back();
  }
  Level& here = levels_[level - 1];
  here.hashes.push_back(hash);
  if (here.hashes.size() < kWidth) {
    return absl::OkStatus();
  }
  CARNET_RETURN_IF_ERROR(CheckTile(level, here.tile, here.hashes));
  RootBuilder subtree;
  for (const Digest& child : here.hashes) {
    subtree.Add(child);
  }
  ++here.tile;
  here.hashes.clear();
  return PushUp(level + 1, subtree.Root());
}

absl::Status LogCheck::CheckStatements(std::uint64_t index,
                                       const std::vector<std::string>& entries) {
  const absl::StatusOr<Bytes> bundle = ReadResource("statements", index, entries.size());
  if (index == 0 && absl::IsNotFound(bundle.status())) {
    return absl::OkStatus();  // This source holds none.
  }
  if (index > 0 && !statements_) {
    return absl::OkStatus();
  }
  CARNET_RETURN_IF_ERROR(bundle);
  statements_ = true;
  CARNET_ASSIGN_OR_RETURN(std::vector<std::string> statements,
                          SplitBundle(*bundle, 4, kStatementBytesMax, entries.size()));
  // Each by itself, on whatever threads there are; what they say together, in their order.
  std::vector<absl::StatusOr<v1::SignedRecord>> records(entries.size(), absl::UnknownError(""));
  std::vector<absl::StatusOr<VerifiedRecord>> checked(entries.size(), absl::UnknownError(""));
  for_each_(entries.size(), [&](std::size_t i) {
    records[i] = RecordOf(entries[i], std::move(statements[i]));
    checked[i] = records[i].ok() ? VerifyRecord(*records[i]) : records[i].status();
  });
  for (std::size_t i = 0; i < entries.size(); ++i) {
    const std::uint64_t position = index * kWidth + i;
    const absl::StatusOr<v1::SignedRecord>& record = records[i];
    const absl::StatusOr<VerifiedRecord>& verified = checked[i];
    if (!verified.ok()) {
      return Fail(verified.status(), position);
    }
    if (verified->leaf != entries[i]) {
      return Fail(BadEvidence("a statement is not the one of its entry"), position);
    }
    absl::Status follows = CheckSigner(position, *verified);
    follows.Update(TakeErasure(position, *verified, verdict_.report.erased));
    if (!follows.ok()) {
      return Fail(std::move(follows), position);
    }
    ++verdict_.report.statements_checked;
    if (take_) {
      take_({.head = verdict_.report.head,
             .index = position,
             .record = *verified,
             .signed_record = *record});
    }
  }
  return absl::OkStatus();
}

absl::Status LogCheck::CheckBundle(std::uint64_t index, std::uint64_t width) {
  CARNET_ASSIGN_OR_RETURN(const Bytes bundle, ReadResource("tile/entries", index, width));
  CARNET_ASSIGN_OR_RETURN(const std::vector<std::string> entries,
                          SplitBundle(bundle, 2, kEntryBytesMax, width));
  std::vector<Digest> leaves;
  for (const std::string& entry : entries) {
    CARNET_RETURN_IF_ERROR(CheckOldHeads());
    leaves.push_back(HashLeaf(AsBytes(entry)));
    root_.Add(leaves.back());
    if (index == 0 && leaves.size() == 1 && leaves.front() != policy_.genesis) {
      return Fail(BadEvidence("the first record is not the genesis of the trust policy"), 0);
    }
  }
  CARNET_RETURN_IF_ERROR(CheckTile(0, index, leaves));
  CARNET_RETURN_IF_ERROR(CheckStatements(index, entries));
  verdict_.report.entries_checked += width;
  if (width < kWidth) {
    return absl::OkStatus();
  }
  RootBuilder subtree;
  for (const Digest& leaf : leaves) {
    subtree.Add(leaf);
  }
  return PushUp(1, subtree.Root());
}

absl::Status LogCheck::Run(const std::vector<std::string>& old_heads) {
  CARNET_RETURN_IF_ERROR(ReadHead());
  CARNET_RETURN_IF_ERROR(ReadOldHeads(old_heads));
  for (std::uint64_t first = 0; first < size_; first += kWidth) {
    CARNET_RETURN_IF_ERROR(CheckBundle(first / kWidth, std::min(kWidth, size_ - first)));
  }
  CARNET_RETURN_IF_ERROR(CheckOldHeads());
  for (std::size_t level = 1; level <= levels_.size(); ++level) {
    const Level& here = levels_[level - 1];
    if (!here.hashes.empty()) {
      CARNET_RETURN_IF_ERROR(CheckTile(level, here.tile, here.hashes));
    }
  }
  if (root_.Root() != verdict_.report.head.root) {
    return BadEvidence("the entries do not give the root that the head says");
  }
  return CheckFollowed();
}

}  // namespace

void OneAfterTheOther(std::size_t count, const std::function<void(std::size_t)>& work) {
  for (std::size_t i = 0; i < count; ++i) {
    work(i);
  }
}

LogVerdict VerifyWholeLog(LogSource& source, const TrustPolicy& policy,
                          const std::vector<std::string>& old_heads, const RecordTaker& take) {
  return VerifyWholeLog(source, policy, old_heads, take, OneAfterTheOther);
}

LogVerdict VerifyWholeLog(LogSource& source, const TrustPolicy& policy,
                          const std::vector<std::string>& old_heads, const RecordTaker& take,
                          const ForEach& for_each) {
  LogVerdict verdict;
  LogCheck check(source, policy, take, for_each, verdict);
  if (absl::Status status = check.Run(old_heads); !status.ok()) {
    verdict.failure = LogFailure{.status = std::move(status), .index = check.index()};
  }
  return verdict;
}

}  // namespace carnet::ledger::verifier
