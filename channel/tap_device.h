// One wrapped device inside Hercules: what is bound to it in common storage, the capture of the write in progress, what it owes.
// Threads: a device is used by one thread at a time (Hercules's `ioactive`; the tap's own thread takes the device first), except the
// members marked "any thread".
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "channel/capture.h"
#include "channel/tap.h"
#include "serializer/common_storage.h"

namespace afterimage {

// One mapped segment this Hercules is registered in. Never unmapped: a write path may be inside it.
struct TapAttachment {
  std::unique_ptr<CommonStorage> storage;
  std::uint32_t system_index = 0;
  std::string name;
};

// The identity of a volume's first file, as DeviceEntry keeps it.
struct TapFileIdentity {
  bool known = false;
  std::uint64_t device = 0, inode = 0, bytes = 0, mtime_ns = 0;
};
TapFileIdentity tap_file_identity(const std::string& path);

// What a device has in common storage while it is open there.
struct TapBinding {
  TapBinding(TapAttachment& to, std::uint32_t index)
      : attachment(to), storage(*to.storage), entry(to.storage->device(index)), device(index), writer(*to.storage, index) {}
  TapAttachment& attachment;
  CommonStorage& storage;
  DeviceEntry& entry;
  std::uint32_t device;
  SlotWriter writer;
};

}  // namespace afterimage

struct TapDevice {
  TapFast fast{};
  TapWrapped* wrapped = nullptr;
  std::atomic<bool> open{false};     // any thread
  std::atomic<bool> closing{false};  // any thread
  bool over_limit = false;           // one of more open devices than can be tapped

  // As it was opened.
  std::uint32_t device_number = 0;
  std::uint16_t device_type = 0;
  std::uint32_t cylinders = 0, heads = 0, tracks = 0, track_bytes = 0;
  bool compressed = false, read_only = false, fake_write = false;
  std::string path;
  afterimage::TapFileIdentity before_open;
  std::atomic<bool> wrote_outside{false};

  std::unique_ptr<afterimage::TapBinding> binding;
  bool refused = false;                                    // a check failed: not bound again until the device is opened again
  std::atomic<afterimage::TapAttachment*> bound{nullptr};  // where, while bound (any thread)
  std::atomic<std::uint32_t> entry_index{0};               // + 1 while bound, 0 = not (any thread)

  // The channel program and the write in progress.
  std::uint32_t event = 0;
  std::uint64_t held_us = 0;  // by pacing, in this channel program
  afterimage::Capture capture;
  bool parked = false;
  unsigned images_done = 0;  // of capture.tracks(), when they are sent whole
  bool write_back_failed = false;
};

namespace afterimage {

// The device's entry while it is bound, else null. Any thread.
inline DeviceEntry* bound_entry(const TapDevice& device) {
  TapAttachment* attachment = device.bound.load();
  const std::uint32_t index = device.entry_index.load();
  return attachment == nullptr || index == 0 ? nullptr : &attachment->storage->device(index - 1);
}

}  // namespace afterimage
