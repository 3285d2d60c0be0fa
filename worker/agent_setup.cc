#include "worker/agent_setup.h"

#include <signal.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/backoff.h"
#include "base/http_client.h"
#include "base/log.h"
#include "base/status.h"
#include "exchange/data_digest.h"
#include "worker/rpc/grpc_client.h"
#include "worker/site_labels.h"

namespace carnet::worker {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kCpuNameBytesMax = 128;
// What a memory-backed trainer directory must at least hold, to be promised at all.
constexpr std::uint64_t kPromisedMemoryBytes = std::uint64_t{64} << 20;

// The processor's own name: training repeats bit by bit on the same type only.
std::string CpuName() {
  std::ifstream info("/proc/cpuinfo");
  std::string line;
  while (std::getline(info, line)) {
    const std::vector<std::string> parts = absl::StrSplit(line, absl::MaxSplits(':', 1));
    if (parts.size() == 2 && absl::StripAsciiWhitespace(parts[0]) == "model name") {
      return std::string(absl::StripAsciiWhitespace(parts[1])).substr(0, kCpuNameBytesMax);
    }
  }
  return "";
}

EnrolParts PartsOf(const StateDir& state, const Clock& clock, Rng& rng) {
  return {.state = state, .clock = clock, .rng = rng, .call = HttpCall};
}

// Waits for `duration`; true as soon as a stop signal came.
bool StopSignalled(absl::Duration duration, const Clock& clock) {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  const absl::Duration until = clock.MonotonicNow() + duration;
  do {
    constexpr timespec kEvery = {0, 100'000'000};
    if (::sigtimedwait(&signals, nullptr, &kEvery) > 0) {
      return true;
    }
  } while (clock.MonotonicNow() < until);
  return false;
}

absl::StatusOr<v1::WorkerStatement> MakeStatementOf(const Settings& settings, Isolation isolation,
                                                    const Digest& program_sha256) {
  v1::WorkerStatement statement;
  statement.set_trainer_isolated(isolation != Isolation::kNone &&
                                 MemoryBackedAvailable(kPromisedMemoryBytes));
  statement.set_chip_eccn(settings.chip_eccn);
  statement.set_cpu(CpuName());
  statement.set_software_sha256(ToString(program_sha256));
  std::vector<std::string> digests;
  for (const auto& entry : settings.trainers) {
    CARNET_ASSIGN_OR_RETURN(const Digest digest, TrainerDigest(entry.second, program_sha256));
    digests.push_back(ToString(digest));
  }
  std::sort(digests.begin(), digests.end());
  digests.erase(std::unique(digests.begin(), digests.end()), digests.end());
  for (const std::string& digest : digests) {
    statement.add_trainer_digests(digest);
  }
  return statement;
}

// Staged shards of earlier runs.
absl::Status AddStaged(const StateDir& state, Settings* settings) {
  std::error_code error;
  for (fs::directory_iterator dataset(state.shards(), error);
       !error && dataset != fs::directory_iterator(); dataset.increment(error)) {
    for (fs::directory_iterator shard(dataset->path(), error);
         !error && shard != fs::directory_iterator(); shard.increment(error)) {
      const std::string name =
          absl::StrCat(dataset->path().filename().string(), "/", shard->path().filename().string());
      // A partial one has a name that no shard may have.
      if (ParseShardName(name).ok()) {
        settings->data.emplace(name, shard->path());
      }
    }
  }
  return error ? FileError(error.value(), "list", state.shards()) : absl::OkStatus();
}

// With every authority that counts now. *roots_until: when the first of them ends.
absl::StatusOr<std::shared_ptr<CoordinatorClient>> Connect(const Enrolled& enrolled,
                                                           const Bytes& instance, absl::Time now,
                                                           absl::Time* roots_until) {
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes key_pem, enrolled.keys.tls.ToPem());
  CARNET_ASSIGN_OR_RETURN(const Roots roots, RootsAt(*enrolled.identity.keys, now));
  *roots_until = roots.until;
  CARNET_ASSIGN_OR_RETURN(std::unique_ptr<CoordinatorClient> client,
                          MakeGrpcClient({.addresses = enrolled.facts.addresses,
                                          .trust_domain = enrolled.facts.trust_domain,
                                          .ca_certificate_pem = roots.pem,
                                          .certificate_pem = enrolled.answer.certificate_pem(),
                                          .instance = instance},
                                         key_pem));
  return std::shared_ptr<CoordinatorClient>(std::move(client));
}

// What this site knows without asking anybody.
absl::StatusOr<SiteKnowledge> KnowledgeOf(const Enrolled& enrolled,
                                          const v1::WorkerStatement& statement,
                                          std::map<std::string, SiteLabels> labels) {
  CARNET_ASSIGN_OR_RETURN(const auto record,
                          ledger::verifier::VerifyRecord(enrolled.answer.genesis().record()));
  const auto* genesis = record.As<v1::Genesis>();
  if (genesis == nullptr) {
    return absl::UnauthenticatedError("enrolment: record 0 is no genesis");
  }
  const Identity& identity = enrolled.identity;
  return SiteKnowledge{
      .home = genesis->home_jurisdiction(),
      .organisation = genesis->organisation(),
      .region = identity.spiffe_id.region(),
      .site_operator = identity.supplier.empty() ? genesis->organisation() : identity.supplier,
      .trainer_isolated = statement.trainer_isolated(),
      .chip_eccn = statement.chip_eccn(),
      .labels = std::move(labels)};
}

// Nothing: told to stop while the coordinator could not be reached.
absl::StatusOr<std::optional<Enrolled>> Join(const StateDir& state, const WorkerOptions& options,
                                             const v1::WorkerStatement& statement) {
  const SystemClock clock;
  SystemRng rng;
  for (int attempt = 0;; ++attempt) {
    auto enrolled = LoadOrEnrol(PartsOf(state, clock, rng), options.join_token, statement);
    if (enrolled.ok()) {
      return std::optional<Enrolled>(*std::move(enrolled));
    }
    if (!absl::IsUnavailable(enrolled.status())) {
      return enrolled.status();
    }
    if (attempt == 0) {
      Log(LogLevel::kWarning, "coordinator-unreachable", {{"error", enrolled.status()}});
    }
    if (StopSignalled(BackoffDelay({}, std::min(attempt, 16), RandomUint64(rng)), clock)) {
      return std::optional<Enrolled>();
    }
  }
}

}  // namespace

TrainerHostOptions Membership::HostOptions() {
  return {.settings = settings,
          .state = state,
          .clock = clock,
          .rng = rng,
          .isolation = isolation,
          .program_sha256 = program_sha256,
          .memory_backed_only = statement.trainer_isolated()};
}

absl::Status Membership::AddShard(const std::string& name, const fs::path& path) {
  settings.data[name] = path;
  CARNET_ASSIGN_OR_RETURN(const auto added, ClaimShards({{name, path}}));
  std::erase_if(claims, [&](const v1::ShardClaim& claim) {
    return absl::StrCat(claim.dataset(), "/", claim.shard()) == name;
  });
  claims.insert(claims.end(), added.begin(), added.end());
  CARNET_ASSIGN_OR_RETURN(site, MakeSite(settings, claims, program_sha256));
  return absl::OkStatus();
}

absl::Status Membership::RenewIfDue() {
  CARNET_ASSIGN_OR_RETURN(const bool due, RenewalDue(enrolled, clock.Now()));
  absl::Status renewed;
  if (due) {
    renewed = Renew(PartsOf(state, clock, rng), &enrolled);
  }
  // An authority that ended is trusted no more, whether there is a fresh certificate or not.
  if ((due && renewed.ok()) || clock.Now() >= roots_until) {
    CARNET_ASSIGN_OR_RETURN(auto fresh, Connect(enrolled, instance, clock.Now(), &roots_until));
    client->Switch(std::move(fresh));
  }
  CARNET_RETURN_IF_ERROR(renewed);
  if (due) {
    Log(LogLevel::kInfo, "certificate-renewed");
  }
  return absl::OkStatus();
}

absl::Status Membership::ProbeCoordinator() {
  return worker::ProbeCoordinator(PartsOf(state, clock, rng), enrolled);
}

absl::StatusOr<std::unique_ptr<Membership>> BecomeMember(const WorkerOptions& options) {
  AllowTls13Only();
  CARNET_ASSIGN_OR_RETURN(StateDir state, StateDir::Open(options.state));
  SweepPrivateDirs();
  CARNET_ASSIGN_OR_RETURN(Settings settings,
                          LoadSettings(options.config, options.data, options.program));
  CARNET_RETURN_IF_ERROR(AddStaged(state, &settings));
  CARNET_ASSIGN_OR_RETURN(auto labels, LoadSiteLabels(options.config));
  CARNET_ASSIGN_OR_RETURN(const Digest program_sha256, exchange::FileDigest(options.program));
  const Isolation isolation = settings.isolation_off ? Isolation::kNone : ProbeIsolation();
  CARNET_ASSIGN_OR_RETURN(const v1::WorkerStatement statement,
                          MakeStatementOf(settings, isolation, program_sha256));
  // Claims first: a worker that cannot read its data does not use up its token.
  CARNET_ASSIGN_OR_RETURN(std::vector<v1::ShardClaim> claims, ClaimShards(settings.data));
  CARNET_ASSIGN_OR_RETURN(Site site, MakeSite(settings, claims, program_sha256));
  CARNET_ASSIGN_OR_RETURN(std::optional<Enrolled> enrolled, Join(state, options, statement));
  if (!enrolled.has_value()) {
    return std::unique_ptr<Membership>();
  }
  auto member =
      std::make_unique<Membership>(std::move(state), std::move(settings), *std::move(enrolled));
  member->statement = statement;
  member->isolation = isolation;
  member->program_sha256 = program_sha256;
  member->claims = std::move(claims);
  member->site = std::move(site);
  CARNET_ASSIGN_OR_RETURN(member->heads,
                          HeadKeeper::Open(member->state, member->enrolled.identity.log,
                                           member->enrolled.answer.head()));
  CARNET_ASSIGN_OR_RETURN(
      member->policies,
      PolicyKeeper::Open(member->state, member->enrolled.answer.genesis().record()));
  CARNET_ASSIGN_OR_RETURN(member->knowledge,
                          KnowledgeOf(member->enrolled, statement, std::move(labels)));
  CARNET_ASSIGN_OR_RETURN(auto client, Connect(member->enrolled, member->instance,
                                               member->clock.Now(), &member->roots_until));
  member->client = std::make_unique<SwitchingClient>(std::move(client));
  return member;
}

}  // namespace carnet::worker
