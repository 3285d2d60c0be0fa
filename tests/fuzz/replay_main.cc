// Feeds every file of a corpus to a fuzz program's entry point, so that the corpus is an ordinary
// test of every build. Usage: fuzz_<name> DIRECTORY. An empty or missing corpus fails: it would
// test nothing.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <system_error>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size_bytes);

namespace {

// The files below `directory` by name, so that a run prints the same lines each time.
std::vector<std::filesystem::path> CorpusFiles(const std::filesystem::path& directory) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  std::filesystem::recursive_directory_iterator entries(directory, error);
  for (; !error && entries != std::filesystem::recursive_directory_iterator();
       entries.increment(error)) {
    if (entries->is_regular_file(error)) {
      files.push_back(entries->path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: %s DIRECTORY\n", argv[0]);
    return EXIT_FAILURE;
  }
  const std::vector<std::filesystem::path> files = CorpusFiles(argv[1]);
  for (const std::filesystem::path& file : files) {
    std::printf("replaying %s\n", file.filename().c_str());
    std::fflush(stdout);
    std::ifstream input(file, std::ios::binary);
    const std::string text((std::istreambuf_iterator<char>(input)),
                           std::istreambuf_iterator<char>());
    if (!input.is_open() || input.bad()) {
      std::fprintf(stderr, "cannot read %s\n", file.c_str());
      return EXIT_FAILURE;
    }
    // A copy of the exact size, so that AddressSanitizer sees a read past the end.
    const std::vector<std::uint8_t> data(text.begin(), text.end());
    LLVMFuzzerTestOneInput(data.data(), data.size());
  }
  std::printf("%zu inputs replayed\n", files.size());
  return files.empty() ? EXIT_FAILURE : EXIT_SUCCESS;
}
