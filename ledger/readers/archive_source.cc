#include "ledger/readers/archive_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/json.h"
#include "base/status.h"
#include "ledger/verifier/errors.h"

namespace carnet::ledger {
namespace {

constexpr std::uint64_t kBlockBytes = 512;
constexpr std::uint64_t kArchiveBytesMax = std::uint64_t{1} << 46;
constexpr std::size_t kNameBytesMax = 99;
using Block = std::array<std::uint8_t, kBlockBytes>;

absl::Status Bad(absl::string_view why) {
  return verifier::BadEvidence(absl::StrCat("audit bundle: ", why));
}

absl::string_view Field(const Block& block, std::size_t at, std::size_t size) {
  return absl::string_view(AsText(ByteView(block).subspan(at, size)).data(), size);
}

// POSIX.1-1988 ustar: where each field stands.
constexpr std::size_t kSizeAt = 124;
constexpr std::size_t kSumAt = 148;
constexpr std::size_t kTypeAt = 156;

// Eleven octal digits and NUL; -1: something else.
std::int64_t Octal(absl::string_view digits) {
  std::int64_t value = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '7') {
      return -1;
    }
    value = value * 8 + (digit - '0');
  }
  return value;
}

bool IsName(absl::string_view name) {
  const bool letters = std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '/' || c == '.';
  });
  return letters && !name.empty() && !absl::StartsWith(name, "/") &&
         !absl::StrContains(name, "..") && !absl::StrContains(name, "//");
}

// The sum of all bytes with the field of the sum as spaces: six octal digits, NUL, space.
bool SumHolds(const Block& block) {
  std::int64_t sum = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    sum += i >= kSumAt && i < kSumAt + 8 ? ' ' : block[i];
  }
  const absl::string_view field = Field(block, kSumAt, 8);
  return Octal(field.substr(0, 6)) == sum && field[6] == '\0' && field[7] == ' ';
}

// Everything that this form fixes: owners, times, type and the fields that stay empty.
bool IsFixedForm(const Block& block) {
  const auto zeros = [&block](std::size_t from, std::size_t to) {
    return std::all_of(block.begin() + static_cast<std::ptrdiff_t>(from),
                       block.begin() + static_cast<std::ptrdiff_t>(to),
                       [](std::uint8_t byte) { return byte == 0; });
  };
  const absl::string_view fixed("0000644\0000000000\0000000000\0", 24);
  const absl::string_view magic("ustar\00000", 8);
  return Field(block, 100, 24) == fixed &&
         Field(block, 136, 12) == absl::string_view("00000000000\0", 12) && block[kTypeAt] == '0' &&
         zeros(157, 257) && Field(block, 257, 8) == magic && zeros(265, kBlockBytes);
}

}  // namespace

absl::StatusOr<std::unique_ptr<ArchiveSource>> ArchiveSource::Open(
    const std::filesystem::path& path) {
  const int opened = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (opened < 0) {
    return FileError(errno, "open", path);
  }
  const auto fd = std::make_shared<UniqueFd>(opened);
  struct stat status {};
  if (::fstat(fd->get(), &status) != 0) {
    return FileError(errno, "read", path);
  }
  if (!S_ISREG(status.st_mode)) {
    return WithOperatorDetail(absl::FailedPreconditionError("audit bundle: not a file"),
                              path.string());
  }
  const auto read = [fd, path](std::uint64_t offset, std::span<std::uint8_t> out) {
    while (!out.empty()) {
      const ssize_t got = ::pread(fd->get(), out.data(), out.size(), static_cast<off_t>(offset));
      if (got < 0 && errno != EINTR) {
        return FileError(errno, "read", path);
      }
      if (got == 0) {
        return Bad("it ends too early");
      }
      if (got > 0) {
        out = out.subspan(static_cast<std::size_t>(got));
        offset += static_cast<std::uint64_t>(got);
      }
    }
    return absl::OkStatus();
  };
  return Open(read, static_cast<std::uint64_t>(status.st_size));
}

absl::StatusOr<std::unique_ptr<ArchiveSource>> ArchiveSource::Open(ReadAt read,
                                                                   std::uint64_t size_bytes) {
  std::unique_ptr<ArchiveSource> source(new ArchiveSource(std::move(read)));
  CARNET_RETURN_IF_ERROR(source->ReadIndex(size_bytes));
  CARNET_RETURN_IF_ERROR(source->ReadAbout());
  return source;
}

absl::Status ArchiveSource::ReadIndex(std::uint64_t size_bytes) {
  if (size_bytes < 2 * kBlockBytes || size_bytes % kBlockBytes != 0 ||
      size_bytes > kArchiveBytesMax) {
    return Bad("not a whole number of blocks");
  }
  const std::uint64_t end = size_bytes - 2 * kBlockBytes;  // two blocks of zeros
  Block block;
  std::uint64_t offset = 0;
  while (offset < end) {
    CARNET_RETURN_IF_ERROR(read_(offset, block));
    const absl::string_view raw = Field(block, 0, 100);
    const std::string name(raw.substr(0, raw.find('\0')));
    const std::int64_t bytes = Octal(Field(block, kSizeAt, 11));
    if (name.size() > kNameBytesMax || !IsName(name) ||
        raw.find_first_not_of('\0', name.size()) != absl::string_view::npos || bytes < 0 ||
        block[kSizeAt + 11] != 0 || !IsFixedForm(block) || !SumHolds(block)) {
      return Bad(absl::StrCat("the header at byte ", offset, " is not of its form"));
    }
    const auto size = static_cast<std::uint64_t>(bytes);
    const std::uint64_t padded = (size + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
    if (size > kArchiveResourceBytesMax || padded > end - offset - kBlockBytes ||
        entries_.size() == kArchiveEntriesMax) {
      return Bad(absl::StrCat("the entry at byte ", offset, " is over the bounds"));
    }
    if (!entries_.emplace(name, Entry{offset + kBlockBytes, size}).second) {
      return Bad(absl::StrCat("the entry at byte ", offset, " is there twice"));
    }
    offset += kBlockBytes + padded;
  }
  for (; offset < size_bytes; offset += kBlockBytes) {
    CARNET_RETURN_IF_ERROR(read_(offset, block));
    if (block != Block{}) {
      return Bad("it does not end with two blocks of zeros");
    }
  }
  return absl::OkStatus();
}

absl::Status ArchiveSource::ReadAbout() {
  const auto about = entries_.find("about.json");
  if (about == entries_.end() || about->second.size_bytes > kArchiveAboutBytesMax) {
    return Bad("about.json is missing or too long");
  }
  CARNET_ASSIGN_OR_RETURN(const Bytes text, Read("about.json"));
  const absl::StatusOr<nlohmann::json> json = ParseJson(AsText(text), kArchiveAboutBytesMax, 1);
  if (!json.ok() || !json->is_object() || json->size() != 3 || !json->contains("format") ||
      (*json)["format"] != "carnet-audit" || !json->contains("version") ||
      (*json)["version"] != 1 || !json->contains("job") || !(*json)["job"].is_string()) {
    return Bad("about.json is not of version 1");
  }
  job_ = (*json)["job"].get<std::string>();
  for (auto head = entries_.lower_bound("heads/");
       head != entries_.end() && absl::StartsWith(head->first, "heads/"); ++head) {
    if (heads_.size() == kArchiveHeadsMax || head->second.size_bytes > verifier::kHeadBytesMax) {
      return Bad("more or longer heads than it may hold");
    }
    CARNET_ASSIGN_OR_RETURN(const Bytes note, Read(head->first));
    heads_.push_back(ToString(note));
  }
  return absl::OkStatus();
}

absl::StatusOr<Bytes> ArchiveSource::Read(absl::string_view path) {
  const auto entry = entries_.find(std::string(path));
  if (entry == entries_.end()) {
    return absl::NotFoundError("audit bundle: an entry is missing");
  }
  Bytes bytes(entry->second.size_bytes);
  CARNET_RETURN_IF_ERROR(read_(entry->second.offset, bytes));
  return bytes;
}

std::vector<std::string> ArchiveSource::Names() const {
  std::vector<std::string> names;
  for (const auto& [name, entry] : entries_) {
    names.push_back(name);
  }
  return names;
}

}  // namespace carnet::ledger
