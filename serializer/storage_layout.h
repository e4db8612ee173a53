// The fixed, versioned layout of common storage: one shared-memory segment per plex, mapped by every Hercules on the host and by
// dsmd. Nothing here locks: a holder may be killed or stopped at any instruction. Source: document 002 (A3, A9); docs/ARCHITECTURE.md.
//
// How a token gets its number (docs/ARCHITECTURE.md, "Numbering"):
//   1. The writer's bytes and token are already in a slot of a chunk that this device alone owns.
//   2. It helps: the entry of the last numbered token is recorded if its owner had not done so.
//   3. It stores its slot's reference in the device's `pending`, then replaces the control word (16 bytes, one compare-and-swap):
//      sequence + 1, its TOD, its device. That one step orders it, numbers it, stamps it and proves the session's state.
//   4. It records its entry (sequence -> slot), also by a 16-byte compare-and-swap; anyone else may do it first.
// A writer killed before step 3's swap leaves no token; after it, a whole one. There is no half-written token.
// Entries are replaced only from the value the previous use of their place left ({sequence - entries, free}; all zero at first), so a
// helper that slept cannot disturb a later token. The sequence is never set back while the segment exists: a session that starts later
// goes on from it.
//
// How memory is lent: a chunk is free, busy (its device is filling a slot), idle (its device holds no open slot) or closed. Its word
// also carries the last sequence numbered in it, so anyone can tell that nothing in an idle or closed chunk is still needed: that
// sequence has been freed. An idle chunk with nothing needed in it may be taken by another device; a busy one only by its owner.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "serializer/limits.h"

namespace afterimage {

inline constexpr char kStorageMagic[8] = {'A', 'I', 'C', 'S', 'A', '0', '0', '1'};
inline constexpr std::uint32_t kLayoutVersion = 2;

// Session state as the control word carries it (8 bits of it).
enum class SessionState : std::uint8_t {
  kInactive = 0,   // no session: no tokens, no change recording
  kActive = 1,     // writes to duplexed devices are numbered
  kSuspended = 2,  // writes go on, changed tracks are recorded in the change maps
  kFrozen = 3,     // writes to duplexed devices are held until RUN or the freeze limit
};

enum class SuspendReason : std::uint32_t {
  kNone = 0,
  kOperator = 1,
  kBuffers = 2,
  kLink = 3,
  kWriteBack = 4,
  kCheck = 5,
  kFreeze = 6,
  kSecondary = 7,
  kImageChanged = 8,
};

// Two 64-bit words changed together. `low` = sequence (48 bits) << 16 | generation (8) << 8 | state (8);
// `high` = TOD in microseconds since 1900 (52 bits) << 12 | device index (12) of the last numbered token.
// The generation rises (mod 256) with every change of the session's or any device's state, and the TOD by one microsecond, so that
// a writer that decided under an older state fails its swap and decides again, however long it slept.
struct alignas(16) PairWord {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

// State of one sequence entry.
enum class EntryState : std::uint8_t {
  kFree = 0,  // low carries the sequence number that was freed last in this place (0: none yet)
  kHeld = 1,  // numbered; token and data are in the slot
  kVoid = 2,  // numbered, but its write never reached the volume (the system died): the secondary is told, nothing is applied
};

// low = sequence (48) << 16 | device (12) << 4 | EntryState (4); high = slot reference.
struct alignas(16) SequenceEntry {
  PairWord word;
};

// Slot reference: chunk index (24 bits) << 40 | offset in units of 64 bytes (20) << 20 | length in units (20). 0 = none
// (chunk index is stored + 1).
using SlotRef = std::uint64_t;

// At the start of a slot; the data follows.
// `token.sequence` is written by the mover's reader (known only after numbering); writers leave it 0.
struct alignas(64) SlotHeader {
  Token token;
  std::uint32_t header_bytes = 0;  // data begins here, from the start of the slot
  std::uint32_t data_crc = 0;      // crc32c of the data when the slot was closed; the mover checks it before sending
};

struct alignas(64) StorageHeader {
  char magic[8];
  std::uint32_t layout_version;
  std::uint32_t header_bytes;  // sizeof(StorageHeader): a second guard
  char product_version[16];    // of the creator, for messages
  char plex[16];               // NUL padded
  std::uint64_t storage_id;    // random, new with every creation
  std::uint64_t total_bytes;
  std::uint64_t sequence_entries;  // power of two
  std::uint32_t chunk_count;
  std::uint32_t chunk_bytes;
  std::uint32_t system_count;
  std::uint32_t device_count;
  std::uint64_t map_bytes_per_device;  // change map and unhardened map, each
  std::uint64_t control_offset, systems_offset, devices_offset, entries_offset, chunk_words_offset, maps_offset, chunks_offset;
  Tod created;
  std::uint32_t crc;                 // crc32c of everything above it
  std::atomic<std::uint32_t> ready;  // 1 when everything above is set: attachers wait for it
  char command_socket[108];          // path of dsmd's command socket, for the Hercules panel
};

struct alignas(64) ControlBlock {
  PairWord word;                                         // see PairWord; only 16-byte compare-and-swap changes it
  alignas(64) std::atomic<std::uint64_t> freed_through;  // every sequence number <= this is acknowledged and freed
  std::atomic<std::uint64_t> acknowledged_through;       // highest contiguous sequence the secondary holds durably (A never falls below it)
  std::atomic<std::uint64_t> epoch;                      // set at session start
  std::atomic<std::uint32_t> suspend_reason;             // SuspendReason, valid while kSuspended
  std::atomic<std::uint64_t> suspended_at;               // last sequence before the suspension or freeze
  std::atomic<std::uint32_t> pace_limit_ms;
  std::atomic<std::uint32_t> freeze_limit_ms;
  std::atomic<std::uint64_t> freezes;          // raised before each step into kFrozen: tells one freeze from the next
  std::atomic<std::uint64_t> mover_heartbeat;  // TOD, written by dsmd
  std::atomic<std::uint32_t> mover_pid;
  std::atomic<std::uint64_t> mover_start_time;     // of that pid (/proc/PID/stat field 22), so that a reused pid is not believed
  std::atomic<std::uint64_t> pace_count, pace_us;  // how often and how long guests were held
  char session[16];
};

struct alignas(64) SystemEntry {
  char name[16];                   // "" = free
  std::atomic<std::uint32_t> pid;  // 0 = not running
  std::atomic<std::uint64_t> start_time;
  std::atomic<std::uint64_t> heartbeat;  // TOD
  char product_version[16];
  std::atomic<std::uint32_t> ended;    // 1 = stopped cleanly (all its volumes were closed)
  std::atomic<std::uint32_t> burying;  // 1 = died; its clean-up (bury.h) has begun and is not complete
  std::atomic<std::uint64_t> burier;   // process at it: pid | low half of its start time << 32; 0 = none
};

enum class DeviceState : std::uint32_t {
  kUnused = 0,
  kDefined = 1,  // dsmd knows the volume from its configuration; no Hercules has opened it
  kOpen = 2,     // tapped and open in its system
  kClosed = 3,   // closed cleanly; file identity below is valid
  kLost = 4,     // its system died while it was open: must be mended at the next open
};

enum DuplexBits : std::uint32_t { kDuplex = 1, kVolumeSuspended = 2, kPending = 4 };

struct alignas(64) DeviceEntry {
  char volser[8];
  char system[16];
  std::uint16_t device_number;
  std::uint16_t system_index;
  VolumeId volume;
  std::uint16_t device_type;  // X'3390' ...
  std::uint32_t cylinders, heads, track_bytes, tracks;
  char image_path[512];
  std::atomic<std::uint32_t> state;             // DeviceState
  std::atomic<std::uint32_t> duplex;            // DuplexBits, read by the tap at every write
  std::atomic<std::uint32_t> compressed;        // 1 = CCKD
  std::atomic<std::uint64_t> pending;           // SlotRef about to be numbered (see top)
  std::atomic<std::uint64_t> last_sequence;     // last token numbered for this device
  std::atomic<std::uint64_t> flushed_sequence;  // tokens <= this are in the volume's file (CCKD: handed to its cache, see unhardened map)
  std::atomic<std::uint64_t> flush_tod;         // when that was last known
  std::atomic<std::uint64_t> tokens, bytes;     // counters
  std::atomic<std::uint32_t> suspend_reason;
  std::atomic<std::uint64_t> suspended_at;
  // identity of the (first) image file when last closed or seen: a change between runs requires a compare
  std::atomic<std::uint64_t> file_device, file_inode, file_bytes, file_mtime_ns;
  std::atomic<std::uint64_t> open_slot;  // SlotRef being filled, 0 = none: its tracks are mended if the owner dies
  // request from dsmd to the owning module: publish kVerify (or kTrackImage) tokens for tracks [verify_next, verify_end)
  std::atomic<std::uint32_t> verify_request, verify_next, verify_end, verify_image;
};

// One word per chunk: 0 = free; else closed (bit 63) | busy (bit 62) | last sequence numbered in it (48 bits) << 13 | device index + 1.
// Neither bit: idle. While busy the sequence is that of the time it became busy. See chunk_pool.h.
struct ChunkWord {
  std::atomic<std::uint64_t> word;
};

static_assert(sizeof(PairWord) == 16);
static_assert(alignof(SequenceEntry) == 16);
static_assert(kMaxDevices <= 4096, "a device index has 12 bits");

}  // namespace afterimage
