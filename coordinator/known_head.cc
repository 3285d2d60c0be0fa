#include "coordinator/known_head.h"

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/bytes.h"
#include "base/files.h"
#include "base/status.h"
#include "coordinator/head_file.h"
#include "ledger/later_head.h"
#include "ledger/published.h"

namespace carnet::coordinator {
namespace {

namespace fs = std::filesystem;
using Handovers = std::vector<v1::SignedRecord>;

constexpr std::size_t kHandoversBytesMax = std::size_t{8} << 20;

// A worker's file `log-keys`: lines of a vkey, a space and base64 of the record that hands over.
absl::StatusOr<Handovers> ReadHandovers(const fs::path& path) {
  Handovers handovers;
  if (path.empty()) {
    return handovers;
  }
  CARNET_ASSIGN_OR_RETURN(const Bytes text, ReadFile(path, kHandoversBytesMax));
  for (const absl::string_view line : absl::StrSplit(AsText(text), '\n', absl::SkipEmpty())) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    const absl::StatusOr<Bytes> record = Base64Decode(parts.second);
    if (!record.ok() || !handovers.emplace_back().ParseFromString(ToString(*record))) {
      return WithOperatorDetail(absl::InvalidArgumentError("succeed: not a worker's `log-keys`"),
                                path.string());
    }
  }
  return handovers;
}

absl::StatusOr<std::optional<ledger::SignedHead>> HeadIn(const fs::path& file,
                                                         const ledger::LogKeys& keys,
                                                         const Handovers& handovers) {
  const absl::StatusOr<Bytes> note = ReadFile(file, ledger::kNoteBytesMax);
  if (absl::IsNotFound(note.status())) {
    return std::optional<ledger::SignedHead>();
  }
  CARNET_RETURN_IF_ERROR(note);
  absl::StatusOr<ledger::Head> head = ledger::ParseLaterHead(AsText(*note), keys, handovers);
  if (!head.ok()) {
    return std::optional<ledger::SignedHead>();
  }
  return std::optional(ledger::SignedHead{.head = *std::move(head), .note = ToString(*note)});
}

}  // namespace

absl::StatusOr<ledger::SignedHead> NewestKnown(const SucceedOptions& options,
                                               const v1::CoordinatorConfig& config,
                                               const ledger::LogKeys& keys) {
  CARNET_ASSIGN_OR_RETURN(const Handovers handovers, ReadHandovers(options.handovers));
  CARNET_ASSIGN_OR_RETURN(const Bytes note, ReadFile(options.lost_after, ledger::kNoteBytesMax));
  absl::StatusOr<ledger::Head> head = ledger::ParseLaterHead(AsText(note), keys, handovers);
  if (!head.ok()) {
    return WithRemedy(
        WithOperatorDetail(absl::UnauthenticatedError("succeed: not a head that this log signed"),
                           options.lost_after.string()),
        "give the newest head that anybody holds: a worker's file `head`, the head file, or what a "
        "witness shows; where the log's key was rotated since the state that is held, also "
        "--handovers with a worker's file `log-keys`");
  }
  ledger::SignedHead known{.head = *std::move(head), .note = ToString(note)};
  for (const fs::path& file :
       {HeadFileOf(config, options.state_dir), options.state_dir / ledger::kPublishedFileName}) {
    CARNET_ASSIGN_OR_RETURN(std::optional<ledger::SignedHead> own, HeadIn(file, keys, handovers));
    if (own.has_value() && own->head.size > known.head.size) {
      known = *std::move(own);
    }
  }
  return known;
}

}  // namespace carnet::coordinator
