// Small facts read out of a track image: the volser of the label, the record at an offset. Pure; bounded; allocates only for the text.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace afterimage {

// Volser of the standard label (VOL1) in the image of cylinder 0 head 0, translated from EBCDIC, without trailing blanks; "" if there is
// none.
std::string volser_of(std::span<const std::uint8_t> track);

// R of the record whose count, key and data hold all of [offset, offset + length), an end-of-track marker right behind it included;
// 0 if that is not one record, or R0, or the home address.
std::uint8_t record_at(std::span<const std::uint8_t> track, std::uint32_t offset, std::uint32_t length);

}  // namespace afterimage
