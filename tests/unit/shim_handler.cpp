// The shim's entries around a handler, with a stand-in for Hercules: which bytes become tokens, what a failed write does, whose entries
// the device has after close and devinit, which commands it refuses, which Hercules it stays out of.
#include <cppunit/extensions/HelperMacros.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "serializer/bytes.h"
#include "serializer/registry.h"
#include "serializer/slot_reader.h"
#include "serializer/track_map.h"
#include "shim_stand_in.h"

namespace afterimage {
namespace {

constexpr int kUnitCheck = 0x02;
constexpr std::uint32_t kTracks = STAND_IN_CYLINDERS * STAND_IN_HEADS;

class ShimHandler : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ShimHandler);
  CPPUNIT_TEST(testAWritesBytesAreTheTokens);
  CPPUNIT_TEST(testANullBufferWriteCarriesWhatTheTrackHolds);
  CPPUNIT_TEST(testANullBufferWriteOfTheSharedServerToo);
  CPPUNIT_TEST(testAWriteThatFailsMakesNoToken);
  CPPUNIT_TEST(testWritesOfOneCcwOnTwoTracksAreOneToken);
  CPPUNIT_TEST(testAReadMakesNoToken);
  CPPUNIT_TEST(testDataIsFlushedWhenTheProgramEnds);
  CPPUNIT_TEST(testAFailedWriteBackSuspendsTheVolume);
  CPPUNIT_TEST(testTheDeviceStaysOursOverCloseAndDevinit);
  CPPUNIT_TEST(testAFailedInitialisationIsTheHandlersAnswer);
  CPPUNIT_TEST(testDevinitBetweenPlainAndCompressed);
  CPPUNIT_TEST(testTheCacheOfCompressedTracksIsNeverEmpty);
  CPPUNIT_TEST(testShadowFilesAreNotDroppedInASession);
  CPPUNIT_TEST(testAnotherHerculesIsLeftAlone);
  CPPUNIT_TEST(testUnloadingWaitsForItsDevices);
  CPPUNIT_TEST_SUITE_END();

 public:
  void setUp() override {
    char folder[] = "/tmp/afterimage-shim-XXXXXX";
    CPPUNIT_ASSERT(mkdtemp(folder) != nullptr);
    folder_ = folder;
    path_ = folder_ + "/unit01.ckd";
    std::ofstream(path_) << "image";
    for (std::uint32_t track = 0; track < kTracks; ++track) format(track);
    name_ = "afterimage.unit.shim." + std::to_string(getpid());
    StorageShape shape;
    shape.plex = "UNIT";
    shape.ring_bytes = 8u << 20;  // every close keeps its chunk until an acknowledgement
    shape.max_tracks = 1024;
    auto made = CommonStorage::create_or_open(name_, shape);
    CPPUNIT_ASSERT_MESSAGE(made.status.text(), made.good());
    storage_ = std::move(made.value);
    const DeviceDefinition definition{"UNIT01", "SYSA", 0x0A80, 7, 0x3390, STAND_IN_CYLINDERS, STAND_IN_HEADS, STAND_IN_TRACK_BYTES,
                                      kTracks,  path_,  false};
    CPPUNIT_ASSERT(define_device(*storage_, definition).good());
    storage_->device(0).duplex.store(kDuplex);
    change_session_state(*storage_, SessionState::kInactive, SessionState::kActive);
    stand_in_log();
    CPPUNIT_ASSERT_EQUAL(0, stand_in_load(0, name_.c_str()));
    loaded_ = true;
    CPPUNIT_ASSERT_EQUAL(0, stand_in_init(path_.c_str(), STAND_IN_PLAIN));
    open_ = true;
    CPPUNIT_ASSERT(stand_in_is_wrapped());
  }

  void tearDown() override {
    if (open_) stand_in_close();
    stand_in_forget();
    if (loaded_) stand_in_unload();
    storage_.reset();
    CommonStorage::remove(name_);
    unlink(path_.c_str());
    rmdir(folder_.c_str());
  }

 private:
  std::string folder_, path_, name_;
  std::unique_ptr<CommonStorage> storage_;
  bool loaded_ = false, open_ = false;

  // One record R3 of 80 bytes, on track 0 the volume's label.
  static void format(std::uint32_t track) {
    std::uint8_t* image = stand_in_track(track);
    std::fill_n(image, STAND_IN_TRACK_BYTES, std::uint8_t{0});
    put_u16(image + 1, static_cast<std::uint16_t>(track / STAND_IN_HEADS));
    put_u16(image + 3, static_cast<std::uint16_t>(track % STAND_IN_HEADS));
    image[5 + 4] = 3;
    image[5 + 5] = 4;
    put_u16(image + 5 + 6, 80);
    const std::uint8_t label[14] = {0xE5, 0xD6, 0xD3, 0xF1, 0xE5, 0xD6, 0xD3, 0xF1, 0xE4, 0xD5, 0xC9, 0xE3, 0xF0, 0xF1};
    if (track == 0) std::copy(label, label + sizeof label, image + 13);
    std::fill_n(image + 97, 8, std::uint8_t{0xFF});
  }

  std::vector<HeldToken> tokens() {
    SlotReader reader(*storage_);
    CPPUNIT_ASSERT(reader.rebuild().good());
    std::vector<HeldToken> all;
    for (Sequence sequence = 1; sequence <= reader.last_numbered(); ++sequence) {
      auto held = reader.read(sequence);
      CPPUNIT_ASSERT_MESSAGE(held.status.text(), held.good());
      all.push_back(held.value);
    }
    return all;
  }
  static int program(std::uint8_t code, const std::vector<StandInWrite>& writes) {
    return stand_in_program(code, writes.data(), static_cast<unsigned>(writes.size()));
  }
  static bool all_are(const HeldToken& held, std::uint8_t value) {
    return std::all_of(held.data.begin(), held.data.end(), [&](std::uint8_t byte) { return byte == value; });
  }
  static bool logged(const std::string& part) { return std::string(stand_in_log()).find(part) != std::string::npos; }

 public:
  void testAWritesBytesAreTheTokens() {
    const std::vector<std::uint8_t> bytes(80, 0xC1);
    program(0x05, {{16, 17, 80, bytes.data(), 0}});
    const auto all = tokens();
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, all.size());
    CPPUNIT_ASSERT((all[0].token.ranges[0] == TrackRange{16, 17, 80}));
    CPPUNIT_ASSERT(all_are(all[0], 0xC1));
    CPPUNIT_ASSERT_EQUAL(1, int{all[0].token.cylinder});
    CPPUNIT_ASSERT_EQUAL(1, int{all[0].token.head});
    CPPUNIT_ASSERT_EQUAL(0x05, int{all[0].token.ccw_code});
  }

  // The handler has changed its track buffer already and says only where: the token has what the track holds, not what a null pointer does.
  void testANullBufferWriteCarriesWhatTheTrackHolds() {
    program(0x85, {{16, 17, 80, nullptr, 0xD4}});
    program(0x85, {{17, 17, 40, nullptr, 0xD5}});
    const auto all = tokens();
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, all.size());
    CPPUNIT_ASSERT((all[0].token.ranges[0] == TrackRange{16, 17, 80}));
    CPPUNIT_ASSERT(all_are(all[0], 0xD4));
    CPPUNIT_ASSERT((all[1].token.ranges[0] == TrackRange{17, 17, 40}));
    CPPUNIT_ASSERT(all_are(all[1], 0xD5));
    CPPUNIT_ASSERT(std::equal(all[0].data.begin(), all[0].data.end(), stand_in_track(16) + 17));
  }

  void testANullBufferWriteOfTheSharedServerToo() {
    const StandInWrite write{16, 17, 80, nullptr, 0xE2};
    CPPUNIT_ASSERT_EQUAL(80, stand_in_shared_write(&write));
    const auto all = tokens();
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, all.size());
    CPPUNIT_ASSERT(all[0].token.kind == TokenKind::kSharedWrite);
    CPPUNIT_ASSERT_EQUAL(0, int{all[0].token.ccw_code});
    CPPUNIT_ASSERT_EQUAL(3, int{all[0].token.record});  // found by its place on the track
    CPPUNIT_ASSERT(all_are(all[0], 0xE2));
  }

  void testAWriteThatFailsMakesNoToken() {
    const std::vector<std::uint8_t> bytes(80, 0xC1);
    stand_in_fail_write();
    CPPUNIT_ASSERT((program(0x05, {{16, 17, 80, bytes.data(), 0}}) & kUnitCheck) != 0);
    CPPUNIT_ASSERT(tokens().empty());
    stand_in_fail_write();
    const StandInWrite shared{16, 17, 80, bytes.data(), 0};
    CPPUNIT_ASSERT(stand_in_shared_write(&shared) < 0);
    CPPUNIT_ASSERT(tokens().empty());
    program(0x05, {{16, 17, 80, bytes.data(), 0}});
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, tokens().size());
  }

  // A record continued over tracks.
  void testWritesOfOneCcwOnTwoTracksAreOneToken() {
    const std::vector<std::uint8_t> bytes(40, 0xC7);
    program(0x1D, {{16, 17, 40, bytes.data(), 0}, {17, 17, 40, nullptr, 0xC7}});
    const auto all = tokens();
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, all.size());
    CPPUNIT_ASSERT_EQUAL(2, int{all[0].token.range_count});
    CPPUNIT_ASSERT((all[0].token.ranges[1] == TrackRange{17, 17, 40}));
    CPPUNIT_ASSERT(all_are(all[0], 0xC7));
  }

  void testAReadMakesNoToken() {
    program(0x06, {});
    program(0x05, {});  // a write that the guest's chain ends before it wrote
    CPPUNIT_ASSERT(tokens().empty());
  }

  void testDataIsFlushedWhenTheProgramEnds() {
    program(0x05, {{16, 17, 80, nullptr, 0xC1}});
    CPPUNIT_ASSERT(tokens().at(0).flushed);
    CPPUNIT_ASSERT_EQUAL(0xC1, int{stand_in_track(16)[17]});
  }

  // Hercules does not tell its guest; the copy must not take as written what never reached the file.
  void testAFailedWriteBackSuspendsTheVolume() {
    program(0x05, {{16, 17, 80, nullptr, 0xC1}});
    stand_in_fail_write_back();
    program(0x05, {{17, 17, 80, nullptr, 0xC2}});
    const auto all = tokens();
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, all.size());
    CPPUNIT_ASSERT(all[0].flushed && !all[0].is_void);
    CPPUNIT_ASSERT(all[1].is_void);
    CPPUNIT_ASSERT((storage_->device(0).duplex.load() & kVolumeSuspended) != 0);
    CPPUNIT_ASSERT(TrackMap::changed(*storage_, 0).test(17));
  }

  void testTheDeviceStaysOursOverCloseAndDevinit() {
    const unsigned closes = stand_in_closes();
    for (int round = 0; round < 3; ++round) {
      CPPUNIT_ASSERT_EQUAL(0, stand_in_close());
      CPPUNIT_ASSERT_EQUAL(closes + static_cast<unsigned>(round) + 1, stand_in_closes());
      CPPUNIT_ASSERT(stand_in_is_wrapped());
      CPPUNIT_ASSERT_EQUAL(0, stand_in_init(path_.c_str(), STAND_IN_PLAIN));
      CPPUNIT_ASSERT(stand_in_is_wrapped());
      program(0x05, {{16, 17, 80, nullptr, 0xC1}});
      CPPUNIT_ASSERT_EQUAL(static_cast<std::size_t>(round) + 1, tokens().size());
    }
  }

  void testAFailedInitialisationIsTheHandlersAnswer() {
    stand_in_close();
    CPPUNIT_ASSERT_EQUAL(-1, stand_in_init(path_.c_str(), STAND_IN_REFUSED));
    CPPUNIT_ASSERT(stand_in_is_wrapped());  // ours for the next devinit
    CPPUNIT_ASSERT_EQUAL(0, stand_in_init(path_.c_str(), STAND_IN_PLAIN));
    program(0x05, {{16, 17, 80, nullptr, 0xC1}});
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, tokens().size());
  }

  // Between plain and compressed files, in both directions; the close of a compressed one puts the raw entries back.
  void testDevinitBetweenPlainAndCompressed() {
    std::size_t numbered = 0;
    for (const int how : {STAND_IN_COMPRESSED, STAND_IN_PLAIN, STAND_IN_COMPRESSED, STAND_IN_COMPRESSED, STAND_IN_PLAIN}) {
      CPPUNIT_ASSERT_EQUAL(0, stand_in_close());
      CPPUNIT_ASSERT(stand_in_is_wrapped());
      CPPUNIT_ASSERT_EQUAL(0, stand_in_init(path_.c_str(), how));
      CPPUNIT_ASSERT(stand_in_is_wrapped());
      program(0x05, {{16, 17, 80, nullptr, 0xC1}});
      CPPUNIT_ASSERT_EQUAL_MESSAGE(stand_in_log(), ++numbered, tokens().size());
      CPPUNIT_ASSERT(tokens().back().flushed);  // of a compressed file: handed to the cache that will write it
    }
  }

  // An empty cache is freed by Hercules under the threads that look at it.
  void testTheCacheOfCompressedTracksIsNeverEmpty() {
    stand_in_close();
    stand_in_fill_cache(1);
    CPPUNIT_ASSERT_EQUAL(0, stand_in_init(path_.c_str(), STAND_IN_COMPRESSED));  // all are in use: nobody's entry is taken
    stand_in_close();
    stand_in_fill_cache(0);
    for (int round = 0; round < 3; ++round) {
      CPPUNIT_ASSERT_EQUAL(0, stand_in_init(path_.c_str(), STAND_IN_COMPRESSED));
      CPPUNIT_ASSERT_EQUAL(1u, stand_in_cache_in_use());
      stand_in_close();
      CPPUNIT_ASSERT_EQUAL(1u, stand_in_cache_in_use());
    }
    stand_in_fill_cache(0);
    CPPUNIT_ASSERT_EQUAL(0, stand_in_init(path_.c_str(), STAND_IN_PLAIN));
    CPPUNIT_ASSERT_EQUAL(0u, stand_in_cache_in_use());  // a plain file has no tracks there
  }

  void testShadowFilesAreNotDroppedInASession() {
    CPPUNIT_ASSERT_EQUAL(0, stand_in_command("sf-0A80"));  // a plain file has none
    stand_in_close();
    CPPUNIT_ASSERT_EQUAL(0, stand_in_init(path_.c_str(), STAND_IN_COMPRESSED));
    for (const char* line : {"sf-0A80", "sf- 0A80", "SF-*", "sf-*"}) {
      stand_in_log();
      CPPUNIT_ASSERT_EQUAL_MESSAGE(line, -1, stand_in_command(line));
      CPPUNIT_ASSERT_MESSAGE(line, logged("DSMC040E SF- REFUSED"));
    }
    for (const char* line : {"sf-0A80 merge", "sf- 0A80 force", "sf-0B00", "sf-xyz", "sf-", "sf+0A80", "sfd 0A80", "devlist"})
      CPPUNIT_ASSERT_EQUAL_MESSAGE(line, 0, stand_in_command(line));
  }

  void testAnotherHerculesIsLeftAlone() {
    stand_in_close();
    stand_in_forget();
    open_ = false;
    CPPUNIT_ASSERT_EQUAL(0, stand_in_unload());
    loaded_ = false;
    stand_in_log();
    CPPUNIT_ASSERT_EQUAL(1, stand_in_load(1, name_.c_str()));
    CPPUNIT_ASSERT(logged("DSMC001E"));
    CPPUNIT_ASSERT_EQUAL(0, stand_in_unload());
  }

  void testUnloadingWaitsForItsDevices() {
    CPPUNIT_ASSERT_EQUAL(1, stand_in_unload());
    CPPUNIT_ASSERT(logged("DSMC003E DSMCHAN IS NOT UNLOADED: 1 DEVICES ARE TAPPED"));
    stand_in_close();
    open_ = false;
    CPPUNIT_ASSERT_EQUAL(1, stand_in_unload());  // closed, and its entries are still ours
    stand_in_forget();
    CPPUNIT_ASSERT_EQUAL(0, stand_in_unload());
    loaded_ = false;
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ShimHandler);

}  // namespace
}  // namespace afterimage
