// Each step on shared words against a competitor that comes between at every one of its instructions: whoever loses the compare-and-swap
// decides again from what it finds, and both end with an answer that is true of one order of the two steps. x86-64 only.
#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include "serializer/chunk_pool.h"
#include "serializer/consistency_clock.h"
#include "serializer/slot_ref.h"
#include "serializer_single_step.h"
#include "serializer_storage_fixture.h"

#if defined(__x86_64__)

namespace afterimage {
namespace {

using testing::SingleStep;
using testing::small_shape;
using testing::TestPlex;

constexpr long kMostInstructions = 5000;  // of one step; the enumeration must end before

class LostSwaps : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(LostSwaps);
  CPPUNIT_TEST(testASuspensionsCutHoldsEveryNumberedWrite);
  CPPUNIT_TEST(testASuspendedVolumeNumbersNothingBehindItsCut);
  CPPUNIT_TEST(testANewGenerationReturnsTheLastNumber);
  CPPUNIT_TEST(testA10_ConsistencyTimeCoversNoLaterWrite);
  CPPUNIT_TEST(testAnEntryIsFreedOnceHoweverItIsVoided);
  CPPUNIT_TEST(testAChangeIsNotLostAcrossAResumption);
  CPPUNIT_TEST(testOneOfTwoTakesAFreeChunk);
  CPPUNIT_TEST(testAnIdleChunkIsItsOwnersOrTheTakers);
  CPPUNIT_TEST_SUITE_END();

  // Runs `work` once for each of its first 300 instructions, and for every 13th behind them (the cost is their number squared), with
  // `between` after that instruction; `judge` says what must hold then.
  template <typename Prepare, typename Work, typename Between, typename Judge>
  static void at_each_instruction(const Prepare& prepare, const Work& work, const Between& between, const Judge& judge) {
    SingleStep step;
    for (long instruction = 1;; instruction += instruction < 300 ? 1 : 13) {
      CPPUNIT_ASSERT(instruction < kMostInstructions);
      prepare();
      if (!step.interleave(instruction, work, between)) return;
      const std::string fault = judge();
      CPPUNIT_ASSERT_EQUAL_MESSAGE("instruction " + std::to_string(instruction), std::string(), fault);
    }
  }

  static Numbered number(TestPlex& plex, std::uint32_t device, std::uint64_t now_us = 1) {
    const SlotRef ref = make_slot_ref(device, 0, 256);
    slot_place(*plex, ref).header->token = Token{};
    return number_slot(*plex, device, ref, now_us);
  }
  static StorageShape shape() { return small_shape(8, 8, 8192); }

 public:
  void testASuspensionsCutHoldsEveryNumberedWrite() {
    TestPlex plex(1, 2, shape());
    StateChange change;
    Numbered write;
    at_each_instruction(
        [&] {
          change_session_state(*plex, SessionState::kSuspended, SessionState::kActive);
          number(plex, 0);
        },
        [&] { change = suspend_session(*plex, SuspendReason::kOperator); }, [&] { write = number(plex, 1); },
        [&]() -> std::string {
          if (!change.changed) return "not suspended";
          if (write.outcome == NumberOutcome::kNumbered && write.sequence > change.cut) return "a write was numbered behind the cut";
          if (control_view(*plex).sequence != change.cut) return "the cut is not the last number";
          if (plex->control().suspended_at.load() != change.cut) return "another cut was recorded";
          return {};
        });
  }

  void testASuspendedVolumeNumbersNothingBehindItsCut() {
    TestPlex plex(1, 2, shape());
    Sequence cut = 0;
    Numbered own, other;
    at_each_instruction([&] { plex->device(1).duplex = kDuplex; }, [&] { cut = suspend_device(*plex, 1, SuspendReason::kWriteBack); },
                        [&] {
                          own = number(plex, 1);
                          other = number(plex, 0);
                        },
                        [&]() -> std::string {
                          if (other.outcome != NumberOutcome::kNumbered) return "the other volume was suspended too";
                          if (own.outcome == NumberOutcome::kNumbered && own.sequence > cut)
                            return "a write of the volume was numbered behind its cut";
                          if (own.outcome != NumberOutcome::kNumbered && own.outcome != NumberOutcome::kVolumeSuspended)
                            return "another outcome";
                          return {};
                        });
  }

  void testANewGenerationReturnsTheLastNumber() {
    TestPlex plex(1, 1, shape());
    Sequence before = 0, last = 0;
    Numbered write;
    at_each_instruction([&] { before = number(plex, 0).sequence; }, [&] { last = bump_generation(*plex); },
                        [&] { write = number(plex, 0); },
                        [&]() -> std::string {
                          if (write.sequence != before + 1) return "the write was not numbered";
                          if (last != before && last != write.sequence) return "not the last number of any moment";
                          if (entry_view(*plex, write.sequence).state != EntryState::kHeld) return "the write's entry was lost";
                          return {};
                        });
  }

  // Every write stamped at or before `now` has a number up to the one returned.
  void testA10_ConsistencyTimeCoversNoLaterWrite() {
    TestPlex plex(1, 1, shape());
    std::uint64_t now_us = 1000;
    Sequence through = 0;
    Numbered write;
    at_each_instruction([&] { now_us += 1000; }, [&] { through = advance_clock(*plex, tod_from_us(now_us)); },
                        [&] { write = number(plex, 0, now_us - 500); },
                        [&]() -> std::string {
                          if (write.outcome != NumberOutcome::kNumbered) return "the write was not numbered";
                          if (tod_to_us(write.tod) <= now_us && write.sequence > through) return "consistency time passed over a write";
                          if (control_view(*plex).tod_us < now_us) return "time was not moved";
                          return {};
                        });
  }

  void testAnEntryIsFreedOnceHoweverItIsVoided() {
    TestPlex plex(1, 1, shape());
    Sequence sequence = 0;
    at_each_instruction([&] { sequence = number(plex, 0).sequence; }, [&] { free_entry(*plex, sequence); },
                        [&] { void_entry(*plex, sequence); },
                        [&]() -> std::string {
                          const EntryView view = entry_view(*plex, sequence);
                          if (view.state != EntryState::kFree || view.slot != 0) return "the entry was not freed";
                          return void_entry(*plex, sequence) ? "a freed entry was voided" : "";
                        });
  }

  // While a suspended session's write notes its track, the session is resumed, the changes are collected, and in one case it is suspended
  // again: the track is collected, or noted for the next collection, or noted to be mended.
  void testAChangeIsNotLostAcrossAResumption() {
    for (const bool suspended_again : {false, true}) {
      TestPlex plex(1, 1, shape());
      SlotWriter writer(*plex, 0);
      TrackMap changed = TrackMap::changed(*plex, 0), unhardened = TrackMap::unhardened(*plex, 0);
      bool collected = false;
      suspend_session(*plex, SuspendReason::kOperator);
      at_each_instruction(
          [&] {
            writer.abandon();
            if (!suspended_again) change_session_state(*plex, SessionState::kActive, SessionState::kSuspended);
            changed.clear_all();
            unhardened.clear_all();
            collected = false;
            CPPUNIT_ASSERT(writer.prepare(64) == SlotRoom::kReady);
            writer.begin(Token{});
          },
          [&] { writer.add(77, 0, "x", 1); },
          [&] {
            change_session_state(*plex, SessionState::kSuspended, SessionState::kActive);
            collected = changed.test(77);
            changed.clear(77);
            if (suspended_again) change_session_state(*plex, SessionState::kActive, SessionState::kSuspended);
          },
          [&]() -> std::string { return collected || changed.test(77) || unhardened.test(77) ? "" : "the track was lost"; });
    }
  }

  void testOneOfTwoTakesAFreeChunk() {
    TestPlex plex(1, 2, shape());
    bool first = false, second = false;
    at_each_instruction([&] { plex->chunk_word(3).word = 0; }, [&] { first = take_chunk(*plex, 0, 3); },
                        [&] { second = take_chunk(*plex, 1, 3); },
                        [&]() -> std::string {
                          if (first == second) return first ? "both took it" : "nobody took it";
                          const ChunkView view = chunk_view(*plex, 3);
                          if (!view.busy) return "it is not in use";
                          return view.device == (first ? 0u : 1u) ? "" : "it is another's";
                        });
  }

  void testAnIdleChunkIsItsOwnersOrTheTakers() {
    TestPlex plex(1, 2, shape());
    bool resumed = false, taken = false;
    at_each_instruction(
        [&] {
          plex->chunk_word(3).word = 0;
          take_chunk(*plex, 0, 3);
          lend_back_chunk(*plex, 0, 3, 0);
        },
        [&] { resumed = resume_chunk(*plex, 0, 3); }, [&] { taken = take_chunk(*plex, 1, 3); },
        [&]() -> std::string {
          if (resumed == taken) return resumed ? "both have it" : "nobody has it";
          return chunk_view(*plex, 3).device == (resumed ? 0u : 1u) ? "" : "it is another's";
        });
  }
};

CPPUNIT_TEST_SUITE_REGISTRATION(LostSwaps);

}  // namespace
}  // namespace afterimage

#endif
