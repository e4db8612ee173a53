// From a write CCW to its token. See tap.h for the calls; these are the same on C++ types, for the other parts of the tap.
#pragma once

#include <span>

#include "channel/tap_device.h"

namespace afterimage {

TapGate pass_gate(TapDevice& device, std::uint8_t ccw_code, TapPlace place);
void begin_capture(TapDevice& device, std::uint8_t ccw_code);
// Names the record written, before it is numbered. The capture is not empty.
void name_record(TapDevice& device, std::uint8_t record);
TapEnd number_capture(TapDevice& device, TapPlace place);

enum class Published : std::uint8_t { kNumbered, kRecorded, kFrozen, kFull };
// One kTrackImage token with the used part of `image`; kRecorded: the session or volume is suspended and the track is in the change map.
Published publish_image(TapDevice& device, std::uint32_t track, std::span<const std::uint8_t> image);
// One kVerify token with the digest of `image`; kRecorded: nothing is numbered now.
Published publish_digest(TapDevice& device, std::uint32_t track, std::span<const std::uint8_t> image);
// Everything numbered for the device is in its file.
void note_flushed(TapDevice& device);
// The handler could not write the buffer of `track` back: the tokens that were in it are void, the volume is suspended.
void note_write_back_failure(TapDevice& device, std::uint32_t track);

}  // namespace afterimage
