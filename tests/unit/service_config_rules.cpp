// What the reader and the rules of a configuration say about files that a person may well write: something left out, something twice,
// something of another site. One mistake gives one sentence, and none that only follows from it.
#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <string>
#include <vector>

#include "service/config.h"
#include "service/config_mistakes.h"
#include "service/config_values.h"

namespace afterimage {
namespace {

const std::string kGood = R"(<?xml version="1.0"?>
<afterimage xmlns="urn:afterimage:config:1" plex="DSMPLEX">
  <site name="SITEA" lu="SITEA.DSMLU" listen="127.0.0.1:7101" directory="sitea" certificate="a.crt" key="a.key" authority="ca.crt"/>
  <site name="SITEB" lu="SITEB.DSMLU" listen="127.0.0.1:7102" directory="siteb" certificate="b.crt" key="b.key" authority="ca.crt"/>
  <system name="SYSA" site="SITEA"/>
  <storage ring="32M" chunk="512K"/>
  <session name="DALLAS" primary="SITEA" secondary="SITEB">
    <buffers message="128K" interval="20ms"/>
    <failure heartbeat="5s"/>
    <volume volser="PRIM01" system="SYSA" device="0A80" type="3390" image="sitea/prim01.ckd" secondary="siteb/prim01.ckd"/>
    <volume volser="PRIM02" system="SYSA" device="0A81" type="3390" image="sitea/prim02.ckd" secondary="siteb/prim02.ckd"/>
  </session>
</afterimage>
)";

std::string with(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  CPPUNIT_ASSERT_MESSAGE("the test's text has no " + from, at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string with_all(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) text.replace(at, from.size(), to);
  return text;
}

std::string without_lines(const std::string& text, const std::string& part) {
  std::string out;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at) + 1;
    const std::string line = text.substr(at, end - at);
    if (line.find(part) == std::string::npos) out += line;
    at = end;
  }
  return out;
}

ConfigLoad parse(const std::string& text) { return parse_config(text, "/plex/dsm.xml"); }

std::string all(const ConfigLoad& load) {
  std::string text;
  for (const std::string& error : load.errors) text += error + "\n";
  return text;
}

// The file has exactly these mistakes, each found by a part of its sentence.
void assert_mistakes(const std::string& text, const std::vector<std::string>& parts) {
  const ConfigLoad load = parse(text);
  CPPUNIT_ASSERT_EQUAL_MESSAGE(all(load), parts.size(), load.errors.size());
  for (const std::string& part : parts) CPPUNIT_ASSERT_MESSAGE(all(load) + "lacks " + part, all(load).find(part) != std::string::npos);
}

}  // namespace

class ServiceConfigRules : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ServiceConfigRules);
  CPPUNIT_TEST(testWhatIsLeftOutIsToldOnce);
  CPPUNIT_TEST(testWhatIsTwiceIsTold);
  CPPUNIT_TEST(testPathsThatCannotBe);
  CPPUNIT_TEST(testSegmentNames);
  CPPUNIT_TEST(testActions);
  CPPUNIT_TEST(testAnotherDocument);
  CPPUNIT_TEST(testAPlexNeedsSitesSystemsAndASession);
  CPPUNIT_TEST(testSitesOfASession);
  CPPUNIT_TEST(testAVolumeBelongsToThePrimarysSystems);
  CPPUNIT_TEST(testTooManyVolumes);
  CPPUNIT_TEST(testTheRingIsJudgedWithoutAStorageElement);
  CPPUNIT_TEST(testNamespacesOfOthersAreNoMistake);
  CPPUNIT_TEST(testMistakesAreSortedAndNamed);
  CPPUNIT_TEST(testWritingWhatNoReaderGave);
  CPPUNIT_TEST(testNumbersAndAddresses);
  CPPUNIT_TEST_SUITE_END();

 public:
  void testWhatIsLeftOutIsToldOnce() {
    CPPUNIT_ASSERT_MESSAGE(all(parse(kGood)), parse(kGood).good());
    assert_mistakes(with(kGood, "name=\"DALLAS\" ", ""), {"<session> lacks name"});
    assert_mistakes(with(kGood, " listen=\"127.0.0.1:7101\"", ""), {"<site> lacks listen"});
    assert_mistakes(with_all(with_all(kGood, " listen=\"127.0.0.1:7101\"", ""), " listen=\"127.0.0.1:7102\"", ""),
                    {"line 3: <site> lacks listen", "line 4: <site> lacks listen"});  // and not that both listen on one port
    assert_mistakes(with(with(kGood, " directory=\"sitea\"", ""), " directory=\"siteb\"", ""),
                    {"line 3: <site> lacks directory", "line 4: <site> lacks directory"});  // nor that they share one
    assert_mistakes(with(kGood, " site=\"SITEA\"", ""), {"<system> lacks site"});
    assert_mistakes(with(kGood, " primary=\"SITEA\"", ""), {"<session> lacks primary"});
    assert_mistakes(with(with(kGood, " primary=\"SITEA\"", ""), " secondary=\"SITEB\"", ""),
                    {"<session> lacks primary", "<session> lacks secondary"});
    assert_mistakes(with(kGood, " device=\"0A80\"", ""), {"<volume> lacks device"});
    assert_mistakes(with_all(with_all(kGood, " device=\"0A80\"", ""), " device=\"0A81\"", ""),
                    {"line 10: <volume> lacks device", "line 11: <volume> lacks device"});
    assert_mistakes(with(kGood, " type=\"3390\"", ""), {"<volume> lacks type"});
    assert_mistakes(with(kGood, " system=\"SYSA\"", ""), {"<volume> lacks system"});
    assert_mistakes(with(kGood, " image=\"sitea/prim01.ckd\"", ""), {"<volume> lacks image"});
    assert_mistakes(with_all(with_all(kGood, " volser=\"PRIM01\"", ""), " volser=\"PRIM02\"", ""),
                    {"line 10: <volume> lacks volser", "line 11: <volume> lacks volser"});
  }

  void testWhatIsTwiceIsTold() {
    assert_mistakes(with(kGood, "    <buffers", "    <buffers/>\n    <buffers"), {"a second <buffers>"});
    assert_mistakes(with(kGood, "    <failure", "    <failure/>\n    <failure"), {"a second <failure>"});
    assert_mistakes(with(kGood, "  <storage", "  <storage/>\n  <storage"), {"a second <storage>"});
    assert_mistakes(with(kGood, "  <system", "  <system name=\"SYSA\" site=\"SITEA\"/>\n  <system"),
                    {"System SYSA is defined twice (line 5)"});
  }

  void testPathsThatCannotBe() {
    for (const std::string& path : {std::string("a&#9;b"), std::string("a&#127;b"), std::string("a&quot;b"), std::string(4096, 'x')})
      assert_mistakes(with(kGood, "a.crt", path), {"must be a path of 1 to 4095 characters"});
    const ConfigLoad root = parse(with(kGood, "directory=\"sitea\"", "directory=\"/\""));
    CPPUNIT_ASSERT_MESSAGE(all(root), root.good());
    CPPUNIT_ASSERT_EQUAL(std::string("/"), root.config.sites[0].directory);
    const ConfigLoad dots = parse(with(kGood, "directory=\"sitea\"", "directory=\"x/../sitea/./\""));
    CPPUNIT_ASSERT_EQUAL(std::string("/plex/sitea"), dots.config.sites.at(0).directory);
  }

  void testSegmentNames() {
    const auto segment = [](const std::string& name) { return with(kGood, "chunk=\"512K\"", "chunk=\"512K\" segment=\"" + name + "\""); };
    for (const std::string& name : {std::string("Plex-1_a.Z0z9A"), std::string(100, 'x')}) {
      const ConfigLoad load = parse(segment(name));
      CPPUNIT_ASSERT_MESSAGE(all(load), load.good());
      CPPUNIT_ASSERT_EQUAL(name, load.config.storage.segment);
    }
    for (const std::string& name : {std::string("a{"), std::string("a:"), std::string("a["), std::string("a b"), std::string(101, 'x')})
      assert_mistakes(segment(name), {"at most 100 letters, digits"});
  }

  void testActions() {
    CPPUNIT_ASSERT(parse(kGood).config.sessions.at(0).failure.action == LossAction::kNone);
    const std::pair<const char*, LossAction> actions[] = {
        {"FREEZE", LossAction::kFreeze}, {"RECOVER", LossAction::kRecover}, {"NONE", LossAction::kNone}};
    for (const auto& [word, action] : actions) {
      const ConfigLoad load = parse(with(kGood, "heartbeat=\"5s\"", std::string("action=\"") + word + "\""));
      CPPUNIT_ASSERT_MESSAGE(all(load), load.good());
      CPPUNIT_ASSERT(load.config.sessions.at(0).failure.action == action);
      const ConfigLoad again = parse(write_config(load.config));
      CPPUNIT_ASSERT_MESSAGE(write_config(load.config), again.config == load.config);
    }
  }

  void testAnotherDocument() {
    assert_mistakes(with(with(kGood, "<afterimage ", "<plex "), "</afterimage>", "</plex>"), {"The outermost element is <plex>"});
  }

  void testAPlexNeedsSitesSystemsAndASession() {
    assert_mistakes("<afterimage xmlns=\"urn:afterimage:config:1\" plex=\"P\"/>",
                    {"at least two sites, and 0 is defined", "No system is defined", "No session is defined"});
    assert_mistakes(without_lines(kGood, "<site name=\"SITEB\""),
                    {"at least two sites, and 1 is defined", "names secondary site SITEB, which is not defined (defined: SITEA)"});
    assert_mistakes(without_lines(without_lines(kGood, "<system"), "<volume"),
                    {"No system is defined: add <system", "Session DALLAS has no volume: add at least one <volume>"});
    assert_mistakes(without_lines(kGood, "<site "),
                    {"at least two sites, and 0 is defined", "names site SITEA, which is not defined (defined: none)",
                     "names primary site SITEA, which is not defined (defined: none)",
                     "names secondary site SITEB, which is not defined (defined: none)"});
  }

  void testSitesOfASession() {
    assert_mistakes(with(kGood, " secondary=\"SITEB\"", " secondary=\"SITEA\""),
                    {"has site SITEA as primary and as secondary: name two sites"});
    assert_mistakes(with(kGood, " primary=\"SITEA\"", " primary=\"SITEX\""), {"names primary site SITEX, which is not defined"});
  }

  void testAVolumeBelongsToThePrimarysSystems() {
    const std::string two = with(kGood, "  <system", "  <system name=\"SYSB\" site=\"SITEB\"/>\n  <system");
    assert_mistakes(with(two, "volser=\"PRIM02\" system=\"SYSA\"", "volser=\"PRIM02\" system=\"SYSB\""),
                    {"Volume PRIM02 belongs to system SYSB of site SITEB, and the session's primary site is SITEA"});
  }

  void testTooManyVolumes() {
    Config config = parse(kGood).config;
    const VolumeConfig volume = config.sessions[0].volumes[0];
    config.sessions[0].volumes.clear();
    config.systems.clear();
    for (unsigned system = 0; system < 5; ++system) config.systems.push_back({"SYS" + std::to_string(system), "SITEA", ""});
    for (unsigned i = 0; i <= kMaxDevices; ++i) {
      VolumeConfig more = volume;
      more.volser = more.secondary_volser = "V" + std::to_string(10000 + i);
      more.system = "SYS" + std::to_string(i % 5);
      more.device = static_cast<std::uint16_t>(i);
      more.image += std::to_string(i);
      more.secondary_image += std::to_string(i);
      config.sessions[0].volumes.push_back(more);
    }
    config.storage.ring_bytes = std::uint64_t{4} << 30;
    config.sessions[0].journal.bytes = std::uint64_t{16} << 30;
    assert_mistakes(write_config(config), {"A plex has at most 1024 volumes, and session DALLAS has 1025"});
  }

  // The default ring of 64M holds two default chunks of 256K for each of 128 volumes.
  void testTheRingIsJudgedWithoutAStorageElement() {
    Config config = parse(kGood).config;
    config.storage = {};
    const VolumeConfig volume = config.sessions[0].volumes[0];
    config.sessions[0].volumes.clear();
    const auto add = [&](unsigned i) {
      VolumeConfig more = volume;
      more.volser = more.secondary_volser = "V" + std::to_string(i);
      more.device = static_cast<std::uint16_t>(i);
      more.image += std::to_string(i);
      more.secondary_image += std::to_string(i);
      config.sessions[0].volumes.push_back(more);
    };
    for (unsigned i = 0; i < 128; ++i) add(i);
    CPPUNIT_ASSERT(write_config(config).find("<storage") == std::string::npos);
    CPPUNIT_ASSERT_MESSAGE(all(parse(write_config(config))), parse(write_config(config)).good());
    add(128);
    assert_mistakes(write_config(config), {"line 2: The storage ring of 64M is too small for 129 volumes with chunks of 256K"});
  }

  void testNamespacesOfOthersAreNoMistake() {
    const ConfigLoad load = parse(with(kGood, " plex=", " xmlns:note=\"urn:note\" plex="));
    CPPUNIT_ASSERT_MESSAGE(all(load), load.good());
  }

  void testMistakesAreSortedAndNamed() {
    ConfigMistakes mistakes;
    CPPUNIT_ASSERT(mistakes.empty());
    mistakes.add(12, "Second.");
    mistakes.add(3, "First.");
    mistakes.add(12, "Third.");
    mistakes.add(0, "Of the whole file.");
    CPPUNIT_ASSERT(mistakes.any_between(12, 12) && mistakes.any_between(1, 3) && !mistakes.any_between(4, 11) &&
                   !mistakes.any_between(13, 99));
    const std::vector<std::string> wanted = {"dsm.xml: Of the whole file.", "dsm.xml line 3: First.", "dsm.xml line 12: Second.",
                                             "dsm.xml line 12: Third."};
    CPPUNIT_ASSERT(wanted == mistakes.texts("dsm.xml"));
  }

  // A configuration made by a program: values are written so that the reader gets them back, or refuses them by name.
  void testWritingWhatNoReaderGave() {
    Config config = parse(kGood).config;
    config.sessions[0].failure.action = LossAction::kFreeze;
    CPPUNIT_ASSERT(write_config(config).find("action=\"FREEZE\"") != std::string::npos);
    config.sites[0].key = "/plex/a\"b.key";
    CPPUNIT_ASSERT(write_config(config).find("key=\"a&quot;b.key\"") != std::string::npos);
    config.sites[0].key = "relative.key";  // below no folder: written as it is
    CPPUNIT_ASSERT(write_config(config).find("key=\"relative.key\"") != std::string::npos);
    config.directory.clear();
    CPPUNIT_ASSERT(write_config(config).find("directory=\"/plex/sitea\"") != std::string::npos);
    CPPUNIT_ASSERT(write_config(config).find("key=\"relative.key\"") != std::string::npos);
  }

  void testNumbersAndAddresses() {
    CPPUNIT_ASSERT(parse_count("0") == 0u && parse_count("18446744073709551615") == UINT64_MAX);
    for (const char* text : {"", "x", "1x", "-1", " 1", "18446744073709551616"}) CPPUNIT_ASSERT_MESSAGE(text, !parse_count(text));
    for (const char* text : {"a:x", "a:", "[::1:7101", "::1]:7101", "[]:1", "a/b:1", "noport"})
      CPPUNIT_ASSERT_MESSAGE(text, !parse_host_port(text));
    CPPUNIT_ASSERT(parse_host_port("192.0.2.7:65535")->port == 65535);
    CPPUNIT_ASSERT_EQUAL(std::string("[::1]:7101"), host_port_text("::1", 7101));
    CPPUNIT_ASSERT_EQUAL(std::string("a:7101"), host_port_text("a", 7101));
    CPPUNIT_ASSERT(!parse_size(""));
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ServiceConfigRules);

}  // namespace afterimage
