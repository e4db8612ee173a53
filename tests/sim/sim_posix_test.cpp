// io: the product's own file code on a simulated disk: journal, checkpoint, mark, images and locks run unchanged, and what they promise
// holds after the death of the host.
#include "tests/sim/sim_posix.h"

#include <cppunit/extensions/HelperMacros.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>

#include "channel/dasd_image.h"
#include "datamover/checkpoint_file.h"
#include "datamover/journal.h"
#include "service/applied_mark.h"
#include "service/session_state_file.h"
#include "tests/sim/sim_image.h"

namespace afterimage::sim {
namespace {

using Kind = SimFault::Kind;

class SimPosixTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(SimPosixTest);
  CPPUNIT_TEST(testRealFilesAreLeftAlone);
  CPPUNIT_TEST(testPathsAndErrors);
  CPPUNIT_TEST(testKillIsThrownOutOfACall);
  CPPUNIT_TEST(testKillInACallThatMayNotThrow);
  CPPUNIT_TEST(testJournalOnASimulatedDisk);
  CPPUNIT_TEST(testSyncedRecordsOutliveEveryDamage);
  CPPUNIT_TEST(testCheckpointMarkAndState);
  CPPUNIT_TEST(testImageAndItsLocks);
  CPPUNIT_TEST(testDescriptorsOfADiskThatIsGone);
  CPPUNIT_TEST_SUITE_END();

  static JournalSettings journal_settings() {
    JournalSettings settings;
    settings.directory = "/sim/b/site";
    settings.bytes = 64 << 10;
    return settings;
  }

  void testRealFilesAreLeftAlone() {
    char name[] = "/tmp/afterimage-simXXXXXX";
    const int fd = ::mkstemp(name);
    CPPUNIT_ASSERT(fd >= 0 && fd < 1 << 20);
    const std::uint8_t byte = 7;
    CPPUNIT_ASSERT_EQUAL(ssize_t{1}, ::pwrite(fd, &byte, 1, 5));
    struct stat about {};
    CPPUNIT_ASSERT_EQUAL(0, ::fstat(fd, &about));
    CPPUNIT_ASSERT_EQUAL(off_t{6}, about.st_size);
    ::close(fd);
    CPPUNIT_ASSERT_EQUAL(0, ::unlink(name));
  }

  void testPathsAndErrors() {
    SimDisk disk({100000}, 1);
    const SimMount mount("b", disk);
    CPPUNIT_ASSERT_EQUAL(-1, ::open("/sim/nowhere/x", O_RDWR | O_CREAT, 0600));
    CPPUNIT_ASSERT_EQUAL(ENOENT, errno);
    CPPUNIT_ASSERT_EQUAL(-1, ::open("/sim/b/no/x", O_RDWR | O_CREAT, 0600));
    CPPUNIT_ASSERT_EQUAL(0, ::mkdir("/sim/b/no", 0700));
    const int fd = ::open("/sim/b/no/x", O_RDWR | O_CREAT | O_EXCL, 0600);
    CPPUNIT_ASSERT(fd > 0);
    CPPUNIT_ASSERT_EQUAL(-1, ::open("/sim/b/no/x", O_RDWR | O_CREAT | O_EXCL, 0600));
    CPPUNIT_ASSERT_EQUAL(EEXIST, errno);
    CPPUNIT_ASSERT_EQUAL(-1, ::open("/sim/b/no", O_RDWR));
    CPPUNIT_ASSERT_EQUAL(EISDIR, errno);
    CPPUNIT_ASSERT_EQUAL(ssize_t{3}, ::write(fd, "abc", 3));
    CPPUNIT_ASSERT_EQUAL(ssize_t{3}, ::write(fd, "def", 3));
    CPPUNIT_ASSERT_EQUAL(off_t{1}, ::lseek(fd, 1, SEEK_SET));
    char text[8] = {};
    CPPUNIT_ASSERT_EQUAL(ssize_t{5}, ::read(fd, text, 8));
    CPPUNIT_ASSERT_EQUAL(std::string("bcdef"), std::string(text));
    CPPUNIT_ASSERT_EQUAL(0, ::ftruncate(fd, 2));
    struct stat about {};
    CPPUNIT_ASSERT_EQUAL(0, ::stat("/sim/b/no/x", &about));
    CPPUNIT_ASSERT(about.st_size == 2 && S_ISREG(about.st_mode));
    CPPUNIT_ASSERT_EQUAL(-1, ::access("/sim/b/y", F_OK));
    CPPUNIT_ASSERT_EQUAL(0, ::link("/sim/b/no/x", "/sim/b/y"));
    CPPUNIT_ASSERT_EQUAL(0, ::access("/sim/b/y", F_OK));
    CPPUNIT_ASSERT_EQUAL(-1, ::rename("/sim/b/y", "/tmp/y"));
    CPPUNIT_ASSERT_EQUAL(EXDEV, errno);
    CPPUNIT_ASSERT_EQUAL(0, ::unlink("/sim/b/y"));
    struct statvfs space {};
    CPPUNIT_ASSERT_EQUAL(0, ::statvfs("/sim/b", &space));
    CPPUNIT_ASSERT(space.f_bavail * space.f_frsize <= 100000 && space.f_bavail * space.f_frsize > 99000);
    const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
    CPPUNIT_ASSERT_EQUAL(0, ::close(fd));
    CPPUNIT_ASSERT_EQUAL(ssize_t{1}, ::pwrite(copy, "z", 1, 0));
    CPPUNIT_ASSERT_EQUAL(-1, ::fsync(fd));
    CPPUNIT_ASSERT_EQUAL(EBADF, errno);
    ::close(copy);
  }

  void testKillIsThrownOutOfACall() {
    SimDisk disk;
    const SimMount mount("b", disk);
    SimProcess process("dsmd");
    const SimRunning running(&process);
    const int fd = ::open("/sim/b/x", O_RDWR | O_CREAT, 0600);
    disk.set_hook([](const SimCall& call) { return call.op == SimOp::kSync ? SimFault{Kind::kKillBefore} : SimFault{}; });
    bool killed = false;
    try {
      ::fsync(fd);
    } catch (const SimKilled& kill) {
      killed = kill.process == "dsmd";
    }
    CPPUNIT_ASSERT(killed && process.dead());
    CPPUNIT_ASSERT_EQUAL(0, ::close(fd));
    CPPUNIT_ASSERT_THROW(::open("/sim/b/y", O_RDWR | O_CREAT, 0600), SimKilled);
    CPPUNIT_ASSERT(!disk.exists("/y"));
  }

  void testKillInACallThatMayNotThrow() {
    SimDisk disk;
    const SimMount mount("b", disk);
    disk.write_file("/x", {});
    SimProcess process("dsmd");
    const SimRunning running(&process);
    disk.set_hook([](const SimCall& call) { return call.op == SimOp::kRename ? SimFault{Kind::kKillAfter} : SimFault{}; });
    CPPUNIT_ASSERT_EQUAL(-1, ::rename("/sim/b/x", "/sim/b/y"));
    CPPUNIT_ASSERT(process.dead() && disk.exists("/y") && !disk.exists("/x"));
    CPPUNIT_ASSERT_EQUAL(-1, ::unlink("/sim/b/y"));
    CPPUNIT_ASSERT(disk.exists("/y"));
  }

  void testJournalOnASimulatedDisk() {
    SimDisk disk;
    const SimMount mount("b", disk);
    disk.make_directory("/site");
    SimProcess process("dsmd", 42), second("other");
    const SimRunning running(&process);
    auto journal = Journal::open(journal_settings());
    CPPUNIT_ASSERT_MESSAGE(journal.status.text(), journal.good());
    {
      const SimRunning other(&second);
      CPPUNIT_ASSERT(!Journal::open(journal_settings()).good());  // in use
    }
    const std::vector<std::uint8_t> record(1000, 0xAB);
    for (unsigned i = 0; i < 30; ++i) CPPUNIT_ASSERT(journal.value->append(record).good());
    CPPUNIT_ASSERT(journal.value->sync().good());
    const std::uint64_t end = journal.value->end();
    disk.kill(process);
    SimProcess again("dsmd");
    const SimRunning restarted(&again);
    auto reopened = Journal::open(journal_settings());
    CPPUNIT_ASSERT_MESSAGE(reopened.status.text(), reopened.good());
    CPPUNIT_ASSERT_EQUAL(end, reopened.value->end());
  }

  void testSyncedRecordsOutliveEveryDamage() {
    SimDisk disk;
    disk.make_directory("/site");
    SimProcess process("dsmd");
    auto mount = std::make_unique<SimMount>("b", disk);
    std::unique_ptr<Journal> journal;
    {
      const SimRunning running(&process);
      auto opened = Journal::open(journal_settings());
      CPPUNIT_ASSERT(opened.good());
      journal = std::move(opened.value);
      for (std::uint8_t i = 0; i < 8; ++i) CPPUNIT_ASSERT(journal->append(std::vector<std::uint8_t>(700, i)).good());
      CPPUNIT_ASSERT(journal->sync().good());
      for (std::uint8_t i = 8; i < 12; ++i) CPPUNIT_ASSERT(journal->append(std::vector<std::uint8_t>(700, i)).good());
    }
    std::set<unsigned> ends;
    for (const Damage damage : kAllDamages) {
      for (std::uint64_t seed = 0; seed < 40; ++seed) {
        const auto copy = disk.crashed_copy(seed, damage);
        const SimMount over("b", *copy);
        SimProcess restarted("dsmd");
        const SimRunning running(&restarted);
        auto opened = Journal::open(journal_settings());
        if (!opened.good()) {  // some unsynced record is whole behind one that is not: not to be told from damage
          CPPUNIT_ASSERT(damage == Damage::kSubset);
          continue;
        }
        unsigned count = 0;
        const Status replayed = opened.value->replay(0, [&](std::uint64_t, std::span<const std::uint8_t> record) {
          CPPUNIT_ASSERT_EQUAL(count, unsigned{record[0]});
          ++count;
          return Status::ok();
        });
        CPPUNIT_ASSERT(replayed.good() && count >= 8);
        ends.insert(count);
        if (damage == Damage::kDropped) CPPUNIT_ASSERT_EQUAL(8u, count);
        if (damage == Damage::kKept) CPPUNIT_ASSERT_EQUAL(12u, count);
      }
    }
    CPPUNIT_ASSERT(ends.size() > 3);
  }

  void testCheckpointMarkAndState() {
    SimDisk disk;
    const SimMount mount("b", disk);
    disk.make_directory("/site");
    SimProcess process("dsmd");
    const SimRunning running(&process);
    auto checkpoints = CheckpointFile::open("/sim/b/site", "DALLAS");
    CPPUNIT_ASSERT(checkpoints.good());
    Checkpoint checkpoint;
    checkpoint.epoch = 9;
    CPPUNIT_ASSERT(checkpoints.value->write(checkpoint).good());
    auto mark = AppliedMark::open("/sim/b/site/applied.mark");
    CPPUNIT_ASSERT(mark.good());
    CPPUNIT_ASSERT(mark.value->write({9, 77}).good());
    SessionStateFile state;
    state.set_path("/sim/b/site/session.state");
    SessionMemory memory;
    memory.session = "DALLAS";
    memory.epoch = 9;
    CPPUNIT_ASSERT(state.save(memory).good());
    disk.crash(1, Damage::kDropped);
    SimProcess again("dsmd");
    const SimRunning restarted(&again);
    checkpoints = CheckpointFile::open("/sim/b/site", "DALLAS");
    CPPUNIT_ASSERT(checkpoints.good() && checkpoints.value->latest()->epoch == 9);
    const auto loaded = state.load();
    CPPUNIT_ASSERT(loaded.good() && loaded.value.epoch == 9);
  }

  void testImageAndItsLocks() {
    SimDisk disk;
    const SimMount mount("b", disk);
    const Geometry geometry{0x3390, 3, 2, 1024};
    disk.write_file("/images/v.ckd", make_ckd_image(geometry));
    SimProcess process("dsmd"), other("other");
    const SimRunning running(&process);
    auto image = DasdImage::open("/sim/b/images/v.ckd", OpenFor::kWrite);
    CPPUNIT_ASSERT_MESSAGE(image.status.text(), image.good());
    CPPUNIT_ASSERT(image.value->geometry() == geometry);
    {
      const SimRunning there(&other);
      CPPUNIT_ASSERT(!DasdImage::open("/sim/b/images/v.ckd", OpenFor::kWrite).good());
      CPPUNIT_ASSERT(DasdImage::open("/sim/b/images/v.ckd", OpenFor::kRead).good());
    }
    CPPUNIT_ASSERT(image.value->fence().good());
    const std::vector<std::uint8_t> bytes(100, 0xC1);
    CPPUNIT_ASSERT(image.value->write(3, 200, bytes).good());
    CPPUNIT_ASSERT(disk.crashed_copy(1, Damage::kDropped)->read_file("/images/v.ckd") == make_ckd_image(geometry, true));
    CPPUNIT_ASSERT(image.value->sync().good());
    const auto crashed = disk.crashed_copy(1, Damage::kDropped)->read_file("/images/v.ckd");
    CPPUNIT_ASSERT(std::equal(bytes.begin(), bytes.end(), crashed.begin() + 512 + 3 * 1024 + 200));
  }

  void testDescriptorsOfADiskThatIsGone() {
    auto disk = std::make_unique<SimDisk>();
    int fd = -1;
    {
      const SimMount mount("b", *disk);
      fd = ::open("/sim/b/x", O_RDWR | O_CREAT, 0600);
    }
    CPPUNIT_ASSERT_EQUAL(ssize_t{1}, ::pwrite(fd, "z", 1, 0));  // no longer mounted, still open
    disk.reset();
    CPPUNIT_ASSERT_EQUAL(ssize_t{-1}, ::pwrite(fd, "z", 1, 0));
    CPPUNIT_ASSERT_EQUAL(EBADF, errno);
    ::close(fd);
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(SimPosixTest);

}  // namespace
}  // namespace afterimage::sim
