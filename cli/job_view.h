// A job as a person watches it: each event as a line of text, each round as one line that moves.
// Pure.
#ifndef CARNET_CLI_JOB_VIEW_H_
#define CARNET_CLI_JOB_VIEW_H_

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "carnet/v1/jobs.pb.h"
#include "carnet/v1/records.pb.h"

namespace carnet::cli {

struct WorkerName {
  std::string slot;
  std::string jurisdiction;
};
using WorkerNames = std::map<std::string, WorkerName>;  // by worker id

struct ViewLine {
  enum class Kind {
    kRound,   // a step of a round; RoundLine() says the same in one moving line
    kNotice,  // refusals, rejections, failures: always shown
    kEnd,     // the job's
  };
  Kind kind = Kind::kRound;
  std::string text;  // may hold line breaks, none at the end
};

class JobView {
 public:
  explicit JobView(std::string home_jurisdiction) : home_(std::move(home_jurisdiction)) {}

  // Ids without a name are shown as they are.
  void SetWorkers(WorkerNames names) { names_ = std::move(names); }
  // Whether the event speaks of a worker that has no name yet.
  bool NeedsNames(const v1::JobEvent& event) const;

  // What the event adds. Events come in the order of their indexes.
  std::vector<ViewLine> Feed(const v1::JobEvent& event);

  // "round 3/50 ━━━━────  2/4  loss 0.62  accuracy 0.861  1.2 MB over borders"; empty before the
  // first round.
  std::string RoundLine() const;
  // The line of the round before, once the next one opens or the job ends; empty otherwise. Reading
  // it takes it.
  std::string TakeFinishedRound();

  bool ended() const { return ended_; }
  bool completed() const { return completed_; }
  std::uint64_t records() const { return records_; }
  // Rounds, metrics, bytes over each border, refusals, records.
  std::string Summary(const v1::JobStatus& status) const;

 private:
  using Lines = std::vector<ViewLine>;
  std::string NameOf(const std::string& worker_id) const;
  std::string JurisdictionOf(const std::string& worker_id) const;
  std::string RoundPrefix(std::uint32_t round) const;
  void Crossed(const std::string& worker_id, std::uint64_t bytes);
  void FinishRound();
  std::string LeftOutText(const google::protobuf::RepeatedPtrField<v1::LeftOut>& left_out) const;

  void On(const v1::JobSubmitted& record, Lines* lines);
  void On(const v1::RoundOpened& record, Lines* lines);
  void On(const v1::Contribution& record, Lines* lines);
  void On(const v1::ContributionRejected& record, Lines* lines);
  void On(const v1::TaskFailed& record, Lines* lines);
  void On(const v1::TransferCut& record, Lines* lines);
  void On(const v1::BridgeVerdict& record, Lines* lines);
  void On(const v1::RoundClosed& record, Lines* lines);
  void On(const v1::RoundAbandoned& record, Lines* lines);
  void On(const v1::Aggregate& record, Lines* lines);
  void On(const v1::Evaluation& record, Lines* lines);
  void On(const v1::EvaluationAbandoned& record, Lines* lines);
  void On(const v1::Refusal& record, Lines* lines);
  void On(const v1::JobCompleted& record, Lines* lines);
  void On(const v1::JobStopped& record, Lines* lines);

  const std::string home_;
  WorkerNames names_;
  std::uint32_t rounds_ = 0;
  std::uint32_t round_ = 0;
  std::size_t members_ = 0;
  std::size_t contributions_ = 0;
  double loss_sum_ = 0;
  std::size_t losses_ = 0;
  std::map<std::string, double> evaluation_;
  std::string step_;  // training, combining, evaluated, …
  std::uint64_t crossed_bytes_ = 0;
  std::string finished_round_;
  std::set<std::string> shown_problems_;
  std::uint64_t records_ = 0;
  bool ended_ = false;
  bool completed_ = false;
};

}  // namespace carnet::cli

#endif  // CARNET_CLI_JOB_VIEW_H_
