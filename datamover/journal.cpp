// io: the journal: append, sync, replay, release, and finding its end after a crash.
#include "datamover/journal.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "datamover/journal_files.h"
#include "serializer/canary.h"

namespace afterimage {

namespace {

constexpr std::size_t kScanBytes = 1u << 20;

std::string at_position(const std::string& path, std::uint64_t offset, std::uint64_t position) {
  return path + " at byte " + std::to_string(offset) + " (journal position " + std::to_string(position) + ")";
}

}  // namespace

struct Journal::Impl {
  JournalFiles files;
  std::uint64_t begin = 0, released = 0, end = 0;
  std::uint64_t durable = 0;           // everything before it was synced
  std::optional<std::uint16_t> dirty;  // file with bytes that are not synced; never more than one
  bool full = false;
  Status broken = Status::ok();
  std::vector<std::uint8_t> buffer;

  const JournalShape& shape() const { return files.shape; }
  std::string where(std::uint64_t position) const {
    return at_position(files.paths[shape().file_of(shape().segment_of(position))], shape().offset_of(position), position);
  }
  Status read(std::uint64_t position, std::span<std::uint8_t> into) const;
  Status write(std::uint64_t position, std::span<const std::uint8_t> bytes);
  Result<std::optional<RecordHeader>> header_at(std::uint64_t position) const;
  Result<bool> whole_at(const RecordHeader& header);
  std::uint64_t after(const RecordHeader& header) const;
  Status find_end();
  Result<std::optional<std::uint64_t>> newest_segment();
  Status walk(std::uint64_t segment);
  Result<std::uint64_t> durable_mark() const;
  Status settle_tail();
  Status void_records(const std::vector<std::uint64_t>& positions);
  Status leave_segment();
  Status sync_all();
  Status write_again(std::uint64_t from);
  Status write_mark(std::uint16_t file);
  Status sync_only(std::uint16_t file);
  Status sync_dirty(std::uint64_t through);
  std::uint32_t unsynced_bytes(std::uint64_t position) const;
};

Status Journal::Impl::read(std::uint64_t position, std::span<std::uint8_t> into) const {
  const std::uint16_t file = shape().file_of(shape().segment_of(position));
  return read_at(files.handles[file].get(), files.paths[file], shape().offset_of(position), into);
}

Status Journal::Impl::write(std::uint64_t position, std::span<const std::uint8_t> bytes) {
  const std::uint16_t file = shape().file_of(shape().segment_of(position));
  Status status = dirty && *dirty != file ? sync_dirty(end) : Status::ok();
  dirty = file;
  if (status) status = write_at(files.handles[file].get(), files.paths[file], shape().offset_of(position), bytes);
  return status;
}

// The header at that position if there is one that belongs there and whose record ends within its file.
Result<std::optional<RecordHeader>> Journal::Impl::header_at(std::uint64_t position) const {
  using Found = std::optional<RecordHeader>;
  std::array<std::uint8_t, kRecordHeaderBytes> bytes{};
  Status status = read(position, bytes);
  if (!status) return failed<Found>(std::move(status));
  Found header = get_record_header(bytes, files.journal_id);
  const std::uint64_t room = shape().segment_bytes - position % shape().segment_bytes;
  if (header && (header->position != position || header->length > room - kRecordHeaderBytes)) header.reset();
  return result_of(header);
}

// Whether the payload behind a good header is good; leaves it in `buffer`.
Result<bool> Journal::Impl::whole_at(const RecordHeader& header) {
  if (header.type == RecordType::kSkip) return result_of(true);
  buffer.resize(header.length);
  const std::uint16_t file = shape().file_of(shape().segment_of(header.position));
  Status status = read_at(files.handles[file].get(), files.paths[file], shape().offset_of(header.position) + kRecordHeaderBytes, buffer);
  if (!status) return failed<bool>(std::move(status));
  return result_of(payload_crc(buffer, files.journal_id) == header.payload_crc || planted(Canary::kJournalChecksumSkipped));
}

std::uint64_t Journal::Impl::after(const RecordHeader& header) const {
  const std::uint64_t next_segment = shape().start_of(shape().segment_of(header.position) + 1);
  if (header.type == RecordType::kSkip) return next_segment;
  return std::min(header.position + record_space(header.length), next_segment);
}

// Every segment in use begins with a record, whose position tells which segment its file holds.
Result<std::optional<std::uint64_t>> Journal::Impl::newest_segment() {
  using Newest = std::optional<std::uint64_t>;
  std::vector<std::uint64_t> present;
  for (std::uint16_t file = 0; file < shape().files; ++file) {
    std::array<std::uint8_t, kRecordHeaderBytes> bytes{};
    Status status = read_at(files.handles[file].get(), files.paths[file], kJournalHeaderBytes, bytes);
    if (!status) return failed<Newest>(std::move(status));
    const auto header = get_record_header(bytes, files.journal_id);
    if (!header || header->position % shape().segment_bytes != 0) continue;
    const std::uint64_t segment = shape().segment_of(header->position);
    if (segment >= files.base_segment && shape().file_of(segment) == file) present.push_back(segment);
  }
  if (present.empty()) return result_of(Newest());
  std::sort(present.begin(), present.end());
  const std::uint64_t newest = present.back();
  if (newest - present.front() >= shape().files)
    return failed<Newest>(Status::error("The journal files " + files.paths.front() + " and following are of different times; one was " +
                                        "restored alone. Restore all, or copy the volumes and start with an empty directory."));
  std::uint64_t oldest = newest;
  for (auto it = present.rbegin() + 1; it != present.rend() && *it + 1 == oldest; ++it) oldest = *it;
  begin = shape().start_of(oldest);
  return result_of(Newest(newest));
}

Status Journal::Impl::walk(std::uint64_t segment) {
  end = shape().start_of(segment);
  while (shape().segment_of(end) == segment) {
    auto header = header_at(end);
    if (!header.good()) return std::move(header.status);
    if (!header.value) break;
    auto whole = whole_at(*header.value);
    if (!whole.good()) return std::move(whole.status);
    if (!whole.value) break;
    end = after(*header.value);
  }
  return Status::ok();
}

// The furthest position that was once said to be durable.
Result<std::uint64_t> Journal::Impl::durable_mark() const {
  std::uint64_t furthest = 0;
  for (std::uint16_t file = 0; file < shape().files; ++file) {
    std::array<std::uint8_t, kDurableMarkBytes> bytes{};
    Status status = read_at(files.handles[file].get(), files.paths[file], kDurableMarkAt, bytes);
    if (!status) return failed<std::uint64_t>(std::move(status));
    furthest = std::max(furthest, get_durable_mark(bytes, files.journal_id).value_or(0));
  }
  return result_of(furthest);
}

// Where the whole records end, a crash may have torn what was not synced, in any order: later records of the same sync may be whole, and
// are made void, and the torn one, so that none comes back among what is appended now. A record that was durable is not torn by a crash:
// then something was damaged. The durable mark tells, and so does each later record.
Status Journal::Impl::settle_tail() {
  const auto marked = durable_mark();
  if (!marked.good()) return marked.status;
  std::uint64_t was_durable = marked.value;
  std::vector<std::uint64_t> later;
  const std::uint64_t stop = shape().start_of(shape().segment_of(end) + 1);
  std::vector<std::uint8_t> chunk;
  for (std::uint64_t at = end; at < stop; at += chunk.size()) {
    chunk.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kScanBytes, stop - at)));
    Status status = read(at, chunk);
    if (!status) return status;
    for (std::size_t i = 0; i + kRecordHeaderBytes <= chunk.size(); i += kJournalAlign) {
      const auto seen = get_record_header(std::span(chunk).subspan(i), files.journal_id);
      if (!seen || seen->position != at + i) continue;  // an earlier use of the file left other positions
      was_durable = std::max(was_durable, seen->durable_before());
      later.push_back(seen->position);
    }
  }
  if (was_durable > end)
    return Status::error("The journal is damaged: the record in " + where(end) + " cannot be read and everything before position " +
                         std::to_string(was_durable) +
                         " was durable. Restore the file, or recover what the checkpoint covers and start again.");
  Status status = void_records(later);
  if (status) status = write_again(std::min(marked.value, end));
  return status;
}

// What is not known to be durable may be in the page cache only, left there by a process that was killed, or by a sync that failed: what
// the kernel could not write it does not try again unless it is written again.
Status Journal::Impl::write_again(std::uint64_t from) {
  if (end == 0) return Status::ok();
  from = std::max(from, shape().start_of(shape().segment_of(end - 1)));  // earlier segments were synced when they were left
  std::vector<std::uint8_t> chunk;
  Status status = Status::ok();
  for (std::uint64_t at = from; at < end && status; at += chunk.size()) {
    chunk.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kScanBytes, end - at)));
    status = read(at, chunk);
    if (status) status = write(at, chunk);
  }
  return status;
}

Status Journal::Impl::void_records(const std::vector<std::uint64_t>& positions) {
  constexpr std::array<std::uint8_t, kRecordHeaderBytes> kNothing{};
  Status status = Status::ok();
  for (auto it = positions.begin(); it != positions.end() && status; ++it) status = write(*it, kNothing);
  return status;
}

Status Journal::Impl::find_end() {
  begin = end = shape().start_of(files.base_segment);
  auto newest = newest_segment();
  if (!newest.good()) return std::move(newest.status);
  Status status = newest.value ? walk(*newest.value) : Status::ok();
  if (status) status = settle_tail();
  if (status) status = sync_all();
  released = begin;
  return status;
}

// What a killed process left in the page cache is not durable yet, and is about to be taken for it.
Status Journal::Impl::sync_all() {
  for (std::uint16_t file = 0; file < shape().files; ++file)
    if (Status synced = sync_only(file); !synced) return synced;
  durable = end;
  const std::uint16_t marked = shape().file_of(shape().segment_of(end));
  Status status = write_mark(marked);
  if (status) status = sync_only(marked);
  return status;
}

Status Journal::Impl::sync_only(std::uint16_t file) {
  if (::fdatasync(files.handles[file].get()) != 0) return file_error("sync the journal file", files.paths[file], errno);
  dirty.reset();
  return Status::ok();
}

// The mark is not synced itself: it goes with the next sync, and until then it outlives the process.
Status Journal::Impl::sync_dirty(std::uint64_t through) {
  if (!dirty) return Status::ok();
  const std::uint16_t file = *dirty;
  if (Status synced = sync_only(file); !synced) return synced;
  durable = through;
  return write_mark(file);
}

Status Journal::Impl::write_mark(std::uint16_t file) {
  if (planted(Canary::kAppliedMarkNotWritten)) return Status::ok();
  std::array<std::uint8_t, kDurableMarkBytes> mark{};
  put_durable_mark(mark, durable, files.journal_id);
  return write_at(files.handles[file].get(), files.paths[file], kDurableMarkAt, mark);
}

std::uint32_t Journal::Impl::unsynced_bytes(std::uint64_t position) const {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(position - durable, ~std::uint32_t{0}));
}

// Closes the present segment with a skip marker and makes it durable before the next one begins.
Status Journal::Impl::leave_segment() {
  const std::uint64_t next = shape().start_of(shape().segment_of(end) + 1);
  RecordHeader skip;
  skip.type = RecordType::kSkip;
  skip.position = end;
  skip.unsynced_bytes = unsynced_bytes(end);
  skip.length = static_cast<std::uint32_t>(std::min<std::uint64_t>(next - end - kRecordHeaderBytes, ~std::uint32_t{0}));
  std::array<std::uint8_t, kRecordHeaderBytes> bytes{};
  put_record_header(bytes, skip, files.journal_id);
  Status status = write(end, bytes);
  if (status) status = sync_dirty(next);
  if (status) end = next;
  return status;
}

Journal::Journal() : impl_(std::make_unique<Impl>()) {}
Journal::~Journal() = default;

Result<std::unique_ptr<Journal>> Journal::open(const JournalSettings& settings) {
  using Opened = std::unique_ptr<Journal>;
  auto files = open_journal_files(settings);
  if (!files.good()) return failed<Opened>(std::move(files.status));
  Opened journal(new Journal);
  journal->impl_->files = std::move(files.value);
  Status status = journal->impl_->find_end();
  if (!status) return failed<Opened>(std::move(status));
  return result_of(std::move(journal));
}

Status Journal::replay(std::uint64_t position,
                       const std::function<Status(std::uint64_t position, std::span<const std::uint8_t> record)>& visit) {
  Impl& my = *impl_;
  std::uint64_t at = position == 0 ? my.begin : position;
  if (at < my.begin || at > my.end)
    return Status::error("The journal holds positions " + std::to_string(my.begin) + " to " + std::to_string(my.end) + " and position " +
                         std::to_string(at) +
                         " is needed: journal and checkpoint do not belong together. Restore them, or copy the volumes " +
                         "and start with an empty directory.");
  bool skip = planted(Canary::kReplayStartsLate) && position != 0;
  while (at < my.end) {
    auto header = my.header_at(at);
    if (!header.good()) return std::move(header.status);
    auto whole = header.value ? my.whole_at(*header.value) : result_of(false);
    if (!whole.good()) return std::move(whole.status);
    if (!whole.value)
      return Status::error("The journal is damaged: the record in " + my.where(at) +
                           " cannot be read. Restore the file, or recover what the checkpoint covers and start again.");
    if (header.value->type == RecordType::kData && !std::exchange(skip, false)) {
      Status visited = visit(at, my.buffer);
      if (!visited) return visited;
    }
    at = my.after(*header.value);
  }
  return Status::ok();
}

Result<std::uint64_t> Journal::append(std::span<const std::uint8_t> record) {
  using Position = std::uint64_t;
  Impl& my = *impl_;
  my.full = false;
  if (!my.broken) return failed<Position>(my.broken);
  const JournalShape& shape = my.shape();
  if (record.size() > shape.segment_bytes - kRecordHeaderBytes)
    return failed<Position>(Status::error("A message of " + std::to_string(record.size()) +
                                          " bytes does not fit into one file of the journal (" + std::to_string(shape.segment_bytes) +
                                          " bytes); configure a larger journal."));
  const std::uint64_t segment = shape.segment_of(my.end);
  const bool next = record_space(record.size()) > shape.start_of(segment + 1) - my.end;
  if (segment + (next ? 1 : 0) >= shape.segment_of(my.released) + shape.files) {
    my.full = true;
    return failed<Position>(Status::error("The journal " + my.files.paths.front() +
                                          " and following is full: " + std::to_string(my.end - my.released) +
                                          " bytes are not yet released by a checkpoint. Configure a larger journal."));
  }
  Status status = next ? my.leave_segment() : Status::ok();
  RecordHeader header;
  header.length = static_cast<std::uint32_t>(record.size());
  header.position = my.end;
  header.unsynced_bytes = my.unsynced_bytes(my.end);
  header.payload_crc = payload_crc(record, my.files.journal_id);
  my.buffer.resize(kRecordHeaderBytes + record.size());
  put_record_header(my.buffer, header, my.files.journal_id);
  std::copy(record.begin(), record.end(), my.buffer.begin() + kRecordHeaderBytes);
  if (status) status = my.write(my.end, my.buffer);
  if (!status) {
    my.broken = status;
    return failed<Position>(std::move(status));
  }
  my.end = my.after(header);
  const std::uint64_t in_segment = shape.segment_of(header.position);
  if (in_segment >= shape.files) my.begin = std::max(my.begin, shape.start_of(in_segment + 1 - shape.files));
  return result_of(Position{header.position});
}

Status Journal::sync() {
  if (planted(Canary::kJournalNotSynced)) return Status::ok();
  if (!impl_->broken) return impl_->broken;
  Status status = impl_->sync_dirty(impl_->end);
  if (!status) impl_->broken = status;
  return status;
}

Status Journal::release_before(std::uint64_t position) {
  if (position > impl_->end)
    return Status::error("Journal space up to position " + std::to_string(position) + " cannot be released: the journal ends at " +
                         std::to_string(impl_->end) + ".");
  impl_->released = std::max(impl_->released, position);
  return Status::ok();
}

Status Journal::reset() {
  Impl& my = *impl_;
  if (!my.broken) return my.broken;
  const std::uint64_t segment = my.shape().segment_of(my.end);
  my.files.base_segment = segment + (my.end == my.shape().start_of(segment) ? 0 : 1);
  Status status = write_journal_headers(my.files);
  if (!status) {
    my.broken = status;
    return status;
  }
  my.dirty.reset();
  my.begin = my.released = my.end = my.durable = my.shape().start_of(my.files.base_segment);
  return Status::ok();
}

bool Journal::is_full() const { return impl_->full; }
std::uint64_t Journal::begin() const { return impl_->begin; }
std::uint64_t Journal::end() const { return impl_->end; }
std::uint64_t Journal::free_bytes() const {
  return impl_->shape().start_of(impl_->shape().segment_of(impl_->released) + impl_->shape().files) - impl_->end;
}

}  // namespace afterimage
