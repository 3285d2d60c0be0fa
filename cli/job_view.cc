#include "cli/job_view.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/bytes.h"
#include "base/json.h"
#include "cli/output.h"
#include "cli/problems.h"
#include "policies/explain.h"

namespace carnet::cli {
namespace {

constexpr int kBarWidth = 20;

// The event's record, if it is one of `type`.
template <typename Message>
bool Parse(const v1::JobEvent& event, absl::string_view type, Message* message) {
  if (event.type() != type) {
    return false;
  }
  const absl::StatusOr<nlohmann::json> statement = ParseJson(event.statement());
  return statement.ok() && statement->is_object() && statement->contains("predicate") &&
         JsonToMessage((*statement)["predicate"].dump(), message).ok();
}

std::map<std::string, double> ToMap(const google::protobuf::Map<std::string, double>& metrics) {
  return std::map<std::string, double>(metrics.begin(), metrics.end());
}

void AddRound(std::vector<ViewLine>* lines, std::string text) {
  lines->push_back({ViewLine::Kind::kRound, std::move(text)});
}
void AddNotice(std::vector<ViewLine>* lines, std::string text) {
  lines->push_back({ViewLine::Kind::kNotice, std::move(text)});
}

}  // namespace

std::string JobView::NameOf(const std::string& worker_id) const {
  const auto name = names_.find(worker_id);
  return name == names_.end() ? worker_id : name->second.slot;
}

std::string JobView::JurisdictionOf(const std::string& worker_id) const {
  const auto name = names_.find(worker_id);
  return name == names_.end() || name->second.jurisdiction.empty() ? "?"
                                                                   : name->second.jurisdiction;
}

std::string JobView::RoundPrefix(std::uint32_t round) const {
  return absl::StrCat("[round ", round, "/", rounds_, "] ");
}

void JobView::Crossed(const std::string& worker_id, std::uint64_t bytes) {
  if (JurisdictionOf(worker_id) != home_) {
    crossed_bytes_ += bytes;
  }
}

void JobView::FinishRound() {
  if (round_ > 0) {
    finished_round_ = RoundLine();
  }
}

std::string JobView::TakeFinishedRound() {
  return std::exchange(finished_round_, "");
}

bool JobView::NeedsNames(const v1::JobEvent& event) const {
  v1::RoundOpened opened;
  if (Parse(event, "round-opened", &opened)) {
    for (const v1::RoundMember& member : opened.members()) {
      if (names_.count(member.worker_id()) == 0) {
        return true;
      }
    }
    for (const v1::LeftOut& out : opened.left_out()) {
      if (names_.count(out.worker_id()) == 0) {
        return true;
      }
    }
  }
  v1::Refusal refusal;
  return Parse(event, "refusal", &refusal) && !refusal.worker_id().empty() &&
         names_.count(refusal.worker_id()) == 0;
}

std::string JobView::LeftOutText(
    const google::protobuf::RepeatedPtrField<v1::LeftOut>& left_out) const {
  if (left_out.empty()) {
    return "";
  }
  return absl::StrCat(
      "; left out: ",
      absl::StrJoin(left_out, ", ", [this](std::string* out, const v1::LeftOut& item) {
        absl::StrAppend(out, NameOf(item.worker_id()), " (", item.reason(), ")");
      }));
}

// ---- one function per record type ----

void JobView::On(const v1::JobSubmitted& record, Lines* lines) {
  rounds_ = record.spec().rounds().count();
  AddRound(lines, absl::StrCat("job ", record.job_id(), " \"", record.spec().job(), "\": ", rounds_,
                               " rounds, trainer ", record.spec().trainer().name(), ", data ",
                               absl::StrJoin(record.spec().data(), " ")));
}

void JobView::On(const v1::RoundOpened& record, Lines* lines) {
  FinishRound();
  round_ = record.round();
  members_ = static_cast<std::size_t>(record.members_size());
  contributions_ = 0;
  losses_ = 0;
  loss_sum_ = 0;
  step_ = "training";
  for (const v1::RoundMember& member : record.members()) {
    Crossed(member.worker_id(), record.model().sealed_bytes());
  }
  AddRound(lines, absl::StrCat(
                      RoundPrefix(round_), "opened",
                      record.attempt() > 1 ? absl::StrCat(" (attempt ", record.attempt(), ")") : "",
                      ": ", members_, members_ == 1 ? " worker (" : " workers (",
                      absl::StrJoin(record.members(), " ",
                                    [this](std::string* out, const v1::RoundMember& member) {
                                      absl::StrAppend(out, NameOf(member.worker_id()));
                                    }),
                      "), model ", ShortDigest(AsBytes(record.model_sha256())),
                      LeftOutText(record.left_out())));
}

void JobView::On(const v1::Contribution& record, Lines* lines) {
  ++contributions_;
  const std::map<std::string, double> metrics = ToMap(record.metrics());
  if (const auto loss = metrics.find("loss"); loss != metrics.end()) {
    loss_sum_ += loss->second;
    ++losses_;
  }
  Crossed(record.worker_id(), record.sealed_bytes());
  const std::string from = JurisdictionOf(record.worker_id());
  AddRound(lines, absl::StrCat(RoundPrefix(record.round()), "contribution from ",
                               NameOf(record.worker_id()), " (", FormatBytes(record.sealed_bytes()),
                               from == home_ ? " at home" : absl::StrCat(" ", from, "→", home_),
                               metrics.empty() ? "" : ", ", FormatMetrics(metrics), ")"));
}

void JobView::On(const v1::ContributionRejected& record, Lines* lines) {
  AddNotice(lines, absl::StrCat(RoundPrefix(record.round()), "rejected: what ",
                                NameOf(record.worker_id()), " sent: ", record.reason()));
}

void JobView::On(const v1::TaskFailed& record, Lines* lines) {
  AddNotice(lines, absl::StrCat(RoundPrefix(record.round()), "failed at ",
                                NameOf(record.worker_id()), ": ", record.reason()));
}

void JobView::On(const v1::TransferCut& record, Lines* lines) {
  // Of a release there is no worker.
  AddNotice(lines, absl::StrCat(RoundPrefix(record.round()), record.direction(), " of ",
                                record.worker_id().empty() ? "the model under " + record.ticket_id()
                                                           : NameOf(record.worker_id()),
                                " cut after ", FormatBytes(record.bytes_crossed()), ": ",
                                record.reason()));
}

// Yes is no news.
void JobView::On(const v1::BridgeVerdict& record, Lines* lines) {
  if (record.outcome() == "allowed") {
    return;
  }
  const std::string why =
      record.outcome() == "error" ? absl::StrCat("did not answer, ", record.error())
      : record.reasons().empty()  ? "said no"
                                 : absl::StrCat("said no, ", absl::StrJoin(record.reasons(), "; "));
  AddNotice(lines, absl::StrCat("Open Policy Agent ", why, ": ",
                                policies::OperationName(record.flow().operation()), " of ",
                                policies::ArtifactName(record.flow().artifact()), " ",
                                record.flow().from(), "→", record.flow().to()));
}

void JobView::On(const v1::RoundClosed& record, Lines* lines) {
  step_ = "combining";
  AddRound(lines, absl::StrCat(RoundPrefix(record.round()), "closed with ", record.included_size(),
                               record.included_size() == 1 ? " contribution" : " contributions",
                               LeftOutText(record.left_out())));
}

void JobView::On(const v1::RoundAbandoned& record, Lines* lines) {
  step_ = "abandoned";
  AddNotice(lines, absl::StrCat(RoundPrefix(record.round()), "abandoned: ", record.reason(),
                                LeftOutText(record.left_out())));
}

void JobView::On(const v1::Aggregate& record, Lines* lines) {
  step_ = "combined";
  AddRound(lines,
           absl::StrCat(RoundPrefix(record.round()), "aggregate ",
                        ShortDigest(AsBytes(record.model_sha256())), " of ", record.included_size(),
                        record.included_size() == 1 ? " contribution (" : " contributions (",
                        record.strategy(), ")"));
}

void JobView::On(const v1::Evaluation& record, Lines* lines) {
  evaluation_ = ToMap(record.metrics());
  AddRound(lines,
           absl::StrCat(RoundPrefix(record.round()), "evaluation ", FormatMetrics(evaluation_),
                        " on ", record.examples(), " examples at home"));
}

void JobView::On(const v1::EvaluationAbandoned& record, Lines* lines) {
  AddNotice(lines, absl::StrCat(RoundPrefix(record.round()), "not evaluated: ", record.reason()));
}

void JobView::On(const v1::Refusal& record, Lines* lines) {
  const std::string who = record.worker_id().empty() ? "" : NameOf(record.worker_id());
  AddNotice(lines, RefusalText(who, record.decisions(), &shown_problems_));
}

void JobView::On(const v1::JobCompleted& record, Lines* lines) {
  FinishRound();
  ended_ = true;
  completed_ = true;
  lines->push_back({ViewLine::Kind::kEnd,
                    absl::StrCat("completed: ", record.reason(), " after ", record.rounds(),
                                 record.rounds() == 1 ? " round" : " rounds", ", model ",
                                 ShortDigest(AsBytes(record.model_sha256())))});
}

void JobView::On(const v1::JobStopped& record, Lines* lines) {
  FinishRound();
  ended_ = true;
  lines->push_back(
      {ViewLine::Kind::kEnd, absl::StrCat("stopped: ", record.reason(), " after ", record.rounds(),
                                          record.rounds() == 1 ? " round" : " rounds")});
}

namespace {

// Calls `on` with the event's record if it is a Message of `type`.
template <typename Message, typename On>
bool Try(const v1::JobEvent& event, absl::string_view type, On on) {
  Message message;
  if (!Parse(event, type, &message)) {
    return false;
  }
  on(message);
  return true;
}

}  // namespace

std::vector<ViewLine> JobView::Feed(const v1::JobEvent& event) {
  Lines lines;
  ++records_;
  const auto on = [&](const auto& record) { On(record, &lines); };
  // The types that a reader has use for; the others only count.
  Try<v1::JobSubmitted>(event, "job-submitted", on) ||
      Try<v1::RoundOpened>(event, "round-opened", on) ||
      Try<v1::Contribution>(event, "contribution", on) ||
      Try<v1::ContributionRejected>(event, "contribution-rejected", on) ||
      Try<v1::TaskFailed>(event, "task-failed", on) ||
      Try<v1::TransferCut>(event, "transfer-cut", on) ||
      Try<v1::BridgeVerdict>(event, "bridge-verdict", on) ||
      Try<v1::RoundClosed>(event, "round-closed", on) ||
      Try<v1::RoundAbandoned>(event, "round-abandoned", on) ||
      Try<v1::Aggregate>(event, "aggregate", on) || Try<v1::Evaluation>(event, "evaluation", on) ||
      Try<v1::EvaluationAbandoned>(event, "evaluation-abandoned", on) ||
      Try<v1::Refusal>(event, "refusal", on) || Try<v1::JobCompleted>(event, "job-completed", on) ||
      Try<v1::JobStopped>(event, "job-stopped", on);
  for (const v1::Failure& warning : event.warnings()) {
    if (shown_problems_.insert(absl::StrCat("warning|", warning.reason())).second) {
      AddNotice(&lines, WarningText(warning));
    }
  }
  return lines;
}

std::string JobView::RoundLine() const {
  if (round_ == 0) {
    return "";
  }
  const double share =
      members_ == 0 ? 0 : static_cast<double>(contributions_) / static_cast<double>(members_);
  std::string line = absl::StrCat("round ", round_, "/", rounds_, " ", Bar(share, kBarWidth), " ",
                                  contributions_, "/", members_, " ", step_);
  if (losses_ > 0) {
    absl::StrAppend(&line, "  loss ", FormatNumber(loss_sum_ / static_cast<double>(losses_)));
  }
  if (const auto accuracy = evaluation_.find("accuracy"); accuracy != evaluation_.end()) {
    absl::StrAppend(&line, "  accuracy ", FormatNumber(accuracy->second));
  } else if (!evaluation_.empty()) {
    absl::StrAppend(&line, "  ", FormatMetrics(evaluation_));
  }
  absl::StrAppend(&line, "  ", FormatBytes(crossed_bytes_), " over borders");
  return line;
}

std::string JobView::Summary(const v1::JobStatus& status) const {
  std::string text = absl::StrCat("  rounds     ", status.round(), " of ", status.rounds(), "\n");
  if (!status.metrics().empty()) {
    absl::StrAppend(&text, "  evaluated  ", FormatMetrics(ToMap(status.metrics())), "\n");
  }
  for (const v1::BorderTraffic& traffic : status.traffic()) {
    absl::StrAppend(&text, "  border     ", traffic.from(), "→", traffic.to(), "  ",
                    FormatBytes(traffic.bytes()), "\n");
  }
  absl::StrAppend(&text, "  refusals   ", status.refusals(), "\n  records    ", records_,
                  "\n  model      ", ShortDigest(AsBytes(status.model_sha256())), "\n");
  return text;
}

}  // namespace carnet::cli
