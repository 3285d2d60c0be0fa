// What both writers of JSON share. Internal to base/.
#ifndef CARNET_BASE_JSON_TEXT_H_
#define CARNET_BASE_JSON_TEXT_H_

#include <string>

#include "absl/strings/string_view.h"

namespace carnet {

// Appends `text` in quotes, escaped as RFC 8785 §3.2.2.2 says, which is also how nlohmann::json
// writes it. False: it is not UTF-8; nothing was appended.
bool AppendJsonString(absl::string_view text, std::string* out);

}  // namespace carnet

#endif  // CARNET_BASE_JSON_TEXT_H_
