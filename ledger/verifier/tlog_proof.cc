#include "ledger/verifier/tlog_proof.h"

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status.h"
#include "ledger/verifier/errors.h"
#include "ledger/verifier/merkle.h"

namespace carnet::ledger::verifier {
namespace {

constexpr char kProofHeader[] = "c2sp.org/tlog-proof@v1";

absl::Status Malformed(absl::string_view why) {
  return BadEvidence(absl::StrCat("tlog-proof: ", why));
}

// Takes the next line off `rest`, its line feed included.
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

absl::StatusOr<TlogProofFile> ParseTlogProof(absl::string_view text) {
  absl::string_view line;
  if (text.size() > kTlogProofBytesMax || !TakeLine(text, line) || line != kProofHeader) {
    return Malformed("its first line is another one");
  }
  bool more = TakeLine(text, line);
  if (more && absl::ConsumePrefix(&line, "extra ")) {
    if (!Base64Decode(line).ok()) {
      return Malformed("`extra` is not base64");
    }
    more = TakeLine(text, line);
  }
  TlogProofFile proof;
  if (!more || !absl::ConsumePrefix(&line, "index ") || !absl::SimpleAtoi(line, &proof.index) ||
      absl::StrCat(proof.index) != line) {
    return Malformed("no line `index` with a decimal");
  }
  while (true) {
    if (!TakeLine(text, line)) {
      return Malformed("no empty line before the head");
    }
    if (line.empty()) {
      break;
    }
    const absl::StatusOr<Bytes> hash = Base64Decode(line);
    if (!hash.ok() || hash->size() != kDigestBytes || proof.path.size() == kProofHashesMax) {
      return Malformed("a hash is not base64 of 32 bytes, or there are too many");
    }
    proof.path.push_back(*ToDigest(*hash));
  }
  if (text.empty() || text.size() > kHeadBytesMax) {
    return Malformed("no head, or one over 16 KiB");
  }
  proof.head = std::string(text);
  return proof;
}

absl::StatusOr<TrustedHead> VerifyTlogProof(const TlogProofFile& proof, const Digest& leaf_hash,
                                            const TrustPolicy& policy) {
  CARNET_ASSIGN_OR_RETURN(TrustedHead trusted, VerifyTrustedHead(proof.head, policy));
  CARNET_RETURN_IF_ERROR(VerifyInclusion(leaf_hash, proof.index, trusted.head.tree.size, proof.path,
                                         trusted.head.tree.root));
  return trusted;
}

}  // namespace carnet::ledger::verifier
