// Capture: what one write CCW changed, into the slot or, when that cannot hold it, as tracks.
#include "channel/capture.h"

#include <cppunit/extensions/HelperMacros.h>
#include <unistd.h>

#include <utility>
#include <vector>

#include "serializer/registry.h"
#include "serializer/slot_reader.h"

using namespace afterimage;

class CaptureTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(CaptureTest);
  CPPUNIT_TEST(testA2_RangesThatTouchAreJoined);
  CPPUNIT_TEST(testTooManyRangesLeaveTheTracks);
  CPPUNIT_TEST(testWithoutRoomTracksAreKept);
  CPPUNIT_TEST(testMoreTracksThanCanBeKeptIsTold);
  CPPUNIT_TEST(testExtentOfTheFirstTrack);
  CPPUNIT_TEST(testBytesOutsideAWriteAreNotTaken);
  CPPUNIT_TEST(testWhatNoTrackHoldsLeavesTheTracks);
  CPPUNIT_TEST(testANumberedSlotIsNotDropped);
  CPPUNIT_TEST(testChangesOfManyTracksComeInParts);
  CPPUNIT_TEST_SUITE_END();

 public:
  void setUp() override {
    name_ = "afterimage.unit.capture." + std::to_string(getpid());
    StorageShape shape;
    shape.plex = "UNIT";
    shape.ring_bytes = 2u << 20;
    shape.max_tracks = 1024;
    auto made = CommonStorage::create_or_open(name_, shape);
    CPPUNIT_ASSERT_MESSAGE(made.status.text(), made.good());
    storage_ = std::move(made.value);
    DeviceDefinition definition{"UNIT01", "SYSA", 0x0A80, 7, 0x3390, 10, 15, 56832, 150, "/nowhere/unit01.ckd", false};
    CPPUNIT_ASSERT(define_device(*storage_, definition).good());
    storage_->device(0).duplex.store(kDuplex);
    change_session_state(*storage_, SessionState::kInactive, SessionState::kActive);
  }
  void tearDown() override {
    storage_.reset();
    CommonStorage::remove(name_);
  }

 private:
  std::string name_;
  std::unique_ptr<CommonStorage> storage_;

  static Token begun() {
    Token token;
    token.volume = 7;
    token.ccw_code = 0x1D;
    return token;
  }

  void testA2_RangesThatTouchAreJoined() {
    SlotWriter writer(*storage_, 0);
    Capture capture;
    CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
    capture.begin(begun(), &writer);
    const std::uint8_t bytes[32] = {1, 2, 3};
    capture.add(15, 21, 24, bytes);
    capture.add(15, 45, 8, bytes + 24);
    CPPUNIT_ASSERT(capture.in_slot());
    capture.set_record(1, 0, 1);
    CPPUNIT_ASSERT(writer.finish(1000).outcome == NumberOutcome::kNumbered);
    SlotReader reader(*storage_);
    CPPUNIT_ASSERT(reader.rebuild().good());
    const auto held = reader.read(1);
    CPPUNIT_ASSERT_MESSAGE(held.status.text(), held.good());
    CPPUNIT_ASSERT_EQUAL(1, int{held.value.token.range_count});
    CPPUNIT_ASSERT((held.value.token.ranges[0] == TrackRange{15, 21, 32}));
    CPPUNIT_ASSERT(std::equal(held.value.data.begin(), held.value.data.end(), bytes, bytes + 32));
  }

  void testTooManyRangesLeaveTheTracks() {
    SlotWriter writer(*storage_, 0);
    Capture capture;
    CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
    capture.begin(begun(), &writer);
    const std::uint8_t byte = 9;
    for (std::uint32_t i = 0; i < kMaxRanges; ++i) capture.add(3, 100 + 2 * i, 1, &byte);
    CPPUNIT_ASSERT(capture.in_slot());
    capture.add(4, 100, 1, &byte);
    CPPUNIT_ASSERT(!capture.in_slot());
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, capture.tracks().size());
    capture.add(5, 100, 1, &byte);
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, capture.tracks().size());
    CPPUNIT_ASSERT(!capture.in_slot());
    CPPUNIT_ASSERT(writer.finish(1000).outcome == NumberOutcome::kNotActive);
  }

  void testWithoutRoomTracksAreKept() {
    Capture capture;
    capture.begin(begun(), nullptr);
    const std::uint8_t byte = 9;
    capture.add(3, 100, 1, &byte);
    capture.add(3, 200, 1, &byte);
    capture.add(5, 100, 1, &byte);
    CPPUNIT_ASSERT(!capture.in_slot());
    const Token change = capture.change(1);
    CPPUNIT_ASSERT_EQUAL(1, int{change.range_count});
    CPPUNIT_ASSERT_EQUAL(5u, change.ranges[0].track);
  }

  void testMoreTracksThanCanBeKeptIsTold() {
    Capture capture;
    capture.begin(begun(), nullptr);
    const std::uint8_t byte = 9;
    for (std::uint32_t track = 0; track < kMaxCaptureTracks; ++track) capture.add(track, 10, 1, &byte);
    CPPUNIT_ASSERT(!capture.lost_track());
    capture.add(kMaxCaptureTracks, 10, 1, &byte);
    CPPUNIT_ASSERT(capture.lost_track());
  }

  void testExtentOfTheFirstTrack() {
    Capture capture;
    capture.begin(begun(), nullptr);
    const std::uint8_t bytes[64] = {};
    capture.add(3, 100, 10, bytes);
    capture.add(3, 50, 10, bytes);
    capture.add(4, 500, 10, bytes);
    CPPUNIT_ASSERT_EQUAL(50u, capture.first_offset());
    CPPUNIT_ASSERT_EQUAL(60u, capture.first_length());
    capture.drop();
    CPPUNIT_ASSERT(!capture.open());
    CPPUNIT_ASSERT(capture.empty());
  }

  void testBytesOutsideAWriteAreNotTaken() {
    Capture capture;
    const std::uint8_t byte = 9;
    capture.add(3, 100, 1, &byte);
    CPPUNIT_ASSERT(capture.empty());
    capture.begin(begun(), nullptr);
    capture.add(3, 100, 0, &byte);
    CPPUNIT_ASSERT(capture.empty());
    capture.add(3, 100, 1, &byte);
    capture.close();
    capture.add(4, 100, 1, &byte);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, capture.tracks().size());
  }

  // Offsets and lengths that do not fit into a token's range must not be cut to ones that do.
  void testWhatNoTrackHoldsLeavesTheTracks() {
    const std::vector<std::uint8_t> bytes(kMaxTrackBytes + 2, 9);
    const std::pair<std::uint32_t, std::uint32_t> wrong[] = {{0x10000, 1}, {0, 0x10001}, {kMaxTrackBytes, 1}};
    for (const auto& [offset, length] : wrong) {
      SlotWriter writer(*storage_, 0);
      Capture capture;
      CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
      capture.begin(begun(), &writer);
      capture.add(6, offset, length, bytes.data());
      CPPUNIT_ASSERT(!capture.in_slot());
      CPPUNIT_ASSERT_EQUAL(6u, capture.tracks()[0]);
      CPPUNIT_ASSERT(writer.finish(1000).outcome == NumberOutcome::kNotActive);
    }
  }

  void testANumberedSlotIsNotDropped() {
    SlotWriter writer(*storage_, 0);
    Capture capture;
    CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
    capture.begin(begun(), &writer);
    const std::uint8_t byte = 9;
    capture.add(3, 100, 1, &byte);
    CPPUNIT_ASSERT(writer.finish(1000).outcome == NumberOutcome::kNumbered);
    capture.close();
    CPPUNIT_ASSERT(writer.prepare() == SlotRoom::kReady);
    writer.begin(begun());
    CPPUNIT_ASSERT(writer.add(4, 100, &byte, 1));
    capture.drop();  // of the write before: the one begun since is not its to abandon
    CPPUNIT_ASSERT_EQUAL(Sequence{2}, writer.finish(1001).sequence);
  }

  void testChangesOfManyTracksComeInParts() {
    Capture capture;
    capture.begin(begun(), nullptr);
    const std::uint8_t byte = 9;
    for (std::uint32_t track = 0; track < kMaxRanges + 3; ++track) capture.add(track, 10, 1, &byte);
    CPPUNIT_ASSERT_EQUAL(kMaxRanges, unsigned{capture.change(0).range_count});
    const Token rest = capture.change(kMaxRanges);
    CPPUNIT_ASSERT_EQUAL(3, int{rest.range_count});
    CPPUNIT_ASSERT_EQUAL(kMaxRanges + 2, rest.ranges[2].track);
    CPPUNIT_ASSERT(token_is_well_formed(rest));
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(CaptureTest);
