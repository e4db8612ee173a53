// Names, padded fields and sentences of the formats: what is a name, what is shown to people, where a text may be cut.
#include "vtam_link/names.h"

#include <cppunit/extensions/HelperMacros.h>

#include <array>
#include <string>

#include "vtam_link/frame.h"

namespace afterimage {

class NamesTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(NamesTest);
  CPPUNIT_TEST(testNames);
  CPPUNIT_TEST(testLuNames);
  CPPUNIT_TEST(testVolsers);
  CPPUNIT_TEST(testPrintableText);
  CPPUNIT_TEST(testPaddedFieldsComeBack);
  CPPUNIT_TEST(testASentenceIsCutBetweenCharacters);
  CPPUNIT_TEST(testControlCharactersDoNotReachAConsole);
  CPPUNIT_TEST(testFrameHeadsAreJudged);
  CPPUNIT_TEST_SUITE_END();

 public:
  void testNames() {
    for (const char* name : {"A", "SYSA", "@#$", "A0123456", "DALLAS9"}) CPPUNIT_ASSERT_MESSAGE(name, is_name(name));
    for (const char* name : {"", "A01234567", "1A", "a", "A B", "A-B", "A.B", "A\x7F", "\xC4"})
      CPPUNIT_ASSERT_MESSAGE(name, !is_name(name));
  }

  void testLuNames() {
    for (const char* name : {"DSMLU", "SITEA.DSMLU", "A.B"}) CPPUNIT_ASSERT_MESSAGE(name, is_lu_name(name));
    for (const char* name : {"", ".", "A.", ".B", "A.B.C", "SITEA.1LU", "1SITE.LU", "A0123456.B01234567"})
      CPPUNIT_ASSERT_MESSAGE(name, !is_lu_name(name));
  }

  void testVolsers() {
    for (const char* volser : {"A", "PRIM01", "123456", "A-B@#$", "-"}) CPPUNIT_ASSERT_MESSAGE(volser, is_volser(volser));
    for (const char* volser : {"", "PRIM011", "prim01", "A B", "A.B"}) CPPUNIT_ASSERT_MESSAGE(volser, !is_volser(volser));
  }

  void testPrintableText() {
    CPPUNIT_ASSERT(is_printable("", 4));
    CPPUNIT_ASSERT(is_printable("a b~", 4));
    CPPUNIT_ASSERT(!is_printable("a b~c", 4));
    for (const char* text : {" a", "a ", " ", "a\nb", "a\x7F", "a\xC3\xA4"}) CPPUNIT_ASSERT_MESSAGE(text, !is_printable(text, 10));
  }

  void testPaddedFieldsComeBack() {
    std::array<std::uint8_t, 8> field{};
    for (const char* text : {"", "A", "ABCDEFGH"}) {
      put_padded(field.data(), field.size(), text);
      CPPUNIT_ASSERT_EQUAL(std::string(text), get_padded(field.data(), field.size()).value());
    }
    put_padded(field.data(), field.size(), "ABCDEFGHI");
    CPPUNIT_ASSERT_EQUAL(std::string("ABCDEFGH"), get_padded(field.data(), field.size()).value());
    put_padded(field.data(), field.size(), "AB");
    field[7] = 'C';
    CPPUNIT_ASSERT(!get_padded(field.data(), field.size()).has_value());
  }

  // A reader of the message must not meet half a character.
  void testASentenceIsCutBetweenCharacters() {
    const std::string text =
        "Gr\xC3\xB6\xC3\x9F"
        "e";
    CPPUNIT_ASSERT_EQUAL(std::string("Gr"), safe_sentence(text, 3));
    CPPUNIT_ASSERT_EQUAL(std::string("Gr\xC3\xB6"), safe_sentence(text, 4));
    CPPUNIT_ASSERT_EQUAL(std::string("Gr\xC3\xB6"), safe_sentence(text, 5));
    CPPUNIT_ASSERT_EQUAL(text, safe_sentence(text, 7));
    CPPUNIT_ASSERT_EQUAL(std::string(), safe_sentence(text, 0));
    CPPUNIT_ASSERT_EQUAL(std::string("???"), safe_sentence("\x80\x80\x80\x80", 3));  // no character begins there
  }

  void testControlCharactersDoNotReachAConsole() {
    CPPUNIT_ASSERT_EQUAL(std::string("a?b?c"), safe_sentence("a\nb\x7F"
                                                             "c",
                                                             10));
    CPPUNIT_ASSERT(is_safe_sentence("a b", 3));
    CPPUNIT_ASSERT(!is_safe_sentence("a b", 2));
    CPPUNIT_ASSERT(!is_safe_sentence("a\tb", 3));
    CPPUNIT_ASSERT(is_safe_sentence(safe_sentence("a\tb", 3), 3));
  }

  void testFrameHeadsAreJudged() {
    const auto judge = [](std::uint32_t bytes, std::uint16_t type, std::uint8_t reserved, std::uint32_t limit) {
      std::array<std::uint8_t, kFrameHeadBytes> head{};
      put_frame_head(head.data(), {static_cast<FrameType>(type), bytes});
      head[7] = reserved;
      const auto got = get_frame_head(head, limit);
      if (got.good()) CPPUNIT_ASSERT(got.value.bytes == bytes && got.value.type == static_cast<FrameType>(type));
      return got.good() ? std::string() : got.status.text();
    };
    CPPUNIT_ASSERT_EQUAL(std::string(), judge(1, 1, 0, 100));
    CPPUNIT_ASSERT_EQUAL(std::string(), judge(100, 3, 0, 100));
    CPPUNIT_ASSERT_EQUAL(std::string("a frame has the unknown type 0"), judge(1, 0, 0, 100));
    CPPUNIT_ASSERT_EQUAL(std::string("a frame has the unknown type 4"), judge(1, 4, 0, 100));
    CPPUNIT_ASSERT_EQUAL(std::string("a reserved byte of a frame is not zero"), judge(1, 1, 1, 100));
    CPPUNIT_ASSERT_EQUAL(std::string("a frame announces 0 bytes, 1 to 100 are allowed"), judge(0, 1, 0, 100));
    CPPUNIT_ASSERT_EQUAL(std::string("a frame announces 101 bytes, 1 to 100 are allowed"), judge(101, 1, 0, 100));
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(NamesTest);

}  // namespace afterimage
