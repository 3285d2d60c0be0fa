#include "cli/commands/job_export.h"

#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "base/files.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "carnet/v1/records.pb.h"
#include "cli/compact_manifest.h"
#include "cli/json_views.h"
#include "cli/output.h"
#include "cli/problems.h"
#include "crypto/hash.h"
#include "ledger/manifest.h"
#include "ledger/trust.h"
#include "ledger/verifier/manifest.h"
#include "ledger/verifier/trust_policy.h"

namespace carnet::cli {
namespace {

// How often a manifest is asked for until it holds the release; it may not where witnesses are
// away.
constexpr int kManifestTries = 5;
constexpr absl::Duration kManifestPause = absl::Seconds(1);

// For auditors to read: no secret is in these.
constexpr mode_t kExportFileMode = 0644;

// The model on its way: a file that goes unless it is kept.
class PartialFile {
 public:
  static absl::StatusOr<PartialFile> Create(const std::filesystem::path& path) {
    CARNET_RETURN_IF_ERROR(RemoveFileDurably(path));
    CARNET_ASSIGN_OR_RETURN(SpoolFile file, SpoolFile::Open(path, kExportFileMode));
    return PartialFile(std::move(file));
  }
  ~PartialFile() {
    if (file_.has_value()) {
      RemoveFileDurably(file_->path()).IgnoreError();
    }
  }
  PartialFile(PartialFile&& other) noexcept
      : file_(std::exchange(other.file_, std::nullopt)),
        hash_(std::move(other.hash_)),
        offset_(other.offset_) {}
  PartialFile& operator=(PartialFile&&) = delete;

  absl::Status Append(ByteView bytes) {
    CARNET_RETURN_IF_ERROR(file_->WriteAt(offset_, bytes));
    hash_.Update(bytes);
    offset_ += bytes.size();
    return absl::OkStatus();
  }
  Digest Finish() { return hash_.Finish(); }
  std::uint64_t size() const { return offset_; }
  absl::Status MoveTo(const std::filesystem::path& path) {
    CARNET_RETURN_IF_ERROR(file_->Sync());
    CARNET_RETURN_IF_ERROR(RenameDurably(file_->path(), path));
    file_.reset();
    return absl::OkStatus();
  }

 private:
  explicit PartialFile(SpoolFile file) : file_(std::move(file)) {}
  std::optional<SpoolFile> file_;
  crypto::Sha256Stream hash_;
  std::uint64_t offset_ = 0;
};

absl::StatusOr<PartialFile> DownloadModel(Client& client, CommandContext& context,
                                          const ExportOptions& options) {
  CARNET_ASSIGN_OR_RETURN(PartialFile file,
                          PartialFile::Create(options.out / ".model.safetensors.partial"));
  v1::DownloadModelRequest request;
  request.set_job_id(options.job_id);
  request.set_round(options.round);
  grpc::ClientContext call;
  Client::SetDeadline(call, kTransferMax);
  const auto stream = client.jobs().DownloadModel(&call, request);
  v1::ModelChunk chunk;
  ProgressLine progress(context);
  while (stream->Read(&chunk)) {
    if (absl::Status status = file.Append(AsBytes(chunk.data())); !status.ok()) {
      call.TryCancel();
      stream->Finish();
      return status;
    }
    progress.Show(absl::StrCat("downloading the model  ", FormatBytes(file.size())));
  }
  absl::Status ended = client.ToStatus(stream->Finish());
  if (absl::StartsWith(ended.message(), "cut: ")) {
    ended = WithRemedy(ended,
                       "the model may go to you no longer, and what came was dropped; the job's "
                       "record transfer-cut says why: carnet job watch, or ask again");
  }
  CARNET_RETURN_IF_ERROR(ended);
  return file;
}

absl::StatusOr<Bytes> DownloadManifest(Client& client, const ExportOptions& options) {
  v1::GetManifestRequest request;
  request.set_job_id(options.job_id);
  request.set_round(options.round);
  grpc::ClientContext call;
  Client::SetDeadline(call, kTransferMax);
  const auto stream = client.jobs().GetManifest(&call, request);
  Bytes manifest;
  v1::ManifestChunk chunk;
  while (stream->Read(&chunk)) {
    if (manifest.size() + chunk.data().size() > ledger::verifier::kManifestBytesMax) {
      call.TryCancel();
      stream->Finish();
      return absl::ResourceExhaustedError("the manifest is larger than 256 MiB");
    }
    manifest.insert(manifest.end(), chunk.data().begin(), chunk.data().end());
  }
  CARNET_RETURN_IF_ERROR(client.ToStatus(stream->Finish()));
  return manifest;
}

struct TrustFiles {
  std::string policy;
  std::string trusted_root;
  std::string succeeds;  // the log before, which lost records; empty: none
};

absl::StatusOr<TrustFiles> MakeTrustFiles(Client& client) {
  CARNET_ASSIGN_OR_RETURN(const ledger::verifier::VerifiedRecord first, client.FetchRecord(0));
  const auto* genesis = first.As<v1::Genesis>();
  if (genesis == nullptr) {
    return absl::UnauthenticatedError("the log does not begin with a genesis record");
  }
  CARNET_ASSIGN_OR_RETURN(const ledger::NoteKey founding, ledger::ParseVkey(genesis->log_vkey()));
  std::vector<ledger::LogKeySpan> spans = {
      {founding, ToTime(genesis->common().at()), std::nullopt}};
  CARNET_ASSIGN_OR_RETURN(const std::vector<Client::Rotation> rotations, client.FetchRotations());
  for (const Client::Rotation& rotation : rotations) {
    const auto* rotated = rotation.record.As<v1::KeyRotated>();
    if (rotated == nullptr || rotated->kind() != "log") {
      continue;
    }
    CARNET_ASSIGN_OR_RETURN(const ledger::NoteKey next, ledger::ParseVkey(rotated->log_vkey()));
    spans.back().until = ToTime(rotated->overlap_until());
    spans.push_back({next, ToTime(rotated->common().at()), std::nullopt});
  }
  std::vector<ledger::NoteKey> keys;
  for (const ledger::LogKeySpan& span : spans) {
    keys.push_back(span.key);
  }
  return TrustFiles{ledger::TrustPolicyText(keys, first.leaf_hash), ledger::TrustedRootJson(spans),
                    genesis->succeeds().origin()};
}

struct CheckedManifest {
  std::uint64_t size = 0;            // of the head that it is under
  std::set<std::uint64_t> releases;  // indexes of those that it holds
};

absl::StatusOr<CheckedManifest> CheckManifest(const Digest& model, const Bytes& manifest,
                                              const TrustFiles& files) {
  CARNET_ASSIGN_OR_RETURN(ledger::verifier::TrustPolicy trust,
                          ledger::verifier::ParseTrustPolicy(files.policy));
  // Whose context names this log's key accepted it already; the file leaves it to its reader.
  trust.succeeds.push_back(files.succeeds);
  const ledger::verifier::ManifestReport report =
      ledger::verifier::VerifyManifest(model, manifest, trust);
  if (report.verdict == ledger::verifier::Verdict::kGood) {
    CheckedManifest checked{report.head.size, {}};
    for (const ledger::verifier::ModelRelease& release : report.releases) {
      checked.releases.insert(release.index);
    }
    return checked;
  }
  std::string what = "the manifest does not verify";
  std::string where;
  if (!report.checks.empty()) {
    const ledger::verifier::Check& failed = report.checks.back();
    absl::StrAppend(&what, ": ", failed.name);
    where = absl::StrCat("expected ", failed.expected, ", found ", failed.actual);
  }
  const absl::Status status = report.verdict == ledger::verifier::Verdict::kMisbehaviour
                                  ? absl::DataLossError(what)
                                  : absl::UnauthenticatedError(what);
  return WithRemedy(WithOperatorDetail(status, where),
                    "nothing was written; tell the coordinator's operator");
}

// The number of the newest round, so that release, model and manifest are of one.
absl::StatusOr<std::uint32_t> NewestRound(Client& client, const std::string& job_id) {
  v1::GetMetricsRequest request;
  request.set_job_id(job_id);
  CARNET_ASSIGN_OR_RETURN(const v1::GetMetricsResponse response,
                          client.Call(client.jobs(), &v1::Jobs::Stub::GetMetrics, request));
  if (response.rounds().empty()) {
    return absl::NotFoundError("the job has no aggregate yet");
  }
  return response.rounds().rbegin()->round();
}

void PrintRefusal(const v1::ReleaseModelResponse& response, CommandContext& context) {
  if (context.json) {
    nlohmann::json decisions = nlohmann::json::array();
    for (const v1::Decision& decision : response.decisions()) {
      decisions.push_back(DecisionJson(decision));
    }
    *context.out << nlohmann::json{{"refused", true}, {"decisions", decisions}}.dump() << '\n';
    return;
  }
  std::set<std::string> shown;
  *context.out << Coloured(context, Colour::kBad, RefusalText("", response.decisions(), &shown))
               << '\n';
}

// The index of the release, if the model may go to this person; a refusal is printed.
absl::StatusOr<std::optional<std::uint64_t>> AskForRelease(Client& client, CommandContext& context,
                                                           const ExportOptions& options) {
  v1::ReleaseModelRequest request;
  request.set_request_id(client.NewRequestId());
  request.set_job_id(options.job_id);
  request.set_round(options.round);
  CARNET_ASSIGN_OR_RETURN(const v1::ReleaseModelResponse response,
                          client.Call(client.jobs(), &v1::Jobs::Stub::ReleaseModel, request));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t index, client.CheckReceipt(response.receipt()));
  if (response.refused()) {
    PrintRefusal(response, context);
    return std::optional<std::uint64_t>();
  }
  return std::optional<std::uint64_t>(index);
}

struct Papers {
  Bytes manifest;
  CheckedManifest checked;
};

// The manifest, with the release that it is handed out under: witnesses may take a moment to cosign
// the head that covers it. One without it is as good, and is taken in the end.
absl::StatusOr<Papers> FetchPapers(Client& client, const ExportOptions& options,
                                   const Digest& model, std::uint64_t release,
                                   const TrustFiles& trust) {
  Papers papers;
  for (int attempt = 0; attempt < kManifestTries; ++attempt) {
    if (attempt > 0) {
      absl::SleepFor(kManifestPause);
    }
    CARNET_ASSIGN_OR_RETURN(papers.manifest, DownloadManifest(client, options));
    CARNET_ASSIGN_OR_RETURN(papers.checked, CheckManifest(model, papers.manifest, trust));
    if (papers.checked.releases.count(release) != 0) {
      break;
    }
  }
  return papers;
}

}  // namespace

absl::StatusOr<int> ExportJob(Client& client, CommandContext& context, const ExportOptions& asked) {
  ExportOptions options = asked;
  if (options.round == 0) {
    CARNET_ASSIGN_OR_RETURN(options.round, NewestRound(client, options.job_id));
  }
  CARNET_ASSIGN_OR_RETURN(const std::optional<std::uint64_t> release,
                          AskForRelease(client, context, options));
  if (!release.has_value()) {
    return kRefused;
  }
  CARNET_RETURN_IF_ERROR(MakeDirs(options.out, 0755));
  CARNET_ASSIGN_OR_RETURN(const TrustFiles trust, MakeTrustFiles(client));
  CARNET_ASSIGN_OR_RETURN(PartialFile model, DownloadModel(client, context, options));
  const Digest digest = model.Finish();
  CARNET_ASSIGN_OR_RETURN(Papers papers, FetchPapers(client, options, digest, *release, trust));
  Bytes manifest = std::move(papers.manifest);
  const bool holds_release = papers.checked.releases.count(*release) != 0;
  if (options.compact) {
    CARNET_ASSIGN_OR_RETURN(manifest, CompactManifest(manifest, papers.checked.size));
    CARNET_RETURN_IF_ERROR(CheckManifest(digest, manifest, trust).status());
  }
  const std::filesystem::path& out = options.out;
  CARNET_RETURN_IF_ERROR(
      WriteFileAtomic(out / "trust.policy", AsBytes(trust.policy), kExportFileMode));
  CARNET_RETURN_IF_ERROR(
      WriteFileAtomic(out / "trusted-root.json", AsBytes(trust.trusted_root), kExportFileMode));
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(out / "model.carnet", manifest, kExportFileMode));
  CARNET_RETURN_IF_ERROR(model.MoveTo(out / "model.safetensors"));
  if (context.json) {
    *context.out << nlohmann::json{{"job_id", options.job_id},
                                   {"out", out.string()},
                                   {"model_sha256", HexEncode(digest)},
                                   {"model_bytes", model.size()},
                                   {"manifest_bytes", manifest.size()},
                                   {"release", *release},
                                   {"manifest_holds_release", holds_release}}
                        .dump()
                 << '\n';
    return kGood;
  }
  if (!holds_release) {
    *context.err << "note: the manifest does not hold the record of this release (" << *release
                 << ") yet: the witnesses have not cosigned it; export again later\n";
  }
  *context.out << "exported to " << out.string() << '\n'
               << "  model.safetensors  " << FormatBytes(model.size()) << ", sha256 "
               << HexEncode(digest) << '\n'
               << "  model.carnet       " << FormatBytes(manifest.size())
               << ", verified for this model\n"
               << "  trust.policy, trusted-root.json\n"
               << "Verify anywhere: carnet manifest verify " << (out / "model.safetensors").string()
               << " --manifest " << (out / "model.carnet").string() << " --trust "
               << (out / "trust.policy").string() << '\n';
  return kGood;
}

}  // namespace carnet::cli
