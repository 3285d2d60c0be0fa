// Headers and files that the tests of this room share.
#ifndef CARNET_TESTS_UNIT_EXCHANGE_TEST_HEADERS_H_
#define CARNET_TESTS_UNIT_EXCHANGE_TEST_HEADERS_H_

#include <cstdlib>
#include <filesystem>
#include <string>

#include "base/bytes.h"
#include "base/rng.h"
#include "carnet/v1/federation.pb.h"

namespace carnet::exchange {

// Bytes that follow from a seed, so that a test always sees the same ones. Not for keys.
class CountingRng final : public Rng {
 public:
  explicit CountingRng(std::uint8_t seed) : next_(seed) {}
  void Fill(std::span<std::uint8_t> out) override {
    for (std::uint8_t& byte : out) {
      byte = next_;
      next_ = static_cast<std::uint8_t>(next_ * 5 + 7);
    }
  }

 private:
  std::uint8_t next_;
};

class TestDirectory {
 public:
  TestDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "carnet-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TestDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

inline Bytes Pattern(std::size_t size_bytes) {
  Bytes bytes(size_bytes);
  CountingRng(3).Fill(bytes);
  for (std::size_t i = 0; i < bytes.size(); i += 251) {
    bytes[i] = static_cast<std::uint8_t>(i / 251);
  }
  return bytes;
}

inline v1::ArtifactHeader ModelFields() {
  v1::ArtifactHeader header;
  header.set_version(1);
  header.set_kind("model");
  header.set_trust_domain("digits.acme.example");
  header.set_job_id("j-aaaaaaaaaaaaaaaa");
  header.set_round(3);
  header.set_attempt(1);
  header.set_sender("spiffe://digits.acme.example/coordinator");
  header.set_from_jurisdiction("DE");
  header.set_bundle_sha256(std::string(32, 'b'));
  header.set_base_model_sha256(std::string(32, 'm'));
  header.set_layout_sha256(std::string(32, 'l'));
  header.set_plaintext_bytes(100);
  header.set_key_id("k-bbbbbbbbbbbbbbbb");
  return header;
}

inline v1::ArtifactHeader DeltaFields() {
  v1::ArtifactHeader header = ModelFields();
  header.set_kind("delta");
  header.set_codec("fp32");
  header.set_sender("spiffe://digits.acme.example/region/sg/supplier/lion/worker/sg-1");
  header.set_recipient("spiffe://digits.acme.example/coordinator");
  header.set_from_jurisdiction("SG");
  header.set_to_jurisdiction("DE");
  header.set_encapsulated(std::string(32, 'e'));
  header.set_wrapped_key(std::string(48, 'w'));
  header.set_salt(std::string(24, 's'));
  return header;
}

}  // namespace carnet::exchange

#endif  // CARNET_TESTS_UNIT_EXCHANGE_TEST_HEADERS_H_
