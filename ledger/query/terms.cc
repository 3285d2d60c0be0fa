#include "ledger/query/terms.h"

#include <initializer_list>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/timestamp.h"
#include "carnet/v1/records.pb.h"

namespace carnet::ledger::query {
namespace {

using google::protobuf::FieldDescriptor;
using google::protobuf::Message;

bool IsOneOf(const std::string& name, std::initializer_list<const char*> names) {
  for (const char* candidate : names) {
    if (name == candidate) {
      return true;
    }
  }
  return false;
}

// A text field of a message; empty: it has none of that name.
std::string TextOf(const Message& message, const char* name) {
  const FieldDescriptor* field = message.GetDescriptor()->FindFieldByName(name);
  return field == nullptr || field->is_repeated() ||
                 field->cpp_type() != FieldDescriptor::CPPTYPE_STRING
             ? std::string()
             : message.GetReflection()->GetString(message, field);
}

}  // namespace

void TermsReader::Learn(const verifier::VerifiedRecord& record) {
  if (const auto* worker = record.As<v1::WorkerEnrolled>(); worker != nullptr) {
    workers_[worker->worker_id()] = {worker->region(), worker->supplier()};
  }
  if (const auto* dataset = record.As<v1::DatasetRegistered>(); dataset != nullptr) {
    for (const v1::ShardRegistration& shard : dataset->shards()) {
      if (!shard.sha256().empty()) {
        shard_names_[shard.sha256()].insert(absl::StrCat(dataset->dataset(), "/", shard.shard()));
      }
    }
  }
  if (const auto* staged = record.As<v1::ShardStaged>(); staged != nullptr) {
    shard_names_[staged->sha256()].insert(absl::StrCat(staged->dataset(), "/", staged->shard()));
  }
  if (const auto* opened = record.As<v1::RoundOpened>(); opened != nullptr) {
    for (const v1::RoundMember& member : opened->members()) {
      for (int i = 0; i < member.shards_size() && i < member.shard_sha256_size(); ++i) {
        shard_names_[member.shard_sha256(i)].insert(member.shards(i));
      }
    }
  }
}

void TermsReader::AddField(const std::string& name, const std::string& value, bool bytes,
                           Terms& terms) const {
  if (value.empty()) {
    return;
  }
  if (bytes) {
    if (value.size() == kDigestBytes) {
      terms.digests.insert(value);
      if (const auto names = shard_names_.find(value); names != shard_names_.end()) {
        terms.shards.insert(names->second.begin(), names->second.end());
      }
    }
  } else if (IsOneOf(name, {"worker_id", "from_worker_id", "to_worker_id"})) {
    terms.workers.insert(value);
    if (const auto place = workers_.find(value); place != workers_.end()) {
      terms.regions.insert(place->second.region);
      terms.suppliers.insert(place->second.supplier);
    }
  } else if (IsOneOf(name, {"region", "stored_in", "other_regions"})) {
    terms.regions.insert(value);
  } else if (IsOneOf(name, {"supplier", "recipient"})) {
    terms.suppliers.insert(value);
  } else if (name == "shards") {
    terms.shards.insert(value);
  } else if (name == "job_id") {
    terms.jobs.insert(value);
  } else if (value.size() == 2 * kDigestBytes) {
    if (const absl::StatusOr<Digest> digest = DigestFromHex(value); digest.ok()) {
      terms.digests.insert(ToString(*digest));
    }
  }
}

// Names in records.proto mean the same everywhere, so that a new record type is found by what it
// names without a line here.
void TermsReader::Walk(const Message& message, Terms& terms) const {
  const std::string dataset = TextOf(message, "dataset");
  const std::string shard = TextOf(message, "shard");
  if (!dataset.empty() && !shard.empty()) {
    terms.shards.insert(absl::StrCat(dataset, "/", shard));
  }
  std::vector<const FieldDescriptor*> fields;
  message.GetReflection()->ListFields(message, &fields);
  for (const FieldDescriptor* field : fields) {
    const google::protobuf::Reflection& reflection = *message.GetReflection();
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      if (field->cpp_type() == FieldDescriptor::CPPTYPE_MESSAGE) {
        Walk(field->is_repeated() ? reflection.GetRepeatedMessage(message, field, i)
                                  : reflection.GetMessage(message, field),
             terms);
      } else if (field->cpp_type() == FieldDescriptor::CPPTYPE_STRING) {
        AddField(field->name(),
                 field->is_repeated() ? reflection.GetRepeatedString(message, field, i)
                                      : reflection.GetString(message, field),
                 field->type() == FieldDescriptor::TYPE_BYTES, terms);
      } else if (!field->is_repeated() && field->cpp_type() == FieldDescriptor::CPPTYPE_UINT64 &&
                 IsOneOf(field->name(), {"revision", "bundle_revision"})) {
        terms.revisions.insert(reflection.GetUInt64(message, field));
      }
    }
  }
}

Terms TermsReader::Read(const verifier::VerifiedRecord& record) {
  Learn(record);
  Terms terms;
  Walk(*record.predicate, terms);
  if (const auto* dataset = record.As<v1::DatasetRegistered>(); dataset != nullptr) {
    for (const v1::ShardRegistration& shard : dataset->shards()) {
      terms.shards.insert(absl::StrCat(dataset->dataset(), "/", shard.shard()));
    }
  }
  for (const Digest& subject : record.subjects) {
    terms.digests.insert(ToString(subject));
  }
  const Message& message = *record.predicate;
  const FieldDescriptor* common = message.GetDescriptor()->FindFieldByName("common");
  terms.at = ToTime(
      dynamic_cast<const v1::Common&>(message.GetReflection()->GetMessage(message, common)).at());
  return terms;
}

}  // namespace carnet::ledger::query
