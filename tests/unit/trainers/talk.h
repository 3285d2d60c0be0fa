// Talks to a built-in trainer in this process, and keeps its files in a directory of its own.
#ifndef CARNET_TESTS_UNIT_TRAINERS_TALK_H_
#define CARNET_TESTS_UNIT_TRAINERS_TALK_H_

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <vector>

#include "worker/trainers/builtin.h"

namespace carnet::trainers {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = (std::filesystem::temp_directory_path() / "carnet-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) {
      std::abort();
    }
    path_ = pattern;
  }
  ~TemporaryDirectory() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;

  std::string Path(const std::string& name) const { return (path_ / name).string(); }
  std::string Write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name, std::ios::binary) << text;
    return Path(name);
  }

 private:
  std::filesystem::path path_;
};

inline std::string ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

struct Talk {
  int exit_code = -1;
  std::vector<nlohmann::json> replies;

  // The last reply that is no progress line; null when there is none.
  nlohmann::json Last() const {
    for (std::size_t i = replies.size(); i-- > 0;) {
      if (!replies[i].contains("progress")) {
        return replies[i];
      }
    }
    return nullptr;
  }
  // The code of the last reply, or "" when it is no error.
  std::string ErrorCode() const {
    const nlohmann::json last = Last();
    return last.is_object() && last.contains("error") ? last["error"]["code"].get<std::string>()
                                                      : "";
  }
};

inline Talk TalkInText(const std::string& name, const std::string& text) {
  std::istringstream in(text);
  std::ostringstream out;
  Talk talk;
  talk.exit_code = RunBuiltinTrainer(name, in, out);
  std::istringstream lines(out.str());
  for (std::string line; std::getline(lines, line);) {
    talk.replies.push_back(nlohmann::json::parse(line));
  }
  return talk;
}

inline Talk TalkInJson(const std::string& name, const std::vector<nlohmann::json>& requests) {
  std::string text;
  for (const nlohmann::json& request : requests) {
    text += request.dump() + "\n";
  }
  return TalkInText(name, text);
}

inline nlohmann::json StartRequestJson(const std::string& layout, const nlohmann::json& settings) {
  return {{"op", "start"},    {"job", "digits"},      {"protocol", 1},
          {"layout", layout}, {"settings", settings}, {"device", "auto"}};
}

inline nlohmann::json FitRequestJson(const std::string& parameters, const std::string& delta,
                                     const std::string& data, int steps, std::uint64_t seed = 1) {
  return {{"op", "fit"},    {"round", 1},     {"parameters", parameters},
          {"delta", delta}, {"data", {data}}, {"steps", steps},
          {"seed", seed}};
}

inline nlohmann::json EvaluateRequestJson(const std::string& parameters, const std::string& data) {
  return {{"op", "evaluate"}, {"parameters", parameters}, {"data", {data}}};
}

}  // namespace carnet::trainers

#endif  // CARNET_TESTS_UNIT_TRAINERS_TALK_H_
