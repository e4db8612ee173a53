// Computes the parts' places and checks a header against them.
#include "serializer/storage_geometry.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstring>
#include <string_view>

#include "serializer/common_storage.h"
#include "serializer/crc32c.h"

namespace afterimage {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
constexpr std::uint64_t kSmallestSlotBytes = sizeof(SlotHeader) + kUnitBytes;

constexpr std::uint64_t up_to(std::uint64_t value, std::uint64_t unit) { return (value + unit - 1) / unit * unit; }

// Counts are already within their bounds, so nothing here overflows.
void place_parts(StorageGeometry& g) {
  g.control_offset = up_to(sizeof(StorageHeader), kUnitBytes);
  g.systems_offset = up_to(g.control_offset + sizeof(ControlBlock), kUnitBytes);
  g.devices_offset = up_to(g.systems_offset + g.system_count * sizeof(SystemEntry), kUnitBytes);
  g.entries_offset = up_to(g.devices_offset + g.device_count * sizeof(DeviceEntry), kUnitBytes);
  g.chunk_words_offset = up_to(g.entries_offset + g.sequence_entries * sizeof(SequenceEntry), kUnitBytes);
  g.maps_offset = up_to(g.chunk_words_offset + g.chunk_count * sizeof(ChunkWord), kUnitBytes);
  g.chunks_offset = up_to(g.maps_offset + g.device_count * 2 * g.map_bytes, kPageBytes);
  g.total_bytes = g.chunks_offset + static_cast<std::uint64_t>(g.chunk_count) * g.chunk_bytes;
}

// Why the counts cannot be, or null.
const char* fault_in_counts(const StorageGeometry& g) {
  if (g.system_count == 0 || g.system_count > kMaxSystems) return "the number of systems";
  if (g.device_count == 0 || g.device_count > kMaxDevices) return "the number of devices";
  if (g.chunk_bytes < kMinChunkBytes || g.chunk_bytes > kChunkBytesLimit || g.chunk_bytes % kPageBytes != 0) return "the chunk size";
  if (g.chunk_count < 2 || static_cast<std::uint64_t>(g.chunk_count) * g.chunk_bytes > kMaxRingBytes) return "the number of chunks";
  if (g.sequence_entries < kMinSequenceEntries || g.sequence_entries > kMaxSequenceEntries || !std::has_single_bit(g.sequence_entries))
    return "the number of sequence entries";
  if (g.sequence_entries < 2ull * g.device_count) return "the number of sequence entries";
  if (g.map_bytes == 0 || g.map_bytes % kUnitBytes != 0 || g.map_bytes > up_to(kMaxTracks / 8, kUnitBytes))
    return "the size of the change maps";
  return nullptr;
}

Result<StorageGeometry> refused(const std::string& name, const std::string& why) {
  return failed<StorageGeometry>(Status::error(
      "Common storage " + name + " " + why + ": stop every program that uses it, then remove it and start again.", Severity::kSevere));
}

std::uint32_t crc_of(const StorageHeader& header) { return crc32c(0, &header, offsetof(StorageHeader, crc)); }

std::string bounded_text(const char* text, std::size_t most) { return {text, strnlen(text, most)}; }

}  // namespace

Result<StorageGeometry> geometry_for(const StorageShape& shape) {
  const auto bad = [](const std::string& text) { return failed<StorageGeometry>(Status::error(text)); };
  if (shape.chunk_bytes < kMinChunkBytes || shape.chunk_bytes > kChunkBytesLimit || shape.chunk_bytes % kPageBytes != 0)
    return bad("Chunk size " + std::to_string(shape.chunk_bytes) + " of common storage is not a multiple of 4096 from " +
               std::to_string(kMinChunkBytes) + " to " + std::to_string(kChunkBytesLimit) + "; choose one that is.");
  if (shape.ring_bytes < 2ull * shape.chunk_bytes || shape.ring_bytes > kMaxRingBytes)
    return bad("Ring size " + std::to_string(shape.ring_bytes) + " of common storage is not from two chunks (" +
               std::to_string(2ull * shape.chunk_bytes) + ") to " + std::to_string(kMaxRingBytes) + " bytes; choose one that is.");
  if (shape.max_tracks > kMaxTracks)
    return bad("Common storage cannot hold change maps for " + std::to_string(shape.max_tracks) + " tracks; the largest volume has " +
               std::to_string(kMaxTracks) + ".");
  if (shape.devices > kMaxDevices)
    return bad("Common storage cannot hold " + std::to_string(shape.devices) + " devices; the most is " + std::to_string(kMaxDevices) +
               ".");
  StorageGeometry g;
  g.chunk_bytes = shape.chunk_bytes;
  g.chunk_count = static_cast<std::uint32_t>((shape.ring_bytes + shape.chunk_bytes - 1) / shape.chunk_bytes);
  if (static_cast<std::uint64_t>(g.chunk_count) * g.chunk_bytes > kMaxRingBytes) g.chunk_count -= 1;
  g.system_count = kMaxSystems;
  g.device_count = shape.devices != 0 ? shape.devices : kMaxDevices;
  const std::uint64_t wanted = shape.sequence_entries != 0 ? shape.sequence_entries : shape.ring_bytes / kSmallestSlotBytes;
  if (wanted > kMaxSequenceEntries)
    return bad("Common storage cannot hold " + std::to_string(wanted) + " sequence entries; the most is " +
               std::to_string(kMaxSequenceEntries) + ".");
  g.sequence_entries = std::bit_ceil(std::max<std::uint64_t>({wanted, kMinSequenceEntries, 2ull * g.device_count}));
  g.map_bytes = up_to(((shape.max_tracks != 0 ? shape.max_tracks : kMaxTracks / 8) + 7) / 8, kUnitBytes);
  place_parts(g);
  return result_of(g);
}

void fill_header(const StorageGeometry& g, StorageHeader& header) {
  header.layout_version = kLayoutVersion;
  header.header_bytes = sizeof(StorageHeader);
  header.total_bytes = g.total_bytes;
  header.sequence_entries = g.sequence_entries;
  header.chunk_count = g.chunk_count;
  header.chunk_bytes = g.chunk_bytes;
  header.system_count = g.system_count;
  header.device_count = g.device_count;
  header.map_bytes_per_device = g.map_bytes;
  header.control_offset = g.control_offset;
  header.systems_offset = g.systems_offset;
  header.devices_offset = g.devices_offset;
  header.entries_offset = g.entries_offset;
  header.chunk_words_offset = g.chunk_words_offset;
  header.maps_offset = g.maps_offset;
  header.chunks_offset = g.chunks_offset;
  header.crc = crc_of(header);
}

Result<StorageGeometry> geometry_of(const StorageHeader& header, std::uint64_t mapped_bytes, const std::string& name) {
  if (mapped_bytes < sizeof(StorageHeader)) return refused(name, "is shorter (" + std::to_string(mapped_bytes) + " bytes) than its header");
  if (std::memcmp(header.magic, kStorageMagic, sizeof kStorageMagic) != 0) return refused(name, "does not begin as common storage does");
  if (header.layout_version != kLayoutVersion)
    return failed<StorageGeometry>(Status::error(
        "Common storage " + name + " has layout " + std::to_string(header.layout_version) + " (made by Afterimage " +
            bounded_text(header.product_version, sizeof header.product_version) + "); this is " AFTERIMAGE_VERSION " with layout " +
            std::to_string(kLayoutVersion) + ": stop the programs of the other version first, or use one version for all of them.",
        Severity::kSevere));
  if (header.crc != crc_of(header)) return refused(name, "is damaged (its header fails its check)");
  StorageGeometry g;
  g.sequence_entries = header.sequence_entries;
  g.chunk_count = header.chunk_count;
  g.chunk_bytes = header.chunk_bytes;
  g.system_count = header.system_count;
  g.device_count = header.device_count;
  g.map_bytes = header.map_bytes_per_device;
  if (const char* fault = fault_in_counts(g)) return refused(name, std::string("is damaged (") + fault + " is out of bounds)");
  place_parts(g);
  if (header.header_bytes != sizeof(StorageHeader) || header.control_offset != g.control_offset ||
      header.systems_offset != g.systems_offset || header.devices_offset != g.devices_offset || header.entries_offset != g.entries_offset ||
      header.chunk_words_offset != g.chunk_words_offset || header.maps_offset != g.maps_offset || header.chunks_offset != g.chunks_offset)
    return refused(name, "is damaged (its parts are not where layout " + std::to_string(kLayoutVersion) + " has them)");
  if (header.total_bytes != g.total_bytes || mapped_bytes != g.total_bytes)
    return refused(name, "has " + std::to_string(mapped_bytes) + " bytes where its header asks for " + std::to_string(g.total_bytes));
  return result_of(g);
}

}  // namespace afterimage
