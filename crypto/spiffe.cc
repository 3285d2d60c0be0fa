#include "crypto/spiffe.h"

#include <algorithm>
#include <array>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status.h"

namespace carnet::crypto {
namespace {

constexpr char kScheme[] = "spiffe://";
constexpr std::size_t kDnsLabelBytesMax = 63;

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

bool IsDnsLabel(absl::string_view label) {
  return !label.empty() && label.size() <= kDnsLabelBytesMax && label.front() != '-' &&
         label.back() != '-' && std::all_of(label.begin(), label.end(), IsNameCharacter);
}

absl::Status BadId() {
  return absl::InvalidArgumentError("spiffe: not an id of this federation's form");
}

}  // namespace

bool IsTrustDomain(absl::string_view text) {
  if (text.empty() || text.size() > kTrustDomainBytesMax) {
    return false;
  }
  const std::vector<absl::string_view> labels = absl::StrSplit(text, '.');
  return std::all_of(labels.begin(), labels.end(), IsDnsLabel);
}

bool IsSpiffeSegment(absl::string_view text) {
  return !text.empty() && text.size() <= kSpiffeSegmentBytesMax &&
         std::all_of(text.begin(), text.end(), IsNameCharacter);
}

absl::StatusOr<SpiffeId> SpiffeId::Coordinator(absl::string_view trust_domain) {
  if (!IsTrustDomain(trust_domain)) {
    return absl::InvalidArgumentError("spiffe: malformed trust domain");
  }
  SpiffeId id;
  id.kind_ = SpiffeKind::kCoordinator;
  id.trust_domain_ = std::string(trust_domain);
  return id;
}

absl::StatusOr<SpiffeId> SpiffeId::Worker(absl::string_view trust_domain, absl::string_view region,
                                          absl::string_view supplier, absl::string_view slot) {
  CARNET_ASSIGN_OR_RETURN(SpiffeId id, Coordinator(trust_domain));
  if (!IsSpiffeSegment(region) || !IsSpiffeSegment(supplier) || !IsSpiffeSegment(slot)) {
    return absl::InvalidArgumentError("spiffe: region, supplier and slot are [a-z0-9-]{1,32}");
  }
  id.kind_ = SpiffeKind::kWorker;
  id.region_ = std::string(region);
  id.supplier_ = std::string(supplier);
  id.slot_ = std::string(slot);
  return id;
}

absl::StatusOr<SpiffeId> SpiffeId::User(absl::string_view trust_domain, absl::string_view user) {
  CARNET_ASSIGN_OR_RETURN(SpiffeId id, Coordinator(trust_domain));
  if (!IsSpiffeSegment(user)) {
    return absl::InvalidArgumentError("spiffe: a user is [a-z0-9-]{1,32}");
  }
  id.kind_ = SpiffeKind::kUser;
  id.user_ = std::string(user);
  return id;
}

absl::StatusOr<SpiffeId> SpiffeId::Parse(absl::string_view text) {
  if (text.size() > kSpiffeIdBytesMax || !absl::ConsumePrefix(&text, kScheme)) {
    return BadId();
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '/');
  if (parts.size() == 2 && parts[1] == "coordinator") {
    return Coordinator(parts[0]);
  }
  if (parts.size() == 3 && parts[1] == "user") {
    return User(parts[0], parts[2]);
  }
  if (parts.size() == 7 && parts[1] == "region" && parts[3] == "supplier" && parts[5] == "worker") {
    return Worker(parts[0], parts[2], parts[4], parts[6]);
  }
  return BadId();
}

std::string SpiffeId::ToString() const {
  return absl::StrCat(kScheme, trust_domain_, Path());
}

std::string SpiffeId::Path() const {
  switch (kind_) {
    case SpiffeKind::kWorker:
      return absl::StrCat("/region/", region_, "/supplier/", supplier_, "/worker/", slot_);
    case SpiffeKind::kUser:
      return absl::StrCat("/user/", user_);
    case SpiffeKind::kCoordinator:
      break;
  }
  return "/coordinator";
}

std::string SpiffeId::Name() const {
  switch (kind_) {
    case SpiffeKind::kWorker:
      return slot_;
    case SpiffeKind::kUser:
      return user_;
    case SpiffeKind::kCoordinator:
      break;
  }
  return "coordinator";
}

}  // namespace carnet::crypto
