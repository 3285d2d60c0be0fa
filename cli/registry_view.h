// The registry of facts as commands show it. Pure.
#ifndef CARNET_CLI_REGISTRY_VIEW_H_
#define CARNET_CLI_REGISTRY_VIEW_H_

#include <nlohmann/json.hpp>
#include <string>

#include "carnet/v1/jobs.pb.h"

namespace carnet::cli {

nlohmann::json SupplierJson(const v1::SupplierEntry& supplier);
nlohmann::json RegionJson(const v1::RegionEntry& region, std::size_t workers, std::size_t live);
nlohmann::json DatasetJson(const v1::DatasetEntry& dataset);
nlohmann::json EvidenceJson(const v1::EvidenceEntry& evidence);
nlohmann::json AssessmentJson(const v1::AssessmentEntry& assessment);

// "12.5%"; "not checked" where nobody looked at the lists.
std::string ListedText(const v1::SupplierConfig& terms);
// How the place of a region is known, as it counts now: "contract", "unknown (contradicted)",
// "claimed (no proof in force)".
std::string LocationText(const v1::RegionEntry& region);
// A line for each observation that speaks against its place; empty: none does.
std::string ContradictionsText(const v1::RegionEntry& region);
// "SG 60%, unknown 40%"; "not stated" for none.
std::string OwnersText(const v1::SupplierConfig& terms);
// "u-… as data-steward", or that nobody's word stands behind it.
std::string VoucherText(const v1::Voucher& voucher);
// "personal health"; "unknown" where nobody vouched for labels.
std::string CategoriesText(const v1::ShardLabels& labels);

}  // namespace carnet::cli

#endif  // CARNET_CLI_REGISTRY_VIEW_H_
