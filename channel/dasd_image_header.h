// The 512-byte device header of a CKD image file, the names of a volume's files, and how the files add up to one volume: the rules
// Hercules 3.13 applies when it opens a volume. Pure. Errors are sentences with the path given.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>

#include "channel/dasd_image_types.h"
#include "serializer/status.h"

namespace afterimage {

inline constexpr std::uint32_t kDeviceHeaderBytes = 512;
inline constexpr std::uint32_t kDeviceIdBytes = 8;
inline constexpr unsigned kMaxVolumeFiles = 27;
inline constexpr std::array<std::uint8_t, kDeviceIdBytes> kCkdDeviceId = {'C', 'K', 'D', '_', 'P', '3', '7', '0'};
inline constexpr std::array<std::uint8_t, kDeviceIdBytes> kFencedDeviceId = {'D', 'S', 'M', '_', 'P', '3', '7', '0'};

struct DeviceHeader {
  ImageKind kind = ImageKind::kCkd;
  std::uint16_t device_type = 0;
  std::uint32_t heads = 0, track_bytes = 0;
  std::uint32_t cylinders = 0;      // CCKD only: its own header tells; a CKD file's size does
  std::uint8_t file_sequence = 0;   // 0 = the only file
  std::uint16_t high_cylinder = 0;  // last cylinder in this file; 0 = the last or only file
};

// `bytes` is the start of the file: 512 bytes, and for CCKD the 512 of the compressed header too.
Result<DeviceHeader> decode_device_header(std::span<const std::uint8_t> bytes, const std::string& path);

// One file's part of a volume.
struct FilePart {
  std::uint32_t first_cylinder = 0, cylinders = 0;
  bool last = false;
};
// Checks file number `sequence` (1 is the first) of `file_bytes` bytes against what the earlier files gave (`volume`; all zero before
// the first) and adds its cylinders to `volume`.
Result<FilePart> add_volume_file(Geometry& volume, const DeviceHeader& header, std::uint64_t file_bytes, unsigned sequence,
                                 const std::string& path);

// Path of file number `sequence` of the volume whose first file is `path`: the character before the first dot of the file name (or the
// last one) becomes 2 ... 9, A, B ... An error if the name has no such character.
Result<std::string> volume_file_path(const std::string& path, unsigned sequence);

}  // namespace afterimage
