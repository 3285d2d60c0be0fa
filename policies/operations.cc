#include "policies/operations.h"

#include <cstdint>
#include <initializer_list>
#include <iterator>

#include "base/status.h"

namespace carnet::policies {
namespace {

constexpr const char* kOperationWords[] = {"",
                                           "place",
                                           "stage_data",
                                           "train",
                                           "send_model",
                                           "send_delta",
                                           "send_metrics",
                                           "aggregate",
                                           "store_checkpoint",
                                           "resume",
                                           "use_key",
                                           "release_model",
                                           "read_log"};
constexpr const char* kArtifactWords[] = {"",        "job",       "raw_data",   "model", "delta",
                                          "metrics", "aggregate", "checkpoint", "key",   "log"};
static_assert(std::size(kOperationWords) == v1::Operation_ARRAYSIZE);
static_assert(std::size(kArtifactWords) == v1::ArtifactKind_ARRAYSIZE);

using Bits = std::uint32_t;

constexpr Bits Operations(std::initializer_list<v1::Operation> operations) {
  Bits bits = 0;
  for (const v1::Operation operation : operations) {
    bits |= Bits{1} << operation;
  }
  return bits;
}

constexpr Bits Kinds(std::initializer_list<v1::ArtifactKind> kinds) {
  Bits bits = 0;
  for (const v1::ArtifactKind kind : kinds) {
    bits |= Bits{1} << kind;
  }
  return bits;
}

constexpr Bits kEvery = ~Bits{0};

// Nothing moves.
constexpr Bits kInPlace = Operations({v1::OPERATION_TRAIN, v1::OPERATION_AGGREGATE});
// A worker is at the destination.
constexpr Bits kTowardsWorker =
    Operations({v1::OPERATION_PLACE, v1::OPERATION_STAGE_DATA, v1::OPERATION_TRAIN,
                v1::OPERATION_SEND_MODEL, v1::OPERATION_RESUME, v1::OPERATION_USE_KEY});
// A worker takes part. At `aggregate` the facts of worker.* speak of all contributors together.
constexpr Bits kWithWorker =
    kTowardsWorker | Operations({v1::OPERATION_SEND_DELTA, v1::OPERATION_SEND_METRICS,
                                 v1::OPERATION_AGGREGATE, v1::OPERATION_STORE_CHECKPOINT});
// Outside any job.
constexpr Bits kWithoutJob = Operations({v1::OPERATION_STAGE_DATA, v1::OPERATION_READ_LOG});
// Outside any round.
constexpr Bits kWithoutRound =
    kWithoutJob | Operations({v1::OPERATION_PLACE, v1::OPERATION_RELEASE_MODEL});

constexpr Bits kWithoutPeople = Kinds({v1::ARTIFACT_KIND_JOB, v1::ARTIFACT_KIND_LOG});
constexpr Bits kNotLearned = Kinds({v1::ARTIFACT_KIND_JOB, v1::ARTIFACT_KIND_METRICS,
                                    v1::ARTIFACT_KIND_KEY, v1::ARTIFACT_KIND_LOG});
constexpr Bits kHoldsModel =
    Kinds({v1::ARTIFACT_KIND_MODEL, v1::ARTIFACT_KIND_DELTA, v1::ARTIFACT_KIND_AGGREGATE,
           v1::ARTIFACT_KIND_CHECKPOINT, v1::ARTIFACT_KIND_KEY});

struct Row {
  Bits operations = kEvery;
  Bits kinds = kEvery;
};

// Where each fact means something.
Row RowOf(FactId fact) {
  switch (fact) {
    case kArtifactAnonymity:
      return {kEvery, ~kNotLearned};
    case kArtifactEndToEndEncrypted:
      return {~kInPlace, kEvery};
    case kDataCategories:
    case kDataLabel:
    case kDataPersonal:
    case kDataSubjectsIn:
      return {kEvery, ~kWithoutPeople};
    case kDpDelta:
    case kDpEpsilon:
    case kDpUnit:
    case kSecaggK:
    case kJobId:
    case kJobPurpose:
      return {~kWithoutJob, kEvery};
    case kKeyHeldIn:
      return {kEvery,
              ~Kinds({v1::ARTIFACT_KIND_JOB, v1::ARTIFACT_KIND_METRICS, v1::ARTIFACT_KIND_LOG})};
    case kModelControlled:
    case kModelExportClass:
      return {kEvery, kHoldsModel};
    case kRoundRepeating:
      return {~kWithoutRound, kEvery};
    case kWorkerChipEccn:
      return {kTowardsWorker, kEvery};
    case kWorkerAttested:
    case kWorkerMemoryProtected:
    case kWorkerTrainerIsolated:
      return {kWithWorker, kEvery};
    default:
      return {};
  }
}

}  // namespace

absl::string_view OperationWord(v1::Operation operation) {
  return v1::Operation_IsValid(operation) ? kOperationWords[operation] : "";
}

absl::string_view ArtifactWord(v1::ArtifactKind kind) {
  return v1::ArtifactKind_IsValid(kind) ? kArtifactWords[kind] : "";
}

v1::Operation OperationFromWord(absl::string_view word) {
  for (int i = 1; i < v1::Operation_ARRAYSIZE; ++i) {
    if (word == kOperationWords[i]) {
      return static_cast<v1::Operation>(i);
    }
  }
  return v1::OPERATION_UNSPECIFIED;
}

v1::ArtifactKind ArtifactFromWord(absl::string_view word) {
  for (int i = 1; i < v1::ArtifactKind_ARRAYSIZE; ++i) {
    if (word == kArtifactWords[i]) {
      return static_cast<v1::ArtifactKind>(i);
    }
  }
  return v1::ARTIFACT_KIND_UNSPECIFIED;
}

bool FactApplies(v1::Operation operation, v1::ArtifactKind kind, FactId fact) {
  const Row row = RowOf(fact);
  return ((row.operations >> operation) & 1U) != 0 && ((row.kinds >> kind) & 1U) != 0;
}

FactSet FactsFor(v1::Operation operation, v1::ArtifactKind kind) {
  CARNET_CHECK(operation != v1::OPERATION_UNSPECIFIED && kind != v1::ARTIFACT_KIND_UNSPECIFIED);
  FactSet facts;
  CARNET_CHECK(facts.Set(kOp, Value::Text(std::string(OperationWord(operation)))).ok());
  CARNET_CHECK(facts.Set(kArtifactKind, Value::Text(std::string(ArtifactWord(kind)))).ok());
  for (FactId fact = 0; fact < kCounters; ++fact) {
    if (fact != kAt && !FactApplies(operation, kind, fact)) {
      CARNET_CHECK(facts.Set(fact, Value::NotApplicable()).ok());
    }
  }
  return facts;
}

}  // namespace carnet::policies
