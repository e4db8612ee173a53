// Says of some bytes whether docs/FORMATS.md allows them as a message, a BIND request or a BIND response: written from that page alone,
// with nothing of the product's codecs in it, so that the two can be compared. Pure.
#pragma once

#include "tests/fuzz/fuzz_check.h"

namespace afterimage::fuzz {

bool is_message(View bytes);
bool is_bind_request(View bytes);
bool is_bind_response(View bytes);

// Makes the CRCs of a message right again (and its body length, when asked), so that the rules behind them are reached.
void reseal_message(Bytes& bytes, bool length_too);
// The same for a BIND of either direction: length and CRC.
void reseal_bind(Bytes& bytes);

}  // namespace afterimage::fuzz
