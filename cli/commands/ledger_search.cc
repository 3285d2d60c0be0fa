// Asking a log: which records name this, and which models contain it. The whole log is verified on
// the way, so that an answer says what it was taken from and that nothing was left out.
#include "cli/commands/ledger_search.h"

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <ostream>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/status.h"
#include "cli/commands/ledger_export.h"
#include "cli/commands/ledger_place.h"
#include "cli/lineage_view.h"
#include "cli/output.h"
#include "ledger/log_keys.h"
#include "ledger/merkle.h"
#include "ledger/note.h"
#include "ledger/query/contents.h"
#include "ledger/query/search.h"
#include "ledger/record.h"

namespace carnet::cli {
namespace {

using ledger::query::Contents;
using ledger::query::ModelAnswer;
using ledger::query::Question;
using ledger::query::Terms;
using ledger::verifier::LogVerdict;
using ledger::verifier::TakenRecord;

constexpr std::size_t kHitsMax = 100'000;
constexpr mode_t kProofDirMode = 0755;

struct SearchOptions {
  SourceOptions source;
  Question question;
  std::string revision;
  std::string artifact;
  std::string from;
  std::string until;
  std::string released_with;
  std::string proofs;
};

struct Hit {
  std::uint64_t index = 0;
  std::string type;
  Digest leaf_hash{};
  Terms terms;
};

// A day, which counts as a whole, or an instant; both in UTC.
absl::StatusOr<absl::Time> ParseMoment(const char* option, const std::string& text, bool end) {
  absl::Time time;
  absl::CivilDay day;
  if (absl::ParseCivilTime(text, &day)) {
    return end ? absl::FromCivil(day + 1, absl::UTCTimeZone()) - absl::Nanoseconds(1)
               : absl::FromCivil(day, absl::UTCTimeZone());
  }
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, text, &time, &error)) {
    return time;
  }
  return WithRemedy(absl::InvalidArgumentError(absl::StrCat(option, ": no day and no time")),
                    "write 2026-11-21, or 2026-11-21T09:00:00Z");
}

absl::StatusOr<Question> QuestionOf(const SearchOptions& options) {
  Question question = options.question;
  if (!options.revision.empty()) {
    std::uint64_t revision = 0;
    if (!absl::SimpleAtoi(options.revision, &revision)) {
      return absl::InvalidArgumentError("--revision: not a number");
    }
    question.revision = revision;
  }
  if (!options.artifact.empty()) {
    const absl::StatusOr<Digest> digest = DigestFromHex(options.artifact);
    if (!digest.ok()) {
      return absl::InvalidArgumentError("--artifact: not 64 hex digits");
    }
    question.artifact = *digest;
  }
  if (!options.from.empty()) {
    CARNET_ASSIGN_OR_RETURN(question.from, ParseMoment("--from", options.from, false));
  }
  if (!options.until.empty()) {
    CARNET_ASSIGN_OR_RETURN(question.until, ParseMoment("--until", options.until, true));
  }
  return question;
}

nlohmann::json SearchedJson(const LogVerdict& verdict) {
  const ledger::verifier::LogReport& report = verdict.report;
  return {{"origin", report.head.origin},
          {"size", report.head.size},
          {"root", HexEncode(report.head.root)},
          {"statements", report.statements_checked},
          {"complete", !verdict.failure && report.statements_checked == report.head.size},
          {"operator_only", report.operator_only}};
}

// The end of every answer: what was searched. Returns the exit code.
int Conclude(const CommandContext& context, const LogVerdict& verdict) {
  const ledger::verifier::LogReport& report = verdict.report;
  const bool complete = report.statements_checked == report.head.size;
  if (context.json) {
    nlohmann::json json = {{"searched", SearchedJson(verdict)}};
    if (verdict.failure) {
      json["failure"] = std::string(verdict.failure->status.message());
    }
    *context.out << json.dump() << '\n';
  } else if (verdict.failure) {
    *context.out << Coloured(context, Colour::kBad, "FAIL    ")
                 << (verdict.failure->index ? absl::StrCat("record ", *verdict.failure->index, ": ")
                                            : "")
                 << std::string(verdict.failure->status.message()) << "; no answer is given\n";
  } else if (complete) {
    *context.out << (report.head.size == 0
                         ? std::string("the log is empty")
                         : absl::StrCat("searched records 0 to ", report.head.size - 1,
                                        " under head ", report.head.size, " of ",
                                        report.head.origin, ", nothing left out"))
                 << '\n';
  } else {
    *context.out << "this source holds statements of " << report.statements_checked << " of "
                 << report.head.size << " records: what is not there was not searched\n";
  }
  if (verdict.failure) {
    return ExitCodeOf(verdict.failure->status);
  }
  return complete ? kGood : kCannotDecide;
}

std::string Join(const std::set<std::string>& names) {
  return names.empty() ? "-" : absl::StrJoin(names, ",");
}

void PrintHits(const CommandContext& context, const std::vector<Hit>& hits, std::size_t found) {
  if (context.json) {
    for (const Hit& hit : hits) {
      *context.out << nlohmann::json{{"index", hit.index},
                                     {"type", hit.type},
                                     {"at", FormatTimestamp(hit.terms.at)},
                                     {"leaf_hash", HexEncode(hit.leaf_hash)},
                                     {"jobs", hit.terms.jobs},
                                     {"workers", hit.terms.workers},
                                     {"regions", hit.terms.regions},
                                     {"suppliers", hit.terms.suppliers},
                                     {"shards", hit.terms.shards},
                                     {"revisions", hit.terms.revisions}}
                          .dump()
                   << '\n';
    }
    return;
  }
  Table table({"index", "record", "at", "job", "regions", "shards"});
  for (const Hit& hit : hits) {
    table.Add({absl::StrCat(hit.index), hit.type, FormatTimestamp(hit.terms.at),
               Join(hit.terms.jobs), Join(hit.terms.regions), Join(hit.terms.shards)});
  }
  if (!table.empty()) {
    *context.out << table.ToString();
  }
  *context.out << found << (found == 1 ? " record" : " records");
  if (found > hits.size()) {
    *context.out << ", the first " << hits.size() << " shown";
  }
  *context.out << '\n';
}

absl::StatusOr<int> RunSearch(const SearchOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(const Question question, QuestionOf(options));
  CARNET_ASSIGN_OR_RETURN(const OpenedSource source, OpenSource(options.source));
  ledger::query::TermsReader reader;
  std::vector<Hit> hits;
  std::size_t found = 0;
  const LogVerdict verdict = ledger::verifier::VerifyWholeLog(
      *source.log, source.policy, {}, [&](const TakenRecord& taken) {
        const ledger::verifier::VerifiedRecord& record = taken.record;
        Terms terms = reader.Read(record);
        if (Matches(question, record.type, terms) && ++found <= kHitsMax) {
          hits.push_back({taken.index, record.type, record.leaf_hash, std::move(terms)});
        }
      });
  if (!verdict.failure) {
    PrintHits(context, hits, found);
  }
  return Conclude(context, verdict);
}

// `region:sg` and the like.
absl::Status TakeReleasedWith(const std::string& text, Question& question) {
  const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits(':', 1));
  std::string* const place = parts[0] == "region"     ? &question.region
                             : parts[0] == "supplier" ? &question.supplier
                             : parts[0] == "shard"    ? &question.shard
                             : parts[0] == "worker"   ? &question.worker
                                                      : nullptr;
  if (place == nullptr || parts.size() != 2 || parts[1].empty()) {
    return WithRemedy(absl::InvalidArgumentError("--released-with: with what?"),
                      "region:R, supplier:S, shard:DATASET/SHARD or worker:ID");
  }
  *place = parts[1];
  return absl::OkStatus();
}

// The tree over all leaves, for proofs of some.
class LeafTree {
 public:
  explicit LeafTree(std::vector<Digest> leaves) { levels_.push_back(std::move(leaves)); }

  absl::StatusOr<v1::InclusionProof> Prove(std::uint64_t index) {
    while (levels_.back().size() > 1) {
      const std::vector<Digest>& below = levels_.back();
      std::vector<Digest> level;
      for (std::size_t i = 0; i + 1 < below.size(); i += 2) {
        level.push_back(ledger::NodeHash(below[i], below[i + 1]));
      }
      levels_.push_back(std::move(level));
    }
    CARNET_ASSIGN_OR_RETURN(
        const std::vector<Digest> path,
        ledger::InclusionPath(index, levels_[0].size(),
                              [this](unsigned level, std::uint64_t at) -> absl::StatusOr<Digest> {
                                return levels_[level][at];
                              }));
    v1::InclusionProof proof;
    proof.set_index(index);
    proof.set_tree_size(levels_[0].size());
    for (const Digest& hash : path) {
      proof.add_hashes(ToString(hash));
    }
    return proof;
  }

 private:
  std::vector<std::vector<Digest>> levels_;  // of perfect subtrees, leaves first
};

// Which of the log's keys signed the head.
absl::StatusOr<ledger::NoteKey> SignerAfter(
    const ledger::NoteKey& founding, const std::map<std::uint64_t, v1::SignedRecord>& rotations,
    absl::string_view note) {
  ledger::LogKeys keys(founding);
  for (const auto& [index, record] : rotations) {
    CARNET_RETURN_IF_ERROR(keys.Follow(index, record).status());
  }
  return ledger::SignerOf(note, keys);
}

// The records that answers name, as bundles. Reads the log a second time: which they are is known
// only after the first.
absl::StatusOr<std::size_t> WriteProofs(const OpenedSource& source, const LogVerdict& searched,
                                        const std::set<std::uint64_t>& wanted,
                                        const std::string& directory) {
  std::vector<Digest> leaves;
  std::map<std::uint64_t, v1::SignedRecord> records;
  std::map<std::uint64_t, v1::SignedRecord> rotations;
  const LogVerdict verdict = ledger::verifier::VerifyWholeLog(
      *source.log, source.policy, {}, [&](const TakenRecord& taken) {
        leaves.push_back(taken.record.leaf_hash);
        if (wanted.count(taken.index) != 0) {
          records.emplace(taken.index, taken.signed_record);
        }
        if (taken.record.As<v1::KeyRotated>() != nullptr) {
          rotations.emplace(taken.index, taken.signed_record);
        }
      });
  if (records.empty() || verdict.failure || !(verdict.report.head == searched.report.head)) {
    return WithRemedy(absl::UnavailableError("the log changed while it was read"), "ask again");
  }
  CARNET_ASSIGN_OR_RETURN(const Bytes note, source.log->Read("checkpoint"));
  CARNET_ASSIGN_OR_RETURN(const ledger::Record first, ledger::OpenRecord(records.at(0)));
  const auto* genesis = first.As<v1::Genesis>();
  if (genesis == nullptr) {
    return absl::UnauthenticatedError("the log does not begin with a genesis record");
  }
  CARNET_ASSIGN_OR_RETURN(const ledger::NoteKey founding, ledger::ParseVkey(genesis->log_vkey()));
  CARNET_ASSIGN_OR_RETURN(const ledger::NoteKey log,
                          SignerAfter(founding, rotations, AsText(note)));
  CARNET_ASSIGN_OR_RETURN(const ledger::Head head, ledger::ParseHead(AsText(note), log));
  CARNET_RETURN_IF_ERROR(MakeDirs(directory, kProofDirMode));
  LeafTree tree(std::move(leaves));
  nlohmann::json list = nlohmann::json::array();
  for (const auto& [index, record] : records) {
    v1::ProvenRecord proven;
    *proven.mutable_record() = record;
    CARNET_ASSIGN_OR_RETURN(*proven.mutable_proof(), tree.Prove(index));
    CARNET_RETURN_IF_ERROR(
        WriteBundle(proven, {.head = head, .note = ToString(note)}, log, directory, list));
  }
  CARNET_RETURN_IF_ERROR(WriteBundleList(list, directory));
  return records.size();
}

void PrintAnswers(const CommandContext& context, const std::vector<ModelAnswer>& answers) {
  std::size_t released = 0;
  for (const ModelAnswer& answer : answers) {
    *context.out << (context.json ? LineageJson(answer).dump() + "\n" : LineageText(answer));
    released += answer.releases.empty() ? 0 : 1;
  }
  if (!context.json) {
    *context.out << answers.size() << (answers.size() == 1 ? " model, " : " models, ") << released
                 << " released\n";
  }
}

absl::StatusOr<int> RunLineage(const SearchOptions& options, CommandContext& context) {
  CARNET_ASSIGN_OR_RETURN(Question question, QuestionOf(options));
  CARNET_RETURN_IF_ERROR(TakeReleasedWith(options.released_with, question));
  CARNET_ASSIGN_OR_RETURN(const OpenedSource source, OpenSource(options.source));
  Contents contents(question);
  const LogVerdict verdict = ledger::verifier::VerifyWholeLog(
      *source.log, source.policy, {},
      [&contents](const TakenRecord& taken) { contents.Visit(taken.index, taken.record); });
  if (!verdict.failure) {
    PrintAnswers(context, contents.answers());
  }
  const int code = Conclude(context, verdict);
  if (code == kGood && !options.proofs.empty() && verdict.report.head.size > 0) {
    std::set<std::uint64_t> wanted = {0};
    for (const ModelAnswer& answer : contents.answers()) {
      wanted.insert(answer.evidence.begin(), answer.evidence.end());
    }
    CARNET_ASSIGN_OR_RETURN(const std::size_t count,
                            WriteProofs(source, verdict, wanted, options.proofs));
    *context.err << "wrote " << count << " bundles to " << options.proofs << '\n';
  }
  return code;
}

}  // namespace

void AddLedgerSearch(CLI::App& noun, CommandContext& context) {
  const auto options = std::make_shared<SearchOptions>();
  CLI::App* search = AddCommand(noun, context, "search", "Records that name this, of all there are",
                                [options, &context] { return RunSearch(*options, context); });
  AddSourceOptions(*search, options->source);
  search->add_option("--type", options->question.type, "A record type, such as round-opened");
  search->add_option("--worker", options->question.worker, "A worker's id");
  search->add_option("--region", options->question.region, "A region, or home");
  search->add_option("--supplier", options->question.supplier, "A supplier or other recipient");
  search->add_option("--shard", options->question.shard, "DATASET/SHARD");
  search->add_option("--job", options->question.job, "A job's id");
  search->add_option("--revision", options->revision, "Of the policies that decided");
  search->add_option("--artifact", options->artifact, "SHA-256 of anything a record names, in hex");
  search->add_option("--from", options->from, "A day or time, UTC; it counts");
  search->add_option("--until", options->until, "A day or time, UTC; it counts");

  const auto asked = std::make_shared<SearchOptions>();
  CLI::App* lineage =
      AddCommand(noun, context, "lineage",
                 "Finished and released models that contain this, whom they went to, with proofs",
                 [asked, &context] { return RunLineage(*asked, context); });
  AddSourceOptions(*lineage, asked->source);
  lineage
      ->add_option("--released-with", asked->released_with,
                   "region:R, supplier:S, shard:DATASET/SHARD or worker:ID")
      ->required();
  lineage->add_option("--after", asked->from, "Contributions of this day or time on, UTC");
  lineage->add_option("--proofs", asked->proofs,
                      "Folder for the records that show it, as Sigstore bundles");
}

}  // namespace carnet::cli
