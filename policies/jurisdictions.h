// Names of places: ISO 3166-1 alpha-2 codes, ISO 3166-2 subdivisions and zones (AE-DIFC). Pure.
#ifndef CARNET_POLICIES_JURISDICTIONS_H_
#define CARNET_POLICIES_JURISDICTIONS_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace carnet::policies {

// Countries fit a table of kCountrySlots bits by CountrySlot.
inline constexpr int kCountrySlots = 26 * 26;

// A country's code (DE) or a part of one (AE-DIFC: a country's code, a hyphen, 1 to 8 of A-Z0-9).
// Error INVALID_ARGUMENT: anything else, with what was probably meant ("UK is not a country's code;
// did you mean GB?").
absl::Status CheckJurisdiction(absl::string_view code);

// `code` passed CheckJurisdiction. 0 <= slot < kCountrySlots, from its first two letters.
inline int CountrySlot(absl::string_view code) {
  return (code[0] - 'A') * 26 + (code[1] - 'A');
}

// "Germany"; for a part of a country "DIFC, United Arab Emirates". The code itself where it is
// none.
std::string JurisdictionName(absl::string_view code);
// "Germany (DE)".
std::string JurisdictionNameAndCode(absl::string_view code);

// All alpha-2 codes, sorted.
std::vector<std::string> CountryCodes();

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_JURISDICTIONS_H_
