// Moves the time stamp of the control word forward when nothing is written, so that consistency time advances on an idle session:
// after it, every token numbered later carries a later stamp. Lock-free; any thread of any attached process may call.
// Source: document 002 (A10); docs/ARCHITECTURE.md, "Numbering".
#pragma once

#include "serializer/numbering.h"

namespace afterimage {

// Returns the last sequence number at that moment: every write stamped at or before `now` has a number <= it. Without an active
// session nothing is changed.
Sequence advance_clock(CommonStorage& storage, Tod now);

}  // namespace afterimage
