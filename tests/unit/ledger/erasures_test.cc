#include "ledger/verifier/erasures.h"

#include <catch2/catch.hpp>
#include <string>

#include "ledger/export.h"
#include "ledger/manifest.h"
#include "ledger/readers/directory_source.h"
#include "ledger/verifier/manifest.h"
#include "ledger/verifier/whole_log.h"
#include "small_federation.h"
#include "temp_dir.h"

namespace carnet::ledger {
namespace {

using testing_ledger::DigestOf;
using testing_ledger::SmallFederation;
using testing_ledger::TempDir;
using Signer = SmallFederation::Signer;

std::uint64_t Order(SmallFederation& federation, std::uint64_t index) {
  v1::Erasure order;
  order.set_index(index);
  order.set_field("name");
  order.set_vault_id("u-eeeeeeeeeeeeeeee");
  order.set_reason(v1::ERASURE_REASON_SUBJECT_REQUEST);
  return federation.Append(order, Signer::kCoordinator,
                           {{.name = "leaf", .sha256 = DigestOf("leaf")}});
}

std::uint64_t End(SmallFederation& federation, std::uint64_t order, const std::string& id) {
  v1::ErasureDone done;
  done.set_erasure_index(order);
  done.set_vault_id(id);
  return federation.Append(done, Signer::kCoordinator);
}

verifier::LogVerdict VerifyExported(SmallFederation& federation) {
  const TempDir out;
  REQUIRE(ExportTiles(federation.log(), out.path(), {.statements = true}).ok());
  DirectorySource source(out.path());
  return verifier::VerifyWholeLog(source, federation.Policy(), {});
}

TEST_CASE("Erasures: a log and a manifest with an erased field are good, and say so") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  federation.Round();
  const std::uint64_t order = Order(federation, 1);
  const std::uint64_t done = End(federation, order, "u-eeeeeeeeeeeeeeee");
  const verifier::LogVerdict verdict = VerifyExported(federation);
  INFO((verdict.failure ? verdict.failure->status.ToString() : "good"));
  REQUIRE_FALSE(verdict.failure);
  REQUIRE(verdict.report.erased.size() == 1);
  CHECK(verdict.report.erased[0].index == 1);
  CHECK(verdict.report.erased[0].field == "name");
  CHECK(verdict.report.erased[0].ordered == order);
  CHECK(verdict.report.erased[0].done == done);
  const verifier::ManifestReport report = verifier::VerifyManifest(
      federation.model(), *MakeManifest(federation.log(), federation.Order()), federation.Policy());
  CHECK(report.verdict == verifier::Verdict::kGood);
  CHECK(report.erased.size() == 1);
}

TEST_CASE("Erasures: an order alone is shown as not done") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  Order(federation, 1);
  const verifier::LogVerdict verdict = VerifyExported(federation);
  REQUIRE_FALSE(verdict.failure);
  REQUIRE(verdict.report.erased.size() == 1);
  CHECK_FALSE(verdict.report.erased[0].done.has_value());
}

TEST_CASE("Erasures: an end without its order, or an order for a later record, is bad evidence") {
  const TempDir dir;
  SmallFederation federation(dir.path());
  federation.Found();
  SECTION("an order for what comes later") {
    const std::uint64_t order = Order(federation, 1000);
    CHECK(VerifyExported(federation).failure->index == order);
  }
  SECTION("an end of nothing") {
    const std::uint64_t done = End(federation, 1, "u-eeeeeeeeeeeeeeee");
    CHECK(VerifyExported(federation).failure->index == done);
  }
  SECTION("an end of another value") {
    const std::uint64_t order = Order(federation, 1);
    const std::uint64_t done = End(federation, order, "u-ffffffffffffffff");
    CHECK(VerifyExported(federation).failure->index == done);
  }
  SECTION("a second end") {
    const std::uint64_t order = Order(federation, 1);
    End(federation, order, "u-eeeeeeeeeeeeeeee");
    const std::uint64_t again = End(federation, order, "u-eeeeeeeeeeeeeeee");
    CHECK(VerifyExported(federation).failure->index == again);
  }
}

}  // namespace
}  // namespace carnet::ledger
