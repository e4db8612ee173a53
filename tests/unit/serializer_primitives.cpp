// TOD, CRC-32C, token bounds, big-endian bytes, assertions: each against values from outside the product.
#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <random>
#include <vector>

#include "serializer/bytes.h"
#include "serializer/check.h"
#include "serializer/clock.h"
#include "serializer/crc32c.h"
#include "serializer/crc32c_table.h"
#include "serializer/limits.h"
#include "serializer/short_name.h"
#include "serializer/state_names.h"

namespace afterimage {
namespace {

std::string failed_check;

class Primitives : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(Primitives);
  CPPUNIT_TEST(testTodGoldenValues);
  CPPUNIT_TEST(testTodTextRoundTrip);
  CPPUNIT_TEST(testTodRefusals);
  CPPUNIT_TEST(testDurationText);
  CPPUNIT_TEST(testCrcGoldenValues);
  CPPUNIT_TEST(testCrcInstructionEqualsTable);
  CPPUNIT_TEST(testCrcContinues);
  CPPUNIT_TEST(testA2_TokenBounds);
  CPPUNIT_TEST(testShortNames);
  CPPUNIT_TEST(testStatesHaveWords);
  CPPUNIT_TEST(testBytesAreBigEndian);
  CPPUNIT_TEST(testCheckCallsItsHandler);
  CPPUNIT_TEST(testClocks);
  CPPUNIT_TEST_SUITE_END();

 public:
  // STCK values as the Principles of Operation and date arithmetic give them.
  void testTodGoldenValues() {
    CPPUNIT_ASSERT_EQUAL(Tod{0x7D91048BCA000000}, tod_from_unix_us(0));
    CPPUNIT_ASSERT_EQUAL(Tod{0xB361183F48000000}, tod_parse("2000.001 00:00:00").value);
    CPPUNIT_ASSERT_EQUAL(std::string("1970.001 00:00:00.000000"), tod_text(0x7D91048BCA000000));
    CPPUNIT_ASSERT_EQUAL(std::string("2042.260 23:53:47.370495"), tod_text(0xFFFFFFFFFFFFFFFF));
    CPPUNIT_ASSERT_EQUAL(std::string("1900.001 00:00:00.000001"), tod_text(0x1000));
    CPPUNIT_ASSERT_EQUAL(std::string("0000.000 00:00:00.000000"), tod_text(0));
  }

  void testTodTextRoundTrip() {
    for (const char* text :
         {"2026.326 19:41:20.231440", "2024.366 23:59:59.999999", "1900.365 12:00:00.000001", "2000.060 01:02:03.000004"}) {
      const auto tod = tod_parse(text);
      CPPUNIT_ASSERT_MESSAGE(tod.status.text(), tod.good());
      CPPUNIT_ASSERT_EQUAL(std::string(text), tod_text(tod.value));
    }
    CPPUNIT_ASSERT_EQUAL(tod_parse("2026.326 19:41:20.200000").value, tod_parse("2026.326 19:41:20.2").value);
    CPPUNIT_ASSERT_EQUAL(Tod{0}, tod_parse("0000.000 00:00:00.000000").value);
    std::mt19937_64 random(1);
    for (int i = 0; i < 20000; ++i) {
      const Tod tod = random() & ~Tod{0xFFF};
      CPPUNIT_ASSERT_EQUAL(tod, tod_parse(tod_text(tod)).value);
    }
  }

  void testTodRefusals() {
    for (const char* text : {"",
                             "2026",
                             "2026.326",
                             "2026.326 19:41",
                             "2026.326 19:41:20.",
                             "2026.326 19:41:20.1234567",
                             "2026.326 19:41:20.12x",
                             "2026.326 19:41:20 ",
                             "2026.000 00:00:00",
                             "2026.366 00:00:00",
                             "1900.366 00:00:00",
                             "1899.001 00:00:00",
                             "2043.001 00:00:00",
                             "2042.260 23:53:47.370496",
                             "2026.326 24:00:00",
                             "2026.326 00:60:00",
                             "2026.326 00:00:60",
                             "2026-326 00:00:00",
                             "-026.326 00:00:00",
                             "2026.32x 00:00:00",
                             "2026.326 1x:00:00",
                             "2026.326 10-00:00",
                             "2026.326 10:0x:00",
                             "2026.326 10:00:0x",
                             "0000.001 00:00:00",
                             "0000.000 01:00:00",
                             "0000.000 00:01:00",
                             "0000.000 00:00:01",
                             "0000.000 00:00:00.1"}) {
      const auto tod = tod_parse(text);
      CPPUNIT_ASSERT_MESSAGE(text, !tod.good());
      CPPUNIT_ASSERT(tod.status.text().find("yyyy.ddd") != std::string::npos);
    }
  }

  void testDurationText() {
    CPPUNIT_ASSERT_EQUAL(std::string("00:00:00.00"), duration_text(9999));
    CPPUNIT_ASSERT_EQUAL(std::string("00:00:01.83"), duration_text(1'830'000));
    CPPUNIT_ASSERT_EQUAL(std::string("27:46:39.99"), duration_text(99'999'999'999));
    CPPUNIT_ASSERT_EQUAL(std::string("99:59:59.99"), duration_text(359'999'999'999));
    CPPUNIT_ASSERT_EQUAL(std::string("99:59:59.99"), duration_text(~0ULL));
  }

  // RFC 3720, B.4, and the catalogue's check value.
  void testCrcGoldenValues() {
    std::vector<std::uint8_t> bytes(32, 0);
    CPPUNIT_ASSERT_EQUAL(0x8A9136AAu, crc32c(0, bytes.data(), 32));
    bytes.assign(32, 0xFF);
    CPPUNIT_ASSERT_EQUAL(0x62A8AB43u, crc32c(0, bytes.data(), 32));
    for (unsigned i = 0; i < 32; ++i) bytes[i] = static_cast<std::uint8_t>(i);
    CPPUNIT_ASSERT_EQUAL(0x46DD794Eu, crc32c(0, bytes.data(), 32));
    for (unsigned i = 0; i < 32; ++i) bytes[i] = static_cast<std::uint8_t>(31 - i);
    CPPUNIT_ASSERT_EQUAL(0x113FDB5Cu, crc32c(0, bytes.data(), 32));
    CPPUNIT_ASSERT_EQUAL(0xE3069283u, crc32c(0, "123456789", 9));
    CPPUNIT_ASSERT_EQUAL(0xE3069283u, crc32c_by_table(0, "123456789", 9));
    CPPUNIT_ASSERT_EQUAL(0u, crc32c(0, nullptr, 0));
  }

  void testCrcInstructionEqualsTable() {
    std::mt19937 random(2);
    std::vector<std::uint8_t> bytes(2600);  // more than three rounds of pieces side by side
    for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
    for (std::size_t from = 0; from < 9; ++from)
      for (std::size_t size = 0; size + from <= bytes.size(); ++size)
        CPPUNIT_ASSERT_EQUAL(crc32c_by_table(7, &bytes[from], size), crc32c(7, bytes.data() + from, size));
  }

  void testCrcContinues() {
    const std::string text = "the quick brown fox jumps over the lazy dog";
    const std::uint32_t whole = crc32c(0, text.data(), text.size());
    for (std::size_t cut = 0; cut <= text.size(); ++cut)
      CPPUNIT_ASSERT_EQUAL(whole, crc32c(crc32c(0, text.data(), cut), text.data() + cut, text.size() - cut));
  }

  void testA2_TokenBounds() {
    Token token;
    token.range_count = 2;
    token.ranges[0] = {5, 0, 100};
    token.ranges[1] = {6, 100, 200};
    token.data_length = 300;
    CPPUNIT_ASSERT(token_is_well_formed(token));
    const auto refused = [&](auto change) {
      Token bad = token;
      change(bad);
      CPPUNIT_ASSERT(!token_is_well_formed(bad));
    };
    refused([](Token& t) { t.data_length = 299; });
    refused([](Token& t) { t.range_count = 3, t.ranges[2] = {1, 0, 1}; });
    refused([](Token& t) { t.range_count = kMaxRanges + 1; });
    refused([](Token& t) { t.range_count = 255; });
    refused([](Token& t) { t.ranges[0].track = kMaxTracks; });
    refused([](Token& t) { t.ranges[0].offset = 65500; });
    refused([](Token& t) { t.kind = static_cast<TokenKind>(0); });
    refused([](Token& t) { t.kind = static_cast<TokenKind>(5); });
    Token verify;
    verify.kind = TokenKind::kVerify;
    verify.range_count = 1;
    verify.data_length = 32;
    CPPUNIT_ASSERT(token_is_well_formed(verify));
    verify.data_length = 65;
    CPPUNIT_ASSERT(!token_is_well_formed(verify));
    verify.data_length = 32;
    verify.range_count = 2;
    CPPUNIT_ASSERT(!token_is_well_formed(verify));
    Token largest;
    largest.range_count = 3;
    largest.ranges[0] = largest.ranges[1] = {1, 0, kMaxTrackBytes};
    largest.ranges[2] = {1, 0, 2};
    largest.data_length = kMaxTokenData;
    CPPUNIT_ASSERT(token_is_well_formed(largest));
    largest.ranges[2].length = 3;
    largest.data_length += 1;
    CPPUNIT_ASSERT(!token_is_well_formed(largest));
  }

  void testShortNames() {
    for (const char* name : {"A", "PLEX1", "@SYS", "#1", "$ABCDEF9", "A0@#$ZZZ"}) CPPUNIT_ASSERT_MESSAGE(name, is_short_name(name));
    for (const char* name : {"", "PLEXNAME9", "1PLEX", "plex", "A B", "A:B", "A-B", "A[", "\xC4"})
      CPPUNIT_ASSERT_MESSAGE(name, !is_short_name(name));
  }

  // Of common storage, which another program may have written over: what is not known is said to be so.
  void testStatesHaveWords() {
    std::string words;
    for (unsigned state = 0; state <= 4; ++state) words += std::string(text_of(static_cast<SessionState>(state))) + " ";
    CPPUNIT_ASSERT_EQUAL(std::string("INACTIVE ACTIVE SUSPENDED FROZEN UNKNOWN "), words);
    words.clear();
    for (unsigned state = 0; state <= 5; ++state) words += std::string(text_of(static_cast<DeviceState>(state))) + " ";
    CPPUNIT_ASSERT_EQUAL(std::string("UNUSED DEFINED OPEN CLOSED LOST UNKNOWN "), words);
    words.clear();
    for (unsigned reason = 0; reason <= 9; ++reason) words += std::string(text_of(static_cast<SuspendReason>(reason))) + " ";
    CPPUNIT_ASSERT_EQUAL(std::string("NONE OPERATOR BUFFERS LINK WRITE-BACK CHECK FREEZE SECONDARY IMAGE CHANGED UNKNOWN "), words);
  }

  void testBytesAreBigEndian() {
    std::uint8_t bytes[8];
    put_u64(bytes, 0x0102030405060708ULL);
    for (unsigned i = 0; i < 8; ++i) CPPUNIT_ASSERT_EQUAL(i + 1, static_cast<unsigned>(bytes[i]));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0x0102030405060708}, get_u64(bytes));
    CPPUNIT_ASSERT_EQUAL(std::uint32_t{0x01020304}, get_u32(bytes));
    CPPUNIT_ASSERT_EQUAL(std::uint16_t{0x0102}, get_u16(bytes));
    put_u16(bytes, 0xFEDC);
    CPPUNIT_ASSERT_EQUAL(0xFEu, static_cast<unsigned>(get_u8(bytes)));
  }

  void testCheckCallsItsHandler() {
    failed_check.clear();
    set_check_handler([](const char* expression, const char* file, int line) {
      failed_check = std::string(expression) + (file != nullptr && line > 0 ? " at a place" : "");
    });
    AI_CHECK(1 + 1 == 2);
    CPPUNIT_ASSERT_EQUAL(std::string(), failed_check);
    AI_CHECK(1 + 1 == 3);
    set_check_handler(nullptr);
    CPPUNIT_ASSERT_EQUAL(std::string("1 + 1 == 3 at a place"), failed_check);
  }

  void testClocks() {
    const Tod before = clock_tod();
    const std::uint64_t start_us = monotonic_us();
    CPPUNIT_ASSERT(before > tod_parse("2020.001 00:00:00").value);
    while (monotonic_us() == start_us) {
    }
    CPPUNIT_ASSERT(monotonic_us() > start_us);
  }
};

CPPUNIT_TEST_SUITE_REGISTRATION(Primitives);

}  // namespace
}  // namespace afterimage
