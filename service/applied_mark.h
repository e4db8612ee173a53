// io: how far the images may already hold writes, noted before they are written. A killed secondary replays its journal over them; a
// journal that ends before this mark has lost records that were synced (damage that looks like a torn tail), and a recovery from it would
// leave later writes in the images without earlier ones. Not synced: it survives the process, as the images' unsynced writes do.
// Threads: one at a time. Format: docs/FORMATS.md, "Applied mark".
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "datamover/posix_file.h"
#include "serializer/status.h"
#include "serializer/token.h"

namespace afterimage {

struct AppliedThrough {
  std::uint64_t epoch = 0;
  Sequence sequence = 0;  // the images hold nothing behind this one
};

class AppliedMark {
 public:
  AppliedMark(const AppliedMark&) = delete;
  AppliedMark& operator=(const AppliedMark&) = delete;
  // Opens or makes `path`. A damaged mark is an error that names it.
  static Result<std::unique_ptr<AppliedMark>> open(const std::string& path);
  const AppliedThrough& found() const { return found_; }  // as it was when opened
  Status write(const AppliedThrough& through);

 private:
  AppliedMark(FileHandle file, std::string path);
  FileHandle file_;
  std::string path_;
  AppliedThrough found_;
};

}  // namespace afterimage
