// Who may enter common storage, what a dead system leaves behind, and what a display shows of it all.
#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <csignal>

#include "serializer/chunk_pool.h"
#include "serializer/clock.h"
#include "serializer/file_lock.h"
#include "serializer/process_identity.h"
#include "serializer/storage_display.h"
#include "serializer_storage_fixture.h"

namespace afterimage {
namespace {

using testing::device_definition;
using testing::KnownWrite;
using testing::small_shape;
using testing::TestPlex;

// A process that does `work` and then waits to be told to end; ended and reaped with this object at the latest.
class OtherProcess {
 public:
  template <typename Work>
  explicit OtherProcess(const Work& work) {
    int told[2];
    if (::pipe(told) != 0) throw std::runtime_error("pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      const char answer = work() ? 'y' : 'n';
      if (::write(told[1], &answer, 1) != 1) ::_exit(1);
      for (;;) ::pause();
    }
    ::close(told[1]);
    if (::read(told[0], &answer_, 1) != 1) answer_ = '?';
    ::close(told[0]);
  }
  OtherProcess(const OtherProcess&) = delete;
  OtherProcess& operator=(const OtherProcess&) = delete;
  ~OtherProcess() { kill_and_reap(); }
  bool did() const { return answer_ == 'y'; }
  pid_t pid() const { return pid_; }
  void kill_only() { ::kill(pid_, SIGKILL); }
  void kill_and_reap() {
    if (pid_ == 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

 private:
  pid_t pid_ = 0;
  char answer_ = '?';
};

bool has(const Status& status, const std::string& part) { return status.text().find(part) != std::string::npos; }

class Registry : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(Registry);
  CPPUNIT_TEST(testProcessIdentity);
  CPPUNIT_TEST(testSystemNames);
  CPPUNIT_TEST(testSecondProcessOfASystemIsRefused);
  CPPUNIT_TEST(testDeadSystemIsBuriedByItsNextProcess);
  CPPUNIT_TEST(testWithAMoverTheMoverBuries);
  CPPUNIT_TEST(testOneMover);
  CPPUNIT_TEST(testDefineAndFindDevices);
  CPPUNIT_TEST(testDevicesInUseKeepTheirDefinition);
  CPPUNIT_TEST(testTablesRunFull);
  CPPUNIT_TEST(testStoppedHolderOfTheTablesIsToldOf);
  CPPUNIT_TEST(testBuryMarksVoidsAndCloses);
  CPPUNIT_TEST(testBuryLeavesTheLivingAlone);
  CPPUNIT_TEST(testBuryIsOneProcessesWork);
  CPPUNIT_TEST(testHeartbeats);
  CPPUNIT_TEST(testDisplay);
  CPPUNIT_TEST_SUITE_END();

 public:
  void testProcessIdentity() {
    const std::uint32_t self = own_pid();
    const std::uint64_t start = process_start_time(self);
    CPPUNIT_ASSERT(start != 0);
    CPPUNIT_ASSERT(process_alive(self, start));
    CPPUNIT_ASSERT_MESSAGE("a pid used again is another process", !process_alive(self, start + 1));
    CPPUNIT_ASSERT(!process_alive(0, 0));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, process_start_time(0));
    OtherProcess other([] { return true; });
    const auto pid = static_cast<std::uint32_t>(other.pid());
    const std::uint64_t other_start = process_start_time(pid);
    CPPUNIT_ASSERT(process_alive(pid, other_start));
    other.kill_only();
    siginfo_t ended{};
    ::waitid(P_PID, pid, &ended, WEXITED | WNOWAIT);
    CPPUNIT_ASSERT_MESSAGE("a zombie is dead", !process_alive(pid, other_start));
    other.kill_and_reap();
    CPPUNIT_ASSERT(!process_alive(pid, other_start));
  }

  void testSystemNames() {
    TestPlex plex(0, 0, small_shape(8));
    for (const char* name : {"", "toolongname", "lower", "1HERC", "A B", "HERC\xc3"}) {
      const auto refused = register_system(*plex, name);
      CPPUNIT_ASSERT_MESSAGE(name, !refused.good());
      CPPUNIT_ASSERT(has(refused.status, "1 to 8 characters"));
    }
    const auto first = register_system(*plex, "HERC1");
    CPPUNIT_ASSERT(first.good());
    CPPUNIT_ASSERT_EQUAL(first.value.system, register_system(*plex, "HERC1").value.system);
    CPPUNIT_ASSERT_EQUAL(first.value.system + 1, register_system(*plex, "ABCDEFGH").value.system);
    CPPUNIT_ASSERT_EQUAL(first.value.system + 1, *find_system(*plex, "ABCDEFGH"));
    CPPUNIT_ASSERT(!find_system(*plex, "ABCDEFG").has_value());
    CPPUNIT_ASSERT(!find_system(*plex, "").has_value());
    CPPUNIT_ASSERT(system_is_alive(*plex, first.value.system));
    unregister_system(*plex, first.value.system);
    CPPUNIT_ASSERT(!system_is_alive(*plex, first.value.system));
    CPPUNIT_ASSERT_EQUAL(1u, plex->system(first.value.system).ended.load());
    CPPUNIT_ASSERT_EQUAL(first.value.system, register_system(*plex, "HERC1").value.system);
    CPPUNIT_ASSERT_EQUAL(0u, plex->system(first.value.system).ended.load());
  }

  void testSecondProcessOfASystemIsRefused() {
    TestPlex plex(0, 0, small_shape(8));
    OtherProcess other([&] { return register_system(*plex, "HERC1").good(); });
    CPPUNIT_ASSERT(other.did());
    const auto refused = register_system(*plex, "HERC1");
    CPPUNIT_ASSERT(has(refused.status, "System HERC1 is already running as process " + std::to_string(other.pid())));
    CPPUNIT_ASSERT(register_system(*plex, "HERC2").good());
  }

  void testDeadSystemIsBuriedByItsNextProcess() {
    TestPlex plex(1, 1, small_shape(8));
    OtherProcess other([&] {
      if (!register_system(*plex, "HERC0").good()) return false;
      SlotWriter writer(*plex, 0);
      std::vector<std::uint8_t> bytes;
      for (std::uint32_t i = 1; i <= 3; ++i) {
        const KnownWrite known{0, i};
        known.fill(bytes);
        if (writer.prepare() != SlotRoom::kReady || !known.put(writer, bytes) || writer.finish(1).outcome != NumberOutcome::kNumbered)
          return false;
      }
      plex->device(0).flushed_sequence = 1;
      return true;
    });
    CPPUNIT_ASSERT(other.did());
    other.kill_and_reap();
    const auto next = register_system(*plex, "HERC0");
    CPPUNIT_ASSERT_MESSAGE(next.status.text(), next.good());
    CPPUNIT_ASSERT(next.value.burial.done);
    CPPUNIT_ASSERT(next.value.burial.voided == (std::vector<Sequence>{2, 3}));
    CPPUNIT_ASSERT_EQUAL(1u, next.value.burial.lost_devices);
    CPPUNIT_ASSERT(system_is_alive(*plex, next.value.system));
    CPPUNIT_ASSERT(!register_system(*plex, "HERC0").value.burial.done);
  }

  void testWithAMoverTheMoverBuries() {
    TestPlex plex(1, 1, small_shape(8));
    OtherProcess mover([&] { return register_mover(*plex).good(); });
    OtherProcess other([&] { return register_system(*plex, "HERC0").good(); });
    CPPUNIT_ASSERT(mover.did() && other.did());
    other.kill_and_reap();
    const auto refused = register_system(*plex, "HERC0");
    CPPUNIT_ASSERT(!refused.good());
    CPPUNIT_ASSERT(refused.status.severity() == Severity::kWarning);
    CPPUNIT_ASSERT(has(refused.status, "try again"));
    CPPUNIT_ASSERT(bury_system(*plex, 0).done);
    CPPUNIT_ASSERT(register_system(*plex, "HERC0").good());
  }

  void testOneMover() {
    TestPlex plex(0, 0, small_shape(8));
    CPPUNIT_ASSERT(!mover_is_alive(*plex));
    {
      OtherProcess mover([&] { return register_mover(*plex).good(); });
      CPPUNIT_ASSERT(mover.did());
      CPPUNIT_ASSERT(mover_is_alive(*plex));
      CPPUNIT_ASSERT(has(register_mover(*plex), "already has a mover, process " + std::to_string(mover.pid())));
    }
    CPPUNIT_ASSERT(!mover_is_alive(*plex));
    CPPUNIT_ASSERT(register_mover(*plex).good());
    CPPUNIT_ASSERT(register_mover(*plex).good());
    unregister_mover(*plex);
    CPPUNIT_ASSERT(!mover_is_alive(*plex));
  }

  void testDefineAndFindDevices() {
    TestPlex plex(0, 0, small_shape(8));
    const auto first = define_device(*plex, device_definition("HERC1", 0xA80));
    CPPUNIT_ASSERT_MESSAGE(first.status.text(), first.good());
    CPPUNIT_ASSERT_EQUAL(static_cast<std::uint32_t>(DeviceState::kDefined), plex->device(first.value).state.load());
    CPPUNIT_ASSERT_EQUAL(first.value, define_device(*plex, device_definition("HERC1", 0xA80)).value);
    const auto second = define_device(*plex, device_definition("HERC2", 0xA80));
    CPPUNIT_ASSERT(second.good() && second.value != first.value);
    CPPUNIT_ASSERT_EQUAL(second.value, *find_device(*plex, "HERC2", 0xA80));
    CPPUNIT_ASSERT(!find_device(*plex, "HERC2", 0xA81).has_value());
    CPPUNIT_ASSERT(!find_device(*plex, "HERC3", 0xA80).has_value());
    CPPUNIT_ASSERT_EQUAL(static_cast<unsigned>(*find_system(*plex, "HERC2")),
                         static_cast<unsigned>(plex->device(second.value).system_index));
    const auto refuse = [&](auto change, const std::string& part) {
      DeviceDefinition bad = device_definition("HERC1", 0xB00);
      change(bad);
      const auto refused = define_device(*plex, bad);
      CPPUNIT_ASSERT_MESSAGE(part, !refused.good());
      CPPUNIT_ASSERT_MESSAGE(refused.status.text(), has(refused.status, part));
    };
    refuse([](DeviceDefinition& d) { d.volser = ""; }, "volser");
    refuse([](DeviceDefinition& d) { d.volser = "TOOLONG"; }, "volser 'TOOLONG'");
    refuse([](DeviceDefinition& d) { d.image_path = std::string(512, 'x'); }, "512 bytes");
    refuse([](DeviceDefinition& d) { d.cylinders = 2000, d.tracks = 30000; }, "30000 tracks");
    refuse([](DeviceDefinition& d) { d.tracks = 14999; }, "do not make 14999");
    refuse([](DeviceDefinition& d) { d.heads = 0; }, "do not make");
    refuse([](DeviceDefinition& d) { d.track_bytes = 70000; }, "70000 bytes");
    refuse([](DeviceDefinition& d) { d.system = "bad name"; }, "System name");
    CPPUNIT_ASSERT(!find_device(*plex, "HERC1", 0xB00).has_value());
  }

  void testDevicesInUseKeepTheirDefinition() {
    TestPlex plex(0, 0, small_shape(8));
    const std::uint32_t index = define_device(*plex, device_definition("HERC1", 0xA80)).value;
    DeviceDefinition changed = device_definition("HERC1", 0xA80);
    changed.image_path = "other.ckd";
    const auto set = [&](DeviceState state) { plex->device(index).state = static_cast<std::uint32_t>(state); };
    set(DeviceState::kOpen);
    plex->device(index).compressed = 1;  // as the module finds it when it opens a CCKD image; dsmd starts again all the same
    CPPUNIT_ASSERT(define_device(*plex, device_definition("HERC1", 0xA80)).good());
    CPPUNIT_ASSERT(has(define_device(*plex, changed).status, "is open"));
    set(DeviceState::kLost);
    CPPUNIT_ASSERT(has(define_device(*plex, changed).status, "awaits mending"));
    set(DeviceState::kClosed);
    plex->device(index).duplex = kDuplex;
    CPPUNIT_ASSERT(has(define_device(*plex, changed).status, "is in a session"));
    plex->device(index).duplex = 0;
    CPPUNIT_ASSERT_EQUAL(index, define_device(*plex, changed).value);
    CPPUNIT_ASSERT_EQUAL(std::string("other.ckd"), std::string(plex->device(index).image_path));
    CPPUNIT_ASSERT_EQUAL(static_cast<std::uint32_t>(DeviceState::kClosed), plex->device(index).state.load());
  }

  void testTablesRunFull() {
    TestPlex plex(0, 0, small_shape(8));
    for (std::uint16_t i = 0; i < 8; ++i) CPPUNIT_ASSERT(define_device(*plex, device_definition("HERC1", i)).good());
    CPPUNIT_ASSERT(has(define_device(*plex, device_definition("HERC1", 99)).status, "holds 8 devices"));
    for (std::uint32_t i = 2; i <= kMaxSystems; ++i) CPPUNIT_ASSERT(register_system(*plex, "HERC" + std::to_string(i)).good());
    CPPUNIT_ASSERT(has(register_system(*plex, "ONEMORE").status, "holds 16 systems"));
    CPPUNIT_ASSERT(register_system(*plex, "HERC1").good());
  }

  // The lock's holder is stopped: the others get a sentence after the time limit; once it is killed, they go on at once.
  void testStoppedHolderOfTheTablesIsToldOf() {
    TestPlex plex(0, 0, small_shape(8));
    OtherProcess holder([&] {
      static auto lock = TableLock::take(*plex);
      return lock.good();
    });
    CPPUNIT_ASSERT(holder.did());
    const std::uint64_t start_us = monotonic_us();
    const auto refused = register_system(*plex, "HERC1");
    CPPUNIT_ASSERT(has(refused.status, "resume or end that program"));
    CPPUNIT_ASSERT(monotonic_us() - start_us < 10'000'000);
    holder.kill_and_reap();
    CPPUNIT_ASSERT(register_system(*plex, "HERC1").good());
  }

  void testBuryMarksVoidsAndCloses() {
    TestPlex plex(2, 2, small_shape(8));
    plex->device(1).compressed = 1;
    const auto write = [&](SlotWriter& writer, std::uint32_t device, std::uint32_t attempt) {
      std::vector<std::uint8_t> bytes;
      const KnownWrite known{device, attempt};
      known.fill(bytes);
      return writer.prepare() == SlotRoom::kReady && known.put(writer, bytes) && writer.finish(1).outcome == NumberOutcome::kNumbered;
    };
    SlotWriter living(*plex, 2);
    CPPUNIT_ASSERT(register_system(*plex, "HERC1").good());
    OtherProcess dying([&] {
      if (!register_system(*plex, "HERC0").good()) return false;
      SlotWriter first(*plex, 0), second(*plex, 1);
      if (!write(first, 0, 10) || !write(living, 2, 11) || !write(second, 1, 12) || !write(first, 0, 13)) return false;
      plex->device(0).flushed_sequence = 1;
      plex->device(1).flushed_sequence = 3;
      std::vector<std::uint8_t> bytes;
      const KnownWrite open{1, 14};
      open.fill(bytes);
      return second.prepare() == SlotRoom::kReady && open.put(second, bytes);  // killed before it is numbered
    });
    CPPUNIT_ASSERT(dying.did());
    SlotReader reader(*plex);
    CPPUNIT_ASSERT(reader.bury_system(0).empty());
    CPPUNIT_ASSERT_EQUAL_MESSAGE("alive", static_cast<std::uint32_t>(DeviceState::kOpen), plex->device(0).state.load());
    dying.kill_and_reap();
    CPPUNIT_ASSERT(reader.bury_system(0) == (std::vector<Sequence>{4}));
    CPPUNIT_ASSERT(reader.read(4).value.is_void);
    CPPUNIT_ASSERT(!reader.read(1).value.is_void && !reader.read(2).value.is_void && !reader.read(3).value.is_void);
    const auto lost = static_cast<std::uint32_t>(DeviceState::kLost), open = static_cast<std::uint32_t>(DeviceState::kOpen);
    CPPUNIT_ASSERT_EQUAL(lost, plex->device(0).state.load());
    CPPUNIT_ASSERT_EQUAL(lost, plex->device(1).state.load());
    CPPUNIT_ASSERT_EQUAL(open, plex->device(2).state.load());
    CPPUNIT_ASSERT(TrackMap::unhardened(*plex, 0).test(13));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, TrackMap::unhardened(*plex, 0).count());
    CPPUNIT_ASSERT_MESSAGE("the slot it was filling", TrackMap::unhardened(*plex, 1).test(14));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, TrackMap::unhardened(*plex, 1).count());
    CPPUNIT_ASSERT_EQUAL(0u, plex->system(0).pid.load());
    CPPUNIT_ASSERT_EQUAL(0u, plex->system(0).burying.load());
    for (std::uint32_t chunk = 0; chunk < plex->chunk_count(); ++chunk) {
      const ChunkView view = chunk_view(*plex, chunk);
      if (!view.free) CPPUNIT_ASSERT_EQUAL(view.device != 2, view.closed);
    }
    CPPUNIT_ASSERT_MESSAGE("nothing left to do", !bury_system(*plex, 0).done);
    SlotWriter(*plex, 2).release();  // the chunk was taken by the other process's copy of `living`
    reader.free_through(4);
    CPPUNIT_ASSERT_EQUAL(0u, plex.chunks_not_free());
  }

  void testBuryLeavesTheLivingAlone() {
    TestPlex plex(1, 1, small_shape(8));
    CPPUNIT_ASSERT(!bury_system(*plex, 0).done);
    CPPUNIT_ASSERT(register_system(*plex, "HERC0").good());
    CPPUNIT_ASSERT(!bury_system(*plex, 0).done);
    CPPUNIT_ASSERT(system_is_alive(*plex, 0));
  }

  void testBuryIsOneProcessesWork() {
    TestPlex plex(1, 1, small_shape(8));
    OtherProcess dying([&] { return register_system(*plex, "HERC0").good(); });
    dying.kill_and_reap();
    OtherProcess other([&] {
      plex->system(0).burier = (process_start_time(own_pid()) << 32) | own_pid();
      return true;
    });
    CPPUNIT_ASSERT_MESSAGE("another process is at it", !bury_system(*plex, 0).done);
    CPPUNIT_ASSERT(has(register_system(*plex, "HERC0").status, "another process is cleaning up"));
    other.kill_and_reap();
    CPPUNIT_ASSERT(bury_system(*plex, 0).done);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, plex->system(0).burier.load());
  }

  void testHeartbeats() {
    TestPlex plex(1, 1, small_shape(8));
    const std::uint32_t system = register_system(*plex, "HERC0").value.system;
    CPPUNIT_ASSERT_EQUAL(Tod{0}, plex->system(system).heartbeat.load());
    system_heartbeat(*plex, system, 77);
    mover_heartbeat(*plex, 78);
    CPPUNIT_ASSERT_EQUAL(Tod{77}, plex->system(system).heartbeat.load());
    CPPUNIT_ASSERT_EQUAL(Tod{78}, plex->control().mover_heartbeat.load());
  }

  void testDisplay() {
    TestPlex plex(2, 2, small_shape(8));
    CPPUNIT_ASSERT(register_system(*plex, "HERC0").good());
    CPPUNIT_ASSERT(register_mover(*plex).good());
    SlotWriter writer(*plex, 3);
    CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
    writer.begin(Token{});
    CPPUNIT_ASSERT(writer.add(9, 0, "12345", 5));
    CPPUNIT_ASSERT(writer.finish(1).outcome == NumberOutcome::kNumbered);
    suspend_device(*plex, 2, SuspendReason::kWriteBack);
    TrackMap::changed(*plex, 2).set(4);
    const StorageFacts facts = storage_display(*plex);
    CPPUNIT_ASSERT_EQUAL(plex.name(), facts.name);
    CPPUNIT_ASSERT_EQUAL(std::string("PLEXT"), facts.plex);
    CPPUNIT_ASSERT_EQUAL(std::string(AFTERIMAGE_VERSION), facts.product_version);
    CPPUNIT_ASSERT_EQUAL(16u, facts.chunks);
    CPPUNIT_ASSERT_EQUAL(15u, facts.chunks_free);
    CPPUNIT_ASSERT_EQUAL(1u, facts.chunks_idle);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{kMinChunkBytes}, facts.ring_bytes_used);
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, facts.control.sequence);
    CPPUNIT_ASSERT_EQUAL(std::string("ACTIVE"), std::string(text_of(facts.control.state)));
    CPPUNIT_ASSERT(facts.mover_alive);
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, facts.systems.size());
    CPPUNIT_ASSERT(facts.systems[0].alive && !facts.systems[1].alive);
    CPPUNIT_ASSERT_EQUAL(std::string("HERC1"), facts.systems[1].name);
    CPPUNIT_ASSERT_EQUAL(std::size_t{4}, facts.devices.size());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{5}, facts.devices[3].bytes);
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, facts.devices[3].last_sequence);
    CPPUNIT_ASSERT_EQUAL(std::string("WRITE-BACK"), std::string(text_of(facts.devices[2].suspend_reason)));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, facts.devices[2].changed_tracks);
    CPPUNIT_ASSERT_EQUAL(std::string("OPEN"), std::string(text_of(facts.devices[2].state)));
  }
};

CPPUNIT_TEST_SUITE_REGISTRATION(Registry);

}  // namespace
}  // namespace afterimage
