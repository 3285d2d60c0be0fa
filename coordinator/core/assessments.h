// What persons found out about models (records.proto, ModelAssessed), and of which models it
// speaks. Pure.
#ifndef CARNET_COORDINATOR_CORE_ASSESSMENTS_H_
#define CARNET_COORDINATOR_CORE_ASSESSMENTS_H_

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <set>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

// Models that were ever assessed.
inline constexpr std::size_t kAssessmentsMax = 10000;
// Approvals of one model that are remembered: a task that was opened after one goes on under it
// when a newer one is on record.
inline constexpr std::size_t kApprovalsKept = 8;
// How far the assessor's clock may be ahead.
inline constexpr absl::Duration kAssessmentSkewMax = absl::Minutes(5);

inline constexpr char kAnonymityApproved[] = "approved";

// The roles that may state export facts, and those that may state anonymity.
const std::set<std::string>& ExportAssessors();
const std::set<std::string>& AnonymityAssessors();

// What the record must be by itself: a model and a document by their SHA-256, words of
// policies/facts.h, at least one of them, an end after its beginning; a withdrawal states nothing.
// Error INVALID_ARGUMENT "assessment: …".
absl::Status CheckAssessment(const v1::ModelAssessed& assessment);

// What is on record of one model; empty: nobody stated it.
struct ModelFacts {
  std::string controlled;    // yes | no
  std::string export_class;  // a word of model.export_class
  std::string anonymity;     // approved | none
};

// Of the model with digest `model_sha256` (raw), as it stands at `at`. Empty: one that has no
// digest yet and comes of the newest model of `job`. Controlled and export class: its own
// assessment, else that of the newest model before it in `job` that states it, back to the first.
// Anonymity: its own assessment alone. job: null outside jobs.
ModelFacts ModelFactsOf(const State& state, const Job* job, const std::string& model_sha256,
                        absl::Time at);

// Index of the newest record before `before` that approves the anonymity of exactly this model (raw
// digest) at `at`, and that nothing but further approvals followed.
std::optional<std::uint64_t> AnonymityApproval(
    const State& state, const std::string& model_sha256, absl::Time at,
    std::uint64_t before = std::numeric_limits<std::uint64_t>::max());

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_ASSESSMENTS_H_
