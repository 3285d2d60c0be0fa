// Owners of OpenSSL objects: a unique_ptr of the size of a pointer for each type that we use.
#ifndef CARNET_CRYPTO_OPENSSL_PTR_H_
#define CARNET_CRYPTO_OPENSSL_PTR_H_

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

namespace carnet::crypto {

template <auto kFree>
struct CDeleter {
  template <typename T>
  void operator()(T* object) const noexcept {
    kFree(object);
  }
};

struct ExtensionStackDeleter {
  void operator()(STACK_OF(X509_EXTENSION) * stack) const noexcept {
    sk_X509_EXTENSION_pop_free(stack, X509_EXTENSION_free);
  }
};
struct X509StackDeleter {
  void operator()(STACK_OF(X509) * stack) const noexcept { sk_X509_free(stack); }
};

using Asn1TimePtr = std::unique_ptr<ASN1_TIME, CDeleter<ASN1_TIME_free>>;
using Asn1StringPtr = std::unique_ptr<ASN1_STRING, CDeleter<ASN1_STRING_free>>;
using BignumPtr = std::unique_ptr<BIGNUM, CDeleter<BN_free>>;
using BioPtr = std::unique_ptr<BIO, CDeleter<BIO_free_all>>;
using EvpCipherCtxPtr = std::unique_ptr<EVP_CIPHER_CTX, CDeleter<EVP_CIPHER_CTX_free>>;
using EvpMdCtxPtr = std::unique_ptr<EVP_MD_CTX, CDeleter<EVP_MD_CTX_free>>;
using EvpPkeyPtr = std::unique_ptr<EVP_PKEY, CDeleter<EVP_PKEY_free>>;
using EvpPkeyCtxPtr = std::unique_ptr<EVP_PKEY_CTX, CDeleter<EVP_PKEY_CTX_free>>;
using GeneralNamesPtr = std::unique_ptr<GENERAL_NAMES, CDeleter<GENERAL_NAMES_free>>;
using X509ExtensionPtr = std::unique_ptr<X509_EXTENSION, CDeleter<X509_EXTENSION_free>>;
// Owns the extensions too.
using X509ExtensionsPtr = std::unique_ptr<STACK_OF(X509_EXTENSION), ExtensionStackDeleter>;
using X509NamePtr = std::unique_ptr<X509_NAME, CDeleter<X509_NAME_free>>;
using X509Ptr = std::unique_ptr<X509, CDeleter<X509_free>>;
using X509ReqPtr = std::unique_ptr<X509_REQ, CDeleter<X509_REQ_free>>;
// Owns the stack alone, not the certificates in it.
using X509StackPtr = std::unique_ptr<STACK_OF(X509), X509StackDeleter>;
using X509StoreCtxPtr = std::unique_ptr<X509_STORE_CTX, CDeleter<X509_STORE_CTX_free>>;
using X509StorePtr = std::unique_ptr<X509_STORE, CDeleter<X509_STORE_free>>;

}  // namespace carnet::crypto

#endif  // CARNET_CRYPTO_OPENSSL_PTR_H_
