// What a worker needs before its first poll: state, settings, keys, membership, claims; and the
// loop that follows. Used by agent.cc, and by tests that bring a coordinator and a clock of their
// own.
#ifndef CARNET_WORKER_AGENT_SETUP_H_
#define CARNET_WORKER_AGENT_SETUP_H_

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/rng.h"
#include "exchange/instance.h"
#include "worker/agent.h"
#include "worker/core/site_facts.h"
#include "worker/core/task_check.h"
#include "worker/enrol.h"
#include "worker/head_keeper.h"
#include "worker/policy_keeper.h"
#include "worker/settings.h"
#include "worker/state_dir.h"
#include "worker/switching_client.h"
#include "worker/trainer_host.h"

namespace carnet::worker {

struct Membership {
  // own_clock: outlives this; null: the machine's.
  Membership(StateDir state_dir, Settings loaded, Enrolled joined, const Clock* own_clock = nullptr)
      : clock(own_clock != nullptr ? *own_clock : system_clock),
        instance(RandomBytes(rng, exchange::kInstanceBytes)),
        state(std::move(state_dir)),
        settings(std::move(loaded)),
        enrolled(std::move(joined)) {}

  TrainerHostOptions HostOptions();
  // A shard that was staged here: claimed from the next poll on.
  absl::Status AddShard(const std::string& name, const std::filesystem::path& path);
  // Renews the certificate at a third of its life, or when its authority gives way to another, and
  // connects anew with it. Where an authority has ended, connects anew without it.
  absl::Status RenewIfDue();
  // As worker::ProbeCoordinator.
  absl::Status ProbeCoordinator();

  const SystemClock system_clock{};
  const Clock& clock;
  SystemRng rng;
  Bytes instance;  // of this process (exchange/instance.h)
  StateDir state;
  Settings settings;
  Enrolled enrolled;
  absl::Time roots_until = absl::InfiniteFuture();  // the first authority that the client trusts
  v1::WorkerStatement statement;
  Isolation isolation = Isolation::kNone;
  Digest program_sha256{};
  std::vector<v1::ShardClaim> claims;
  Site site;
  SiteKnowledge knowledge;
  std::unique_ptr<HeadKeeper> heads;
  std::unique_ptr<PolicyKeeper> policies;
  std::unique_ptr<SwitchingClient> client;
};

// Waits for the coordinator as long as it takes. Null: SIGTERM or SIGINT came meanwhile. Errors as
// RunWorker.
absl::StatusOr<std::unique_ptr<Membership>> BecomeMember(const WorkerOptions& options);

// Polls and does tasks until told to stop: the part of RunWorker behind BecomeMember, with its
// errors. `member` is whole; nobody else uses it meanwhile.
absl::Status RunAgent(Membership& member, const WorkerOptions& options, Metrics& metrics);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_AGENT_SETUP_H_
