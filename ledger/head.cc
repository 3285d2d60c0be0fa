#include "ledger/head.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "ledger/merkle.h"

namespace carnet::ledger {
namespace {

absl::Status BadHead(absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("head: ", why));
}

}  // namespace

std::string HeadText(const Head& head) {
  return absl::StrCat(head.origin, "\n", head.size, "\n", Base64Encode(head.root), "\n");
}

absl::StatusOr<SignedHead> SignHead(const Head& head, const crypto::Ed25519KeyPair& key) {
  if (head.size > kTreeSizeMax || (head.size == 0 && head.root != EmptyRoot())) {
    return BadHead("the size is out of bounds, or not the root's");
  }
  SignedHead result;
  CARNET_ASSIGN_OR_RETURN(result.note, SignNote(HeadText(head), head.origin, key));
  result.head = head;
  return result;
}

absl::StatusOr<Head> ParseHead(absl::string_view note, const NoteKey& key) {
  CARNET_ASSIGN_OR_RETURN(const std::string text, OpenNote(note, key));
  const std::vector<std::string> lines = absl::StrSplit(text, '\n');
  if (lines.size() != 4 || lines[0] != key.name) {
    return BadHead("not this log's origin, a size and a root");
  }
  Head head;
  head.origin = lines[0];
  const absl::StatusOr<Bytes> root = Base64Decode(lines[2]);
  if (!root.ok() || root->size() != kDigestBytes) {
    return BadHead("the root is not base64 of 32 bytes");
  }
  std::copy(root->begin(), root->end(), head.root.begin());
  if (!absl::SimpleAtoi(lines[1], &head.size) || head.size > kTreeSizeMax ||
      HeadText(head) != text) {
    return BadHead("the size is not a decimal number of at most 2^63 - 1");
  }
  if (head.size == 0 && head.root != EmptyRoot()) {
    return BadHead("a size of 0 with the root of something");
  }
  return head;
}

}  // namespace carnet::ledger
