#include "ledger/witness.h"

#include <set>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/log.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "ledger/merkle.h"
#include "ledger/verifier/merkle.h"

namespace carnet::ledger {
namespace {

constexpr std::uint64_t kLayout = 1;
constexpr char kWitnessLockName[] = "lock";
constexpr char kSchema[] = R"sql(
  CREATE TABLE witness (id INTEGER PRIMARY KEY CHECK (id = 1), vkey TEXT NOT NULL) STRICT;
  CREATE TABLE heads (origin TEXT PRIMARY KEY, size INTEGER NOT NULL CHECK (size >= 0), root BLOB NOT NULL,
    note TEXT NOT NULL) STRICT;
  PRAGMA user_version = 1;
)sql";

WitnessAnswer Refuse(int status, absl::string_view why) {
  return {.status = status,
          .content_type = WitnessAnswer().content_type,
          .body = absl::StrCat(why, "\n")};
}

WitnessAnswer Conflict(std::uint64_t recorded) {
  return {.status = 409, .content_type = kTlogSizeType, .body = absl::StrCat(recorded, "\n")};
}

// The head that a log of ours signed, or the answer to what is none.
struct Opened {
  WitnessAnswer answer;  // of a refusal
  Head head;
};
Opened OpenHead(absl::string_view note, const NoteKey& log) {
  const absl::StatusOr<std::string> text = OpenNote(note, log);
  if (!text.ok()) {
    return {.answer = absl::IsUnauthenticated(text.status())
                          ? Refuse(403, "no valid signature of the log")
                          : Refuse(400, "not a signed note"),
            .head = {}};
  }
  absl::StatusOr<Head> head = ParseHead(note, log);
  if (!head.ok()) {
    // Signed and impossible: an empty log with the root of something.
    const std::vector<std::string> lines = absl::StrSplit(*text, '\n');
    const bool empty = lines.size() == 4 && lines[1] == "0" && Base64Decode(lines[2]).ok();
    return {.answer = empty ? Refuse(422, "an empty log with the root of something")
                            : Refuse(400, "not an origin, a size and a root"),
            .head = {}};
  }
  return {.answer = {}, .head = *std::move(head)};
}

// The signature lines of a note that name a key of the log, well signed or not.
std::vector<absl::string_view> LogLines(absl::string_view note, const std::vector<NoteKey>& keys) {
  std::vector<absl::string_view> own_lines;
  const absl::string_view lines = note.substr(note.rfind("\n\n") + 2);
  const std::string prefix = absl::StrCat("\xe2\x80\x94 ", keys.front().name, " ");
  for (const absl::string_view line : absl::StrSplit(lines, '\n', absl::SkipEmpty())) {
    const absl::StatusOr<Bytes> blob = absl::StartsWith(line, prefix)
                                           ? Base64Decode(line.substr(prefix.size()))
                                           : absl::StatusOr<Bytes>(absl::NotFoundError(""));
    const auto own = [&](const NoteKey& key) {
      const Digest id = key.FullId();
      return std::equal(id.begin(), id.begin() + 4, blob->begin());
    };
    if (blob.ok() && blob->size() > 4 && std::any_of(keys.begin(), keys.end(), own)) {
      own_lines.push_back(line);
    }
  }
  return own_lines;
}

// By any key of the log. A refusal: what the first key makes of it. One line that is signed well
// does not carry another: all of them are shown to others afterwards.
Opened OpenHead(absl::string_view note, const std::vector<NoteKey>& keys) {
  Opened opened = OpenHead(note, keys.front());
  std::size_t signers = opened.answer.status != 403 ? 1 : 0;
  for (std::size_t i = 1; i < keys.size(); ++i) {
    Opened by_key = OpenHead(note, keys[i]);
    if (by_key.answer.status == 403) {
      continue;
    }
    ++signers;
    if (opened.answer.status == 403) {
      opened = std::move(by_key);
    }
  }
  if (opened.answer.status == 200 && LogLines(note, keys).size() != signers) {
    return {.answer = Refuse(403, "a signature of the log that does not verify"), .head = {}};
  }
  return opened;
}

// The text of the head with the lines of the log's own keys alone.
std::string OnlyLogLines(absl::string_view note, const Head& head,
                         const std::vector<NoteKey>& keys) {
  std::string kept = absl::StrCat(HeadText(head), "\n");
  for (const absl::string_view line : LogLines(note, keys)) {
    absl::StrAppend(&kept, line, "\n");
  }
  return kept;
}

absl::StatusOr<std::uint64_t> LayoutOf(SqliteConnection& store) {
  CARNET_ASSIGN_OR_RETURN(SqliteQuery query, store.Query("PRAGMA user_version"));
  CARNET_RETURN_IF_ERROR(query.Step());
  return query.Number(0);
}

}  // namespace

Witness::Witness(WitnessOptions options, crypto::Ed25519KeyPair key, FileLock lock,
                 std::unique_ptr<SqliteConnection> store)
    : cosigner_{.name = std::move(options.name), .public_key = key.public_key()},
      signing_key_(std::move(key)),
      lock_(std::move(lock)),
      store_(std::move(store)) {
  for (NoteKey& log : options.logs) {
    origins_[HexEncode(crypto::Sha256(AsBytes(log.name)))] = log.name;
    std::vector<NoteKey>& keys = logs_[log.name];
    keys.push_back(std::move(log));
  }
}

absl::StatusOr<std::unique_ptr<Witness>> Witness::Open(WitnessOptions options,
                                                       crypto::Ed25519KeyPair key) {
  CARNET_RETURN_IF_ERROR(ValidateNoteName(options.name));
  std::set<std::string> vkeys;
  for (const NoteKey& log : options.logs) {
    if (!vkeys.insert(log.Vkey()).second || log.public_key == key.public_key()) {
      return WithOperatorDetail(
          absl::InvalidArgumentError("witness: a key is named twice, or it is the witness's"),
          log.name);
    }
  }
  if (options.logs.size() > kWitnessLogsMax) {
    return absl::InvalidArgumentError("witness: at most 1024 logs");
  }
  CARNET_ASSIGN_OR_RETURN(FileLock lock, FileLock::Acquire(options.state_dir / kWitnessLockName));
  const std::filesystem::path file = options.state_dir / kWitnessStoreName;
  if (const absl::Status created = CreateFileAtomic(file, {});
      !created.ok() && !absl::IsAlreadyExists(created)) {
    return created;
  }
  CARNET_ASSIGN_OR_RETURN(std::unique_ptr<SqliteConnection> store,
                          SqliteConnection::Open(file, true));
  std::unique_ptr<Witness> witness(
      new Witness(std::move(options), std::move(key), std::move(lock), std::move(store)));
  CARNET_RETURN_IF_ERROR(witness->OpenStore());
  return witness;
}

absl::Status Witness::OpenStore() {
  const MutexLock lock(mutex_);
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t layout, LayoutOf(*store_));
  if (layout == 0) {
    // A crash leaves the file empty, or laid out.
    CARNET_RETURN_IF_ERROR(store_->Execute("BEGIN IMMEDIATE"));
    CARNET_RETURN_IF_ERROR(store_->Execute(kSchema));
    {
      CARNET_ASSIGN_OR_RETURN(SqliteQuery query,
                              store_->Query("INSERT INTO witness VALUES (1, ?1)"));
      const std::string vkey = cosigner_.Vkey();
      CARNET_RETURN_IF_ERROR(query.Bind(1, absl::string_view(vkey)).Run());
    }
    CARNET_RETURN_IF_ERROR(store_->Execute("COMMIT"));
  } else if (layout != kLayout) {
    return absl::FailedPreconditionError(
        "witness: the layout of its store is not that of this version of Carnet");
  }
  CARNET_ASSIGN_OR_RETURN(SqliteQuery query, store_->Query("SELECT vkey FROM witness"));
  CARNET_ASSIGN_OR_RETURN(const bool row, query.Step());
  if (!row || query.Blob(0) != cosigner_.Vkey()) {
    return absl::FailedPreconditionError("witness: its store belongs to another name or key");
  }
  return absl::OkStatus();
}

absl::StatusOr<Witness::Recorded> Witness::Read(const std::string& origin) const {
  CARNET_ASSIGN_OR_RETURN(SqliteQuery query,
                          store_->Query("SELECT size, root FROM heads WHERE origin = ?1"));
  CARNET_ASSIGN_OR_RETURN(const bool row, query.Bind(1, absl::string_view(origin)).Step());
  if (!row) {
    return Recorded{.size = 0, .root = EmptyRoot()};
  }
  const absl::StatusOr<Digest> root = ToDigest(AsBytes(query.Blob(1)));
  if (!root.ok()) {
    return absl::DataLossError("witness: a stored root is not 32 bytes");
  }
  return Recorded{.size = query.Number(0), .root = *root};
}

WitnessAnswer Witness::Judge(const AddCheckpointRequest& request, const Head& head,
                             const Recorded& recorded) {
  if (request.old_size > head.size) {
    return Refuse(400, "`old` is larger than the head");
  }
  if (request.old_size != recorded.size) {
    return Conflict(recorded.size);
  }
  // From size 0 every tree follows, without a proof; equal sizes need equal roots and no proof.
  const absl::Status extends = verifier::VerifyConsistency(recorded.size, recorded.root, head.size,
                                                           head.root, request.proof);
  return extends.ok() ? WitnessAnswer() : Refuse(422, "the head does not extend the one before");
}

absl::Status Witness::Replace(std::uint64_t old_size, const SignedHead& head) {
  CARNET_ASSIGN_OR_RETURN(const Recorded recorded, Read(head.head.origin));
  if (recorded.size != old_size) {
    return absl::AbortedError("witness: the recorded head moved");
  }
  CARNET_ASSIGN_OR_RETURN(
      SqliteQuery query,
      store_->Query("INSERT INTO heads VALUES (?1, ?2, ?3, ?4) ON CONFLICT (origin) DO UPDATE"
                    " SET size = excluded.size, root = excluded.root, note = excluded.note"));
  return query.Bind(1, absl::string_view(head.head.origin))
      .Bind(2, head.head.size)
      .Bind(3, ByteView(head.head.root))
      .Bind(4, absl::string_view(head.note))
      .Run();
}

absl::Status Witness::CompareAndSet(std::uint64_t old_size, const SignedHead& head) {
  CARNET_RETURN_IF_ERROR(store_->Execute("BEGIN IMMEDIATE"));
  absl::Status status = Replace(old_size, head);
  if (status.ok()) {
    // Commit point. A crash before it: nothing was cosigned for anybody. After it: the head is
    // recorded and the log may not know; it asks again from the recorded size. synchronous=FULL:
    // COMMIT returns after the write-ahead log is fsynced.
    status = store_->Execute("COMMIT");
  }
  if (!status.ok()) {
    store_->Execute("ROLLBACK").IgnoreError();
  }
  return status;
}

absl::StatusOr<WitnessAnswer> Witness::Advance(const AddCheckpointRequest& request,
                                               const Head& head, absl::Time now) {
  const MutexLock lock(mutex_);
  CARNET_ASSIGN_OR_RETURN(const Recorded recorded, Read(head.origin));
  WitnessAnswer answer = Judge(request, head, recorded);
  if (answer.status != 200) {
    return answer;
  }
  const std::int64_t seconds = absl::ToUnixSeconds(now);
  CARNET_ASSIGN_OR_RETURN(const std::string line,
                          Cosign(HeadText(head), cosigner_.name, signing_key_,
                                 seconds < 0 ? 0 : static_cast<std::uint64_t>(seconds)));
  const std::vector<NoteKey>& log = logs_.find(head.origin)->second;
  const absl::Status moved = CompareAndSet(
      recorded.size,
      {.head = head, .note = absl::StrCat(OnlyLogLines(request.note, head, log), line)});
  CARNET_RETURN_IF_ERROR(moved);
  answer.body = line;
  return answer;
}

WitnessAnswer Witness::AddCheckpoint(absl::string_view body, absl::Time now) {
  const absl::StatusOr<AddCheckpointRequest> request = ParseAddCheckpoint(body);
  if (!request.ok()) {
    return Refuse(400, request.status().message());
  }
  const absl::string_view note = request->note;
  const auto log = logs_.find(std::string(note.substr(0, note.find('\n'))));
  if (log == logs_.end()) {
    return Refuse(404, "not a log of this witness");
  }
  const Opened opened = OpenHead(note, log->second);
  if (opened.answer.status != 200) {
    return opened.answer;
  }
  absl::StatusOr<WitnessAnswer> answer = Advance(*request, opened.head, now);
  if (!answer.ok()) {
    Log(LogLevel::kError, "witness.store_failed", {{"why", answer.status()}});
    return Refuse(500, "the witness's store failed");
  }
  return *std::move(answer);
}

WitnessAnswer Witness::Checkpoint(absl::string_view origin_sha256_hex) const {
  const auto origin = origins_.find(std::string(origin_sha256_hex));
  if (origin == origins_.end()) {
    return Refuse(404, "not a log of this witness");
  }
  const MutexLock lock(mutex_);
  absl::StatusOr<SqliteQuery> query = store_->Query("SELECT note FROM heads WHERE origin = ?1");
  const absl::StatusOr<bool> row = query.ok()
                                       ? query->Bind(1, absl::string_view(origin->second)).Step()
                                       : absl::StatusOr<bool>(query.status());
  if (!row.ok()) {
    return Refuse(500, "the witness's store failed");
  }
  return *row ? WitnessAnswer{.status = 200,
                              .content_type = WitnessAnswer().content_type,
                              .body = query->Blob(0)}
              : Refuse(404, "no head of this log yet");
}

}  // namespace carnet::ledger
