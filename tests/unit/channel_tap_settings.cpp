// The DSM statement and the environment.
#include "channel/tap_settings.h"

#include <cppunit/extensions/HelperMacros.h>

#include <vector>

using namespace afterimage;

class TapSettingsTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(TapSettingsTest);
  CPPUNIT_TEST(testStatementInAnyOrderAndCase);
  CPPUNIT_TEST(testWrongStatementsSayWhatToWrite);
  CPPUNIT_TEST(testEnvironment);
  CPPUNIT_TEST_SUITE_END();

  static Result<TapSettings> parse(std::vector<std::string_view> words) { return parse_tap_settings(words); }

  void testStatementInAnyOrderAndCase() {
    const auto settings = parse({"system", "sysa", "PLEX", "Dallas", "Storage", "seg.1"});
    CPPUNIT_ASSERT_MESSAGE(settings.status.text(), settings.good());
    CPPUNIT_ASSERT((settings.value == TapSettings{"DALLAS", "SYSA", "seg.1"}));
  }

  void testWrongStatementsSayWhatToWrite() {
    const std::vector<std::vector<std::string_view>> wrong{{},
                                                           {"PLEX", "A"},
                                                           {"PLEX", "A", "SYSTEM"},
                                                           {"PLEX", "TOOLONGNAME", "SYSTEM", "A"},
                                                           {"PLEX", "1A", "SYSTEM", "A"},
                                                           {"PLEX", "A", "SYSTEM", "B-C"},
                                                           {"PLEX", "A", "SYSTEM", "B", "COLOUR", "RED"},
                                                           {"PLEX", "A", "SYSTEM", "B", "STORAGE", "a/b"}};
    for (const auto& words : wrong) {
      const auto settings = parse(words);
      CPPUNIT_ASSERT(!settings.good());
      CPPUNIT_ASSERT_MESSAGE(settings.status.text(), settings.status.text().find("PLEX") != std::string::npos ||
                                                         settings.status.text().find("use ") != std::string::npos ||
                                                         settings.status.text().find("both") != std::string::npos);
    }
  }

  void testEnvironment() {
    const auto none = tap_settings_from(nullptr, "", nullptr);
    CPPUNIT_ASSERT(none.good());
    CPPUNIT_ASSERT(!none.value.complete());
    const auto both = tap_settings_from("plexa", "sysb", "name");
    CPPUNIT_ASSERT(both.good());
    CPPUNIT_ASSERT((both.value == TapSettings{"PLEXA", "SYSB", "name"}));
    CPPUNIT_ASSERT(!tap_settings_from("not a name", "sysb", nullptr).good());
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(TapSettingsTest);
