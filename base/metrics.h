// Every metric of Carnet and the registry that holds their values. Names carry base units
// (_seconds, _bytes, _total); labels are bounded words (method, code, region, reason), never a
// worker, job or person.
#ifndef CARNET_BASE_METRICS_H_
#define CARNET_BASE_METRICS_H_

#include <array>
#include <cstddef>
#include <initializer_list>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"

namespace carnet {

// Label values beyond this many distinct combinations of one metric are counted as "other".
inline constexpr std::size_t kMetricSeriesMax = 256;
inline constexpr std::size_t kMetricLabelsMax = 3;
// Longer label values are counted as "other".
inline constexpr std::size_t kMetricLabelBytesMax = 64;

enum class MetricKind { kCounter, kGauge, kHistogram };

struct MetricSpec {
  MetricKind kind;
  const char* name;
  const char* help;
  // Unused places are null.
  std::array<const char*, kMetricLabelsMax> labels;
};

namespace metric {

inline constexpr MetricSpec kRpcRequests{MetricKind::kCounter,
                                         "carnet_rpc_requests_total",
                                         "Calls served, by method and status code.",
                                         {"method", "code"}};
inline constexpr MetricSpec kRpcSeconds{
    MetricKind::kHistogram, "carnet_rpc_duration_seconds", "How long calls took.", {"method"}};
inline constexpr MetricSpec kErrors{MetricKind::kCounter,
                                    "carnet_errors_total",
                                    "Errors by room and status code.",
                                    {"room", "code"}};
inline constexpr MetricSpec kQueueTasks{
    MetricKind::kGauge, "carnet_queue_tasks", "Tasks waiting in a bounded queue.", {"queue"}};
inline constexpr MetricSpec kQueueTasksMax{
    MetricKind::kGauge, "carnet_queue_tasks_max", "The limit of a bounded queue.", {"queue"}};
inline constexpr MetricSpec kQueueRefused{MetricKind::kCounter,
                                          "carnet_queue_refused_total",
                                          "Tasks refused because a queue was full.",
                                          {"queue"}};
inline constexpr MetricSpec kMemoryReserved{
    MetricKind::kGauge, "carnet_memory_reserved_bytes", "Bulk memory reserved now.", {}};
inline constexpr MetricSpec kMemoryBudget{
    MetricKind::kGauge, "carnet_memory_budget_bytes", "The limit on bulk memory.", {}};
inline constexpr MetricSpec kLedgerRecords{
    MetricKind::kCounter, "carnet_ledger_records_total", "Records appended, by type.", {"type"}};
inline constexpr MetricSpec kLedgerSize{
    MetricKind::kGauge, "carnet_ledger_size_records", "Records in the ledger.", {}};
inline constexpr MetricSpec kLedgerCommitSeconds{MetricKind::kHistogram,
                                                 "carnet_ledger_commit_duration_seconds",
                                                 "How long group commits took.",
                                                 {}};
inline constexpr MetricSpec kLedgerPublishedSize{MetricKind::kGauge,
                                                 "carnet_ledger_published_size_records",
                                                 "Records that the newest published head covers.",
                                                 {}};
inline constexpr MetricSpec kLedgerPublishLag{
    MetricKind::kGauge,
    "carnet_ledger_publish_lag_seconds",
    "How long the oldest head that no published one covers has waited.",
    {}};
inline constexpr MetricSpec kBridgeQuestions{
    MetricKind::kCounter,
    "carnet_bridge_questions_total",
    "Questions to the organisation's own policy engine, by engine.",
    {"bridge"}};
inline constexpr MetricSpec kBridgeVerdicts{
    MetricKind::kCounter,
    "carnet_bridge_verdicts_total",
    "What the organisation's own policy engine said: allowed, denied, error.",
    {"bridge", "outcome"}};
inline constexpr MetricSpec kWitnessRequests{MetricKind::kCounter,
                                             "carnet_witness_requests_total",
                                             "Heads sent to witnesses, by outcome.",
                                             {"outcome"}};
inline constexpr MetricSpec kWitnessAnswers{MetricKind::kCounter,
                                            "carnet_witness_answers_total",
                                            "Requests answered as a witness, by status.",
                                            {"status"}};
inline constexpr MetricSpec kTransferBytes{MetricKind::kCounter,
                                           "carnet_transfer_bytes_total",
                                           "Bytes of sealed artifacts, by direction and region.",
                                           {"direction", "region"}};
inline constexpr MetricSpec kTransfersActive{MetricKind::kGauge,
                                             "carnet_transfers_active",
                                             "Transfers under way, by direction.",
                                             {"direction"}};
inline constexpr MetricSpec kContributions{
    MetricKind::kCounter, "carnet_contributions_total", "Contributions by outcome.", {"outcome"}};
inline constexpr MetricSpec kRounds{
    MetricKind::kCounter, "carnet_rounds_total", "Rounds by outcome.", {"outcome"}};
inline constexpr MetricSpec kAggregationSeconds{MetricKind::kHistogram,
                                                "carnet_aggregation_duration_seconds",
                                                "How long combining a round took.",
                                                {}};
inline constexpr MetricSpec kJobs{MetricKind::kGauge, "carnet_jobs", "Jobs by state.", {"state"}};
inline constexpr MetricSpec kWorkersLive{MetricKind::kGauge,
                                         "carnet_workers_live",
                                         "Workers heard within three heartbeats, by region.",
                                         {"region"}};
inline constexpr MetricSpec kHttpRequests{MetricKind::kCounter,
                                          "carnet_http_requests_total",
                                          "HTTP requests served, by route and status.",
                                          {"route", "status"}};
inline constexpr MetricSpec kHttpConnections{
    MetricKind::kGauge, "carnet_http_connections", "Open HTTP connections.", {}};
inline constexpr MetricSpec kBuildInfo{MetricKind::kGauge,
                                       "carnet_build_info",
                                       "Always 1; the labels say what runs.",
                                       {"version", "role"}};

}  // namespace metric

// The values. Thread-safe; one per process, passed by reference.
class Metrics {
 public:
  using LabelValues = std::initializer_list<absl::string_view>;

  Metrics();
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The spec's kind and its number of labels must fit the call (CARNET_CHECK). Label values are
  // given in the order of the spec.
  void Add(const MetricSpec& counter, LabelValues labels = {}, double amount = 1);
  void Set(const MetricSpec& gauge, LabelValues labels, double value);
  void Set(const MetricSpec& gauge, double value) { Set(gauge, {}, value); }
  // Buckets from 1 ms to 60 s.
  void Observe(const MetricSpec& histogram, LabelValues labels, double seconds);
  void Observe(const MetricSpec& histogram, double seconds) { Observe(histogram, {}, seconds); }

  // Prometheus text exposition format 0.0.4.
  std::string ExpositionText() const;

 private:
  class Registry;
  const std::unique_ptr<Registry> registry_;
};

inline constexpr char kExpositionContentType[] = "text/plain; version=0.0.4; charset=utf-8";

}  // namespace carnet

#endif  // CARNET_BASE_METRICS_H_
