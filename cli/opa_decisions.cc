#include "cli/opa_decisions.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace carnet::cli {
namespace {

using nlohmann::json;

std::string TextOf(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (!object.is_object() || found == object.end()) {
    return "";
  }
  return found->is_string() ? found->get<std::string>() : found->dump();
}

json PartOf(const json& object, const char* key) {
  return object.is_object() ? object.value(key, json()) : json();
}

// OPERATION_SEND_MODEL -> send_model.
std::string Word(const json& object, const char* key, absl::string_view prefix) {
  return absl::AsciiStrToLower(absl::StripPrefix(TextOf(object, key), prefix));
}

// Bytes of a statement are base64.
std::string HexOf(const json& object, const char* key) {
  std::string bytes;
  return absl::Base64Unescape(TextOf(object, key), &bytes) ? absl::BytesToHexString(bytes) : "";
}

class Collector {
 public:
  Collector(std::uint64_t index, const json& predicate, const std::string& federation)
      : index_(index), predicate_(predicate), federation_(federation) {}

  // `worker`: of the part of the record that holds it.
  void Walk(const json& node, std::string worker) {
    if (node.is_array()) {
      for (const json& item : node) {
        Walk(item, worker);
      }
      return;
    }
    if (!node.is_object()) {
      return;
    }
    if (const std::string own = TextOf(node, "worker_id"); !own.empty()) {
      worker = own;
    }
    for (const auto& [key, value] : node.items()) {
      if (key == "authorisations" && value.is_array()) {
        for (const json& one : value) {
          AddAllowed(one, worker);
        }
      } else if (key == "decisions" && value.is_array()) {
        for (const json& one : value) {
          Add(one, one, TextOf(one, "id"), Word(one, "verdict", "VERDICT_"), worker);
        }
      } else {
        Walk(value, worker);
      }
    }
  }

  std::vector<json> Take() { return std::move(events_); }

 private:
  void AddAllowed(const json& one, const std::string& worker) {
    Add(one, PartOf(predicate_, "basis"), TextOf(one, "decision_id"), "allow", worker);
  }

  // `basis` has the time and the bundle, `one` the rest.
  void Add(const json& one, const json& basis, const std::string& id, const std::string& verdict,
           const std::string& worker) {
    const json flow = PartOf(one, "flow");
    if (id.empty() || !flow.is_object()) {
      return;
    }
    const std::string operation = Word(flow, "operation", "OPERATION_");
    json result = {{"allow", verdict == "allow"}, {"verdict", verdict}};
    for (const char* key : {"rules", "exceptions", "obligations", "failures", "warnings"}) {
      if (json part = PartOf(one, key); !part.is_null()) {
        result[key] = std::move(part);
      }
    }
    json input = {{"op", operation},
                  {"artifact", Word(flow, "artifact", "ARTIFACT_KIND_")},
                  {"facts_sha256", HexOf(one, "facts_sha256")},
                  {"record", index_}};
    for (const char* key : {"from", "to", "recipient", "label_class"}) {
      input[key] = TextOf(flow, key);
    }
    input["job"] = TextOf(predicate_, "job_id");
    input["worker"] = worker;
    const std::string at = TextOf(basis, "at");
    events_.push_back(
        {{"labels", {{"app", "carnet"}, {"id", federation_}}},
         {"decision_id", id},
         {"bundles",
          {{"carnet",
            {{"revision",
              absl::StrCat(TextOf(basis, "revision"), "@", HexOf(basis, "bundle_sha256"))}}}}},
         {"path", absl::StrCat("carnet/", operation)},
         {"input", std::move(input)},
         {"result", std::move(result)},
         {"requested_by", worker},
         {"timestamp", at.empty() ? TextOf(PartOf(predicate_, "common"), "at") : at}});
  }

  const std::uint64_t index_;
  const json& predicate_;
  const std::string& federation_;
  std::vector<json> events_;
};

}  // namespace

std::vector<json> OpaDecisions(const json& statement, std::uint64_t index,
                               const std::string& federation) {
  const json predicate = PartOf(statement, "predicate");
  Collector collector(index, predicate, federation);
  collector.Walk(predicate, "");
  return collector.Take();
}

}  // namespace carnet::cli
