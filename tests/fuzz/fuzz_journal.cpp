// Fuzz target: the journal, on files in memory. The input is a program of appends, syncs, releases, resets, restarts, losses of the page
// cache and damage; a model remembers every record. Whatever was damaged, a replay gives records that were written, each whole and where it
// was written, in order and without a gap from where it begins; without damage it gives all that was promised. Headers that are right
// after a change (a forger's work; libFuzzer, which sees what a CRC is compared with, forges too) may say anything: then only bounds are
// judged.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>

#include "datamover/journal.h"
#include "datamover/journal_format.h"
#include "serializer/bytes.h"
#include "serializer/crc32c.h"
#include "tests/fuzz/memory_files.h"

namespace afterimage::fuzz {

namespace {

constexpr std::uint32_t kFileBytes = 16384;  // the least a journal takes

struct Written {
  std::uint64_t position = 0;
  std::uint32_t length = 0;
  std::uint8_t first = 0;
};

Bytes payload_of(const Written& written) {
  // A run of a table, so that making it costs no more than copying it.
  static const Bytes table = [] {
    Bytes bytes(kFileBytes + 256);
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(7 * i + i / 256);
    return bytes;
  }();
  return {table.begin() + written.first, table.begin() + written.first + written.length};
}

class World {
 public:
  explicit World(Input input) : input_(input) {
    clear_memory_files();
    settings_.directory = kMemoryFolder;
    settings_.files = 2 + input_.below(2);
    settings_.bytes = std::uint64_t{kFileBytes} * settings_.files;
  }

  void run() {
    reopen();
    if (journal_) FUZZ_CHECK(!Journal::open(settings_).good());  // in use
    for (unsigned step = 0; step < 12 && !input_.empty() && journal_; ++step) one_step();
    if (journal_) {
      journal_.reset();
      reopen();
      if (journal_) replay_all();
    }
    clear_memory_files();
  }

 private:
  void one_step() {
    switch (input_.below(10)) {
      case 0:
      case 1:
      case 2:
        return append();
      case 3:
        return sync();
      case 4:
        return release();
      case 5:
        return reset();
      case 6:  // the process ends, the host goes on
        journal_.reset();
        return reopen();
      case 7:
        return lose_host();
      case 8:
        return damage();
      default:
        return replay_all();
    }
  }

  void append() {
    Written written;
    written.length = input_.u16() % (input_.flag() ? kFileBytes : 600u);
    written.first = input_.u8();
    const std::uint64_t before = journal_->end(), free = journal_->free_bytes();
    const auto position = journal_->append(payload_of(written));
    if (!position.good()) {
      FUZZ_CHECK(is_sentence(position.status.text()));
      FUZZ_CHECK(journal_->end() == before);
      // Full, or a record larger than a file.
      FUZZ_CHECK(journal_->is_full() || record_space(written.length) > kFileBytes - kJournalHeaderBytes);
      return;
    }
    FUZZ_CHECK(!journal_->is_full());
    written.position = position.value;
    FUZZ_CHECK(written.position >= before);
    FUZZ_CHECK(written.position % kJournalAlign == 0);
    FUZZ_CHECK(journal_->end() == written.position + record_space(written.length));
    FUZZ_CHECK(journal_->end() - before <= free);
    written_.push_back(written);
    ever_.emplace(written.position, written);
    trace("append " + std::to_string(written.length) + " at " + std::to_string(written.position));
  }

  void sync() {
    const Status status = journal_->sync();
    FUZZ_CHECK_MORE(status.good(), status.text());
    synced_ = written_.size();
    trace("sync");
  }

  void release() {
    if (written_.empty()) return;
    const std::uint64_t position = input_.flag() ? journal_->end() : written_[input_.u8() % written_.size()].position;
    FUZZ_CHECK(journal_->release_before(position).good() == (position <= journal_->end()));
    FUZZ_CHECK(position <= journal_->end() || forged_);
    released_ = std::max(released_, position);
    trace("release before " + std::to_string(position));
    FUZZ_CHECK(!journal_->release_before(journal_->end() + 1).good());
  }

  void reset() {
    const std::uint64_t end = journal_->end();
    FUZZ_CHECK(journal_->reset().good());
    trace("reset to " + std::to_string(journal_->end()));
    FUZZ_CHECK(journal_->begin() == journal_->end());
    FUZZ_CHECK(journal_->end() >= end);
    written_.clear();
    if (journal_->end() > end) ever_.clear();
    synced_ = 0;
  }

  void lose_host() {
    journal_.reset();
    lose_page_cache([this] { return input_.flag(); });
    trace("the page cache is lost");
    reopen();
    if (journal_) replay_all();
  }

  void damage() {
    const std::string path = std::string(kMemoryFolder) + "/journal." + std::to_string(1 + input_.below(settings_.files));
    journal_.reset();
    const Bytes before = memory_file(path);
    Bytes bytes = before;
    const bool seal = input_.flag();
    const std::size_t at = input_.u16() % bytes.size();
    const View over = input_.bytes(1 + input_.below(40));
    std::copy_n(over.begin(), std::min(over.size(), bytes.size() - at), bytes.begin() + static_cast<std::ptrdiff_t>(at));
    if (seal) forge(bytes, at);
    put_memory_file(path, bytes);
    const bool forged = is_forged(path, before, bytes);
    trace((forged ? "forged in " : "damage in ") + path + " at " + std::to_string(at));
    damaged_ = damaged_ || bytes != before;
    forged_ = forged_ || forged;
    reopen();
    if (journal_) replay_all();
  }

  // Of a file's headers, durable mark included, those whose CRC is right: place and bytes.
  static std::map<std::size_t, Bytes> right_headers(const Bytes& file) {
    std::map<std::size_t, Bytes> found;
    const View bytes(file);
    const auto keep = [&](std::size_t at, std::size_t size) {
      found[at] = Bytes(bytes.begin() + static_cast<std::ptrdiff_t>(at), bytes.begin() + static_cast<std::ptrdiff_t>(at + size));
    };
    const std::uint64_t id = get_u64(file.data() + 24);
    if (get_file_header(bytes)) keep(0, 64);
    if (get_durable_mark(bytes.subspan(kDurableMarkAt), id)) keep(kDurableMarkAt, kDurableMarkBytes);
    for (std::size_t at = kJournalHeaderBytes; at + kRecordHeaderBytes <= file.size(); at += kJournalAlign)
      if (get_record_header(bytes.subspan(at), id)) keep(at, kRecordHeaderBytes);
    return found;
  }

  // After the damage some header is right that is not the one last seen right in its place: damage undone is no forger's work.
  bool is_forged(const std::string& path, const Bytes& before, const Bytes& after) {
    auto& seen = seen_right_[path];
    for (auto& [at, bytes] : right_headers(before)) seen[at] = bytes;
    bool forged = false;
    for (const auto& [at, bytes] : right_headers(after)) forged = forged || seen[at] != bytes;
    return forged;
  }

  static std::uint32_t crc_of(View id, View bytes) { return crc32c(crc32c(0, id.data(), id.size()), bytes.data(), bytes.size()); }

  // Makes the CRC of the header at or before `at` right.
  void forge(Bytes& bytes, std::size_t at) {
    if (at < kJournalHeaderBytes) {
      put_u32(bytes.data() + 60, crc_of({}, View(bytes).first(60)));
      return;
    }
    std::uint8_t id[8];
    std::copy_n(bytes.begin() + 24, 8, id);
    std::uint8_t* header = bytes.data() + at / kJournalAlign * kJournalAlign;
    put_u32(header + 28, crc_of(id, View(header, 28)));
  }

  void reopen() {
    auto opened = Journal::open(settings_);
    if (!opened.good()) {
      FUZZ_CHECK(is_sentence(opened.status.text()));
      FUZZ_CHECK_MORE(damaged_, opened.status.text());
      return;
    }
    journal_ = std::move(opened.value);
    trace("open from " + std::to_string(journal_->begin()) + " to " + std::to_string(journal_->end()));
    FUZZ_CHECK(journal_->begin() <= journal_->end());
    FUZZ_CHECK(forged_ || journal_->end() - journal_->begin() <= settings_.bytes);
    if (forged_) return;
    // What lies behind the end found is gone, in the model too.
    while (!written_.empty() && written_.back().position >= journal_->end()) written_.pop_back();
    if (!damaged_) FUZZ_CHECK(written_.size() >= synced_);
    synced_ = std::min(synced_, written_.size());
    released_ = std::min(released_, journal_->end());  // a checkpoint names only what is durable; here anything may be released
  }

  // From where nothing was released, as a restart does: what lies before may be half overwritten.
  void replay_all() {
    std::vector<std::uint64_t> positions;
    std::uint64_t behind_last = 0;
    const std::uint64_t begin = std::max(journal_->begin(), std::min(released_, journal_->end())), end = journal_->end();
    std::size_t next = first_at(begin);
    const Status status = journal_->replay(begin, [&](std::uint64_t position, View record) {
      FUZZ_CHECK(position >= begin);
      FUZZ_CHECK(position + record_space(record.size()) <= end || forged_);
      FUZZ_CHECK(positions.empty() || position > positions.back());
      // Record behind record, or the first of the next file.
      FUZZ_CHECK(positions.empty() || position == behind_last || position % (kFileBytes - kJournalHeaderBytes) == 0 || forged_);
      behind_last = position + record_space(record.size());
      positions.push_back(position);
      if (forged_) return Status::ok();
      if (damaged_) {  // what was cut off comes back when later damage undoes the earlier
        FUZZ_CHECK(was_written(position, record));
        return Status::ok();
      }
      FUZZ_CHECK(next < written_.size());
      FUZZ_CHECK(written_[next].position == position);
      const Bytes expected = payload_of(written_[next]);
      FUZZ_CHECK(std::equal(record.begin(), record.end(), expected.begin(), expected.end()));
      ++next;
      return Status::ok();
    });
    FUZZ_CHECK(positions.size() <= settings_.bytes / kJournalAlign);
    if (!status.good()) {
      FUZZ_CHECK(is_sentence(status.text()));
      FUZZ_CHECK_MORE(damaged_, status.text());
      return;
    }
    if (damaged_) return;
    FUZZ_CHECK(next == written_.size());
    // Nothing that was not released has been written over.
    if (!written_.empty()) FUZZ_CHECK(journal_->begin() <= std::max(released_, written_.front().position));
  }

  bool was_written(std::uint64_t position, View record) const {
    const auto [from, to] = ever_.equal_range(position);
    return std::any_of(from, to, [&](const auto& each) {
      const Bytes expected = payload_of(each.second);
      return std::equal(record.begin(), record.end(), expected.begin(), expected.end());
    });
  }

  std::size_t first_at(std::uint64_t position) const {
    std::size_t i = 0;
    while (i < written_.size() && written_[i].position < position) ++i;
    return i;
  }

  Input input_;
  JournalSettings settings_;
  std::unique_ptr<Journal> journal_;
  std::vector<Written> written_;
  std::multimap<std::uint64_t, Written> ever_;  // since the last reset, what was cut off again included
  std::size_t synced_ = 0;
  std::uint64_t released_ = 0;
  std::map<std::string, std::map<std::size_t, Bytes>> seen_right_;  // headers, by file and place
  bool damaged_ = false, forged_ = false;
};

// Any 64 bytes are no header, or the bytes that the header they name is written as; for a record's header likewise.
void check_headers(View bytes) {
  std::uint8_t raw[64] = {};
  std::copy_n(bytes.begin(), std::min<std::size_t>(bytes.size(), sizeof raw), raw);
  for (const bool sealed : {false, true}) {
    if (sealed) put_u32(raw + 60, crc32c(0, raw, 60));
    if (const auto header = get_file_header(raw)) {
      std::uint8_t again[64];
      put_file_header(again, *header);
      FUZZ_CHECK(std::equal(again, again + 64, raw));
    }
    std::uint8_t id[8];
    put_u64(id, 7);
    if (sealed) put_u32(raw + 28, crc32c(crc32c(0, id, 8), raw, 28));
    if (const auto header = get_record_header(raw, 7)) {
      std::uint8_t again[kRecordHeaderBytes];
      put_record_header(again, *header, 7);
      FUZZ_CHECK(std::equal(again, again + kRecordHeaderBytes, raw));
      FUZZ_CHECK(!get_record_header(raw, 8));
    }
  }
}

}  // namespace

}  // namespace afterimage::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace afterimage::fuzz;
  if (size > 0 && data[0] == 'A')  // the mark of a header
    check_headers({data, size});
  else
    World(Input({data, size})).run();
  return 0;
}
