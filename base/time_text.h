// Times as proto3 JSON writes them. Internal to base/.
#ifndef CARNET_BASE_TIME_TEXT_H_
#define CARNET_BASE_TIME_TEXT_H_

#include <google/protobuf/timestamp.pb.h>

#include <string>

#include "absl/strings/string_view.h"

namespace carnet {

// Whether it is one that proto3 JSON has: of the years 1 to 9999, with 0 to 999,999,999 ns.
bool IsTime(const google::protobuf::Timestamp& time);

// Seconds with 0, 3, 6 or 9 digits behind the point, in UTC: 2026-01-02T03:04:05.100Z.
// REQUIRES: IsTime.
std::string TimeText(const google::protobuf::Timestamp& time);

// The time that TimeText writes so. False: it writes none so; `time` is unspecified.
bool ReadTimeText(absl::string_view text, google::protobuf::Timestamp* time);

}  // namespace carnet

#endif  // CARNET_BASE_TIME_TEXT_H_
