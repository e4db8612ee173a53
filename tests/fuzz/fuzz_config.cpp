// Fuzz target: the XML configuration. A text is refused with sentences that name the file, or taken; what is taken is written, read again
// and equal. While a text is read no file is opened and no socket made, and the time is bounded by the text's length. The bytes
// 1 N ... 2 in an input stand for what is between them, N times 4: so small inputs reach long texts.
#include <dlfcn.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <time.h>

#include <algorithm>
#include <cstdarg>
#include <xercesc/util/PlatformUtils.hpp>

#include "service/config.h"
#include "tests/fuzz/fuzz_check.h"

namespace {

bool reading = false;  // a configuration: nothing outside may be touched

void touched(const char* what, const char* name) {
  if (reading) afterimage::fuzz::does_not_hold("nothing outside the text is touched", std::string(what) + " " + name, __FILE__, __LINE__);
}

template <typename Function>
Function next_of(const char* name) {
  return reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
}

}  // namespace

// In place of the C library's, also for Xerces and what it uses.
extern "C" {
int open(const char* path, int flags, ...) {
  touched("open", path);
  va_list arguments;
  va_start(arguments, flags);
  const int mode = (flags & O_CREAT) != 0 ? va_arg(arguments, int) : 0;
  va_end(arguments);
  static const auto next = next_of<int (*)(const char*, int, ...)>("open");
  return next(path, flags, mode);
}
int open64(const char* path, int flags, ...) {
  touched("open", path);
  va_list arguments;
  va_start(arguments, flags);
  const int mode = (flags & O_CREAT) != 0 ? va_arg(arguments, int) : 0;
  va_end(arguments);
  static const auto next = next_of<int (*)(const char*, int, ...)>("open64");
  return next(path, flags, mode);
}
int socket(int domain, int type, int protocol) {
  touched("socket", "");
  static const auto next = next_of<int (*)(int, int, int)>("socket");
  return next(domain, type, protocol);
}
#ifndef __SANITIZE_ADDRESS__
FILE* fopen(const char* path, const char* mode) {
  touched("fopen", path);
  static const auto next = next_of<FILE* (*)(const char*, const char*)>("fopen");
  return next(path, mode);
}
#endif
}

namespace afterimage::fuzz {

namespace {

constexpr std::size_t kMostText = 48u << 10;
constexpr char kPath[] = "/plex/dsm.xml";

std::string expanded(View input) {
  std::string text;
  std::size_t open = 0;
  unsigned times = 0;
  bool inside = false;
  for (std::size_t i = 0; i < input.size(); ++i) {
    if (!inside && input[i] == 1 && i + 1 < input.size()) {
      times = 4u * input[++i];
      open = text.size();
      inside = true;
    } else if (inside && input[i] == 2) {
      const std::string piece = text.substr(open);
      while (times-- > 1 && text.size() + piece.size() <= kMostText) text += piece;
      inside = false;
    } else {
      text += static_cast<char>(input[i]);
    }
  }
  return text;
}

double cpu_s() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// Held through all inputs: the tables Xerces makes at its first use take longer than a configuration does.
struct XercesHeld {
  XercesHeld() { xercesc::XMLPlatformUtils::Initialize(); }
  ~XercesHeld() { xercesc::XMLPlatformUtils::Terminate(); }
};

ConfigLoad read(const std::string& text) {
  static const XercesHeld held;
  reading = true;
  ConfigLoad load = parse_config(text, kPath);
  reading = false;
  return load;
}

}  // namespace

}  // namespace afterimage::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace afterimage::fuzz;
  using namespace afterimage;
  const std::string text = expanded({data, size});
  const double began_s = cpu_s();
  const ConfigLoad load = read(text);
  const double took_s = cpu_s() - began_s;
  // A second, and a second for each 16 KB: a sanitizer's slowness included, a square's not.
  FUZZ_CHECK_MORE(took_s < 1.0 + static_cast<double>(text.size()) / 16384.0,
                  std::to_string(took_s) + " s for " + std::to_string(text.size()) + " bytes");
  FUZZ_CHECK(load.errors.size() <= text.size() + 20);
  for (const std::string& error : load.errors) {
    FUZZ_CHECK_MORE(error.starts_with(kPath), error);
    FUZZ_CHECK_MORE(error.back() == '.', error);
  }
  if (!load.good()) return 0;
  const Config& config = load.config;
  FUZZ_CHECK(config.path == kPath && config.directory == "/plex");
  FUZZ_CHECK(config.sites.size() >= 2 && config.sessions.size() == 1 && !config.systems.empty());
  FUZZ_CHECK(!config.sessions[0].volumes.empty() && config.sessions[0].volumes.size() <= kMaxDevices);
  for (const VolumeConfig& volume : config.sessions[0].volumes) {
    FUZZ_CHECK(config.system_named(volume.system) != nullptr);
    FUZZ_CHECK(volume.image.starts_with('/') && volume.secondary_image.starts_with('/'));
  }
  const ConfigLoad again = read(write_config(config));
  FUZZ_CHECK_MORE(again.good(), again.errors.empty() ? "" : again.errors.front());
  FUZZ_CHECK(again.config == config);
  return 0;
}
