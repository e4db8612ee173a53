// The CKD device types Hercules 3.13 knows. Pure; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace afterimage {

struct CkdType {
  std::uint16_t type;           // X'3390' as in sense ID and in the messages of Hercules
  std::uint32_t heads;          // tracks per cylinder
  std::uint32_t max_cylinders;  // of the largest model, alternate cylinders included
};

std::span<const CkdType> ckd_types();
// By the last two digits as an image's header has them (X'90'); null if there is no such type.
const CkdType* ckd_type_by_byte(std::uint8_t last_two_digits);
// By name as in a Hercules device statement ("3390"; models are not part of the name there); null if it is no CKD type.
const CkdType* ckd_type_by_name(std::string_view name);
// "3390"
std::string ckd_type_name(std::uint16_t type);

}  // namespace afterimage
