// BIND request and response (docs/FORMATS.md, "BIND"). Pure codec.
#include "vtam_link/bind.h"

#include <algorithm>

#include "serializer/bytes.h"
#include "serializer/crc32c.h"
#include "serializer/limits.h"
#include "vtam_link/names.h"
#include "vtam_link/token_codec.h"

namespace afterimage {

namespace {

constexpr std::size_t kRequestBytes = 108, kResponseHeadBytes = 72, kVersionFieldBytes = 16, kCrcBytes = 4;
constexpr std::uint8_t kRequestMagic[4] = {'A', 'I', 'B', 'Q'};
constexpr std::uint8_t kResponseMagic[4] = {'A', 'I', 'B', 'R'};

Status bind_error(const std::string& what) { return Status::error("BIND refused: " + what + "."); }

// Magic, version, length and CRC are the same for both directions.
Status check_envelope(std::span<const std::uint8_t> bytes, const std::uint8_t (&magic)[4], std::size_t least) {
  if (bytes.size() < least) {
    return bind_error("it has " + std::to_string(bytes.size()) + " bytes, at least " + std::to_string(least) + " are expected");
  }
  const std::uint8_t* p = bytes.data();
  if (!std::equal(magic, magic + 4, p)) return bind_error("the first four bytes are not " + std::string(magic, magic + 4));
  const std::uint16_t version = get_u16(p + 4);
  if (version != kLinkVersion) {
    return bind_error("the peer speaks link version " + std::to_string(version) + " and this side version " + std::to_string(kLinkVersion) +
                      "; run the same release at both sites");
  }
  if (get_u16(p + 6) != bytes.size()) {
    return bind_error("its length field says " + std::to_string(get_u16(p + 6)) + ", it has " + std::to_string(bytes.size()) + " bytes");
  }
  const std::size_t summed = bytes.size() - kCrcBytes;
  if (crc32c(0, p, summed) != get_u32(p + summed)) return bind_error("the CRC does not agree with the bytes");
  return Status::ok();
}

void put_envelope(std::vector<std::uint8_t>& bytes, const std::uint8_t (&magic)[4], std::uint16_t version) {
  std::copy(magic, magic + 4, bytes.begin());
  put_u16(bytes.data() + 4, version);
  put_u16(bytes.data() + 6, static_cast<std::uint16_t>(bytes.size()));
}

void seal(std::vector<std::uint8_t>& bytes) {
  const std::size_t summed = bytes.size() - kCrcBytes;
  put_u32(bytes.data() + summed, crc32c(0, bytes.data(), summed));
}

// Product versions may hold blanks inside, so only the padding at the end is taken off.
Result<std::string> get_version(const std::uint8_t* p) {
  std::string text(p, p + kVersionFieldBytes);
  text.erase(text.find_last_not_of(' ') + 1);
  if (!is_printable(text, kVersionFieldBytes))
    return failed<std::string>(bind_error("the product version has characters that cannot be shown"));
  return result_of(std::move(text));
}

std::string version_field(const std::string& version) {
  std::string text = safe_sentence(version, kVersionFieldBytes);
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return text;
}

Status check_request(const BindRequest& bind) {
  if (!is_name(bind.session)) return bind_error("the session name is not 1 to 8 of A-Z 0-9 @ # $ with a letter first");
  if (!is_lu_name(bind.origin_lu)) return bind_error("the origin LU name does not have the form NETID.NAME");
  if (!is_lu_name(bind.destination_lu)) return bind_error("the destination LU name does not have the form NETID.NAME");
  if (bind.next_message == 0) return bind_error("the next message number is 0, the first is 1");
  if (bind.freed_through > kMaxSequence) return bind_error("the freed sequence number is too large");
  if (bind.max_message_bytes > kMaxMessageBytes) {
    return bind_error("the message size " + std::to_string(bind.max_message_bytes) + " exceeds the limit of " +
                      std::to_string(kMaxMessageBytes));
  }
  return Status::ok();
}

}  // namespace

std::vector<std::uint8_t> encode(const BindRequest& bind) {
  std::vector<std::uint8_t> bytes(kRequestBytes);
  std::uint8_t* p = bytes.data();
  put_envelope(bytes, kRequestMagic, bind.version);
  put_padded(p + 8, kNameBytes, bind.session);
  put_padded(p + 16, kLuNameBytes, bind.origin_lu);
  put_padded(p + 33, kLuNameBytes, bind.destination_lu);
  put_padded(p + 50, kVersionFieldBytes, version_field(bind.product_version));
  put_u32(p + 68, bind.max_message_bytes);
  put_u64(p + 72, bind.epoch);
  put_u64(p + 80, bind.storage_id);
  put_u64(p + 88, bind.next_message);
  put_u64(p + 96, bind.freed_through);
  seal(bytes);
  return bytes;
}

Result<BindRequest> decode_bind_request(std::span<const std::uint8_t> bytes) {
  Status status = check_envelope(bytes, kRequestMagic, kRequestBytes);
  if (!status.good()) return failed<BindRequest>(std::move(status));
  if (bytes.size() != kRequestBytes) return failed<BindRequest>(bind_error("bytes follow the last field"));
  const std::uint8_t* p = bytes.data();
  if (get_u16(p + 66) != 0) return failed<BindRequest>(bind_error("a reserved byte is not zero"));
  const auto session = get_padded(p + 8, kNameBytes);
  const auto origin = get_padded(p + 16, kLuNameBytes);
  const auto destination = get_padded(p + 33, kLuNameBytes);
  if (!session || !origin || !destination) return failed<BindRequest>(bind_error("a name has a blank inside"));
  auto product = get_version(p + 50);
  if (!product.good()) return failed<BindRequest>(std::move(product.status));
  BindRequest bind;
  bind.version = get_u16(p + 4);
  bind.product_version = std::move(product.value);
  bind.session = *session;
  bind.origin_lu = *origin;
  bind.destination_lu = *destination;
  bind.max_message_bytes = get_u32(p + 68);
  bind.epoch = get_u64(p + 72);
  bind.storage_id = get_u64(p + 80);
  bind.next_message = get_u64(p + 88);
  bind.freed_through = get_u64(p + 96);
  status = check_request(bind);
  if (!status.good()) return failed<BindRequest>(std::move(status));
  return result_of(std::move(bind));
}

std::vector<std::uint8_t> encode(const BindResponse& bind) {
  const std::string reason = safe_sentence(bind.reason, kMaxSentenceBytes);
  std::vector<std::uint8_t> bytes(kResponseHeadBytes + reason.size() + kCrcBytes);
  std::uint8_t* p = bytes.data();
  put_envelope(bytes, kResponseMagic, kLinkVersion);
  put_u8(p + 8, bind.accepted ? 1 : 0);
  put_u16(p + 12, static_cast<std::uint16_t>(reason.size()));
  put_padded(p + 16, kVersionFieldBytes, version_field(bind.product_version));
  put_u64(p + 32, bind.epoch);
  put_u64(p + 40, bind.last_message);
  put_u64(p + 48, bind.last_own_message);
  put_u64(p + 56, bind.known_through);
  put_u64(p + 64, bind.complete_through);
  std::copy(reason.begin(), reason.end(), bytes.begin() + kResponseHeadBytes);
  seal(bytes);
  return bytes;
}

Result<BindResponse> decode_bind_response(std::span<const std::uint8_t> bytes) {
  Status status = check_envelope(bytes, kResponseMagic, kResponseHeadBytes + kCrcBytes);
  if (!status.good()) return failed<BindResponse>(std::move(status));
  const std::uint8_t* p = bytes.data();
  const std::size_t reason_bytes = get_u16(p + 12);
  if (bytes.size() != kResponseHeadBytes + reason_bytes + kCrcBytes) {
    return failed<BindResponse>(bind_error("the length of its reason does not agree with its own length"));
  }
  if (p[8] > 1) return failed<BindResponse>(bind_error("the field 'accepted' is neither 0 nor 1"));
  if (p[9] != 0 || p[10] != 0 || p[11] != 0 || get_u16(p + 14) != 0) return failed<BindResponse>(bind_error("a reserved byte is not zero"));
  auto product = get_version(p + 16);
  if (!product.good()) return failed<BindResponse>(std::move(product.status));
  BindResponse bind;
  bind.accepted = p[8] == 1;
  bind.reason.assign(p + kResponseHeadBytes, p + kResponseHeadBytes + reason_bytes);
  bind.product_version = std::move(product.value);
  bind.epoch = get_u64(p + 32);
  bind.last_message = get_u64(p + 40);
  bind.last_own_message = get_u64(p + 48);
  bind.known_through = get_u64(p + 56);
  bind.complete_through = get_u64(p + 64);
  if (!is_safe_sentence(bind.reason, kMaxSentenceBytes)) {
    return failed<BindResponse>(bind_error("the reason is too long or has control characters"));
  }
  if (bind.known_through > kMaxSequence) return failed<BindResponse>(bind_error("a sequence number is too large"));
  if (bind.complete_through > bind.known_through) {
    return failed<BindResponse>(bind_error("the secondary's complete run ends behind the last token it knows"));
  }
  return result_of(std::move(bind));
}

}  // namespace afterimage
