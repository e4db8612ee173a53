// Binding a device to its entry in common storage, checking that it is the volume the session means, and mending it after a death.
#pragma once

#include "channel/tap_device.h"

namespace afterimage {

enum class BindWhen : std::uint8_t {
  kAtOpen,  // inside the device's initialisation: nobody has used it yet
  kLater,   // the device was open before the segment or the definition was there; the caller has taken it
};

// Binds the device if the attached segment defines a volume for it. Not being defined is no error; a failed check is told in a message,
// suspends the volume and leaves the device untapped (`refused`).
void bind_device(TapDevice& device, BindWhen when);
// The device is being closed (clean) or is changing to another segment: gives up its chunk; with `clean`, records the file's identity
// and the state kClosed.
void unbind_device(TapDevice& device, bool clean);

// Re-reads the tracks set in the unhardened map and numbers their images; clears the bits of those that are numbered or recorded.
// Between start_reading and end_reading. False with `why` if a track could not be read or sent.
bool mend_tracks(TapDevice& device, std::string& why);

}  // namespace afterimage
