// What officers record and read about what crossed: `carnet policy counters | counter open | duties
// | duty met`.
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "cli/client.h"
#include "cli/commands.h"
#include "cli/signing.h"
#include "coordinator/core/statements.h"
#include "exchange/data_digest.h"
#include "policies/counters.h"
#include "policies/dates.h"

namespace carnet::cli {
namespace {

struct RecordOptions {
  std::string state;
  std::string counter;
  std::uint64_t people = 0;
  std::string as_of;
  std::string duty;
  std::string document;
};

std::string DayOf(const google::protobuf::Timestamp& time) {
  return policies::FormatInstant(ToTime(time)).substr(0, 10);
}

absl::StatusOr<int> OpenCounter(const RecordOptions& options, CommandContext& context) {
  const absl::StatusOr<policies::Counter> counter = policies::ParseCounter(options.counter);
  if (!counter.ok() || counter->Name() != options.counter) {
    return absl::InvalidArgumentError(
        "counter: expected people.<country>.<category> without a window, e.g. people.US.health");
  }
  const absl::StatusOr<absl::CivilDay> day = policies::ParseDate(options.as_of);
  if (!day.ok()) {
    return absl::InvalidArgumentError("counter: --as-of: a day, e.g. 2026-11-21");
  }
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  v1::OpenCounterRequest request;
  request.set_request_id(client->NewRequestId());
  request.set_counter(options.counter);
  request.set_people(options.people);
  *request.mutable_as_of() = ToTimestamp(absl::FromCivil(*day, absl::UTCTimeZone()));
  v1::CounterOpened record;
  record.set_counter(request.counter());
  record.set_people(request.people());
  *record.mutable_as_of() = request.as_of();
  record.set_recorded_by(client->identity().facts.user_id());
  CARNET_RETURN_IF_ERROR(
      SignStatement(*client, coordinator::StewardRoles(), &record, record.mutable_stated()));
  *request.mutable_stated() = record.stated();
  CARNET_ASSIGN_OR_RETURN(const v1::OpenCounterResponse response,
                          client->Call(client->admin(), &v1::Admin::Stub::OpenCounter, request));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t index, client->CheckReceipt(response.receipt()));
  if (context.json) {
    *context.out << nlohmann::json{{"counter", options.counter},
                                   {"people", options.people},
                                   {"index", index}}
                        .dump()
                 << '\n';
  } else {
    *context.out << "opened " << options.counter << " with " << options.people << " people as of "
                 << options.as_of << " (record " << index << ")\n";
  }
  return kGood;
}

absl::StatusOr<int> Counters(const RecordOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(
      const v1::ListCountersResponse response,
      client->Call(client->admin(), &v1::Admin::Stub::ListCounters, v1::ListCountersRequest()));
  nlohmann::json all = nlohmann::json::array();
  for (const v1::CounterStatus& counter : response.counters()) {
    if (context.json) {
      nlohmann::json item = {{"counter", counter.counter()}, {"in_bundle", counter.in_bundle()}};
      item["people"] =
          counter.known() ? nlohmann::json(counter.people()) : nlohmann::json("unknown");
      item["as_of"] =
          counter.has_as_of() ? nlohmann::json(DayOf(counter.as_of())) : nlohmann::json();
      all.push_back(std::move(item));
      continue;
    }
    *context.out << counter.counter() << "  "
                 << (counter.known() ? absl::StrCat(counter.people(), " people") : "unknown");
    if (counter.has_as_of()) {
      *context.out << ", opened with " << counter.opened_with() << " as of "
                   << DayOf(counter.as_of());
    } else {
      *context.out << ": nobody recorded an opening balance";
    }
    *context.out << (counter.in_bundle() ? "\n" : " (no rule in force reads it)\n");
  }
  if (context.json) {
    *context.out << nlohmann::json{{"counters", std::move(all)}}.dump() << '\n';
  } else if (response.counters().empty()) {
    *context.out << "no rule in force counts people\n";
  }
  return kGood;
}

const char* PhaseOf(const v1::DutyStatus& duty) {
  return duty.met() ? (duty.late() ? "met, late" : "met") : duty.late() ? "late" : "open";
}

absl::StatusOr<int> Duties(const RecordOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  CARNET_ASSIGN_OR_RETURN(
      const v1::ListDutiesResponse response,
      client->Call(client->admin(), &v1::Admin::Stub::ListDuties, v1::ListDutiesRequest()));
  nlohmann::json all = nlohmann::json::array();
  for (const v1::DutyStatus& duty : response.duties()) {
    const v1::ObligationDue& due = duty.due();
    const std::string until = policies::FormatInstant(ToTime(due.due()));
    if (context.json) {
      all.push_back({{"duty", due.obligation_id()},
                     {"state", PhaseOf(duty)},
                     {"rule", due.rule()},
                     {"text", due.duty()},
                     {"of", due.of()},
                     {"due", until},
                     {"job", due.job_id()},
                     {"to", due.to()},
                     {"recipient", due.recipient()},
                     {"decision", due.decision_id()},
                     {"index", duty.index()}});
      continue;
    }
    *context.out << due.obligation_id() << "  " << PhaseOf(duty) << ", until " << until << ", "
                 << due.of() << ": " << due.duty() << "\n    " << due.rule() << ", "
                 << due.recipient() << " in " << due.to()
                 << (due.job_id().empty() ? "" : absl::StrCat(", job ", due.job_id())) << "\n";
  }
  if (context.json) {
    *context.out << nlohmann::json{{"duties", std::move(all)}}.dump() << '\n';
  } else if (response.duties().empty()) {
    *context.out << "no duties\n";
  }
  return kGood;
}

absl::StatusOr<int> MeetDuty(const RecordOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const Digest document, exchange::FileDigest(options.document));
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<Client> client, Client::Open(options.state));
  v1::MeetDutyRequest request;
  request.set_request_id(client->NewRequestId());
  request.set_duty_id(options.duty);
  request.set_document_sha256(ToString(document));
  CARNET_ASSIGN_OR_RETURN(const v1::MeetDutyResponse response,
                          client->Call(client->admin(), &v1::Admin::Stub::MeetDuty, request));
  CARNET_ASSIGN_OR_RETURN(const std::uint64_t index, client->CheckReceipt(response.receipt()));
  if (context.json) {
    *context.out << nlohmann::json{{"duty", options.duty}, {"index", index}}.dump() << '\n';
  } else {
    *context.out << "met " << options.duty << " (record " << index << ")\n";
  }
  return kGood;
}

}  // namespace

void RegisterPolicyRecordCommands(CLI::App& app, CommandContext& context) {
  const auto options = std::make_shared<RecordOptions>();
  CLI::App* policy = AddNoun(app, "policy", "What may cross a border");
  CLI::App* counters =
      AddCommand(*policy, context, "counters", "How many people rules have counted",
                 [options, &context] { return Counters(*options, context); });
  CLI::App* counter = AddNoun(*policy, "counter", "One counter of people");
  CLI::App* open =
      AddCommand(*counter, context, "open",
                 "Record how many people had been concerned before: from then it counts",
                 [options, &context] { return OpenCounter(*options, context); });
  open->add_option("counter", options->counter, "people.<country>.<category>")->required();
  open->add_option("--people", options->people, "The opening balance")->required();
  open->add_option("--as-of", options->as_of, "Its day (UTC)")->required();
  CLI::App* duties = AddCommand(*policy, context, "duties", "What is to be done after what crossed",
                                [options, &context] { return Duties(*options, context); });
  CLI::App* duty = AddNoun(*policy, "duty", "One duty");
  CLI::App* met = AddCommand(*duty, context, "met", "Record that a duty was met",
                             [options, &context] { return MeetDuty(*options, context); });
  met->add_option("duty", options->duty, "Duty id (o-…)")->required();
  met->add_option("--document", options->document,
                  "What proves it; only its SHA-256 leaves this machine")
      ->required();
  for (CLI::App* command : {counters, open, duties, met}) {
    command->add_option("--state", options->state,
                        "The coordinator's state folder; default: the context in CARNET_CONTEXT");
  }
}

}  // namespace carnet::cli
