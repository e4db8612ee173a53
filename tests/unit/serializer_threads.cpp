// Many writers in one process: one sequence (A3), no write between a cut and its map, and a watchdog's longjmp at any instruction.
#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <sched.h>
#include <sys/time.h>

#include <algorithm>
#include <csetjmp>
#include <csignal>
#include <random>
#include <set>
#include <thread>

#include "serializer/clock.h"
#include "serializer_auditor.h"

namespace afterimage {
namespace {

using testing::Auditor;
using testing::KnownWrite;
using testing::small_shape;
using testing::TestPlex;

SlotRoom prepare_when_ready(SlotWriter& writer, const std::atomic<bool>& stop, std::uint32_t room) {
  SlotRoom got = writer.prepare(room);
  while (got != SlotRoom::kReady && !stop.load()) {
    ::sched_yield();
    got = writer.prepare(room);
  }
  return got;
}

// The watchdog: a timer signal that longjmps out of whatever the writing thread is doing.
sigjmp_buf way_out;
volatile sig_atomic_t jump_allowed = 0;
void jump_out(int) {
  if (jump_allowed != 0) {
    jump_allowed = 0;
    siglongjmp(way_out, 1);
  }
}

// Runs `work` with the timer set to strike after `after_us`; false if it was jumped out of.
template <typename Work>
__attribute__((noinline)) bool run_under_watchdog(unsigned after_us, const Work& work) {
  if (sigsetjmp(way_out, 1) != 0) return false;
  jump_allowed = 1;
  const itimerval soon{{0, 0}, {0, static_cast<suseconds_t>(after_us)}};
  ::setitimer(ITIMER_REAL, &soon, nullptr);
  work();
  jump_allowed = 0;
  return true;
}

class Threads : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(Threads);
  CPPUNIT_TEST(testA3_ManyThreadsOneSequence);
  CPPUNIT_TEST(testNothingIsNumberedAboveACut);
  CPPUNIT_TEST(testNoChangeIsLostAcrossSuspensions);
  CPPUNIT_TEST(testSuspendedVolumeTakesNoNumbers);
  CPPUNIT_TEST(testLongjmpAtAnyInstruction);
  CPPUNIT_TEST_SUITE_END();

 public:
  void testA3_ManyThreadsOneSequence() {
    constexpr std::uint32_t kWriters = 6, kWrites = 6000;
    TestPlex plex(2, 3, small_shape(8, 12, 1024));
    std::atomic<bool> stop{false};
    std::atomic<unsigned> running{kWriters};
    std::vector<std::vector<Sequence>> returned(kWriters);
    std::vector<std::thread> threads;
    for (std::uint32_t d = 0; d < kWriters; ++d)
      threads.emplace_back([&, d] {
        SlotWriter writer(*plex, d);
        std::vector<std::uint8_t> bytes;
        for (std::uint32_t i = 1; i <= kWrites && !stop; ++i) {
          if (prepare_when_ready(writer, stop, 4096) != SlotRoom::kReady) break;
          const KnownWrite known{d, i};
          known.fill(bytes);
          known.put(writer, bytes);
          returned[d].push_back(writer.finish(tod_to_us(clock_tod())).sequence);
        }
        writer.release();
        --running;
      });
    Auditor auditor(plex, kWriters);
    while (running != 0 && auditor.fault().empty())
      if (!auditor.step()) ::sched_yield();
    stop = true;
    for (auto& thread : threads) thread.join();
    auditor.step();
    CPPUNIT_ASSERT_EQUAL(std::string(), auditor.fault());
    CPPUNIT_ASSERT_EQUAL(Sequence{kWriters} * kWrites, auditor.seen());
    std::vector<Sequence> all;
    for (const auto& sequences : returned) {
      CPPUNIT_ASSERT(std::is_sorted(sequences.begin(), sequences.end()));
      all.insert(all.end(), sequences.begin(), sequences.end());
    }
    std::sort(all.begin(), all.end());
    for (std::size_t i = 0; i < all.size(); ++i) CPPUNIT_ASSERT_EQUAL(Sequence{i + 1}, all[i]);
    SlotReader(*plex).free_through(auditor.seen());
    CPPUNIT_ASSERT_EQUAL(0u, plex.chunks_not_free());
  }

  void testNothingIsNumberedAboveACut() {
    TestPlex plex(1, 4, small_shape(8));
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (std::uint32_t d = 0; d < 4; ++d)
      threads.emplace_back([&, d] {
        SlotWriter writer(*plex, d);
        std::vector<std::uint8_t> bytes;
        for (std::uint32_t i = 1; !stop; ++i) {
          if (prepare_when_ready(writer, stop, 4096) != SlotRoom::kReady) break;
          const KnownWrite known{d, i};
          known.fill(bytes);
          known.put(writer, bytes);
          writer.finish(0);
        }
      });
    Auditor auditor(plex, 4);
    Sequence before = 0;
    unsigned cuts_with_writes = 0;
    for (int round = 0; round < 60; ++round) {
      const SessionState to = round % 2 != 0 ? SessionState::kFrozen : SessionState::kSuspended;
      const StateChange change = change_session_state(*plex, SessionState::kActive, to);
      CPPUNIT_ASSERT(change.changed);
      auditor.step();
      CPPUNIT_ASSERT_EQUAL(change.cut, auditor.seen());
      ::sched_yield();
      CPPUNIT_ASSERT_EQUAL(change.cut, control_view(*plex).sequence);
      CPPUNIT_ASSERT(change_session_state(*plex, to, SessionState::kActive).changed);
      cuts_with_writes += change.cut != before ? 1 : 0;
      before = change.cut;
      const std::uint64_t until_us = monotonic_us() + 5'000'000;  // on a busy machine the writers take their time
      while (monotonic_us() < until_us && control_view(*plex).sequence < change.cut + 20) ::sched_yield();
    }
    stop = true;
    for (auto& thread : threads) thread.join();
    CPPUNIT_ASSERT_EQUAL(std::string(), auditor.fault());
    CPPUNIT_ASSERT(cuts_with_writes > 10);
  }

  // Each write has a track of its own. However the session is suspended and resumed, each write is in a token or in a map read after
  // a resumption; one that is in neither would never reach the secondary.
  void testNoChangeIsLostAcrossSuspensions() {
    constexpr std::uint32_t kWriters = 3, kWrites = 14000, kPhases = 120;  // active, suspended, active ...
    TestPlex plex(1, kWriters, small_shape(8));
    std::atomic<bool> stop{false};
    std::atomic<unsigned> running{kWriters}, phase{0};
    std::vector<std::thread> threads;
    for (std::uint32_t d = 0; d < kWriters; ++d)
      threads.emplace_back([&, d] {
        SlotWriter writer(*plex, d);
        std::vector<std::uint8_t> bytes;
        for (std::uint32_t i = 1; i <= kWrites; ++i) {
          while (i > (phase + 1) * kWrites / kPhases) ::sched_yield();  // each phase has its share
          const KnownWrite known{d, i};
          known.fill(bytes);
          for (;;) {  // kFull: the session resumed after prepare(); published again, as a track image would be
            if (prepare_when_ready(writer, stop, 4096) != SlotRoom::kReady) break;
            known.put(writer, bytes);
            if (writer.finish(0).outcome != NumberOutcome::kFull) break;
            writer.abandon();
          }
        }
        --running;
      });
    Auditor auditor(plex, kWriters);
    std::set<std::pair<std::uint32_t, std::uint32_t>> collected;
    const auto resume_and_collect = [&] {
      CPPUNIT_ASSERT(change_session_state(*plex, SessionState::kSuspended, SessionState::kActive).changed);
      for (std::uint32_t d = 0; d < kWriters; ++d) {
        TrackMap map = TrackMap::changed(*plex, d);
        for (std::uint64_t track = map.next(0); track < map.tracks(); track = map.next(track + 1)) {
          map.clear(static_cast<std::uint32_t>(track));
          collected.insert({d, static_cast<std::uint32_t>(track)});
        }
      }
    };
    const auto let_them_write = [&] {
      ++phase;
      const std::uint64_t until_us = monotonic_us() + 2000;
      while (running != 0 && monotonic_us() < until_us && TrackMap::changed(*plex, 0).count() < 20) ::sched_yield();
    };
    while (running != 0) {
      auditor.step();
      CPPUNIT_ASSERT(suspend_session(*plex, SuspendReason::kOperator).changed);
      let_them_write();
      resume_and_collect();
      let_them_write();
    }
    stop = true;
    for (auto& thread : threads) thread.join();
    auditor.step();
    CPPUNIT_ASSERT_EQUAL(std::string(), auditor.fault());
    CPPUNIT_ASSERT(phase >= kPhases - 1);
    for (std::uint32_t d = 0; d < kWriters; ++d)
      for (std::uint32_t i = 1; i <= kWrites; ++i)
        CPPUNIT_ASSERT_MESSAGE("device " + std::to_string(d) + " write " + std::to_string(i),
                               auditor.saw(d, i) || collected.count({d, i}) != 0);
    CPPUNIT_ASSERT(!collected.empty() && auditor.seen() > 0);
  }

  void testSuspendedVolumeTakesNoNumbers() {
    TestPlex plex(1, 2, small_shape(8));
    std::atomic<bool> stop{false};
    std::vector<std::thread> threads;
    for (std::uint32_t d = 0; d < 2; ++d)
      threads.emplace_back([&, d] {
        SlotWriter writer(*plex, d);
        std::vector<std::uint8_t> bytes;
        for (std::uint32_t i = 1; !stop; ++i) {
          if (prepare_when_ready(writer, stop, 4096) != SlotRoom::kReady) break;
          const KnownWrite known{d, i};
          known.fill(bytes);
          known.put(writer, bytes);
          writer.finish(0);
        }
      });
    Auditor auditor(plex, 2);
    for (int round = 0; round < 100; ++round) {
      const Sequence cut = suspend_device(*plex, 0, SuspendReason::kOperator);
      const std::uint64_t until_us = monotonic_us() + 200;
      while (monotonic_us() < until_us) auditor.step();
      const Sequence last = plex->device(0).last_sequence;
      CPPUNIT_ASSERT(last <= cut);
      plex->device(0).duplex = kDuplex;
      bump_generation(*plex);
    }
    stop = true;
    for (auto& thread : threads) thread.join();
    auditor.step();
    CPPUNIT_ASSERT_EQUAL(std::string(), auditor.fault());
  }

  // A token the timer cuts off is either numbered once or handed back as interrupted; the next write starts clean.
  void testLongjmpAtAnyInstruction() {
    TestPlex plex(1, 1, small_shape(8, 4));
    Auditor auditor(plex, 1);
    SlotWriter writer(*plex, 0);
    std::mt19937 random(5);
    struct sigaction action {
    }, old{};
    action.sa_handler = jump_out;
    ::sigaction(SIGALRM, &action, &old);
    std::vector<std::uint8_t> bytes;
    std::vector<std::uint32_t> finished, handed, cut_off;
    std::atomic<std::uint32_t> attempt{0}, numbered{0}, added{0};  // what a longjmp must not put back
    unsigned jumps = 0;
    const std::uint64_t end_us = monotonic_us() + 2'000'000;
    while (jumps < 4000 && monotonic_us() < end_us && auditor.fault().empty()) {
      ++attempt;
      numbered = added = 0;
      const KnownWrite known{0, attempt};
      known.fill(bytes);
      const unsigned abandoned_first = random() % 30;
      const bool through = run_under_watchdog(1 + random() % 12, [&] {
        for (unsigned i = 0; i < abandoned_first; ++i) {  // so that the timer strikes at every phase of the life of a slot
          if (writer.prepare(4096) == SlotRoom::kReady) known.put(writer, bytes);
          writer.abandon();
        }
        if (writer.prepare(4096) != SlotRoom::kReady) return;
        known.put(writer, bytes);
        added = 1;
        if (writer.finish(0).outcome == NumberOutcome::kNumbered) numbered = 1;
      });
      if (through) {
        if (numbered != 0) finished.push_back(attempt);
      } else {
        ++jumps;
        Token interrupted;
        if (writer.take_interrupted(interrupted))
          handed.push_back(interrupted.event);
        else if (added != 0)
          cut_off.push_back(attempt);
      }
      auditor.step();
    }
    const itimerval never{};
    ::setitimer(ITIMER_REAL, &never, nullptr);
    ::sigaction(SIGALRM, &old, nullptr);
    auditor.step();
    CPPUNIT_ASSERT_EQUAL(std::string(), auditor.fault());
    const auto in_a_token = [&](std::uint32_t i) { return auditor.saw(0, i); };
    for (const std::uint32_t i : finished) CPPUNIT_ASSERT(in_a_token(i));
    for (const std::uint32_t i : cut_off) CPPUNIT_ASSERT_MESSAGE("neither numbered nor handed back", in_a_token(i));
    for (const std::uint32_t i : handed) CPPUNIT_ASSERT_MESSAGE("numbered and handed back", !in_a_token(i));
    CPPUNIT_ASSERT(jumps > 200);
    CPPUNIT_ASSERT(handed.size() + cut_off.size() > 0);  // each phase is visited for certain by the tests of serializer_instructions
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, TrackMap::unhardened(*plex, 0).count());
    writer.release();
    SlotReader(*plex).free_through(auditor.seen());
    CPPUNIT_ASSERT_EQUAL(0u, plex.chunks_not_free());
  }
};

CPPUNIT_TEST_SUITE_REGISTRATION(Threads);

}  // namespace
}  // namespace afterimage
