// The receipts that a worker keeps, for the people who run it. Reads the state folder beside a
// running worker and takes no lock.
#ifndef CARNET_WORKER_RECEIPT_LIST_H_
#define CARNET_WORKER_RECEIPT_LIST_H_

#include <cstdint>
#include <filesystem>
#include <vector>

#include "absl/status/statusor.h"

namespace carnet::worker {

struct KeptReceipt {
  std::uint64_t index = 0;       // of the record in the log
  std::filesystem::path record;  // DSSE envelope
  std::filesystem::path proof;   // C2SP tlog-proof
  bool pending = true;           // no published head covers it yet
};

struct ReceiptList {
  std::uint64_t published_size = 0;   // that the newest published head covers; 0: none
  std::vector<KeptReceipt> receipts;  // by index
};

// Errors: NOT_FOUND no state folder of a worker. UNAUTHENTICATED the published head is no head of
// its log. Those of base/files.h.
absl::StatusOr<ReceiptList> ListReceipts(const std::filesystem::path& state_dir);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_RECEIPT_LIST_H_
