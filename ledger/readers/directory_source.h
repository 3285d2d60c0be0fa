// A log that lies in a folder as `carnet ledger export --tiles` writes it.
#ifndef CARNET_LEDGER_READERS_DIRECTORY_SOURCE_H_
#define CARNET_LEDGER_READERS_DIRECTORY_SOURCE_H_

#include <filesystem>

#include "ledger/verifier/whole_log.h"

namespace carnet::ledger {

class DirectorySource final : public verifier::LogSource {
 public:
  explicit DirectorySource(std::filesystem::path directory);
  absl::StatusOr<Bytes> Read(absl::string_view path) override;

 private:
  const std::filesystem::path directory_;
};

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_READERS_DIRECTORY_SOURCE_H_
