// What moves under a ticket, and whether it still may: asked at the first byte, and again whenever
// what the answer depends on changed while bytes were moving. Pure.
#ifndef CARNET_COORDINATOR_CORE_TRANSFERS_H_
#define CARNET_COORDINATOR_CORE_TRANSFERS_H_

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/bytes.h"
#include "coordinator/core/flows.h"
#include "coordinator/core/state.h"
#include "coordinator/core/tasks.h"

namespace carnet::coordinator {

// Also of a released model's bytes (release.h): the person may not have it any more. Besides
// kRefused, kWorkerRevoked and kShardWithdrawn (reasons.h).
inline constexpr char kUserRevoked[] = "user-revoked";

// One direction of one task of one worker; or a released model, of which there is the ticket alone.
struct TransferName {
  std::string worker_id;
  std::string task_id;
  std::string ticket_id;
  bool upload = false;
};

// What a ticket was given for. Pointers into the state; of job with member, or staging, the other
// is null.
struct OpenTicket {
  TaskName task;
  v1::Ticket ticket;
  const Job* job = nullptr;
  const v1::RoundMember* member = nullptr;
  const Staging* staging = nullptr;
};

// The ticket of that name while its round, evaluation or staging waits for what moves under it,
// whatever became of the worker and its data. nullopt: there is none; it was cut, answered, or has
// ended.
std::optional<OpenTicket> FindTicket(const State& state, const TransferName& name);

// The flows behind what moves under the ticket.
std::vector<FlowContext> TransferFlows(const State& state, const OpenTicket& open,
                                       const Worker& worker, bool upload);
// Names of the withdrawn shards behind it: in the model, in the member's data, or the shard itself.
std::set<std::string> WithdrawnBehind(const State& state, const OpenTicket& open);

struct Standing {
  enum class Kind {
    kMayMove,
    kOver,  // nothing waits for it any more
    kCut,
  };
  Kind kind = Kind::kMayMove;
  std::string reason;                   // kCut: as in TransferCut
  std::vector<v1::Decision> decisions;  // kCut with reason refused: of every flow, decided again
  // What the organisation's own policy engine may be asked now (core/bridge.h): its yes is all that
  // a cut transfer lacks, or the yes under which this one moves ends soon.
  std::set<std::string> questions = {};
};
// `id_seed` and `counter` as in DecideFlows.
Standing StandingOf(const State& state, const TransferName& name, absl::Time now, ByteView id_seed,
                    std::uint64_t* counter);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_TRANSFERS_H_
