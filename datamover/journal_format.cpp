// Codec of the journal's headers.
#include "datamover/journal_format.h"

#include <algorithm>
#include <cstring>

#include "serializer/bytes.h"
#include "serializer/check.h"
#include "serializer/crc32c.h"

namespace afterimage {

namespace {

constexpr char kFileMagic[8] = {'A', 'I', 'J', 'R', 'N', 'L', '0', '1'};
constexpr std::size_t kFileHeaderUsed = 64;
constexpr std::uint32_t kRecordMagic = 0x41494A52;   // "AIJR"
constexpr std::uint32_t kDurableMagic = 0x41494A44;  // "AIJD"

std::uint32_t seed_of(std::uint64_t journal_id) {
  std::uint8_t bytes[8];
  put_u64(bytes, journal_id);
  return crc32c(0, bytes, sizeof bytes);
}

bool all_zero(std::span<const std::uint8_t> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
}

}  // namespace

void put_file_header(std::span<std::uint8_t> into, const JournalFileHeader& header) {
  AI_CHECK(into.size() >= kFileHeaderUsed);
  std::uint8_t* p = into.data();
  std::fill_n(p, kFileHeaderUsed, std::uint8_t{0});
  std::memcpy(p, kFileMagic, sizeof kFileMagic);
  put_u16(p + 8, kJournalVersion);
  put_u16(p + 10, header.index);
  put_u16(p + 12, header.files);
  put_u64(p + 16, header.file_bytes);
  put_u64(p + 24, header.journal_id);
  put_u64(p + 32, header.base_segment);
  put_u32(p + 60, crc32c(0, p, 60));
}

std::optional<JournalFileHeader> get_file_header(std::span<const std::uint8_t> from) {
  if (from.size() < kFileHeaderUsed) return {};
  const std::uint8_t* p = from.data();
  if (std::memcmp(p, kFileMagic, sizeof kFileMagic) != 0 || get_u16(p + 8) != kJournalVersion) return {};
  if (get_u32(p + 60) != crc32c(0, p, 60)) return {};
  if (!all_zero(from.subspan(14, 2)) || !all_zero(from.subspan(40, 20))) return {};
  JournalFileHeader header;
  header.index = get_u16(p + 10);
  header.files = get_u16(p + 12);
  header.file_bytes = get_u64(p + 16);
  header.journal_id = get_u64(p + 24);
  header.base_segment = get_u64(p + 32);
  if (header.file_bytes <= kJournalHeaderBytes || header.base_segment > kJournalPositions / header.file_bytes) return {};
  return header;
}

void put_record_header(std::span<std::uint8_t> into, const RecordHeader& header, std::uint64_t journal_id) {
  AI_CHECK(into.size() >= kRecordHeaderBytes);
  std::uint8_t* p = into.data();
  put_u32(p, kRecordMagic);
  put_u16(p + 4, kJournalVersion);
  put_u16(p + 6, static_cast<std::uint16_t>(header.type));
  put_u32(p + 8, header.length);
  put_u32(p + 12, header.unsynced_bytes);
  put_u64(p + 16, header.position);
  put_u32(p + 24, header.payload_crc);
  put_u32(p + 28, crc32c(seed_of(journal_id), p, 28));
}

std::optional<RecordHeader> get_record_header(std::span<const std::uint8_t> from, std::uint64_t journal_id) {
  if (from.size() < kRecordHeaderBytes) return {};
  const std::uint8_t* p = from.data();
  if (get_u32(p) != kRecordMagic || get_u16(p + 4) != kJournalVersion) return {};
  if (get_u32(p + 28) != crc32c(seed_of(journal_id), p, 28)) return {};
  const unsigned type = get_u16(p + 6);
  if (type != static_cast<unsigned>(RecordType::kData) && type != static_cast<unsigned>(RecordType::kSkip)) return {};
  RecordHeader header;
  header.type = static_cast<RecordType>(type);
  header.length = get_u32(p + 8);
  header.unsynced_bytes = get_u32(p + 12);
  header.position = get_u64(p + 16);
  header.payload_crc = get_u32(p + 24);
  if (header.unsynced_bytes > header.position || header.position >= kJournalPositions) return {};
  if (header.type == RecordType::kSkip && header.payload_crc != 0) return {};
  return header;
}

void put_durable_mark(std::span<std::uint8_t> into, std::uint64_t position, std::uint64_t journal_id) {
  AI_CHECK(into.size() >= kDurableMarkBytes);
  std::uint8_t* p = into.data();
  std::fill_n(p, kDurableMarkBytes, std::uint8_t{0});
  put_u32(p, kDurableMagic);
  put_u16(p + 4, kJournalVersion);
  put_u64(p + 16, position);
  put_u32(p + 28, crc32c(seed_of(journal_id), p, 28));
}

std::optional<std::uint64_t> get_durable_mark(std::span<const std::uint8_t> from, std::uint64_t journal_id) {
  if (from.size() < kDurableMarkBytes) return {};
  const std::uint8_t* p = from.data();
  if (get_u32(p) != kDurableMagic || get_u16(p + 4) != kJournalVersion) return {};
  if (get_u32(p + 28) != crc32c(seed_of(journal_id), p, 28)) return {};
  if (!all_zero(from.subspan(6, 10)) || !all_zero(from.subspan(24, 4))) return {};
  const std::uint64_t position = get_u64(p + 16);
  if (position >= kJournalPositions) return {};
  return position;
}

std::uint32_t payload_crc(std::span<const std::uint8_t> payload, std::uint64_t journal_id) {
  return crc32c(seed_of(journal_id), payload.data(), payload.size());
}

}  // namespace afterimage
