// io: what the crash points found in the product, each as a small case of its own on a simulated disk.
#include <cppunit/extensions/HelperMacros.h>

#include <cerrno>

#include "channel/dasd_image.h"
#include "datamover/journal.h"
#include "service/applied_mark.h"
#include "service/session_state_file.h"
#include "tests/sim/sim_image.h"
#include "tests/sim/sim_posix.h"

namespace afterimage::sim {
namespace {

using Kind = SimFault::Kind;
using Bytes = std::vector<std::uint8_t>;

class SimProductTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(SimProductTest);
  CPPUNIT_TEST(testAJournalThatCannotBeLookedAtIsNotMadeAnew);
  CPPUNIT_TEST(testRecordsOfAKilledProcessAreDurableWhenTheyAreRead);
  CPPUNIT_TEST(testRecordsOfAFailedSyncAreWrittenAgain);
  CPPUNIT_TEST(testRecordsOfATornSyncDoNotRefuseTheStart);
  CPPUNIT_TEST(testAFenceOfAKilledProcessIsMadeDurable);
  CPPUNIT_TEST(testAFenceWhoseSyncFailedIsWrittenAgain);
  CPPUNIT_TEST(testALiftedFenceWhoseSyncFailedIsSeenAsNotLifted);
  CPPUNIT_TEST(testAStateFileThatIsReadIsDurable);
  CPPUNIT_TEST(testAShortWriteOfTheMarkIsContinued);
  CPPUNIT_TEST_SUITE_END();

  // One host whose process can be replaced.
  struct Host {
    SimDisk disk;
    SimMount mount{"b", disk};
    std::unique_ptr<SimProcess> process;
    std::unique_ptr<SimRunning> running;
    Host() {
      disk.make_directory("/site");
      restart();
    }
    void restart() {
      running.reset();
      if (process) disk.kill(*process);
      process = std::make_unique<SimProcess>("dsmd");
      running = std::make_unique<SimRunning>(process.get());
    }
    void crash(std::uint64_t seed = 1, Damage damage = Damage::kDropped) {
      disk.crash(seed, damage);
      restart();
    }
    void fail(SimOp op, int error) {
      disk.set_hook([op, error](const SimCall& call) {
        SimFault fault;
        if (call.op == op) fault.kind = Kind::kError, fault.error = error;
        return fault;
      });
    }
    void repair() { disk.set_hook({}); }
  };
  static Result<std::unique_ptr<Journal>> open() { return Journal::open({"/sim/b/site", 64 << 10, 2}); }
  static std::unique_ptr<Journal> journal() {
    auto opened = open();
    CPPUNIT_ASSERT_MESSAGE(opened.status.text(), opened.good());
    return std::move(opened.value);
  }
  static unsigned records(Journal& journal) {
    unsigned count = 0;
    CPPUNIT_ASSERT(journal
                       .replay(0,
                               [&](std::uint64_t, std::span<const std::uint8_t> record) {
                                 CPPUNIT_ASSERT_EQUAL(count++, unsigned{record[0]});
                                 return Status::ok();
                               })
                       .good());
    return count;
  }
  static void append(Journal& journal, std::uint8_t from, std::uint8_t count) {
    for (std::uint8_t i = 0; i < count; ++i) CPPUNIT_ASSERT(journal.append(Bytes(900, static_cast<std::uint8_t>(from + i))).good());
  }
  static std::unique_ptr<DasdImage> image() {
    auto opened = DasdImage::open("/sim/b/v.ckd", OpenFor::kWrite);
    CPPUNIT_ASSERT_MESSAGE(opened.status.text(), opened.good());
    return std::move(opened.value);
  }
  static bool fenced(SimDisk& disk) { return disk.read_file("/v.ckd")[0] == 'D'; }

  void testAJournalThatCannotBeLookedAtIsNotMadeAnew() {
    Host host;
    {
      auto first = journal();
      append(*first, 0, 5);
      CPPUNIT_ASSERT(first->sync().good());
    }
    host.fail(SimOp::kExamine, EIO);
    CPPUNIT_ASSERT(!open().good());
    host.repair();
    CPPUNIT_ASSERT_EQUAL(5u, records(*journal()));
  }

  void testRecordsOfAKilledProcessAreDurableWhenTheyAreRead() {
    Host host;
    auto first = journal();
    append(*first, 0, 5);  // not synced
    host.restart();
    CPPUNIT_ASSERT_EQUAL(5u, records(*journal()));
    host.crash();
    CPPUNIT_ASSERT_EQUAL(5u, records(*journal()));
  }

  void testRecordsOfAFailedSyncAreWrittenAgain() {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      Host host;
      auto first = journal();
      append(*first, 0, 2);
      CPPUNIT_ASSERT(first->sync().good());
      append(*first, 2, 3);
      host.fail(SimOp::kSync, EIO);
      CPPUNIT_ASSERT(!first->sync().good());
      CPPUNIT_ASSERT(!first->append(Bytes(9, 9)).good());
      host.repair();
      host.restart();
      const unsigned seen = records(*journal());  // still in the page cache
      host.crash(seed);
      CPPUNIT_ASSERT_EQUAL(seen, records(*journal()));
    }
  }

  void testRecordsOfATornSyncDoNotRefuseTheStart() {
    std::set<unsigned> kept;
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      Host host;
      auto first = journal();
      append(*first, 0, 2);
      CPPUNIT_ASSERT(first->sync().good());
      append(*first, 2, 4);
      host.crash(seed, Damage::kSubset);
      auto second = journal();
      const unsigned found = records(*second);
      CPPUNIT_ASSERT(found >= 2);
      kept.insert(found);
      append(*second, static_cast<std::uint8_t>(found), 1);  // as long as the torn one was
      CPPUNIT_ASSERT(second->sync().good());
      host.restart();
      CPPUNIT_ASSERT_EQUAL(found + 1, records(*journal()));  // what stood behind does not come back
    }
    CPPUNIT_ASSERT(kept.size() > 1);
  }

  void testAFenceOfAKilledProcessIsMadeDurable() {
    Host host;
    host.disk.write_file("/v.ckd", make_ckd_image(Geometry{0x3390, 2, 2, 512}));
    host.disk.set_hook([](const SimCall& call) { return call.op == SimOp::kSync ? SimFault{Kind::kKillBefore} : SimFault{}; });
    CPPUNIT_ASSERT_THROW((void)image()->fence(), SimKilled);
    host.repair();
    host.restart();
    CPPUNIT_ASSERT(fenced(host.disk));
    CPPUNIT_ASSERT(image()->fence().good());
    host.crash();
    CPPUNIT_ASSERT(fenced(host.disk));
  }

  void testAFenceWhoseSyncFailedIsWrittenAgain() {
    Host host;
    host.disk.write_file("/v.ckd", make_ckd_image(Geometry{0x3390, 2, 2, 512}));
    host.fail(SimOp::kSync, EIO);
    CPPUNIT_ASSERT(!image()->fence().good());
    host.repair();
    host.restart();
    CPPUNIT_ASSERT(image()->fence().good());
    host.crash();
    CPPUNIT_ASSERT(fenced(host.disk));
  }

  void testALiftedFenceWhoseSyncFailedIsSeenAsNotLifted() {
    Host host;
    host.disk.write_file("/v.ckd", make_ckd_image(Geometry{0x3390, 2, 2, 512}, true));
    unsigned syncs = 0;
    host.disk.set_hook([&](const SimCall& call) {
      return call.op == SimOp::kSync && ++syncs == 2 ? SimFault{Kind::kError, EIO} : SimFault{};  // the first is of what was written before
    });
    CPPUNIT_ASSERT(!image()->unfence().good());
    CPPUNIT_ASSERT_EQUAL(2u, syncs);
    host.repair();
    host.restart();
    CPPUNIT_ASSERT(image()->fenced());
    CPPUNIT_ASSERT(image()->unfence().good());
    host.crash();
    CPPUNIT_ASSERT(!fenced(host.disk));
  }

  void testAStateFileThatIsReadIsDurable() {
    Host host;
    SessionStateFile state;
    state.set_path("/sim/b/site/session.state");
    SessionMemory memory;
    memory.session = "DALLAS";
    memory.epoch = 1;
    CPPUNIT_ASSERT(state.save(memory).good());
    memory.epoch = 2;
    host.disk.set_hook([](const SimCall& call) { return call.op == SimOp::kSyncDirectory ? SimFault{Kind::kKillBefore} : SimFault{}; });
    CPPUNIT_ASSERT_THROW((void)state.save(memory), SimKilled);
    host.repair();
    host.restart();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, state.load().value.epoch);
    host.crash();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, state.load().value.epoch);
  }

  void testAShortWriteOfTheMarkIsContinued() {
    Host host;
    auto mark = AppliedMark::open("/sim/b/site/applied.mark");
    CPPUNIT_ASSERT(mark.good());
    bool once = true;
    host.disk.set_hook([&](const SimCall& call) {
      SimFault fault;
      if (call.op == SimOp::kWrite && once) fault.kind = Kind::kShort, fault.bytes = 7, once = false;
      return fault;
    });
    CPPUNIT_ASSERT(mark.value->write({3, 44}).good());
    host.repair();
    host.restart();
    const auto again = AppliedMark::open("/sim/b/site/applied.mark");
    CPPUNIT_ASSERT_MESSAGE(again.status.text(), again.good());
    CPPUNIT_ASSERT_EQUAL(Sequence{44}, again.value->found().sequence);
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(SimProductTest);

}  // namespace
}  // namespace afterimage::sim
