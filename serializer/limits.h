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
inline constexpr std::uint32_t kChunkBytesLimit = 64u << 20;  // a slot reference's offset and length have 20 bits of kUnitBytes
inline constexpr std::uint32_t kDefaultChunkBytes = 256u << 10;
inline constexpr std::uint64_t kDefaultRingBytes = 64ull << 20;
inline constexpr std::uint64_t kMaxRingBytes = 4ull << 30;
inline constexpr std::uint64_t kMinSequenceEntries = 64;  // and at least two per device
inline constexpr std::uint64_t kMaxSequenceEntries = 1ull << 26;
inline constexpr std::uint32_t kMaxDigestBytes = 64;         // data of a kVerify token
inline constexpr std::uint32_t kMaxMessageBytes = 4u << 20;  // M0 + M1 + M2 of one message
inline constexpr std::uint32_t kDefaultMessageBytes = 256u << 10;
inline constexpr std::uint32_t kDefaultInterval_ms = 10;
inline constexpr std::uint64_t kMinJournalBytes = 8ull << 20;
inline constexpr std::uint32_t kPaceLimit_ms = 2000;      // the longest a guest's I/O is held because the ring is full
inline constexpr std::uint32_t kFreezeLimit_ms = 120000;  // the longest a freeze holds writes without RUN
inline constexpr std::uint32_t kHeartbeat_ms = 500;

static_assert(kMaxTokenData + 4096 <= kMinChunkBytes, "a chunk must hold the largest slot");
static_assert(kChunkBytesLimit / kUnitBytes <= 1u << 20, "a slot reference reaches the end of its chunk");
static_assert(2ull * kMaxDevices <= kMaxSequenceEntries, "each device has its margin of entries");
static_assert(kMaxTokenData + 65536 <= kMaxMessageBytes, "a message must hold the largest M2 field");

}  // namespace afterimage
