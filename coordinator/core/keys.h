// Words and limits of the coordinator's own keys and of the vault.
#ifndef CARNET_COORDINATOR_CORE_KEYS_H_
#define CARNET_COORDINATOR_CORE_KEYS_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/core/state.h"

namespace carnet::coordinator {

// The kinds of key-rotated; also the ids of the founding keys' files.
inline constexpr char kStatementKind[] = "statement";
inline constexpr char kLogKind[] = "log";
inline constexpr char kCaKind[] = "ca";

// How long the old key of a log, or the old certificate authority, counts beside the new one: time
// for workers, people, witnesses and auditors to learn the new one.
inline constexpr absl::Duration kOverlapMin = absl::Hours(24);
inline constexpr absl::Duration kOverlapMax = absl::Hours(24 * 90);

// On record in one ledger; readers follow no more.
inline constexpr std::size_t kRotationsMax = 1024;

// The field of user-enrolled whose value is in the vault: the person's display name.
inline constexpr char kErasableName[] = "name";

// The certificate of the authority in force, PEM.
const std::string& AuthorityInForce(const State& state);

// The public half of the key of `kind` that is in force, as key-rotated writes it. Errors:
// INVALID_ARGUMENT an unknown kind; DATA_LOSS a genesis without this key, or with another one's
// certificate.
absl::StatusOr<std::string> PublicKeyInForce(const State& state, const std::string& kind);

// When the key before `rotation` ends to count: its destruction is ordered from then on. Of the
// statement key at once.
absl::Time EndOfOverlap(const Rotation& rotation);

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_KEYS_H_
