// What the tap may ask of a simulated Hercules (channel/hercules_shim.h), as hercules_shim.c answers it.
#include "tests/sim/sim_hercules.h"

namespace afterimage::sim {

struct TapCalls {
  static void log(const char* line) {
    if (SimHercules* hercules = SimHercules::present()) hercules->log(line);
  }
  static TapTake take(TapWrapped* device, unsigned wait_ms) {
    Schedule& schedule = device->hercules->schedule_;
    const std::uint64_t until = schedule.now_us() + wait_ms * std::uint64_t{1000};
    while (device->open && !device->closing && (device->busy || device->service_io)) {
      if (schedule.now_us() >= until) return TAP_TAKE_BUSY;
      schedule.sleep_us(300);
    }
    if (!device->open || device->closing) return TAP_TAKE_GONE;
    device->service_io = true;
    return TAP_TAKE_TAKEN;
  }
  static void give(TapWrapped* device) { device->service_io = false; }
  static void start_reading(TapWrapped*) {}
  static int read_track(TapWrapped* device, std::uint32_t track, const std::uint8_t** image) {
    if (!device->hercules->read_track(*device, track)) return -1;
    *image = device->buffer.data();
    return 0;
  }
  static void end_reading(TapWrapped* device) { device->hercules->read_track(*device, -1); }
  static int image_now(TapWrapped* device, std::uint32_t track, const std::uint8_t** image) { return read_track(device, track, image); }
  static int must_leave(TapWrapped* device) { return device->closing ? 1 : 0; }
  static int if_hardened(TapWrapped*, void (*)(void*), void*) { return 0; }  // no compressed volumes here
  static std::uint32_t device_number(TapWrapped* device) { return device->number; }
  static void each_device(void (*visit)(void*, std::uint32_t, const char*, int, int), void* argument) {
    if (const SimHercules* hercules = SimHercules::present())
      for (const auto& device : hercules->devices_) visit(argument, device->number, "3390", 1, 1);
  }
  static int shutting_down() {
    const SimHercules* hercules = SimHercules::present();
    return hercules != nullptr && hercules->shutting_down_ ? 1 : 0;
  }
};

const TapHost* SimHercules::host() {
  static const TapHost calls = {TapCalls::log,         TapCalls::take,          TapCalls::give,        TapCalls::start_reading,
                                TapCalls::read_track,  TapCalls::end_reading,   TapCalls::image_now,   TapCalls::must_leave,
                                TapCalls::if_hardened, TapCalls::device_number, TapCalls::each_device, TapCalls::shutting_down};
  return &calls;
}

}  // namespace afterimage::sim
