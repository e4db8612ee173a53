// io: see applied_mark.h.
#include "service/applied_mark.h"

#include <fcntl.h>

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

AppliedMark::AppliedMark(FileHandle file, std::string path) : file_(std::move(file)), path_(std::move(path)) {}

Result<std::unique_ptr<AppliedMark>> AppliedMark::open(const std::string& path) {
  using Opened = std::unique_ptr<AppliedMark>;
  FileHandle file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640));
  if (!file.is_open())
    return failed<Opened>(
        Status::error("The file " + path + " cannot be written: " + std::strerror(errno) + ". Correct the site's directory."));
  auto bytes = read_whole(path, kMarkBytes);
  if (!bytes.good()) return failed<Opened>(std::move(bytes.status));
  Opened mark(new AppliedMark(std::move(file), path));
  // Made, and the host died before its bytes were on the disk: nothing had been written to the images either.
  const std::vector<std::uint8_t>& found = bytes.value;
  const bool zero = std::all_of(found.begin(), found.end(), [](std::uint8_t byte) { return byte == 0; });
  if (found.empty() || (zero && found.size() == kMarkBytes)) return result_of(std::move(mark));
  const bool whole = found.size() == kMarkBytes && std::memcmp(found.data(), kMarkMagic, sizeof kMarkMagic) == 0 &&
                     get_u32(found.data() + 20) == crc32c(0, found.data(), 20);
  if (!whole)
    return failed<Opened>(Status::error(
        "The file " + path + " is damaged, so it is not known what the images hold. Copy the volumes and start with an empty directory."));
  mark->found_ = {get_u64(found.data() + 4), get_u64(found.data() + 12)};
  return result_of(std::move(mark));
}

Status AppliedMark::write(const AppliedThrough& through) {
  if (planted(Canary::kAppliedMarkNotWritten)) return Status::ok();
  std::array<std::uint8_t, kMarkBytes> bytes{};
  std::memcpy(bytes.data(), kMarkMagic, sizeof kMarkMagic);
  put_u64(bytes.data() + 4, through.epoch);
  put_u64(bytes.data() + 12, through.sequence);
  put_u32(bytes.data() + 20, crc32c(0, bytes.data(), 20));
  return write_at(file_.get(), path_, 0, bytes);
}

}  // namespace afterimage
