#include "exchange/renewal.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "crypto/hash.h"

namespace carnet::exchange {

Bytes RenewUserProofMessage(const v1::RenewUserRequest& request) {
  v1::RenewUserRequest unsigned_request = request;
  unsigned_request.clear_proof();
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    unsigned_request.SerializeToCodedStream(&coded);
  }
  const Digest digest = crypto::Sha256(AsBytes(bytes));
  return ToBytes(absl::StrCat("carnet/renew-user/v1", AsText(digest)));
}

}  // namespace carnet::exchange
