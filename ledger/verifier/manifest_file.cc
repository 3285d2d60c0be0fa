// From the bytes of a manifest to its parts: zstd, then JSON. Everything is bounded, nothing is
// believed.
#include <zstd.h>

#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/status.h"
#include "ledger/verifier/errors.h"
#include "ledger/verifier/manifest.h"
#include "ledger/verifier/merkle.h"

namespace carnet::ledger::verifier {
namespace {

constexpr int kWindowLogMax = 27;  // 128 MiB: what zstd's own tools accept unasked
constexpr int kDepthMax = 4;
constexpr std::size_t kStatementBytesMax = std::size_t{1} << 20;

absl::Status Bad(absl::string_view why) {
  return BadEvidence(absl::StrCat("manifest: ", why));
}

struct DStreamDeleter {
  void operator()(ZSTD_DStream* stream) const noexcept { ZSTD_freeDStream(stream); }
};

// Memory follows what really comes out, whatever the frame's header says.
absl::StatusOr<std::string> Unpack(ByteView file) {
  if (file.size() > kManifestBytesMax) {
    return Bad("the file is over 256 MiB");
  }
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
    if (text.size() + out.pos > kManifestJsonBytesMax) {
      return Bad("it unpacks to more than 256 MiB");
    }
    text.append(chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(out.pos));
    if (left != 0 && in.pos == in.size && out.pos == 0) {
      return Bad("it ends too early");
    }
  }
  return in.pos == in.size ? absl::StatusOr<std::string>(std::move(text))
                           : Bad("bytes after its end");
}

// Reads members of one object; the first that is missing or of another kind makes it fail.
class ObjectReader {
 public:
  // count: how many members the object has.
  ObjectReader(const nlohmann::json& object, std::size_t count)
      : object_(object), ok_(object.is_object() && object.size() == count) {}

  std::string Text(const char* key) {
    const nlohmann::json* value = Find(key);
    ok_ = ok_ && value->is_string();
    return ok_ ? value->get<std::string>() : std::string();
  }
  std::uint64_t Number(const char* key) {
    const nlohmann::json* value = Find(key);
    ok_ = ok_ && value->is_number_unsigned();
    return ok_ ? value->get<std::uint64_t>() : 0;
  }
  std::string Blob(const char* key) { return Decoded(Text(key)); }
  const nlohmann::json& List(const char* key, std::size_t max) {
    static const nlohmann::json empty = nlohmann::json::array();
    const nlohmann::json* value = Find(key);
    ok_ = ok_ && value->is_array() && value->size() <= max;
    return ok_ ? *value : empty;
  }
  template <typename Field>
  void Hashes(const char* key, Field& field) {
    for (const nlohmann::json& hash : List(key, kProofHashesMax)) {
      ok_ = ok_ && hash.is_string();
      field.Add(ok_ ? Decoded(hash.get<std::string>()) : std::string());
    }
  }
  bool ok() const { return ok_; }

 private:
  const nlohmann::json* Find(const char* key) {
    const auto member = ok_ ? object_.find(key) : object_.end();
    ok_ = ok_ && member != object_.end();
    return ok_ ? &*member : nullptr;
  }
  std::string Decoded(const std::string& text) {
    const absl::StatusOr<Bytes> bytes = ok_ ? Base64Decode(text) : absl::StatusOr<Bytes>(Bytes());
    ok_ = ok_ && bytes.ok();
    return ok_ ? ToString(*bytes) : std::string();
  }

  const nlohmann::json& object_;
  bool ok_;
};

absl::StatusOr<v1::ProvenRecord> ReadRecord(const nlohmann::json& json, std::uint64_t tree_size) {
  ObjectReader members(json, 5);
  v1::ProvenRecord record;
  record.mutable_proof()->set_index(members.Number("index"));
  record.mutable_proof()->set_tree_size(tree_size);
  record.mutable_record()->set_statement(members.Text("statement"));
  record.mutable_record()->set_signature(members.Blob("signature"));
  record.mutable_record()->set_public_key(members.Blob("public_key"));
  members.Hashes("proof", *record.mutable_proof()->mutable_hashes());
  if (!members.ok() || record.record().statement().size() > kStatementBytesMax) {
    return Bad("a record is not as this version writes them");
  }
  return record;
}

}  // namespace

absl::StatusOr<Manifest> ParseManifest(ByteView file) {
  CARNET_ASSIGN_OR_RETURN(const std::string text, Unpack(file));
  const absl::StatusOr<nlohmann::json> json = ParseJson(text, kManifestJsonBytesMax, kDepthMax);
  if (!json.ok() || !json->is_object() || !json->contains("format") ||
      (*json)["format"] != "carnet-manifest" || !json->contains("version") ||
      (*json)["version"] != 1 || !json->contains("form") || (*json)["form"] != "full") {
    return Bad("not a manifest of version 1 in the form `full`");
  }
  ObjectReader members(*json, 9);
  Manifest manifest;
  manifest.job_id = members.Text("job");
  manifest.head = members.Text("head");
  const std::uint64_t size = members.Number("size");
  const absl::StatusOr<Digest> model = DigestFromHex(members.Text("model"));
  const nlohmann::json& records = members.List("records", kManifestRecordsMax);
  const nlohmann::json& consistency = members.List("consistency", kManifestRecordsMax);
  if (!members.ok() || !model.ok()) {
    return Bad("a member is missing or of another kind");
  }
  manifest.model_sha256 = *model;
  for (const nlohmann::json& entry : records) {
    CARNET_ASSIGN_OR_RETURN(v1::ProvenRecord record, ReadRecord(entry, size));
    if (!manifest.records.empty() &&
        record.proof().index() <= manifest.records.back().proof().index()) {
      return Bad("its records are not in ascending order");
    }
    manifest.records.push_back(std::move(record));
  }
  for (const nlohmann::json& entry : consistency) {
    ObjectReader proof(entry, 2);
    v1::ConsistencyProof parsed;
    parsed.set_old_size(proof.Number("size"));
    parsed.set_new_size(size);
    proof.Hashes("proof", *parsed.mutable_hashes());
    if (!proof.ok() || !manifest.consistency.emplace(parsed.old_size(), parsed).second) {
      return Bad("a consistency proof is not as this version writes them");
    }
  }
  return manifest;
}

}  // namespace carnet::ledger::verifier
