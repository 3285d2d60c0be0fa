// Which models that left training contain what: a walk over all records of a log. Pure.
#ifndef CARNET_LEDGER_QUERY_CONTENTS_H_
#define CARNET_LEDGER_QUERY_CONTENTS_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "base/bytes.h"
#include "carnet/v1/records.pb.h"
#include "ledger/query/search.h"
#include "ledger/query/terms.h"
#include "ledger/verifier/record.h"

namespace carnet::ledger::query {

// A completed job's model in which a contribution counts that was asked for.
struct ModelAnswer {
  std::string job_id;
  std::string job_name;
  Digest model_sha256{};
  std::uint64_t completed = 0;                     // index of job-completed
  std::vector<std::uint64_t> contributions;        // those asked for, ascending
  std::set<std::string> inherited_from;            // jobs, where its base model brought them along
  std::set<std::string> shards;                    // that those contributions were trained on
  std::map<std::string, std::uint64_t> withdrawn;  // of these, with the index of shard-withdrawn
  // Records that show the answer, ascending: genesis, the submissions, who contributed, each round
  // with such a contribution from its opening to its aggregate, every later aggregate, the end.
  std::vector<std::uint64_t> evidence;
};

// Visit every record from 0 on, in order.
class Contents {
 public:
  // Of `question`, worker, region, supplier, shard and the times count: those of contributions.
  explicit Contents(Question question) : question_(std::move(question)) {}

  void Visit(std::uint64_t index, const verifier::VerifiedRecord& record);
  const std::vector<ModelAnswer>& answers() const { return answers_; }

 private:
  struct Found {
    std::set<std::uint64_t> contributions;
    std::set<std::uint64_t> evidence;
    std::set<std::string> jobs;  // that took them in
    std::set<std::string> shards;
  };
  struct JobWalk {
    std::string name;
    std::uint64_t submitted = 0;
    std::uint64_t opened = 0;  // of the round under way
    std::uint64_t closed = 0;
    Found found;  // in its newest model
  };
  void Aggregated(std::uint64_t index, const v1::Aggregate& aggregate);
  void Completed(std::uint64_t index, const v1::JobCompleted& completed);
  void Withdrawn(std::uint64_t index, const v1::ShardWithdrawn& withdrawn);

  const Question question_;
  TermsReader reader_;
  std::map<std::string, std::uint64_t> enrolled_;  // worker id to index
  // Contributions, with their worker and shards.
  std::map<std::uint64_t, std::pair<std::string, std::set<std::string>>> asked_for_;
  std::map<std::string, std::uint64_t> withdrawn_;  // shard to index
  std::map<std::string, JobWalk> jobs_;
  std::map<std::string, Found> models_;  // by digest: what each aggregate contains
  std::vector<ModelAnswer> answers_;
};

}  // namespace carnet::ledger::query

#endif  // CARNET_LEDGER_QUERY_CONTENTS_H_
