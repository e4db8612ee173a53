// io: an flock with a time limit. The kernel drops it when its holder dies. Never used on the write path.
#pragma once

#include <memory>

#include "serializer/common_storage.h"

namespace afterimage {

// Held from construction (waits up to two seconds for it) to destruction. It belongs to the open file behind `fd`, which a forked child
// and every duplicate share.
class FileLock {
 public:
  explicit FileLock(int fd);
  ~FileLock();
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  bool held() const { return held_; }

 private:
  int fd_;
  bool held_;
};

// Serialises changes of the system and device tables between threads and processes: it opens the segment's file anew, so that
// each holder is told from every other.
class TableLock {
 public:
  static Result<std::unique_ptr<TableLock>> take(const CommonStorage& storage);
  ~TableLock();
  TableLock(const TableLock&) = delete;
  TableLock& operator=(const TableLock&) = delete;

 private:
  struct Impl;
  explicit TableLock(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace afterimage
