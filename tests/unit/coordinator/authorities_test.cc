#include "coordinator/rpc/authorities.h"

#include <stdlib.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <optional>
#include <string>

#include "absl/time/clock.h"
#include "base/files.h"
#include "base/http_client.h"
#include "base/metrics.h"
#include "base/timestamp.h"
#include "coordinator/core/fold.h"
#include "coordinator/core/keys.h"
#include "coordinator/rpc/services.h"
#include "coordinator/server_tls.h"

namespace carnet::coordinator {
namespace {

constexpr char kTrustDomain[] = "test.acme.example";
constexpr char kNewKeyId[] = "k-aaaaaaaaaaaaaaaa";
constexpr std::uint64_t kRotationIndex = 7;
const absl::Time kStart = absl::FromUnixSeconds(1'795'253'000);
const absl::Time kOverlapEnd = kStart + absl::Hours(48);

class FixedClock final : public Clock {
 public:
  absl::Time Now() const override { return now; }
  absl::Duration MonotonicNow() const override { return now - absl::UnixEpoch(); }
  absl::Time now = kStart;
};

// A state folder's keys, and the state that names them.
struct Home {
  explicit Home(absl::Time start = kStart) {
    clock.now = start;
    std::string name = (std::filesystem::temp_directory_path() / "carnet-XXXXXX").string();
    path = ::mkdtemp(name.data());
    keys = crypto::KeyFiles::Open((path / "keys").string()).value();
    const auto ca = crypto::CertificateAuthority::Create(
                        "test CA", {start - absl::Hours(1), start + absl::Hours(24 * 3650)}, rng)
                        .value();
    REQUIRE(keys->Create("ca", crypto::KeyKind::kP256, *ca.key().ToPem()).ok());
    state.genesis.set_ca_certificate_pem(ca.certificate_pem());
    state.genesis.set_ca_spki_sha256(ToString(ca.key().spki_sha256()));
    state.size = 1;
  }
  ~Home() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  absl::StatusOr<std::unique_ptr<Authorities>> Open() {
    return Authorities::Open(
        state, *keys,
        {server_key.spki(), crypto::SpiffeId::Coordinator(kTrustDomain).value(),
         "coordinator.test.acme.example"},
        clock, rng);
  }
  // The record of `next` in the place of the authority in force.
  void Record(const crypto::CertificateAuthority& next) {
    v1::KeyRotated rotated;
    rotated.set_kind(kCaKind);
    rotated.set_key_id(kNewKeyId);
    rotated.set_old_public_key(*PublicKeyInForce(state, kCaKind));
    rotated.set_new_public_key(ToString(next.key().spki()));
    rotated.set_ca_certificate_pem(next.certificate_pem());
    *rotated.mutable_overlap_until() = ToTimestamp(clock.now + absl::Hours(48));
    REQUIRE(Fold(state, kRotationIndex, rotated).ok());
  }
  // As key admin and engine do it.
  void Rotate(Authorities& authorities) {
    auto next = authorities.MakeNext().value();
    REQUIRE(keys->Create(kNewKeyId, crypto::KeyKind::kP256, *next.key().ToPem()).ok());
    Record(next);
    authorities.Offer(kNewKeyId, std::move(next));
    authorities.Update(state, kRotationIndex + 1);
  }
  std::string Worker(const Authorities& authorities) const {
    return authorities
        .Issue({.spki = worker_key.spki(),
                .id = *crypto::SpiffeId::Worker(kTrustDomain, "sg", "lion", "sg-1"),
                .client = true,
                .validity = {clock.now, clock.now + absl::Hours(24 * 7)}})
        .value()
        .certificate_pem;
  }

  std::filesystem::path path;
  SystemRng rng;
  FixedClock clock;
  std::optional<crypto::KeyFiles> keys;
  State state;
  crypto::P256Key server_key = crypto::P256Key::Generate().value();
  crypto::P256Key worker_key = crypto::P256Key::Generate().value();
};

bool Counts(const Authorities& authorities, const std::string& pem) {
  return authorities.Counts(crypto::ParseCertificatePem(pem).value());
}

TEST_CASE("Authorities: the new one issues from its durable record on, and both count") {
  Home home;
  const auto authorities = home.Open().value();
  const std::string old_worker = home.Worker(*authorities);
  CHECK(Counts(*authorities, old_worker));
  const std::string founding = home.state.genesis.ca_certificate_pem();
  CHECK(authorities->CurrentTls()->roots == founding);
  const Digest before = authorities->NewestSpkiSha256();

  auto next = authorities->MakeNext().value();
  const std::string next_pem = next.certificate_pem();
  CHECK(crypto::ParseCertificatePem(next_pem)->subject_name == "test CA");
  home.Record(next);
  authorities->Offer(kNewKeyId, std::move(next));
  // Decided, not durable: nothing has changed.
  authorities->Update(home.state, kRotationIndex);
  CHECK(authorities->NewestSpkiSha256() == before);
  authorities->Update(home.state, kRotationIndex + 1);
  CHECK(authorities->NewestSpkiSha256() != before);
  const std::string new_worker = home.Worker(*authorities);
  CHECK(crypto::VerifyCertificate(new_worker, next_pem, kStart).ok());
  CHECK(Counts(*authorities, old_worker));
  CHECK(Counts(*authorities, new_worker));
  CHECK(authorities->Verify(old_worker).ok());
  CHECK(authorities->CurrentTls()->roots == next_pem + founding);
  // The server's certificate is the new one's.
  const std::string chain = authorities->CurrentTls()->chain;
  const std::string own = chain.substr(0, chain.find("-----BEGIN", 1));
  CHECK(crypto::VerifyCertificate(own, next_pem, kStart).ok());
}

TEST_CASE("Authorities: the old one ends with its time, and its key with the order") {
  Home home;
  const auto authorities = home.Open().value();
  const std::string old_worker = home.Worker(*authorities);
  home.Rotate(*authorities);
  const std::string new_worker = home.Worker(*authorities);
  const std::uint64_t version = authorities->CurrentTls()->version;
  home.clock.now = kOverlapEnd - absl::Seconds(1);
  CHECK(Counts(*authorities, old_worker));
  CHECK(authorities->CurrentTls()->version == version);
  // By the clock alone, whether a record could be written or not.
  home.clock.now = kOverlapEnd;
  CHECK_FALSE(Counts(*authorities, old_worker));
  CHECK(absl::IsUnauthenticated(authorities->Verify(old_worker).status()));
  CHECK(Counts(*authorities, new_worker));
  CHECK(authorities->CurrentTls()->version > version);
  CHECK(authorities->CurrentTls()->roots == AuthorityInForce(home.state));
  // And by the record alone, where the clock was set back.
  home.clock.now = kStart;
  CHECK(Counts(*authorities, old_worker));
  home.state.keys.at("ca").phase = KeyPhase::kDestructionOrdered;
  authorities->Update(home.state, kRotationIndex + 2);
  CHECK_FALSE(Counts(*authorities, old_worker));
  CHECK(authorities->CurrentTls()->roots == AuthorityInForce(home.state));
}

TEST_CASE("Authorities: a restart finds what the ledger names") {
  Home home;
  std::string old_worker;
  {
    const auto authorities = home.Open().value();
    old_worker = home.Worker(*authorities);
    home.Rotate(*authorities);
  }
  const auto again = home.Open().value();
  CHECK(Counts(*again, old_worker));
  CHECK(crypto::VerifyCertificate(home.Worker(*again), AuthorityInForce(home.state), kStart).ok());
  CHECK(again->CurrentTls()->roots ==
        AuthorityInForce(home.state) + home.state.genesis.ca_certificate_pem());
  // The old key's file is not needed once its destruction was ordered.
  home.state.keys.at("ca").phase = KeyPhase::kDestructionOrdered;
  REQUIRE(home.keys->Destroy("ca").ok());
  const auto later = home.Open();
  REQUIRE(later.ok());
  CHECK_FALSE(Counts(**later, old_worker));
  // A file with another key is not taken for the one on record.
  REQUIRE(home.keys->Destroy(kNewKeyId).ok());
  REQUIRE(home.keys->Create(kNewKeyId, crypto::KeyKind::kP256, *home.worker_key.ToPem()).ok());
  CHECK(absl::IsDataLoss(home.Open().status()));
}

TEST_CASE("Authorities: one that was offered and never recorded changes nothing") {
  Home home;
  const auto authorities = home.Open().value();
  const Digest before = authorities->NewestSpkiSha256();
  authorities->Offer(kNewKeyId, authorities->MakeNext().value());
  authorities->Update(home.state, 100);
  CHECK(authorities->NewestSpkiSha256() == before);
  authorities->Withdraw(kNewKeyId);
  CHECK(authorities->NewestSpkiSha256() == before);
}

TEST_CASE("Authorities: a certificate of a stranger's authority, or of none, counts nowhere") {
  Home home;
  Home other;
  const auto authorities = home.Open().value();
  CHECK_FALSE(Counts(*authorities, other.Worker(*other.Open().value())));
  CHECK_FALSE(authorities->Counts(crypto::CertificateInfo()));
  // Its own certificate says no issuer.
  CHECK_FALSE(Counts(*authorities, home.state.genesis.ca_certificate_pem()));
  CHECK(absl::IsInvalidArgument(authorities->Verify("garbage").status()));
}

TEST_CASE("Authorities: the server's certificate is made anew long before it ends") {
  Home home;
  const auto authorities = home.Open().value();
  const auto first = authorities->CurrentTls();
  home.clock.now += kServerCertificateLife / 3 - absl::Seconds(1);
  CHECK(authorities->CurrentTls() == first);
  home.clock.now += absl::Seconds(1);
  CHECK(authorities->CurrentTls()->version > first->version);
  CHECK(authorities->CurrentTls()->chain != first->chain);
}

TEST_CASE("Authorities: whoever knows one that counts reaches the server, and nobody else") {
  Home home(absl::Now());  // TLS asks the machine's clock
  const auto authorities = home.Open().value();
  const Digest founding = authorities->NewestSpkiSha256();
  const std::string founding_pem = home.state.genesis.ca_certificate_pem();
  const crypto::SecretBytes key_pem = *home.server_key.ToPem();
  BoundedExecutor storage(BoundedExecutor::Options{"storage", 1, 16});
  Metrics metrics;
  ServerTls tls(*authorities, key_pem, home.path / "ca.pem", storage, metrics);
  HttpServer server;
  server.Route("GET", "/", [](const HttpRequest&) { return HttpResponse(); });
  REQUIRE(tls.Start(&server, {}).ok());
  const auto reaches = [&](const std::optional<Digest>& pin, const std::string& pem) {
    HttpCallOptions options;
    options.port = server.port();
    options.tls = HttpClientTls{.ca_certificate_pem = pem,
                                .ca_key_sha256 = pin,
                                .server_name = "coordinator.test.acme.example",
                                .certificate_chain_pem = {},
                                .private_key_pem = {}};
    HttpRequest request;
    request.path = "/";
    const absl::Status status = HttpCall(options, request).status();
    CHECK((status.ok() || absl::IsUnauthenticated(status)));
    return status.ok();
  };
  CHECK(reaches(founding, ""));
  home.Rotate(*authorities);
  tls.Follow();
  const Digest next = authorities->NewestSpkiSha256();
  const std::string next_pem = AuthorityInForce(home.state);
  CHECK(reaches(founding, ""));
  CHECK(reaches(next, ""));
  CHECK(reaches(std::nullopt, founding_pem));
  CHECK(reaches(std::nullopt, next_pem));
  CHECK(reaches(std::nullopt, next_pem + founding_pem));
  Home other(absl::Now());
  CHECK_FALSE(reaches(std::nullopt, other.state.genesis.ca_certificate_pem()));
  home.state.keys.at("ca").phase = KeyPhase::kDestructionOrdered;
  authorities->Update(home.state, kRotationIndex + 2);
  tls.Follow();
  CHECK_FALSE(reaches(founding, ""));
  CHECK_FALSE(reaches(std::nullopt, founding_pem));
  CHECK(reaches(next, ""));
  CHECK(reaches(std::nullopt, next_pem));
  server.Stop(absl::ZeroDuration());
  storage.Stop();
  CHECK(AsText(*ReadFile(home.path / "ca.pem", 1 << 16)) == next_pem);
}

TEST_CASE("Authorities: nobody is let in by a certificate while none counts") {
  Home home;
  PeerDirectory peers;
  crypto::CertificateInfo info;
  CHECK(absl::IsUnauthenticated(peers.UserOf(info).status()));
  CHECK(absl::IsUnauthenticated(peers.WorkerOf(info).status()));
}

}  // namespace
}  // namespace carnet::coordinator
