// CRC-32C (Castagnoli), the check on every header and payload. Pure; uses SSE4.2 when the CPU has it.
#pragma once

#include <cstddef>
#include <cstdint>

namespace afterimage {

// Continues `seed` (0 to begin) over `size` bytes. crc32c(crc32c(0,a),b) equals the CRC of a followed by b.
std::uint32_t crc32c(std::uint32_t seed, const void* data, std::size_t size);

}  // namespace afterimage
