// coordinator/rpc/uploads.h: what stays of uploads, and for how long.
#include "coordinator/rpc/uploads.h"

#include <catch2/catch.hpp>

#include "crypto/hash.h"
#include "tests/unit/exchange/test_headers.h"

namespace carnet::coordinator {
namespace {

constexpr absl::Duration kNow = absl::Seconds(5);
constexpr char kRound[] = "j-aaaaaaaaaaaaaaaa/3/1";

// The n-th sealing of one delta of that sender.
exchange::Header HeaderOf(char n, const std::string& slot = "sg-1") {
  v1::ArtifactHeader fields = exchange::DeltaFields();
  fields.set_salt(std::string(24, n));
  fields.set_sender("spiffe://digits.acme.example/region/sg/supplier/lion/worker/" + slot);
  auto header = exchange::MakeHeader(fields);
  INFO(header.status().ToString());
  REQUIRE(header.ok());
  return *header;
}

struct Room {
  Room() { REQUIRE(Open().ok()); }
  absl::Status Open() {
    uploads.reset();
    auto opened_blobs = Blobs::Open(directory.path() / "blobs");
    REQUIRE(opened_blobs.ok());
    blobs = *std::move(opened_blobs);
    auto opened = Uploads::Open(directory.path() / "spool", 4, *blobs);
    if (opened.ok()) {
      uploads = *std::move(opened);
    }
    return opened.status();
  }
  absl::StatusOr<std::unique_ptr<Upload>> Start(const exchange::Header& header) {
    return uploads->Start(header, file.size(), crypto::Sha256(file), kNow);
  }
  // Leaves half of it, or all.
  void Send(const exchange::Header& header, bool whole) {
    auto upload = Start(header);
    INFO(upload.status().ToString());
    REQUIRE(upload.ok());
    const std::size_t from = static_cast<std::size_t>((*upload)->first().durable_bytes);
    const std::size_t to = whole ? file.size() : file.size() / 2;
    if (from < to) {
      REQUIRE((*upload)->Write(from, ByteView(file).subspan(from, to - from), kNow).ok());
    }
  }
  std::size_t spools() const { return exchange::ListSpools(directory.path() / "spool")->size(); }
  bool HasBlob() const { return blobs->Has({BlobKind::kDelta, Digested()}); }
  Bytes Digested() const {
    const Digest digest = crypto::Sha256(file);
    return Bytes(digest.begin(), digest.end());
  }

  const exchange::TestDirectory directory;
  const Bytes file = exchange::Pattern(1000);
  std::unique_ptr<Blobs> blobs;
  std::unique_ptr<Uploads> uploads;
};

TEST_CASE("Uploads: another one of a sender for the same task takes the place of the first") {
  Room room;
  for (const char n : {'a', 'b', 'c'}) {
    room.Send(HeaderOf(n), false);
    CHECK(room.spools() == 1);
  }
  room.Send(HeaderOf('a', "sg-2"), false);
  CHECK(room.spools() == 2);
  // While its first stream is still there, it waits.
  const auto first = room.Start(HeaderOf('d'));
  REQUIRE(first.ok());
  CHECK(room.Start(HeaderOf('e')).status().code() == absl::StatusCode::kAborted);
  CHECK(room.Start(HeaderOf('d')).status().code() == absl::StatusCode::kAborted);
  CHECK(room.spools() == 2);
}

TEST_CASE("Uploads: what came whole goes with its round, unless a record needs it") {
  Room room;
  room.Send(HeaderOf('a'), true);
  REQUIRE(room.HasBlob());
  const std::set<BlobId> named = {{BlobKind::kDelta, room.Digested()}};
  SECTION("while the round is open it stays") {
    room.uploads->DropUnwanted({kRound});
    REQUIRE(room.blobs->Sweep({}).ok());
    CHECK(room.HasBlob());
  }
  SECTION("then the next sweep takes it") {
    room.uploads->DropUnwanted({kRound});
    room.uploads->DropUnwanted({});
    REQUIRE(room.blobs->Sweep({}).ok());
    CHECK(!room.HasBlob());
  }
  SECTION("also one of an earlier run") {
    REQUIRE(room.Open().ok());
    room.blobs->MarkPending({BlobKind::kDelta, room.Digested()});  // as the start does
    room.uploads->DropUnwanted({kRound});
    REQUIRE(room.blobs->Sweep({}).ok());
    CHECK(room.HasBlob());
    room.uploads->DropUnwanted({});
    REQUIRE(room.blobs->Sweep({}).ok());
    CHECK(!room.HasBlob());
  }
  SECTION("a record needs it") {
    room.uploads->DropUnwanted({});
    REQUIRE(room.blobs->Sweep(named).ok());
    CHECK(room.HasBlob());
  }
}

TEST_CASE("Uploads: a sender does not fill the disk with whole uploads for one task") {
  Room room;
  for (const char n : {'a', 'b', 'c', 'd'}) {
    // Each is another artifact: the same sealed bytes under another header come again.
    room.Send(HeaderOf(n), true);
  }
  CHECK(room.Start(HeaderOf('e')).status().code() == absl::StatusCode::kResourceExhausted);
  CHECK(room.Start(HeaderOf('d')).ok());
  CHECK(room.Start(HeaderOf('e', "sg-2")).ok());
}

TEST_CASE("Uploads: spools of an earlier run go when nothing that was open then is") {
  Room room;
  room.Send(HeaderOf('a'), false);
  room.Send(HeaderOf('b', "sg-2"), false);
  REQUIRE(room.Open().ok());
  CHECK(room.spools() == 2);
  SECTION("nothing is open at the start") {
    room.uploads->DropUnwanted({});
    CHECK(room.spools() == 0);
  }
  SECTION("their round goes on, and ends") {
    room.uploads->DropUnwanted({kRound});
    CHECK(room.spools() == 2);
    room.Send(HeaderOf('a'), false);  // it goes on where it was
    room.uploads->DropUnwanted({kRound, "j-aaaaaaaaaaaaaaaa/4/1"});
    CHECK(room.spools() == 2);
    room.uploads->DropUnwanted({"j-aaaaaaaaaaaaaaaa/4/1"});
    CHECK(room.spools() == 0);
  }
}

TEST_CASE("Uploads: what an upload that is under way needs stays") {
  Room room;
  const auto upload = room.Start(HeaderOf('a'));
  REQUIRE(upload.ok());
  room.uploads->DropUnwanted({});
  CHECK(room.spools() == 1);
}

}  // namespace
}  // namespace carnet::coordinator
