// io: See tap_module.h.
#include "channel/tap_module.h"

#include <cstdio>

namespace afterimage {

TapModule& tap_module() {
  // Never destroyed: Hercules may end with threads of its own still inside a device.
  static TapModule* module = new TapModule;
  return *module;
}

void tap_log(const std::string& text) {
  if (tap_module().host != nullptr) tap_module().host->log(text.c_str());
}

std::string device_text(std::uint32_t device_number) {
  char text[16];
  std::snprintf(text, sizeof text, "%4.4X", device_number & 0xFFFF);
  return text;
}

}  // namespace afterimage
