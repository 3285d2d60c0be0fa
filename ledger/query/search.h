// Finding records by what they name. Pure.
#ifndef CARNET_LEDGER_QUERY_SEARCH_H_
#define CARNET_LEDGER_QUERY_SEARCH_H_

#include <cstdint>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "base/bytes.h"
#include "ledger/query/terms.h"

namespace carnet::ledger::query {

// A record is found if it meets everything that is asked for; empty asks for nothing.
struct Question {
  std::string type = {};    // "round-opened"
  std::string worker = {};  // id
  std::string region = {};
  std::string supplier = {};
  std::string shard = {};                      // "dataset/shard"
  std::string job = {};                        // id
  std::optional<std::uint64_t> revision = {};  // of a bundle of policies
  std::optional<Digest> artifact = {};
  absl::Time from = absl::InfinitePast();  // both count
  absl::Time until = absl::InfiniteFuture();
};

// Whether a record of `type` with these terms is asked for.
bool Matches(const Question& question, const std::string& type, const Terms& terms);

}  // namespace carnet::ledger::query

#endif  // CARNET_LEDGER_QUERY_SEARCH_H_
