// Lines of bounded length from a stream.
#ifndef CARNET_WORKER_TRAINERS_LINE_READER_H_
#define CARNET_WORKER_TRAINERS_LINE_READER_H_

#include <cstddef>
#include <iosfwd>
#include <string>

namespace carnet::trainers {

enum class LineResult {
  kLine,     // `line` holds a line without its LF; the last one may lack it in the stream
  kTooLong,  // more than `bytes_max` bytes; the stream stands inside the line
  kEnd,      // nothing was left
  kFailed,   // the stream could not be read
};

// Never holds more than `bytes_max` bytes. Blocks until a whole line is there.
LineResult ReadLine(std::istream& in, std::size_t bytes_max, std::string& line);

}  // namespace carnet::trainers

#endif  // CARNET_WORKER_TRAINERS_LINE_READER_H_
