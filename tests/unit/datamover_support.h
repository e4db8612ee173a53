// Shared by the datamover tests: small volumes, tokens, names; temporary directories come from the images' tests.
#pragma once

#include <string>
#include <vector>

#include "channel_dasd_support.h"
#include "vtam_link/message.h"

namespace afterimage::testing {

inline const std::string kSession = "DALLAS", kPrimaryLu = "SITEA.DSMLU", kSecondaryLu = "SITEB.DSMLU";

// Two volumes of 2 cylinders, 2 heads, 64 bytes per track.
inline std::vector<VolumeDescriptor> two_volumes() {
  std::vector<VolumeDescriptor> volumes(2);
  for (std::size_t i = 0; i < volumes.size(); ++i) {
    volumes[i].volser = "PRIM0" + std::to_string(i + 1);
    volumes[i].secondary_volser = "SEC00" + std::to_string(i + 1);
    volumes[i].device_number = static_cast<std::uint16_t>(0x0A80 + i);
    volumes[i].device_type = 0x3390;
    volumes[i].cylinders = 2;
    volumes[i].heads = 2;
    volumes[i].track_bytes = 64;
    volumes[i].system = "SYSA";
  }
  return volumes;
}

// A write of `length` bytes at `offset` of `track` of `volume` (heads = 2).
inline Token write_token(Sequence sequence, VolumeId volume, std::uint32_t track, std::uint16_t offset, std::uint16_t length) {
  Token token;
  token.sequence = sequence;
  token.tod = tod_from_us(1000000 + sequence * 10);
  token.volume = volume;
  token.ccw_code = 0x05;
  token.record = 1;
  token.cylinder = static_cast<std::uint16_t>(track / 2);
  token.head = static_cast<std::uint16_t>(track % 2);
  token.range_count = 1;
  token.ranges[0] = {track, offset, length};
  token.data_length = length;
  return token;
}

inline std::vector<std::uint8_t> bytes_of(std::size_t length, unsigned value) {
  return std::vector<std::uint8_t>(length, static_cast<std::uint8_t>(value));
}

}  // namespace afterimage::testing
