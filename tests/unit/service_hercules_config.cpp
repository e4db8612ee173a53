// io: Hercules configurations read, and the recovery site's written and started with the real Hercules (service/hercules_config.h).
#include "service/hercules_config.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <cstdlib>

#include "channel/dasd_image.h"
#include "service/hercules_config_reader.h"
#include "tests/unit/channel_dasd_support.h"

namespace afterimage {
namespace {

using testing::make_image;
using testing::TemporaryDirectory;
using testing::write_text;

HerculesFile read_good(const std::string& path) {
  auto file = read_hercules_config(path);
  CPPUNIT_ASSERT_MESSAGE(file.status.text(), file.good());
  return file.value;
}

const HerculesDevice& device_of(const HerculesFile& file, std::uint16_t number) {
  for (const HerculesStatement& statement : file.statements)
    for (const HerculesDevice& device : statement.devices)
      if (device.number == number) return device;
  CPPUNIT_FAIL("the device was not found");
  return file.statements.front().devices.front();
}

// Starts Hercules with a configuration, quits it, and gives what it said. (Hercules runs the quit only when NUMCPU is stated.)
std::string hercules_says(const TemporaryDirectory& directory, const std::string& config) {
  const std::string log = directory / "hercules.log";
  write_text(directory / "quit.rc", "quit\n");
  const std::string command =
      "cd '" + directory.path() + "' && HERCULES_RC=quit.rc timeout -k 5 60 hercules -d -f '" + config + "' </dev/null >'" + log + "' 2>&1";
  CPPUNIT_ASSERT_EQUAL_MESSAGE(command, 0, std::system(command.c_str()));
  const auto bytes = testing::read_file(log);
  return std::string(bytes.begin(), bytes.end());
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class ServiceHerculesConfig : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ServiceHerculesConfig);
  CPPUNIT_TEST(testStatementsAreReadAsHerculesReadsThem);
  CPPUNIT_TEST(testDeviceNumberForms);
  CPPUNIT_TEST(testIncludes);
  CPPUNIT_TEST(testWhatHerculesRefusesIsRefused);
  CPPUNIT_TEST(testRecoveryConfigurationFromThePrimarys);
  CPPUNIT_TEST(testA27_HerculesStartsWithTheRecoveryConfiguration);
  CPPUNIT_TEST(testStandardRecoveryConfigurationStartsToo);
  CPPUNIT_TEST(testTheRecoveryConfigurationHasAPlaceOfItsOwn);
  CPPUNIT_TEST(testRecoveryRefusals);
  CPPUNIT_TEST_SUITE_END();

  Config config_of(const TemporaryDirectory& directory) {
    Config config;
    config.directory = directory.path();
    config.plex = "DSMPLEX";
    config.sites.resize(2);
    config.sites[0].name = "SITEA";
    config.sites[1].name = "SITEB";
    config.sites[1].directory = directory / "siteb";
    config.systems = {{"SYSA", "SITEA", ""}};
    SessionConfig session;
    session.name = "DALLAS";
    session.primary = "SITEA";
    session.secondary = "SITEB";
    session.volumes = {{"PRIM01", "PRIM01", "SYSA", 0x0A80, 0x3390, directory / "a1.ckd", directory / "site b/b1.ckd"},
                       {"PRIM02", "PRIM02", "SYSA", 0x0A81, 0x3390, directory / "a2.ckd", directory / "site b/b2.ckd"}};
    config.sessions = {session};
    return config;
  }

 public:
  void testStatementsAreReadAsHerculesReadsThem() {
    TemporaryDirectory directory;
    setenv("AFTERIMAGE_TEST_DIR", "dasd", 1);
    unsetenv("AFTERIMAGE_TEST_NONE");
    write_text(directory / "h.cnf",
               "* comment\n# comment\n\n  ARCHMODE z/Arch  \r\nDEFSYM VOL \"my vol\"\n"
               "0A80-0A82 3390 ${AFTERIMAGE_TEST_DIR}/$(CUU)_$(ccuu).ckd cu=3990-6 # the disks\n"
               "A90.2,A98 3380 '$(VOL)/${AFTERIMAGE_TEST_NONE:=none}$(NOSUCH).ckd' sf=\"x y\"\n"
               "000C 3505 ${AFTERIMAGE_TEST_NONE}jcl.txt ascii\n"
               "  \n");
    const HerculesFile file = read_good(directory / "h.cnf");
    CPPUNIT_ASSERT_EQUAL(std::size_t{9}, file.statements.size());
    CPPUNIT_ASSERT_EQUAL(std::string("ARCHMODE z/Arch"), file.statements[3].text);
    CPPUNIT_ASSERT(file.statements[3].keyword_is("archmode"));
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, file.statements[5].devices.size());
    const HerculesDevice& second = device_of(file, 0x0A81);
    CPPUNIT_ASSERT_EQUAL(std::string("3390"), second.type);
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, second.arguments.size());
    CPPUNIT_ASSERT_EQUAL(std::string("dasd/A81_0a81.ckd"), second.arguments[0]);
    CPPUNIT_ASSERT_EQUAL(std::string("cu=3990-6"), second.arguments[1]);
    const HerculesDevice& quoted = device_of(file, 0x0A98);
    CPPUNIT_ASSERT_EQUAL(std::string("my vol/none**UNRESOLVED**.ckd"), quoted.arguments[0]);
    CPPUNIT_ASSERT_EQUAL(std::string("sf=\"x y"), quoted.arguments[1]);
    CPPUNIT_ASSERT_EQUAL(std::string("jcl.txt"), device_of(file, 0x000C).arguments[0]);
    unsetenv("AFTERIMAGE_TEST_DIR");
  }

  void testDeviceNumberForms() {
    const auto numbers = [](const std::string& text) { return parse_device_numbers(text); };
    CPPUNIT_ASSERT((numbers("a80").value.numbers == std::vector<std::uint16_t>{0xA80}));
    CPPUNIT_ASSERT((numbers("200-202,210.2").value.numbers == std::vector<std::uint16_t>{0x200, 0x201, 0x202, 0x210, 0x211}));
    CPPUNIT_ASSERT_EQUAL(1u, numbers("1:0A80").value.channel_subsystem);
    for (const char* bad :
         {"", "xyz", "200-", "202-200", "200.0", "200,300", "200.12,200", "2FF.2", "1FFFF", "9:200", "200,,201", "200-2FFFF", "0-"})
      CPPUNIT_ASSERT_MESSAGE(bad, !numbers(bad).good());
  }

  void testIncludes() {
    TemporaryDirectory directory;
    write_text(directory / "h.cnf",
               "ARCHMODE z/Arch\ninclude disks.cnf\nINCLUDE_IS_NOT x\nignore include_errors\ninclude gone.cnf\n0009 3215-C\n");
    write_text(directory / "disks.cnf", "0A80 3390 a.ckd\n");
    const HerculesFile file = read_good(directory / "h.cnf");
    CPPUNIT_ASSERT_EQUAL(std::size_t{5}, file.statements.size());
    CPPUNIT_ASSERT_EQUAL(std::string("disks.cnf"), file.statements[1].file);
    CPPUNIT_ASSERT_EQUAL(std::uint16_t{0x0A80}, file.statements[1].devices.at(0).number);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, file.notes.size());
    CPPUNIT_ASSERT(has(file.notes[0], "gone.cnf"));
  }

  void testWhatHerculesRefusesIsRefused() {
    TemporaryDirectory directory;
    const auto refuse = [&](const std::string& text, const std::string& words) {
      write_text(directory / "h.cnf", text);
      const auto file = read_hercules_config(directory / "h.cnf");
      CPPUNIT_ASSERT_MESSAGE(text.substr(0, 80), !file.good());
      CPPUNIT_ASSERT_MESSAGE(file.status.text(), has(file.status.text(), words) && file.status.text().back() == '.');
    };
    refuse("0A80 3390 " + std::string(1100, 'x') + "\n", "line 1: the statement has more than 1023 characters");
    refuse("ARCHMODE S/370\n\n0A80\n", "line 3: device 0A80 has no device type");
    refuse("0A80-0A7F 3390 x\n", "0A80-0A7F is no device number");
    refuse("include gone.cnf\n", "the included file gone.cnf does not exist");
    refuse("include\n", "INCLUDE names no file");
    refuse("include " + (directory / "h.cnf") + "\n", "more than 7 deep");
    CPPUNIT_ASSERT(!read_hercules_config(directory / "none.cnf").good());
    CPPUNIT_ASSERT(!read_hercules_config(directory.path()).good());
  }

  void testRecoveryConfigurationFromThePrimarys() {
    TemporaryDirectory directory;
    write_text(directory / "primary.cnf",
               "ARCHMODE z/Arch\nMODPATH /m\nLDMOD dsmchan\nDSM PLEX DSMPLEX SYSTEM SYSA\nLOADPARM 0A80\n0009 3215-C / noprompt\n"
               "0A80-0A82 3390 $(CUU).ckd cu=3990-6 sf=shadow ro\n0580 3420 tape.aws\n0B00 3370 fba\n");
    const Config config = config_of(directory);
    RecoveryConfigRequest request;
    request.from = directory / "primary.cnf";
    request.output_path = directory / "site b/hercules.cnf";
    request.loadparm = "0A81";
    const auto made = make_recovery_config(config, request);
    CPPUNIT_ASSERT_MESSAGE(made.status.text(), made.good());
    const std::string& text = made.value.text;
    CPPUNIT_ASSERT_MESSAGE(text, has(text, "\n0A80 3390 \"" + (directory / "site b/b1.ckd") + "\" cu=3990-6\n0A81 3390 \"" +
                                               (directory / "site b/b2.ckd") + "\" cu=3990-6\n"));
    CPPUNIT_ASSERT_MESSAGE(text, has(text, "\nMODPATH /m\nLDMOD dsmchan\n# DSM PLEX"));
    CPPUNIT_ASSERT_MESSAGE(text, has(text, "\n# LOADPARM 0A80\nLOADPARM 0A81\n") && !has(text, "\nLOADPARM 0A80\n"));
    CPPUNIT_ASSERT_MESSAGE(text, has(text, "\n0580 3420 tape.aws\n") && has(text, "\n# 0B00 3370 fba\n") && !has(text, "\n0A82"));
    const auto noted = [&](const std::string& part) {
      return std::ranges::any_of(made.value.notes, [&](const std::string& note) { return has(note, part); });
    };
    CPPUNIT_ASSERT(noted("Device 0A82 (3390) is not mirrored") && noted("Device 0B00 (3370)") && noted("Option sf=shadow of device 0A80") &&
                   noted("Option ro of device 0A81"));
    CPPUNIT_ASSERT(noted("files they name are sought in " + (directory / "site b") + " unless"));
    CPPUNIT_ASSERT_EQUAL("cd '" + (directory / "site b") + "' && hercules -f hercules.cnf", made.value.command);
  }

  void testTheRecoveryConfigurationHasAPlaceOfItsOwn() {
    TemporaryDirectory directory;
    write_text(directory / "primary.cnf", "ARCHMODE z/Arch\n0A80 3390 a1.ckd\n");
    const Config config = config_of(directory);
    RecoveryConfigRequest request;
    request.from = directory / "primary.cnf";
    const auto made = make_recovery_config(config, request);
    CPPUNIT_ASSERT_MESSAGE(made.status.text(), made.good());
    CPPUNIT_ASSERT_EQUAL(config.site("SITEB")->directory + "/hercules-SYSA.cnf", made.value.path);
    CPPUNIT_ASSERT_MESSAGE(made.value.command, has(made.value.command, "hercules -f hercules-SYSA.cnf"));
    request.output_path = request.from;
    const auto refused = make_recovery_config(config, request);
    CPPUNIT_ASSERT_MESSAGE(refused.status.text(), !refused.good() && has(refused.status.text(), "is the configuration to start from"));
  }

  void testA27_HerculesStartsWithTheRecoveryConfiguration() {
    TemporaryDirectory directory;
    std::filesystem::create_directory(directory / "site b");
    make_image(directory, "site b/b1.ckd", "3390", "PRIM01", 1);
    make_image(directory, "site b/b2.ckd", "3390", "PRIM02", 1);
    write_text(
        directory / "primary.cnf",
        "ARCHMODE z/Arch\nMAINSIZE 16\nNUMCPU 1\nLOADPARM ABC\n0009 3215-C / noprompt\n0A80 3390 a1.ckd cu=3990-6\n0A81 3390 a2.ckd\n");
    RecoveryConfigRequest request;
    request.from = directory / "primary.cnf";
    const auto made = make_recovery_config(config_of(directory), request);
    CPPUNIT_ASSERT_MESSAGE(made.status.text(), made.good());
    write_text(directory / "recovery.cnf", made.value.text);
    const std::string log = hercules_says(directory, "recovery.cnf");
    CPPUNIT_ASSERT_MESSAGE(log, has(log, "site b/b1.ckd cyls=1 heads=15") && has(log, "site b/b2.ckd cyls=1 heads=15"));
    CPPUNIT_ASSERT_MESSAGE(log, !has(log, "HHCCF044E"));
    // An image that is not recovered is fenced: Hercules must refuse it, and only it.
    auto image = DasdImage::open(directory / "site b/b2.ckd", OpenFor::kWrite);
    CPPUNIT_ASSERT(image.good() && image.value->fence().good());
    image.value.reset();
    const std::string refused = hercules_says(directory, "recovery.cnf");
    CPPUNIT_ASSERT_MESSAGE(refused, has(refused, "HHCDA010E " + (directory / "site b/b2.ckd") + " CKD header invalid"));
    CPPUNIT_ASSERT_MESSAGE(refused,
                           has(refused, "HHCCF044E Initialization failed for device 0A81") && has(refused, "site b/b1.ckd cyls=1"));
  }

  void testStandardRecoveryConfigurationStartsToo() {
    TemporaryDirectory directory;
    std::filesystem::create_directory(directory / "site b");
    make_image(directory, "site b/b1.ckd", "3390", "PRIM01", 1);
    make_image(directory, "site b/b2.ckd", "3390", "PRIM02", 1);
    Config config = config_of(directory);
    config.systems[0].hercules = directory / "lost.cnf";
    RecoveryConfigRequest request;
    request.loadparm = "0A80.1";
    const auto made = make_recovery_config(config, request);
    CPPUNIT_ASSERT_MESSAGE(made.status.text(), made.good());
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, made.value.notes.size());
    CPPUNIT_ASSERT(has(made.value.notes[0], "lost.cnf of system SYSA is not at this site"));
    std::string text = made.value.text;
    text.replace(text.find("CNSLPORT 3270"), 13, "CNSLPORT 0");  // a test takes no fixed port
    write_text(directory / "standard.cnf", text);
    const std::string log = hercules_says(directory, "standard.cnf");
    CPPUNIT_ASSERT_MESSAGE(log, has(log, "site b/b1.ckd cyls=1") && has(log, "site b/b2.ckd cyls=1") && !has(log, "HHCCF044E"));
  }

  void testRecoveryRefusals() {
    TemporaryDirectory directory;
    Config config = config_of(directory);
    const auto refuse = [&](const RecoveryConfigRequest& request, const std::string& words) {
      const auto made = make_recovery_config(config, request);
      CPPUNIT_ASSERT_MESSAGE(words, !made.good());
      CPPUNIT_ASSERT_MESSAGE(made.status.text(), has(made.status.text(), words) && made.status.text().back() == '.');
    };
    refuse({"PARIS", "", "", "", ""}, "Session PARIS is not in the configuration");
    refuse({"", "SYSX", "", "", ""}, "System SYSX has no volume in session DALLAS: name one of SYSA");
    refuse({"", "", directory / "none.cnf", "", ""}, "does not exist");
    refuse({"", "", "", "TOO LONG", ""}, "LOADPARM TOO LONG is not valid");
    refuse({"", "", "", "A\nB", ""}, "is not valid");
    config.sessions[0].volumes[0].secondary_image = "/" + std::string(1100, 'x');
    refuse({}, "Hercules takes 1023");
    config.sessions[0].volumes[0].secondary_image = "/a$(B)";
    refuse({}, "rename it");
    config = config_of(directory);
    config.sessions[0].volumes[0].system = "SYSB";
    refuse({}, "several systems: name one of SYSA, SYSB");
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ServiceHerculesConfig);

}  // namespace
}  // namespace afterimage
