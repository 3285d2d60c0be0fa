// Names and generated ids. Records, paths and certificates hold only these, so each has one
// spelling and no character that means something to a shell, a URL, a file system or a terminal.
#ifndef CARNET_BASE_IDS_H_
#define CARNET_BASE_IDS_H_

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace carnet {

// Random bytes in a generated id: 80 bits, so that ids of one federation do not meet by chance.
inline constexpr std::size_t kIdRandomBytes = 10;
// Characters of an id after its prefix and hyphen: 10 bytes in base32 (RFC 4648 §6, lower case).
inline constexpr std::size_t kIdChars = 16;
inline constexpr std::size_t kSlotNameCharsMax = 32;
inline constexpr std::size_t kNameCharsMax = 63;
inline constexpr std::size_t kTrustDomainCharsMax = 255;

// `<prefix>-<16 characters of a-z2-7>`, for example w-7k2m4p5q6rst2uvw. prefix: [a-z]{1,8}.
std::string MakeId(absl::string_view prefix, std::span<const std::uint8_t, kIdRandomBytes> random);

// Whether `text` is an id that MakeId could have made with `prefix`.
bool IsId(absl::string_view prefix, absl::string_view text);

// Each returns INVALID_ARGUMENT, with what is allowed, when `text` is no such name. The message
// never repeats `text`.
//
// Worker slots: [a-z0-9-]{1,32}, not starting with a hyphen (it would read as a flag on a command
// line).
absl::Status ValidateSlotName(absl::string_view text);
// Regions and suppliers are parts of a SPIFFE path, and follow the rule of slots.
absl::Status ValidateRegionName(absl::string_view text);
absl::Status ValidateSupplierName(absl::string_view text);
// Federations, datasets, shards, jobs, trainers and policies: [a-z0-9-]{1,63}, not starting with a
// hyphen.
absl::Status ValidateFederationName(absl::string_view text);
absl::Status ValidateDatasetName(absl::string_view text);
absl::Status ValidateShardName(absl::string_view text);
absl::Status ValidateJobName(absl::string_view text);
absl::Status ValidateTrainerName(absl::string_view text);
// A SPIFFE trust domain that is also a DNS name (RFC 1123): labels of [a-z0-9-]{1,63}, neither
// starting nor ending with a hyphen, joined by dots, at most 255 characters.
absl::Status ValidateTrustDomain(absl::string_view text);

}  // namespace carnet

#endif  // CARNET_BASE_IDS_H_
