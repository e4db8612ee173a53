// Encodes a message as pieces; M2 data is summed where it lies and never copied (docs/FORMATS.md). Pure.
#include <algorithm>

#include "serializer/crc32c.h"
#include "serializer/limits.h"
#include "vtam_link/body_codec.h"
#include "vtam_link/m0_codec.h"
#include "vtam_link/token_codec.h"

namespace afterimage {

namespace {

Status refused(const std::string& what) { return Status::error("Message refused: " + what + "."); }

bool is_void(const M2Field& field) { return (field.flags & kM2Void) != 0; }

Status check_field(const M2Field& field) {
  if (field.flags > kM2Void) return refused("an M2 field has unknown flags");
  Status status = check_token(field.token);
  if (!status.good()) return refused("in M2, " + status.text());
  const std::size_t want = is_void(field) ? 0 : field.token.data_length;
  if (field.data.size() != want) {
    return refused("in M2, the data of sequence " + std::to_string(field.token.sequence) + " has " + std::to_string(field.data.size()) +
                   " bytes, its token needs " + std::to_string(want));
  }
  return Status::ok();
}

// Bytes of M1 and of the tokens of M2 in `head`, of the whole body in `body`; an error when a token cannot be carried.
struct Sizes {
  std::size_t head = kM0Bytes;
  std::uint64_t body = 0;
};
Result<Sizes> measure(const Message& message) {
  Sizes sizes;
  for (const Token& token : message.m1) {
    Status status = check_token(token);
    if (!status.good()) return failed<Sizes>(refused("in M1, " + status.text()));
    sizes.head += encoded_token_bytes(token);
  }
  sizes.body = sizes.head - kM0Bytes;
  for (const M2Field& field : message.m2) {
    Status status = check_field(field);
    if (!status.good()) return failed<Sizes>(std::move(status));
    sizes.head += encoded_token_bytes(field.token);
    sizes.body += encoded_m2_bytes(field);
  }
  return result_of(sizes);
}

// Lays out M1 and M2 behind the M0's place: runs of `head` between the pieces of borrowed data.
void lay_out(const Message& message, EncodedMessage& out) {
  std::uint8_t* const begin = out.head.data();
  std::uint8_t* p = begin + kM0Bytes;
  std::uint8_t* run = begin;
  for (const Token& token : message.m1) {
    put_token(p, token, 0);
    p += encoded_token_bytes(token);
  }
  for (const M2Field& field : message.m2) {
    put_token(p, field.token, field.flags);
    p += encoded_token_bytes(field.token);
    if (field.data.empty()) continue;
    out.pieces.emplace_back(run, p);
    out.pieces.push_back(field.data);
    run = p;
  }
  if (run != p) out.pieces.emplace_back(run, p);
}

Status encode_token_data(const Message& message, EncodedMessage& out) {
  auto sizes = measure(message);
  if (!sizes.good()) return std::move(sizes.status);
  if (sizes.value.body > kMaxMessageBytes - kM0Bytes) {
    return refused("M1 and M2 have " + std::to_string(sizes.value.body) + " bytes, the limit is " +
                   std::to_string(kMaxMessageBytes - kM0Bytes));
  }
  out.head.resize(sizes.value.head);
  out.pieces.reserve(2 * message.m2.size() + 1);
  lay_out(message, out);
  return Status::ok();
}

Result<std::vector<std::uint8_t>> encode_body(const Message& message) {
  using Bytes = std::vector<std::uint8_t>;
  switch (message.m0.content) {
    case ContentType::kEstablish:
      return encode_volumes(message.volumes);
    case ContentType::kTerminate:
      return encode_ending(message.ending);
    case ContentType::kAcknowledge:
      return encode_acknowledgement(message.acknowledgement);
    case ContentType::kException:
      return encode_exception(message.exception);
    case ContentType::kInitialCopy:
      return result_of(Bytes{});
    case ContentType::kTokenData:
      break;
  }
  return failed<Bytes>(refused("the content type " + std::to_string(static_cast<unsigned>(message.m0.content)) + " is unknown"));
}

Status encode_other(const Message& message, EncodedMessage& out) {
  if (!message.m1.empty() || !message.m2.empty()) return refused("only token-data messages carry M1 and M2");
  auto body = encode_body(message);
  if (!body.good()) return std::move(body.status);
  out.head.resize(kM0Bytes + body.value.size());
  std::copy(body.value.begin(), body.value.end(), out.head.begin() + kM0Bytes);
  out.pieces.emplace_back(out.head);
  return Status::ok();
}

}  // namespace

std::size_t encoded_m2_bytes(const M2Field& field) {
  return encoded_token_bytes(field.token) + (is_void(field) ? 0 : field.token.data_length);
}

std::vector<std::uint8_t> EncodedMessage::flat() const {
  std::vector<std::uint8_t> bytes;
  bytes.reserve(total_bytes);
  for (const auto& piece : pieces) bytes.insert(bytes.end(), piece.begin(), piece.end());
  return bytes;
}

Result<EncodedMessage> encode(const Message& message) {
  EncodedMessage out;
  Status status = message.m0.content == ContentType::kTokenData ? encode_token_data(message, out) : encode_other(message, out);
  if (!status.good()) return failed<EncodedMessage>(std::move(status));

  std::uint32_t body_crc = 0;
  for (std::size_t i = 0; i < out.pieces.size(); ++i) {
    const auto piece = i == 0 ? out.pieces[i].subspan(kM0Bytes) : out.pieces[i];
    body_crc = crc32c(body_crc, piece.data(), piece.size());
    out.total_bytes += out.pieces[i].size();
  }
  M0 m0 = message.m0;
  m0.m1_count = static_cast<std::uint32_t>(message.m1.size());
  m0.m2_count = static_cast<std::uint32_t>(message.m2.size());
  m0.body_bytes = static_cast<std::uint32_t>(out.total_bytes - kM0Bytes);
  status = check_m0(m0);
  if (!status.good()) return failed<EncodedMessage>(std::move(status));
  put_m0(out.head.data(), m0, body_crc);
  return result_of(std::move(out));
}

}  // namespace afterimage
