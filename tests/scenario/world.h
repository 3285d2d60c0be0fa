// A federation without machines: the real core (Decide, Apply, Reconcile) over a log of records in
// memory. Time and randomness are the test's. Every record that Decide makes is written and opened
// as the ledger would, so a record that could not be stored fails the test.
#ifndef CARNET_TESTS_SCENARIO_WORLD_H_
#define CARNET_TESTS_SCENARIO_WORLD_H_

#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "coordinator/core/commands.h"
#include "coordinator/core/decide.h"
#include "coordinator/core/reconcile.h"
#include "coordinator/core/state.h"
#include "crypto/ed25519.h"
#include "ledger/record.h"
#include "ledger/verifier/merkle.h"

namespace carnet::coordinator {

inline constexpr char kOperator[] = "u-aaaaaaaaaaaaaaaa";

struct TestWorker {
  std::string id;
  std::string region;
  crypto::Ed25519KeyPair key;
};

class World {
 public:
  // Home DE with the policies of examples/digits; regions fr, sg, ae with contracts, br whose place
  // is only claimed; one worker at each and one at home; each region has a shard `digits/<region>`
  // about its own people, home has golden/home.
  // `policies`: texts of further policies of the bundle.
  explicit World(std::uint64_t seed, const std::vector<std::string>& policies = {});

  const State& state() const { return state_; }
  absl::Time now() const { return now_; }
  void Advance(absl::Duration by) { now_ += by; }
  const std::vector<ledger::Record>& log() const { return log_; }
  // Indexes of all records of a type, e.g. "round-opened".
  std::vector<std::uint64_t> Find(const std::string& type) const;
  // The predicate at `index`, which must be a T.
  template <typename T>
  const T& At(std::uint64_t index) const {
    return *log_.at(index).As<T>();
  }

  // Decides, stores, folds. What kOperator states is signed with his key, unless it is signed.
  // Errors are Decide's.
  absl::StatusOr<Decided> Do(CommandBody body, const std::string& request_id = "");
  // What Reconcile asks for now; its commands are run, and effects answered as if their work were
  // done, until nothing but waiting for workers is left.
  Agenda Settle();
  Agenda Look() const;
  LiveWorkers live;
  // The organisation's own policy engine, asked by Settle; null: there is none.
  std::function<RecordBridgeVerdict(const std::string& input)> bridge;
  std::string bridge_engine = std::string(32, '\x11');  // which one it is

  const TestWorker& worker(const std::string& slot) const;
  Bytes Random(std::size_t size_bytes);
  // Of kOperator, who is enrolled right behind genesis with every role that the policies name.
  const crypto::Ed25519KeyPair& user_key() const { return user_key_; }

  // Evidence of `kind` for a supplier and destination, valid for a year.
  void AddEvidence(const std::string& kind, const std::string& supplier, const std::string& to);
  // Registers digits/<shard> about `people` people of `code`, stored where `slot` is, which holds
  // it.
  void AddShard(const std::string& shard, const std::string& code, std::uint64_t people,
                const std::string& slot);
  // Submits a job over digits/*; returns its id.
  std::string Submit(std::uint32_t rounds, std::uint32_t min, bool evaluate = false);
  // The contribution of a worker to the open round of `job`, verified good, as a command.
  SubmitContribution Contribute(const std::string& job, const std::string& slot,
                                const std::string& delta = "delta");
  // Every member of the open round of `job` contributes.
  void ContributeAll(const std::string& job);

  // Of all records so far, each folded in once however often it is asked for.
  const ledger::verifier::RootBuilder& Tree() const;

  // Signs what a record of the registry, an opening balance or evidence states.
  template <typename Record>
  void SignRecord(Record* record, const std::string& role) {
    SignAs(record, record->mutable_stated(), {kOperator, role}, user_key_);
  }
  struct As {
    std::string user_id;
    std::string role;
  };
  void SignAs(google::protobuf::Message* record, v1::PersonStatement* stated, const As& as,
              const crypto::Ed25519KeyPair& key);
  // The same of a command that asks for such a record; others stay. role: empty for the usual one.
  void SignCommand(CommandBody* body, const As& as, const crypto::Ed25519KeyPair& key);
  bool sign_statements = true;  // no: Do sends commands as they are

  // The fold of all records so far, from nothing.
  State Refold() const;

  // ---- a coordinator that lies ----
  const std::vector<v1::SignedRecord>& signed_log() const { return signed_log_; }
  const crypto::Ed25519KeyPair& statement_key() const { return statement_key_; }
  // Signs the coordinator's records from now on; a rotation to it is on record.
  void UseStatementKey(crypto::Ed25519KeyPair key) { statement_key_ = std::move(key); }
  // Changes each of the coordinator's records before it is signed.
  void SetDoctor(std::function<void(ledger::Predicate&)> doctor) { doctor_ = std::move(doctor); }
  // Appends a record to the signed log that Decide never made and that no state here knows of.
  void Forge(const ledger::Predicate& predicate, const crypto::Ed25519KeyPair& key,
             const std::vector<ledger::Subject>& subjects = {});
  // A fresh nonce and the time.
  void FillCommon(v1::Common* common);

 private:
  void SignIfUnsigned(CommandBody* body);
  void Found(const std::vector<std::string>& policies);
  void Enroll(const std::string& slot, const std::string& region);
  void Store(ledger::Predicate predicate, const std::vector<ledger::Subject>& subjects);

  std::uint64_t seed_;
  std::uint64_t draws_ = 0;
  std::uint64_t statements_ = 0;
  absl::Time now_;
  std::set<std::string> swept_;  // sweeps that were made
  State state_;
  std::vector<ledger::Record> log_;
  std::vector<v1::SignedRecord> signed_log_;
  mutable ledger::verifier::RootBuilder tree_;  // of a part of log_: Tree() brings it up to date
  std::function<void(ledger::Predicate&)> doctor_;
  crypto::Ed25519KeyPair statement_key_;
  crypto::Ed25519KeyPair user_key_;
  std::vector<std::pair<std::string, TestWorker>> workers_;
};

}  // namespace carnet::coordinator

#endif  // CARNET_TESTS_SCENARIO_WORLD_H_
