#include "coordinator/speakers.h"

#include <google/protobuf/message.h>

#include <utility>

#include "base/bytes.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "carnet/v1/records.pb.h"
#include "ledger/person_statement.h"

namespace carnet::coordinator {

void Speakers::Add(std::string user_id, std::set<std::string> roles, crypto::Ed25519KeyPair key) {
  speakers_.push_back({std::move(user_id), std::move(roles), std::move(key)});
}

absl::Status Speakers::Sign(const std::set<std::string>& roles, absl::Time at,
                            google::protobuf::Message* record) const {
  const auto* const field = record->GetDescriptor()->FindFieldByName("stated");
  CARNET_CHECK(field != nullptr);
  for (const Speaker& speaker : speakers_) {
    for (const std::string& role : roles) {
      if (speaker.roles.count(role) == 0) {
        continue;
      }
      v1::PersonStatement stated;
      stated.set_user_id(speaker.user_id);
      stated.set_role(role);
      *stated.mutable_at() = ToTimestamp(at);
      stated.set_nonce(ToString(RandomBytes(rng_, ledger::kStatementNonceBytes)));
      record->GetReflection()->MutableMessage(record, field)->CopyFrom(stated);
      return ledger::SignPersonStatement(speaker.key, record);
    }
  }
  return absl::OkStatus();
}

}  // namespace carnet::coordinator
