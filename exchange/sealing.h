// Sealing to a file and opening from one, as streams: memory does not grow with the artifact.
// Blocking file work: call on a thread that may block. Functions share nothing; any thread.
#ifndef CARNET_EXCHANGE_SEALING_H_
#define CARNET_EXCHANGE_SEALING_H_

#include <cstdint>
#include <filesystem>
#include <functional>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/bytes.h"
#include "crypto/sealed.h"
#include "crypto/secret_bytes.h"
#include "exchange/artifact.h"

namespace carnet::exchange {

struct SealedFile {
  Digest sealed_sha256{};
  std::uint64_t sealed_bytes = 0;
};

// Seals `header.fields.plaintext_bytes` bytes under the header and writes the sealed message to
// `to`, whose digest is computed in the same pass. Durable on return (file and name); a crash
// before leaves at most `to`.partial, which the next call replaces. An existing `to` is replaced in
// one step.
//
// read_plain: called in ascending order of offsets, without gaps or overlaps.
// salt:       never the same again under this data key unless for the identical plaintext. Must
// equal
//             header.fields.salt where that is set.
// Errors: INVALID_ARGUMENT sizes or salt that do not fit. Those of `read_plain` and base/files.h
// (RESOURCE_EXHAUSTED: disk full). After an error nothing is left.
absl::StatusOr<SealedFile> SealToFile(const Header& header, const crypto::SecretBytes& data_key,
                                      const crypto::SealedSalt& salt,
                                      const crypto::ReadAt& read_plain,
                                      const std::filesystem::path& to);
// The plaintext is a file of exactly plaintext_bytes. Error FAILED_PRECONDITION: it has another
// size.
absl::StatusOr<SealedFile> SealFile(const Header& header, const crypto::SecretBytes& data_key,
                                    const crypto::SealedSalt& salt,
                                    const std::filesystem::path& plain,
                                    const std::filesystem::path& to);

// An opener for the sealed message of `sealed_bytes` bytes that `read_sealed` reads.
// Errors: INVALID_ARGUMENT `sealed_bytes` is no message's size, or not that of
// header.fields.plaintext_bytes. FAILED_PRECONDITION another data key, header or salt. Those of
// `read_sealed`.
absl::StatusOr<crypto::ChunkOpener> MakeOpener(const Header& header,
                                               const crypto::SecretBytes& data_key,
                                               std::uint64_t sealed_bytes,
                                               const crypto::ReadAt& read_sealed);

// Takes authentic plaintext in ascending order.
using PlainSink = std::function<absl::Status(ByteView plain)>;

// Opens every chunk in order. What the sink got is the whole message only when this returns OK.
// Errors: those of MakeOpener; DATA_LOSS a chunk is not the one that was sealed; those of the
// callbacks.
absl::Status OpenSealed(const Header& header, const crypto::SecretBytes& data_key,
                        std::uint64_t sealed_bytes, const crypto::ReadAt& read_sealed,
                        const PlainSink& sink);

// Opens a sealed file into `to` and returns the plaintext's SHA-256. `to` appears whole or not at
// all; it is not fsynced: plaintext lives in private, often memory-backed directories only.
absl::StatusOr<Digest> OpenFile(const Header& header, const crypto::SecretBytes& data_key,
                                const std::filesystem::path& sealed,
                                const std::filesystem::path& to);

}  // namespace carnet::exchange

#endif  // CARNET_EXCHANGE_SEALING_H_
