#include "ledger/predicate.h"

namespace carnet::ledger {
namespace {

std::unique_ptr<google::protobuf::Message> CopyOf(const google::protobuf::Message* message) {
  if (message == nullptr) {
    return nullptr;
  }
  std::unique_ptr<google::protobuf::Message> copy(message->New());
  copy->CopyFrom(*message);
  return copy;
}

}  // namespace

Predicate::Predicate(const Predicate& other)
    : kind_(other.kind_), message_(CopyOf(other.message_.get())) {}

Predicate& Predicate::operator=(const Predicate& other) {
  if (this != &other) {
    kind_ = other.kind_;
    message_ = CopyOf(other.message_.get());
  }
  return *this;
}

Predicate::Predicate(Predicate&& other) noexcept
    : kind_(std::exchange(other.kind_, RecordKind::kNone)), message_(std::move(other.message_)) {}

Predicate& Predicate::operator=(Predicate&& other) noexcept {
  kind_ = std::exchange(other.kind_, RecordKind::kNone);
  message_ = std::move(other.message_);
  return *this;
}

Predicate::~Predicate() = default;

const google::protobuf::Message& Predicate::message() const {
  CARNET_CHECK(message_ != nullptr);
  return *message_;
}

google::protobuf::Message& Predicate::message() {
  CARNET_CHECK(message_ != nullptr);
  return *message_;
}

}  // namespace carnet::ledger
