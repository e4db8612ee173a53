// Verification while a session runs: digests (or images) of tracks, numbered like writes. Source: docs/ARCHITECTURE.md, "Changed from the
// design".
#pragma once

#include "channel/tap_device.h"

namespace afterimage {

// Works on the device's request, if dsmd has made one, for about `budget_us`; takes the device for a few tracks at a time and lets the
// guest in between. True if there is more to do now. The tap's own thread only.
bool verify_some(TapDevice& device, std::uint64_t budget_us);

}  // namespace afterimage
