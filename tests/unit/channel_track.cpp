// Track images: parsing within bounds, digests, differences (channel/track.h).
#include "channel/track.h"

#include <cppunit/extensions/HelperMacros.h>

#include <random>
#include <string>

namespace afterimage {
namespace {

using Bytes = std::vector<std::uint8_t>;

struct Record {
  std::uint8_t number = 0;
  Bytes key, data;
  std::uint16_t cylinder = 7, head = 2;
};

Bytes make_track(const std::vector<Record>& records, std::size_t size, std::uint16_t cylinder = 7) {
  Bytes track = {0, static_cast<std::uint8_t>(cylinder >> 8), static_cast<std::uint8_t>(cylinder), 0, 2};
  for (const Record& r : records) {
    const Bytes count = {static_cast<std::uint8_t>(r.cylinder >> 8),
                         static_cast<std::uint8_t>(r.cylinder),
                         static_cast<std::uint8_t>(r.head >> 8),
                         static_cast<std::uint8_t>(r.head),
                         r.number,
                         static_cast<std::uint8_t>(r.key.size()),
                         static_cast<std::uint8_t>(r.data.size() >> 8),
                         static_cast<std::uint8_t>(r.data.size())};
    track.insert(track.end(), count.begin(), count.end());
    track.insert(track.end(), r.key.begin(), r.key.end());
    track.insert(track.end(), r.data.begin(), r.data.end());
  }
  track.insert(track.end(), 8, 0xFF);
  CPPUNIT_ASSERT(track.size() <= size);
  track.resize(size, 0);
  return track;
}

std::vector<Record> sample_records() {
  return {{0, {}, Bytes(8, 0)}, {1, Bytes(4, 0xC1), Bytes(100, 0x11)}, {2, {}, Bytes(300, 0x22)}, {3, Bytes(44, 0x33), {}}};
}

class ChannelTrack : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ChannelTrack);
  CPPUNIT_TEST(testRecordsAreFoundWithTheirOffsets);
  CPPUNIT_TEST(testOverflowBitIsAFlagOnlyBelowCylinder32768);
  CPPUNIT_TEST(testBytesBehindTheEndMarkerAreNotPartOfTheTrack);
  CPPUNIT_TEST(testTrackWithoutEndMarkerIsRefused);
  CPPUNIT_TEST(testLastRecordMayNotTakeTheRoomOfTheEndMarker);
  CPPUNIT_TEST(testImpossibleSizesAreRefused);
  CPPUNIT_TEST(testAllFillPatternsAndRandomBytesStayInside);
  CPPUNIT_TEST(testDigestIsTheDocumentedOne);
  CPPUNIT_TEST(testDigestSeesEverySingleByteChange);
  CPPUNIT_TEST(testDifferenceNamesTheFirstOne);
  CPPUNIT_TEST(testTracksWithoutEndMarkerAreComparedAsBytes);
  CPPUNIT_TEST_SUITE_END();

 public:
  void testRecordsAreFoundWithTheirOffsets() {
    const Bytes track = make_track(sample_records(), 1024);
    const auto view = parse_track(track);
    CPPUNIT_ASSERT_MESSAGE(view.status.text(), view.good());
    CPPUNIT_ASSERT_EQUAL(std::uint16_t{7}, view.value.cylinder);
    CPPUNIT_ASSERT_EQUAL(std::uint16_t{2}, view.value.head);
    CPPUNIT_ASSERT_EQUAL(std::size_t{4}, view.value.records.size());
    const CkdRecord& r1 = view.value.records[1];
    CPPUNIT_ASSERT_EQUAL(std::uint32_t{5 + 16}, r1.count_offset);
    CPPUNIT_ASSERT_EQUAL(std::uint32_t{5 + 16 + 8}, r1.key_offset);
    CPPUNIT_ASSERT_EQUAL(std::uint32_t{5 + 16 + 8 + 4}, r1.data_offset);
    CPPUNIT_ASSERT_EQUAL(std::uint16_t{100}, r1.data_length);
    CPPUNIT_ASSERT_EQUAL(std::uint8_t{3}, view.value.records[3].record);
    CPPUNIT_ASSERT_EQUAL(std::uint8_t{44}, view.value.records[3].key_length);
    const std::uint32_t used = 5 + 16 + 112 + 308 + 52 + 8;
    CPPUNIT_ASSERT_EQUAL(used, view.value.used_bytes);
    CPPUNIT_ASSERT_EQUAL(used, track_used_bytes(track).value);
  }

  void testOverflowBitIsAFlagOnlyBelowCylinder32768() {
    auto records = sample_records();
    records[1].cylinder = 0x8007;
    auto view = parse_track(make_track(records, 1024));
    CPPUNIT_ASSERT(view.value.records[1].overflow);
    CPPUNIT_ASSERT(!view.value.records[2].overflow);
    view = parse_track(make_track(records, 1024, 0x8007));
    CPPUNIT_ASSERT(!view.value.records[1].overflow);
    records[1].cylinder = 0xFF01;  // what Hercules takes as no overflow
    CPPUNIT_ASSERT(!parse_track(make_track(records, 1024)).value.records[1].overflow);
  }

  void testBytesBehindTheEndMarkerAreNotPartOfTheTrack() {
    const Bytes left = make_track(sample_records(), 1024);
    Bytes right = left;
    for (std::size_t i = track_used_bytes(left).value; i < right.size(); ++i) right[i] = 0x5A;
    CPPUNIT_ASSERT_EQUAL(std::string(), track_difference(left, right));
    CPPUNIT_ASSERT(track_digest(left) == track_digest(right));
  }

  void testTrackWithoutEndMarkerIsRefused() {
    Bytes track = make_track(sample_records(), 1024);
    const std::uint32_t used = track_used_bytes(track).value;
    track[used - 1] = 0xFE;  // the marker becomes a record of 65,000 bytes
    CPPUNIT_ASSERT(!parse_track(track).good());
    const auto refused = track_used_bytes(track);
    CPPUNIT_ASSERT(!refused.good());
    CPPUNIT_ASSERT(refused.status.text().find("byte " + std::to_string(used - 8)) != std::string::npos);
    CPPUNIT_ASSERT(!parse_track(Bytes(1024, 0)).good());
  }

  void testLastRecordMayNotTakeTheRoomOfTheEndMarker() {
    Bytes track = make_track({{1, {}, Bytes(50, 1)}}, 5 + 58 + 8);
    CPPUNIT_ASSERT(parse_track(track).good());
    track.pop_back();
    CPPUNIT_ASSERT(!parse_track(track).good());
    CPPUNIT_ASSERT(!track_used_bytes(track).good());
  }

  void testImpossibleSizesAreRefused() {
    for (const std::size_t size : {0u, 5u, 12u, 65536u}) {
      CPPUNIT_ASSERT(!parse_track(Bytes(size, 0xFF)).good());
      CPPUNIT_ASSERT(!track_used_bytes(Bytes(size, 0xFF)).good());
    }
    CPPUNIT_ASSERT(parse_track(Bytes(13, 0xFF)).good());
  }

  // Each track is an allocation of exactly its size, so that a read past it is seen by the address sanitizer.
  void testAllFillPatternsAndRandomBytesStayInside() {
    std::mt19937 random(20260101);
    for (unsigned round = 0; round < 3000; ++round) {
      Bytes track(13 + random() % 200);
      if (round < 256)
        std::fill(track.begin(), track.end(), static_cast<std::uint8_t>(round));
      else
        for (auto& b : track) b = static_cast<std::uint8_t>(random() % 4 == 0 ? 0xFF : random() % 3);
      const auto view = parse_track(track);
      const auto used = track_used_bytes(track);
      CPPUNIT_ASSERT_EQUAL(view.good(), used.good());
      if (view.good()) CPPUNIT_ASSERT_EQUAL(view.value.used_bytes, used.value);
      if (view.good()) CPPUNIT_ASSERT(used.value <= track.size());
      CPPUNIT_ASSERT_EQUAL(std::size_t{kTrackDigestBytes}, track_digest(track).size());
      CPPUNIT_ASSERT_EQUAL(std::string(), track_difference(track, track));
    }
  }

  // The expected bytes come from a separate program written from the description in track.h.
  void testDigestIsTheDocumentedOne() {
    const Bytes expected = {0x90, 0x93, 0x06, 0xFB, 0x41, 0x7A, 0x43, 0xC2, 0x58, 0x6C, 0x54, 0xDA, 0xCD, 0xE5, 0xB7, 0xD2};
    CPPUNIT_ASSERT(expected == track_digest(make_track(sample_records(), 1024)));
  }

  void testDigestSeesEverySingleByteChange() {
    const Bytes track = make_track(sample_records(), 1024);
    const Bytes digest = track_digest(track);
    const std::uint32_t used = track_used_bytes(track).value;
    for (std::uint32_t i = 0; i < used; ++i) {
      Bytes changed = track;
      changed[i] ^= 0x01;
      const Bytes other = track_digest(changed);
      CPPUNIT_ASSERT(digest != other);
      // Every one of the four must notice, or they would not be four checks.
      for (unsigned part = 0; part < 4; ++part)
        CPPUNIT_ASSERT(!std::equal(digest.begin() + 4 * part, digest.begin() + 4 * part + 4, other.begin() + 4 * part));
    }
  }

  void testDifferenceNamesTheFirstOne() {
    const auto base = sample_records();
    const Bytes left = make_track(base, 1024);
    const auto against = [&](auto change) {
      auto records = base;
      change(records);
      return track_difference(left, make_track(records, 1024));
    };
    using Records = std::vector<Record>;
    CPPUNIT_ASSERT_EQUAL(std::string("record 2: data differs at byte 17"), against([](Records& r) { r[2].data[17] = 0; }));
    CPPUNIT_ASSERT_EQUAL(std::string("record 3: key differs at byte 43"), against([](Records& r) { r[3].key[43] = 0; }));
    CPPUNIT_ASSERT_EQUAL(std::string("record 1: data length 100 against 99"), against([](Records& r) { r[1].data.pop_back(); }));
    CPPUNIT_ASSERT_EQUAL(std::string("record 1: key length 4 against 5"), against([](Records& r) { r[1].key.push_back(1); }));
    CPPUNIT_ASSERT_EQUAL(std::string("record 2: cylinder or head in the count field differs"), against([](Records& r) { r[2].head = 9; }));
    CPPUNIT_ASSERT_EQUAL(std::string("record number 3 against 9 in place 3"), against([](Records& r) { r[3].number = 9; }));
    CPPUNIT_ASSERT_EQUAL(std::string("4 records against 3"), against([](Records& r) { r.pop_back(); }));
    CPPUNIT_ASSERT_EQUAL(std::string("home address differs"), track_difference(left, make_track(base, 1024, 8)));
    CPPUNIT_ASSERT_EQUAL(std::string("the second track has no end-of-track marker, and they differ at byte 2"),
                         track_difference(left, Bytes(1024, 0)));
    CPPUNIT_ASSERT_EQUAL(std::string("the first track has no end-of-track marker, and they differ at byte 2"),
                         track_difference(Bytes(1024, 0), left));
  }

  // Two tracks that cannot be read as records are compared as bytes, all of them.
  void testTracksWithoutEndMarkerAreComparedAsBytes() {
    const Bytes torn(1024, 0);
    Bytes other = torn;
    CPPUNIT_ASSERT_EQUAL(std::string(), track_difference(torn, other));
    other[1000] = 1;
    CPPUNIT_ASSERT_EQUAL(std::string("neither track has an end-of-track marker, and they differ at byte 1000"),
                         track_difference(torn, other));
    other = torn;
    other.resize(900);
    CPPUNIT_ASSERT_EQUAL(std::string("neither track has an end-of-track marker, and they differ at byte 900"),
                         track_difference(torn, other));
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ChannelTrack);

}  // namespace
}  // namespace afterimage
