#include "cli/lineage_view.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/bytes.h"
#include "cli/manifest_view.h"

namespace carnet::cli {
namespace {

using ledger::query::ModelAnswer;
using ledger::query::Released;

nlohmann::json ReleasesJson(const ModelAnswer& answer) {
  nlohmann::json list = nlohmann::json::array();
  for (const Released& released : answer.releases) {
    nlohmann::json entry = ReleaseJson(released);
    if (released.cut.has_value()) {
      entry["cut"] = *released.cut;
    }
    list.push_back(std::move(entry));
  }
  return list;
}

}  // namespace

nlohmann::json LineageJson(const ModelAnswer& answer) {
  nlohmann::json json = {{"job_id", answer.job_id},
                         {"job", answer.job_name},
                         {"round", answer.round},
                         {"model_sha256", HexEncode(answer.model_sha256)},
                         {"completed", nullptr},
                         {"contributions", answer.contributions},
                         {"inherited_from", answer.inherited_from},
                         {"withdrawn", answer.withdrawn},
                         {"releases", ReleasesJson(answer)},
                         {"evidence", answer.evidence}};
  if (answer.completed.has_value()) {
    json["completed"] = *answer.completed;
  }
  return json;
}

std::string LineageText(const ModelAnswer& answer) {
  std::string text = absl::StrCat("model   ", HexEncode(answer.model_sha256), "\n        of job ",
                                  answer.job_id, " (", answer.job_name, ")");
  if (answer.completed.has_value()) {
    absl::StrAppend(&text, ", completed by record ", *answer.completed);
  } else {
    absl::StrAppend(&text, ", after round ", answer.round);
  }
  absl::StrAppend(&text, "\n        contains ", answer.contributions.size(),
                  answer.contributions.size() == 1 ? " contribution" : " contributions",
                  ", records ", answer.contributions.front(), " to ", answer.contributions.back());
  if (!answer.inherited_from.empty()) {
    absl::StrAppend(&text, "; by its base model also of ",
                    absl::StrJoin(answer.inherited_from, ","));
  }
  for (const auto& [shard, index] : answer.withdrawn) {
    absl::StrAppend(&text, "\n        of ", shard, ", which was withdrawn at record ", index);
  }
  for (const Released& released : answer.releases) {
    absl::StrAppend(&text, "\n        released ", ReleaseText(released));
    if (released.cut.has_value()) {
      absl::StrAppend(&text, "; on its way it was cut, record ", *released.cut);
    }
  }
  if (answer.releases.empty()) {
    absl::StrAppend(&text, "\n        released to nobody");
  }
  absl::StrAppend(&text, "\n        shown by records ", absl::StrJoin(answer.evidence, ","), "\n");
  return text;
}

}  // namespace carnet::cli
