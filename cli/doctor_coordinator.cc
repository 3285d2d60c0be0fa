// The coordinator's part of `carnet doctor`.
#include <sys/stat.h>

#include <memory>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "base/config_loader.h"
#include "base/files.h"
#include "base/list_dir.h"
#include "base/status.h"
#include "carnet/v1/config.pb.h"
#include "cli/doctor.h"
#include "coordinator/core/keys.h"
#include "coordinator/core/people.h"
#include "coordinator/core/retention.h"
#include "coordinator/core/state.h"
#include "coordinator/head_file.h"
#include "coordinator/publish/publisher.h"
#include "coordinator/publish/witness_client.h"
#include "coordinator/recover.h"
#include "coordinator/state_dir.h"
#include "coordinator/succeed.h"
#include "ledger/log.h"
#include "ledger/record.h"
#include "policies/bundle.h"
#include "policies/roles.h"

namespace carnet::cli {
namespace {

namespace fs = std::filesystem;
using coordinator::StateDir;

constexpr std::size_t kPemBytesMax = std::size_t{16} * 1024;
constexpr absl::Duration kCaAhead = absl::Hours(24 * 180);
constexpr absl::Duration kPersonAhead = absl::Hours(24 * 14);
constexpr absl::Duration kBundleAhead = absl::Hours(24 * 14);
constexpr absl::Duration kClockAhead = absl::Hours(24);
// What a coordinator takes at most to commit a head that its head file has already.
constexpr absl::Duration kCommitMax = absl::Seconds(1);

std::string Said(const absl::Status& status) {
  const std::string detail = OperatorDetail(status);
  return absl::StrCat(std::string(status.message()), detail.empty() ? "" : ": ", detail);
}

class Examination {
 public:
  Examination(const fs::path& state, absl::Time now) : dir_{state}, now_(now) {}

  std::vector<Finding> Run();

 private:
  void Add(Finding finding) { findings_.push_back(std::move(finding)); }
  void Config();
  void Ledger();
  void HeadFile();
  // What contradicts the log; nothing: it is a prefix of it.
  std::optional<std::string> HeadAgainstLog(const fs::path& file);
  void Clock();
  void Certificates();
  void Overlap();
  void Bundle();
  void Keys();
  void Files();
  void Witnesses();
  void Readers();
  void People();
  void Bootstrap();

  const StateDir dir_;
  const absl::Time now_;
  v1::CoordinatorConfig config_;
  std::unique_ptr<ledger::LogView> log_;  // null: it cannot be read
  coordinator::State state_;
  std::vector<Finding> findings_;
};

void Examination::Config() {
  std::error_code error;
  if (fs::exists(dir_.root / coordinator::kSucceededFileName, error)) {
    Add({"succeeded", Health::kWarn, "another log took the place of this one's",
         "keep it for auditors; the coordinator runs where the file `succeeded` says"});
  }
  if (!fs::exists(dir_.config(), error)) {
    Add({"config", Health::kOk, "no coordinator.yaml: every default", ""});
    return;
  }
  absl::StatusOr<v1::CoordinatorConfig> config = LoadYamlFile<v1::CoordinatorConfig>(dir_.config());
  if (!config.ok()) {
    Add({"config", Health::kFail, Said(config.status()), "mend the file; carnet config check"});
    return;
  }
  config_ = *std::move(config);
  Add({"config", Health::kOk, "coordinator.yaml can be read", ""});
}

void Examination::Ledger() {
  absl::StatusOr<std::unique_ptr<ledger::LogView>> log = ledger::LogView::OpenReadOnly(dir_.root);
  absl::StatusOr<coordinator::State> state =
      log.ok() ? coordinator::FoldLedger(**log) : log.status();
  if (!state.ok()) {
    Add({"ledger", Health::kFail, Said(state.status()),
         "carnet ledger fsck names the first bad index; restore a backup, or `carnet ledger "
         "succeed` where records are lost"});
    return;
  }
  log_ = *std::move(log);
  state_ = *std::move(state);
  Add({"ledger", Health::kOk, absl::StrCat(log_->Size(), " records fold"), ""});
}

std::optional<std::string> Examination::HeadAgainstLog(const fs::path& file) {
  const absl::StatusOr<Bytes> note = ReadFile(file, ledger::kNoteBytesMax);
  if (!note.ok()) {
    return Said(note.status());
  }
  if (log_ == nullptr) {
    return std::nullopt;  // that is said already
  }
  const absl::StatusOr<ledger::Head> head = ledger::ParseHead(AsText(*note), log_->keys());
  if (!head.ok()) {
    return "holds no head of this log";
  }
  if (head->size > log_->Size() && coordinator::IsInUse(dir_.root)) {
    // The commit of this head may be under way.
    absl::SleepFor(kCommitMax);
    absl::StatusOr<std::unique_ptr<ledger::LogView>> later =
        ledger::LogView::OpenReadOnly(dir_.root);
    if (later.ok()) {
      log_ = *std::move(later);
    }
  }
  if (head->size > log_->Size()) {
    return absl::StrCat("the log signed ", head->size, " records and holds ", log_->Size(),
                        ": the state was rolled back");
  }
  const absl::StatusOr<Digest> root = log_->Root(head->size);
  return root.ok() && *root == head->root
             ? std::nullopt
             : std::optional<std::string>(
                   absl::StrCat("another root at ", head->size, " records: two histories"));
}

void Examination::HeadFile() {
  const fs::path file = coordinator::HeadFileOf(config_, dir_.root);
  struct stat head = {};
  struct stat store = {};
  if (::stat(file.c_str(), &head) != 0) {
    Add({"head-file", Health::kFail, absl::StrCat(file.string(), " is missing"),
         "put it back; if it is lost, write there the newest head that anybody else holds"});
    return;
  }
  if (const std::optional<std::string> wrong = HeadAgainstLog(file); wrong.has_value()) {
    Add({"head-file", Health::kFail, absl::StrCat(file.string(), ": ", *wrong),
         "keep both; the coordinator does not start on it. carnet ledger fsck; then restore a "
         "newer "
         "state, or `carnet ledger succeed`"});
    return;
  }
  if (::stat((dir_.root / ledger::kStoreFileName).c_str(), &store) == 0 &&
      head.st_dev == store.st_dev) {
    Add({"head-file", Health::kWarn,
         "on the device of the database: one disk that goes back in "
         "time takes both along",
         "head_file in coordinator.yaml: a path on another device"});
    return;
  }
  Add({"head-file", Health::kOk, "on another device than the database", ""});
}

void Examination::Clock() {
  const absl::Duration ahead = now_ - state_.last;
  if (ahead < absl::ZeroDuration()) {
    Add({"clock", Health::kFail, "behind the time of the last record",
         "set the clock; else no round opens before `carnet coordinator accept-clock`"});
  } else if (ahead > kClockAhead) {
    Add({"clock", Health::kWarn, "more than a day after the last record",
         "if the clock is right: carnet coordinator accept-clock after the start"});
  } else {
    Add({"clock", Health::kOk, "goes on from the last record", ""});
  }
}

void Examination::Certificates() {
  if (log_ != nullptr) {
    Add(CheckCertificateLife("ca-certificate", coordinator::AuthorityInForce(state_), now_,
                             kCaAhead, "carnet key rotate ca"));
    Overlap();
  }
  const absl::StatusOr<Bytes> person =
      ReadFile(dir_.operator_credentials() / "user.pem", kPemBytesMax);
  if (person.ok()) {
    Add(CheckCertificateLife("operator-certificate", ToString(*person), now_, kPersonAhead,
                             "carnet user renew --state DIR, within 7 days of its end"));
  }
}

// An authority that gives way to another: who does not follow before its end stays outside.
void Examination::Overlap() {
  const coordinator::Rotation* const last = state_.FindRotation(coordinator::kCaKind);
  if (last == nullptr ||
      state_.keys.at(last->old_key_id).phase == coordinator::KeyPhase::kDestroyed) {
    return;
  }
  const absl::Time end = coordinator::EndOfOverlap(*last);
  const std::string day = absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", end, absl::UTCTimeZone());
  if (now_ < end) {
    Add({"ca-overlap", Health::kWarn, absl::StrCat("two certificate authorities count until ", day),
         "until then: people run carnet user renew, and workers poll at least once"});
  } else {
    Add({"ca-overlap", Health::kWarn,
         absl::StrCat("the overlap of two certificate authorities ended at ", day,
                      "; the old key's file is still there"),
         "the coordinator destroys it while it runs"});
  }
}

void Examination::Bundle() {
  if (state_.bundle == nullptr) {
    return;
  }
  const absl::Time end = state_.bundle->head().valid_to;
  const std::string day = absl::FormatTime("%Y-%m-%d", end, absl::UTCTimeZone());
  constexpr char kRenew[] = "carnet policy renew, and its approvals";
  if (now_ >= end) {
    Add({"policies", Health::kFail, absl::StrCat("the bundle in force expired on ", day), kRenew});
  } else {
    const bool soon = now_ + kBundleAhead >= end;
    Add({"policies", soon ? Health::kWarn : Health::kOk,
         absl::StrCat("the bundle in force counts until ", day), soon ? kRenew : ""});
  }
}

void Examination::Keys() {
  std::set<std::string> needed = coordinator::NeededKeys(state_);
  for (const char* id : {coordinator::kLogKeyId, coordinator::kStatementKeyId,
                         coordinator::kCaKeyId, coordinator::kServerKeyId}) {
    needed.insert(state_.KeyIdOf(id));
  }
  std::error_code error;
  for (const std::string& id : needed) {
    if (!fs::exists(dir_.keys() / absl::StrCat(id, ".key"), error)) {
      Add({"key-files", Health::kFail, absl::StrCat("keys/", id, ".key is missing"),
           "restore keys/ from a backup of the state folder"});
      return;
    }
  }
  Add({"key-files", Health::kOk, absl::StrCat(needed.size(), " keys that count are there"), ""});
}

// Models and deltas that no record asks to keep.
void Examination::Files() {
  std::set<std::string> kept;
  for (const coordinator::BlobId& id : coordinator::KeptBlobs(state_)) {
    kept.insert(absl::StrCat(coordinator::BlobKindName(id.kind), "/", HexEncode(id.sha256)));
  }
  std::size_t orphans = 0;
  for (const coordinator::BlobKind kind :
       {coordinator::BlobKind::kModel, coordinator::BlobKind::kOptimizer,
        coordinator::BlobKind::kSealed, coordinator::BlobKind::kDelta}) {
    const std::string folder = coordinator::BlobKindName(kind);
    const auto paths = ListDir(dir_.blobs() / folder);
    for (const fs::path& path : paths.ok() ? *paths : std::vector<fs::path>()) {
      const std::string name = path.filename().string();
      orphans += name.size() == 2 * kDigestBytes && kept.count(absl::StrCat(folder, "/", name)) == 0
                     ? 1
                     : 0;
    }
  }
  for (const auto& [id, size] : coordinator::NeededBlobs(state_)) {
    std::error_code error;
    const fs::path path = dir_.blobs() / coordinator::BlobKindName(id.kind) / HexEncode(id.sha256);
    if (!fs::exists(path, error)) {
      Add({"blobs", Health::kFail, absl::StrCat(path.string(), " is missing, and is needed"),
           "restore it from a backup of the state folder; its name is its SHA-256"});
      return;
    }
  }
  Add(orphans == 0
          ? Finding{"blobs", Health::kOk, "every file is named by a record", ""}
          : Finding{"blobs", Health::kWarn,
                    absl::StrCat(orphans, " files that no record names, or not any more"),
                    "artifacts under way, or leftovers: the next start of the coordinator takes "
                    "those away"});
}

void Examination::Witnesses() {
  if (!config_.has_publish()) {
    Add({"witnesses", Health::kWarn,
         "none: nothing but the workers' memory protects against a second history",
         "docs/witnesses.md: `publish` in coordinator.yaml"});
    return;
  }
  const absl::StatusOr<v1::SignedRecord> first = log_->ReadRecord(0);
  const absl::StatusOr<ledger::Record> genesis =
      first.ok() ? ledger::OpenVerifiedRecord(*first) : first.status();
  if (!genesis.ok()) {
    return;
  }
  const absl::StatusOr<coordinator::PublisherOptions> options = coordinator::LoadPublisherOptions(
      config_.publish(), dir_.root, log_->keys(), genesis->leaf_hash);
  if (!options.ok()) {
    Add({"witnesses", Health::kFail, Said(options.status()), "mend the policy file"});
    return;
  }
  for (const coordinator::WitnessPeer& peer : options->witnesses) {
    const absl::StatusOr<std::string> note =
        coordinator::WitnessClient(peer).NewestHead(log_->key().name);
    const std::string check = absl::StrCat("witness/", peer.name);
    Add(note.ok() || absl::IsNotFound(note.status())
            ? Finding{check, Health::kOk, "answers", ""}
            : Finding{check, Health::kWarn, Said(note.status()),
                      "ask whoever runs it; without a quorum nothing is published"});
  }
  const absl::StatusOr<ledger::SignedHead> published = log_->PublishedHead();
  if (!published.ok() || published->head.size < log_->Size()) {
    Add({"published", Health::kWarn,
         absl::StrCat("published ", published.ok() ? published->head.size : 0, " of ", log_->Size(),
                      " records"),
         "wait for the witnesses, or see to them"});
  } else {
    Add({"published", Health::kOk, "every record is under a published head", ""});
  }
}

void Examination::Readers() {
  const bool entries = config_.log().public_() == v1::LOG_PUBLIC_ENTRIES;
  Add({"log.public", entries ? Health::kWarn : Health::kOk,
       entries ? "entries: leaves show everybody who worked when" : "no entry is public",
       entries ? "log: {public: heads} in coordinator.yaml, unless that is meant" : ""});
}

// `carnet init` made keys of people here, for them to take away; those who brought their own have
// none here.
void Examination::People() {
  std::set<std::string> with_keys;
  const auto paths = ListDir(dir_.people());
  for (const fs::path& path : paths.ok() ? *paths : std::vector<fs::path>()) {
    std::error_code unread;
    if (fs::exists(path / "keys", unread)) {
      with_keys.insert(path.filename().string());
    }
  }
  Add(!with_keys.empty()
          ? Finding{"people", Health::kWarn,
                    absl::StrCat("people/ holds private keys of ", with_keys.size(),
                                 " people, in folders that have their names"),
                    "hand each person the folder and remove it here; an erasure of a name does "
                    "not reach it. Next time: carnet user keygen on their own machines"}
          : Finding{"people", Health::kOk, "no keys of people but the operator's lie here", ""});
}

// Whoever founded alone is an admin and decides about policies, until others do.
void Examination::Bootstrap() {
  for (const auto& [id, user] : state_.users) {
    if (user.revoked || !policies::MixesAdminWithPolicy(user.roles)) {
      continue;
    }
    const std::set<std::string> alone = coordinator::BootstrapRoles(state_, user);
    if (!alone.empty()) {
      Add({"bootstrap", Health::kWarn,
           absl::StrCat(id, " is an admin and decides about policies: nobody else holds ",
                        absl::StrJoin(alone, ", ")),
           "carnet user invite and carnet user role grant for others, before the policies end"});
    } else {
      Add({"bootstrap", Health::kWarn,
           absl::StrCat(id, " is an admin and decides about policies, as others do now"),
           absl::StrCat("carnet user role revoke ", id, " ROLE, for each of them")});
    }
    return;
  }
  Add({"bootstrap", Health::kOk, "no admin decides about policies", ""});
}

std::vector<Finding> Examination::Run() {
  Config();
  Add(CheckLock(dir_.root / ledger::kLockFileName));
  Add(CheckPrivate("keys", dir_.keys()));
  Add(CheckPrivate("vault", dir_.vault()));
  Add(CheckSpace(dir_.root));
  Add(CheckLockedMemory());
  Ledger();
  HeadFile();
  Certificates();
  Readers();
  People();
  if (log_ != nullptr) {
    Clock();
    Bundle();
    Bootstrap();
    Keys();
    Files();
    Witnesses();
  }
  return std::move(findings_);
}

}  // namespace

std::vector<Finding> ExamineCoordinator(const fs::path& state, absl::Time now) {
  return Examination(state, now).Run();
}

}  // namespace carnet::cli
