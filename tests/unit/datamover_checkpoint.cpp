// The checkpoint: its bytes, its two generations, and every way a file of it can be wrong.
#include <cppunit/TestFixture.h>
#include <unistd.h>

#include <functional>

#include "datamover/checkpoint_file.h"
#include "datamover_support.h"
#include "serializer/bytes.h"
#include "serializer/crc32c.h"
#include "serializer/limits.h"

namespace afterimage::testing {
namespace {

class DatamoverCheckpoint : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(DatamoverCheckpoint);
  CPPUNIT_TEST(testRoundTrip);
  CPPUNIT_TEST(testGoldenVector);
  CPPUNIT_TEST(testEveryFlippedBitAndEveryCutIsRefused);
  CPPUNIT_TEST(testWhatCannotBeReadIsNotWritten);
  CPPUNIT_TEST(testReservedBytesAreZero);
  CPPUNIT_TEST(testFieldsAreNamedWhenRefused);
  CPPUNIT_TEST(testNamesTooLongAreNotWritten);
  CPPUNIT_TEST(testWrittenCheckpointIsReadAgain);
  CPPUNIT_TEST(testDamagedGenerationFallsBackAndJournalAllowsIt);
  CPPUNIT_TEST(testStateChangeIsInBothGenerations);
  CPPUNIT_TEST(testRefusals);
  CPPUNIT_TEST_SUITE_END();

  static Checkpoint sample() {
    Checkpoint checkpoint;
    checkpoint.state = SecondaryState::kDuplex;
    checkpoint.epoch = 1;
    checkpoint.storage_id = 2;
    checkpoint.applied_through = 3;
    checkpoint.applied_tod = 4;
    checkpoint.consistency_time = 5;
    checkpoint.known_through = 6;
    checkpoint.known_tod = 7;
    checkpoint.last_message = 8;
    checkpoint.last_own_message = 9;
    checkpoint.last_sent = 10;
    checkpoint.journal_position = 11;
    checkpoint.recovered_at = 12;
    checkpoint.ended_in_order = true;
    checkpoint.volumes = two_volumes();
    return checkpoint;
  }
  static std::unique_ptr<CheckpointFile> open(const TemporaryDirectory& directory) {
    auto file = CheckpointFile::open(directory.path(), kSession);
    CPPUNIT_ASSERT_MESSAGE(file.status.text(), file.good());
    return std::move(file.value);
  }
  static std::uint64_t write(CheckpointFile& file, const Checkpoint& checkpoint) {
    auto released = file.write(checkpoint);
    CPPUNIT_ASSERT_MESSAGE(released.status.text(), released.good());
    return released.value;
  }
  static void damage(const std::string& path) {
    Bytes bytes = read_file(path);
    bytes[bytes.size() / 2] ^= 1;
    write_file(path, bytes);
  }

 public:
  void testRoundTrip() {
    const StoredCheckpoint stored{kSession, 42, sample()};
    const auto bytes = encode_checkpoint(stored);
    CPPUNIT_ASSERT(bytes.good());
    CPPUNIT_ASSERT_EQUAL(encoded_checkpoint_bytes(2), bytes.value.size());
    const auto back = decode_checkpoint(bytes.value);
    CPPUNIT_ASSERT_MESSAGE(back.status.text(), back.good());
    CPPUNIT_ASSERT(back.value == stored);
  }

  // docs/FORMATS.md, "Checkpoint".
  void testGoldenVector() {
    StoredCheckpoint stored{"DALLAS", 1, sample()};
    stored.checkpoint.volumes.clear();
    const auto bytes = encode_checkpoint(stored);
    Bytes golden{'A', 'I', 'C', 'K', 'P', 'T', '0', '1', 0, 1, 0, 0, 0, 0, 0, 140, 'D', 'A', 'L', 'L',
                 'A', 'S', ' ', ' ', 0,   0,   0,   0,   0, 0, 0, 1, 0, 1, 0, 1,   0,   0,   0,   0};
    for (std::uint8_t value = 1; value <= 12; ++value) {
      golden.insert(golden.end(), 7, 0);
      golden.push_back(value);
    }
    for (const unsigned crc : {206u, 224u, 230u, 204u}) golden.push_back(static_cast<std::uint8_t>(crc));
    CPPUNIT_ASSERT(bytes.value == golden);
  }

  void testEveryFlippedBitAndEveryCutIsRefused() {
    const Bytes good = encode_checkpoint({kSession, 42, sample()}).value;
    for (std::size_t i = 0; i < good.size() * 8; ++i) {
      Bytes bad = good;
      bad[i / 8] ^= static_cast<std::uint8_t>(1u << i % 8);
      CPPUNIT_ASSERT(!decode_checkpoint(bad).good());
    }
    for (std::size_t length = 0; length < good.size(); ++length) CPPUNIT_ASSERT(!decode_checkpoint(std::span(good).first(length)).good());
    StoredCheckpoint odd{kSession, 1, sample()};
    odd.checkpoint.volumes[0].system = "TOOLONGNAME";
    CPPUNIT_ASSERT(!encode_checkpoint(odd).good());
  }

  // What decode would refuse is not written: it would replace a checkpoint that can be read.
  void testWhatCannotBeReadIsNotWritten() {
    const auto refused = [](auto&& spoil) {
      StoredCheckpoint odd{kSession, 1, sample()};
      spoil(odd);
      const auto bytes = encode_checkpoint(odd);
      return !bytes.good() && bytes.status.text().starts_with("A checkpoint cannot be written: ");
    };
    CPPUNIT_ASSERT(!refused([](StoredCheckpoint&) {}));
    CPPUNIT_ASSERT(refused([](StoredCheckpoint& odd) { odd.checkpoint.known_through = 2; }));
    CPPUNIT_ASSERT(refused([](StoredCheckpoint& odd) { odd.checkpoint.state = SecondaryState::kStopped; }));
    CPPUNIT_ASSERT(refused([](StoredCheckpoint& odd) { odd.session.clear(); }));
    CPPUNIT_ASSERT(refused([](StoredCheckpoint& odd) { odd.checkpoint.volumes[1].volser = "A B"; }));
    CPPUNIT_ASSERT(refused([](StoredCheckpoint& odd) { odd.checkpoint.volumes[1].system = "sysa"; }));
    CPPUNIT_ASSERT(refused([](StoredCheckpoint& odd) { odd.checkpoint.volumes.resize(1025, odd.checkpoint.volumes[0]); }));
  }

  // With the CRC right, so that it is the rule that refuses.
  void testReservedBytesAreZero() {
    const Bytes good = encode_checkpoint({kSession, 42, sample()}).value;
    for (const std::size_t at : {std::size_t{36}, std::size_t{39}, std::size_t{136 + 40}, std::size_t{136 + 48 + 47}}) {
      Bytes bad = good;
      bad[at] = 1;
      put_u32(bad.data() + bad.size() - 4, crc32c(0, bad.data(), bad.size() - 4));
      const auto decoded = decode_checkpoint(bad);
      CPPUNIT_ASSERT(!decoded.good());
      CPPUNIT_ASSERT(decoded.status.text().find("reserved") != std::string::npos);
    }
  }

  // Under a CRC that agrees, so that the checks behind it are reached.
  void testFieldsAreNamedWhenRefused() {
    const auto refused = [](std::size_t at, std::initializer_list<int> values, const std::string& part) {
      Bytes bytes = encode_checkpoint({kSession, 42, sample()}).value;
      for (const int value : values) bytes.at(at++) = static_cast<std::uint8_t>(value);
      put_u32(bytes.data() + bytes.size() - 4, crc32c(0, bytes.data(), bytes.size() - 4));
      const auto decoded = decode_checkpoint(bytes);
      CPPUNIT_ASSERT_MESSAGE(part, !decoded.good());
      CPPUNIT_ASSERT_MESSAGE(decoded.status.text(), decoded.status.text().find(part) != std::string::npos);
    };
    const std::size_t volume = kCheckpointFixedBytes + kCheckpointVolumeBytes;  // the second one
    refused(0, {'X'}, "mark of a checkpoint");
    refused(8, {0, 9}, "version 9");
    refused(10, {0, 3}, "3 volumes");
    refused(10, {0xFF, 0xFF}, "65535 volumes");
    refused(12, {1}, "length");
    refused(17, {' '}, "session name has a blank inside");
    refused(32, {0, 6}, "state 6");
    refused(32, {1, 1}, "state 257");
    refused(34, {0, 2}, "flags 2");
    refused(34, {0x80, 1}, "flags 32769");
    refused(40 + 5 * 8 + 7, {2}, "point B is before");
    refused(volume + 1, {' '}, "volume table has a blank inside");
    refused(volume + 9, {' '}, "volume table has a blank inside");
    refused(volume + 17, {' '}, "volume table has a blank inside");
  }

  // A name cut to its field would be another name after the restart.
  void testNamesTooLongAreNotWritten() {
    const auto written = [](const std::function<void(StoredCheckpoint&)>& change) {
      StoredCheckpoint stored{kSession, 1, sample()};
      change(stored);
      return encode_checkpoint(stored).good();
    };
    CPPUNIT_ASSERT(written([](StoredCheckpoint&) {}));
    CPPUNIT_ASSERT(written([](StoredCheckpoint& s) { s.checkpoint.volumes[1].system.clear(); }));
    CPPUNIT_ASSERT(!written([](StoredCheckpoint& s) { s.session = "LONGNAME9"; }));
    CPPUNIT_ASSERT(!written([](StoredCheckpoint& s) { s.checkpoint.volumes[1].volser = "LONGNAME9"; }));
    CPPUNIT_ASSERT(!written([](StoredCheckpoint& s) { s.checkpoint.volumes[1].secondary_volser = "LONGNAME9"; }));
    CPPUNIT_ASSERT(!written([](StoredCheckpoint& s) { s.checkpoint.volumes[1].system = "LONGNAME9"; }));
    CPPUNIT_ASSERT(written([](StoredCheckpoint& s) { s.checkpoint.volumes.resize(kMaxDevices, s.checkpoint.volumes[0]); }));
    CPPUNIT_ASSERT(!written([](StoredCheckpoint& s) { s.checkpoint.volumes.resize(kMaxDevices + 1, s.checkpoint.volumes[0]); }));
  }

  void testWrittenCheckpointIsReadAgain() {
    const TemporaryDirectory directory;
    CPPUNIT_ASSERT(!open(directory)->latest().has_value());
    Checkpoint checkpoint = sample();
    for (int i = 0; i < 5; ++i) {
      auto file = open(directory);
      ++checkpoint.last_message;
      write(*file, checkpoint);
      CPPUNIT_ASSERT(*open(directory)->latest() == checkpoint);
    }
    CPPUNIT_ASSERT(!std::filesystem::exists(directory / "checkpoint.new"));
  }

  void testDamagedGenerationFallsBackAndJournalAllowsIt() {
    const TemporaryDirectory directory;
    auto file = open(directory);
    Checkpoint checkpoint = sample();
    checkpoint.journal_position = 100;
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{100}, write(*file, checkpoint));
    const Checkpoint older = checkpoint;
    checkpoint.journal_position = 200;
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{100}, write(*file, checkpoint));  // slot 1; the older, in slot 2, still needs 100
    damage(directory / "checkpoint.1");
    file = open(directory);
    CPPUNIT_ASSERT(*file->latest() == older);
    CPPUNIT_ASSERT(file->warning().find("checkpoint.1") != std::string::npos);
    CPPUNIT_ASSERT(file->warning().find("other generation is used") != std::string::npos);
    write(*file, checkpoint);
    CPPUNIT_ASSERT(*open(directory)->latest() == checkpoint);
    CPPUNIT_ASSERT(open(directory)->warning().empty());
    damage(directory / "checkpoint.1");
    damage(directory / "checkpoint.2");
    const auto none = CheckpointFile::open(directory.path(), kSession);
    CPPUNIT_ASSERT(!none.good());
    CPPUNIT_ASSERT(none.status.text().find("There is no other") != std::string::npos);
  }

  void testStateChangeIsInBothGenerations() {
    const TemporaryDirectory directory;
    auto file = open(directory);
    Checkpoint checkpoint = sample();
    write(*file, checkpoint);
    write(*file, checkpoint);
    checkpoint.state = SecondaryState::kRecovered;
    write(*file, checkpoint);
    for (const char* name : {"checkpoint.1", "checkpoint.2"}) {
      const Bytes good = read_file(directory / name);
      damage(directory / name);
      CPPUNIT_ASSERT(open(directory)->latest()->state == SecondaryState::kRecovered);
      write_file(directory / name, good);
    }
  }

  void testRefusals() {
    const TemporaryDirectory directory;
    CPPUNIT_ASSERT(CheckpointFile::open(directory / "absent", kSession).status.text().find("Create the directory") != std::string::npos);
    write(*open(directory), sample());
    const auto other = CheckpointFile::open(directory.path(), "OTHER");
    CPPUNIT_ASSERT(!other.good());
    CPPUNIT_ASSERT(other.status.text().find("is of session DALLAS") != std::string::npos);
    auto file = open(directory);
    CPPUNIT_ASSERT(std::filesystem::create_directory(directory / "checkpoint.new"));  // cannot be replaced by a file
    CPPUNIT_ASSERT(!file->write(sample()).good());
    CPPUNIT_ASSERT(*open(directory)->latest() == sample());
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DatamoverCheckpoint);

}  // namespace
}  // namespace afterimage::testing
