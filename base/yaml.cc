#include "base/yaml.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <optional>
#include <sstream>
#include <unordered_set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/utf8.h"

namespace carnet::yaml {
namespace {

constexpr std::size_t kQuotedCharsMax = 64;

// What is wrong with a text and where. Thrown only inside this file: an event handler has no other
// way to stop yaml-cpp, which must stop before it takes more memory.
struct Refusal {
  Position position;
  std::string what;
  std::string expected;
};

// The text in quotes, cut. It holds no deceptive character: those were refused before.
std::string Quote(absl::string_view text) {
  return text.size() <= kQuotedCharsMax ? absl::StrCat("'", text, "'")
                                        : absl::StrCat("'", text.substr(0, kQuotedCharsMax), "…'");
}

// Turns byte offsets into positions that count characters.
class Positions {
 public:
  explicit Positions(absl::string_view text) : text_(text) {
    line_starts_.push_back(0);
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') {
        line_starts_.push_back(i + 1);
      }
      ascii_ = ascii_ && static_cast<unsigned char>(text[i]) < 0x80;
    }
    if (!ascii_) {
      continuations_.reserve(text.size() + 1);
      std::uint32_t count = 0;
      for (const char c : text) {
        continuations_.push_back(count);
        count += (static_cast<unsigned char>(c) & 0xC0U) == 0x80U ? 1U : 0U;
      }
      continuations_.push_back(count);
    }
  }

  Position At(std::size_t offset) const {
    offset = std::min(offset, text_.size());
    const auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
    const std::size_t start = *(after - 1);
    std::size_t column = offset - start;
    if (!ascii_) {
      column -= continuations_[offset] - continuations_[start];
    }
    return {static_cast<int>(after - line_starts_.begin()), static_cast<int>(column) + 1};
  }

 private:
  absl::string_view text_;
  std::vector<std::size_t> line_starts_;
  bool ascii_ = true;
  // How many continuation bytes stand before each offset; empty for ASCII text.
  std::vector<std::uint32_t> continuations_;
};

// What can be seen to be wrong before yaml-cpp reads a byte.
std::optional<Refusal> Scan(absl::string_view text, const Positions& positions) {
  std::size_t flow_marks = 0;
  absl::string_view rest = text;
  bool line_start = true;
  while (!rest.empty()) {
    const std::size_t offset = text.size() - rest.size();
    const std::optional<char32_t> character = TakeCodePoint(rest);
    if (!character.has_value()) {
      return Refusal{positions.At(offset), "invalid UTF-8", "text in UTF-8"};
    }
    if (IsDeceptive(*character)) {
      return Refusal{positions.At(offset),
                     absl::StrCat("the character ", CodePointName(*character)),
                     "text without control, bidirectional or invisible characters"};
    }
    if (*character == '\r' && (rest.empty() || rest[0] != '\n')) {
      return Refusal{positions.At(offset), "a carriage return within a line",
                     "lines that end in a line feed"};
    }
    if (line_start && *character == '%') {
      return Refusal{positions.At(offset), "a YAML directive", "a document without directives"};
    }
    line_start = *character == '\n';
    if (*character < 0x80 &&
        absl::string_view("[]{},").find(static_cast<char>(*character)) != absl::string_view::npos) {
      if (++flow_marks > kFlowMarksMax) {
        return Refusal{positions.At(offset), "too many brackets, braces and commas",
                       absl::StrCat("at most ", kFlowMarksMax)};
      }
    }
  }
  return std::nullopt;
}

// Builds the tree from yaml-cpp's events and refuses what the subset leaves out.
class TreeBuilder final : public YAML::EventHandler {
 public:
  TreeBuilder(absl::string_view text, const Positions& positions)
      : text_(text), positions_(positions) {}

  std::optional<Node> TakeRoot() { return std::exchange(root_, std::nullopt); }

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ == 1) {
      return;
    }
    // A line that is indented wrongly ends the document for yaml-cpp, which then starts another.
    if (text_.substr(Offset(mark), 3) == "---") {
      throw Refusal{At(mark), "a second document", "one document in a file"};
    }
    throw Refusal{At(mark), "text that belongs to no list or map before it",
                  "one document, with the keys of a map at one indentation"};
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    RefuseProperties(mark, "?", anchor);
    // {note: one, two} is a note of "one" and a key "two".
    const bool cut =
        !AwaitsKey() && !open_.empty() && open_.back().node.is_map() && open_.back().flow;
    throw Refusal{At(mark), AwaitsKey() ? "an empty key" : "an empty value",
                  cut ? "a value; inside { } a comma ends the text before it, so put a text with a "
                        "comma in quotes, or leave the key out"
                      : "a value; leave the key out, or write \"\" for the empty text"};
  }

  void OnAlias(const YAML::Mark& mark, YAML::anchor_t /*anchor*/) override {
    throw Refusal{At(mark), "an alias", "the value itself (quote a text that starts with '*')"};
  }

  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    RefuseProperties(mark, tag, anchor);
    CountNode(mark);
    RefuseDeceptive(mark, value);
    RefuseUnclosed(mark);
    const bool quoted = tag == "!";
    if (AwaitsKey()) {
      TakeKey(mark, value, quoted);
      return;
    }
    Node node;
    node.position = At(mark);
    node.text = value;
    node.quoted = quoted;
    Finish(std::move(node));
  }

  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value style) override {
    Start(mark, tag, anchor, Kind::kList, style);
  }
  void OnSequenceEnd() override { FinishTop(); }

  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value style) override {
    Start(mark, tag, anchor, Kind::kMap, style);
  }
  void OnMapEnd() override { FinishTop(); }

 private:
  // A list or map that has not ended yet.
  struct Open {
    Node node;
    bool flow = false;  // within brackets or braces
    std::unordered_set<std::string> keys;
    std::optional<Entry> pending;  // a key that waits for its value
  };

  std::size_t Offset(const YAML::Mark& mark) const {
    return mark.pos < 0 ? 0 : static_cast<std::size_t>(mark.pos);
  }
  Position At(const YAML::Mark& mark) const { return positions_.At(Offset(mark)); }

  bool AwaitsKey() const {
    return !open_.empty() && open_.back().node.is_map() && !open_.back().pending.has_value();
  }

  void RefuseProperties(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) {
    if (anchor != YAML::NullAnchor) {
      throw Refusal{At(mark), "an anchor", "a value without '&' (quote a text that starts so)"};
    }
    // A lone "!" gives a plain scalar the tag of a quoted one, so look at the text too.
    const bool marked = Offset(mark) < text_.size() && text_[Offset(mark)] == '!';
    if (marked || (tag != "?" && tag != "!" && !tag.empty())) {
      throw Refusal{At(mark), "a tag", "a value without '!' (quote a text that starts so)"};
    }
  }

  void RefuseDeceptive(const YAML::Mark& mark, absl::string_view value) {
    // Escapes in double quotes can write what the scan of the raw text did not see.
    while (!value.empty()) {
      const std::optional<char32_t> character = TakeCodePoint(value);
      if (!character.has_value() || IsDeceptive(*character) || *character == '\r') {
        throw Refusal{At(mark), "an escape for a control, bidirectional or invisible character",
                      "visible text"};
      }
    }
  }

  // yaml-cpp takes the end of the file for a closing quote.
  void RefuseUnclosed(const YAML::Mark& mark) {
    std::size_t offset = Offset(mark);
    const char quote = offset < text_.size() ? text_[offset] : '\0';
    if (quote != '"' && quote != '\'') {
      return;
    }
    for (++offset; offset < text_.size(); ++offset) {
      const bool pair = offset + 1 < text_.size() &&
                        ((quote == '"' && text_[offset] == '\\') ||
                         (quote == '\'' && text_[offset] == quote && text_[offset + 1] == quote));
      if (pair) {
        ++offset;
      } else if (text_[offset] == quote) {
        return;
      }
    }
    throw Refusal{At(mark), "quoted text without an end", std::string("a closing ") + quote};
  }

  void CountNode(const YAML::Mark& mark) {
    if (++nodes_ > kNodesMax) {
      throw Refusal{At(mark), "too many values", absl::StrCat("at most ", kNodesMax)};
    }
  }

  void TakeKey(const YAML::Mark& mark, const std::string& key, bool quoted) {
    if (key == "<<" && !quoted) {
      throw Refusal{At(mark), "a merge key", "the keys themselves"};
    }
    if (key.empty()) {
      throw Refusal{At(mark), "an empty key", "a name"};
    }
    Open& map = open_.back();
    if (!map.keys.insert(key).second) {
      throw Refusal{At(mark), absl::StrCat("the key ", Quote(key), " is repeated"),
                    "each key once"};
    }
    map.pending.emplace();
    map.pending->key = key;
    map.pending->key_position = At(mark);
  }

  void Start(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Kind kind,
             YAML::EmitterStyle::value style) {
    RefuseProperties(mark, tag, anchor);
    CountNode(mark);
    if (AwaitsKey()) {
      throw Refusal{At(mark), "a list or map as a key", "plain text"};
    }
    if (open_.size() >= static_cast<std::size_t>(kDepthMax)) {
      throw Refusal{At(mark), "lists and maps nested too deep",
                    absl::StrCat("at most ", kDepthMax)};
    }
    open_.emplace_back();
    open_.back().node.kind = kind;
    open_.back().flow = style == YAML::EmitterStyle::Flow;
    open_.back().node.position = At(mark);
  }

  void FinishTop() {
    CARNET_CHECK(!open_.empty());
    Node node = std::move(open_.back().node);
    open_.pop_back();
    Finish(std::move(node));
  }

  void Finish(Node node) {
    if (open_.empty()) {
      root_ = std::move(node);
      return;
    }
    Open& parent = open_.back();
    if (parent.node.is_list()) {
      parent.node.items.push_back(std::move(node));
      return;
    }
    CARNET_CHECK(parent.pending.has_value());
    parent.pending->value = std::move(node);
    parent.node.entries.push_back(*std::exchange(parent.pending, std::nullopt));
  }

  const absl::string_view text_;
  const Positions& positions_;
  std::vector<Open> open_;
  std::optional<Node> root_;
  std::size_t nodes_ = 0;
  int documents_ = 0;
};

absl::Status ToStatus(const Refusal& refusal, absl::string_view filename) {
  return ErrorAt(filename, refusal.position, refusal.what, refusal.expected);
}

}  // namespace

const Node* Node::Find(absl::string_view key) const {
  for (const Entry& entry : entries) {
    if (entry.key == key) {
      return &entry.value;
    }
  }
  return nullptr;
}

absl::StatusOr<Node> Parse(absl::string_view text, absl::string_view filename) {
  if (text.size() > kTextBytesMax) {
    return ErrorAt(filename, {1, 1}, "the file is too large",
                   absl::StrCat("at most ", kTextBytesMax, " bytes"));
  }
  const Positions positions(text);
  if (const std::optional<Refusal> refusal = Scan(text, positions); refusal.has_value()) {
    return ToStatus(*refusal, filename);
  }
  TreeBuilder builder(text, positions);
  try {
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const Refusal& refusal) {
    return ToStatus(refusal, filename);
  } catch (const YAML::Exception& error) {
    const Position position = error.mark.is_null() || error.mark.pos < 0
                                  ? Position{1, 1}
                                  : positions.At(static_cast<std::size_t>(error.mark.pos));
    return ErrorAt(filename, position, error.msg, "valid YAML");
  } catch (const std::exception&) {
    return ErrorAt(filename, {1, 1}, "the YAML parser failed", "valid YAML");
  }
  std::optional<Node> root = builder.TakeRoot();
  if (!root.has_value()) {
    return ErrorAt(filename, {1, 1}, "the file is empty", "a YAML document");
  }
  return *std::move(root);
}

absl::Status ErrorAt(absl::string_view filename, Position position, absl::string_view what,
                     absl::string_view expected) {
  return absl::InvalidArgumentError(absl::StrCat(filename, ":", position.line, ":", position.column,
                                                 ": ", what, "; expected ", expected));
}

absl::string_view KindName(Kind kind) {
  switch (kind) {
    case Kind::kScalar:
      return "a value";
    case Kind::kList:
      return "a list";
    case Kind::kMap:
      return "a map";
  }
  return "a value";
}

std::string DidYouMean(absl::string_view word, const std::vector<std::string>& candidates) {
  // Longer words are no slips, and would cost the square of their length.
  constexpr std::size_t kWordBytesMax = 64;
  if (word.empty() || word.size() > kWordBytesMax) {
    return "";
  }
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(1, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kWordBytesMax) {
      continue;
    }
    // Levenshtein's distance, one row at a time.
    std::vector<std::size_t> row(candidate.size() + 1);
    for (std::size_t j = 0; j < row.size(); ++j) {
      row[j] = j;
    }
    for (std::size_t i = 1; i <= word.size(); ++i) {
      std::size_t diagonal = std::exchange(row[0], i);
      for (std::size_t j = 1; j < row.size(); ++j) {
        const std::size_t replaced = diagonal + (word[i - 1] == candidate[j - 1] ? 0 : 1);
        diagonal = row[j];
        row[j] = std::min({replaced, row[j] + 1, row[j - 1] + 1});
      }
    }
    if (row.back() < best_distance) {
      best_distance = row.back();
      best = candidate;
    }
  }
  return best;
}

}  // namespace carnet::yaml
