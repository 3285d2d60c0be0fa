// Secrets on disk: one file for each, `<directory>/<id>.key`, mode 0600, owned by the user who runs
// the process. A file is two lines of text, `carnet <kind> v1` and the secret in base64, so that a
// key of another kind is refused instead of used. The only files of this room.
#ifndef CARNET_CRYPTO_KEY_FILES_H_
#define CARNET_CRYPTO_KEY_FILES_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "crypto/secret_bytes.h"

namespace carnet::crypto {

enum class KeyKind {
  kEd25519,      // 32-byte seed
  kX25519,       // 32-byte private key
  kP256,         // PKCS#8 PEM
  kDataKey,      // 32 bytes, for crypto/sealed.h or crypto/aead.h
  kBearerToken,  // 16 to 64 bytes: a credential that is shown to a peer
};

inline constexpr std::size_t kKeyIdBytesMax = 64;
inline constexpr std::size_t kKeySecretBytesMax = 4096;
inline constexpr std::size_t kKeyFilesMax = 100'000;

// The secrets of one directory. One process at a time writes there (its state lock sees to that);
// calls are otherwise thread-safe for different ids.
//
// Errors everywhere: INVALID_ARGUMENT an id that is not [a-z0-9-]{1,64}. FAILED_PRECONDITION a
// directory or file that is not the user's own, that others may read or write, or that is not a
// plain file. Those of base/files.h.
class KeyFiles {
 public:
  // Makes `directory` with mode 0700 where it does not exist; its parent must.
  static absl::StatusOr<KeyFiles> Open(absl::string_view directory);

  // Writes the secret durably: when this returns OK it survives a power cut; after a crash before
  // that there is the whole file or none. Errors: ALREADY_EXISTS the id is taken (never
  // overwritten). INVALID_ARGUMENT a secret of the wrong size.
  absl::Status Create(absl::string_view id, KeyKind kind, const SecretBytes& secret) const;

  // Errors: NOT_FOUND. INVALID_ARGUMENT a key of another kind. DATA_LOSS the file is malformed.
  absl::StatusOr<SecretBytes> Read(absl::string_view id, KeyKind kind) const;

  absl::StatusOr<bool> Exists(absl::string_view id) const;

  // Overwrites, fsyncs, unlinks, and fsyncs the directory. OK too if there is no such file, so that
  // it can be repeated after a crash. What SSDs and snapshots keep of overwritten blocks is beyond
  // it.
  absl::Status Destroy(absl::string_view id) const;

  // Ids of the files in order of bytes. Other names in the directory are left alone.
  // RESOURCE_EXHAUSTED: over kKeyFilesMax.
  absl::StatusOr<std::vector<std::string>> List() const;

  // Destroys what a Create that crashed left behind. To be called at start, by the process that
  // holds the state lock.
  absl::Status RemoveLeftovers() const;

  const std::string& directory() const { return directory_; }

 private:
  explicit KeyFiles(std::string directory);
  std::string PathOf(absl::string_view id) const;
  std::string directory_;
};

}  // namespace carnet::crypto

#endif  // CARNET_CRYPTO_KEY_FILES_H_
