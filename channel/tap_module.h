// io: the module as one object inside Hercules: its settings, the segment it is attached to, its devices. Any thread, under its lock where
// said; nothing here is used by a write.
#pragma once

#include <array>
#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "channel/tap_device.h"
#include "channel/tap_settings.h"

namespace afterimage {

inline constexpr unsigned kMaxTappedDevices = TAP_MAX_DEVICES;

struct TapService;  // the module's own thread, tap_service.cpp

struct TapModule {
  const TapHost* host = nullptr;
  std::mutex mutex;  // settings, attachments, the list of devices
  TapSettings settings;
  std::vector<std::unique_ptr<TapAttachment>> attachments;  // the last one is current; earlier ones stay mapped
  std::vector<std::unique_ptr<TapDevice>> devices;
  std::atomic<TapAttachment*> current{nullptr};
  std::atomic<bool> stopping{false};
  std::atomic<unsigned> open_devices{0};
  // Until when volumes being opened wait for a burial (monotonic microseconds; 0 = none was opened unattached yet).
  std::atomic<std::uint64_t> open_patience_until_us{0};
  // When this Hercules first saw the last freeze (monotonic microseconds), and which one that was (its count).
  std::atomic<std::uint64_t> frozen_since_us{0}, frozen_number{0};
  std::mutex attaching;   // serialises attach_storage(), which may wait; never on a write path
  std::string said_last;  // by attach_storage(), so that one reason is said once; under `attaching`
  std::shared_ptr<TapService> service;
};

TapModule& tap_module();

// One line into the Hercules log. `text` begins with the message id; it is upper-cased by its writer.
void tap_log(const std::string& text);
std::string device_text(std::uint32_t device_number);  // "0A80"

}  // namespace afterimage
