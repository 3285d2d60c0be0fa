// cli/output.h
#include "cli/output.h"

#include <catch2/catch.hpp>
#include <sstream>

namespace carnet::cli {
namespace {

CommandContext ContextOn(std::ostream& out, bool terminal) {
  CommandContext context;
  context.out = &out;
  context.err = &out;
  context.out_is_terminal = terminal;
  context.colour = terminal;
  return context;
}

}  // namespace

TEST_CASE("Output: sizes are decimal with one digit, and never 1000 of a unit") {
  CHECK(FormatBytes(0) == "0 B");
  CHECK(FormatBytes(999) == "999 B");
  CHECK(FormatBytes(1000) == "1.0 KB");
  CHECK(FormatBytes(12345) == "12.3 KB");
  CHECK(FormatBytes(999949) == "999.9 KB");
  CHECK(FormatBytes(999950) == "1.0 MB");
  CHECK(FormatBytes(200'000'000'000) == "200.0 GB");
}

TEST_CASE("Output: numbers keep four significant digits") {
  CHECK(FormatNumber(0.861111) == "0.8611");
  CHECK(FormatNumber(12.3456) == "12.35");
  CHECK(FormatNumber(1) == "1");
}

TEST_CASE("Output: a digest is shortened, and nothing is a hyphen") {
  CHECK(ShortDigest(Bytes(32, 0xab)) == "abababababab");
  CHECK(ShortDigest({}) == "-");
}

TEST_CASE("Output: metrics stand in the order of their names") {
  CHECK(FormatMetrics({{"loss", 0.62}, {"accuracy", 0.861}}) == "accuracy 0.861, loss 0.62");
  CHECK(FormatMetrics({}).empty());
}

TEST_CASE("Output: a table has columns as wide as their widest cell and no trailing spaces") {
  Table table({"JOB", "STATE"});
  CHECK(table.empty());
  table.Add({"j-1", "waiting: too few"});
  table.Add({"DE→FR-long", "ok"});
  CHECK(table.ToString() ==
        "JOB         STATE\n"
        "j-1         waiting: too few\n"
        "DE→FR-long  ok\n");
}

TEST_CASE("Output: colours only where the terminal shows them") {
  std::ostringstream out;
  CHECK(Coloured(ContextOn(out, false), Colour::kBad, "no") == "no");
  CHECK(Coloured(ContextOn(out, true), Colour::kBad, "no") == "\x1b[31mno\x1b[0m");
}

TEST_CASE("Output: a bar is full at 1 and never leaves its width") {
  CHECK(Bar(0, 4) == "────");
  CHECK(Bar(0.5, 4) == "━━──");
  CHECK(Bar(1, 4) == "━━━━");
  CHECK(Bar(7, 4) == "━━━━");
}

TEST_CASE("Output: a progress line moves on a terminal and says nothing elsewhere") {
  std::ostringstream file;
  {
    ProgressLine line(ContextOn(file, false));
    line.Show("half");
    line.Print("a line");
  }
  CHECK(file.str() == "a line\n");
  std::ostringstream terminal;
  {
    ProgressLine line(ContextOn(terminal, true));
    line.Show("half");
    line.Print("a line");
    line.Show("whole");
  }
  CHECK(terminal.str() == "\r\x1b[Khalf\r\x1b[Ka line\n\r\x1b[Kwhole\r\x1b[K");
}

TEST_CASE("Output: no progress line between JSON lines") {
  std::ostringstream out;
  CommandContext context = ContextOn(out, true);
  context.json = true;
  ProgressLine line(context);
  line.Show("half");
  CHECK(out.str().empty());
}

}  // namespace carnet::cli
