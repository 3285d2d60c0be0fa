#include "policies/facts.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/json.h"
#include "base/json_text.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "policies/counters.h"

namespace carnet::policies {
namespace {

constexpr char kUnknownWord[] = "unknown";
constexpr char kNotApplicableWord[] = "not_applicable";
// Values hold printable ASCII only (CheckValue), so two characters need an escape.
void AppendText(absl::string_view text, std::string& out) {
  out += '"';
  while (true) {
    const std::size_t plain = PlainChars(text);
    out.append(text.data(), plain);
    if (plain == text.size()) {
      break;
    }
    if (text[plain] == '"' || text[plain] == '\\') {
      out += '\\';
    }
    out += text[plain];
    text.remove_prefix(plain + 1);
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
      AppendDecimal(value.number(), out);
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
    case Value::Kind::kApprovals: {
      const char* separator = "[";
      for (const Approval& approval : value.approvals()) {
        absl::StrAppend(&out, separator, "{\"person\":");
        AppendText(approval.person, out);
        out += ",\"role\":";
        AppendText(approval.role, out);
        out += ",\"rule\":";
        AppendText(approval.rule, out);
        out += '}';
        separator = ",";
      }
      out += value.approvals().empty() ? "[]" : "]";
      return;
    }
    case Value::Kind::kOwners: {
      const char* separator = "[";
      for (const Owner& owner : value.owners()) {
        absl::StrAppend(&out, separator, "{\"jurisdiction\":");
        AppendText(owner.jurisdiction, out);
        out += ",\"percent\":";
        AppendDecimal(owner.percent, out);
        out += '}';
        separator = ",";
      }
      out += value.owners().empty() ? "[]" : "]";
      return;
    }
  }
}

// "path":
std::string MemberOf(absl::string_view path) {
  return absl::StrCat("\"", path, "\":");
}

const std::vector<std::string>& MembersOfTable() {
  static const auto& members = *new std::vector<std::string>([] {
    std::vector<std::string> made;
    for (const FactSpec& spec : FactTable()) {
      made.push_back(MemberOf(spec.path));
    }
    return made;
  }());
  return members;
}

}  // namespace

absl::Status FactSet::Set(FactId id, Value value) {
  CARNET_CHECK(id >= 0 && id < kCounters);
  const FactSpec& spec = FactTable()[static_cast<std::size_t>(id)];
  absl::Status checked = CheckValue(spec, value);
  if (checked.ok() && id == kAt) {
    checked = absl::InvalidArgumentError("the time of a decision is given by the engine");
  }
  if (!checked.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("fact ", spec.path, ": ", checked.message()));
  }
  bits_[static_cast<std::size_t>(id)] = WordBits(spec, value);
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
  const std::string counter = CanonicalCounter(path);
  const auto found = counters_.find(counter);
  if (value.is_unknown()) {
    if (found != counters_.end()) {
      counters_.erase(found);
    }
    return absl::OkStatus();
  }
  if (found == counters_.end() && counters_.size() >= kFactCountersMax) {
    return absl::InvalidArgumentError(absl::StrCat("more than ", kFactCountersMax, " counters"));
  }
  counters_[counter] = std::move(value);
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
  if (counters_any_window_) {
    const auto any = counters_.find(path.substr(0, path.find(kCounterWindowMark)));
    if (any != counters_.end()) {
      return any->second;
    }
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
  out.reserve(2048);
  const auto append = [&out](const std::string& member, const Value& value) {
    out += out.empty() ? '{' : ',';
    out += member;
    AppendValue(value, out);
  };
  const std::vector<std::string>& members = MembersOfTable();
  for (std::size_t i = 0; i < kFactCount; ++i) {
    if (i == kRecipientCertifications) {  // "people." sorts before "recipient."
      for (const auto& counter : counters_) {
        append(MemberOf(counter.first), counter.second);
      }
    }
    if (!facts_[i].is_unknown()) {
      append(members[i], facts_[i]);
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
