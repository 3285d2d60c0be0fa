#include "exchange/signed_bytes.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include "crypto/hash.h"

namespace carnet::exchange {

std::string SerialiseDeterministically(const google::protobuf::MessageLite& message) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&coded);
  }
  return bytes;
}

Bytes DigestMessage(absl::string_view prefix, const google::protobuf::MessageLite& message) {
  const Digest digest = crypto::Sha256(AsBytes(SerialiseDeterministically(message)));
  Bytes bytes = ToBytes(prefix);
  bytes.insert(bytes.end(), digest.begin(), digest.end());
  return bytes;
}

}  // namespace carnet::exchange
