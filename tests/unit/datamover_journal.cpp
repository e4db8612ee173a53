// The journal: order, reuse, full, torn tails against damage, refusals, and its bytes.
#include "datamover/journal.h"

#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <set>
#include <tuple>

#include "datamover/journal_format.h"
#include "datamover_support.h"
#include "serializer/bytes.h"
#include "serializer/crc32c.h"

namespace afterimage::testing {
namespace {

class DatamoverJournal : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(DatamoverJournal);
  CPPUNIT_TEST(testRecordsComeBackInOrder);
  CPPUNIT_TEST(testPositionsRiseOverManyReuses);
  CPPUNIT_TEST(testFullIsARefusalWithoutDamage);
  CPPUNIT_TEST(testTornTailAtEveryByteIsCutOff);
  CPPUNIT_TEST(testFlippedBitInTheLastRecordIsDamage);
  CPPUNIT_TEST(testLaterRecordsOfATornSyncAreVoid);
  CPPUNIT_TEST(testDamageIsToldByLaterRecordsToo);
  CPPUNIT_TEST(testFlippedBitWithWholeRecordsBehindIsDamage);
  CPPUNIT_TEST(testDamageInAnEarlierFileIsFoundByReplay);
  CPPUNIT_TEST(testDamageAtTheStartOfAFileIsNotTakenForItsEnd);
  CPPUNIT_TEST(testTornFirstRecordAfterAReuse);
  CPPUNIT_TEST(testResetIsEmptyAndPositionsGoOn);
  CPPUNIT_TEST(testReplayOutsideIsRefused);
  CPPUNIT_TEST(testRefusals);
  CPPUNIT_TEST(testInterruptedCreationIsMadeAnew);
  CPPUNIT_TEST(testGoldenHeaders);
  CPPUNIT_TEST(testReservedBytesAreZero);
  CPPUNIT_TEST(testPositionsHaveAnEnd);
  CPPUNIT_TEST(testEveryChangeOfAHeaderIsSeen);
  CPPUNIT_TEST(testHeadersOfAnotherMakeAreRefused);
  CPPUNIT_TEST_SUITE_END();

  static constexpr std::uint64_t kBytes = 64 << 10;

  static JournalSettings settings(const TemporaryDirectory& directory) { return {directory.path(), kBytes, 2}; }
  static std::unique_ptr<Journal> open(const TemporaryDirectory& directory) {
    auto journal = Journal::open(settings(directory));
    CPPUNIT_ASSERT_MESSAGE(journal.status.text(), journal.good());
    return std::move(journal.value);
  }
  static std::string refusal(const JournalSettings& settings) {
    auto journal = Journal::open(settings);
    CPPUNIT_ASSERT(!journal.good());
    CPPUNIT_ASSERT(journal.status.text().back() == '.');
    return journal.status.text();
  }
  static void expect(const std::string& text, const std::string& part) {
    CPPUNIT_ASSERT_MESSAGE(text, text.find(part) != std::string::npos);
  }
  static Bytes record(unsigned n, std::size_t length) {
    Bytes bytes(length);
    for (std::size_t i = 0; i < length; ++i) bytes[i] = static_cast<std::uint8_t>(n * 31 + i);
    return bytes;
  }
  static std::uint64_t append(Journal& journal, const Bytes& bytes) {
    auto position = journal.append(bytes);
    CPPUNIT_ASSERT_MESSAGE(position.status.text(), position.good());
    CPPUNIT_ASSERT(journal.sync().good());
    return position.value;
  }
  static std::uint64_t append_unsynced(Journal& journal, const Bytes& bytes) {
    auto position = journal.append(bytes);
    CPPUNIT_ASSERT_MESSAGE(position.status.text(), position.good());
    return position.value;
  }
  static std::vector<Bytes> contents(Journal& journal, std::uint64_t from) {
    std::vector<Bytes> all;
    const Status status = journal.replay(from, [&](std::uint64_t, std::span<const std::uint8_t> bytes) {
      all.emplace_back(bytes.begin(), bytes.end());
      return Status::ok();
    });
    CPPUNIT_ASSERT_MESSAGE(status.text(), status.good());
    return all;
  }
  static std::string file(const TemporaryDirectory& directory, int n) { return directory.path() + "/journal." + std::to_string(n); }
  static std::uint64_t byte_of(std::uint64_t position) { return kJournalHeaderBytes + position % (kBytes / 2 - kJournalHeaderBytes); }
  static std::uint8_t get(const std::string& path, std::uint64_t at) {
    std::fstream stream(path, std::ios::in | std::ios::binary);
    stream.seekg(static_cast<std::streamoff>(at));
    return static_cast<std::uint8_t>(stream.get());
  }
  static void put(const std::string& path, std::uint64_t at, const Bytes& bytes) {
    std::fstream stream(path, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(at));
    stream.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    CPPUNIT_ASSERT(stream.good());
  }
  static void flip(const std::string& path, std::uint64_t at) { put(path, at, Bytes{static_cast<std::uint8_t>(get(path, at) ^ 0x10)}); }

 public:
  void testRecordsComeBackInOrder() {
    const TemporaryDirectory directory;
    std::vector<Bytes> written;
    std::vector<std::uint64_t> positions;
    {
      auto journal = open(directory);
      for (unsigned i = 0; i < 20; ++i) {
        written.push_back(record(i, i * 37));
        positions.push_back(append(*journal, written.back()));
        CPPUNIT_ASSERT(contents(*journal, 0) == written);
      }
    }
    auto journal = open(directory);
    CPPUNIT_ASSERT(contents(*journal, 0) == written);
    for (std::size_t i = 0; i < positions.size(); ++i)
      CPPUNIT_ASSERT(contents(*journal, positions[i]) ==
                     std::vector<Bytes>(written.begin() + static_cast<std::ptrdiff_t>(i), written.end()));
    CPPUNIT_ASSERT(contents(*journal, journal->end()).empty());
  }

  void testPositionsRiseOverManyReuses() {
    const TemporaryDirectory directory;
    auto journal = open(directory);
    std::uint64_t last = 0;
    std::vector<std::pair<std::uint64_t, Bytes>> kept;
    for (unsigned i = 0; i < 400; ++i) {
      const Bytes bytes = record(i, 700 + i * 13 % 900);
      const std::uint64_t position = append(*journal, bytes);
      CPPUNIT_ASSERT(i == 0 || position > last);
      last = position;
      kept.emplace_back(position, bytes);
      if (kept.size() > 12) kept.erase(kept.begin());
      CPPUNIT_ASSERT(journal->release_before(kept.front().first).good());
      if (i % 23 == 0) {
        journal.reset();
        journal = open(directory);
        CPPUNIT_ASSERT(journal->release_before(kept.front().first).good());
      }
      const std::vector<Bytes> back = contents(*journal, kept.front().first);
      CPPUNIT_ASSERT_EQUAL(kept.size(), back.size());
      for (std::size_t k = 0; k < back.size(); ++k) CPPUNIT_ASSERT(back[k] == kept[k].second);
    }
    CPPUNIT_ASSERT(last > 4 * kBytes);
  }

  void testFullIsARefusalWithoutDamage() {
    const TemporaryDirectory directory;
    auto journal = open(directory);
    std::vector<Bytes> written;
    std::uint64_t second = 0;
    for (unsigned i = 0;; ++i) {
      const std::uint64_t free_before = journal->free_bytes();
      auto position = journal->append(record(i, 1000));
      if (!position.good()) {
        CPPUNIT_ASSERT(journal->is_full());
        expect(position.status.text(), "is full");
        CPPUNIT_ASSERT(free_before < 1100);
        break;
      }
      if (i == 40) second = position.value;
      written.push_back(record(i, 1000));
      CPPUNIT_ASSERT(i < 100);
    }
    CPPUNIT_ASSERT(written.size() > 50);
    CPPUNIT_ASSERT(journal->sync().good());
    CPPUNIT_ASSERT(contents(*journal, 0) == written);
    CPPUNIT_ASSERT(journal->release_before(second).good());
    append(*journal, record(99, 1000));
    CPPUNIT_ASSERT(!journal->is_full());
    written.erase(written.begin(), written.begin() + 40);
    written.push_back(record(99, 1000));
    CPPUNIT_ASSERT(contents(*journal, second) == written);
  }

  // A crash while appending: from every byte of the last record on, the file holds what was there before.
  void testTornTailAtEveryByteIsCutOff() {
    const TemporaryDirectory directory;
    std::vector<Bytes> written{record(1, 90), record(2, 150)};
    std::uint64_t last = 0;
    {
      auto journal = open(directory);
      for (const Bytes& bytes : written) append(*journal, bytes);
      last = append_unsynced(*journal, record(3, 200));
    }
    const std::string path = file(directory, 1);
    for (std::uint64_t torn = kRecordHeaderBytes + 200; torn-- > 0;) {
      put(path, byte_of(last) + torn, Bytes{0});
      auto journal = open(directory);
      if (torn == kRecordHeaderBytes + 199) CPPUNIT_ASSERT_EQUAL(std::uint8_t{0}, get(path, byte_of(last) + torn));
      CPPUNIT_ASSERT_EQUAL(last, journal->end());
      CPPUNIT_ASSERT(contents(*journal, 0) == written);
    }
    auto journal = open(directory);
    CPPUNIT_ASSERT_EQUAL(last, append(*journal, record(4, 40)));
    written.push_back(record(4, 40));
    CPPUNIT_ASSERT(contents(*journal, 0) == written);
  }

  // It was synced, so no crash tore it.
  void testFlippedBitInTheLastRecordIsDamage() {
    const TemporaryDirectory directory;
    std::uint64_t last = 0;
    {
      auto journal = open(directory);
      append(*journal, record(1, 90));
      last = append(*journal, record(2, 100));
    }
    for (std::uint64_t at = 0; at < kRecordHeaderBytes + 100; ++at) {
      flip(file(directory, 1), byte_of(last) + at);
      expect(refusal(settings(directory)), "damaged");
      flip(file(directory, 1), byte_of(last) + at);
    }
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, contents(*open(directory), 0).size());
    flip(file(directory, 1), kDurableMarkAt + 20);  // without the mark it cannot be told from a torn one
    flip(file(directory, 1), byte_of(last));
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, contents(*open(directory), 0).size());
  }

  // Of several records that were not synced the host's crash keeps any: those behind the first that is torn never come back.
  void testLaterRecordsOfATornSyncAreVoid() {
    const TemporaryDirectory directory;
    std::uint64_t torn = 0, later = 0;
    {
      auto journal = open(directory);
      append(*journal, record(1, 90));
      torn = append_unsynced(*journal, record(2, 100));
      later = append_unsynced(*journal, record(3, 100));
      append_unsynced(*journal, record(4, 100));
    }
    put(file(directory, 1), byte_of(torn) + 60, Bytes(20, 0));
    {
      auto journal = open(directory);
      CPPUNIT_ASSERT_EQUAL(torn, journal->end());
      CPPUNIT_ASSERT_EQUAL(std::size_t{1}, contents(*journal, 0).size());
      CPPUNIT_ASSERT_EQUAL(torn, append(*journal, record(5, 100)));  // as long as the torn one: the next record would stand right behind
      CPPUNIT_ASSERT_EQUAL(later, journal->end());
    }
    CPPUNIT_ASSERT((contents(*open(directory), 0) == std::vector<Bytes>{record(1, 90), record(5, 100)}));
  }

  // What the records behind say is enough without the mark.
  void testDamageIsToldByLaterRecordsToo() {
    const TemporaryDirectory directory;
    std::uint64_t middle = 0;
    {
      auto journal = open(directory);
      append(*journal, record(1, 90));
      middle = append(*journal, record(2, 100));
      append_unsynced(*journal, record(3, 500));
    }
    put(file(directory, 1), kDurableMarkAt, Bytes(kDurableMarkBytes, 0));
    flip(file(directory, 1), byte_of(middle) + 50);
    expect(refusal(settings(directory)), "position " + std::to_string(middle));
  }

  void testFlippedBitWithWholeRecordsBehindIsDamage() {
    const TemporaryDirectory directory;
    std::uint64_t middle = 0;
    {
      auto journal = open(directory);
      append(*journal, record(1, 90));
      middle = append(*journal, record(2, 100));
      append(*journal, record(3, 500));
    }
    for (std::uint64_t at = 0; at < kRecordHeaderBytes + 100; ++at) {
      flip(file(directory, 1), byte_of(middle) + at);
      const std::string text = refusal(settings(directory));
      expect(text, "damaged");
      expect(text, file(directory, 1));
      expect(text, "position " + std::to_string(middle));
      flip(file(directory, 1), byte_of(middle) + at);
    }
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, contents(*open(directory), 0).size());
  }

  // Fills the first file and begins the second; the position of the first record in each.
  static std::pair<std::uint64_t, std::uint64_t> two_files(const TemporaryDirectory& directory) {
    auto journal = open(directory);
    for (unsigned i = 0;; ++i) {
      const std::uint64_t position = append(*journal, record(i, 1500));
      if (position >= kBytes / 2 - kJournalHeaderBytes) {
        append(*journal, record(77, 300));
        return {0, position};
      }
    }
  }

  void testDamageInAnEarlierFileIsFoundByReplay() {
    const TemporaryDirectory directory;
    two_files(directory);
    flip(file(directory, 1), byte_of(0) + 600);
    auto journal = open(directory);
    const Status status = journal->replay(0, [](std::uint64_t, std::span<const std::uint8_t>) { return Status::ok(); });
    CPPUNIT_ASSERT(!status.good());
    expect(status.text(), file(directory, 1));
  }

  void testDamageAtTheStartOfAFileIsNotTakenForItsEnd() {
    const TemporaryDirectory directory;
    const auto [first, second] = two_files(directory);
    for (const std::uint64_t at : {0u, 9u, 17u, 30u, 200u}) {
      flip(file(directory, 2), byte_of(second) + at);
      expect(refusal(settings(directory)), "damaged");
      flip(file(directory, 2), byte_of(second) + at);
    }
  }

  void testTornFirstRecordAfterAReuse() {
    const TemporaryDirectory directory;
    std::uint64_t third = 0, before = 0;
    Bytes last;
    {
      auto journal = open(directory);
      for (unsigned i = 0; third == 0; ++i) {
        const std::uint64_t position = append_unsynced(*journal, record(i, 1500));
        CPPUNIT_ASSERT(journal->release_before(position).good());
        if (position >= kBytes - 2 * kJournalHeaderBytes)
          third = position;
        else
          before = position, last = record(i, 1500);
      }
    }
    put(file(directory, 1), byte_of(third) + 100, Bytes(40, 0));
    auto journal = open(directory);
    CPPUNIT_ASSERT_EQUAL(third, journal->end());
    CPPUNIT_ASSERT(contents(*journal, before) == std::vector<Bytes>{last});
    CPPUNIT_ASSERT(journal->release_before(third).good());
    CPPUNIT_ASSERT_EQUAL(third, append(*journal, record(5, 10)));
  }

  void testResetIsEmptyAndPositionsGoOn() {
    const TemporaryDirectory directory;
    auto journal = open(directory);
    append(*journal, record(1, 400));
    const std::uint64_t end = journal->end();
    CPPUNIT_ASSERT(journal->reset().good());
    CPPUNIT_ASSERT(contents(*journal, 0).empty());
    CPPUNIT_ASSERT(journal->end() >= end);
    journal.reset();
    journal = open(directory);
    CPPUNIT_ASSERT(contents(*journal, 0).empty());
    const std::uint64_t position = append(*journal, record(2, 10));
    CPPUNIT_ASSERT(position >= end);
    journal.reset();
    CPPUNIT_ASSERT(contents(*open(directory), 0) == std::vector<Bytes>{record(2, 10)});
  }

  void testReplayOutsideIsRefused() {
    const TemporaryDirectory directory;
    auto journal = open(directory);
    append(*journal, record(1, 10));
    const auto ignore = [](std::uint64_t, std::span<const std::uint8_t>) { return Status::ok(); };
    expect(journal->replay(journal->end() + 64, ignore).text(), "do not belong together");
    CPPUNIT_ASSERT(!journal->release_before(journal->end() + 64).good());
    const Status stopped = journal->replay(0, [](std::uint64_t, std::span<const std::uint8_t>) { return Status::error("Stop here."); });
    CPPUNIT_ASSERT_EQUAL(std::string("Stop here."), stopped.text());
  }

  void testRefusals() {
    const TemporaryDirectory directory;
    expect(refusal({directory.path() + "/absent", kBytes, 2}), "Create the directory");
    expect(refusal({directory.path(), kBytes, 1}), "2 to 64 files");
    expect(refusal({directory.path(), 9000, 2}), "too small");
    struct statvfs space {};
    CPPUNIT_ASSERT_EQUAL(0, ::statvfs(directory.path().c_str(), &space));
    expect(refusal({directory.path(), std::uint64_t{space.f_bavail} * space.f_frsize * 2, 2}), "are free there");
    CPPUNIT_ASSERT(std::filesystem::is_empty(directory.path()));
    if (::geteuid() != 0) {  // root may write anywhere
      std::filesystem::permissions(directory.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec);
      expect(refusal(settings(directory)), "write access");
      std::filesystem::permissions(directory.path(), std::filesystem::perms::owner_all);
    }
    auto journal = open(directory);
    expect(refusal(settings(directory)), "in use by another process");
    auto large = journal->append(Bytes(kBytes));
    CPPUNIT_ASSERT(!large.good());
    expect(large.status.text(), "does not fit");
    append(*journal, record(1, 10));
    journal.reset();
    expect(refusal({directory.path(), kBytes * 2, 2}), "was made with 2 files of 32768 bytes");
    expect(refusal({directory.path(), kBytes, 3}), "was made with");
    CPPUNIT_ASSERT_EQUAL(0, ::truncate(file(directory, 2).c_str(), 20000));
    expect(refusal(settings(directory)), "was cut or extended");
    CPPUNIT_ASSERT_EQUAL(0, ::unlink(file(directory, 2).c_str()));
    expect(refusal(settings(directory)), file(directory, 2));
    flip(file(directory, 1), 20);
    expect(refusal(settings(directory)), "its header is damaged");
  }

  void testInterruptedCreationIsMadeAnew() {
    const TemporaryDirectory directory;
    open(directory).reset();
    CPPUNIT_ASSERT_EQUAL(0, ::rename(file(directory, 1).c_str(), (file(directory, 1) + ".new").c_str()));
    auto journal = open(directory);
    append(*journal, record(1, 10));
    CPPUNIT_ASSERT(!std::filesystem::exists(file(directory, 1) + ".new"));
  }

  // docs/FORMATS.md, "Journal".
  void testGoldenHeaders() {
    Bytes header(64);
    put_file_header(header, {1, 2, 32768, 0x1122334455667788u, 5});
    const Bytes file_golden{'A', 'I', 'J',  'R', 'N',  'L',  '0',  '1',  0,    1,    0,    1,    0, 2, 0, 0, 0, 0, 0, 0,
                            0,   0,   0x80, 0,   0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0, 0, 0, 0, 0, 0, 0, 5};
    CPPUNIT_ASSERT(std::equal(file_golden.begin(), file_golden.end(), header.begin()));
    Bytes record_bytes(kRecordHeaderBytes);
    const RecordHeader golden{RecordType::kData, 0x123, 0x40, payload_crc(Bytes{1, 2, 3}, 7)};
    put_record_header(record_bytes, golden, 7);
    const Bytes record_golden{'A', 'I', 'J', 'R', 0, 1, 0, 1, 0, 0, 1, 0x23, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x40};
    CPPUNIT_ASSERT(std::equal(record_golden.begin(), record_golden.end(), record_bytes.begin()));
    std::string crcs;
    for (const std::size_t i : {60u, 61u, 62u, 63u}) crcs += std::to_string(header[i]) + " ";
    for (const std::size_t i : {24u, 25u, 26u, 27u, 28u, 29u, 30u, 31u}) crcs += std::to_string(record_bytes[i]) + " ";
    CPPUNIT_ASSERT_EQUAL(std::string("57 111 201 52 34 133 95 86 123 237 209 105 "), crcs);
    CPPUNIT_ASSERT(!get_record_header(record_bytes, 8));
    const auto back = get_record_header(record_bytes, 7);
    CPPUNIT_ASSERT(back && back->length == golden.length && back->position == golden.position && back->payload_crc == golden.payload_crc);
    CPPUNIT_ASSERT(get_file_header(header) == (JournalFileHeader{1, 2, 32768, 0x1122334455667788u, 5}));
  }

  // With the CRC right, so that it is the rule that refuses: only what put_*_header() writes is a header.
  void testReservedBytesAreZero() {
    for (const std::size_t at : {14u, 15u, 40u, 59u}) {
      Bytes header(64);
      put_file_header(header, {1, 2, 32768, 7, 5});
      CPPUNIT_ASSERT(get_file_header(header).has_value());
      header[at] = 1;
      put_u32(header.data() + 60, crc32c(0, header.data(), 60));
      CPPUNIT_ASSERT(!get_file_header(header));
    }
    constexpr std::uint64_t kId = 7;
    std::uint8_t id[8];
    put_u64(id, kId);
    for (const std::size_t at : {std::size_t{12}, std::size_t{24}}) {  // more bytes not synced than there are; a CRC of a skip
      Bytes header(kRecordHeaderBytes);
      put_record_header(header, {RecordType::kSkip, 32, 64, 0}, kId);
      CPPUNIT_ASSERT(get_record_header(header, kId).has_value());
      header[at] = 1;
      put_u32(header.data() + 28, crc32c(crc32c(0, id, sizeof id), header.data(), 28));
      CPPUNIT_ASSERT(!get_record_header(header, kId));
    }
  }

  // Behind such a place the arithmetic of positions would begin again at zero.
  void testPositionsHaveAnEnd() {
    Bytes header(64), record(kRecordHeaderBytes), mark(kDurableMarkBytes);
    for (const auto& [bytes, base, good] : {std::tuple<std::uint64_t, std::uint64_t, bool>{32768, kJournalPositions / 32768, true},
                                            {32768, kJournalPositions / 32768 + 1, false},
                                            {32768, ~std::uint64_t{0}, false},
                                            {kJournalHeaderBytes, 0, false},
                                            {0, 0, false},
                                            {~std::uint64_t{0}, 1, false}}) {
      put_file_header(header, {1, 2, bytes, 7, base});
      CPPUNIT_ASSERT_EQUAL(good, get_file_header(header).has_value());
    }
    for (const std::uint64_t position : {kJournalPositions - 64, kJournalPositions, ~std::uint64_t{63}}) {
      put_record_header(record, {RecordType::kData, 32, position, 0}, 7);
      put_durable_mark(mark, position, 7);
      CPPUNIT_ASSERT_EQUAL(position < kJournalPositions, get_record_header(record, 7).has_value());
      CPPUNIT_ASSERT_EQUAL(position < kJournalPositions, get_durable_mark(mark, 7).has_value());
    }
  }

  void testEveryChangeOfAHeaderIsSeen() {
    Bytes file_header(64), record_header(kRecordHeaderBytes);
    put_file_header(file_header, {1, 2, 32768, 7, 5});
    put_record_header(record_header, {RecordType::kSkip, 32, 64, 0}, 7);
    CPPUNIT_ASSERT(get_record_header(record_header, 7)->type == RecordType::kSkip);
    for (std::size_t bit = 0; bit < 64 * 8; ++bit) {
      Bytes bad = file_header;
      bad[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
      CPPUNIT_ASSERT_MESSAGE("bit " + std::to_string(bit), !get_file_header(bad));
    }
    for (std::size_t bit = 0; bit < kRecordHeaderBytes * 8; ++bit) {
      Bytes bad = record_header;
      bad[bit / 8] ^= static_cast<std::uint8_t>(1u << bit % 8);
      CPPUNIT_ASSERT_MESSAGE("bit " + std::to_string(bit), !get_record_header(bad, 7));
    }
    CPPUNIT_ASSERT(!get_file_header(std::span(file_header).first(63)));
    CPPUNIT_ASSERT(!get_record_header(std::span(record_header).first(kRecordHeaderBytes - 1), 7));
  }

  // Their CRC agrees: what a later release would write.
  void testHeadersOfAnotherMakeAreRefused() {
    Bytes header(64);
    for (const std::size_t at : {std::size_t{0}, std::size_t{9}}) {  // mark, version
      put_file_header(header, {1, 2, 32768, 7, 5});
      header[at] ^= 2;
      put_u32(header.data() + 60, crc32c(0, header.data(), 60));
      CPPUNIT_ASSERT(!get_file_header(header));
    }
    Bytes record_header(kRecordHeaderBytes);
    put_record_header(record_header, {static_cast<RecordType>(3), 0x123, 0x40, 9}, 7);
    CPPUNIT_ASSERT(!get_record_header(record_header, 7));
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DatamoverJournal);

}  // namespace
}  // namespace afterimage::testing
