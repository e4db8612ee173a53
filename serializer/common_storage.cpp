// io: makes, opens and removes the segment. Whoever makes it holds an flock on it meanwhile, which the kernel drops if the maker dies,
// so that a half-made segment is told from one being made.
#include "serializer/common_storage.h"

#include <unistd.h>

#include <algorithm>
#include <boost/interprocess/mapped_region.hpp>
#include <boost/interprocess/shared_memory_object.hpp>
#include <cstring>
#include <new>
#include <random>

#include "serializer/check.h"
#include "serializer/clock.h"
#include "serializer/file_lock.h"
#include "serializer/segment_file.h"
#include "serializer/short_name.h"
#include "serializer/storage_geometry.h"

namespace afterimage {
namespace bip = boost::interprocess;

struct CommonStorage::Impl {
  std::string name;
  bip::shared_memory_object object;
  bip::mapped_region region;
  StorageGeometry geometry;
  std::uint8_t* base = nullptr;
};

namespace {

Status check_plex_name(const std::string& plex) {
  if (is_short_name(plex)) return Status::ok();
  return Status::error("Plex name '" + plex + "' is not 1 to 8 characters of A-Z 0-9 @ # $, the first no digit; choose one that is.");
}

using Opened = Result<std::unique_ptr<CommonStorage>>;

Opened refuse(std::string text, Severity severity = Severity::kError) {
  return failed<std::unique_ptr<CommonStorage>>(Status::error(std::move(text), severity));
}

void copy_name(char* to, std::size_t size, std::string_view from) {
  std::memset(to, 0, size);
  std::memcpy(to, from.data(), std::min(from.size(), size - 1));
}

// The pages are new and zero: a zero control word, entry, chunk word and map is each the right first value.
void initialise(std::uint8_t* base, const StorageGeometry& geometry, const StorageShape& shape) {
  auto* header = new (base) StorageHeader{};
  new (base + geometry.control_offset) ControlBlock{};
  for (std::uint32_t i = 0; i < geometry.system_count; ++i) new (base + geometry.systems_offset + i * sizeof(SystemEntry)) SystemEntry{};
  for (std::uint32_t i = 0; i < geometry.device_count; ++i) new (base + geometry.devices_offset + i * sizeof(DeviceEntry)) DeviceEntry{};
  std::memcpy(header->magic, kStorageMagic, sizeof kStorageMagic);
  copy_name(header->product_version, sizeof header->product_version, AFTERIMAGE_VERSION);
  copy_name(header->plex, sizeof header->plex, shape.plex);
  std::random_device random;
  header->storage_id = (static_cast<std::uint64_t>(random()) << 32) | random();
  header->created = clock_tod();
  fill_header(geometry, *header);
  auto& control = *reinterpret_cast<ControlBlock*>(base + geometry.control_offset);
  control.pace_limit_ms.store(kPaceLimit_ms);
  control.freeze_limit_ms.store(kFreezeLimit_ms);
  header->ready.store(1, std::memory_order_release);
}

}  // namespace

CommonStorage::CommonStorage(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CommonStorage::~CommonStorage() = default;

std::string CommonStorage::segment_name(const std::string& plex, const std::string& override_name) {
  if (!override_name.empty()) return override_name;
  return "afterimage." + plex + "." + std::to_string(::geteuid());
}

Result<std::unique_ptr<CommonStorage>> CommonStorage::attach(std::unique_ptr<Impl> impl, std::uint64_t bytes) {
  impl->region = bip::mapped_region(impl->object, bip::read_write, 0, bytes);
  impl->base = static_cast<std::uint8_t*>(impl->region.get_address());
  const auto& header = *reinterpret_cast<const StorageHeader*>(impl->base);
  auto geometry = geometry_of(header, bytes, impl->name);
  if (!geometry.good()) return {geometry.status, nullptr};
  impl->geometry = geometry.value;
  return result_of(std::unique_ptr<CommonStorage>(new CommonStorage(std::move(impl))));
}

// Called with the lock held.
Result<std::unique_ptr<CommonStorage>> CommonStorage::make(std::unique_ptr<Impl> impl, const StorageShape& shape, bool& made) {
  const auto geometry = geometry_for(shape);
  if (!geometry.good()) return {geometry.status, nullptr};
  const std::uint64_t bytes = geometry.value.total_bytes;
  const Status allocated = allocate_segment(impl->object, impl->name, bytes);
  if (!allocated.good()) return {allocated, nullptr};
  impl->region = bip::mapped_region(impl->object, bip::read_write, 0, bytes);
  initialise(static_cast<std::uint8_t*>(impl->region.get_address()), geometry.value, shape);
  made = true;
  return attach(std::move(impl), bytes);
}

Result<std::unique_ptr<CommonStorage>> CommonStorage::create_or_open(const std::string& name, const StorageShape& shape) {
  const Status plex = check_plex_name(shape.plex);
  if (!plex.good()) return {plex, nullptr};
  const auto geometry = geometry_for(shape);
  if (!geometry.good()) return {geometry.status, nullptr};
  try {
    for (int attempt = 0; attempt < 100; ++attempt) {
      auto impl = std::make_unique<Impl>();
      impl->name = name;
      impl->object = bip::shared_memory_object(bip::open_or_create, name.c_str(), bip::read_write, bip::permissions(0600));
      const int fd = segment_descriptor(impl->object);
      const FileLock lock(fd);
      if (!lock.held()) return refuse("Common storage " + name + " is being made by another program that has stopped: resume or end it.");
      if (!segment_still_named(impl->object, name)) continue;
      std::uint64_t bytes = 0;
      const Status ours = segment_bytes(impl->object, name, bytes);
      if (!ours.good()) return {ours, nullptr};
      if (!segment_is_unfinished(impl->object)) {
        auto opened = attach(std::move(impl), bytes);
        if (opened.good() && shape.plex != opened.value->header().plex)
          return refuse("Common storage " + name + " belongs to plex " +
                        std::string(opened.value->header().plex, strnlen(opened.value->header().plex, 16)) + ", not " + shape.plex +
                        ": give the plex another name for its storage.");
        return opened;
      }
      bool made = false;
      auto result = make(std::move(impl), shape, made);
      if (!made) bip::shared_memory_object::remove(name.c_str());
      return result;
    }
    return refuse("Common storage " + name + " is being removed and made again by others without end: stop them first.");
  } catch (const bip::interprocess_exception& problem) {
    return refuse("Common storage " + name + " cannot be made: " + problem.what() + ".", Severity::kSevere);
  }
}

Result<std::unique_ptr<CommonStorage>> CommonStorage::open(const std::string& name) {
  try {
    auto impl = std::make_unique<Impl>();
    impl->name = name;
    impl->object = bip::shared_memory_object(bip::open_only, name.c_str(), bip::read_write);
    std::uint64_t bytes = 0;
    Status ours = segment_bytes(impl->object, name, bytes);
    if (!ours.good()) return {ours, nullptr};
    if (!segment_is_ready(impl->object)) {
      const FileLock lock(segment_descriptor(impl->object));
      if (!lock.held()) return refuse("Common storage " + name + " is still being made by another program: try again.", Severity::kWarning);
      if (segment_is_unfinished(impl->object))
        return refuse("Common storage " + name + " was not finished (its maker ended): start dsmd, which makes it anew.",
                      Severity::kWarning);
    }
    // Its length counts only from here: while it was being made it changed.
    ours = segment_bytes(impl->object, name, bytes);
    if (!ours.good()) return {ours, nullptr};
    if (bytes < sizeof(StorageHeader))
      return refuse("Common storage " + name + " is shorter (" + std::to_string(bytes) +
                        " bytes) than its header: stop every program that uses it, then remove it and start again.",
                    Severity::kSevere);
    return attach(std::move(impl), bytes);
  } catch (const bip::interprocess_exception& problem) {
    if (problem.get_error_code() == bip::not_found_error)
      return refuse("There is no common storage " + name + ": start dsmd, which makes it.", Severity::kWarning);
    return refuse("Common storage " + name + " cannot be opened: " + problem.what() + ".");
  }
}

bool CommonStorage::remove(const std::string& name) { return bip::shared_memory_object::remove(name.c_str()); }

const std::string& CommonStorage::name() const { return impl_->name; }
bool CommonStorage::still_named() const { return segment_still_named(impl_->object, impl_->name); }
StorageHeader& CommonStorage::header() { return *reinterpret_cast<StorageHeader*>(impl_->base); }
ControlBlock& CommonStorage::control() { return *reinterpret_cast<ControlBlock*>(impl_->base + impl_->geometry.control_offset); }
const ControlBlock& CommonStorage::control() const {
  return *reinterpret_cast<const ControlBlock*>(impl_->base + impl_->geometry.control_offset);
}
std::uint32_t CommonStorage::system_count() const { return impl_->geometry.system_count; }
std::uint32_t CommonStorage::device_count() const { return impl_->geometry.device_count; }
std::uint32_t CommonStorage::chunk_count() const { return impl_->geometry.chunk_count; }
std::uint32_t CommonStorage::chunk_bytes() const { return impl_->geometry.chunk_bytes; }
std::uint64_t CommonStorage::sequence_entries() const { return impl_->geometry.sequence_entries; }
std::uint64_t CommonStorage::map_words() const { return impl_->geometry.map_bytes / sizeof(std::uint64_t); }

namespace {
std::uint32_t checked(std::uint32_t index, std::uint32_t count) {
  AI_CHECK(index < count);
  return index < count ? index : 0;
}
}  // namespace

SystemEntry& CommonStorage::system(std::uint32_t index) {
  return reinterpret_cast<SystemEntry*>(impl_->base + impl_->geometry.systems_offset)[checked(index, system_count())];
}
DeviceEntry& CommonStorage::device(std::uint32_t index) {
  return reinterpret_cast<DeviceEntry*>(impl_->base + impl_->geometry.devices_offset)[checked(index, device_count())];
}
SequenceEntry& CommonStorage::entry(Sequence sequence) {
  return reinterpret_cast<SequenceEntry*>(impl_->base + impl_->geometry.entries_offset)[sequence & (impl_->geometry.sequence_entries - 1)];
}
ChunkWord& CommonStorage::chunk_word(std::uint32_t chunk) {
  return reinterpret_cast<ChunkWord*>(impl_->base + impl_->geometry.chunk_words_offset)[checked(chunk, chunk_count())];
}
std::uint8_t* CommonStorage::chunk(std::uint32_t chunk) {
  return impl_->base + impl_->geometry.chunks_offset + static_cast<std::uint64_t>(checked(chunk, chunk_count())) * chunk_bytes();
}
std::atomic<std::uint64_t>* CommonStorage::change_map(std::uint32_t device) {
  const std::uint64_t place = static_cast<std::uint64_t>(checked(device, device_count())) * 2 * impl_->geometry.map_bytes;
  return reinterpret_cast<std::atomic<std::uint64_t>*>(impl_->base + impl_->geometry.maps_offset + place);
}
std::atomic<std::uint64_t>* CommonStorage::unhardened_map(std::uint32_t device) { return change_map(device) + map_words(); }

}  // namespace afterimage
