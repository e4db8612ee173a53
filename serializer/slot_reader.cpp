// io: reads and frees slots. Whatever is read from common storage is copied before it is judged, and judged before it is used.
#include "serializer/slot_reader.h"

#include <algorithm>
#include <string>

#include "serializer/bury.h"
#include "serializer/canary.h"
#include "serializer/chunk_pool.h"
#include "serializer/crc32c.h"
#include "serializer/pair_word.h"
#include "serializer/slot_ref.h"

namespace afterimage {
namespace {

Result<HeldToken> damaged(Sequence sequence, const std::string& what) {
  return failed<HeldToken>(Status::error("Token " + std::to_string(sequence) + " in common storage is damaged (" + what +
                                             "): suspend the session and start it again with a copy of its volumes.",
                                         Severity::kSevere));
}

bool entry_is_in_use(const EntryView& entry, Sequence sequence) {
  return entry.sequence == sequence && (entry.state == EntryState::kHeld || entry.state == EntryState::kVoid);
}

}  // namespace

SlotReader::SlotReader(CommonStorage& storage) : storage_(storage) {}

Sequence SlotReader::last_numbered() {
  const ControlView view = control_view(storage_);
  help_last(storage_, view);
  return view.sequence;
}

Status SlotReader::rebuild() {
  const Sequence last = last_numbered();
  Sequence freed = storage_.control().freed_through.load();
  if (freed > last || last - freed > storage_.sequence_entries())
    return Status::error("Common storage " + storage_.name() + " is damaged (freed through " + std::to_string(freed) + ", last numbered " +
                             std::to_string(last) + "): stop every program that uses it, then remove it and start again.",
                         Severity::kSevere);
  // Entries are freed in order, and freed_through follows after the last of a batch.
  for (Sequence next = freed + 1; next <= last; ++next) {
    const EntryView entry = entry_view(storage_, next);
    if (entry.sequence == next && entry.state == EntryState::kFree && next == freed + 1) {
      freed = next;
      continue;
    }
    if (!entry_is_in_use(entry, next)) return damaged(next, "its entry is missing").status;
  }
  storage_.control().freed_through.store(freed, std::memory_order_release);
  free_closed_chunks(storage_);
  PairWord& word = storage_.control().word;
  if (planted(Canary::kSequenceReusedAfterRestart) && last > 0) pair_swap(word, word, {word.low - (1ULL << 16), word.high});
  return Status::ok();
}

Result<HeldToken> SlotReader::read(Sequence sequence, bool check_data) {
  const ControlView view = control_view(storage_);
  help_last(storage_, view);
  if (sequence > view.sequence || sequence <= storage_.control().freed_through.load())
    return failed<HeldToken>(Status::error("Token " + std::to_string(sequence) + " is not held: common storage holds " +
                                           std::to_string(storage_.control().freed_through.load() + 1) + " to " +
                                           std::to_string(view.sequence) + "."));
  const EntryView entry = entry_view(storage_, sequence);
  if (!entry_is_in_use(entry, sequence)) return damaged(sequence, "its entry is missing");
  if (entry.device >= storage_.device_count()) return damaged(sequence, "its device does not exist");
  const SlotPlace place = slot_place(storage_, entry.slot);
  if (place.header == nullptr) return damaged(sequence, "its slot lies outside the pool");
  HeldToken held;
  held.token = place.header->token;
  const std::uint32_t header_bytes = place.header->header_bytes;
  const std::uint32_t data_crc = place.header->data_crc;
  if (!token_is_well_formed(held.token)) return damaged(sequence, "its counts and lengths disagree");
  if (header_bytes != sizeof(SlotHeader)) return damaged(sequence, "its header has another length");
  if (held.token.data_length > place.length - header_bytes) return damaged(sequence, "its data runs beyond its slot");
  held.token.sequence = sequence;
  held.device = entry.device;
  held.is_void = entry.state == EntryState::kVoid;
  held.data = {reinterpret_cast<const std::uint8_t*>(place.header) + header_bytes, held.token.data_length};
  held.flushed = is_flushed(held);
  if (check_data && crc32c(0, held.data.data(), held.data.size()) != data_crc) return damaged(sequence, "its data fails its check");
  return result_of(held);
}

bool SlotReader::is_flushed(const HeldToken& held) const {
  if (planted(Canary::kDataSentBeforeItsFile)) return true;
  return held.token.sequence <= storage_.device(held.device).flushed_sequence.load(std::memory_order_acquire);
}

bool SlotReader::is_void(Sequence sequence) const {
  const EntryView entry = entry_view(storage_, sequence);
  return entry.sequence == sequence && entry.state == EntryState::kVoid;
}

void SlotReader::free_through(Sequence sequence) {
  const Sequence through = std::min(sequence + (planted(Canary::kFreedOneTooMany) ? 1 : 0), last_numbered());
  const Sequence freed = storage_.control().freed_through.load();
  for (Sequence next = freed + 1; next <= through; ++next) free_entry(storage_, next);
  if (through > freed) storage_.control().freed_through.store(through, std::memory_order_release);
  free_closed_chunks(storage_);
}

std::uint64_t SlotReader::ring_bytes() const { return static_cast<std::uint64_t>(storage_.chunk_count()) * storage_.chunk_bytes(); }

std::uint64_t SlotReader::ring_bytes_used() const {
  const Sequence freed = storage_.control().freed_through.load();
  std::uint64_t used = 0;
  for (std::uint32_t chunk = 0; chunk < storage_.chunk_count(); ++chunk) {
    const ChunkView view = chunk_view(storage_, chunk);
    if (!view.free && (view.busy || view.last > freed)) used += storage_.chunk_bytes();
  }
  return used;
}

std::vector<Sequence> SlotReader::bury_system(std::uint32_t system) { return afterimage::bury_system(storage_, system).voided; }

}  // namespace afterimage
