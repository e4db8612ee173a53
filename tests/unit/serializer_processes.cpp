// Several systems as processes of their own: one sequence (A3), kill -9 and SIGSTOP at any instruction, the mover killed as well (A9).
#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <algorithm>
#include <csignal>
#include <random>

#include "serializer/clock.h"
#include "serializer_auditor.h"

namespace afterimage {
namespace {

using testing::Auditor;
using testing::KnownWrite;
using testing::small_shape;
using testing::TestPlex;

constexpr std::uint64_t kPatience_us = 60'000'000;  // only a failure takes that long
constexpr std::uint32_t kDevices = 8;
constexpr std::uint32_t kSystems = 4;
constexpr std::uint32_t kPerSystem = kDevices / kSystems;

// What the test knows from outside common storage; it survives every kill.
struct Ledger {
  std::atomic<std::uint32_t> attempt[kDevices];
  std::atomic<std::uint64_t> returned[kDevices];  // sequence << 24 | attempt of the last finish() that said it was numbered
  std::atomic<std::uint64_t> writes[kSystems];
  std::atomic<std::uint32_t> stop;
};

template <typename T>
class SharedBetweenProcesses {
 public:
  SharedBetweenProcesses()
      : memory_(::mmap(nullptr, sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {
    if (memory_ == MAP_FAILED) throw std::runtime_error("mmap");
  }
  SharedBetweenProcesses(const SharedBetweenProcesses&) = delete;
  SharedBetweenProcesses& operator=(const SharedBetweenProcesses&) = delete;
  ~SharedBetweenProcesses() { ::munmap(memory_, sizeof(T)); }
  T* operator->() { return static_cast<T*>(memory_); }

 private:
  void* memory_;
};

using SharedLedger = SharedBetweenProcesses<Ledger>;

// One system's life: it writes to its devices by turns, its track buffers reach the file now and then. Exit code 0 after a clean stop.
int run_system(const std::string& segment, std::uint32_t number, SharedLedger& ledger, unsigned seed) {
  auto opened = CommonStorage::open(segment);
  if (!opened.good()) return 2;
  CommonStorage& storage = *opened.value;
  const auto registered = register_system(storage, TestPlex::system_name(number));
  if (!registered.good()) return 3;
  std::vector<std::unique_ptr<SlotWriter>> writers;
  for (std::uint32_t i = 0; i < kPerSystem; ++i) writers.push_back(std::make_unique<SlotWriter>(storage, number * kPerSystem + i));
  std::mt19937 random(seed);
  std::vector<std::uint8_t> bytes;
  const auto flush = [&](std::uint32_t device) { storage.device(device).flushed_sequence = storage.device(device).last_sequence.load(); };
  while (ledger->stop == 0) {
    const std::uint32_t which = random() % kPerSystem, device = number * kPerSystem + which;
    SlotWriter& writer = *writers[which];
    if (writer.prepare(4096) != SlotRoom::kReady) {
      for (std::uint32_t i = 0; i < kPerSystem; ++i) flush(number * kPerSystem + i);
      ::sched_yield();
      continue;
    }
    const KnownWrite known{device, ++ledger->attempt[device]};
    known.fill(bytes);
    if (!known.put(writer, bytes)) return 4;
    const Numbered numbered = writer.finish(tod_to_us(clock_tod()));
    if (numbered.outcome != NumberOutcome::kNumbered) return 5;
    ledger->returned[device] = (numbered.sequence << 24) | known.attempt;
    ++ledger->writes[number];
    if (random() % 4 == 0) flush(device);
    if (random() % 64 == 0) writer.release();  // the device is closed and opened again
  }
  for (std::uint32_t i = 0; i < kPerSystem; ++i) {
    writers[i]->release();
    flush(number * kPerSystem + i);
  }
  unregister_system(storage, registered.value.system);
  return 0;
}

template <typename Body>
pid_t fork_off(const Body& body) {
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(99);
  int code = 98;
  try {
    code = body();
  } catch (...) {
  }
  ::_exit(code);
}

int wait_for(pid_t child) {
  int status = 0;
  ::waitpid(child, &status, 0);
  return status;
}

// Ends what is left when an assertion leaves the test early.
class Children {
 public:
  Children() = default;
  Children(const Children&) = delete;
  Children& operator=(const Children&) = delete;
  ~Children() {
    for (const pid_t child : pids_)
      if (child > 0) ::kill(child, SIGKILL), wait_for(child);
  }
  pid_t& operator[](std::size_t i) { return pids_[i]; }

 private:
  std::vector<pid_t> pids_ = std::vector<pid_t>(kSystems + 1, 0);
};

class Processes : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(Processes);
  CPPUNIT_TEST(testA3_ManyProcessesOneSequence);
  CPPUNIT_TEST(testA3_WritersKilledAtAnyInstruction);
  CPPUNIT_TEST(testAStoppedWriterStopsNobody);
  CPPUNIT_TEST(testA9_MoverKilledAtAnyInstruction);
  CPPUNIT_TEST(testBurialKilledAtAnyInstruction);
  CPPUNIT_TEST_SUITE_END();

  static pid_t start_system(TestPlex& plex, std::uint32_t number, SharedLedger& ledger, unsigned seed) {
    return fork_off([&, number, seed] { return run_system(plex.name(), number, ledger, seed); });
  }

  // What finish() has promised by now must be in the sequence, as that write.
  static void assert_promises(Auditor& auditor, SharedLedger& ledger) {
    std::vector<std::uint64_t> promises;
    for (const auto& promise : ledger->returned) promises.push_back(promise);
    auditor.step();
    CPPUNIT_ASSERT_EQUAL(std::string(), auditor.fault());
    for (std::uint32_t device = 0; device < kDevices; ++device) {
      if (promises[device] == 0) continue;
      const KnownWrite write = auditor.write_of(promises[device] >> 24);
      CPPUNIT_ASSERT_EQUAL(device, write.device);
      CPPUNIT_ASSERT_EQUAL(static_cast<std::uint32_t>(promises[device] & 0xFFFFFF), write.attempt);
    }
  }

  static void stop_all(Auditor& auditor, Children& children, SharedLedger& ledger) {
    ledger->stop = 1;
    for (std::uint32_t s = 0; s < kSystems; ++s) {
      int status = 0;
      while (::waitpid(children[s], &status, WNOHANG) == 0) auditor.step();
      children[s] = 0;
      CPPUNIT_ASSERT_EQUAL(0, status);
    }
    auditor.step();
    CPPUNIT_ASSERT_EQUAL(std::string(), auditor.fault());
    assert_promises(auditor, ledger);
  }

 public:
  void testA3_ManyProcessesOneSequence() {
    TestPlex plex(kSystems, kPerSystem, small_shape(kDevices, 12, 1024));
    SharedLedger ledger;
    Children children;
    for (std::uint32_t s = 0; s < kSystems; ++s) children[s] = start_system(plex, s, ledger, s);
    Auditor auditor(plex, kDevices);
    auditor.keep_unflushed();
    const std::uint64_t end_us = monotonic_us() + kPatience_us;
    const auto all_wrote = [&] {
      return std::all_of(std::begin(ledger->writes), std::end(ledger->writes), [](const auto& n) { return n > 1000; });
    };
    while ((auditor.seen() < 40000 || !all_wrote()) && auditor.fault().empty() && monotonic_us() < end_us)
      if (!auditor.step()) ::sched_yield();
    stop_all(auditor, children, ledger);
    CPPUNIT_ASSERT(auditor.seen() >= 40000);
    std::uint64_t writes = 0;
    for (std::uint32_t s = 0; s < kSystems; ++s) {
      CPPUNIT_ASSERT(ledger->writes[s] > 1000);
      writes += ledger->writes[s];
    }
    CPPUNIT_ASSERT_EQUAL(writes, auditor.seen());
    CPPUNIT_ASSERT_EQUAL(0u, plex.chunks_not_free());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, auditor.voids());
  }

  void testA3_WritersKilledAtAnyInstruction() {
    TestPlex plex(kSystems, kPerSystem, small_shape(kDevices, 12, 256));
    CPPUNIT_ASSERT(register_mover(*plex).good());
    SharedLedger ledger;
    Children children;
    std::mt19937 random(7);
    for (std::uint32_t s = 0; s < kSystems; ++s) children[s] = start_system(plex, s, ledger, random());
    Auditor auditor(plex, kDevices);
    auditor.keep_unflushed();
    unsigned kills = 0, voided = 0;
    const std::uint64_t end_us = monotonic_us() + kPatience_us;
    while (kills < 200 && auditor.fault().empty() && monotonic_us() < end_us) {
      const std::uint32_t victim = random() % kSystems;
      const std::uint64_t strike_us = monotonic_us() + random() % 4000;
      while (monotonic_us() < strike_us)
        if (!auditor.step()) ::sched_yield();
      ::kill(children[victim], SIGKILL);
      const int status = wait_for(children[victim]);
      children[victim] = 0;
      CPPUNIT_ASSERT_MESSAGE("a system ended by itself: " + std::to_string(status), WIFSIGNALED(status));
      ++kills;
      voided += bury_and_check(plex, auditor, victim);
      assert_promises(auditor, ledger);
      children[victim] = start_system(plex, victim, ledger, random());
    }
    stop_all(auditor, children, ledger);
    CPPUNIT_ASSERT_EQUAL(200u, kills);
    CPPUNIT_ASSERT(voided > 0);
    CPPUNIT_ASSERT_EQUAL(control_view(*plex).sequence, auditor.seen());
    CPPUNIT_ASSERT_EQUAL(auditor.seen(), plex->control().freed_through.load());
    CPPUNIT_ASSERT_EQUAL(0u, plex.chunks_not_free());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, auditor.reader().ring_bytes_used());
  }

  // Void is exactly what had not reached the file, and its tracks are to be mended. Returns how many.
  static unsigned bury_and_check(TestPlex& plex, Auditor& auditor, std::uint32_t victim) {
    const auto index = find_system(*plex, TestPlex::system_name(victim));
    CPPUNIT_ASSERT(index.has_value());
    const bool registered = plex->system(*index).pid != 0;
    const auto voided = auditor.reader().bury_system(*index);
    auditor.step();
    CPPUNIT_ASSERT_EQUAL(0u, plex->system(*index).pid.load());
    CPPUNIT_ASSERT(registered || voided.empty());
    for (const Sequence sequence : voided) {
      const KnownWrite write = auditor.write_of(sequence);
      CPPUNIT_ASSERT_EQUAL(victim, write.device / kPerSystem);
      CPPUNIT_ASSERT(TrackMap::unhardened(*plex, write.device).test(write.track()));
      CPPUNIT_ASSERT_EQUAL(static_cast<std::uint32_t>(DeviceState::kLost), plex->device(write.device).state.load());
    }
    for (std::uint32_t device = victim * kPerSystem; device < (victim + 1) * kPerSystem; ++device) {
      const Sequence flushed = plex->device(device).flushed_sequence;
      for (Sequence sequence = plex->control().freed_through + 1; sequence <= auditor.seen(); ++sequence) {
        if (auditor.write_of(sequence).device != device) continue;
        CPPUNIT_ASSERT_EQUAL(sequence > flushed, entry_view(*plex, sequence).state == EntryState::kVoid);
      }
      // Mended and opened again.
      TrackMap::unhardened(*plex, device).clear_all();
      plex->device(device).state = static_cast<std::uint32_t>(DeviceState::kOpen);
    }
    return static_cast<unsigned>(voided.size());
  }

  void testAStoppedWriterStopsNobody() {
    TestPlex plex(kSystems, kPerSystem, small_shape(kDevices, 12, 256));
    SharedLedger ledger;
    Children children;
    for (std::uint32_t s = 0; s < kSystems; ++s) children[s] = start_system(plex, s, ledger, s);
    Auditor auditor(plex, kDevices);
    std::mt19937 random(8);
    const auto await_writes = [&](std::uint32_t system, std::uint64_t count) {
      const std::uint64_t end_us = monotonic_us() + kPatience_us;
      while (ledger->writes[system] < count && auditor.fault().empty() && monotonic_us() < end_us)
        if (!auditor.step()) ::sched_yield();
      CPPUNIT_ASSERT_EQUAL(std::string(), auditor.fault());
      CPPUNIT_ASSERT_MESSAGE("another system was held up", ledger->writes[system] >= count);
    };
    for (std::uint32_t s = 0; s < kSystems; ++s) await_writes(s, 1);
    for (int round = 0; round < 10; ++round) {
      const std::uint32_t stopped = random() % kSystems;
      const std::uint64_t strike_us = monotonic_us() + random() % 500;
      while (monotonic_us() < strike_us) auditor.step();
      ::kill(children[stopped], SIGSTOP);
      int status = 0;
      ::waitpid(children[stopped], &status, WUNTRACED);
      CPPUNIT_ASSERT(WIFSTOPPED(status));
      // Twice round all entries, so that everything the stopped one may have read is long replaced when it goes on.
      for (std::uint32_t s = 0; s < kSystems; ++s)
        if (s != stopped) await_writes(s, ledger->writes[s] + 150);
      ::kill(children[stopped], SIGCONT);
    }
    stop_all(auditor, children, ledger);
  }

  // The mover's work list is common storage itself: movers are killed one after another, and each goes on where the last one was.
  void testA9_MoverKilledAtAnyInstruction() {
    constexpr Sequence kMost = 1 << 20;
    struct Seen {
      std::atomic<std::uint64_t> write[kMost];  // device << 32 | attempt, by sequence
      std::atomic<std::uint32_t> faults;
    };
    TestPlex plex(kSystems, kPerSystem, small_shape(kDevices, 12, 256));
    SharedLedger ledger;
    SharedBetweenProcesses<Seen> seen;
    const auto run_mover = [&] {
      auto opened = CommonStorage::open(plex.name());
      if (!opened.good() || !register_mover(*opened.value).good()) return 2;
      SlotReader reader(*opened.value);
      if (!reader.rebuild().good()) return 3;
      Sequence next = opened.value->control().freed_through + 1;
      for (;;) {
        const Sequence last = reader.last_numbered();
        for (; next <= last && next < kMost; ++next) {
          const auto held = reader.read(next);
          if (!held.good() || !testing::fault_in(held.value).empty()) ++seen->faults;
          const std::uint64_t now = (static_cast<std::uint64_t>(held.value.device) << 32) | held.value.token.event;
          const std::uint64_t before = seen->write[next].exchange(now);
          if (before != 0 && before != now) ++seen->faults;
        }
        reader.free_through(next - 1);
        if (ledger->stop == 2 && next > reader.last_numbered()) return 0;
        ::sched_yield();
      }
    };
    Children children;
    for (std::uint32_t s = 0; s < kSystems; ++s) children[s] = start_system(plex, s, ledger, s);
    std::mt19937 random(9);
    pid_t& mover = children[kSystems];
    for (int round = 0; round < 80; ++round) {
      mover = fork_off(run_mover);
      const std::uint64_t strike_us = monotonic_us() + 500 + random() % 6000;
      while (monotonic_us() < strike_us) ::sched_yield();
      ::kill(mover, SIGKILL);
      const int status = wait_for(mover);
      mover = 0;
      CPPUNIT_ASSERT_MESSAGE("the mover ended by itself: " + std::to_string(status), WIFSIGNALED(status));
    }
    mover = fork_off(run_mover);
    ledger->stop = 1;
    for (std::uint32_t s = 0; s < kSystems; ++s) {
      CPPUNIT_ASSERT_EQUAL(0, wait_for(children[s]));
      children[s] = 0;
    }
    ledger->stop = 2;
    CPPUNIT_ASSERT_EQUAL(0, wait_for(mover));
    mover = 0;
    CPPUNIT_ASSERT_EQUAL(0u, seen->faults.load());
    const Sequence last = control_view(*plex).sequence;
    CPPUNIT_ASSERT(last > 1000 && last < kMost);
    CPPUNIT_ASSERT_EQUAL(last, plex->control().freed_through.load());
    std::uint64_t writes = 0;
    for (std::uint32_t s = 0; s < kSystems; ++s) writes += ledger->writes[s];
    CPPUNIT_ASSERT_EQUAL(writes, last);
    std::vector<std::uint64_t> attempt(kDevices, 0);
    for (Sequence sequence = 1; sequence <= last; ++sequence) {
      const std::uint64_t write = seen->write[sequence];
      CPPUNIT_ASSERT_MESSAGE("sequence " + std::to_string(sequence) + " was never delivered", write != 0);
      CPPUNIT_ASSERT_EQUAL(attempt[write >> 32] + 1, write & 0xFFFFFFFF);
      attempt[write >> 32] = write & 0xFFFFFFFF;
    }
    CPPUNIT_ASSERT_EQUAL(0u, plex.chunks_not_free());
  }

  // The clean-up itself is killed again and again before one gets through; then all is as after one burial.
  void testBurialKilledAtAnyInstruction() {
    std::mt19937 random(10);
    unsigned cut_off = 0;
    for (int round = 0; round < 300 && cut_off < 10; ++round) {
      TestPlex plex(kSystems, kPerSystem, small_shape(kDevices, 16, 2048));
      SharedLedger ledger;
      Children children;
      children[0] = start_system(plex, 0, ledger, random());
      Auditor auditor(plex, kDevices);
      auditor.keep_unflushed();
      const std::uint64_t end_us = monotonic_us() + kPatience_us;
      while (ledger->writes[0] < 400 && monotonic_us() < end_us) ::sched_yield();
      ::kill(children[0], SIGKILL);
      wait_for(children[0]);
      children[0] = 0;
      const std::uint32_t index = *find_system(*plex, TestPlex::system_name(0));
      for (int attempt = 0; attempt < 12 && plex->system(index).pid != 0; ++attempt) {
        children[1] = fork_off([&] {
          const itimerval strike{{0, 0}, {0, static_cast<suseconds_t>(1 + random() % 200)}};
          ::setitimer(ITIMER_REAL, &strike, nullptr);  // SIGALRM, not caught, ends the process where it stands
          bury_system(*plex, index);
          return 0;
        });
        random.discard(1);
        wait_for(children[1]);
        children[1] = 0;
        cut_off += plex->system(index).burying != 0 ? 1 : 0;
      }
      if (plex->system(index).pid != 0) {
        const Burial burial = bury_system(*plex, index);
        CPPUNIT_ASSERT(burial.done);
        CPPUNIT_ASSERT_EQUAL(kPerSystem, burial.lost_devices);
      }
      CPPUNIT_ASSERT_EQUAL(0u, plex->system(index).pid.load());
      auditor.step();
      CPPUNIT_ASSERT_EQUAL(std::string(), auditor.fault());
      for (Sequence sequence = 1; sequence <= auditor.seen(); ++sequence) {
        const KnownWrite write = auditor.write_of(sequence);
        if (sequence > plex->device(write.device).flushed_sequence)
          CPPUNIT_ASSERT(TrackMap::unhardened(*plex, write.device).test(write.track()));
      }
      assert_promises(auditor, ledger);
      CPPUNIT_ASSERT_EQUAL(auditor.seen(), plex->control().freed_through.load());
      CPPUNIT_ASSERT_EQUAL(0u, plex.chunks_not_free());
    }
    CPPUNIT_ASSERT_EQUAL_MESSAGE("burials cut off", true, cut_off >= 10);
  }
};

CPPUNIT_TEST_SUITE_REGISTRATION(Processes);

}  // namespace
}  // namespace afterimage
