// io: opens, locks, reads and writes the files of one CKD volume; see dasd_image.h.
#include "channel/dasd_image.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "channel/dasd_image_header.h"
#include "channel/dasd_image_writers.h"
#include "channel/track.h"
#include "serializer/canary.h"

namespace afterimage {
namespace {

struct ImageFile {
  std::string path;
  int fd = -1;
  std::uint32_t first_track = 0, tracks = 0;
  bool fenced = false;
  bool dirty = true;  // until the first sync: a process that was killed may have left writes in the page cache
};

std::string reason(int error) { return std::strerror(error); }

Status cannot_open(const std::string& path, int error, OpenFor purpose, bool first) {
  if (error == ENOENT && !first)
    return Status::error(path + " is missing: it is the next file of the volume. Bring it back beside the first one.");
  if (error == ENOENT) return Status::error(path + " does not exist: correct the path, or make the image.");
  if (error == EACCES || error == EPERM || error == EROFS)
    return Status::error(std::string("No permission to ") + (purpose == OpenFor::kWrite ? "write " : "read ") + path + " (" +
                         reason(error) + "): change its owner, its mode or the mount.");
  if (error == EISDIR) return Status::error(path + " is not a regular file: name a DASD image.");
  return Status::error(path + " cannot be opened: " + reason(error) + ".");
}

// Reads exactly `into.size()` bytes unless the file ends first; returns how many, or -1 with errno.
ssize_t read_fully(int fd, std::span<std::uint8_t> into, std::uint64_t at) {
  std::size_t done = 0;
  while (done < into.size()) {
    const ssize_t n = pread(fd, into.data() + done, into.size() - done, static_cast<off_t>(at + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return -1;
    if (n == 0) break;
    done += static_cast<std::size_t>(n);
  }
  return static_cast<ssize_t>(done);
}

int write_fully(int fd, std::span<const std::uint8_t> bytes, std::uint64_t at) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = pwrite(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(at + done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return n < 0 ? errno : EIO;
    done += static_cast<std::size_t>(n);
  }
  return 0;
}

Status lock_file(int fd, const std::string& path) {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (fcntl(fd, F_OFD_SETLK, &lock) == 0) return Status::ok();
  if (errno == EAGAIN || errno == EACCES)
    return Status::error(path +
                         " is already open for writing by another process of this product: one image has one writer. Stop the other, or "
                         "correct the configuration that names the image twice.");
  return Status::error(path + " cannot be locked (" + reason(errno) + "): put the image on a file system that has locks.");
}

Status refuse_other_writer(const struct stat& status, const std::string& path) {
  const FileWriter writer = find_other_writer(status.st_dev, status.st_ino);
  if (writer.pid == 0) return Status::ok();
  return Status::error(path + " is open for writing in process " + std::to_string(writer.pid) + " (" + writer.command +
                       "): one image has one writer. Detach the device there or stop that process.");
}

std::string translate_volser(std::span<const std::uint8_t> ebcdic) {
  std::string text;
  for (const std::uint8_t c : ebcdic) {
    if (c >= 0xC1 && c <= 0xC9)
      text += static_cast<char>('A' + (c - 0xC1));
    else if (c >= 0xD1 && c <= 0xD9)
      text += static_cast<char>('J' + (c - 0xD1));
    else if (c >= 0xE2 && c <= 0xE9)
      text += static_cast<char>('S' + (c - 0xE2));
    else if (c >= 0xF0 && c <= 0xF9)
      text += static_cast<char>('0' + (c - 0xF0));
    else if (c == 0x5B)
      text += '$';
    else if (c == 0x7B)
      text += '#';
    else if (c == 0x7C)
      text += '@';
    else if (c == 0x60)
      text += '-';
    else if (c == 0x40 || c == 0x00)
      text += ' ';
    else
      text += '?';
  }
  while (!text.empty() && text.back() == ' ') text.pop_back();
  return text;
}

bool is_volume_label(const std::uint8_t* data) {
  constexpr std::uint8_t kVol1[4] = {0xE5, 0xD6, 0xD3, 0xF1}, kLnx1[4] = {0xD3, 0xD5, 0xE7, 0xF1}, kCms1[4] = {0xC3, 0xD4, 0xE2, 0xF1};
  return std::memcmp(data, kVol1, 4) == 0 || std::memcmp(data, kLnx1, 4) == 0 || std::memcmp(data, kCms1, 4) == 0;
}

}  // namespace

struct DasdImage::Impl {
  std::string path;
  Geometry geometry;
  OpenFor purpose = OpenFor::kRead;
  bool compressed = false;
  std::vector<ImageFile> files;
  Status failed_sync;

  ~Impl() {
    for (const ImageFile& file : files)
      if (file.fd >= 0) close(file.fd);
  }

  Result<bool> add_file(unsigned sequence);  // true when it was the last
  Status check_compressed(const DeviceHeader& header, unsigned sequence, const std::string& file_path);
  Status write_id(ImageFile& file, const std::array<std::uint8_t, kDeviceIdBytes>& id, bool fenced);
  Status may_change(const char* what) const;
  ImageFile& file_of(std::uint32_t track);
};

Status DasdImage::Impl::check_compressed(const DeviceHeader& header, unsigned sequence, const std::string& file_path) {
  if (purpose == OpenFor::kWrite)
    return Status::error(file_path + " is a compressed (CCKD) image: convert it with cckd2ckd and name the result.");
  if (sequence != 1)
    return Status::error(file_path +
                         " is a compressed (CCKD) image in a volume of several files, which Hercules refuses too: replace it with the "
                         "volume's own file.");
  compressed = true;
  geometry = {header.device_type, header.cylinders, header.heads, header.track_bytes};
  return Status::ok();
}

Result<bool> DasdImage::Impl::add_file(unsigned sequence) {
  const auto name = volume_file_path(path, sequence);
  if (!name.good()) return failed<bool>(name.status);
  const int access = purpose == OpenFor::kWrite ? O_RDWR : O_RDONLY;
  // O_NONBLOCK: a FIFO named by mistake must be refused, not waited for.
  const int fd = ::open(name.value.c_str(), access | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return failed<bool>(cannot_open(name.value, errno, purpose, sequence == 1));
  files.push_back({name.value, fd});
  struct stat status {};
  if (fstat(fd, &status) != 0) return failed<bool>(Status::error(name.value + " cannot be examined: " + reason(errno) + "."));
  if (!S_ISREG(status.st_mode)) return failed<bool>(Status::error(name.value + " is not a regular file: name a DASD image."));
  // Locked before the header is read: another writer may be lifting the fence at this moment.
  if (purpose == OpenFor::kWrite)
    if (Status locked = lock_file(fd, name.value); !locked) return failed<bool>(locked);
  std::array<std::uint8_t, 2 * kDeviceHeaderBytes> bytes;
  const ssize_t n = read_fully(fd, bytes, 0);
  if (n < 0) return failed<bool>(Status::error(name.value + " cannot be read: " + reason(errno) + "."));
  const auto header = decode_device_header(std::span(bytes).first(static_cast<std::size_t>(n)), name.value);
  if (!header.good()) return failed<bool>(header.status);
  if (header.value.kind == ImageKind::kCompressed) return {check_compressed(header.value, sequence, name.value), true};
  const auto part = add_volume_file(geometry, header.value, static_cast<std::uint64_t>(status.st_size), sequence, name.value);
  if (!part.good()) return failed<bool>(part.status);
  if (purpose == OpenFor::kWrite)
    if (Status alone = refuse_other_writer(status, name.value); !alone) return failed<bool>(alone);
  ImageFile& file = files.back();
  file.first_track = part.value.first_cylinder * geometry.heads;
  file.tracks = part.value.cylinders * geometry.heads;
  file.fenced = header.value.kind == ImageKind::kFencedCkd;
  return result_of(part.value.last);
}

Status DasdImage::Impl::may_change(const char* what) const {
  if (purpose == OpenFor::kWrite) return Status::ok();
  return Status::error(path + " is open for reading only: it cannot be " + what + " by this command.");
}

ImageFile& DasdImage::Impl::file_of(std::uint32_t track) {
  const auto after = std::upper_bound(files.begin(), files.end(), track,
                                      [](std::uint32_t t, const ImageFile& file) { return t < file.first_track + file.tracks; });
  return *after;
}

// Written also when it is there already: it may be in the page cache only, left by a sync that failed.
Status DasdImage::Impl::write_id(ImageFile& file, const std::array<std::uint8_t, kDeviceIdBytes>& id, bool fenced) {
  if (planted(Canary::kFenceNotWritten) && fenced) {
    file.fenced = true;
    return Status::ok();
  }
  if (const int error = write_fully(file.fd, id, 0); error != 0)
    return Status::error("The device header of " + file.path + " cannot be written: " + reason(error) + ".");
  file.dirty = true;
  file.fenced = fenced;
  return Status::ok();
}

DasdImage::DasdImage() : impl_(std::make_unique<Impl>()) {}
DasdImage::~DasdImage() = default;

Result<std::unique_ptr<DasdImage>> DasdImage::open(const std::string& path, OpenFor purpose) {
  using Out = std::unique_ptr<DasdImage>;
  Out image(new DasdImage);
  image->impl_->path = path;
  image->impl_->purpose = purpose;
  for (unsigned sequence = 1; sequence <= kMaxVolumeFiles; ++sequence) {
    const auto added = image->impl_->add_file(sequence);
    if (!added.good()) return failed<Out>(added.status);
    if (added.value) return result_of(std::move(image));
  }
  return failed<Out>(Status::error(path + " has more than " + std::to_string(kMaxVolumeFiles) + " files, which no CKD volume has."));
}

const std::string& DasdImage::path() const { return impl_->path; }
const Geometry& DasdImage::geometry() const { return impl_->geometry; }

ImageKind DasdImage::kind() const {
  if (impl_->compressed) return ImageKind::kCompressed;
  return fenced() ? ImageKind::kFencedCkd : ImageKind::kCkd;
}

std::vector<std::string> DasdImage::files() const {
  std::vector<std::string> paths;
  for (const ImageFile& file : impl_->files) paths.push_back(file.path);
  return paths;
}

bool DasdImage::fenced() const {
  return std::any_of(impl_->files.begin(), impl_->files.end(), [](const ImageFile& file) { return file.fenced; });
}

Status DasdImage::read_track(std::uint32_t track, std::span<std::uint8_t> into) {
  if (impl_->compressed)
    return Status::error(impl_->path + " is a compressed (CCKD) image: its tracks are read by Hercules only. Convert it with cckd2ckd.");
  if (track >= impl_->geometry.tracks() || into.size() != impl_->geometry.track_bytes)
    return Status::error("Track " + std::to_string(track) + " does not exist on " + impl_->path + ", which has " +
                         std::to_string(impl_->geometry.tracks()) + " tracks of " + std::to_string(impl_->geometry.track_bytes) +
                         " bytes.");
  const ImageFile& file = impl_->file_of(track);
  const std::uint64_t at = kDeviceHeaderBytes + std::uint64_t{track - file.first_track} * impl_->geometry.track_bytes;
  const ssize_t n = read_fully(file.fd, into, at);
  if (n < 0) return Status::error("Track " + std::to_string(track) + " of " + file.path + " cannot be read: " + reason(errno) + ".");
  if (static_cast<std::size_t>(n) != into.size())
    return Status::error(file.path + " ends before track " + std::to_string(track) + ": it was truncated while it was open.");
  return Status::ok();
}

Status DasdImage::write(std::uint32_t track, std::uint32_t offset, std::span<const std::uint8_t> bytes) {
  if (Status allowed = impl_->may_change("written"); !allowed) return allowed;
  const Geometry& geometry = impl_->geometry;
  if (track >= geometry.tracks() || offset > geometry.track_bytes || bytes.size() > geometry.track_bytes - offset)
    return Status::error("Bytes " + std::to_string(offset) + " to " + std::to_string(std::uint64_t{offset} + bytes.size()) + " of track " +
                         std::to_string(track) + " do not lie inside " + impl_->path + ", which has " + std::to_string(geometry.tracks()) +
                         " tracks of " + std::to_string(geometry.track_bytes) + " bytes: the volumes of the pair differ in size.");
  ImageFile& file = impl_->file_of(track);
  const std::uint64_t at = kDeviceHeaderBytes + std::uint64_t{track - file.first_track} * geometry.track_bytes + offset;
  file.dirty = true;
  if (const int error = write_fully(file.fd, bytes, at); error != 0)
    return Status::error("Track " + std::to_string(track) + " of " + file.path + " cannot be written: " + reason(error) + ".",
                         Severity::kSevere);
  return Status::ok();
}

Status DasdImage::sync() {
  if (!impl_->failed_sync) return impl_->failed_sync;
  for (ImageFile& file : impl_->files) {
    if (!file.dirty) continue;
    if (fdatasync(file.fd) != 0) {
      impl_->failed_sync = Status::error(file.path + " cannot be made durable: " + reason(errno) +
                                             ". Writes to it may be lost: repair the disk and restart from the journal.",
                                         Severity::kSevere);
      return impl_->failed_sync;
    }
    file.dirty = false;
  }
  return Status::ok();
}

// The first file is fenced first and unfenced last: Hercules opens it first, so a volume half way is refused as a whole.
Status DasdImage::fence() {
  if (Status allowed = impl_->may_change("fenced"); !allowed) return allowed;
  for (ImageFile& file : impl_->files) {
    if (Status written = impl_->write_id(file, kFencedDeviceId, true); !written) return written;
    if (Status durable = sync(); !durable) return durable;
  }
  return sync();
}

Status DasdImage::unfence() {
  if (Status allowed = impl_->may_change("unfenced"); !allowed) return allowed;
  if (Status durable = sync(); !durable) return durable;
  for (auto file = impl_->files.rbegin(); file != impl_->files.rend(); ++file) {
    if (Status written = impl_->write_id(*file, kCkdDeviceId, false); !written) return written;
    if (Status durable = sync(); !durable) {
      // Seen as fenced again, so that the next start lifts it anew: what the kernel could not write, it does not try again.
      (void)write_fully(file->fd, kFencedDeviceId, 0);
      file->fenced = true;
      return durable;
    }
  }
  return Status::ok();
}

Result<std::string> DasdImage::volser() {
  constexpr std::size_t kLabelRecord = 3, kLabelBytes = 10;
  std::vector<std::uint8_t> track(impl_->geometry.track_bytes);
  if (Status read = read_track(0, track); !read) return failed<std::string>(read);
  const auto view = parse_track(track);
  if (!view.good()) return failed<std::string>(Status::error("Track 0 of " + impl_->path + " is damaged: " + view.status.text()));
  for (const CkdRecord& record : view.value.records) {
    if (record.record != kLabelRecord || record.data_length < kLabelBytes) continue;
    const auto data = std::span(track).subspan(record.data_offset, kLabelBytes);
    if (is_volume_label(data.data())) return result_of(translate_volser(data.subspan(4, 6)));
  }
  return result_of(std::string());
}

Result<FileIdentity> file_identity(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) return failed<FileIdentity>(cannot_open(path, errno, OpenFor::kRead, true));
  if (!S_ISREG(status.st_mode)) return failed<FileIdentity>(Status::error(path + " is not a regular file: name a DASD image."));
  FileIdentity identity;
  identity.device = status.st_dev;
  identity.inode = status.st_ino;
  identity.bytes = static_cast<std::uint64_t>(status.st_size);
  identity.mtime_ns = static_cast<std::uint64_t>(status.st_mtim.tv_sec) * 1000000000u + static_cast<std::uint64_t>(status.st_mtim.tv_nsec);
  return result_of(identity);
}

}  // namespace afterimage
