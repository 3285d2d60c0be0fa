// Whether a task shows that nobody can be identified from its model. Pure.
#ifndef CARNET_WORKER_CORE_SITE_ASSESSMENT_H_
#define CARNET_WORKER_CORE_SITE_ASSESSMENT_H_

#include <cstdint>

#include "absl/time/time.h"
#include "base/bytes.h"
#include "carnet/v1/federation.pb.h"
#include "worker/core/policy_chain.h"

namespace carnet::worker {

struct AskedModel {
  ByteView model_sha256;
  absl::Time at;             // in force by then
  std::uint64_t before = 0;  // recorded before this index
};

// A model-assessed of exactly this model came with the task, proven under `head`, approves its
// anonymity, and is signed by a person of `chain` who could say so there: compliance, dpo or legal.
// Whether it was withdrawn since, only the coordinator knows.
bool ShowsAnonymity(const v1::Task& task, const ledger::verifier::TreeHead& head,
                    const PolicyChain& chain, const AskedModel& asked);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_CORE_SITE_ASSESSMENT_H_
