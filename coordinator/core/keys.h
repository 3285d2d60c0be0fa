// Words and limits of the coordinator's own keys and of the vault.
#ifndef CARNET_COORDINATOR_CORE_KEYS_H_
#define CARNET_COORDINATOR_CORE_KEYS_H_

#include <cstddef>

namespace carnet::coordinator {

// The kind of key-rotated that this version makes; also the id of the founding key's file.
inline constexpr char kStatementKind[] = "statement";

// On record in one ledger; readers follow no more.
inline constexpr std::size_t kRotationsMax = 1024;

// The field of user-enrolled whose value is in the vault: the person's display name.
inline constexpr char kErasableName[] = "name";

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_CORE_KEYS_H_
