// What a site knows of its own shards: `labels` of worker.yaml.
#ifndef CARNET_WORKER_SITE_LABELS_H_
#define CARNET_WORKER_SITE_LABELS_H_

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "worker/core/site_facts.h"

namespace carnet::worker {

// By dataset/shard, at most 4096. No path: none. Errors: INVALID_ARGUMENT, naming the shard: no
// categories, `none` beside others, people of no place, a place or category that policies do not
// know. Those of base/config_loader.h.
absl::StatusOr<std::map<std::string, SiteLabels>> LoadSiteLabels(
    const std::optional<std::filesystem::path>& config_path);

}  // namespace carnet::worker

#endif  // CARNET_WORKER_SITE_LABELS_H_
