// When a write must wait and for how long: pacing while the ring is full, a freeze. Bounded in every case, and never on a CPU thread.
#pragma once

#include "channel/tap_device.h"

namespace afterimage {

enum class Held : std::uint8_t {
  kGoOn,       // the reason to wait has gone
  kMustLeave,  // clear, halt, reset, close
};

// Waits while the session is frozen, at most the freeze limit (then the session is suspended, with a message).
// `heed_leave`: give up when the channel program must be left; a write already made is never left.
Held hold_for_freeze(TapDevice& device, bool heed_leave);
// Waits until the writer has room for `bytes`, at most the pace limit in one channel program (then the session is suspended, with a
// message).
Held hold_for_room(TapDevice& device, bool heed_leave, std::uint32_t bytes);
// For the tap's thread: ends a freeze whose limit is over though nobody waits.
void end_freeze_over_limit(TapAttachment& attachment);
// The session or the volume is suspended because it cannot be followed any more, with a message.
void suspend_volume(TapDevice& device, SuspendReason reason, const std::string& why);

}  // namespace afterimage
