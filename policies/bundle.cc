#include "policies/bundle.h"

#include <utility>

#include "crypto/hash.h"
#include "policies/compiled.h"
#include "policies/source.h"

namespace carnet::policies {

Bundle::Bundle(BundleHead head, std::shared_ptr<const BundleSource> source,
               std::shared_ptr<const CompiledBundle> compiled, std::string canonical_json)
    : head_(std::move(head)),
      source_(std::move(source)),
      compiled_(std::move(compiled)),
      canonical_json_(std::move(canonical_json)),
      sha256_(crypto::Sha256(AsBytes(canonical_json_))) {}

const std::string& Bundle::home() const {
  return compiled_->home;
}

std::vector<std::string> Bundle::PolicyNames() const {
  std::vector<std::string> names;
  for (const Policy& policy : compiled_->policies) {
    names.push_back(policy.name);
  }
  return names;
}

std::size_t Bundle::rule_count() const {
  return compiled_->rule_count;
}

}  // namespace carnet::policies
