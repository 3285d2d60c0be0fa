#include "policies/jurisdictions.h"

#include <catch2/catch.hpp>

#include "testing.h"

namespace carnet::policies {
namespace {

TEST_CASE("Jurisdictions: countries, their parts and zones are places") {
  for (const char* code : {"DE", "NO", "AE-DIFC", "UA-43", "US-CA", "GB-ENG"}) {
    CAPTURE(code);
    CHECK(CheckJurisdiction(code).ok());
  }
}

TEST_CASE("Jurisdictions: what is no ISO code is refused with what was probably meant") {
  const std::vector<std::pair<std::string, std::string>> cases = {{"UK", "did you mean GB?"},
                                                                  {"EL", "did you mean GR?"},
                                                                  {"EU", "group:eea"},
                                                                  {"USA", "did you mean US?"},
                                                                  {"de", "did you mean DE?"},
                                                                  {"Germany", "did you mean DE?"},
                                                                  {"XX", "ISO 3166 code"},
                                                                  {"", "ISO 3166 code"},
                                                                  {"D", "ISO 3166 code"},
                                                                  {"DE-", "ISO 3166 code"},
                                                                  {"DE-by", "ISO 3166 code"},
                                                                  {"-DE", "ISO 3166 code"},
                                                                  {"AE-ABCDEFGHI", "ISO 3166 code"},
                                                                  {"XX-AB", "ISO 3166 code"},
                                                                  {"DE BY", "ISO 3166 code"}};
  for (const auto& one : cases) {
    CAPTURE(one.first);
    const absl::Status status = CheckJurisdiction(one.first);
    REQUIRE_FALSE(status.ok());
    CHECK_THAT(std::string(status.message()), Catch::Contains(one.second));
  }
}

TEST_CASE("Jurisdictions: every country has a slot of its own and a name") {
  const std::vector<std::string> codes = CountryCodes();
  CHECK(codes.size() == 249);  // officially assigned codes of ISO 3166-1
  std::vector<bool> taken(kCountrySlots);
  for (const std::string& code : codes) {
    CAPTURE(code);
    CHECK(CheckJurisdiction(code).ok());
    CHECK(JurisdictionName(code) != code);
    CHECK_FALSE(taken[static_cast<std::size_t>(CountrySlot(code))]);
    taken[static_cast<std::size_t>(CountrySlot(code))] = true;
  }
}

TEST_CASE("Jurisdictions: names are what people say") {
  CHECK(JurisdictionNameAndCode("SA") == "Saudi Arabia (SA)");
  CHECK(JurisdictionNameAndCode("AE-DIFC") == "DIFC, United Arab Emirates (AE-DIFC)");
  CHECK(JurisdictionName("UA-43") == "Crimea, Ukraine");
  CHECK(JurisdictionNameAndCode("US-CA") == "CA, United States (US-CA)");
  CHECK(JurisdictionNameAndCode("??") == "??");
}

}  // namespace
}  // namespace carnet::policies
