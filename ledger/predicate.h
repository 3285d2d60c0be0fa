// The parsed predicate of any record: one message of the closed list, as a value.
#ifndef CARNET_LEDGER_PREDICATE_H_
#define CARNET_LEDGER_PREDICATE_H_

#include <concepts>
#include <memory>
#include <utility>

#include "base/status.h"
#include "ledger/record_types.h"

namespace carnet::ledger {

// One name per message of CARNET_RECORD_TYPES.
enum class RecordKind {
  kNone,
#define CARNET_RECORD_KIND(message, signer) k##message,
  CARNET_RECORD_TYPES(CARNET_RECORD_KIND)
#undef CARNET_RECORD_KIND
};

// The kind of a message type; kNone: it is no record.
template <typename Message>
inline constexpr RecordKind kRecordKindOf = RecordKind::kNone;
#define CARNET_RECORD_KIND(message, signer) \
  template <>                               \
  inline constexpr RecordKind kRecordKindOf<v1::message> = RecordKind::k##message;
CARNET_RECORD_TYPES(CARNET_RECORD_KIND)
#undef CARNET_RECORD_KIND

template <typename Message>
concept RecordMessage = kRecordKindOf<Message>
!= RecordKind::kNone;

// Copied by value, moved by pointer; a copy costs what its message costs. Not a std::variant: the
// special members of one with every record type took longer to compile than most of the files that
// move a record. Thread-compatible.
class Predicate {
 public:
  Predicate() = default;
  template <RecordMessage Message>
  Predicate(Message message)
      : kind_(kRecordKindOf<Message>), message_(std::make_unique<Message>(std::move(message))) {}
  Predicate(const Predicate& other);
  Predicate& operator=(const Predicate& other);
  Predicate(Predicate&& other) noexcept;
  Predicate& operator=(Predicate&& other) noexcept;
  ~Predicate();

  // kNone: default made, or moved from; never that of a record that was opened.
  RecordKind kind() const { return kind_; }
  // Precondition: kind() is not kNone.
  const google::protobuf::Message& message() const;
  google::protobuf::Message& message();

  template <RecordMessage Message>
  bool Is() const {
    return kind_ == kRecordKindOf<Message>;
  }
  // Null: another kind. It lives as long as this value stays as it is.
  template <RecordMessage Message>
  const Message* As() const {
    return Is<Message>() ? static_cast<const Message*>(message_.get()) : nullptr;
  }
  template <RecordMessage Message>
  Message* As() {
    return Is<Message>() ? static_cast<Message*>(message_.get()) : nullptr;
  }

 private:
  RecordKind kind_ = RecordKind::kNone;
  std::unique_ptr<google::protobuf::Message> message_;
};

// Calls visitor(const v1::X&) for the message that is held. Precondition: kind() is not kNone.
template <typename Visitor>
decltype(auto) Visit(const Predicate& predicate, Visitor&& visitor) {
  switch (predicate.kind()) {
#define CARNET_RECORD_CASE(name, signer) \
  case RecordKind::k##name:              \
    return visitor(static_cast<const v1::name&>(predicate.message()));
    CARNET_RECORD_TYPES(CARNET_RECORD_CASE)
#undef CARNET_RECORD_CASE
    case RecordKind::kNone:
      break;
  }
  CARNET_CHECK(false);
}

}  // namespace carnet::ledger

#endif  // CARNET_LEDGER_PREDICATE_H_
