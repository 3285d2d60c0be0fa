#include "coordinator/core/registry.h"

#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/bytes.h"
#include "base/ids.h"
#include "base/status.h"
#include "policies/counters.h"
#include "policies/facts.h"
#include "policies/jurisdictions.h"

namespace carnet::coordinator {
namespace {

constexpr char kNobody[] = "none";
constexpr char kUnknownOwner[] = "unknown";

absl::Status Bad(const std::string& field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat(field, ": ", what));
}

absl::Status CheckPlace(const std::string& field, const std::string& code) {
  const absl::Status status = policies::CheckJurisdiction(code);
  return status.ok() ? status : Bad(field, status.message());
}

template <typename Items>
absl::Status CheckCount(const std::string& field, const Items& items) {
  return items.size() <= kRegistryItemsMax
             ? absl::OkStatus()
             : Bad(field, absl::StrCat("at most ", kRegistryItemsMax, " of them"));
}

template <typename Codes>
absl::Status CheckPlaces(const std::string& field, const Codes& codes) {
  CARNET_RETURN_IF_ERROR(CheckCount(field, codes));
  for (const std::string& code : codes) {
    CARNET_RETURN_IF_ERROR(CheckPlace(field, code));
  }
  return absl::OkStatus();
}

// Each is one of the words that the fact can hold, or `besides`.
template <typename Items>
absl::Status CheckWords(const std::string& field, const Items& items, policies::FactId fact,
                        absl::string_view besides) {
  CARNET_RETURN_IF_ERROR(CheckCount(field, items));
  const std::vector<std::string>& words =
      policies::FactTable().at(static_cast<std::size_t>(fact)).words;
  for (const std::string& item : items) {
    if (item != besides && std::find(words.begin(), words.end(), item) == words.end()) {
      return Bad(field, absl::StrCat("unknown word; one of ", absl::StrJoin(words, ", "),
                                     besides.empty() ? "" : absl::StrCat(", ", besides)));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckCertifications(const std::string& field, const v1::SupplierConfig& terms) {
  CARNET_RETURN_IF_ERROR(CheckWords(field, terms.certifications(),
                                    policies::kRecipientCertifications, kNoCertifications));
  const bool none = std::find(terms.certifications().begin(), terms.certifications().end(),
                              kNoCertifications) != terms.certifications().end();
  return none && terms.certifications_size() > 1 ? Bad(field, "`none` stands alone")
                                                 : absl::OkStatus();
}

absl::Status CheckOwners(const std::string& field, const v1::SupplierConfig& terms) {
  CARNET_RETURN_IF_ERROR(CheckCount(field, terms.owners()));
  double percent = 0;
  for (const v1::OwnerConfig& owner : terms.owners()) {
    if (owner.jurisdiction() != kUnknownOwner) {
      CARNET_RETURN_IF_ERROR(CheckPlace(field, owner.jurisdiction()));
    }
    if (!(owner.percent() > 0)) {
      return Bad(field, "percent is more than 0");
    }
    percent += owner.percent();
  }
  return percent <= 100 ? absl::OkStatus() : Bad(field, "percentages add up to more than 100");
}

}  // namespace

absl::Status CheckSupplier(const std::string& field, const v1::SupplierConfig& terms) {
  for (const auto& [name, code] :
       {std::pair<const char*, const std::string&>{".organised_in", terms.organised_in()},
        {".principal_place", terms.principal_place()},
        {".ultimate_parent", terms.ultimate_parent()}}) {
    if (!code.empty()) {
      CARNET_RETURN_IF_ERROR(CheckPlace(absl::StrCat(field, name), code));
    }
  }
  CARNET_RETURN_IF_ERROR(CheckOwners(absl::StrCat(field, ".owners"), terms));
  // Negated, so that NaN is refused too.
  if (terms.has_listed_owner_pct() &&
      !(terms.listed_owner_pct() >= 0 && terms.listed_owner_pct() <= 100)) {
    return Bad(absl::StrCat(field, ".listed_owner_pct"), "percent, 0 to 100");
  }
  if (!terms.deal().empty()) {
    CARNET_RETURN_IF_ERROR(CheckWords(absl::StrCat(field, ".deal"),
                                      std::vector<std::string>{terms.deal()}, policies::kDealKind,
                                      ""));
  }
  return CheckCertifications(absl::StrCat(field, ".certifications"), terms);
}

absl::Status CheckHome(const std::string& field, const v1::SupplierConfig& terms) {
  if (!terms.organised_in().empty()) {
    return Bad(absl::StrCat(field, ".organised_in"), "the home organisation is where genesis says");
  }
  if (!terms.deal().empty()) {
    return Bad(absl::StrCat(field, ".deal"), "none: what the home organisation gets is internal");
  }
  if (terms.has_price()) {
    return Bad(absl::StrCat(field, ".price"), "none: the home organisation is no supplier");
  }
  return CheckSupplier(field, terms);
}

v1::SupplierConfig HomeTerms(const v1::HomeConfig& home) {
  v1::SupplierConfig terms;
  terms.set_ultimate_parent(home.ultimate_parent());
  *terms.mutable_owners() = home.owners();
  *terms.mutable_certifications() = home.certifications();
  if (home.has_listed_owner_pct()) {
    terms.set_listed_owner_pct(home.listed_owner_pct());
  }
  return terms;
}

bool SaysNothing(const v1::SupplierConfig& terms) {
  return terms.ByteSizeLong() == 0;
}

absl::Status CheckRegion(const std::string& field, const v1::RegionConfig& terms) {
  if (terms.jurisdictions().empty()) {
    return Bad(absl::StrCat(field, ".jurisdictions"), "at least one");
  }
  return CheckPlaces(absl::StrCat(field, ".jurisdictions"), terms.jurisdictions());
}

absl::Status CheckLabels(const std::string& field, const v1::ShardLabels& labels) {
  CARNET_RETURN_IF_ERROR(CheckPlaces(absl::StrCat(field, ".subjects_in"), labels.subjects_in()));
  const std::string categories = absl::StrCat(field, ".categories");
  CARNET_RETURN_IF_ERROR(
      CheckWords(categories, labels.categories(), policies::kDataCategories, kNobody));
  const bool nobody = std::find(labels.categories().begin(), labels.categories().end(), kNobody) !=
                      labels.categories().end();
  if (nobody && labels.categories_size() > 1) {
    return Bad(categories, "`none` stands alone: the data is about nobody");
  }
  if (nobody && !labels.subjects_in().empty()) {
    return Bad(absl::StrCat(field, ".subjects_in"), "nobody, where the categories are `none`");
  }
  CARNET_RETURN_IF_ERROR(CheckCount(absl::StrCat(field, ".people"), labels.people()));
  for (const auto& [counted, people] : labels.people()) {
    if (counted.find(policies::kCounterWindowMark) != std::string::npos ||
        !policies::ParseCounter(absl::StrCat("people.", counted)).ok()) {
      return Bad(absl::StrCat(field, ".people"),
                 "people by country and category: {US.health: 12000}");
    }
  }
  return absl::OkStatus();
}

absl::Status CheckShard(const std::string& field, const v1::ShardRegistration& shard) {
  if (const absl::Status status = ValidateShardName(shard.shard()); !status.ok()) {
    return Bad(field, status.message());
  }
  if (shard.rows() == 0) {
    return Bad(absl::StrCat(field, ".rows"), "at least 1");
  }
  if (!shard.sha256().empty() && shard.sha256().size() != kDigestBytes) {
    return Bad(absl::StrCat(field, ".sha256"), "32 bytes");
  }
  return CheckLabels(field, shard.labels());
}

bool IsAsRegistered(const Shard& shard, const v1::ShardRegistration& wanted) {
  v1::ShardRegistration left = shard.terms;
  v1::ShardRegistration right = wanted;
  const bool same_digest = right.sha256().empty() || right.sha256() == AsText(shard.sha256);
  left.clear_sha256();
  right.clear_sha256();
  return same_digest && google::protobuf::util::MessageDifferencer::Equals(left, right);
}

v1::RegionConfig WithDefaultGrade(v1::RegionConfig terms) {
  if (terms.location_evidence() == v1::LOCATION_GRADE_UNSPECIFIED) {
    terms.set_location_evidence(v1::LOCATION_GRADE_CLAIMED);
  }
  return terms;
}

}  // namespace carnet::coordinator
