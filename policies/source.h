// What a bundle is made from: its files as trees, with their positions. Internal to policies/.
#ifndef CARNET_POLICIES_SOURCE_H_
#define CARNET_POLICIES_SOURCE_H_

#include <optional>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/yaml.h"

namespace carnet::policies {

struct Document {
  std::string file;  // for messages
  yaml::Node root;
};

struct BundleSource {
  std::vector<Document> policies;  // by name
  std::optional<Document> groups;
  std::vector<Document> tests;  // by name
};

// `<file>:<line>:<column>: <what>; <hint>`, where the hint says what was expected or what to do.
absl::Status MistakeAt(absl::string_view file, yaml::Position position, absl::string_view what,
                       absl::string_view hint);

// Gathers every mistake of a bundle, so that an author sees them all at once.
class Diagnostics {
 public:
  void Add(absl::string_view file, yaml::Position position, absl::string_view what,
           absl::string_view expected);
  bool ok() const { return mistakes_.empty(); }
  // OK, or INVALID_ARGUMENT with a line for each of the first kLoadErrorsMax mistakes, by file,
  // line and column.
  absl::Status ToStatus() const;

 private:
  // Sorts as it is read; equal ones (a mistake in a text that several places use) count once.
  std::set<std::tuple<std::string, int, int, std::string>> mistakes_;
};

// Reads one map with a closed set of keys; mistakes go to the diagnostics, and what is missing
// reads as empty. Points into its arguments.
class MapReader {
 public:
  // `what` names the map in messages: "a rule".
  MapReader(Diagnostics& diagnostics, absl::string_view file, const yaml::Node& node,
            absl::string_view what, const std::vector<std::string>& keys);

  bool ok() const { return is_map_; }
  const yaml::Node* Find(absl::string_view key) const;
  // Says so when it is missing.
  const yaml::Node* Require(absl::string_view key);
  // A scalar of 1 to `bytes_max` bytes; empty (and said so) for anything else; empty where missing.
  std::string Text(absl::string_view key, std::size_t bytes_max);
  std::string RequireText(absl::string_view key, std::size_t bytes_max);
  // A name as IsId says.
  std::string RequireId(absl::string_view key);
  // One of `words`; the first of them where missing.
  std::string Word(absl::string_view key, const std::vector<std::string>& words);
  // yes or no; no where missing.
  bool YesNo(absl::string_view key);
  // A list of texts, or one text.
  std::vector<std::string> Texts(absl::string_view key, std::size_t bytes_max);
  // A list; empty (and said so) for anything else.
  const std::vector<yaml::Node>& List(absl::string_view key);

  void Fail(const yaml::Node& at, absl::string_view what, absl::string_view expected);
  const yaml::Node& node() const { return *node_; }
  Diagnostics& diagnostics() { return *diagnostics_; }
  const std::string& file() const { return file_; }

 private:
  Diagnostics* diagnostics_;
  std::string file_;
  const yaml::Node* node_;
  std::string what_;
  bool is_map_ = false;
};

inline constexpr std::size_t kIdBytesMax = 64;
inline constexpr std::size_t kTextBytesMax = 2048;
inline constexpr std::size_t kTitleBytesMax = 256;  // repeated in every failure
inline constexpr std::size_t kListItemsMax = 1024;

// A letter or digit, then letters, digits, - and _; at most kIdBytesMax. No point: <rule>.<item>
// has one.
bool IsId(absl::string_view text);

// A decimal number: digits, at most one point, a leading minus. Error INVALID_ARGUMENT.
absl::StatusOr<double> ParseDecimal(absl::string_view text);

// "did you mean 'x'?" for the nearest of `candidates`, or `otherwise`.
std::string Hint(absl::string_view word, const std::vector<std::string>& candidates,
                 absl::string_view otherwise);

}  // namespace carnet::policies

#endif  // CARNET_POLICIES_SOURCE_H_
