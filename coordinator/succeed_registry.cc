#include "coordinator/succeed_registry.h"

#include <map>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "coordinator/core/people.h"
#include "coordinator/core/statements.h"
#include "ledger/person_statement.h"

namespace carnet::coordinator {
namespace {

// The statement, if its person still holds the role: it counts in the new log too.
v1::PersonStatement Carried(const State& old,
                            const std::shared_ptr<const StatementOnRecord>& statement) {
  return statement != nullptr && HoldsRole(old, statement->terms.user_id(), statement->terms.role())
             ? statement->terms
             : v1::PersonStatement();
}

v1::PersonStatement Carried(const State& old, const std::string& entry) {
  const auto statement = old.statements.find(entry);
  return statement == old.statements.end() ? v1::PersonStatement()
                                           : Carried(old, statement->second);
}

// A statement is over a whole record, which is not the same here: digests are known by now, and
// withdrawn shards stay behind. A steward whose key is here says again what a steward said.
absl::Status AddDatasets(const State& old, const Speakers& speakers, RecordSigner* signer) {
  std::map<std::pair<std::string, bool>, v1::DatasetRegistered> datasets;
  for (const auto& [key, shard] : old.shards) {
    if (shard.withdrawn.has_value()) {
      continue;
    }
    const std::string dataset = key.substr(0, key.find('/'));
    v1::DatasetRegistered& record = datasets[{dataset, shard.stated != nullptr}];
    record.set_dataset(dataset);
    v1::ShardRegistration* registration = record.add_shards();
    *registration = shard.terms;
    registration->set_sha256(ToString(shard.sha256));
  }
  for (auto& [name, record] : datasets) {
    if (name.second) {
      CARNET_RETURN_IF_ERROR(speakers.Sign(StewardRoles(), signer->at(), &record));
    }
    CARNET_RETURN_IF_ERROR(signer->Add(std::move(record)));
  }
  return absl::OkStatus();
}

absl::Status AddEvidence(const State& old, RecordSigner* signer) {
  for (const auto& [id, evidence] : old.evidence) {
    const v1::PersonStatement accepted = Carried(old, evidence.accepted);
    if (evidence.withdrawn || accepted.signature().empty() ||
        signer->at() >= ToTime(evidence.terms.valid_to())) {
      continue;
    }
    v1::EvidenceRecorded record = evidence.terms;
    record.clear_common();
    record.clear_stated();
    if (v1::PersonStatement brought = Carried(old, evidence.brought);
        !brought.signature().empty()) {
      *record.mutable_stated() = std::move(brought);
    }
    CARNET_ASSIGN_OR_RETURN(const Digest digest, ledger::EvidenceItemDigest(record));
    CARNET_RETURN_IF_ERROR(signer->Add(std::move(record)));
    if (evidence.accepted_index != 0) {
      v1::EvidenceAccepted acceptance;
      acceptance.set_evidence_id(id);
      acceptance.set_document_sha256(evidence.terms.document_sha256());
      acceptance.set_item_sha256(ToString(digest));
      *acceptance.mutable_stated() = accepted;
      CARNET_RETURN_IF_ERROR(signer->Add(std::move(acceptance)));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CarryRegistry(const State& old, const Speakers& speakers, RecordSigner* signer) {
  for (const auto& [name, terms] : old.suppliers) {
    v1::SupplierRegistered record;
    record.set_supplier(name);
    *record.mutable_terms() = terms;
    if (auto stated = Carried(old, absl::StrCat("supplier/", name)); !stated.signature().empty()) {
      *record.mutable_stated() = std::move(stated);
    }
    CARNET_RETURN_IF_ERROR(signer->Add(std::move(record)));
  }
  for (const auto& [name, region] : old.regions) {
    if (name == "home") {
      continue;
    }
    v1::RegionRegistered record;
    record.set_region(name);
    *record.mutable_terms() = region.terms;
    if (auto stated = Carried(old, absl::StrCat("region/", name)); !stated.signature().empty()) {
      *record.mutable_stated() = std::move(stated);
    }
    CARNET_RETURN_IF_ERROR(signer->Add(std::move(record)));
  }
  CARNET_RETURN_IF_ERROR(AddDatasets(old, speakers, signer));
  return AddEvidence(old, signer);
}

}  // namespace carnet::coordinator
