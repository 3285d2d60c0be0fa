// OpenSSL keeps errors in a queue of the thread; TLS code that runs on the same thread later reads
// what others left there. Whoever makes calls that may fail leaves the queue as it was.
#ifndef CARNET_CRYPTO_OPENSSL_ERROR_H_
#define CARNET_CRYPTO_OPENSSL_ERROR_H_

#include <openssl/err.h>

namespace carnet::crypto {

// Drops the errors that were queued during its life.
class ErrorQueueScope {
 public:
  ErrorQueueScope() { ERR_set_mark(); }
  ~ErrorQueueScope() { ERR_pop_to_mark(); }
  ErrorQueueScope(const ErrorQueueScope&) = delete;
  ErrorQueueScope& operator=(const ErrorQueueScope&) = delete;
};

}  // namespace carnet::crypto

#endif  // CARNET_CRYPTO_OPENSSL_ERROR_H_
