#include "base/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/status.h"

namespace carnet {
namespace {

constexpr char kOther[] = "other";

const prometheus::Histogram::BucketBoundaries& SecondsBuckets() {
  static const auto* const buckets = new prometheus::Histogram::BucketBoundaries{
      0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 60};
  return *buckets;
}

}  // namespace

class Metrics::Registry {
 public:
  prometheus::Counter& CounterOf(const MetricSpec& spec, LabelValues labels) {
    CARNET_CHECK(spec.kind == MetricKind::kCounter);
    const MutexLock lock(mutex_);
    return Find(counters_, prometheus::BuildCounter(), spec).Add(Bounded(spec, labels));
  }

  prometheus::Gauge& GaugeOf(const MetricSpec& spec, LabelValues labels) {
    CARNET_CHECK(spec.kind == MetricKind::kGauge);
    const MutexLock lock(mutex_);
    return Find(gauges_, prometheus::BuildGauge(), spec).Add(Bounded(spec, labels));
  }

  prometheus::Histogram& HistogramOf(const MetricSpec& spec, LabelValues labels) {
    CARNET_CHECK(spec.kind == MetricKind::kHistogram);
    const MutexLock lock(mutex_);
    return Find(histograms_, prometheus::BuildHistogram(), spec)
        .Add(Bounded(spec, labels), SecondsBuckets());
  }

  std::string ExpositionText() const {
    return prometheus::TextSerializer().Serialize(registry_.Collect());
  }

 private:
  template <typename T>
  using Families = std::map<std::string, prometheus::Family<T>*>;

  template <typename T, typename Builder>
  prometheus::Family<T>& Find(Families<T>& families, Builder builder, const MetricSpec& spec)
      CARNET_REQUIRES(mutex_) {
    prometheus::Family<T>*& family = families[spec.name];
    if (family == nullptr) {
      family = &builder.Name(spec.name).Help(spec.help).Register(registry_);
    }
    return *family;
  }

  // The labels to count under: the ones given, or "other" once the metric has enough series.
  std::map<std::string, std::string> Bounded(const MetricSpec& spec, LabelValues values)
      CARNET_REQUIRES(mutex_) {
    std::vector<std::string> names;
    for (const char* name : spec.labels) {
      if (name != nullptr) {
        names.emplace_back(name);
      }
    }
    CARNET_CHECK(names.size() == values.size());
    std::vector<std::string> key;
    for (const absl::string_view value : values) {
      key.emplace_back(value.size() <= kMetricLabelBytesMax ? value : absl::string_view(kOther));
    }
    std::set<std::vector<std::string>>& known = series_[spec.name];
    if (known.size() < kMetricSeriesMax) {
      known.insert(key);
    } else if (known.count(key) == 0) {
      key.assign(names.size(), kOther);
    }
    std::map<std::string, std::string> labels;
    for (std::size_t i = 0; i < names.size(); ++i) {
      labels[names[i]] = key[i];
    }
    return labels;
  }

  mutable Mutex mutex_;
  prometheus::Registry registry_;
  Families<prometheus::Counter> counters_ CARNET_GUARDED_BY(mutex_);
  Families<prometheus::Gauge> gauges_ CARNET_GUARDED_BY(mutex_);
  Families<prometheus::Histogram> histograms_ CARNET_GUARDED_BY(mutex_);
  std::map<std::string, std::set<std::vector<std::string>>> series_ CARNET_GUARDED_BY(mutex_);
};

Metrics::Metrics() : registry_(std::make_unique<Registry>()) {}
Metrics::~Metrics() = default;

void Metrics::Add(const MetricSpec& counter, LabelValues labels, double amount) {
  registry_->CounterOf(counter, labels).Increment(amount);
}

void Metrics::Set(const MetricSpec& gauge, LabelValues labels, double value) {
  registry_->GaugeOf(gauge, labels).Set(value);
}

void Metrics::Observe(const MetricSpec& histogram, LabelValues labels, double seconds) {
  registry_->HistogramOf(histogram, labels).Observe(seconds);
}

std::string Metrics::ExpositionText() const {
  return registry_->ExpositionText();
}

}  // namespace carnet
