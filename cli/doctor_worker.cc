// The worker's part of `carnet doctor`.
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/list_dir.h"
#include "carnet/v1/federation.pb.h"
#include "cli/doctor.h"
#include "ledger/verifier/heads.h"

namespace carnet::cli {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kEnrolmentBytesMax = std::size_t{16} * 1024 * 1024;
constexpr absl::Duration kCertificateAhead = absl::Hours(24);

Finding CheckEvidence(const fs::path& state) {
  const absl::StatusOr<std::vector<fs::path>> paths = ListDir(state);
  if (!paths.ok()) {
    return {"log", Health::kFail,
            absl::StrCat("the state folder cannot be read: ", paths.status().message()),
            "run this as the worker's user"};
  }
  for (const fs::path& path : *paths) {
    if (absl::EndsWith(path.filename().string(), ".tlog-fork")) {
      return {"log", Health::kFail,
              absl::StrCat("the coordinator's log contradicted itself: ", path.string()),
              "send the file to the auditors; the worker does nothing before somebody looked"};
    }
  }
  return {"log", Health::kOk, "nothing speaks against the coordinator's log", ""};
}

std::optional<ledger::verifier::TreeHead> HeadIn(const fs::path& file) {
  const absl::StatusOr<Bytes> note = ReadFile(file, ledger::verifier::kHeadBytesMax);
  absl::StatusOr<ledger::verifier::TreeHead> head =
      note.ok() ? ledger::verifier::ReadUnverifiedHead(AsText(*note)) : note.status();
  return head.ok() ? std::optional(*std::move(head)) : std::nullopt;
}

Finding CheckReceipts(const fs::path& state) {
  const auto published = HeadIn(state / "published");
  std::size_t pending = 0;
  const absl::StatusOr<std::vector<fs::path>> receipts = ListDir(state / "receipts");
  for (const fs::path& path : receipts.ok() ? *receipts : std::vector<fs::path>()) {
    const std::string stem = path.stem().string();
    std::uint64_t index = 0;
    pending += path.extension() == ".tlog-proof" && absl::SimpleAtoi(stem, &index) &&
                       (!published.has_value() || index >= published->size)
                   ? 1
                   : 0;
  }
  return pending == 0 ? Finding{"receipts", Health::kOk, "all under a published head", ""}
                      : Finding{"receipts", Health::kWarn,
                                absl::StrCat(pending, " wait for a published head"),
                                "the operator's witnesses are late"};
}

}  // namespace

std::vector<Finding> ExamineWorker(const fs::path& state, absl::Time now) {
  std::vector<Finding> findings = {CheckLock(state / "lock"), CheckPrivate("keys", state / "keys"),
                                   CheckSpace(state), CheckLockedMemory(), CheckEvidence(state)};
  const absl::StatusOr<Bytes> bytes = ReadFile(state / "enrolment.pb", kEnrolmentBytesMax);
  v1::EnrollResponse enrolment;
  if (!bytes.ok() || !enrolment.ParseFromString(ToString(*bytes))) {
    findings.push_back({"enrolment", Health::kFail, "no member of a federation",
                        "carnet worker run --join FILE, with a token of the operator"});
    return findings;
  }
  findings.push_back(CheckCertificateLife(
      "certificate", enrolment.certificate_pem(), now, kCertificateAhead,
      "a running worker renews it by itself; 7 days after its end the operator invites it anew"));
  const bool head = HeadIn(state / "head").has_value();
  findings.push_back({"head", head ? Health::kOk : Health::kWarn,
                      head ? "the newest verified head is remembered" : "no head is remembered",
                      head ? "" : "a rolled back log would not be noticed: put the file back"});
  findings.push_back(CheckReceipts(state));
  return findings;
}

}  // namespace carnet::cli
