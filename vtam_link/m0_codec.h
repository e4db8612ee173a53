// The fixed 160 bytes of an M0 (docs/FORMATS.md, "M0"). Pure; used by the message codec only.
#pragma once

#include <cstdint>
#include <span>

#include "vtam_link/message.h"

namespace afterimage {

inline constexpr std::uint8_t kM0Magic[4] = {'A', 'I', 'M', '0'};
inline constexpr std::uint16_t kM0Version = 1;

// Good when every field of the M0 can be carried. The sentence names the field.
Status check_m0(const M0& m0);
// Writes kM0Bytes at `p`, header CRC included. The M0 has passed check_m0().
void put_m0(std::uint8_t* p, const M0& m0, std::uint32_t body_crc);
// The body CRC an encoded M0 carries; `bytes` has passed decode_m0().
std::uint32_t body_crc_of(std::span<const std::uint8_t> bytes);

}  // namespace afterimage
