// The fixed 160 bytes of an M0 (docs/FORMATS.md, "M0"). Pure.
#include "vtam_link/m0_codec.h"

#include <algorithm>

#include "serializer/bytes.h"
#include "serializer/crc32c.h"
#include "serializer/limits.h"
#include "vtam_link/names.h"
#include "vtam_link/token_codec.h"

namespace afterimage {

namespace {

// Offsets of the fields.
constexpr std::size_t kVersionAt = 4, kContentAt = 6, kSessionAt = 8, kOriginAt = 16, kDestinationAt = 33, kM1CountAt = 52, kM2CountAt = 56,
                      kBodyBytesAt = 60, kEpochAt = 64, kNumberAt = 72, kSentAt = 80, kConsistencyAt = 88, kLastSequenceAt = 96,
                      kBodyCrcAt = 152, kHeaderCrcAt = 156;
constexpr std::size_t kReservedAAt = 50, kReservedBAt = 104;

Status m0_error(const std::string& what) { return Status::error("Message refused: in its M0, " + what + "."); }

bool all_zero(const std::uint8_t* begin, const std::uint8_t* end) {
  return std::all_of(begin, end, [](std::uint8_t b) { return b == 0; });
}

Status check_frame(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < kM0Bytes) {
    return m0_error("only " + std::to_string(bytes.size()) + " of " + std::to_string(kM0Bytes) + " bytes are present");
  }
  const std::uint8_t* p = bytes.data();
  if (!std::equal(kM0Magic, kM0Magic + 4, p)) return m0_error("the first four bytes are not AIM0");
  const std::uint16_t version = get_u16(p + kVersionAt);
  if (version != kM0Version) {
    return m0_error("the version is " + std::to_string(version) + " and this release knows version " + std::to_string(kM0Version) +
                    "; run the same release at both sites");
  }
  if (crc32c(0, p, kHeaderCrcAt) != get_u32(p + kHeaderCrcAt)) return m0_error("the header CRC does not agree with the bytes");
  if (!all_zero(p + kReservedAAt, p + kM1CountAt) || !all_zero(p + kReservedBAt, p + kBodyCrcAt)) {
    return m0_error("a reserved byte is not zero");
  }
  return Status::ok();
}

Status get_names(const std::uint8_t* p, M0& m0) {
  const auto session = get_padded(p + kSessionAt, kNameBytes);
  if (!session) return m0_error("the session name has a blank inside");
  const auto origin = get_padded(p + kOriginAt, kLuNameBytes);
  if (!origin) return m0_error("the origin LU name has a blank inside");
  const auto destination = get_padded(p + kDestinationAt, kLuNameBytes);
  if (!destination) return m0_error("the destination LU name has a blank inside");
  m0.session = *session;
  m0.origin_lu = *origin;
  m0.destination_lu = *destination;
  return Status::ok();
}

Status check_counts(const M0& m0) {
  const std::uint64_t tokens = std::uint64_t{m0.m1_count} + m0.m2_count;
  if (m0.content != ContentType::kTokenData && tokens != 0) {
    return m0_error("M1 or M2 fields are counted in a message that is not token-data");
  }
  if (m0.body_bytes > kMaxMessageBytes - kM0Bytes) {
    return m0_error("the body length " + std::to_string(m0.body_bytes) + " exceeds the limit of " +
                    std::to_string(kMaxMessageBytes - kM0Bytes));
  }
  if (tokens * kTokenFixedBytes > m0.body_bytes) {
    return m0_error("the counts of " + std::to_string(m0.m1_count) + " M1 tokens and " + std::to_string(m0.m2_count) +
                    " M2 fields do not fit into a body of " + std::to_string(m0.body_bytes) + " bytes");
  }
  return Status::ok();
}

}  // namespace

Status check_m0(const M0& m0) {
  if (!is_name(m0.session)) return m0_error("the session name is not 1 to 8 of A-Z 0-9 @ # $ with a letter first");
  if (!is_lu_name(m0.origin_lu)) return m0_error("the origin LU name does not have the form NETID.NAME");
  if (!is_lu_name(m0.destination_lu)) return m0_error("the destination LU name does not have the form NETID.NAME");
  const auto content = static_cast<std::uint16_t>(m0.content);
  if (content < 1 || content > 6) return m0_error("the content type " + std::to_string(content) + " is unknown to this release");
  if (m0.message_number == 0) return m0_error("the message number is 0, the first is 1");
  if (m0.last_sequence > kMaxSequence) return m0_error("the last sequence number exceeds " + std::to_string(kMaxSequence));
  return check_counts(m0);
}

void put_m0(std::uint8_t* p, const M0& m0, std::uint32_t body_crc) {
  std::fill(p, p + kM0Bytes, std::uint8_t{0});
  std::copy(kM0Magic, kM0Magic + 4, p);
  put_u16(p + kVersionAt, kM0Version);
  put_u16(p + kContentAt, static_cast<std::uint16_t>(m0.content));
  put_padded(p + kSessionAt, kNameBytes, m0.session);
  put_padded(p + kOriginAt, kLuNameBytes, m0.origin_lu);
  put_padded(p + kDestinationAt, kLuNameBytes, m0.destination_lu);
  put_u32(p + kM1CountAt, m0.m1_count);
  put_u32(p + kM2CountAt, m0.m2_count);
  put_u32(p + kBodyBytesAt, m0.body_bytes);
  put_u64(p + kEpochAt, m0.epoch);
  put_u64(p + kNumberAt, m0.message_number);
  put_u64(p + kSentAt, m0.sent);
  put_u64(p + kConsistencyAt, m0.consistency_time);
  put_u64(p + kLastSequenceAt, m0.last_sequence);
  put_u32(p + kBodyCrcAt, body_crc);
  put_u32(p + kHeaderCrcAt, crc32c(0, p, kHeaderCrcAt));
}

std::uint32_t body_crc_of(std::span<const std::uint8_t> bytes) { return get_u32(bytes.data() + kBodyCrcAt); }

Result<M0> decode_m0(std::span<const std::uint8_t> bytes) {
  Status status = check_frame(bytes);
  if (!status.good()) return failed<M0>(std::move(status));
  const std::uint8_t* p = bytes.data();
  M0 m0;
  status = get_names(p, m0);
  if (!status.good()) return failed<M0>(std::move(status));
  m0.content = static_cast<ContentType>(get_u16(p + kContentAt));
  m0.m1_count = get_u32(p + kM1CountAt);
  m0.m2_count = get_u32(p + kM2CountAt);
  m0.body_bytes = get_u32(p + kBodyBytesAt);
  m0.epoch = get_u64(p + kEpochAt);
  m0.message_number = get_u64(p + kNumberAt);
  m0.sent = get_u64(p + kSentAt);
  m0.consistency_time = get_u64(p + kConsistencyAt);
  m0.last_sequence = get_u64(p + kLastSequenceAt);
  status = check_m0(m0);
  if (!status.good()) return failed<M0>(std::move(status));
  return result_of(std::move(m0));
}

}  // namespace afterimage
