// The uploads and downloads that are under way. What allowed them is looked at again when a record
// changed it, and at least twice in a heartbeat, because evidence, bundles and tickets end with
// time: what may move no longer is stopped, put on record with the bytes that had crossed, and then
// ended.
#ifndef CARNET_COORDINATOR_RPC_TRANSFERS_H_
#define CARNET_COORDINATOR_RPC_TRANSFERS_H_

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/metrics.h"
#include "base/mutex.h"
#include "coordinator/core/transfers.h"
#include "coordinator/engine/engine.h"

namespace carnet::coordinator {

inline constexpr MetricSpec kTransfersCut{MetricKind::kCounter,
                                          "carnet_transfers_cut_total",
                                          "Transfers ended while bytes were moving, by reason.",
                                          {"reason"}};

// One stream. Called with the registry's lock held, from any thread: must not block, and must not
// call the registry.
class Transfer {
 public:
  // Which artifact moves: streams of the same one, resumed or twice, are one transfer. The same
  // from Begin on. Empty: the one that its ticket is for.
  virtual std::string Artifact() const = 0;
  // No further byte is taken or given; returns how many had crossed, of the whole artifact. A Cut
  // follows.
  virtual std::uint64_t Stop() = 0;
  // Ends the stream with `why`; `drop`: what came goes.
  virtual void Cut(const absl::Status& why, bool drop) = 0;
  // It was cut and is still there: its peer takes nothing. Break the connection's stream.
  virtual void Abort() = 0;

 protected:
  ~Transfer() = default;
};

// Thread-safe; Begin and Look on the engine's strand, which is what makes them see the same state
// one after the other. It outlives its transfers and the engine.
class Transfers {
 public:
  Transfers(absl::Duration look_every, Metrics& metrics)
      : look_every_(look_every), metrics_(metrics) {}

  // A transfer's place in the registry; gives it back.
  class Place {
   public:
    ~Place() { owner_.Leave(this); }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;

   private:
    friend class Transfers;
    Place(Transfers& owner, TransferName name, Transfer& transfer)
        : owner_(owner), name_(std::move(name)), transfer_(transfer) {}
    Transfers& owner_;
    const TransferName name_;
    Transfer& transfer_;
    // Guarded by the owner's mutex.
    bool stopped_ = false;
    bool ending_ = false;
  };

  // `transfer` moves bytes from now on. It is looked at once: what changed since it was allowed is
  // in `urgent`, which the caller submits. `transfer` outlives its place.
  struct Begun {
    std::unique_ptr<Place> place;
    std::vector<Engine::Urgent> urgent;
  };
  Begun Begin(TransferName name, Transfer& transfer, const State& state, absl::Time now)
      CARNET_EXCLUDES(mutex_);

  // For Engine::SetUrgentSource.
  std::vector<Engine::Urgent> Look(const State& state, absl::Time now) CARNET_EXCLUDES(mutex_);

  std::size_t active() const CARNET_EXCLUDES(mutex_);

 private:
  void LookAt(Place& place, const State& state, absl::Time now, std::vector<Engine::Urgent>* urgent)
      CARNET_REQUIRES(mutex_);
  // Stops everything under the ticket of `place`, which is cut.
  void StopTicket(Place& place, std::string reason, const State& state, absl::Time now,
                  std::vector<Engine::Urgent>* urgent) CARNET_REQUIRES(mutex_);
  void OnDecided(const std::string& ticket_id, const std::string& reason,
                 const absl::StatusOr<Answer>& answer) CARNET_EXCLUDES(mutex_);
  void Leave(Place* place) CARNET_EXCLUDES(mutex_);

  const absl::Duration look_every_;
  Metrics& metrics_;
  mutable Mutex mutex_;
  std::list<Place*> places_ CARNET_GUARDED_BY(mutex_);
  std::uint64_t facts_version_ CARNET_GUARDED_BY(mutex_) = 0;
  absl::Time looked_at_ CARNET_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_TRANSFERS_H_
