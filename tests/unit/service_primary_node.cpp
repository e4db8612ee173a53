// io: the primary node (service/primary_node.h) on common storage of its own: what a dsmd finds there when it is started again, and what
// its commands answer. A peer is a listener of the test.
#include "service/primary_node.h"

#include <cppunit/extensions/HelperMacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "serializer/clock.h"
#include "serializer/numbering.h"
#include "serializer/process_identity.h"
#include "serializer/slot_ref.h"
#include "serializer/slot_writer.h"
#include "service/asio_host.h"
#include "tests/unit/channel_dasd_support.h"
#include "tests/unit/serializer_storage_fixture.h"
#include "tests/unit/vtam_link_certificates.h"

namespace afterimage {
namespace {

using testing::KnownWrite;
using testing::NamedSegment;
using testing::TemporaryDirectory;
using testing::write_text;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// One site with two volumes; dsmd may be started and killed as often as a test likes.
class Site {
 public:
  Site() {
    settings.plex = "PLEXT";
    settings.segment = segment_.name;
    settings.shape = testing::small_shape(2);
    settings.directory = directory / "";
    settings.mover.session = "DALLAS";
    settings.mover.local_lu = "SITEA.DSMLU";
    settings.mover.peer_lu = "SITEB.DSMLU";
    settings.peer = {"SITEB.DSMLU", "127.0.0.1", 9};
    for (const char* volser : {"PRIM01", "PRIM02"}) {
      write_text(directory / volser, "an image");
      VolumeDescriptor volume{volser, volser, static_cast<std::uint16_t>(0xA80 + settings.volumes.size()), 0x3390, 10, 15, 56832, "HERC1"};
      settings.volumes.push_back({volume, directory / volser});
    }
  }
  ~Site() { kill(); }
  Status start() {
    node = std::make_unique<PrimaryNode>(host, settings, [this](const std::string& line) { log += line + "\n"; });
    return node->start();
  }
  // Nothing of it runs again; common storage and the state file stay as they are.
  void kill() {
    node.reset();
    io.poll();
    io.restart();
  }
  void restart() {
    kill();
    const Status started = start();
    CPPUNIT_ASSERT_MESSAGE(started.text(), started.good());
  }
  template <typename Condition>
  bool until(Condition condition) {
    const std::uint64_t limit = monotonic_us() + 10'000'000;
    while (!condition()) {
      if (monotonic_us() > limit) return false;
      io.run_one_for(std::chrono::milliseconds(50));
    }
    return true;
  }
  Answer ask(const std::function<void(Respond)>& command) {
    std::optional<Answer> answer;
    command([&answer](Answer given) { answer = std::move(given); });
    CPPUNIT_ASSERT_MESSAGE(log, until([&] { return answer.has_value(); }));
    return *answer;
  }
  CommonStorage& storage() { return node->storage(); }
  SessionState state() { return control_view(storage()).state; }

  TemporaryDirectory directory;
  boost::asio::io_context io;
  AsioHost host{io};
  PrimaryNodeSettings settings;
  std::unique_ptr<PrimaryNode> node;
  std::string log;

 private:
  NamedSegment segment_;
};

class ServicePrimaryNode : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ServicePrimaryNode);
  CPPUNIT_TEST(testEachStateIsContinuedAndCanBeEnded);
  CPPUNIT_TEST(testOnlyAStopInOrderGivesUpThePlaceOfTheMover);
  CPPUNIT_TEST(testKilledWhileTheSessionBegan);
  CPPUNIT_TEST(testTheStateFileIsLost);
  CPPUNIT_TEST(testCommonStorageIsLost);
  CPPUNIT_TEST(testVolumesAndSessionTakenOutOfTheConfiguration);
  CPPUNIT_TEST(testAFailedStartForgetsNoChange);
  CPPUNIT_TEST(testChangesAreForgottenOnlyWhenComparedEqual);
  CPPUNIT_TEST(testWritesThatWereNeverAcknowledgedAreChanges);
  CPPUNIT_TEST(testAVolumeItsHerculesRefusedIsNotStarted);
  CPPUNIT_TEST(testVerifyOfASessionThatEndsIsNotEqual);
  CPPUNIT_TEST(testTracksThatCouldNotBeReadAreNotEqual);
  CPPUNIT_TEST(testVolumesOfADeadSystemAreComparedFromTheBeginning);
  CPPUNIT_TEST(testASuspensionIsToldWithItsReason);
  CPPUNIT_TEST(testAFrozenSessionCanBeSuspended);
  CPPUNIT_TEST(testADrainThatIsCutShortSaysSo);
  CPPUNIT_TEST(testASecondaryThatCannotGoOnIsNotAskedWithoutEnd);
  CPPUNIT_TEST(testARefusalIsToldOnce);
  CPPUNIT_TEST_SUITE_END();

  static void start(Site& site, bool compare = false) {
    const Status started = site.start();
    CPPUNIT_ASSERT_MESSAGE(started.text(), started.good());
    CPPUNIT_ASSERT_EQUAL(0, site.node->xstart(compare).return_code);
  }
  static Answer end_at_once(Site& site) {
    return site.ask([&](Respond respond) { site.node->xend(false, std::move(respond)); });
  }

  void testEachStateIsContinuedAndCanBeEnded() {
    for (const SessionState state : {SessionState::kActive, SessionState::kSuspended, SessionState::kFrozen, SessionState::kInactive}) {
      Site site;
      start(site);
      change_session_state(site.storage(), SessionState::kActive, state);
      site.restart();
      CPPUNIT_ASSERT(site.state() == state);
      CPPUNIT_ASSERT(has(site.log, "DSMM103I"));
      CPPUNIT_ASSERT_EQUAL(8, site.node->xstart(true).return_code);
      if (state == SessionState::kFrozen) CPPUNIT_ASSERT_EQUAL(0, site.node->run().return_code);
      CPPUNIT_ASSERT_EQUAL(4, end_at_once(site).return_code);
      CPPUNIT_ASSERT_EQUAL(0, site.node->xstart(true).return_code);
    }
  }

  void testOnlyAStopInOrderGivesUpThePlaceOfTheMover() {
    Site site;
    start(site);
    site.kill();
    auto opened = CommonStorage::open(site.settings.segment);
    CPPUNIT_ASSERT_MESSAGE(opened.status.text(), opened.good());
    CPPUNIT_ASSERT_EQUAL(own_pid(), opened.value->control().mover_pid.load());
    CPPUNIT_ASSERT(site.start().good());
    site.node->stop();
    CPPUNIT_ASSERT_EQUAL(0u, opened.value->control().mover_pid.load());
    CPPUNIT_ASSERT(control_view(*opened.value).state == SessionState::kActive);
  }

  // kill -9 with the epoch set and the volumes duplexed, before the session became active.
  void testKilledWhileTheSessionBegan() {
    Site site;
    CPPUNIT_ASSERT(site.start().good());
    site.storage().control().epoch.store(77);
    std::memcpy(site.storage().control().session, "DALLAS", 6);
    for (std::uint32_t i = 0; i < 2; ++i) site.storage().device(i).duplex.store(kDuplex | kPending);
    site.restart();
    end_at_once(site);
    for (std::uint32_t i = 0; i < 2; ++i) CPPUNIT_ASSERT_EQUAL(0u, site.storage().device(i).duplex.load());
    CPPUNIT_ASSERT_EQUAL(0, site.node->xstart(false).return_code);
  }

  void testTheStateFileIsLost() {
    Site site;
    start(site);
    std::filesystem::remove(site.directory / "session.state");
    site.restart();
    CPPUNIT_ASSERT(site.state() == SessionState::kActive);
    CPPUNIT_ASSERT_EQUAL(4, end_at_once(site).return_code);
  }

  void testCommonStorageIsLost() {
    Site site;
    start(site);
    site.kill();
    CommonStorage::remove(site.settings.segment);
    site.restart();
    CPPUNIT_ASSERT(has(site.log, "DSMM117E"));
    site.log.clear();
    site.restart();
    CPPUNIT_ASSERT(!has(site.log, "DSMM117E"));
    CPPUNIT_ASSERT_EQUAL(0, site.node->xstart(true).return_code);
  }

  void testVolumesAndSessionTakenOutOfTheConfiguration() {
    Site site;
    start(site);
    site.kill();
    const auto volumes = site.settings.volumes;
    site.settings.volumes.pop_back();
    Status started = site.start();
    CPPUNIT_ASSERT_MESSAGE(started.text(), has(started.text(), "Volume PRIM02 is in session DALLAS"));
    site.kill();
    site.settings.volumes = {volumes[1]};  // another number within the session
    CPPUNIT_ASSERT(!site.start().good());
    site.kill();
    site.settings.volumes = volumes;
    site.settings.mover.session = "AUSTIN";
    started = site.start();
    CPPUNIT_ASSERT_MESSAGE(started.text(), has(started.text(), "Session DALLAS runs"));
    site.kill();
    site.settings.mover.session = "DALLAS";
    CPPUNIT_ASSERT(site.start().good());
    end_at_once(site);
    site.settings.volumes.pop_back();
    site.restart();
    CPPUNIT_ASSERT_EQUAL(0, site.node->xstart(true).return_code);
    CPPUNIT_ASSERT_EQUAL(0u, site.storage().device(1).duplex.load());
  }

  void testAFailedStartForgetsNoChange() {
    Site site;
    CPPUNIT_ASSERT(site.start().good());
    TrackMap::changed(site.storage(), 0).set(5);
    std::filesystem::remove(site.settings.volumes[1].image);
    CPPUNIT_ASSERT_EQUAL(8, site.node->xstart(true).return_code);
    write_text(site.settings.volumes[1].image, "an image");
    const Answer answer = site.node->xstart(false);
    CPPUNIT_ASSERT_EQUAL(8, answer.return_code);
    CPPUNIT_ASSERT(has(answer.lines.at(0), "PRIM01"));
  }

  void testChangesAreForgottenOnlyWhenComparedEqual() {
    Site site;
    CPPUNIT_ASSERT(site.start().good());
    TrackMap::changed(site.storage(), 1).set(5);
    CPPUNIT_ASSERT_EQUAL(0, site.node->xstart(true).return_code);
    end_at_once(site);  // before anything was compared
    CPPUNIT_ASSERT_EQUAL(8, site.node->xstart(false).return_code);
  }

  // XEND IMMEDIATE leaves them out of the copy: a session begun without a compare would take the copy for equal.
  void testWritesThatWereNeverAcknowledgedAreChanges() {
    for (const bool damaged : {false, true}) {
      Site site;
      start(site);
      SlotWriter writer(site.storage(), 1);
      std::vector<std::uint8_t> bytes;
      for (std::uint32_t attempt = 7; attempt < 9; ++attempt) {
        const KnownWrite write{1, attempt};
        write.fill(bytes);
        CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady && write.put(writer, bytes));
        CPPUNIT_ASSERT(writer.finish(1).outcome == NumberOutcome::kNumbered);
      }
      if (damaged) slot_place(site.storage(), entry_view(site.storage(), 2).slot).header->token.range_count = 0xFF;
      CPPUNIT_ASSERT_EQUAL(4, end_at_once(site).return_code);
      const Answer answer = site.node->xstart(false);
      CPPUNIT_ASSERT_EQUAL(8, answer.return_code);
      CPPUNIT_ASSERT_MESSAGE(answer.lines.at(0), has(answer.lines.at(0), damaged ? "PRIM01" : "PRIM02"));
      CPPUNIT_ASSERT_EQUAL(damaged ? std::uint64_t{150} : 2, TrackMap::changed(site.storage(), 1).count());
      CPPUNIT_ASSERT(TrackMap::changed(site.storage(), 1).test(7) && TrackMap::changed(site.storage(), 1).test(8));
      CPPUNIT_ASSERT_EQUAL(0, site.node->xstart(true).return_code);
    }
  }

  void testAVolumeItsHerculesRefusedIsNotStarted() {
    Site site;
    CPPUNIT_ASSERT(site.start().good());
    const auto system = register_system(site.storage(), "HERC1");
    CPPUNIT_ASSERT(!system.good() || system.value.system == site.storage().device(0).system_index);
    suspend_device(site.storage(), 0, SuspendReason::kCheck);
    Answer answer = site.node->xstart(true);
    CPPUNIT_ASSERT_EQUAL(8, answer.return_code);
    CPPUNIT_ASSERT_MESSAGE(answer.lines.at(0), has(answer.lines.at(0), "PRIM01"));
    site.storage().device(0).state.store(static_cast<std::uint32_t>(DeviceState::kOpen));
    CPPUNIT_ASSERT_EQUAL(0, site.node->xstart(true).return_code);
    CPPUNIT_ASSERT_EQUAL(0u, site.storage().device(0).duplex.load() & kVolumeSuspended);
  }

  void testVerifyOfASessionThatEndsIsNotEqual() {
    Site site;
    start(site);
    for (std::uint32_t i = 0; i < 2; ++i) site.storage().device(i).state.store(static_cast<std::uint32_t>(DeviceState::kOpen));
    std::optional<Answer> answer;
    site.node->verify({}, [&answer](Answer given) { answer = std::move(given); });
    CPPUNIT_ASSERT(!answer);
    end_at_once(site);
    CPPUNIT_ASSERT(site.until([&] { return answer.has_value(); }));
    CPPUNIT_ASSERT_EQUAL(8, answer->return_code);
    for (std::uint32_t i = 0; i < 2; ++i) CPPUNIT_ASSERT_EQUAL(0u, site.storage().device(i).verify_request.load());
  }

  void testTracksThatCouldNotBeReadAreNotEqual() {
    Site site;
    start(site);
    for (std::uint32_t i = 0; i < 2; ++i) site.storage().device(i).state.store(static_cast<std::uint32_t>(DeviceState::kOpen));
    std::optional<Answer> answer;
    site.node->verify({}, [&answer](Answer given) { answer = std::move(given); });
    site.storage().device(0).verify_next.store(site.storage().device(0).verify_end.load());
    site.storage().device(1).verify_next.store(3);  // as the module leaves it after a track that cannot be read
    for (std::uint32_t i = 0; i < 2; ++i) site.storage().device(i).verify_request.store(0);
    CPPUNIT_ASSERT(site.until([&] { return site.node->facts().state != SessionState::kActive || answer || has(site.log, "DSMM12"); }));
    suspend_session(site.storage(), SuspendReason::kCheck);
    end_at_once(site);
    CPPUNIT_ASSERT(site.until([&] { return answer.has_value(); }));
    CPPUNIT_ASSERT_EQUAL(8, answer->return_code);
    CPPUNIT_ASSERT_MESSAGE(site.log, !has(site.log, "DSMM121I"));
  }

  void testVolumesOfADeadSystemAreComparedFromTheBeginning() {
    Site site;
    start(site);
    for (std::uint32_t i = 0; i < 2; ++i) site.storage().device(i).state.store(static_cast<std::uint32_t>(DeviceState::kOpen));
    const pid_t child = ::fork();
    if (child == 0) ::_exit(register_system(site.storage(), "HERC1").good() ? 0 : 1);
    int status = 0;
    CPPUNIT_ASSERT_EQUAL(child, ::waitpid(child, &status, 0));
    CPPUNIT_ASSERT_EQUAL(0, status);
    site.node->verify({}, [](const Answer&) {});
    for (std::uint32_t i = 0; i < 2; ++i) {
      DeviceEntry& device = site.storage().device(i);
      device.verify_next.store(device.verify_end.load());
      device.verify_request.store(0);
    }
    CPPUNIT_ASSERT_MESSAGE(site.log, site.until([&] { return has(site.log, "DSMS110W"); }));
    for (std::uint32_t i = 0; i < 2; ++i) {
      CPPUNIT_ASSERT_EQUAL(0u, site.storage().device(i).verify_next.load());
      CPPUNIT_ASSERT_EQUAL(1u, site.storage().device(i).verify_request.load());
    }
  }

  void testASuspensionIsToldWithItsReason() {
    Site site;
    start(site);
    const StateChange change = change_session_state(site.storage(), SessionState::kActive, SessionState::kSuspended);
    CPPUNIT_ASSERT(change.changed);
    site.io.run_one();  // a poll sees the state before the reason is there
    site.io.run_one();
    site.storage().control().suspend_reason.store(static_cast<std::uint32_t>(SuspendReason::kBuffers));
    CPPUNIT_ASSERT(site.until([&] { return has(site.log, "DSMM112W"); }));
    CPPUNIT_ASSERT_MESSAGE(site.log, has(site.log, "REASON BUFFERS"));
  }

  void testAFrozenSessionCanBeSuspended() {
    Site site;
    start(site);
    CPPUNIT_ASSERT(change_session_state(site.storage(), SessionState::kActive, SessionState::kFrozen).changed);
    CPPUNIT_ASSERT_EQUAL(0, site.ask([&](Respond respond) { site.node->xsuspend(false, std::move(respond)); }).return_code);
    CPPUNIT_ASSERT(site.state() == SessionState::kSuspended);
    CPPUNIT_ASSERT(site.node->facts().reason == SuspendReason::kOperator);
  }

  void testADrainThatIsCutShortSaysSo() {
    Site site;
    start(site);
    std::optional<Answer> answer;
    site.node->xend(true, [&answer](Answer given) { answer = std::move(given); });
    end_at_once(site);
    CPPUNIT_ASSERT(site.until([&] { return answer.has_value(); }));
    CPPUNIT_ASSERT_EQUAL(4, answer->return_code);
    CPPUNIT_ASSERT_MESSAGE(answer->lines.at(0), has(answer->lines.at(0), "DSMM105W"));
  }

  // A secondary of the test: answers each bind as it is told.
  struct Peer {
    Peer(Site& site, BindResponse answer) {
      const samples::TestAuthority authority(certificates, "ca");
      LuSessionHandler handler;
      handler.on_bind = [this, answer](const BindRequest&) {
        ++binds;
        return answer;
      };
      LinkTimes times;
      times.linger_ms = 50;
      listener = std::make_unique<LuListener>(site.io, authority.issue_lu("SITEB.DSMLU"), LuAddress{"SITEB.DSMLU", "127.0.0.1", 0},
                                              "SITEA.DSMLU", handler, times);
      CPPUNIT_ASSERT(listener->start().good());
      site.settings.tls = authority.issue_lu("SITEA.DSMLU");
      site.settings.peer.port = listener->port();
    }
    samples::TemporaryDirectory certificates;
    std::unique_ptr<LuListener> listener;
    unsigned binds = 0;
  };
  static std::size_t count(const std::string& text, const std::string& part) {
    std::size_t found = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
    return found;
  }

  void testASecondaryThatCannotGoOnIsNotAskedWithoutEnd() {
    Site site;
    BindResponse answer;
    answer.accepted = true;
    answer.product_version = AFTERIMAGE_VERSION;
    answer.epoch = 4711;  // of some other session
    Peer peer(site, answer);
    start(site);
    CPPUNIT_ASSERT_MESSAGE(site.log, site.until([&] { return site.state() == SessionState::kSuspended; }));
    CPPUNIT_ASSERT_MESSAGE(site.log, has(site.log, "DSMM113E") && has(site.log, "4711"));
    CPPUNIT_ASSERT(has(site.node->facts().link_reason, "4711"));
    CPPUNIT_ASSERT_EQUAL(1u, peer.binds);
    CPPUNIT_ASSERT_EQUAL(4, end_at_once(site).return_code);
    peer.listener.reset();
    site.kill();
  }

  void testARefusalIsToldOnce() {
    Site site;
    BindResponse answer;
    answer.accepted = false;
    answer.product_version = AFTERIMAGE_VERSION;
    answer.reason = "Not today.";
    Peer peer(site, answer);
    start(site);
    CPPUNIT_ASSERT_MESSAGE(site.log, site.until([&] { return peer.binds >= 3; }));
    CPPUNIT_ASSERT_EQUAL_MESSAGE(site.log, std::size_t{1}, count(site.log, "DSML105E"));
    CPPUNIT_ASSERT_EQUAL_MESSAGE(site.log, std::size_t{0}, count(site.log, "DSML102W"));
    peer.listener.reset();
    site.kill();
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ServicePrimaryNode);

}  // namespace
}  // namespace afterimage
