// The shared-memory segment of a plex: typed access to its parts, for cores and I/O alike; making, opening and removing it are done in
// common_storage.cpp (Boost.Interprocess).
// Threads: an open CommonStorage may be used by any thread; open/create/remove are for one thread.
#pragma once

#include <memory>
#include <string>

#include "serializer/status.h"
#include "serializer/storage_layout.h"

namespace afterimage {

struct StorageShape {
  std::string plex;                              // 1 to 8 characters
  std::uint64_t ring_bytes = kDefaultRingBytes;  // chunk pool, rounded up to whole chunks
  std::uint32_t chunk_bytes = kDefaultChunkBytes;
  std::uint64_t sequence_entries = 0;  // 0 = from ring_bytes
  std::uint32_t max_tracks = 0;        // largest volume, for the maps; 0 = kMaxTracks / 8
  std::uint32_t devices = 0;           // entries wanted; 0 = kMaxDevices
};

class CommonStorage {
 public:
  ~CommonStorage();
  // Name of the segment of a plex in the host's shared memory: "afterimage.PLEX.UID" unless `override_name` is given.
  static std::string segment_name(const std::string& plex, const std::string& override_name = {});
  // Creates (all pages allocated up front: a full /dev/shm is an error here, never a SIGBUS later) or, if one of the same layout and
  // plex exists, opens it: tokens in it survive. A segment of another layout or version is refused by name.
  static Result<std::unique_ptr<CommonStorage>> create_or_open(const std::string& name, const StorageShape& shape);
  // Opens an existing one; `status.text()` says why not. Used by modules, which poll until it is there. Waits up to two seconds for a
  // creator at work; a segment whose creator died is refused here and made anew by create_or_open.
  static Result<std::unique_ptr<CommonStorage>> open(const std::string& name);
  // Takes the name away; those who have it mapped keep it. False if there was none.
  static bool remove(const std::string& name);
  const std::string& name() const;
  bool still_named() const;  // false: the name was removed, or now belongs to a newer segment

  // Sizes and places were checked when the segment was opened and are kept outside it: what is written into the segment's header
  // later changes nothing here. Indexes are the caller's duty (below the counts); one out of range fails a check and gives the first.
  StorageHeader& header();
  ControlBlock& control();
  const ControlBlock& control() const;
  SystemEntry& system(std::uint32_t index);
  DeviceEntry& device(std::uint32_t index);
  std::uint32_t system_count() const;
  std::uint32_t device_count() const;
  std::uint32_t chunk_count() const;
  std::uint32_t chunk_bytes() const;
  std::uint64_t sequence_entries() const;
  SequenceEntry& entry(Sequence sequence);  // the place of that sequence number
  ChunkWord& chunk_word(std::uint32_t chunk);
  std::uint8_t* chunk(std::uint32_t chunk);
  // One bit per track, change_map: written while suspended; unhardened_map: tracks a death may have lost (CCKD), or being mended.
  std::atomic<std::uint64_t>* change_map(std::uint32_t device);
  std::atomic<std::uint64_t>* unhardened_map(std::uint32_t device);
  std::uint64_t map_words() const;

 private:
  struct Impl;
  explicit CommonStorage(std::unique_ptr<Impl> impl);
  static Result<std::unique_ptr<CommonStorage>> attach(std::unique_ptr<Impl> impl, std::uint64_t bytes);
  static Result<std::unique_ptr<CommonStorage>> make(std::unique_ptr<Impl> impl, const StorageShape& shape, bool& made);
  std::unique_ptr<Impl> impl_;
};

}  // namespace afterimage
