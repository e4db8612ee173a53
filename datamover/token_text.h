// A token as an operator reads it: one line of fixed columns, shared by the loss report and the display of the pending write queue. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "serializer/token.h"
#include "vtam_link/message.h"

namespace afterimage {

// "SEQUENCE" to "TIME": the heading of token_columns(), same widths.
std::string token_heading();
// Sequence number, primary volser, device number, CCHHR (hexadecimal, 10 digits), CCW code, kind, stamp. A volume that is not in the
// table is shown by its number: V(00012).
std::string token_columns(const Token& token, const std::vector<VolumeDescriptor>& volumes);
// WRITE, SHARED, IMAGE, VERIFY.
std::string token_kind_text(TokenKind kind);
// `value` as hexadecimal digits, upper case, zero padded to `digits`.
std::string hex_text(std::uint64_t value, unsigned digits);

}  // namespace afterimage
