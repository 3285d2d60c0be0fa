#include "manifest_parts.h"

#include <zstd.h>

#include "absl/strings/str_cat.h"

namespace carnet::testing_ledger {
namespace {

std::string BigEndian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = bytes - 1; i >= 0; --i) {
    text.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
  }
  return text;
}

// Takes from the front of a text that is known to be good.
struct Cursor {
  std::string text;
  std::size_t at = 0;

  std::string Take(std::size_t count) {
    at += count;
    return text.substr(at - count, count);
  }
  std::string Line() {
    const std::size_t end = text.find('\n', at);
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    return line;
  }
  std::uint64_t Number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (const char byte : Take(bytes)) {
      value = value << 8 | static_cast<std::uint8_t>(byte);
    }
    return value;
  }
};

}  // namespace

Bytes PackFrame(const std::string& text) {
  Bytes packed(ZSTD_compressBound(text.size()));
  packed.resize(ZSTD_compress(packed.data(), packed.size(), text.data(), text.size(), 1));
  return packed;
}

std::string UnpackFrame(const Bytes& packed) {
  std::string text(ZSTD_getFrameContentSize(packed.data(), packed.size()), '\0');
  ZSTD_decompress(text.data(), text.size(), packed.data(), packed.size());
  return text;
}

ManifestParts ManifestParts::Read(const Bytes& file) {
  Cursor cursor{.text = UnpackFrame(file)};
  ManifestParts parts;
  parts.magic = cursor.Line();
  parts.form = cursor.Line();
  parts.job = cursor.Line();
  parts.model = cursor.Line();
  parts.head = cursor.Take(cursor.Number(4));
  const std::uint64_t records = cursor.Number(4);
  for (std::uint64_t i = 0; i < records; ++i) {
    Entry entry;
    entry.index = cursor.Number(8);
    entry.statement = cursor.Take(cursor.Number(4));
    entry.signature_and_key = cursor.Take(96);
    parts.records.push_back(entry);
  }
  const std::uint64_t leaves = cursor.Number(4);
  for (std::uint64_t i = 0; i < leaves; ++i) {
    const std::uint64_t index = cursor.Number(8);
    parts.leaves.emplace_back(index, cursor.Take(32));
  }
  const std::uint64_t nodes = cursor.Number(4);
  for (std::uint64_t i = 0; i < nodes; ++i) {
    parts.nodes.push_back(cursor.Take(32));
  }
  return parts;
}

std::string ManifestParts::Text() const {
  std::string text = absl::StrCat(magic, "\n", form, "\n", job, "\n", model, "\n",
                                  BigEndian(head.size(), 4), head, BigEndian(records.size(), 4));
  for (const Entry& entry : records) {
    absl::StrAppend(&text, BigEndian(entry.index, 8), BigEndian(entry.statement.size(), 4),
                    entry.statement, entry.signature_and_key);
  }
  text += BigEndian(leaves.size(), 4);
  for (const auto& [index, hash] : leaves) {
    absl::StrAppend(&text, BigEndian(index, 8), hash);
  }
  text += BigEndian(nodes.size(), 4);
  for (const std::string& node : nodes) {
    text += node;
  }
  return text;
}

}  // namespace carnet::testing_ledger
