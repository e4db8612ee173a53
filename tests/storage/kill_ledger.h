// What is known of a round from outside common storage: written by the systems and the mover as they go, kept in memory that survives all
// of them, judged by the controller at the end.
#pragma once

#include <sys/mman.h>

#include <atomic>
#include <cstdint>
#include <stdexcept>

#include "serializer/slot_writer.h"
#include "stress_write.h"

namespace afterimage::testing {

inline constexpr std::uint32_t kSystems = 4, kPerSystem = 2, kDevices = kSystems * kPerSystem;
inline constexpr std::uint32_t kMostAttempts = kStressTracks / 2 - 1;  // of a device in a round: each has tracks of its own
inline constexpr Sequence kMostSequences = static_cast<Sequence>(kDevices) * kMostAttempts;
inline constexpr std::uint64_t kPatience_us = 120'000'000;  // only a failure takes that long

struct AttemptNote {
  std::atomic<std::uint32_t> began;   // collections then + 1; 0: never
  std::atomic<std::uint8_t> kind;     // TokenKind
  std::atomic<std::uint8_t> changed;  // 1: its bytes may be on the volume
  std::atomic<std::uint64_t> result;  // 0: it never returned; kNoNumber; else the sequence number
};
inline constexpr std::uint64_t kNoNumber = ~std::uint64_t{0};

struct TokenNote {
  std::atomic<std::uint64_t> write;  // device << 32 | attempt; 0: never delivered
  std::atomic<std::uint64_t> tod;
  std::atomic<std::uint8_t> freed;  // 1: as written, 2: as void
};

struct KillLedger {
  std::atomic<std::uint32_t> quota[kDevices], attempt[kDevices];  // writes it may make, and has begun
  std::atomic<std::uint64_t> newest;                              // highest number returned to anybody
  std::atomic<std::uint32_t> ready[kSystems];                     // pid of the process that has opened all its volumes
  std::atomic<std::uint32_t> collections, collecting;             // readings of the change maps; one is owed
  std::atomic<std::uint64_t> freeing;                             // the mover frees no further than this
  std::atomic<std::uint32_t> stop_systems, stop_mover;
  std::atomic<std::uint32_t> held[kSystems + 1];  // 1: waits before it does anything (the mover is the last)
  std::atomic<std::uint32_t> mover_ready;         // pid
  std::atomic<std::uint64_t> voided, mended, suspensions, freezes, volume_suspensions, waits, burials;
  std::atomic<std::uint32_t> failed;
  char fault[512];
  std::atomic<std::uint32_t> mended_track[kDevices][kStressTracks + 1];     // found in the unhardened map by the volume's next opening
  std::atomic<std::uint32_t> collected_track[kDevices][kStressTracks + 1];  // the latest reading of the change maps that found it
  AttemptNote attempts[kDevices][kMostAttempts + 2];
  TokenNote tokens[kMostSequences + 2];
};

// Kept by one process or another; the first fault counts.
void note_fault(KillLedger& ledger, const std::string& what);

class SharedLedger {
 public:
  SharedLedger() : memory_(::mmap(nullptr, sizeof(KillLedger), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    if (memory_ == MAP_FAILED) throw std::runtime_error("no memory for the ledger");
  }
  SharedLedger(const SharedLedger&) = delete;
  SharedLedger& operator=(const SharedLedger&) = delete;
  ~SharedLedger() { ::munmap(memory_, sizeof(KillLedger)); }
  KillLedger& operator*() { return *static_cast<KillLedger*>(memory_); }
  KillLedger* operator->() { return static_cast<KillLedger*>(memory_); }

 private:
  void* memory_;
};

// The bodies of the processes; their exit codes. 0: ended in order. 1: see the fault.
int run_system(const std::string& segment, std::uint32_t system, KillLedger& ledger, std::uint64_t seed);
int run_mover_process(const std::string& segment, KillLedger& ledger, std::uint64_t seed);

// The whole round, when everything has ended and the mover has freed everything: empty, or what was broken.
struct AuditCounts {
  std::uint64_t tokens = 0, cut_off = 0, cut_off_numbered = 0, cut_off_changed = 0, unnumbered = 0, voids = 0;
};
std::string audit(CommonStorage& storage, KillLedger& ledger, AuditCounts& counts);

}  // namespace afterimage::testing
