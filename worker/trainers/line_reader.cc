#include "worker/trainers/line_reader.h"

#include <istream>
#include <string>

namespace carnet::trainers {

LineResult ReadLine(std::istream& in, std::size_t bytes_max, std::string& line) {
  using Traits = std::char_traits<char>;
  line.clear();
  if (!in.good()) {
    return in.eof() && !in.bad() ? LineResult::kEnd : LineResult::kFailed;
  }
  std::streambuf* buffer = in.rdbuf();
  // A file's buffer throws when the read below fails (a directory, a bad disk).
  try {
    for (auto c = buffer->sbumpc(); !Traits::eq_int_type(c, Traits::eof()); c = buffer->sbumpc()) {
      if (c == '\n') {
        return LineResult::kLine;
      }
      if (line.size() == bytes_max) {
        return LineResult::kTooLong;
      }
      line.push_back(Traits::to_char_type(c));
    }
  } catch (const std::ios_base::failure&) {
    return LineResult::kFailed;
  }
  in.setstate(std::ios_base::eofbit);
  return line.empty() ? LineResult::kEnd : LineResult::kLine;
}

}  // namespace carnet::trainers
