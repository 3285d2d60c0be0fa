#include "ledger/readers/state_source.h"

#include <sqlite3.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace carnet::ledger {
namespace {

constexpr std::uint64_t kWidth = 256;
constexpr int kBusyTimeoutMs = 5'000;

absl::Status Damaged(sqlite3* database) {
  return WithOperatorDetail(absl::DataLossError("store: it cannot be read"),
                            sqlite3_errmsg(database));
}

// What LogSource's paths name.
struct Resource {
  std::string kind;  // "tile/entries", "statements" or "tile/<level>"
  std::uint64_t index = 0;
  std::uint64_t width = kWidth;
};

absl::StatusOr<Resource> ParsePath(absl::string_view path) {
  Resource resource;
  std::vector<absl::string_view> parts = absl::StrSplit(path, '/');
  const std::size_t prefix = parts[0] == "tile" ? 2 : 1;
  if (parts.size() <= prefix) {
    return absl::NotFoundError("store: no such resource");
  }
  resource.kind = prefix == 2 ? absl::StrCat("tile/", parts[1]) : std::string(parts[0]);
  if (parts.size() >= prefix + 2 && absl::ConsumeSuffix(&parts[parts.size() - 2], ".p")) {
    if (!absl::SimpleAtoi(parts.back(), &resource.width) || resource.width == 0 ||
        resource.width >= kWidth) {
      return absl::NotFoundError("store: no such resource");
    }
    parts.pop_back();
  }
  for (std::size_t i = prefix; i < parts.size(); ++i) {
    std::uint64_t group = 0;
    absl::ConsumePrefix(&parts[i], "x");
    if (parts[i].size() != 3 || !absl::SimpleAtoi(parts[i], &group)) {
      return absl::NotFoundError("store: no such resource");
    }
    resource.index = resource.index * 1000 + group;
  }
  return resource;
}

// Calls `take` with each row's first column.
template <typename Take>
absl::Status ForEachBlob(sqlite3* database, const char* sql, std::uint64_t first,
                         std::uint64_t second, const Take& take) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v2(database, sql, -1, &statement, nullptr) != SQLITE_OK) {
    return Damaged(database);
  }
  sqlite3_bind_int64(statement, 1, static_cast<sqlite3_int64>(first));
  sqlite3_bind_int64(statement, 2, static_cast<sqlite3_int64>(second));
  int result = SQLITE_ROW;
  while ((result = sqlite3_step(statement)) == SQLITE_ROW) {
    const auto* data = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement, 0));
    take(ByteView(data, static_cast<std::size_t>(sqlite3_column_bytes(statement, 0))));
  }
  const absl::Status status = result == SQLITE_DONE ? absl::OkStatus() : Damaged(database);
  sqlite3_finalize(statement);
  return status;
}

// What to say of a range of records that is not whole.
absl::Status FirstMissing(sqlite3* database, const char* sql, std::uint64_t first,
                          std::uint64_t end) {
  std::uint64_t index = first;
  for (; index < end; ++index) {
    bool found = false;
    CARNET_RETURN_IF_ERROR(ForEachBlob(database, sql, index, index + 1,
                                       [&found](ByteView /*part*/) { found = true; }));
    if (!found) {
      break;
    }
  }
  return absl::NotFoundError(absl::StrCat("store: record ", index, " is missing"));
}

// Parts with a big-endian length of `length_bytes` before each, as bundles hold them.
absl::StatusOr<Bytes> ReadParts(sqlite3* database, const char* sql, const Resource& resource,
                                std::size_t length_bytes) {
  Bytes bundle;
  std::uint64_t count = 0;
  const std::uint64_t first = resource.index * kWidth;
  const auto take = [&bundle, &count, length_bytes](ByteView part) {
    for (std::size_t i = length_bytes; i-- > 0;) {
      bundle.push_back(static_cast<std::uint8_t>((part.size() >> (8 * i)) & 0xff));
    }
    bundle.insert(bundle.end(), part.begin(), part.end());
    ++count;
  };
  CARNET_RETURN_IF_ERROR(ForEachBlob(database, sql, first, first + resource.width, take));
  return count == resource.width ? absl::StatusOr<Bytes>(std::move(bundle))
                                 : FirstMissing(database, sql, first, first + resource.width);
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateSource>> StateSource::Open(
    const std::filesystem::path& state_dir) {
  const std::filesystem::path file = state_dir / "ledger.db";
  std::error_code error;
  if (!std::filesystem::exists(file, error)) {
    return WithOperatorDetail(absl::NotFoundError("store: no log here"), file.string());
  }
  sqlite3* database = nullptr;
  const int result =
      sqlite3_open_v2(file.c_str(), &database, SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX, nullptr);
  std::unique_ptr<StateSource> source(new StateSource(database));
  sqlite3_busy_timeout(database, kBusyTimeoutMs);
  // One transaction, so that a running writer does not change what is read.
  if (result != SQLITE_OK ||
      sqlite3_exec(database, "BEGIN", nullptr, nullptr, nullptr) != SQLITE_OK) {
    return Damaged(database);
  }
  return source;
}

StateSource::~StateSource() {
  sqlite3_close_v2(database_);
}

absl::StatusOr<Bytes> StateSource::Read(absl::string_view path) {
  Bytes bytes;
  const auto take = [&bytes](ByteView blob) { bytes.assign(blob.begin(), blob.end()); };
  if (path == "checkpoint") {
    CARNET_RETURN_IF_ERROR(ForEachBlob(
        database_, "SELECT note FROM heads WHERE size >= ?1 AND ?2 = 0 ORDER BY size DESC LIMIT 1",
        0, 0, take));
    return bytes.empty() ? absl::NotFoundError("store: no head yet")
                         : absl::StatusOr<Bytes>(std::move(bytes));
  }
  CARNET_ASSIGN_OR_RETURN(const Resource resource, ParsePath(path));
  if (resource.kind == "tile/entries") {
    return ReadParts(database_,
                     "SELECT entry FROM records WHERE idx >= ?1 AND idx < ?2 ORDER BY idx",
                     resource, 2);
  }
  if (resource.kind == "statements") {
    return ReadParts(database_,
                     "SELECT statement FROM records WHERE idx >= ?1 AND idx < ?2 ORDER BY idx",
                     resource, 4);
  }
  std::uint64_t level = 0;
  if (!absl::SimpleAtoi(absl::StripPrefix(resource.kind, "tile/"), &level)) {
    return absl::NotFoundError("store: no such resource");
  }
  CARNET_RETURN_IF_ERROR(ForEachBlob(database_,
                                     "SELECT hashes FROM tiles WHERE level = ?1 AND idx = ?2",
                                     level, resource.index, take));
  if (bytes.size() < resource.width * kDigestBytes) {
    return absl::NotFoundError("store: a tile is missing or short");
  }
  bytes.resize(resource.width * kDigestBytes);
  return bytes;
}

}  // namespace carnet::ledger
