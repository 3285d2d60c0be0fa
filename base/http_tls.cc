#include "base/http_tls.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "base/status.h"

namespace carnet::http_internal {
namespace {

template <auto kFree>
struct Deleter {
  template <typename T>
  void operator()(T* object) const {
    kFree(object);
  }
};
using BioPtr = std::unique_ptr<BIO, Deleter<BIO_free>>;
using X509Ptr = std::unique_ptr<X509, Deleter<X509_free>>;
using KeyPtr = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using StorePtr = std::unique_ptr<X509_STORE, Deleter<X509_STORE_free>>;
using StoreCtxPtr = std::unique_ptr<X509_STORE_CTX, Deleter<X509_STORE_CTX_free>>;

constexpr std::size_t kChainCertificatesMax = 8;
constexpr unsigned int kHostFlags =
    X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS;

absl::Status LibraryFailed() {
  ERR_clear_error();
  return absl::InternalError("tls: OpenSSL could not build its objects");
}

BioPtr TextBio(absl::string_view text) {
  return BioPtr(text.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())
                    ? nullptr
                    : BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

absl::StatusOr<std::vector<X509Ptr>> ReadCertificates(absl::string_view pem) {
  const BioPtr bio = TextBio(pem);
  if (bio == nullptr) {
    return LibraryFailed();
  }
  std::vector<X509Ptr> certificates;
  while (X509Ptr certificate{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    certificates.push_back(std::move(certificate));
    if (certificates.size() > kChainCertificatesMax) {
      return absl::InvalidArgumentError("tls: more than 8 certificates in a chain");
    }
  }
  // The loop ends at the end of the text or at something else; only the first is good.
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (certificates.empty() || !at_end) {
    return absl::InvalidArgumentError("tls: expected certificates in PEM");
  }
  return certificates;
}

// Never asks a terminal for a passphrase.
int NoPassphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* /*data*/) {
  return -1;
}

absl::Status UseIdentity(SSL_CTX* context, absl::string_view chain_pem, absl::string_view key_pem) {
  CARNET_ASSIGN_OR_RETURN(const std::vector<X509Ptr> chain, ReadCertificates(chain_pem));
  const BioPtr bio = TextBio(key_pem);
  const KeyPtr key(bio == nullptr
                       ? nullptr
                       : PEM_read_bio_PrivateKey(bio.get(), nullptr, NoPassphrase, nullptr));
  ERR_clear_error();
  if (key == nullptr) {
    return absl::InvalidArgumentError("tls: expected a private key in PEM, not encrypted");
  }
  if (SSL_CTX_use_certificate(context, chain.front().get()) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError("tls: this certificate cannot be used");
  }
  for (std::size_t i = 1; i < chain.size(); ++i) {
    if (SSL_CTX_add1_chain_cert(context, chain[i].get()) != 1) {
      return LibraryFailed();
    }
  }
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1 || SSL_CTX_check_private_key(context) != 1) {
    ERR_clear_error();
    return absl::InvalidArgumentError("tls: the private key does not belong to the certificate");
  }
  return absl::OkStatus();
}

absl::Status TrustOnly(SSL_CTX* context, absl::string_view ca_pem) {
  CARNET_ASSIGN_OR_RETURN(const std::vector<X509Ptr> certificates, ReadCertificates(ca_pem));
  X509_STORE* store = SSL_CTX_get_cert_store(context);
  for (const X509Ptr& certificate : certificates) {
    if (X509_STORE_add_cert(store, certificate.get()) != 1) {
      return LibraryFailed();
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<SslCtxPtr> MakeContext(const SSL_METHOD* method) {
  SslCtxPtr context(SSL_CTX_new(method));
  if (context == nullptr || SSL_CTX_set_min_proto_version(context.get(), TLS1_3_VERSION) != 1) {
    return LibraryFailed();
  }
  // No resumption: every connection shows its certificate anew, so revocation and expiry hold.
  SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
  SSL_CTX_set_num_tickets(context.get(), 0);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
  return context;
}

bool HasKey(X509* certificate, const Digest& key_sha256) {
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (size <= 0) {
    return false;
  }
  Digest digest;
  SHA256(der, static_cast<std::size_t>(size), digest.data());
  OPENSSL_free(der);
  return digest == key_sha256;
}

// The certificate of the pinned CA among those that the server sent. That anyone can put the CA's
// public key into a certificate of their own does no harm: what it issues must still be signed by
// the CA's private key. While one CA gives way to another, a server also sends the newer one's key
// certified by the older: only the certificate that a key signed for itself can be an anchor.
X509* FindPinned(STACK_OF(X509) * sent, const Digest& key_sha256) {
  for (int i = 0; i < sk_X509_num(sent); ++i) {
    X509* certificate = sk_X509_value(sent, i);
    if (X509_check_ca(certificate) >= 1 && HasKey(certificate, key_sha256) &&
        X509_check_issued(certificate, certificate) == X509_V_OK) {
      return certificate;
    }
  }
  return nullptr;
}

int VerifyPinnedKey(X509_STORE_CTX* outer, void* argument) {
  const HttpClientTls& tls = *static_cast<const HttpClientTls*>(argument);
  STACK_OF(X509)* sent = X509_STORE_CTX_get0_untrusted(outer);
  X509* pinned = FindPinned(sent, *tls.ca_key_sha256);
  const StorePtr store(X509_STORE_new());
  const StoreCtxPtr inner(X509_STORE_CTX_new());
  if (pinned == nullptr || store == nullptr || inner == nullptr ||
      X509_STORE_add_cert(store.get(), pinned) != 1 ||
      X509_STORE_CTX_init(inner.get(), store.get(), X509_STORE_CTX_get0_cert(outer), sent) != 1) {
    X509_STORE_CTX_set_error(outer, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN);
    return 0;
  }
  X509_VERIFY_PARAM* parameters = X509_STORE_CTX_get0_param(inner.get());
  X509_VERIFY_PARAM_set_hostflags(parameters, kHostFlags);
  if (X509_STORE_CTX_set_default(inner.get(), "ssl_server") != 1 ||
      X509_VERIFY_PARAM_set1_host(parameters, tls.server_name.data(), tls.server_name.size()) !=
          1) {
    X509_STORE_CTX_set_error(outer, X509_V_ERR_UNSPECIFIED);
    return 0;
  }
  const int verified = X509_verify_cert(inner.get());
  X509_STORE_CTX_set_error(outer, X509_STORE_CTX_get_error(inner.get()));
  return verified == 1 ? 1 : 0;
}

absl::Status PinServer(SSL_CTX* context, const HttpClientTls& tls) {
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  if (tls.ca_key_sha256.has_value()) {
    // OpenSSL only hands the pointer back to VerifyPinnedKey, which reads through it.
    SSL_CTX_set_cert_verify_callback(context, VerifyPinnedKey, const_cast<HttpClientTls*>(&tls));
    return absl::OkStatus();
  }
  CARNET_RETURN_IF_ERROR(TrustOnly(context, tls.ca_certificate_pem));
  X509_VERIFY_PARAM* parameters = SSL_CTX_get0_param(context);
  X509_VERIFY_PARAM_set_hostflags(parameters, kHostFlags);
  if (X509_VERIFY_PARAM_set1_host(parameters, tls.server_name.data(), tls.server_name.size()) !=
      1) {
    return LibraryFailed();
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SslCtxPtr> MakeServerContext(const HttpServerTls& tls) {
  CARNET_ASSIGN_OR_RETURN(SslCtxPtr context, MakeContext(TLS_server_method()));
  CARNET_RETURN_IF_ERROR(
      UseIdentity(context.get(), tls.certificate_chain_pem, tls.private_key_pem));
  if (!tls.client_ca_pem.empty()) {
    CARNET_RETURN_IF_ERROR(TrustOnly(context.get(), tls.client_ca_pem));
    CARNET_ASSIGN_OR_RETURN(const std::vector<X509Ptr> names, ReadCertificates(tls.client_ca_pem));
    for (const X509Ptr& certificate : names) {
      if (SSL_CTX_add_client_CA(context.get(), certificate.get()) != 1) {
        return LibraryFailed();
      }
    }
    SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
  }
  return context;
}

absl::StatusOr<SslCtxPtr> MakeClientContext(const HttpClientTls& tls) {
  if (tls.server_name.empty() || tls.ca_certificate_pem.empty() == !tls.ca_key_sha256.has_value()) {
    return absl::InvalidArgumentError("tls: expected a server name and exactly one pin");
  }
  CARNET_ASSIGN_OR_RETURN(SslCtxPtr context, MakeContext(TLS_client_method()));
  CARNET_RETURN_IF_ERROR(PinServer(context.get(), tls));
  if (!tls.certificate_chain_pem.empty()) {
    CARNET_RETURN_IF_ERROR(
        UseIdentity(context.get(), tls.certificate_chain_pem, tls.private_key_pem));
  }
  return context;
}

}  // namespace carnet::http_internal
