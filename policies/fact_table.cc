// The closed table of facts and the words that they can hold.
#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "base/status.h"
#include "policies/counters.h"
#include "policies/facts.h"

namespace carnet::policies {
namespace {

using Words = std::vector<std::string>;

Words Categories() {
  return {"biometric",      "children",           "confidential", "contact",   "core_data",
          "criminal",       "ethnicity",          "financial",    "genetic",   "genomic",
          "geolocation",    "government_related", "health",       "home_only", "identifiers",
          "important_data", "internal",           "localised",    "medicaid",  "medicare",
          "other_omic",     "payments",           "personal",     "politics",  "public",
          "religion",       "restricted",         "sex_life",     "union"};
}

Words EvidenceNames() {
  Words names;
  for (const EvidenceKind& kind : EvidenceKinds()) {
    names.emplace_back(kind.name);
  }
  return names;
}

// Advanced computing items of the US Commerce Control List: paragraphs 3A090 and 4A090 and the .z
// paragraphs of other entries (15 CFR 774 Supp. 1).
Words Chips() {
  return {"none",    "3A001.z", "3A090",   "3A090.a", "3A090.b", "4A003.z", "4A004.z",
          "4A005.z", "4A090",   "4A090.a", "4A090.b", "5A002.z", "5A004.z", "5A992.z"};
}

void AppendApprovalRows(std::vector<FactSpec>& rows) {
  rows.push_back({"approvals",
                  FactType::kApprovals,
                  FactSource::kCompliance,
                  {},
                  "the approvals on record",
                  "Which persons approved this job, one of its requirements or an exception, each "
                  "by their own "
                  "signature. Only requirements with `phase: approval`, and exceptions with "
                  "`approvals`, read it; no condition does.",
                  "Nobody approved anything.",
                  false});
}

void AppendArtifactRows(std::vector<FactSpec>& rows) {
  rows.push_back({"artifact.anonymity",
                  FactType::kWord,
                  FactSource::kCompliance,
                  {"none", "approved"},
                  "the assessment of anonymity",
                  "Whether an approved assessment says that nobody can be identified from it.",
                  "Nobody recorded whether there is an assessment.",
                  false});
  rows.push_back({"artifact.end_to_end_encrypted",
                  FactType::kYesNo,
                  FactSource::kEngine,
                  {},
                  "end-to-end encryption of the artifact",
                  "yes only if no party at the destination can open it: never towards a trainer, "
                  "unless the worker's memory is protected.",
                  "Nobody knows who can open it.",
                  false});
  rows.push_back(
      {"artifact.kind",
       FactType::kWord,
       FactSource::kEngine,
       {"job", "raw_data", "model", "delta", "metrics", "aggregate", "checkpoint", "key", "log"},
       "the kind of artifact",
       "What moves.",
       "Never absent.",
       false});
  rows.push_back({"at",
                  FactType::kTime,
                  FactSource::kEngine,
                  {},
                  "the time of the decision",
                  "The moment of the decision; compared with whole days in the policy's zone.",
                  "Never absent.",
                  false});
}

void AppendBridgeRows(std::vector<FactSpec>& rows) {
  rows.push_back({"bridge.opa",
                  FactType::kWord,
                  FactSource::kBridge,
                  {"allow", "deny"},
                  "the verdict of the organisation's Open Policy Agent",
                  "What the organisation's own Open Policy Agent says of this flow, asked with the "
                  "other facts as its input and put on record. Only flows whose rules read it are "
                  "asked about.",
                  "It was not asked, did not answer, or its answer is too old to count.",
                  false});
}

void AppendDataRows(std::vector<FactSpec>& rows) {
  rows.push_back({"data.categories", FactType::kWords, FactSource::kSteward, Categories(),
                  "the categories of data",
                  "Categories of data in the label class, the house's own level (public, internal, "
                  "confidential, restricted, home_only) among them.",
                  "The labels are not signed, or the shard is not the registered one.", false});
  rows.push_back({"data.label",
                  FactType::kName,
                  FactSource::kEngine,
                  {},
                  "the label class",
                  "Name of the class of shards with equal labels; `none` where no registered data "
                  "stands behind the artifact, as behind a base model from elsewhere.",
                  "Never absent.",
                  false});
  rows.push_back({"data.personal",
                  FactType::kYesNo,
                  FactSource::kSteward,
                  {},
                  "personal data",
                  "Whether the data, or what was learned from it, is about people.",
                  "The labels are not signed, or the shard is not the registered one.",
                  false});
  rows.push_back({"data.subjects_in",
                  FactType::kJurisdictions,
                  FactSource::kSteward,
                  {},
                  "the places of the people concerned",
                  "Jurisdictions whose people are in the data; empty only with data.personal: no.",
                  "The labels are not signed, or the shard is not the registered one.",
                  false});
}

void AppendDealRows(std::vector<FactSpec>& rows) {
  rows.push_back({"deal.kind",
                  FactType::kWord,
                  FactSource::kCompliance,
                  {"compute-rental", "data-sale", "employment", "internal", "investment"},
                  "the kind of deal",
                  "The contract under which the recipient gets it.",
                  "Nobody recorded the contract.",
                  false});
  rows.push_back({"dp.delta",
                  FactType::kNumber,
                  FactSource::kEngine,
                  {},
                  "the privacy delta",
                  "Differential privacy delta of the dataset after this job.",
                  "Not applicable without differential privacy.",
                  true});
  rows.push_back({"dp.epsilon",
                  FactType::kNumber,
                  FactSource::kEngine,
                  {},
                  "the privacy budget",
                  "Differential privacy epsilon of the dataset after this job.",
                  "Not applicable without differential privacy.",
                  true});
  rows.push_back({"dp.unit",
                  FactType::kWord,
                  FactSource::kEngine,
                  {"record", "person", "worker"},
                  "the unit of privacy",
                  "What differential privacy hides.",
                  "Not applicable without differential privacy.",
                  true});
  rows.push_back({"evidence", FactType::kWords, FactSource::kCompliance, EvidenceNames(),
                  "the evidence on file",
                  "Items accepted by the role that their kind names, valid at the time, whose "
                  "parties include sender and recipient and whose coverage includes the "
                  "destination and every category of the label class.",
                  "Never absent: no evidence is an empty list.", false});
  rows.push_back({"from.jurisdiction",
                  FactType::kJurisdiction,
                  FactSource::kEngine,
                  {},
                  "the place it comes from",
                  "Where the artifact is before.",
                  "Nobody recorded the place.",
                  false});
}

void AppendJobRows(std::vector<FactSpec>& rows) {
  rows.push_back({"job.id",
                  FactType::kName,
                  FactSource::kEngine,
                  {},
                  "the job",
                  "Id of the job that asks.",
                  "The operation belongs to no job.",
                  false});
  rows.push_back({"job.purpose",
                  FactType::kName,
                  FactSource::kSubmitter,
                  {},
                  "the purpose of the job",
                  "`purpose` of the job file.",
                  "The operation belongs to no job.",
                  false});
  rows.push_back({"key.held_in",
                  FactType::kJurisdiction,
                  FactSource::kEngine,
                  {},
                  "the place of the key",
                  "Where the key that opens the artifact is held.",
                  "Nobody recorded where the key is.",
                  true});
  rows.push_back({"model.controlled",
                  FactType::kYesNo,
                  FactSource::kCompliance,
                  {},
                  "export control of the model",
                  "Whether the weights are export-controlled.",
                  "Nobody classified the model.",
                  false});
  rows.push_back({"model.export_class",
                  FactType::kWord,
                  FactSource::kCompliance,
                  {"none", "4E091"},
                  "the export class of the model",
                  "Its entry of the US Commerce Control List.",
                  "Nobody classified the model.",
                  false});
  rows.push_back(
      {"op",
       FactType::kWord,
       FactSource::kEngine,
       {"place", "stage_data", "train", "send_model", "send_delta", "send_metrics", "aggregate",
        "store_checkpoint", "resume", "use_key", "release_model", "read_log"},
       "the operation",
       "What is asked.",
       "Never absent.",
       false});
}

void AppendRecipientRows(std::vector<FactSpec>& rows) {
  rows.push_back(
      {"recipient.certifications",
       FactType::kWords,
       FactSource::kCompliance,
       {"apec-cbpr", "apec-prp", "appi-operator", "eu-us-dpf", "european-patent-organisation",
        "global-cbpr", "global-prp", "iso-27001", "pipeda-commercial"},
       "the recipient's certifications",
       "Certificates and legal qualities of the recipient that compliance checked.",
       "Nobody checked.",
       false});
  rows.push_back({"recipient.listed_owner_pct",
                  FactType::kNumber,
                  FactSource::kCompliance,
                  {},
                  "the share owned by listed parties",
                  "Percent of the recipient owned by parties on sanctions or entity lists.",
                  "Nobody checked.",
                  false});
  rows.push_back({"recipient.org",
                  FactType::kName,
                  FactSource::kEngine,
                  {},
                  "the recipient",
                  "Name of the supplier or organisation that gets it.",
                  "Never absent.",
                  false});
  rows.push_back({"recipient.organised_in",
                  FactType::kJurisdiction,
                  FactSource::kCompliance,
                  {},
                  "the recipient's country of organisation",
                  "Where the recipient is organised or chartered.",
                  "Nobody recorded it.",
                  false});
  rows.push_back({"recipient.owners",
                  FactType::kOwners,
                  FactSource::kCompliance,
                  {},
                  "the recipient's ownership",
                  "Owners by jurisdiction and percent, direct or indirect; what is not listed is "
                  "unaccounted for.",
                  "Nobody recorded them.",
                  false});
  rows.push_back({"recipient.principal_place",
                  FactType::kJurisdiction,
                  FactSource::kCompliance,
                  {},
                  "the recipient's principal place of business",
                  "Where the recipient mainly does business.",
                  "Nobody recorded it.",
                  false});
  rows.push_back({"recipient.ultimate_parent",
                  FactType::kJurisdiction,
                  FactSource::kCompliance,
                  {},
                  "the recipient's ultimate parent",
                  "Where the headquarters of the recipient's ultimate parent are.",
                  "Nobody recorded it.",
                  false});
  rows.push_back({"round.repeating",
                  FactType::kYesNo,
                  FactSource::kEngine,
                  {},
                  "repetition of the transfer",
                  "Whether the job sends the same kind of artifact round after round.",
                  "The operation belongs to no round.",
                  false});
}

void AppendPlaceRows(std::vector<FactSpec>& rows) {
  rows.push_back({"secagg.k",
                  FactType::kNumber,
                  FactSource::kEngine,
                  {},
                  "the number of organisations in each secure sum",
                  "Distinct endorsing organisations among the survivors, less the assumed corrupt; "
                  "1 in trusted mode.",
                  "The operation belongs to no round.",
                  true});
  rows.push_back({"to.jurisdiction",
                  FactType::kJurisdiction,
                  FactSource::kEngine,
                  {},
                  "the destination",
                  "Where the artifact goes, or where it is used.",
                  "Nobody recorded the place.",
                  false});
  rows.push_back({"to.location_grade",
                  FactType::kRank,
                  FactSource::kCompliance,
                  {"claimed", "contract", "provider"},
                  "the proof of the destination",
                  "How the place of the destination is known: only claimed by the machine itself, "
                  "named in the supplier's contract, or by the provider's verified signed "
                  "instance identity (evidence `instance-identity` in force; when it ends, the "
                  "place is only claimed).",
                  "Nobody graded it, or something that was observed contradicts it and nobody "
                  "cleared that.",
                  false});
  rows.push_back({"worker.attested",
                  FactType::kYesNo,
                  FactSource::kEngine,
                  {},
                  "attestation of the worker",
                  "Whether the worker's confidential-computing attestation was verified.",
                  "No verdict.",
                  true});
  rows.push_back({"worker.chip_eccn", FactType::kChip, FactSource::kWorker, Chips(),
                  "the accelerator's export class",
                  "Export control class of the worker's accelerators; a bare number counts as each "
                  "of its paragraphs.",
                  "The worker does not say.", false});
  rows.push_back({"worker.memory_protected",
                  FactType::kYesNo,
                  FactSource::kEngine,
                  {},
                  "memory protection of the worker",
                  "Whether the worker's memory is encrypted against its own operator.",
                  "No verdict.",
                  true});
  rows.push_back({"worker.trainer_isolated",
                  FactType::kYesNo,
                  FactSource::kWorker,
                  {},
                  "isolation of the trainer",
                  "Whether trainers run without a network of the host, as the worker states.",
                  "The worker does not say.",
                  true});
}

std::vector<FactSpec> MakeTable() {
  std::vector<FactSpec> rows;
  AppendApprovalRows(rows);
  AppendArtifactRows(rows);
  AppendBridgeRows(rows);
  AppendDataRows(rows);
  AppendDealRows(rows);
  AppendJobRows(rows);
  AppendRecipientRows(rows);
  AppendPlaceRows(rows);
  CARNET_CHECK(rows.size() == kFactCount);
  CARNET_CHECK(std::is_sorted(rows.begin(), rows.end(), [](const FactSpec& a, const FactSpec& b) {
    return absl::string_view(a.path) < absl::string_view(b.path);
  }));
  for (const FactSpec& row : rows) {
    CARNET_CHECK(row.words.size() <= kFactWordsMax);
  }
  return rows;
}

}  // namespace

const std::vector<FactSpec>& FactTable() {
  static const auto& table = *new std::vector<FactSpec>(MakeTable());
  return table;
}

const FactSpec& CounterSpec() {
  static const auto& spec = *new FactSpec{
      "people.<code>.<category>",
      FactType::kNumber,
      FactSource::kSteward,
      {},
      "the number of people",
      "How many people of this jurisdiction and category of data this flow and those before it "
      "have "
      "concerned in the last 365 days, each counted once for a version of a dataset. Another "
      "window "
      "follows an @: `people.US.health@30d` (the last 30 days), `people.CN.personal@01-01+08:00` "
      "(since the newest 1 January, as days begin 8 hours ahead of UTC), "
      "`people.CN.personal@2026-01-01` (since that day).",
      "No opening balance was recorded.",
      false};
  return spec;
}

const std::vector<std::string>& CounterCategories() {
  static const auto& categories = *new std::vector<std::string>{
      "biometric",   "financial",  "genomic",  "geolocation", "health",
      "identifiers", "other_omic", "personal", "sensitive"};
  return categories;
}

FactId FindFact(absl::string_view path) {
  const std::vector<FactSpec>& table = FactTable();
  const auto found = std::lower_bound(
      table.begin(), table.end(), path,
      [](const FactSpec& row, absl::string_view wanted) { return row.path < wanted; });
  if (found != table.end() && found->path == path) {
    return static_cast<FactId>(std::distance(table.begin(), found));
  }
  return ParseCounter(path).ok() ? static_cast<FactId>(kCounters) : static_cast<FactId>(kNoFact);
}

const FactSpec* FindFactSpec(absl::string_view path) {
  const FactId id = FindFact(path);
  if (id == kNoFact) {
    return nullptr;
  }
  return id == kCounters ? &CounterSpec() : &FactTable()[static_cast<std::size_t>(id)];
}

std::vector<std::string> FactPaths() {
  std::vector<std::string> paths;
  for (const FactSpec& row : FactTable()) {
    paths.emplace_back(row.path);
  }
  return paths;
}

const std::vector<EvidenceKind>& EvidenceKinds() {
  static const auto& kinds = *new std::vector<EvidenceKind>{
      {"adequacy-assessment",
       "The organisation's own assessment that the law at the destination protects comparably",
       "dpo"},
      {"adgm-scc", "ADGM standard contractual clauses", "legal"},
      {"ae-health-exception", "Exception to the localisation of health data, Federal Law 2/2019",
       "legal"},
      {"ae-transfer-contract", "Contract under Article 23 of Federal Decree-Law 45/2021", "legal"},
      {"art49-derogation", "Derogation under GDPR Article 49", "legal"},
      {"art9-condition", "Recorded condition of GDPR Article 9(2)", "dpo"},
      {"asean-mcc", "ASEAN model contractual clauses", "legal"},
      {"bcr", "Binding corporate rules", "legal"},
      {"bis-license", "Licence of the US Bureau of Industry and Security", "export-control"},
      {"business-associate-agreement", "HIPAA business associate agreement", "legal"},
      {"cisa-security-requirements", "CISA restricted-transaction controls", "us-counsel"},
      {"cms-offshore-attestation", "Offshore attestation filed with CMS", "us-counsel"},
      {"cn-certification", "Chinese certification for personal information export", "legal"},
      {"cn-export-exemption", "Exemption of CAC Order 16: contract, employment or emergency",
       "legal"},
      {"cn-not-critical-operator",
       "Statement that the exporter operates no critical information infrastructure", "legal"},
      {"cn-security-assessment", "CAC security assessment", "legal"},
      {"cn-standard-contract", "Filed Chinese standard contract", "legal"},
      {"data-compliance-program", "Yearly certification under 28 CFR 202.1001", "us-counsel"},
      {"data-subject-consent", "Recorded consent of the people concerned", "dpo"},
      {"difc-scc", "DIFC standard contractual clauses", "legal"},
      {"fips-140", "Validation of the cryptography, FIPS 140-2 or equal", "export-control"},
      {"id-transfer-contract",
       "Contract with binding safeguards, Indonesian Law 27/2022 Article 56", "legal"},
      {"in-rbi-deletion-undertaking", "Undertaking to delete payment data abroad within a day",
       "legal"},
      {kInstanceIdentity,
       "Signed instance identity of the provider, whose signature somebody verified", "compliance"},
      {"license-exception", "US export licence exception", "export-control"},
      {"ru-primary-database", "Statement that the data was first recorded in Russia", "dpo"},
      {"ru-transfer-notice", "Notice of a transfer out of Russia", "legal"},
      {"sa-certification", "Saudi certification for transfers", "legal"},
      {"sa-risk-assessment", "Saudi transfer risk assessment", "dpo"},
      {"sa-standard-contract", "Saudi standard contractual clauses", "legal"},
      {"sa-transfer-exemption", "Exemption of the Saudi transfer regulation", "legal"},
      {"scc-2021-914", "EU standard contractual clauses (Decision 2021/914)", "legal"},
      {"sg-transfer-contract", "Contract naming the destinations, PDPR 2021 regulation 10",
       "legal"},
      {"tia", "Transfer impact assessment", "dpo"},
      {"validated-end-user", "BIS validated end user authorisation", "export-control"},
      {"vn-transfer-dossier", "Vietnamese transfer impact dossier", "dpo"}};
  return kinds;
}

}  // namespace carnet::policies
