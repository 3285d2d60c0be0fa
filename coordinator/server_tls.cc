#include "coordinator/server_tls.h"

#include <memory>
#include <string>

#include "base/bytes.h"
#include "base/files.h"
#include "base/log.h"
#include "base/status.h"

namespace carnet::coordinator {
namespace {

constexpr std::size_t kCaFileBytesMax = std::size_t{64} * 1024;

// The file follows from the ledger, so a crash before or after it does no harm.
absl::Status WriteRoots(const std::filesystem::path& path, const std::string& roots) {
  const absl::StatusOr<Bytes> there = ReadFile(path, kCaFileBytesMax);
  return there.ok() && AsText(*there) == roots ? absl::OkStatus()
                                               : WriteFileAtomic(path, AsBytes(roots));
}

}  // namespace

absl::Status ServerTls::Start(HttpServer* https, const HttpServerOptions& options) {
  const std::shared_ptr<const Authorities::Tls> tls = authorities_.CurrentTls();
  if (tls == nullptr) {
    return absl::InternalError("tls: the coordinator's certificate cannot be made");
  }
  CARNET_RETURN_IF_ERROR(WriteRoots(ca_file_, tls->roots));
  const MutexLock lock(mutex_);
  CARNET_RETURN_IF_ERROR(
      https->Start(options, HttpServerTls{tls->chain, AsText(key_pem_.View()), tls->roots}));
  https_ = https;
  metrics_.Set(kAuthoritiesCounting, tls->authorities);
  version_ = tls->version;
  return absl::OkStatus();
}

void ServerTls::Follow() {
  const std::shared_ptr<const Authorities::Tls> tls = authorities_.CurrentTls();
  const MutexLock lock(mutex_);
  if (https_ == nullptr || tls == nullptr || tls->version == version_) {
    return;
  }
  const absl::Status replaced =
      https_->ReplaceTls(HttpServerTls{tls->chain, AsText(key_pem_.View()), tls->roots});
  if (!replaced.ok()) {
    Log(LogLevel::kError, "server-certificate.failed", {{"error", replaced}});
    return;
  }
  version_ = tls->version;
  metrics_.Set(kAuthoritiesCounting, tls->authorities);
  // A full executor leaves the file to the next start.
  storage_
      .TrySubmit([path = ca_file_, tls] {
        if (const absl::Status status = WriteRoots(path, tls->roots); !status.ok()) {
          Log(LogLevel::kWarning, "ca-file.failed", {{"error", status}});
        }
      })
      .IgnoreError();
}

}  // namespace carnet::coordinator
