// io: the clean-up after a system whose process died with volumes open. Done by the mover, or by the system's next process while
// there is no mover.
#pragma once

#include <vector>

#include "serializer/numbering.h"

namespace afterimage {

struct Burial {
  bool done = false;               // false: the process is alive, another process is at it, or there was nothing to bury
  std::vector<Sequence> voided;    // every void token of the system still held, in order (also those of a burial cut off before)
  std::uint32_t lost_devices = 0;  // volumes to be mended when they are opened next
};

// For a system whose process is dead: adds the tracks of its tokens whose bytes had not reached the file, and of slots it was filling,
// to their devices' unhardened maps (to be re-read and sent as corrective images when the volume is next opened); voids those tokens;
// marks its open devices kLost; closes its chunks; gives up the entry's pid. For a compressed device nothing more: what its cache had
// not written the tap keeps in the unhardened map itself. Safe to repeat after being killed at any instruction: every step is
// repeatable, and the pid is given up last. Only one process at a time buries a system.
Burial bury_system(CommonStorage& storage, std::uint32_t system);

}  // namespace afterimage
