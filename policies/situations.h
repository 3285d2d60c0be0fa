// The situations in which two bundles are compared: every operation, places that either of them can
// tell apart, and the facts of a flow that nothing but itself is against. Internal to policies/.
// Pure.
#ifndef CARNET_POLICIES_SITUATIONS_H_
#define CARNET_POLICIES_SITUATIONS_H_

#include <string>
#include <vector>

#include "carnet/v1/policies.pb.h"
#include "policies/bundle.h"
#include "policies/facts.h"

namespace carnet::policies {

inline constexpr char kNobody[] = "";  // the subject of data about no people

struct Movement {
  v1::Operation operation;
  v1::ArtifactKind kind;
};
// Every operation with the artifact that it moves.
const std::vector<Movement>& Movements();

// Places between which no rule of the two bundles can tell a difference: codes, the first stands
// for all.
using PlaceClass = std::vector<std::string>;
class PlaceClasses {
 public:
  PlaceClasses(const Bundle& before, const Bundle& after);
  const std::vector<PlaceClass>& classes() const { return classes_; }

 private:
  std::vector<PlaceClass> classes_;
};

// All evidence that helps and none that a deny rule of either is about.
std::vector<std::string> EveryPaper(const Bundle& before, const Bundle& after);

// Data about people in `subject` (kNobody: about nobody) goes from home to `to` with `papers`, and
// every other fact is the best that it can be.
FactSet NeutralFacts(const Movement& movement, const std::string& subject, const std::string& to,
                     const std::vector<std::string>& papers);

// Sets what the operation has; what means nothing for it stays not applicable.
void SetIfApplicable(FactSet* facts, FactId fact, Value value);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_SITUATIONS_H_
