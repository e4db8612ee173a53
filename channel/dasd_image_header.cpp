// Decodes and checks CKD image headers; see dasd_image_header.h.
#include "channel/dasd_image_header.h"

#include <algorithm>

#include "channel/ckd_types.h"
#include "channel/track.h"
#include "serializer/limits.h"

namespace afterimage {
namespace {

constexpr std::array<std::uint8_t, kDeviceIdBytes> kCompressedDeviceId = {'C', 'K', 'D', '_', 'C', '3', '7', '0'};
constexpr std::array<std::uint8_t, 4> kFbaCompressedId = {'F', 'B', 'A', '_'};
constexpr std::array<std::uint8_t, kDeviceIdBytes> kShadowDeviceId = {'C', 'K', 'D', '_', 'S', '3', '7', '0'};

// The headers are little-endian, whatever the host.
std::uint32_t get_le(const std::uint8_t* p, unsigned bytes) {
  std::uint32_t value = 0;
  for (unsigned i = bytes; i-- > 0;) value = (value << 8) | p[i];
  return value;
}

template <std::size_t N>
bool begins_with(std::span<const std::uint8_t> bytes, const std::array<std::uint8_t, N>& id) {
  return std::equal(id.begin(), id.end(), bytes.begin());
}

Result<ImageKind> kind_of(std::span<const std::uint8_t> bytes, const std::string& path) {
  if (begins_with(bytes, kCkdDeviceId)) return result_of(ImageKind::kCkd);
  if (begins_with(bytes, kFencedDeviceId)) return result_of(ImageKind::kFencedCkd);
  if (begins_with(bytes, kCompressedDeviceId)) return result_of(ImageKind::kCompressed);
  if (begins_with(bytes, kShadowDeviceId))
    return failed<ImageKind>(Status::error(path + " is a shadow file, not a volume: name the volume's base image."));
  if (begins_with(bytes, kFbaCompressedId))
    return failed<ImageKind>(Status::error(path + " is an FBA image: only CKD volumes can be mirrored."));
  return failed<ImageKind>(Status::error(
      path + " has no CKD device header: it is not a DASD image, or its first 512 bytes are damaged. Make one with dasdinit."));
}

std::string text(std::uint64_t number) { return std::to_string(number); }

Status wrong_size(const DeviceHeader& header, std::uint64_t file_bytes, const std::string& path) {
  return Status::error(path + " has " + text(file_bytes) + " bytes, which is not a device header and whole cylinders of " +
                       text(header.heads) + " tracks of " + text(header.track_bytes) +
                       " bytes: the image is truncated or damaged. Restore it from a good copy.");
}

Status out_of_sequence(const DeviceHeader& header, unsigned sequence, const std::string& path) {
  return Status::error(path + " says it is file " + text(header.file_sequence) + " of its volume, and file " + text(sequence) +
                       " is needed here: give the name of the volume's first file and keep its files in order.");
}

}  // namespace

Result<DeviceHeader> decode_device_header(std::span<const std::uint8_t> bytes, const std::string& path) {
  using Out = DeviceHeader;
  if (bytes.size() < kDeviceHeaderBytes)
    return failed<Out>(Status::error(path + " has only " + text(bytes.size()) + " bytes: it is too short to be a DASD image."));
  const auto kind = kind_of(bytes, path);
  if (!kind.good()) return failed<Out>(kind.status);
  DeviceHeader header;
  header.kind = kind.value;
  header.heads = get_le(bytes.data() + 8, 4);
  header.track_bytes = get_le(bytes.data() + 12, 4);
  header.file_sequence = bytes[17];
  header.high_cylinder = static_cast<std::uint16_t>(get_le(bytes.data() + 18, 2));
  const CkdType* type = ckd_type_by_byte(bytes[16]);
  if (type == nullptr)
    return failed<Out>(Status::error(path + " has a device header with an unknown device type (last two digits, in decimal: " +
                                     text(bytes[16]) + "): the header is damaged or made by a newer program."));
  header.device_type = type->type;
  const bool heads_possible = header.heads >= 1 && header.heads <= 65535;
  const bool track_possible = header.track_bytes > kHomeAddressBytes + kCountBytes && header.track_bytes <= kMaxTrackBytes;
  if (!heads_possible || !track_possible)
    return failed<Out>(Status::error(path + " has a damaged device header: " + text(header.heads) + " heads and " +
                                     text(header.track_bytes) + " bytes per track are impossible. Restore it from a good copy."));
  if (header.kind != ImageKind::kCompressed) return result_of(header);
  if (bytes.size() < 2 * kDeviceHeaderBytes)
    return failed<Out>(Status::error(path + " is a compressed (CCKD) image whose second header is missing: it is truncated."));
  constexpr std::uint32_t kCckdCylinders = kDeviceHeaderBytes + 40;
  header.cylinders = get_le(bytes.data() + kCckdCylinders, 4);
  if (header.cylinders == 0 || std::uint64_t{header.cylinders} * header.heads > kMaxTracks)
    return failed<Out>(Status::error(path + " has a damaged compressed header: " + text(header.cylinders) +
                                     " cylinders are impossible. Check it with cckdcdsk."));
  return result_of(header);
}

Result<FilePart> add_volume_file(Geometry& volume, const DeviceHeader& header, std::uint64_t file_bytes, unsigned sequence,
                                 const std::string& path) {
  using Out = FilePart;
  DeviceHeader file = header;
  const std::uint64_t cylinder_bytes = std::uint64_t{file.heads} * file.track_bytes;
  const std::uint64_t track_space = file_bytes < kDeviceHeaderBytes ? 0 : file_bytes - kDeviceHeaderBytes;
  const std::uint64_t cylinders = track_space / cylinder_bytes;
  if (cylinders == 0 || cylinders * cylinder_bytes != track_space) return failed<Out>(wrong_size(file, file_bytes, path));
  // Some single images carry their number of cylinders as the high cylinder; Hercules takes that as "the only file", and so do we.
  if (sequence == 1 && file.high_cylinder == cylinders) file.file_sequence = 0, file.high_cylinder = 0;
  if (file.file_sequence != sequence && !(file.file_sequence == 0 && sequence == 1))
    return failed<Out>(out_of_sequence(file, sequence, path));
  if (sequence > 1 && (file.heads != volume.heads || file.track_bytes != volume.track_bytes || file.device_type != volume.device_type))
    return failed<Out>(
        Status::error(path + " has another device type or track size than its volume's first file: it belongs to another volume."));
  const std::uint64_t total = volume.cylinders + cylinders;
  if (total * file.heads > kMaxTracks)
    return failed<Out>(Status::error(path + " makes a volume of more than " + text(kMaxTracks) + " tracks, which no CKD device has."));
  if (file.high_cylinder != 0 && file.high_cylinder + 1u != total)
    return failed<Out>(Status::error(path + " says it ends with cylinder " + text(file.high_cylinder) + ", and by its size it ends with " +
                                     text(total - 1) + ": the image is truncated, or a file of the volume was replaced."));
  const FilePart part{volume.cylinders, static_cast<std::uint32_t>(cylinders), file.high_cylinder == 0};
  volume.device_type = file.device_type;
  volume.heads = file.heads;
  volume.track_bytes = file.track_bytes;
  volume.cylinders = static_cast<std::uint32_t>(total);
  return result_of(part);
}

Result<std::string> volume_file_path(const std::string& path, unsigned sequence) {
  if (sequence <= 1) return result_of(path);
  const std::size_t slash = path.rfind('/');
  const std::size_t name = slash == std::string::npos ? 0 : slash + 1;
  std::size_t dot = path.find('.', name);
  if (dot == std::string::npos) dot = path.size();
  if (dot == name)
    return failed<std::string>(Status::error(path + " is one of several files of a volume, and its name has no place for the file's number "
                                                    "before the dot: rename it to something like vol_1.ckd."));
  std::string result = path;
  result[dot - 1] = static_cast<char>(sequence <= 9 ? '0' + sequence : 'A' - 10 + sequence);
  return result_of(std::move(result));
}

}  // namespace afterimage
