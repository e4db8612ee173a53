// io: the session state file (service/session_state_file.h): what is saved is loaded, and what cannot be believed is refused by name.
#include "service/session_state_file.h"

#include <cppunit/extensions/HelperMacros.h>

#include "tests/unit/channel_dasd_support.h"

namespace afterimage {
namespace {

using testing::TemporaryDirectory;
using testing::write_text;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

class ServiceSessionStateFile : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ServiceSessionStateFile);
  CPPUNIT_TEST(testWhatIsSavedIsLoaded);
  CPPUNIT_TEST(testAbsentIsEmpty);
  CPPUNIT_TEST(testDamagedIsRefusedByName);
  CPPUNIT_TEST(testUnreadableIsNotAbsent);
  CPPUNIT_TEST(testUnwritableSaysWhy);
  CPPUNIT_TEST_SUITE_END();

  static SessionStateFile file_at(const std::string& path) {
    SessionStateFile file;
    file.set_path(path);
    return file;
  }

  void testWhatIsSavedIsLoaded() {
    TemporaryDirectory directory;
    const SessionStateFile file = file_at(directory / "session.state");
    CPPUNIT_ASSERT(file.save({"DALLAS", ~0ull, 12, 34, true}).good());
    const auto loaded = file.load();
    CPPUNIT_ASSERT(loaded.good());
    CPPUNIT_ASSERT_EQUAL(std::string("DALLAS"), loaded.value.session);
    CPPUNIT_ASSERT(loaded.value.epoch == ~0ull && loaded.value.first_sequence == 12 && loaded.value.storage_id == 34);
    CPPUNIT_ASSERT(loaded.value.active);
    CPPUNIT_ASSERT(file.save({"DALLAS", 0, 0, 34, false}).good());
    CPPUNIT_ASSERT(!file.load().value.active);
  }

  void testAbsentIsEmpty() {
    TemporaryDirectory directory;
    const auto loaded = file_at(directory / "session.state").load();
    CPPUNIT_ASSERT(loaded.good());
    CPPUNIT_ASSERT(!loaded.value.active && loaded.value.epoch == 0);
  }

  void testDamagedIsRefusedByName() {
    TemporaryDirectory directory;
    const std::string path = directory / "session.state";
    const std::string lines = "session=DALLAS\nepoch=5\nfirst=1\nstorage=7\nactive=1\n", whole = lines + "crc=4157941246\n";
    for (const std::string& text :
         {std::string(), std::string("no equals sign\n"), std::string("session"), std::string("sessions=DALLAS\n"),
          std::string("session=DALLAS\nepoch=5\nfirst=1\n"), std::string("session=DALLAS\nepoch=5x\nfirst=1\nstorage=7\nactive=1\n"),
          std::string("session=DALLAS\nepoch=99999999999999999999\nfirst=1\nstorage=7\nactive=1\n"),
          // Nothing this program writes: another form of a number, a doubled, a foreign or a cut line, no name.
          std::string("session=DALLAS\nepoch=05\nfirst=1\nstorage=7\nactive=1\n"),
          std::string("session=DALLAS\nepoch=5\nfirst=1\nstorage=7\nactive=2\n"),
          std::string("session=DALLAS\nepoch=5\nepoch=6\nfirst=1\nstorage=7\nactive=1\n"),
          std::string("session=DALLAS\nepoch=5\nfirst=1\nstorage=7\nactive=1\nmore=1\n"),
          std::string("session=DALLAS\nepoch=5\nfirst=1\nstorage=7\nactive=1"),
          std::string("session=dallas\nepoch=5\nfirst=1\nstorage=7\nactive=1\n"), std::string("epoch=5\nfirst=1\nstorage=7\nactive=1\n"),
          lines, lines + "crc=1\n", whole + std::string(300, '\n')}) {
      write_text(path, text);
      const auto loaded = file_at(path).load();
      CPPUNIT_ASSERT_MESSAGE(text, !loaded.good());
      CPPUNIT_ASSERT_MESSAGE(loaded.status.text(), has(loaded.status.text(), path) && has(loaded.status.text(), "is damaged"));
    }
    write_text(path, whole);
    CPPUNIT_ASSERT(file_at(path).load().good());
    for (std::size_t i = 0; i < whole.size(); ++i) {
      std::string flipped = whole;
      flipped[i] = static_cast<char>(flipped[i] ^ 1);  // makes another digit of a digit
      write_text(path, flipped);
      CPPUNIT_ASSERT_MESSAGE(flipped, !file_at(path).load().good());
    }
  }

  // What cannot be read would otherwise pass for a site that never had a session.
  void testUnreadableIsNotAbsent() {
    TemporaryDirectory directory;
    std::filesystem::create_directory(directory / "session.state");
    CPPUNIT_ASSERT(!file_at(directory / "session.state").load().good());
  }

  void testUnwritableSaysWhy() {
    TemporaryDirectory directory;
    const auto nowhere = file_at(directory / "absent/session.state").save({"DALLAS", 1, 1, 1, true});
    CPPUNIT_ASSERT(has(nowhere.text(), "No such file or directory"));
    std::filesystem::create_directories(directory / "session.state/in-the-way");
    const auto blocked = file_at(directory / "session.state").save({"DALLAS", 1, 1, 1, true});
    CPPUNIT_ASSERT(!blocked.good());
    CPPUNIT_ASSERT_MESSAGE(blocked.text(), has(blocked.text(), "directory"));
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ServiceSessionStateFile);

}  // namespace
}  // namespace afterimage
