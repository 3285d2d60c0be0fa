#include "exchange/enrolment.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "crypto/hash.h"

namespace carnet::exchange {
namespace {

template <typename Request>
Bytes ProofMessage(absl::string_view prefix, Request request) {
  request.clear_proof();
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    request.SerializeToCodedStream(&coded);
  }
  const Digest digest = crypto::Sha256(AsBytes(bytes));
  Bytes message = ToBytes(prefix);
  message.insert(message.end(), digest.begin(), digest.end());
  return message;
}

}  // namespace

Bytes EnrollProofMessage(const v1::EnrollRequest& request) {
  return ProofMessage("carnet/enroll/v1", request);
}

Bytes EnrollUserProofMessage(const v1::EnrollUserRequest& request) {
  return ProofMessage("carnet/enroll-user/v1", request);
}

Bytes RenewProofMessage(const v1::RenewRequest& request) {
  return ProofMessage("carnet/renew/v1", request);
}

}  // namespace carnet::exchange
