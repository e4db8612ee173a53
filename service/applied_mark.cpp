// io: see applied_mark.h.
#include "service/applied_mark.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include "serializer/bytes.h"
#include "serializer/canary.h"
#include "serializer/crc32c.h"

namespace afterimage {

namespace {
constexpr std::size_t kMarkBytes = 24;
constexpr char kMarkMagic[4] = {'A', 'I', 'A', 'M'};
}  // namespace

AppliedMark::AppliedMark(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

AppliedMark::~AppliedMark() { ::close(fd_); }

Result<std::unique_ptr<AppliedMark>> AppliedMark::open(const std::string& path) {
  using Opened = std::unique_ptr<AppliedMark>;
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (fd < 0)
    return failed<Opened>(
        Status::error("The file " + path + " cannot be written: " + std::strerror(errno) + ". Correct the site's directory."));
  Opened mark(new AppliedMark(fd, path));
  std::array<std::uint8_t, kMarkBytes> bytes{};
  const ssize_t got = ::pread(fd, bytes.data(), bytes.size(), 0);
  // Of the first write of all a host that went down may have kept the file's new size and not its bytes.
  const bool zero = std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t byte) { return byte == 0; });
  if (got == 0 || (got == static_cast<ssize_t>(kMarkBytes) && zero)) return result_of(std::move(mark));
  const bool whole = got == static_cast<ssize_t>(kMarkBytes) && std::memcmp(bytes.data(), kMarkMagic, sizeof kMarkMagic) == 0 &&
                     get_u32(bytes.data() + 20) == crc32c(0, bytes.data(), 20);
  if (!whole)
    return failed<Opened>(Status::error(
        "The file " + path + " is damaged, so it is not known what the images hold. Copy the volumes and start with an empty directory."));
  mark->found_ = {get_u64(bytes.data() + 4), get_u64(bytes.data() + 12)};
  return result_of(std::move(mark));
}

Status AppliedMark::write(const AppliedThrough& through) {
  if (planted(Canary::kAppliedMarkNotWritten)) return Status::ok();
  std::array<std::uint8_t, kMarkBytes> bytes{};
  std::memcpy(bytes.data(), kMarkMagic, sizeof kMarkMagic);
  put_u64(bytes.data() + 4, through.epoch);
  put_u64(bytes.data() + 12, through.sequence);
  put_u32(bytes.data() + 20, crc32c(0, bytes.data(), 20));
  if (::pwrite(fd_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size())) return Status::ok();
  return Status::error("The file " + path_ + " cannot be written: " + std::strerror(errno) + ". Correct the site's disk.");
}

}  // namespace afterimage
