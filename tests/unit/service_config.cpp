// Configuration files: accepted, refused with every mistake at once, written and read again (service/config.h).
#include "service/config.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <string>

#include "service/config_values.h"
#include "service/config_xml.h"
#include "tests/unit/channel_dasd_support.h"

namespace afterimage {
namespace {

const std::string kGood = R"(<?xml version="1.0"?>
<afterimage xmlns="urn:afterimage:config:1" plex="DSMPLEX">
  <site name="SITEA" lu="SITEA.DSMLU" listen="127.0.0.1:7101" directory="./sitea" certificate="a.crt" key="a.key" authority="ca.crt"/>
  <site name="SITEB" lu="SITEB.DSMLU" listen="127.0.0.1:7102" directory="./siteb" certificate="b.crt" key="b.key" authority="ca.crt"/>
  <system name="SYSA" site="SITEA" hercules="sitea/hercules.cnf"/>
  <storage ring="32M" chunk="512K" segment="test.segment"/>
  <session name="DALLAS" primary="SITEA" secondary="SITEB" errorlevel="SESSION">
    <buffers message="128K" interval="20ms" window="8M" pacelimit="3s" freezelimit="2m"/>
    <journal bytes="112M" files="4"/>
    <failure heartbeat="5s" action="RECOVER"/>
    <volume volser="PRIM01" secvolser="SEC001" system="SYSA" device="0A80" type="3390" image="sitea/prim01.ckd" secondary="siteb/prim01.ckd"/>
    <volume volser="111111" system="SYSA" device="a81" type="3350" image="/dasd/x_1.ckd" secondary="siteb/x_1.ckd"/>
  </session>
</afterimage>
)";

std::string with(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  CPPUNIT_ASSERT_MESSAGE("the test's text has no " + from, at != std::string::npos);
  return text.replace(at, from.size(), to);
}

std::string all(const ConfigLoad& load) {
  std::string text;
  for (const std::string& error : load.errors) text += error + "\n";
  return text;
}

ConfigLoad parse(const std::string& text) { return parse_config(text, "/plex/dsm.xml"); }

// One change to the good text gives exactly one sentence, at that line, with those words, and ends in a full stop.
void assert_one(const std::string& from, const std::string& to, int line, const std::string& words) {
  const ConfigLoad load = parse(with(kGood, from, to));
  CPPUNIT_ASSERT_EQUAL_MESSAGE(to + "\n" + all(load), std::size_t{1}, load.errors.size());
  const std::string& error = load.errors[0];
  CPPUNIT_ASSERT_MESSAGE(error, error.starts_with("/plex/dsm.xml line " + std::to_string(line) + ": "));
  CPPUNIT_ASSERT_MESSAGE(error, error.find(words) != std::string::npos);
  CPPUNIT_ASSERT_EQUAL_MESSAGE(error, '.', error.back());
}

class ServiceConfig : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ServiceConfig);
  CPPUNIT_TEST(testEverythingIsRead);
  CPPUNIT_TEST(testDefaults);
  CPPUNIT_TEST(testEachMistakeHasItsLineAndRemedy);
  CPPUNIT_TEST(testAllMistakesAtOnce);
  CPPUNIT_TEST(testLinesOfTagsOverSeveralLines);
  CPPUNIT_TEST(testSchemaItselfRefusesWhatTheCodeRefuses);
  CPPUNIT_TEST(testNotXmlIsOneSentence);
  CPPUNIT_TEST(testNothingOutsideTheFileIsRead);
  CPPUNIT_TEST(testFileProblems);
  CPPUNIT_TEST(testHostsDecideWhatIsShared);
  CPPUNIT_TEST(testBoundsOfAPlex);
  CPPUNIT_TEST(testWriteAndReadAgainIsEqual);
  CPPUNIT_TEST(testTheDocumentedExampleIsValid);
  CPPUNIT_TEST(testValueForms);
  CPPUNIT_TEST_SUITE_END();

 public:
  void testEverythingIsRead() {
    const ConfigLoad load = parse(kGood);
    CPPUNIT_ASSERT_MESSAGE(all(load), load.good());
    const Config& c = load.config;
    CPPUNIT_ASSERT_EQUAL(std::string("DSMPLEX"), c.plex);
    CPPUNIT_ASSERT_EQUAL(std::string("/plex/dsm.xml"), c.path);
    const SiteConfig* b = c.site("SITEB");
    CPPUNIT_ASSERT(b != nullptr && c.site("SITEC") == nullptr);
    CPPUNIT_ASSERT_EQUAL(std::string("SITEB.DSMLU"), b->lu);
    CPPUNIT_ASSERT_EQUAL(std::string("127.0.0.1"), b->host);
    CPPUNIT_ASSERT_EQUAL(std::uint16_t{7102}, b->port);
    CPPUNIT_ASSERT_EQUAL(std::string("/plex/siteb"), b->directory);
    CPPUNIT_ASSERT_EQUAL(std::string("/plex/b.key"), b->key);
    CPPUNIT_ASSERT_EQUAL(std::string("/plex/sitea/hercules.cnf"), c.system_named("SYSA")->hercules);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{32} << 20, c.storage.ring_bytes);
    CPPUNIT_ASSERT_EQUAL(512u << 10, c.storage.chunk_bytes);
    CPPUNIT_ASSERT_EQUAL(std::string("test.segment"), c.storage.segment);
    const SessionConfig* s = c.session("DALLAS");
    CPPUNIT_ASSERT_EQUAL(128u << 10, s->buffers.message_bytes);
    CPPUNIT_ASSERT_EQUAL(20u, s->buffers.interval_ms);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{8} << 20, s->buffers.window_bytes);
    CPPUNIT_ASSERT_EQUAL(3000u, s->buffers.pace_limit_ms);
    CPPUNIT_ASSERT_EQUAL(120000u, s->buffers.freeze_limit_ms);
    CPPUNIT_ASSERT_EQUAL(4u, s->journal.files);
    CPPUNIT_ASSERT_EQUAL(5000u, s->failure.heartbeat_ms);
    CPPUNIT_ASSERT(s->failure.action == LossAction::kRecover);
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, s->volumes.size());
    CPPUNIT_ASSERT_EQUAL(std::uint16_t{0x0A81}, s->volumes[1].device);
    CPPUNIT_ASSERT_EQUAL(std::uint16_t{0x3350}, s->volumes[1].type);
    CPPUNIT_ASSERT_EQUAL(std::string("111111"), s->volumes[1].secondary_volser);
    CPPUNIT_ASSERT_EQUAL(std::string("/dasd/x_1.ckd"), s->volumes[1].image);
    CPPUNIT_ASSERT_EQUAL(std::string("/plex/siteb/x_1.ckd"), s->volumes[1].secondary_image);
  }

  void testDefaults() {
    std::string text = kGood;
    for (const char* element : {"    <buffers", "    <journal", "    <failure", "  <storage"}) {
      const std::size_t at = text.find(element);
      text.erase(at, text.find('\n', at) + 1 - at);
    }
    text = with(text, " errorlevel=\"SESSION\"", "");
    const ConfigLoad load = parse(text);
    CPPUNIT_ASSERT_MESSAGE(all(load), load.good());
    CPPUNIT_ASSERT(load.config.storage == StorageConfig{});
    CPPUNIT_ASSERT(load.config.sessions[0].buffers == BufferConfig{});
    CPPUNIT_ASSERT(load.config.sessions[0].journal == JournalConfig{});
    CPPUNIT_ASSERT(load.config.sessions[0].failure == FailureConfig{});
  }

  void testEachMistakeHasItsLineAndRemedy() {
    assert_one("plex=\"DSMPLEX\"", "plex=\"dsmplex\"", 2, "1 to 8 characters of A-Z 0-9 @ # $");
    const std::string third =
        "  <site name=\"SITEA\" lu=\"C.C\" listen=\"127.0.0.1:7103\" directory=\"c\" certificate=\"c\" key=\"c\" authority=\"c\"/>\n";
    assert_one("  <system", third + "  <system", 5, "Site SITEA is defined twice (line 3)");
    assert_one("lu=\"SITEB.DSMLU\"", "lu=\"DSMLU\"", 4, "NETID.NAME");
    assert_one("lu=\"SITEB.DSMLU\"", "lu=\"SITEA.DSMLU\"", 4, "LU SITEA.DSMLU belongs to another site already (line 3)");
    assert_one("127.0.0.1:7102", "127.0.0.1:70102", 4, "port of 1 to 65535");
    assert_one("127.0.0.1:7102", "127.0.0.1", 4, "host:port");
    assert_one("127.0.0.1:7102", "localhost:7101", 4, "listen on port 7101 of one host");
    assert_one("directory=\"./siteb\"", "directory=\"sitea/.\"", 4, "share the directory /plex/sitea");
    assert_one(" key=\"b.key\"", "", 4, "<site> lacks key: add key=\"...\"");
    assert_one(" key=\"b.key\"", " key=\"\"", 4, "must be a path");
    assert_one(" key=\"b.key\"", " key=\"b.key\" keys=\"x\"", 4, "<site> has no attribute keys");
    assert_one("site=\"SITEA\" hercules", "site=\"SITEC\" hercules", 5, "names site SITEC, which is not defined (defined: SITEA, SITEB)");
    assert_one("ring=\"32M\"", "ring=\"9G\"", 6, "must be 512K to 4G");
    assert_one("ring=\"32M\"", "ring=\"32MB\"", 6, "a size such as 262144, 256K or 64M");
    assert_one("chunk=\"512K\"", "chunk=\"64K\"", 6, "must be 256K to 16M");
    assert_one("chunk=\"512K\"", "chunk=\"524289\"", 6, "multiple of 4K");
    assert_one("test.segment", "a/b", 6, "at most 100 letters");
    assert_one("secondary=\"SITEB\" error", "secondary=\"SITEX\" error", 7, "secondary site SITEX, which is not defined");
    assert_one("errorlevel=\"SESSION\"", "errorlevel=\"VOLUME\"", 7, "must be SESSION");
    assert_one("window=\"8M\"", "window=\"64M\"", 7, "window of 64M, and the storage ring holds 32M");
    assert_one("message=\"128K\"", "message=\"5M\"", 8, "must be 4K to 4M");
    assert_one("interval=\"20ms\"", "interval=\"20\"", 8, "an interval such as 10ms, 2s or 5m");
    assert_one("freezelimit=\"2m\"", "freezelimit=\"2h\"", 8, "an interval such as");
    assert_one("bytes=\"112M\"", "bytes=\"8M\"", 7, "journal files of 2M each");
    assert_one("bytes=\"112M\"", "bytes=\"52M\"", 7, "a journal that holds at least 39M, all files but one, and a storage ring of 32M");
    assert_one("files=\"4\"", "files=\"1\"", 9, "must be 2 to 16");
    assert_one("action=\"RECOVER\"", "action=\"PANIC\"", 10, "FREEZE, RECOVER or NONE");
    assert_one("heartbeat=\"5s\"", "heartbeat=\"1s\"", 10, "must be 2s to 60m");
    assert_one("volser=\"PRIM01\"", "volser=\"PRIM0001\"", 11, "1 to 6 characters");
    assert_one("volser=\"111111\"", "volser=\"PRIM01\"", 12, "Volume PRIM01 is in the session twice (line 11)");
    assert_one("secvolser=\"SEC001\"", "secvolser=\"111111\"", 12, "Secondary volser 111111 is in the session twice");
    assert_one("system=\"SYSA\" device=\"a81\"", "system=\"SYSX\" device=\"a81\"", 12,
               "names system SYSX, which is not defined (defined: SYSA)");
    assert_one("device=\"a81\"", "device=\"A80\"", 12, "Device 0A80 of system SYSA is used twice (line 11)");
    assert_one("device=\"a81\"", "device=\"G81\"", 12, "1 to 4 hexadecimal digits");
    assert_one("type=\"3350\"", "type=\"3370\"", 12, "one of 2305, 2311");
    assert_one("/dasd/x_1.ckd", "sitea/../sitea/prim01.ckd", 12, "Image /plex/sitea/prim01.ckd is used twice (line 11)");
    assert_one("siteb/x_1.ckd", "/dasd/x_1.ckd", 12, "Image /dasd/x_1.ckd is used twice (line 12)");
    assert_one("    <journal", "    <journals/>\n    <journal", 9, "<journals> is not known inside <session>");
    assert_one("    <journal", "    <journal/>\n    <journal", 10, "a second <journal>");
    assert_one("  <storage", "  <volume/>\n  <storage", 6, "<volume> is not known inside <afterimage>");
    assert_one("    <journal", "    stray\n    <journal", 10, "There is text between the elements");
    assert_one("xmlns=\"urn:afterimage:config:1\"", "xmlns=\"urn:other\"", 2, "xmlns=\"urn:afterimage:config:1\"");
    const std::string second =
        "  <session name=\"OTHER\" primary=\"SITEA\" secondary=\"SITEB\"><volume volser=\"V\" system=\"SYSA\" device=\"1\" type=\"3390\" "
        "image=\"v\" secondary=\"w\"/></session>\n</afterimage>";
    assert_one("</afterimage>", second, 14, "A plex has one session");
  }

  void testAllMistakesAtOnce() {
    std::string text = with(kGood, "name=\"SITEB\"", "name=\"siteb\"");
    text = with(text, "chunk=\"512K\"", "chunk=\"x\"");
    text = with(text, "type=\"3390\"", "type=\"9999\"");
    text = with(text, "device=\"a81\"", "device=\"A80\"");
    text = with(text, "<failure", "<failures/><failure");
    const ConfigLoad load = parse(text);
    // The session's secondary, SITEB, is then not defined either.
    CPPUNIT_ASSERT_EQUAL_MESSAGE(all(load), std::size_t{6}, load.errors.size());
    const char* expected[] = {"line 4: ", "line 6: ", "line 7: ", "line 10: ", "line 11: ", "line 12: "};
    for (std::size_t i = 0; i < 6; ++i) CPPUNIT_ASSERT_MESSAGE(all(load), load.errors[i].find(expected[i]) != std::string::npos);
  }

  void testLinesOfTagsOverSeveralLines() {
    const std::string text = with(kGood, " device=\"0A80\" type=\"3390\" image", "\n device=\"0A80\"\n type = \"9999\"\n image");
    const ConfigLoad load = parse(text);
    CPPUNIT_ASSERT_EQUAL_MESSAGE(all(load), std::size_t{1}, load.errors.size());
    CPPUNIT_ASSERT_MESSAGE(all(load), load.errors[0].find("line 13: type=\"9999\"") != std::string::npos);
  }

  // The schema is what editors and other programs validate with: it must not allow what the code refuses by form.
  void testSchemaItselfRefusesWhatTheCodeRefuses() {
    CPPUNIT_ASSERT(read_xml(kGood).schema.empty());
    const std::pair<std::string, std::string> changes[] = {{"plex=\"DSMPLEX\"", "plex=\"1PLEX\""},
                                                           {"lu=\"SITEB.DSMLU\"", "lu=\"DSMLU\""},
                                                           {"127.0.0.1:7102", "127.0.0.1"},
                                                           {" key=\"b.key\"", ""},
                                                           {" key=\"b.key\"", " key=\"\""},
                                                           {"site=\"SITEA\" her", "site=\"SITEA\" x=\"\" her"},
                                                           {"ring=\"32M\"", "ring=\"32MB\""},
                                                           {"test.segment", "a/b"},
                                                           {"\"SESSION\"", "\"VOLUME\""},
                                                           {"20ms", "20"},
                                                           {"files=\"4\"", "files=\"1\""},
                                                           {"RECOVER", "PANIC"},
                                                           {"\"111111\"", "\"1111111\""},
                                                           {"\"a81\"", "\"0A81F\""},
                                                           {"3350", "3370"},
                                                           {"<journal ", "<journals "},
                                                           {"<storage ", "<volume/><storage "},
                                                           {"<journal ", "x<journal "},
                                                           {"urn:afterimage:config:1", "urn:other"}};
    for (const auto& [from, to] : changes) {
      const XmlDocument document = read_xml(with(kGood, from, to));
      CPPUNIT_ASSERT_MESSAGE(to, !document.schema.empty() && document.fatal.empty());
      CPPUNIT_ASSERT(document.schema[0].line > 1);
    }
  }

  void testNotXmlIsOneSentence() {
    for (const std::string& text :
         {std::string(), std::string("0A80 3390 x.ckd\n"), with(kGood, "</session>", ""), with(kGood, "<storage", "<storage <"),
          with(kGood, "<?xml version=\"1.0\"?>", "<?xml version=\"1.0\" encoding=\"KLINGON\"?>"), with(kGood, "a.crt", "\xFF\xFE"),
          with(kGood, "a.crt", "&undefined;"), std::string(1000, '<')}) {
      const ConfigLoad load = parse(text);
      CPPUNIT_ASSERT_EQUAL_MESSAGE(text + all(load), std::size_t{1}, load.errors.size());
      CPPUNIT_ASSERT_MESSAGE(all(load), load.errors[0].starts_with("/plex/dsm.xml line "));
    }
    std::string deep = "<afterimage xmlns=\"urn:afterimage:config:1\" plex=\"P\">";
    for (int i = 0; i < 100000; ++i) deep += "<site>";
    const ConfigLoad load = parse(deep);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, load.errors.size());
    CPPUNIT_ASSERT(load.errors[0].find("nested") != std::string::npos);
  }

  void testNothingOutsideTheFileIsRead() {
    testing::TemporaryDirectory directory;
    testing::write_text(directory / "secret", "SITEZ");
    const std::string file = "file://" + (directory / "secret");
    const std::string doctypes[] = {"<!DOCTYPE afterimage SYSTEM \"" + file + "\">",
                                    "<!DOCTYPE afterimage [<!ENTITY s SYSTEM \"" + file + "\">]>",
                                    "<!DOCTYPE afterimage [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;\">]>"};
    for (const std::string& doctype : doctypes) {
      const std::string text = with(with(kGood, "<afterimage", doctype + "<afterimage"), "name=\"SYSA\"", "name=\"&s;\"");
      const ConfigLoad load = parse(text);
      CPPUNIT_ASSERT_EQUAL_MESSAGE(all(load), std::size_t{1}, load.errors.size());
      CPPUNIT_ASSERT_MESSAGE(all(load),
                             load.errors[0].find("line 2: A configuration has no document type declaration") != std::string::npos);
    }
    // Another schema, named in the text, must not replace ours.
    testing::write_text(directory / "any.xsd",
                        "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\" targetNamespace=\"urn:afterimage:config:1\"/>");
    const std::string hint = " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xsi:schemaLocation=\"urn:afterimage:config:1 " +
                             (directory / "any.xsd") + "\"";
    const ConfigLoad load = parse(with(kGood, " plex=", hint + " plex="));
    CPPUNIT_ASSERT_MESSAGE(all(load), load.good());
  }

  void testFileProblems() {
    testing::TemporaryDirectory directory;
    const auto one = [&](const std::string& path, const std::string& words) {
      const ConfigLoad load = load_config(path);
      CPPUNIT_ASSERT_EQUAL(std::size_t{1}, load.errors.size());
      CPPUNIT_ASSERT_MESSAGE(all(load), load.errors[0].find(words) != std::string::npos && load.errors[0].find(path) != std::string::npos);
    };
    one(directory / "none.xml", "There is no configuration file");
    one(directory.path(), "not a regular file");
    testing::write_text(directory / "huge.xml", std::string((4u << 20) + 1, ' '));
    one(directory / "huge.xml", "bytes");
    testing::write_text(directory / "dsm.xml", kGood);
    const ConfigLoad load = load_config(directory / "dsm.xml");
    CPPUNIT_ASSERT_MESSAGE(all(load), load.good());
    CPPUNIT_ASSERT_EQUAL(directory / "sitea", load.config.sites[0].directory);
  }

  void testHostsDecideWhatIsShared() {
    // On two hosts the same port, directory and image path are two things.
    std::string text = with(kGood, "127.0.0.1:7102", "siteb.example:7101");
    text = with(text, "./siteb", "./sitea");
    text = with(text, "siteb/x_1.ckd", "/dasd/x_1.ckd");
    CPPUNIT_ASSERT_MESSAGE(all(parse(text)), parse(text).good());
    // Within one site they are not.
    text = with(text, "/dasd/x_1.ckd\"/>", "siteb/prim01.ckd\"/>");
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, parse(text).errors.size());
  }

  void testBoundsOfAPlex() {
    Config config = parse(kGood).config;
    const VolumeConfig volume = config.sessions[0].volumes[0];
    for (int i = 0; i < 300; ++i) {
      VolumeConfig more = volume;
      more.volser = more.secondary_volser = "V" + std::to_string(1000 + i);
      more.device = static_cast<std::uint16_t>(0x1000 + i);
      more.image += std::to_string(i);
      more.secondary_image += std::to_string(i);
      config.sessions[0].volumes.push_back(more);
    }
    for (int i = 0; i < 20; ++i) config.systems.push_back({"S" + std::to_string(i), "SITEA", ""});
    const ConfigLoad load = parse(write_config(config));
    CPPUNIT_ASSERT_EQUAL_MESSAGE(all(load), std::size_t{3}, load.errors.size());
    CPPUNIT_ASSERT_MESSAGE(all(load),
                           all(load).find("too small for 302 volumes with chunks of 512K: it needs at least 302M") != std::string::npos);
    CPPUNIT_ASSERT_MESSAGE(all(load), all(load).find("at most 16 systems, and 21 are defined") != std::string::npos);
    CPPUNIT_ASSERT_MESSAGE(all(load), all(load).find("more than 256 volumes") != std::string::npos);
    config.sessions[0].volumes.resize(1);
    config.sessions[0].volumes[0].image = "/" + std::string(600, 'x');
    config.systems.resize(1);
    CPPUNIT_ASSERT(all(parse(write_config(config))).find("601 characters, and 511 is the limit") != std::string::npos);
  }

  void testWriteAndReadAgainIsEqual() {
    const Config config = parse(kGood).config;
    const std::string text = write_config(config);
    const ConfigLoad again = parse(text);
    CPPUNIT_ASSERT_MESSAGE(text + all(again), again.good());
    CPPUNIT_ASSERT_MESSAGE(text, again.config == config);
    CPPUNIT_ASSERT_EQUAL(text, write_config(again.config));
    CPPUNIT_ASSERT(text.find("image=\"sitea/prim01.ckd\"") != std::string::npos);
    CPPUNIT_ASSERT(text.find("image=\"/dasd/x_1.ckd\"") != std::string::npos);
    Config odd = config;
    odd.storage = {};
    odd.sessions[0].buffers = {};
    odd.sessions[0].journal = {};
    odd.sessions[0].failure = {};
    odd.sites[0].host = "::1";
    odd.sites[0].directory = "/plex";
    odd.sites[0].key = "/plex/a <&> 'b'.key";
    odd.sessions[0].volumes[0].image = "/plexus/\xC3\xA9.ckd";
    const ConfigLoad odd_again = parse(write_config(odd));
    CPPUNIT_ASSERT_MESSAGE(all(odd_again), odd_again.good());
    CPPUNIT_ASSERT_MESSAGE(write_config(odd), odd_again.config == odd);
  }

  void testTheDocumentedExampleIsValid() {
    const auto bytes = testing::read_file(TEST_SOURCE_DIR "/../docs/CONFIGURATION.md");
    const std::string document(bytes.begin(), bytes.end());
    const std::size_t begin = document.find("```xml\n") + 7;
    const ConfigLoad load = parse(document.substr(begin, document.find("```", begin) - begin));
    CPPUNIT_ASSERT_MESSAGE(all(load), load.good());
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, load.config.sessions.at(0).volumes.size());
    // It states the defaults, so that they cannot drift from the tables beside it.
    CPPUNIT_ASSERT(load.config.storage == StorageConfig{});
    CPPUNIT_ASSERT(load.config.sessions[0].buffers == BufferConfig{});
    CPPUNIT_ASSERT(load.config.sessions[0].journal == JournalConfig{});
    CPPUNIT_ASSERT(load.config.sessions[0].failure == FailureConfig{});
  }

  void testValueForms() {
    CPPUNIT_ASSERT(is_name("A") && is_name("@#$45678") && !is_name("") && !is_name("1A") && !is_name("ABCDEFGHI") && !is_name("a"));
    CPPUNIT_ASSERT(is_volser("1") && is_volser("A-B@#$") && !is_volser("ABCDEFG") && !is_volser("A B"));
    CPPUNIT_ASSERT(is_network_lu_name("A.B") && !is_network_lu_name("A.") && !is_network_lu_name("A.B.C") && !is_network_lu_name("A"));
    CPPUNIT_ASSERT(parse_size("4G") == std::uint64_t{4} << 30 && parse_size("0") == 0u && !parse_size("K") && !parse_size("-1") &&
                   !parse_size("1T"));
    CPPUNIT_ASSERT(!parse_size("18446744073709551615K") && !parse_size("99999999999999999999") && parse_size("18446744073709551615"));
    CPPUNIT_ASSERT(parse_interval_ms("2s") == 2000u && parse_interval_ms("0ms") == 0u && !parse_interval_ms("2") &&
                   !parse_interval_ms("s"));
    CPPUNIT_ASSERT_EQUAL(std::string("1500ms"), interval_text(1500));
    CPPUNIT_ASSERT_EQUAL(std::string("0ms"), interval_text(0));
    CPPUNIT_ASSERT_EQUAL(std::string("1025K"), size_text(1025u << 10));
    CPPUNIT_ASSERT(parse_device_number("FFFF") == 0xFFFF && !parse_device_number("10000") && !parse_device_number("") &&
                   !parse_device_number("0x1"));
    CPPUNIT_ASSERT(parse_host_port("[::1]:1")->host == "::1" && !parse_host_port("::1:1") && !parse_host_port("a:0") &&
                   !parse_host_port(":1"));
    CPPUNIT_ASSERT(!parse_host_port("a b:1") && !parse_host_port("[a]:1") && !parse_host_port("a:65536"));
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ServiceConfig);

}  // namespace
}  // namespace afterimage
