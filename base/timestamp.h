// absl::Time and google.protobuf.Timestamp, both in UTC.
#ifndef CARNET_BASE_TIMESTAMP_H_
#define CARNET_BASE_TIMESTAMP_H_

#include <google/protobuf/timestamp.pb.h>

#include "absl/time/time.h"

namespace carnet {

inline absl::Time ToTime(const google::protobuf::Timestamp& timestamp) {
  return absl::FromUnixSeconds(timestamp.seconds()) + absl::Nanoseconds(timestamp.nanos());
}

// Microseconds: finer digits mean nothing in a record.
inline google::protobuf::Timestamp ToTimestamp(absl::Time time) {
  const std::int64_t micros = absl::ToUnixMicros(time);
  google::protobuf::Timestamp timestamp;
  timestamp.set_seconds(micros >= 0 ? micros / 1000000 : -((-micros + 999999) / 1000000));
  timestamp.set_nanos(static_cast<std::int32_t>((micros - timestamp.seconds() * 1000000) * 1000));
  return timestamp;
}

}  // namespace carnet

#endif  // CARNET_BASE_TIMESTAMP_H_
