// A token's bytes on the wire (docs/FORMATS.md, "Token"). Pure.
#include "vtam_link/token_codec.h"

#include "serializer/bytes.h"
#include "serializer/limits.h"
#include "vtam_link/message.h"

namespace afterimage {

static_assert(kMaxSystems <= 16, "the system index has 4 bits on the wire");
static_assert(kMaxRanges <= 31, "the range count has 5 bits on the wire");
static_assert(kMaxTracks <= 1u << 24, "a track has 3 bytes on the wire");

namespace {

bool is_known_kind(std::uint8_t kind) { return kind >= 1 && kind <= 4; }

Status token_error(const Token& token, const std::string& what) {
  return Status::error("the token of sequence " + std::to_string(token.sequence) + " has " + what);
}

std::size_t bytes_of(TokenKind kind, std::size_t ranges) {
  return kTokenFixedBytes + ranges * kTokenRangeBytes + (kind == TokenKind::kVerify ? kTokenDigestBytes : 0);
}

Status check_ranges(const Token& token) {
  std::uint64_t sum = 0;
  for (unsigned i = 0; i < token.range_count; ++i) {
    const TrackRange& range = token.ranges[i];
    if (range.track >= kMaxTracks) {
      return token_error(token, "track " + std::to_string(range.track) + ", the limit is " + std::to_string(kMaxTracks));
    }
    if (std::uint32_t{range.offset} + range.length > kMaxTrackBytes) {
      return token_error(token, "a range that ends behind " + std::to_string(kMaxTrackBytes) + " bytes of track image");
    }
    sum += range.length;
  }
  if (token.kind != TokenKind::kVerify && sum != token.data_length) {
    return token_error(token, "data length " + std::to_string(token.data_length) + ", its ranges add up to " + std::to_string(sum));
  }
  if (token.data_length > kMaxTokenData) {
    return token_error(token, "data length " + std::to_string(token.data_length) + ", the limit is " + std::to_string(kMaxTokenData));
  }
  return Status::ok();
}

}  // namespace

std::size_t encoded_token_bytes(const Token& token) { return bytes_of(token.kind, token.range_count); }

Status check_token(const Token& token) {
  if (token.sequence == 0 || token.sequence > kMaxSequence) {
    return token_error(token, "a sequence number outside 1 to " + std::to_string(kMaxSequence));
  }
  if (!is_known_kind(static_cast<std::uint8_t>(token.kind))) {
    return token_error(token, "the unknown kind " + std::to_string(static_cast<unsigned>(token.kind)));
  }
  if (token.system >= kMaxSystems) {
    return token_error(token, "system index " + std::to_string(token.system) + ", the limit is " + std::to_string(kMaxSystems));
  }
  if (token.volume >= kMaxDevices) {
    return token_error(token, "volume index " + std::to_string(token.volume) + ", the limit is " + std::to_string(kMaxDevices));
  }
  if (token.range_count > kMaxRanges) {
    return token_error(token, std::to_string(token.range_count) + " ranges, the limit is " + std::to_string(kMaxRanges));
  }
  const Status ranges = check_ranges(token);
  if (!ranges.good()) return ranges;
  if (!token_is_well_formed(token)) return token_error(token, "fields that contradict each other (kind, ranges, data length)");
  return Status::ok();
}

void put_token(std::uint8_t* p, const Token& token, std::uint8_t flags) {
  put_u8(p, static_cast<std::uint8_t>((static_cast<unsigned>(token.kind) << 5) | token.range_count));
  put_u8(p + 1, static_cast<std::uint8_t>((flags << 4) | token.system));
  put_u16(p + 2, token.volume);
  put_u16(p + 4, static_cast<std::uint16_t>(token.sequence >> 32));
  put_u32(p + 6, static_cast<std::uint32_t>(token.sequence));
  put_u64(p + 10, token.tod);
  put_u32(p + 18, token.event);
  put_u16(p + 22, token.cylinder);
  put_u16(p + 24, token.head);
  put_u8(p + 26, token.record);
  put_u8(p + 27, token.ccw_code);
  p += kTokenFixedBytes;
  for (unsigned i = 0; i < token.range_count; ++i, p += kTokenRangeBytes) {
    const TrackRange& range = token.ranges[i];
    put_u8(p, static_cast<std::uint8_t>(range.track >> 16));
    put_u16(p + 1, static_cast<std::uint16_t>(range.track));
    put_u16(p + 3, range.offset);
    put_u16(p + 5, range.length);
  }
  if (token.kind == TokenKind::kVerify) put_u32(p, token.data_length);
}

Result<DecodedToken> get_token(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < kTokenFixedBytes) {
    return failed<DecodedToken>(Status::error("a token ends after " + std::to_string(bytes.size()) + " of its bytes"));
  }
  const std::uint8_t* p = bytes.data();
  DecodedToken out;
  Token& token = out.token;
  token.kind = static_cast<TokenKind>(p[0] >> 5);
  token.range_count = p[0] & 0x1F;
  out.flags = p[1] >> 4;
  token.system = p[1] & 0x0F;
  token.volume = get_u16(p + 2);
  token.sequence = (std::uint64_t{get_u16(p + 4)} << 32) | get_u32(p + 6);
  token.tod = get_u64(p + 10);
  token.event = get_u32(p + 18);
  token.cylinder = get_u16(p + 22);
  token.head = get_u16(p + 24);
  token.record = p[26];
  token.ccw_code = p[27];
  if (token.range_count > kMaxRanges) return failed<DecodedToken>(check_token(token));
  out.bytes = encoded_token_bytes(token);
  if (bytes.size() < out.bytes) {
    return failed<DecodedToken>(token_error(token, std::to_string(bytes.size()) + " bytes left for its " + std::to_string(out.bytes)));
  }
  p += kTokenFixedBytes;
  for (unsigned i = 0; i < token.range_count; ++i, p += kTokenRangeBytes) {
    token.ranges[i] = {(std::uint32_t{p[0]} << 16) | get_u16(p + 1), get_u16(p + 3), get_u16(p + 5)};
    token.data_length += token.ranges[i].length;
  }
  if (token.kind == TokenKind::kVerify) token.data_length = get_u32(p);
  Status status = check_token(token);
  if (!status.good()) return failed<DecodedToken>(std::move(status));
  return result_of(out);
}

}  // namespace afterimage
