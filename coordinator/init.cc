#include "coordinator/init.h"

#include <map>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/config_loader.h"
#include "base/files.h"
#include "base/ids.h"
#include "base/status.h"
#include "base/timestamp.h"
#include "coordinator/core/registry.h"
#include "coordinator/init_people.h"
#include "coordinator/init_records.h"
#include "coordinator/registration.h"
#include "coordinator/state_dir.h"
#include "crypto/certificates.h"
#include "crypto/hash.h"
#include "crypto/key_files.h"
#include "crypto/p256.h"
#include "exchange/data_digest.h"
#include "exchange/join_token.h"
#include "ledger/log.h"
#include "ledger/record.h"
#include "policies/change.h"
#include "policies/group_findings.h"
#include "policies/holders.h"
#include "policies/jurisdictions.h"
#include "policies/loader.h"
#include "policies/packs.h"

namespace carnet::coordinator {
namespace {

constexpr absl::Duration kCaLife = absl::Hours(24 * 3650);
constexpr absl::Duration kTokenLife = absl::Hours(24);
constexpr absl::Duration kNotBeforeSkew = absl::Minutes(5);
constexpr std::size_t kNamesMax = 4096;

absl::Status Bad(const std::string& field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("federation: ", field, ": ", std::string(what)));
}

absl::Status Named(const absl::Status& status) {
  return status.ok() ? status
                     : absl::InvalidArgumentError(absl::StrCat("federation: ", status.message()));
}

absl::Status ValidateSuppliers(const v1::FederationConfig& federation) {
  for (const auto& [name, supplier] : federation.suppliers()) {
    CARNET_RETURN_IF_ERROR(ValidateSupplierName(name));
    const std::string field = absl::StrCat("suppliers.", name);
    if (name == federation.home().organisation()) {
      return Bad(field, "the home organisation is no supplier");
    }
    CARNET_RETURN_IF_ERROR(Named(CheckSupplier(field, supplier)));
  }
  return absl::OkStatus();
}

absl::Status ValidateRegions(const v1::FederationConfig& federation) {
  for (const auto& [name, region] : federation.regions()) {
    const std::string field = absl::StrCat("regions.", name);
    CARNET_RETURN_IF_ERROR(ValidateRegionName(name));
    if (name == "home") {
      return Bad(field, "home is registered by itself");
    }
    CARNET_RETURN_IF_ERROR(Named(CheckRegion(field, region)));
    if (region.location_evidence() == v1::LOCATION_GRADE_PROVIDER) {
      return Bad(absl::StrCat(field, ".location_evidence"),
                 "`provider` stands on evidence, and none is on file yet: begin with `claimed` or "
                 "`contract`, add evidence of kind instance-identity, then run `carnet region "
                 "update`");
    }
    if (!region.supplier().empty() && federation.suppliers().count(region.supplier()) == 0) {
      return Bad(absl::StrCat(field, ".supplier"), "not among `suppliers`");
    }
  }
  for (const auto& [name, worker] : federation.workers()) {
    CARNET_RETURN_IF_ERROR(ValidateSlotName(name));
    if (worker.region() != "home" && federation.regions().count(worker.region()) == 0) {
      return Bad(absl::StrCat("workers.", name, ".region"), "home, or one of `regions`");
    }
  }
  return absl::OkStatus();
}

absl::Status ValidateDatasets(const v1::FederationConfig& federation) {
  for (const auto& [name, dataset] : federation.datasets()) {
    CARNET_RETURN_IF_ERROR(ValidateDatasetName(name));
    for (const auto& [shard_name, shard] : dataset.shards()) {
      const std::string field = absl::StrCat("datasets.", name, ".shards.", shard_name);
      CARNET_RETURN_IF_ERROR(ValidateShardName(shard_name));
      const std::string& region = shard.stored_in();
      if (!region.empty() && region != "home" && federation.regions().count(region) == 0) {
        return Bad(absl::StrCat(field, ".stored_in"), "home, or one of `regions`");
      }
      if (shard.rows() == 0 && shard.path().empty()) {
        return Bad(absl::StrCat(field, ".rows"), "required unless `path` names the file");
      }
      CARNET_RETURN_IF_ERROR(Named(CheckLabels(field, LabelsOf(dataset, shard))));
    }
  }
  return absl::OkStatus();
}

// Everything that init makes, in the folder that is moved into place at the end.
class Founder {
 public:
  Founder(const InitOptions& options, v1::FederationConfig federation, std::filesystem::path root,
          Clock& clock, Rng& rng)
      : options_(options),
        federation_(std::move(federation)),
        dir_{std::move(root)},
        clock_(clock),
        rng_(rng) {}

  absl::StatusOr<InitReport> Run();
  const std::vector<std::pair<std::filesystem::path, crypto::SecretBytes>>& tokens() const {
    return tokens_;
  }

 private:
  absl::StatusOr<std::shared_ptr<const policies::Bundle>> LoadPolicies();
  v1::Genesis MakeGenesis(const policies::Bundle& bundle, const crypto::CertificateAuthority& ca,
                          const crypto::Ed25519KeyPair& statement_key);
  absl::Status MakePeople(const policies::Bundle& bundle, const crypto::CertificateAuthority& ca);
  absl::Status AddInvitations(const crypto::CertificateAuthority& ca, const Digest& genesis_leaf,
                              RecordSigner* signer);
  absl::StatusOr<crypto::Ed25519KeyPair> NewSigningKey(const crypto::KeyFiles& keys,
                                                       const char* id);

  const InitOptions& options_;
  const v1::FederationConfig federation_;
  const StateDir dir_;
  Clock& clock_;
  Rng& rng_;
  InitReport report_;
  std::vector<v1::UserEnrolled> people_;
  bool alone_ = false;       // one person, who is everything
  Speakers speakers_{rng_};  // who signs what is registered here
  std::vector<std::pair<std::filesystem::path, crypto::SecretBytes>> tokens_;
};

absl::StatusOr<crypto::Ed25519KeyPair> Founder::NewSigningKey(const crypto::KeyFiles& keys,
                                                              const char* id) {
  crypto::Ed25519KeyPair pair = crypto::Ed25519KeyPair::Generate(rng_);
  CARNET_RETURN_IF_ERROR(keys.Create(id, crypto::KeyKind::kEd25519, pair.seed()));
  return pair;
}

absl::StatusOr<std::shared_ptr<const policies::Bundle>> Founder::LoadPolicies() {
  const std::string& home = federation_.home().jurisdiction();
  std::shared_ptr<const policies::Bundle> bundle;
  policies::LoadOptions load_options;
  load_options.home = home;
  if (federation_.policies().empty()) {
    CARNET_ASSIGN_OR_RETURN(bundle, policies::StarterBundle(home));
  } else {
    CARNET_ASSIGN_OR_RETURN(
        bundle, policies::LoadBundle(
                    options_.federation_file.parent_path() / federation_.policies(), load_options));
  }
  CARNET_RETURN_IF_ERROR(policies::CheckSourced(*bundle));
  policies::BundleHead head;
  head.revision = 1;
  head.valid_from = absl::FromUnixSeconds(absl::ToUnixSeconds(clock_.Now()));
  head.valid_to = head.valid_from + policies::kBundleValidityMax;
  return policies::IssueBundle(*bundle, head);
}

v1::Genesis Founder::MakeGenesis(const policies::Bundle& bundle,
                                 const crypto::CertificateAuthority& ca,
                                 const crypto::Ed25519KeyPair& statement_key) {
  v1::Genesis genesis;
  genesis.set_federation(federation_.federation());
  genesis.set_home_jurisdiction(federation_.home().jurisdiction());
  genesis.set_organisation(federation_.home().organisation());
  genesis.set_trust_domain(federation_.trust_domain());
  genesis.set_origin(report_.origin);
  genesis.set_log_vkey(report_.log_vkey);
  genesis.set_statement_public_key(ToString(statement_key.public_key()));
  genesis.set_ca_spki_sha256(ToString(crypto::Sha256(ca.key().spki())));
  genesis.set_ca_certificate_pem(ca.certificate_pem());
  genesis.set_bundle_json(bundle.CanonicalJson());
  genesis.set_bundle_sha256(ToString(bundle.sha256()));
  genesis.set_bundle_revision(bundle.revision());
  genesis.set_bootstrap_approval(true);
  for (const v1::UserEnrolled& person : people_) {
    v1::FirstHolder* holder = genesis.add_first_holders();
    holder->set_user_id(person.user_id());
    holder->set_public_key(person.public_key());
    *holder->mutable_roles() = person.roles();
    holder->set_bootstrap(alone_);
  }
  const absl::StatusOr<Digest> software = exchange::FileDigest("/proc/self/exe");
  genesis.set_software_sha256(software.ok() ? HexEncode(*software) : "");
  report_.bundle_sha256 = HexEncode(bundle.sha256());
  report_.policies = bundle.PolicyNames();
  return genesis;
}

absl::Status Founder::MakePeople(const policies::Bundle& bundle,
                                 const crypto::CertificateAuthority& ca) {
  const PeopleOrder order{.federation = federation_,
                          .bundle = bundle,
                          .ca = ca,
                          .base = options_.federation_file.parent_path(),
                          .dir = dir_,
                          .log_vkey = report_.log_vkey};
  CARNET_ASSIGN_OR_RETURN(FirstPeople people, MakeFirstPeople(order, clock_, rng_, &speakers_));
  report_.people = std::move(people.names);
  report_.keys_made = std::move(people.keys_made);
  report_.certified = std::move(people.certified);
  alone_ = people.alone;
  people_ = std::move(people.records);
  report_.policies_until = bundle.head().valid_to;
  if (alone_) {
    policies::Holders holders;
    for (const std::string& role : people_.front().roles()) {
      holders[role].insert(people_.front().user_id());
    }
    report_.needed = policies::PersonsMissing(policies::ApprovalRules(bundle), holders);
    report_.jurisdiction = federation_.home().jurisdiction();
    report_.organisation = federation_.home().organisation();
  }
  return absl::OkStatus();
}

absl::Status Founder::AddInvitations(const crypto::CertificateAuthority& ca,
                                     const Digest& genesis_leaf, RecordSigner* signer) {
  const std::map<std::string, v1::WorkerSlotConfig> workers(federation_.workers().begin(),
                                                            federation_.workers().end());
  for (const auto& [slot, worker] : workers) {
    const auto region = federation_.regions().find(worker.region());
    const std::string supplier =
        region == federation_.regions().end() || region->second.supplier().empty()
            ? federation_.home().organisation()
            : region->second.supplier();
    exchange::JoinToken token{
        .addresses = {federation_.addresses().begin(), federation_.addresses().end()},
        .https_addresses = {federation_.https_addresses().begin(),
                            federation_.https_addresses().end()},
        .ca_spki_sha256 = crypto::Sha256(ca.key().spki()),
        .log_vkey = report_.log_vkey,
        .genesis_leaf = genesis_leaf,
        .region = worker.region(),
        .supplier = supplier,
        .slot = slot,
        .trust_domain = federation_.trust_domain(),
        .secret = crypto::SecretBytes(exchange::kJoinSecretBytes),
        // By the time of its record: a clock read again may stand a second later.
        .expires = absl::FromUnixSeconds(absl::ToUnixSeconds(signer->at() + kTokenLife))};
    rng_.Fill(token.secret.Mutable());
    v1::WorkerInvited record;
    record.set_token_sha256(ToString(crypto::Sha256(token.secret.View())));
    record.set_region(worker.region());
    record.set_supplier(supplier);
    record.set_slot(slot);
    *record.mutable_expires() = ToTimestamp(token.expires);
    CARNET_RETURN_IF_ERROR(signer->Add(std::move(record)));
    CARNET_ASSIGN_OR_RETURN(crypto::SecretBytes text, exchange::EncodeJoinToken(token));
    tokens_.emplace_back(options_.join_dir / absl::StrCat(slot, ".token"), std::move(text));
  }
  return absl::OkStatus();
}

absl::StatusOr<InitReport> Founder::Run() {
  report_.federation = federation_.federation();
  report_.origin = absl::StrCat(federation_.trust_domain(), "/log");
  for (const std::filesystem::path& folder :
       {dir_.root, dir_.vault(), dir_.people(), dir_.spool()}) {
    CARNET_RETURN_IF_ERROR(MakeDirs(folder));
  }
  CARNET_ASSIGN_OR_RETURN(const std::shared_ptr<const policies::Bundle> bundle, LoadPolicies());
  CARNET_RETURN_IF_ERROR(CheckApprovers(federation_, *bundle));
  CARNET_ASSIGN_OR_RETURN(const crypto::KeyFiles keys,
                          crypto::KeyFiles::Open(dir_.keys().string()));
  CARNET_ASSIGN_OR_RETURN(crypto::Ed25519KeyPair log_key, NewSigningKey(keys, kLogKeyId));
  report_.log_vkey = ledger::NoteKey{report_.origin, log_key.public_key()}.Vkey();
  CARNET_ASSIGN_OR_RETURN(const crypto::Ed25519KeyPair statement_key,
                          NewSigningKey(keys, kStatementKeyId));
  const absl::Time now = clock_.Now();
  CARNET_ASSIGN_OR_RETURN(
      const crypto::CertificateAuthority ca,
      crypto::CertificateAuthority::Create(absl::StrCat(federation_.federation(), " CA"),
                                           {now - kNotBeforeSkew, now + kCaLife}, rng_));
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes ca_pem, ca.key().ToPem());
  CARNET_RETURN_IF_ERROR(keys.Create(kCaKeyId, crypto::KeyKind::kP256, ca_pem));
  CARNET_ASSIGN_OR_RETURN(const crypto::P256Key server_key, crypto::P256Key::Generate());
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes server_pem, server_key.ToPem());
  CARNET_RETURN_IF_ERROR(keys.Create(kServerKeyId, crypto::KeyKind::kP256, server_pem));
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(dir_.ca_certificate(), AsBytes(ca.certificate_pem())));
  const std::string config = absl::StrCat(
      "# How this coordinator runs; every field is described in docs/configuration.md.\nlisten:\n  "
      "grpc: ",
      federation_.listen().grpc(), "\n  https: ", federation_.listen().https(), "\naddresses: [",
      absl::StrJoin(federation_.addresses(), ", "), "]\nhttps_addresses: [",
      absl::StrJoin(federation_.https_addresses(), ", "), "]\n");
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(dir_.config(), AsBytes(config)));

  CARNET_RETURN_IF_ERROR(MakePeople(*bundle, ca));
  RecordSigner signer(statement_key, now, rng_);
  CARNET_RETURN_IF_ERROR(signer.Add(MakeGenesis(*bundle, ca, statement_key)));
  CARNET_ASSIGN_OR_RETURN(const ledger::Record first, ledger::OpenRecord(signer.first()));
  for (v1::UserEnrolled& person : people_) {
    CARNET_RETURN_IF_ERROR(signer.Add(std::move(person)));
  }
  CARNET_RETURN_IF_ERROR(AddRegistrations(federation_, options_.federation_file.parent_path(),
                                          speakers_, &signer, &report_.unstated));
  CARNET_RETURN_IF_ERROR(AddInvitations(ca, first.leaf_hash, &signer));
  report_.records = signer.count();
  ledger::LogOptions log_options{.state_dir = dir_.root, .head_file = {}, .origin = report_.origin};
  CARNET_ASSIGN_OR_RETURN(const std::unique_ptr<ledger::Log> log,
                          ledger::Log::Open(std::move(log_options), std::move(log_key)));
  CARNET_RETURN_IF_ERROR(log->Append(signer.Take()));
  return report_;
}

v1::FederationConfig WithDefaults(v1::FederationConfig federation) {
  if (federation.listen().grpc().empty()) {
    federation.mutable_listen()->set_grpc("127.0.0.1:7600");
  }
  if (federation.listen().https().empty()) {
    federation.mutable_listen()->set_https("127.0.0.1:7680");
  }
  if (federation.addresses().empty()) {
    federation.add_addresses(federation.listen().grpc());
  }
  if (federation.https_addresses().empty()) {
    federation.add_https_addresses(federation.listen().https());
  }
  return federation;
}

}  // namespace

absl::Status ValidateFederation(const v1::FederationConfig& federation) {
  if (absl::Status status = ValidateFederationName(federation.federation()); !status.ok()) {
    return Bad("federation", status.message());
  }
  if (absl::Status status = ValidateTrustDomain(federation.trust_domain()); !status.ok()) {
    return Bad("trust_domain", status.message());
  }
  if (absl::Status status = policies::CheckJurisdiction(federation.home().jurisdiction());
      !status.ok()) {
    return Bad("home.jurisdiction", status.message());
  }
  if (absl::Status status = ValidateSupplierName(federation.home().organisation()); !status.ok()) {
    return Bad("home.organisation", status.message());
  }
  if (static_cast<std::size_t>(federation.workers_size()) > kNamesMax ||
      static_cast<std::size_t>(federation.regions_size()) > kNamesMax) {
    return Bad("workers", "at most 4096 workers and regions");
  }
  CARNET_RETURN_IF_ERROR(Named(CheckHome("home", HomeTerms(federation.home()))));
  CARNET_RETURN_IF_ERROR(ValidatePeople(federation));
  CARNET_RETURN_IF_ERROR(ValidateSuppliers(federation));
  CARNET_RETURN_IF_ERROR(ValidateRegions(federation));
  return ValidateDatasets(federation);
}

absl::StatusOr<InitReport> InitFederation(const InitOptions& options, Clock& clock, Rng& rng) {
  InitOptions absolute = options;
  std::error_code error;
  absolute.state_dir = std::filesystem::absolute(options.state_dir, error).lexically_normal();
  if (absolute.state_dir.filename().empty()) {
    absolute.state_dir = absolute.state_dir.parent_path();
  }
  if (absolute.join_dir.empty()) {
    absolute.join_dir = absolute.state_dir.parent_path() / "join";
  }
  if (std::filesystem::exists(absolute.state_dir, error)) {
    return WithRemedy(
        WithOperatorDetail(absl::AlreadyExistsError("the state folder exists already"),
                           absolute.state_dir.string()),
        "name another folder with --state, or remove this one if nothing in it is needed");
  }
  CARNET_ASSIGN_OR_RETURN(v1::FederationConfig federation,
                          LoadYamlFile<v1::FederationConfig>(options.federation_file));
  federation = WithDefaults(std::move(federation));
  CARNET_RETURN_IF_ERROR(ValidateFederation(federation));
  const std::filesystem::path partial = absolute.state_dir.string() + ".partial";
  std::filesystem::remove_all(partial, error);
  Founder founder(absolute, std::move(federation), partial, clock, rng);
  absl::StatusOr<InitReport> report = founder.Run();
  absl::Status status = report.status();
  if (status.ok()) {
    status = MakeDirs(absolute.join_dir);
  }
  for (const auto& [path, text] : founder.tokens()) {
    if (status.ok()) {
      status = WriteFileAtomic(path, text.View());
      report->tokens.push_back(path);
    }
  }
  // The state appears whole or not at all; tokens without it invite nobody.
  if (status.ok()) {
    status = RenameDurably(partial, absolute.state_dir);
  }
  if (!status.ok()) {
    std::filesystem::remove_all(partial, error);
    return status;
  }
  return report;
}

}  // namespace carnet::coordinator
