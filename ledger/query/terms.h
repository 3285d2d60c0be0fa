// What a record names: people, places, data, jobs, policies, artifacts. Pure.
#ifndef CARNET_LEDGER_QUERY_TERMS_H_
#define CARNET_LEDGER_QUERY_TERMS_H_

#include <google/protobuf/message.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "absl/time/time.h"
#include "ledger/verifier/record.h"

namespace carnet::ledger::query {

struct Terms {
  std::set<std::string> workers;    // ids
  std::set<std::string> regions;    // as named, and those of the workers as enrolled
  std::set<std::string> suppliers;  // the same; recipients of flows and evidence are among them
  std::set<std::string> shards;     // "dataset/shard", also where only their digest is named
  std::set<std::string> jobs;       // ids
  std::set<std::uint64_t> revisions;
  std::set<std::string> digests;  // raw 32 bytes: subjects and every digest in the predicate
  absl::Time at;
};

// What earlier records say of ids and digests that later ones only name. Visit every record from 0
// on, in order; a log that is read from the middle would leave places out.
class TermsReader {
 public:
  Terms Read(const verifier::VerifiedRecord& record);

 private:
  struct Place {
    std::string region;
    std::string supplier;
  };
  void Learn(const verifier::VerifiedRecord& record);
  void Walk(const google::protobuf::Message& message, Terms& terms) const;
  void AddField(const std::string& name, const std::string& value, bool bytes, Terms& terms) const;

  std::map<std::string, Place> workers_;                      // by id
  std::map<std::string, std::set<std::string>> shard_names_;  // by digest
};

}  // namespace carnet::ledger::query

#endif  // CARNET_LEDGER_QUERY_TERMS_H_
