#include "ledger/verifier/trust_policy.h"

#include <algorithm>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "base/utf8.h"
#include "carnet/v1/records.pb.h"
#include "ledger/verifier/errors.h"

namespace carnet::ledger::verifier {
namespace {

constexpr char kNone[] = "none";
constexpr std::uint8_t kNoteType = 1;
constexpr std::uint8_t kCosignatureType = 4;

using Fields = std::vector<std::string>;

// Reads the file line by line; one Take function for each kind of line.
class Parser {
 public:
  absl::Status TakeLine(absl::string_view line);
  absl::StatusOr<TrustPolicy> Finish();

 private:
  absl::Status TakeComment(const Fields& fields);
  absl::Status TakeLog(const Fields& fields);
  absl::Status TakeWitness(const Fields& fields);
  absl::Status TakeGroup(const Fields& fields);
  absl::Status TakeQuorum(const Fields& fields);
  absl::Status AddName(const std::string& name);

  TrustPolicy policy_;
  std::set<std::string> names_;    // of witnesses and groups
  std::set<std::string> grouped_;  // members of some group
  std::set<std::pair<std::string, std::uint32_t>> log_keys_;
  std::size_t log_lines_ = 0;
  bool has_genesis_ = false;
};

absl::Status Expected(absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(what, " was expected"));
}

absl::Status Parser::AddName(const std::string& name) {
  if (name == kNone || !names_.insert(name).second) {
    return Expected("a name that is not taken");
  }
  return names_.size() + log_lines_ > kTrustPolicyNamesMax ? Expected("at most 128 names")
                                                           : absl::OkStatus();
}

absl::Status Parser::TakeComment(const Fields& fields) {
  if (fields.size() < 2 || fields[0] != "#") {
    return absl::OkStatus();
  }
  if (fields[1] == "succeeds" && fields.size() == 3) {
    policy_.succeeds.push_back(fields[2]);
    return policy_.succeeds.size() > kTrustPolicyNamesMax ? Expected("at most 128 logs before")
                                                          : absl::OkStatus();
  }
  if (fields[1] != "genesis") {
    return absl::OkStatus();
  }
  const absl::StatusOr<Digest> digest = DigestFromHex(fields.size() == 3 ? fields[2] : "");
  if (!digest.ok() || has_genesis_) {
    return Expected("one line `# genesis` with 64 hex digits");
  }
  policy_.genesis = *digest;
  has_genesis_ = true;
  return absl::OkStatus();
}

absl::Status Parser::TakeLog(const Fields& fields) {
  const absl::StatusOr<VerifierKey> key = ParseVerifierKey(fields.size() > 1 ? fields[1] : "");
  if (fields.size() > 3 || !key.ok() || key->type != kNoteType ||
      ++log_lines_ > kTrustPolicyNamesMax || !log_keys_.insert({key->name, key->id}).second) {
    return Expected("log <vkey> [url], each key once,");
  }
  for (VerifierKey& log : policy_.logs) {
    if (log.name == key->name) {
      log.successors.push_back(*key);
      return absl::OkStatus();
    }
  }
  policy_.logs.push_back(*key);
  return absl::OkStatus();
}

absl::Status Parser::TakeWitness(const Fields& fields) {
  const absl::StatusOr<VerifierKey> key = ParseVerifierKey(fields.size() > 2 ? fields[2] : "");
  if (fields.size() < 3 || fields.size() > 4 || !key.ok() || key->type != kCosignatureType) {
    return Expected("witness <name> <vkey of type 4> [url]");
  }
  for (const TrustPolicy::Witness& witness : policy_.witnesses) {
    // One key under two names would count twice.
    if (witness.key.public_key == key->public_key) {
      return Expected("a key that no other witness has");
    }
  }
  CARNET_RETURN_IF_ERROR(AddName(fields[1]));
  policy_.witnesses.push_back(
      {.name = fields[1], .key = *key, .url = fields.size() > 3 ? fields[3] : ""});
  return absl::OkStatus();
}

absl::Status Parser::TakeGroup(const Fields& fields) {
  if (fields.size() < 4) {
    return Expected("group <name> all|any|<k> <member>...");
  }
  TrustPolicy::Group group{
      .name = fields[1], .needed = 0, .members = Fields(fields.begin() + 3, fields.end())};
  for (const std::string& member : group.members) {
    if (names_.count(member) == 0 || !grouped_.insert(member).second) {
      return Expected("members that are named before, each in one group,");
    }
  }
  if (fields[2] == "all") {
    group.needed = group.members.size();
  } else if (fields[2] == "any") {
    group.needed = 1;
  } else if (!absl::SimpleAtoi(fields[2], &group.needed) ||
             absl::StrCat(group.needed) != fields[2] || group.needed == 0 ||
             group.needed > group.members.size()) {
    return Expected("all, any, or a number of members");
  }
  CARNET_RETURN_IF_ERROR(AddName(group.name));
  policy_.groups.push_back(std::move(group));
  return absl::OkStatus();
}

absl::Status Parser::TakeQuorum(const Fields& fields) {
  if (fields.size() != 2 || !policy_.quorum.empty() ||
      (fields[1] != kNone && names_.count(fields[1]) == 0)) {
    return Expected("one line `quorum` with none or a name from before");
  }
  policy_.quorum = fields[1];
  return absl::OkStatus();
}

absl::Status Parser::TakeLine(absl::string_view line) {
  const Fields fields = absl::StrSplit(line, absl::ByAnyChar(" \t"), absl::SkipEmpty());
  if (fields.empty()) {
    return absl::OkStatus();
  }
  if (fields[0][0] == '#') {
    return TakeComment(fields);
  }
  if (fields[0] == "log") {
    return TakeLog(fields);
  }
  if (fields[0] == "witness") {
    return TakeWitness(fields);
  }
  if (fields[0] == "group") {
    return TakeGroup(fields);
  }
  return fields[0] == "quorum" ? TakeQuorum(fields) : Expected("log, witness, group, quorum or #");
}

absl::StatusOr<TrustPolicy> Parser::Finish() {
  if (policy_.logs.empty()) {
    return Expected("a line `log <vkey>`");
  }
  if (policy_.quorum.empty()) {
    return Expected("a line `quorum <name>|none`");
  }
  if (!has_genesis_) {
    return Expected("a line `# genesis <hex>` (which log is meant)");
  }
  return std::move(policy_);
}

}  // namespace

const VerifierKey* TrustPolicy::FindLog(absl::string_view origin) const {
  for (const VerifierKey& log : logs) {
    if (log.name == origin) {
      return &log;
    }
  }
  return nullptr;
}

absl::Status CheckSuccession(const v1::Genesis& genesis, const TrustPolicy& policy) {
  const std::string& before = genesis.succeeds().origin();
  if (!genesis.has_succeeds() ||
      std::find(policy.succeeds.begin(), policy.succeeds.end(), before) != policy.succeeds.end()) {
    return absl::OkStatus();
  }
  return BadEvidence(absl::StrCat(
      "this log succeeds ", before,
      ", which lost records; who accepts that adds to the trust policy: # succeeds ", before));
}

absl::StatusOr<TrustPolicy> ParseTrustPolicy(absl::string_view text) {
  if (text.size() > kTrustPolicyBytesMax || !IsUtf8(text)) {
    return absl::InvalidArgumentError("trust policy: at most 64 KiB of UTF-8 were expected");
  }
  Parser parser;
  std::size_t number = 0;
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (const absl::Status taken = parser.TakeLine(line); !taken.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("trust policy, line ", number, ": ", taken.message()));
    }
  }
  absl::StatusOr<TrustPolicy> policy = parser.Finish();
  if (!policy.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("trust policy: ", policy.status().message()));
  }
  return policy;
}

absl::StatusOr<TrustedHead> VerifyTrustedHead(absl::string_view note, const TrustPolicy& policy) {
  const VerifierKey* log = policy.FindLog(note.substr(0, note.find('\n')));
  if (log == nullptr) {
    return BadEvidence("head: of a log that the trust policy does not name");
  }
  TrustedHead trusted;
  CARNET_ASSIGN_OR_RETURN(trusted.head, VerifyHead(note, *log));
  std::set<std::string> satisfied;
  for (const TrustPolicy::Witness& witness : policy.witnesses) {
    const absl::StatusOr<absl::Time> time = VerifyCosignature(trusted.head, witness.key);
    if (time.ok()) {
      satisfied.insert(witness.name);
      trusted.cosigned.emplace_back(witness.name, *time);
    } else if (!absl::IsNotFound(time.status())) {
      return time.status();
    }
  }
  for (const TrustPolicy::Group& group : policy.groups) {
    const auto count = static_cast<std::size_t>(std::count_if(
        group.members.begin(), group.members.end(),
        [&satisfied](const std::string& member) { return satisfied.count(member) == 1; }));
    if (count >= group.needed) {
      satisfied.insert(group.name);
    }
  }
  trusted.operator_only = policy.quorum == kNone;
  if (!trusted.operator_only && satisfied.count(policy.quorum) == 0) {
    return MissingData("head: not cosigned by the quorum of the trust policy");
  }
  return trusted;
}

}  // namespace carnet::ledger::verifier
