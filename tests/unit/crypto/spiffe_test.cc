#include "crypto/spiffe.h"

#include <catch2/catch.hpp>

#include "absl/strings/str_cat.h"
#include "crypto_fixtures.h"

namespace carnet::crypto {
namespace {

TEST_CASE("SPIFFE: each kind of party has one text that parses back") {
  const auto worker = SpiffeId::Worker("digits.acme.example", "sg", "lion", "sg-1");
  REQUIRE(worker.ok());
  CHECK(worker->ToString() == "spiffe://digits.acme.example/region/sg/supplier/lion/worker/sg-1");
  CHECK(worker->Path() == "/region/sg/supplier/lion/worker/sg-1");
  CHECK(worker->Name() == "sg-1");
  const auto user = SpiffeId::User("digits.acme.example", "u-7k2m");
  REQUIRE(user.ok());
  CHECK(user->ToString() == "spiffe://digits.acme.example/user/u-7k2m");
  const auto coordinator = SpiffeId::Coordinator("localhost");
  REQUIRE(coordinator.ok());
  CHECK(coordinator->ToString() == "spiffe://localhost/coordinator");
  for (const SpiffeId& id : {*worker, *user, *coordinator}) {
    const auto parsed = SpiffeId::Parse(id.ToString());
    REQUIRE(parsed.ok());
    CHECK(*parsed == id);
    CHECK(parsed->kind() == id.kind());
  }
}

TEST_CASE("SPIFFE: anything else is refused") {
  const std::string long_segment(kSpiffeSegmentBytesMax + 1, 'a');
  const std::string label(63, 'a');
  const std::string long_domain = absl::StrCat(label, ".", label, ".", label, ".aaaaaaaaa");
  REQUIRE(long_domain.size() == kTrustDomainBytesMax + 1);
  for (const std::string& bad :
       std::vector<std::string>{"",
                                "spiffe://",
                                "spiffe://acme",
                                "spiffe://acme/",
                                "spiffe:///coordinator",
                                "http://acme/coordinator",
                                "SPIFFE://acme/coordinator",
                                "spiffe://Acme/coordinator",
                                "spiffe://acme/Coordinator",
                                "spiffe://acme/coordinator/",
                                "spiffe://acme//coordinator",
                                "spiffe://acme/coordinator?x",
                                "spiffe://acme/coordinator#x",
                                "spiffe://a@acme/coordinator",
                                "spiffe://acme:1/coordinator",
                                "spiffe://acme./coordinator",
                                "spiffe://.acme/coordinator",
                                "spiffe://-acme/coordinator",
                                "spiffe://acme-/coordinator",
                                "spiffe://a_b/coordinator",
                                absl::StrCat("spiffe://", long_domain, "/coordinator"),
                                "spiffe://acme/user/",
                                "spiffe://acme/user",
                                "spiffe://acme/user/A",
                                "spiffe://acme/user/a.b",
                                "spiffe://acme/user/..",
                                "spiffe://acme/user/%61",
                                absl::StrCat("spiffe://acme/user/", long_segment),
                                "spiffe://acme/region/sg/supplier/lion/worker",
                                "spiffe://acme/region/sg/worker/sg-1",
                                "spiffe://acme/region//supplier/lion/worker/sg-1",
                                "spiffe://acme/supplier/lion/region/sg/worker/sg-1",
                                "spiffe://acme/region/sg/supplier/lion/worker/sg-1/x",
                                std::string("spiffe://acme/user/a\0b", 22),
                                " spiffe://acme/coordinator",
                                "spiffe://acme/coordinator\n"}) {
    CAPTURE(bad);
    CHECK(CodeOf(SpiffeId::Parse(bad)) == absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("SPIFFE: builders refuse what would not parse") {
  const auto invalid = absl::StatusCode::kInvalidArgument;
  CHECK(CodeOf(SpiffeId::Worker("acme", "s/g", "lion", "sg-1")) == invalid);
  CHECK(CodeOf(SpiffeId::Worker("acme", "sg", "", "sg-1")) == invalid);
  CHECK(CodeOf(SpiffeId::Worker("acme", "sg", "lion", "SG")) == invalid);
  CHECK(CodeOf(SpiffeId::User("acme", "user name")) == invalid);
  CHECK(CodeOf(SpiffeId::Coordinator("acme/x")) == invalid);
  CHECK(SpiffeId::Worker("acme", std::string(kSpiffeSegmentBytesMax, 'a'), "b", "c").ok());
}

}  // namespace
}  // namespace carnet::crypto
