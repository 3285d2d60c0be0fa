// Which models that left training contain what: a walk over all records of a log. Pure.
#ifndef CARNET_LEDGER_QUERY_CONTENTS_H_
#define CARNET_LEDGER_QUERY_CONTENTS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "carnet/v1/records.pb.h"
#include "ledger/query/search.h"
#include "ledger/query/terms.h"
#include "ledger/verifier/manifest.h"
#include "ledger/verifier/record.h"

namespace carnet::ledger::query {

// A release of the model, and what became of it.
struct Released : verifier::ModelRelease {
  // Index of transfer-cut: the bytes that were moving then stopped.
  std::optional<std::uint64_t> cut;
};

// A completed job's model, or one that was released before that, in which a contribution counts
// that was asked for.
struct ModelAnswer {
  std::string job_id;
  std::string job_name;
  std::uint32_t round = 0;  // that made it; 0: none, it is the base model
  Digest model_sha256{};
  std::optional<std::uint64_t> completed;          // index of job-completed, whose model it is
  std::vector<std::uint64_t> contributions;        // those asked for, ascending
  std::set<std::string> inherited_from;            // jobs, where its base model brought them along
  std::set<std::string> shards;                    // that those contributions were trained on
  std::map<std::string, std::uint64_t> withdrawn;  // of these, with the index of shard-withdrawn
  std::vector<Released> releases;                  // in their order; empty: it went to nobody
  // Records that show the answer, ascending: genesis, the submissions, who contributed, each round
  // with such a contribution from its opening to its aggregate, every later aggregate, the end, the
  // releases, and who they went to.
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
    std::uint32_t round = 0;  // that made its newest model
    std::string model;        // its digest
    Found found;              // in it
  };
  void Aggregated(std::uint64_t index, const v1::Aggregate& aggregate);
  void Completed(std::uint64_t index, const v1::JobCompleted& completed);
  void Release(std::uint64_t index, const v1::Release& release);
  void Cut(std::uint64_t index, const v1::TransferCut& cut);
  // The answer about a model of the job, made if there is none yet.
  ModelAnswer& AnswerAbout(const std::string& job_id, const std::string& model, std::uint32_t round,
                           const Found& found);
  void Withdrawn(std::uint64_t index, const v1::ShardWithdrawn& withdrawn);

  const Question question_;
  TermsReader reader_;
  std::map<std::string, std::uint64_t> enrolled_;  // id of a worker or a person to index
  // Contributions, with their worker and shards.
  std::map<std::uint64_t, std::pair<std::string, std::set<std::string>>> asked_for_;
  std::map<std::string, std::uint64_t> withdrawn_;  // shard to index
  std::map<std::string, JobWalk> jobs_;
  std::map<std::string, Found> models_;  // by digest: what each aggregate contains
  std::vector<ModelAnswer> answers_;
};

}  // namespace carnet::ledger::query

#endif  // CARNET_LEDGER_QUERY_CONTENTS_H_
