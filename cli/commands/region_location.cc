// `carnet region contradict|clear`: what speaks against the place of a region.
#include "cli/commands/region_location.h"

#include <cstdint>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/status.h"
#include "cli/client.h"
#include "cli/output.h"
#include "cli/registry.h"
#include "cli/registry_view.h"
#include "cli/signing.h"
#include "coordinator/core/location.h"
#include "exchange/data_digest.h"

namespace carnet::cli {
namespace {

struct LocationOptions {
  std::string state;
  std::string region;
  std::string worker;
  std::string observed;
  std::string seen_in;
  std::uint64_t round_trip_micros = 0;
  std::string reason;
  std::string document;
};

// Only the digest leaves this machine; empty: no document.
absl::StatusOr<std::string> DocumentDigest(const LocationOptions& options) {
  if (options.document.empty()) {
    return std::string();
  }
  CARNET_ASSIGN_OR_RETURN(const Digest document, exchange::FileDigest(options.document));
  return ToString(document);
}

void Print(const LocationOptions& options, const char* what, const char* follows,
           std::uint64_t index, CommandContext& context) {
  if (context.json) {
    *context.out
        << nlohmann::json{{"region", options.region}, {"state", what}, {"index", index}}.dump()
        << '\n';
  } else {
    *context.out << what << ' ' << options.region << " (record " << index << "): " << follows
                 << '\n';
  }
}

absl::StatusOr<int> Contradict(const LocationOptions& options, CommandContext& context) {
  v1::ContradictLocationRequest request;
  request.set_region(options.region);
  request.set_worker(options.worker);
  request.set_observed(options.observed);
  request.set_seen_in(options.seen_in);
  request.set_round_trip_micros(options.round_trip_micros);
  CARNET_ASSIGN_OR_RETURN(*request.mutable_document_sha256(), DocumentDigest(options));
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  request.set_request_id(client->NewRequestId());
  CARNET_ASSIGN_OR_RETURN(
      const v1::RegisterResponse response,
      client->Call(client->admin(), &v1::Admin::Stub::ContradictLocation, request));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t index, client->CheckReceipt(response.receipt()));
  Print(options, "contradicted",
        "its location grade is unknown until somebody clears it (carnet region clear)", index,
        context);
  return kGood;
}

absl::StatusOr<int> Clear(const LocationOptions& options, CommandContext& context) {
  v1::ClearLocationRequest request;
  request.set_region(options.region);
  request.set_reason(options.reason);
  CARNET_ASSIGN_OR_RETURN(*request.mutable_document_sha256(), DocumentDigest(options));
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  request.set_request_id(client->NewRequestId());
  v1::LocationCleared record;
  record.set_region(request.region());
  record.set_reason(request.reason());
  record.set_document_sha256(request.document_sha256());
  record.set_cleared_by(client->identity().facts.user_id());
  CARNET_ASSIGN_OR_RETURN(const v1::ListRegistryResponse registry, FetchRegistry(*client));
  for (const v1::RegionEntry& entry : registry.regions()) {
    if (entry.region() == options.region) {
      *context.err << ContradictionsText(entry);
      for (const v1::OpenContradiction& open : entry.contradictions()) {
        record.add_contradictions(open.index());
      }
    }
  }
  CARNET_RETURN_IF_ERROR(
      SignStatement(*client, {coordinator::kLocationClearer}, &record, record.mutable_stated()));
  *request.mutable_stated() = record.stated();
  CARNET_ASSIGN_OR_RETURN(const v1::RegisterResponse response,
                          client->Call(client->admin(), &v1::Admin::Stub::ClearLocation, request));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t index, client->CheckReceipt(response.receipt()));
  Print(options, "cleared", "its location grade is the registered one again", index, context);
  return kGood;
}

void AddCommon(CLI::App* command, LocationOptions& options) {
  command->add_option("region", options.region, "Name of the region")->required();
  command->add_option("--document", options.document,
                      "What shows it; only its SHA-256 leaves this machine");
  AddStateOption(command, &options.state);
}

}  // namespace

void AddRegionLocation(CLI::App& noun, CommandContext& context) {
  const auto options = std::make_shared<LocationOptions>();
  CLI::App* contradict =
      AddCommand(noun, context, "contradict",
                 "Say that something speaks against the place of a region: its grade is unknown",
                 [options, &context] { return Contradict(*options, context); });
  AddCommon(contradict, *options);
  contradict
      ->add_option("--observed", options->observed,
                   "What was observed: address, round-trip-time or officer")
      ->required();
  contradict->add_option("--seen-in", options->seen_in,
                         "The place that it speaks for, e.g. MY; default: only not the one on "
                         "record");
  contradict->add_option("--worker", options->worker,
                         "Slot or id of the worker observed; default: no single one");
  contradict->add_option("--round-trip-micros", options->round_trip_micros,
                         "The measured round trip, in microseconds; of round-trip-time");
  CLI::App* clear = AddCommand(noun, context, "clear",
                               "Clear everything that speaks against the place of a region",
                               [options, &context] { return Clear(*options, context); });
  AddCommon(clear, *options);
  clear
      ->add_option("--reason", options->reason,
                   "Why it speaks against it no more: mistaken, explained, corrected or "
                   "machines-gone")
      ->required();
}

}  // namespace carnet::cli
