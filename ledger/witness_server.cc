#include "ledger/witness_server.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/config_loader.h"
#include "base/executor.h"
#include "base/files.h"
#include "base/http_server.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/status.h"
#include "carnet/v1/config.pb.h"
#include "crypto/key_files.h"
#include "ledger/witness.h"

namespace carnet::ledger {
namespace {

constexpr char kListen[] = "127.0.0.1:7690";
constexpr std::size_t kPemBytesMax = std::size_t{256} * 1024;
constexpr absl::Duration kShutdownGrace = absl::Seconds(5);

absl::Status CheckName(absl::string_view name) {
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '.' && c != '_' && c != '/' &&
        c != '-') {
      return absl::InvalidArgumentError(
          "witness: a name of letters, digits, '.', '_', '/' and '-' was expected");
    }
  }
  return ValidateNoteName(name);
}

HttpResponse ToHttp(WitnessAnswer answer) {
  HttpResponse response;
  response.status = answer.status;
  response.content_type = std::move(answer.content_type);
  response.body = std::move(answer.body);
  return response;
}

// A monitor asks for what is newest.
HttpResponse NotCached(HttpResponse response) {
  response.headers.emplace_back("Cache-Control", "no-cache");
  return response;
}

class WitnessServer {
 public:
  WitnessServer(const WitnessServerOptions& options, const Clock& clock)
      : options_(options), clock_(clock) {}

  absl::Status Run(const WitnessReady& ready);

 private:
  absl::Status Open();
  absl::Status Listen();
  void Route();
  void OnAddCheckpoint(HttpRequest request, HttpServer::Done done);
  void OnCheckpoint(HttpRequest request, HttpServer::Done done);
  // Answers on the executor; 503 when it is full.
  void Answer(HttpServer::Done done, absl::AnyInvocable<WitnessAnswer()> work);

  const WitnessServerOptions options_;
  const Clock& clock_;
  v1::WitnessConfig config_;
  Metrics metrics_;
  std::unique_ptr<Witness> witness_;
  std::unique_ptr<BoundedExecutor> executor_;
  HttpServer server_;
};

absl::Status WitnessServer::Open() {
  const std::filesystem::path file = options_.state_dir / kWitnessConfigName;
  const auto config = LoadYamlFile<v1::WitnessConfig>(file);
  if (!config.ok()) {
    return absl::IsNotFound(config.status())
               ? WithRemedy(config.status(), "make one with `carnet witness init`")
               : config.status();
  }
  config_ = *config;
  if (!options_.listen.empty()) {
    config_.set_listen(options_.listen);
  }
  CARNET_ASSIGN_OR_RETURN(const auto keys,
                          crypto::KeyFiles::Open((options_.state_dir / "keys").string()));
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes seed,
                          keys.Read(kWitnessKeyId, crypto::KeyKind::kEd25519));
  CARNET_ASSIGN_OR_RETURN(crypto::Ed25519KeyPair key, crypto::Ed25519KeyPair::FromSeed(seed));
  WitnessOptions witness{.state_dir = options_.state_dir, .name = config_.name(), .logs = {}};
  for (const std::string& vkey : config_.logs()) {
    absl::StatusOr<NoteKey> log = ParseVkey(vkey);
    if (!log.ok()) {
      return WithOperatorDetail(log.status(), absl::StrCat(file.string(), ": ", vkey));
    }
    witness.logs.push_back(*std::move(log));
  }
  CARNET_ASSIGN_OR_RETURN(witness_, Witness::Open(std::move(witness), std::move(key)));
  executor_ = std::make_unique<BoundedExecutor>(
      BoundedExecutor::Options{"witness", 1, kWitnessRequestsWaitingMax});
  return absl::OkStatus();
}

void WitnessServer::Answer(HttpServer::Done done, absl::AnyInvocable<WitnessAnswer()> work) {
  // Shared, because a full executor drops its task and the refusal is answered here.
  auto shared = std::make_shared<HttpServer::Done>(std::move(done));
  const absl::Status submitted =
      executor_->TrySubmit([this, shared, work = std::move(work)]() mutable {
        WitnessAnswer answer = work();
        metrics_.Add(metric::kWitnessAnswers, {absl::StrCat(answer.status)});
        (*shared)(NotCached(ToHttp(std::move(answer))));
      });
  if (!submitted.ok()) {
    metrics_.Add(metric::kWitnessAnswers, {"503"});
    WitnessAnswer busy;
    busy.status = 503;
    busy.body = "busy: try again\n";
    (*shared)(ToHttp(std::move(busy)));
  }
}

void WitnessServer::OnAddCheckpoint(HttpRequest request, HttpServer::Done done) {
  Answer(std::move(done), [this, body = std::move(request.body)] {
    return witness_->AddCheckpoint(body, clock_.Now());
  });
}

void WitnessServer::OnCheckpoint(HttpRequest request, HttpServer::Done done) {
  absl::string_view path = request.path;
  if (!absl::ConsumePrefix(&path, "/") || !absl::ConsumeSuffix(&path, "/checkpoint") ||
      path.size() != 2 * kDigestBytes) {
    HttpResponse missing;
    missing.status = 404;
    missing.content_type = WitnessAnswer().content_type;
    missing.body = "no such path\n";
    done(std::move(missing));
    return;
  }
  Answer(std::move(done),
         [this, origin = std::string(path)] { return witness_->Checkpoint(origin); });
}

void WitnessServer::Route() {
  server_.RouteAsync("POST", "/add-checkpoint", [this](HttpRequest request, HttpServer::Done done) {
    OnAddCheckpoint(std::move(request), std::move(done));
  });
  server_.RouteAsync("GET", "/", [this](HttpRequest request, HttpServer::Done done) {
    OnCheckpoint(std::move(request), std::move(done));
  });
  server_.Route("GET", "/healthz", [](const HttpRequest&) {
    HttpResponse response;
    response.content_type = WitnessAnswer().content_type;
    response.body = "ok\n";
    return response;
  });
  server_.Route("GET", "/metrics", [this](const HttpRequest&) {
    HttpResponse response;
    response.content_type = kExpositionContentType;
    response.body = metrics_.ExpositionText();
    return response;
  });
}

absl::Status WitnessServer::Listen() {
  const std::string listen = config_.listen().empty() ? kListen : config_.listen();
  const std::size_t colon = listen.rfind(':');
  std::uint32_t port = 0;
  if (colon == std::string::npos || !absl::SimpleAtoi(listen.substr(colon + 1), &port) ||
      port > 65535) {
    return WithOperatorDetail(
        absl::InvalidArgumentError("listen: ADDRESS:PORT, e.g. 127.0.0.1:7690"), listen);
  }
  HttpServerOptions options;
  options.address = listen.substr(0, colon);
  options.port = static_cast<std::uint16_t>(port);
  options.request_bytes_max = kAddCheckpointBytesMax;
  options.connections_max = config_.connections_max() > 0 ? config_.connections_max() : 256;
  if (config_.certificate_file().empty() && config_.private_key_file().empty()) {
    return server_.StartPlain(options);
  }
  CARNET_ASSIGN_OR_RETURN(const Bytes chain,
                          ReadFile(options_.state_dir / config_.certificate_file(), kPemBytesMax));
  CARNET_ASSIGN_OR_RETURN(Bytes key,
                          ReadFile(options_.state_dir / config_.private_key_file(), kPemBytesMax));
  const crypto::SecretBytes private_key = crypto::SecretBytes::Copy(key);
  crypto::Wipe(key);
  return server_.Start(options, HttpServerTls{AsText(chain), AsText(private_key.View()), {}});
}

absl::Status WitnessServer::Run(const WitnessReady& ready) {
  CARNET_RETURN_IF_ERROR(Open());
  boost::asio::io_context signals;
  boost::asio::signal_set stop(signals, SIGTERM, SIGINT);
  stop.async_wait([&signals](const boost::system::error_code&, int) { signals.stop(); });
  Route();
  CARNET_RETURN_IF_ERROR(Listen());
  const std::string listen = config_.listen().empty() ? kListen : config_.listen();
  ready(absl::StrCat(listen.substr(0, listen.rfind(':')), ":", server_.port()),
        witness_->key().Vkey());
  signals.run();
  Log(LogLevel::kInfo, "witness.stopping");
  server_.Stop(kShutdownGrace);
  executor_->Stop();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> InitWitness(const WitnessInit& init, Rng& rng) {
  CARNET_RETURN_IF_ERROR(CheckName(init.name));
  std::string yaml = absl::StrCat("# carnet.v1.WitnessConfig\nname: \"", init.name,
                                  "\"\nlisten: \"", kListen, "\"\nlogs:");
  for (const std::string& vkey : init.logs) {
    CARNET_ASSIGN_OR_RETURN(const NoteKey log, ParseVkey(vkey));
    CARNET_RETURN_IF_ERROR(CheckName(log.name));
    absl::StrAppend(&yaml, "\n  - \"", vkey, "\"");
  }
  absl::StrAppend(&yaml, init.logs.empty() ? " []\n" : "\n");
  std::error_code error;
  if (std::filesystem::exists(init.state_dir, error)) {
    return WithOperatorDetail(absl::AlreadyExistsError("witness: the folder exists"),
                              init.state_dir.string());
  }
  CARNET_RETURN_IF_ERROR(MakeDirs(init.state_dir));
  CARNET_ASSIGN_OR_RETURN(const auto keys,
                          crypto::KeyFiles::Open((init.state_dir / "keys").string()));
  const crypto::Ed25519KeyPair key = crypto::Ed25519KeyPair::Generate(rng);
  CARNET_RETURN_IF_ERROR(keys.Create(kWitnessKeyId, crypto::KeyKind::kEd25519, key.seed()));
  // Last: a folder without it is no witness.
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(init.state_dir / kWitnessConfigName, AsBytes(yaml)));
  return CosignerKey{.name = init.name, .public_key = key.public_key()}.Vkey();
}

absl::Status RunWitness(const WitnessServerOptions& options, const Clock& clock,
                        const WitnessReady& ready) {
  return std::make_unique<WitnessServer>(options, clock)->Run(ready);
}

}  // namespace carnet::ledger
