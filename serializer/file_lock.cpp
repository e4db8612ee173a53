// io: flock, polled, since it has no time-out of its own.
#include "serializer/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <boost/interprocess/shared_memory_object.hpp>
#include <cerrno>
#include <ctime>

#include "serializer/clock.h"

namespace afterimage {
namespace bip = boost::interprocess;
namespace {

constexpr std::uint64_t kWait_us = 2'000'000;

bool lock_within_limit(int fd) {
  const std::uint64_t end_us = monotonic_us() + kWait_us;
  for (;;) {
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return true;
    if (errno != EWOULDBLOCK && errno != EINTR) return false;
    if (monotonic_us() >= end_us) return false;
    const timespec pause{0, 1'000'000};
    ::nanosleep(&pause, nullptr);
  }
}

}  // namespace

// A descriptor of its own lets it outlive the caller's; given back by hand, because a forked child may have the file open still.
FileLock::FileLock(int fd) : fd_(::fcntl(fd, F_DUPFD_CLOEXEC, 0)), held_(fd_ >= 0 && lock_within_limit(fd_)) {}

FileLock::~FileLock() {
  if (held_) ::flock(fd_, LOCK_UN);
  if (fd_ >= 0) ::close(fd_);
}

struct TableLock::Impl {
  explicit Impl(const std::string& name)
      : object(bip::open_only, name.c_str(), bip::read_write), lock(object.get_mapping_handle().handle) {}
  bip::shared_memory_object object;
  FileLock lock;
};

TableLock::TableLock(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
TableLock::~TableLock() = default;

Result<std::unique_ptr<TableLock>> TableLock::take(const CommonStorage& storage) {
  const auto refuse = [&](const std::string& why) {
    return failed<std::unique_ptr<TableLock>>(Status::error("Common storage " + storage.name() + " " + why));
  };
  try {
    auto impl = std::make_unique<Impl>(storage.name());
    if (!impl->lock.held())
      return refuse("is held by a program that has stopped in the middle of a change to its tables: resume or end that program.");
    if (!storage.still_named()) return refuse("has been removed or made anew since it was opened: open it again.");
    return result_of(std::unique_ptr<TableLock>(new TableLock(std::move(impl))));
  } catch (const bip::interprocess_exception&) {
    return refuse("has been removed since it was opened: open it again.");
  }
}

}  // namespace afterimage
