#include "coordinator/server.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <set>
#include <thread>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/config_loader.h"
#include "base/files.h"
#include "base/http_server.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/status.h"
#include "coordinator/aggregation/parallel.h"
#include "coordinator/bridge/opa_client.h"
#include "coordinator/duty_alarm.h"
#include "coordinator/effects/effects.h"
#include "coordinator/expiry_alarm.h"
#include "coordinator/http/enrolment.h"
#include "coordinator/http/renewal.h"
#include "coordinator/http/tiles.h"
#include "coordinator/location_alarm.h"
#include "coordinator/publish/publisher.h"
#include "coordinator/recover.h"
#include "coordinator/rpc/admin_service.h"
#include "coordinator/rpc/federation_service.h"
#include "coordinator/rpc/governance_service.h"
#include "coordinator/rpc/grpc_server.h"
#include "coordinator/rpc/jobs_service.h"
#include "coordinator/server_tls.h"
#include "coordinator/state_dir.h"
#include "coordinator/succeed.h"
#include "crypto/hash.h"
#include "crypto/p256.h"
#include "exchange/join_token.h"
#include "ledger/errors.h"
#include "ledger/record.h"

namespace carnet::coordinator {
namespace {

constexpr absl::Duration kShutdownGrace = absl::Seconds(5);
constexpr absl::Duration kGrpcGrace =
    absl::Milliseconds(500);  // long polls never end by themselves

absl::Duration Or(const v1::Duration& value, absl::Duration fallback) {
  return value.millis() > 0 ? absl::Milliseconds(value.millis()) : fallback;
}

std::vector<std::string> AddressesOr(
    const google::protobuf::RepeatedPtrField<std::string>& addresses, const std::string& fallback) {
  return addresses.empty() ? std::vector<std::string>{fallback}
                           : std::vector<std::string>(addresses.begin(), addresses.end());
}

// "ADDRESS:PORT"; port 0 takes any free one.
absl::StatusOr<std::pair<std::string, std::uint16_t>> ParseListen(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  std::uint32_t port = 0;
  if (colon == std::string::npos || !absl::SimpleAtoi(text.substr(colon + 1), &port) ||
      port > 65535) {
    return WithOperatorDetail(
        absl::InvalidArgumentError("listen: ADDRESS:PORT, e.g. 127.0.0.1:7680"), text);
  }
  return std::pair<std::string, std::uint16_t>(text.substr(0, colon),
                                               static_cast<std::uint16_t>(port));
}

LogPublic PublicOf(const v1::LogConfig& config) {
  switch (config.public_()) {
    case v1::LOG_PUBLIC_HEADS:
      return LogPublic::kHeads;
    case v1::LOG_PUBLIC_ENTRIES:
      return LogPublic::kEntries;
    default:
      return LogPublic::kNone;
  }
}

// asked: by the configuration; 0: as many as there are cores.
int ThreadsOf(std::uint32_t asked) {
  const std::uint32_t threads = asked > 0 ? asked : std::thread::hardware_concurrency();
  return static_cast<int>(std::clamp<std::uint32_t>(threads, 1, aggregation::kThreadsMax));
}

class Coordinator {
 public:
  Coordinator(const ServerOptions& options, Clock& clock, Rng& rng)
      : options_(options), dir_{options.state_dir}, clock_(clock), rng_(rng) {}

  absl::Status Run(const ReadyCallback& ready);
  // The engine failed: calls under way wait for an answer that must not come.
  bool failed() {
    const MutexLock lock(mutex_);
    return !fatal_.ok();
  }

 private:
  absl::Status LoadConfig();
  absl::Status OpenLog();
  absl::Status OpenState();
  absl::Status OpenBridge();
  void MakeEngine(State state);
  absl::Status OpenPublisher();
  absl::Status StartServices();
  absl::Status OpenAuthorities(const State& state);
  absl::Status StartGrpc();
  absl::Status StartHttps();
  void Stop();
  void DropUnwantedSpools(const State& state);
  HttpResponse Health() const;
  JoinFacts MakeJoinFacts() const;
  LogReader ReaderOf(const std::string& certificate_der) const;
  void WatchExpiry(boost::asio::steady_timer& timer);

  const ServerOptions options_;
  const StateDir dir_;
  Clock& clock_;
  Rng& rng_;
  v1::CoordinatorConfig config_;
  Metrics metrics_;
  DutyAlarm duty_alarm_;
  ExpiryAlarm expiry_alarm_;

  std::unique_ptr<ledger::Log> log_;
  std::optional<crypto::KeyFiles> keys_;
  StatementKeys statement_keys_;
  std::unique_ptr<Authorities> authorities_;
  std::unique_ptr<Blobs> blobs_;
  std::unique_ptr<Uploads> uploads_;
  std::unique_ptr<Transfers> transfers_;
  std::map<std::string, Bytes> uploaded_shards_;
  std::optional<std::set<std::string>> wanted_spools_;  // of the strand
  crypto::SecretBytes server_key_pem_{1};
  v1::Genesis genesis_;
  Digest genesis_leaf_{};

  // Destroyed in reverse: services, engine, then what they use.
  PeerDirectory peers_;
  std::unique_ptr<OpaClient> opa_;  // null: the organisation's own is not configured
  std::unique_ptr<BoundedExecutor> commit_, storage_, bulk_, verify_, examine_, aggregation_,
      bridge_calls_;
  std::unique_ptr<FileEffects> effects_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Publisher> publisher_;
  std::unique_ptr<Services> services_;
  std::unique_ptr<InstanceGate> instances_;
  std::unique_ptr<FederationService> federation_;
  std::unique_ptr<JobsService> jobs_;
  std::unique_ptr<AdminService> admin_;
  std::unique_ptr<GovernanceService> governance_;
  std::unique_ptr<Enrolment> enrolment_;
  std::unique_ptr<Renewal> renewal_;
  std::unique_ptr<LogTiles> log_tiles_;
  std::unique_ptr<ServerTls> tls_;
  std::unique_ptr<HttpServer> https_;
  std::unique_ptr<GrpcServer> grpc_;

  boost::asio::io_context signals_;
  Mutex mutex_;
  absl::Status fatal_ CARNET_GUARDED_BY(mutex_) = absl::OkStatus();
};

absl::Status Coordinator::LoadConfig() {
  std::error_code error;
  if (!std::filesystem::is_directory(dir_.root, error)) {
    return WithRemedy(
        WithOperatorDetail(absl::NotFoundError("no state folder"), dir_.root.string()),
        "make one with `carnet init -f federation.yaml --state DIR`");
  }
  if (const std::filesystem::path mark = dir_.root / kSucceededFileName;
      std::filesystem::exists(mark, error)) {
    return WithRemedy(
        WithOperatorDetail(
            absl::FailedPreconditionError("another log has taken the place of this state's"),
            mark.string()),
        "run the state folder that the file names; this one stays as it is, for auditors");
  }
  if (std::filesystem::exists(dir_.config(), error)) {
    CARNET_ASSIGN_OR_RETURN(config_, LoadYamlFile<v1::CoordinatorConfig>(dir_.config()));
  }
  if (!options_.listen_grpc.empty()) {
    config_.mutable_listen()->set_grpc(options_.listen_grpc);
  }
  if (!options_.listen_https.empty()) {
    config_.mutable_listen()->set_https(options_.listen_https);
  }
  return absl::OkStatus();
}

absl::Status Coordinator::OpenState() {
  CARNET_ASSIGN_OR_RETURN(keys_, crypto::KeyFiles::Open(dir_.keys().string()));
  CARNET_RETURN_IF_ERROR(OpenLog());
  CARNET_ASSIGN_OR_RETURN(State state, FoldLedger(*log_));
  if (state.size == 0) {
    return absl::FailedPreconditionError(
        "the ledger has no genesis: run `carnet init` with a new state folder");
  }
  genesis_ = state.genesis;
  CARNET_ASSIGN_OR_RETURN(const v1::SignedRecord first, log_->ReadRecord(0));
  CARNET_ASSIGN_OR_RETURN(const ledger::Record opened, ledger::OpenRecord(first));
  genesis_leaf_ = opened.leaf_hash;
  CARNET_RETURN_IF_ERROR(OpenPublisher());
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes seed,
                          keys_->Read(state.KeyIdOf(kStatementKeyId), crypto::KeyKind::kEd25519));
  CARNET_ASSIGN_OR_RETURN(crypto::Ed25519KeyPair statement_key,
                          crypto::Ed25519KeyPair::FromSeed(seed));
  if (AsText(statement_key.public_key()) != state.StatementKey()) {
    return WithOperatorDetail(
        absl::FailedPreconditionError("the statement key is not the one that the ledger names"),
        absl::StrCat("keys/", state.KeyIdOf(kStatementKeyId), ".key"));
  }
  statement_keys_.Add(std::move(statement_key));
  CARNET_RETURN_IF_ERROR(OpenAuthorities(state));
  CARNET_ASSIGN_OR_RETURN(blobs_, Blobs::Open(dir_.blobs()));
  CARNET_ASSIGN_OR_RETURN(
      uploads_,
      Uploads::Open(dir_.spool(),
                    config_.uploads_active_max() > 0 ? config_.uploads_active_max() : 16, *blobs_));
  CARNET_ASSIGN_OR_RETURN(uploaded_shards_, CheckAndSweep(state, *blobs_, *keys_));
  CARNET_RETURN_IF_ERROR(OpenBridge());
  MakeEngine(std::move(state));
  return absl::OkStatus();
}

absl::Status Coordinator::OpenBridge() {
  if (config_.bridge().has_opa()) {
    CARNET_ASSIGN_OR_RETURN(OpaOptions options, LoadOpaOptions(config_.bridge().opa(), dir_.root));
    opa_ = std::make_unique<OpaClient>(std::move(options), metrics_);
  }
  return absl::OkStatus();
}

absl::Status Coordinator::OpenLog() {
  std::vector<crypto::Ed25519KeyPair> held;
  ledger::LogOptions log_options{
      .state_dir = dir_.root, .head_file = config_.head_file(), .origin = {}};
  {
    CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<ledger::LogView> view,
                            ledger::LogView::OpenReadOnly(dir_.root));
    const ledger::LogKeys keys = view->keys();
    log_options.origin = keys.founding().name;
    log_options.founding_vkey = keys.founding().Vkey();
    for (const ledger::LogKey& key : keys.all()) {
      if (key.until == 0) {
        CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes seed,
                                keys_->Read(key.key_id, crypto::KeyKind::kEd25519));
        CARNET_ASSIGN_OR_RETURN(crypto::Ed25519KeyPair pair,
                                crypto::Ed25519KeyPair::FromSeed(seed));
        held.push_back(std::move(pair));
      }
    }
  }
  // The lock is taken here, before anything is read that another process could be writing.
  CARNET_ASSIGN_OR_RETURN(log_, ledger::Log::Open(std::move(log_options), std::move(held)));
  return absl::OkStatus();
}

void Coordinator::MakeEngine(State state) {
  commit_ = std::make_unique<BoundedExecutor>(BoundedExecutor::Options{"commit", 1, 4});
  storage_ = std::make_unique<BoundedExecutor>(BoundedExecutor::Options{"storage", 2, 4096});
  bulk_ = std::make_unique<BoundedExecutor>(BoundedExecutor::Options{"bulk", 2, 1024});
  verify_ = std::make_unique<BoundedExecutor>(BoundedExecutor::Options{"verify", 1, 256});
  examine_ = std::make_unique<BoundedExecutor>(BoundedExecutor::Options{"examine", 1, 8});
  aggregation_ = std::make_unique<BoundedExecutor>(BoundedExecutor::Options{"aggregate", 1, 64});
  bridge_calls_ = std::make_unique<BoundedExecutor>(BoundedExecutor::Options{"bridge", 4, 256});
  peers_.Update(state);
  EffectsOptions effects_options;
  effects_options.aggregation_threads = ThreadsOf(config_.aggregation_threads());
  effects_options.vault = dir_.vault();
  if (opa_ != nullptr) {
    effects_options.ask_bridge = [this](const std::string& input) { return opa_->Ask(input); };
  }
  effects_ = std::make_unique<FileEffects>(effects_options, *blobs_, *keys_, rng_, *storage_,
                                           *aggregation_, *bridge_calls_);
  EngineOptions engine_options;
  engine_options.bridge = opa_ != nullptr;
  engine_options.bridge_engine = opa_ == nullptr ? "" : opa_->engine_sha256();
  engine_options.heartbeat = Or(config_.heartbeat(), engine_options.heartbeat);
  engine_options.poll_max = Or(config_.task_poll_max(), engine_options.poll_max);
  engine_options.start_grace = Or(config_.start_grace(), engine_options.start_grace);
  engine_ =
      std::make_unique<Engine>(engine_options, std::move(state), *log_, statement_keys_, clock_,
                               rng_, *commit_, metrics_, [this](int, absl::Status why) {
                                 const MutexLock lock(mutex_);
                                 fatal_.Update(why);
                                 signals_.stop();
                               });
  engine_->SetEffects(effects_.get());
  // Twice in a heartbeat: what ended with time is cut within one.
  transfers_ = std::make_unique<Transfers>(engine_options.heartbeat / 2, metrics_);
  engine_->SetUrgentSource(
      [this](const State& now, absl::Time at) { return transfers_->Look(now, at); });
}

// Before anything is served, appended or swept: what the witnesses know may show that this state is
// an old copy.
absl::Status Coordinator::OpenPublisher() {
  if (!config_.has_publish()) {
    return log_->SetWitnessed(false);
  }
  CARNET_ASSIGN_OR_RETURN(
      PublisherOptions options,
      LoadPublisherOptions(config_.publish(), dir_.root, log_->keys(), genesis_leaf_));
  publisher_ = std::make_unique<Publisher>(
      std::move(options), *log_, clock_, rng_, metrics_,
      [this](std::string reason) {
        engine_->SetNewRoundsHeld(Engine::Holder::kWitnesses, std::move(reason));
      },
      [this](absl::Status why) { engine_->ReportMisbehaviour(std::move(why)); });
  return publisher_->CheckWitnesses();
}

JoinFacts Coordinator::MakeJoinFacts() const {
  JoinFacts facts;
  facts.addresses = AddressesOr(config_.addresses(), config_.listen().grpc());
  facts.https_addresses = AddressesOr(config_.https_addresses(), config_.listen().https());
  // The newest of this start: whoever trusts it follows the records to later ones.
  facts.log_vkey = log_->keys().newest().Vkey();
  facts.genesis_leaf = genesis_leaf_;
  facts.trust_domain = genesis_.trust_domain();
  return facts;
}

absl::Status Coordinator::StartServices() {
  services_ = std::make_unique<Services>(Services{.engine = *engine_,
                                                  .log = *log_,
                                                  .blobs = *blobs_,
                                                  .keys = *keys_,
                                                  .statement_keys = statement_keys_,
                                                  .authorities = *authorities_,
                                                  .peers = peers_,
                                                  .storage = *storage_,
                                                  .bulk = *bulk_,
                                                  .verify = *verify_,
                                                  .examine = *examine_,
                                                  .clock = clock_,
                                                  .rng = rng_});
  services_->verify_threads = ThreadsOf(0);
  tls_ = std::make_unique<ServerTls>(*authorities_, server_key_pem_, dir_.ca_certificate(),
                                     *storage_, metrics_);
  engine_->AddCommitListener([this](const State& state, std::uint64_t durable_size) {
    peers_.Update(state);
    metrics_.Set(metric::kLedgerSize, static_cast<double>(durable_size));
    duty_alarm_.Look(state, metrics_);
    authorities_->Update(state, durable_size);
    tls_->Follow();
    DropUnwantedSpools(state);
    if (publisher_ != nullptr) {
      publisher_->NewHead();
    }
    if (const Rotation* rotation = state.FindRotation(kStatementKeyId);
        rotation != nullptr && state.keys.at(rotation->old_key_id).phase == KeyPhase::kDestroyed) {
      statement_keys_.Forget(rotation->terms.old_public_key());
    }
  });
  for (const auto& [staging_id, sealed] : uploaded_shards_) {
    engine_->SetUploaded(staging_id, sealed);
  }
  instances_ = std::make_unique<InstanceGate>(*engine_, rng_, metrics_);
  federation_ =
      std::make_unique<FederationService>(*services_, *uploads_, *transfers_, *instances_);
  jobs_ = std::make_unique<JobsService>(*services_, *transfers_);
  admin_ = std::make_unique<AdminService>(*services_, MakeJoinFacts());
  governance_ = std::make_unique<GovernanceService>(*services_, MakeJoinFacts());
  enrolment_ = std::make_unique<Enrolment>(*services_);
  renewal_ = std::make_unique<Renewal>(*services_);
  log_tiles_ = std::make_unique<LogTiles>(
      LogTilesOptions{.anybody = PublicOf(config_.log()),
                      .reader = [this](const std::string& der) { return ReaderOf(der); }},
      *log_, *storage_, metrics_);
  engine_->Start();
  return publisher_ == nullptr ? absl::OkStatus() : publisher_->Start();
}

// Uploads of rounds and stagings that ended meanwhile have nobody to finish them.
void Coordinator::DropUnwantedSpools(const State& state) {
  std::set<std::string> wanted = OpenArtifacts(state);
  if (wanted == wanted_spools_) {
    return;
  }
  wanted_spools_ = wanted;
  // A full executor leaves them to the next change.
  storage_->TrySubmit([this, wanted = std::move(wanted)] { uploads_->DropUnwanted(wanted); })
      .IgnoreError();
}

// A fresh server certificate at every start; its key stays.
absl::Status Coordinator::OpenAuthorities(const State& state) {
  CARNET_ASSIGN_OR_RETURN(server_key_pem_, keys_->Read(kServerKeyId, crypto::KeyKind::kP256));
  CARNET_ASSIGN_OR_RETURN(const crypto::P256Key key, crypto::P256Key::FromPem(server_key_pem_));
  CARNET_ASSIGN_OR_RETURN(crypto::SpiffeId id,
                          crypto::SpiffeId::Coordinator(genesis_.trust_domain()));
  CARNET_ASSIGN_OR_RETURN(
      authorities_, Authorities::Open(state, *keys_,
                                      {key.spki(), std::move(id),
                                       exchange::CoordinatorServerName(genesis_.trust_domain())},
                                      clock_, rng_));
  peers_.SetAuthorities(authorities_.get());
  return absl::OkStatus();
}

absl::Status Coordinator::StartGrpc() {
  GrpcServerOptions options;
  options.listen = config_.listen().grpc();
  options.private_key = AsText(server_key_pem_.View());
  options.tls = [this] { return authorities_->CurrentTls(); };
  options.services = {federation_.get(), jobs_.get(), admin_.get(), governance_.get()};
  CARNET_ASSIGN_OR_RETURN(grpc_, GrpcServer::Start(options));
  return absl::OkStatus();
}

HttpResponse Coordinator::Health() const {
  HttpResponse response;
  response.status = log_->closed() ? 503 : 200;
  response.content_type = "text/plain; charset=utf-8";
  response.body = log_->closed() ? "the ledger is closed\n" : "ok\n";
  return response;
}

LogReader Coordinator::ReaderOf(const std::string& certificate_der) const {
  const absl::StatusOr<crypto::CertificateInfo> info =
      crypto::ParseCertificateDer(AsBytes(certificate_der));
  if (info.ok() && peers_.UserOf(*info).ok()) {
    return LogReader::kUser;
  }
  return info.ok() && peers_.WorkerOf(*info).ok() ? LogReader::kWorker : LogReader::kAnybody;
}

absl::Status Coordinator::StartHttps() {
  CARNET_ASSIGN_OR_RETURN(const auto listen, ParseListen(config_.listen().https()));
  https_ = std::make_unique<HttpServer>();
  enrolment_->Route(https_.get());
  renewal_->Route(https_.get());
  log_tiles_->Route(https_.get());
  https_->Route("GET", "/healthz", [this](const HttpRequest&) { return Health(); });
  https_->Route("GET", "/readyz", [this](const HttpRequest&) { return Health(); });
  https_->Route("GET", "/metrics", [this](const HttpRequest&) {
    HttpResponse response;
    response.content_type = "text/plain; version=0.0.4";
    response.body = metrics_.ExpositionText();
    return response;
  });
  HttpServerOptions options;
  options.address = listen.first;
  options.port = listen.second;
  return tls_->Start(https_.get(), options);
}

void Coordinator::Stop() {
  // New calls first, then the engine, then what its effects run on.
  if (https_ != nullptr) {
    https_->Stop(kShutdownGrace);
  }
  if (grpc_ != nullptr) {
    grpc_->Stop(kGrpcGrace);
  }
  if (publisher_ != nullptr) {
    publisher_->Stop();
  }
  if (engine_ != nullptr) {
    engine_->Stop();
  }
  if (opa_ != nullptr) {
    opa_->Stop();
  }
  for (BoundedExecutor* executor : {bridge_calls_.get(), aggregation_.get(), examine_.get(),
                                    verify_.get(), bulk_.get(), storage_.get(), commit_.get()}) {
    if (executor != nullptr) {
      executor->Stop();
    }
  }
}

// Now, and again for as long as signals are waited for: an end comes without any record.
void Coordinator::WatchExpiry(boost::asio::steady_timer& timer) {
  tls_->Follow();
  engine_->Read([this](const State& state, absl::Time now) {
    expiry_alarm_.Look(state, now, metrics_);
    ShowContradicted(state, metrics_);
  });
  timer.expires_after(absl::ToChronoMilliseconds(kExpiryEvery));
  timer.async_wait([this, &timer](const boost::system::error_code& error) {
    if (!error) {
      WatchExpiry(timer);
    }
  });
}

absl::Status Coordinator::Run(const ReadyCallback& ready) {
  ForbidTls12();
  CARNET_RETURN_IF_ERROR(LoadConfig());
  CARNET_RETURN_IF_ERROR(OpenState());
  boost::asio::signal_set stop_signals(signals_, SIGTERM, SIGINT);
  stop_signals.async_wait([this](const boost::system::error_code& error, int) {
    if (!error) {
      signals_.stop();
    }
  });
  absl::Status status = StartServices();
  for (const auto& step : {&Coordinator::StartGrpc, &Coordinator::StartHttps}) {
    if (status.ok()) {
      status = (this->*step)();
    }
  }
  if (status.ok()) {
    const std::string& https = config_.listen().https();
    ready(grpc_->address(), absl::StrCat(https.substr(0, https.rfind(':')), ":", https_->port()),
          log_->Size());
    boost::asio::steady_timer expiry(signals_);
    WatchExpiry(expiry);
    signals_.run();
  }
  Log(LogLevel::kInfo, "coordinator.stopping", {{"size", log_->Size()}});
  if (!failed()) {
    Stop();
  }
  const MutexLock lock(mutex_);
  status.Update(fatal_);
  return status;
}

}  // namespace

absl::Status RunCoordinator(const ServerOptions& options, Clock& clock, Rng& rng,
                            const ReadyCallback& ready) {
  auto coordinator = std::make_unique<Coordinator>(options, clock, rng);
  absl::Status status = coordinator->Run(ready);
  if (coordinator->failed()) {
    // gRPC would wait for ever for calls whose answers depend on what was not appended. What a stop
    // at any point means is the ledger's business, so the process simply ends.
    static_cast<void>(coordinator.release());
  }
  return status;
}

}  // namespace carnet::coordinator
