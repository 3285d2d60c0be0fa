#include "ledger/log_keys.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/status.h"
#include "carnet/v1/records.pb.h"
#include "ledger/record.h"

namespace carnet::ledger {
namespace {

// In every statement of the type; what else holds it is opened and passed over.
constexpr char kRotatedType[] = "urn:carnet:key-rotated:v1";
constexpr char kDestructionType[] = "urn:carnet:key-destruction-ordered:v1";

absl::Status Bad(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("key-rotated: ", why));
}

}  // namespace

LogKeys::LogKeys(NoteKey founding) {
  keys_.push_back({.note = std::move(founding), .key_id = kFoundingLogKeyId});
}

absl::StatusOr<LogKeys> LogKeys::Create(NoteKey founding, std::vector<LogKey> stored) {
  LogKeys keys(std::move(founding));
  if (stored.empty()) {
    return keys;
  }
  const NoteKey& first = stored.front().note;
  const bool fits =
      stored.size() <= kLogKeysMax && first.public_key == keys.founding().public_key &&
      std::all_of(stored.begin(), stored.end(),
                  [&](const LogKey& key) { return key.note.name == keys.founding().name; });
  if (!fits) {
    return absl::DataLossError("store: its keys are not those of this log");
  }
  keys.keys_ = std::move(stored);
  return keys;
}

std::vector<NoteKey> LogKeys::NoteKeys() const {
  std::vector<NoteKey> keys;
  for (const LogKey& key : keys_) {
    keys.push_back(key.note);
  }
  return keys;
}

std::vector<std::string> LogKeys::Vkeys() const {
  std::vector<std::string> vkeys;
  for (const LogKey& key : keys_) {
    vkeys.push_back(key.note.Vkey());
  }
  return vkeys;
}

std::vector<NoteKey> LogKeys::Signing() const {
  std::vector<NoteKey> keys;
  for (const LogKey& key : keys_) {
    if (key.until == 0) {
      keys.push_back(key.note);
    }
  }
  return keys;
}

absl::StatusOr<bool> LogKeys::Follow(std::uint64_t index, const v1::SignedRecord& record) {
  bool changed = false;
  if (absl::StrContains(record.statement(), kRotatedType)) {
    CARNET_RETURN_IF_ERROR(Add(index, record, &changed));
  } else if (keys_.size() > 1 && keys_[keys_.size() - 2].until == 0 &&
             absl::StrContains(record.statement(), kDestructionType)) {
    CARNET_RETURN_IF_ERROR(Retire(index, record, &changed));
  }
  return changed;
}

absl::Status LogKeys::Add(std::uint64_t index, const v1::SignedRecord& record, bool* changed) {
  CARNET_ASSIGN_OR_RETURN(const Record opened, OpenVerifiedRecord(record));
  const auto* rotated = opened.As<v1::KeyRotated>();
  if (rotated == nullptr || rotated->kind() != "log") {
    return absl::OkStatus();
  }
  const absl::StatusOr<NoteKey> note = ParseVkey(rotated->log_vkey());
  if (!note.ok() || note->name != newest().name ||
      AsText(note->public_key) != rotated->new_public_key() ||
      AsText(newest().public_key) != rotated->old_public_key() || rotated->key_id().empty()) {
    return Bad("it names no key of this log, or not the one in force before it");
  }
  const bool known = std::any_of(keys_.begin(), keys_.end(), [&](const LogKey& key) {
    return key.note.public_key == note->public_key || key.key_id == rotated->key_id();
  });
  if (known || Signing().size() > 1 || keys_.size() >= kLogKeysMax) {
    return Bad("a key that was there, or two keys sign already");
  }
  keys_.push_back({.note = *note, .key_id = rotated->key_id(), .from = index});
  *changed = true;
  return absl::OkStatus();
}

absl::Status LogKeys::Retire(std::uint64_t index, const v1::SignedRecord& record, bool* changed) {
  CARNET_ASSIGN_OR_RETURN(const Record opened, OpenVerifiedRecord(record));
  const auto* ordered = opened.As<v1::KeyDestructionOrdered>();
  LogKey& old = keys_[keys_.size() - 2];
  if (ordered != nullptr &&
      std::count(ordered->key_ids().begin(), ordered->key_ids().end(), old.key_id) > 0) {
    old.until = index;
    *changed = true;
  }
  return absl::OkStatus();
}

absl::StatusOr<Head> ParseHead(absl::string_view note, const LogKeys& keys) {
  const absl::StatusOr<Head> newest = ParseHead(note, keys.newest());
  if (newest.ok() || keys.all().size() == 1) {
    return newest;
  }
  for (auto key = keys.all().rbegin() + 1; key != keys.all().rend(); ++key) {
    if (absl::StatusOr<Head> head = ParseHead(note, key->note); head.ok()) {
      return head;
    }
  }
  return newest;
}

absl::StatusOr<NoteKey> SignerOf(absl::string_view note, const LogKeys& keys) {
  for (auto key = keys.all().rbegin(); key != keys.all().rend(); ++key) {
    if (OpenNote(note, key->note).ok()) {
      return key->note;
    }
  }
  return absl::UnauthenticatedError("head: not signed by a key of the log");
}

absl::StatusOr<SignedHead> SignHead(const Head& head,
                                    const std::vector<const crypto::Ed25519KeyPair*>& pairs) {
  CARNET_CHECK(!pairs.empty());
  CARNET_ASSIGN_OR_RETURN(SignedHead result, SignHead(head, *pairs.front()));
  const std::string text = HeadText(head);
  for (std::size_t i = 1; i < pairs.size(); ++i) {
    CARNET_ASSIGN_OR_RETURN(const std::string note, SignNote(text, head.origin, *pairs[i]));
    // The text, an empty line, and the line that is added.
    result.note += note.substr(text.size() + 1);
  }
  return result;
}

}  // namespace carnet::ledger
