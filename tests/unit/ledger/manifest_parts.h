// A manifest taken apart and put together again as docs/formats.md says, by code that is neither
// the writer's nor the verifier's: tests change the parts.
#ifndef CARNET_TESTS_UNIT_LEDGER_MANIFEST_PARTS_H_
#define CARNET_TESTS_UNIT_LEDGER_MANIFEST_PARTS_H_

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"

namespace carnet::testing_ledger {

// One zstd frame that states its size.
Bytes PackFrame(const std::string& text);
std::string UnpackFrame(const Bytes& packed);

struct ManifestParts {
  struct Entry {
    std::uint64_t index = 0;
    std::string statement;
    std::string signature_and_key;  // 64 and 32 bytes
  };
  std::string magic = "carnet-manifest/v1";
  std::string form;
  std::string job;
  std::string model;  // hex
  std::string head;
  std::vector<Entry> records;
  std::vector<std::pair<std::uint64_t, std::string>> leaves;
  std::vector<std::string> nodes;

  // Of a well formed file; anything else is a bug of the test.
  static ManifestParts Read(const Bytes& file);
  std::string Text() const;
  Bytes Write() const { return PackFrame(Text()); }
};

}  // namespace carnet::testing_ledger

#endif  // CARNET_TESTS_UNIT_LEDGER_MANIFEST_PARTS_H_
