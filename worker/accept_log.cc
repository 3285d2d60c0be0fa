#include "worker/accept_log.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/files.h"
#include "base/json.h"
#include "base/list_dir.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "exchange/join_token.h"
#include "ledger/verifier/heads.h"
#include "ledger/verifier/record.h"
#include "worker/enrol.h"
#include "worker/federation_file.h"
#include "worker/head_keeper.h"

namespace carnet::worker {
namespace {

namespace fs = std::filesystem;
using ledger::verifier::TreeHead;

constexpr std::size_t kAcceptedBytesMax = std::size_t{2} << 20;
constexpr char kKeptPrefix[] = "before-";
constexpr std::size_t kEnrolmentBytesMax = std::size_t{16} * 1024 * 1024;

fs::path AcceptedFile(const StateDir& state) {
  return state.root() / "accepted-log";
}

// A log that the worker was a member of.
struct LeftLog {
  std::string origin;
  std::string head;  // the newest that it verified
};

// What the worker left, as AcceptLog wrote it.
struct Left {
  std::string genesis;  // hex leaf hash of the log that takes the place
  std::string kept;     // name of the folder with what it held
  // The log that it left, and before it those that it left for that one: the log that takes the
  // place may succeed any of them, where a successor is given up for another one.
  std::vector<LeftLog> logs;
};

constexpr std::size_t kLeftLogsMax = 64;

absl::Status DamagedWord(const StateDir& state) {
  return WithOperatorDetail(absl::DataLossError("worker: accepted-log is damaged"),
                            AcceptedFile(state).string());
}

std::optional<std::string> TextOf(const nlohmann::json& json, const char* name) {
  const auto it = json.is_object() ? json.find(name) : json.end();
  return it != json.end() && it->is_string() ? std::optional(it->get<std::string>()) : std::nullopt;
}

absl::StatusOr<std::optional<Left>> ReadLeft(const StateDir& state) {
  CARNET_ASSIGN_OR_RETURN(const std::optional<std::string> text,
                          ReadIfThere(AcceptedFile(state), kAcceptedBytesMax));
  if (!text.has_value()) {
    return std::optional<Left>();
  }
  CARNET_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(*text, kAcceptedBytesMax));
  const std::optional<std::string> genesis = TextOf(json, "genesis");
  const std::optional<std::string> kept = TextOf(json, "kept");
  const auto logs = json.is_object() ? json.find("logs") : json.end();
  if (!genesis.has_value() || !kept.has_value() || fs::path(*kept).filename() != *kept ||
      !absl::StartsWith(*kept, kKeptPrefix) || logs == json.end() || !logs->is_array() ||
      logs->empty()) {
    return DamagedWord(state);
  }
  Left left{*genesis, *kept, {}};
  for (const nlohmann::json& log : *logs) {
    const std::optional<std::string> origin = TextOf(log, "origin");
    const std::optional<std::string> head = TextOf(log, "head");
    if (!origin.has_value() || !head.has_value()) {
      return DamagedWord(state);
    }
    left.logs.push_back({*origin, *head});
  }
  return std::optional(std::move(left));
}

absl::Status WriteLeft(const StateDir& state, const Left& left) {
  nlohmann::json logs = nlohmann::json::array();
  for (const LeftLog& log : left.logs) {
    logs.push_back({{"origin", log.origin}, {"head", log.head}});
  }
  const nlohmann::json json = {{"genesis", left.genesis}, {"kept", left.kept}, {"logs", logs}};
  return WriteFileAtomic(AcceptedFile(state), AsBytes(json.dump()));
}

// Of one log, by its name and its first record: two logs of one name are two.
std::string KeptName(const std::string& origin, const Digest& genesis_leaf) {
  return absl::StrCat(kKeptPrefix, HexEncode(crypto::Sha256(AsBytes(origin))).substr(0, 16), "-",
                      HexEncode(genesis_leaf).substr(0, 16));
}

// Evidence of a fork or of a contradiction about policies, under whatever number.
bool IsEvidence(const std::string& name) {
  return absl::StartsWith(name, "policy-") || absl::EndsWith(name, ".tlog-fork");
}

// Moves what is there; a call that a crash cut off goes on where it stopped.
absl::Status PutAside(const StateDir& state, const fs::path& kept) {
  CARNET_RETURN_IF_ERROR(MakeDirs(kept));
  // First what makes it a member: without it, the next run enrols.
  std::vector<fs::path> paths = {state.enrolment(), state.federation(), state.head(),
                                 state.published(), state.log_keys(),   state.receipts(),
                                 state.policies()};
  std::error_code error;
  CARNET_ASSIGN_OR_RETURN(const std::vector<fs::path> files, ListDir(state.root()));
  std::copy_if(files.begin(), files.end(), std::back_inserter(paths),
               [](const fs::path& path) { return IsEvidence(path.filename().string()); });
  for (const fs::path& path : paths) {
    const fs::path target = kept / path.filename();
    if (fs::exists(path, error) && !fs::exists(target, error)) {
      CARNET_RETURN_IF_ERROR(RenameDurably(path, target));
    }
  }
  // Of jobs that the new log does not know.
  for (const fs::path& folder : {state.tasks(), state.spool()}) {
    CARNET_ASSIGN_OR_RETURN(const std::vector<fs::path> left, ListDir(folder));
    for (const fs::path& path : left) {
      std::error_code ignored;
      fs::remove_all(path, ignored);
    }
  }
  return MakeDirs(state.receipts());
}

// before: an earlier word; where the worker has since joined the log that it is of, what it left
// then counts still.
absl::StatusOr<Left> WhatItKnows(const StateDir& state, const exchange::JoinToken& token,
                                 const std::optional<Left>& before) {
  CARNET_ASSIGN_OR_RETURN(const auto text,
                          ReadIfThere(state.federation(), kFederationFileBytesMax));
  CARNET_ASSIGN_OR_RETURN(const auto enrolment, ReadIfThere(state.enrolment(), kEnrolmentBytesMax));
  v1::EnrollResponse answer;
  if (!text.has_value() || !enrolment.has_value() || !answer.ParseFromString(*enrolment)) {
    return WithRemedy(absl::FailedPreconditionError("worker: it is no member of a federation"),
                      "a new worker needs no word of its own: carnet worker run --join FILE");
  }
  CARNET_ASSIGN_OR_RETURN(const FederationFacts facts, ParseFederationJson(*text));
  CARNET_ASSIGN_OR_RETURN(const FederationFacts next, FactsOf(token));
  CARNET_ASSIGN_OR_RETURN(const auto log, ledger::verifier::ParseVerifierKey(facts.log_vkey));
  CARNET_ASSIGN_OR_RETURN(const auto next_log, ledger::verifier::ParseVerifierKey(next.log_vkey));
  if (next.genesis_leaf == facts.genesis_leaf || next_log.name == log.name) {
    return absl::FailedPreconditionError("worker: the token is of the log that it knows already");
  }
  if (next.trust_domain != facts.trust_domain || next.spiffe_id != facts.spiffe_id) {
    return absl::InvalidArgumentError(
        "worker: the token is of another federation, region, supplier or slot");
  }
  CARNET_ASSIGN_OR_RETURN(std::optional<std::string> head,
                          ReadIfThere(state.head(), ledger::verifier::kHeadBytesMax));
  // The worker wrote both after it had verified them.
  Left left{HexEncode(next.genesis_leaf),
            KeptName(log.name, facts.genesis_leaf),
            {{log.name, head.value_or(answer.head())}}};
  if (before.has_value() && before->genesis == HexEncode(facts.genesis_leaf)) {
    left.logs.insert(left.logs.end(), before->logs.begin(), before->logs.end());
    left.logs.resize(std::min(left.logs.size(), kLeftLogsMax));
  }
  return left;
}

}  // namespace

absl::StatusOr<AcceptedLog> AcceptLog(const fs::path& state_dir, const fs::path& join_token,
                                      absl::Time now) {
  std::error_code error;
  if (!fs::is_directory(state_dir, error)) {
    return WithOperatorDetail(absl::FailedPreconditionError("worker: no state folder"),
                              state_dir.string());
  }
  CARNET_ASSIGN_OR_RETURN(const StateDir state, StateDir::Open(state_dir));
  CARNET_ASSIGN_OR_RETURN(const exchange::JoinToken token, ReadJoinToken(join_token, now));
  CARNET_ASSIGN_OR_RETURN(const auto next_log, ledger::verifier::ParseVerifierKey(token.log_vkey));
  CARNET_ASSIGN_OR_RETURN(std::optional<Left> left, ReadLeft(state));
  if (!left.has_value() || left->genesis != HexEncode(token.genesis_leaf)) {
    if (left.has_value() && !fs::exists(state.enrolment(), error)) {
      // Said of another successor, which did not come to be.
      left->genesis = HexEncode(token.genesis_leaf);
    } else {
      CARNET_ASSIGN_OR_RETURN(left, WhatItKnows(state, token, left));
    }
    CARNET_RETURN_IF_ERROR(WriteLeft(state, *left));
  }
  const fs::path kept = state.root() / left->kept;
  const LeftLog& newest = left->logs.front();
  CARNET_ASSIGN_OR_RETURN(const TreeHead head, ledger::verifier::ReadUnverifiedHead(newest.head));
  CARNET_ASSIGN_OR_RETURN(const auto text,
                          ReadIfThere(state.federation(), kFederationFileBytesMax));
  const absl::StatusOr<FederationFacts> facts =
      text.has_value() ? ParseFederationJson(*text) : absl::NotFoundError("");
  // Said before, and the worker is a member of the new log since: nothing is left to do.
  if (!facts.ok() || facts->genesis_leaf != token.genesis_leaf) {
    CARNET_RETURN_IF_ERROR(PutAside(state, kept));
  }
  return AcceptedLog{newest.origin, head.size, next_log.name, kept};
}

absl::Status FinishAccepted(const StateDir& state) {
  std::error_code error;
  if (fs::exists(state.enrolment(), error)) {
    return absl::OkStatus();
  }
  CARNET_ASSIGN_OR_RETURN(const std::optional<Left> left, ReadLeft(state));
  return left.has_value() ? PutAside(state, state.root() / left->kept) : absl::OkStatus();
}

absl::Status CheckAccepted(const StateDir& state, const v1::EnrollResponse& answer) {
  CARNET_ASSIGN_OR_RETURN(const std::optional<Left> left, ReadLeft(state));
  if (!left.has_value()) {
    return absl::OkStatus();
  }
  CARNET_ASSIGN_OR_RETURN(const auto record,
                          ledger::verifier::VerifyRecord(answer.genesis().record()));
  const auto* genesis = record.As<v1::Genesis>();
  const auto succeeded =
      std::find_if(left->logs.begin(), left->logs.end(), [&](const LeftLog& log) {
        return genesis != nullptr && genesis->succeeds().origin() == log.origin;
      });
  if (succeeded == left->logs.end() || HexEncode(record.leaf_hash) != left->genesis) {
    return WithRemedy(
        WithOperatorDetail(absl::UnauthenticatedError("enrolment: this log does not succeed the "
                                                      "one that this worker was a member of"),
                           left->logs.front().origin),
        "ask the operator; carnet worker accept-log takes another token");
  }
  CARNET_ASSIGN_OR_RETURN(const TreeHead seen,
                          ledger::verifier::ReadUnverifiedHead(succeeded->head));
  const absl::StatusOr<TreeHead> known =
      ledger::verifier::ReadUnverifiedHead(genesis->succeeds().last_known());
  const bool admitted =
      known.ok() && known->origin == seen.origin &&
      (seen.size < known->size || (seen.size == known->size && seen.root == known->root));
  return admitted ? absl::OkStatus()
                  : MarkFork(WithRemedy(
                        WithOperatorDetail(
                            absl::DataLossError("the log that succeeds admits less than this "
                                                "worker saw of the one before"),
                            absl::StrCat("seen: ", seen.size,
                                         " records; admitted: ", known.ok() ? known->size : 0)),
                        "give the operator this worker's newest head (before-*/head): the log is "
                        "to be succeeded anew with it"));
}

}  // namespace carnet::worker
