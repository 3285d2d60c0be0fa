#include "base/message_json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/message_differencer.h>

#include <catch2/catch.hpp>
#include <limits>
#include <memory>
#include <random>

#include "base/json.h"
#include "carnet/v1/records.pb.h"
#include "tests/testing/seeds.h"

namespace carnet {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;
using google::protobuf::util::MessageDifferencer;

const char* const kTexts[] = {
    "",     "a",        "quote \" and \\", "tab\t line\n bell\x07", "ümlaut", "\u2028\U0001F600",
    "\x7f", "</script>"};
const double kDoubles[] = {0.0,
                           1.0,
                           100.0,
                           0.1,
                           61.25,
                           -3.5,
                           1e15,
                           1e16,
                           1e20,
                           1e22,
                           1e-7,
                           5e-324,
                           1.7976931348623157e308,
                           0.1 + 0.2,
                           2.0 / 3,
                           123456789012345680.0,
                           -1.0,
                           9007199254740993.0};

// Fills `message` with what a seed draws: the odd values of each type, missing fields, empty and
// long lists.
class Filler {
 public:
  explicit Filler(std::uint64_t seed) : random_(seed) {}

  void Fill(Message* message, int depth = 0) {
    const Descriptor& descriptor = *message->GetDescriptor();
    if (auto* time = dynamic_cast<google::protobuf::Timestamp*>(message)) {
      const std::int32_t nanos[] = {0, 500'000'000, 123'456'000, 7};
      time->set_seconds(static_cast<std::int64_t>(random_() % 4'000'000'000));
      time->set_nanos(nanos[random_() % 4]);
      return;
    }
    for (int i = 0; i < descriptor.field_count(); ++i) {
      const FieldDescriptor& field = *descriptor.field(i);
      if (random_() % 4 == 0 || depth > 5) {
        continue;
      }
      const int count = field.is_repeated() ? static_cast<int>(random_() % 4) : 1;
      for (int element = 0; element < count; ++element) {
        field.is_map() ? PutEntry(message, field, element, depth) : Put(message, field, depth);
      }
    }
  }

 private:
  void PutEntry(Message* message, const FieldDescriptor& field, int element, int depth) {
    Message* entry = message->GetReflection()->AddMessage(message, &field);
    entry->GetReflection()->SetString(entry, field.message_type()->map_key(),
                                      "key" + std::to_string(9 - element));
    Put(entry, *field.message_type()->map_value(), depth + 1);
  }

  void Put(Message* message, const FieldDescriptor& field, int depth) {
    const Reflection& r = *message->GetReflection();
    const std::uint64_t raw = random_() % 3 == 0 ? random_() : random_() % 7;
    const bool many = field.is_repeated();
    switch (field.cpp_type()) {
#define PUT(Type, value) \
  many ? r.Add##Type(message, &field, value) : r.Set##Type(message, &field, value)
      case FieldDescriptor::CPPTYPE_BOOL:
        PUT(Bool, raw % 2 == 0);
        break;
      case FieldDescriptor::CPPTYPE_INT32:
        PUT(Int32, static_cast<std::int32_t>(raw));
        break;
      case FieldDescriptor::CPPTYPE_UINT32:
        PUT(UInt32, static_cast<std::uint32_t>(raw));
        break;
      case FieldDescriptor::CPPTYPE_INT64:
        PUT(Int64, static_cast<std::int64_t>(raw));
        break;
      case FieldDescriptor::CPPTYPE_UINT64:
        PUT(UInt64, raw);
        break;
      case FieldDescriptor::CPPTYPE_DOUBLE:
        PUT(Double, kDoubles[random_() % std::size(kDoubles)]);
        break;
      case FieldDescriptor::CPPTYPE_ENUM:
        PUT(Enum, field.enum_type()->value(static_cast<int>(
                      random_() % static_cast<std::uint64_t>(field.enum_type()->value_count()))));
        break;
      case FieldDescriptor::CPPTYPE_STRING:
        PUT(String, field.type() == FieldDescriptor::TYPE_BYTES
                        ? std::string(raw % 40, static_cast<char>(raw))
                        : std::string(kTexts[random_() % std::size(kTexts)]));
        break;
#undef PUT
      case FieldDescriptor::CPPTYPE_MESSAGE:
        Fill(many ? r.AddMessage(message, &field) : r.MutableMessage(message, &field), depth + 1);
        break;
      case FieldDescriptor::CPPTYPE_FLOAT:
        FAIL("no record has a float");
    }
  }

  std::mt19937_64 random_;
};

TEST_CASE(
    "Message JSON: every record is written as protobuf and nlohmann write it, and read back") {
  const google::protobuf::FileDescriptor& file = *v1::Genesis::descriptor()->file();
  for (const std::uint64_t seed : testing::Seeds(20)) {
    CAPTURE(seed);
    for (int i = 0; i < file.message_type_count(); ++i) {
      const Descriptor& type = *file.message_type(i);
      CAPTURE(type.name());
      const Message& prototype =
          *google::protobuf::MessageFactory::generated_factory()->GetPrototype(&type);
      const std::unique_ptr<Message> message(prototype.New());
      Filler(seed).Fill(message.get());
      const auto text = MessageToSortedJson(*message);
      REQUIRE(text.ok());
      const auto by_protobuf = MessageToJson(*message);
      REQUIRE(by_protobuf.ok());
      const auto parsed = ParseJson(*by_protobuf);
      REQUIRE(parsed.ok());
      CHECK(*text == parsed->dump());
      const std::unique_ptr<Message> back(prototype.New());
      const absl::Status filled = FillFromJson(*parsed, back.get());
      INFO(filled.ToString());
      REQUIRE(filled.ok());
      CHECK(MessageDifferencer::Equals(*message, *back));
      CHECK(*MessageToSortedJson(*back) == *text);
    }
  }
}

TEST_CASE("Message JSON: numbers that are not finite are words, as proto3 JSON has them") {
  v1::Contribution record;
  record.set_seconds(std::numeric_limits<double>::infinity());
  CHECK(*MessageToSortedJson(record) == R"({"seconds":"Infinity"})");
  v1::Contribution back;
  REQUIRE(FillFromJson(nlohmann::json{{"seconds", "-Infinity"}}, &back).ok());
  CHECK(back.seconds() == -std::numeric_limits<double>::infinity());
}

TEST_CASE("Message JSON: another spelling of a value is refused, naming the field") {
  const char* const refused[] = {
      R"({"jobId":"j"})",                                  // camelCase
      R"({"job_id":null})",                                // null
      R"({"job_id":7})",                                   // not text
      R"({"nothing":1})",                                  // unknown
      R"({"round":"7"})",                                  // 32 bits as text
      R"({"round":-1})",                                   // negative
      R"({"round":4294967296})",                           // too large
      R"({"round":1.0})",                                  // not an integer
      R"({"sealed_bytes":7})",                             // 64 bits as a number
      R"({"sealed_bytes":"07"})",                          // another spelling
      R"({"sealed_bytes":"+7"})",                          //
      R"({"sealed_bytes":" 7"})",                          //
      R"({"sealed_bytes":"-7"})",                          //
      R"({"sealed_sha256":"AAA"})",                        // base64 without padding
      R"({"seconds":"1"})",                                // a double as text
      R"({"shard_sha256":"AA=="})",                        // no list
      R"({"common":{"at":"2026-01-02T03:04:05+00:00"}})",  // not Z
      R"({"common":{"at":"2026-01-02T03:04:05.10Z"}})",    // two digits
      R"({"common":{"at":"2026-01-02 03:04:05Z"}})",       //
      R"({"common":[]})",                                  // no object
      R"({"metrics":[1]})",                                // no map
  };
  for (const char* text : refused) {
    CAPTURE(text);
    const auto json = ParseJson(text);
    REQUIRE(json.ok());
    v1::Contribution record;
    CHECK(FillFromJson(*json, &record).code() == absl::StatusCode::kInvalidArgument);
  }
}

TEST_CASE("Message JSON: minus zero is zero, and left out") {
  v1::Contribution record;
  record.set_seconds(-0.0);
  CHECK(*MessageToSortedJson(record) == "{}");
}

TEST_CASE("Message JSON: text that is not UTF-8 is not written") {
  v1::Contribution record;
  record.set_job_id("\xff");
  CHECK(MessageToSortedJson(record).status().code() == absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace carnet
