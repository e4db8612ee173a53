// io: Finding the plex's common storage, in any start order, and being a system in it.
#pragma once

#include "channel/tap_module.h"

namespace afterimage {

// Attaches to the segment of the present settings if it is there and takes us; else says why, once per reason. Where a dead predecessor
// of our name is still to be cleaned up by dsmd, tries again for at most `patience_ms`. Serialised inside; never on a write path.
void attach_storage(unsigned patience_ms);
// The same for a volume that is being opened while nothing is attached: waits for the cleaning up, because a volume must be mended before
// a guest uses it. All volumes of one load share one patience, so that a stopped dsmd delays a start with many volumes once; when it is
// used up, the module's thread goes on trying alone.
void attach_storage_at_open();
// True if dsmd made a new segment of the same name since we attached to ours.
bool storage_was_replaced();
// Replaces the names, unless a segment is attached under other ones: then a sentence that says so.
Status change_settings(TapSettings settings);

}  // namespace afterimage
