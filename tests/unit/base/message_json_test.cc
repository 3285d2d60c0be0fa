#include "base/message_json.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/timestamp.pb.h>
#include <google/protobuf/util/message_differencer.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <limits>
#include <memory>
#include <random>

#include "absl/time/time.h"
#include "base/json.h"
#include "base/json_text.h"
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
                           9007199254740993.0,
                           999999999999999.0,
                           -999999999999999.5,
                           1234567890123456.0,
                           123456789012345.5,
                           -100000.0};

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

// Every message of records.proto, filled by `seed`, with the text that is written of it.
template <typename Visit>
void ForEachText(std::uint64_t seed, Visit visit) {
  const google::protobuf::FileDescriptor& file = *v1::Genesis::descriptor()->file();
  for (int i = 0; i < file.message_type_count(); ++i) {
    const Message& prototype =
        *google::protobuf::MessageFactory::generated_factory()->GetPrototype(file.message_type(i));
    const std::unique_ptr<Message> message(prototype.New());
    Filler(seed).Fill(message.get());
    visit(*message, *MessageToSortedJson(*message));
  }
}

TEST_CASE("Sorted JSON: what is written of a record is taken off the front of what follows") {
  for (const std::uint64_t seed : testing::Seeds(20)) {
    CAPTURE(seed);
    ForEachText(seed, [](const Message& message, const std::string& written) {
      CAPTURE(written);
      const std::string followed = written + R"(,"subject":[]})";
      absl::string_view text = followed;
      const std::unique_ptr<Message> back(message.New());
      REQUIRE(TakeSortedJson(&text, back.get()));
      CHECK(text == R"(,"subject":[]})");
      CHECK(MessageDifferencer::Equals(message, *back));
    });
  }
}

// Changes, drops, doubles or moves some bytes.
std::string Damaged(std::string text, std::mt19937_64& random) {
  constexpr absl::string_view kBytes = "0123456789-+.eE\"\\/{}[]:, \x01\xC3\xFFtrueabcdefZ=";
  for (std::uint64_t changes = 1 + random() % 2; changes > 0 && !text.empty(); --changes) {
    const std::size_t at = random() % text.size();
    const std::size_t size = 1 + random() % std::min<std::size_t>(12, text.size() - at);
    const std::string part = text.substr(at, size);
    switch (random() % 4) {
      case 0:
        text[at] = kBytes[random() % kBytes.size()];
        break;
      case 1:
        text.erase(at, size);
        break;
      case 2:
        text.insert(at, part);
        break;
      default:
        text.insert(random() % text.size(), part);
    }
  }
  return text;
}

TEST_CASE("Sorted JSON: what is taken is what the strict parser makes of the same bytes") {
  std::size_t taken = 0;
  for (const std::uint64_t seed : testing::Seeds(20)) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    ForEachText(seed, [&](const Message& message, const std::string& written) {
      for (int i = 0; i < 20; ++i) {
        const std::string damaged = Damaged(written, random);
        CAPTURE(damaged);
        absl::string_view rest = damaged;
        const std::unique_ptr<Message> fast(message.New());
        if (!TakeSortedJson(&rest, fast.get())) {
          continue;
        }
        ++taken;
        const auto parsed = ParseJson(damaged.substr(0, damaged.size() - rest.size()));
        REQUIRE(parsed.ok());
        const std::unique_ptr<Message> slow(message.New());
        REQUIRE(FillFromJson(*parsed, slow.get()).ok());
        CHECK(MessageDifferencer::Equals(*fast, *slow));
      }
    });
  }
  CHECK(taken > 100);
}

TEST_CASE("Sorted JSON: another form is left to the strict parser") {
  const char* const others[] = {
      R"({ "job_id":"j"})",                             // white space
      R"({"round":1,"job_id":"j"})",                    // out of order
      R"({"job_id":"j","job_id":"j"})",                 // twice
      R"({"job_id":"\u006a"})",                         // escaped without need
      R"({"job_id":"\/"})",                             //
      "{\"job_id\":\"\t\"}",                            // a control
      "{\"job_id\":\"\xC3\"}",                          // not UTF-8
      R"({"job_id":"j")",                               // no end
      R"({"round":01})",                                // not JSON
      R"({"round":1.0})",                               //
      R"({"seconds":.5})",                              //
      R"({"seconds":1.})",                              //
      R"({"seconds":1e999})",                           // beyond double
      R"({"seconds":99999999999999999999})",            // an integer beyond 64 bits
      R"({"seconds":-0})",                              //
      R"({"sealed_bytes":"07"})",                       //
      R"({"sealed_sha256":"AAA"})",                     // no padding
      R"({"sealed_sha256":"AAB="})",                    // stray bits
      R"({"common":{"at":"2026-02-30T03:04:05Z"}})",    // no such day
      R"({"common":{"at":"2026-01-02T03:04:60Z"}})",    //
      R"({"common":{"at":"2026-01-02T03:04:05.0Z"}})",  //
      R"({"metrics":{"b":1,"a":1}})",                   // keys out of order
      R"({"metrics":{"a":1,"a":1}})",                   //
  };
  for (const char* other : others) {
    CAPTURE(other);
    absl::string_view text = other;
    v1::Contribution record;
    CHECK_FALSE(TakeSortedJson(&text, &record));
  }
}

TEST_CASE("Sorted JSON: no more than 32 objects and lists are opened, those around it counted") {
  const std::string written = R"({"common":{}})";
  v1::Contribution record;
  absl::string_view text = written;
  CHECK(TakeSortedJson(&text, &record, 30));
  record.Clear();
  text = written;
  CHECK_FALSE(TakeSortedJson(&text, &record, 31));
}

TEST_CASE("Times: are written as absl writes them, in every year that JSON has") {
  std::mt19937_64 random(7);
  for (int i = 0; i < 2000; ++i) {
    v1::Common common;
    const std::int64_t seconds =
        -62'135'596'800 + static_cast<std::int64_t>(random() % 315'537'897'600);
    common.mutable_at()->set_seconds(seconds);
    const std::string text =
        absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", absl::FromUnixSeconds(seconds), absl::UTCTimeZone());
    CHECK(*MessageToSortedJson(common) == "{\"at\":\"" + text + "\"}");
  }
}

TEST_CASE("Times: what is none is not written") {
  const auto written = [](std::int64_t seconds, std::int32_t nanos) {
    v1::Common common;
    common.mutable_at()->set_seconds(seconds);
    common.mutable_at()->set_nanos(nanos);
    return MessageToSortedJson(common).ok();
  };
  CHECK(written(-62'135'596'800, 0));
  CHECK_FALSE(written(-62'135'596'801, 0));
  CHECK(written(253'402'300'799, 999'999'999));
  CHECK_FALSE(written(253'402'300'800, 0));
  CHECK_FALSE(written(0, 1'000'000'000));
  CHECK_FALSE(written(0, -1));
  CHECK_FALSE(written(std::numeric_limits<std::int64_t>::max(), 0));
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

TEST_CASE("JSON text: plain bytes are counted up to the first other one, wherever it stands") {
  for (int byte = 0; byte < 256; ++byte) {
    const char other = static_cast<char>(byte);
    for (std::size_t place = 0; place < 20; ++place) {
      // What follows it is not plain either, nor are all that stand before it equal.
      const std::string text =
          std::string("aZ ~!09{}[]:,#$%&'()").substr(0, place) + other + "\"\x01";
      std::size_t plain = 0;
      while (plain < text.size() && IsPlain(text[plain])) {
        ++plain;
      }
      CAPTURE(byte, place);
      REQUIRE(PlainChars(text) == plain);
      REQUIRE(plain == place + (IsPlain(other) ? 1 : 0));
    }
  }
  CHECK(PlainChars("") == 0);
  CHECK(PlainChars("all of it is") == 12);
}

}  // namespace
}  // namespace carnet
