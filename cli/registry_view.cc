#include "cli/registry_view.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/bytes.h"
#include "base/clock.h"
#include "base/timestamp.h"
#include "cli/json_views.h"
#include "cli/output.h"

namespace carnet::cli {
namespace {

using nlohmann::json;

template <typename Strings>
json Texts(const Strings& strings) {
  return std::vector<std::string>(strings.begin(), strings.end());
}

json PriceJson(const v1::PriceConfig& price) {
  json object = json::object();
  if (price.has_gpu_hour()) {
    object["gpu_hour"] = {{"micros", price.gpu_hour().micros()},
                          {"currency", price.gpu_hour().currency()}};
  }
  if (price.has_egress_gb()) {
    object["egress_gb"] = {{"micros", price.egress_gb().micros()},
                           {"currency", price.egress_gb().currency()}};
  }
  return object;
}

json ContradictionsJson(const v1::RegionEntry& region) {
  json items = json::array();
  for (const v1::OpenContradiction& open : region.contradictions()) {
    const v1::LocationContradicted& item = open.contradicted();
    items.push_back({{"index", open.index()},
                     {"observed", item.observed()},
                     {"seen_in", item.seen_in()},
                     {"worker_id", item.worker_id()},
                     {"round_trip_micros", item.round_trip_micros()},
                     {"document_sha256", HexEncode(AsBytes(item.document_sha256()))},
                     {"reported_by", item.reported_by()}});
  }
  return items;
}

// Null: nobody whose word counts.
json VoucherJson(const v1::Voucher& voucher) {
  return voucher.user_id().empty() ? json(nullptr)
                                   : json({{"user_id", voucher.user_id()},
                                           {"role", voucher.role()},
                                           {"index", voucher.index()}});
}

json ShardJson(const v1::ShardEntry& entry) {
  const v1::ShardRegistration& shard = entry.registered();
  json people = json::object();
  for (const auto& [counted, number] : shard.labels().people()) {
    people[counted] = number;
  }
  return {{"shard", shard.shard()},
          {"subjects_in", Texts(shard.labels().subjects_in())},
          {"categories", Texts(shard.labels().categories())},
          {"people", people},
          {"stored_in", shard.stored_in()},
          {"rows", shard.rows()},
          {"sha256", HexEncode(AsBytes(shard.sha256()))},
          {"held_by", Texts(entry.held_by())},
          {"withdrawn", entry.withdrawn()},
          {"stated_by", VoucherJson(entry.stated_by())}};
}

}  // namespace

json SupplierJson(const v1::SupplierEntry& supplier) {
  const v1::SupplierConfig& terms = supplier.terms();
  json owners = json::array();
  for (const v1::OwnerConfig& owner : terms.owners()) {
    owners.push_back({{"jurisdiction", owner.jurisdiction()}, {"percent", owner.percent()}});
  }
  return {
      {"supplier", supplier.supplier()},
      {"organised_in", terms.organised_in()},
      {"principal_place", terms.principal_place()},
      {"ultimate_parent", terms.ultimate_parent()},
      {"owners", owners},
      {"listed_owner_pct", terms.has_listed_owner_pct() ? json(terms.listed_owner_pct()) : json()},
      {"deal", terms.deal()},
      {"certifications", Texts(terms.certifications())},
      {"price", PriceJson(terms.price())},
      {"stated_by", VoucherJson(supplier.stated_by())},
      {"index", supplier.index()}};
}

json RegionJson(const v1::RegionEntry& region, std::size_t workers, std::size_t live) {
  return {{"region", region.region()},
          {"jurisdictions", Texts(region.terms().jurisdictions())},
          {"location", LocationWord(region.location())},
          {"location_registered", LocationWord(region.terms().location_evidence())},
          {"contradictions", ContradictionsJson(region)},
          {"supplier", region.terms().supplier()},
          {"workers", workers},
          {"live", live},
          {"stated_by", VoucherJson(region.stated_by())},
          {"index", region.index()}};
}

json DatasetJson(const v1::DatasetEntry& dataset) {
  json shards = json::array();
  for (const v1::ShardEntry& shard : dataset.shards()) {
    shards.push_back(ShardJson(shard));
  }
  return {{"dataset", dataset.dataset()}, {"shards", shards}, {"index", dataset.index()}};
}

json EvidenceJson(const v1::EvidenceEntry& entry) {
  const v1::EvidenceRecorded& evidence = entry.evidence();
  return {{"evidence_id", evidence.evidence_id()},
          {"kind", evidence.kind()},
          {"sender", evidence.sender()},
          {"recipient", evidence.recipient()},
          {"destinations", Texts(evidence.destinations())},
          {"categories", Texts(evidence.categories())},
          {"valid_from", FormatTimestamp(ToTime(evidence.valid_from()))},
          {"valid_to", FormatTimestamp(ToTime(evidence.valid_to()))},
          {"document_sha256", HexEncode(AsBytes(evidence.document_sha256()))},
          {"accepted", entry.accepted()},
          {"accepted_by", entry.accepted_by().user_id()},
          {"stated_by", VoucherJson(entry.stated_by())},
          {"ended", entry.ended()},
          {"index", entry.index()}};
}

json AssessmentJson(const v1::AssessmentEntry& entry) {
  const v1::ModelAssessed& assessment = entry.assessment();
  json object = {{"model_sha256", HexEncode(AsBytes(assessment.model_sha256()))},
                 {"assessor", assessment.assessor()},
                 {"controlled", assessment.controlled()},
                 {"export_class", assessment.export_class()},
                 {"anonymity", assessment.anonymity()},
                 {"withdrawn", assessment.withdrawn()},
                 {"index", entry.index()}};
  if (!assessment.withdrawn()) {
    object["document_sha256"] = HexEncode(AsBytes(assessment.document_sha256()));
    object["valid_from"] = FormatTimestamp(ToTime(assessment.valid_from()));
    object["valid_to"] = FormatTimestamp(ToTime(assessment.valid_to()));
  }
  return object;
}

std::string ListedText(const v1::SupplierConfig& terms) {
  return terms.has_listed_owner_pct() ? absl::StrCat(FormatNumber(terms.listed_owner_pct()), "%")
                                      : "not checked";
}

std::string LocationText(const v1::RegionEntry& region) {
  const std::string word = LocationWord(region.location());
  if (!region.contradictions().empty()) {
    return absl::StrCat(word, " (contradicted)");
  }
  return region.location() == region.terms().location_evidence()
             ? word
             : absl::StrCat(word, " (no proof in force)");
}

std::string ContradictionsText(const v1::RegionEntry& region) {
  std::string text;
  for (const v1::OpenContradiction& open : region.contradictions()) {
    const v1::LocationContradicted& item = open.contradicted();
    absl::StrAppend(&text, region.region(), ": contradicted by record ", open.index(), ": ",
                    item.observed());
    if (item.round_trip_micros() > 0) {
      absl::StrAppend(&text, " of ", item.round_trip_micros(), " us");
    }
    absl::StrAppend(&text, item.seen_in().empty() ? "" : absl::StrCat(", seen in ", item.seen_in()),
                    item.worker_id().empty() ? "" : absl::StrCat(", of ", item.worker_id()),
                    item.reported_by().empty() ? "" : absl::StrCat(", said ", item.reported_by()),
                    "\n");
  }
  return text;
}

std::string VoucherText(const v1::Voucher& voucher) {
  return voucher.user_id().empty() ? "nobody: unknown"
                                   : absl::StrCat(voucher.user_id(), " as ", voucher.role());
}

std::string OwnersText(const v1::SupplierConfig& terms) {
  if (terms.owners().empty()) {
    return "not stated";
  }
  return absl::StrJoin(terms.owners(), ", ", [](std::string* out, const v1::OwnerConfig& owner) {
    absl::StrAppend(out, owner.jurisdiction(), " ", FormatNumber(owner.percent()), "%");
  });
}

std::string CategoriesText(const v1::ShardLabels& labels) {
  return labels.categories().empty() ? "unknown" : absl::StrJoin(labels.categories(), " ");
}

}  // namespace carnet::cli
