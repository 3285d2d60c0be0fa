#include "policies/facts.h"

#include <algorithm>
#include <cmath>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/json.h"
#include "base/status.h"
#include "crypto/hash.h"
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

void AppendNumber(double number, std::string& out) {
  if (std::abs(number) < kExactIntegerMax && std::trunc(number) == number) {
    absl::StrAppend(&out, static_cast<std::int64_t>(number));
    return;
  }
  const absl::StatusOr<std::string> text = carnet::CanonicalJson(nlohmann::json(number));
  CARNET_CHECK(text.ok());  // Set lets only finite numbers in.
  out += *text;
}

// Values hold printable ASCII only (CheckValue), so two characters need an escape.
void AppendText(absl::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
    }
    out += c;
  }
  out += '"';
}

void AppendValue(const Value& value, std::string& out) {
  switch (value.kind()) {
    case Value::Kind::kUnknown:
      AppendText(kUnknownWord, out);
      return;
    case Value::Kind::kNotApplicable:
      AppendText(kNotApplicableWord, out);
      return;
    case Value::Kind::kText:
      AppendText(value.text(), out);
      return;
    case Value::Kind::kNumber:
      AppendNumber(value.number(), out);
      return;
    case Value::Kind::kList: {
      const char* separator = "[";
      for (const std::string& item : value.list()) {
        out += separator;
        AppendText(item, out);
        separator = ",";
      }
      out += value.list().empty() ? "[]" : "]";
      return;
    }
    case Value::Kind::kOwners: {
      const char* separator = "[";
      for (const Owner& owner : value.owners()) {
        absl::StrAppend(&out, separator, "{\"jurisdiction\":");
        AppendText(owner.jurisdiction, out);
        out += ",\"percent\":";
        AppendNumber(owner.percent, out);
        out += '}';
        separator = ",";
      }
      out += value.owners().empty() ? "[]" : "]";
      return;
    }
  }
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
      AppendNumber(number_, text);
      return text;
    }
    case Kind::kList:
      return absl::StrCat("[", absl::StrJoin(list_, ", "), "]");
    case Kind::kOwners: {
      std::vector<std::string> parts;
      for (const Owner& owner : owners_) {
        std::string part = absl::StrCat(owner.jurisdiction, " ");
        AppendNumber(owner.percent, part);
        parts.push_back(part + "%");
      }
      return absl::StrCat("[", absl::StrJoin(parts, ", "), "]");
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
    value = spec.type == FactType::kOwners ? OwnersFromJson(json) : ListFromJson(json);
  }
  CARNET_RETURN_IF_ERROR(value);
  CARNET_RETURN_IF_ERROR(CheckValue(spec, *value));
  return value;
}

absl::Status FactSet::Set(FactId id, Value value) {
  CARNET_CHECK(id >= 0 && id < kCounters);
  const FactSpec& spec = FactTable()[static_cast<std::size_t>(id)];
  absl::Status checked = CheckValue(spec, value);
  if (checked.ok() && id == kAt) {
    checked = absl::InvalidArgumentError(Expected(FactType::kTime));
  }
  if (!checked.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("fact ", spec.path, ": ", checked.message()));
  }
  facts_[static_cast<std::size_t>(id)] = std::move(value);
  return absl::OkStatus();
}

absl::Status FactSet::Set(absl::string_view path, Value value) {
  const FactId id = FindFact(path);
  if (id == kNoFact) {
    return absl::InvalidArgumentError(absl::StrCat("no fact is called '", path, "'"));
  }
  if (id != kCounters) {
    return Set(id, std::move(value));
  }
  if (const absl::Status checked = CheckValue(CounterSpec(), value); !checked.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("fact ", path, ": ", checked.message()));
  }
  const auto found = counters_.find(path);
  if (value.is_unknown()) {
    if (found != counters_.end()) {
      counters_.erase(found);
    }
    return absl::OkStatus();
  }
  if (found == counters_.end() && counters_.size() >= kFactCountersMax) {
    return absl::InvalidArgumentError(absl::StrCat("more than ", kFactCountersMax, " counters"));
  }
  counters_[std::string(path)] = std::move(value);
  return absl::OkStatus();
}

const Value& FactSet::Get(FactId id) const {
  CARNET_CHECK(id >= 0 && id < kCounters);
  return facts_[static_cast<std::size_t>(id)];
}

const Value& FactSet::GetCounter(absl::string_view path) const {
  static const Value& unknown = *new Value();
  static const Value& zero = *new Value(Value::Number(0));
  const auto found = counters_.find(path);
  if (found != counters_.end()) {
    return found->second;
  }
  return counters_zero_ ? zero : unknown;
}

const Value& FactSet::Get(absl::string_view path) const {
  const FactId id = FindFact(path);
  return id == kNoFact || id == kCounters ? GetCounter(path) : Get(id);
}

std::vector<std::pair<std::string, Value>> FactSet::Known() const {
  std::vector<std::pair<std::string, Value>> known;
  const std::vector<FactSpec>& table = FactTable();
  auto counter = counters_.begin();
  for (std::size_t i = 0; i < kFactCount; ++i) {
    for (; counter != counters_.end() && counter->first < table[i].path; ++counter) {
      known.emplace_back(counter->first, counter->second);
    }
    if (!facts_[i].is_unknown()) {
      known.emplace_back(table[i].path, facts_[i]);
    }
  }
  return known;
}

std::string FactSet::CanonicalJson() const {
  std::string out;
  out.reserve(1024);
  const char* separator = "{";
  const auto append = [&out, &separator](absl::string_view path, const Value& value) {
    absl::StrAppend(&out, separator, "\"", path, "\":");
    AppendValue(value, out);
    separator = ",";
  };
  const std::vector<FactSpec>& table = FactTable();
  for (std::size_t i = 0; i < kFactCount; ++i) {
    if (i == kRecipientCertifications) {  // "people." sorts before "recipient."
      for (const auto& counter : counters_) {
        append(counter.first, counter.second);
      }
    }
    if (!facts_[i].is_unknown()) {
      append(table[i].path, facts_[i]);
    }
  }
  if (out.empty()) {
    return "{}";
  }
  out += '}';
  return out;
}

Digest FactSet::Sha256() const {
  return crypto::Sha256(AsBytes(CanonicalJson()));
}

absl::StatusOr<FactSet> FactSet::FromJsonValue(const nlohmann::json& object) {
  if (!object.is_object()) {
    return absl::InvalidArgumentError("facts are a JSON object of paths and values");
  }
  FactSet facts;
  for (const auto& item : object.items()) {
    const FactSpec* spec = FindFactSpec(item.key());
    if (spec == nullptr) {
      return absl::InvalidArgumentError(absl::StrCat("no fact is called '", item.key(), "'"));
    }
    absl::StatusOr<Value> value = ValueFromJson(*spec, item.value());
    if (!value.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("fact ", item.key(), ": ", value.status().message()));
    }
    CARNET_RETURN_IF_ERROR(facts.Set(item.key(), *std::move(value)));
  }
  return facts;
}

absl::StatusOr<FactSet> FactSet::FromJson(absl::string_view json) {
  CARNET_ASSIGN_OR_RETURN(const nlohmann::json object, ParseJson(json, kFactsJsonBytesMax, 4));
  return FromJsonValue(object);
}

}  // namespace carnet::policies
