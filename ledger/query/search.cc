#include "ledger/query/search.h"

namespace carnet::ledger::query {
namespace {

bool Holds(const std::string& asked, const std::set<std::string>& named) {
  return asked.empty() || named.count(asked) != 0;
}

}  // namespace

bool Matches(const Question& question, const std::string& type, const Terms& terms) {
  return (question.type.empty() || question.type == type) &&
         Holds(question.worker, terms.workers) && Holds(question.region, terms.regions) &&
         Holds(question.supplier, terms.suppliers) && Holds(question.shard, terms.shards) &&
         Holds(question.job, terms.jobs) &&
         (!question.revision || terms.revisions.count(*question.revision) != 0) &&
         (!question.artifact || terms.digests.count(ToString(*question.artifact)) != 0) &&
         terms.at >= question.from && terms.at <= question.until;
}

}  // namespace carnet::ledger::query
