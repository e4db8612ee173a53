// Bodies of the messages that are not token-data: volume table, ending, acknowledgement, exception (docs/FORMATS.md). Pure; used by the
// message codec only.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "vtam_link/message.h"

namespace afterimage {

// Each encoder refuses what its decoder would refuse, with a sentence naming the field.
Result<std::vector<std::uint8_t>> encode_volumes(const std::vector<VolumeDescriptor>& volumes);
Result<std::vector<std::uint8_t>> encode_ending(const Ending& ending);
Result<std::vector<std::uint8_t>> encode_acknowledgement(const Acknowledgement& acknowledgement);
Result<std::vector<std::uint8_t>> encode_exception(const Exception& exception);

// `body` is the whole body: bytes left over are refused.
Result<std::vector<VolumeDescriptor>> decode_volumes(std::span<const std::uint8_t> body);
Result<Ending> decode_ending(std::span<const std::uint8_t> body);
Result<Acknowledgement> decode_acknowledgement(std::span<const std::uint8_t> body);
Result<Exception> decode_exception(std::span<const std::uint8_t> body);

}  // namespace afterimage
