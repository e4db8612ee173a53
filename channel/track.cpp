// Walks CKD track images; see track.h.
#include "channel/track.h"

#include <algorithm>
#include <array>

#include "serializer/bytes.h"
#include "serializer/check.h"
#include "serializer/crc32c.h"
#include "serializer/token.h"

namespace afterimage {
namespace {

constexpr std::array<std::uint8_t, kCountBytes> kEndOfTrack = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};

// One step over the track: the record at `offset`, or the end marker, or neither because the track ends first.
enum class Step : std::uint8_t { kRecord, kEnd, kPastEnd };

Step step_at(std::span<const std::uint8_t> track, std::uint32_t offset, std::uint32_t* next) {
  const std::uint64_t size = track.size();
  AI_CHECK(std::uint64_t{offset} + kCountBytes <= size);  // the track's size was judged, and a step leaves room for the end marker
  const std::uint8_t* count = track.data() + offset;
  if (std::equal(kEndOfTrack.begin(), kEndOfTrack.end(), count)) {
    *next = offset + kCountBytes;
    return Step::kEnd;
  }
  const std::uint64_t after = std::uint64_t{offset} + kCountBytes + get_u8(count + 5) + get_u16(count + 6);
  // A record needs room for an end marker behind it: without one the track cannot have been written by a channel.
  if (after + kCountBytes > size) return Step::kPastEnd;
  *next = static_cast<std::uint32_t>(after);
  return Step::kRecord;
}

Status runs_past(std::uint32_t offset, std::size_t size) {
  return Status::error("The track has no end-of-track marker: the record at byte " + std::to_string(offset) + " runs past its " +
                       std::to_string(size) + " bytes; the image is damaged there.");
}

Status bad_size(std::size_t size) {
  return Status::error("A track image of " + std::to_string(size) + " bytes cannot be a CKD track: it must have " +
                       std::to_string(kHomeAddressBytes + kCountBytes) + " to " + std::to_string(kMaxTrackBytes) + " bytes.");
}

bool size_is_possible(std::size_t size) { return size >= kHomeAddressBytes + kCountBytes && size <= kMaxTrackBytes; }

CkdRecord record_at(std::span<const std::uint8_t> track, std::uint32_t offset, bool high_bit_is_address) {
  const std::uint8_t* count = track.data() + offset;
  CkdRecord record;
  record.cylinder = get_u16(count);
  record.head = get_u16(count + 2);
  record.record = get_u8(count + 4);
  record.key_length = get_u8(count + 5);
  record.data_length = get_u16(count + 6);
  record.count_offset = offset;
  record.key_offset = offset + kCountBytes;
  record.data_offset = record.key_offset + record.key_length;
  record.overflow = !high_bit_is_address && (count[0] & 0x80) != 0 && count[0] != 0xFF;
  return record;
}

// The part of a track that two equal volumes must share.
std::span<const std::uint8_t> compared_part(std::span<const std::uint8_t> track) {
  const auto used = track_used_bytes(track);
  return used.good() ? track.first(used.value) : track;
}

std::uint32_t crc_of_mapped(std::span<const std::uint8_t> bytes, std::uint8_t multiplier, std::uint8_t addend) {
  std::array<std::uint8_t, 256> map;
  for (unsigned b = 0; b < map.size(); ++b) map[b] = static_cast<std::uint8_t>(b * multiplier + addend);
  std::array<std::uint8_t, 1024> piece;
  std::uint32_t crc = 0;
  while (!bytes.empty()) {
    const std::size_t n = std::min(piece.size(), bytes.size());
    for (std::size_t i = 0; i < n; ++i) piece[i] = map[bytes[i]];
    crc = crc32c(crc, piece.data(), n);
    bytes = bytes.subspan(n);
  }
  return crc;
}

std::size_t first_difference(std::span<const std::uint8_t> left, std::span<const std::uint8_t> right) {
  const std::size_t common = std::min(left.size(), right.size());
  std::size_t i = 0;
  while (i < common && left[i] == right[i]) ++i;
  return i;
}

bool same(std::span<const std::uint8_t> left, std::span<const std::uint8_t> right) { return std::ranges::equal(left, right); }

std::string record_name(const CkdRecord& record) { return "record " + std::to_string(record.record); }

std::string record_difference(std::span<const std::uint8_t> left, std::span<const std::uint8_t> right, const CkdRecord& l,
                              const CkdRecord& r, std::size_t place) {
  if (l.record != r.record)
    return "record number " + std::to_string(l.record) + " against " + std::to_string(r.record) + " in place " + std::to_string(place);
  if (l.key_length != r.key_length)
    return record_name(l) + ": key length " + std::to_string(l.key_length) + " against " + std::to_string(r.key_length);
  if (l.data_length != r.data_length)
    return record_name(l) + ": data length " + std::to_string(l.data_length) + " against " + std::to_string(r.data_length);
  if (!same(left.subspan(l.count_offset, kCountBytes), right.subspan(r.count_offset, kCountBytes)))
    return record_name(l) + ": cylinder or head in the count field differs";
  const auto left_key = left.subspan(l.key_offset, l.key_length), right_key = right.subspan(r.key_offset, r.key_length);
  if (!same(left_key, right_key)) return record_name(l) + ": key differs at byte " + std::to_string(first_difference(left_key, right_key));
  const auto left_data = left.subspan(l.data_offset, l.data_length), right_data = right.subspan(r.data_offset, r.data_length);
  if (!same(left_data, right_data))
    return record_name(l) + ": data differs at byte " + std::to_string(first_difference(left_data, right_data));
  return {};
}

}  // namespace

Result<TrackView> parse_track(std::span<const std::uint8_t> track) {
  if (!size_is_possible(track.size())) return failed<TrackView>(bad_size(track.size()));
  TrackView view;
  view.cylinder = get_u16(track.data() + 1);
  view.head = get_u16(track.data() + 3);
  const bool high_bit_is_address = view.cylinder >= 0x8000;
  std::uint32_t offset = kHomeAddressBytes;
  while (true) {
    std::uint32_t next = 0;
    switch (step_at(track, offset, &next)) {
      case Step::kPastEnd:
        return failed<TrackView>(runs_past(offset, track.size()));
      case Step::kEnd:
        view.used_bytes = next;
        return result_of(std::move(view));
      case Step::kRecord:
        view.records.push_back(record_at(track, offset, high_bit_is_address));
        offset = next;
    }
  }
}

Result<std::uint32_t> track_used_bytes(std::span<const std::uint8_t> track) {
  if (!size_is_possible(track.size())) return failed<std::uint32_t>(bad_size(track.size()));
  std::uint32_t offset = kHomeAddressBytes;
  while (true) {
    std::uint32_t next = 0;
    const Step step = step_at(track, offset, &next);
    if (step == Step::kPastEnd) return failed<std::uint32_t>(runs_past(offset, track.size()));
    if (step == Step::kEnd) return result_of(next);
    offset = next;
  }
}

std::vector<std::uint8_t> track_digest(std::span<const std::uint8_t> track) {
  const auto bytes = compared_part(track);
  std::array<std::uint8_t, 4> length;
  put_u32(length.data(), static_cast<std::uint32_t>(bytes.size()));
  std::vector<std::uint8_t> digest(kTrackDigestBytes);
  const std::array<std::uint32_t, 4> crcs = {crc32c(0, bytes.data(), bytes.size()), crc_of_mapped(bytes, 167, 13),
                                             crc_of_mapped(bytes, 59, 101), crc_of_mapped(bytes, 229, 197)};
  for (std::size_t i = 0; i < crcs.size(); ++i) put_u32(digest.data() + 4 * i, crc32c(crcs[i], length.data(), length.size()));
  return digest;
}

std::string track_difference(std::span<const std::uint8_t> left, std::span<const std::uint8_t> right) {
  const auto l = parse_track(left), r = parse_track(right);
  if (!l.good() || !r.good()) {
    if (same(left, right)) return {};
    const std::string where = "at byte " + std::to_string(first_difference(left, right));
    if (!l.good() && !r.good()) return "neither track has an end-of-track marker, and they differ " + where;
    return std::string(l.good() ? "the second" : "the first") + " track has no end-of-track marker, and they differ " + where;
  }
  const std::size_t l_used = l.value.used_bytes, r_used = r.value.used_bytes;
  if (same(left.first(l_used), right.first(r_used))) return {};
  if (!same(left.first(kHomeAddressBytes), right.first(kHomeAddressBytes))) return "home address differs";
  const std::size_t common = std::min(l.value.records.size(), r.value.records.size());
  for (std::size_t i = 0; i < common; ++i) {
    const std::string difference = record_difference(left, right, l.value.records[i], r.value.records[i], i);
    if (!difference.empty()) return difference;
  }
  return std::to_string(l.value.records.size()) + " records against " + std::to_string(r.value.records.size());
}

}  // namespace afterimage
