#include "coordinator/init_people.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "base/files.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/status.h"
#include "coordinator/core/statements.h"
#include "crypto/hash.h"
#include "crypto/key_files.h"
#include "crypto/p256.h"
#include "exchange/person_keys.h"
#include "exchange/renewal.h"
#include "policies/change.h"
#include "policies/holders.h"
#include "policies/jurisdictions.h"
#include "policies/roles.h"

namespace carnet::coordinator {
namespace {

constexpr char kOperatorName[] = "operator";
constexpr absl::Duration kUserCertificateLife = absl::Hours(24 * 90);
constexpr absl::Duration kNotBeforeSkew = absl::Minutes(5);

// Every role that a command asks for. A federation of one person has these and those that its
// policies ask for: a role that nobody holds could never be passed on.
const char* const kAllRoles[] = {"admin",    "auditor",        "compliance", "data-steward",
                                 "dpo",      "export-control", "legal",      "member",
                                 "operator", "us-counsel"};

absl::Status Bad(const std::string& field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("federation: ", field, ": ", std::string(what)));
}

absl::Status ValidateRoles(const std::string& field, const v1::PersonConfig& person) {
  if (person.roles().empty()) {
    return Bad(field, "at least one");
  }
  for (const std::string& role : person.roles()) {
    if (!policies::IsRoleName(role)) {
      return Bad(field, "a role is a name of a-z, 0-9 and -, at most 64 characters");
    }
  }
  if (!policies::MixesAdminWithPolicy(person.roles())) {
    return absl::OkStatus();
  }
  std::vector<std::string> others;
  for (const std::string& role : person.roles()) {
    if (!policies::IsAccountRole(role)) {
      others.push_back(role);
    }
  }
  return WithRemedy(
      Bad(field,
          "an admin manages accounts and machines, and holds no role that decides about policies"),
      absl::StrCat("give ", absl::StrJoin(others, ", "), " to somebody else, as officer: {roles: [",
                   absl::StrJoin(others, ", "), "]}"));
}

// The lines of federation.yaml that would mend it, with names that nobody has yet.
std::string MendingLines(const v1::FederationConfig& federation,
                         const std::vector<std::set<std::string>>& missing) {
  std::string lines = "add to `people` of federation.yaml:";
  std::size_t number = 0;
  for (const std::set<std::string>& roles : missing) {
    std::string name;
    do {
      name = absl::StrCat("officer-", ++number);
    } while (federation.people().count(name) != 0);
    absl::StrAppend(&lines, "\n  ", name, ": {roles: [", absl::StrJoin(roles, ", "), "]}");
  }
  return lines;
}

// Roles of which nobody holds one, and without which nothing could ever be trained: who says whose
// data it is, who says where machines stand, who lets people and workers in. Whoever founds holds
// the first two, or nobody could ever pass them on.
std::vector<std::set<std::string>> RolesWithoutHolder(const policies::Holders& holders) {
  std::vector<std::set<std::string>> missing;
  for (const std::set<std::string>& any_of :
       {StewardRoles(), RegistrarRoles(), std::set<std::string>{"admin"}}) {
    if (std::none_of(any_of.begin(), any_of.end(),
                     [&](const std::string& role) { return holders.count(role) != 0; })) {
      missing.push_back(any_of);
    }
  }
  return missing;
}

// What the records and the certificate of a person hold.
struct PublicKeys {
  Bytes tls_spki;
  std::string statement;
  std::string wrapping;                        // empty: nothing can be kept for this person to open
  std::optional<crypto::Ed25519KeyPair> made;  // the statement key, if it was made here
};

class PeopleMaker {
 public:
  PeopleMaker(const PeopleOrder& order, Clock& clock, Rng& rng, Speakers* speakers)
      : order_(order), clock_(clock), rng_(rng), speakers_(speakers) {}

  absl::Status Add(const std::string& name, const v1::PersonConfig& person);
  FirstPeople Take() { return std::move(people_); }

 private:
  absl::StatusOr<PublicKeys> MakeKeys(const std::filesystem::path& folder);
  absl::StatusOr<PublicKeys> ReadRequest(const std::string& name, const std::string& file);
  absl::Status WriteContext(const std::filesystem::path& folder, const std::string& id,
                            const Bytes& tls_spki);

  const PeopleOrder& order_;
  Clock& clock_;
  Rng& rng_;
  Speakers* const speakers_;
  FirstPeople people_;
  std::set<std::string> keys_;  // of everybody so far
};

absl::StatusOr<PublicKeys> PeopleMaker::MakeKeys(const std::filesystem::path& folder) {
  CARNET_ASSIGN_OR_RETURN(const crypto::KeyFiles keys,
                          crypto::KeyFiles::Open((folder / "keys").string()));
  crypto::Ed25519KeyPair statement = crypto::Ed25519KeyPair::Generate(rng_);
  CARNET_RETURN_IF_ERROR(keys.Create("statement", crypto::KeyKind::kEd25519, statement.seed()));
  CARNET_ASSIGN_OR_RETURN(const crypto::P256Key tls, crypto::P256Key::Generate());
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes pem, tls.ToPem());
  CARNET_RETURN_IF_ERROR(keys.Create("tls", crypto::KeyKind::kP256, pem));
  std::string public_key = ToString(statement.public_key());
  return PublicKeys{tls.spki(), std::move(public_key), "", std::move(statement)};
}

absl::StatusOr<PublicKeys> PeopleMaker::ReadRequest(const std::string& name,
                                                    const std::string& file) {
  const std::string field = absl::StrCat("people.", name, ".request");
  const std::filesystem::path path = order_.base / file;
  const absl::StatusOr<Bytes> text = ReadFile(path, exchange::kPersonKeysBytesMax);
  const absl::StatusOr<v1::PersonKeys> keys =
      text.ok() ? exchange::ReadPersonKeys(AsText(*text)) : text.status();
  if (!keys.ok()) {
    return WithRemedy(WithOperatorDetail(Bad(field, keys.status().message()), path.string()),
                      absl::StrCat("on the machine of ", name, ": carnet user keygen ", name,
                                   " --out DIR, and bring DIR/", name, ".request here"));
  }
  if (keys->name() != name) {
    return Bad(field, absl::StrCat("it is of ", keys->name()));
  }
  return PublicKeys{ToBytes(keys->tls_spki()), keys->public_key(), keys->wrapping_public_key(),
                    std::nullopt};
}

absl::Status PeopleMaker::WriteContext(const std::filesystem::path& folder, const std::string& id,
                                       const Bytes& tls_spki) {
  const v1::FederationConfig& federation = order_.federation;
  CARNET_ASSIGN_OR_RETURN(const crypto::SpiffeId spiffe_id,
                          crypto::SpiffeId::User(federation.trust_domain(), id));
  const absl::Time now = clock_.Now();
  crypto::CertificateOrder certificate_order{
      .spki = tls_spki, .id = spiffe_id, .client = true, .validity = {}};
  certificate_order.validity = {now - kNotBeforeSkew, now + kUserCertificateLife};
  CARNET_ASSIGN_OR_RETURN(const std::string certificate,
                          crypto::IssueCertificate(order_.ca, certificate_order, rng_));
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(folder / "user.pem", AsBytes(certificate)));
  CARNET_RETURN_IF_ERROR(WriteFileAtomic(folder / "ca.pem", AsBytes(order_.ca.certificate_pem())));
  const std::string address =
      federation.addresses().empty() ? federation.listen().grpc() : federation.addresses(0);
  const std::string context = absl::StrCat(
      "# How `carnet` reaches the coordinator as this person; paths are relative to this "
      "file.\naddress: ",
      address, "\ntrust_domain: ", federation.trust_domain(), "\nuser_id: ", id,
      "\nca_file: ca.pem\ncertificate_file: user.pem\nkey_dir: keys\nlog_vkey: ", order_.log_vkey,
      "\n");
  const std::string https = federation.https_addresses().empty()
                                ? federation.listen().https()
                                : absl::StrJoin(federation.https_addresses(), "\n");
  CARNET_RETURN_IF_ERROR(
      WriteFileAtomic(folder / exchange::kHttpsAddressesFile, AsBytes(absl::StrCat(https, "\n"))));
  return WriteFileAtomic(folder / "context.yaml", AsBytes(context));
}

// Credentials that the person takes away; the name stays in the vault, records hold the id.
absl::Status PeopleMaker::Add(const std::string& name, const v1::PersonConfig& person) {
  const Bytes random = RandomBytes(rng_, kIdRandomBytes);
  const std::string id =
      MakeId("u", std::span<const std::uint8_t, kIdRandomBytes>(random.data(), kIdRandomBytes));
  const std::filesystem::path folder =
      name == kOperatorName ? order_.dir.operator_credentials() : order_.dir.people() / name;
  CARNET_RETURN_IF_ERROR(MakeDirs(folder));
  const bool own = !person.request().empty();
  absl::StatusOr<PublicKeys> keys = own ? ReadRequest(name, person.request()) : MakeKeys(folder);
  CARNET_RETURN_IF_ERROR(keys.status());
  if (!keys_.insert(keys->statement).second) {
    return Bad(absl::StrCat("people.", name, ".request"), "somebody else has this key");
  }
  CARNET_RETURN_IF_ERROR(WriteContext(folder, id, keys->tls_spki));
  CARNET_RETURN_IF_ERROR(
      WriteFileAtomic(order_.dir.vault() / id, AsBytes(nlohmann::json{{"name", name}}.dump())));
  v1::UserEnrolled record;
  record.set_user_id(id);
  record.set_public_key(keys->statement);
  record.set_wrapping_public_key(keys->wrapping);
  if (own) {
    record.set_tls_spki_sha256(ToString(crypto::Sha256(keys->tls_spki)));
    people_.certified.push_back(
        absl::StrCat(name, " ed25519 ", HexEncode(AsBytes(keys->statement))));
  } else {
    people_.keys_made.push_back(name);
  }
  const std::set<std::string> roles(person.roles().begin(), person.roles().end());
  record.mutable_roles()->Add(roles.begin(), roles.end());
  if (keys->made.has_value()) {
    speakers_->Add(id, roles, *std::move(keys->made));
  }
  const v1::HomeConfig& home = order_.federation.home();
  record.set_jurisdiction(person.jurisdiction().empty() ? home.jurisdiction()
                                                        : person.jurisdiction());
  record.set_organisation(person.organisation().empty() ? home.organisation()
                                                        : person.organisation());
  people_.names.push_back(name);
  people_.records.push_back(std::move(record));
  return absl::OkStatus();
}

}  // namespace

// Words that no rule, command or kind of evidence asks for are slips of the keyboard, but a house
// may have roles of its own: only their form is checked.
absl::Status ValidatePeople(const v1::FederationConfig& federation) {
  for (const auto& [name, person] : federation.people()) {
    // Names are folders under people/.
    if (absl::Status status = ValidateSlotName(name); !status.ok()) {
      return Bad("people", status.message());
    }
    CARNET_RETURN_IF_ERROR(ValidateRoles(absl::StrCat("people.", name, ".roles"), person));
    if (absl::Status status = policies::CheckJurisdiction(person.jurisdiction());
        !person.jurisdiction().empty() && !status.ok()) {
      return Bad(absl::StrCat("people.", name, ".jurisdiction"), status.message());
    }
    if (absl::Status status = ValidateSupplierName(person.organisation());
        !person.organisation().empty() && !status.ok()) {
      return Bad(absl::StrCat("people.", name, ".organisation"), status.message());
    }
  }
  return absl::OkStatus();
}

absl::Status CheckApprovers(const v1::FederationConfig& federation,
                            const policies::Bundle& bundle) {
  if (federation.people().empty()) {
    return absl::OkStatus();
  }
  policies::Holders holders;
  for (const auto& [name, person] : federation.people()) {
    for (const std::string& role : person.roles()) {
      holders[role].insert(name);
    }
  }
  const std::vector<policies::ApprovalRule> rules = policies::ApprovalRules(bundle);
  const absl::Status met = policies::CheckHolders(rules, holders);
  std::vector<std::set<std::string>> missing = policies::PersonsMissing(rules, holders);
  std::vector<std::string> faults;
  if (!met.ok()) {
    faults.push_back(
        absl::StrCat("they could never change or renew these policies: ", met.message()));
  }
  for (const std::set<std::string>& any_of : RolesWithoutHolder(holders)) {
    faults.push_back(absl::StrCat("nobody is ", absl::StrJoin(any_of, " or "),
                                  ", so nothing could ever be trained"));
    if (std::none_of(missing.begin(), missing.end(), [&](const std::set<std::string>& roles) {
          return roles.count(*any_of.begin()) != 0;
        })) {
      missing.push_back({*any_of.begin()});
    }
  }
  return faults.empty() ? absl::OkStatus()
                        : WithRemedy(Bad("people", absl::StrJoin(faults, "; ")),
                                     MendingLines(federation, missing));
}

absl::StatusOr<FirstPeople> MakeFirstPeople(const PeopleOrder& order, Clock& clock, Rng& rng,
                                            Speakers* speakers) {
  PeopleMaker maker(order, clock, rng, speakers);
  if (order.federation.people().empty()) {
    std::set<std::string> roles = policies::RolesAskedFor(order.bundle);
    roles.insert(std::begin(kAllRoles), std::end(kAllRoles));
    v1::PersonConfig everybody;
    everybody.mutable_roles()->Add(roles.begin(), roles.end());
    CARNET_RETURN_IF_ERROR(maker.Add(kOperatorName, everybody));
    FirstPeople people = maker.Take();
    people.alone = true;
    return people;
  }
  const std::map<std::string, v1::PersonConfig> people(order.federation.people().begin(),
                                                       order.federation.people().end());
  for (const auto& [name, person] : people) {
    CARNET_RETURN_IF_ERROR(maker.Add(name, person));
  }
  return people.count(kOperatorName) != 0 ? absl::StatusOr<FirstPeople>(maker.Take())
                                          : Bad("people", "one of them is named `operator`");
}

}  // namespace carnet::coordinator
