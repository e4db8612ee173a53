// The mover's side of common storage: reads tokens in sequence order, their data, frees them, and cleans up after dead systems.
// One thread of one process (dsmd) only; a restarted dsmd rebuilds everything from the segment (A9: the work list survives).
#pragma once

#include <span>
#include <vector>

#include "serializer/numbering.h"

namespace afterimage {

struct HeldToken {
  Token token;                             // sequence and tod filled in
  bool is_void = false;
  bool flushed = false;                    // its bytes are in the volume's file: may go in M2
  std::uint32_t device = 0;
  std::span<const std::uint8_t> data;      // in common storage; valid until free_through() passes this token
};

class SlotReader {
 public:
  explicit SlotReader(CommonStorage& storage);

  // Rebuilds the count of slots per chunk from the entries after freed_through. Call once after construction.
  Status rebuild();
  Sequence last_numbered();
  // The token of a numbered sequence (> freed_through). A damaged slot (bad CRC or shape) is an error naming the sequence.
  Result<HeldToken> read(Sequence sequence);
  bool is_flushed(const HeldToken& held) const;    // again, later
  // Frees every token up to and including `sequence` (acknowledged as durable by the secondary) and whole chunks with them.
  void free_through(Sequence sequence);
  std::uint64_t ring_bytes_used() const;
  std::uint64_t ring_bytes() const;

  // For a system whose process is dead: voids its tokens whose bytes had not reached the file, adds their tracks to the device's
  // unhardened map (to be re-read and sent as corrective images when the volume is next opened), marks its devices kLost, closes its
  // chunks and frees the system entry's pid. Returns the sequences voided. Safe to repeat after being killed half-way.
  std::vector<Sequence> bury_system(std::uint32_t system);

 private:
  CommonStorage& storage_;
  std::vector<std::uint32_t> chunk_held_;   // numbered, not freed, by chunk
  std::vector<std::uint32_t> chunk_freed_;  // freed, by chunk, since it was taken
};

}  // namespace afterimage
