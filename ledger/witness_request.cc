#include "ledger/witness_request.h"

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "ledger/merkle.h"

namespace carnet::ledger {
namespace {

absl::Status Malformed() {
  return absl::InvalidArgumentError(
      "add-checkpoint: `old <size>`, at most 63 hashes, an empty line and a note were expected");
}

// Takes the bytes before the next line feed, and that, off `rest`.
bool TakeLine(absl::string_view& rest, absl::string_view& line) {
  const std::size_t end = rest.find('\n');
  if (end == absl::string_view::npos) {
    return false;
  }
  line = rest.substr(0, end);
  rest.remove_prefix(end + 1);
  return true;
}

}  // namespace

absl::StatusOr<std::uint64_t> ParseTreeSize(absl::string_view text) {
  std::uint64_t size = 0;
  if (!absl::SimpleAtoi(text, &size) || size > kTreeSizeMax || absl::StrCat(size) != text) {
    return absl::InvalidArgumentError("tree size: a decimal of at most 2^63 - 1 was expected");
  }
  return size;
}

absl::StatusOr<AddCheckpointRequest> ParseAddCheckpoint(absl::string_view body) {
  absl::string_view line;
  if (body.size() > kAddCheckpointBytesMax || !TakeLine(body, line) ||
      !absl::ConsumePrefix(&line, "old ")) {
    return Malformed();
  }
  AddCheckpointRequest request;
  CARNET_ASSIGN_OR_RETURN(request.old_size, ParseTreeSize(line));
  while (true) {
    if (!TakeLine(body, line)) {
      return Malformed();
    }
    if (line.empty()) {
      break;
    }
    const absl::StatusOr<Bytes> hash = Base64Decode(line);
    if (!hash.ok() || hash->size() != kDigestBytes ||
        request.proof.size() == kWitnessProofHashesMax) {
      return Malformed();
    }
    request.proof.push_back(*ToDigest(*hash));
  }
  if (body.empty() || body.size() > kNoteBytesMax) {
    return Malformed();
  }
  request.note = std::string(body);
  return request;
}

std::string AddCheckpointBody(const AddCheckpointRequest& request) {
  std::string body = absl::StrCat("old ", request.old_size, "\n");
  for (const Digest& hash : request.proof) {
    absl::StrAppend(&body, Base64Encode(hash), "\n");
  }
  return absl::StrCat(body, "\n", request.note);
}

}  // namespace carnet::ledger
