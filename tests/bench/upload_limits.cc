// The limits of B3: a gRPC stream of the same chunks over the same TLS that nobody keeps, and a
// file of the same bytes, written and synced. tests/bench/upload.py measures the upload and calls
// this.
#include <fcntl.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "base/rng.h"
#include "base/status.h"
#include "carnet/v1/federation.grpc.pb.h"
#include "coordinator/rpc/grpc_server.h"
#include "crypto/certificates.h"
#include "exchange/transfer.h"
#include "tests/bench/report.h"

namespace carnet::bench {
namespace {

constexpr double kAtLeast = 0.6;
constexpr double kMebi = 1 << 20;
constexpr char kServerName[] = "coordinator.bench.example";

struct Arguments {
  std::uint64_t size_bytes = 0;
  double measured_seconds = 0;
  int repeats = 3;
  std::string directory = std::filesystem::temp_directory_path().string();
  std::string commit = "unknown";
  bool json = false;
};

double SecondsSince(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

// Takes chunks and drops them.
class Sink final : public v1::Federation::CallbackService {
 public:
  using Stream = grpc::ServerBidiReactor<v1::UploadRequest, v1::UploadResponse>;

  Stream* Upload(grpc::CallbackServerContext* /*context*/) override { return new Reactor(); }

 private:
  class Reactor final : public Stream {
   public:
    Reactor() { StartRead(&request_); }
    void OnReadDone(bool ok) override {
      if (ok) {
        StartRead(&request_);
      } else {
        Finish(grpc::Status::OK);
      }
    }
    void OnDone() override { delete this; }

   private:
    v1::UploadRequest request_;
  };
};

struct Identity {
  std::string certificate;
  std::string key;
};

absl::StatusOr<Identity> MakeIdentity(const crypto::CertificateAuthority& authority, bool server,
                                      Rng& rng) {
  CARNET_ASSIGN_OR_RETURN(const crypto::P256Key key, crypto::P256Key::Generate());
  CARNET_ASSIGN_OR_RETURN(crypto::SpiffeId id, crypto::SpiffeId::Coordinator("bench.example"));
  crypto::CertificateOrder order{.spki = key.spki(), .id = std::move(id), .validity = {}};
  order.server = server;
  order.client = !server;
  if (server) {
    order.dns_names = {kServerName};
  }
  order.validity = {absl::Now() - absl::Hours(1), absl::Now() + absl::Hours(24)};
  CARNET_ASSIGN_OR_RETURN(std::string certificate, crypto::IssueCertificate(authority, order, rng));
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes pem, key.ToPem());
  return Identity{std::move(certificate), std::string(AsText(pem.View()))};
}

// Seconds that one stream of `size_bytes` takes.
absl::StatusOr<double> TimeStream(v1::Federation::Stub& stub, std::uint64_t size_bytes) {
  v1::UploadRequest message;
  message.mutable_chunk()->mutable_data()->assign(exchange::kChunkBytesMax, '\x5a');
  const auto start = std::chrono::steady_clock::now();
  grpc::ClientContext context;
  const auto stream = stub.Upload(&context);
  for (std::uint64_t sent = 0; sent < size_bytes; sent += exchange::kChunkBytesMax) {
    message.mutable_chunk()->set_offset(sent);
    if (!stream->Write(message)) {
      return absl::UnavailableError("bench: the stream broke");
    }
  }
  stream->WritesDone();
  if (!stream->Finish().ok()) {
    return absl::UnavailableError("bench: the stream did not end well");
  }
  return SecondsSince(start);
}

absl::StatusOr<double> TimeWrite(const std::filesystem::path& path, std::uint64_t size_bytes) {
  const std::string chunk(exchange::kChunkBytesMax, '\x5a');
  const auto start = std::chrono::steady_clock::now();
  const int file = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  bool good = file >= 0;
  for (std::uint64_t done = 0; good && done < size_bytes; done += chunk.size()) {
    good = write(file, chunk.data(), chunk.size()) == static_cast<ssize_t>(chunk.size());
  }
  good = good && fsync(file) == 0;
  const double spent = SecondsSince(start);
  close(file);
  unlink(path.c_str());
  if (!good) {
    return absl::ResourceExhaustedError("bench: the file could not be written");
  }
  return spent;
}

absl::StatusOr<Figure> Measure(const Arguments& arguments) {
  coordinator::ForbidTls12();
  SystemRng rng;
  CARNET_ASSIGN_OR_RETURN(
      const crypto::CertificateAuthority authority,
      crypto::CertificateAuthority::Create(
          "bench", {absl::Now() - absl::Hours(2), absl::Now() + absl::Hours(48)}, rng));
  CARNET_ASSIGN_OR_RETURN(const Identity server_identity, MakeIdentity(authority, true, rng));
  CARNET_ASSIGN_OR_RETURN(const Identity client_identity, MakeIdentity(authority, false, rng));
  Sink sink;
  coordinator::GrpcServerOptions options;
  options.listen = "127.0.0.1:0";
  options.private_key = server_identity.key;
  const auto tls = std::make_shared<coordinator::Authorities::Tls>();
  tls->version = 1;
  tls->chain = server_identity.certificate;
  tls->roots = authority.certificate_pem();
  options.tls = [tls] { return tls; };
  options.services = {&sink};
  CARNET_ASSIGN_OR_RETURN(const auto server, coordinator::GrpcServer::Start(options));
  grpc::ChannelArguments channel;
  channel.SetSslTargetNameOverride(kServerName);
  const auto stub = v1::Federation::NewStub(grpc::CreateCustomChannel(
      server->address(),
      grpc::SslCredentials(
          {authority.certificate_pem(), client_identity.key, client_identity.certificate}),
      channel));
  double stream_s = std::numeric_limits<double>::infinity();
  double write_s = stream_s;
  for (int repeat = 0; repeat < arguments.repeats; ++repeat) {
    CARNET_ASSIGN_OR_RETURN(const double stream, TimeStream(*stub, arguments.size_bytes));
    CARNET_ASSIGN_OR_RETURN(
        const double written,
        TimeWrite(std::filesystem::path(arguments.directory) / "raw-write", arguments.size_bytes));
    stream_s = std::min(stream_s, stream);
    write_s = std::min(write_s, written);
  }
  server->Stop(absl::Seconds(1));
  const double mebi = static_cast<double>(arguments.size_bytes) / kMebi;
  Figure figure;
  figure.bar = "B3";
  figure.what = absl::StrFormat("upload %.0f MiB (raw stream %.0f, raw write %.0f MiB/s)", mebi,
                                mebi / stream_s, mebi / write_s);
  figure.unit = "MiB/s";
  figure.figure = mebi / arguments.measured_seconds;
  figure.limit = mebi / std::max(stream_s, write_s);
  figure.at_least = kAtLeast;
  return figure;
}

int Main(int argc, char** argv) {
  Arguments arguments;
  CLI::App app("The limits of an upload, beside what tests/bench/upload.py measured");
  app.add_option("--bytes", arguments.size_bytes, "of the sealed delta")
      ->required()
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 40));
  app.add_option("--measured-seconds", arguments.measured_seconds, "of the upload")
      ->required()
      ->check(CLI::PositiveNumber);
  app.add_option("--repeats", arguments.repeats, "the best counts")->check(CLI::Range(1, 100));
  app.add_option("--dir", arguments.directory, "for one file of that size");
  app.add_option("--commit", arguments.commit, "named in the report");
  app.add_flag("--json", arguments.json, "one line of JSON instead of the table");
  CLI11_PARSE(app, argc, argv);
  const absl::StatusOr<Figure> figure = Measure(arguments);
  if (!figure.ok()) {
    std::fprintf(stderr, "%s\n", DescribeForOperator(figure.status()).c_str());
    return 1;
  }
  const Run run = {DescribeMachine(), arguments.commit};
  std::fputs((arguments.json ? JsonLines({*figure}, run) : Table({*figure}, run)).c_str(), stdout);
  return 0;
}

}  // namespace
}  // namespace carnet::bench

int main(int argc, char** argv) {
  return carnet::bench::Main(argc, argv);
}
