// The bytes of the journal: file header, record header, and the mapping between positions and files (docs/FORMATS.md, "Journal"). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

namespace afterimage {

inline constexpr std::uint16_t kJournalVersion = 1;
inline constexpr std::uint64_t kJournalHeaderBytes = 4096;  // of each file; records begin behind it
inline constexpr std::uint64_t kJournalAlign = 64;          // records begin at multiples of this
inline constexpr std::uint32_t kRecordHeaderBytes = 32;
inline constexpr std::uint64_t kJournalPositions = std::uint64_t{1} << 62;  // none is as far: 14 years at ten gigabytes a second
inline constexpr std::uint64_t kDurableMarkAt = 512;                        // of each file: a sector of its own
inline constexpr std::uint32_t kDurableMarkBytes = 32;

struct JournalFileHeader {
  std::uint16_t index = 0, files = 0;  // this file's place among all
  std::uint64_t file_bytes = 0;        // header included
  std::uint64_t journal_id = 0;        // the same in all files; seeds every record's CRC, so that no payload can look like a record
  std::uint64_t base_segment = 0;      // records of earlier segments are void (reset)
  friend bool operator==(const JournalFileHeader&, const JournalFileHeader&) = default;
};

enum class RecordType : std::uint16_t { kData = 1, kSkip = 2 };  // kSkip: nothing follows in this file; length counts what is left out

struct RecordHeader {
  RecordType type = RecordType::kData;
  std::uint32_t length = 0;    // payload bytes
  std::uint64_t position = 0;  // of this header
  std::uint32_t payload_crc = 0;
  // Of those just before it, so many were not yet durable when it was written. Tells a record that a crash tore before its sync from one
  // that was damaged after it.
  std::uint32_t unsynced_bytes = 0;
  std::uint64_t durable_before() const { return position - unsynced_bytes; }
};

// A position counts payload space over all uses of all files: segment = position / segment_bytes, file = segment modulo files.
struct JournalShape {
  std::uint16_t files = 2;
  std::uint64_t segment_bytes = 0;  // of one file, without its header; a multiple of kJournalAlign
  std::uint64_t segment_of(std::uint64_t position) const { return position / segment_bytes; }
  std::uint64_t start_of(std::uint64_t segment) const { return segment * segment_bytes; }
  std::uint16_t file_of(std::uint64_t segment) const { return static_cast<std::uint16_t>(segment % files); }
  std::uint64_t offset_of(std::uint64_t position) const { return kJournalHeaderBytes + position % segment_bytes; }
};

// Space a record of `length` payload bytes takes.
constexpr std::uint64_t record_space(std::uint64_t length) {
  return (kRecordHeaderBytes + length + kJournalAlign - 1) / kJournalAlign * kJournalAlign;
}

void put_file_header(std::span<std::uint8_t> into, const JournalFileHeader& header);   // 64 bytes are used
std::optional<JournalFileHeader> get_file_header(std::span<const std::uint8_t> from);  // nothing when it breaks a rule of the format
void put_record_header(std::span<std::uint8_t> into, const RecordHeader& header, std::uint64_t journal_id);
std::optional<RecordHeader> get_record_header(std::span<const std::uint8_t> from, std::uint64_t journal_id);
// The durable mark: everything before that position was durable when it was written.
void put_durable_mark(std::span<std::uint8_t> into, std::uint64_t position, std::uint64_t journal_id);
std::optional<std::uint64_t> get_durable_mark(std::span<const std::uint8_t> from, std::uint64_t journal_id);
std::uint32_t payload_crc(std::span<const std::uint8_t> payload, std::uint64_t journal_id);

}  // namespace afterimage
