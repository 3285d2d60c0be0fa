// A bundle: the policies, groups and tests that are in force together. Immutable once loaded and
// therefore safe to share between threads; a decision holds on to the one it started with.
#ifndef CARNET_POLICIES_BUNDLE_H_
#define CARNET_POLICIES_BUNDLE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/bytes.h"
#include "policies/counters.h"

namespace carnet::policies {

inline constexpr std::size_t kBundleJsonBytesMax = std::size_t{512} << 10;
inline constexpr std::size_t kBundleFilesMax = 256;
inline constexpr std::size_t kPoliciesMax = 256;
inline constexpr std::size_t kRulesMax = 4096;  // of all policies together
inline constexpr absl::Duration kBundleValidityMax = absl::Hours(90 * 24);

// What makes a bundle of policies the one that is in force. Whole seconds.
struct BundleHead {
  std::uint64_t revision = 0;    // 0: not issued, as read from a folder
  std::optional<Digest> parent;  // digest of the bundle before; none for the first
  absl::Time valid_from = absl::InfinitePast();
  absl::Time valid_to = absl::InfiniteFuture();  // exclusive
  friend bool operator==(const BundleHead&, const BundleHead&) = default;
};

struct CompiledBundle;     // policies/compiled.h: the index that Evaluate walks
struct BundleSource;       // policies/source.h: what the bundle was made from
struct ApprovedException;  // policies/exceptions.h

class Bundle {
 public:
  // Made by policies/loader.h only.
  Bundle(BundleHead head, std::shared_ptr<const BundleSource> source,
         std::shared_ptr<const CompiledBundle> compiled, std::string canonical_json);

  const BundleHead& head() const { return head_; }
  std::uint64_t revision() const { return head_.revision; }
  // The home jurisdiction; empty if the groups name none.
  const std::string& home() const;
  // Names of the policies, sorted.
  std::vector<std::string> PolicyNames() const;
  std::size_t rule_count() const;
  // Every counter that a rule reads, each with its window; sorted by their paths.
  const std::vector<Counter>& counters() const { return counters_; }
  // Some condition reads bridge.opa, so somebody has to ask for it.
  bool reads_bridge() const { return reads_bridge_; }
  // <policy>/<exception> of every exception that lifts nothing before persons approved it.
  std::vector<std::string> ExceptionsWithApprovals() const;
  // The same in full (policies/exceptions.h, ExceptionsOf), made once: each decision asks for them.
  const std::vector<ApprovedException>& exceptions() const { return *exceptions_; }

  // RFC 8785 JSON of everything above, tests included; at most kBundleJsonBytesMax.
  const std::string& CanonicalJson() const { return canonical_json_; }
  // SHA-256 of CanonicalJson().
  const Digest& sha256() const { return sha256_; }

  // The same policies under the same digest, valid at any time: to ask what the policies say on a
  // day for which the bundle was not issued. Never one that lets anything cross.
  std::shared_ptr<const Bundle> ValidForEver() const;

  const CompiledBundle& compiled() const { return *compiled_; }
  const BundleSource& source() const { return *source_; }

 private:
  BundleHead head_;
  std::shared_ptr<const BundleSource> source_;
  std::shared_ptr<const CompiledBundle> compiled_;
  std::vector<Counter> counters_;
  bool reads_bridge_ = false;
  std::shared_ptr<const std::vector<ApprovedException>> exceptions_;
  std::string canonical_json_;
  Digest sha256_;
};

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_BUNDLE_H_
