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

// "SG 60%, unknown 40%"; "not stated" for none.
std::string OwnersText(const v1::SupplierConfig& terms);
// "u-… as data-steward", or that nobody's word stands behind it.
std::string VoucherText(const v1::Voucher& voucher);
// "personal health"; "unknown" where nobody vouched for labels.
std::string CategoriesText(const v1::ShardLabels& labels);

}  // namespace carnet::cli

#endif  // CARNET_CLI_REGISTRY_VIEW_H_
