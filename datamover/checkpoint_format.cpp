// Codec of the checkpoint.
#include "datamover/checkpoint_format.h"

#include <algorithm>
#include <cstring>
#include <optional>

#include "serializer/bytes.h"
#include "serializer/crc32c.h"
#include "serializer/limits.h"
#include "vtam_link/names.h"

namespace afterimage {

namespace {

constexpr char kMagic[8] = {'A', 'I', 'C', 'K', 'P', 'T', '0', '1'};
constexpr std::size_t kVersionAt = 8, kVolumesAt = 10, kLengthAt = 12, kSessionAt = 16, kGenerationAt = 24, kStateAt = 32, kFlagsAt = 34,
                      kReservedAt = 36, kNumbersAt = 40;
constexpr std::size_t kVolumeReservedAt = 40;
constexpr std::size_t kCrcBytes = 4;
constexpr std::uint16_t kEndedInOrder = 1;

// The 64-bit fields in their order on disk.
template <typename C, typename F>
void each_number(C& c, F&& f) {
  f(c.epoch);
  f(c.storage_id);
  f(c.applied_through);
  f(c.applied_tod);
  f(c.consistency_time);
  f(c.known_through);
  f(c.known_tod);
  f(c.last_message);
  f(c.last_own_message);
  f(c.last_sent);
  f(c.journal_position);
  f(c.recovered_at);
}
static_assert(kNumbersAt + 12 * 8 == kCheckpointFixedBytes);

void put_volume(std::uint8_t* p, const VolumeDescriptor& volume) {
  put_padded(p, 8, volume.volser);
  put_padded(p + 8, 8, volume.secondary_volser);
  put_padded(p + 16, 8, volume.system);
  put_u16(p + 24, volume.device_number);
  put_u16(p + 26, volume.device_type);
  put_u32(p + 28, volume.cylinders);
  put_u32(p + 32, volume.heads);
  put_u32(p + 36, volume.track_bytes);
  put_u64(p + 40, 0);
}

std::optional<VolumeDescriptor> get_volume(const std::uint8_t* p) {
  const auto volser = get_padded(p, 8), secondary = get_padded(p + 8, 8), system = get_padded(p + 16, 8);
  if (!volser || !secondary || !system) return {};
  VolumeDescriptor volume;
  volume.volser = *volser;
  volume.secondary_volser = *secondary;
  volume.system = *system;
  volume.device_number = get_u16(p + 24);
  volume.device_type = get_u16(p + 26);
  volume.cylinders = get_u32(p + 28);
  volume.heads = get_u32(p + 32);
  volume.track_bytes = get_u32(p + 36);
  return volume;
}

Result<StoredCheckpoint> refused(std::string text) { return failed<StoredCheckpoint>(Status::error(std::move(text))); }

bool all_zero(const std::uint8_t* p, std::size_t bytes) {
  return std::all_of(p, p + bytes, [](std::uint8_t b) { return b == 0; });
}

// Empty when the fields can be carried and contradict neither each other nor the format: asked before writing and after reading, so that
// nothing is written that could not be read again.
std::string why_not_fields(const StoredCheckpoint& stored) {
  const Checkpoint& checkpoint = stored.checkpoint;
  if (!is_name(stored.session)) return "its session name is not a name of 1 to 8 characters";
  const auto state = static_cast<unsigned>(checkpoint.state);
  if (state > static_cast<unsigned>(SecondaryState::kEnded)) return "its state " + std::to_string(state) + " is unknown";
  if (checkpoint.known_through < checkpoint.applied_through) return "its point B is before its applied writes";
  if (checkpoint.volumes.size() > kMaxDevices) return "it has more than " + std::to_string(kMaxDevices) + " volumes";
  for (const VolumeDescriptor& volume : checkpoint.volumes) {
    if (!is_volser(volume.volser) || !is_volser(volume.secondary_volser)) return "a volser in its volume table is not a volser";
    if (!volume.system.empty() && !is_name(volume.system)) return "a system in its volume table is not a name";
  }
  return {};
}

// Empty when magic, version, length and CRC agree.
std::string why_not_frame(std::span<const std::uint8_t> bytes) {
  if (bytes.size() < kCheckpointFixedBytes + kCrcBytes) return "it has only " + std::to_string(bytes.size()) + " bytes";
  if (std::memcmp(bytes.data(), kMagic, sizeof kMagic) != 0) return "it does not begin with the mark of a checkpoint";
  const unsigned version = get_u16(bytes.data() + kVersionAt);
  if (version != kCheckpointVersion)
    return "it is of version " + std::to_string(version) + " and this release reads version " + std::to_string(kCheckpointVersion);
  const std::size_t volumes = get_u16(bytes.data() + kVolumesAt);
  const std::size_t length = encoded_checkpoint_bytes(volumes);
  if (volumes > kMaxDevices || bytes.size() != length || get_u32(bytes.data() + kLengthAt) != length)
    return "its length does not agree with its " + std::to_string(volumes) + " volumes";
  const std::size_t covered = bytes.size() - kCrcBytes;
  if (get_u32(bytes.data() + covered) != crc32c(0, bytes.data(), covered)) return "its CRC does not agree with its bytes";
  return {};
}

}  // namespace

std::size_t encoded_checkpoint_bytes(std::size_t volumes) { return kCheckpointFixedBytes + volumes * kCheckpointVolumeBytes + kCrcBytes; }

Result<std::vector<std::uint8_t>> encode_checkpoint(const StoredCheckpoint& stored) {
  using Bytes = std::vector<std::uint8_t>;
  const Checkpoint& checkpoint = stored.checkpoint;
  if (const std::string reason = why_not_fields(stored); !reason.empty())
    return failed<Bytes>(Status::error("A checkpoint cannot be written: " + reason + "."));
  Bytes bytes(encoded_checkpoint_bytes(checkpoint.volumes.size()));
  std::uint8_t* p = bytes.data();
  std::memcpy(p, kMagic, sizeof kMagic);
  put_u16(p + kVersionAt, kCheckpointVersion);
  put_u16(p + kVolumesAt, static_cast<std::uint16_t>(checkpoint.volumes.size()));
  put_u32(p + kLengthAt, static_cast<std::uint32_t>(bytes.size()));
  put_padded(p + kSessionAt, kNameBytes, stored.session);
  put_u64(p + kGenerationAt, stored.generation);
  put_u16(p + kStateAt, static_cast<std::uint16_t>(checkpoint.state));
  put_u16(p + kFlagsAt, checkpoint.ended_in_order ? kEndedInOrder : std::uint16_t{0});
  std::uint8_t* at = p + kNumbersAt;
  each_number(checkpoint, [&](std::uint64_t value) {
    put_u64(at, value);
    at += 8;
  });
  for (const VolumeDescriptor& volume : checkpoint.volumes) {
    put_volume(at, volume);
    at += kCheckpointVolumeBytes;
  }
  put_u32(at, crc32c(0, p, bytes.size() - kCrcBytes));
  return result_of(std::move(bytes));
}

Result<StoredCheckpoint> decode_checkpoint(std::span<const std::uint8_t> bytes) {
  std::string reason = why_not_frame(bytes);
  if (!reason.empty()) return refused(std::move(reason));
  const std::uint8_t* p = bytes.data();
  StoredCheckpoint stored;
  Checkpoint& checkpoint = stored.checkpoint;
  const auto session = get_padded(p + kSessionAt, kNameBytes);
  if (!session) return refused("its session name has a blank inside");
  stored.session = *session;
  stored.generation = get_u64(p + kGenerationAt);
  const unsigned state = get_u16(p + kStateAt);
  if (state > 0xFF) return refused("its state " + std::to_string(state) + " is unknown");
  checkpoint.state = static_cast<SecondaryState>(state);
  const unsigned flags = get_u16(p + kFlagsAt);
  if (flags > kEndedInOrder) return refused("its flags " + std::to_string(flags) + " are unknown");
  checkpoint.ended_in_order = flags == kEndedInOrder;
  if (!all_zero(p + kReservedAt, kNumbersAt - kReservedAt)) return refused("a reserved byte is not zero");
  const std::uint8_t* at = p + kNumbersAt;
  each_number(checkpoint, [&](std::uint64_t& value) {
    value = get_u64(at);
    at += 8;
  });
  const std::size_t volumes = get_u16(p + kVolumesAt);
  for (std::size_t i = 0; i < volumes; ++i, at += kCheckpointVolumeBytes) {
    if (!all_zero(at + kVolumeReservedAt, kCheckpointVolumeBytes - kVolumeReservedAt))
      return refused("a reserved byte in its volume table is not zero");
    auto volume = get_volume(at);
    if (!volume) return refused("a name in its volume table has a blank inside");
    checkpoint.volumes.push_back(std::move(*volume));
  }
  reason = why_not_fields(stored);
  if (!reason.empty()) return refused(std::move(reason));
  return result_of(std::move(stored));
}

}  // namespace afterimage
