// Decodes a message and refuses everything that is not exactly right (docs/FORMATS.md). Pure.
#include "serializer/canary.h"
#include "serializer/crc32c.h"
#include "serializer/limits.h"
#include "vtam_link/body_codec.h"
#include "vtam_link/m0_codec.h"
#include "vtam_link/token_codec.h"

namespace afterimage {

namespace {

Status refused(const std::string& what) { return Status::error("Message refused: " + what + "."); }

Status decode_m1(std::span<const std::uint8_t>& rest, std::uint32_t count, std::vector<Token>& m1) {
  m1.reserve(count);  // bounded: decode_m0 has compared the counts with the body's length
  for (std::uint32_t i = 0; i < count; ++i) {
    auto decoded = get_token(rest);
    if (!decoded.good()) return refused("in M1, " + decoded.status.text());
    if (decoded.value.flags != 0)
      return refused("in M1, the token of sequence " + std::to_string(decoded.value.token.sequence) + " has flags");
    m1.push_back(decoded.value.token);
    rest = rest.subspan(decoded.value.bytes);
  }
  return Status::ok();
}

Status decode_m2(std::span<const std::uint8_t>& rest, std::uint32_t count, std::vector<M2Field>& m2) {
  m2.reserve(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    auto decoded = get_token(rest);
    if (!decoded.good()) return refused("in M2, " + decoded.status.text());
    M2Field field{decoded.value.token, decoded.value.flags, {}};
    const std::string sequence = std::to_string(field.token.sequence);
    if (field.flags > kM2Void) return refused("in M2, the token of sequence " + sequence + " has unknown flags");
    rest = rest.subspan(decoded.value.bytes);
    const std::size_t length = (field.flags & kM2Void) != 0 ? 0 : field.token.data_length;
    if (rest.size() < length) {
      return refused("in M2, the data of sequence " + sequence + " needs " + std::to_string(length) + " bytes, " +
                     std::to_string(rest.size()) + " are left");
    }
    field.data = rest.first(length);
    rest = rest.subspan(length);
    m2.push_back(field);
  }
  return Status::ok();
}

Status decode_token_data(std::span<const std::uint8_t> body, Message& message) {
  Status status = decode_m1(body, message.m0.m1_count, message.m1);
  if (!status.good()) return status;
  status = decode_m2(body, message.m0.m2_count, message.m2);
  if (!status.good()) return status;
  if (!body.empty()) return refused(std::to_string(body.size()) + " bytes follow the last M2 field");
  return Status::ok();
}

template <typename T>
Status take(Result<T> decoded, T& into) {
  into = std::move(decoded.value);
  return std::move(decoded.status);
}

Status decode_body(std::span<const std::uint8_t> body, Message& message) {
  switch (message.m0.content) {
    case ContentType::kTokenData:
      return decode_token_data(body, message);
    case ContentType::kEstablish:
      return take(decode_volumes(body), message.volumes);
    case ContentType::kTerminate:
      return take(decode_ending(body), message.ending);
    case ContentType::kAcknowledge:
      return take(decode_acknowledgement(body), message.acknowledgement);
    case ContentType::kException:
      return take(decode_exception(body), message.exception);
    case ContentType::kInitialCopy:
      break;
  }
  return refused("its content is an initial copy, which this release does not take; start with volumes that are equal at both sites");
}

}  // namespace

Result<Message> decode(std::span<const std::uint8_t> bytes) {
  auto m0 = decode_m0(bytes);
  if (!m0.good()) return failed<Message>(std::move(m0.status));
  const std::span<const std::uint8_t> body = bytes.subspan(kM0Bytes);
  if (body.size() != m0.value.body_bytes) {
    return failed<Message>(refused("its M0 announces a body of " + std::to_string(m0.value.body_bytes) + " bytes, " +
                                   std::to_string(body.size()) + " are present"));
  }
  if (!planted(Canary::kMessageChecksumSkipped) && crc32c(0, body.data(), body.size()) != body_crc_of(bytes)) {
    return failed<Message>(refused("the body CRC does not agree with the bytes"));
  }
  Message message;
  message.m0 = std::move(m0.value);
  Status status = decode_body(body, message);
  if (!status.good()) return failed<Message>(std::move(status));
  return result_of(std::move(message));
}

}  // namespace afterimage
