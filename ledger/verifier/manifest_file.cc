// From the bytes of a manifest to its parts: zstd, then sections of stated lengths. Everything is
// bounded, nothing is believed.
#include <zstd.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ledger/verifier/errors.h"
#include "ledger/verifier/manifest.h"
#include "ledger/verifier/record_ids.h"

namespace carnet::ledger::verifier {
namespace {

constexpr int kWindowLogMax = 27;  // 128 MiB: what zstd's own tools accept unasked
constexpr std::size_t kStatementBytesMax = std::size_t{1} << 20;
constexpr std::size_t kSignatureBytes = 64;
constexpr std::size_t kPublicKeyBytes = 32;
constexpr std::size_t kLineBytesMax = 128;
constexpr char kMagic[] = "carnet-manifest/v1";
// A node for each level on both sides of each leaf and each earlier size is more than any proof
// has.
constexpr std::size_t kNodesMax = std::size_t{4} * 1024 * 1024;

absl::Status Bad(absl::string_view why) {
  return BadEvidence(absl::StrCat("manifest: ", why));
}

struct DStreamDeleter {
  void operator()(ZSTD_DStream* stream) const noexcept { ZSTD_freeDStream(stream); }
};

// The size that the frame states; nothing is unpacked that states none, or too much.
absl::StatusOr<std::size_t> StatedSize(ByteView file) {
  if (file.size() > kManifestBytesMax) {
    return Bad("the file is over 256 MiB");
  }
  const unsigned long long size = ZSTD_getFrameContentSize(file.data(), file.size());
  if (size == ZSTD_CONTENTSIZE_ERROR) {
    return Bad("not zstd, or damaged");
  }
  if (size == ZSTD_CONTENTSIZE_UNKNOWN || size > kManifestUnpackedBytesMax) {
    return Bad("it does not state a size of at most 512 MiB");
  }
  return static_cast<std::size_t>(size);
}

// Memory follows what really comes out, up to what was stated.
absl::StatusOr<std::string> Unpack(ByteView file) {
  CARNET_ASSIGN_OR_RETURN(const std::size_t stated, StatedSize(file));
  const std::unique_ptr<ZSTD_DStream, DStreamDeleter> stream(ZSTD_createDStream());
  if (stream == nullptr ||
      ZSTD_isError(ZSTD_DCtx_setParameter(stream.get(), ZSTD_d_windowLogMax, kWindowLogMax)) != 0) {
    return absl::InternalError("manifest: zstd could not start");
  }
  ZSTD_inBuffer in{.src = file.data(), .size = file.size(), .pos = 0};
  std::string text;
  Bytes chunk(ZSTD_DStreamOutSize());
  std::size_t left = 1;
  while (left != 0) {
    ZSTD_outBuffer out{.dst = chunk.data(), .size = chunk.size(), .pos = 0};
    left = ZSTD_decompressStream(stream.get(), &out, &in);
    if (ZSTD_isError(left) != 0) {
      return Bad("not zstd, or damaged");
    }
    if (text.size() + out.pos > stated) {
      return Bad("it unpacks to more than it states");
    }
    text.append(chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(out.pos));
    if (left != 0 && in.pos == in.size && out.pos == 0) {
      return Bad("it ends too early");
    }
  }
  if (in.pos != in.size || text.size() != stated) {
    return Bad("bytes after its end, or fewer than it states");
  }
  return text;
}

// Reads from the front; the first read that fails makes all later ones fail.
class Reader {
 public:
  explicit Reader(absl::string_view text) : text_(text) {}

  absl::string_view Take(std::size_t count) {
    ok_ = ok_ && count <= text_.size();
    if (!ok_) {
      return {};
    }
    const absl::string_view taken = text_.substr(0, count);
    text_.remove_prefix(count);
    return taken;
  }
  absl::string_view Line() {
    const std::size_t end = text_.substr(0, kLineBytesMax).find('\n');
    ok_ = ok_ && end != absl::string_view::npos;
    const absl::string_view line = Take(ok_ ? end : 0);
    Take(1);
    return line;
  }
  std::uint64_t Number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (const char byte : Take(bytes)) {
      value = value << 8 | static_cast<std::uint8_t>(byte);
    }
    return value;
  }
  // A count of items that take at least `item_bytes` each: never more than there can be.
  std::size_t Count(std::size_t max, std::size_t item_bytes) {
    const std::uint64_t count = Number(4);
    ok_ = ok_ && count <= max && count <= text_.size() / item_bytes;
    return ok_ ? static_cast<std::size_t>(count) : 0;
  }
  Digest Hash() { return ToDigest(AsBytes(Take(kDigestBytes))).value_or(Digest{}); }
  bool ok() const { return ok_; }
  bool at_end() const { return text_.empty(); }

 private:
  absl::string_view text_;
  bool ok_ = true;
};

// Its bytes, with the ids that the compact form leaves out. budget: bytes that statements may still
// take.
absl::StatusOr<std::string> Statement(absl::string_view stored, ManifestForm form,
                                      std::size_t* budget) {
  absl::StatusOr<std::string> statement =
      form == ManifestForm::kFull ? std::string(stored)
                                  : RestoreIds(stored, std::min(kStatementBytesMax, *budget));
  if (statement.ok()) {
    *budget -= std::min(*budget, statement->size());
  }
  return statement;
}

absl::Status ReadRecords(Reader& reader, Manifest& manifest) {
  std::size_t budget = kManifestUnpackedBytesMax;
  const std::size_t count =
      reader.Count(kManifestRecordsMax, 8 + 4 + 1 + kSignatureBytes + kPublicKeyBytes);
  manifest.records.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    IndexedRecord entry;
    entry.index = reader.Number(8);
    const std::uint64_t statement_bytes = reader.Number(4);
    if (!reader.ok() || statement_bytes == 0 || statement_bytes > kStatementBytesMax) {
      return Bad("a statement that is empty or over 1 MiB");
    }
    CARNET_ASSIGN_OR_RETURN(*entry.record.mutable_statement(),
                            Statement(reader.Take(statement_bytes), manifest.form, &budget));
    entry.record.set_signature(std::string(reader.Take(kSignatureBytes)));
    entry.record.set_public_key(std::string(reader.Take(kPublicKeyBytes)));
    if (!manifest.records.empty() && entry.index <= manifest.records.back().index) {
      return Bad("its records are not in ascending order");
    }
    manifest.records.push_back(std::move(entry));
  }
  return absl::OkStatus();
}

absl::Status ReadLeaves(Reader& reader, Manifest& manifest) {
  const std::size_t count =
      reader.Count(kManifestRecordsMax - manifest.records.size(), 8 + kDigestBytes);
  if (manifest.form == ManifestForm::kFull && count > 0) {
    return Bad("leaves without statements in the form `full`");
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t index = reader.Number(8);
    if (!manifest.leaves.empty() && index <= manifest.leaves.rbegin()->first) {
      return Bad("its leaves are not in ascending order");
    }
    manifest.leaves.emplace_hint(manifest.leaves.end(), index, reader.Hash());
  }
  for (const IndexedRecord& entry : manifest.records) {
    if (manifest.leaves.count(entry.index) != 0) {
      return Bad("an index stands for a statement and for a leaf");
    }
  }
  return absl::OkStatus();
}

absl::Status ReadHeading(Reader& reader, Manifest& manifest) {
  if (reader.Line() != kMagic) {
    return Bad("not a manifest of version 1");
  }
  const absl::string_view form = reader.Line();
  if (form != "full" && form != "compact") {
    return Bad("neither in the form `full` nor `compact`");
  }
  manifest.form = form == "full" ? ManifestForm::kFull : ManifestForm::kCompact;
  manifest.job_id = std::string(reader.Line());
  const absl::StatusOr<Digest> model = DigestFromHex(reader.Line());
  const std::size_t head_bytes = reader.Count(kHeadBytesMax, 1);
  manifest.head = std::string(reader.Take(head_bytes));
  if (!reader.ok() || !model.ok()) {
    return Bad("its heading is not as this version writes it");
  }
  manifest.model_sha256 = *model;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Manifest> ParseManifest(ByteView file) {
  CARNET_ASSIGN_OR_RETURN(const std::string text, Unpack(file));
  Reader reader(text);
  Manifest manifest;
  CARNET_RETURN_IF_ERROR(ReadHeading(reader, manifest));
  CARNET_RETURN_IF_ERROR(ReadRecords(reader, manifest));
  CARNET_RETURN_IF_ERROR(ReadLeaves(reader, manifest));
  const std::size_t nodes = reader.Count(kNodesMax, kDigestBytes);
  manifest.nodes.reserve(nodes);
  for (std::size_t i = 0; i < nodes; ++i) {
    manifest.nodes.push_back(reader.Hash());
  }
  if (!reader.ok() || !reader.at_end()) {
    return Bad("a length that does not fit its contents");
  }
  return manifest;
}

}  // namespace carnet::ledger::verifier
