// io: POSIX file calls with sentences for errors.
#include "datamover/posix_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace afterimage {

FileHandle& FileHandle::operator=(FileHandle&& other) noexcept {
  if (this != &other) {
    close();
    fd_ = other.release();
  }
  return *this;
}

int FileHandle::release() {
  const int fd = fd_;
  fd_ = -1;
  return fd;
}

void FileHandle::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

Status file_error(const std::string& what, const std::string& path, int error) {
  std::string text = "Cannot " + what + " " + path + ": " + std::generic_category().message(error) + ".";
  if (error == ENOSPC || error == EDQUOT)
    text += " Free space there or name another directory.";
  else if (error == EACCES || error == EPERM || error == EROFS)
    text += " Give this user write access or name another directory.";
  else if (error == ENOENT)
    text += " Create the directory or correct its name in the configuration.";
  return Status::error(std::move(text));
}

Status write_at(int fd, const std::string& path, std::uint64_t offset, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return file_error("write", path, errno);
    if (done == 0) return file_error("write", path, ENOSPC);
    bytes = bytes.subspan(static_cast<std::size_t>(done));
    offset += static_cast<std::uint64_t>(done);
  }
  return Status::ok();
}

Status read_at(int fd, const std::string& path, std::uint64_t offset, std::span<std::uint8_t> into) {
  while (!into.empty()) {
    const ssize_t done = ::pread(fd, into.data(), into.size(), static_cast<off_t>(offset));
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return file_error("read", path, errno);
    if (done == 0) return Status::error("The file " + path + " ends at byte " + std::to_string(offset) + ", before it should; it was cut.");
    into = into.subspan(static_cast<std::size_t>(done));
    offset += static_cast<std::uint64_t>(done);
  }
  return Status::ok();
}

Result<std::vector<std::uint8_t>> read_whole(const std::string& path, std::size_t most) {
  using Bytes = std::vector<std::uint8_t>;
  const FileHandle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.is_open()) return failed<Bytes>(file_error("open", path, errno));
  struct stat about {};
  if (::fstat(file.get(), &about) != 0) return failed<Bytes>(file_error("examine", path, errno));
  if (about.st_size < 0 || static_cast<std::uint64_t>(about.st_size) > most)
    return failed<Bytes>(
        Status::error("The file " + path + " has " + std::to_string(about.st_size) + " bytes, more than such a file can have."));
  Bytes bytes(static_cast<std::size_t>(about.st_size));
  Status read = read_at(file.get(), path, 0, bytes);
  if (!read) return failed<Bytes>(std::move(read));
  return result_of(std::move(bytes));
}

Status replace_file(const std::string& path, std::span<const std::uint8_t> bytes) {
  const std::string fresh = path + ".new";
  {
    const FileHandle file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0640));
    if (!file.is_open()) return file_error("create", fresh, errno);
    if (Status written = write_at(file.get(), fresh, 0, bytes); !written) return written;
    if (::fsync(file.get()) != 0) return file_error("sync", fresh, errno);
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return file_error("rename to " + path, fresh, errno);
  const std::size_t slash = path.find_last_of('/');
  return sync_directory(slash == std::string::npos ? "." : path.substr(0, slash + 1));
}

Status sync_directory(const std::string& directory) {
  const FileHandle file(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file.is_open()) return file_error("open the directory", directory, errno);
  if (::fsync(file.get()) != 0) return file_error("sync the directory", directory, errno);
  return Status::ok();
}

}  // namespace afterimage
