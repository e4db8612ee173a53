// io: CKD images made by Hercules's dasdinit, opened, refused, locked, written, fenced (channel/dasd_image.h).
#include "channel/dasd_image.h"

#include <cppunit/extensions/HelperMacros.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "channel/ckd_types.h"
#include "channel/dasd_image_header.h"
#include "channel/track.h"
#include "tests/unit/channel_dasd_support.h"

namespace afterimage {
namespace {

using testing::Bytes;
using testing::make_image;
using testing::read_file;
using testing::split_image;
using testing::TemporaryDirectory;
using testing::write_file;

std::unique_ptr<DasdImage> opened(const std::string& path, OpenFor purpose) {
  auto image = DasdImage::open(path, purpose);
  CPPUNIT_ASSERT_MESSAGE(image.status.text(), image.good());
  return std::move(image.value);
}

void assert_good(const Status& status) { CPPUNIT_ASSERT_MESSAGE(status.text(), status.good()); }

// The refusal must name the path and hold the words a person needs.
void assert_refused(const std::string& path, OpenFor purpose, const std::string& words, const std::string& named = "") {
  const auto image = DasdImage::open(path, purpose);
  CPPUNIT_ASSERT_MESSAGE(words, !image.good());
  CPPUNIT_ASSERT(image.value == nullptr);
  const std::string& text = image.status.text();
  CPPUNIT_ASSERT_MESSAGE(text, text.find(words) != std::string::npos);
  CPPUNIT_ASSERT_MESSAGE(text, text.find(named.empty() ? path : named) != std::string::npos);
  CPPUNIT_ASSERT_EQUAL('.', text.back());
}

void patch(const std::string& path, std::size_t at, const Bytes& bytes) {
  Bytes whole = read_file(path);
  std::copy(bytes.begin(), bytes.end(), whole.begin() + static_cast<std::ptrdiff_t>(at));
  write_file(path, whole);
}

// A child process that holds `path` open with `flags` until this object goes.
class Holder {
 public:
  Holder(const std::string& path, int flags) {
    int ready[2], done[2];
    CPPUNIT_ASSERT(pipe2(ready, O_CLOEXEC) == 0 && pipe2(done, O_CLOEXEC) == 0);
    pid_ = fork();
    CPPUNIT_ASSERT(pid_ >= 0);
    if (pid_ == 0) {
      close(done[1]);
      const char state = open(path.c_str(), flags) >= 0 ? 'y' : 'n';
      char end = 0;
      const bool told = write(ready[1], &state, 1) == 1;
      while (told && read(done[0], &end, 1) > 0) {
      }
      _exit(0);
    }
    close(ready[1]);
    close(done[0]);
    done_ = done[1];
    char state = 0;
    const bool heard = read(ready[0], &state, 1) == 1;
    close(ready[0]);
    CPPUNIT_ASSERT(heard && state == 'y');
  }
  ~Holder() {
    close(done_);
    waitpid(pid_, nullptr, 0);
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int done_ = -1;
};

class ChannelDasdImage : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ChannelDasdImage);
  CPPUNIT_TEST(testEveryCkdTypeOpensWithItsGeometry);
  CPPUNIT_TEST(testTracksAndLabelAreRead);
  CPPUNIT_TEST(testLabelsOfLinuxAndNone);
  CPPUNIT_TEST(testVolumeOfSeveralFiles);
  CPPUNIT_TEST(testFileNamesFollowHercules);
  CPPUNIT_TEST(testDamagedSeveralFileVolumesAreRefused);
  CPPUNIT_TEST(testBadFilesAreRefused);
  CPPUNIT_TEST(testCompressedImageIsNamedAndNotWritten);
  CPPUNIT_TEST(testNoPermissionIsASentence);
  CPPUNIT_TEST(testWritesLandInTheirTrackAndNowhereElse);
  CPPUNIT_TEST(testWritesOutsideATrackAreRefused);
  CPPUNIT_TEST(testFullDiskIsASentence);
  CPPUNIT_TEST(testReadOnlyImageIsNotChanged);
  CPPUNIT_TEST(testSecondWriterIsRefusedByName);
  CPPUNIT_TEST(testAProcessThatWritesTheImageIsNamed);
  CPPUNIT_TEST(testFenceIsSetLiftedAndSurvivesReopen);
  CPPUNIT_TEST(testFenceHalfWayIsAFence);
  CPPUNIT_TEST(testHerculesToolsRefuseAFencedImage);
  CPPUNIT_TEST(testTruncationWhileOpenIsSeen);
  CPPUNIT_TEST(testIdentityChangesWithTheFile);
  CPPUNIT_TEST_SUITE_END();

 public:
  void testEveryCkdTypeOpensWithItsGeometry() {
    TemporaryDirectory directory;
    for (const CkdType& type : ckd_types()) {
      const std::string name = ckd_type_name(type.type);
      const auto image = opened(make_image(directory, name + ".ckd", name, "V" + name, 2), OpenFor::kWrite);
      CPPUNIT_ASSERT_EQUAL(type.type, image->geometry().device_type);
      CPPUNIT_ASSERT_EQUAL(type.heads, image->geometry().heads);
      CPPUNIT_ASSERT_EQUAL(2u, image->geometry().cylinders);
      CPPUNIT_ASSERT_EQUAL("V" + name, image->volser().value);
      Bytes last(image->geometry().track_bytes);
      assert_good(image->read_track(image->geometry().tracks() - 1, last));
      CPPUNIT_ASSERT_EQUAL(std::uint16_t{1}, parse_track(last).value.cylinder);
      CPPUNIT_ASSERT_EQUAL(static_cast<std::uint16_t>(type.heads - 1), parse_track(last).value.head);
    }
    CPPUNIT_ASSERT_EQUAL(std::size_t{10}, ckd_types().size());
    CPPUNIT_ASSERT(ckd_type_by_name("3390") != nullptr && ckd_type_by_name("3390-3") == nullptr && ckd_type_by_name("3370") == nullptr);
  }

  void testTracksAndLabelAreRead() {
    TemporaryDirectory directory;
    const auto image = opened(make_image(directory, "a.ckd", "3390", "PRIM01", 2), OpenFor::kRead);
    CPPUNIT_ASSERT(image->kind() == ImageKind::kCkd);
    CPPUNIT_ASSERT_EQUAL(56832u, image->geometry().track_bytes);
    CPPUNIT_ASSERT_EQUAL(std::string("PRIM01"), image->volser().value);
    Bytes track(image->geometry().track_bytes), small(100);
    assert_good(image->read_track(0, track));
    CPPUNIT_ASSERT_EQUAL(std::size_t{4}, parse_track(track).value.records.size());
    CPPUNIT_ASSERT(!image->read_track(image->geometry().tracks(), track).good());
    CPPUNIT_ASSERT(!image->read_track(0, small).good());
  }

  void testLabelsOfLinuxAndNone() {
    TemporaryDirectory directory;
    const auto raw = opened(make_image(directory, "raw.ckd", "3390", "", 1, "-r"), OpenFor::kRead);
    CPPUNIT_ASSERT_EQUAL(std::string(), raw->volser().value);
    const std::string path = make_image(directory, "l.ckd", "3390", "LNX001", 1);
    const auto image = opened(path, OpenFor::kWrite);
    Bytes track(image->geometry().track_bytes);
    assert_good(image->read_track(0, track));
    const std::uint32_t data = parse_track(track).value.records[3].data_offset;
    assert_good(image->write(0, data, Bytes{0xD3, 0xD5, 0xE7, 0xF1, 0xC1, 0x7C, 0x7B, 0x5B, 0x40, 0x40}));
    CPPUNIT_ASSERT_EQUAL(std::string("A@#$"), image->volser().value);
    assert_good(image->write(0, 5, Bytes(40, 0xEE)));
    CPPUNIT_ASSERT(!image->volser().good());
  }

  void testVolumeOfSeveralFiles() {
    TemporaryDirectory directory;
    const std::string whole = make_image(directory, "big.ckd", "3350", "BIGVOL", 22);
    const Bytes single = read_file(whole);
    const std::string first = split_image(whole, 2);  // 11 files: 1 ... 9, A, B
    const auto image = opened(first, OpenFor::kWrite);
    CPPUNIT_ASSERT_EQUAL(22u, image->geometry().cylinders);
    CPPUNIT_ASSERT_EQUAL(std::size_t{11}, image->files().size());
    CPPUNIT_ASSERT_EQUAL(directory / "big_B.ckd", image->files().back());
    const std::uint32_t track_bytes = image->geometry().track_bytes;
    Bytes track(track_bytes);
    for (std::uint32_t t = 0; t < image->geometry().tracks(); ++t) {
      assert_good(image->read_track(t, track));
      CPPUNIT_ASSERT(std::equal(track.begin(), track.end(), single.begin() + 512 + static_cast<std::ptrdiff_t>(t) * track_bytes));
    }
    assert_good(image->write(20 * 30 + 4, 100, Bytes{1, 2, 3}));
    assert_good(image->sync());
    const Bytes last = read_file(directory / "big_B.ckd");
    CPPUNIT_ASSERT((Bytes{1, 2, 3} == Bytes(last.begin() + 512 + 4 * track_bytes + 100, last.begin() + 512 + 4 * track_bytes + 103)));
    assert_good(image->fence());
    for (const std::string& file : image->files()) CPPUNIT_ASSERT(read_file(file)[0] == 'D');
    assert_good(image->unfence());
    for (const std::string& file : image->files()) CPPUNIT_ASSERT(read_file(file)[0] == 'C');
  }

  void testFileNamesFollowHercules() {
    const auto name = [](const std::string& path, unsigned sequence) { return volume_file_path(path, sequence).value; };
    CPPUNIT_ASSERT_EQUAL(std::string("/d.x/vol_2.ckd"), name("/d.x/vol_1.ckd", 2));
    CPPUNIT_ASSERT_EQUAL(std::string("vol_A"), name("vol_1", 10));
    CPPUNIT_ASSERT_EQUAL(std::string("/d.x/vol_3"), name("/d.x/vol_1", 3));
    CPPUNIT_ASSERT_EQUAL(std::string("a/vol_9.1.ckd"), name("a/vol_1.1.ckd", 9));
    CPPUNIT_ASSERT(!volume_file_path("/d/.ckd", 2).good());
    CPPUNIT_ASSERT_EQUAL(std::string("/d/.ckd"), name("/d/.ckd", 1));
  }

  void testDamagedSeveralFileVolumesAreRefused() {
    TemporaryDirectory directory;
    const std::string first = split_image(make_image(directory, "v.ckd", "3330", "VVVVVV", 6), 2);
    const std::string second = directory / "v_2.ckd", third = directory / "v_3.ckd";
    assert_refused(second, OpenFor::kRead, "it is file 2 of its volume");
    const Bytes good_second = read_file(second), good_third = read_file(third);
    write_file(second, good_third);
    assert_refused(first, OpenFor::kRead, "file 2 is needed here", second);
    patch(second, 17, {2});  // right number, wrong place
    patch(second, 18, {9});
    assert_refused(first, OpenFor::kRead, "it ends with cylinder", second);
    write_file(second, good_second);
    patch(second, 12, {0, 2, 0, 0});
    assert_refused(first, OpenFor::kRead, "belongs to another volume", second);
    write_file(second, Bytes(good_second.begin(), good_second.end() - 1));
    assert_refused(first, OpenFor::kRead, "truncated", second);
    testing::run_command("rm -f '" + second + "'");
    assert_refused(first, OpenFor::kRead, "next file of the volume", second);
    write_file(second, good_second);
    opened(first, OpenFor::kWrite);
  }

  void testBadFilesAreRefused() {
    TemporaryDirectory directory;
    const std::string path = make_image(directory, "v.ckd", "3390", "VVVVVV", 1);
    const Bytes good = read_file(path);
    const auto refuse = [&](std::size_t at, const Bytes& bytes, const std::string& words) {
      write_file(path, good);
      patch(path, at, bytes);
      assert_refused(path, OpenFor::kRead, words);
      assert_refused(path, OpenFor::kWrite, words);
    };
    refuse(0, {'X'}, "no CKD device header");
    refuse(4, {'S'}, "is a shadow file");
    refuse(0, {'F', 'B', 'A'}, "is an FBA image");
    refuse(8, {0, 0, 0, 0}, "impossible");
    refuse(8, {0xFF, 0xFF, 0xFF, 0xFF}, "impossible");
    refuse(12, {0, 0, 0, 0}, "impossible");
    refuse(12, {0xFF, 0xFF, 0xFF, 0xFF}, "impossible");
    refuse(16, {0x77}, "unknown device type");
    refuse(17, {5}, "file 5 of its volume");
    refuse(18, {7}, "ends with cylinder 7");
    refuse(12, {0, 0xDC, 0, 0}, "whole cylinders");
    write_file(path, Bytes(good.begin(), good.begin() + 100));
    assert_refused(path, OpenFor::kRead, "too short");
    write_file(path, Bytes(good.begin(), good.begin() + 512));
    assert_refused(path, OpenFor::kRead, "truncated");
    write_file(path, good);
    patch(path, 18, {1});  // the number of cylinders in place of 0: Hercules takes it as the only file
    opened(path, OpenFor::kRead);
    assert_refused(directory / "none.ckd", OpenFor::kRead, "does not exist");
    assert_refused(directory.path(), OpenFor::kRead, "not a regular file");
    assert_refused(directory.path(), OpenFor::kWrite, "not a regular file");
    CPPUNIT_ASSERT_EQUAL(0, mkfifo((directory / "fifo").c_str(), 0600));
    assert_refused(directory / "fifo", OpenFor::kWrite, "not a regular file");
  }

  void testCompressedImageIsNamedAndNotWritten() {
    TemporaryDirectory directory;
    const std::string path = make_image(directory, "c.cckd", "3390", "CCKD01", 5, "-z");
    assert_refused(path, OpenFor::kWrite, "is a compressed (CCKD) image: convert it with cckd2ckd");
    const auto image = opened(path, OpenFor::kRead);
    CPPUNIT_ASSERT(image->kind() == ImageKind::kCompressed);
    CPPUNIT_ASSERT_EQUAL(5u, image->geometry().cylinders);
    CPPUNIT_ASSERT_EQUAL(std::uint16_t{0x3390}, image->geometry().device_type);
    Bytes track(image->geometry().track_bytes);
    CPPUNIT_ASSERT(!image->read_track(0, track).good());
    CPPUNIT_ASSERT(!image->volser().good());
    patch(path, 512 + 40, {0, 0, 0, 0});
    assert_refused(path, OpenFor::kRead, "damaged compressed header");
  }

  void testNoPermissionIsASentence() {
    TemporaryDirectory directory;
    const std::string path = make_image(directory, "p.ckd", "3390", "PPPPPP", 1);
    CPPUNIT_ASSERT_EQUAL(0, chmod(directory.path().c_str(), 0755));
    CPPUNIT_ASSERT_EQUAL(0, chmod(path.c_str(), 0400));
    const pid_t child = fork();
    CPPUNIT_ASSERT(child >= 0);
    if (child == 0) {
      if (geteuid() == 0 && setuid(65534) != 0) _exit(90);
      const auto image = DasdImage::open(path, OpenFor::kWrite);
      if (image.good()) _exit(91);
      _exit(image.status.text().starts_with("No permission to write " + path) ? 0 : 92);
    }
    int status = 0;
    CPPUNIT_ASSERT_EQUAL(child, waitpid(child, &status, 0));
    CPPUNIT_ASSERT(WIFEXITED(status));
    CPPUNIT_ASSERT_EQUAL(0, WEXITSTATUS(status));
  }

  void testWritesLandInTheirTrackAndNowhereElse() {
    TemporaryDirectory directory;
    const std::string path = make_image(directory, "w.ckd", "3380", "WWWWWW", 2);
    Bytes expected = read_file(path);
    const auto image = opened(path, OpenFor::kWrite);
    const std::uint32_t track_bytes = image->geometry().track_bytes;
    const auto change = [&](std::uint32_t track, std::uint32_t offset, const Bytes& bytes) {
      assert_good(image->write(track, offset, bytes));
      std::copy(bytes.begin(), bytes.end(), expected.begin() + 512 + static_cast<std::ptrdiff_t>(track) * track_bytes + offset);
    };
    change(0, 0, {1, 2, 3});
    change(29, track_bytes - 1, {9});
    change(15, 100, Bytes(track_bytes - 100, 0x77));
    change(7, track_bytes, {});
    assert_good(image->sync());
    CPPUNIT_ASSERT(expected == read_file(path));
  }

  void testWritesOutsideATrackAreRefused() {
    TemporaryDirectory directory;
    const std::string path = make_image(directory, "w.ckd", "3380", "WWWWWW", 1);
    const Bytes before = read_file(path);
    const auto image = opened(path, OpenFor::kWrite);
    const std::uint32_t track_bytes = image->geometry().track_bytes;
    const Bytes two(2, 1);
    CPPUNIT_ASSERT(!image->write(15, 0, two).good());
    CPPUNIT_ASSERT(!image->write(0xFFFFFFFF, 0, two).good());
    CPPUNIT_ASSERT(!image->write(0, track_bytes - 1, two).good());
    CPPUNIT_ASSERT(!image->write(0, 0xFFFFFFFF, two).good());
    CPPUNIT_ASSERT(image->write(0, track_bytes - 1, two).text().find(path) != std::string::npos);
    CPPUNIT_ASSERT(before == read_file(path));
  }

  // The file size limit of a process stands for the full disk: the same path through pwrite and its error.
  void testFullDiskIsASentence() {
    TemporaryDirectory directory;
    const std::string path = make_image(directory, "f.ckd", "3380", "FFFFFF", 2);
    const pid_t child = fork();
    CPPUNIT_ASSERT(child >= 0);
    if (child == 0) {
      const auto image = DasdImage::open(path, OpenFor::kWrite);
      if (!image.good()) _exit(90);
      signal(SIGXFSZ, SIG_IGN);
      const rlimit limit{600000, 600000};
      if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(91);
      if (!image.value->write(3, 0, Bytes(10, 1)).good()) _exit(92);
      const Status refused = image.value->write(29, 0, Bytes(10, 1));
      _exit(!refused.good() && refused.severity() == Severity::kSevere && refused.text().find(path) != std::string::npos ? 0 : 93);
    }
    int status = 0;
    CPPUNIT_ASSERT_EQUAL(child, waitpid(child, &status, 0));
    CPPUNIT_ASSERT(WIFEXITED(status));
    CPPUNIT_ASSERT_EQUAL(0, WEXITSTATUS(status));
  }

  void testReadOnlyImageIsNotChanged() {
    TemporaryDirectory directory;
    const std::string path = make_image(directory, "r.ckd", "3390", "RRRRRR", 1);
    const auto image = opened(path, OpenFor::kRead);
    CPPUNIT_ASSERT(!image->write(0, 0, Bytes(1, 1)).good());
    CPPUNIT_ASSERT(!image->fence().good());
    CPPUNIT_ASSERT(!image->unfence().good());
    CPPUNIT_ASSERT(image->sync().good());
    CPPUNIT_ASSERT(!image->fenced());
  }

  void testSecondWriterIsRefusedByName() {
    TemporaryDirectory directory;
    const std::string first = split_image(make_image(directory, "v.ckd", "3390", "VVVVVV", 4), 2);
    auto writer = opened(first, OpenFor::kWrite);
    assert_refused(first, OpenFor::kWrite, "already open for writing");
    CPPUNIT_ASSERT_EQUAL(0, symlink(first.c_str(), (directory / "alias.ckd").c_str()));
    assert_refused(directory / "alias.ckd", OpenFor::kWrite, "already open for writing");
    opened(first, OpenFor::kRead);  // readers come and go; the lock must survive their close
    assert_refused(first, OpenFor::kWrite, "already open for writing");
    writer.reset();
    opened(first, OpenFor::kWrite);
  }

  void testAProcessThatWritesTheImageIsNamed() {
    TemporaryDirectory directory;
    const std::string path = make_image(directory, "h.ckd", "3390", "HHHHHH", 1);
    {
      const Holder reader(path, O_RDONLY);
      opened(path, OpenFor::kWrite);
    }
    {
      const Holder writer(path, O_RDWR);
      assert_refused(path, OpenFor::kWrite, "process " + std::to_string(writer.pid()));
      opened(path, OpenFor::kRead);
    }
    opened(path, OpenFor::kWrite);
  }

  void testFenceIsSetLiftedAndSurvivesReopen() {
    TemporaryDirectory directory;
    const std::string path = make_image(directory, "f.ckd", "3390", "FFFFFF", 1);
    const Bytes before = read_file(path);
    auto image = opened(path, OpenFor::kWrite);
    assert_good(image->fence());
    assert_good(image->fence());
    CPPUNIT_ASSERT(image->fenced() && image->kind() == ImageKind::kFencedCkd);
    image.reset();
    Bytes fenced = before;
    std::copy(kFencedDeviceId.begin(), kFencedDeviceId.end(), fenced.begin());
    CPPUNIT_ASSERT(fenced == read_file(path));
    image = opened(path, OpenFor::kWrite);
    CPPUNIT_ASSERT(image->fenced());
    CPPUNIT_ASSERT_EQUAL(std::string("FFFFFF"), image->volser().value);
    assert_good(image->write(3, 50, Bytes(1, before[512 + 3 * 56832 + 50])));
    assert_good(image->unfence());
    assert_good(image->unfence());
    CPPUNIT_ASSERT(!image->fenced() && image->kind() == ImageKind::kCkd);
    CPPUNIT_ASSERT(before == read_file(path));
  }

  void testFenceHalfWayIsAFence() {
    TemporaryDirectory directory;
    const std::string first = split_image(make_image(directory, "v.ckd", "3390", "VVVVVV", 6), 2);
    patch(first, 0, Bytes(kFencedDeviceId.begin(), kFencedDeviceId.end()));
    auto image = opened(first, OpenFor::kWrite);
    CPPUNIT_ASSERT(image->fenced());
    assert_good(image->fence());
    CPPUNIT_ASSERT(read_file(directory / "v_3.ckd")[0] == 'D');
    assert_good(image->unfence());
    CPPUNIT_ASSERT(!image->fenced());
    for (const std::string& file : image->files()) CPPUNIT_ASSERT(read_file(file)[0] == 'C');
  }

  void testHerculesToolsRefuseAFencedImage() {
    TemporaryDirectory directory;
    const std::string path = make_image(directory, "t.ckd", "3390", "TTTTTT", 1);
    auto image = opened(path, OpenFor::kWrite);
    assert_good(image->fence());
    image.reset();
    // The tools share their opening of an image with the emulator's own; the emulator itself is tried end to end.
    const std::string refused = "dasdls '" + path + "' 2>&1 | grep -q 'CKD header invalid'";
    CPPUNIT_ASSERT_EQUAL(0, testing::run_command(refused));
    image = opened(path, OpenFor::kWrite);
    assert_good(image->unfence());
    image.reset();
    CPPUNIT_ASSERT_EQUAL(1, testing::run_command(refused));
  }

  void testTruncationWhileOpenIsSeen() {
    TemporaryDirectory directory;
    const std::string path = make_image(directory, "t.ckd", "3390", "TTTTTT", 1);
    const auto image = opened(path, OpenFor::kRead);
    CPPUNIT_ASSERT_EQUAL(0, truncate(path.c_str(), 512 + 56832 + 100));
    Bytes track(56832);
    assert_good(image->read_track(0, track));
    const Status cut = image->read_track(1, track);
    CPPUNIT_ASSERT(!cut.good());
    CPPUNIT_ASSERT(cut.text().find("truncated while it was open") != std::string::npos);
  }

  void testIdentityChangesWithTheFile() {
    TemporaryDirectory directory;
    const std::string path = make_image(directory, "i.ckd", "3390", "IIIIII", 1);
    const auto before = file_identity(path);
    CPPUNIT_ASSERT(before.good());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{512 + 15 * 56832}, before.value.bytes);
    CPPUNIT_ASSERT(before.value == file_identity(path).value);
    const timespec times[2] = {{1000, 1}, {1000, 5}};
    CPPUNIT_ASSERT_EQUAL(0, utimensat(AT_FDCWD, path.c_str(), times, 0));
    CPPUNIT_ASSERT(!(before.value == file_identity(path).value));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1000000000005}, file_identity(path).value.mtime_ns);
    CPPUNIT_ASSERT(!file_identity(directory / "none").good());
    CPPUNIT_ASSERT(!file_identity(directory.path()).good());
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ChannelDasdImage);

}  // namespace
}  // namespace afterimage
