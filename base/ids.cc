#include "base/ids.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/status.h"

namespace carnet {
namespace {

constexpr absl::string_view kBase32 = "abcdefghijklmnopqrstuvwxyz234567";
constexpr std::size_t kPrefixCharsMax = 8;
constexpr std::size_t kDnsLabelCharsMax = 63;

bool IsLower(char c) {
  return c >= 'a' && c <= 'z';
}
bool IsNameChar(char c) {
  return IsLower(c) || (c >= '0' && c <= '9') || c == '-';
}

bool IsPrefix(absl::string_view prefix) {
  return !prefix.empty() && prefix.size() <= kPrefixCharsMax &&
         std::all_of(prefix.begin(), prefix.end(), IsLower);
}

absl::Status ValidateName(absl::string_view kind, absl::string_view text, std::size_t chars_max) {
  if (text.empty() || text.size() > chars_max || text.front() == '-' ||
      !std::all_of(text.begin(), text.end(), IsNameChar)) {
    return absl::InvalidArgumentError(
        absl::StrCat(kind, " name: expected 1 to ", chars_max,
                     " characters of a-z, 0-9 and '-', not starting with '-'"));
  }
  return absl::OkStatus();
}

}  // namespace

std::string MakeId(absl::string_view prefix, std::span<const std::uint8_t, kIdRandomBytes> random) {
  CARNET_CHECK(IsPrefix(prefix));
  std::string id = absl::StrCat(prefix, "-");
  std::uint32_t pending = 0;
  int pending_bits = 0;
  for (const std::uint8_t byte : random) {
    pending = (pending << 8) | byte;
    pending_bits += 8;
    while (pending_bits >= 5) {
      pending_bits -= 5;
      id.push_back(kBase32[(pending >> pending_bits) & 31U]);
    }
  }
  return id;
}

bool IsId(absl::string_view prefix, absl::string_view text) {
  if (!IsPrefix(prefix) || text.size() != prefix.size() + 1 + kIdChars ||
      !absl::StartsWith(text, prefix) || text[prefix.size()] != '-') {
    return false;
  }
  const absl::string_view rest = text.substr(prefix.size() + 1);
  return std::all_of(rest.begin(), rest.end(),
                     [](char c) { return kBase32.find(c) != absl::string_view::npos; });
}

absl::Status ValidateSlotName(absl::string_view text) {
  return ValidateName("worker", text, kSlotNameCharsMax);
}
absl::Status ValidateRegionName(absl::string_view text) {
  return ValidateName("region", text, kSlotNameCharsMax);
}
absl::Status ValidateSupplierName(absl::string_view text) {
  return ValidateName("supplier", text, kSlotNameCharsMax);
}
absl::Status ValidateFederationName(absl::string_view text) {
  return ValidateName("federation", text, kNameCharsMax);
}
absl::Status ValidateDatasetName(absl::string_view text) {
  return ValidateName("dataset", text, kNameCharsMax);
}
absl::Status ValidateShardName(absl::string_view text) {
  return ValidateName("shard", text, kNameCharsMax);
}
absl::Status ValidateJobName(absl::string_view text) {
  return ValidateName("job", text, kNameCharsMax);
}
absl::Status ValidateTrainerName(absl::string_view text) {
  return ValidateName("trainer", text, kNameCharsMax);
}

absl::Status ValidateTrustDomain(absl::string_view text) {
  const absl::Status refused = absl::InvalidArgumentError(
      "trust domain: expected lower-case labels of a-z, 0-9 and '-' joined by dots, such as "
      "digits.acme.example");
  if (text.empty() || text.size() > kTrustDomainCharsMax) {
    return refused;
  }
  for (const absl::string_view label : absl::StrSplit(text, '.')) {
    if (label.empty() || label.size() > kDnsLabelCharsMax || label.front() == '-' ||
        label.back() == '-' || !std::all_of(label.begin(), label.end(), IsNameChar)) {
      return refused;
    }
  }
  return absl::OkStatus();
}

}  // namespace carnet
