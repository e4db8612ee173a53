// Fills slots. Signal fences keep the compiler from moving a note about a step across the step: a longjmp may come between.
#include "serializer/slot_writer.h"

#include <algorithm>
#include <cstring>

#include "serializer/canary.h"
#include "serializer/check.h"
#include "serializer/chunk_pool.h"
#include "serializer/crc32c.h"
#include "serializer/slot_ref.h"
#include "serializer/track_map.h"

namespace afterimage {
namespace {

void keep_order() { std::atomic_signal_fence(std::memory_order_seq_cst); }

std::uint8_t* data_of(SlotHeader* slot) { return reinterpret_cast<std::uint8_t*>(slot) + sizeof(SlotHeader); }

bool touches(const TrackRange& last, std::uint32_t track, std::uint16_t offset, std::uint16_t length) {
  const bool joined = planted(Canary::kRangesJoinedOverGap) ? last.offset + last.length <= offset : last.offset + last.length == offset;
  return last.track == track && joined && last.length + length <= 0xFFFF;
}

// Room for another range, or the last one made longer.
bool add_range(Token& token, std::uint32_t track, std::uint16_t offset, std::uint16_t length) {
  if (token.range_count > 0 && touches(token.ranges[token.range_count - 1u], track, offset, length)) {
    TrackRange& last = token.ranges[token.range_count - 1u];
    last.length = static_cast<std::uint16_t>(last.length + length);
    return true;
  }
  if (token.range_count >= kMaxRanges) return false;
  token.ranges[token.range_count] = {track, offset, length};
  keep_order();  // whoever mends the tracks of a dead writer reads the count first
  token.range_count = static_cast<std::uint8_t>(token.range_count + 1);
  return true;
}

// Without data only the tracks matter.
bool add_track(Token& token, std::uint32_t track) {
  for (unsigned i = 0; i < token.range_count; ++i)
    if (token.ranges[i].track == track) return true;
  return add_range(token, track, 0, 0);
}

}  // namespace

SlotWriter::SlotWriter(CommonStorage& storage, std::uint32_t device) : storage_(storage), device_(device) {
  help_last(storage, control_view(storage));
  const Sequence last = storage.device(device).last_sequence.load();
  for (std::uint32_t chunk = 0; chunk < storage.chunk_count(); ++chunk) {
    const ChunkView view = chunk_view(storage, chunk);
    if (!view.free && !view.closed && view.device == device) close_chunk(storage, device, chunk, last);
  }
  storage.device(device).open_slot.store(0);
}

Token& SlotWriter::open_token() { return slot_ != nullptr ? slot_->token : scratch_; }
const Token& SlotWriter::token() const { return slot_ != nullptr ? slot_->token : scratch_; }
bool SlotWriter::empty() const { return token().range_count == 0; }

// Was a slot numbered whose numbering was cut off? The device's last_sequence tells: it is raised before the entry is recorded, and
// nobody else numbers for this device.
void SlotWriter::settle() {
  if (numbering_bytes_ == 0) return;
  help_last(storage_, control_view(storage_));
  const Sequence last = storage_.device(device_).last_sequence.load(std::memory_order_acquire);
  if (last > before_) consume(last);
  keep_order();
  numbering_bytes_ = 0;
}

// Assigns, never adds: settle() may do it again.
void SlotWriter::consume(Sequence sequence) {
  last_in_chunk_ = sequence;
  chunk_used_ = slot_offset_ + numbering_bytes_;
  slot_ = nullptr;
}

bool SlotWriter::take_interrupted(Token& interrupted) {
  settle();
  if (empty()) return false;
  interrupted = token();
  scratch_.range_count = 0;
  slot_ = nullptr;
  return true;
}

// The caller did not ask for it: its tracks are at least mended when the volume is opened next, or copied when the session resumes.
void SlotWriter::mark_interrupted() {
  Token interrupted;
  if (!take_interrupted(interrupted) || interrupted.kind == TokenKind::kVerify) return;
  record_change(storage_, device_, interrupted);
  TrackMap map = TrackMap::unhardened(storage_, device_);
  for (unsigned i = 0; i < std::min<unsigned>(interrupted.range_count, kMaxRanges); ++i) map.set(interrupted.ranges[i].track);
}

bool SlotWriter::take_any_chunk() {
  for (const bool idle : {false, true}) {
    for (std::uint32_t chunk = find_chunk(storage_, idle, kNoChunk); chunk != kNoChunk; chunk = find_chunk(storage_, idle, chunk)) {
      chunk_used_ = 0;
      last_in_chunk_ = 0;
      chunk_ = chunk + 1;
      keep_order();  // noted before it is taken, so that a taken chunk is never forgotten
      if (take_chunk(storage_, device_, chunk)) return true;
      chunk_ = 0;
    }
  }
  return false;
}

bool SlotWriter::hold_chunk(std::uint32_t bytes) {
  if (chunk_ != 0 && !resume_chunk(storage_, device_, chunk_ - 1)) chunk_ = 0;
  if (chunk_ != 0) {
    if (last_in_chunk_ <= storage_.control().freed_through.load(std::memory_order_acquire)) chunk_used_ = 0;
    if (planted(Canary::kSlotReusedEarly) && chunk_used_ + bytes > storage_.chunk_bytes()) chunk_used_ = 0;
    if (chunk_used_ + bytes <= storage_.chunk_bytes()) return true;
    close_chunk(storage_, device_, chunk_ - 1, last_in_chunk_);
    keep_order();
    chunk_ = 0;
  }
  return take_any_chunk();
}

void SlotWriter::lend_back() {
  storage_.device(device_).open_slot.store(0, std::memory_order_release);
  if (chunk_ != 0) lend_back_chunk(storage_, device_, chunk_ - 1, last_in_chunk_);
}

SlotRoom SlotWriter::prepare(std::uint32_t data_bytes) {
  if (planted(Canary::kNumberedAfterTheIo) && slot_ != nullptr && !empty()) number(0);
  mark_interrupted();
  slot_ = nullptr;
  room_ = 0;
  scratch_.range_count = 0;
  const ControlView view = control_view(storage_);
  DeviceEntry& device = storage_.device(device_);
  const std::uint32_t duplex = device.duplex.load(std::memory_order_seq_cst);
  const bool takes = view.state == SessionState::kActive || (planted(Canary::kFreezeLetsWritesPass) && view.state == SessionState::kFrozen);
  if (!takes || (duplex & (kDuplex | kVolumeSuspended)) != kDuplex) {
    lend_back();
    return SlotRoom::kReady;
  }
  const std::uint32_t wanted = std::min(data_bytes, kMaxTokenData);
  const std::uint32_t bytes = round_to_units(static_cast<std::uint32_t>(sizeof(SlotHeader)) + wanted);
  if (!entries_have_room(storage_)) {
    lend_back();
    return SlotRoom::kEntriesFull;
  }
  device.open_slot.store(0, std::memory_order_release);
  if (!hold_chunk(bytes)) return SlotRoom::kPoolFull;
  slot_offset_ = chunk_used_;
  room_ = wanted;
  auto* slot = reinterpret_cast<SlotHeader*>(storage_.chunk(chunk_ - 1) + slot_offset_);
  slot->token = Token{};
  slot->header_bytes = sizeof(SlotHeader);
  slot->data_crc = 0;
  keep_order();  // or the token of a slot freed long ago would look like one begun
  slot_ = slot;
  device.open_slot.store(make_slot_ref(chunk_ - 1, slot_offset_, bytes), std::memory_order_release);
  return SlotRoom::kReady;
}

void SlotWriter::begin(const Token& begun) {
  Token token = begun;
  token.sequence = 0;
  token.tod = 0;
  token.range_count = 0;
  token.data_length = 0;
  open_token() = token;
}

bool SlotWriter::add(std::uint32_t track, std::uint16_t offset, const void* bytes, std::uint16_t length) {
  if (length == 0) return true;
  if (static_cast<std::uint32_t>(offset) + length > kMaxTrackBytes) return false;
  if (slot_ == nullptr) return add_track(scratch_, track) && note_track(track);
  Token& mine = slot_->token;
  if (mine.data_length + length > room_) return false;
  if (!add_range(mine, track, offset, length)) return false;
  std::memcpy(data_of(slot_) + mine.data_length, bytes, length);
  mine.data_length += length;
  return true;
}

// At once, and not only at finish(): the bytes may reach the file in between (a CCW that goes on to another track has the first written
// back), and a death there must not lose the track. Once tokens are taken again it is mended at the next open instead.
bool SlotWriter::note_track(std::uint32_t track) {
  while (!record_change(storage_, device_, scratch_)) {
    if (outcome_now(storage_, device_) != NumberOutcome::kNumbered) continue;
    TrackMap::unhardened(storage_, device_).set(track);
    break;
  }
  return true;
}

void SlotWriter::set_record(std::uint16_t cylinder, std::uint16_t head, std::uint8_t record) {
  open_token().cylinder = cylinder;
  open_token().head = head;
  open_token().record = record;
}

Numbered SlotWriter::number(std::uint64_t now_us) {
  const std::uint32_t bytes = round_to_units(static_cast<std::uint32_t>(sizeof(SlotHeader)) + slot_->token.data_length);
  before_ = storage_.device(device_).last_sequence.load(std::memory_order_acquire);
  keep_order();
  numbering_bytes_ = bytes;
  keep_order();
  const Numbered result = number_slot(storage_, device_, make_slot_ref(chunk_ - 1, slot_offset_, bytes), now_us);
  keep_order();
  if (result.outcome == NumberOutcome::kNumbered) consume(result.sequence);
  keep_order();
  numbering_bytes_ = 0;
  return result;
}

Numbered SlotWriter::finish(std::uint64_t now_us) {
  if (empty()) {
    abandon();
    return {};
  }
  // Here and not in the mover, though the guest waits for it: only a check taken before the slot is let go tells one that was written over
  // while it waited to be sent. It costs about four times the copy.
  if (slot_ != nullptr) slot_->data_crc = crc32c(0, data_of(slot_), slot_->token.data_length);
  if (planted(Canary::kNumberedAfterTheIo) && slot_ != nullptr) return {NumberOutcome::kNumbered, 0, 0};
  for (;;) {
    Numbered result;
    if (slot_ != nullptr) {
      result = number(now_us);
    } else {
      result.outcome = outcome_now(storage_, device_);
      if (result.outcome == NumberOutcome::kNumbered) result.outcome = NumberOutcome::kFull;
    }
    if (result.outcome == NumberOutcome::kFull) return result;
    if (result.outcome != NumberOutcome::kNumbered && !record_change(storage_, device_, token())) continue;
    abandon();
    return result;
  }
}

// Also the end of a finished token: its slot is no longer this writer's to touch.
void SlotWriter::abandon() {
  settle();
  slot_ = nullptr;
  room_ = 0;
  scratch_.range_count = 0;
  lend_back();
}

void SlotWriter::release() {
  abandon();
  if (chunk_ != 0) close_chunk(storage_, device_, chunk_ - 1, last_in_chunk_);
  chunk_ = 0;
}

}  // namespace afterimage
