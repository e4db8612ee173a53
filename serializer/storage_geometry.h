// Where each part of common storage lies, computed from its counts, and the judgement of a header found in a segment. Pure.
#pragma once

#include <string>

#include "serializer/status.h"
#include "serializer/storage_layout.h"

namespace afterimage {

struct StorageShape;

struct StorageGeometry {
  std::uint64_t sequence_entries = 0;  // power of two
  std::uint32_t chunk_count = 0, chunk_bytes = 0;
  std::uint32_t system_count = 0, device_count = 0;
  std::uint64_t map_bytes = 0;  // one map of one device
  std::uint64_t control_offset = 0, systems_offset = 0, devices_offset = 0, entries_offset = 0, chunk_words_offset = 0, maps_offset = 0,
                chunks_offset = 0, total_bytes = 0;
};

// The geometry for a wanted shape, or the sentence that says which number of it is out of bounds.
Result<StorageGeometry> geometry_for(const StorageShape& shape);
// Sets the geometry's fields, and the header's CRC last: everything else above it is already set.
void fill_header(const StorageGeometry& geometry, StorageHeader& header);
// Judges a header of a segment of `mapped_bytes` bytes; every count and offset is checked against what this program computes from it.
// `name` is for the sentence. The header need not be marked ready.
Result<StorageGeometry> geometry_of(const StorageHeader& header, std::uint64_t mapped_bytes, const std::string& name);

}  // namespace afterimage
