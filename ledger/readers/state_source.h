// The store of a state folder, for `carnet ledger fsck`: read by SQL of its own, so that a fault of
// the writer's store does not hide itself.
#ifndef CARNET_LEDGER_READERS_STATE_SOURCE_H_
#define CARNET_LEDGER_READERS_STATE_SOURCE_H_

#include <filesystem>
#include <memory>

#include "ledger/verifier/whole_log.h"

struct sqlite3;

namespace carnet::ledger {

class StateSource final : public verifier::LogSource {
 public:
  // Reads beside a running coordinator, and shows one moment of it. NOT_FOUND: no store. DATA_LOSS:
  // not a database.
  static absl::StatusOr<std::unique_ptr<StateSource>> Open(const std::filesystem::path& state_dir);
  ~StateSource() override;
  absl::StatusOr<Bytes> Read(absl::string_view path) override;

 private:
  explicit StateSource(sqlite3* database) : database_(database) {}
  sqlite3* database_;
};

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_READERS_STATE_SOURCE_H_
