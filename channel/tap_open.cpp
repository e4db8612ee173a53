// io: looks at the volume's file and reads its label through the base handler; see tap_open.h.
#include "channel/tap_open.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "channel/tap_hold.h"
#include "channel/tap_module.h"
#include "channel/tap_volume.h"
#include "channel/tap_write.h"
#include "serializer/clock.h"
#include "serializer/track_map.h"

namespace afterimage {
namespace {

// A file's time may be this much later than the last sign of life of the system that wrote it: kernel write-back does not change it, but
// the last write may come just after the last heartbeat.
constexpr std::uint64_t kIdentitySlack_us = 3'000'000;

template <std::size_t N>
std::string field_text(const char (&field)[N]) {
  return std::string(field, strnlen(field, N));
}

std::uint64_t unix_us(std::uint64_t mtime_ns) { return mtime_ns / 1000; }

std::optional<std::uint32_t> find_entry(const TapDevice& device, TapAttachment& attachment) {
  CommonStorage& storage = *attachment.storage;
  const std::string system = field_text(storage.system(attachment.system_index).name);
  for (std::uint32_t i = 0; i < storage.device_count(); ++i) {
    const DeviceEntry& entry = storage.device(i);
    if (entry.state.load() == static_cast<std::uint32_t>(DeviceState::kUnused)) continue;
    if (entry.device_number == device.device_number && field_text(entry.system) == system) return i;
  }
  return std::nullopt;
}

std::string geometry_fault(const TapDevice& device, const DeviceEntry& entry) {
  if (device.device_type == entry.device_type && device.cylinders == entry.cylinders && device.heads == entry.heads &&
      device.track_bytes == entry.track_bytes && device.tracks == entry.tracks) {
    return {};
  }
  return "ITS GEOMETRY IS " + std::to_string(device.cylinders) + " CYLINDERS, " + std::to_string(device.heads) + " HEADS, " +
         std::to_string(device.track_bytes) + " BYTES A TRACK, BUT THE SESSION HAS " + std::to_string(entry.cylinders) + ", " +
         std::to_string(entry.heads) + ", " + std::to_string(entry.track_bytes);
}

std::string volser_fault(TapDevice& device, const DeviceEntry& entry) {
  const std::uint8_t* image = nullptr;
  if (tap_module().host->read_track(device.wrapped, 0, &image) != 0) return "ITS LABEL CANNOT BE READ";
  const std::string found = volser_of({image, device.track_bytes});
  const std::string wanted = field_text(entry.volser);
  if (found == wanted.substr(0, wanted.find_last_not_of(' ') + 1)) return {};
  return "ITS VOLUME IS '" + found + "', BUT THE SESSION HAS '" + wanted + "'";
}

std::string use_fault(const TapDevice& device) {
  if (device.fake_write) return "IT IS OPENED WITH FAKEWRITE, SO NO WRITE IS MADE";
  if (device.read_only) return "IT IS OPENED READ-ONLY";
  if (device.over_limit) return "MORE THAN " + std::to_string(kMaxTappedDevices) + " DEVICES ARE OPEN IN THIS HERCULES";
  return {};
}

std::string changed_between_runs(const TapDevice& device, DeviceEntry& entry, DeviceState state) {
  const TapFileIdentity& now = device.before_open;
  if (!now.known) return "ITS FILE COULD NOT BE EXAMINED BEFORE IT WAS OPENED";
  const TapFileIdentity then{true, entry.file_device.load(), entry.file_inode.load(), entry.file_bytes.load(), entry.file_mtime_ns.load()};
  if (then.inode == 0) return {};
  if (now.device != then.device || now.inode != then.inode) return "ITS FILE IS ANOTHER ONE THAN BEFORE";
  if (state == DeviceState::kClosed && (now.bytes != then.bytes || now.mtime_ns != then.mtime_ns))
    return "ITS FILE WAS CHANGED SINCE IT WAS CLOSED";
  if (state == DeviceState::kLost) {
    // A CCKD file grows as it is written.
    if (device.compressed ? now.bytes < then.bytes : now.bytes != then.bytes) return "ITS FILE HAS ANOTHER SIZE THAN BEFORE";
    const std::uint64_t last = tod_to_us(entry.flush_tod.load());
    if (last != 0 && unix_us(now.mtime_ns) + kTodUnixEpoch_us > last + kIdentitySlack_us)
      return "ITS FILE WAS CHANGED AFTER ITS SYSTEM DIED";
  }
  return {};
}

void note_identity(DeviceEntry& entry, const std::string& path) {
  const TapFileIdentity identity = tap_file_identity(path);
  if (!identity.known) return;
  entry.file_device.store(identity.device);
  entry.file_inode.store(identity.inode);
  entry.file_bytes.store(identity.bytes);
  entry.file_mtime_ns.store(identity.mtime_ns);
}

void refuse(TapDevice& device, TapAttachment& attachment, std::uint32_t index, SuspendReason reason, const std::string& why) {
  device.refused = true;
  suspend_device(*attachment.storage, index, reason);
  tap_log("DSMC010E DEVICE " + device_text(device.device_number) + " IS NOT MIRRORED: " + why + "; ITS VOLUME " +
          field_text(attachment.storage->device(index).volser) + " IS SUSPENDED");
}

// The entry is free to be opened by us, now or after dsmd has cleaned up after the system that had it.
bool entry_is_free(TapAttachment& attachment, std::uint32_t index) {
  const auto state = static_cast<DeviceState>(attachment.storage->device(index).state.load());
  return state == DeviceState::kDefined || state == DeviceState::kClosed || state == DeviceState::kLost;
}

// Is it the volume the session means, in the state the session left it? `changed` = only the contents are in doubt.
std::string check_volume(TapDevice& device, DeviceEntry& entry, DeviceState state, BindWhen when, bool& changed) {
  std::string fault = use_fault(device);
  if (fault.empty()) fault = geometry_fault(device, entry);
  if (fault.empty()) fault = volser_fault(device, entry);
  if (!fault.empty()) return fault;
  fault = changed_between_runs(device, entry, state);
  if (fault.empty() && when == BindWhen::kLater && state != DeviceState::kDefined && device.wrote_outside.load()) {
    fault = "IT WAS WRITTEN TO BEFORE IT COULD BE TAPPED";
  }
  changed = !fault.empty();
  return fault;
}

void open_entry(TapDevice& device, TapAttachment& attachment, std::uint32_t index) {
  DeviceEntry& entry = attachment.storage->device(index);
  entry.system_index = static_cast<std::uint16_t>(attachment.system_index);
  entry.compressed.store(device.compressed ? 1 : 0);
  std::strncpy(entry.image_path, device.path.c_str(), sizeof entry.image_path - 1);
  entry.state.store(static_cast<std::uint32_t>(DeviceState::kOpen));
  note_identity(entry, device.path);
  device.fast.duplex = reinterpret_cast<const std::uint32_t*>(&entry.duplex);
  device.entry_index.store(index + 1);
  device.bound.store(&attachment);
  tap_log("DSMC011I DEVICE " + device_text(device.device_number) + " IS TAPPED AS VOLUME " + field_text(entry.volser));
}

void bind_while_reading(TapDevice& device, TapAttachment& attachment, std::uint32_t index, BindWhen when) {
  DeviceEntry& entry = attachment.storage->device(index);
  const auto state = static_cast<DeviceState>(entry.state.load());
  bool changed = false;
  const std::string fault = check_volume(device, entry, state, when, changed);
  if (!fault.empty()) {
    refuse(device, attachment, index, changed ? SuspendReason::kImageChanged : SuspendReason::kCheck,
           fault + (changed ? "; COMPARE IT WITH ITS SECONDARY BEFORE IT IS USED IN A SESSION" : ""));
    return;
  }
  device.binding = std::make_unique<TapBinding>(attachment, index);
  device.write_back_failed = false;
  device.held_us = 0;
  std::string why;
  if (!mend_tracks(device, why)) {
    device.binding.reset();
    refuse(device, attachment, index, SuspendReason::kImageChanged, "IT COULD NOT BE MENDED AFTER THE DEATH OF ITS SYSTEM: " + why);
    return;
  }
  note_flushed(device);
  open_entry(device, attachment, index);
}

}  // namespace

TapFileIdentity tap_file_identity(const std::string& path) {
  struct stat status {};
  TapFileIdentity identity;
  if (path.empty() || stat(path.c_str(), &status) != 0) return identity;
  identity.known = true;
  identity.device = status.st_dev;
  identity.inode = status.st_ino;
  identity.bytes = static_cast<std::uint64_t>(status.st_size);
  identity.mtime_ns =
      static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(status.st_mtim.tv_nsec);
  return identity;
}

void bind_device(TapDevice& device, BindWhen when) {
  TapAttachment* attachment = tap_module().current.load();
  if (attachment == nullptr || device.binding || device.refused) return;
  const auto index = find_entry(device, *attachment);
  if (!index || !entry_is_free(*attachment, *index)) return;
  const TapHost& host = *tap_module().host;
  host.start_reading(device.wrapped);
  bind_while_reading(device, *attachment, *index, when);
  host.end_reading(device.wrapped);
}

void unbind_device(TapDevice& device, bool clean) {
  static const std::uint32_t kNoDuplex = 0;
  device.fast.duplex = &kNoDuplex;
  device.bound.store(nullptr);
  device.entry_index.store(0);
  device.fast.owing = 0;
  if (!device.binding) return;
  DeviceEntry& entry = device.binding->entry;
  device.binding->writer.release();
  if (clean && !device.write_back_failed) {
    entry.flushed_sequence.store(entry.last_sequence.load());
    entry.flush_tod.store(clock_tod());
    TrackMap::unhardened(device.binding->storage, device.binding->device).clear_all();
    note_identity(entry, device.path);
  }
  if (clean) entry.state.store(static_cast<std::uint32_t>(DeviceState::kClosed));
  device.binding.reset();
}

}  // namespace afterimage
