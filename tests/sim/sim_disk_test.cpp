// The simulated disk by itself: what it keeps, what a death of a process or of the host leaves, and its faults.
#include "tests/sim/sim_disk.h"

#include <cppunit/extensions/HelperMacros.h>
#include <fcntl.h>
#include <sys/file.h>

#include <algorithm>
#include <cerrno>
#include <set>

namespace afterimage::sim {
namespace {

using Bytes = std::vector<std::uint8_t>;
using Kind = SimFault::Kind;

Bytes bytes_of(std::size_t count, std::uint8_t value) { return Bytes(count, value); }

class SimDiskTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(SimDiskTest);
  CPPUNIT_TEST(testContentIsSparseAndCopiedOnWrite);
  CPPUNIT_TEST(testProcessDeathKeepsThePageCache);
  CPPUNIT_TEST(testUnsyncedIsDroppedOrKept);
  CPPUNIT_TEST(testSubsetGivesEverySectorAnyOfItsStates);
  CPPUNIT_TEST(testTornWriteKeepsAllBeforeIt);
  CPPUNIT_TEST(testNamesNeedASyncOfTheirDirectory);
  CPPUNIT_TEST(testRenameOverAnUnsyncedFile);
  CPPUNIT_TEST(testEmptiedFileIsOldOrNewAndNeverMixed);
  CPPUNIT_TEST(testCopiesDoNotDisturbTheOriginal);
  CPPUNIT_TEST(testFailedSyncIsToldOnceAndLosesWhatItHad);
  CPPUNIT_TEST(testFullDisk);
  CPPUNIT_TEST(testLostAndStrayWritesShowWhenThePageIsDropped);
  CPPUNIT_TEST(testRotAndMisplacedSectors);
  CPPUNIT_TEST(testKilledProcessDoesNothingMore);
  CPPUNIT_TEST(testKilledInsideAWrite);
  CPPUNIT_TEST(testLocksBetweenProcesses);
  CPPUNIT_TEST(testCostsAndOrdinals);
  CPPUNIT_TEST(testManyPendingChangesAreBounded);
  CPPUNIT_TEST_SUITE_END();

  // One process on one disk.
  struct Host {
    SimDisk disk;
    SimProcess process{"p"};
    std::uint64_t open(const std::string& path, int flags = O_RDWR | O_CREAT) {
      const std::int64_t got = disk.open(&process, path, flags, 0600);
      CPPUNIT_ASSERT_MESSAGE(path + " " + std::to_string(got), got > 0);
      return static_cast<std::uint64_t>(got);
    }
    std::int64_t write(std::uint64_t file, std::uint64_t at, const Bytes& bytes) { return disk.write(&process, file, bytes, &at); }
    Bytes read(std::uint64_t file, std::uint64_t at, std::size_t count) {
      Bytes bytes(count);
      const std::int64_t got = disk.read(&process, file, bytes, &at);
      CPPUNIT_ASSERT(got >= 0);
      bytes.resize(static_cast<std::size_t>(got));
      return bytes;
    }
    void durable(std::uint64_t file) {
      CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, disk.sync(&process, file));
      const std::uint64_t root = open("/", O_RDONLY | O_DIRECTORY);
      CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, disk.sync(&process, root));
      disk.close(root);
    }
  };

  void testContentIsSparseAndCopiedOnWrite() {
    SimContent one;
    one.write(10000, bytes_of(5000, 7));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{15000}, one.size());
    SimContent two = one;
    two.write(12000, bytes_of(10, 9));
    two.resize(12005);
    two.resize(14000);
    Bytes seen(20);
    one.read(11995, seen);
    CPPUNIT_ASSERT(seen == bytes_of(20, 7));
    two.read(11995, seen);
    CPPUNIT_ASSERT(std::all_of(seen.begin(), seen.begin() + 5, [](auto b) { return b == 7; }));
    CPPUNIT_ASSERT(std::all_of(seen.begin() + 5, seen.begin() + 10, [](auto b) { return b == 9; }));
    CPPUNIT_ASSERT(std::all_of(seen.begin() + 10, seen.end(), [](auto b) { return b == 0; }));
    one.read(0, seen);
    CPPUNIT_ASSERT(seen == bytes_of(20, 0));
    one.read(14990, seen);
    CPPUNIT_ASSERT_EQUAL(0, int{seen[10]});
  }

  void testProcessDeathKeepsThePageCache() {
    Host host;
    const auto file = host.open("/a");
    host.write(file, 0, bytes_of(100, 1));
    host.disk.kill(host.process);
    CPPUNIT_ASSERT(host.process.dead());
    CPPUNIT_ASSERT(host.disk.read_file("/a") == bytes_of(100, 1));
    CPPUNIT_ASSERT_EQUAL(std::int64_t{-EBADF}, host.write(file, 0, bytes_of(1, 2)));
  }

  void testUnsyncedIsDroppedOrKept() {
    Host host;
    const auto file = host.open("/a");
    host.write(file, 0, bytes_of(2000, 1));
    host.durable(file);
    host.write(file, 0, bytes_of(700, 2));
    host.write(file, 1900, bytes_of(1100, 3));
    Bytes newest = bytes_of(3000, 3);
    std::fill_n(newest.begin(), 700, 2);
    std::fill_n(newest.begin() + 700, 1200, 1);
    CPPUNIT_ASSERT(host.disk.crashed_copy(1, Damage::kDropped)->read_file("/a") == bytes_of(2000, 1));
    CPPUNIT_ASSERT(host.disk.crashed_copy(1, Damage::kKept)->read_file("/a") == newest);
    Bytes grown = bytes_of(3000, 0);
    std::fill_n(grown.begin(), 2000, 1);
    CPPUNIT_ASSERT(host.disk.crashed_copy(1, Damage::kNamesKept)->read_file("/a") == grown);
    CPPUNIT_ASSERT(host.disk.killed_copy()->read_file("/a") == newest);
    host.disk.crash(1, Damage::kDropped);
    CPPUNIT_ASSERT(host.process.dead());
    CPPUNIT_ASSERT(host.disk.read_file("/a") == bytes_of(2000, 1));
  }

  void testSubsetGivesEverySectorAnyOfItsStates() {
    Host host;
    const auto file = host.open("/a");
    host.write(file, 0, bytes_of(1024, 1));
    host.durable(file);
    host.write(file, 0, bytes_of(1024, 2));
    host.write(file, 256, bytes_of(512, 3));
    std::set<Bytes> first, second;
    bool independent = false;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      const Bytes seen = host.disk.crashed_copy(seed, Damage::kSubset)->read_file("/a");
      CPPUNIT_ASSERT_EQUAL(std::size_t{1024}, seen.size());
      first.insert(Bytes(seen.begin(), seen.begin() + 512));
      second.insert(Bytes(seen.begin() + 512, seen.end()));
      independent = independent || (seen[0] == 1 && seen[1023] == 2);
    }
    Bytes old = bytes_of(512, 1), middle = bytes_of(512, 2), last = bytes_of(512, 2);
    std::fill_n(last.begin() + 256, 256, 3);
    CPPUNIT_ASSERT(first == (std::set<Bytes>{old, middle, last}));
    std::fill_n(last.begin(), 256, 3);
    std::fill_n(last.begin() + 256, 256, 2);
    CPPUNIT_ASSERT(second == (std::set<Bytes>{old, middle, last}));
    CPPUNIT_ASSERT(independent);
  }

  void testTornWriteKeepsAllBeforeIt() {
    Host host;
    const auto file = host.open("/a");
    host.write(file, 0, bytes_of(4096, 0xEE));
    host.durable(file);
    for (std::uint8_t i = 1; i <= 4; ++i) host.write(file, (i - 1) * 1024, bytes_of(1024, i));
    bool torn = false;
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      const Bytes seen = host.disk.crashed_copy(seed, Damage::kTorn)->read_file("/a");
      unsigned reached = 0;  // the first write that is not there whole
      while (reached < 4 && seen[reached * 1024] == reached + 1 && seen[reached * 1024 + 512] == reached + 1) ++reached;
      for (std::size_t sector = reached * 2 + 2; sector < 8; ++sector) CPPUNIT_ASSERT_EQUAL(0xEE, int{seen[sector * 512]});
      if (reached < 4) torn = torn || seen[reached * 1024] != seen[reached * 1024 + 512];
    }
    CPPUNIT_ASSERT(torn);
  }

  void testNamesNeedASyncOfTheirDirectory() {
    Host host;
    const auto file = host.open("/a");
    host.write(file, 0, bytes_of(10, 1));
    CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host.disk.sync(&host.process, file));
    CPPUNIT_ASSERT(!host.disk.crashed_copy(1, Damage::kDropped)->exists("/a"));
    CPPUNIT_ASSERT(host.disk.crashed_copy(1, Damage::kNamesKept)->read_file("/a") == bytes_of(10, 1));
    host.durable(file);
    CPPUNIT_ASSERT(host.disk.crashed_copy(1, Damage::kDropped)->read_file("/a") == bytes_of(10, 1));
    CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host.disk.unlink(&host.process, "/a"));
    CPPUNIT_ASSERT(!host.disk.exists("/a"));
    CPPUNIT_ASSERT(host.disk.crashed_copy(1, Damage::kDropped)->exists("/a"));
    CPPUNIT_ASSERT(!host.disk.crashed_copy(1, Damage::kKept)->exists("/a"));
  }

  // The old habit of replacing a file without syncing it first: the new name with nothing in it must be among the outcomes.
  void testRenameOverAnUnsyncedFile() {
    Host host;
    const auto old = host.open("/a");
    host.write(old, 0, bytes_of(10, 1));
    host.durable(old);
    const auto fresh = host.open("/a.new");
    host.write(fresh, 0, bytes_of(600, 2));
    CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host.disk.rename(&host.process, "/a.new", "/a"));
    CPPUNIT_ASSERT(!host.disk.exists("/a.new"));
    CPPUNIT_ASSERT(host.disk.crashed_copy(1, Damage::kDropped)->read_file("/a") == bytes_of(10, 1));
    CPPUNIT_ASSERT(host.disk.crashed_copy(1, Damage::kNamesKept)->read_file("/a") == bytes_of(600, 0));
    std::set<Bytes> seen;
    for (std::uint64_t seed = 0; seed < 300; ++seed) seen.insert(host.disk.crashed_copy(seed, Damage::kSubset)->read_file("/a"));
    for (const Bytes& expected : {bytes_of(10, 1), Bytes(), bytes_of(600, 2), bytes_of(600, 0)}) CPPUNIT_ASSERT(seen.count(expected) == 1);
    CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host.disk.sync(&host.process, fresh));
    seen.clear();
    for (std::uint64_t seed = 0; seed < 300; ++seed) seen.insert(host.disk.crashed_copy(seed, Damage::kSubset)->read_file("/a"));
    CPPUNIT_ASSERT(seen == (std::set<Bytes>{bytes_of(10, 1), bytes_of(600, 2)}));
  }

  void testEmptiedFileIsOldOrNewAndNeverMixed() {
    Host host;
    const auto file = host.open("/a");
    host.write(file, 0, bytes_of(2048, 1));
    host.durable(file);
    const auto again = host.open("/a", O_RDWR | O_CREAT | O_TRUNC);
    host.write(again, 0, bytes_of(2048, 2));
    for (std::uint64_t seed = 0; seed < 200; ++seed) {
      const Bytes seen = host.disk.crashed_copy(seed, Damage::kSubset)->read_file("/a");
      const bool has_old = std::count(seen.begin(), seen.end(), 1) != 0, has_new = std::count(seen.begin(), seen.end(), 2) != 0;
      CPPUNIT_ASSERT(!(has_old && has_new));
    }
  }

  void testCopiesDoNotDisturbTheOriginal() {
    Host host;
    const auto file = host.open("/a");
    host.write(file, 0, bytes_of(5000, 1));
    const auto copy = host.disk.crashed_copy(1, Damage::kKept);
    SimProcess other("q");
    const std::int64_t opened = copy->open(&other, "/a", O_RDWR, 0);
    CPPUNIT_ASSERT(opened > 0);
    const std::uint64_t at = 0;
    copy->write(&other, static_cast<std::uint64_t>(opened), bytes_of(5000, 9), &at);
    CPPUNIT_ASSERT(host.read(file, 0, 5000) == bytes_of(5000, 1));
    CPPUNIT_ASSERT_EQUAL(std::int64_t{1}, host.write(file, 1, bytes_of(1, 2)));
    CPPUNIT_ASSERT(copy->read_file("/a") == bytes_of(5000, 9));
  }

  void testFailedSyncIsToldOnceAndLosesWhatItHad() {
    std::set<std::size_t> reached;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
      SimDisk disk({}, seed);
      SimProcess process("p");
      const auto file = static_cast<std::uint64_t>(disk.open(&process, "/a", O_RDWR | O_CREAT, 0));
      const std::uint64_t at = 0;
      disk.write_file("/b", {});
      disk.write(&process, file, bytes_of(2048, 1), &at);
      disk.set_hook([](const SimCall& call) { return call.op == SimOp::kSync ? SimFault{Kind::kError, EIO} : SimFault{}; });
      CPPUNIT_ASSERT_EQUAL(std::int64_t{-EIO}, disk.sync(&process, file));
      disk.set_hook({});
      CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, disk.sync(&process, file));
      CPPUNIT_ASSERT(disk.read_file("/a") == bytes_of(2048, 1));  // still in the cache
      disk.drop_caches();
      const Bytes left = disk.read_file("/a");
      reached.insert(static_cast<std::size_t>(std::count(left.begin(), left.end(), 1)));
    }
    CPPUNIT_ASSERT(reached.count(0) == 1 && reached.size() > 3);
  }

  void testFullDisk() {
    SimDisk disk({1000}, 1);
    SimProcess process("p");
    const auto file = static_cast<std::uint64_t>(disk.open(&process, "/a", O_RDWR | O_CREAT, 0));
    std::uint64_t at = 0;
    CPPUNIT_ASSERT_EQUAL(std::int64_t{800}, disk.write(&process, file, bytes_of(800, 1), &at));
    at = 700;
    CPPUNIT_ASSERT_EQUAL(std::int64_t{300}, disk.write(&process, file, bytes_of(400, 2), &at));  // as much as there is room for
    at = 1000;
    CPPUNIT_ASSERT_EQUAL(std::int64_t{-ENOSPC}, disk.write(&process, file, bytes_of(1, 3), &at));
    at = 0;
    CPPUNIT_ASSERT_EQUAL(std::int64_t{1000}, disk.write(&process, file, bytes_of(1000, 4), &at));  // what is there may be written over
    CPPUNIT_ASSERT_EQUAL(std::int64_t{-ENOSPC}, disk.allocate(&process, file, 0, 2000));
    CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, disk.free_bytes(&process));
    disk.set_capacity(3000);
    CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, disk.allocate(&process, file, 0, 2000));
  }

  void testLostAndStrayWritesShowWhenThePageIsDropped() {
    Host host;
    const auto file = host.open("/a");
    host.write(file, 0, bytes_of(4096, 1));
    host.durable(file);
    host.disk.set_hook([](const SimCall& call) {
      if (call.op != SimOp::kWrite) return SimFault{};
      SimFault fault;
      fault.kind = call.offset == 0 ? Kind::kLost : Kind::kAstray;
      fault.shift_bytes = 1024;
      return fault;
    });
    CPPUNIT_ASSERT_EQUAL(std::int64_t{512}, host.write(file, 0, bytes_of(512, 2)));
    CPPUNIT_ASSERT_EQUAL(std::int64_t{512}, host.write(file, 1024, bytes_of(512, 3)));
    host.disk.set_hook({});
    host.durable(file);
    CPPUNIT_ASSERT(host.read(file, 0, 512) == bytes_of(512, 2));
    host.disk.drop_caches();
    CPPUNIT_ASSERT(host.read(file, 0, 512) == bytes_of(512, 1));
    CPPUNIT_ASSERT(host.read(file, 1024, 512) == bytes_of(512, 1));
    CPPUNIT_ASSERT(host.read(file, 2048, 512) == bytes_of(512, 3));
  }

  void testRotAndMisplacedSectors() {
    Host host;
    host.disk.write_file("/d/a", bytes_of(1300, 1));
    host.disk.write_file("/d/b", bytes_of(1024, 2));
    CPPUNIT_ASSERT(host.disk.flip_bit("/d/a", 3, 1));
    CPPUNIT_ASSERT_EQUAL(3, int{host.disk.read_file("/d/a")[3]});
    CPPUNIT_ASSERT(!host.disk.flip_bit("/d/a", 1300, 0));
    CPPUNIT_ASSERT(host.disk.zero_sector("/d/a", 2));
    CPPUNIT_ASSERT_EQUAL(std::size_t{1300}, host.disk.read_file("/d/a").size());
    CPPUNIT_ASSERT_EQUAL(0, int{host.disk.read_file("/d/a")[1299]});
    CPPUNIT_ASSERT(host.disk.copy_sector("/d/b", 1, "/d/a", 0));
    CPPUNIT_ASSERT_EQUAL(2, int{host.disk.read_file("/d/a")[511]});
    CPPUNIT_ASSERT_EQUAL(1, int{host.disk.read_file("/d/a")[512]});
    CPPUNIT_ASSERT(!host.disk.copy_sector("/d/b", 2, "/d/a", 0));
  }

  void testKilledProcessDoesNothingMore() {
    for (const Kind kind : {Kind::kKillBefore, Kind::kKillAfter}) {
      Host host;
      const auto file = host.open("/a");
      host.write(file, 0, bytes_of(10, 1));
      const std::uint64_t here = host.disk.calls() + 1;
      host.disk.set_hook([here, kind](const SimCall& call) { return call.ordinal == here ? SimFault{kind} : SimFault{}; });
      CPPUNIT_ASSERT_EQUAL(std::int64_t{-EIO}, host.write(file, 0, bytes_of(10, 2)));
      CPPUNIT_ASSERT(host.process.dead());
      CPPUNIT_ASSERT(host.disk.read_file("/a") == bytes_of(10, kind == Kind::kKillAfter ? 2 : 1));
      const std::uint64_t calls = host.disk.calls();
      CPPUNIT_ASSERT_EQUAL(std::int64_t{-EIO}, host.disk.open(&host.process, "/b", O_RDWR | O_CREAT, 0));
      CPPUNIT_ASSERT_EQUAL(std::int64_t{-EIO}, host.disk.rename(&host.process, "/a", "/c"));
      CPPUNIT_ASSERT_EQUAL(std::int64_t{-EIO}, host.disk.unlink(&host.process, "/a"));
      CPPUNIT_ASSERT_EQUAL(calls, host.disk.calls());
      CPPUNIT_ASSERT(host.disk.exists("/a") && !host.disk.exists("/b"));
    }
  }

  void testKilledInsideAWrite() {
    Host host;
    const auto file = host.open("/a");
    host.disk.set_hook([](const SimCall& call) {
      SimFault fault;
      if (call.op == SimOp::kWrite) fault.kind = Kind::kKillInside, fault.bytes = 700;
      return fault;
    });
    const std::uint64_t at = 3000;
    CPPUNIT_ASSERT_EQUAL(std::int64_t{-EIO}, host.write(file, at, bytes_of(2000, 5)));
    CPPUNIT_ASSERT(host.process.dead());
    CPPUNIT_ASSERT(host.disk.read_file("/a").empty());  // the first page was not whole
  }

  void testLocksBetweenProcesses() {
    Host host;
    SimProcess other("q");
    const auto mine = host.open("/a");
    const auto its = static_cast<std::uint64_t>(host.disk.open(&other, "/a", O_RDWR, 0));
    CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host.disk.flock(&host.process, mine, LOCK_EX | LOCK_NB));
    CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host.disk.flock(&host.process, mine, LOCK_EX | LOCK_NB));
    CPPUNIT_ASSERT_EQUAL(std::int64_t{-EWOULDBLOCK}, host.disk.flock(&other, its, LOCK_EX | LOCK_NB));
    CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host.disk.ofd_lock(&other, its, F_WRLCK));  // the two kinds do not see each other
    CPPUNIT_ASSERT_EQUAL(std::int64_t{-EAGAIN}, host.disk.ofd_lock(&host.process, mine, F_WRLCK));
    host.disk.kill(host.process);
    CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host.disk.flock(&other, its, LOCK_EX | LOCK_NB));
    host.disk.close(its);
    SimProcess third("r");
    const auto last = static_cast<std::uint64_t>(host.disk.open(&third, "/a", O_RDWR, 0));
    CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host.disk.ofd_lock(&third, last, F_WRLCK));
    CPPUNIT_ASSERT_EQUAL(std::int64_t{0}, host.disk.flock(&third, last, LOCK_EX | LOCK_NB));
  }

  void testCostsAndOrdinals() {
    Host host;
    SimDiskSettings costs;
    costs.call_us = 3;
    costs.sync_us = 1000;
    costs.write_mib_us = 1 << 20;  // one microsecond a byte
    host.disk.set_costs(costs);
    std::uint64_t spent_us = 0;
    host.disk.on_cost([&](std::uint64_t us) { spent_us += us; });
    const auto file = host.open("/a");
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, spent_us);
    host.write(file, 0, bytes_of(50, 1));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{56}, spent_us);
    host.disk.sync(&host.process, file);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1056}, spent_us);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, host.disk.calls());
    host.disk.read_file("/a");
    host.disk.open(nullptr, "/a", O_RDONLY, 0);  // a test looking on
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, host.disk.calls());
  }

  void testManyPendingChangesAreBounded() {
    Host host;
    const auto file = host.open("/a");
    for (unsigned i = 0; i < 20000; ++i) host.write(file, i % 1000, bytes_of(1, 1));
    for (unsigned i = 0; i < 3000; ++i) {
      host.disk.close(host.open("/n" + std::to_string(i)));
      host.disk.unlink(&host.process, "/n" + std::to_string(i));
    }
    CPPUNIT_ASSERT(host.disk.crashed_copy(1, Damage::kKept)->read_file("/a") == bytes_of(1000, 1));
    CPPUNIT_ASSERT(host.disk.crashed_copy(1, Damage::kDropped)->exists("/a"));  // long ago committed with the names
    host.durable(file);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, host.disk.files().size());
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(SimDiskTest);

}  // namespace
}  // namespace afterimage::sim
