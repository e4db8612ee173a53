// The table behind ckd_types.h, from the capacities the device types have.
#include "channel/ckd_types.h"

#include <array>

namespace afterimage {
namespace {

constexpr std::array<CkdType, 10> kTypes = {{
    {0x2305, 8, 96},
    {0x2311, 10, 203},
    {0x2314, 20, 203},
    {0x3330, 19, 815},
    {0x3340, 12, 698},
    {0x3350, 30, 560},
    {0x3375, 12, 962},
    {0x3380, 15, 3996},
    {0x3390, 15, 65523},
    {0x9345, 15, 2156},
}};

}  // namespace

std::span<const CkdType> ckd_types() { return kTypes; }

const CkdType* ckd_type_by_byte(std::uint8_t last_two_digits) {
  for (const CkdType& type : kTypes)
    if ((type.type & 0xFF) == last_two_digits) return &type;
  return nullptr;
}

const CkdType* ckd_type_by_name(std::string_view name) {
  for (const CkdType& type : kTypes)
    if (ckd_type_name(type.type) == name) return &type;
  return nullptr;
}

std::string ckd_type_name(std::uint16_t type) {
  constexpr char kDigits[] = "0123456789ABCDEF";
  return {kDigits[type >> 12], kDigits[(type >> 8) & 15], kDigits[(type >> 4) & 15], kDigits[type & 15]};
}

}  // namespace afterimage
