#include "ledger/manifest.h"

#include <zstd.h>

#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "ledger/record_ids.h"
#include "ledger/shared_proof.h"

namespace carnet::ledger {
namespace {

constexpr int kCompressionLevel = 9;
constexpr char kMagic[] = "carnet-manifest/v1\n";

struct CompressorDeleter {
  void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
};

// The `seen` of a record; null: it has none.
const v1::Seen* SeenOf(const Record& record) {
  if (const auto* contribution = record.As<v1::Contribution>(); contribution != nullptr) {
    return &contribution->seen();
  }
  const auto* evaluation = record.As<v1::Evaluation>();
  return evaluation == nullptr ? nullptr : &evaluation->seen();
}

void PutNumber(std::uint64_t value, int bytes, std::string& out) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>((value >> shift) & 0xff));
  }
}

// A frame of one piece: its header states the size of what is in it.
absl::StatusOr<Bytes> Pack(const std::string& text) {
  const std::unique_ptr<ZSTD_CCtx, CompressorDeleter> context(ZSTD_createCCtx());
  Bytes packed(ZSTD_compressBound(text.size()));
  if (context == nullptr ||
      ZSTD_isError(
          ZSTD_CCtx_setParameter(context.get(), ZSTD_c_compressionLevel, kCompressionLevel)) != 0 ||
      ZSTD_isError(ZSTD_CCtx_setParameter(context.get(), ZSTD_c_checksumFlag, 1)) != 0) {
    return absl::InternalError("manifest: zstd could not start");
  }
  const std::size_t size =
      ZSTD_compress2(context.get(), packed.data(), packed.size(), text.data(), text.size());
  if (ZSTD_isError(size) != 0) {
    return absl::InternalError("manifest: zstd failed");
  }
  packed.resize(size);
  return packed;
}

absl::Status CheckSize(std::size_t bytes) {
  return bytes > kManifestUnpackedBytesMax
             ? absl::ResourceExhaustedError("manifest: over 512 MiB before compression")
             : absl::OkStatus();
}

// Collects the parts under one head.
class Builder {
 public:
  Builder(const LogView& log, SignedHead head) : log_(log), head_(std::move(head)) {}

  absl::Status AddRecord(std::uint64_t index);
  absl::StatusOr<Bytes> Finish(const ManifestOrder& order) &&;

 private:
  absl::Status AddSeen(std::uint64_t index, const v1::Seen& seen);

  const LogView& log_;
  const SignedHead head_;
  ManifestContents contents_;
  std::size_t bytes_ = 0;
  std::vector<std::uint64_t> indexes_;
  std::set<std::uint64_t> seen_sizes_;
};

absl::Status Builder::AddRecord(std::uint64_t index) {
  if (index >= head_.head.size) {
    return WithRemedy(
        absl::OutOfRangeError("manifest: the published head does not cover all of it yet"),
        "try again when the witnesses have cosigned a newer head");
  }
  CARNET_ASSIGN_OR_RETURN(v1::SignedRecord record, log_.ReadRecord(index));
  CARNET_ASSIGN_OR_RETURN(const Record opened, OpenVerifiedRecord(record));
  bytes_ += record.ByteSizeLong();
  CARNET_RETURN_IF_ERROR(CheckSize(bytes_));
  indexes_.push_back(index);
  contents_.records.emplace_back(index, std::move(record));
  const v1::Seen* seen = SeenOf(opened);
  return seen == nullptr ? absl::OkStatus() : AddSeen(index, *seen);
}

absl::Status Builder::AddSeen(std::uint64_t index, const v1::Seen& seen) {
  const absl::Status other = absl::FailedPreconditionError(absl::StrCat(
      "manifest: what the worker of record ", index, " saw is not a prefix of this log"));
  if (seen.size() > head_.head.size) {
    return other;
  }
  CARNET_ASSIGN_OR_RETURN(const Digest root, log_.Root(seen.size()));
  if (AsText(root) != seen.root()) {
    return other;
  }
  seen_sizes_.insert(seen.size());
  return absl::OkStatus();
}

absl::StatusOr<Bytes> Builder::Finish(const ManifestOrder& order) && {
  CARNET_ASSIGN_OR_RETURN(
      contents_.nodes,
      ProveTogether(log_, indexes_, {seen_sizes_.begin(), seen_sizes_.end()}, head_.head.size));
  contents_.job_id = order.job_id;
  contents_.model_sha256 = order.model_sha256;
  contents_.head = head_.note;
  return PackManifest(contents_);
}

}  // namespace

absl::StatusOr<Bytes> MakeManifest(const LogView& log, const ManifestOrder& order) {
  std::set<std::uint64_t> indexes(order.indexes.begin(), order.indexes.end());
  indexes.insert(0);
  if (indexes.size() > kManifestRecordsMax) {
    return absl::ResourceExhaustedError("manifest: too many records");
  }
  CARNET_ASSIGN_OR_RETURN(SignedHead head, log.PublishedHead());
  Builder builder(log, std::move(head));
  for (const std::uint64_t index : indexes) {
    CARNET_RETURN_IF_ERROR(builder.AddRecord(index));
  }
  return std::move(builder).Finish(order);
}

absl::StatusOr<Bytes> PackManifest(const ManifestContents& contents) {
  if (contents.job_id.empty() || contents.job_id.find('\n') != std::string::npos) {
    return absl::InvalidArgumentError("manifest: no job");
  }
  std::string text = absl::StrCat(kMagic, contents.compact ? "compact" : "full", "\n",
                                  contents.job_id, "\n", HexEncode(contents.model_sha256), "\n");
  PutNumber(contents.head.size(), 4, text);
  text += contents.head;
  PutNumber(contents.records.size(), 4, text);
  for (const auto& [index, record] : contents.records) {
    const std::string statement =
        contents.compact ? ShortenIds(record.statement()) : record.statement();
    PutNumber(index, 8, text);
    PutNumber(statement.size(), 4, text);
    absl::StrAppend(&text, statement, record.signature(), record.public_key());
  }
  PutNumber(contents.leaves.size(), 4, text);
  for (const auto& [index, hash] : contents.leaves) {
    PutNumber(index, 8, text);
    text.append(AsText(hash).data(), kDigestBytes);
  }
  PutNumber(contents.nodes.size(), 4, text);
  for (const Digest& node : contents.nodes) {
    text.append(AsText(node).data(), kDigestBytes);
  }
  CARNET_RETURN_IF_ERROR(CheckSize(text.size()));
  return Pack(text);
}

}  // namespace carnet::ledger
