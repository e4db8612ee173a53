// io: the secondary node (service/secondary_node.h) with a real journal and image, and a primary core at the other end of a real link: what
// becomes of work that is under way when the session is given up, recovered or stopped.
#include "service/secondary_node.h"

#include <cppunit/extensions/HelperMacros.h>

#include "channel/dasd_image.h"
#include "datamover/primary_core.h"
#include "serializer/clock.h"
#include "service/asio_host.h"
#include "tests/unit/channel_dasd_support.h"
#include "tests/unit/vtam_link_certificates.h"

namespace afterimage {
namespace {

using testing::TemporaryDirectory;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// A primary that is only its core and a link: every token is flushed at once.
class CorePrimary {
 public:
  CorePrimary(boost::asio::io_context& io, const TlsFiles& tls, std::uint16_t port, const VolumeDescriptor& volume, std::uint64_t epoch) {
    PrimarySettings settings;
    settings.session = "DALLAS";
    settings.local_lu = "SITEA.DSMLU";
    settings.peer_lu = "SITEB.DSMLU";
    settings.interval_ms = 1;
    core_ = std::make_unique<PrimaryCore>(settings);
    feed(primary::Start{epoch, {volume}, 1, 0});
    LuSessionHandler handler;
    handler.on_bound = [this](const BindResponse& bind) {
      if (bind.accepted) feed(primary::LinkUp{bind});
    };
    handler.on_message = [this](std::vector<std::uint8_t>&& bytes) {
      auto decoded = decode(bytes);
      CPPUNIT_ASSERT(decoded.good());
      feed(primary::MessageArrived{std::move(decoded.value)});
    };
    handler.on_down = [this](const std::string&) { feed(primary::LinkDown{}); };
    LinkTimes times;
    times.first_retry_ms = times.last_retry_ms = 10;
    link_ = std::make_unique<LuConnector>(
        io, tls, settings.local_lu, LuAddress{settings.peer_lu, "127.0.0.1", port}, handler, [this] { return core_->make_bind(1, 0); },
        times);
    CPPUNIT_ASSERT(link_->start().good());
  }
  void write(unsigned count) {
    for (unsigned i = 0; i < count; ++i) {
      Token token;
      token.sequence = core_->taken_through() + 1;
      token.tod = clock_tod() + tod_from_us(token.sequence);
      token.ccw_code = 0x85;
      token.range_count = 1;
      token.data_length = static_cast<std::uint32_t>(data_.size());
      token.ranges[0] = TrackRange{0, 100, static_cast<std::uint16_t>(data_.size())};
      feed(primary::TokenNumbered{token, data_, true, false});
    }
  }
  void tick() { feed(primary::Tick{}); }
  bool up() const { return core_->link_up(); }

 private:
  void feed(PrimaryInput input) {
    for (PrimaryOutput& output : core_->step(clock_tod(), std::move(input))) {
      if (auto* send = std::get_if<primary::Send>(&output)) link_->send(std::move(send->message));
    }
  }
  std::vector<std::uint8_t> data_ = std::vector<std::uint8_t>(2000, 0x5A);
  std::unique_ptr<PrimaryCore> core_;
  std::unique_ptr<LuConnector> link_;
};

class Site {
 public:
  Site() {
    const std::string image = testing::make_image(directory, "sec001.ckd", "3390", "PRIM01", 1);
    const auto opened = DasdImage::open(image, OpenFor::kRead);
    CPPUNIT_ASSERT_MESSAGE(opened.status.text(), opened.good());
    const Geometry& geometry = opened.value->geometry();
    volume = {"PRIM01", "SEC001", 0xA80, geometry.device_type, geometry.cylinders, geometry.heads, geometry.track_bytes, "HERC1"};
    std::filesystem::create_directory(directory / "site");
    settings.directory = directory / "site";
    settings.tls = authority_.issue_lu("SITEB.DSMLU");
    settings.local = {"SITEB.DSMLU", "127.0.0.1", 0};
    settings.peer_lu = "SITEA.DSMLU";
    settings.mover.session = "DALLAS";
    settings.mover.local_lu = "SITEB.DSMLU";
    settings.mover.peer_lu = "SITEA.DSMLU";
    settings.mover.volumes = {volume};
    settings.mover.checkpoint_ms = 1;  // one is nearly always under way
    settings.images = {image};
    settings.journal.directory = settings.directory;
    settings.journal.bytes = kMinJournalBytes;
    settings.mover.journal_bytes = least_capacity(settings.journal);
    settings.failure.heartbeat_limit_us = 60'000'000;
    start();
  }
  ~Site() {
    primary.reset();
    node.reset();
    io.poll();
    io.restart();
  }
  void start() {
    node.reset();
    io.poll();
    io.restart();
    node = std::make_unique<SecondaryNode>(
        host, settings, [this](const std::string& line) { log += line + "\n"; }, [](const LossReport&) {});
    const Status started = node->start();
    CPPUNIT_ASSERT_MESSAGE(started.text(), started.good());
  }
  void begin_session(std::uint64_t epoch) {
    primary = std::make_unique<CorePrimary>(io, primary_tls_, node->port(), volume, epoch);
    CPPUNIT_ASSERT_MESSAGE(log, until([this] { return primary->up(); }));
  }
  template <typename Condition>
  bool until(Condition condition) {
    const std::uint64_t limit = monotonic_us() + 10'000'000;
    while (!condition()) {
      if (monotonic_us() > limit) return false;
      io.run_one_for(std::chrono::milliseconds(5));
      if (primary) primary->tick();
    }
    return true;
  }
  SecondaryState state() { return node->facts().state; }

  TemporaryDirectory directory;
  boost::asio::io_context io;
  AsioHost host{io};
  SecondaryNodeSettings settings;
  VolumeDescriptor volume;
  std::unique_ptr<SecondaryNode> node;
  std::unique_ptr<CorePrimary> primary;
  std::string log;

 private:
  samples::TemporaryDirectory certificates_;
  samples::TestAuthority authority_{certificates_, "ca"};
  TlsFiles primary_tls_ = authority_.issue_lu("SITEA.DSMLU");
};

class ServiceSecondaryNode : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ServiceSecondaryNode);
  CPPUNIT_TEST(testGivenUpWithWorkUnderWay);
  CPPUNIT_TEST(testGivenUpAndStartedAgain);
  CPPUNIT_TEST(testRecoveryThatIsGivenUpIsAnswered);
  CPPUNIT_TEST(testRecoveryThatStopsIsAnswered);
  CPPUNIT_TEST(testStoppedWithWorkUnderWay);
  CPPUNIT_TEST_SUITE_END();

  static Answer give_up(Site& site) {
    std::optional<Answer> answer;
    site.node->give_up([&answer](Answer given) { answer = std::move(given); });
    CPPUNIT_ASSERT_MESSAGE(site.log, site.until([&] { return answer.has_value(); }));
    return *answer;
  }

  // At each distance from the first write: journal, images and checkpoint are then in every phase.
  void testGivenUpWithWorkUnderWay() {
    Site site;
    for (unsigned round = 0; round < 40; ++round) {
      site.begin_session(1000 + round);
      site.primary->write(50);
      for (unsigned steps = 0; steps < round; ++steps) {
        site.io.run_one_for(std::chrono::milliseconds(1));
        if (steps % 4 == 0) site.primary->write(5);
      }
      site.primary.reset();
      CPPUNIT_ASSERT_EQUAL(0, give_up(site).return_code);
      CPPUNIT_ASSERT(site.state() == SecondaryState::kEmpty);
    }
    site.begin_session(5000);
    site.primary->write(100);
    CPPUNIT_ASSERT_MESSAGE(site.log, site.until([&] { return site.node->facts().applied == 100; }));
    CPPUNIT_ASSERT_MESSAGE(site.log, !has(site.log, "DSMM133S") && !has(site.log, "DSMM134E"));
  }

  void testGivenUpAndStartedAgain() {
    Site site;
    site.begin_session(1);
    site.primary->write(20);
    CPPUNIT_ASSERT_MESSAGE(site.log, site.until([&] { return site.node->facts().applied == 20; }));
    site.primary.reset();
    CPPUNIT_ASSERT_EQUAL(0, give_up(site).return_code);
    site.start();
    CPPUNIT_ASSERT(site.state() == SecondaryState::kEmpty);
    site.begin_session(2);
    site.primary->write(7);
    CPPUNIT_ASSERT_MESSAGE(site.log, site.until([&] { return site.node->facts().applied == 7; }));
    site.primary.reset();
    site.start();
    CPPUNIT_ASSERT(site.node->facts().epoch == 2 && site.node->facts().complete == 7);
  }

  void testRecoveryThatIsGivenUpIsAnswered() {
    Site site;
    site.begin_session(1);
    site.primary->write(20);
    std::optional<Answer> recovered;
    site.node->recover([&recovered](Answer given) { recovered = std::move(given); });
    give_up(site);
    CPPUNIT_ASSERT(recovered.has_value());
    CPPUNIT_ASSERT_EQUAL(8, recovered->return_code);
  }

  void testRecoveryThatStopsIsAnswered() {
    Site site;
    site.begin_session(1);
    site.primary->write(20);
    CPPUNIT_ASSERT_MESSAGE(site.log, site.until([&] { return site.node->facts().applied == 20; }));
    std::filesystem::rename(site.settings.directory, site.directory / "moved");  // no checkpoint can be written any more
    std::optional<Answer> recovered;
    site.node->recover([&recovered](Answer given) { recovered = std::move(given); });
    CPPUNIT_ASSERT_MESSAGE(site.log, site.until([&] { return recovered.has_value(); }));
    CPPUNIT_ASSERT_EQUAL(8, recovered->return_code);
    CPPUNIT_ASSERT_MESSAGE(recovered->lines.at(0), has(recovered->lines.at(0), "DSMM133S"));
    site.node->recover([&recovered](Answer given) { recovered = std::move(given); });
    CPPUNIT_ASSERT_EQUAL(8, recovered->return_code);
    std::filesystem::rename(site.directory / "moved", site.settings.directory);
  }

  // What workers and posts bring back after stop() finds nobody there, though the loop goes on.
  void testStoppedWithWorkUnderWay() {
    for (unsigned steps = 0; steps < 30; steps += 3) {
      Site site;
      site.begin_session(1);
      site.primary->write(50);
      for (unsigned i = 0; i < steps; ++i) site.io.run_one_for(std::chrono::milliseconds(1));
      site.node->stop();
      site.primary.reset();
      site.io.poll();
      site.node.reset();
      site.io.poll();
      CPPUNIT_ASSERT(!has(site.log, "DSMM134E"));
    }
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ServiceSecondaryNode);

}  // namespace
}  // namespace afterimage
