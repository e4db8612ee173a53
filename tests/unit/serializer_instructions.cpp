// Not at random but at one instruction of a write after another: the writer is killed, jumped out of, or another process's step falls
// between. Every instruction is visited with AFTERIMAGE_EVERY_INSTRUCTION=1 (minutes); else every 31st, from a random first one. A
// failure names the instruction.
#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <cstdlib>
#include <random>
#include <set>

#include "serializer/consistency_clock.h"
#include "serializer_auditor.h"
#include "serializer_single_step.h"

#if defined(__x86_64__)

namespace afterimage {
namespace {

using testing::Auditor;
using testing::KnownWrite;
using testing::SingleStep;
using testing::small_shape;
using testing::TestPlex;

constexpr long kMostInstructions = 20000;  // of one write; the enumeration must end before
constexpr long kStride = 31;

// The instructions to visit, in order.
class Visit {
 public:
  Visit() : stride_(std::getenv("AFTERIMAGE_EVERY_INSTRUCTION") != nullptr ? 1 : kStride), at_(1 + std::random_device{}() % stride_) {}
  long operator*() const { return at_; }
  void next() {
    at_ += stride_;
    CPPUNIT_ASSERT(at_ < kMostInstructions);
  }
  std::string text() const { return "instruction " + std::to_string(at_); }

 private:
  long stride_, at_;
};

#define ASSERT_AT(condition) CPPUNIT_ASSERT_MESSAGE(visit.text(), condition)

// Writes of a few bytes, so that the instructions are those of the algorithm and not of a long copy.
struct SmallWriter {
  SlotWriter writer;
  std::uint32_t device;
  std::uint32_t attempt = 0;
  std::vector<std::uint8_t> bytes;
  Numbered last{};

  SmallWriter(TestPlex& plex, std::uint32_t index) : writer(*plex, index), device(index) {}
  KnownWrite known() const { return {device, attempt}; }
  // An attempt number whose write has 24 bytes: always the same instructions.
  void next() {
    do ++attempt;
    while (known().length() != 24);
    known().fill(bytes);
  }
  void write() {
    last = {};
    if (writer.prepare(64) != SlotRoom::kReady) return;
    known().put(writer, bytes);
    finish();
  }
  void finish() { last = writer.finish(1); }
  // All but finish(), at full speed.
  void open() {
    next();
    last = {};
    CPPUNIT_ASSERT(writer.prepare(64) == SlotRoom::kReady);
    CPPUNIT_ASSERT(known().put(writer, bytes));
  }
  void next_write() {
    next();
    write();
  }
};

class Instructions : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(Instructions);
  CPPUNIT_TEST(testA3_KilledAtEachInstruction);
  CPPUNIT_TEST(testJumpedOutOfAtEachInstruction);
  CPPUNIT_TEST(testJumpedOutOfAChangeOfChunks);
  CPPUNIT_TEST(testA3_AnotherWriteAtEachInstruction);
  CPPUNIT_TEST(testSuspensionAtEachInstruction);
  CPPUNIT_TEST(testSuspensionAndResumptionAtEachInstruction);
  CPPUNIT_TEST(testResumptionAtEachInstruction);
  CPPUNIT_TEST(testVolumeSuspensionAtEachInstruction);
  CPPUNIT_TEST(testChunkTakenByAnotherAtEachInstruction);
  CPPUNIT_TEST(testFreeingAtEachInstruction);
  CPPUNIT_TEST(testA10_ClockAdvancedAtEachInstruction);
  CPPUNIT_TEST_SUITE_END();

  static std::set<std::uint32_t> collect(TestPlex& plex, std::uint32_t device) {
    std::set<std::uint32_t> tracks;
    TrackMap map = TrackMap::changed(*plex, device);
    for (std::uint64_t track = map.next(0); track < map.tracks(); track = map.next(track + 1)) {
      map.clear(static_cast<std::uint32_t>(track));
      tracks.insert(static_cast<std::uint32_t>(track));
    }
    return tracks;
  }

  static void assert_good(Auditor& auditor) {
    auditor.step();
    CPPUNIT_ASSERT_EQUAL(std::string(), auditor.fault());
  }

 public:
  // A system is killed at each instruction of a write in turn. The next to number a token is another system, so it is the one to help.
  void testA3_KilledAtEachInstruction() {
    TestPlex plex(2, 1, small_shape(8, 8, 256));
    auto* attempt =
        static_cast<std::atomic<std::uint32_t>*>(::mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
    SmallWriter living(plex, 1);
    Auditor auditor(plex, 2);
    unsigned numbered = 0, lost = 0;
    Visit visit;
    for (int status = 1; status != 0; visit.next()) {
      const pid_t child = ::fork();
      if (child == 0) {
        if (!register_system(*plex, "HERC0").good()) ::_exit(2);
        SmallWriter dying(plex, 0);
        dying.attempt = *attempt;
        dying.next();
        *attempt = dying.attempt;
        SingleStep step;
        step.interleave(
            *visit, [&] { dying.write(); }, [] { ::kill(::getpid(), SIGKILL); });
        dying.writer.release();
        ::_exit(0);
      }
      ::waitpid(child, &status, 0);
      ASSERT_AT(status == 0 || WIFSIGNALED(status));
      living.next_write();
      ASSERT_AT(living.last.outcome == NumberOutcome::kNumbered);
      const Burial burial = bury_system(*plex, 0);
      ASSERT_AT(burial.done);
      assert_good(auditor);
      if (auditor.saw(0, *attempt)) {
        ++numbered;
        CPPUNIT_ASSERT_EQUAL(std::size_t{1}, burial.voided.size());
      } else {
        ++lost;
        ASSERT_AT(burial.voided.empty());
      }
      TrackMap::unhardened(*plex, 0).clear_all();
      plex->device(0).state = static_cast<std::uint32_t>(DeviceState::kOpen);
    }
    ::munmap(attempt, 4096);
    CPPUNIT_ASSERT(numbered > 1 && lost > 10);
    living.writer.release();
    CPPUNIT_ASSERT_EQUAL(auditor.seen(), plex->control().freed_through.load());
    CPPUNIT_ASSERT_EQUAL(0u, plex.chunks_not_free());
  }

  // After each jump the token is numbered, once, or it is handed back; before its first byte was added it is neither.
  void testJumpedOutOfAtEachInstruction() {
    TestPlex plex(1, 2, small_shape(8, 8, 256));
    SmallWriter jumped(plex, 0), other(plex, 1);
    Auditor auditor(plex, 2);
    SingleStep step;
    enum { kNeither, kHandedBack, kNumbered } phase = kNeither;
    unsigned in_phase[3] = {0, 0, 0};
    for (Visit visit;; visit.next()) {
      jumped.next();
      if (!step.jump_out(*visit, [&] { jumped.write(); })) break;
      other.next_write();
      Token interrupted;
      const bool handed = jumped.writer.take_interrupted(interrupted);
      assert_good(auditor);
      const bool numbered = auditor.saw(0, jumped.attempt);
      ASSERT_AT(!(handed && numbered));
      if (handed) CPPUNIT_ASSERT_EQUAL(jumped.attempt, interrupted.event);
      const auto now = numbered ? kNumbered : handed ? kHandedBack : kNeither;
      ASSERT_AT(now >= phase);
      phase = now;
      ++in_phase[phase];
    }
    CPPUNIT_ASSERT(in_phase[kNeither] > 3 && in_phase[kHandedBack] > 3 && in_phase[kNumbered] > 3);
    assert_good(auditor);
    CPPUNIT_ASSERT(auditor.saw(0, jumped.attempt));
    jumped.writer.release();
    other.writer.release();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, TrackMap::unhardened(*plex, 0).count());
    CPPUNIT_ASSERT_EQUAL(0u, plex.chunks_not_free());
  }

  // The write no longer fits its chunk: it is closed, and another taken. No chunk may be lost on the way.
  void testJumpedOutOfAChangeOfChunks() {
    TestPlex plex(1, 1, small_shape(8, 8, 256));
    SlotWriter writer(*plex, 0);
    SlotReader reader(*plex);
    SingleStep step;
    std::vector<std::uint8_t> bytes(65000);
    bool complete = false;
    for (Visit visit; !complete; visit.next()) {
      ASSERT_AT(writer.prepare(65000) == SlotRoom::kReady);
      for (std::uint32_t i = 0; i < 3; ++i) {
        ASSERT_AT(writer.prepare(65000) == SlotRoom::kReady);
        writer.begin(Token{});
        ASSERT_AT(writer.add(i, 0, bytes.data(), 65000));
        ASSERT_AT(writer.finish(1).outcome == NumberOutcome::kNumbered);
      }
      const std::uint32_t before = plex.chunks_not_free();
      complete = !step.jump_out(*visit, [&] { writer.prepare(); });
      ASSERT_AT(plex.chunks_not_free() <= before + 1);
      CPPUNIT_ASSERT_MESSAGE("what is held is whole", reader.read(reader.last_numbered()).good());
      writer.release();
      reader.free_through(reader.last_numbered());
      CPPUNIT_ASSERT_EQUAL_MESSAGE(visit.text(), 0u, plex.chunks_not_free());
    }
  }

  void testA3_AnotherWriteAtEachInstruction() {
    TestPlex plex(1, 2, small_shape(8, 8, 256));
    SmallWriter one(plex, 0), other(plex, 1);
    Auditor auditor(plex, 2);
    SingleStep step;
    for (Visit visit;; visit.next()) {
      one.next();
      const bool between = step.interleave(
          *visit, [&] { one.write(); }, [&] { other.next_write(); });
      ASSERT_AT(one.last.outcome == NumberOutcome::kNumbered);
      assert_good(auditor);
      ASSERT_AT(auditor.saw(0, one.attempt));
      if (!between) break;
      ASSERT_AT(other.last.outcome == NumberOutcome::kNumbered && auditor.saw(1, other.attempt));
      ASSERT_AT(one.last.sequence + other.last.sequence == 2 * auditor.seen() - 1);
    }
  }

  void testSuspensionAtEachInstruction() {
    TestPlex plex(1, 1, small_shape(8, 8, 256));
    SmallWriter writer(plex, 0);
    Auditor auditor(plex, 1);
    SingleStep step;
    unsigned numbered = 0, recorded = 0;
    for (Visit visit;; visit.next()) {
      writer.open();
      StateChange change;
      const SessionState to = *visit % 2 != 0 ? SessionState::kFrozen : SessionState::kSuspended;
      if (!step.interleave(
              *visit, [&] { writer.finish(); }, [&] { change = change_session_state(*plex, SessionState::kActive, to); }))
        break;
      assert_good(auditor);
      CPPUNIT_ASSERT_EQUAL(change.cut, auditor.seen());
      const bool in_map = collect(plex, 0).count(writer.known().track()) != 0;
      if (writer.last.outcome == NumberOutcome::kNumbered) {
        ASSERT_AT(writer.last.sequence <= change.cut);
        ++numbered;
      } else {
        ASSERT_AT(in_map);
        ++recorded;
      }
      ASSERT_AT(change_session_state(*plex, to, SessionState::kActive).changed);
    }
    CPPUNIT_ASSERT(numbered > 0 && recorded > 0);
  }

  // Suspended and resumed while the writer stood still: the write is numbered, or it is in the map when the resumption reads it.
  void testSuspensionAndResumptionAtEachInstruction() {
    TestPlex plex(1, 1, small_shape(8, 8, 256));
    SmallWriter writer(plex, 0);
    Auditor auditor(plex, 1);
    SingleStep step;
    for (Visit visit;; visit.next()) {
      writer.open();
      std::set<std::uint32_t> collected;
      const bool between = step.interleave(
          *visit, [&] { writer.finish(); },
          [&] {
            suspend_session(*plex, SuspendReason::kOperator);
            change_session_state(*plex, SessionState::kSuspended, SessionState::kActive);
            collected = collect(plex, 0);
          });
      if (!between) break;
      assert_good(auditor);
      ASSERT_AT(writer.last.outcome == NumberOutcome::kNumbered || collected.count(writer.known().track()) != 0);
      collect(plex, 0);
    }
  }

  // The write begins while the session is suspended and the session resumes in the middle of it.
  void testResumptionAtEachInstruction() {
    TestPlex plex(1, 1, small_shape(8, 8, 256));
    SmallWriter writer(plex, 0);
    Auditor auditor(plex, 1);
    SingleStep step;
    unsigned numbered = 0, recorded = 0, to_be_published = 0;
    for (Visit visit;; visit.next()) {
      writer.next();
      suspend_session(*plex, SuspendReason::kOperator);
      std::set<std::uint32_t> collected;
      const bool between = step.interleave(
          *visit, [&] { writer.write(); },
          [&] {
            change_session_state(*plex, SessionState::kSuspended, SessionState::kActive);
            collected = collect(plex, 0);
          });
      if (!between) break;
      assert_good(auditor);
      switch (writer.last.outcome) {
        case NumberOutcome::kNumbered:
          ++numbered;
          break;
        case NumberOutcome::kFull:
          ++to_be_published;
          break;
        default:
          ++recorded;
          ASSERT_AT(collected.count(writer.known().track()) != 0);
      }
      if (writer.last.outcome == NumberOutcome::kFull) writer.writer.abandon();
      collect(plex, 0);
    }
    CPPUNIT_ASSERT(numbered > 0 && recorded > 0 && to_be_published > 0);
  }

  void testVolumeSuspensionAtEachInstruction() {
    TestPlex plex(1, 1, small_shape(8, 8, 256));
    SmallWriter writer(plex, 0);
    Auditor auditor(plex, 1);
    SingleStep step;
    for (Visit visit;; visit.next()) {
      writer.open();
      Sequence cut = 0;
      if (!step.interleave(
              *visit, [&] { writer.finish(); }, [&] { cut = suspend_device(*plex, 0, SuspendReason::kOperator); }))
        break;
      assert_good(auditor);
      ASSERT_AT(plex->device(0).last_sequence <= cut);
      CPPUNIT_ASSERT_EQUAL(writer.last.outcome != NumberOutcome::kNumbered, collect(plex, 0).count(writer.known().track()) != 0);
      plex->device(0).duplex = kDuplex;
      bump_generation(*plex);
    }
  }

  // Three devices and two chunks: idle chunks are taken from each other in the middle of everything.
  void testChunkTakenByAnotherAtEachInstruction() {
    TestPlex plex(1, 3, small_shape(8, 2, 256));
    SmallWriter one(plex, 0), other(plex, 1), third(plex, 2);
    Auditor auditor(plex, 3);
    SingleStep step;
    for (Visit visit;; visit.next()) {
      one.next_write();
      third.next_write();
      assert_good(auditor);
      one.next();
      const bool between = step.interleave(
          *visit, [&] { one.write(); }, [&] { other.next_write(); });
      if (!between) break;
      assert_good(auditor);
      CPPUNIT_ASSERT_EQUAL(one.last.outcome == NumberOutcome::kNumbered, auditor.saw(0, one.attempt));
      ASSERT_AT(auditor.saw(1, other.attempt) || other.last.outcome != NumberOutcome::kNumbered);
    }
    one.writer.release();
    other.writer.release();
    third.writer.release();
    assert_good(auditor);
    CPPUNIT_ASSERT_EQUAL(0u, plex.chunks_not_free());
  }

  // The mover reads and frees everything in the middle of a write that would use the chunk again.
  void testFreeingAtEachInstruction() {
    TestPlex plex(1, 2, small_shape(8, 4, 256));
    SmallWriter one(plex, 0), other(plex, 1);
    Auditor auditor(plex, 2);
    SingleStep step;
    for (Visit visit;; visit.next()) {
      one.next_write();
      other.next_write();
      one.next();
      const bool between = step.interleave(
          *visit, [&] { one.write(); }, [&] { auditor.step(); });
      ASSERT_AT(one.last.outcome == NumberOutcome::kNumbered);
      assert_good(auditor);
      ASSERT_AT(auditor.saw(0, one.attempt) && auditor.saw(1, other.attempt));
      if (!between) break;
    }
  }

  // The consistency time moves in the middle of a write: numbered above the sequence it names, the write is stamped above the time.
  void testA10_ClockAdvancedAtEachInstruction() {
    TestPlex plex(1, 1, small_shape(8, 4, 256));
    SmallWriter writer(plex, 0);
    Auditor auditor(plex, 1);
    SingleStep step;
    std::uint64_t now_us = 1000;
    unsigned above = 0, below = 0;
    for (Visit visit;; visit.next()) {
      writer.open();
      Sequence through = 0;
      now_us += 1000;
      if (!step.interleave(
              *visit, [&] { writer.finish(); }, [&] { through = advance_clock(*plex, tod_from_us(now_us)); }))
        break;
      ASSERT_AT(writer.last.outcome == NumberOutcome::kNumbered);
      if (writer.last.sequence > through) {
        ASSERT_AT(writer.last.tod > tod_from_us(now_us));
        ++above;
      } else {
        ++below;
      }
      assert_good(auditor);
    }
    CPPUNIT_ASSERT(above > 0 && below > 0);
  }
};

CPPUNIT_TEST_SUITE_REGISTRATION(Instructions);

}  // namespace
}  // namespace afterimage

#endif
