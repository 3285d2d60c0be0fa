// What the disk matrix (disk_matrix.py) runs under faults, and what judges afterwards.
//
//   ledger_driver make DIR RECORDS EXTRA  a log of RECORDS records in DIR/state, published in
//                                         DIR/site; EXTRA more records in DIR/records; trust.policy
//   ledger_driver append DIR              appends those, in three batches, publishing after each
//   ledger_driver judge DIR               opens the log as every start does, checks the store and
//                                         the site with the verifier, appends once more and checks
//                                         again
//
// Says on standard output, one line each: `acknowledged SIZE ROOT`, `published SIZE ROOT`; of
// judge: `root SIZE ROOT` for each SIZE of the command line, `good SIZE`. Exit code 1: an error, on
// standard error.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/files.h"
#include "base/status.h"
#include "ledger/export.h"
#include "ledger/readers/directory_source.h"
#include "ledger/readers/state_source.h"
#include "ledger/verifier/whole_log.h"
#include "small_federation.h"

namespace carnet {
namespace {

namespace fs = std::filesystem;
using testing_ledger::SmallFederation;

constexpr std::size_t kFileBytesMax = std::size_t{16} << 20;
constexpr std::size_t kBatches = 3;

// Written at once and by the call that disk_faults.cc sees.
void Say(const std::string& line) {
  const std::string text = line + "\n";
  if (write(STDOUT_FILENO, text.data(), text.size()) < 0) {
    std::abort();
  }
}

std::string Text(const ledger::Head& head) {
  return absl::StrCat(head.size, " ", HexEncode(head.root));
}

absl::StatusOr<std::unique_ptr<ledger::Log>> OpenLog(const fs::path& dir) {
  return ledger::Log::Open(
      {.state_dir = dir / "state", .head_file = {}, .origin = testing_ledger::kOrigin},
      testing_ledger::KeyOfSeed(1));
}

absl::Status Publish(const ledger::Log& log, const fs::path& dir) {
  CARNET_RETURN_IF_ERROR(ledger::ExportTiles(log, dir / "site"));
  Say("published " + Text(log.Head().head));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::SignedRecord>> ReadRecords(const fs::path& dir) {
  CARNET_ASSIGN_OR_RETURN(const Bytes text, ReadFile(dir / "records", kFileBytesMax));
  std::vector<v1::SignedRecord> records;
  for (std::size_t at = 0; at + 4 <= text.size();) {
    std::size_t size = 0;
    for (std::size_t i = 0; i < 4; ++i) {
      size = size << 8 | text[at + i];
    }
    at += 4;
    if (!records.emplace_back().ParseFromArray(text.data() + at, static_cast<int>(size))) {
      return absl::DataLossError("records: damaged");
    }
    at += size;
  }
  return records;
}

absl::Status Make(const fs::path& dir, std::uint64_t count, std::uint64_t extra) {
  CARNET_RETURN_IF_ERROR(MakeDirs(dir / "state"));
  SmallFederation federation(dir / "state");
  federation.Found();
  std::vector<v1::SignedRecord> batch;
  while (federation.size() + batch.size() < count) {
    batch.push_back(federation.Filler());
  }
  if (!batch.empty()) {
    CARNET_RETURN_IF_ERROR(federation.log().Append(batch));
  }
  CARNET_RETURN_IF_ERROR(Publish(federation.log(), dir));
  Bytes text;
  for (std::uint64_t i = 0; i < extra; ++i) {
    const std::string record = federation.Filler().SerializeAsString();
    for (int shift = 24; shift >= 0; shift -= 8) {
      text.push_back(static_cast<std::uint8_t>(record.size() >> shift));
    }
    text.insert(text.end(), record.begin(), record.end());
  }
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(dir / "records", text));
  return WriteFileAtomic(dir / "trust.policy", AsBytes(federation.PolicyText()));
}

absl::Status Append(const fs::path& dir) {
  CARNET_ASSIGN_OR_RETURN(const auto records, ReadRecords(dir));
  CARNET_ASSIGN_OR_RETURN(const auto log, OpenLog(dir));
  for (std::size_t batch = 0; batch < kBatches; ++batch) {
    const auto from =
        records.begin() + static_cast<std::ptrdiff_t>(records.size() * batch / kBatches);
    const auto to =
        records.begin() + static_cast<std::ptrdiff_t>(records.size() * (batch + 1) / kBatches);
    CARNET_ASSIGN_OR_RETURN(const ledger::AppendResult result, log->Append({from, to}));
    Say("acknowledged " + Text(result.head.head));
    CARNET_RETURN_IF_ERROR(Publish(*log, dir));
  }
  return absl::OkStatus();
}

absl::Status Verify(const fs::path& dir) {
  CARNET_ASSIGN_OR_RETURN(const Bytes text, ReadFile(dir / "trust.policy", kFileBytesMax));
  CARNET_ASSIGN_OR_RETURN(const auto policy, ledger::verifier::ParseTrustPolicy(AsText(text)));
  CARNET_ASSIGN_OR_RETURN(const auto state, ledger::StateSource::Open(dir / "state"));
  ledger::DirectorySource site(dir / "site");
  for (ledger::verifier::LogSource* source :
       {static_cast<ledger::verifier::LogSource*>(state.get()),
        static_cast<ledger::verifier::LogSource*>(&site)}) {
    const auto verdict = ledger::verifier::VerifyWholeLog(*source, policy, {});
    if (verdict.failure.has_value()) {
      return verdict.failure->status;
    }
  }
  return absl::OkStatus();
}

absl::Status Judge(const fs::path& dir, const std::vector<std::uint64_t>& sizes) {
  CARNET_ASSIGN_OR_RETURN(const auto records, ReadRecords(dir));
  // The site as the crash left it: nobody may have met a head there that does not verify.
  CARNET_ASSIGN_OR_RETURN(const auto log, OpenLog(dir));
  CARNET_RETURN_IF_ERROR(Verify(dir));
  for (const std::uint64_t size : sizes) {
    CARNET_ASSIGN_OR_RETURN(const Digest root, log->Root(size));
    Say(absl::StrCat("root ", size, " ", HexEncode(root)));
  }
  CARNET_RETURN_IF_ERROR(log->Append({records.back()}));
  CARNET_RETURN_IF_ERROR(Publish(*log, dir));
  CARNET_RETURN_IF_ERROR(Verify(dir));
  Say(absl::StrCat("good ", log->Size()));
  return absl::OkStatus();
}

absl::Status Run(const std::vector<std::string>& arguments) {
  std::vector<std::uint64_t> numbers;
  for (std::size_t i = 3; i < arguments.size(); ++i) {
    if (!absl::SimpleAtoi(arguments[i], &numbers.emplace_back())) {
      return absl::InvalidArgumentError("a number");
    }
  }
  const std::string verb = arguments.size() > 2 ? arguments[1] : "";
  if (verb == "make" && numbers.size() == 2) {
    return Make(arguments[2], numbers[0], numbers[1]);
  }
  if (verb == "append" && numbers.empty()) {
    return Append(arguments[2]);
  }
  if (verb == "judge") {
    return Judge(arguments[2], numbers);
  }
  return absl::InvalidArgumentError("ledger_driver make|append|judge DIR ...");
}

}  // namespace
}  // namespace carnet

int main(int argc, char** argv) {
  const absl::Status status = carnet::Run(std::vector<std::string>(argv, argv + argc));
  if (!status.ok()) {
    std::fprintf(stderr, "%s\n", carnet::DescribeForOperator(status).c_str());
  }
  return status.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
}
