#include "worker/log_keys.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/bytes.h"
#include "base/files.h"
#include "base/status.h"
#include "carnet/v1/federation.pb.h"
#include "ledger/verifier/key_history.h"
#include "worker/state_dir.h"

namespace carnet::worker {

using ledger::verifier::VerifierKey;

namespace {

constexpr std::size_t kLogKeysBytesMax = std::size_t{8} << 20;
constexpr std::size_t kEnrolmentBytesMax = std::size_t{4} << 20;

absl::Status Damaged(const std::filesystem::path& path) {
  return WithOperatorDetail(absl::DataLossError("worker: the followed keys are damaged"),
                            path.string());
}

// A line: a vkey, a space, base64 of the record that hands over to it.
absl::Status TakeLine(absl::string_view line, FollowedLog* followed) {
  const std::pair<absl::string_view, absl::string_view> parts =
      absl::StrSplit(line, absl::MaxSplits(' ', 1));
  CARNET_ASSIGN_OR_RETURN(VerifierKey key, ledger::verifier::ParseVerifierKey(parts.first));
  VerifierKey& log = followed->log;
  if (key.name != log.name || key.type != log.type) {
    return absl::InvalidArgumentError("of another log");
  }
  CARNET_ASSIGN_OR_RETURN(const Bytes record, Base64Decode(parts.second));
  if (!followed->handovers.emplace_back().ParseFromString(ToString(record))) {
    return absl::InvalidArgumentError("no record");
  }
  const bool known =
      key.public_key == log.public_key ||
      std::any_of(log.successors.begin(), log.successors.end(),
                  [&](const VerifierKey& one) { return one.public_key == key.public_key; });
  if (!known) {
    log.successors.push_back(std::move(key));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<FollowedLog> ReadFollowed(VerifierKey log, const std::filesystem::path& path) {
  FollowedLog followed{std::move(log), {}};
  CARNET_ASSIGN_OR_RETURN(const std::optional<std::string> text,
                          ReadIfThere(path, kLogKeysBytesMax));
  for (const absl::string_view line :
       absl::StrSplit(text.has_value() ? absl::string_view(*text) : absl::string_view(), '\n',
                      absl::SkipEmpty())) {
    if (!TakeLine(line, &followed).ok()) {
      return Damaged(path);
    }
  }
  return followed;
}

absl::Status KeepFollowed(const std::vector<FollowedKey>& keys, const std::filesystem::path& path) {
  CARNET_ASSIGN_OR_RETURN(const std::optional<std::string> before,
                          ReadIfThere(path, kLogKeysBytesMax));
  std::string text = before.value_or("");
  for (const FollowedKey& key : keys) {
    absl::StrAppend(&text, key.vkey, " ", Base64Encode(AsBytes(key.handover.SerializeAsString())),
                    "\n");
  }
  if (text.size() > kLogKeysBytesMax) {
    return absl::ResourceExhaustedError("worker: too many keys of the log");
  }
  return WriteFileAtomic(path, AsBytes(text));
}

absl::StatusOr<VerifierKey> LogKeyOf(const std::filesystem::path& state_dir,
                                     const FederationFacts& facts) {
  CARNET_ASSIGN_OR_RETURN(VerifierKey log, ledger::verifier::ParseVerifierKey(facts.log_vkey));
  const std::filesystem::path enrolment = state_dir / kEnrolmentName;
  CARNET_ASSIGN_OR_RETURN(const std::optional<std::string> bytes,
                          ReadIfThere(enrolment, kEnrolmentBytesMax));
  v1::EnrollResponse answer;
  if (bytes.has_value() && !answer.ParseFromString(*bytes)) {
    return WithOperatorDetail(absl::DataLossError("worker: its enrolment is damaged"),
                              enrolment.string());
  }
  // The worker checked that they are in the log before it kept them.
  CARNET_ASSIGN_OR_RETURN(log, FollowLog(std::move(log), answer.rotations()));
  CARNET_ASSIGN_OR_RETURN(FollowedLog followed,
                          ReadFollowed(std::move(log), state_dir / kLogKeysName));
  return std::move(followed.log);
}

}  // namespace carnet::worker
