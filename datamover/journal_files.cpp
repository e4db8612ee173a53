// io: the files of a journal. journal.1 is put in place last, so that its presence says that all are complete.
#include "datamover/journal_files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

namespace afterimage {

namespace {

constexpr std::uint32_t kMostFiles = 64;
constexpr std::uint64_t kLeastFileBytes = 4 * kJournalHeaderBytes;
constexpr std::uint64_t kDiskReserveBytes = 1u << 20;  // left free when the journal is created

std::string file_path(const std::string& directory, std::uint32_t index) { return directory + "/journal." + std::to_string(index + 1); }

// Only "no such file" is absence: a journal that cannot be looked at must not be made anew over the one that is there.
Result<bool> exists(const std::string& path) {
  if (::access(path.c_str(), F_OK) == 0) return result_of(true);
  if (errno == ENOENT) return result_of(false);
  return failed<bool>(file_error("examine", path, errno));
}

std::uint64_t file_bytes_of(const JournalSettings& settings) {
  return settings.bytes / settings.files / kJournalHeaderBytes * kJournalHeaderBytes;
}

Status check_settings(const JournalSettings& settings) {
  if (settings.files < 2 || settings.files > kMostFiles)
    return Status::error("A journal has 2 to " + std::to_string(kMostFiles) + " files and " + std::to_string(settings.files) +
                         " are configured; correct the configuration.");
  if (file_bytes_of(settings) < kLeastFileBytes)
    return Status::error("A journal of " + std::to_string(settings.bytes) + " bytes in " + std::to_string(settings.files) +
                         " files is too small; configure a larger one.");
  if (::access(settings.directory.c_str(), R_OK | W_OK | X_OK) != 0)
    return file_error("use the journal directory", settings.directory, errno);
  return Status::ok();
}

// Asked before anything is allocated, so that a journal that cannot fit does not first fill the disk.
Status check_space(const JournalSettings& settings) {
  struct statvfs space {};
  if (::statvfs(settings.directory.c_str(), &space) != 0) return file_error("examine", settings.directory, errno);
  const std::uint64_t available = std::uint64_t{space.f_bavail} * space.f_frsize;
  if (available < kDiskReserveBytes || available - kDiskReserveBytes < settings.bytes)
    return Status::error("The journal needs " + std::to_string(settings.bytes) + " bytes in " + settings.directory + " and " +
                         std::to_string(available) + " are free there; free space, or configure another directory or a smaller journal.");
  return Status::ok();
}

Status create_one(const std::string& path, const JournalFileHeader& header) {
  const FileHandle file(::open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!file.is_open()) return file_error("create", path, errno);
  const int allocated = ::posix_fallocate(file.get(), 0, static_cast<off_t>(header.file_bytes));
  if (allocated != 0) return file_error("allocate the journal file", path, allocated);
  std::array<std::uint8_t, 64> bytes{};
  put_file_header(bytes, header);
  Status written = write_at(file.get(), path, 0, bytes);
  if (!written) return written;
  if (::fsync(file.get()) != 0) return file_error("sync", path, errno);
  return Status::ok();
}

Status create_all(const JournalSettings& settings) {
  Status room = check_space(settings);
  if (!room) return room;
  JournalFileHeader header;
  header.files = static_cast<std::uint16_t>(settings.files);
  header.file_bytes = file_bytes_of(settings);
  if (::getrandom(&header.journal_id, sizeof header.journal_id, 0) != static_cast<ssize_t>(sizeof header.journal_id))
    return file_error("get a random number for", settings.directory, errno);
  Status status = Status::ok();
  for (std::uint32_t i = 0; i < settings.files && status; ++i) {
    header.index = static_cast<std::uint16_t>(i);
    status = create_one(file_path(settings.directory, i) + ".new", header);
  }
  for (std::uint32_t i = settings.files; i-- > 0 && status;) {
    const std::string path = file_path(settings.directory, i);
    if (::rename((path + ".new").c_str(), path.c_str()) != 0) status = file_error("rename into place", path, errno);
  }
  if (status) status = sync_directory(settings.directory);
  if (!status)
    for (std::uint32_t i = 0; i < settings.files; ++i) ::unlink((file_path(settings.directory, i) + ".new").c_str());
  return status;
}

Result<JournalFileHeader> read_header(int fd, const std::string& path) {
  std::array<std::uint8_t, 64> bytes{};
  Status read = read_at(fd, path, 0, bytes);
  if (!read) return failed<JournalFileHeader>(std::move(read));
  const auto header = get_file_header(bytes);
  if (!header)
    return failed<JournalFileHeader>(Status::error("The file " + path +
                                                   " is not a journal file of this release, or its header is damaged; " +
                                                   "restore it, or copy the volumes and start with an empty directory."));
  return result_of(*header);
}

Status check_header(const JournalFileHeader& header, const JournalSettings& settings, std::uint32_t index, const std::string& path) {
  if (header.files != settings.files || header.file_bytes != file_bytes_of(settings))
    return Status::error("The journal in " + settings.directory + " was made with " + std::to_string(header.files) + " files of " +
                         std::to_string(header.file_bytes) + " bytes and " + std::to_string(settings.files) + " of " +
                         std::to_string(file_bytes_of(settings)) +
                         " are configured; configure it as it is, or end the session and remove the journal first.");
  if (header.index != index)
    return Status::error("The file " + path + " is number " + std::to_string(header.index + 1) +
                         " of its journal; it was renamed or copied.");
  return Status::ok();
}

Status open_one(const JournalSettings& settings, std::uint32_t index, JournalFiles& files) {
  const std::string path = file_path(settings.directory, index);
  FileHandle file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file.is_open()) return file_error("open the journal file", path, errno);
  if (index == 0 && ::flock(file.get(), LOCK_EX | LOCK_NB) != 0)
    return Status::error("The journal in " + settings.directory + " is in use by another process; stop that one first.");
  const auto header = read_header(file.get(), path);
  if (!header.good()) return header.status;
  Status checked = check_header(header.value, settings, index, path);
  if (!checked) return checked;
  struct stat about {};
  if (::fstat(file.get(), &about) != 0) return file_error("examine", path, errno);
  if (static_cast<std::uint64_t>(about.st_size) != header.value.file_bytes)
    return Status::error("The journal file " + path + " has " + std::to_string(about.st_size) + " bytes and was made with " +
                         std::to_string(header.value.file_bytes) +
                         "; it was cut or extended. Restore it, or copy the volumes and start with an " + "empty directory.");
  if (index == 0) files.journal_id = header.value.journal_id;
  if (files.journal_id != header.value.journal_id)
    return Status::error("The file " + path + " belongs to another journal than the first one in " + settings.directory + ".");
  files.base_segment = std::max(files.base_segment, header.value.base_segment);
  files.handles.push_back(std::move(file));
  files.paths.push_back(path);
  return Status::ok();
}

}  // namespace

std::uint64_t least_capacity(const JournalSettings& settings) {
  return (file_bytes_of(settings) - kJournalHeaderBytes) * (settings.files - 1);
}

Result<JournalFiles> open_journal_files(const JournalSettings& settings) {
  Status status = check_settings(settings);
  const auto first = exists(file_path(settings.directory, 0));
  const auto surplus = exists(file_path(settings.directory, settings.files));
  if (status) status = first.good() ? surplus.status : first.status;
  if (status && !first.value) status = create_all(settings);
  // Names that a killed process had not yet made durable.
  if (status) status = sync_directory(settings.directory);
  if (status && surplus.value)
    status = Status::error("The journal in " + settings.directory + " has more than the " + std::to_string(settings.files) +
                           " files that are configured; configure it as it is, or end the session and remove the journal first.");
  JournalFiles files;
  files.shape.files = static_cast<std::uint16_t>(settings.files);
  files.shape.segment_bytes = file_bytes_of(settings) - kJournalHeaderBytes;
  for (std::uint32_t i = 0; i < settings.files && status; ++i) status = open_one(settings, i, files);
  if (!status) return failed<JournalFiles>(std::move(status));
  return result_of(std::move(files));
}

Status write_journal_headers(JournalFiles& files) {
  JournalFileHeader header;
  header.files = files.shape.files;
  header.file_bytes = files.shape.segment_bytes + kJournalHeaderBytes;
  header.journal_id = files.journal_id;
  header.base_segment = files.base_segment;
  for (std::uint16_t i = 0; i < files.shape.files; ++i) {
    header.index = i;
    std::array<std::uint8_t, 64> bytes{};
    put_file_header(bytes, header);
    Status written = write_at(files.handles[i].get(), files.paths[i], 0, bytes);
    if (!written) return written;
    if (::fdatasync(files.handles[i].get()) != 0) return file_error("sync", files.paths[i], errno);
  }
  return Status::ok();
}

}  // namespace afterimage
