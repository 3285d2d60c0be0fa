// Names of the parties (SPIFFE-ID §2), as certificates and records carry them:
//   spiffe://<trust-domain>/coordinator
//   spiffe://<trust-domain>/region/<region>/supplier/<supplier>/worker/<slot>
//   spiffe://<trust-domain>/user/<user>
// One party has one text: nothing is case-folded, percent-decoded or normalised. Pure; thread-safe.
#ifndef CARNET_CRYPTO_SPIFFE_H_
#define CARNET_CRYPTO_SPIFFE_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace carnet::crypto {

// Leaves room for `coordinator.` in a DNS name of 253 bytes.
inline constexpr std::size_t kTrustDomainBytesMax = 200;
// Region, supplier, slot and user, each [a-z0-9-].
inline constexpr std::size_t kSpiffeSegmentBytesMax = 32;
inline constexpr std::size_t kSpiffeIdBytesMax = 400;

enum class SpiffeKind { kCoordinator, kWorker, kUser };

class SpiffeId {
 public:
  // Errors INVALID_ARGUMENT: a trust domain that is not a lower-case DNS name (labels of [a-z0-9-],
  // 1 to 63 bytes, no hyphen at their ends, joined by dots) of at most kTrustDomainBytesMax; a
  // segment that is not [a-z0-9-]{1,32}.
  static absl::StatusOr<SpiffeId> Coordinator(absl::string_view trust_domain);
  static absl::StatusOr<SpiffeId> Worker(absl::string_view trust_domain, absl::string_view region,
                                         absl::string_view supplier, absl::string_view slot);
  static absl::StatusOr<SpiffeId> User(absl::string_view trust_domain, absl::string_view user);
  // Error INVALID_ARGUMENT: anything but the text that ToString() gives for one of the above.
  static absl::StatusOr<SpiffeId> Parse(absl::string_view text);

  SpiffeKind kind() const { return kind_; }
  const std::string& trust_domain() const { return trust_domain_; }
  // Empty unless kWorker.
  const std::string& region() const { return region_; }
  const std::string& supplier() const { return supplier_; }
  const std::string& slot() const { return slot_; }
  // Empty unless kUser.
  const std::string& user() const { return user_; }

  // With scheme and trust domain.
  std::string ToString() const;
  // From the first slash of the path on: `/region/sg/supplier/lion/worker/sg-1`. Aggregation orders
  // by its bytes.
  std::string Path() const;
  // The last segment: slot, user or `coordinator`.
  std::string Name() const;

  bool operator==(const SpiffeId&) const = default;

 private:
  SpiffeId() = default;
  SpiffeKind kind_ = SpiffeKind::kCoordinator;
  std::string trust_domain_, region_, supplier_, slot_, user_;
};

// Whether `text` is a trust domain as above.
bool IsTrustDomain(absl::string_view text);
// Whether `text` is a segment as above.
bool IsSpiffeSegment(absl::string_view text);

}  // namespace carnet::crypto

#endif  // CARNET_CRYPTO_SPIFFE_H_
