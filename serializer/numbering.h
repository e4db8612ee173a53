// The lock-free steps on the control word and the sequence entries (see storage_layout.h for the order of events).
// Safe against a caller killed, stopped or longjmp'd away at any instruction. Any thread of any attached process may call.
// Source: document 002, "Write Operations at the External Storage Subsystem" and "Positive Return Token" (A3, A5, A9).
#pragma once

#include <cstdint>

#include "serializer/common_storage.h"

namespace afterimage {

struct ControlView {      // one consistent reading of the control word
  Sequence sequence = 0;  // last numbered
  std::uint8_t generation = 0;
  SessionState state = SessionState::kInactive;
  std::uint64_t tod_us = 0;  // of the last numbered token or state change: the next stamp is above it
  std::uint32_t device = 0;  // that numbered it
};
ControlView control_view(const CommonStorage& storage);

enum class NumberOutcome : std::uint8_t { kNumbered, kNotActive, kFrozen, kVolumeSuspended, kFull };
struct Numbered {
  NumberOutcome outcome = NumberOutcome::kNotActive;
  Sequence sequence = 0;
  Tod tod = 0;
};

// Gives the slot `slot` of device `device` its number. `now_us` is the caller's clock; the stamp is made strictly rising.
// Stamps the slot's token (tod) before the swap. On any other outcome nothing was numbered and the slot is still the caller's;
// the caller then records the tracks in the change map with record_change(). kFull comes only to a caller who did not ask
// SlotWriter::prepare() (or entries_have_room()) first. A slot reference outside the pool fails a check and gives kNotActive.
Numbered number_slot(CommonStorage& storage, std::uint32_t device, SlotRef slot, std::uint64_t now_us);

// What number_slot() would answer now, but for kFull; kNumbered if it would number.
NumberOutcome outcome_now(CommonStorage& storage, std::uint32_t device);

// True if every device that has asked can number one token: the margin is one entry per device.
bool entries_have_room(CommonStorage& storage);

// Sets the tracks' bits in the device's change map and returns false if the session's state changed meanwhile or is one in which the
// token must be numbered; the caller then tries number_slot() again (so that no change falls between a resumption and its reading of
// the map). Without a session, for a device that is not duplexed, and for kVerify there is nothing to record: true.
bool record_change(CommonStorage& storage, std::uint32_t device, const Token& token);

// Records the entry of the last numbered token if its owner has not, and raises its device's last_sequence before. Everyone who
// reads entries calls it first.
void help_last(CommonStorage& storage, const ControlView& view);

// Changes the session's state in one step; returns the last sequence number of the old state (the cut), or 0 with `changed` false
// when the present state is not `from`.
struct StateChange {
  bool changed = false;
  Sequence cut = 0;
};
StateChange change_session_state(CommonStorage& storage, SessionState from, SessionState to);
// Makes every writer that has not yet swapped decide again (after a device's duplex bits were changed); returns the last number.
Sequence bump_generation(CommonStorage& storage);
// kActive -> kSuspended with its reason and cut recorded; `changed` is false if the session was not active.
StateChange suspend_session(CommonStorage& storage, SuspendReason reason);
// Suspends one volume: no token of it is numbered above the sequence returned.
Sequence suspend_device(CommonStorage& storage, std::uint32_t device, SuspendReason reason);

struct EntryView {
  Sequence sequence = 0;
  std::uint32_t device = 0;
  EntryState state = EntryState::kFree;
  SlotRef slot = 0;
};
EntryView entry_view(CommonStorage& storage, Sequence sequence);
bool void_entry(CommonStorage& storage, Sequence sequence);  // kHeld -> kVoid; false if it was not kHeld with that number
void free_entry(CommonStorage& storage, Sequence sequence);  // mover only, in order; advances nothing by itself

}  // namespace afterimage
