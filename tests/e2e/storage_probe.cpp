// io: prints what the common storage of a plex says, as name=value lines, without dsmd: for tests that read it after a kill.
#include <cstdio>
#include <cstring>
#include <string>

#include "serializer/common_storage.h"
#include "serializer/numbering.h"
#include "serializer/state_names.h"
#include "serializer/tod.h"

using namespace afterimage;

namespace {
void show(const char* name, unsigned long long value) { std::printf("%s=%llu\n", name, value); }

void show_devices(CommonStorage& storage) {
  for (std::uint32_t i = 0; i < storage.device_count(); ++i) {
    DeviceEntry& device = storage.device(i);
    if (device.state.load() == static_cast<std::uint32_t>(DeviceState::kUnused)) continue;
    const std::string volser(device.volser, ::strnlen(device.volser, sizeof device.volser));
    std::printf("device.%s=state %u duplex %u last %llu flushed %llu tokens %llu looked_us %llu\n", volser.c_str(), device.state.load(),
                device.duplex.load(), static_cast<unsigned long long>(device.last_sequence.load()),
                static_cast<unsigned long long>(device.flushed_sequence.load()), static_cast<unsigned long long>(device.tokens.load()),
                static_cast<unsigned long long>(tod_to_us(device.flush_tod.load()) - kTodUnixEpoch_us));
  }
}
}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: storage_probe SEGMENT\n");
    return 8;
  }
  auto opened = CommonStorage::open(argv[1]);
  if (!opened.good()) {
    std::fprintf(stderr, "%s\n", opened.status.text().c_str());
    return 8;
  }
  CommonStorage& storage = *opened.value;
  ControlBlock& control = storage.control();
  const ControlView view = control_view(storage);
  std::printf("state=%s\n", text_of(view.state));
  show("numbered", view.sequence);
  show("acknowledged", control.acknowledged_through.load());
  show("freed", control.freed_through.load());
  show("epoch", control.epoch.load());
  show("suspend_reason", control.suspend_reason.load());
  show("suspended_at", control.suspended_at.load());
  show("pace_count", control.pace_count.load());
  show("pace_us", control.pace_us.load());
  show_devices(storage);
  return 0;
}
