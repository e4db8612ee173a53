// io: the few POSIX file calls that journal, checkpoint and state files share. Every failure is a sentence with the path and the system's
// reason. Threads: no state of its own.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "serializer/status.h"

namespace afterimage {

// Owns a descriptor.
class FileHandle {
 public:
  FileHandle() = default;
  explicit FileHandle(int fd) : fd_(fd) {}
  FileHandle(FileHandle&& other) noexcept : fd_(other.release()) {}
  FileHandle& operator=(FileHandle&& other) noexcept;
  ~FileHandle() { close(); }
  int get() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }
  int release();
  void close();

 private:
  int fd_ = -1;
};

// "cannot WHAT PATH: REASON" with the reason of `error` (an errno value), as one sentence.
Status file_error(const std::string& what, const std::string& path, int error);
// All of `bytes` at `offset`.
Status write_at(int fd, const std::string& path, std::uint64_t offset, std::span<const std::uint8_t> bytes);
// Fills `into` from `offset`; an end of file before that is an error.
Status read_at(int fd, const std::string& path, std::uint64_t offset, std::span<std::uint8_t> into);
// The whole file, refused if longer than `most` bytes.
Result<std::vector<std::uint8_t>> read_whole(const std::string& path, std::size_t most);
// Replaces the file as a whole, by way of a new one beside it (PATH.new): durable when it returns; after a crash the old or the new one.
Status replace_file(const std::string& path, std::span<const std::uint8_t> bytes);
// Makes names created or renamed in the directory durable.
Status sync_directory(const std::string& directory);

}  // namespace afterimage
