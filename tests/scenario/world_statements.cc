// How people of a World sign what they state.
#include <catch2/catch.hpp>
#include <type_traits>

#include "absl/strings/str_cat.h"
#include "base/timestamp.h"
#include "coordinator/core/registry.h"
#include "coordinator/core/statements.h"
#include "crypto/hash.h"
#include "ledger/person_statement.h"
#include "scenario/world.h"

namespace carnet::coordinator {
namespace {

// A command of kOperator that states something, and that nobody signed yet.
bool IsUnsigned(const CommandBody& body) {
  return std::visit(
      [](const auto& command) {
        using T = std::decay_t<decltype(command)>;
        if constexpr (std::is_same_v<T, RegisterSupplier> || std::is_same_v<T, RegisterRegion> ||
                      std::is_same_v<T, RegisterDataset> || std::is_same_v<T, OpenCounter> ||
                      std::is_same_v<T, ClearLocation>) {
          return command.user_id == kOperator && command.stated.signature().empty();
        } else if constexpr (std::is_same_v<T, AddEvidence>) {
          return command.user_id == kOperator && command.evidence.stated().signature().empty();
        } else if constexpr (std::is_same_v<T, AcceptEvidence>) {
          return command.user_id == kOperator && command.acceptance.stated().signature().empty();
        } else {
          return false;
        }
      },
      body);
}

}  // namespace

void World::SignAs(google::protobuf::Message* record, v1::PersonStatement* stated, const As& as,
                   const crypto::Ed25519KeyPair& key) {
  stated->set_user_id(as.user_id);
  stated->set_role(as.role);
  // Each a moment after the one before, as people sign.
  *stated->mutable_at() = ToTimestamp(now_ + absl::Microseconds(statements_));
  // Apart from every other number, so that the rest of a seed's world stays as it is.
  stated->set_nonce(
      ToString(crypto::Sha256(AsBytes(absl::StrCat("statement ", seed_, " ", statements_++)))));
  REQUIRE(ledger::SignPersonStatement(key, record).ok());
}

void World::SignCommand(CommandBody* body, const As& as, const crypto::Ed25519KeyPair& key) {
  const auto sign = [&](auto record, const std::string& usual) {
    SignAs(&record, record.mutable_stated(), {as.user_id, as.role.empty() ? usual : as.role}, key);
    return record.stated();
  };
  if (auto* supplier = std::get_if<RegisterSupplier>(body); supplier != nullptr) {
    v1::SupplierRegistered record;
    record.set_supplier(supplier->supplier);
    *record.mutable_terms() = supplier->terms;
    supplier->stated = sign(record, "compliance");
  } else if (auto* region = std::get_if<RegisterRegion>(body); region != nullptr) {
    v1::RegionRegistered record;
    record.set_region(region->region);
    *record.mutable_terms() = WithDefaultGrade(region->terms);
    region->stated = sign(record, "compliance");
  } else if (auto* dataset = std::get_if<RegisterDataset>(body); dataset != nullptr) {
    v1::DatasetRegistered record;
    record.set_dataset(dataset->dataset);
    record.mutable_shards()->Add(dataset->shards.begin(), dataset->shards.end());
    dataset->stated = sign(record, "data-steward");
  } else if (auto* counter = std::get_if<OpenCounter>(body); counter != nullptr) {
    v1::CounterOpened record;
    record.set_counter(counter->counter);
    record.set_people(counter->people);
    *record.mutable_as_of() = ToTimestamp(counter->as_of);
    record.set_recorded_by(as.user_id);
    counter->stated = sign(record, "data-steward");
  } else if (auto* add = std::get_if<coordinator::AddEvidence>(body); add != nullptr) {
    v1::EvidenceRecorded record;
    record.set_kind(add->evidence.kind());
    record.set_sender(state_.genesis.organisation());
    record.set_recipient(add->evidence.recipient());
    *record.mutable_destinations() = add->evidence.destinations();
    *record.mutable_categories() = add->evidence.categories();
    *record.mutable_valid_from() = add->evidence.valid_from();
    *record.mutable_valid_to() = add->evidence.valid_to();
    record.set_document_sha256(add->evidence.document_sha256());
    *add->evidence.mutable_stated() = sign(record, AcceptingRole(add->evidence.kind()));
  } else if (auto* clear = std::get_if<ClearLocation>(body); clear != nullptr) {
    v1::LocationCleared record;
    record.set_region(clear->region);
    if (const auto place = state_.regions.find(clear->region); place != state_.regions.end()) {
      for (const auto& [index, contradiction] : place->second.contradictions) {
        record.add_contradictions(index);
      }
    }
    record.set_reason(clear->reason);
    record.set_document_sha256(ToString(clear->document_sha256));
    record.set_cleared_by(as.user_id);
    clear->stated = sign(record, "compliance");
  } else if (auto* accept = std::get_if<AcceptEvidence>(body); accept != nullptr) {
    v1::EvidenceAccepted record;
    record.set_evidence_id(accept->acceptance.evidence_id());
    record.set_document_sha256(accept->acceptance.document_sha256());
    record.set_item_sha256(accept->acceptance.item_sha256());
    const auto item = state_.evidence.find(record.evidence_id());
    *accept->acceptance.mutable_stated() =
        sign(record, item == state_.evidence.end() ? "" : AcceptingRole(item->second.terms.kind()));
  }
}

void World::SignIfUnsigned(CommandBody* body) {
  if (sign_statements && IsUnsigned(*body)) {
    SignCommand(body, {kOperator, ""}, user_key_);
  }
}

}  // namespace carnet::coordinator
