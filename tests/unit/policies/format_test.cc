#include "policies/format.h"

#include <catch2/catch.hpp>

#include "policies/packs.h"

namespace carnet::policies {
namespace {

std::string Formatted(const std::string& text) {
  const auto formatted = FormatPolicyFile(text, "p.yaml");
  INFO(formatted.status().ToString());
  REQUIRE(formatted.ok());
  const auto again = FormatPolicyFile(*formatted, "p.yaml");
  REQUIRE(again.ok());
  CHECK(*again == *formatted);
  return *formatted;
}

TEST_CASE("Format: indentation, blanks and quotes are put in order, comments and order stay") {
  CHECK(Formatted("# why\n"
                  "policy:   'p'   # a name\n"
                  "rules:\n"
                  "- id: a\n"
                  "  when:\n"
                  "      to.jurisdiction:  { in: [ DE,FR , 'NO' ] }   \n"
                  "\n"
                  "\n"
                  "  # about b\n"
                  "-   id: b\n"
                  "    effect: deny") ==
        "# why\n"
        "policy: \"p\"   # a name\n"
        "rules:\n"
        "  - id: a\n"
        "    when:\n"
        "      to.jurisdiction: {in: [DE, FR, \"NO\"]}\n"
        "\n"
        "  # about b\n"
        "  - id: b\n"
        "    effect: deny\n");
}

TEST_CASE("Format: texts keep what they say") {
  CHECK(Formatted("note: 'it''s  two  blanks'\nb: \"a,b # c\"\n") ==
        "note: 'it''s  two  blanks'\nb: \"a,b # c\"\n");
  CHECK(Formatted("a: x,y [z]\n") == "a: x,y [z]\n");
  CHECK(Formatted("a: human 'omic  data, it's\nb: [c]\n") ==
        "a: human 'omic  data, it's\nb: [c]\n");
  CHECK(Formatted("note: >-\n     one\n     two\n\n     three\nb: 1\n") ==
        "note: >-\n  one\n  two\n\n  three\nb: 1\n");
  CHECK(Formatted("r:\n  - note: |\n        one\n         two\n    b: 1\n") ==
        "r:\n  - note: |\n      one\n       two\n    b: 1\n");
}

TEST_CASE("Format: a list over several lines stays on several lines") {
  CHECK(Formatted("a: [DE,\n      FR]\nb: {c: d,\n e: f}\n") ==
        "a: [DE,\n  FR]\nb: {c: d,\n  e: f}\n");
}

TEST_CASE("Format: what is no YAML is told with its place") {
  const auto formatted = FormatPolicyFile("a: [b\n", "p.yaml");
  REQUIRE_FALSE(formatted.ok());
  CHECK(absl::IsInvalidArgument(formatted.status()));
  CHECK_THAT(std::string(formatted.status().message()), Catch::StartsWith("p.yaml:"));
}

TEST_CASE("Format: every file of the packs is as it shall be") {
  for (const SourceFile& file : PackFiles()) {
    CAPTURE(file.name);
    CHECK(Formatted(file.text) == file.text);
  }
}

}  // namespace
}  // namespace carnet::policies
