#include "worker/site_labels.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/config_loader.h"
#include "base/status.h"
#include "carnet/v1/config.pb.h"
#include "worker/settings.h"

namespace carnet::worker {
namespace {

absl::Status Invalid(absl::string_view what, const std::string& shard) {
  return WithOperatorDetail(
      absl::InvalidArgumentError(absl::StrCat("worker configuration: ", what)),
      absl::StrCat("labels of ", shard));
}

std::vector<std::string> ToVector(const std::set<std::string>& items) {
  return {items.begin(), items.end()};
}

// As the facts of a flow will hold them.
absl::StatusOr<SiteLabels> Checked(const std::string& shard, const v1::SiteLabelsConfig& config) {
  CARNET_RETURN_IF_ERROR(ParseShardName(shard));
  SiteLabels labels;
  labels.subjects_in = {config.subjects_in().begin(), config.subjects_in().end()};
  labels.categories = {config.categories().begin(), config.categories().end()};
  const bool nobody = labels.categories == std::set<std::string>{"none"};
  if (labels.categories.empty() || (labels.categories.count("none") != 0 && !nobody) ||
      nobody != labels.subjects_in.empty()) {
    return Invalid("categories and subjects_in, or categories [none] alone for no personal data",
                   shard);
  }
  std::set<std::string> named = labels.categories;
  named.erase("none");
  named.erase("personal");
  policies::FactSet facts;
  absl::Status known =
      facts.Set(policies::kDataSubjectsIn, policies::Value::List(ToVector(labels.subjects_in)));
  known.Update(facts.Set(policies::kDataCategories, policies::Value::List(ToVector(named))));
  if (!known.ok()) {
    return Invalid(known.message(), shard);
  }
  return labels;
}

}  // namespace

absl::StatusOr<std::map<std::string, SiteLabels>> LoadSiteLabels(
    const std::optional<std::filesystem::path>& config_path) {
  std::map<std::string, SiteLabels> labels;
  if (!config_path.has_value()) {
    return labels;
  }
  CARNET_ASSIGN_OR_RETURN(const auto config, LoadYamlFile<v1::WorkerConfig>(*config_path));
  if (config.labels_size() > static_cast<int>(kClaimsMax)) {
    return absl::InvalidArgumentError("worker configuration: labels of more than 4096 shards");
  }
  for (const auto& entry : config.labels()) {
    CARNET_ASSIGN_OR_RETURN(labels[entry.first], Checked(entry.first, entry.second));
  }
  return labels;
}

}  // namespace carnet::worker
