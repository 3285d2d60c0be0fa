// The body of C2SP tlog-witness `add-checkpoint`:
//
//   old <size>\n
//   <base64 hash>\n      0 to 63 times: the consistency proof from <size> to the head
//   \n
//   <the head, a signed note>
//
// Written by the log's operator, read by the witness. Pure.
#ifndef CARNET_LEDGER_WITNESS_REQUEST_H_
#define CARNET_LEDGER_WITNESS_REQUEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"
#include "ledger/note.h"

namespace carnet::ledger {

inline constexpr std::size_t kWitnessProofHashesMax = 63;
// The longest body: its first line, 63 hashes of 45 bytes, an empty line, a note.
inline constexpr std::size_t kAddCheckpointBytesMax = 64 + 63 * 45 + 1 + kNoteBytesMax;
// What a conflict answer carries, with the recorded size in decimal and a line feed.
inline constexpr char kTlogSizeType[] = "text/x.tlog.size";

struct AddCheckpointRequest {
  std::uint64_t old_size = 0;
  std::vector<Digest> proof;
  std::string note;
};

// A decimal without sign or leading zero, at most 2^63 - 1. Error INVALID_ARGUMENT.
absl::StatusOr<std::uint64_t> ParseTreeSize(absl::string_view text);

// Checks the form only; the note is not opened. Error INVALID_ARGUMENT.
absl::StatusOr<AddCheckpointRequest> ParseAddCheckpoint(absl::string_view body);
std::string AddCheckpointBody(const AddCheckpointRequest& request);

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_WITNESS_REQUEST_H_
