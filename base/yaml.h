// A strict subset of YAML 1.2, as a tree in which every scalar is text (so NO is "NO" and 1.10 is
// "1.10") and every node knows where it stands.
//
// Refused: anchors, aliases, tags, directives and merge keys; more than one document; repeated
// keys; keys that are not plain text; empty, `null` and `~` values; NUL and other control
// characters; characters that change how text reads without being seen (bidirectional marks,
// zero-width, invisible); invalid UTF-8.
#ifndef CARNET_BASE_YAML_H_
#define CARNET_BASE_YAML_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace carnet::yaml {

inline constexpr std::size_t kTextBytesMax = std::size_t{1} << 20;
inline constexpr int kDepthMax = 32;
inline constexpr std::size_t kNodesMax = 100'000;
// The characters [ ] { } and , together: yaml-cpp queues a whole flow collection before its first
// event.
inline constexpr std::size_t kFlowMarksMax = 100'000;

// 1-based; the column counts characters, not bytes.
struct Position {
  int line = 0;
  int column = 0;
};

enum class Kind { kScalar, kList, kMap };

struct Entry;

// A value. Plain data: copy and move freely.
struct Node {
  Kind kind = Kind::kScalar;
  Position position;
  // kScalar: its text. Never from `null`, `~` or nothing; a quoted "" is the empty text.
  std::string text;
  // kScalar: written in quotes or as a block, so it can only be meant as text.
  bool quoted = false;
  // kList
  std::vector<Node> items;
  // kMap: in the order of the file; keys are distinct.
  std::vector<Entry> entries;

  bool is_scalar() const { return kind == Kind::kScalar; }
  bool is_list() const { return kind == Kind::kList; }
  bool is_map() const { return kind == Kind::kMap; }
  // kMap: the value of `key`, or null. Linear.
  const Node* Find(absl::string_view key) const;
};

struct Entry {
  std::string key;
  Position key_position;
  Node value;
};

// Parses the one document in `text`. `filename` is only for messages.
//
// Error INVALID_ARGUMENT, its message `<filename>:<line>:<column>: <what>; <what was expected>`.
// Memory is bounded by the limits above, which are checked before the text reaches the parser or as
// each node comes.
absl::StatusOr<Node> Parse(absl::string_view text, absl::string_view filename);

// An INVALID_ARGUMENT error in the form above, for those who give meaning to the tree.
absl::Status ErrorAt(absl::string_view filename, Position position, absl::string_view what,
                     absl::string_view expected);

// "a map", "a list" or "a value", for messages.
absl::string_view KindName(Kind kind);

// The candidate nearest to `word` if it is near enough to be a slip of the keyboard (at most a
// third of its letters changed, at least one), else empty. The first of equals.
std::string DidYouMean(absl::string_view word, const std::vector<std::string>& candidates);

}  // namespace carnet::yaml

#endif  // CARNET_BASE_YAML_H_
