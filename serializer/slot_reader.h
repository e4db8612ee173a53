// The mover's side of common storage: reads tokens in sequence order, their data, frees them, and cleans up after dead systems.
// One thread of one process (dsmd) only; a restarted dsmd goes on from the segment alone (A9: the work list survives).
// Source: document 002, "Positive Return Token" (A9).
#pragma once

#include <span>
#include <vector>

#include "serializer/numbering.h"

namespace afterimage {

struct HeldToken {
  Token token;  // sequence and tod filled in
  bool is_void = false;
  bool flushed = false;  // its bytes are in the volume's file: may go in M2
  std::uint32_t device = 0;
  std::span<const std::uint8_t> data;  // in common storage; valid until free_through() passes this token
};

class SlotReader {
 public:
  explicit SlotReader(CommonStorage& storage);

  // Takes up the work list: completes a freeing that was cut off and checks that every number after freed_through has its entry.
  // Call once after construction. An error names the sequence that is damaged.
  Status rebuild();
  Sequence last_numbered();
  // The token of a numbered sequence (> freed_through). A damaged slot (bad CRC or shape) is an error naming the sequence.
  // `check_data` false leaves the CRC of the data unchecked, for a reader that only wants the token.
  Result<HeldToken> read(Sequence sequence, bool check_data = true);
  bool is_flushed(const HeldToken& held) const;  // again, later
  bool is_void(Sequence sequence) const;         // again, later; false once freed
  // Frees every token up to and including `sequence` (acknowledged as durable by the secondary), at most all numbered ones, and
  // whole chunks with them. May be called with an old number: chunks closed meanwhile are freed then too.
  void free_through(Sequence sequence);
  std::uint64_t ring_bytes_used() const;  // in chunks that hold something not freed, or that a device is filling
  std::uint64_t ring_bytes() const;

  // bury.h, for the mover.
  std::vector<Sequence> bury_system(std::uint32_t system);

 private:
  CommonStorage& storage_;
};

}  // namespace afterimage
