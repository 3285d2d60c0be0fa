#include "policies/exceptions.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/json.h"
#include "base/status.h"
#include "crypto/hash.h"
#include "policies/compiled.h"
#include "policies/node_json.h"
#include "policies/source.h"

namespace carnet::policies {
namespace {

using Name = std::pair<std::string, std::string>;  // policy, exception

absl::StatusOr<std::string> TermsOf(const BundleSource& source, absl::string_view name) {
  const Name parts = absl::StrSplit(name, absl::MaxSplits('/', 1));
  for (const Document& document : source.policies) {
    const yaml::Node* const policy = document.root.Find("policy");
    const yaml::Node* const exceptions = document.root.Find("exceptions");
    if (policy == nullptr || policy->text != parts.first || exceptions == nullptr) {
      continue;
    }
    for (const yaml::Node& exception : exceptions->items) {
      const yaml::Node* const id = exception.Find("id");
      if (id != nullptr && id->text == parts.second) {
        return CanonicalJson({{"exception", ToJson(exception)}, {"policy", parts.first}});
      }
    }
  }
  return absl::NotFoundError("policy: no such exception; write <policy>/<exception>");
}

}  // namespace

std::vector<ApprovedException> ReadExceptions(const BundleSource& source,
                                              const CompiledBundle& compiled) {
  std::vector<ApprovedException> all;
  for (const Policy& policy : compiled.policies) {
    for (const Exception& exception : policy.exceptions) {
      std::string name = absl::StrCat(policy.name, "/", exception.id);
      const absl::StatusOr<std::string> terms = TermsOf(source, name);
      CARNET_CHECK(terms.ok());  // it was compiled from them
      all.push_back({std::move(name), exception.approvers.need, exception.approvers.roles,
                     crypto::Sha256(AsBytes(*terms)), exception.from, exception.to});
    }
  }
  return all;
}

std::optional<ApprovedException> FindException(const Bundle& bundle, absl::string_view name) {
  for (const ApprovedException& exception : ExceptionsOf(bundle)) {
    if (exception.name == name) {
      return exception;
    }
  }
  return std::nullopt;
}

absl::StatusOr<std::string> ExceptionTerms(const Bundle& bundle, absl::string_view name) {
  return TermsOf(bundle.source(), name);
}

}  // namespace carnet::policies
