// How one input of the fuzz program policies_loader is divided: facts, then files of policies.
// Pure.
#ifndef CARNET_TESTS_FUZZ_POLICIES_INPUT_H_
#define CARNET_TESTS_FUZZ_POLICIES_INPUT_H_

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "policies/loader.h"

namespace carnet::fuzz {

// When what an input asks is decided: 2026-11-18.
inline absl::Time PoliciesInputTime() {
  return absl::FromUnixSeconds(1'795'000'000);
}

struct PoliciesInput {
  std::string facts;     // JSON; empty: the input has none
  std::string policies;  // everything else: a bundle's JSON, or the files below
  std::vector<policies::SourceFile> files;
};

// Facts end at the first line "%%%"; an input without one is all policies. Files are divided by
// lines "%%".
inline PoliciesInput DividePoliciesInput(absl::string_view text) {
  constexpr absl::string_view kEndOfFacts = "\n%%%\n";
  PoliciesInput input;
  const std::size_t end = text.find(kEndOfFacts);
  if (end != absl::string_view::npos) {
    input.facts = std::string(text.substr(0, end));
    text.remove_prefix(end + kEndOfFacts.size());
  }
  input.policies = std::string(text);
  for (const absl::string_view part : absl::StrSplit(text, "\n%%\n")) {
    input.files.push_back({absl::StrCat("f", input.files.size()), std::string(part)});
  }
  return input;
}

}  // namespace carnet::fuzz

#endif  // CARNET_TESTS_FUZZ_POLICIES_INPUT_H_
