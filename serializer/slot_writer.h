// The writing side of common storage for one device: opens a slot before the write CCW runs, takes the bytes as the handler writes
// them (the one copy), closes and numbers it. One thread at a time per device (Hercules guarantees it: `ioactive`), and one SlotWriter
// at a time per device. No system call, no allocation, no lock. Nothing here throws.
//
// A longjmp may take the thread out of any function here at any instruction: the next prepare() starts clean, and a token that was
// numbered before stays numbered, once. One that was not is had by take_interrupted(), or else marked in the maps. Source: document 002,
// "Positive Return Token" (A5, A9).
#pragma once

#include <span>

#include "serializer/numbering.h"

namespace afterimage {

enum class SlotRoom : std::uint8_t { kReady, kPoolFull, kEntriesFull };

class SlotWriter {
 public:
  // Closes what an earlier writer of this device may have left open. The device's system must be registered (registry.h).
  SlotWriter(CommonStorage& storage, std::uint32_t device);
  SlotWriter(const SlotWriter&) = delete;
  SlotWriter& operator=(const SlotWriter&) = delete;

  // A token with ranges that was neither finished nor abandoned (a longjmp took the thread out): its bytes may be on the volume
  // without a number. To be called before prepare(); the caller publishes whole-track images of its tracks. If nobody asks,
  // prepare() marks its tracks in the unhardened map. False if there is none.
  bool take_interrupted(Token& interrupted);
  // Makes room for a token of up to `data_bytes`: kReady, or why there is none (the caller then paces, before the write CCW runs, and
  // asks again). A bound below the largest fills chunks better. While the session or the volume takes no tokens it is kReady without
  // memory: the token's tracks only are kept, and marked in the change map as they are added.
  SlotRoom prepare(std::uint32_t data_bytes = kMaxTokenData);
  // Begins a token in the prepared slot. `token` has everything but sequence, tod, ranges and data_length.
  void begin(const Token& token);
  // Adds bytes replaced in a track image; ranges that touch are joined. False if it does not fit (kMaxRanges, kMaxTokenData or the
  // room prepared): the caller abandons the token and publishes whole-track images instead.
  bool add(std::uint32_t track, std::uint16_t offset, const void* bytes, std::uint16_t length);
  bool empty() const;
  void set_record(std::uint16_t cylinder, std::uint16_t head, std::uint8_t record);
  // Numbers what was added; nothing added gives kNotActive. On kNotActive/kVolumeSuspended/kFrozen the change map has been marked
  // where the session records changes, and the token is done with. kFull: the session began to take tokens after prepare() and the
  // data was not kept (or the entries are full, which prepare() excludes): the caller publishes whole-track images of the token's
  // tracks instead, or suspends the session and calls finish() again.
  Numbered finish(std::uint64_t now_us);
  void abandon();
  // The device is closed: gives up its chunk (the mover frees it when its last slot is freed).
  void release();
  // The token begun, with the ranges added so far.
  const Token& token() const;

 private:
  void settle();
  bool note_track(std::uint32_t track);
  void mark_interrupted();
  bool hold_chunk(std::uint32_t bytes);
  bool take_any_chunk();
  void consume(Sequence sequence);
  void lend_back();
  Token& open_token();
  Numbered number(std::uint64_t now_us);

  CommonStorage& storage_;
  std::uint32_t device_;
  SlotHeader* slot_ = nullptr;     // prepared; null: only tracks are kept, in scratch_
  std::uint32_t slot_offset_ = 0;  // bytes, in the chunk
  std::uint32_t room_ = 0;         // data bytes that fit
  std::uint32_t chunk_ = 0;        // + 1; 0 = none. Believed only as far as the chunk's word agrees.
  std::uint32_t chunk_used_ = 0;   // bytes
  Sequence last_in_chunk_ = 0;
  std::uint32_t numbering_bytes_ = 0;  // length of a slot whose numbering began and whose outcome is not yet noted; 0 = none
  Sequence before_ = 0;                // the device's last sequence when it began
  Token scratch_;
};

}  // namespace afterimage
