// The facts that rules may read: one closed table, and sets of values for it. Nothing outside the
// table exists (docs/facts.md is made from it). All of this is pure.
#ifndef CARNET_POLICIES_FACTS_H_
#define CARNET_POLICIES_FACTS_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/bytes.h"

namespace carnet::policies {

// Version of the table below. A bundle names the version that it was written for.
inline constexpr int kFactsVersion = 1;

inline constexpr std::size_t kFactListItemsMax = 1024;
inline constexpr std::size_t kFactNameBytesMax = 128;
inline constexpr std::size_t kFactCountersMax = 256;
inline constexpr std::size_t kFactsJsonBytesMax = std::size_t{256} << 10;

enum class FactType {
  kWord,           // one of `words`
  kRank,           // one of `words`, which are ordered: the weakest first
  kYesNo,          // yes | no
  kChip,           // one of `words`; a bare number counts as each of its paragraphs
  kJurisdiction,   // ISO 3166-1 alpha-2, a subdivision or zone (AE-DIFC), or `home`
  kJurisdictions,  // a set of them
  kName,           // printable ASCII, at most kFactNameBytesMax
  kNumber,         // finite, >= 0
  kWords,          // a set of `words`
  kOwners,         // list of {jurisdiction, percent}
  kApprovals,      // list of {rule, person, role}; no condition reads it
  kTime,           // the moment of the decision; given to Evaluate, never set
};

// Who may say what a fact is.
enum class FactSource {
  kEngine,      // follows from the operation itself, the clock or the recorded state
  kWorker,      // the worker states it about itself: a claim
  kSteward,     // a data steward, by signature
  kCompliance,  // a compliance role, by signature
  kSubmitter,   // whoever submits the job
  kBridge,      // the organisation's own policy engine, asked and put on record
};

// Row of the table.
struct FactSpec {
  const char* path;
  FactType type;
  FactSource source;
  // Words that the fact can hold; empty for other types.
  std::vector<std::string> words;
  // In a sentence: "the destination".
  const char* phrase;
  // What it means, units included.
  const char* meaning;
  // What its absence means, beyond `unknown`.
  const char* absence;
  // A rule may ask for it with `phase: runtime`: the plan of a round decides it.
  bool runtime;
};

// Position in the table, which is sorted by path.
using FactId = int;
enum : FactId {
  kNoFact = -1,
  kApprovals = 0,
  kArtifactAnonymity,
  kArtifactEndToEndEncrypted,
  kArtifactKind,
  kAt,
  kBridgeOpa,
  kDataCategories,
  kDataLabel,
  kDataPersonal,
  kDataSubjectsIn,
  kDealKind,
  kDpDelta,
  kDpEpsilon,
  kDpUnit,
  kEvidence,
  kFromJurisdiction,
  kJobId,
  kJobPurpose,
  kKeyHeldIn,
  kModelControlled,
  kModelExportClass,
  kOp,
  kRecipientCertifications,
  kRecipientListedOwnerPct,
  kRecipientOrg,
  kRecipientOrganisedIn,
  kRecipientOwners,
  kRecipientPrincipalPlace,
  kRecipientUltimateParent,
  kRoundRepeating,
  kSecaggK,
  kToJurisdiction,
  kToLocationGrade,
  kWorkerAttested,
  kWorkerChipEccn,
  kWorkerMemoryProtected,
  kWorkerTrainerIsolated,
  kCounters,  // every people.<code>.<category>, also with a window
};
inline constexpr std::size_t kFactCount = kCounters;

// The table without the counters.
const std::vector<FactSpec>& FactTable();
// The row that describes every counter; its path is "people.<code>.<category>". A counter counts
// the last kCounterDays days, or the window that follows an @: policies/counters.h.
const FactSpec& CounterSpec();
// Position of `path`; kCounters for a well-formed counter; kNoFact for anything else.
FactId FindFact(absl::string_view path);
// The row of `path`; null where FindFact gives kNoFact.
const FactSpec* FindFactSpec(absl::string_view path);
// Every path of the table, for "did you mean".
std::vector<std::string> FactPaths();
// The categories of counters.
const std::vector<std::string>& CounterCategories();

// data.label of what no registered data stands behind, such as a base model from elsewhere.
inline constexpr char kNoDataLabel[] = "none";

// A kind of document that can stand as evidence, and the role that accepts it.
struct EvidenceKind {
  const char* name;
  const char* title;
  const char* accepted_by;
};
const std::vector<EvidenceKind>& EvidenceKinds();
// The kind that a location of grade `provider` stands on.
inline constexpr char kInstanceIdentity[] = "instance-identity";

// One owner of a recipient. `jurisdiction` may be "unknown".
struct Owner {
  std::string jurisdiction;
  double percent = 0;  // 0..100
  friend bool operator==(const Owner&, const Owner&) = default;
};

// Approval::rule of somebody who approved the job, whatever requires it. Lifts no exception's need.
inline constexpr char kApprovalOfWholeJob[] = "job";

// One person's approval of one requirement, of a whole job, or of an exception.
struct Approval {
  std::string rule;    // <policy>/<rule>.<item>, kApprovalOfWholeJob, or <policy>/<exception>
  std::string person;  // a user's id
  std::string role;    // in which the person approved
  friend bool operator==(const Approval&, const Approval&) = default;
  friend auto operator<=>(const Approval&, const Approval&) = default;
};

// What is known of one fact. A plain value.
class Value {
 public:
  enum class Kind : std::uint8_t {
    kUnknown,
    kNotApplicable,
    kText,
    kNumber,
    kList,
    kOwners,
    kApprovals,
  };

  Value() = default;  // unknown
  static Value Unknown() { return Value(); }
  // Only the engine's operation table says so, never a user (policies/operations.h).
  static Value NotApplicable();
  static Value Text(std::string text);
  static Value YesNo(bool yes);
  static Value Number(double number);
  // A set; an item "unknown" says that there may be more. Sorted, equal items once.
  static Value List(std::vector<std::string> items);
  static Value Owners(std::vector<Owner> owners);
  static Value Approvals(std::vector<Approval> approvals);  // sorted, equal ones once

  Kind kind() const { return kind_; }
  bool is_unknown() const { return kind_ == Kind::kUnknown; }
  bool is_not_applicable() const { return kind_ == Kind::kNotApplicable; }
  const std::string& text() const { return text_; }
  double number() const { return number_; }
  const std::vector<std::string>& list() const { return list_; }
  const std::vector<Owner>& owners() const { return owners_; }
  const std::vector<Approval>& approvals() const { return approvals_; }

  // As a person reads it: `[DE, KE]`, `unknown`, `8`.
  std::string ToString() const;
  nlohmann::json ToJson() const;
  friend bool operator==(const Value&, const Value&) = default;

 private:
  Kind kind_ = Kind::kUnknown;
  std::string text_;
  double number_ = 0;
  std::vector<std::string> list_;
  std::vector<Owner> owners_;
  std::vector<Approval> approvals_;
};

// The facts of one flow: path -> value. What is not set is unknown, so an explicit `unknown` is the
// same as none. A plain value; thread-compatible.
class FactSet {
 public:
  // Error INVALID_ARGUMENT, with the path and what was expected: a path outside the table, a value
  // outside the fact's type, `at` (Evaluate gets it by itself), too many counters.
  absl::Status Set(absl::string_view path, Value value);
  // The same for one of the enumerators above.
  absl::Status Set(FactId id, Value value);

  const Value& Get(FactId id) const;  // 0 <= id < kFactCount
  // WordBits of each fact's value.
  const std::array<std::uint64_t, kFactCount>& bits() const { return bits_; }
  const Value& Get(absl::string_view path) const;  // unknown for a path outside the table
  const std::map<std::string, Value, std::less<>>& counters() const { return counters_; }
  // A counter that is not set reads as 0 instead of unknown. Only for policy tests.
  void SetCountersZero() { counters_zero_ = true; }
  // A counter without a window stands for every window of its own that is not set. Only for policy
  // tests: a count of one window says nothing about another.
  void SetCountersForAnyWindow() { counters_any_window_ = true; }
  const Value& GetCounter(absl::string_view path) const;

  // Every fact that is not unknown, sorted by path.
  std::vector<std::pair<std::string, Value>> Known() const;

  // RFC 8785 JSON of the known facts: {"op":"send_model",…}. yes and no are text, a value that does
  // not apply is "not_applicable".
  std::string CanonicalJson() const;
  Digest Sha256() const;

  // Reads what CanonicalJson writes, in any layout. Error INVALID_ARGUMENT naming the path.
  static absl::StatusOr<FactSet> FromJson(absl::string_view json);
  static absl::StatusOr<FactSet> FromJsonValue(const nlohmann::json& object);

  friend bool operator==(const FactSet&, const FactSet&) = default;

 private:
  std::array<Value, kFactCount> facts_;
  std::array<std::uint64_t, kFactCount> bits_{};
  std::map<std::string, Value, std::less<>> counters_;
  bool counters_zero_ = false;
  bool counters_any_window_ = false;
};

// The words that a fact holds, as bits by their position in FactSpec::words (yes/no: yes is 0, no
// is 1), so that rules compare sets of words at once. A bare chip number has the bits of its
// paragraphs too. kUnknownWordBit: the list has an unknown member. 0 for facts that hold no words.
inline constexpr std::size_t kFactWordsMax = 63;
inline constexpr std::uint64_t kUnknownWordBit = std::uint64_t{1} << kFactWordsMax;
std::uint64_t WordBits(const FactSpec& spec, const Value& value);
std::uint64_t WordBits(const FactSpec& spec, absl::string_view word);

// A number as RFC 8785 writes it.
void AppendDecimal(double number, std::string& out);

// Whether `value` is of the type of `spec`. Error INVALID_ARGUMENT: what was expected.
absl::Status CheckValue(const FactSpec& spec, const Value& value);

// A value from one JSON value, typed by `spec` ("unknown" and "not_applicable" included).
absl::StatusOr<Value> ValueFromJson(const FactSpec& spec, const nlohmann::json& json);

// docs/facts.md, made from the table.
std::string FactsPage();

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_FACTS_H_
