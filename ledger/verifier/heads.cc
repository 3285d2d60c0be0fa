#include "ledger/verifier/heads.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "base/utf8.h"
#include "crypto/hash.h"
#include "ledger/verifier/errors.h"

namespace carnet::ledger::verifier {
namespace {

constexpr std::uint8_t kNoteType = 0x01;
constexpr std::uint8_t kCosignatureType = 0x04;
constexpr std::size_t kNameBytesMax = 255;
constexpr std::size_t kTimestampBytes = 8;
constexpr std::uint64_t kSizeMax = (std::uint64_t{1} << 63) - 1;
// 9999-12-31: beyond it, a time is no time.
constexpr std::uint64_t kUnixSecondsMax = 253'402'300'799;
const absl::string_view kDash = "\xe2\x80\x94 ";

struct Line {
  std::string name;
  std::uint32_t id = 0;
  Bytes signature;
};

struct Note {
  std::string text;  // with its last line feed
  std::vector<Line> lines;
};

std::uint64_t ReadBigEndian(ByteView bytes) {
  std::uint64_t value = 0;
  for (const std::uint8_t byte : bytes) {
    value = value << 8 | byte;
  }
  return value;
}

bool IsKeyName(absl::string_view name) {
  // signed-note: no Unicode space, no plus. (The ASCII ones are controls or 0x20.)
  const std::u32string spaces =
      U"\x85\xa0\x1680\x2000\x2001\x2002\x2003\x2004\x2005\x2006\x2007\x2008\x2009\x200a"
      U"\x2028\x2029\x202f\x205f\x3000";
  if (name.empty() || name.size() > kNameBytesMax) {
    return false;
  }
  while (!name.empty()) {
    const std::optional<char32_t> c = TakeCodePoint(name);
    if (!c || *c <= 0x20 || *c == 0x7f || *c == U'+' || spaces.find(*c) != std::u32string::npos) {
      return false;
    }
  }
  return true;
}

std::uint32_t KeyId(absl::string_view name, std::uint8_t type, ByteView key) {
  Bytes input = ToBytes(name);
  input.push_back('\n');
  input.push_back(type);
  input.insert(input.end(), key.begin(), key.end());
  const Digest digest = crypto::Sha256(input);
  return static_cast<std::uint32_t>(ReadBigEndian(ByteView(digest).first(4)));
}

absl::StatusOr<Note> SplitNote(absl::string_view text) {
  const auto bad = [](absl::string_view why) { return BadEvidence(absl::StrCat("head: ", why)); };
  if (text.size() > kHeadBytesMax) {
    return bad("over 16 KiB");
  }
  if (!IsUtf8(text) || !absl::EndsWith(text, "\n") ||
      std::any_of(text.begin(), text.end(),
                  [](char c) { return c != '\n' && static_cast<unsigned char>(c) < 0x20; })) {
    return bad("not lines of text");
  }
  const std::size_t split = text.rfind("\n\n");
  if (split == absl::string_view::npos || split == 0) {
    return bad("no empty line before its signatures");
  }
  Note note{.text = std::string(text.substr(0, split + 1)), .lines = {}};
  std::vector<absl::string_view> lines = absl::StrSplit(text.substr(split + 2), '\n');
  lines.pop_back();  // after the last line feed
  if (lines.empty() || lines.size() > kSignatureLinesMax) {
    return bad("no signature, or too many");
  }
  for (const absl::string_view line : lines) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ');
    const absl::StatusOr<Bytes> blob = fields.size() == 3
                                           ? Base64Decode(fields[2])
                                           : absl::StatusOr<Bytes>(absl::InvalidArgumentError(""));
    if (!absl::StartsWith(line, kDash) || !blob.ok() || blob->size() < 5 || !IsKeyName(fields[1])) {
      return bad("a malformed signature line");
    }
    note.lines.push_back({.name = std::string(fields[1]),
                          .id = static_cast<std::uint32_t>(ReadBigEndian(ByteView(*blob).first(4))),
                          .signature = Bytes(blob->begin() + 4, blob->end())});
  }
  return note;
}

// A decimal as C2SP writes sizes. Nothing: anything else.
std::optional<std::uint64_t> Decimal(absl::string_view text) {
  if (text.empty() || text.size() > 19 || (text.size() > 1 && text[0] == '0')) {
    return std::nullopt;
  }
  std::uint64_t value = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') {
      return std::nullopt;
    }
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return value <= kSizeMax ? std::optional(value) : std::nullopt;
}

// Which of the log's keys a signature line names; null: none.
const VerifierKey* KeyOf(absl::string_view name, std::uint32_t id, const VerifierKey& log) {
  if (name == log.name && id == log.id) {
    return &log;
  }
  const auto successor =
      std::find_if(log.successors.begin(), log.successors.end(),
                   [&](const VerifierKey& key) { return name == key.name && id == key.id; });
  return successor == log.successors.end() ? nullptr : &*successor;
}

absl::StatusOr<TreeHead> ParseBody(absl::string_view text) {
  // Extension lines would be signed by the log and audited by nobody: refused.
  const std::vector<absl::string_view> lines = absl::StrSplit(text, '\n');
  const std::optional<std::uint64_t> size = lines.size() == 4 ? Decimal(lines[1]) : std::nullopt;
  if (!size || lines[0].empty()) {
    return BadEvidence("head: not an origin, a size and a root");
  }
  const absl::StatusOr<Bytes> root = Base64Decode(lines[2]);
  if (!root.ok() || root->size() != kDigestBytes) {
    return BadEvidence("head: the root is not base64 of 32 bytes");
  }
  TreeHead head{.origin = std::string(lines[0]), .size = *size, .root = {}};
  std::copy(root->begin(), root->end(), head.root.begin());
  if (head.size == 0 && head.root != crypto::Sha256({})) {
    return BadEvidence("head: an empty log with the root of something");
  }
  return head;
}

}  // namespace

absl::StatusOr<VerifierKey> ParseVerifierKey(absl::string_view vkey) {
  const absl::Status bad =
      absl::InvalidArgumentError("vkey: name+id+base64 of an Ed25519 key was expected");
  const std::size_t first = vkey.find('+');
  const std::size_t second = first == absl::string_view::npos ? first : vkey.find('+', first + 1);
  if (second == absl::string_view::npos || second - first != 9 ||
      vkey.size() > kNameBytesMax + 64) {
    return bad;
  }
  const absl::StatusOr<Bytes> id = HexDecode(vkey.substr(first + 1, 8));
  const absl::StatusOr<Bytes> key = Base64Decode(vkey.substr(second + 1));
  if (!id.ok() || !key.ok() || key->size() != 33 || !IsKeyName(vkey.substr(0, first))) {
    return bad;
  }
  VerifierKey parsed{
      .name = std::string(vkey.substr(0, first)), .type = key->front(), .public_key = {}, .id = 0};
  std::copy(key->begin() + 1, key->end(), parsed.public_key.begin());
  parsed.id = KeyId(parsed.name, parsed.type, parsed.public_key);
  if ((parsed.type != kNoteType && parsed.type != kCosignatureType) ||
      ReadBigEndian(*id) != parsed.id) {
    return bad;
  }
  return parsed;
}

absl::StatusOr<TreeHead> ReadUnverifiedHead(absl::string_view note) {
  CARNET_ASSIGN_OR_RETURN(const Note parsed, SplitNote(note));
  return ParseBody(parsed.text);
}

absl::StatusOr<VerifiedHead> VerifyHead(absl::string_view note, const VerifierKey& log) {
  CARNET_ASSIGN_OR_RETURN(const Note parsed, SplitNote(note));
  std::set<std::uint32_t> signed_by;
  for (const Line& line : parsed.lines) {
    const VerifierKey* key = KeyOf(line.name, line.id, log);
    if (key == nullptr) {
      continue;
    }
    if (key->type != kNoteType ||
        !crypto::Ed25519Verify(key->public_key, AsBytes(parsed.text), line.signature)) {
      return BadEvidence("head: the log's signature does not verify");
    }
    if (!signed_by.insert(line.id).second) {
      return BadEvidence("head: signed twice by one key of the log");
    }
  }
  if (signed_by.empty()) {
    return BadEvidence("head: not signed by the log's key");
  }
  CARNET_ASSIGN_OR_RETURN(TreeHead tree, ParseBody(parsed.text));
  if (tree.origin != log.name) {
    return BadEvidence("head: its origin is not the log's name");
  }
  return VerifiedHead{.tree = std::move(tree), .note = std::string(note)};
}

absl::StatusOr<absl::Time> VerifyCosignature(const VerifiedHead& head, const VerifierKey& witness) {
  CARNET_ASSIGN_OR_RETURN(const Note parsed, SplitNote(head.note));
  for (const Line& line : parsed.lines) {
    if (line.name != witness.name || line.id != witness.id) {
      continue;
    }
    const bool sized = line.signature.size() == kTimestampBytes + crypto::kEd25519SignatureBytes;
    const std::uint64_t seconds =
        sized ? ReadBigEndian(ByteView(line.signature).first(kTimestampBytes)) : 0;
    const std::string message = absl::StrCat("cosignature/v1\ntime ", seconds, "\n", parsed.text);
    if (!sized || seconds > kUnixSecondsMax || witness.type != kCosignatureType ||
        !crypto::Ed25519Verify(witness.public_key, AsBytes(message),
                               ByteView(line.signature).subspan(kTimestampBytes))) {
      return BadEvidence("head: a witness's cosignature does not verify");
    }
    return absl::FromUnixSeconds(static_cast<std::int64_t>(seconds));
  }
  return MissingData("head: the witness did not cosign it");
}

}  // namespace carnet::ledger::verifier
