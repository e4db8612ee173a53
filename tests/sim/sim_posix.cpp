// io: the C library's file calls under --wrap; see sim_posix.h. The names are the linker's: __wrap_X is called for X, __real_X is X.
#include "tests/sim/sim_posix.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <map>
#include <optional>

// NOLINTBEGIN(bugprone-reserved-identifier): the linker asks for these names.
extern "C" {
int __real_open(const char*, int, ...);
int __real_openat(int, const char*, int, ...);
int __real_close(int);
ssize_t __real_read(int, void*, size_t);
ssize_t __real_write(int, const void*, size_t);
ssize_t __real_pread(int, void*, size_t, off_t);
ssize_t __real_pwrite(int, const void*, size_t, off_t);
off_t __real_lseek(int, off_t, int);
int __real_fsync(int);
int __real_fdatasync(int);
int __real_ftruncate(int, off_t);
int __real_posix_fallocate(int, off_t, off_t);
int __real_rename(const char*, const char*);
int __real_unlink(const char*);
int __real_link(const char*, const char*);
int __real_mkdir(const char*, mode_t);
int __real_access(const char*, int);
int __real_stat(const char*, struct stat*);
int __real_lstat(const char*, struct stat*);
int __real_fstat(int, struct stat*);
int __real_statvfs(const char*, struct statvfs*);
int __real_flock(int, int);
int __real_fcntl(int, int, ...);
DIR* __real_opendir(const char*);
ssize_t __real_getrandom(void*, size_t, unsigned);
}

namespace afterimage::sim {
namespace {

constexpr int kFirstDescriptor = 1 << 29;  // above every real one
constexpr const char* kRoot = "/sim/";

struct Opened {
  std::weak_ptr<SimDisk*> disk;
  std::uint64_t description = 0;
};

struct State {
  std::map<std::string, SimDisk*, std::less<>> mounts;
  std::map<int, Opened> descriptors;
  int next = kFirstDescriptor;
  SimProcess* running = nullptr;
};

State& state() {
  thread_local State it;
  return it;
}

thread_local int calls_under_way = 0;

class InCall {
 public:
  InCall() { ++calls_under_way; }
  ~InCall() { --calls_under_way; }
  InCall(const InCall&) = delete;
  InCall& operator=(const InCall&) = delete;
};

struct Place {
  SimDisk* disk = nullptr;  // null: no such host
  std::string path;
};

// Nothing for a path of the real file system.
std::optional<Place> place_of(const char* path) {
  if (path == nullptr || std::strncmp(path, kRoot, std::strlen(kRoot)) != 0) return {};
  const std::string rest = path + std::strlen(kRoot);
  const std::size_t slash = rest.find('/');
  const auto mount = state().mounts.find(rest.substr(0, slash));
  Place place;
  if (mount != state().mounts.end()) place.disk = mount->second;
  place.path = slash == std::string::npos ? "/" : rest.substr(slash);
  while (place.path.size() > 1 && place.path.back() == '/') place.path.pop_back();
  return place;
}

bool simulated(int fd) { return fd >= kFirstDescriptor; }

// The disk and the description behind a simulated descriptor; null with EBADF when it is closed or its disk is gone.
SimDisk* disk_of(int fd, std::uint64_t& description) {
  const auto it = state().descriptors.find(fd);
  const auto disk = it == state().descriptors.end() ? nullptr : it->second.disk.lock();
  if (!disk) return nullptr;
  description = it->second.description;
  return *disk;
}

// A process killed inside a call does not come back from it, except where a call may not throw or something is being unwound already.
void leave_if_killed(bool may_throw) {
  SimProcess* process = state().running;
  if (!may_throw || process == nullptr || !process->dead() || std::uncaught_exceptions() != 0) return;
  throw SimKilled{process->name()};
}

template <typename T>
T answer(std::int64_t value, bool may_throw) {
  leave_if_killed(may_throw);
  if (value >= 0) return static_cast<T>(value);
  errno = static_cast<int>(-value);
  return T{-1};
}

// `call` on the disk and description of a simulated descriptor.
template <typename T, typename F>
T on_descriptor(int fd, bool may_throw, F&& call) {
  std::uint64_t description = 0;
  SimDisk* disk = disk_of(fd, description);
  return answer<T>(disk == nullptr ? -EBADF : call(*disk, description), may_throw);
}

template <typename F>
int on_path(const Place& place, bool may_throw, F&& call) {
  return answer<int>(place.disk == nullptr ? -ENOENT : call(*place.disk), may_throw);
}

int open_simulated(const Place& place, int flags, unsigned mode) {
  if (place.disk == nullptr) return answer<int>(-ENOENT, true);
  const std::int64_t description = place.disk->open(state().running, place.path, flags, mode);
  if (description < 0) return answer<int>(description, true);
  const int fd = state().next++;
  if (state().next < kFirstDescriptor) state().next = kFirstDescriptor;
  state().descriptors[fd] = {place.disk->handle(), static_cast<std::uint64_t>(description)};
  return fd;
}

void fill(struct stat* about, const SimDisk::About& from) {
  *about = {};
  about->st_dev = 0x51D;
  about->st_ino = from.inode;
  about->st_mode = (from.is_directory ? S_IFDIR : S_IFREG) | 0640;
  about->st_nlink = 1;
  about->st_size = static_cast<off_t>(from.bytes);
  about->st_mtim.tv_sec = static_cast<time_t>(from.changed);
}

template <typename Target>
int examine(SimDisk& disk, const Target& target, struct stat* about) {
  SimDisk::About found;
  const std::int64_t value = disk.examine(state().running, target, found);
  if (value >= 0) fill(about, found);
  return static_cast<int>(value);
}

}  // namespace

SimMount::SimMount(const std::string& host, SimDisk& disk) : host_(host), covered_(nullptr) {
  SimDisk*& place = state().mounts[host];
  covered_ = place;
  place = &disk;
}

SimMount::~SimMount() {
  if (covered_ != nullptr)
    state().mounts[host_] = covered_;
  else
    state().mounts.erase(host_);
  std::erase_if(state().descriptors, [](const auto& each) { return each.second.disk.expired(); });
}

SimRunning::SimRunning(SimProcess* process) : before_(state().running) { state().running = process; }
SimRunning::~SimRunning() { state().running = before_; }
SimProcess* SimRunning::now() { return state().running; }
void SimRunning::set(SimProcess* process) { state().running = process; }

bool in_simulated_call() { return calls_under_way != 0; }

}  // namespace afterimage::sim

using namespace afterimage::sim;  // NOLINT(google-build-using-namespace): below are only the wrapped calls

extern "C" {

int __wrap_open(const char* path, int flags, ...) {
  const InCall call;
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, unsigned) : 0;
  va_end(arguments);
  const auto place = place_of(path);
  return place ? open_simulated(*place, flags, mode) : __real_open(path, flags, mode);
}

int __wrap_openat(int directory, const char* path, int flags, ...) {
  const InCall call;
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, unsigned) : 0;
  va_end(arguments);
  const auto place = place_of(path);
  return place ? open_simulated(*place, flags, mode) : __real_openat(directory, path, flags, mode);
}

int __wrap_close(int fd) {
  const InCall call;
  if (!simulated(fd)) return __real_close(fd);
  std::uint64_t description = 0;
  SimDisk* disk = disk_of(fd, description);
  if (disk == nullptr) return answer<int>(-EBADF, false);
  state().descriptors.erase(fd);
  bool shared = false;
  for (const auto& [other, opened] : state().descriptors) {
    const auto its = opened.disk.lock();
    shared = shared || (its && *its == disk && opened.description == description);
  }
  if (!shared) disk->close(description);
  return 0;
}

ssize_t __wrap_read(int fd, void* into, size_t bytes) {
  const InCall call;
  if (!simulated(fd)) return __real_read(fd, into, bytes);
  return on_descriptor<ssize_t>(fd, true, [&](SimDisk& disk, std::uint64_t description) {
    return disk.read(state().running, description, {static_cast<std::uint8_t*>(into), bytes}, nullptr);
  });
}

ssize_t __wrap_write(int fd, const void* from, size_t bytes) {
  const InCall call;
  if (!simulated(fd)) return __real_write(fd, from, bytes);
  return on_descriptor<ssize_t>(fd, true, [&](SimDisk& disk, std::uint64_t description) {
    return disk.write(state().running, description, {static_cast<const std::uint8_t*>(from), bytes}, nullptr);
  });
}

ssize_t __wrap_pread(int fd, void* into, size_t bytes, off_t offset) {
  const InCall call;
  if (!simulated(fd)) return __real_pread(fd, into, bytes, offset);
  const auto at = static_cast<std::uint64_t>(offset);
  return on_descriptor<ssize_t>(fd, true, [&](SimDisk& disk, std::uint64_t description) {
    return disk.read(state().running, description, {static_cast<std::uint8_t*>(into), bytes}, &at);
  });
}

ssize_t __wrap_pwrite(int fd, const void* from, size_t bytes, off_t offset) {
  const InCall call;
  if (!simulated(fd)) return __real_pwrite(fd, from, bytes, offset);
  const auto at = static_cast<std::uint64_t>(offset);
  return on_descriptor<ssize_t>(fd, true, [&](SimDisk& disk, std::uint64_t description) {
    return disk.write(state().running, description, {static_cast<const std::uint8_t*>(from), bytes}, &at);
  });
}

off_t __wrap_lseek(int fd, off_t offset, int whence) {
  const InCall call;
  if (!simulated(fd)) return __real_lseek(fd, offset, whence);
  return on_descriptor<off_t>(fd, false, [&](SimDisk& disk, std::uint64_t description) { return disk.seek(description, offset, whence); });
}

int __wrap_fsync(int fd) {
  const InCall call;
  if (!simulated(fd)) return __real_fsync(fd);
  return on_descriptor<int>(fd, true, [](SimDisk& disk, std::uint64_t description) { return disk.sync(state().running, description); });
}

int __wrap_fdatasync(int fd) {
  const InCall call;
  if (!simulated(fd)) return __real_fdatasync(fd);
  return on_descriptor<int>(fd, true, [](SimDisk& disk, std::uint64_t description) { return disk.sync(state().running, description); });
}

int __wrap_ftruncate(int fd, off_t size) {
  const InCall call;
  if (!simulated(fd)) return __real_ftruncate(fd, size);
  return on_descriptor<int>(fd, false, [&](SimDisk& disk, std::uint64_t description) {
    return disk.truncate(state().running, description, static_cast<std::uint64_t>(size));
  });
}

int __wrap_posix_fallocate(int fd, off_t offset, off_t bytes) {
  const InCall call;
  if (!simulated(fd)) return __real_posix_fallocate(fd, offset, bytes);
  std::uint64_t description = 0;
  SimDisk* disk = disk_of(fd, description);
  if (disk == nullptr) return EBADF;
  const std::int64_t value =
      disk->allocate(state().running, description, static_cast<std::uint64_t>(offset), static_cast<std::uint64_t>(bytes));
  leave_if_killed(true);
  return static_cast<int>(-value);
}

int __wrap_rename(const char* from, const char* to) {
  const InCall call;
  const auto source = place_of(from), target = place_of(to);
  if (!source && !target) return __real_rename(from, to);
  if (!source || !target || source->disk != target->disk) return answer<int>(-EXDEV, false);
  return on_path(*source, false, [&](SimDisk& disk) { return disk.rename(state().running, source->path, target->path); });
}

int __wrap_unlink(const char* path) {
  const InCall call;
  const auto place = place_of(path);
  if (!place) return __real_unlink(path);
  return on_path(*place, false, [&](SimDisk& disk) { return disk.unlink(state().running, place->path); });
}

int __wrap_link(const char* from, const char* to) {
  const InCall call;
  const auto source = place_of(from), target = place_of(to);
  if (!source && !target) return __real_link(from, to);
  if (!source || !target || source->disk != target->disk) return answer<int>(-EXDEV, false);
  return on_path(*source, false, [&](SimDisk& disk) { return disk.link(state().running, source->path, target->path); });
}

int __wrap_mkdir(const char* path, mode_t mode) {
  const InCall call;
  const auto place = place_of(path);
  if (!place) return __real_mkdir(path, mode);
  return on_path(*place, false, [&](SimDisk& disk) { return disk.make_directory(state().running, place->path); });
}

int __wrap_access(const char* path, int mode) {
  const InCall call;
  const auto place = place_of(path);
  if (!place) return __real_access(path, mode);
  SimDisk::About about;
  return on_path(*place, false, [&](SimDisk& disk) { return disk.examine(state().running, place->path, about); });
}

int __wrap_stat(const char* path, struct stat* about) {
  const InCall call;
  const auto place = place_of(path);
  if (!place) return __real_stat(path, about);
  return on_path(*place, false, [&](SimDisk& disk) { return examine(disk, place->path, about); });
}

int __wrap_lstat(const char* path, struct stat* about) {
  const InCall call;
  const auto place = place_of(path);
  if (!place) return __real_lstat(path, about);
  return on_path(*place, false, [&](SimDisk& disk) { return examine(disk, place->path, about); });
}

int __wrap_fstat(int fd, struct stat* about) {
  const InCall call;
  if (!simulated(fd)) return __real_fstat(fd, about);
  return on_descriptor<int>(fd, false, [&](SimDisk& disk, std::uint64_t description) { return examine(disk, description, about); });
}

int __wrap_statvfs(const char* path, struct statvfs* about) {
  const InCall call;
  const auto place = place_of(path);
  if (!place) return __real_statvfs(path, about);
  return on_path(*place, false, [&](SimDisk& disk) {
    const std::int64_t free = disk.free_bytes(state().running);
    if (free < 0) return free;
    *about = {};
    about->f_bsize = about->f_frsize = kSectorBytes;
    about->f_bavail = about->f_bfree = static_cast<std::uint64_t>(free) / kSectorBytes;
    return std::int64_t{0};
  });
}

int __wrap_flock(int fd, int operation) {
  const InCall call;
  if (!simulated(fd)) return __real_flock(fd, operation);
  return on_descriptor<int>(fd, false,
                            [&](SimDisk& disk, std::uint64_t description) { return disk.flock(state().running, description, operation); });
}

int __wrap_fcntl(int fd, int command, ...) {
  const InCall call;
  va_list arguments;
  va_start(arguments, command);
  void* const argument = va_arg(arguments, void*);  // an int travels in the same place
  va_end(arguments);
  if (!simulated(fd)) return __real_fcntl(fd, command, argument);
  std::uint64_t description = 0;
  SimDisk* disk = disk_of(fd, description);
  if (disk == nullptr) return answer<int>(-EBADF, false);
  switch (command) {
    case F_OFD_SETLK:
      return answer<int>(disk->ofd_lock(state().running, description, static_cast<struct flock*>(argument)->l_type), false);
    case F_DUPFD:
    case F_DUPFD_CLOEXEC: {
      const int copy = state().next++;
      state().descriptors[copy] = state().descriptors.at(fd);
      return copy;
    }
    case F_GETFL:
      return disk->flags_of(description);
    case F_GETFD:
      return FD_CLOEXEC;
    case F_SETFD:
    case F_SETFL:
      return 0;
    default:
      return answer<int>(-EINVAL, false);
  }
}

// A simulated host has no /proc: nobody but simulated processes can have its files open, and their locks tell.
DIR* __wrap_opendir(const char* path) {
  const InCall call;
  if (state().running == nullptr && !place_of(path)) return __real_opendir(path);
  errno = ENOENT;
  return nullptr;
}

ssize_t __wrap_getrandom(void* into, size_t bytes, unsigned flags) {
  const InCall call;
  SimProcess* process = state().running;
  if (process == nullptr) return __real_getrandom(into, bytes, flags);
  for (size_t i = 0; i < bytes; ++i) static_cast<std::uint8_t*>(into)[i] = static_cast<std::uint8_t>(process->random().next() >> 56);
  return static_cast<ssize_t>(bytes);
}

}  // extern "C"
// NOLINTEND(bugprone-reserved-identifier)
