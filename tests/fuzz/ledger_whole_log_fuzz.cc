// The bytes as the files of a log under a well signed head: entry bundles, tiles and statements.
// Two bytes of size, then `uint16 length || bytes` for each resource in the order in which the
// verifier asks; an empty one is missing. A tile of 32 bytes stands for the right one, so that what
// is read after tiles is reached.
#include <map>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ledger/head.h"
#include "ledger/merkle.h"
#include "ledger/trust.h"
#include "ledger/verifier/whole_log.h"

namespace {

using carnet::Bytes;
using carnet::ByteView;
using carnet::Digest;
using carnet::kDigestBytes;
using carnet::crypto::Ed25519KeyPair;
namespace ledger = carnet::ledger;

constexpr char kOrigin[] = "ledger.test/log";
constexpr std::size_t kSizeMax = 600;

std::size_t TakeNumber(ByteView& rest) {
  if (rest.size() < 2) {
    rest = {};
    return 0;
  }
  const std::size_t number = std::size_t{rest[0]} << 8 | rest[1];
  rest = rest.subspan(2);
  return number;
}

// The leaf hashes of an entry bundle, as far as it is one.
std::vector<Digest> LeavesOf(ByteView bundle) {
  std::vector<Digest> leaves;
  while (!bundle.empty()) {
    const std::size_t length = TakeNumber(bundle);
    if (length == 0 || length > bundle.size()) {
      break;
    }
    leaves.push_back(ledger::LeafHash(bundle.first(length)));
    bundle = bundle.subspan(length);
  }
  return leaves;
}

class FuzzedSource final : public ledger::verifier::LogSource {
 public:
  FuzzedSource(std::string head, ByteView rest) : head_(std::move(head)), rest_(rest) {}

  absl::StatusOr<Bytes> Read(absl::string_view path) override {
    if (path == "checkpoint") {
      return carnet::ToBytes(head_);
    }
    const std::size_t length = std::min(TakeNumber(rest_), rest_.size());
    if (length == 0) {
      return absl::NotFoundError("none");
    }
    Bytes bytes(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(length));
    rest_ = rest_.subspan(length);
    if (absl::StartsWith(path, "tile/entries/")) {
      leaves_ = LeavesOf(bytes);
    } else if (absl::StartsWith(path, "tile/0/") && length == kDigestBytes) {
      bytes.clear();
      for (const Digest& leaf : leaves_) {
        bytes.insert(bytes.end(), leaf.begin(), leaf.end());
      }
    }
    return bytes;
  }

 private:
  const std::string head_;
  ByteView rest_;
  std::vector<Digest> leaves_;
};

// The genesis of the policy: the first entry of the first bundle.
Digest FirstLeaf(ByteView rest) {
  const std::size_t length = std::min(TakeNumber(rest), rest.size());
  const std::vector<Digest> leaves = LeavesOf(rest.first(length));
  return leaves.empty() ? Digest{} : leaves.front();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes) {
  static const auto* const pair =
      new Ed25519KeyPair(*Ed25519KeyPair::FromSeed(carnet::crypto::SecretBytes(32)));
  ByteView rest(data, size_bytes);
  const std::size_t size = TakeNumber(rest) % kSizeMax;
  const ledger::NoteKey key{.name = kOrigin, .public_key = pair->public_key()};
  const auto head =
      ledger::SignHead({.origin = kOrigin, .size = size, .root = ledger::EmptyRoot()}, *pair);
  const auto policy =
      ledger::verifier::ParseTrustPolicy(ledger::TrustPolicyText(key, FirstLeaf(rest)));
  CARNET_CHECK(head.ok() && policy.ok());
  FuzzedSource source(head->note, rest);
  const auto verdict = ledger::verifier::VerifyWholeLog(source, *policy, {});
  // Nobody finds entries whose root is that of the empty tree.
  CARNET_CHECK(verdict.failure.has_value() == (size > 0));
  CARNET_CHECK(verdict.report.entries_checked <= size);
  return 0;
}
