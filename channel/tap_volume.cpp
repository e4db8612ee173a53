// See tap_volume.h.
#include "channel/tap_volume.h"

#include <algorithm>
#include <cstring>

#include "channel/track.h"
#include "serializer/bytes.h"

namespace afterimage {
namespace {

constexpr std::uint8_t kEndOfTrack[8] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF};
constexpr std::uint8_t kVol1[4] = {0xE5, 0xD6, 0xD3, 0xF1};

// A volser has letters, digits, national characters and hyphens only.
char from_ebcdic(std::uint8_t c) {
  if (c >= 0xC1 && c <= 0xC9) return static_cast<char>('A' + (c - 0xC1));
  if (c >= 0xD1 && c <= 0xD9) return static_cast<char>('J' + (c - 0xD1));
  if (c >= 0xE2 && c <= 0xE9) return static_cast<char>('S' + (c - 0xE2));
  if (c >= 0xF0 && c <= 0xF9) return static_cast<char>('0' + (c - 0xF0));
  switch (c) {
    case 0x40:
      return ' ';
    case 0x5B:
      return '$';
    case 0x60:
      return '-';
    case 0x7B:
      return '#';
    case 0x7C:
      return '@';
    default:
      return '?';
  }
}

struct FoundRecord {
  std::uint32_t offset = 0, end = 0;
  std::uint8_t record = 0, key_length = 0;
  std::uint32_t data_length = 0;
};

// Steps from `at`; false at the end of the track or where the image makes no sense.
bool next_record(std::span<const std::uint8_t> track, std::uint32_t at, FoundRecord& found) {
  if (at + kCountBytes > track.size()) return false;
  const std::uint8_t* count = track.data() + at;
  if (std::memcmp(count, kEndOfTrack, sizeof kEndOfTrack) == 0) return false;
  found.offset = at;
  found.record = count[4];
  found.key_length = count[5];
  found.data_length = get_u16(count + 6);
  found.end = at + kCountBytes + found.key_length + found.data_length;
  return found.end <= track.size();
}

}  // namespace

std::string volser_of(std::span<const std::uint8_t> track) {
  FoundRecord found;
  for (std::uint32_t at = kHomeAddressBytes; next_record(track, at, found); at = found.end) {
    if (found.record != 3 || found.key_length != 4 || found.data_length < 10) continue;
    const std::uint8_t* data = track.data() + found.offset + kCountBytes + found.key_length;
    if (std::memcmp(data, kVol1, sizeof kVol1) != 0) return {};
    std::string volser;
    for (unsigned i = 4; i < 10; ++i) volser.push_back(from_ebcdic(data[i]));
    volser.erase(volser.find_last_not_of(' ') + 1);
    return volser;
  }
  return {};
}

std::uint8_t record_at(std::span<const std::uint8_t> track, std::uint32_t offset, std::uint32_t length) {
  FoundRecord found;
  for (std::uint32_t at = kHomeAddressBytes; next_record(track, at, found); at = found.end) {
    if (offset < found.offset || offset >= found.end) continue;
    const std::uint32_t end = offset + length;
    if (end <= found.end) return found.record;
    FoundRecord after;
    const bool last = !next_record(track, found.end, after);
    return last && end <= found.end + sizeof kEndOfTrack ? found.record : std::uint8_t{0};
  }
  return 0;
}

}  // namespace afterimage
