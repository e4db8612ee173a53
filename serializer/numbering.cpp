// The swaps on the control word and on the sequence entries.
#include "serializer/numbering.h"

#include <algorithm>

#include "serializer/canary.h"
#include "serializer/check.h"
#include "serializer/pair_word.h"
#include "serializer/slot_ref.h"
#include "serializer/track_map.h"

namespace afterimage {
namespace {

constexpr std::uint64_t kSequenceMask = (1ULL << 48) - 1;
constexpr std::uint64_t kDeviceMask = (1ULL << 12) - 1;

PairWord control_word(const ControlView& view) {
  PairWord word;
  word.low = (view.sequence << 16) | (static_cast<std::uint64_t>(view.generation) << 8) | static_cast<std::uint64_t>(view.state);
  word.high = (view.tod_us << 12) | view.device;
  return word;
}

PairWord entry_word(const EntryView& view) {
  PairWord word;
  word.low = (view.sequence << 16) | (static_cast<std::uint64_t>(view.device) << 4) | static_cast<std::uint64_t>(view.state);
  word.high = view.slot;
  return word;
}

EntryView decode_entry(PairWord word) {
  EntryView view;
  view.sequence = word.low >> 16;
  view.device = static_cast<std::uint32_t>((word.low >> 4) & kDeviceMask);
  view.state = static_cast<EntryState>(word.low & 0xF);
  view.slot = word.high;
  return view;
}

// What the place of `sequence` holds before it: the number freed last there, or nothing in the first generation.
EntryView entry_before(const CommonStorage& storage, Sequence sequence) {
  EntryView view;
  view.sequence = sequence > storage.sequence_entries() ? sequence - storage.sequence_entries() : 0;
  return view;
}

void raise(std::atomic<std::uint64_t>& value, std::uint64_t to) {
  std::uint64_t present = value.load(std::memory_order_acquire);
  while (present < to && !value.compare_exchange_weak(present, to, std::memory_order_acq_rel)) {
  }
}

void record_entry(CommonStorage& storage, Sequence sequence, std::uint32_t device, SlotRef slot) {
  const EntryView held{sequence, device, EntryState::kHeld, slot};
  pair_swap(storage.entry(sequence).word, entry_word(entry_before(storage, sequence)), entry_word(held));
}

bool session_numbers(SessionState state) { return state == SessionState::kActive; }
bool session_records(SessionState state) { return state == SessionState::kSuspended || state == SessionState::kFrozen; }

// kNumbered stands for "may be numbered".
NumberOutcome outcome_under(SessionState state, std::uint32_t duplex) {
  if (planted(Canary::kFreezeLetsWritesPass) && state == SessionState::kFrozen) state = SessionState::kActive;
  if ((duplex & kDuplex) == 0) return NumberOutcome::kNotActive;
  if (state == SessionState::kFrozen) return NumberOutcome::kFrozen;
  if (!session_numbers(state)) return NumberOutcome::kNotActive;
  if ((duplex & kVolumeSuspended) != 0) return NumberOutcome::kVolumeSuspended;
  return NumberOutcome::kNumbered;
}

// The TOD rises too, so that no value of the control word ever comes back (the generation alone would, after 256 changes).
ControlView with_next_generation(ControlView view) {
  view.generation = static_cast<std::uint8_t>(view.generation + 1);
  view.tod_us += 1;
  return view;
}

}  // namespace

ControlView control_view(const CommonStorage& storage) {
  const PairWord word = pair_load(storage.control().word);
  ControlView view;
  view.sequence = (word.low >> 16) & kSequenceMask;
  view.generation = static_cast<std::uint8_t>(word.low >> 8);
  view.state = static_cast<SessionState>(word.low & 0xFF);
  view.tod_us = word.high >> 12;
  view.device = static_cast<std::uint32_t>(word.high & kDeviceMask);
  return view;
}

// A late helper is harmless: the device's next `pending` is stored only after this entry was recorded, and an entry once recorded never
// again has the value the swap expects.
void help_last(CommonStorage& storage, const ControlView& view) {
  if (view.sequence == 0) return;
  const EntryView present = decode_entry(pair_load(storage.entry(view.sequence).word));
  if (present.sequence >= view.sequence) return;
  AI_CHECK(view.device < storage.device_count());
  if (view.device >= storage.device_count()) return;
  DeviceEntry& device = storage.device(view.device);
  const SlotRef slot = device.pending.load(std::memory_order_acquire);
  raise(device.last_sequence, view.sequence);
  record_entry(storage, view.sequence, view.device, slot);
}

NumberOutcome outcome_now(CommonStorage& storage, std::uint32_t device) {
  const ControlView view = control_view(storage);
  return outcome_under(view.state, storage.device(device).duplex.load(std::memory_order_seq_cst));
}

bool entries_have_room(CommonStorage& storage) {
  // Freed first: it only rises, so the room is never overstated.
  const Sequence freed = storage.control().freed_through.load(std::memory_order_acquire);
  return control_view(storage).sequence + storage.device_count() <= freed + storage.sequence_entries();
}

Numbered number_slot(CommonStorage& storage, std::uint32_t device_index, SlotRef slot, std::uint64_t now_us) {
  const SlotPlace place = slot_place(storage, slot);
  AI_CHECK(place.header != nullptr);
  AI_CHECK(device_index < storage.device_count());
  if (place.header == nullptr || device_index >= storage.device_count()) return {};
  DeviceEntry& device = storage.device(device_index);
  for (;;) {
    const ControlView view = control_view(storage);
    help_last(storage, view);
    const NumberOutcome outcome = outcome_under(view.state, device.duplex.load(std::memory_order_seq_cst));
    if (outcome != NumberOutcome::kNumbered) return {outcome, 0, 0};
    const Sequence freed = storage.control().freed_through.load(std::memory_order_acquire);
    if (view.sequence + 1 > freed + storage.sequence_entries()) return {NumberOutcome::kFull, 0, 0};
    ControlView next = view;
    next.sequence += 1;
    next.tod_us = planted(Canary::kStampNotRising) ? now_us : std::max(now_us, view.tod_us + 1);
    next.device = device_index;
    place.header->token.tod = tod_from_us(next.tod_us);
    device.pending.store(slot, std::memory_order_release);
    if (!pair_swap(storage.control().word, control_word(view), control_word(next))) continue;
    raise(device.last_sequence, next.sequence);
    record_entry(storage, next.sequence, device_index, slot);
    device.tokens.fetch_add(1, std::memory_order_relaxed);
    device.bytes.fetch_add(place.header->token.data_length, std::memory_order_relaxed);
    return {NumberOutcome::kNumbered, next.sequence, tod_from_us(next.tod_us)};
  }
}

bool record_change(CommonStorage& storage, std::uint32_t device_index, const Token& token) {
  if (token.kind == TokenKind::kVerify) return true;
  const ControlView before = control_view(storage);
  const std::uint32_t duplex = storage.device(device_index).duplex.load(std::memory_order_seq_cst);
  if (outcome_under(before.state, duplex) == NumberOutcome::kNumbered) return false;
  const bool volume_recorded = session_numbers(before.state) && (duplex & kVolumeSuspended) != 0;
  if ((duplex & kDuplex) != 0 && (session_records(before.state) || volume_recorded)) {
    TrackMap map = TrackMap::changed(storage, device_index);
    const unsigned count = std::min<unsigned>(token.range_count, kMaxRanges);
    for (unsigned i = planted(Canary::kChangeNotRecorded) ? 1 : 0; i < count; ++i) {
      const bool marked = map.set(token.ranges[i].track);
      AI_CHECK(marked);
    }
  }
  const ControlView after = control_view(storage);
  return after.state == before.state && after.generation == before.generation;
}

StateChange change_session_state(CommonStorage& storage, SessionState from, SessionState to) {
  for (;;) {
    const ControlView view = control_view(storage);
    help_last(storage, view);
    if (view.state != from) return {};
    ControlView next = with_next_generation(view);
    next.state = to;
    if (to == SessionState::kFrozen) storage.control().freezes.fetch_add(1);  // before it: whoever sees the freeze sees its number
    if (planted(Canary::kSequenceReusedAfterEnd) && to == SessionState::kInactive && view.sequence > 0) next.sequence -= 1;
    if (!pair_swap(storage.control().word, control_word(view), control_word(next))) continue;
    if (planted(Canary::kCutOneTooLow) && view.sequence > 0) return {true, view.sequence - 1};
    return {true, view.sequence};
  }
}

Sequence bump_generation(CommonStorage& storage) {
  for (;;) {
    const ControlView view = control_view(storage);
    help_last(storage, view);
    if (pair_swap(storage.control().word, control_word(view), control_word(with_next_generation(view)))) return view.sequence;
  }
}

StateChange suspend_session(CommonStorage& storage, SuspendReason reason) {
  const StateChange change = change_session_state(storage, SessionState::kActive, SessionState::kSuspended);
  if (!change.changed) return change;
  storage.control().suspended_at.store(change.cut);
  storage.control().suspend_reason.store(static_cast<std::uint32_t>(reason));
  return change;
}

Sequence suspend_device(CommonStorage& storage, std::uint32_t device_index, SuspendReason reason) {
  DeviceEntry& device = storage.device(device_index);
  device.suspend_reason.store(static_cast<std::uint32_t>(reason));
  device.duplex.fetch_or(kVolumeSuspended, std::memory_order_seq_cst);
  const Sequence cut = bump_generation(storage);
  device.suspended_at.store(cut);
  return cut;
}

EntryView entry_view(CommonStorage& storage, Sequence sequence) { return decode_entry(pair_load(storage.entry(sequence).word)); }

bool void_entry(CommonStorage& storage, Sequence sequence) {
  EntryView view = entry_view(storage, sequence);
  if (view.sequence != sequence || view.state != EntryState::kHeld) return false;
  const PairWord held = entry_word(view);
  view.state = EntryState::kVoid;
  return pair_swap(storage.entry(sequence).word, held, entry_word(view));
}

void free_entry(CommonStorage& storage, Sequence sequence) {
  EntryView view = entry_view(storage, sequence);
  while (view.sequence == sequence && view.state != EntryState::kFree) {
    const EntryView freed{sequence, 0, EntryState::kFree, 0};
    if (pair_swap(storage.entry(sequence).word, entry_word(view), entry_word(freed))) return;
    view = entry_view(storage, sequence);
  }
}

}  // namespace afterimage
