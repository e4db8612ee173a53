// The portable CRC-32C, used where the CPU has no instruction for it; the same contract as crc32c(). Pure.
#pragma once

#include <cstddef>
#include <cstdint>

namespace afterimage {

std::uint32_t crc32c_by_table(std::uint32_t seed, const void* data, std::size_t size);

}  // namespace afterimage
