// Values of facts: their texts, types and JSON.
#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json.h"
#include "base/status.h"
#include "policies/facts.h"
#include "policies/jurisdictions.h"

namespace carnet::policies {
namespace {

constexpr char kUnknownWord[] = "unknown";
constexpr char kNotApplicableWord[] = "not_applicable";
constexpr double kPercentMax = 100;
// Owners whose shares round to more than the whole.
constexpr double kPercentSlack = 1e-6;
// Integers below this have one decimal text and are exact in a double.
constexpr double kExactIntegerMax = 9007199254740992.0;  // 2^53
// What a person reads of a long list.
constexpr std::size_t kShownBytesMax = 256;

// ASCII, so it can be cut anywhere.
std::string Shortened(const std::string& items) {
  return items.size() <= kShownBytesMax ? absl::StrCat("[", items, "]")
                                        : absl::StrCat("[", items.substr(0, kShownBytesMax), "…]");
}

absl::Status CheckWord(const FactSpec& spec, const std::string& word) {
  if (std::find(spec.words.begin(), spec.words.end(), word) == spec.words.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", word, "' is none of ", absl::StrJoin(spec.words, ", ")));
  }
  return absl::OkStatus();
}

absl::Status CheckName(const std::string& name) {
  const bool printable =
      std::all_of(name.begin(), name.end(), [](char c) { return c >= ' ' && c <= '~'; });
  if (name.empty() || name.size() > kFactNameBytesMax || !printable || name == kUnknownWord ||
      name == kNotApplicableWord) {
    return absl::InvalidArgumentError(
        absl::StrCat("a name of 1 to ", kFactNameBytesMax, " printable ASCII characters"));
  }
  return absl::OkStatus();
}

absl::Status CheckPlace(const std::string& code) {
  return code == "home" ? absl::OkStatus() : CheckJurisdiction(code);
}

absl::Status CheckNumber(double number) {
  return std::isfinite(number) && number >= 0 ? absl::OkStatus()
                                              : absl::InvalidArgumentError("a number of 0 or more");
}

absl::Status CheckOwners(const std::vector<Owner>& owners) {
  if (owners.size() > kFactListItemsMax) {
    return absl::InvalidArgumentError("too many owners");
  }
  double total = 0;
  for (const Owner& owner : owners) {
    if (owner.jurisdiction != kUnknownWord) {
      CARNET_RETURN_IF_ERROR(CheckPlace(owner.jurisdiction));
    }
    if (!(owner.percent >= 0 && owner.percent <= kPercentMax)) {
      return absl::InvalidArgumentError("percent is from 0 to 100");
    }
    total += owner.percent;
  }
  return total <= kPercentMax + kPercentSlack
             ? absl::OkStatus()
             : absl::InvalidArgumentError("the owners' shares are more than 100 percent");
}

absl::Status CheckApprovals(const std::vector<Approval>& approvals) {
  if (approvals.size() > kFactListItemsMax) {
    return absl::InvalidArgumentError("too many approvals");
  }
  for (const Approval& approval : approvals) {
    for (const std::string* name : {&approval.rule, &approval.person, &approval.role}) {
      CARNET_RETURN_IF_ERROR(CheckName(*name));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckList(const FactSpec& spec, const std::vector<std::string>& items) {
  if (items.size() > kFactListItemsMax) {
    return absl::InvalidArgumentError("too many items");
  }
  for (const std::string& item : items) {
    if (item != kUnknownWord) {
      CARNET_RETURN_IF_ERROR(spec.type == FactType::kWords ? CheckWord(spec, item)
                                                           : CheckPlace(item));
    }
  }
  return absl::OkStatus();
}

// What a value of this type looks like in JSON.
bool HasKind(FactType type, Value::Kind kind) {
  switch (type) {
    case FactType::kWord:
    case FactType::kRank:
    case FactType::kYesNo:
    case FactType::kChip:
    case FactType::kJurisdiction:
    case FactType::kName:
      return kind == Value::Kind::kText;
    case FactType::kNumber:
      return kind == Value::Kind::kNumber;
    case FactType::kJurisdictions:
    case FactType::kWords:
      return kind == Value::Kind::kList;
    case FactType::kOwners:
      return kind == Value::Kind::kOwners;
    case FactType::kApprovals:
      return kind == Value::Kind::kApprovals;
    case FactType::kTime:
      return false;
  }
  return false;
}

const char* Expected(FactType type) {
  switch (type) {
    case FactType::kNumber:
      return "a number";
    case FactType::kJurisdictions:
    case FactType::kWords:
      return "a list";
    case FactType::kOwners:
      return "a list of {jurisdiction, percent}";
    case FactType::kApprovals:
      return "a list of {rule, person, role}";
    case FactType::kYesNo:
      return "yes or no";
    case FactType::kTime:
      return "nothing: the time of the decision is given by the engine";
    default:
      return "one word";
  }
}

absl::StatusOr<Value> OwnersFromJson(const nlohmann::json& json) {
  std::vector<Owner> owners;
  for (const nlohmann::json& item : json) {
    const bool shaped = item.is_object() && item.size() == 2 && item.contains("jurisdiction") &&
                        item.contains("percent") && item["jurisdiction"].is_string() &&
                        item["percent"].is_number();
    if (!shaped) {
      return absl::InvalidArgumentError("an owner is {jurisdiction, percent}");
    }
    owners.push_back({item["jurisdiction"].get<std::string>(), item["percent"].get<double>()});
  }
  return Value::Owners(std::move(owners));
}

absl::StatusOr<Value> ApprovalsFromJson(const nlohmann::json& json) {
  std::vector<Approval> approvals;
  for (const nlohmann::json& item : json) {
    const auto text = [&item](const char* key) {
      return item.is_object() && item.contains(key) && item[key].is_string()
                 ? item[key].get<std::string>()
                 : std::string();
    };
    approvals.push_back({text("rule"), text("person"), text("role")});
    const Approval& approval = approvals.back();
    if (item.size() != 3 || approval.rule.empty() || approval.person.empty() ||
        approval.role.empty()) {
      return absl::InvalidArgumentError("an approval is {rule, person, role}");
    }
  }
  return Value::Approvals(std::move(approvals));
}

absl::StatusOr<Value> ListFromJson(const nlohmann::json& json) {
  std::vector<std::string> items;
  for (const nlohmann::json& item : json) {
    if (!item.is_string()) {
      return absl::InvalidArgumentError("a list of words");
    }
    items.push_back(item.get<std::string>());
  }
  return Value::List(std::move(items));
}

}  // namespace

void AppendDecimal(double number, std::string& out) {
  if (std::abs(number) < kExactIntegerMax && std::trunc(number) == number) {
    absl::StrAppend(&out, static_cast<std::int64_t>(number));
    return;
  }
  const absl::StatusOr<std::string> text = carnet::CanonicalJson(nlohmann::json(number));
  CARNET_CHECK(text.ok());  // Set lets only finite numbers in.
  out += *text;
}

Value Value::NotApplicable() {
  Value value;
  value.kind_ = Kind::kNotApplicable;
  return value;
}

Value Value::Text(std::string text) {
  Value value;
  value.kind_ = Kind::kText;
  value.text_ = std::move(text);
  return value;
}

Value Value::YesNo(bool yes) {
  return Text(yes ? "yes" : "no");
}

Value Value::Number(double number) {
  Value value;
  value.kind_ = Kind::kNumber;
  value.number_ = number == 0 ? 0 : number;  // -0 is 0: one value, one text
  return value;
}

Value Value::List(std::vector<std::string> items) {
  Value value;
  value.kind_ = Kind::kList;
  std::sort(items.begin(), items.end());
  items.erase(std::unique(items.begin(), items.end()), items.end());
  value.list_ = std::move(items);
  return value;
}

Value Value::Owners(std::vector<Owner> owners) {
  Value value;
  value.kind_ = Kind::kOwners;
  std::sort(owners.begin(), owners.end(), [](const Owner& a, const Owner& b) {
    return std::tie(a.jurisdiction, a.percent) < std::tie(b.jurisdiction, b.percent);
  });
  value.owners_ = std::move(owners);
  return value;
}

Value Value::Approvals(std::vector<Approval> approvals) {
  Value value;
  value.kind_ = Kind::kApprovals;
  std::sort(approvals.begin(), approvals.end());
  approvals.erase(std::unique(approvals.begin(), approvals.end()), approvals.end());
  value.approvals_ = std::move(approvals);
  return value;
}

std::string Value::ToString() const {
  switch (kind_) {
    case Kind::kUnknown:
      return kUnknownWord;
    case Kind::kNotApplicable:
      return "not applicable";
    case Kind::kText:
      return text_;
    case Kind::kNumber: {
      std::string text;
      AppendDecimal(number_, text);
      return text;
    }
    case Kind::kList:
      return Shortened(absl::StrJoin(list_, ", "));
    case Kind::kOwners: {
      std::vector<std::string> parts;
      for (const Owner& owner : owners_) {
        std::string part = absl::StrCat(owner.jurisdiction, " ");
        AppendDecimal(owner.percent, part);
        parts.push_back(part + "%");
      }
      return Shortened(absl::StrJoin(parts, ", "));
    }
    case Kind::kApprovals: {
      std::vector<std::string> parts;
      for (const Approval& approval : approvals_) {
        parts.push_back(
            absl::StrCat(approval.rule, " by ", approval.person, " as ", approval.role));
      }
      return Shortened(absl::StrJoin(parts, ", "));
    }
  }
  return "";
}

nlohmann::json Value::ToJson() const {
  switch (kind_) {
    case Kind::kUnknown:
      return kUnknownWord;
    case Kind::kNotApplicable:
      return kNotApplicableWord;
    case Kind::kText:
      return text_;
    case Kind::kNumber:
      return number_;
    case Kind::kList:
      return list_;
    case Kind::kOwners: {
      nlohmann::json items = nlohmann::json::array();
      for (const Owner& owner : owners_) {
        items.push_back({{"jurisdiction", owner.jurisdiction}, {"percent", owner.percent}});
      }
      return items;
    }
    case Kind::kApprovals: {
      nlohmann::json items = nlohmann::json::array();
      for (const Approval& approval : approvals_) {
        items.push_back(
            {{"person", approval.person}, {"role", approval.role}, {"rule", approval.rule}});
      }
      return items;
    }
  }
  return nullptr;
}

absl::Status CheckValue(const FactSpec& spec, const Value& value) {
  if (value.is_unknown() || value.is_not_applicable()) {
    return absl::OkStatus();
  }
  if (!HasKind(spec.type, value.kind())) {
    return absl::InvalidArgumentError(absl::StrCat("expected ", Expected(spec.type)));
  }
  switch (spec.type) {
    case FactType::kWord:
    case FactType::kRank:
    case FactType::kChip:
      return CheckWord(spec, value.text());
    case FactType::kYesNo:
      return value.text() == "yes" || value.text() == "no"
                 ? absl::OkStatus()
                 : absl::InvalidArgumentError("expected yes or no");
    case FactType::kJurisdiction:
      return CheckPlace(value.text());
    case FactType::kName:
      return CheckName(value.text());
    case FactType::kNumber:
      return CheckNumber(value.number());
    case FactType::kJurisdictions:
    case FactType::kWords:
      return CheckList(spec, value.list());
    case FactType::kOwners:
      return CheckOwners(value.owners());
    case FactType::kApprovals:
      return CheckApprovals(value.approvals());
    case FactType::kTime:
      break;
  }
  return absl::InvalidArgumentError(absl::StrCat("expected ", Expected(spec.type)));
}

absl::StatusOr<Value> ValueFromJson(const FactSpec& spec, const nlohmann::json& json) {
  absl::StatusOr<Value> value =
      absl::InvalidArgumentError(absl::StrCat("expected ", Expected(spec.type)));
  if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    if (text == kUnknownWord) {
      return Value::Unknown();
    }
    if (text == kNotApplicableWord) {
      return Value::NotApplicable();
    }
    value = Value::Text(text);
  } else if (json.is_number()) {
    value = Value::Number(json.get<double>());
  } else if (json.is_array() && json.size() <= kFactListItemsMax) {
    value = spec.type == FactType::kOwners      ? OwnersFromJson(json)
            : spec.type == FactType::kApprovals ? ApprovalsFromJson(json)
                                                : ListFromJson(json);
  }
  CARNET_RETURN_IF_ERROR(value);
  CARNET_RETURN_IF_ERROR(CheckValue(spec, *value));
  return value;
}

std::uint64_t WordBits(const FactSpec& spec, absl::string_view word) {
  if (word == kUnknownWord) {
    return kUnknownWordBit;
  }
  if (spec.type == FactType::kYesNo) {
    return word == "yes" ? 1 : word == "no" ? 2 : 0;
  }
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < spec.words.size(); ++i) {
    const absl::string_view known = spec.words[i];
    const bool paragraph = spec.type == FactType::kChip && known.size() > word.size() &&
                           known[word.size()] == '.' && known.substr(0, word.size()) == word;
    bits |= known == word || paragraph ? std::uint64_t{1} << i : 0;
  }
  return bits;
}

std::uint64_t WordBits(const FactSpec& spec, const Value& value) {
  if (spec.words.empty() && spec.type != FactType::kYesNo) {
    return 0;
  }
  std::uint64_t bits = value.text().empty() ? 0 : WordBits(spec, absl::string_view(value.text()));
  for (const std::string& item : value.list()) {
    bits |= WordBits(spec, absl::string_view(item));
  }
  return bits;
}

}  // namespace carnet::policies
