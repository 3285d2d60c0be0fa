#include "cli/erased_view.h"

#include "absl/strings/str_cat.h"

namespace carnet::cli {

std::string ErasedText(const ledger::verifier::Erased& erased) {
  return absl::StrCat("record ", erased.index, ": included, signed, field ", erased.field,
                      erased.done ? " erased under record " : " to be erased under record ",
                      erased.ordered);
}

nlohmann::json ErasedJson(const std::vector<ledger::verifier::Erased>& erased) {
  nlohmann::json list = nlohmann::json::array();
  for (const ledger::verifier::Erased& item : erased) {
    nlohmann::json object = {
        {"index", item.index}, {"field", item.field}, {"ordered", item.ordered}};
    if (item.done) {
      object["done"] = *item.done;
    }
    list.push_back(std::move(object));
  }
  return list;
}

}  // namespace carnet::cli
