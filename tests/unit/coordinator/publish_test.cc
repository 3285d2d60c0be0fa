#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/files.h"
#include "base/rng.h"
#include "base/status.h"
#include "coordinator/publish/publisher.h"
#include "coordinator/publish/witness_client.h"
#include "ledger/cosignature.h"
#include "ledger/errors.h"
#include "ledger/note.h"
#include "ledger/witness.h"
#include "small_federation.h"
#include "temp_dir.h"

namespace carnet::coordinator {
namespace {

using testing_ledger::KeyOfSeed;
using testing_ledger::SmallFederation;
using testing_ledger::TempDir;

// Real witnesses behind a network that is a function; a port is a witness.
class Network {
 public:
  void Add(std::uint16_t port, SmallFederation& federation, std::uint8_t seed) {
    Place place;
    place.dir = std::make_unique<TempDir>();
    place.witness = *ledger::Witness::Open({.state_dir = place.dir->path(),
                                            .name = absl::StrCat("w", port, ".test/w"),
                                            .logs = {federation.log().key()}},
                                           KeyOfSeed(seed));
    places_[port] = std::move(place);
  }
  void Cut(std::uint16_t port, bool cut) {
    const MutexLock lock(mutex_);
    places_[port].cut = cut;
  }
  int requests() const {
    const MutexLock lock(mutex_);
    return requests_;
  }
  HttpCaller Caller() {
    return [this](const HttpCallOptions& options, const HttpRequest& request) {
      return Call(options, request);
    };
  }

 private:
  struct Place {
    std::unique_ptr<TempDir> dir;
    std::unique_ptr<ledger::Witness> witness;
    bool cut = false;
  };

  absl::StatusOr<HttpResponse> Call(const HttpCallOptions& options, const HttpRequest& request) {
    const MutexLock lock(mutex_);
    ++requests_;
    const auto place = places_.find(options.port);
    if (place == places_.end() || place->second.cut) {
      return absl::UnavailableError("nothing listens");
    }
    ledger::Witness& witness = *place->second.witness;
    const std::string& path = request.path;
    const ledger::WitnessAnswer answer =
        request.method == "POST"
            ? (path == "/add-checkpoint"
                   ? witness.AddCheckpoint(request.body, absl::FromUnixSeconds(1'790'000'000))
                   : ledger::WitnessAnswer{.status = 405, .content_type = "", .body = ""})
            : witness.Checkpoint(path.substr(1, path.size() > 65 ? 64 : 0));
    HttpResponse response;
    response.status = answer.status;
    response.content_type = answer.content_type;
    response.body = answer.body;
    return response;
  }

  mutable Mutex mutex_;
  std::map<std::uint16_t, Place> places_;
  int requests_ CARNET_GUARDED_BY(mutex_) = 0;
};

// Time stands still until it is told to go on.
class FakeClock final : public Clock {
 public:
  absl::Time Now() const override { return absl::UnixEpoch() + MonotonicNow(); }
  absl::Duration MonotonicNow() const override {
    const MutexLock lock(mutex_);
    return now_;
  }
  void Advance(absl::Duration by) {
    const MutexLock lock(mutex_);
    now_ += by;
  }

 private:
  mutable Mutex mutex_;
  absl::Duration now_ CARNET_GUARDED_BY(mutex_) = absl::Hours(1);
};

std::string PolicyOf(SmallFederation& federation, const std::vector<std::uint16_t>& ports,
                     const std::string& quorum) {
  std::string lines;
  for (const std::uint16_t port : ports) {
    const ledger::CosignerKey key{
        .name = absl::StrCat("w", port, ".test/w"),
        .public_key = KeyOfSeed(static_cast<std::uint8_t>(port)).public_key()};
    absl::StrAppend(&lines, "witness w", port, " ", key.Vkey(), " http://127.0.0.1:", port, "\n");
  }
  return absl::StrReplaceAll(federation.PolicyText(),
                             {{"quorum none", absl::StrCat(lines, quorum)}});
}

absl::StatusOr<PublisherOptions> OptionsOf(SmallFederation& federation, const std::string& policy) {
  const TempDir dir;
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(dir.path() / "policy", AsBytes(policy)));
  v1::PublishConfig config;
  config.set_policy("policy");
  absl::StatusOr<PublisherOptions> options = LoadPublisherOptions(
      config, dir.path(), federation.log().keys(), federation.Policy().genesis);
  if (options.ok()) {
    options->retry = {.first = absl::Milliseconds(1), .max = absl::Milliseconds(1), .factor = 1};
  }
  return options;
}

// What the publisher tells its owner; waits for it.
class Owner {
 public:
  void Hold(std::string reason) {
    const MutexLock lock(mutex_);
    ++holds_;
    reason_ = std::move(reason);
    changed_.NotifyAll();
  }
  std::string WaitForHold(int count) {
    const MutexLock lock(mutex_);
    while (holds_ < count) {
      changed_.Wait(mutex_);
    }
    return reason_;
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  int holds_ CARNET_GUARDED_BY(mutex_) = 0;
  std::string reason_ CARNET_GUARDED_BY(mutex_);
};

// A federation, its witnesses and a publisher.
struct Stage {
  Stage() { federation.Found(); }
  std::unique_ptr<Publisher> Make(const PublisherOptions& options) {
    return std::make_unique<Publisher>(
        options, federation.log(), clock, rng, metrics,
        [this](std::string reason) { owner.Hold(std::move(reason)); }, [](absl::Status) {},
        network.Caller());
  }
  // Polls real time through the publisher's own threads; ends only when it is so.
  void WaitPublished(std::uint64_t size) {
    while (!federation.log().PublishedHead().ok() ||
           federation.log().PublishedHead()->head.size < size) {
      clock.Advance(absl::Milliseconds(10));
      std::this_thread::yield();
    }
  }

  TempDir dir;
  SmallFederation federation{dir.path()};
  Network network;
  FakeClock clock;
  SystemRng rng;
  Metrics metrics;
  Owner owner;
};

WitnessPeer PeerOf(std::uint16_t port) {
  const ledger::CosignerKey key{
      .name = absl::StrCat("w", port, ".test/w"),
      .public_key = KeyOfSeed(static_cast<std::uint8_t>(port)).public_key()};
  WitnessPeer peer;
  peer.name = absl::StrCat("w", port);
  peer.key = *ledger::verifier::ParseVerifierKey(key.Vkey());
  peer.submission = *ParseWitnessUrl(absl::StrCat("http://127.0.0.1:", port));
  peer.monitoring = peer.submission;
  return peer;
}

TEST_CASE("Witness client: it starts again from the size that a conflict names") {
  Stage stage;
  stage.network.Add(11, stage.federation, 11);
  WitnessClient client(PeerOf(11), stage.network.Caller());
  CHECK(absl::IsNotFound(client.NewestHead(stage.federation.log().key().name).status()));
  REQUIRE(client.Cosign(stage.federation.log().Head(), stage.federation.log()).ok());
  CHECK(stage.network.requests() == 2);
  stage.federation.Round();
  WitnessClient forgetful(PeerOf(11), stage.network.Caller());
  const auto line = forgetful.Cosign(stage.federation.log().Head(), stage.federation.log());
  REQUIRE(line.ok());
  CHECK(stage.network.requests() == 4);
  const auto head = *ledger::verifier::VerifyHead(
      stage.federation.log().Head().note + *line,
      *ledger::verifier::ParseVerifierKey(stage.federation.log().key().Vkey()));
  CHECK(ledger::verifier::VerifyCosignature(head, PeerOf(11).key).ok());
  CHECK(*client.NewestHead(stage.federation.log().key().name) ==
        stage.federation.log().Head().note + *line);
}

TEST_CASE("Witness client: a wrong key, another history and a larger head are told apart") {
  Stage stage;
  stage.network.Add(11, stage.federation, 11);
  SECTION("the witness signs with another key than the policy says") {
    WitnessPeer peer = PeerOf(12);
    peer.submission = PeerOf(11).submission;
    WitnessClient client(peer, stage.network.Caller());
    CHECK(absl::IsUnauthenticated(
        client.Cosign(stage.federation.log().Head(), stage.federation.log()).status()));
  }
  SECTION("it cosigned another history of this log: it never cosigns this one") {
    const TempDir other;
    SmallFederation fork(other.path());
    fork.Found();
    fork.log().Append({fork.Filler()}).IgnoreError();
    WitnessClient for_fork(PeerOf(11), stage.network.Caller());
    REQUIRE(for_fork.Cosign(fork.log().Head(), fork.log()).ok());
    stage.federation.Round();
    WitnessClient client(PeerOf(11), stage.network.Caller());
    CHECK(absl::IsOutOfRange(
        client.Cosign(stage.federation.log().Head(), stage.federation.log()).status()));
  }
  SECTION("it knows a larger head") {
    const ledger::SignedHead old_head = stage.federation.log().Head();
    stage.federation.Round();
    WitnessClient client(PeerOf(11), stage.network.Caller());
    REQUIRE(client.Cosign(stage.federation.log().Head(), stage.federation.log()).ok());
    CHECK(absl::IsOutOfRange(client.Cosign(old_head, stage.federation.log()).status()));
  }
  SECTION("nothing listens") {
    stage.network.Cut(11, true);
    WitnessClient client(PeerOf(11), stage.network.Caller());
    CHECK(absl::IsUnavailable(
        client.Cosign(stage.federation.log().Head(), stage.federation.log()).status()));
  }
}

TEST_CASE("Witness client: addresses are http or https, with a host and a port") {
  const auto url = *ParseWitnessUrl("https://w.example.org/prefix/");
  CHECK(url.tls);
  CHECK(url.host == "w.example.org");
  CHECK(url.port == 443);
  CHECK(url.path == "/prefix");
  CHECK(ParseWitnessUrl("http://127.0.0.1:7690")->port == 7690);
  for (const char* bad : {"", "ftp://x:1", "http://", "http://x", "http://x:0", "http://x:65536",
                          "https://a@b", "https://x/?q", "https://x/#f", "https:// x"}) {
    CAPTURE(bad);
    CHECK(absl::IsInvalidArgument(ParseWitnessUrl(bad).status()));
  }
}

TEST_CASE("Publisher: a head is published when the quorum cosigned it, one dead witness or not") {
  Stage stage;
  stage.network.Add(11, stage.federation, 11);
  stage.network.Add(12, stage.federation, 12);
  const std::string policy =
      PolicyOf(stage.federation, {11, 12, 13}, "group two 2 w11 w12 w13\nquorum two");
  const auto publisher = stage.Make(*OptionsOf(stage.federation, policy));
  REQUIRE(publisher->CheckWitnesses().ok());
  REQUIRE(publisher->Start().ok());
  stage.WaitPublished(5);
  stage.federation.Round();
  publisher->NewHead();
  stage.WaitPublished(10);
  publisher->Stop();
  const auto trusted = ledger::verifier::VerifyTrustedHead(
      stage.federation.log().PublishedHead()->note, *ledger::verifier::ParseTrustPolicy(policy));
  REQUIRE(trusted.ok());
  CHECK(trusted->cosigned.size() == 2);
  CHECK_FALSE(trusted->operator_only);
}

TEST_CASE("Publisher: without the quorum nothing is published, appends go on and rounds are held") {
  Stage stage;
  stage.network.Add(11, stage.federation, 11);
  stage.network.Add(12, stage.federation, 12);
  stage.network.Cut(12, true);
  const auto publisher =
      stage.Make(*OptionsOf(stage.federation, PolicyOf(stage.federation, {11, 12},
                                                       "group both all w11 w12\nquorum both")));
  REQUIRE(publisher->Start().ok());
  stage.federation.Round();
  publisher->NewHead();
  CHECK(stage.federation.log().Size() == 10);
  stage.clock.Advance(absl::Hours(1) + absl::Minutes(1));
  CHECK(stage.owner.WaitForHold(1) == kWitnessesReason);
  CHECK(absl::IsNotFound(stage.federation.log().PublishedHead().status()));
  CHECK(stage.metrics.ExpositionText().find("carnet_ledger_publish_lag_seconds 3") !=
        std::string::npos);
  // It comes back: published, and rounds go on.
  stage.network.Cut(12, false);
  stage.WaitPublished(10);
  CHECK(stage.owner.WaitForHold(2).empty());
  publisher->Stop();
}

TEST_CASE("Publisher: cosignatures are made fresh without new records, after the period") {
  Stage stage;
  stage.network.Add(11, stage.federation, 11);
  const auto publisher =
      stage.Make(*OptionsOf(stage.federation, PolicyOf(stage.federation, {11}, "quorum w11")));
  REQUIRE(publisher->Start().ok());
  stage.WaitPublished(5);
  const int before = stage.network.requests();
  while (stage.network.requests() == before) {
    stage.clock.Advance(absl::Minutes(11));
    std::this_thread::yield();
  }
  publisher->Stop();
  CHECK(stage.federation.log().PublishedHead()->head.size == 5);
}

TEST_CASE("Publisher: a published head that the policy of now does not accept is withdrawn") {
  Stage stage;
  stage.network.Add(11, stage.federation, 11);
  {
    const auto publisher =
        stage.Make(*OptionsOf(stage.federation, PolicyOf(stage.federation, {11}, "quorum w11")));
    REQUIRE(publisher->Start().ok());
    stage.WaitPublished(5);
  }
  const auto publisher =
      stage.Make(*OptionsOf(stage.federation, PolicyOf(stage.federation, {11, 12}, "quorum w12")));
  REQUIRE(publisher->Start().ok());
  CHECK(absl::IsNotFound(stage.federation.log().PublishedHead().status()));
  publisher->Stop();
}

TEST_CASE("Publisher: before the first append a witness shows that the state is an old copy") {
  Stage stage;
  stage.network.Add(11, stage.federation, 11);
  const TempDir future;
  SmallFederation newer(future.path());
  newer.Found();
  newer.Round();
  WitnessClient client(PeerOf(11), stage.network.Caller());
  REQUIRE(client.Cosign(newer.log().Head(), newer.log()).ok());
  const PublisherOptions options =
      *OptionsOf(stage.federation, PolicyOf(stage.federation, {11, 12}, "quorum w11"));
  SECTION("it answers: the log is not opened") {
    CHECK(ledger::IsLogMisbehaviour(stage.Make(options)->CheckWitnesses()));
    CHECK(stage.federation.log().closed());
  }
  SECTION("it cosigned by a key that the log was handed over to since") {
    const ledger::Head head{.origin = testing_ledger::kOrigin,
                            .size = stage.federation.size() + 1,
                            .root = newer.log().Head().head.root};
    const std::string note = *ledger::SignNote(ledger::HeadText(head), head.origin, KeyOfSeed(6));
    const auto shows = [&](const std::string& cosigned) {
      return Publisher(
          options, stage.federation.log(), stage.clock, stage.rng, stage.metrics,
          [](std::string) {}, [](absl::Status) {},
          [cosigned](const HttpCallOptions&, const HttpRequest&) -> absl::StatusOr<HttpResponse> {
            HttpResponse response;
            response.body = cosigned;
            return response;
          });
    };
    const auto cosign = [&](std::uint8_t seed) {
      return absl::StrCat(note, *ledger::Cosign(ledger::HeadText(head), "w11.test/w",
                                                KeyOfSeed(seed), 1'790'000'000));
    };
    // Anybody's word, or none, proves nothing.
    CHECK(shows(note).CheckWitnesses().ok());
    CHECK(shows(cosign(13)).CheckWitnesses().ok());
    CHECK_FALSE(stage.federation.log().closed());
    CHECK(ledger::IsLogMisbehaviour(shows(cosign(11)).CheckWitnesses()));
    CHECK(stage.federation.log().closed());
  }
  SECTION("it does not answer: a warning, and on") {
    stage.network.Cut(11, true);
    CHECK(stage.Make(options)->CheckWitnesses().ok());
    CHECK_FALSE(stage.federation.log().closed());
  }
}

TEST_CASE("Publisher: a policy of another log, without quorum or without addresses is refused") {
  Stage stage;
  const std::string good = PolicyOf(stage.federation, {11}, "quorum w11");
  CHECK(OptionsOf(stage.federation, good).ok());
  for (const std::string& bad : {stage.federation.PolicyText(), std::string("quorum none\n"),
                                 absl::StrReplaceAll(good, {{" http://127.0.0.1:11", ""}}),
                                 absl::StrReplaceAll(good, {{"http://", "https://"}}),
                                 absl::StrReplaceAll(good, {{"# genesis ", "# genesis 00"}})}) {
    CAPTURE(bad);
    CHECK(absl::IsInvalidArgument(OptionsOf(stage.federation, bad).status()));
  }
}

}  // namespace
}  // namespace carnet::coordinator
