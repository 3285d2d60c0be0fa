#include "base/yaml.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

namespace carnet::yaml {
namespace {

std::string Repeat(absl::string_view text, std::size_t count) {
  std::string result;
  result.reserve(text.size() * count);
  for (std::size_t i = 0; i < count; ++i) {
    result.append(text.data(), text.size());
  }
  return result;
}

std::string ErrorOf(absl::string_view text) {
  const auto node = Parse(text, "f.yaml");
  if (node.ok()) {
    return "accepted";
  }
  CHECK(node.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(node.status().message());
}

TEST_CASE("YAML: scalars are text, in the words of the file") {
  const auto node = Parse(
      "norway: NO\nyes: yes\nnumber: 1.10\noctal: 010\ndate: 2026-11-21\nquoted: \"NO\"\n"
      "single: 'a ''b'''\nempty: \"\"\nblock: |\n  two\n  lines\nfolded: >-\n  one\n  line\n",
      "f.yaml");
  REQUIRE(node.ok());
  REQUIRE(node->is_map());
  CHECK(node->entries.size() == 10);
  CHECK(node->Find("norway")->text == "NO");
  CHECK_FALSE(node->Find("norway")->quoted);
  CHECK(node->Find("yes")->text == "yes");
  CHECK(node->Find("number")->text == "1.10");
  CHECK(node->Find("octal")->text == "010");
  CHECK(node->Find("date")->text == "2026-11-21");
  CHECK(node->Find("quoted")->text == "NO");
  CHECK(node->Find("quoted")->quoted);
  CHECK(node->Find("single")->text == "a 'b'");
  CHECK(node->Find("empty")->text.empty());
  CHECK(node->Find("block")->text == "two\nlines\n");
  CHECK(node->Find("folded")->text == "one line");
  CHECK(node->Find("missing") == nullptr);
}

TEST_CASE("YAML: lists and maps keep their order, in both styles") {
  const auto node = Parse("b: [1, {x: 2}, [3]]\na:\n- 4\n-\n  y: 5\nc: {}\nd: []\n", "f.yaml");
  REQUIRE(node.ok());
  CHECK(node->entries[0].key == "b");
  CHECK(node->entries[1].key == "a");
  const Node& list = *node->Find("b");
  REQUIRE(list.is_list());
  CHECK(list.items[0].text == "1");
  CHECK(list.items[1].Find("x")->text == "2");
  CHECK(list.items[2].items[0].text == "3");
  CHECK(node->Find("a")->items[1].Find("y")->text == "5");
  CHECK(node->Find("c")->is_map());
  CHECK(node->Find("d")->is_list());
}

TEST_CASE("YAML: every node and key knows its line and its column in characters") {
  const auto node = Parse("---\r\n# Grüße\r\ngrüße: {a: 1, ü: [x, yy]}\r\n", "f.yaml");
  REQUIRE(node.ok());
  const Entry& top = node->entries[0];
  CHECK(top.key == "grüße");
  CHECK(top.key_position.line == 3);
  CHECK(top.key_position.column == 1);
  CHECK(top.value.position.column == 8);
  CHECK(top.value.entries[1].key_position.column == 15);
  CHECK(top.value.entries[1].value.position.column == 18);
  CHECK(top.value.entries[1].value.items[1].position.line == 3);
  CHECK(top.value.entries[1].value.items[1].position.column == 22);
}

// A text, and how the error for it starts or what it holds.
const std::pair<const char*, const char*> kRefused[] = {
    {"a: &x 1\n", "f.yaml:1:4: an anchor;"},
    {"a: &x [1]\n", "f.yaml:1:4: an anchor;"},
    {"a: &x {b: 1}\n", "f.yaml:1:4: an anchor;"},
    {"&x a: 1\n", "f.yaml:1:1: an anchor;"},
    {"a: *x\n", "f.yaml:1:4: "},
    {"a: &x 1\nb: *x\n", "f.yaml:1:4: an anchor;"},
    {"a: !!str 1\n", "f.yaml:1:4: a tag;"},
    {"a: !str 1\n", "f.yaml:1:4: a tag;"},
    {"a: ! 1\n", "f.yaml:1:4: a tag;"},
    {"a: !<tag:yaml.org,2002:str> 1\n", "f.yaml:1:4: a tag;"},
    {"a: !!map {b: 1}\n", "f.yaml:1:4: a tag;"},
    {"!!str a: 1\n", "f.yaml:1:1: a tag;"},
    {"<<: {a: 1}\n", "f.yaml:1:1: a merge key;"},
    {"a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document;"},
    {"a: 1\n...\nb: 2\n", "f.yaml:3:1: text that belongs to no list or map before it;"},
    {"- a\nb: 1\n", "f.yaml:2:1: text that belongs to no list or map before it;"},
    {"a: 'x\n", "f.yaml:1:4: quoted text without an end; expected a closing '"},
    {"a: 'it''s\n", "f.yaml:1:4: quoted text without an end;"},
    {"a: \"x\\\"\n", "f.yaml:1:4: quoted text without an end;"},
    {"\"a: 1\n", "f.yaml:1:1: quoted text without an end;"},
    {"a: 1\rb: 2\n", "f.yaml:1:5: a carriage return within a line;"},
    {"a: \"\\r\"\n", "f.yaml:1:4: an escape for"},
    {"%YAML 1.2\n---\na: 1\n", "f.yaml:1:1: a YAML directive;"},
    {"a: 1\nb: 2\na: 3\n", "f.yaml:3:1: the key 'a' is repeated;"},
    {"{a: 1, \"a\": 2}\n", "f.yaml:1:8: the key 'a' is repeated;"},
    {"a:\n", "an empty value;"},
    {"a: null\n", "f.yaml:1:4: an empty value;"},
    {"a: ~\n", "f.yaml:1:4: an empty value;"},
    {"a: Null\n", "f.yaml:1:4: an empty value;"},
    {"- \n- 1\n", "an empty value;"},
    {"[1, , 2]\n", "f.yaml:1:5: "},
    {"{a, b: 1}\n", "an empty value; expected a value; inside { } a comma ends the text before it"},
    {"{a: stayed, then enforce}\n", "an empty value; expected a value; inside { } a comma ends"},
    {"- {a: stayed, then enforce.}\n", "so put a text with a comma in quotes"},
    {": 1\n", "an empty key;"},
    {"\"\": 1\n", "f.yaml:1:1: an empty key;"},
    {"? [a]\n: 1\n", "a list or map as a key;"},
    {"{{a: 1}: 2}\n", "a list or map as a key;"},
    {"a: \"\\0\"\n", "f.yaml:1:4: an escape for"},
    {"a: \"\\u202e\"\n", "f.yaml:1:4: an escape for"},
    {"\"\\u200b\": 1\n", "f.yaml:1:1: an escape for"},
    {"a: \xE2\x80\xAE"
     "b\n",
     "f.yaml:1:4: the character U+202E;"},
    {"a: x\xE2\x80\x8B\n", "f.yaml:1:5: the character U+200B;"},
    {"# \xE2\x81\xA6\na: x\n", "f.yaml:1:3: the character U+2066;"},
    {"\xEF\xBB\xBF"
     "a: 1\n",
     "f.yaml:1:1: the character U+FEFF;"},
    {"a: \x1b[31m\n", "f.yaml:1:4: the character U+001B;"},
    {"a: \xC2\x85\n", "f.yaml:1:4: the character U+0085;"},
    {"a: 1\nb: \xFF\n", "f.yaml:2:4: invalid UTF-8;"},
    {"a: \xC0\xAF\n", "f.yaml:1:4: invalid UTF-8;"},
    {"a: b: c\n", "f.yaml:1:5: "},
    {"a: [1\n", "f.yaml:"},
    {"\ta: 1\n", "f.yaml:"},
    {"a: 1\n b: 2\n", "f.yaml:"},
    {"a: @x\n", "f.yaml:"},
    {"", "f.yaml:1:1: the file is empty;"},
    {"# nothing\n", "f.yaml:1:1: the file is empty;"},
};

TEST_CASE("YAML: what the subset leaves out is refused where it stands") {
  for (const auto& row : kRefused) {
    CAPTURE(row.first);
    const std::string error = ErrorOf(row.first);
    CAPTURE(error);
    CHECK(error.find(row.second) != std::string::npos);
    CHECK(error.find("; expected ") != std::string::npos);
    CHECK(error.rfind("f.yaml:", 0) == 0);
  }
  CHECK(ErrorOf(std::string("a: \0b\n", 6)) ==
        "f.yaml:1:4: the character U+0000; expected text without control, bidirectional or "
        "invisible characters");
}

TEST_CASE("YAML: quoted text may look like what plain text may not be") {
  const auto node =
      Parse("a: '&x'\nb: \"*y\"\nc: '!z'\nd: 'null'\n\"<<\": e\nf: \"~\"\n", "f.yaml");
  REQUIRE(node.ok());
  CHECK(node->Find("a")->text == "&x");
  CHECK(node->Find("d")->text == "null");
  CHECK(node->Find("<<")->text == "e");
  CHECK(node->Find("f")->text == "~");
}

TEST_CASE("YAML: depth is limited in each style, before the parser's own stack is used") {
  const auto deep = [](int depth) {
    return Repeat("[", std::size_t(depth)) + "1" + Repeat("]", std::size_t(depth));
  };
  CHECK(Parse(deep(kDepthMax), "f.yaml").ok());
  CHECK(ErrorOf(deep(kDepthMax + 1)).find("nested too deep") != std::string::npos);
  CHECK(ErrorOf(Repeat("[", 50'000)).find("f.yaml:1:") == 0);
  CHECK(ErrorOf(Repeat("{a: ", 20'000)) != "accepted");
  CHECK(ErrorOf(Repeat("{a: ", 33) + "1" + Repeat("}", 33)).find("nested too deep") !=
        std::string::npos);
  CHECK(ErrorOf(Repeat("- ", 500'000)).find("nested too deep") != std::string::npos);
  CHECK(ErrorOf(Repeat("? ", 500'000)) != "accepted");
  CHECK(ErrorOf(Repeat("? - ", 200'000)) != "accepted");
  std::string indented;
  for (std::size_t i = 0; i < 1000; ++i) {
    indented += Repeat(" ", i) + "a:\n";
  }
  CHECK(ErrorOf(indented).find("nested too deep") != std::string::npos);
}

TEST_CASE("YAML: size, values and brackets are limited") {
  CHECK(ErrorOf("a: " + std::string(kTextBytesMax, 'x')).find("the file is too large") !=
        std::string::npos);
  CHECK(Parse("a: " + std::string(kTextBytesMax - 3, 'x'), "f.yaml").ok());
  CHECK(ErrorOf(Repeat("- a\n", kNodesMax)).find("too many values") != std::string::npos);
  CHECK(Parse(Repeat("- a\n", kNodesMax - 1), "f.yaml").ok());
  CHECK(ErrorOf("[" + Repeat("a,", kFlowMarksMax) + "]").find("too many brackets") !=
        std::string::npos);
}

TEST_CASE("YAML: hostile megabytes are answered, not suffered") {
  const std::string hostile[] = {
      Repeat("\"", kTextBytesMax),
      Repeat("'a' ", kTextBytesMax / 4),
      Repeat("a: ", kTextBytesMax / 3),
      Repeat("&a ", kTextBytesMax / 3),
      Repeat("*a ", kTextBytesMax / 3),
      Repeat("!a ", kTextBytesMax / 3),
      Repeat("#", kTextBytesMax),
      Repeat("\n", kTextBytesMax),
      Repeat(" ", kTextBytesMax),
      Repeat("---\n", kTextBytesMax / 4),
      Repeat("|\n", kTextBytesMax / 2),
      "a: |\n" + Repeat(" \n", kTextBytesMax / 2 - 3),
      Repeat(":", kTextBytesMax),
      Repeat("\\", kTextBytesMax),
      "\"" + Repeat("\\x41", kTextBytesMax / 4 - 1) + "\"",
      Repeat("a\n", kTextBytesMax / 2),
      Repeat("]", 90'000),
      "{" + Repeat("a,", 90'000),
      Repeat("- - - a\n", 30'000),
  };
  for (const std::string& text : hostile) {
    CAPTURE(text.substr(0, 12));
    const auto node = Parse(text, "f.yaml");
    if (!node.ok()) {
      CHECK(node.status().message().size() < 300);
    } else {
      CHECK(node->position.line >= 1);
    }
  }
}

TEST_CASE("YAML: an error never holds more than a piece of a long key") {
  const std::string key(5000, 'k');
  CHECK(ErrorOf(key.substr(0, 900) + ": 1\n" + key.substr(0, 900) + ": 2\n").size() < 200);
}

TEST_CASE("DidYouMean: names the nearest word, and none for a stranger") {
  const std::vector<std::string> words = {"region", "regions", "supplier", "job"};
  CHECK(DidYouMean("regoin", words) == "region");
  CHECK(DidYouMean("suplier", words) == "supplier");
  CHECK(DidYouMean("jbo", words).empty());
  CHECK(DidYouMean("jb", words) == "job");
  CHECK(DidYouMean("banana", words).empty());
  CHECK(DidYouMean("", words).empty());
  CHECK(DidYouMean(std::string(1 << 20, 'a'), words).empty());
}

}  // namespace
}  // namespace carnet::yaml
