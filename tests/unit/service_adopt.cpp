// io: adoption of real Hercules configurations with images made by dasdinit (service/adopt.h).
#include "service/adopt.h"

#include <cppunit/extensions/HelperMacros.h>
#include <sys/resource.h>

#include <algorithm>
#include <csignal>

#include "channel/dasd_image.h"
#include "service/adopt_volser.h"
#include "tests/unit/channel_dasd_support.h"

namespace afterimage {
namespace {

using testing::make_image;
using testing::TemporaryDirectory;
using testing::write_text;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }
bool any_has(const std::vector<std::string>& lines, const std::string& part) {
  return std::ranges::any_of(lines, [&](const std::string& line) { return has(line, part); });
}
std::string all(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

class ServiceAdopt : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ServiceAdopt);
  CPPUNIT_TEST(testVolumesAreFoundAndTheRestIsNamed);
  CPPUNIT_TEST(testTheProposedConfigurationLoads);
  CPPUNIT_TEST(testTheCommandsThatComeNextWork);
  CPPUNIT_TEST(testManyVolumesGetARingThatHoldsThem);
  CPPUNIT_TEST(testLabelOfACompressedImage);
  CPPUNIT_TEST(testRefusals);
  CPPUNIT_TEST(testSavingReplacesNothing);
  CPPUNIT_TEST_SUITE_END();

  AdoptReport adopted(const AdoptRequest& request) {
    auto report = adopt_hercules(request);
    CPPUNIT_ASSERT_MESSAGE(report.status.text(), report.good());
    return report.value;
  }

  // A configuration with everything a user may have.
  AdoptRequest sample(const TemporaryDirectory& directory) {
    std::filesystem::create_directory(directory / "dasd");
    std::filesystem::create_directory(directory / "dasd/other");
    make_image(directory, "dasd/prim01.ckd", "3390", "PRIM01", 2);
    testing::split_image(make_image(directory, "dasd/big.ckd", "3350", "BIG001", 6), 2);
    make_image(directory, "dasd/comp.cckd", "3390", "COMP01", 3, "-z");
    make_image(directory, "dasd/other/prim01.ckd", "3380", "OTHER1", 1);
    make_image(directory, "dasd/raw.ckd", "3390", "", 1, "-r");
    make_image(directory, "dasd/twin.ckd", "3390", "PRIM01", 1);
    auto fenced = DasdImage::open(make_image(directory, "dasd/fenced.ckd", "3390", "FENCED", 1), OpenFor::kWrite);
    CPPUNIT_ASSERT(fenced.good() && fenced.value->fence().good());
    write_text(directory / "hercules.cnf",
               "ARCHMODE z/Arch\nDEFSYM D dasd\n000C 3505 jcl.txt\n0009 3215-C /\n"
               "0A80 3390 $(D)/prim01.ckd\n0A81 3350 dasd/big_1.ckd\n0A82 3390 dasd/comp.cckd cu=3990-6\n0A83 3380 dasd/other/prim01.ckd\n"
               "0A84 3390 dasd/raw.ckd\n0A85 3390 dasd/twin.ckd\n0A86 3390 dasd/fenced.ckd\n0A87 3390 dasd/gone.ckd\n0A88 3390 "
               "dasd/prim01.ckd ro\n"
               "0A89 3390 dasd/prim01.ckd fakewrite\n0A8A 3390\n0A8B 3390 localhost:3990:0A80\n1:0A80 3390 dasd/prim01.ckd\n"
               "0580 3420 tape.aws\n0B00 3370 fba.img\n");
    AdoptRequest request;
    request.hercules = directory / "hercules.cnf";
    request.output = directory / "mirror";
    return request;
  }

 public:
  void testVolumesAreFoundAndTheRestIsNamed() {
    TemporaryDirectory directory;
    const AdoptReport report = adopted(sample(directory));
    CPPUNIT_ASSERT_EQUAL_MESSAGE(all(report.mirrored), std::size_t{4}, report.mirrored.size());
    CPPUNIT_ASSERT_EQUAL(std::string("0A80 3390 PRIM01 dasd/prim01.ckd"), report.mirrored[0]);
    CPPUNIT_ASSERT_EQUAL(std::string("0A82 3390 COMP01 dasd/comp.cckd"), report.mirrored[2]);
    const std::vector<std::string>& left = report.not_mirrored;
    CPPUNIT_ASSERT_EQUAL_MESSAGE(all(left), std::size_t{11}, left.size());
    CPPUNIT_ASSERT_MESSAGE(all(left), any_has(left, "0A84 3390 dasd/raw.ckd: it has no standard volume label"));
    CPPUNIT_ASSERT_MESSAGE(all(left), any_has(left, "0A85 3390 dasd/twin.ckd: its volser PRIM01 is that of device 0A80 too"));
    CPPUNIT_ASSERT_MESSAGE(all(left), any_has(left, "fenced.ckd is fenced"));
    CPPUNIT_ASSERT_MESSAGE(all(left), any_has(left, "0A87 3390 dasd/gone.ckd: there is no such image"));
    CPPUNIT_ASSERT_MESSAGE(all(left), any_has(left, "0A88 3390 dasd/prim01.ckd: it is read-only"));
    CPPUNIT_ASSERT_MESSAGE(all(left), any_has(left, "0A89 3390 dasd/prim01.ckd: its writes are not kept"));
    CPPUNIT_ASSERT_MESSAGE(all(left), any_has(left, "0A8A 3390: its statement names no image"));
    CPPUNIT_ASSERT_MESSAGE(all(left),
                           any_has(left, "0A8B 3390 localhost:3990:0A80: there is no such image (it may be served by another Hercules"));
    CPPUNIT_ASSERT_MESSAGE(all(left), any_has(left, "1:0A80 3390 dasd/prim01.ckd: it is in another channel subsystem"));
    CPPUNIT_ASSERT_MESSAGE(all(left), any_has(left, "0580 3420 tape.aws: a tape") && any_has(left, "0B00 3370 fba.img: an FBA disk"));
    CPPUNIT_ASSERT(any_has(report.notes, "Volume COMP01 is compressed here"));
    const std::vector<VolumeConfig>& volumes = report.config.sessions[0].volumes;
    CPPUNIT_ASSERT_EQUAL(directory / "mirror/siteb/prim01.ckd", volumes[0].secondary_image);
    CPPUNIT_ASSERT_EQUAL(directory / "mirror/siteb/OTHER1.prim01.ckd", volumes[3].secondary_image);
  }

  void testTheProposedConfigurationLoads() {
    TemporaryDirectory directory;
    AdoptRequest request = sample(directory);
    request.plex = "MYPLEX";
    request.primary = "PARIS";
    request.secondary = "LYON";
    request.secondary_listen = "[::1]:9000";
    request.secondary_images = directory / "elsewhere";
    const AdoptReport report = adopted(request);
    CPPUNIT_ASSERT(save_adopted(report).good());
    const ConfigLoad load = load_config(directory / "mirror/afterimage.xml");
    CPPUNIT_ASSERT_MESSAGE(all(load.errors), load.good());
    CPPUNIT_ASSERT(load.config == report.config);
    CPPUNIT_ASSERT_EQUAL(std::string("LYON.DSMLU"), load.config.sites[1].lu);
    CPPUNIT_ASSERT_EQUAL(directory / "mirror/lyon", load.config.sites[1].directory);
    CPPUNIT_ASSERT_EQUAL(directory / "hercules.cnf", load.config.systems[0].hercules);
    CPPUNIT_ASSERT_EQUAL(directory / "elsewhere/prim01.ckd", load.config.sessions[0].volumes[0].secondary_image);
  }

  // The copies are made by the very commands that are proposed; the secondary must then be able to use them.
  void testTheCommandsThatComeNextWork() {
    TemporaryDirectory directory;
    const AdoptReport report = adopted(sample(directory));
    unsigned run = 0;
    for (const std::string& step : report.next_steps) {
      if (!step.starts_with("  cp ") && !step.starts_with("  cckd2ckd ") && !step.starts_with("  mkdir ")) continue;
      CPPUNIT_ASSERT_EQUAL_MESSAGE(step, 0, testing::run_command(step));
      ++run;
    }
    CPPUNIT_ASSERT_EQUAL(6u, run);
    for (const VolumeConfig& volume : report.config.sessions[0].volumes) {
      const auto image = DasdImage::open(volume.secondary_image, OpenFor::kWrite);
      CPPUNIT_ASSERT_MESSAGE(image.status.text(), image.good());
      CPPUNIT_ASSERT_EQUAL(volume.volser, image.value->volser().value);
      CPPUNIT_ASSERT_EQUAL(volume.type, image.value->geometry().device_type);
    }
    CPPUNIT_ASSERT(any_has(report.next_steps, "DSM PLEX DSMPLEX SYSTEM SYSA") && any_has(report.next_steps, "LDMOD dsmchan"));
    CPPUNIT_ASSERT(any_has(report.next_steps, "XSTART MIRROR COMPARE(YES)"));
    CPPUNIT_ASSERT(any_has(report.next_steps, "samples/make-test-ca.sh ") && any_has(report.notes, "--peer-host HOST:PORT"));
    CPPUNIT_ASSERT(report.config.sessions[0].failure.action == LossAction::kNone);
  }

  void testManyVolumesGetARingThatHoldsThem() {
    TemporaryDirectory directory;
    std::string text = "ARCHMODE z/Arch\n";
    for (int i = 0; i < 140; ++i) {
      const std::string name = "v" + std::to_string(100 + i);
      make_image(directory, name + ".ckd", "2311", "V" + std::to_string(100 + i), 1);
      text += std::string(i < 100 ? "02" : "03") + (i % 100 < 10 ? "0" : "") + std::to_string(i % 100) + " 2311 " + name + ".ckd\n";
    }
    write_text(directory / "hercules.cnf", text);
    AdoptRequest request;
    request.hercules = directory / "hercules.cnf";
    request.output = directory / "mirror";
    const AdoptReport report = adopted(request);
    CPPUNIT_ASSERT_EQUAL(std::size_t{140}, report.mirrored.size());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{128} << 20, report.config.storage.ring_bytes);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{512} << 20, report.config.sessions.at(0).journal.bytes);
  }

  void testLabelOfACompressedImage() {
    TemporaryDirectory directory;
    const std::string image = make_image(directory, "c c.cckd", "3390", "COMP02", 50, "-z");
    const auto before = testing::read_file(image);
    const auto label = read_image_label(image, "");
    CPPUNIT_ASSERT_MESSAGE(label.status.text(), label.good());
    CPPUNIT_ASSERT_EQUAL(std::string("COMP02"), label.value.volser);
    CPPUNIT_ASSERT(label.value.compressed);
    CPPUNIT_ASSERT(before == testing::read_file(image));
    auto damaged = before;
    std::fill(damaged.begin() + 1024, damaged.end(), 0xFF);
    testing::write_file(image, damaged);
    // cckd2ckd mends what it can; what is left of this one has no label. A wrong volser must never come out.
    const auto mended = read_image_label(image, "");
    CPPUNIT_ASSERT(mended.good() ? mended.value.volser.empty() : has(mended.status.text(), image));
    testing::write_file(image, testing::Bytes(before.begin(), before.begin() + 700));
    const auto refused = read_image_label(image, "");
    CPPUNIT_ASSERT(!refused.good());
    CPPUNIT_ASSERT_MESSAGE(refused.status.text(), has(refused.status.text(), image) && has(refused.status.text(), "truncated"));
  }

  void testRefusals() {
    TemporaryDirectory directory;
    AdoptRequest request;
    const auto refuse = [&](const std::string& words) {
      const auto report = adopt_hercules(request);
      CPPUNIT_ASSERT_MESSAGE(words, !report.good());
      CPPUNIT_ASSERT_MESSAGE(report.status.text(), has(report.status.text(), words) && report.status.text().back() == '.');
    };
    request.hercules = directory / "none.cnf";
    refuse("none.cnf does not exist");
    write_text(directory / "h.cnf", "ARCHMODE z/Arch\n000C 3505 x\n");
    request.hercules = directory / "h.cnf";
    refuse("because it has no CKD device");
    write_text(directory / "h.cnf", "0A80 3390 gone.ckd\n");
    refuse("0A80 3390 gone.ckd: there is no such image");
    request.plex = "lower";
    refuse("plex name lower is not valid");
    request = {};
    request.secondary = request.primary;
    refuse("Both sites are named SITEA");
    request = {};
    request.secondary_listen = "7102";
    refuse("The address 7102 is not valid");
  }

  void testSavingReplacesNothing() {
    TemporaryDirectory directory;
    make_image(directory, "v.ckd", "3390", "VVVVVV", 1);
    write_text(directory / "hercules.cnf", "0A80 3390 v.ckd\n");
    AdoptRequest request;
    request.hercules = directory / "hercules.cnf";
    request.output = directory / "mirror";
    AdoptReport report = adopted(request);
    std::filesystem::create_directory(directory / "mirror");
    write_text(directory / "mirror/afterimage.xml", "mine");
    const Status refused = save_adopted(report);
    CPPUNIT_ASSERT(!refused.good());
    CPPUNIT_ASSERT_MESSAGE(refused.text(), has(refused.text(), "exists already and is not replaced"));
    CPPUNIT_ASSERT_EQUAL(std::size_t{4}, testing::read_file(directory / "mirror/afterimage.xml").size());
    CPPUNIT_ASSERT(!std::filesystem::exists(directory / "mirror/afterimage.xml.new"));
    write_text(directory / "file", "");
    request.output = directory / "file/mirror";
    CPPUNIT_ASSERT(!save_adopted(adopted(request)).good());
    // A full disk: the size limit of a process stands for it.
    request.output = directory / "full";
    report = adopted(request);
    const pid_t child = fork();
    CPPUNIT_ASSERT(child >= 0);
    if (child == 0) {
      signal(SIGXFSZ, SIG_IGN);
      const rlimit limit{100, 100};
      if (setrlimit(RLIMIT_FSIZE, &limit) != 0) _exit(90);
      _exit(save_adopted(report).good() ? 91 : 0);
    }
    int status = 0;
    CPPUNIT_ASSERT_EQUAL(child, waitpid(child, &status, 0));
    CPPUNIT_ASSERT(WIFEXITED(status));
    CPPUNIT_ASSERT_EQUAL(0, WEXITSTATUS(status));
    CPPUNIT_ASSERT(std::filesystem::is_empty(directory / "full"));
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ServiceAdopt);

}  // namespace
}  // namespace afterimage
