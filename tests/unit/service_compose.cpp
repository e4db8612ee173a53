// io: settings of the nodes from a configuration (service/compose.h), and the words of what a report says.
#include "service/compose.h"

#include <cppunit/extensions/HelperMacros.h>

#include <set>

#include "jcl/message_catalogue.h"
#include "serializer/storage_display.h"
#include "tests/unit/channel_dasd_support.h"

namespace afterimage {
namespace {

using testing::make_image;
using testing::TemporaryDirectory;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class ServiceCompose : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ServiceCompose);
  CPPUNIT_TEST(testEachSiteGetsItsOwn);
  CPPUNIT_TEST(testAnImageThatIsNotThereIsNamed);
  CPPUNIT_TEST(testEachSuspendReasonHasItsWord);
  CPPUNIT_TEST_SUITE_END();

  static Config config_of(const TemporaryDirectory& directory) {
    Config config;
    config.plex = "PLEXT";
    for (const char* name : {"SITEA", "SITEB"}) {
      SiteConfig site;
      site.name = name;
      site.lu = std::string(name) + ".DSMLU";
      site.host = "127.0.0.1";
      site.port = static_cast<std::uint16_t>(7000 + config.sites.size());
      site.directory = directory / name;
      site.certificate = site.key = site.authority = std::string(name) + ".pem";
      config.sites.push_back(site);
    }
    SessionConfig session;
    session.name = "DALLAS";
    session.primary = "SITEA";
    session.secondary = "SITEB";
    for (const char* volser : {"PRIM01", "PRIM02"}) {
      VolumeConfig volume;
      volume.volser = volume.secondary_volser = volser;
      volume.type = 0x3390;
      volume.device = static_cast<std::uint16_t>(0xA80 + session.volumes.size());
      volume.system = "HERC1";
      volume.image = directory / ("a" + std::string(volser));
      volume.secondary_image = directory / ("b" + std::string(volser));
      session.volumes.push_back(volume);
    }
    config.sessions.push_back(session);
    return config;
  }

  void testEachSiteGetsItsOwn() {
    TemporaryDirectory directory;
    const Config config = config_of(directory);
    make_image(directory, "aPRIM01", "3390", "PRIM01", 1);
    make_image(directory, "aPRIM02", "3390", "PRIM02", 2);
    make_image(directory, "bPRIM01", "3390", "PRIM01", 1);
    make_image(directory, "bPRIM02", "3390", "PRIM02", 2);
    const auto primary = primary_settings(config, config.sessions[0]);
    CPPUNIT_ASSERT_MESSAGE(primary.status.text(), primary.good());
    CPPUNIT_ASSERT_EQUAL(std::string("SITEA.DSMLU"), primary.value.mover.local_lu);
    CPPUNIT_ASSERT_EQUAL(std::string("SITEB.DSMLU"), primary.value.peer.lu);
    CPPUNIT_ASSERT_EQUAL(std::uint16_t{7001}, primary.value.peer.port);
    CPPUNIT_ASSERT_EQUAL(std::string("SITEA.pem"), primary.value.tls.certificate);
    CPPUNIT_ASSERT_EQUAL(30u, primary.value.shape.max_tracks);
    CPPUNIT_ASSERT_EQUAL(2u, primary.value.shape.devices);
    const auto secondary = secondary_settings(config, config.sessions[0]);
    CPPUNIT_ASSERT_MESSAGE(secondary.status.text(), secondary.good());
    CPPUNIT_ASSERT_EQUAL(std::string("SITEB.DSMLU"), secondary.value.local.lu);
    CPPUNIT_ASSERT_EQUAL(std::string("SITEA.DSMLU"), secondary.value.peer_lu);
    CPPUNIT_ASSERT_EQUAL(directory / "bPRIM02", secondary.value.images.at(1));
    CPPUNIT_ASSERT_EQUAL(directory / "SITEB", secondary.value.journal.directory);
    CPPUNIT_ASSERT_EQUAL(least_capacity(secondary.value.journal), secondary.value.mover.journal_bytes);
  }

  void testAnImageThatIsNotThereIsNamed() {
    TemporaryDirectory directory;
    const Config config = config_of(directory);
    make_image(directory, "aPRIM01", "3390", "PRIM01", 1);
    const auto primary = primary_settings(config, config.sessions[0]);
    CPPUNIT_ASSERT_MESSAGE(primary.status.text(), has(primary.status.text(), "PRIM02") && has(primary.status.text(), "aPRIM02"));
    const auto secondary = secondary_settings(config, config.sessions[0]);
    CPPUNIT_ASSERT_MESSAGE(secondary.status.text(), has(secondary.status.text(), "bPRIM01"));
  }

  // DSMM112W explains each word that it may show.
  void testEachSuspendReasonHasItsWord() {
    const auto* entry = find_message("DSMM112W");
    CPPUNIT_ASSERT(entry != nullptr);
    const std::string explanation(entry->explanation);
    std::set<std::string> words;
    for (std::uint32_t reason = 1; reason <= static_cast<std::uint32_t>(SuspendReason::kImageChanged); ++reason) {
      const std::string word = text_of(static_cast<SuspendReason>(reason));
      CPPUNIT_ASSERT_MESSAGE(word, words.insert(word).second);
      CPPUNIT_ASSERT_MESSAGE(word, has(explanation, word));
    }
    CPPUNIT_ASSERT_EQUAL(std::string("NONE"), std::string(text_of(SuspendReason::kNone)));
    CPPUNIT_ASSERT_EQUAL(std::string("UNKNOWN"), std::string(text_of(static_cast<SuspendReason>(99))));
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ServiceCompose);

}  // namespace
}  // namespace afterimage
