// The catalogue: form and order of every entry, formatting, and its agreement with the documentation and with what the service says.
// AFTERIMAGE_REWRITE=1 writes docs/messages/operator.md anew from the catalogue.
#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <string>

#include "jcl/message_catalogue.h"

using namespace afterimage;

namespace {

const std::filesystem::path kRoot = std::filesystem::path(TEST_SOURCE_DIR).parent_path();

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path);
  CPPUNIT_ASSERT_MESSAGE("cannot read " + path.string(), in.good());
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::size_t variables(std::string_view text) { return static_cast<std::size_t>(std::count(text.begin(), text.end(), '<')); }

}  // namespace

class MessageCatalogueTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(MessageCatalogueTest);
  CPPUNIT_TEST(testEveryEntryIsWellFormed);
  CPPUNIT_TEST(testFormatting);
  CPPUNIT_TEST(testWrongCallsAreRefusedAndLoseNothing);
  CPPUNIT_TEST(testArgumentsCannotStartALine);
  CPPUNIT_TEST(testDocumentationIsTheCatalogue);
  CPPUNIT_TEST(testEveryMessageTheServiceNamesIsInTheCatalogue);
  CPPUNIT_TEST_SUITE_END();

 public:
  void testEveryEntryIsWellFormed() {
    const std::regex id_form("DSM[OAMLS][0-9]{3}[IWESAD]");
    const std::regex text_form("[^<>]*(<[A-Z]+>[^<>]*)*");
    std::string before;
    std::set<std::string> numbers;
    for (const MessageEntry& entry : message_catalogue()) {
      const std::string id(entry.id);
      CPPUNIT_ASSERT_MESSAGE(id, std::regex_match(id, id_form));
      CPPUNIT_ASSERT_MESSAGE(id + " is not behind " + before, before < id);
      CPPUNIT_ASSERT_MESSAGE(id + " differs from another only in severity", numbers.insert(id.substr(0, 7)).second);
      CPPUNIT_ASSERT_MESSAGE(id, std::regex_match(std::string(entry.text), text_form));
      CPPUNIT_ASSERT_MESSAGE(id, entry.text.size() >= 3 && entry.text.size() < 200);
      for (const auto part : {entry.explanation, entry.system_action, entry.operator_response}) {
        CPPUNIT_ASSERT_MESSAGE(id + ": " + std::string(part), part.size() >= 5 && (part.back() == '.' || part.back() == ')'));
      }
      before = id;
    }
    CPPUNIT_ASSERT(message_catalogue().size() > 80);
  }

  void testFormatting() {
    CPPUNIT_ASSERT_EQUAL(std::string("DSMM104I SESSION DALLAS ENDED AT SEQUENCE 4711"), message("DSMM104I", {"DALLAS", "4711"}));
    CPPUNIT_ASSERT_EQUAL(std::string("DSMO299I END"), message("DSMO299I"));
    CPPUNIT_ASSERT_EQUAL(std::string("DSMO300I A <B> C"), message("DSMO300I", {"A <B> C"}));
    for (const MessageEntry& entry : message_catalogue()) {
      const std::vector<std::string> arguments(variables(entry.text), "x");
      const std::string line = message(entry.id, arguments);
      CPPUNIT_ASSERT_MESSAGE(line, line.starts_with(std::string(entry.id) + " ") && line.find('<') == std::string::npos);
    }
  }

  void testWrongCallsAreRefusedAndLoseNothing() {
    CPPUNIT_ASSERT(!format_message("DSMM104I", {"DALLAS"}).good());
    CPPUNIT_ASSERT(!format_message("DSMM104I", {"DALLAS", "1", "2"}).good());
    CPPUNIT_ASSERT(!format_message("DSMM000I", {}).good());
    CPPUNIT_ASSERT(find_message("DSMM000I") == nullptr);
    CPPUNIT_ASSERT(find_message("") == nullptr);
    CPPUNIT_ASSERT(find_message("ZZZZ999Z") == nullptr);  // behind the last
    const std::string line = message("DSMM104I", {"DALLAS"});
    CPPUNIT_ASSERT_EQUAL(std::string("DSMO999S MESSAGE DSMM104I CANNOT BE FORMATTED: (DALLAS)"), line);
  }

  void testArgumentsCannotStartALine() {
    const std::string line = message("DSML102W", {"SITEB.DSMLU", "bad\nDSMM141I SESSION\x7f\x1b[2J"});
    CPPUNIT_ASSERT(line.find('\n') == std::string::npos);
    CPPUNIT_ASSERT(line.find("bad.DSMM141I SESSION..[2J") != std::string::npos);
    CPPUNIT_ASSERT(message("DSML102W", {"X", std::string(100'000, 'y')}).size() < 3000);
  }

  void testDocumentationIsTheCatalogue() {
    const std::filesystem::path path = kRoot / "docs/messages/operator.md";
    if (std::getenv("AFTERIMAGE_REWRITE") != nullptr) std::ofstream(path) << catalogue_markdown();
    CPPUNIT_ASSERT_MESSAGE("docs/messages/operator.md differs from the catalogue: run unit_jcl with AFTERIMAGE_REWRITE=1",
                           read_file(path) == catalogue_markdown());
  }

  void testEveryMessageTheServiceNamesIsInTheCatalogue() {
    const std::regex named("DSM[OAMLS][0-9]{3}[IWESAD]");
    std::size_t seen = 0;
    for (const char* folder : {"service", "docs"}) {
      for (const auto& file : std::filesystem::directory_iterator(kRoot / folder)) {
        const std::string extension = file.path().extension().string();
        if (extension != ".cpp" && extension != ".h" && file.path().filename() != "OPERATIONS.md") continue;
        const std::string text = read_file(file.path());
        for (std::sregex_iterator match(text.begin(), text.end(), named), end; match != end; ++match) {
          CPPUNIT_ASSERT_MESSAGE(file.path().filename().string() + " names " + match->str(), find_message(match->str()) != nullptr);
          ++seen;
        }
      }
    }
    CPPUNIT_ASSERT(seen > 20);
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(MessageCatalogueTest);
