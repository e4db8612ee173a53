// io: operator commands at a site, from the line to the answer, with nodes whose world is a test's (service/command_processor.h): what is
// refused and why, what is logged, what the displays of each site say.
#include "service/command_processor.h"

#include <cppunit/extensions/HelperMacros.h>

#include <map>
#include <optional>

#include "serializer/numbering.h"
#include "serializer/slot_writer.h"
#include "tests/unit/channel_dasd_support.h"
#include "tests/unit/serializer_storage_fixture.h"
#include "tests/unit/service_manual_host.h"

namespace afterimage {
namespace {

using testing::KnownWrite;
using testing::make_image;
using testing::ManualHost;
using testing::NamedSegment;
using testing::TemporaryDirectory;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string joined(const Answer& answer) {
  std::string text;
  for (const std::string& line : answer.lines) text += line + "\n";
  return text;
}

// Two sites in one folder, each with a processor of its own; no link between them.
class Sites {
 public:
  Sites() {
    config.plex = "PLEXT";
    config.path = directory / "dsm.xml";
    config.storage.segment = segment_.name;
    config.storage.ring_bytes = 8u << 20;
    for (const char* name : {"SITEA", "SITEB", "SITEC"}) {
      SiteConfig site;
      site.name = name;
      site.lu = std::string(name) + ".DSMLU";
      site.host = "127.0.0.1";
      site.port = static_cast<std::uint16_t>(7000 + config.sites.size());
      site.directory = directory / name;
      std::filesystem::create_directory(site.directory);
      config.sites.push_back(site);
    }
    SessionConfig session;
    session.name = "DALLAS";
    session.primary = "SITEA";
    session.secondary = "SITEB";
    session.journal.bytes = 32u << 20;
    for (const char* volser : {"PRIM01", "PRIM02"}) {
      VolumeConfig volume;
      volume.volser = volume.secondary_volser = volser;
      volume.type = 0x3390;
      volume.device = static_cast<std::uint16_t>(0xA80 + session.volumes.size());
      volume.system = "HERC1";
      volume.image = make_image(directory, "a" + std::string(volser), "3390", volser, 2);
      volume.secondary_image = make_image(directory, "b" + std::string(volser), "3390", volser, 2);
      session.volumes.push_back(volume);
    }
    config.sessions.push_back(session);
  }

  CommandProcessor& at(const std::string& site) {
    auto& processor = processors_[site];
    if (!processor) {
      processor =
          std::make_unique<CommandProcessor>(host(site), config, *config.site(site), [this](const std::string& l) { log += l + "\n"; });
      const Status started = processor->start();
      CPPUNIT_ASSERT_MESSAGE(started.text(), started.good());
      host(site).run_all();
    }
    return *processor;
  }
  ManualHost& host(const std::string& site) {
    auto& host = hosts_[site];
    if (!host) host = std::make_unique<ManualHost>();
    return *host;
  }
  Answer ask(const std::string& site, const std::string& line) {
    std::optional<Answer> answer;
    at(site).execute(line, [&](Answer given) { answer = std::move(given); });
    for (int i = 0; i < 100 && !answer; ++i) {
      host(site).run_all();
      host(site).time += tod_from_us(1'000'000);
      host(site).run_timers();
    }
    CPPUNIT_ASSERT_MESSAGE(line, answer.has_value());
    return *answer;
  }

  TemporaryDirectory directory;
  Config config;
  std::string log;

 private:
  NamedSegment segment_;
  std::map<std::string, std::unique_ptr<ManualHost>> hosts_;  // outlive what runs in them
  std::map<std::string, std::unique_ptr<CommandProcessor>> processors_;
};

}  // namespace

class ServiceCommandProcessor : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ServiceCommandProcessor);
  CPPUNIT_TEST(testASiteWithoutARoleIsTold);
  CPPUNIT_TEST(testAMissingImageIsNamed);
  CPPUNIT_TEST(testLinesThatAreNotTaken);
  CPPUNIT_TEST(testWhatChangesSomethingIsLogged);
  CPPUNIT_TEST(testDisplaysOfThePrimary);
  CPPUNIT_TEST(testDisplaysOfTheSecondary);
  CPPUNIT_TEST(testDetailCountsEachVolumesOwnWrites);
  CPPUNIT_TEST(testASessionFromStartToEnd);
  CPPUNIT_TEST(testStopIsAnsweredBeforeItStops);
  CPPUNIT_TEST_SUITE_END();

  static void says(const Answer& answer, int return_code, const std::string& part) {
    CPPUNIT_ASSERT_EQUAL_MESSAGE(joined(answer), return_code, answer.return_code);
    CPPUNIT_ASSERT_MESSAGE(joined(answer) + "lacks " + part, has(joined(answer), part));
  }

 public:
  void testASiteWithoutARoleIsTold() {
    Sites sites;
    CommandProcessor none(sites.host("SITEC"), sites.config, *sites.config.site("SITEC"), [](const std::string&) {});
    const Status status = none.start();
    CPPUNIT_ASSERT(!status.good());
    CPPUNIT_ASSERT_MESSAGE(status.text(), has(status.text(), "Site SITEC is neither primary nor secondary of a session in"));
  }

  void testAMissingImageIsNamed() {
    for (const char* name : {"SITEA", "SITEB"}) {
      Sites sites;
      sites.config.sessions[0].volumes[1].image = sites.config.sessions[0].volumes[1].secondary_image = sites.directory / "absent.ckd";
      CommandProcessor processor(sites.host(name), sites.config, *sites.config.site(name), [](const std::string&) {});
      const Status status = processor.start();
      CPPUNIT_ASSERT(!status.good());
      CPPUNIT_ASSERT_MESSAGE(status.text(), has(status.text(), "Volume PRIM02: ") && has(status.text(), "absent.ckd"));
      CPPUNIT_ASSERT(processor.primary() == nullptr && processor.secondary() == nullptr);
    }
  }

  void testLinesThatAreNotTaken() {
    Sites sites;
    says(sites.ask("SITEA", "CATCH 22"), 8, "DSMO002E COMMAND NOT UNDERSTOOD: Command CATCH at column 1 is not known");
    says(sites.ask("SITEA", "XQUERY HOUSTON"), 8, "DSMO003E");
    says(sites.ask("SITEA", "XRECOVER DALLAS"), 8,
         "DSMO004E COMMAND REFUSED: XRECOVER is refused: session DALLAS is INACTIVE at this primary site");
    says(sites.ask("SITEB", "XSTART"), 8, "it is a command of the primary site; enter it at SITEA");
    says(sites.ask("SITEA", "S DSM"), 4, "DSMO005I");
  }

  void testWhatChangesSomethingIsLogged() {
    Sites sites;
    for (const char* line : {"XQUERY", "D A,L", "D STOR", "HELP", "HELP XEND"}) says(sites.ask("SITEA", line), 0, "");
    CPPUNIT_ASSERT_MESSAGE(sites.log, !has(sites.log, "DSMO001I"));
    sites.ask("SITEA", "f dsm,xend dallas");  // refused, and yet it was entered
    CPPUNIT_ASSERT_MESSAGE(sites.log, has(sites.log, "DSMO001I") && has(sites.log, "XEND DALLAS"));
  }

  void testDisplaysOfThePrimary() {
    Sites sites;
    says(sites.ask("SITEA", "D A,L"), 0, "DSM AT SITE SITEA, PRIMARY OF SESSION DALLAS, INACTIVE");
    const std::string storage = joined(sites.ask("SITEA", "D STOR"));
    for (const char* part : {"COMMON STORAGE OF PLEX PLEXT", "SESSION=NONE STATE=INACTIVE",
                             "VOLUME PRIM01 SYSTEM=HERC1 DEVICE=0A80 DEFINED", "VOLUME PRIM02 SYSTEM=HERC1 DEVICE=0A81", "MOVER PROCESS"})
      CPPUNIT_ASSERT_MESSAGE(storage + "lacks " + part, has(storage, part));
    says(sites.ask("SITEA", "D PWQ"), 8, "enter it at SITEB");
    says(sites.ask("SITEA", "XQUERY"), 0, "DSMO203I SITE(SITEA) ROLE(PRIMARY) STATE(INACTIVE)");
    says(sites.ask("SITEA", "XQUERY CONFIG"), 0, "DSMO255I VOLUME(PRIM02,PRIM02) SYSTEM(HERC1) DEVICE(0A81) TYPE(3390)");
    says(sites.ask("SITEA", "XQUERY RECOVER"), 0, "RECOVERY IS MADE AT SITE(SITEB)");
    const std::string first = joined(sites.ask("SITEA", "XQUERY")), second = joined(sites.ask("SITEA", "XQUERY"));
    CPPUNIT_ASSERT(has(first, "REPORT - 004") && has(second, "REPORT - 005"));
  }

  void testDisplaysOfTheSecondary() {
    Sites sites;
    says(sites.ask("SITEB", "D A,L"), 0, "DSM AT SITE SITEB, SECONDARY OF SESSION DALLAS, INACTIVE");
    says(sites.ask("SITEB", "D PWQ"), 0, "APPLIED THROUGH 0, POINT A 0, POINT B 0");
    says(sites.ask("SITEB", "D PWQ,SEQ=7"), 8, "Token 7 is not in the pending write queue");
    says(sites.ask("SITEB", "D STOR"), 8, "enter it at SITEA");
    says(sites.ask("SITEB", "XQUERY STATUS"), 0, "DSMO224I POINT A(0) POINT B(0) PENDING(0) BYTES(0)");
    says(sites.ask("SITEB", "XRECOVER CHECK(YES)"), 8, "no session was established here");
    says(sites.ask("SITEB", "XEND IMMEDIATE"), 8, "XEND IMMEDIATE is refused");
    says(sites.ask("SITEB", "CGROUP FREEZE"), 8, "no session is established here; start the session at SITEA");
  }

  // One write of the first volume is not yet in its file; three of the second were numbered behind it.
  void testDetailCountsEachVolumesOwnWrites() {
    Sites sites;
    says(sites.ask("SITEA", "XSTART COMPARE(NO)"), 0, "DALLAS");
    CommonStorage& storage = sites.at("SITEA").primary()->storage();
    std::vector<std::uint8_t> bytes;
    const auto write = [&](std::uint32_t device, std::uint32_t attempt) {
      SlotWriter writer(storage, device);
      const KnownWrite known{device, attempt};
      known.fill(bytes);
      CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady && known.put(writer, bytes));
      CPPUNIT_ASSERT(writer.finish(1).outcome == NumberOutcome::kNumbered);
    };
    write(0, 1);
    for (std::uint32_t attempt = 2; attempt < 5; ++attempt) write(1, attempt);
    write(0, 5);
    storage.device(1).flushed_sequence = 4;
    storage.device(0).flushed_sequence = 1;
    for (int i = 0; i < 5; ++i) {
      sites.host("SITEA").run_timers();
      sites.host("SITEA").run_all();
    }
    const std::string detail = joined(sites.ask("SITEA", "XQUERY DETAIL"));
    CPPUNIT_ASSERT_MESSAGE(detail, has(detail, "DSMO213I PRIM01 WRITES(2)") && has(detail, "UNFLUSHED(1)"));
    CPPUNIT_ASSERT_MESSAGE(detail, has(detail, "DSMO213I PRIM02 WRITES(3)") && has(detail, "UNFLUSHED(0)"));
  }

  void testASessionFromStartToEnd() {
    Sites sites;
    says(sites.ask("SITEA", "XSTART COMPARE(NO)"), 0, "DALLAS");
    says(sites.ask("SITEA", "D A,L"), 0, "PRIMARY OF SESSION DALLAS, ACTIVE");
    says(sites.ask("SITEA", "XSTART"), 8, "a session starts only from INACTIVE");
    says(sites.ask("SITEA", "VERIFY"), 8, "the digests travel over the link and it is down");
    says(sites.ask("SITEA", "XSUSPEND DRAIN"), 8, "DRAIN waits for acknowledgements and the link is down");
    CPPUNIT_ASSERT(sites.ask("SITEA", "CGROUP FREEZE").return_code <= 4);
    says(sites.ask("SITEA", "D A,L"), 0, "FROZEN");
    CPPUNIT_ASSERT(sites.ask("SITEA", "CGROUP RUN").return_code <= 4);
    says(sites.ask("SITEA", "XQUERY"), 0, "STATE(SUSPENDED)");
    says(sites.ask("SITEA", "XSUSPEND"), 8, "it is suspended already");
    CPPUNIT_ASSERT(sites.ask("SITEA", "XEND IMMEDIATE").return_code <= 4);
    says(sites.ask("SITEA", "D A,L"), 0, "INACTIVE");
  }

  void testStopIsAnsweredBeforeItStops() {
    Sites sites;
    bool answered = false, stopped = false;
    CommandProcessor& processor = sites.at("SITEA");
    processor.on_stop([&] {
      CPPUNIT_ASSERT(answered);
      stopped = true;
    });
    processor.execute("P DSM", [&](Answer answer) {
      says(answer, 0, "DSMM190I");
      answered = true;
    });
    CPPUNIT_ASSERT(answered && !stopped);
    sites.host("SITEA").run_posts();
    CPPUNIT_ASSERT(stopped);
    processor.stop();
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ServiceCommandProcessor);

}  // namespace afterimage
