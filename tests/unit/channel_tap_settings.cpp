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
    const std::string too_long(201, 'a');
    const std::vector<std::vector<std::string_view>> wrong{{},
                                                           {"PLEX", "A"},
                                                           {"PLEX", "A", "SYSTEM"},
                                                           {"PLEX", "TOOLONGNAME", "SYSTEM", "A"},
                                                           {"PLEX", "1A", "SYSTEM", "A"},
                                                           {"PLEX", "", "SYSTEM", "A"},
                                                           {"PLEX", "A:B", "SYSTEM", "A"},
                                                           {"PLEX", "A", "SYSTEM", "B", "STORAGE", ""},
                                                           {"PLEX", "A", "SYSTEM", "B", "STORAGE", too_long},
                                                           {"STORAGE", "a", "SYSTEM", "B"},
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
    CPPUNIT_ASSERT(!tap_settings_from("plexa", "9", nullptr).good());
    CPPUNIT_ASSERT(!tap_settings_from("plexa", "sysb", "a/b").good());
    const auto empty = tap_settings_from("", nullptr, "");
    CPPUNIT_ASSERT(empty.good());
    CPPUNIT_ASSERT((empty.value == TapSettings{}));
    CPPUNIT_ASSERT(!(empty.value == both.value));
    const auto plex_only = tap_settings_from("@plex#1", nullptr, nullptr);
    CPPUNIT_ASSERT((plex_only.value == TapSettings{"@PLEX#1", "", ""}));
    CPPUNIT_ASSERT(!plex_only.value.complete());
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(TapSettingsTest);
