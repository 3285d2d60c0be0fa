#include "worker/receipt_list.h"

#include <algorithm>
#include <optional>
#include <string>
#include <system_error>

#include "absl/strings/numbers.h"
#include "base/bytes.h"
#include "base/files.h"
#include "base/list_dir.h"
#include "base/status.h"
#include "ledger/verifier/heads.h"
#include "worker/federation_file.h"
#include "worker/log_keys.h"
#include "worker/state_dir.h"

namespace carnet::worker {
namespace {

constexpr char kProofExtension[] = ".tlog-proof";

absl::StatusOr<std::uint64_t> PublishedSize(const std::filesystem::path& state_dir) {
  CARNET_ASSIGN_OR_RETURN(
      const std::optional<std::string> note,
      ReadIfThere(state_dir / kPublishedHeadName, ledger::verifier::kHeadBytesMax));
  if (!note.has_value()) {
    return 0;
  }
  CARNET_ASSIGN_OR_RETURN(const Bytes text,
                          ReadFile(state_dir / kFederationFileName, kFederationFileBytesMax));
  CARNET_ASSIGN_OR_RETURN(const FederationFacts facts, ParseFederationJson(AsText(text)));
  CARNET_ASSIGN_OR_RETURN(const ledger::verifier::VerifierKey log, LogKeyOf(state_dir, facts));
  CARNET_ASSIGN_OR_RETURN(const ledger::verifier::VerifiedHead head,
                          ledger::verifier::VerifyHead(*note, log));
  return head.tree.size;
}

}  // namespace

absl::StatusOr<ReceiptList> ListReceipts(const std::filesystem::path& state_dir) {
  std::error_code error;
  if (!std::filesystem::is_directory(state_dir / kReceiptsName, error)) {
    return WithOperatorDetail(absl::NotFoundError("no state folder of a worker"),
                              state_dir.string());
  }
  ReceiptList list;
  CARNET_ASSIGN_OR_RETURN(list.published_size, PublishedSize(state_dir));
  CARNET_ASSIGN_OR_RETURN(const std::vector<std::filesystem::path> paths,
                          ListDir(state_dir / kReceiptsName));
  for (const std::filesystem::path& path : paths) {
    std::uint64_t index = 0;
    // The proof is written last: where it is, the record is too.
    if (path.extension() == kProofExtension && absl::SimpleAtoi(path.stem().string(), &index)) {
      std::filesystem::path record = path;
      list.receipts.push_back({.index = index,
                               .record = record.replace_extension(".dsse.json"),
                               .proof = path,
                               .pending = index >= list.published_size});
    }
  }
  std::sort(list.receipts.begin(), list.receipts.end(),
            [](const KeptReceipt& a, const KeptReceipt& b) { return a.index < b.index; });
  return list;
}

}  // namespace carnet::worker
