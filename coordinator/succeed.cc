#include "coordinator/succeed.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/config_loader.h"
#include "base/files.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "carnet/v1/config.pb.h"
#include "coordinator/core/apply.h"
#include "coordinator/core/approvals.h"
#include "coordinator/core/keys.h"
#include "coordinator/core/location.h"
#include "coordinator/core/people.h"
#include "coordinator/core/state.h"
#include "coordinator/init_records.h"
#include "coordinator/known_head.h"
#include "coordinator/speakers.h"
#include "coordinator/state_dir.h"
#include "coordinator/succeed_registry.h"
#include "crypto/certificates.h"
#include "crypto/hash.h"
#include "crypto/key_files.h"
#include "exchange/data_digest.h"
#include "exchange/join_token.h"
#include "ledger/log.h"
#include "ledger/record.h"
#include "ledger/salvage.h"
#include "policies/roles.h"

namespace carnet::coordinator {
namespace {

namespace fs = std::filesystem;

constexpr absl::Duration kTokenLife = absl::Hours(24);
constexpr std::size_t kConfigBytesMax = std::size_t{1024} * 1024;
constexpr std::size_t kValueBytesMax = std::size_t{1024} * 1024;

// "test.example/log" -> "test.example/log-2" -> "test.example/log-3": never a name that was used.
std::string NextOrigin(const std::string& origin) {
  const std::size_t dash = origin.rfind("/log-");
  std::uint32_t number = 0;
  if (dash != std::string::npos && absl::SimpleAtoi(origin.substr(dash + 5), &number)) {
    return absl::StrCat(origin.substr(0, dash), "/log-", number + 1);
  }
  return absl::StrCat(origin, "-2");
}

// The name of the log that took this one's place before, if one did: it is used, and there may be
// members of it.
absl::StatusOr<std::string> NewestOrigin(const fs::path& state_dir, std::string origin) {
  const absl::StatusOr<Bytes> mark = ReadFile(state_dir / kSucceededFileName, kConfigBytesMax);
  if (absl::IsNotFound(mark.status())) {
    return origin;
  }
  CARNET_RETURN_IF_ERROR(mark);
  std::string named(AsText(*mark).substr(0, AsText(*mark).find('\n')));
  if (!ledger::ValidateNoteName(named).ok()) {
    return WithOperatorDetail(absl::DataLossError("succeed: the mark `succeeded` is damaged"),
                              (state_dir / kSucceededFileName).string());
  }
  return named;
}

absl::Status SyncTree(const fs::path& root) {
  std::error_code error;
  for (fs::recursive_directory_iterator item(root, error), end; !error && item != end;
       item.increment(error)) {
    CARNET_RETURN_IF_ERROR(item->is_directory(error) ? SyncDirectory(item->path())
                                                     : SyncFile(item->path()));
  }
  return error ? FileError(error.value(), "list", root) : SyncDirectory(root);
}

// Puts the new log's key into every context.yaml below `root`.
absl::Status RenameLogInContexts(const fs::path& root, const std::string& vkey) {
  std::error_code error;
  for (fs::recursive_directory_iterator item(root, error), end; !error && item != end;
       item.increment(error)) {
    if (item->path().filename() != "context.yaml") {
      continue;
    }
    CARNET_ASSIGN_OR_RETURN(const Bytes text, ReadFile(item->path(), kConfigBytesMax));
    std::vector<std::string> lines = absl::StrSplit(AsText(text), '\n');
    for (std::string& line : lines) {
      if (absl::StartsWith(line, "log_vkey:")) {
        line = absl::StrCat("log_vkey: ", vkey);
      }
    }
    CARNET_RETURN_IF_ERROR(WriteFileAtomic(item->path(), AsBytes(absl::StrJoin(lines, "\n"))));
  }
  return error ? FileError(error.value(), "list", root) : absl::OkStatus();
}

// What is known of the old log, from its own state and from the head that somebody showed.
struct OldLog {
  ledger::HeldLog held;
  ledger::SignedHead known;
  State state;  // as of the newest held head
};

absl::StatusOr<OldLog> ReadOldLog(const SucceedOptions& options,
                                  const v1::CoordinatorConfig& config) {
  CARNET_ASSIGN_OR_RETURN(ledger::HeldLog held, ledger::HeldLog::Open(options.state_dir));
  CARNET_ASSIGN_OR_RETURN(ledger::SignedHead known, NewestKnown(options, config, held.keys()));
  CARNET_ASSIGN_OR_RETURN(const bool extends, held.Extends(known.head));
  if (extends) {
    return WithRemedy(absl::FailedPreconditionError(
                          "succeed: nothing is lost: the state extends every head that is known"),
                      "start the coordinator on it as it is");
  }
  OldLog old{std::move(held), std::move(known), {}};
  CARNET_RETURN_IF_ERROR(old.held.ForEachRecord(
      [&](std::uint64_t index, const v1::SignedRecord& signed_record) -> absl::Status {
        CARNET_ASSIGN_OR_RETURN(const ledger::Record record,
                                ledger::OpenVerifiedRecord(signed_record));
        return Apply(old.state, index, record.predicate);
      }));
  if (old.state.size == 0) {
    return absl::FailedPreconditionError(
        "succeed: not even record 0 is held; restore a backup of the state folder");
  }
  return old;
}

class Successor {
 public:
  Successor(const SucceedOptions& options, fs::path root, const OldLog& old,
            v1::CoordinatorConfig config, Clock& clock, Rng& rng)
      : options_(options),
        dir_{std::move(root)},
        old_dir_{options.state_dir},
        old_(old),
        config_(std::move(config)),
        clock_(clock),
        rng_(rng) {}

  absl::StatusOr<SucceedReport> Run();
  const std::vector<std::pair<fs::path, crypto::SecretBytes>>& tokens() const { return tokens_; }

 private:
  absl::Status CopyFiles();
  absl::Status CopyKey(const crypto::KeyFiles& from, const crypto::KeyFiles& to,
                       const std::string& old_id, const char* id, crypto::KeyKind kind);
  absl::Status CopyConfig();
  v1::Genesis MakeGenesis(const crypto::Ed25519PublicKey& statement_key, const std::string& ca_pem,
                          const Digest& ca_spki_sha256) const;
  absl::Status AddPeople(RecordSigner* signer) const;
  absl::Status AddContradictions(RecordSigner* signer) const;
  absl::Status FindSpeakers();
  absl::Status AddInvitations(const Digest& ca_spki_sha256, const Digest& genesis_leaf,
                              RecordSigner* signer);

  const SucceedOptions& options_;
  const StateDir dir_;
  const StateDir old_dir_;
  const OldLog& old_;
  const v1::CoordinatorConfig config_;
  Clock& clock_;
  Rng& rng_;
  Speakers speakers_{rng_};
  SucceedReport report_;
  std::vector<std::pair<fs::path, crypto::SecretBytes>> tokens_;
};

absl::Status Successor::CopyKey(const crypto::KeyFiles& from, const crypto::KeyFiles& to,
                                const std::string& old_id, const char* id, crypto::KeyKind kind) {
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes secret, from.Read(old_id, kind));
  return to.Create(id, kind, secret);
}

// What names the old log cannot hold for the new one: it is kept as a comment.
absl::Status Successor::CopyConfig() {
  const absl::StatusOr<Bytes> text = ReadFile(old_dir_.config(), kConfigBytesMax);
  if (absl::IsNotFound(text.status())) {
    return absl::OkStatus();
  }
  CARNET_RETURN_IF_ERROR(text);
  std::vector<std::string> lines = absl::StrSplit(AsText(*text), '\n');
  bool leaving = false;
  for (std::string& line : lines) {
    const bool top = !line.empty() && line[0] != ' ' && line[0] != '#';
    if (top) {
      leaving = absl::StartsWith(line, "head_file:") || absl::StartsWith(line, "publish:");
      if (leaving) {
        report_.left_out.push_back(line.substr(0, line.find(':')));
      }
    }
    if (leaving && !line.empty()) {
      line = absl::StrCat("# ", line);
    }
  }
  return WriteFileAtomic(dir_.config(), AsBytes(absl::StrJoin(lines, "\n")));
}

absl::Status Successor::CopyFiles() {
  for (const fs::path& folder : {dir_.root, dir_.vault(), dir_.people(), dir_.spool()}) {
    CARNET_RETURN_IF_ERROR(MakeDirs(folder));
  }
  std::error_code error;
  for (const auto& [from, to] :
       {std::pair(old_dir_.people(), dir_.people()),
        std::pair(old_dir_.operator_credentials(), dir_.operator_credentials())}) {
    if (fs::exists(from, error)) {
      fs::copy(from, to, fs::copy_options::recursive | fs::copy_options::overwrite_existing, error);
      if (error) {
        return FileError(error.value(), "copy", from);
      }
      CARNET_RETURN_IF_ERROR(RenameLogInContexts(to, report_.log_vkey));
    }
  }
  for (const auto& [id, user] : old_.state.users) {
    const absl::StatusOr<Bytes> value = ReadFile(old_dir_.vault() / id, kValueBytesMax);
    if (!user.revoked && value.ok() && old_.state.erasures.count(id) == 0) {
      CARNET_RETURN_IF_ERROR(WriteFileAtomic(dir_.vault() / id, *value));
    }
  }
  return CopyConfig();
}

v1::Genesis Successor::MakeGenesis(const crypto::Ed25519PublicKey& statement_key,
                                   const std::string& ca_pem, const Digest& ca_spki_sha256) const {
  v1::Genesis genesis = old_.state.genesis;
  genesis.set_origin(report_.origin);
  genesis.set_log_vkey(report_.log_vkey);
  genesis.set_statement_public_key(ToString(statement_key));
  genesis.set_ca_spki_sha256(ToString(ca_spki_sha256));
  genesis.set_ca_certificate_pem(ca_pem);
  const policies::Bundle& bundle = *old_.state.bundle;
  genesis.set_bootstrap_approval(genesis.bootstrap_approval() &&
                                 bundle.revision() == genesis.bundle_revision());
  genesis.set_bundle_json(bundle.CanonicalJson());
  genesis.set_bundle_sha256(ToString(bundle.sha256()));
  genesis.set_bundle_revision(bundle.revision());
  genesis.clear_exception_authors();
  for (v1::ExceptionAuthor& author : ExceptionAuthors(old_.state)) {
    *genesis.add_exception_authors() = std::move(author);
  }
  genesis.clear_first_holders();
  for (const auto& [id, user] : old_.state.users) {
    if (!user.revoked) {
      v1::FirstHolder* holder = genesis.add_first_holders();
      holder->set_user_id(id);
      holder->set_public_key(ToString(user.public_key));
      holder->mutable_roles()->Add(user.roles.begin(), user.roles.end());
      holder->set_bootstrap(IsLoneFounder(old_.state, user) &&
                            policies::MixesAdminWithPolicy(user.roles));
    }
  }
  const absl::StatusOr<Digest> software = exchange::FileDigest("/proc/self/exe");
  genesis.set_software_sha256(software.ok() ? HexEncode(*software) : "");
  v1::Succession* succeeds = genesis.mutable_succeeds();
  succeeds->set_origin(report_.old_origin);
  succeeds->set_last_held(old_.held.last_held()->note);
  succeeds->set_last_known(old_.known.note);
  return genesis;
}

absl::Status Successor::AddPeople(RecordSigner* signer) const {
  for (const auto& [id, user] : old_.state.users) {
    if (user.revoked) {
      continue;
    }
    v1::UserEnrolled record;
    record.set_user_id(id);
    record.set_public_key(ToString(user.public_key));
    record.mutable_roles()->Add(user.roles.begin(), user.roles.end());
    record.set_wrapping_public_key(ToString(user.wrapping_public_key));
    record.set_jurisdiction(user.jurisdiction);
    record.set_organisation(user.organisation);
    CARNET_RETURN_IF_ERROR(signer->Add(std::move(record)));
  }
  return absl::OkStatus();
}

// Those whose credentials lie in the old state folder.
absl::Status Successor::FindSpeakers() {
  std::vector<fs::path> folders = {old_dir_.operator_credentials()};
  std::error_code error;
  for (fs::directory_iterator item(old_dir_.people(), error), end; !error && item != end;
       item.increment(error)) {
    folders.push_back(item->path());
  }
  for (const fs::path& folder : folders) {
    std::error_code missing;
    if (!fs::exists(folder / "keys", missing)) {
      continue;
    }
    CARNET_ASSIGN_OR_RETURN(const auto keys, crypto::KeyFiles::Open((folder / "keys").string()));
    const auto seed = keys.Read("statement", crypto::KeyKind::kEd25519);
    if (!seed.ok()) {
      continue;  // taken away
    }
    CARNET_ASSIGN_OR_RETURN(crypto::Ed25519KeyPair key, crypto::Ed25519KeyPair::FromSeed(*seed));
    for (const auto& [id, user] : old_.state.users) {
      if (!user.revoked && AsText(user.public_key) == AsText(key.public_key())) {
        speakers_.Add(id, user.roles, std::move(key));
        break;
      }
    }
  }
  return absl::OkStatus();
}

// What speaks against places, without what the new log does not know: machines enrol anew under
// other ids, a person may be gone, and the place that was observed may be the one on record by now.
absl::Status Successor::AddContradictions(RecordSigner* signer) const {
  const auto may_report = [this](const std::string& user_id) {
    const auto user = old_.state.users.find(user_id);
    return user != old_.state.users.end() && !user->second.revoked &&
           std::any_of(
               LocationReporters().begin(), LocationReporters().end(),
               [&](const std::string& role) { return user->second.roles.count(role) != 0; });
  };
  for (const auto& [name, region] : old_.state.regions) {
    const auto& places = region.terms.jurisdictions();
    for (const auto& [index, contradiction] : region.contradictions) {
      v1::LocationContradicted record = contradiction;
      record.clear_common();
      record.clear_worker_id();
      if (!may_report(record.reported_by())) {
        record.clear_reported_by();
      }
      if (std::find(places.begin(), places.end(), record.seen_in()) != places.end()) {
        record.clear_seen_in();
      }
      CARNET_RETURN_IF_ERROR(signer->Add(std::move(record)));
    }
  }
  return absl::OkStatus();
}

absl::Status Successor::AddInvitations(const Digest& ca_spki_sha256, const Digest& genesis_leaf,
                                       RecordSigner* signer) {
  const auto addresses = [](const auto& named, const std::string& listen) {
    return named.empty() ? std::vector<std::string>{listen}
                         : std::vector<std::string>(named.begin(), named.end());
  };
  for (const auto& [id, worker] : old_.state.workers) {
    if (worker.revoked) {
      continue;
    }
    const std::string supplier = old_.state.OperatorOf(worker.terms.region());
    exchange::JoinToken token{
        .addresses = addresses(config_.addresses(), config_.listen().grpc()),
        .https_addresses = addresses(config_.https_addresses(), config_.listen().https()),
        .ca_spki_sha256 = ca_spki_sha256,
        .log_vkey = report_.log_vkey,
        .genesis_leaf = genesis_leaf,
        .region = worker.terms.region(),
        .supplier = supplier,
        .slot = worker.terms.slot(),
        .trust_domain = old_.state.genesis.trust_domain(),
        .secret = crypto::SecretBytes(exchange::kJoinSecretBytes),
        .expires = absl::FromUnixSeconds(absl::ToUnixSeconds(signer->at() + kTokenLife))};
    rng_.Fill(token.secret.Mutable());
    v1::WorkerInvited record;
    record.set_token_sha256(ToString(crypto::Sha256(token.secret.View())));
    record.set_region(token.region);
    record.set_supplier(supplier);
    record.set_slot(token.slot);
    *record.mutable_expires() = ToTimestamp(token.expires);
    CARNET_RETURN_IF_ERROR(signer->Add(std::move(record)));
    CARNET_ASSIGN_OR_RETURN(crypto::SecretBytes text, exchange::EncodeJoinToken(token));
    tokens_.emplace_back(options_.join_dir / absl::StrCat(token.slot, ".token"), std::move(text));
  }
  return absl::OkStatus();
}

absl::StatusOr<SucceedReport> Successor::Run() {
  report_.old_origin = old_.state.genesis.origin();
  CARNET_ASSIGN_OR_RETURN(const std::string newest,
                          NewestOrigin(old_dir_.root, report_.old_origin));
  report_.origin = NextOrigin(newest);
  report_.held = old_.held.last_held()->head.size;
  report_.known = old_.known.head.size;
  crypto::Ed25519KeyPair log_key = crypto::Ed25519KeyPair::Generate(rng_);
  const crypto::Ed25519KeyPair statement_key = crypto::Ed25519KeyPair::Generate(rng_);
  report_.log_vkey = ledger::NoteKey{report_.origin, log_key.public_key()}.Vkey();
  CARNET_RETURN_IF_ERROR(CopyFiles());
  CARNET_ASSIGN_OR_RETURN(const auto old_keys, crypto::KeyFiles::Open(old_dir_.keys().string()));
  CARNET_ASSIGN_OR_RETURN(const auto keys, crypto::KeyFiles::Open(dir_.keys().string()));
  CARNET_RETURN_IF_ERROR(keys.Create(kLogKeyId, crypto::KeyKind::kEd25519, log_key.seed()));
  CARNET_RETURN_IF_ERROR(
      keys.Create(kStatementKeyId, crypto::KeyKind::kEd25519, statement_key.seed()));
  CARNET_RETURN_IF_ERROR(
      CopyKey(old_keys, keys, old_.state.KeyIdOf(kCaKeyId), kCaKeyId, crypto::KeyKind::kP256));
  CARNET_RETURN_IF_ERROR(
      CopyKey(old_keys, keys, kServerKeyId, kServerKeyId, crypto::KeyKind::kP256));
  // Of an overlap that ran, only the newer authority comes along.
  const std::string& ca_pem = AuthorityInForce(old_.state);
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(dir_.ca_certificate(), AsBytes(ca_pem)));
  CARNET_ASSIGN_OR_RETURN(const auto ca, crypto::ParseCertificatePem(ca_pem));

  RecordSigner signer(statement_key, std::max(clock_.Now(), old_.state.last), rng_);
  CARNET_RETURN_IF_ERROR(
      signer.Add(MakeGenesis(statement_key.public_key(), ca_pem, ca.spki_sha256)));
  CARNET_ASSIGN_OR_RETURN(const ledger::Record first, ledger::OpenRecord(signer.first()));
  CARNET_RETURN_IF_ERROR(AddPeople(&signer));
  CARNET_RETURN_IF_ERROR(FindSpeakers());
  CARNET_RETURN_IF_ERROR(CarryRegistry(old_.state, speakers_, &signer));
  CARNET_RETURN_IF_ERROR(AddContradictions(&signer));
  CARNET_RETURN_IF_ERROR(AddInvitations(ca.spki_sha256, first.leaf_hash, &signer));
  report_.records = signer.count();
  CARNET_ASSIGN_OR_RETURN(
      const std::unique_ptr<ledger::Log> log,
      ledger::Log::Open({.state_dir = dir_.root, .head_file = {}, .origin = report_.origin},
                        std::move(log_key)));
  const std::vector<v1::SignedRecord> records = signer.Take();
  for (std::size_t begin = 0; begin < records.size(); begin += ledger::kBatchRecordsMax) {
    const std::size_t end = std::min(records.size(), begin + ledger::kBatchRecordsMax);
    CARNET_RETURN_IF_ERROR(log->Append({records.begin() + static_cast<std::ptrdiff_t>(begin),
                                        records.begin() + static_cast<std::ptrdiff_t>(end)})
                               .status());
  }
  return report_;
}

absl::StatusOr<SucceedReport> MakeSuccessor(const SucceedOptions& options, const fs::path& partial,
                                            Clock& clock, Rng& rng) {
  CARNET_ASSIGN_OR_RETURN(const FileLock lock,
                          FileLock::Acquire(options.state_dir / ledger::kLockFileName));
  v1::CoordinatorConfig config;
  std::error_code error;
  if (const StateDir old{options.state_dir}; fs::exists(old.config(), error)) {
    CARNET_ASSIGN_OR_RETURN(config, LoadYamlFile<v1::CoordinatorConfig>(old.config()));
  }
  CARNET_ASSIGN_OR_RETURN(const OldLog old, ReadOldLog(options, config));
  Successor successor(options, partial, old, std::move(config), clock, rng);
  CARNET_ASSIGN_OR_RETURN(SucceedReport report, successor.Run());
  CARNET_RETURN_IF_ERROR(MakeDirs(options.join_dir));
  for (const auto& [path, text] : successor.tokens()) {
    CARNET_RETURN_IF_ERROR(WriteFileAtomic(path, text.View()));
    report.tokens.push_back(path);
  }
  CARNET_RETURN_IF_ERROR(SyncTree(partial));
  // Commit points. After the first one the old log appends no more; after the second one the new
  // one may.
  CARNET_RETURN_IF_ERROR(
      WriteFileAtomic(options.state_dir / kSucceededFileName,
                      AsBytes(absl::StrCat(report.origin, "\n", options.out_dir.string(), "\n"))));
  CARNET_RETURN_IF_ERROR(RenameDurably(partial, options.out_dir));
  return report;
}

}  // namespace

absl::StatusOr<SucceedReport> SucceedLog(const SucceedOptions& options, Clock& clock, Rng& rng) {
  SucceedOptions absolute = options;
  std::error_code error;
  absolute.state_dir = fs::absolute(options.state_dir, error).lexically_normal();
  absolute.out_dir = fs::absolute(options.out_dir, error).lexically_normal();
  if (absolute.out_dir.filename().empty()) {
    absolute.out_dir = absolute.out_dir.parent_path();
  }
  if (absolute.join_dir.empty()) {
    absolute.join_dir = absolute.out_dir.parent_path() / "join";
  }
  if (fs::exists(absolute.out_dir, error)) {
    return WithRemedy(WithOperatorDetail(absl::AlreadyExistsError("the new state folder exists"),
                                         absolute.out_dir.string()),
                      "name another folder with --out");
  }
  const fs::path partial = absolute.out_dir.string() + ".partial";
  fs::remove_all(partial, error);
  absl::StatusOr<SucceedReport> report = MakeSuccessor(absolute, partial, clock, rng);
  if (!report.ok()) {
    fs::remove_all(partial, error);
  }
  return report;
}

}  // namespace carnet::coordinator
