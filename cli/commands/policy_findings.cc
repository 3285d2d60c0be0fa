#include "cli/commands/policy_findings.h"

#include <filesystem>
#include <ostream>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status.h"
#include "cli/commands/policy_commands.h"
#include "policies/group_findings.h"

namespace carnet::cli {
namespace {

// Takes a number and the colon before it from the end of `text`.
bool TakeNumber(absl::string_view* text, int* number) {
  const std::size_t colon = text->rfind(':');
  if (colon == absl::string_view::npos || !absl::SimpleAtoi(text->substr(colon + 1), number) ||
      *number < 0) {
    return false;
  }
  *text = text->substr(0, colon);
  return true;
}

// "<file>:<line>:<column>: <what>; <hint>", as base/yaml.h and policies/ write mistakes.
nlohmann::json ErrorOf(absl::string_view text, const std::string& where,
                       const std::string& remedy) {
  nlohmann::json error = {{"file", where}, {"line", 0}, {"column", 0}};
  std::string hint = remedy;
  for (std::size_t at = text.find(": "); at != absl::string_view::npos;
       at = text.find(": ", at + 1)) {
    absl::string_view place = text.substr(0, at);
    int line = 0;
    int column = 0;
    if (!TakeNumber(&place, &column) || !TakeNumber(&place, &line)) {
      continue;
    }
    error = {{"file", std::string(place)}, {"line", line}, {"column", column}};
    text = text.substr(at + 2);
    if (const std::size_t end = text.find("; "); end != absl::string_view::npos) {
      hint = std::string(text.substr(end + 2));
      text = text.substr(0, end);
    }
    break;
  }
  error["message"] = std::string(text);
  error["hint"] = hint;
  return error;
}

}  // namespace

absl::StatusOr<PolicyFindings> FindingsOf(const policies::Bundle& bundle, const std::string& folder,
                                          absl::Time at) {
  PolicyFindings findings;
  findings.unsourced = policies::UnsourcedGroups(bundle);
  findings.overdue = policies::OverdueGroups(bundle, at);
  std::error_code error;
  if (folder.empty() || !std::filesystem::is_directory(folder, error)) {
    return findings;
  }
  CARNET_ASSIGN_OR_RETURN(const policies::PackLock lock, ReadPackLock(folder));
  for (const auto& [name, pin] : lock) {
    const std::vector<std::string> files = EditedFiles(folder, pin);
    if (!files.empty()) {
      findings.edited.push_back(absl::StrCat("pack ", name, " was changed by hand since it was ",
                                             "imported: ", absl::StrJoin(files, ", ")));
    }
  }
  return findings;
}

void PrintFindings(std::ostream& out, const PolicyFindings& findings) {
  for (const std::string& finding : findings.unsourced) {
    out << finding << ", so the bundle cannot be proposed\n";
  }
  for (const std::vector<std::string>* list : {&findings.overdue, &findings.edited}) {
    for (const std::string& finding : *list) {
      out << finding << '\n';
    }
  }
}

nlohmann::json FindingsJson(const PolicyFindings& findings) {
  return {{"unsourced_groups", findings.unsourced},
          {"overdue_groups", findings.overdue},
          {"edited_packs", findings.edited}};
}

absl::Status CheckSourced(const PolicyFindings& findings) {
  if (findings.unsourced.empty()) {
    return absl::OkStatus();
  }
  return WithRemedy(
      absl::FailedPreconditionError(
          absl::StrCat("policy: ", absl::StrJoin(findings.unsourced, "; "))),
      "say in the groups file where each list comes from (source), of which day it is (as_of) and "
      "when it is to be looked at again (review_by)");
}

nlohmann::json ErrorsOf(const absl::Status& status) {
  nlohmann::json errors = nlohmann::json::array();
  const std::string where = OperatorDetail(status);
  const std::string remedy = Remedy(status);
  for (const absl::string_view line : absl::StrSplit(status.message(), '\n')) {
    errors.push_back(ErrorOf(line, where, remedy));
  }
  return errors;
}

absl::StatusOr<int> WithErrorsAsJson(CommandContext& context, absl::StatusOr<int> result) {
  if (context.json && !result.ok()) {
    *context.out << nlohmann::json{{"errors", ErrorsOf(result.status())}}.dump() << '\n';
  }
  return result;
}

}  // namespace carnet::cli
