// The federation's certificate authorities as the ledger names them: the newest issues, and for as
// long as both count, what the one before it issued is accepted too (docs/decisions/0032).
#ifndef CARNET_COORDINATOR_RPC_AUTHORITIES_H_
#define CARNET_COORDINATOR_RPC_AUTHORITIES_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/mutex.h"
#include "base/rng.h"
#include "coordinator/core/state.h"
#include "crypto/certificates.h"
#include "crypto/key_files.h"

namespace carnet::coordinator {

inline constexpr absl::Duration kAuthorityLife = absl::Hours(24 * 3650);
inline constexpr absl::Duration kServerCertificateLife = absl::Hours(24 * 90);

// Thread-safe. Reads no files after Open.
class Authorities {
 public:
  // Whose certificate the coordinator shows; validity is filled in.
  struct Server {
    Bytes spki;
    crypto::SpiffeId id;
    std::string dns_name;
  };
  // What TLS shows and takes, PEM. A further version is another one.
  struct Tls {
    std::uint64_t version = 0;
    // The server's certificate by the newest authority. While two count: the newest one's key as
    // the older certified it, before the certificates of both, because whoever trusts the older
    // alone looks for the issuer among them in this order.
    std::string chain;
    std::string roots;  // of clients: the newest authority first
    int authorities = 1;
  };
  struct Issued {
    std::string certificate_pem;
    std::string authority_pem;  // whose it is
  };

  // Reads the keys of every authority that counts. Clock, rng: outlive this. Errors: those of
  // crypto/key_files.h; DATA_LOSS a key that is not the one on record.
  static absl::StatusOr<std::unique_ptr<Authorities>> Open(const State& state,
                                                           const crypto::KeyFiles& keys,
                                                           Server server, const Clock& clock,
                                                           Rng& rng);

  // A new authority of the same name that nothing is issued by before its record is durable.
  absl::StatusOr<crypto::CertificateAuthority> MakeNext() const CARNET_EXCLUDES(mutex_);
  // Holds one whose key file is durable, until its record is, or until it is withdrawn.
  void Offer(const std::string& key_id, crypto::CertificateAuthority next) CARNET_EXCLUDES(mutex_);
  void Withdraw(const std::string& key_id) CARNET_EXCLUDES(mutex_);
  // For Engine::AddCommitListener. From the record on, the new authority issues; from the order to
  // destroy the old one's key on, the old one counts no more and its key leaves memory.
  void Update(const State& state, std::uint64_t durable_size) CARNET_EXCLUDES(mutex_);

  // By the newest authority; never beyond its own end. Errors: those of IssueCertificate.
  absl::StatusOr<Issued> Issue(crypto::CertificateOrder order) const CARNET_EXCLUDES(mutex_);
  // Whether one that counts now issued what TLS verified earlier: a connection may outlive the
  // authority that its certificate is of.
  bool Counts(const crypto::CertificateInfo& info) const CARNET_EXCLUDES(mutex_);
  // As crypto::VerifyCertificate at the last moment of the certificate's own validity, by one that
  // counts now.
  absl::StatusOr<crypto::CertificateInfo> Verify(absl::string_view certificate_pem) const
      CARNET_EXCLUDES(mutex_);
  // Of the newest: what a join token names.
  Digest NewestSpkiSha256() const CARNET_EXCLUDES(mutex_);

  // Made anew when an authority came or went, when the overlap ended, and after a third of the
  // server certificate's life; else the one before. Where that fails, too, and it is logged. Null
  // before the first success.
  std::shared_ptr<const Tls> CurrentTls() CARNET_EXCLUDES(mutex_);

 private:
  struct Authority {
    std::string key_id;
    std::shared_ptr<const crypto::CertificateAuthority> pair;
    crypto::CertificateInfo info;
    absl::Time until = absl::InfiniteFuture();  // the newest has no end
  };
  Authorities(Server server, const Clock& clock, Rng& rng)
      : server_(std::move(server)), clock_(clock), rng_(rng) {}

  static absl::StatusOr<Authority> Load(const crypto::KeyFiles& keys, const std::string& key_id,
                                        const std::string& certificate_pem);
  bool BothCount() const CARNET_REQUIRES(mutex_);
  absl::StatusOr<Issued> IssueBy(crypto::CertificateOrder order) const CARNET_REQUIRES(mutex_);
  absl::Status Rebuild(absl::Time now) CARNET_REQUIRES(mutex_);

  const Server server_;
  const Clock& clock_;
  Rng& rng_;
  mutable Mutex mutex_;
  std::optional<Authority> newest_ CARNET_GUARDED_BY(mutex_);
  std::optional<Authority> previous_ CARNET_GUARDED_BY(mutex_);
  std::map<std::string, crypto::CertificateAuthority> offered_ CARNET_GUARDED_BY(mutex_);
  std::shared_ptr<const Tls> tls_ CARNET_GUARDED_BY(mutex_);
  bool tls_of_both_ CARNET_GUARDED_BY(mutex_) = false;
  std::string tls_of_ CARNET_GUARDED_BY(mutex_);  // key id of the newest then
  absl::Time tls_again_ CARNET_GUARDED_BY(mutex_) = absl::InfinitePast();
};

}  // namespace carnet::coordinator

#endif  // CARNET_COORDINATOR_RPC_AUTHORITIES_H_
