// io: talks to dsmd's command socket (AF_UNIX); see tap_console.h.
#include "channel/tap_console.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "channel/tap_module.h"
#include "serializer/clock.h"
#include "serializer/registry.h"
#include "serializer/state_names.h"

namespace afterimage {
namespace {

constexpr std::uint64_t kAnswerLimit_us = 10'000'000;
constexpr timeval kSendLimit{2, 0};
constexpr std::size_t kLongestLine = 4096;

std::string device_line(const TapDevice& device) {
  const std::string head = "DSMC043I " + device_text(device.device_number) + " ";
  const DeviceEntry* bound = bound_entry(device);
  if (bound == nullptr) return head + (device.refused ? "REFUSED" : "NOT IN A SESSION");
  const DeviceEntry& entry = *bound;
  const std::uint32_t duplex = entry.duplex.load();
  const char* state = (duplex & kVolumeSuspended) ? "SUS" : (duplex & kDuplex) ? "DUP" : "SIM";
  return head + std::string(entry.volser, strnlen(entry.volser, sizeof entry.volser)) + " " + state +
         " TOKENS=" + std::to_string(entry.tokens.load()) + " LAST=" + std::to_string(entry.last_sequence.load()) +
         " INFILE=" + std::to_string(entry.flushed_sequence.load());
}

class Connection {
 public:
  ~Connection() {
    if (fd_ >= 0) close(fd_);
  }
  bool open(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (path.empty() || path.size() >= sizeof address.sun_path) return false;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    // A stopped dsmd accepts nothing: once its queue is full, connect would wait for ever, and Hercules's console with it.
    return fd_ >= 0 && setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &kSendLimit, sizeof kSendLimit) == 0 &&
           connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  bool send_all(const std::string& text) {
    std::size_t sent = 0;
    while (sent < text.size()) {
      const ssize_t n = send(fd_, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) return false;
      sent += static_cast<std::size_t>(n);
    }
    return true;
  }
  // False at the time limit or on an error; an empty `into` at the end of the answer.
  bool receive(std::string& into, std::uint64_t deadline_us) {
    into.clear();
    const std::uint64_t now = monotonic_us();
    pollfd waiting{fd_, POLLIN, 0};
    if (now >= deadline_us || poll(&waiting, 1, static_cast<int>((deadline_us - now) / 1000) + 1) <= 0) return false;
    char buffer[2048];
    const ssize_t n = read(fd_, buffer, sizeof buffer);
    if (n < 0) return errno == EINTR;
    into.assign(buffer, static_cast<std::size_t>(n));
    return true;
  }

 private:
  int fd_ = -1;
};

void log_lines(std::string& pending, bool all) {
  for (;;) {
    const std::size_t end = pending.find('\n');
    if (end == std::string::npos && pending.size() < kLongestLine && !(all && !pending.empty())) return;
    const std::size_t length = std::min({end, pending.size(), kLongestLine});
    tap_log(pending.substr(0, length));
    pending.erase(0, length == end ? length + 1 : length);
  }
}

}  // namespace

void show_status() {
  TapModule& module = tap_module();
  const std::lock_guard lock(module.mutex);
  TapAttachment* attachment = module.current.load();
  if (!module.settings.complete()) {
    tap_log("DSMC046I NOT CONFIGURED; WRITE DSM PLEX name SYSTEM name IN THE HERCULES CONFIGURATION");
  } else if (attachment == nullptr) {
    tap_log("DSMC047I PLEX " + module.settings.plex + " SYSTEM " + module.settings.system +
            " NOT ATTACHED; DSMD HAS NOT MADE ITS COMMON STORAGE");
  } else {
    const ControlView view = control_view(*attachment->storage);
    tap_log("DSMC041I PLEX " + module.settings.plex + " SYSTEM " + module.settings.system + " ATTACHED, SESSION " + text_of(view.state) +
            ", LAST SEQUENCE " + std::to_string(view.sequence) + ", DSMD " +
            (mover_is_alive(*attachment->storage) ? "ALIVE" : "NOT RUNNING"));
  }
  for (const auto& device : module.devices)
    if (device->open.load()) tap_log(device_line(*device));
  tap_log("DSMC044I END OF STATUS");
}

void ask_dsmd(const std::string& command) {
  TapAttachment* attachment = tap_module().current.load();
  if (attachment == nullptr) {
    tap_log("DSMC042E NO ANSWER: THIS HERCULES IS NOT ATTACHED TO A PLEX; START DSMD, OR SEE DSM STATUS");
    return;
  }
  const char* field = attachment->storage->header().command_socket;
  const std::string path(field, strnlen(field, sizeof attachment->storage->header().command_socket));
  Connection connection;
  if (!connection.open(path) || !connection.send_all(command + "\n")) {
    tap_log("DSMC042E NO ANSWER: DSMD CANNOT BE REACHED AT ITS COMMAND SOCKET '" + path + "'; START DSMD");
    return;
  }
  const std::uint64_t deadline = monotonic_us() + kAnswerLimit_us;
  std::string pending, part;
  for (;;) {
    if (!connection.receive(part, deadline)) {
      log_lines(pending, true);
      tap_log("DSMC045E THE ANSWER OF DSMD IS INCOMPLETE AFTER TEN SECONDS; GIVE THE COMMAND AGAIN");
      return;
    }
    if (part.empty()) break;
    pending += part;
    log_lines(pending, false);
  }
  log_lines(pending, true);
}

}  // namespace afterimage
