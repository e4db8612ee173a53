// Where processes are struck: the functions of the write path and of the mover's, by the step they belong to.
#pragma once

#include <cstdint>
#include <cstring>
#include <vector>

#include "serializer/bury.h"
#include "serializer/chunk_pool.h"
#include "serializer/consistency_clock.h"
#include "serializer/crc32c.h"
#include "serializer/registry.h"
#include "serializer/slot_reader.h"
#include "serializer/slot_writer.h"

namespace afterimage::testing {

// kBurial: the mover while it cleans up after a dead system. kHeir: the system's next process, which does it while there is no mover.
enum class Victim : std::uint8_t { kWriter, kStartingSystem, kHeir, kMover, kStartingMover, kBurial };

struct Target {
  const char* step;
  const char* function;
  Victim victim;
  std::uintptr_t address;
  unsigned hits;      // most entries to let pass first
  long length = 0;    // instructions from entry to return, as last seen; 0: not yet
  bool entry = true;  // the address is a function's first instruction
  std::uint64_t kills = 0, stops = 0, missed = 0;
};

// The Itanium ABI: the first word of a pointer to a member function that is not virtual is its address.
template <typename Function>
std::uintptr_t address_of(Function function) {
  std::uintptr_t address = 0;
  static_assert(sizeof function >= sizeof address);
  std::memcpy(&address, &function, sizeof address);
  return address;
}

// The instruction behind the first 16-byte compare-and-swap at or after `address`: the control word's, in number_slot.
inline std::uintptr_t behind_swap(std::uintptr_t address) {
  std::uint8_t code[2048];
  std::memcpy(code, reinterpret_cast<const void*>(address), sizeof code);
  for (std::size_t i = 0; i + 8 < sizeof code; ++i) {
    const bool swap = code[i] == 0xF0 && (code[i + 1] & 0xF8) == 0x48 && code[i + 2] == 0x0F && code[i + 3] == 0xC7;
    if (!swap) continue;
    const unsigned mode = code[i + 4] >> 6, base = code[i + 4] & 7;
    const std::size_t displacement = mode == 1 ? 1 : mode == 2 || (mode == 0 && base == 5) ? 4 : 0;
    return address + i + 5 + (base == 4 && mode != 3 ? 1 : 0) + displacement;
  }
  return address;
}

inline std::vector<Target> all_targets() {
  const auto target = [](const char* step, const char* function, Victim victim, std::uintptr_t address, unsigned hits) {
    return Target{step, function, victim, address, hits};
  };
  // Here a write has its number, or lost its swap to another, and the entry is not yet recorded.
  Target numbered = target("publish", "number_slot, behind its swap", Victim::kWriter, behind_swap(address_of(&number_slot)), 20);
  numbered.entry = false;
  numbered.length = 120;
  return {
      numbered,
      numbered,
      target("reserve", "SlotWriter::prepare", Victim::kWriter, address_of(&SlotWriter::prepare), 20),
      target("reserve", "entries_have_room", Victim::kWriter, address_of(&entries_have_room), 20),
      target("reserve", "take_chunk", Victim::kWriter, address_of(&take_chunk), 2),
      target("reserve", "resume_chunk", Victim::kWriter, address_of(&resume_chunk), 20),
      target("copy", "SlotWriter::begin", Victim::kWriter, address_of(&SlotWriter::begin), 20),
      target("copy", "SlotWriter::add", Victim::kWriter, address_of(&SlotWriter::add), 20),
      target("copy", "crc32c", Victim::kWriter, address_of(&crc32c), 20),
      target("publish", "SlotWriter::finish", Victim::kWriter, address_of(&SlotWriter::finish), 20),
      target("publish", "number_slot", Victim::kWriter, address_of(&number_slot), 20),
      target("publish", "help_last", Victim::kWriter, address_of(&help_last), 20),
      target("record", "record_change", Victim::kWriter, address_of(&record_change), 1),
      target("give back", "lend_back_chunk", Victim::kWriter, address_of(&lend_back_chunk), 20),
      target("give back", "close_chunk", Victim::kWriter, address_of(&close_chunk), 1),
      target("suspend", "suspend_session", Victim::kWriter, address_of(&suspend_session), 1),
      target("suspend", "suspend_device", Victim::kWriter, address_of(&suspend_device), 1),
      target("start", "register_system", Victim::kStartingSystem, address_of(&register_system), 1),
      target("start", "close_chunk", Victim::kStartingSystem, address_of(&close_chunk), 1),
      target("start", "number_slot", Victim::kStartingSystem, address_of(&number_slot), 2),
      target("inherit", "bury_system", Victim::kHeir, address_of(static_cast<Burial (*)(CommonStorage&, std::uint32_t)>(&bury_system)), 1),
      target("inherit", "void_entry", Victim::kHeir, address_of(&void_entry), 2),
      target("read", "SlotReader::read", Victim::kMover, address_of(&SlotReader::read), 50),
      target("free", "SlotReader::free_through", Victim::kMover, address_of(&SlotReader::free_through), 5),
      target("free", "free_entry", Victim::kMover, address_of(&free_entry), 50),
      target("free", "free_closed_chunks", Victim::kMover, address_of(&free_closed_chunks), 5),
      target("clock", "advance_clock", Victim::kMover, address_of(&advance_clock), 2),
      target("start", "register_mover", Victim::kStartingMover, address_of(&register_mover), 1),
      target("start", "SlotReader::rebuild", Victim::kStartingMover, address_of(&SlotReader::rebuild), 1),
      target("bury", "bury_system", Victim::kBurial, address_of(static_cast<Burial (*)(CommonStorage&, std::uint32_t)>(&bury_system)), 1),
      target("bury", "void_entry", Victim::kBurial, address_of(&void_entry), 3),
      target("bury", "close_chunk", Victim::kBurial, address_of(&close_chunk), 1),
  };
}

}  // namespace afterimage::testing
