#include "coordinator/rpc/authorities.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/bytes.h"
#include "base/log.h"
#include "base/status.h"
#include "coordinator/core/keys.h"
#include "crypto/authority.h"

namespace carnet::coordinator {
namespace {

// Certificates are valid a little before now, for clocks that run late.
constexpr absl::Duration kNotBeforeSkew = absl::Minutes(5);

// The authority before the newest one, on record; null where its key is to be destroyed or is.
const Rotation* RunningOverlap(const State& state) {
  const Rotation* const last = state.FindRotation(kCaKind);
  if (last == nullptr) {
    return nullptr;
  }
  const auto key = state.keys.find(last->old_key_id);
  return key != state.keys.end() && key->second.phase == KeyPhase::kLive ? last : nullptr;
}

// The certificate of the authority before the newest one.
const std::string& AuthorityBefore(const State& state, const Rotation& last) {
  const std::string* pem = &state.genesis.ca_certificate_pem();
  for (const Rotation& rotation : state.rotations) {
    if (rotation.terms.kind() == kCaKind && rotation.index < last.index) {
      pem = &rotation.terms.ca_certificate_pem();
    }
  }
  return *pem;
}

}  // namespace

absl::StatusOr<Authorities::Authority> Authorities::Load(const crypto::KeyFiles& keys,
                                                         const std::string& key_id,
                                                         const std::string& certificate_pem) {
  CARNET_ASSIGN_OR_RETURN(const crypto::SecretBytes key, keys.Read(key_id, crypto::KeyKind::kP256));
  auto pair = crypto::CertificateAuthority::Load(key, certificate_pem);
  if (!pair.ok()) {
    return WithOperatorDetail(
        absl::DataLossError("the authority's key is not the one that the ledger names"),
        absl::StrCat("keys/", key_id, ".key"));
  }
  CARNET_ASSIGN_OR_RETURN(crypto::CertificateInfo info,
                          crypto::ParseCertificatePem(certificate_pem));
  return Authority{key_id, std::make_shared<const crypto::CertificateAuthority>(*std::move(pair)),
                   std::move(info), absl::InfiniteFuture()};
}

absl::StatusOr<std::unique_ptr<Authorities>> Authorities::Open(const State& state,
                                                               const crypto::KeyFiles& keys,
                                                               Server server, const Clock& clock,
                                                               Rng& rng) {
  // Not make_unique: the constructor is private.
  std::unique_ptr<Authorities> made(new Authorities(std::move(server), clock, rng));
  const MutexLock lock(made->mutex_);
  CARNET_ASSIGN_OR_RETURN(made->newest_,
                          Load(keys, state.KeyIdOf(kCaKind), AuthorityInForce(state)));
  if (const Rotation* const last = RunningOverlap(state); last != nullptr) {
    CARNET_ASSIGN_OR_RETURN(made->previous_,
                            Load(keys, last->old_key_id, AuthorityBefore(state, *last)));
    made->previous_->until = EndOfOverlap(*last);
  }
  return made;
}

absl::StatusOr<crypto::CertificateAuthority> Authorities::MakeNext() const {
  std::string name;
  {
    const MutexLock lock(mutex_);
    name = newest_->info.subject_name;
  }
  const absl::Time now = clock_.Now();
  return crypto::CertificateAuthority::Create(name, {now - kNotBeforeSkew, now + kAuthorityLife},
                                              rng_);
}

void Authorities::Offer(const std::string& key_id, crypto::CertificateAuthority next) {
  const MutexLock lock(mutex_);
  offered_.emplace(key_id, std::move(next));
}

void Authorities::Withdraw(const std::string& key_id) {
  const MutexLock lock(mutex_);
  offered_.erase(key_id);
}

void Authorities::Update(const State& state, std::uint64_t durable_size) {
  const Rotation* const last = state.FindRotation(kCaKind);
  if (last == nullptr || last->index >= durable_size) {
    return;
  }
  const MutexLock lock(mutex_);
  if (newest_->key_id != last->terms.key_id()) {
    const auto offered = offered_.find(last->terms.key_id());
    absl::StatusOr<crypto::CertificateInfo> info =
        crypto::ParseCertificatePem(last->terms.ca_certificate_pem());
    // Only this process makes rotations, and it holds the key before it asks for the record.
    CARNET_CHECK(offered != offered_.end() && info.ok());
    previous_ = std::move(newest_);
    previous_->until = EndOfOverlap(*last);
    newest_ =
        Authority{last->terms.key_id(),
                  std::make_shared<const crypto::CertificateAuthority>(std::move(offered->second)),
                  *std::move(info), absl::InfiniteFuture()};
    offered_.erase(offered);
    Log(LogLevel::kInfo, "authority.changed",
        {{"key", newest_->key_id}, {"both_until", FormatTimestamp(previous_->until)}});
  }
  if (previous_.has_value() && RunningOverlap(state) == nullptr) {
    previous_.reset();
    Log(LogLevel::kInfo, "authority.ended", {{"newest", newest_->key_id}});
  }
}

bool Authorities::BothCount() const {
  return previous_.has_value() && clock_.Now() < previous_->until;
}

absl::StatusOr<Authorities::Issued> Authorities::IssueBy(crypto::CertificateOrder order) const {
  order.validity.not_after = std::min(order.validity.not_after, newest_->info.validity.not_after);
  CARNET_ASSIGN_OR_RETURN(std::string pem, crypto::IssueCertificate(*newest_->pair, order, rng_));
  return Issued{std::move(pem), newest_->pair->certificate_pem()};
}

absl::StatusOr<Authorities::Issued> Authorities::Issue(crypto::CertificateOrder order) const {
  const MutexLock lock(mutex_);
  return IssueBy(std::move(order));
}

bool Authorities::Counts(const crypto::CertificateInfo& info) const {
  const MutexLock lock(mutex_);
  const std::string& issuer = info.authority_key_id_hex;
  return !issuer.empty() && (issuer == newest_->info.subject_key_id_hex ||
                             (BothCount() && issuer == previous_->info.subject_key_id_hex));
}

absl::StatusOr<crypto::CertificateInfo> Authorities::Verify(
    absl::string_view certificate_pem) const {
  CARNET_ASSIGN_OR_RETURN(const crypto::CertificateInfo claimed,
                          crypto::ParseCertificatePem(certificate_pem));
  const absl::Time at = claimed.validity.not_after;
  std::shared_ptr<const crypto::CertificateAuthority> newest;
  std::shared_ptr<const crypto::CertificateAuthority> previous;
  {
    const MutexLock lock(mutex_);
    newest = newest_->pair;
    previous = BothCount() ? previous_->pair : nullptr;
  }
  auto verified = crypto::VerifyCertificate(certificate_pem, newest->certificate_pem(), at);
  if (verified.ok() || previous == nullptr) {
    return verified;
  }
  return crypto::VerifyCertificate(certificate_pem, previous->certificate_pem(), at);
}

Digest Authorities::NewestSpkiSha256() const {
  const MutexLock lock(mutex_);
  return newest_->info.spki_sha256;
}

absl::Status Authorities::Rebuild(absl::Time now) {
  crypto::CertificateOrder order{
      .spki = server_.spki, .id = server_.id, .server = true, .validity = {}};
  order.dns_names = {server_.dns_name};
  order.validity = {now - kNotBeforeSkew, now + kServerCertificateLife};
  CARNET_ASSIGN_OR_RETURN(const Issued own, IssueBy(std::move(order)));
  Tls made{.version = tls_ == nullptr ? 1 : tls_->version + 1,
           .chain = own.certificate_pem,
           .roots = own.authority_pem};
  const bool both = BothCount();
  if (both) {
    const absl::Time end = std::min(previous_->until, previous_->info.validity.not_after);
    CARNET_ASSIGN_OR_RETURN(
        const std::string crossed,
        crypto::CrossCertify(*previous_->pair, *newest_->pair, {now - kNotBeforeSkew, end}, rng_));
    made.chain += crossed;
    made.roots += previous_->pair->certificate_pem();
    made.authorities = 2;
  }
  made.chain += made.roots;
  tls_ = std::make_shared<const Tls>(std::move(made));
  tls_of_both_ = both;
  tls_of_ = newest_->key_id;
  tls_again_ = now + kServerCertificateLife / 3;
  return absl::OkStatus();
}

std::shared_ptr<const Authorities::Tls> Authorities::CurrentTls() {
  const MutexLock lock(mutex_);
  const absl::Time now = clock_.Now();
  if (tls_ == nullptr || tls_of_both_ != BothCount() || tls_of_ != newest_->key_id ||
      now >= tls_again_) {
    if (const absl::Status status = Rebuild(now); !status.ok()) {
      Log(LogLevel::kError, "server-certificate.failed", {{"error", status}});
    }
  }
  return tls_;
}

}  // namespace carnet::coordinator
