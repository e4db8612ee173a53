// The numbering steps one at a time: order of outcomes, stamps, generations of entries, helpers that come late, change recording.
#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "serializer/check.h"
#include "serializer/chunk_pool.h"
#include "serializer/consistency_clock.h"
#include "serializer/pair_word.h"
#include "serializer/slot_ref.h"
#include "serializer_storage_fixture.h"

namespace afterimage {
namespace {

using testing::small_shape;
using testing::TestPlex;

unsigned failed_checks = 0;

class Numbering : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(Numbering);
  CPPUNIT_TEST(testPairWordSwap);
  CPPUNIT_TEST(testSlotReferencesAreChecked);
  CPPUNIT_TEST(testA3_NumbersAndStampsRise);
  CPPUNIT_TEST(testOutcomes);
  CPPUNIT_TEST(testEntriesRunFull);
  CPPUNIT_TEST(testEntryGenerations);
  CPPUNIT_TEST(testHelperRecordsForAKilledOwner);
  CPPUNIT_TEST(testLateHelperDisturbsNothing);
  CPPUNIT_TEST(testGenerationWrapIsNoOldState);
  CPPUNIT_TEST(testStateChanges);
  CPPUNIT_TEST(testRecordChange);
  CPPUNIT_TEST(testSuspendOneVolume);
  CPPUNIT_TEST(testVoidAndFree);
  CPPUNIT_TEST(testTrackMap);
  CPPUNIT_TEST(testBadSlotFailsACheck);
  CPPUNIT_TEST(testDamagedControlWordIsNotFollowed);
  CPPUNIT_TEST(testNothingIsRecordedForAVolumeOutsideTheSession);
  CPPUNIT_TEST(testA10_TimeMovesWhileFrozenAndOnlyInASession);
  CPPUNIT_TEST(testChunksAreFoundBehindOneAnother);
  CPPUNIT_TEST_SUITE_END();

  static SlotRef place(TestPlex& plex, std::uint32_t chunk, std::uint32_t offset) {
    const SlotRef ref = make_slot_ref(chunk, offset, 256);
    slot_place(*plex, ref).header->token = Token{};
    return ref;
  }

 public:
  void testPairWordSwap() {
    PairWord word{1, 2};
    CPPUNIT_ASSERT(!pair_swap(word, {1, 3}, {5, 6}));
    CPPUNIT_ASSERT(!pair_swap(word, {0, 2}, {5, 6}));
    CPPUNIT_ASSERT(pair_swap(word, {1, 2}, {~0ULL, 1ULL << 63}));
    const PairWord read = pair_load(word);
    CPPUNIT_ASSERT_EQUAL(~std::uint64_t{0}, read.low);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1} << 63, read.high);
  }

  void testSlotReferencesAreChecked() {
    TestPlex plex(1, 1, small_shape(8, 4));
    const SlotPlace good = slot_place(*plex, make_slot_ref(3, kMinChunkBytes - 256, 256));
    CPPUNIT_ASSERT_EQUAL(3u, good.chunk);
    CPPUNIT_ASSERT_EQUAL(kMinChunkBytes - 256u, good.offset);
    CPPUNIT_ASSERT_EQUAL(256u, good.length);
    CPPUNIT_ASSERT(reinterpret_cast<std::uint8_t*>(good.header) == plex->chunk(3) + kMinChunkBytes - 256);
    for (const SlotRef bad :
         {SlotRef{0}, make_slot_ref(4, 0, 256), make_slot_ref(3, kMinChunkBytes - 256, 320), make_slot_ref(3, kMinChunkBytes, 256),
          make_slot_ref(0, 0, 128), ~SlotRef{0}, make_slot_ref(0, kMinChunkBytes + 64, 256)})
      CPPUNIT_ASSERT(slot_place(*plex, bad).header == nullptr);
  }

  void testA3_NumbersAndStampsRise() {
    TestPlex plex(2, 2, small_shape(8));
    CPPUNIT_ASSERT_EQUAL(Sequence{0}, control_view(*plex).sequence);
    Tod last = 0;
    const std::uint64_t times_us[] = {1000, 1000, 900, 0, 5000, 5001, 4999, 6000};
    for (Sequence i = 1; i <= 8; ++i) {
      const SlotRef ref = place(plex, 0, static_cast<std::uint32_t>(i) * 256);
      const Numbered numbered = number_slot(*plex, static_cast<std::uint32_t>(i % 4), ref, times_us[i - 1]);
      CPPUNIT_ASSERT(numbered.outcome == NumberOutcome::kNumbered);
      CPPUNIT_ASSERT_EQUAL(i, numbered.sequence);
      CPPUNIT_ASSERT(numbered.tod > last);
      CPPUNIT_ASSERT(tod_to_us(numbered.tod) >= times_us[i - 1]);
      CPPUNIT_ASSERT_EQUAL(numbered.tod, slot_place(*plex, ref).header->token.tod);
      CPPUNIT_ASSERT_EQUAL(i, plex->device(static_cast<std::uint32_t>(i % 4)).last_sequence.load());
      last = numbered.tod;
      const EntryView entry = entry_view(*plex, i);
      CPPUNIT_ASSERT(entry.state == EntryState::kHeld && entry.sequence == i && entry.slot == ref && entry.device == i % 4);
    }
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{6000}, tod_to_us(last));
  }

  void testOutcomes() {
    TestPlex plex(1, 1, small_shape(8));
    const SlotRef ref = place(plex, 0, 0);
    const auto outcome = [&] { return number_slot(*plex, 0, ref, 1).outcome; };
    plex->device(0).duplex = 0;
    CPPUNIT_ASSERT(outcome() == NumberOutcome::kNotActive);
    plex->device(0).duplex = kPending;
    CPPUNIT_ASSERT(outcome() == NumberOutcome::kNotActive);
    plex->device(0).duplex = kDuplex | kVolumeSuspended;
    CPPUNIT_ASSERT(outcome() == NumberOutcome::kVolumeSuspended);
    plex->device(0).duplex = kDuplex;
    change_session_state(*plex, SessionState::kActive, SessionState::kFrozen);
    CPPUNIT_ASSERT(outcome() == NumberOutcome::kFrozen);
    CPPUNIT_ASSERT(outcome_now(*plex, 0) == NumberOutcome::kFrozen);
    change_session_state(*plex, SessionState::kFrozen, SessionState::kSuspended);
    CPPUNIT_ASSERT(outcome() == NumberOutcome::kNotActive);
    change_session_state(*plex, SessionState::kSuspended, SessionState::kInactive);
    CPPUNIT_ASSERT(outcome() == NumberOutcome::kNotActive);
    CPPUNIT_ASSERT_EQUAL(Sequence{0}, control_view(*plex).sequence);
    change_session_state(*plex, SessionState::kInactive, SessionState::kActive);
    CPPUNIT_ASSERT(outcome() == NumberOutcome::kNumbered);
  }

  void testEntriesRunFull() {
    TestPlex plex(1, 1, small_shape(8, 16, 64));
    const SlotRef ref = place(plex, 0, 0);
    for (Sequence i = 1; i <= 64; ++i) {
      CPPUNIT_ASSERT_EQUAL(i <= 64 - 8 + 1, entries_have_room(*plex));
      CPPUNIT_ASSERT(number_slot(*plex, 0, ref, 1).outcome == NumberOutcome::kNumbered);
    }
    CPPUNIT_ASSERT(number_slot(*plex, 0, ref, 1).outcome == NumberOutcome::kFull);
    SlotReader reader(*plex);
    reader.free_through(1);
    CPPUNIT_ASSERT_EQUAL(Sequence{65}, number_slot(*plex, 0, ref, 1).sequence);
    CPPUNIT_ASSERT(number_slot(*plex, 0, ref, 1).outcome == NumberOutcome::kFull);
  }

  // The first use of a place starts from zero, every later one from the number freed there.
  void testEntryGenerations() {
    TestPlex plex(1, 1, small_shape(8, 16, 64));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{64}, plex->sequence_entries());
    const SlotRef ref = place(plex, 0, 0);
    SlotReader reader(*plex);
    for (Sequence i = 1; i <= 1000; ++i) {
      CPPUNIT_ASSERT_EQUAL(i, number_slot(*plex, 0, ref, 1).sequence);
      CPPUNIT_ASSERT(entry_view(*plex, i).state == EntryState::kHeld && entry_view(*plex, i).sequence == i);
      reader.free_through(i);
      CPPUNIT_ASSERT(entry_view(*plex, i).state == EntryState::kFree && entry_view(*plex, i).sequence == i);
      CPPUNIT_ASSERT_EQUAL(SlotRef{0}, entry_view(*plex, i).slot);
    }
  }

  // The state a process leaves that is killed between the swap of the control word and the recording of its entry; then `next` numbers.
  static void helped_by(std::uint32_t next) {
    TestPlex plex(1, 2, small_shape(8));
    const SlotRef ref = place(plex, 2, 512);
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, number_slot(*plex, 1, place(plex, 0, 0), 1).sequence);
    plex->device(0).pending = ref;
    const PairWord old = pair_load(plex->control().word);
    CPPUNIT_ASSERT(pair_swap(plex->control().word, old, {old.low + (1 << 16), (tod_to_us(tod_from_us(5)) << 12) | 0}));
    CPPUNIT_ASSERT(entry_view(*plex, 2).state == EntryState::kFree);
    CPPUNIT_ASSERT_EQUAL(Sequence{3}, number_slot(*plex, next, place(plex, 0, 256), 1).sequence);
    const EntryView entry = entry_view(*plex, 2);
    CPPUNIT_ASSERT(entry.state == EntryState::kHeld && entry.sequence == 2 && entry.device == 0 && entry.slot == ref);
    CPPUNIT_ASSERT_EQUAL(Sequence{next == 0 ? 3u : 2u}, plex->device(0).last_sequence.load());
  }
  void testHelperRecordsForAKilledOwner() {
    helped_by(1);
    helped_by(0);  // the device itself, before it stores its next `pending`
  }

  // A helper that slept since it read the control word finds the entry recorded, freed or used again, and changes nothing.
  void testLateHelperDisturbsNothing() {
    TestPlex plex(1, 2, small_shape(8, 16, 64));
    SlotReader reader(*plex);
    const SlotRef ref = place(plex, 0, 0), other = place(plex, 1, 256);
    number_slot(*plex, 0, ref, 1);
    const ControlView seen = control_view(*plex);
    number_slot(*plex, 0, other, 1);
    help_last(*plex, seen);
    CPPUNIT_ASSERT_EQUAL(ref, entry_view(*plex, 1).slot);
    reader.free_through(2);
    help_last(*plex, seen);
    CPPUNIT_ASSERT(entry_view(*plex, 1).state == EntryState::kFree && entry_view(*plex, 1).sequence == 1);
    for (int i = 0; i < 64; ++i) {
      number_slot(*plex, 1, other, 1);
      help_last(*plex, seen);
    }
    CPPUNIT_ASSERT(entry_view(*plex, 65).sequence == 65 && entry_view(*plex, 65).slot == other);
  }

  // 256 changes bring the generation back, but not the control word: a writer that slept through them must decide again.
  void testGenerationWrapIsNoOldState() {
    TestPlex plex(1, 1, small_shape(8));
    const ControlView view = control_view(*plex);
    const PairWord before = pair_load(plex->control().word);
    for (int i = 0; i < 256; ++i) bump_generation(*plex);
    CPPUNIT_ASSERT_EQUAL(static_cast<unsigned>(view.generation), static_cast<unsigned>(control_view(*plex).generation));
    CPPUNIT_ASSERT(!pair_swap(plex->control().word, before, {before.low + (1 << 16), before.high}));
  }

  void testStateChanges() {
    TestPlex plex(1, 1, small_shape(8));
    for (int i = 0; i < 3; ++i) number_slot(*plex, 0, place(plex, 0, 0), 1);
    CPPUNIT_ASSERT(!change_session_state(*plex, SessionState::kFrozen, SessionState::kSuspended).changed);
    const StateChange change = suspend_session(*plex, SuspendReason::kBuffers);
    CPPUNIT_ASSERT(change.changed);
    CPPUNIT_ASSERT_EQUAL(Sequence{3}, change.cut);
    CPPUNIT_ASSERT(!suspend_session(*plex, SuspendReason::kLink).changed);
    CPPUNIT_ASSERT_EQUAL(static_cast<std::uint32_t>(SuspendReason::kBuffers), plex->control().suspend_reason.load());
    CPPUNIT_ASSERT_EQUAL(Sequence{3}, plex->control().suspended_at.load());
    CPPUNIT_ASSERT(change_session_state(*plex, SessionState::kSuspended, SessionState::kActive).changed);
    CPPUNIT_ASSERT_EQUAL(Sequence{4}, number_slot(*plex, 0, place(plex, 0, 0), 1).sequence);
  }

  void testRecordChange() {
    TestPlex plex(1, 1, small_shape(8));
    Token token;
    token.range_count = 2;
    token.ranges[0] = {7, 0, 10};
    token.ranges[1] = {14999, 0, 10};
    TrackMap map = TrackMap::changed(*plex, 0);
    CPPUNIT_ASSERT_MESSAGE("while the token can be numbered it must be", !record_change(*plex, 0, token));
    change_session_state(*plex, SessionState::kActive, SessionState::kInactive);
    CPPUNIT_ASSERT(record_change(*plex, 0, token));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, map.count());
    change_session_state(*plex, SessionState::kInactive, SessionState::kSuspended);
    plex->device(0).duplex = 0;
    CPPUNIT_ASSERT(record_change(*plex, 0, token));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, map.count());
    plex->device(0).duplex = kDuplex;
    token.kind = TokenKind::kVerify;
    CPPUNIT_ASSERT(record_change(*plex, 0, token));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, map.count());
    token.kind = TokenKind::kWrite;
    CPPUNIT_ASSERT(record_change(*plex, 0, token));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, map.count());
    CPPUNIT_ASSERT(map.test(7) && map.test(14999));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, TrackMap::unhardened(*plex, 0).count());
    token.ranges[0].track = 8;
    change_session_state(*plex, SessionState::kSuspended, SessionState::kFrozen);
    CPPUNIT_ASSERT(record_change(*plex, 0, token));
    CPPUNIT_ASSERT(map.test(8));
  }

  void testSuspendOneVolume() {
    TestPlex plex(1, 2, small_shape(8));
    number_slot(*plex, 0, place(plex, 0, 0), 1);
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, suspend_device(*plex, 0, SuspendReason::kWriteBack));
    CPPUNIT_ASSERT(number_slot(*plex, 0, place(plex, 0, 0), 1).outcome == NumberOutcome::kVolumeSuspended);
    CPPUNIT_ASSERT_EQUAL(Sequence{2}, number_slot(*plex, 1, place(plex, 0, 0), 1).sequence);
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, plex->device(0).suspended_at.load());
    CPPUNIT_ASSERT_EQUAL(static_cast<std::uint32_t>(SuspendReason::kWriteBack), plex->device(0).suspend_reason.load());
    Token token;
    token.range_count = 1;
    token.ranges[0] = {3, 0, 1};
    CPPUNIT_ASSERT(record_change(*plex, 0, token));
    CPPUNIT_ASSERT(TrackMap::changed(*plex, 0).test(3));
    CPPUNIT_ASSERT(!record_change(*plex, 1, token));
  }

  void testVoidAndFree() {
    TestPlex plex(1, 1, small_shape(8, 16, 64));
    const SlotRef ref = place(plex, 0, 0);
    number_slot(*plex, 0, ref, 1);
    CPPUNIT_ASSERT(!void_entry(*plex, 65));
    CPPUNIT_ASSERT(void_entry(*plex, 1));
    CPPUNIT_ASSERT(!void_entry(*plex, 1));
    CPPUNIT_ASSERT(entry_view(*plex, 1).state == EntryState::kVoid && entry_view(*plex, 1).slot == ref);
    free_entry(*plex, 65);
    CPPUNIT_ASSERT(entry_view(*plex, 1).state == EntryState::kVoid);
    free_entry(*plex, 1);
    CPPUNIT_ASSERT(entry_view(*plex, 1).state == EntryState::kFree);
    CPPUNIT_ASSERT(!void_entry(*plex, 1));
  }

  void testTrackMap() {
    TestPlex plex(1, 2, small_shape(8));
    TrackMap map = TrackMap::changed(*plex, 1);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{16384}, map.tracks());
    CPPUNIT_ASSERT_EQUAL(map.tracks(), map.next(0));
    for (const std::uint32_t track : {0u, 63u, 64u, 9999u, 16383u}) CPPUNIT_ASSERT(map.set(track));
    CPPUNIT_ASSERT(!map.set(16384));
    CPPUNIT_ASSERT(!map.test(16384));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{5}, map.count());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, map.next(0));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{63}, map.next(1));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{9999}, map.next(65));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{16383}, map.next(10000));
    CPPUNIT_ASSERT_EQUAL(map.tracks(), map.next(16384));
    map.clear(63);
    map.clear(16384);  // of no track of the map
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{4}, map.count());
    CPPUNIT_ASSERT(!map.test(63) && map.test(64));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, TrackMap::changed(*plex, 0).count());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, TrackMap::unhardened(*plex, 1).count());
    map.clear_all();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, map.count());
  }

  void testBadSlotFailsACheck() {
    TestPlex plex(1, 1, small_shape(8));
    failed_checks = 0;
    set_check_handler([](const char*, const char*, int) { ++failed_checks; });
    CPPUNIT_ASSERT(number_slot(*plex, 0, make_slot_ref(99, 0, 256), 1).outcome == NumberOutcome::kNotActive);
    CPPUNIT_ASSERT(number_slot(*plex, 8, place(plex, 0, 0), 1).outcome == NumberOutcome::kNotActive);
    plex->device(8);
    set_check_handler(nullptr);
    CPPUNIT_ASSERT_EQUAL(3u, failed_checks);
    CPPUNIT_ASSERT_EQUAL(Sequence{0}, control_view(*plex).sequence);
  }

  // A stray store of another program: the device named last does not exist.
  void testDamagedControlWordIsNotFollowed() {
    TestPlex plex(1, 1, small_shape(8));
    PairWord damaged = pair_load(plex->control().word);
    damaged.low += 1u << 16;  // as if one token more were numbered
    damaged.high |= 0xFFF;
    plex->control().word = damaged;
    failed_checks = 0;
    set_check_handler([](const char*, const char*, int) { ++failed_checks; });
    help_last(*plex, control_view(*plex));
    set_check_handler(nullptr);
    CPPUNIT_ASSERT_EQUAL(1u, failed_checks);
    CPPUNIT_ASSERT_EQUAL(Sequence{0}, entry_view(*plex, 1).sequence);
  }

  void testNothingIsRecordedForAVolumeOutsideTheSession() {
    TestPlex plex(1, 2, small_shape(8));
    plex->device(1).duplex = 0;
    Token token;
    token.range_count = 1;
    token.ranges[0] = {3, 0, 1};
    CPPUNIT_ASSERT(record_change(*plex, 1, token));
    suspend_session(*plex, SuspendReason::kOperator);
    CPPUNIT_ASSERT(record_change(*plex, 1, token));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, TrackMap::changed(*plex, 1).count());
    CPPUNIT_ASSERT(record_change(*plex, 0, token));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, TrackMap::changed(*plex, 0).count());
  }

  // A frozen session numbers nothing, so what is held at the secondary becomes consistent up to now; a suspended one promises nothing.
  void testA10_TimeMovesWhileFrozenAndOnlyInASession() {
    TestPlex plex(1, 1, small_shape(8));
    const Sequence last = number_slot(*plex, 0, place(plex, 0, 0), 10).sequence;
    change_session_state(*plex, SessionState::kActive, SessionState::kFrozen);
    CPPUNIT_ASSERT_EQUAL(last, advance_clock(*plex, tod_from_us(5000)));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{5000}, control_view(*plex).tod_us);
    CPPUNIT_ASSERT_EQUAL(last, advance_clock(*plex, tod_from_us(100)));  // a clock set back moves nothing back
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{5000}, control_view(*plex).tod_us);
    change_session_state(*plex, SessionState::kFrozen, SessionState::kSuspended);
    const std::uint64_t at_us = control_view(*plex).tod_us;
    CPPUNIT_ASSERT_EQUAL(last, advance_clock(*plex, tod_from_us(90000)));
    CPPUNIT_ASSERT_EQUAL(at_us, control_view(*plex).tod_us);
  }

  void testChunksAreFoundBehindOneAnother() {
    TestPlex plex(1, 2, small_shape(8, 4));
    CPPUNIT_ASSERT(take_chunk(*plex, 0, 0));
    CPPUNIT_ASSERT(take_chunk(*plex, 0, 2));
    CPPUNIT_ASSERT_EQUAL(1u, find_chunk(*plex, false, kNoChunk));
    CPPUNIT_ASSERT_EQUAL(3u, find_chunk(*plex, false, 1));
    CPPUNIT_ASSERT_EQUAL(kNoChunk, find_chunk(*plex, false, 3));
    CPPUNIT_ASSERT(!take_chunk(*plex, 1, 2));  // in use
    lend_back_chunk(*plex, 0, 2, 7);
    CPPUNIT_ASSERT(!take_chunk(*plex, 1, 2));  // idle, and its last token not yet acknowledged
    CPPUNIT_ASSERT_EQUAL(3u, find_chunk(*plex, true, 1));
    plex->control().freed_through = 7;
    CPPUNIT_ASSERT_EQUAL(2u, find_chunk(*plex, true, 1));
    CPPUNIT_ASSERT(take_chunk(*plex, 1, 2));
  }
};

CPPUNIT_TEST_SUITE_REGISTRATION(Numbering);

}  // namespace
}  // namespace afterimage
