// The state of one volume of a session as a report shows it, derived from facts of common storage and of the session. Pure, thread safe.
#pragma once

#include <cstdint>
#include <string_view>

#include "automation/session_rules.h"

namespace afterimage {

enum class VolumeState : std::uint8_t { kPnd, kCpy, kDup, kSus, kSeq, kUtl };

struct VolumeFacts {
  SiteRole role = SiteRole::kPrimary;
  OperatorState session = OperatorState::kInactive;
  bool duplex = false;            // DuplexBits::kDuplex; at the secondary: in the established volume table
  bool volume_suspended = false;  // DuplexBits::kVolumeSuspended
  bool pending = false;           // DuplexBits::kPending
  bool lost = false;              // DeviceState::kLost: its system died; it is mended when it is opened again
  bool established = false;       // the secondary has acknowledged the session's volume table
  bool copying = false;           // an initial copy or a resynchronisation is under way
  bool timed_suspend = false;     // suspended at a stated time
  bool utility = false;           // not a pair: used by the mover itself
};

// UTL before everything else; then SUS or SEQ (a volume that misses writes is never shown as DUP); CPY; PND until both sites agree that it
// is duplexed, and while it waits to be mended; else DUP. A freeze at the primary holds the writes, so nothing is missed: the state stays.
VolumeState volume_state(const VolumeFacts& facts);

std::string_view volume_state_name(VolumeState state);  // "DUP"

struct VolumeCounts {
  std::uint32_t total = 0, dup = 0, cpy = 0, pnd = 0, sus = 0, seq = 0, utl = 0;
  void add(VolumeState state);
};

}  // namespace afterimage
