// Facts read out of a track image: volser, record at an offset; images that make no sense are not run past.
#include "channel/tap_volume.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <vector>

#include "serializer/bytes.h"

using namespace afterimage;

namespace {
void add_record(std::vector<std::uint8_t>& track, std::uint8_t record, std::vector<std::uint8_t> key, std::vector<std::uint8_t> data) {
  std::uint8_t count[8] = {0, 0, 0, 0, record, static_cast<std::uint8_t>(key.size())};
  put_u16(count + 6, static_cast<std::uint16_t>(data.size()));
  track.insert(track.end(), count, count + 8);
  track.insert(track.end(), key.begin(), key.end());
  track.insert(track.end(), data.begin(), data.end());
}

constexpr std::size_t kVolserAt = 5 + 16 + 36 + 156 + 12 + 4;  // home address, R0, R1, R2, count and key of R3, VOL1

std::vector<std::uint8_t> label_data() {
  std::vector<std::uint8_t> label{0xE5, 0xD6, 0xD3, 0xF1, 0xC4, 0xC2, 0xF0, 0xF9, 0x7B, 0x40};  // VOL1 DB09#
  label.resize(80, 0x40);
  return label;
}

std::vector<std::uint8_t> label_track() {
  std::vector<std::uint8_t> track(5, 0);
  add_record(track, 0, {}, std::vector<std::uint8_t>(8, 0));
  add_record(track, 1, {0xC9, 0xD7, 0xD3, 0xF1}, std::vector<std::uint8_t>(24, 0));
  add_record(track, 2, {0xC9, 0xD7, 0xD3, 0xF2}, std::vector<std::uint8_t>(144, 0));
  add_record(track, 3, {0xE5, 0xD6, 0xD3, 0xF1}, label_data());
  track.insert(track.end(), 8, 0xFF);
  track.resize(1000, 0);
  return track;
}
}  // namespace

class TapVolumeTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(TapVolumeTest);
  CPPUNIT_TEST(testVolser);
  CPPUNIT_TEST(testVolserCharacters);
  CPPUNIT_TEST(testOnlyALabelRecordIsTakenAsOne);
  CPPUNIT_TEST(testA2_RecordOfAnUpdate);
  CPPUNIT_TEST(testEveryTruncationIsSafe);
  CPPUNIT_TEST_SUITE_END();

  void testVolser() {
    CPPUNIT_ASSERT_EQUAL(std::string("DB09#"), volser_of(label_track()));
    CPPUNIT_ASSERT_EQUAL(std::string(), volser_of(std::vector<std::uint8_t>(5, 0)));
    auto unlabelled = label_track();
    unlabelled[5 + 16 + 36 + 156 + 12] = 0;
    CPPUNIT_ASSERT_EQUAL(std::string(), volser_of(unlabelled));
  }

  static std::string volser_with(const std::vector<std::uint8_t>& ebcdic) {
    auto track = label_track();
    std::copy(ebcdic.begin(), ebcdic.end(), track.begin() + kVolserAt);
    return volser_of(track);
  }

  // Every character a volser may have, by the code page's own table; anything else is shown as a question mark, never passed on.
  void testVolserCharacters() {
    CPPUNIT_ASSERT_EQUAL(std::string("AIJRSZ"), volser_with({0xC1, 0xC9, 0xD1, 0xD9, 0xE2, 0xE9}));
    CPPUNIT_ASSERT_EQUAL(std::string("09$-#@"), volser_with({0xF0, 0xF9, 0x5B, 0x60, 0x7B, 0x7C}));
    CPPUNIT_ASSERT_EQUAL(std::string("A B"), volser_with({0xC1, 0x40, 0xC2, 0x40, 0x40, 0x40}));
    CPPUNIT_ASSERT_EQUAL(std::string("??????"), volser_with({0xC0, 0xCA, 0xDA, 0xE1, 0xEA, 0xFA}));
    CPPUNIT_ASSERT_EQUAL(std::string("??"), volser_with({0x00, 0x81, 0x40, 0x40, 0x40, 0x40}));
    CPPUNIT_ASSERT_EQUAL(std::string(), volser_with({0x40, 0x40, 0x40, 0x40, 0x40, 0x40}));
  }

  // Record 3 of a volume without a label may be anybody's.
  void testOnlyALabelRecordIsTakenAsOne() {
    for (const std::size_t key_bytes : {0u, 3u, 5u}) {
      std::vector<std::uint8_t> track(5, 0);
      add_record(track, 3, std::vector<std::uint8_t>(key_bytes, 0xE5), label_data());
      track.insert(track.end(), 8, 0xFF);
      CPPUNIT_ASSERT_EQUAL(std::string(), volser_of(track));
    }
    std::vector<std::uint8_t> track(5, 0);
    add_record(track, 3, std::vector<std::uint8_t>(4, 0xE5), {0xE5, 0xD6, 0xD3, 0xF1, 0xC1, 0xC1, 0xC1, 0xC1, 0xC1});
    track.insert(track.end(), 8, 0xFF);
    CPPUNIT_ASSERT_EQUAL(std::string(), volser_of(track));  // too short for a volser
  }

  void testA2_RecordOfAnUpdate() {
    const auto track = label_track();
    const std::uint32_t r1 = 21, r2 = r1 + 36, r3 = r2 + 156, end = r3 + 92;
    CPPUNIT_ASSERT_EQUAL(1, int{record_at(track, r1 + 12, 24)});
    CPPUNIT_ASSERT_EQUAL(2, int{record_at(track, r2, 156)});
    CPPUNIT_ASSERT_EQUAL(3, int{record_at(track, r3, 100)});      // with the end marker behind it
    CPPUNIT_ASSERT_EQUAL(0, int{record_at(track, r1 + 12, 30)});  // two records
    CPPUNIT_ASSERT_EQUAL(0, int{record_at(track, r3, 101)});
    CPPUNIT_ASSERT_EQUAL(0, int{record_at(track, 0, 5)});
    CPPUNIT_ASSERT_EQUAL(0, int{record_at(track, end + 8, 5)});
  }

  void testEveryTruncationIsSafe() {
    const auto whole = label_track();
    for (std::size_t size = 0; size < 320; ++size) {
      const std::vector<std::uint8_t> part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
      volser_of(part);
      record_at(part, 60, 20);
    }
    auto wild = label_track();
    wild[21 + 6] = 0xFF;  // a length past the end of the track
    CPPUNIT_ASSERT_EQUAL(std::string(), volser_of(wild));
    CPPUNIT_ASSERT_EQUAL(0, int{record_at(wild, 200, 4)});
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(TapVolumeTest);
