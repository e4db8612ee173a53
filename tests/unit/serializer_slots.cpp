// SlotWriter and SlotReader together in one thread: what goes in comes out, what does not fit is refused, what is damaged is named.
#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "serializer/chunk_pool.h"
#include "serializer/slot_ref.h"
#include "serializer_storage_fixture.h"

namespace afterimage {
namespace {

using testing::fault_in;
using testing::KnownWrite;
using testing::small_shape;
using testing::TestPlex;

class Slots : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(Slots);
  CPPUNIT_TEST(testA2_TokenAndDataComeBack);
  CPPUNIT_TEST(testRangesThatTouchAreJoined);
  CPPUNIT_TEST(testWhatDoesNotFit);
  CPPUNIT_TEST(testLargestToken);
  CPPUNIT_TEST(testEmptyAndAbandoned);
  CPPUNIT_TEST(testPoolFull);
  CPPUNIT_TEST(testEntriesFull);
  CPPUNIT_TEST(testIdleChunkIsLentToAnother);
  CPPUNIT_TEST(testManyDevicesOnFewChunks);
  CPPUNIT_TEST(testChunkIsUsedAgainOnceFreed);
  CPPUNIT_TEST(testReleaseFreesTheChunk);
  CPPUNIT_TEST(testANewWriterClosesTheOldOnesChunk);
  CPPUNIT_TEST(testSuspendedTokensMarkTheMap);
  CPPUNIT_TEST(testASuspendedTrackIsMarkedBeforeItsWriteEnds);
  CPPUNIT_TEST(testResumedBetweenPrepareAndFinish);
  CPPUNIT_TEST(testSuspendedBetweenPrepareAndFinish);
  CPPUNIT_TEST(testInterruptedTokenIsHanded);
  CPPUNIT_TEST(testInterruptedTokenNobodyAsksForIsMarked);
  CPPUNIT_TEST(testInterruptedVerificationMarksNothing);
  CPPUNIT_TEST(testFlushedAndVoid);
  CPPUNIT_TEST(testDamagedSlotsAreNamed);
  CPPUNIT_TEST(testNotHeld);
  CPPUNIT_TEST(testA9_ReaderRestartedInTheMiddle);
  CPPUNIT_TEST(testRebuildNamesAMissingEntry);
  CPPUNIT_TEST(testFreeThroughIsBounded);
  CPPUNIT_TEST_SUITE_END();

  std::vector<std::uint8_t> bytes_;

  Numbered write(SlotWriter& writer, std::uint32_t device, std::uint32_t attempt, std::uint32_t room = kMaxTokenData) {
    const KnownWrite known{device, attempt};
    known.fill(bytes_);
    CPPUNIT_ASSERT(writer.prepare(room) == SlotRoom::kReady);
    CPPUNIT_ASSERT(known.put(writer, bytes_));
    return writer.finish(1);
  }

  static void assert_whole(SlotReader& reader, Sequence sequence, std::uint32_t device, std::uint32_t attempt) {
    const auto held = reader.read(sequence);
    CPPUNIT_ASSERT_MESSAGE(held.status.text(), held.good());
    CPPUNIT_ASSERT_EQUAL(sequence, held.value.token.sequence);
    CPPUNIT_ASSERT_EQUAL(device, held.value.device);
    CPPUNIT_ASSERT_EQUAL(attempt, held.value.token.event);
    CPPUNIT_ASSERT_EQUAL(std::string(), fault_in(held.value));
  }

 public:
  void testA2_TokenAndDataComeBack() {
    TestPlex plex(1, 2, small_shape(8));
    SlotWriter writer(*plex, 1);
    SlotReader reader(*plex);
    for (std::uint32_t i = 1; i <= 200; ++i) CPPUNIT_ASSERT_EQUAL(Sequence{i}, write(writer, 1, i).sequence);
    for (std::uint32_t i = 1; i <= 200; ++i) assert_whole(reader, i, 1, i);
    const Token token = reader.read(7).value.token;
    CPPUNIT_ASSERT_EQUAL(0x85u, static_cast<unsigned>(token.ccw_code));
    CPPUNIT_ASSERT_EQUAL(1u, static_cast<unsigned>(token.record));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{200}, plex->device(1).tokens.load());
  }

  void testRangesThatTouchAreJoined() {
    TestPlex plex(1, 1, small_shape(8));
    SlotWriter writer(*plex, 0);
    SlotReader reader(*plex);
    CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
    writer.begin(Token{});
    CPPUNIT_ASSERT(writer.empty());
    CPPUNIT_ASSERT(writer.add(3, 100, "abcd", 4));
    CPPUNIT_ASSERT(writer.add(3, 104, "efgh", 4));
    CPPUNIT_ASSERT(writer.add(3, 109, "i", 1));
    CPPUNIT_ASSERT(writer.add(4, 110, "jk", 2));
    CPPUNIT_ASSERT(writer.add(4, 0, nullptr, 0));
    CPPUNIT_ASSERT(!writer.empty());
    CPPUNIT_ASSERT_EQUAL(3u, static_cast<unsigned>(writer.token().range_count));
    const Sequence sequence = writer.finish(1).sequence;
    const auto held = reader.read(sequence);
    CPPUNIT_ASSERT(held.good());
    CPPUNIT_ASSERT(held.value.token.ranges[0] == (TrackRange{3, 100, 8}));
    CPPUNIT_ASSERT(held.value.token.ranges[1] == (TrackRange{3, 109, 1}));
    CPPUNIT_ASSERT(held.value.token.ranges[2] == (TrackRange{4, 110, 2}));
    CPPUNIT_ASSERT_EQUAL(std::string("abcdefghijk"), std::string(held.value.data.begin(), held.value.data.end()));
  }

  void testWhatDoesNotFit() {
    TestPlex plex(1, 1, small_shape(8));
    SlotWriter writer(*plex, 0);
    std::vector<std::uint8_t> bytes(65535);
    CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
    writer.begin(Token{});
    CPPUNIT_ASSERT(!writer.add(1, 1, bytes.data(), 65535));
    CPPUNIT_ASSERT(writer.add(1, 0, bytes.data(), 65535));
    CPPUNIT_ASSERT(writer.add(2, 0, bytes.data(), 65535));
    CPPUNIT_ASSERT(!writer.add(3, 0, bytes.data(), 3));
    writer.abandon();
    CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
    writer.begin(Token{});
    for (std::uint32_t i = 0; i < kMaxRanges; ++i) CPPUNIT_ASSERT(writer.add(i * 2, 0, bytes.data(), 8));
    CPPUNIT_ASSERT(!writer.add(99, 0, bytes.data(), 8));
    CPPUNIT_ASSERT_MESSAGE("the last range can still grow", writer.add(kMaxRanges * 2 - 2, 8, bytes.data(), 8));
    writer.abandon();
    CPPUNIT_ASSERT(writer.prepare(100) == SlotRoom::kReady);
    writer.begin(Token{});
    CPPUNIT_ASSERT(!writer.add(1, 0, bytes.data(), 101));
    CPPUNIT_ASSERT(writer.add(1, 0, bytes.data(), 100));
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, writer.finish(1).sequence);
  }

  void testLargestToken() {
    TestPlex plex(1, 1, small_shape(8));
    SlotWriter writer(*plex, 0);
    SlotReader reader(*plex);
    std::vector<std::uint8_t> bytes(65535, 0xA5);
    for (Sequence i = 1; i <= 10; ++i) {
      CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
      writer.begin(Token{});
      CPPUNIT_ASSERT(writer.add(1, 0, bytes.data(), 65535));
      CPPUNIT_ASSERT(writer.add(2, 0, bytes.data(), 65535));
      CPPUNIT_ASSERT(writer.add(3, 0, bytes.data(), 2));
      CPPUNIT_ASSERT_EQUAL(i, writer.finish(1).sequence);
      CPPUNIT_ASSERT_EQUAL(std::size_t{kMaxTokenData}, reader.read(i).value.data.size());
    }
  }

  void testEmptyAndAbandoned() {
    TestPlex plex(1, 1, small_shape(8));
    SlotWriter writer(*plex, 0);
    CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
    writer.begin(Token{});
    CPPUNIT_ASSERT(writer.finish(1).outcome == NumberOutcome::kNotActive);
    CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
    writer.begin(Token{});
    CPPUNIT_ASSERT(writer.add(1, 0, "x", 1));
    writer.abandon();
    CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
    writer.release();
    CPPUNIT_ASSERT_EQUAL(Sequence{0}, control_view(*plex).sequence);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, TrackMap::unhardened(*plex, 0).count());
    CPPUNIT_ASSERT_EQUAL(0u, plex.chunks_not_free());
  }

  void testPoolFull() {
    TestPlex plex(1, 2, small_shape(8, 4));
    SlotWriter writer(*plex, 0), other(*plex, 1);
    SlotReader reader(*plex);
    std::vector<std::uint8_t> bytes(60000);
    unsigned written = 0;
    while (writer.prepare(60000) == SlotRoom::kReady) {
      writer.begin(Token{});
      CPPUNIT_ASSERT(writer.add(written, 0, bytes.data(), 60000));
      CPPUNIT_ASSERT(writer.finish(1).outcome == NumberOutcome::kNumbered);
      ++written;
    }
    CPPUNIT_ASSERT_EQUAL(4u * 4u, written);
    CPPUNIT_ASSERT(other.prepare() == SlotRoom::kPoolFull);
    CPPUNIT_ASSERT_EQUAL(reader.ring_bytes(), reader.ring_bytes_used());
    reader.free_through(3);
    CPPUNIT_ASSERT(other.prepare() == SlotRoom::kPoolFull);
    reader.free_through(4);
    CPPUNIT_ASSERT(other.prepare() == SlotRoom::kReady);
    CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kPoolFull);
    CPPUNIT_ASSERT_MESSAGE("what is held is still whole", reader.read(16).good());
    reader.free_through(16);
    writer.release();
    other.release();
    CPPUNIT_ASSERT_EQUAL(0u, plex.chunks_not_free());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, reader.ring_bytes_used());
  }

  void testEntriesFull() {
    TestPlex plex(1, 2, small_shape(8, 16, 64));
    SlotWriter writer(*plex, 0), other(*plex, 1);
    SlotReader reader(*plex);
    CPPUNIT_ASSERT(other.prepare(64) == SlotRoom::kReady);  // before the others fill up the entries
    other.begin(Token{});
    CPPUNIT_ASSERT(other.add(1, 0, "x", 1));
    unsigned written = 0;
    while (writer.prepare(3100) == SlotRoom::kReady) write(writer, 0, written++, 3100);
    CPPUNIT_ASSERT_EQUAL(64u - 8u + 1u, written);
    CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kEntriesFull);
    CPPUNIT_ASSERT_MESSAGE("who was prepared has its entry", other.finish(1).outcome == NumberOutcome::kNumbered);
    reader.free_through(2);
    CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
  }

  // Devices that wrote once do not keep memory from the others when nothing of theirs is needed any more.
  void testIdleChunkIsLentToAnother() {
    TestPlex plex(1, 3, small_shape(8, 2));
    SlotWriter first(*plex, 0), second(*plex, 1), third(*plex, 2);
    SlotReader reader(*plex);
    write(first, 0, 1);
    write(second, 1, 2);
    CPPUNIT_ASSERT(third.prepare() == SlotRoom::kPoolFull);
    reader.free_through(1);
    write(third, 2, 3);
    CPPUNIT_ASSERT_EQUAL(2u, chunk_view(*plex, 0).device);
    CPPUNIT_ASSERT_MESSAGE("its chunk was lent on", first.prepare() == SlotRoom::kPoolFull);
    assert_whole(reader, 2, 1, 2);
    assert_whole(reader, 3, 2, 3);
    reader.free_through(2);
    write(first, 0, 4);
    assert_whole(reader, 3, 2, 3);
    assert_whole(reader, 4, 0, 4);
    CPPUNIT_ASSERT(first.prepare() == SlotRoom::kReady);
    reader.free_through(4);
    CPPUNIT_ASSERT_MESSAGE("a busy chunk is not lent", chunk_view(*plex, 1).busy);
    first.release();
    second.release();
    third.release();
    CPPUNIT_ASSERT_EQUAL(0u, plex.chunks_not_free());
  }

  void testManyDevicesOnFewChunks() {
    TestPlex plex(4, 64, small_shape(256, 8));
    std::vector<std::unique_ptr<SlotWriter>> writers;
    for (std::uint32_t d = 0; d < 256; ++d) writers.push_back(std::make_unique<SlotWriter>(*plex, d));
    SlotReader reader(*plex);
    Sequence sequence = 0;
    for (std::uint32_t round = 0; round < 3; ++round)
      for (std::uint32_t d = 0; d < 256; ++d) {
        sequence = write(*writers[d], d, round).sequence;
        assert_whole(reader, sequence, d, round);
        if (sequence % 8 == 0) reader.free_through(sequence);
      }
    CPPUNIT_ASSERT_EQUAL(Sequence{768}, sequence);
  }

  void testChunkIsUsedAgainOnceFreed() {
    TestPlex plex(1, 1, small_shape(8));
    SlotWriter writer(*plex, 0);
    SlotReader reader(*plex);
    for (std::uint32_t i = 1; i <= 1000; ++i) {
      write(writer, 0, i);
      reader.free_through(i);
      CPPUNIT_ASSERT_EQUAL(1u, plex.chunks_not_free());
      CPPUNIT_ASSERT_EQUAL(0u, chunk_view(*plex, 0).device);
      CPPUNIT_ASSERT(!chunk_view(*plex, 0).free);
    }
  }

  void testReleaseFreesTheChunk() {
    TestPlex plex(1, 1, small_shape(8));
    SlotReader reader(*plex);
    SlotWriter writer(*plex, 0);
    write(writer, 0, 1);
    writer.release();
    CPPUNIT_ASSERT(chunk_view(*plex, 0).closed);
    assert_whole(reader, 1, 0, 1);
    reader.free_through(1);
    CPPUNIT_ASSERT_EQUAL(0u, plex.chunks_not_free());
    write(writer, 0, 2);
    reader.free_through(2);
    writer.release();
    CPPUNIT_ASSERT_EQUAL(0u, plex.chunks_not_free());
    writer.release();
  }

  void testANewWriterClosesTheOldOnesChunk() {
    TestPlex plex(1, 1, small_shape(8));
    SlotReader reader(*plex);
    {
      SlotWriter dropped(*plex, 0);
      write(dropped, 0, 1);
      CPPUNIT_ASSERT(dropped.prepare() == SlotRoom::kReady);
    }
    CPPUNIT_ASSERT(chunk_view(*plex, 0).busy);
    SlotWriter writer(*plex, 0);
    CPPUNIT_ASSERT(chunk_view(*plex, 0).closed);
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, chunk_view(*plex, 0).last);
    write(writer, 0, 2);
    assert_whole(reader, 1, 0, 1);
    assert_whole(reader, 2, 0, 2);
    writer.release();
    reader.free_through(2);
    CPPUNIT_ASSERT_EQUAL(0u, plex.chunks_not_free());
  }

  void testSuspendedTokensMarkTheMap() {
    TestPlex plex(1, 1, small_shape(8, 2));
    SlotWriter writer(*plex, 0);
    suspend_session(*plex, SuspendReason::kOperator);
    for (std::uint32_t i = 1; i <= 5000; i += 100) CPPUNIT_ASSERT(write(writer, 0, i).outcome == NumberOutcome::kNotActive);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{50}, TrackMap::changed(*plex, 0).count());
    CPPUNIT_ASSERT_EQUAL_MESSAGE("no memory is taken for it", 0u, plex.chunks_not_free());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, TrackMap::unhardened(*plex, 0).count());
  }

  // The owner may die with the track's bytes in the file and the write not yet finished.
  void testASuspendedTrackIsMarkedBeforeItsWriteEnds() {
    TestPlex plex(1, 1, small_shape(8));
    SlotWriter writer(*plex, 0);
    const std::uint8_t byte = 1;
    suspend_session(*plex, SuspendReason::kOperator);
    CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
    writer.begin(Token{});
    CPPUNIT_ASSERT(writer.add(7, 0, &byte, 1) && writer.add(8, 0, &byte, 1));
    CPPUNIT_ASSERT(TrackMap::changed(*plex, 0).test(7) && TrackMap::changed(*plex, 0).test(8));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, TrackMap::unhardened(*plex, 0).count());
    writer.abandon();
    // Begun in a suspension, and the session takes tokens again: nobody will read the change map for it.
    CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
    writer.begin(Token{});
    change_session_state(*plex, SessionState::kSuspended, SessionState::kActive);
    TrackMap::changed(*plex, 0).clear_all();
    CPPUNIT_ASSERT(writer.add(9, 0, &byte, 1));
    CPPUNIT_ASSERT(TrackMap::unhardened(*plex, 0).test(9));
  }

  void testResumedBetweenPrepareAndFinish() {
    TestPlex plex(1, 1, small_shape(8));
    SlotWriter writer(*plex, 0);
    suspend_session(*plex, SuspendReason::kOperator);
    CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
    writer.begin(Token{});
    CPPUNIT_ASSERT(writer.add(5, 0, "x", 1));
    CPPUNIT_ASSERT(writer.add(6, 0, "x", 1));
    CPPUNIT_ASSERT(writer.add(5, 9, "x", 1));
    CPPUNIT_ASSERT_EQUAL(2u, static_cast<unsigned>(writer.token().range_count));
    change_session_state(*plex, SessionState::kSuspended, SessionState::kActive);
    TrackMap::changed(*plex, 0).clear_all();  // read by who resumed it
    CPPUNIT_ASSERT(writer.finish(1).outcome == NumberOutcome::kFull);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, TrackMap::changed(*plex, 0).count());
    suspend_session(*plex, SuspendReason::kOperator);
    CPPUNIT_ASSERT(writer.finish(1).outcome == NumberOutcome::kNotActive);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, TrackMap::changed(*plex, 0).count());
  }

  void testSuspendedBetweenPrepareAndFinish() {
    for (const SessionState to : {SessionState::kSuspended, SessionState::kFrozen}) {
      TestPlex plex(1, 1, small_shape(8));
      SlotWriter writer(*plex, 0);
      CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
      writer.begin(Token{});
      CPPUNIT_ASSERT(writer.add(5, 0, "x", 1));
      change_session_state(*plex, SessionState::kActive, to);
      CPPUNIT_ASSERT(writer.finish(1).outcome == (to == SessionState::kFrozen ? NumberOutcome::kFrozen : NumberOutcome::kNotActive));
      CPPUNIT_ASSERT(TrackMap::changed(*plex, 0).test(5));
      change_session_state(*plex, to, SessionState::kActive);
      CPPUNIT_ASSERT_EQUAL(Sequence{1}, write(writer, 0, 1).sequence);
    }
  }

  void testInterruptedTokenIsHanded() {
    TestPlex plex(1, 1, small_shape(8));
    SlotWriter writer(*plex, 0);
    Token interrupted;
    CPPUNIT_ASSERT(!writer.take_interrupted(interrupted));
    CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
    writer.begin(Token{});
    CPPUNIT_ASSERT(!writer.take_interrupted(interrupted));
    CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
    writer.begin(KnownWrite{0, 77}.token());
    CPPUNIT_ASSERT(writer.add(5, 0, "x", 1));
    CPPUNIT_ASSERT(writer.take_interrupted(interrupted));
    CPPUNIT_ASSERT_EQUAL(77u, interrupted.event);
    CPPUNIT_ASSERT(interrupted.ranges[0] == (TrackRange{5, 0, 1}));
    CPPUNIT_ASSERT(!writer.take_interrupted(interrupted));
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, write(writer, 0, 1).sequence);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, TrackMap::unhardened(*plex, 0).count());
  }

  void testInterruptedTokenNobodyAsksForIsMarked() {
    TestPlex plex(1, 1, small_shape(8));
    SlotWriter writer(*plex, 0);
    CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
    writer.begin(Token{});
    CPPUNIT_ASSERT(writer.add(5, 0, "x", 1));
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, write(writer, 0, 1).sequence);
    CPPUNIT_ASSERT(TrackMap::unhardened(*plex, 0).test(5));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, TrackMap::unhardened(*plex, 0).count());
  }

  // It changed nothing, so there is nothing to mend.
  void testInterruptedVerificationMarksNothing() {
    TestPlex plex(1, 1, small_shape(8));
    SlotWriter writer(*plex, 0);
    CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
    Token verification;
    verification.kind = TokenKind::kVerify;
    writer.begin(verification);
    CPPUNIT_ASSERT(writer.add(5, 0, "digest", 6));
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, write(writer, 0, 1).sequence);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, TrackMap::unhardened(*plex, 0).count());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, TrackMap::changed(*plex, 0).count());
  }

  void testFlushedAndVoid() {
    TestPlex plex(1, 1, small_shape(8));
    SlotWriter writer(*plex, 0);
    SlotReader reader(*plex);
    write(writer, 0, 1);
    write(writer, 0, 2);
    plex->device(0).flushed_sequence = 1;
    CPPUNIT_ASSERT(reader.read(1).value.flushed);
    const auto held = reader.read(2);
    CPPUNIT_ASSERT(!held.value.flushed);
    CPPUNIT_ASSERT(!reader.is_flushed(held.value));
    plex->device(0).flushed_sequence = 2;
    CPPUNIT_ASSERT(reader.is_flushed(held.value));
    CPPUNIT_ASSERT(!reader.is_void(2));
    void_entry(*plex, 2);
    CPPUNIT_ASSERT(reader.is_void(2));
    CPPUNIT_ASSERT(reader.read(2).value.is_void);
    CPPUNIT_ASSERT(!reader.read(1).value.is_void);
  }

  void testDamagedSlotsAreNamed() {
    TestPlex plex(1, 1, small_shape(8));
    SlotWriter writer(*plex, 0);
    SlotReader reader(*plex);
    write(writer, 0, 1);
    write(writer, 0, 2);
    const SlotPlace place = slot_place(*plex, entry_view(*plex, 2).slot);
    const SlotHeader good = *place.header;
    const auto damaged = [&](auto change, const std::string& part) {
      change(*place.header);
      const auto held = reader.read(2);
      CPPUNIT_ASSERT_MESSAGE(part, !held.good());
      CPPUNIT_ASSERT_MESSAGE(held.status.text(), held.status.text().find("Token 2 in common storage is damaged (" + part) == 0);
      *place.header = good;
      CPPUNIT_ASSERT(reader.read(2).good());
    };
    damaged([](SlotHeader& h) { h.token.data_length += 1; }, "its counts");
    damaged([](SlotHeader& h) { h.token.range_count = 200; }, "its counts");
    damaged([](SlotHeader& h) { h.token.data_length = 65000, h.token.ranges[0] = {1, 0, 65000}; }, "its data runs beyond");
    damaged([](SlotHeader& h) { h.header_bytes = 64; }, "its header");
    damaged([](SlotHeader& h) { h.data_crc ^= 1; }, "its data fails");
    auto* data = reinterpret_cast<std::uint8_t*>(place.header) + sizeof(SlotHeader);
    data[3] ^= 1;
    CPPUNIT_ASSERT(!reader.read(2).good());
    CPPUNIT_ASSERT(reader.read(2, false).good());
    data[3] ^= 1;
    CPPUNIT_ASSERT(reader.read(1).good());
  }

  void testNotHeld() {
    TestPlex plex(1, 1, small_shape(8));
    SlotWriter writer(*plex, 0);
    SlotReader reader(*plex);
    CPPUNIT_ASSERT(!reader.read(0).good());
    CPPUNIT_ASSERT(!reader.read(1).good());
    write(writer, 0, 1);
    CPPUNIT_ASSERT(reader.read(1).good());
    CPPUNIT_ASSERT(!reader.read(2).good());
    reader.free_through(1);
    CPPUNIT_ASSERT_EQUAL(std::string("Token 1 is not held: common storage holds 2 to 1."), reader.read(1).status.text());
  }

  void testA9_ReaderRestartedInTheMiddle() {
    TestPlex plex(1, 2, small_shape(8, 8, 256));
    SlotWriter writer(*plex, 0), other(*plex, 1);
    Sequence next = 1;
    std::uint32_t attempt = 0;
    for (int round = 0; round < 50; ++round) {
      SlotReader reader(*plex);
      CPPUNIT_ASSERT(reader.rebuild().good());
      for (int i = 0; i < 20; ++i) {
        ++attempt;
        write(attempt % 2 != 0 ? writer : other, attempt % 2 != 0 ? 0 : 1, attempt);
      }
      // The mover ends here in the middle of freeing: some entries are free, freed_through not yet risen.
      for (; next + 7 <= attempt; ++next) {
        assert_whole(reader, next, next % 2 != 0 ? 0 : 1, static_cast<std::uint32_t>(next));
        if (next % 5 != 0)
          free_entry(*plex, next);
        else
          reader.free_through(next);
      }
    }
    SlotReader reader(*plex);
    CPPUNIT_ASSERT(reader.rebuild().good());
    CPPUNIT_ASSERT_EQUAL(next - 1, plex->control().freed_through.load());
    for (; next <= attempt; ++next) assert_whole(reader, next, next % 2 != 0 ? 0 : 1, static_cast<std::uint32_t>(next));
    writer.release();
    other.release();
    reader.free_through(attempt);
    CPPUNIT_ASSERT_EQUAL(0u, plex.chunks_not_free());
  }

  void testRebuildNamesAMissingEntry() {
    TestPlex plex(1, 1, small_shape(8));
    SlotWriter writer(*plex, 0);
    for (std::uint32_t i = 1; i <= 5; ++i) write(writer, 0, i);
    SlotReader reader(*plex);
    CPPUNIT_ASSERT(reader.rebuild().good());
    free_entry(*plex, 4);
    const Status damaged = reader.rebuild();
    CPPUNIT_ASSERT(damaged.text().find("Token 4 in common storage is damaged") == 0);
    plex->control().freed_through = 99;
    CPPUNIT_ASSERT(reader.rebuild().text().find("freed through 99, last numbered 5") != std::string::npos);
  }

  void testFreeThroughIsBounded() {
    TestPlex plex(1, 1, small_shape(8));
    SlotWriter writer(*plex, 0);
    SlotReader reader(*plex);
    reader.free_through(1000);
    CPPUNIT_ASSERT_EQUAL(Sequence{0}, plex->control().freed_through.load());
    for (std::uint32_t i = 1; i <= 5; ++i) write(writer, 0, i);
    reader.free_through(3);
    reader.free_through(2);
    CPPUNIT_ASSERT_EQUAL(Sequence{3}, plex->control().freed_through.load());
    reader.free_through(~Sequence{0});
    CPPUNIT_ASSERT_EQUAL(Sequence{5}, plex->control().freed_through.load());
  }
};

CPPUNIT_TEST_SUITE_REGISTRATION(Slots);

}  // namespace
}  // namespace afterimage
