// io: the secondary node's disk work (service/secondary_disk.cpp) with a real journal and image, each step of its workers by hand: what a
// failure leaves behind, whatever was under way when it came.
#include <cppunit/extensions/HelperMacros.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>

#include "channel/dasd_image.h"
#include "datamover/primary_core.h"
#include "service/secondary_node.h"
#include "tests/unit/channel_dasd_support.h"
#include "tests/unit/service_manual_host.h"

namespace afterimage {
namespace {

using testing::Bytes;
using testing::ManualHost;
using testing::read_file;
using testing::TemporaryDirectory;

// Writes behind the first bytes of a file fail while it lives.
class NoLongFiles {
 public:
  NoLongFiles() {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit short_ones{1024, before_.rlim_max};
    ignored_ = std::signal(SIGXFSZ, SIG_IGN);
    CPPUNIT_ASSERT_EQUAL(0, ::setrlimit(RLIMIT_FSIZE, &short_ones));
  }
  ~NoLongFiles() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, ignored_);
  }

 private:
  rlimit before_{};
  void (*ignored_)(int) = nullptr;
};

class Site {
 public:
  Site() {
    const std::string path = testing::make_image(directory, "sec001.ckd", "3390", "PRIM01", 1);
    const auto opened = DasdImage::open(path, OpenFor::kRead);
    CPPUNIT_ASSERT_MESSAGE(opened.status.text(), opened.good());
    geometry = opened.value->geometry();
    volume = {"PRIM01", "SEC001", 0xA80, geometry.device_type, geometry.cylinders, geometry.heads, geometry.track_bytes, "HERC1"};
    image = path;
    std::filesystem::create_directory(directory / "site");
    settings.directory = directory / "site";
    settings.peer_lu = "SITEA.DSMLU";
    settings.mover.session = "DALLAS";
    settings.mover.local_lu = "SITEB.DSMLU";
    settings.mover.peer_lu = "SITEA.DSMLU";
    settings.mover.volumes = {volume};
    settings.images = {image};
    settings.journal.directory = settings.directory;
    settings.journal.bytes = 8u << 20;
    PrimarySettings primary_settings;
    primary_settings.session = "DALLAS";
    primary_settings.local_lu = "SITEA.DSMLU";
    primary_settings.peer_lu = "SITEB.DSMLU";
    primary = std::make_unique<PrimaryCore>(primary_settings);
    feed(primary::Start{77, {volume}, 1, 0});
  }
  void start() {
    node.reset();
    host = std::make_unique<ManualHost>();
    node = std::make_unique<SecondaryNode>(
        *host, settings, [this](const std::string& line) { log += line + "\n"; }, [](const LossReport&) {});
    const Status started = node->start();
    CPPUNIT_ASSERT_MESSAGE(started.text(), started.good());
    host->up = true;
    const BindResponse response = host->peer.on_bind(primary->make_bind(1, 0));
    CPPUNIT_ASSERT_MESSAGE(response.reason, response.accepted);
    feed(primary::LinkUp{response});
    tick();
    deliver();
    host->run_all();
  }
  // A write of one byte over and over, at the end of the track's bytes that dasdinit made.
  void write(std::uint32_t track) {
    Token token;
    token.sequence = primary->taken_through() + 1;
    token.tod = time + tod_from_us(token.sequence);
    token.ccw_code = 0x85;
    token.cylinder = static_cast<std::uint16_t>(track / geometry.heads);
    token.head = static_cast<std::uint16_t>(track % geometry.heads);
    token.range_count = 1;
    token.data_length = static_cast<std::uint32_t>(data.size());
    token.ranges[0] = TrackRange{track, 2000, static_cast<std::uint16_t>(data.size())};
    feed(primary::TokenNumbered{token, data, true, false});
    tick();
    deliver();
  }
  // What was sent reaches the node, and the journal has it durably; what is to be applied waits for the images' worker.
  void deliver() {
    for (auto& message : std::exchange(outgoing_, {})) {
      host->peer.on_message(std::move(message));
      host->run_posts();
      while (journal().work_one()) {
      }
      while (journal().finish_one()) {
      }
      host->run_posts();
    }
  }
  testing::ManualJobs& journal() { return *host->workers.at(0); }
  testing::ManualJobs& images() { return *host->workers.at(1); }
  bool holds(std::uint32_t track) const {
    const Bytes bytes = read_file(image);
    const std::size_t at = 512 + std::size_t{track} * geometry.track_bytes + 2000;
    return std::equal(data.begin(), data.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at));
  }

  TemporaryDirectory directory;
  Geometry geometry;
  VolumeDescriptor volume;
  std::string image, log;
  SecondaryNodeSettings settings;
  Tod time = tod_from_us(4'000'000'000'000'000);
  std::vector<std::uint8_t> data = std::vector<std::uint8_t>(500, 0x5A);
  std::unique_ptr<PrimaryCore> primary;
  std::unique_ptr<ManualHost> host;
  std::unique_ptr<SecondaryNode> node;

 private:
  void tick() {
    time += tod_from_us(1'000'000);
    feed(primary::Tick{});
  }
  void feed(PrimaryInput input) {
    for (PrimaryOutput& output : primary->step(time, std::move(input)))
      if (auto* send = std::get_if<primary::Send>(&output)) outgoing_.push_back(send->message.flat());
  }
  std::vector<std::vector<std::uint8_t>> outgoing_;
};

class ServiceSecondaryDisk : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ServiceSecondaryDisk);
  CPPUNIT_TEST(testNothingIsAppliedBehindAFailedWrite);
  CPPUNIT_TEST_SUITE_END();

  // The next writes were with the worker already when the failure came: applied, they would stand in the images without those before them.
  void testNothingIsAppliedBehindAFailedWrite() {
    Site site;
    site.start();
    site.write(3);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, site.images().jobs.size());
    {
      const NoLongFiles fails;
      CPPUNIT_ASSERT(site.images().work_one());
    }
    site.write(4);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, site.images().jobs.size());
    CPPUNIT_ASSERT(site.images().work_one());
    CPPUNIT_ASSERT(!site.holds(3) && !site.holds(4));
    site.host->run_all();
    CPPUNIT_ASSERT(site.node->facts().state == SecondaryState::kStopped);
    CPPUNIT_ASSERT_MESSAGE(site.log, site.log.find("DSMM134E") != std::string::npos && site.log.find("DSMM133S") != std::string::npos);
    CPPUNIT_ASSERT(!site.holds(3) && !site.holds(4));
    // Started again, everything is there: both were in the journal.
    site.start();
    CPPUNIT_ASSERT_MESSAGE(site.log, site.holds(3) && site.holds(4));
    CPPUNIT_ASSERT(site.node->facts().state == SecondaryState::kDuplex);
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ServiceSecondaryDisk);

}  // namespace
}  // namespace afterimage
