// io: CKD images on disk (512-byte device header, fixed-size track images, one or several files `_1`, `_2` ...), read and written without
// Hercules: for the secondary's volumes, for offline verification. CCKD is recognised and named, not written.
// The fence (DESIGN.md): an unrecovered secondary carries device identifier "DSM_P370", which Hercules refuses to open.
// Threads: one at a time per object.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "serializer/status.h"

namespace afterimage {

struct Geometry {
  std::uint16_t device_type = 0;        // X'3390' ...; from the header's type byte and size
  std::uint32_t cylinders = 0, heads = 0, track_bytes = 0;
  std::uint32_t tracks() const { return cylinders * heads; }
  friend bool operator==(const Geometry&, const Geometry&) = default;
};

enum class ImageKind : std::uint8_t { kCkd, kCompressed, kFencedCkd };
enum class OpenFor : std::uint8_t { kRead, kWrite };

class DasdImage {
 public:
  ~DasdImage();
  // Opens all files of the volume and checks headers, sizes, order of files. kWrite takes a lock (flock-like, on every file) so that
  // a second writer is refused by name; kRead takes none. Every failure is a sentence with the path.
  static Result<std::unique_ptr<DasdImage>> open(const std::string& path, OpenFor purpose);
  const std::string& path() const;
  const Geometry& geometry() const;
  ImageKind kind() const;
  Status read_track(std::uint32_t track, std::span<std::uint8_t> into);              // track_bytes
  Status write(std::uint32_t track, std::uint32_t offset, std::span<const std::uint8_t> bytes);
  Status sync();
  // Sets or lifts the fence in every file's header, synced. Idempotent.
  Status fence();
  Status unfence();
  bool fenced() const;
  // Volume label's volser (cylinder 0 head 0 record 3), EBCDIC translated; empty if there is no standard label.
  Result<std::string> volser();
 private:
  DasdImage();
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// Identity of the volume's first file: what tells that a utility changed it between runs.
struct FileIdentity { std::uint64_t device = 0, inode = 0, bytes = 0, mtime_ns = 0; friend bool operator==(const FileIdentity&, const FileIdentity&) = default; };
Result<FileIdentity> file_identity(const std::string& path);

}  // namespace afterimage
