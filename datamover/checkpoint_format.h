// The bytes of a checkpoint: versioned, fixed fields, a volume table, one CRC-32C over all (docs/FORMATS.md, "Checkpoint"). Pure codec.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "datamover/secondary_core.h"

namespace afterimage {

inline constexpr std::uint16_t kCheckpointVersion = 1;
inline constexpr std::size_t kCheckpointFixedBytes = 136;
inline constexpr std::size_t kCheckpointVolumeBytes = 48;

struct StoredCheckpoint {
  std::string session;           // 1 to 8 characters
  std::uint64_t generation = 0;  // rises with every one written
  Checkpoint checkpoint;
  friend bool operator==(const StoredCheckpoint&, const StoredCheckpoint&) = default;
};

std::size_t encoded_checkpoint_bytes(std::size_t volumes);
// Refuses what decode_checkpoint() would refuse: a checkpoint that cannot be read again must never replace one that can.
Result<std::vector<std::uint8_t>> encode_checkpoint(const StoredCheckpoint& stored);
// Checks magic, version, length, CRC, every count, state and name. The error says what is wrong; the caller adds the file's name.
Result<StoredCheckpoint> decode_checkpoint(std::span<const std::uint8_t> bytes);

}  // namespace afterimage
