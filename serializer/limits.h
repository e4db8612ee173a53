// Every bound of the product in one place, with the relations between them asserted.
#pragma once

#include <cstdint>

#include "serializer/token.h"

namespace afterimage {

inline constexpr std::uint32_t kMaxSystems = 16;       // Hercules systems in one plex
inline constexpr std::uint32_t kMaxDevices = 1024;     // tapped devices in one plex; 256 in one Hercules is the promise
inline constexpr std::uint32_t kMaxTracks = 1u << 21;  // tracks of one volume (a 3390-54 has 982,800)
inline constexpr std::uint32_t kUnitBytes = 64;        // slots are aligned to and measured in this
inline constexpr std::uint32_t kMinChunkBytes = 256u << 10;
inline constexpr std::uint32_t kDefaultChunkBytes = 256u << 10;
inline constexpr std::uint64_t kDefaultRingBytes = 64ull << 20;
inline constexpr std::uint64_t kMaxRingBytes = 4ull << 30;
inline constexpr std::uint32_t kMaxMessageBytes = 4u << 20;  // M0 + M1 + M2 of one message
inline constexpr std::uint32_t kDefaultMessageBytes = 256u << 10;
inline constexpr std::uint32_t kDefaultInterval_ms = 10;
inline constexpr std::uint64_t kMinJournalBytes = 8ull << 20;
inline constexpr std::uint32_t kPaceLimit_ms = 2000;      // the longest a guest's I/O is held because the ring is full
inline constexpr std::uint32_t kFreezeLimit_ms = 120000;  // the longest a freeze holds writes without RUN
inline constexpr std::uint32_t kHeartbeat_ms = 500;

static_assert(kMaxTokenData + 4096 <= kMinChunkBytes, "a chunk must hold the largest slot");
static_assert(kMaxTokenData + 65536 <= kMaxMessageBytes, "a message must hold the largest M2 field");

}  // namespace afterimage
