// io: CKD images on disk (512-byte device header, fixed-size track images, one or several files `_1`, `_2` ...), read and written without
// Hercules: for the secondary's volumes, for offline verification. CCKD is recognised and named, not written.
// The fence (DESIGN.md): an unrecovered secondary carries device identifier "DSM_P370", which Hercules refuses to open.
// Threads: one at a time per object. Every failure is one sentence with the path.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "channel/dasd_image_types.h"
#include "serializer/status.h"

namespace afterimage {

class DasdImage {
 public:
  ~DasdImage();
  DasdImage(const DasdImage&) = delete;
  DasdImage& operator=(const DasdImage&) = delete;
  // Opens all files of the volume (`path` is its first, as in a Hercules device statement) and checks headers, sizes, order of files.
  // kWrite locks every file against a second writer (open file description locks, gone with the process) and refuses an image that
  // another process of this host has open for writing, which is how a running Hercules is seen; kRead takes no lock and looks at
  // nobody. A compressed image opens for kRead only, for kind() and geometry(); its tracks cannot be read here.
  static Result<std::unique_ptr<DasdImage>> open(const std::string& path, OpenFor purpose);
  const std::string& path() const;
  const Geometry& geometry() const;
  ImageKind kind() const;  // follows fence() and unfence(); kFencedCkd when any file is fenced
  std::vector<std::string> files() const;
  // Reads one track; `into` must have geometry().track_bytes bytes. Allowed on a fenced image.
  Status read_track(std::uint32_t track, std::span<std::uint8_t> into);
  // Replaces bytes of one track. Refused, with nothing written, if they do not lie inside the track or the image is open for reading.
  // An error on the way (a full disk) may leave part of them written.
  Status write(std::uint32_t track, std::uint32_t offset, std::span<const std::uint8_t> bytes);
  // Makes all writes durable, also those of an earlier process that did not come to it (allowed when open for reading). A failed sync is
  // final: every later one fails too, because the kernel reports a lost page once only.
  Status sync();
  // Sets or lifts the fence in every file's header, synced with what was written before. Idempotent; after a failure or a crash half
  // way the image is still fenced (or not yet, for fence()) for Hercules, and calling again completes it.
  Status fence();
  Status unfence();
  bool fenced() const;
  // The volume label's serial (cylinder 0 head 0 record 3: VOL1, or Linux's LNX1 or CMS1), EBCDIC translated, trailing blanks removed;
  // empty if there is no such label.
  Result<std::string> volser();

 private:
  DasdImage();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Identity of the volume's first file: what tells that a utility changed it between runs.
struct FileIdentity {
  std::uint64_t device = 0, inode = 0, bytes = 0, mtime_ns = 0;
  friend bool operator==(const FileIdentity&, const FileIdentity&) = default;
};
Result<FileIdentity> file_identity(const std::string& path);

}  // namespace afterimage
