#include "base/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace carnet {
namespace {

constexpr int kGzipWindow = 15 + 16;  // the largest window, in gzip's frame
constexpr int kMemoryLevel = 8;       // zlib's default
constexpr std::size_t kStepBytes = std::size_t{64} * 1024;

// zlib's interface takes the input without const and never writes it.
void SetInput(z_stream& stream, absl::string_view text) {
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
}

absl::Status TooLong() {
  return absl::ResourceExhaustedError("gzip: longer than the limit");
}

bool FitsZlib(std::size_t size) {
  return size <= std::numeric_limits<uInt>::max();
}

// The weight of `; q=0.5`; 1 without one. Nothing: malformed.
std::optional<double> WeightOf(absl::string_view parameters) {
  if (parameters.empty()) {
    return 1;
  }
  double weight = 0;
  if (!absl::StartsWithIgnoreCase(parameters, "q=") ||
      !absl::SimpleAtod(parameters.substr(2), &weight) || !(weight >= 0 && weight <= 1)) {
    return std::nullopt;
  }
  return weight;
}

}  // namespace

absl::StatusOr<std::string> Gzip(absl::string_view text) {
  z_stream stream{};
  if (!FitsZlib(text.size()) ||
      deflateInit2_(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, kGzipWindow, kMemoryLevel,
                    Z_DEFAULT_STRATEGY, ZLIB_VERSION, sizeof(stream)) != Z_OK) {
    return absl::ResourceExhaustedError("gzip: too much to compress");
  }
  std::string out(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
  SetInput(stream, text);
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = deflate(&stream, Z_FINISH);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) {
    return absl::ResourceExhaustedError("gzip: too much to compress");
  }
  return out;
}

absl::StatusOr<std::string> Gunzip(absl::string_view gzip, std::size_t bytes_max) {
  z_stream stream{};
  if (!FitsZlib(gzip.size()) ||
      inflateInit2_(&stream, kGzipWindow, ZLIB_VERSION, sizeof(stream)) != Z_OK) {
    return TooLong();
  }
  SetInput(stream, gzip);
  std::string out;
  int result = Z_OK;
  while (result == Z_OK) {
    const std::size_t before = out.size();
    // One byte beyond the limit tells a text that is too long from one that just fits.
    const std::size_t step = std::min(kStepBytes, bytes_max - before + 1);
    out.resize(before + step);
    stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream.avail_out = static_cast<uInt>(step);
    result = inflate(&stream, Z_NO_FLUSH);
    out.resize(before + step - stream.avail_out);
    if (out.size() > bytes_max) {
      inflateEnd(&stream);
      return TooLong();
    }
  }
  const bool whole = result == Z_STREAM_END && stream.avail_in == 0;
  inflateEnd(&stream);
  if (!whole) {
    return absl::InvalidArgumentError("gzip: malformed, cut off, or more than one");
  }
  return out;
}

bool AcceptsGzip(absl::string_view accept_encoding) {
  std::optional<double> named;
  std::optional<double> any;
  for (absl::string_view item : absl::StrSplit(accept_encoding, ',')) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(item, absl::MaxSplits(';', 1));
    const absl::string_view coding = absl::StripAsciiWhitespace(parts.first);
    const std::optional<double> weight = WeightOf(absl::StripAsciiWhitespace(parts.second));
    if (absl::EqualsIgnoreCase(coding, "gzip") || absl::EqualsIgnoreCase(coding, "x-gzip")) {
      named = weight.value_or(0);
    } else if (coding == "*") {
      any = weight.value_or(0);
    }
  }
  return named.value_or(any.value_or(0)) > 0;
}

}  // namespace carnet
