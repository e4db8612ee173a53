// The wrapped calls and the files behind them.
#include "tests/fuzz/memory_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <memory>

namespace afterimage::fuzz {

namespace {

constexpr int kFirstDescriptor = 1 << 20, kMostDescriptors = 256;
constexpr std::size_t kSectorBytes = 512;
constexpr std::string_view kPrefix = "/fuzz/";

struct MemoryFile {
  Bytes bytes;    // as the process sees it
  Bytes durable;  // as of the last sync
  int locks = 0;
};
using FilePtr = std::shared_ptr<MemoryFile>;

struct Open {
  FilePtr file;
  bool directory = false, locked = false;
};

std::map<std::string, FilePtr, std::less<>> files;
std::array<Open, kMostDescriptors> opened;
std::uint64_t next_random = 1;

bool ours(const char* path) {
  return path != nullptr && (std::string_view(path).starts_with(kPrefix) || std::string_view(path) == kMemoryFolder);
}
bool ours(int fd) { return fd >= kFirstDescriptor && fd < kFirstDescriptor + kMostDescriptors; }
Open* open_of(int fd) {
  Open& open = opened[static_cast<std::size_t>(fd - kFirstDescriptor)];
  return open.file || open.directory ? &open : nullptr;
}
FilePtr find(std::string_view path) {
  const auto found = files.find(path);
  return found == files.end() ? nullptr : found->second;
}
int fail(int error) {
  errno = error;
  return -1;
}

int open_memory(const char* path, int flags) {
  const auto place = std::find_if(opened.begin(), opened.end(), [](const Open& open) { return !open.file && !open.directory; });
  if (place == opened.end()) return fail(EMFILE);
  if (std::string_view(path) == kMemoryFolder || std::string_view(path) == kPrefix) {
    *place = {nullptr, true, false};
  } else {
    FilePtr file = find(path);
    if (!file && (flags & O_CREAT) == 0) return fail(ENOENT);
    if (!file) file = files[path] = std::make_shared<MemoryFile>();
    if ((flags & O_TRUNC) != 0) file->bytes.clear();
    *place = {file, false, false};
  }
  return kFirstDescriptor + static_cast<int>(place - opened.begin());
}

void close_open(Open& open) {
  if (open.locked) --open.file->locks;
  open = {};
}

}  // namespace

void clear_memory_files() {
  for (Open& open : opened) open = {};
  files.clear();
  next_random = 1;
}

bool memory_file_exists(const std::string& path) { return find(path) != nullptr; }
Bytes& memory_file(const std::string& path) {
  FUZZ_CHECK(find(path) != nullptr);
  return find(path)->bytes;
}
void put_memory_file(const std::string& path, View bytes) {
  FilePtr& file = files[path];
  if (!file) file = std::make_shared<MemoryFile>();
  file->bytes.assign(bytes.begin(), bytes.end());
  file->durable = file->bytes;
}

void lose_page_cache(const std::function<bool()>& kept) {
  for (Open& open : opened) {
    if (open.file) close_open(open);
    open = {};
  }
  for (auto& [path, file] : files) {
    file->durable.resize(file->bytes.size());
    for (std::size_t at = 0; at < file->bytes.size(); at += kSectorBytes) {
      const std::size_t size = std::min(kSectorBytes, file->bytes.size() - at);
      if (std::memcmp(&file->bytes[at], &file->durable[at], size) != 0 && !kept()) std::memcpy(&file->bytes[at], &file->durable[at], size);
    }
    file->durable = file->bytes;
  }
}

}  // namespace afterimage::fuzz

using namespace afterimage::fuzz;

// Named by the linker's option --wrap=NAME.
extern "C" {
int __real_open(const char*, int, ...);
int __real_close(int);
int __real_access(const char*, int);
int __real_rename(const char*, const char*);
int __real_unlink(const char*);
int __real_fstat(int, struct stat*);
int __real_statvfs(const char*, struct statvfs*);
int __real_flock(int, int);
int __real_fsync(int);
int __real_fdatasync(int);
int __real_posix_fallocate(int, off_t, off_t);
ssize_t __real_pread(int, void*, size_t, off_t);
ssize_t __real_pwrite(int, const void*, size_t, off_t);
ssize_t __real_write(int, const void*, size_t);

int __wrap_open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const int mode = (flags & O_CREAT) != 0 ? va_arg(arguments, int) : 0;
  va_end(arguments);
  return ours(path) ? open_memory(path, flags) : __real_open(path, flags, mode);
}
int __wrap_close(int fd) {
  if (!ours(fd)) return __real_close(fd);
  Open* open = open_of(fd);
  if (open == nullptr) return fail(EBADF);
  close_open(*open);
  return 0;
}
int __wrap_access(const char* path, int mode) {
  if (!ours(path)) return __real_access(path, mode);
  return std::string_view(path) == kMemoryFolder || find(path) ? 0 : fail(ENOENT);
}
int __wrap_rename(const char* from, const char* to) {
  if (!ours(from)) return __real_rename(from, to);
  const FilePtr file = find(from);
  if (!file) return fail(ENOENT);
  files.erase(from);
  files[to] = file;
  return 0;
}
int __wrap_unlink(const char* path) {
  if (!ours(path)) return __real_unlink(path);
  return files.erase(path) != 0 ? 0 : fail(ENOENT);
}
int __wrap_fstat(int fd, struct stat* about) {
  if (!ours(fd)) return __real_fstat(fd, about);
  const Open* open = open_of(fd);
  if (open == nullptr) return fail(EBADF);
  std::memset(about, 0, sizeof *about);
  about->st_mode = open->directory ? S_IFDIR : S_IFREG;
  about->st_size = open->directory ? 0 : static_cast<off_t>(open->file->bytes.size());
  return 0;
}
int __wrap_statvfs(const char* path, struct statvfs* about) {
  if (!ours(path)) return __real_statvfs(path, about);
  std::memset(about, 0, sizeof *about);
  about->f_frsize = 4096;
  about->f_bavail = 1u << 20;
  return 0;
}
int __wrap_flock(int fd, int operation) {
  if (!ours(fd)) return __real_flock(fd, operation);
  Open* open = open_of(fd);
  if (open == nullptr || open->directory) return fail(EBADF);
  if (open->locked) return 0;
  if (open->file->locks != 0) return fail(EWOULDBLOCK);
  open->file->locks = 1;
  open->locked = true;
  return 0;
}
int __wrap_fsync(int fd) {
  if (!ours(fd)) return __real_fsync(fd);
  const Open* open = open_of(fd);
  if (open == nullptr) return fail(EBADF);
  if (open->file) open->file->durable = open->file->bytes;
  return 0;
}
int __wrap_fdatasync(int fd) { return ours(fd) ? __wrap_fsync(fd) : __real_fdatasync(fd); }
int __wrap_posix_fallocate(int fd, off_t offset, off_t bytes) {
  if (!ours(fd)) return __real_posix_fallocate(fd, offset, bytes);
  const Open* open = open_of(fd);
  if (open == nullptr || open->directory) return EBADF;
  Bytes& content = open->file->bytes;
  content.resize(std::max(content.size(), static_cast<std::size_t>(offset + bytes)));
  return 0;
}
ssize_t __wrap_pread(int fd, void* into, size_t bytes, off_t offset) {
  if (!ours(fd)) return __real_pread(fd, into, bytes, offset);
  const Open* open = open_of(fd);
  if (open == nullptr) return fail(EBADF);
  if (open->directory) return fail(EISDIR);
  const Bytes& content = open->file->bytes;
  if (offset < 0) return fail(EINVAL);
  const std::size_t at = std::min(static_cast<std::size_t>(offset), content.size());
  const std::size_t count = std::min(bytes, content.size() - at);
  if (count != 0) std::memcpy(into, content.data() + at, count);
  return static_cast<ssize_t>(count);
}
ssize_t __wrap_pwrite(int fd, const void* from, size_t bytes, off_t offset) {
  if (!ours(fd)) return __real_pwrite(fd, from, bytes, offset);
  const Open* open = open_of(fd);
  if (open == nullptr || open->directory) return fail(EBADF);
  if (offset < 0) return fail(EINVAL);
  Bytes& content = open->file->bytes;
  FUZZ_CHECK(static_cast<std::size_t>(offset) + bytes <= (1u << 22));  // nothing here is that large
  content.resize(std::max(content.size(), static_cast<std::size_t>(offset) + bytes));
  std::memcpy(content.data() + offset, from, bytes);
  return static_cast<ssize_t>(bytes);
}
// Only ever used to fill a file just made.
ssize_t __wrap_write(int fd, const void* from, size_t bytes) {
  if (!ours(fd)) return __real_write(fd, from, bytes);
  const Open* open = open_of(fd);
  return open == nullptr || open->directory ? fail(EBADF) : __wrap_pwrite(fd, from, bytes, static_cast<off_t>(open->file->bytes.size()));
}
// The same numbers in every run.
ssize_t __wrap_getrandom(void* into, size_t bytes, unsigned) {
  auto* p = static_cast<std::uint8_t*>(into);
  for (std::size_t i = 0; i < bytes; ++i) p[i] = static_cast<std::uint8_t>((next_random * 0x9E3779B97F4A7C15ull) >> 56), ++next_random;
  return static_cast<ssize_t>(bytes);
}
}
