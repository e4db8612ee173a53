// io: the C interface of tap.h. No exception leaves it: what fails is a failed check, which suspends mirroring and lets the guest go on.
#include "channel/tap.h"

#include <strings.h>

#include <limits.h>
#include <stdlib.h>

#include <exception>
#include <string_view>
#include <vector>

#include "channel/tap_console.h"
#include "channel/tap_hold.h"
#include "channel/tap_inventory.h"
#include "channel/tap_module.h"
#include "channel/tap_open.h"
#include "channel/tap_service.h"
#include "channel/tap_settings.h"
#include "channel/tap_storage.h"
#include "channel/tap_volume.h"
#include "channel/tap_write.h"
#include "serializer/check.h"
#include "serializer/registry.h"
#include "serializer/track_map.h"

using namespace afterimage;

namespace {

const std::uint32_t kNoDuplex = 0;

void suspend_on_check(const char* expression, const char* file, int line) {
  static thread_local bool inside = false;
  if (inside) return;
  inside = true;
  tap_log(std::string("DSMC026S INTERNAL CHECK FAILED (") + expression + ", " + file + " " + std::to_string(line) +
          "); MIRRORING IS SUSPENDED AND THE GUEST GOES ON");
  if (TapAttachment* attachment = tap_module().current.load()) suspend_session(*attachment->storage, SuspendReason::kCheck);
  inside = false;
}

template <typename Function>
void guarded(const char* what, Function function) noexcept {
  try {
    function();
  } catch (const std::exception&) {
    check_failed(what, __FILE__, __LINE__);
  } catch (...) {
    check_failed(what, __FILE__, __LINE__);
  }
}

std::vector<std::string_view> operands(int argc, char* argv[], int from) {
  std::vector<std::string_view> words;
  for (int i = from; i < argc && argv[i] != nullptr; ++i) words.emplace_back(argv[i]);
  return words;
}

void configure(const std::vector<std::string_view>& words) {
  Result<TapSettings> parsed = parse_tap_settings(words);
  Status status = parsed.good() ? change_settings(std::move(parsed.value)) : std::move(parsed.status);
  if (!status) tap_log("DSMC005E DSM STATEMENT NOT TAKEN: " + status.text());
}

std::string absolute_path(const char* path) {
  char resolved[PATH_MAX];
  if (path == nullptr) return {};
  return realpath(path, resolved) != nullptr ? std::string(resolved) : std::string(path);
}

void take_facts(TapDevice& device, const TapFacts& facts) {
  device.device_number = facts.device_number;
  device.device_type = facts.device_type;
  device.cylinders = facts.cylinders;
  device.heads = facts.heads;
  device.tracks = facts.tracks;
  device.track_bytes = facts.track_bytes;
  device.compressed = facts.compressed != 0;
  device.read_only = facts.read_only != 0;
  device.fake_write = facts.fake_write != 0;
  device.path = absolute_path(facts.path);
}

}  // namespace

void tap_start(const TapHost* host) {
  guarded("tap_start", [&] {
    TapModule& module = tap_module();
    module.host = host;
    module.stopping.store(false);
    module.open_patience_until_us.store(0);
    set_check_handler(suspend_on_check);
    tap_log("DSMC004I DSMCHAN " AFTERIMAGE_VERSION " LOADED");
    Result<TapSettings> from = tap_settings_from(getenv("AFTERIMAGE_PLEX"), getenv("AFTERIMAGE_SYSTEM"), getenv("AFTERIMAGE_STORAGE"));
    if (!from.good()) tap_log("DSMC005E ENVIRONMENT NOT TAKEN: " + from.status.text());
    if (from.good() && !from.value.plex.empty() && from.value.system.empty()) {
      tap_log("DSMC005E ENVIRONMENT NOT TAKEN: AFTERIMAGE_PLEX IS SET AND AFTERIMAGE_SYSTEM IS NOT; SET BOTH");
    }
    if (from.good() && !module.settings.complete()) {
      const std::lock_guard lock(module.mutex);
      module.settings = std::move(from.value);
    }
    tell_devices_before_load();
    start_service();
  });
}

void tap_stop(void) {
  guarded("tap_stop", [] {
    TapModule& module = tap_module();
    module.stopping.store(true);
    stop_service();
    TapAttachment* attachment = module.current.exchange(nullptr);
    if (attachment != nullptr && module.open_devices.load() == 0) unregister_system(*attachment->storage, attachment->system_index);
  });
}

unsigned tap_open_devices(void) { return tap_module().open_devices.load(); }

TapDevice* tap_device_new(TapWrapped* wrapped) {
  TapDevice* device = nullptr;
  guarded("tap_device_new", [&] {
    auto made = std::make_unique<TapDevice>();
    made->wrapped = wrapped;
    made->fast.duplex = &kNoDuplex;
    const std::lock_guard lock(tap_module().mutex);
    tap_module().devices.push_back(std::move(made));
    device = tap_module().devices.back().get();
  });
  return device;
}

const TapFast* tap_device_fast(const TapDevice* device) { return &device->fast; }

void tap_before_open(TapDevice* device, const char* path) {
  guarded("tap_before_open", [&] {
    device->before_open = path != nullptr ? tap_file_identity(path) : TapFileIdentity{};
    device->wrote_outside.store(false);
  });
}

void tap_opened(TapDevice* device, const TapFacts* facts) {
  guarded("tap_opened", [&] {
    take_facts(*device, *facts);
    device->refused = device->parked = false;
    device->closing.store(false);
    device->over_limit = tap_module().open_devices.fetch_add(1) >= kMaxTappedDevices;
    if (device->over_limit) {
      tap_log("DSMC013E DEVICE " + device_text(device->device_number) + " CANNOT BE MIRRORED: MORE THAN " +
              std::to_string(kMaxTappedDevices) + " DEVICES ARE OPEN IN THIS HERCULES; IT WORKS UNMIRRORED");
    }
    if (tap_module().current.load() == nullptr) attach_storage_at_open();
    bind_device(*device, BindWhen::kAtOpen);
    device->open.store(true);
  });
}

void tap_closing(TapDevice* device) { device->closing.store(true); }

void tap_closed(TapDevice* device) {
  guarded("tap_closed", [&] {
    device->open.store(false);
    unbind_device(*device, true);
    tap_module().open_devices.fetch_sub(1);
    device->closing.store(false);
  });
}

void tap_program_started(TapDevice* device) {
  ++device->event;
  device->held_us = 0;
}

TapGate tap_gate(TapDevice* device, uint8_t ccw_code, TapPlace place) {
  TapGate gate = TAP_GATE_RUN;
  guarded("tap_gate", [&] { gate = pass_gate(*device, ccw_code, place); });
  return gate;
}

void tap_capture_begin(TapDevice* device, uint8_t ccw_code) {
  guarded("tap_capture_begin", [&] { begin_capture(*device, ccw_code); });
}

void tap_wrote(TapDevice* device, uint32_t track, uint32_t offset, uint32_t length, const uint8_t* bytes) {
  if (!device->binding) {
    device->wrote_outside.store(true, std::memory_order_relaxed);
    return;
  }
  device->capture.add(track, offset, length, bytes);
  // CCKD writes tracks back in threads of its own, seconds later: a death in between is mended from this map.
  if (device->compressed) TrackMap::unhardened(device->binding->storage, device->binding->device).set(track);
}

TapEnd tap_capture_end(TapDevice* device, int record, const uint8_t* image, uint32_t image_bytes, TapPlace place) {
  TapEnd end = TAP_END_DONE;
  guarded("tap_capture_end", [&] {
    if (!device->binding || !device->capture.open()) return;
    if (device->capture.empty()) {
      device->capture.drop();
      device->binding->writer.abandon();
      return;
    }
    if (record < 0) record = record_at({image, image_bytes}, device->capture.first_offset(), device->capture.first_length());
    name_record(*device, static_cast<std::uint8_t>(record));
    end = number_capture(*device, place);
  });
  return end;
}

int tap_is_parked(const TapDevice* device) { return device->parked ? 1 : 0; }

void tap_settle(TapDevice* device, TapPlace place) {
  guarded("tap_settle", [&] {
    if (!device->binding || !device->capture.open()) return;
    if (device->capture.empty()) {
      device->capture.drop();
      return;
    }
    number_capture(*device, place == TAP_PLACE_CPU_REDRIVE ? TAP_PLACE_CPU : place);
  });
}

void tap_flushed(TapDevice* device) { note_flushed(*device); }

void tap_write_back_failed(TapDevice* device, uint32_t track) {
  guarded("tap_write_back_failed", [&] { note_write_back_failure(*device, track); });
}

void tap_wrote_outside(TapDevice* device) { device->wrote_outside.store(true, std::memory_order_relaxed); }

int tap_config_statement(int argc, char* argv[]) {
  if (argc < 1 || argv[0] == nullptr || strcasecmp(argv[0], "dsm") != 0) return 0;
  guarded("tap_config_statement", [&] { configure(operands(argc, argv, 1)); });
  return 1;
}

int tap_panel_command(int argc, char* argv[], const char* line) {
  if (argc < 1 || argv[0] == nullptr || strcasecmp(argv[0], "dsm") != 0) return 0;
  guarded("tap_panel_command", [&] {
    if (argc < 2 || (argc == 2 && strcasecmp(argv[1], "status") == 0)) {
      show_status();
    } else if (strcasecmp(argv[1], "plex") == 0 || strcasecmp(argv[1], "system") == 0) {
      configure(operands(argc, argv, 1));
    } else {
      std::string_view rest = line;
      rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
      rest.remove_prefix(std::min<std::size_t>(3, rest.size()));
      rest.remove_prefix(std::min(rest.find_first_not_of(" \t"), rest.size()));
      ask_dsmd(std::string(rest));
    }
  });
  return 1;
}

int tap_in_session(uint32_t device_number) {
  int found = 0;
  guarded("tap_in_session", [&] {
    const std::lock_guard lock(tap_module().mutex);
    for (const auto& device : tap_module().devices) {
      const DeviceEntry* entry = bound_entry(*device);
      if (entry == nullptr || !device->compressed || (device_number != 0 && device->device_number != device_number)) continue;
      if (entry->duplex.load() != 0) found = 1;
    }
  });
  return found;
}
