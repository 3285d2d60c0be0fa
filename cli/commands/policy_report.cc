#include "cli/commands/policy_report.h"

#include <nlohmann/json.hpp>

#include "base/json.h"
#include "base/status.h"
#include "crypto/hash.h"

namespace carnet::cli {
namespace {

constexpr std::size_t kReportBytesMax = std::size_t{256} * 1024;

bool Names(const nlohmann::json& report, const char* key, const Digest& digest) {
  return report.value(key, nlohmann::json()) == HexEncode(digest);
}

}  // namespace

absl::Status CheckReport(const std::string& report_json, ByteView report_sha256,
                         const policies::Bundle& bundle) {
  const absl::StatusOr<nlohmann::json> report = ParseJson(report_json, kReportBytesMax);
  const bool same = AsText(crypto::Sha256(AsBytes(report_json))) == AsText(report_sha256) &&
                    report.ok() && report->is_object() && bundle.head().parent.has_value() &&
                    Names(*report, "bundle", bundle.sha256()) &&
                    Names(*report, "parent", *bundle.head().parent);
  return same ? absl::OkStatus()
              : WithRemedy(absl::UnauthenticatedError(
                               "policy: the coordinator shows another report than the one on "
                               "record, or one of another bundle"),
                           "do not approve it; show the proposal to the auditors");
}

}  // namespace carnet::cli
