#include "coordinator/core/state.h"

#include <algorithm>
#include <tuple>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "crypto/spiffe.h"

namespace carnet::coordinator {

std::string LabelClass::Name() const {
  if (!known) {
    return "unknown";
  }
  return absl::StrCat(absl::StrJoin(subjects_in, ","), "|", absl::StrJoin(categories, ","));
}

bool LabelClass::operator<(const LabelClass& other) const {
  return std::tie(known, subjects_in, categories) <
         std::tie(other.known, other.subjects_in, other.categories);
}

const Worker* State::FindWorker(const std::string& id) const {
  const auto it = workers.find(id);
  return it == workers.end() ? nullptr : &it->second;
}

const Job* State::FindJob(const std::string& id) const {
  const auto it = jobs.find(id);
  return it == jobs.end() ? nullptr : &it->second;
}

const Rotation* State::FindRotation(const std::string& kind) const {
  const auto it = std::find_if(rotations.rbegin(), rotations.rend(), [&](const Rotation& rotation) {
    return rotation.terms.kind() == kind;
  });
  return it == rotations.rend() ? nullptr : &*it;
}

std::string State::KeyIdOf(const std::string& kind) const {
  const Rotation* rotation = FindRotation(kind);
  return rotation == nullptr ? kind : rotation->terms.key_id();
}

const std::string& State::StatementKey() const {
  const Rotation* rotation = FindRotation("statement");
  return rotation == nullptr ? genesis.statement_public_key() : rotation->terms.new_public_key();
}

std::string State::OperatorOf(const std::string& region) const {
  const auto it = regions.find(region);
  if (it == regions.end() || it->second.supplier.empty()) {
    return genesis.organisation();
  }
  return it->second.supplier;
}

std::string ShardKey(const std::string& dataset, const std::string& shard) {
  return absl::StrCat(dataset, "/", shard);
}

LabelClass ClassOf(const Shard& shard, const std::string& worker_id) {
  LabelClass labels;
  const auto copy = shard.holders.find(worker_id);
  const bool same =
      copy != shard.holders.end() && !shard.sha256.empty() && copy->second == shard.sha256;
  const v1::ShardLabels& stated = shard.terms.labels();
  if (!same || shard.stated == nullptr || stated.categories().empty()) {
    return labels;
  }
  labels.known = true;
  labels.subjects_in.insert(stated.subjects_in().begin(), stated.subjects_in().end());
  labels.categories.insert(stated.categories().begin(), stated.categories().end());
  return labels;
}

}  // namespace carnet::coordinator
