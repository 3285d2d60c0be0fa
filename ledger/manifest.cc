#include "ledger/manifest.h"

#include <zstd.h>

#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"

namespace carnet::ledger {
namespace {

constexpr int kCompressionLevel = 9;

struct CompressorDeleter {
  void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
};

template <typename Hashes>
nlohmann::json HashList(const Hashes& hashes) {
  nlohmann::json list = nlohmann::json::array();
  for (const std::string& hash : hashes) {
    list.push_back(Base64Encode(AsBytes(hash)));
  }
  return list;
}

// The `seen` of a record; null: it has none.
const v1::Seen* SeenOf(const Record& record) {
  if (const auto* contribution = record.As<v1::Contribution>(); contribution != nullptr) {
    return &contribution->seen();
  }
  const auto* evaluation = record.As<v1::Evaluation>();
  return evaluation == nullptr ? nullptr : &evaluation->seen();
}

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

// Collects the parts under one head.
class Builder {
 public:
  Builder(const LogView& log, SignedHead head) : log_(log), head_(std::move(head)) {}

  absl::Status AddRecord(std::uint64_t index);
  absl::StatusOr<Bytes> Finish(const ManifestOrder& order);

 private:
  absl::Status AddSeen(std::uint64_t index, const v1::Seen& seen);

  const LogView& log_;
  const SignedHead head_;
  std::size_t bytes_ = 0;
  nlohmann::json records_ = nlohmann::json::array();
  nlohmann::json consistency_ = nlohmann::json::array();
  std::set<std::uint64_t> seen_sizes_;
};

absl::Status Builder::AddRecord(std::uint64_t index) {
  if (index >= head_.head.size) {
    return WithRemedy(
        absl::OutOfRangeError("manifest: the published head does not cover all of it yet"),
        "try again when the witnesses have cosigned a newer head");
  }
  CARNET_ASSIGN_OR_RETURN(const v1::SignedRecord record, log_.ReadRecord(index));
  CARNET_ASSIGN_OR_RETURN(const v1::InclusionProof proof,
                          log_.InclusionProof(index, head_.head.size));
  CARNET_ASSIGN_OR_RETURN(const Record opened, OpenVerifiedRecord(record));
  bytes_ += record.statement().size() * 2;  // escaped as JSON in JSON
  if (bytes_ > kManifestJsonBytesMax) {
    return absl::ResourceExhaustedError("manifest: over 256 MiB");
  }
  records_.push_back({{"index", index},
                      {"statement", record.statement()},
                      {"signature", Base64Encode(AsBytes(record.signature()))},
                      {"public_key", Base64Encode(AsBytes(record.public_key()))},
                      {"proof", HashList(proof.hashes())}});
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
  if (!seen_sizes_.insert(seen.size()).second) {
    return absl::OkStatus();
  }
  CARNET_ASSIGN_OR_RETURN(const v1::ConsistencyProof proof,
                          log_.ConsistencyProof(seen.size(), head_.head.size));
  consistency_.push_back({{"size", seen.size()}, {"proof", HashList(proof.hashes())}});
  return absl::OkStatus();
}

absl::StatusOr<Bytes> Builder::Finish(const ManifestOrder& order) {
  const nlohmann::json manifest = {{"format", "carnet-manifest"},
                                   {"version", 1},
                                   {"form", "full"},
                                   {"job", order.job_id},
                                   {"model", HexEncode(order.model_sha256)},
                                   {"head", head_.note},
                                   {"size", head_.head.size},
                                   {"records", std::move(records_)},
                                   {"consistency", std::move(consistency_)}};
  const std::string text = manifest.dump();
  if (text.size() > kManifestJsonBytesMax) {
    return absl::ResourceExhaustedError("manifest: over 256 MiB");
  }
  return Pack(text);
}

}  // namespace

absl::StatusOr<Bytes> MakeManifest(const LogView& log, const ManifestOrder& order) {
  if (order.job_id.empty()) {
    return absl::InvalidArgumentError("manifest: no job");
  }
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
  return builder.Finish(order);
}

}  // namespace carnet::ledger
