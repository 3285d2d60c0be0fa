#include "worker/accept_log.h"

#include <array>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/files.h"
#include "base/json.h"
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

constexpr std::size_t kAcceptedBytesMax = std::size_t{64} * 1024;
constexpr std::size_t kEnrolmentBytesMax = std::size_t{16} * 1024 * 1024;

fs::path AcceptedFile(const StateDir& state) {
  return state.root() / "accepted-log";
}

// What the worker left, as AcceptLog wrote it.
struct Left {
  std::string origin;
  std::string head;     // the newest that it verified
  std::string genesis;  // hex leaf hash of the log that takes the place
};

absl::StatusOr<std::optional<Left>> ReadLeft(const StateDir& state) {
  CARNET_ASSIGN_OR_RETURN(const std::optional<std::string> text,
                          ReadIfThere(AcceptedFile(state), kAcceptedBytesMax));
  if (!text.has_value()) {
    return std::optional<Left>();
  }
  CARNET_ASSIGN_OR_RETURN(const nlohmann::json json, ParseJson(*text, kAcceptedBytesMax));
  Left left;
  for (const auto& [name, field] :
       {std::pair("origin", &left.origin), std::pair("head", &left.head),
        std::pair("genesis", &left.genesis)}) {
    const auto it = json.is_object() ? json.find(name) : json.end();
    if (it == json.end() || !it->is_string()) {
      return WithOperatorDetail(absl::DataLossError("worker: accepted-log is damaged"),
                                AcceptedFile(state).string());
    }
    *field = it->get<std::string>();
  }
  return std::optional(std::move(left));
}

fs::path KeptFolder(const StateDir& state, const std::string& origin) {
  return state.root() /
         absl::StrCat("before-", HexEncode(crypto::Sha256(AsBytes(origin))).substr(0, 16));
}

// Moves what is there; a call that a crash cut off goes on where it stopped.
absl::Status PutAside(const StateDir& state, const fs::path& kept) {
  CARNET_RETURN_IF_ERROR(MakeDirs(kept));
  // First what makes it a member: without it, the next run enrols.
  std::vector<fs::path> paths = {
      state.enrolment(), state.federation(), state.head(),     state.published(),
      state.log_keys(),  state.receipts(),   state.policies(), state.policy_contradiction()};
  if (const auto evidence = state.ForkEvidence(); evidence.has_value()) {
    paths.push_back(*evidence);
  }
  std::error_code error;
  for (const fs::path& path : paths) {
    const fs::path target = kept / path.filename();
    if (fs::exists(path, error) && !fs::exists(target, error)) {
      CARNET_RETURN_IF_ERROR(RenameDurably(path, target));
    }
  }
  // Of jobs that the new log does not know.
  for (const fs::path& folder : {state.tasks(), state.spool()}) {
    for (const auto& entry : fs::directory_iterator(folder, error)) {
      std::error_code ignored;
      fs::remove_all(entry.path(), ignored);
    }
  }
  return MakeDirs(state.receipts());
}

absl::StatusOr<Left> WhatItKnows(const StateDir& state, const exchange::JoinToken& token) {
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
  return Left{log.name, head.value_or(answer.head()), HexEncode(next.genesis_leaf)};
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
      CARNET_ASSIGN_OR_RETURN(left, WhatItKnows(state, token));
    }
    const nlohmann::json json = {
        {"origin", left->origin}, {"head", left->head}, {"genesis", left->genesis}};
    CARNET_RETURN_IF_ERROR(WriteFileAtomic(AcceptedFile(state), AsBytes(json.dump())));
  }
  const fs::path kept = KeptFolder(state, left->origin);
  CARNET_ASSIGN_OR_RETURN(const TreeHead head, ledger::verifier::ReadUnverifiedHead(left->head));
  CARNET_ASSIGN_OR_RETURN(const auto text,
                          ReadIfThere(state.federation(), kFederationFileBytesMax));
  const absl::StatusOr<FederationFacts> facts =
      text.has_value() ? ParseFederationJson(*text) : absl::NotFoundError("");
  // Said before, and the worker is a member of the new log since: nothing is left to do.
  if (!facts.ok() || facts->genesis_leaf != token.genesis_leaf) {
    CARNET_RETURN_IF_ERROR(PutAside(state, kept));
  }
  return AcceptedLog{left->origin, head.size, next_log.name, kept};
}

absl::Status CheckAccepted(const StateDir& state, const v1::EnrollResponse& answer) {
  CARNET_ASSIGN_OR_RETURN(const std::optional<Left> left, ReadLeft(state));
  if (!left.has_value()) {
    return absl::OkStatus();
  }
  CARNET_ASSIGN_OR_RETURN(const auto record,
                          ledger::verifier::VerifyRecord(answer.genesis().record()));
  const auto* genesis = record.As<v1::Genesis>();
  if (genesis == nullptr || HexEncode(record.leaf_hash) != left->genesis ||
      genesis->succeeds().origin() != left->origin) {
    return WithRemedy(
        WithOperatorDetail(absl::UnauthenticatedError("enrolment: this log does not succeed the "
                                                      "one that this worker was a member of"),
                           left->origin),
        "ask the operator; carnet worker accept-log takes another token");
  }
  CARNET_ASSIGN_OR_RETURN(const TreeHead seen, ledger::verifier::ReadUnverifiedHead(left->head));
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
