#include "policies/source.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "policies/loader.h"

namespace carnet::policies {
namespace {

constexpr std::size_t kDecimalDigitsMax = 18;

const std::vector<yaml::Node>& NoNodes() {
  static const auto& nodes = *new std::vector<yaml::Node>();
  return nodes;
}

std::string Quoted(absl::string_view text) {
  constexpr std::size_t kShownBytesMax = 64;
  return absl::StrCat("'", text.substr(0, kShownBytesMax),
                      text.size() > kShownBytesMax ? "…'" : "'");
}

}  // namespace

absl::Status MistakeAt(absl::string_view file, yaml::Position position, absl::string_view what,
                       absl::string_view hint) {
  return absl::InvalidArgumentError(
      absl::StrCat(file, ":", position.line, ":", position.column, ": ", what, "; ", hint));
}

void Diagnostics::Add(absl::string_view file, yaml::Position position, absl::string_view what,
                      absl::string_view expected) {
  mistakes_.emplace(std::string(file), position.line, position.column,
                    std::string(MistakeAt(file, position, what, expected).message()));
}

absl::Status Diagnostics::ToStatus() const {
  if (ok()) {
    return absl::OkStatus();
  }
  std::vector<std::string> lines;
  for (const auto& mistake : mistakes_) {
    if (lines.size() == kLoadErrorsMax) {
      lines.push_back(absl::StrCat("and ", mistakes_.size() - kLoadErrorsMax, " more"));
      break;
    }
    lines.push_back(std::get<3>(mistake));
  }
  return absl::InvalidArgumentError(absl::StrJoin(lines, "\n"));
}

MapReader::MapReader(Diagnostics& diagnostics, absl::string_view file, const yaml::Node& node,
                     absl::string_view what, const std::vector<std::string>& keys)
    : diagnostics_(&diagnostics), file_(file), node_(&node), what_(what), is_map_(node.is_map()) {
  if (!is_map_) {
    Fail(node, absl::StrCat(what, " is ", yaml::KindName(node.kind)), "expected a map");
    return;
  }
  for (const yaml::Entry& entry : node.entries) {
    if (std::find(keys.begin(), keys.end(), entry.key) == keys.end()) {
      diagnostics_->Add(
          file_, entry.key_position, absl::StrCat("unknown key ", Quoted(entry.key), " in ", what_),
          Hint(entry.key, keys, absl::StrCat("expected one of ", absl::StrJoin(keys, ", "))));
    }
  }
}

void MapReader::Fail(const yaml::Node& at, absl::string_view what, absl::string_view expected) {
  diagnostics_->Add(file_, at.position, what, expected);
}

const yaml::Node* MapReader::Find(absl::string_view key) const {
  return is_map_ ? node_->Find(key) : nullptr;
}

const yaml::Node* MapReader::Require(absl::string_view key) {
  const yaml::Node* value = Find(key);
  if (value == nullptr && is_map_) {
    Fail(*node_, absl::StrCat(what_, " has no '", key, "'"), absl::StrCat("add '", key, ":'"));
  }
  return value;
}

std::string MapReader::Text(absl::string_view key, std::size_t bytes_max) {
  const yaml::Node* value = Find(key);
  if (value == nullptr) {
    return "";
  }
  if (!value->is_scalar() || value->text.empty() || value->text.size() > bytes_max) {
    Fail(*value, absl::StrCat("'", key, "' is not a text"),
         absl::StrCat("expected 1 to ", bytes_max, " bytes of text"));
    return "";
  }
  return value->text;
}

std::string MapReader::RequireText(absl::string_view key, std::size_t bytes_max) {
  return Require(key) == nullptr ? "" : Text(key, bytes_max);
}

std::string MapReader::RequireId(absl::string_view key) {
  const std::string id = RequireText(key, kTextBytesMax);
  if (!id.empty() && !IsId(id)) {
    Fail(*Find(key), absl::StrCat("'", key, "' is ", Quoted(id)),
         absl::StrCat("expected a name of at most ", kIdBytesMax,
                      " letters, digits, '-' and '_', such as inside-eea"));
    return "";
  }
  return id;
}

std::string MapReader::Word(absl::string_view key, const std::vector<std::string>& words) {
  const std::string word = Text(key, kTextBytesMax);
  if (word.empty()) {
    return words.front();
  }
  if (std::find(words.begin(), words.end(), word) == words.end()) {
    Fail(*Find(key), absl::StrCat("'", key, "' is ", Quoted(word)),
         Hint(word, words, absl::StrCat("expected one of ", absl::StrJoin(words, ", "))));
    return words.front();
  }
  return word;
}

bool MapReader::YesNo(absl::string_view key) {
  return Find(key) != nullptr && Word(key, {"no", "yes"}) == "yes";
}

std::vector<std::string> MapReader::Texts(absl::string_view key, std::size_t bytes_max) {
  const yaml::Node* value = Find(key);
  if (value == nullptr) {
    return {};
  }
  if (value->is_scalar()) {
    return {Text(key, bytes_max)};
  }
  std::vector<std::string> texts;
  for (const yaml::Node& item : List(key)) {
    if (!item.is_scalar() || item.text.empty() || item.text.size() > bytes_max) {
      Fail(item, absl::StrCat("an item of '", key, "' is not a text"),
           absl::StrCat("expected 1 to ", bytes_max, " bytes of text"));
      continue;
    }
    texts.push_back(item.text);
  }
  return texts;
}

const std::vector<yaml::Node>& MapReader::List(absl::string_view key) {
  const yaml::Node* value = Find(key);
  if (value == nullptr) {
    return NoNodes();
  }
  if (!value->is_list() || value->items.size() > kListItemsMax) {
    Fail(*value, absl::StrCat("'", key, "' is ", yaml::KindName(value->kind)),
         absl::StrCat("expected a list of at most ", kListItemsMax, " items"));
    return NoNodes();
  }
  return value->items;
}

bool IsId(absl::string_view text) {
  const auto is_word = [](unsigned char c) { return absl::ascii_isalnum(c); };
  return !text.empty() && text.size() <= kIdBytesMax &&
         is_word(static_cast<unsigned char>(text[0])) &&
         std::all_of(text.begin(), text.end(),
                     [&is_word](unsigned char c) { return is_word(c) || c == '-' || c == '_'; });
}

absl::StatusOr<double> ParseDecimal(absl::string_view text) {
  absl::string_view digits = text;
  if (!digits.empty() && digits[0] == '-') {
    digits.remove_prefix(1);
  }
  const std::size_t point = digits.find('.');
  const absl::string_view whole = digits.substr(0, point);
  const absl::string_view fraction =
      point == absl::string_view::npos ? "0" : digits.substr(point + 1);
  const auto is_digits = [](absl::string_view part) {
    return !part.empty() && part.size() <= kDecimalDigitsMax &&
           std::all_of(part.begin(), part.end(), absl::ascii_isdigit);
  };
  double number = 0;
  if (!is_digits(whole) || !is_digits(fraction) || (whole.size() > 1 && whole[0] == '0') ||
      !absl::SimpleAtod(text, &number) || !std::isfinite(number)) {
    return absl::InvalidArgumentError("expected a decimal number such as 8 or 0.5");
  }
  return number;
}

std::string Hint(absl::string_view word, const std::vector<std::string>& candidates,
                 absl::string_view otherwise) {
  const std::string nearest = yaml::DidYouMean(word, candidates);
  return nearest.empty() ? std::string(otherwise) : absl::StrCat("did you mean '", nearest, "'?");
}

}  // namespace carnet::policies
