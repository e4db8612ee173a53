// io: see segment_file.h.
#include "serializer/segment_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "serializer/storage_layout.h"

namespace afterimage {
namespace bip = boost::interprocess;
namespace {

std::string text_of_errno(int error) { return std::generic_category().message(error); }

// Reads the header; how many of its bytes there are. By a read, not by a mapping: until it is ready, whoever holds the lock may empty the
// file at any moment, and touching a mapping of what is no longer there is a SIGBUS, in a module the end of a whole Hercules.
std::size_t read_header(const SharedMemory& object, StorageHeader& header) {
  auto* const to = reinterpret_cast<char*>(&header);
  std::size_t done = 0;
  while (done < sizeof header) {
    const ssize_t n = ::pread(segment_descriptor(object), to + done, sizeof header - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  return done;
}

}  // namespace

int segment_descriptor(const SharedMemory& object) { return object.get_mapping_handle().handle; }

bool segment_still_named(const SharedMemory& object, const std::string& name) {
  try {
    const SharedMemory now(bip::open_only, name.c_str(), bip::read_write);
    struct stat mine {
    }, theirs{};
    if (::fstat(segment_descriptor(object), &mine) != 0 || ::fstat(segment_descriptor(now), &theirs) != 0) return false;
    return mine.st_ino == theirs.st_ino && mine.st_dev == theirs.st_dev;
  } catch (const bip::interprocess_exception&) {
    return false;
  }
}

Status segment_bytes(const SharedMemory& object, const std::string& name, std::uint64_t& bytes) {
  struct stat facts {};
  if (::fstat(segment_descriptor(object), &facts) != 0)
    return Status::error("Common storage " + name + " cannot be examined: " + text_of_errno(errno) + ".");
  if (facts.st_uid != ::geteuid())
    return Status::error("Common storage " + name + " belongs to user " + std::to_string(facts.st_uid) +
                         ", not to the user of this program: run all programs of a plex under one user.");
  bytes = static_cast<std::uint64_t>(facts.st_size);
  return Status::ok();
}

Status allocate_segment(const SharedMemory& object, const std::string& name, std::uint64_t bytes) {
  const int fd = segment_descriptor(object);
  if (::ftruncate(fd, 0) != 0) return Status::error("Common storage " + name + " cannot be emptied: " + text_of_errno(errno) + ".");
  int error = 0;
  do error = ::posix_fallocate(fd, 0, static_cast<off_t>(bytes));
  while (error == EINTR);
  if (error == 0) return Status::ok();
  if (::ftruncate(fd, 0) != 0) return Status::error("Common storage " + name + " cannot be emptied: " + text_of_errno(errno) + ".");
  return Status::error("Common storage " + name + " needs " + std::to_string(bytes >> 20) +
                           " MiB of the host's shared memory and did not get them (" + text_of_errno(error) +
                           "): make /dev/shm larger or choose a smaller ring.",
                       Severity::kSevere);
}

bool segment_is_ready(const SharedMemory& object) {
  StorageHeader header{};
  return read_header(object, header) == sizeof header && header.ready.load() == 1;
}

bool segment_is_unfinished(const SharedMemory& object) {
  StorageHeader header{};
  const std::size_t there = read_header(object, header);
  if (there == 0) return true;
  if (there < sizeof header || header.ready.load() != 0) return false;
  const char zero[sizeof kStorageMagic] = {};
  return std::memcmp(header.magic, zero, sizeof zero) == 0 || std::memcmp(header.magic, kStorageMagic, sizeof zero) == 0;
}

}  // namespace afterimage
