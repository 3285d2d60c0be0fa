#include "policies/operations.h"

#include <catch2/catch.hpp>

#include "testing.h"

namespace carnet::policies {
namespace {

TEST_CASE("Operations: the words of the facts and the enumerators of the contract are the same") {
  for (int i = 1; i < v1::Operation_ARRAYSIZE; ++i) {
    const auto operation = static_cast<v1::Operation>(i);
    CHECK(OperationFromWord(OperationWord(operation)) == operation);
    FactSet facts;
    CHECK(facts.Set(kOp, Value::Text(std::string(OperationWord(operation)))).ok());
  }
  for (int i = 1; i < v1::ArtifactKind_ARRAYSIZE; ++i) {
    const auto kind = static_cast<v1::ArtifactKind>(i);
    CHECK(ArtifactFromWord(ArtifactWord(kind)) == kind);
    FactSet facts;
    CHECK(facts.Set(kArtifactKind, Value::Text(std::string(ArtifactWord(kind)))).ok());
  }
  CHECK(FactTable()[kOp].words.size() == v1::Operation_ARRAYSIZE - 1);
  CHECK(FactTable()[kArtifactKind].words.size() == v1::ArtifactKind_ARRAYSIZE - 1);
  CHECK(OperationFromWord("fly") == v1::OPERATION_UNSPECIFIED);
  CHECK(ArtifactFromWord("") == v1::ARTIFACT_KIND_UNSPECIFIED);
}

TEST_CASE("Operations: a new fact set knows what is asked and what does not apply, nothing else") {
  const FactSet place = FactsFor(v1::OPERATION_PLACE, v1::ARTIFACT_KIND_JOB);
  CHECK(place.Get(kOp).text() == "place");
  CHECK(place.Get(kArtifactKind).text() == "job");
  CHECK(place.Get(kDataSubjectsIn).is_not_applicable());
  CHECK(place.Get(kRoundRepeating).is_not_applicable());
  CHECK(place.Get(kToJurisdiction).is_unknown());
  CHECK(place.Get(kWorkerChipEccn).is_unknown());
  CHECK(place.Get(kAt).is_unknown());

  const FactSet stage = FactsFor(v1::OPERATION_STAGE_DATA, v1::ARTIFACT_KIND_RAW_DATA);
  CHECK(stage.Get(kDataSubjectsIn).is_unknown());
  CHECK(stage.Get(kSecaggK).is_not_applicable());
  CHECK(stage.Get(kDpEpsilon).is_not_applicable());
  CHECK(stage.Get(kModelControlled).is_not_applicable());

  const FactSet delta = FactsFor(v1::OPERATION_SEND_DELTA, v1::ARTIFACT_KIND_DELTA);
  CHECK(delta.Get(kSecaggK).is_unknown());
  CHECK(delta.Get(kWorkerAttested).is_unknown());
  CHECK(delta.Get(kWorkerChipEccn).is_not_applicable());  // home has no worker's chip
  CHECK(delta.Get(kModelControlled).is_unknown());

  const FactSet train = FactsFor(v1::OPERATION_TRAIN, v1::ARTIFACT_KIND_RAW_DATA);
  CHECK(train.Get(kWorkerTrainerIsolated).is_unknown());
  CHECK(train.Get(kArtifactEndToEndEncrypted).is_not_applicable());
}

TEST_CASE("Operations: whose data it is always applies to what can hold data") {
  for (int i = 1; i < v1::Operation_ARRAYSIZE; ++i) {
    for (const v1::ArtifactKind kind :
         {v1::ARTIFACT_KIND_RAW_DATA, v1::ARTIFACT_KIND_MODEL, v1::ARTIFACT_KIND_DELTA,
          v1::ARTIFACT_KIND_AGGREGATE, v1::ARTIFACT_KIND_CHECKPOINT, v1::ARTIFACT_KIND_KEY,
          v1::ARTIFACT_KIND_METRICS}) {
      for (const FactId fact : {kDataPersonal, kDataSubjectsIn, kDataCategories, kToJurisdiction,
                                kToLocationGrade, kEvidence, kRecipientOrg}) {
        CHECK(FactApplies(static_cast<v1::Operation>(i), kind, fact));
      }
    }
  }
}

}  // namespace
}  // namespace carnet::policies
