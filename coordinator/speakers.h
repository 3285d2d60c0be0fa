// People whose keys lie in the state folder while a log is founded: `carnet init` makes them, and
// `carnet ledger succeed` finds them there. Internal to both.
#ifndef CARNET_COORDINATOR_SPEAKERS_H_
#define CARNET_COORDINATOR_SPEAKERS_H_

#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/rng.h"
#include "crypto/ed25519.h"

namespace google::protobuf {
class Message;
}  // namespace google::protobuf

namespace carnet::coordinator {

// Not thread-safe.
class Speakers {
 public:
  // `rng` outlives it.
  explicit Speakers(Rng& rng) : rng_(rng) {}

  void Add(std::string user_id, std::set<std::string> roles, crypto::Ed25519KeyPair key);

  // Signs the record's `stated` with the key of the first of them who holds one of `roles`. Nobody
  // does: `stated` stays absent, and what the record says unknown. Errors: those of
  // ledger::SignPersonStatement.
  absl::Status Sign(const std::set<std::string>& roles, absl::Time at,
                    google::protobuf::Message* record) const;

 private:
  struct Speaker {
    std::string user_id;
    std::set<std::string> roles;
    crypto::Ed25519KeyPair key;
  };
  Rng& rng_;
  std::vector<Speaker> speakers_;
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_SPEAKERS_H_
