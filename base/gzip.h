// gzip (RFC 1952) of whole texts, as HTTP bodies carry it (RFC 9110 §8.4.1.3). Pure.
#ifndef CARNET_BASE_GZIP_H_
#define CARNET_BASE_GZIP_H_

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace carnet {

// The same text gives the same bytes: no name and no time in them. RESOURCE_EXHAUSTED: no memory.
absl::StatusOr<std::string> Gzip(absl::string_view text);

// Takes no more memory than `bytes_max`, whatever the text says. INVALID_ARGUMENT: not one whole
// gzip member and nothing after it. RESOURCE_EXHAUSTED: longer than `bytes_max`.
absl::StatusOr<std::string> Gunzip(absl::string_view gzip, std::size_t bytes_max);

// Whether an Accept-Encoding header (RFC 9110 §12.5.3) takes gzip: named, or as `*`, with a weight
// above zero.
bool AcceptsGzip(absl::string_view accept_encoding);

}  // namespace carnet

#endif  // CARNET_BASE_GZIP_H_
