// The tap without Hercules: a host of plain memory stands in for the shim. Gates, parking, limits, refusals, mending, failed write-back.
#include <cppunit/extensions/HelperMacros.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstring>
#include <fstream>
#include <mutex>
#include <thread>
#include <vector>

#include "channel/tap.h"
#include "channel/tap_device.h"
#include "channel/tap_hold.h"
#include "channel/tap_module.h"
#include "serializer/bytes.h"
#include "serializer/check.h"
#include "serializer/clock.h"
#include "serializer/consistency_clock.h"
#include "serializer/registry.h"
#include "serializer/slot_reader.h"
#include "serializer/track_map.h"

using namespace afterimage;

namespace {

constexpr std::uint32_t kTracks = 30, kTrackBytes = 4096, kHeads = 15;

// One volume in memory, and the log.
struct FakeHost {
  std::mutex mutex;
  std::vector<std::string> log;
  std::vector<std::vector<std::uint8_t>> tracks;
  std::atomic<int> must_leave{0};
  std::atomic<int> unreadable{-1};
} fake;

void fake_log(const char* line) {
  const std::lock_guard lock(fake.mutex);
  fake.log.emplace_back(line);
}

bool logged(const std::string& part) {
  const std::lock_guard lock(fake.mutex);
  for (const auto& line : fake.log)
    if (line.find(part) != std::string::npos) return true;
  return false;
}

int fake_read(TapWrapped*, uint32_t track, const uint8_t** image) {
  if (track >= kTracks || static_cast<int>(track) == fake.unreadable.load()) return -1;
  *image = fake.tracks[track].data();
  return 0;
}

const TapHost host = {fake_log,
                      [](TapWrapped*, unsigned) { return TAP_TAKE_BUSY; },
                      [](TapWrapped*) {},
                      [](TapWrapped*) {},
                      fake_read,
                      [](TapWrapped*) {},
                      fake_read,
                      [](TapWrapped*) { return fake.must_leave.load(); },
                      [](TapWrapped*, void (*)(void*), void*) { return 0; },
                      [](TapWrapped*) -> uint32_t { return 0x0A80; },
                      [](void (*)(void*, uint32_t, const char*, int, int), void*) {},
                      [] { return 0; }};

std::vector<std::uint8_t> empty_track(std::uint32_t track, std::uint8_t fill) {
  std::vector<std::uint8_t> image(kTrackBytes, 0);
  put_u16(image.data() + 1, static_cast<std::uint16_t>(track / kHeads));
  put_u16(image.data() + 3, static_cast<std::uint16_t>(track % kHeads));
  std::uint8_t* r3 = image.data() + 5;  // one record: R3, a label on track 0
  r3[4] = 3;
  r3[5] = 4;
  put_u16(r3 + 6, 80);
  std::memset(r3 + 12, fill, 80);
  const std::uint8_t label[10] = {0xE5, 0xD6, 0xD3, 0xF1, 0xE4, 0xD5, 0xC9, 0xE3, 0xF0, 0xF1};  // VOL1UNIT01
  if (track == 0) std::memcpy(r3 + 12, label, sizeof label);
  std::memset(r3 + 92, 0xFF, 8);
  return image;
}

}  // namespace

class TapDeviceTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(TapDeviceTest);
  CPPUNIT_TEST(testA5_OneWriteIsOneToken);
  CPPUNIT_TEST(testAnEntryIsFoundOnlyWhileTheVolumeIsOpen);
  CPPUNIT_TEST(testNothingWrittenMakesNoToken);
  CPPUNIT_TEST(testWhatTheSlotCannotHoldGoesAsWholeTracks);
  CPPUNIT_TEST(testFrozenCpuThreadIsToldToDriveAgain);
  CPPUNIT_TEST(testFreezeBehindTheGateParksAndIsNumberedOnce);
  CPPUNIT_TEST(testWriteThatCannotBeHeldIsRecordedAndTheVolumeSuspended);
  CPPUNIT_TEST(testClearEndsTheHold);
  CPPUNIT_TEST(testEachFreezeHasALimitOfItsOwn);
  CPPUNIT_TEST(testAFreezeEndsAtItsLimitThoughTheSessionsTimeMovesOn);
  CPPUNIT_TEST(testA4_PaceLimitSuspendsTheSession);
  CPPUNIT_TEST(testWriteBackFailureVoidsItsTokens);
  CPPUNIT_TEST(testFailedCheckSuspendsAndReturns);
  CPPUNIT_TEST(testLostVolumeIsMendedBeforeItIsOpen);
  CPPUNIT_TEST(testVolumeThatCannotBeMendedIsRefused);
  CPPUNIT_TEST(testChangedFileIsRefused);
  CPPUNIT_TEST(testWrongLabelIsRefused);
  CPPUNIT_TEST_SUITE_END();

 public:
  void setUp() override {
    char folder[] = "/tmp/afterimage-unit-XXXXXX";
    CPPUNIT_ASSERT(mkdtemp(folder) != nullptr);
    folder_ = folder;
    path_ = folder_ + "/unit01.ckd";
    std::ofstream(path_) << "image";
    fake.log.clear();
    fake.must_leave = 0;
    fake.unreadable = -1;
    fake.tracks.clear();
    for (std::uint32_t track = 0; track < kTracks; ++track) fake.tracks.push_back(empty_track(track, 0x40));
    name_ = "afterimage.unit.tap." + std::to_string(getpid());
    make_storage();
    tap_start(&host);
    configure();
    device_ = tap_device_new(nullptr);
  }

  void tearDown() override {
    if (opened_) close();
    tap_stop();
    storage_.reset();
    CommonStorage::remove(name_);
    unlink(path_.c_str());
    rmdir(folder_.c_str());
  }

 private:
  std::string folder_, path_, name_;
  std::unique_ptr<CommonStorage> storage_;
  TapDevice* device_ = nullptr;
  bool opened_ = false;

  void make_storage() {
    StorageShape shape;
    shape.plex = "UNIT";
    shape.ring_bytes = 1u << 20;
    shape.max_tracks = 1024;
    auto made = CommonStorage::create_or_open(name_, shape);
    CPPUNIT_ASSERT_MESSAGE(made.status.text(), made.good());
    storage_ = std::move(made.value);
    const DeviceDefinition definition{"UNIT01", "SYSA", 0x0A80, 7, 0x3390, kTracks / kHeads, kHeads, kTrackBytes, kTracks, path_, false};
    CPPUNIT_ASSERT(define_device(*storage_, definition).good());
    storage_->device(0).duplex.store(kDuplex);
    storage_->control().pace_limit_ms.store(100);
    storage_->control().freeze_limit_ms.store(60000);
    change_session_state(*storage_, SessionState::kInactive, SessionState::kActive);
  }

  void configure() {
    std::vector<std::string> words{"DSM", "PLEX", "UNIT", "SYSTEM", "SYSA", "STORAGE", name_};
    std::vector<char*> argv;
    for (auto& word : words) argv.push_back(word.data());
    CPPUNIT_ASSERT_EQUAL(1, tap_config_statement(static_cast<int>(argv.size()), argv.data()));
  }

  void open() {
    tap_before_open(device_, path_.c_str());
    TapFacts facts{};
    facts.device_number = 0x0A80;
    facts.device_type = 0x3390;
    facts.cylinders = kTracks / kHeads;
    facts.heads = kHeads;
    facts.tracks = kTracks;
    facts.track_bytes = kTrackBytes;
    facts.path = path_.c_str();
    tap_opened(device_, &facts);
    opened_ = true;
  }

  void close() {
    tap_closing(device_);
    tap_closed(device_);
    opened_ = false;
  }

  bool tapped() const { return *tap_device_fast(device_)->duplex != 0; }

  void put(std::uint32_t track, std::uint32_t offset, std::uint8_t value, std::uint32_t length = 20) {
    std::memset(fake.tracks[track].data() + offset, value, length);
    tap_wrote(device_, track, offset, length, fake.tracks[track].data() + offset);
  }

  // A whole write, from gate to number.
  void write(std::uint8_t value, std::uint32_t track = 16) {
    CPPUNIT_ASSERT(tap_gate(device_, 0x05, TAP_PLACE_THREAD) == TAP_GATE_RUN);
    put(track, 17, value);
    CPPUNIT_ASSERT(tap_capture_end(device_, 3, nullptr, 0, TAP_PLACE_THREAD) == TAP_END_DONE);
  }

  std::vector<HeldToken> tokens() {
    SlotReader reader(*storage_);
    CPPUNIT_ASSERT(reader.rebuild().good());
    std::vector<HeldToken> all;
    for (Sequence sequence = storage_->control().freed_through.load() + 1; sequence <= reader.last_numbered(); ++sequence) {
      auto held = reader.read(sequence);
      CPPUNIT_ASSERT_MESSAGE(held.status.text(), held.good());
      all.push_back(held.value);
    }
    return all;
  }

  void change(SessionState from, SessionState to) { CPPUNIT_ASSERT(change_session_state(*storage_, from, to).changed); }

  void testA5_OneWriteIsOneToken() {
    open();
    CPPUNIT_ASSERT(tapped());
    tap_program_started(device_);
    write(0xD1);
    tap_program_started(device_);
    write(0xD2);
    const auto all = tokens();
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, all.size());
    const Token& token = all[0].token;
    CPPUNIT_ASSERT(token.kind == TokenKind::kWrite);
    CPPUNIT_ASSERT_EQUAL(0x05, int{token.ccw_code});
    CPPUNIT_ASSERT_EQUAL(7, int{token.volume});
    CPPUNIT_ASSERT_EQUAL(1, int{token.cylinder});
    CPPUNIT_ASSERT_EQUAL(1, int{token.head});
    CPPUNIT_ASSERT_EQUAL(3, int{token.record});
    CPPUNIT_ASSERT((token.ranges[0] == TrackRange{16, 17, 20}));
    CPPUNIT_ASSERT_EQUAL(token.event + 1, all[1].token.event);
    CPPUNIT_ASSERT(!all[0].flushed);
    tap_flushed(device_);
    CPPUNIT_ASSERT(tokens()[1].flushed);
  }

  // Displays of any thread look the entry up while the volume comes and goes.
  void testAnEntryIsFoundOnlyWhileTheVolumeIsOpen() {
    CPPUNIT_ASSERT(bound_entry(*device_) == nullptr);
    open();
    CPPUNIT_ASSERT(bound_entry(*device_) != nullptr);
    CPPUNIT_ASSERT_EQUAL(std::uint16_t{0x0A80}, bound_entry(*device_)->device_number);
    close();
    CPPUNIT_ASSERT(bound_entry(*device_) == nullptr);
  }

  void testNothingWrittenMakesNoToken() {
    open();
    CPPUNIT_ASSERT(tap_gate(device_, 0x05, TAP_PLACE_THREAD) == TAP_GATE_RUN);
    CPPUNIT_ASSERT(tap_capture_end(device_, 3, nullptr, 0, TAP_PLACE_THREAD) == TAP_END_DONE);
    CPPUNIT_ASSERT(tokens().empty());
  }

  void testWhatTheSlotCannotHoldGoesAsWholeTracks() {
    open();
    CPPUNIT_ASSERT(tap_gate(device_, 0x05, TAP_PLACE_THREAD) == TAP_GATE_RUN);
    for (std::uint32_t i = 0; i <= kMaxRanges; ++i) put(i < 10 ? 16 : 17, 20 + 2 * i, 0xE0, 1);
    CPPUNIT_ASSERT(tap_capture_end(device_, 3, nullptr, 0, TAP_PLACE_THREAD) == TAP_END_DONE);
    const auto all = tokens();
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, all.size());
    for (std::uint32_t i = 0; i < 2; ++i) {
      CPPUNIT_ASSERT(all[i].token.kind == TokenKind::kTrackImage);
      CPPUNIT_ASSERT((all[i].token.ranges[0] == TrackRange{16 + i, 0, 105}));
      CPPUNIT_ASSERT(std::equal(all[i].data.begin(), all[i].data.end(), fake.tracks[16 + i].begin()));
    }
  }

  void testFrozenCpuThreadIsToldToDriveAgain() {
    open();
    change(SessionState::kActive, SessionState::kFrozen);
    CPPUNIT_ASSERT(tap_gate(device_, 0x05, TAP_PLACE_CPU_REDRIVE) == TAP_GATE_REDRIVE);
    std::thread runs([&] { change(SessionState::kFrozen, SessionState::kActive); });
    write(0xD1);
    runs.join();
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, tokens().size());
  }

  void testFreezeBehindTheGateParksAndIsNumberedOnce() {
    open();
    CPPUNIT_ASSERT(tap_gate(device_, 0x85, TAP_PLACE_CPU_REDRIVE) == TAP_GATE_RUN);
    put(16, 17, 0xD1);
    change(SessionState::kActive, SessionState::kFrozen);
    CPPUNIT_ASSERT(tap_capture_end(device_, 3, nullptr, 0, TAP_PLACE_CPU_REDRIVE) == TAP_END_PARKED);
    CPPUNIT_ASSERT(tap_is_parked(device_));
    CPPUNIT_ASSERT(tokens().empty());
    std::thread runs([&] { change(SessionState::kFrozen, SessionState::kActive); });
    tap_settle(device_, TAP_PLACE_THREAD);
    runs.join();
    CPPUNIT_ASSERT(!tap_is_parked(device_));
    tap_settle(device_, TAP_PLACE_THREAD);
    const auto all = tokens();
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, all.size());
    CPPUNIT_ASSERT(all[0].token.kind == TokenKind::kWrite);
    CPPUNIT_ASSERT_EQUAL(0xD1, int{all[0].data[0]});
  }

  void testWriteThatCannotBeHeldIsRecordedAndTheVolumeSuspended() {
    open();
    CPPUNIT_ASSERT(tap_gate(device_, 0x85, TAP_PLACE_CPU) == TAP_GATE_RUN);
    put(16, 17, 0xD1);
    change(SessionState::kActive, SessionState::kFrozen);
    CPPUNIT_ASSERT(tap_capture_end(device_, 3, nullptr, 0, TAP_PLACE_CPU) == TAP_END_DONE);
    CPPUNIT_ASSERT(storage_->device(0).duplex.load() & kVolumeSuspended);
    CPPUNIT_ASSERT(TrackMap::changed(*storage_, 0).test(16));
    CPPUNIT_ASSERT(logged("DSMC022W"));
  }

  void testClearEndsTheHold() {
    open();
    change(SessionState::kActive, SessionState::kFrozen);
    std::thread clears([] { fake.must_leave = 1; });
    CPPUNIT_ASSERT(tap_gate(device_, 0x05, TAP_PLACE_THREAD) == TAP_GATE_LEAVE);
    clears.join();
    CPPUNIT_ASSERT(tokens().empty());
  }

  void testEachFreezeHasALimitOfItsOwn() {
    open();
    TapAttachment& attachment = *tap_module().current.load();
    storage_->control().freeze_limit_ms.store(30'000);
    change(SessionState::kActive, SessionState::kFrozen);
    end_freeze_over_limit(attachment);
    tap_module().frozen_since_us.store(monotonic_us() - 29'000'000);
    change(SessionState::kFrozen, SessionState::kActive);
    change(SessionState::kActive, SessionState::kFrozen);
    storage_->control().freeze_limit_ms.store(20'000);
    end_freeze_over_limit(attachment);
    CPPUNIT_ASSERT(control_view(*storage_).state == SessionState::kFrozen);
    tap_module().frozen_since_us.store(monotonic_us() - 21'000'000);
    end_freeze_over_limit(attachment);
    CPPUNIT_ASSERT(control_view(*storage_).state == SessionState::kSuspended);
    CPPUNIT_ASSERT(logged("DSMC021W"));
  }

  // dsmd moves the consistency time on a hundred times a second while it is frozen.
  void testAFreezeEndsAtItsLimitThoughTheSessionsTimeMovesOn() {
    open();
    storage_->control().freeze_limit_ms.store(50);
    change(SessionState::kActive, SessionState::kFrozen);
    const std::uint64_t began = monotonic_us();
    std::atomic<bool> done{false};
    std::thread mover([&] {
      while (!done) {
        advance_clock(*storage_, clock_tod());
        ::usleep(5'000);
      }
    });
    CPPUNIT_ASSERT(tap_gate(device_, 0x05, TAP_PLACE_THREAD) == TAP_GATE_RUN);
    done = true;
    mover.join();
    CPPUNIT_ASSERT(monotonic_us() - began >= 50'000);
    CPPUNIT_ASSERT(control_view(*storage_).state == SessionState::kSuspended);
    CPPUNIT_ASSERT(logged("DSMC021W"));
  }

  void testA4_PaceLimitSuspendsTheSession() {
    open();
    const std::uint64_t began = monotonic_us();
    for (unsigned n = 0; n < 20000 && control_view(*storage_).state == SessionState::kActive; ++n) write(static_cast<std::uint8_t>(n));
    CPPUNIT_ASSERT(control_view(*storage_).state == SessionState::kSuspended);
    CPPUNIT_ASSERT_EQUAL(static_cast<std::uint32_t>(SuspendReason::kBuffers), storage_->control().suspend_reason.load());
    CPPUNIT_ASSERT(monotonic_us() - began >= 100'000);
    CPPUNIT_ASSERT(logged("DSMC020W"));
    CPPUNIT_ASSERT(TrackMap::changed(*storage_, 0).test(16));
  }

  void testWriteBackFailureVoidsItsTokens() {
    open();
    write(0xD1);
    tap_flushed(device_);
    write(0xD2, 17);
    write(0xD3, 17);
    tap_write_back_failed(device_, 17);
    tap_flushed(device_);
    const auto all = tokens();
    CPPUNIT_ASSERT(!all[0].is_void);
    CPPUNIT_ASSERT(all[1].is_void);
    CPPUNIT_ASSERT(all[2].is_void);
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, storage_->device(0).flushed_sequence.load());
    CPPUNIT_ASSERT(TrackMap::changed(*storage_, 0).test(17));
    write(0xD4);
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, tokens().size());
  }

  void testFailedCheckSuspendsAndReturns() {
    open();
    AI_CHECK(1 + 1 == 3);
    CPPUNIT_ASSERT(control_view(*storage_).state == SessionState::kSuspended);
    CPPUNIT_ASSERT(logged("DSMC026S INTERNAL CHECK FAILED (1 + 1 == 3"));
    write(0xD1);
    CPPUNIT_ASSERT(tokens().empty());
  }

  void testLostVolumeIsMendedBeforeItIsOpen() {
    storage_->device(0).state.store(static_cast<std::uint32_t>(DeviceState::kLost));
    TrackMap::unhardened(*storage_, 0).set(3);
    TrackMap::unhardened(*storage_, 0).set(20);
    open();
    CPPUNIT_ASSERT(tapped());
    const auto all = tokens();
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, all.size());
    CPPUNIT_ASSERT_EQUAL(3u, all[0].token.ranges[0].track);
    CPPUNIT_ASSERT_EQUAL(20u, all[1].token.ranges[0].track);
    CPPUNIT_ASSERT(all[1].flushed);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, TrackMap::unhardened(*storage_, 0).count());
  }

  void testVolumeThatCannotBeMendedIsRefused() {
    storage_->device(0).state.store(static_cast<std::uint32_t>(DeviceState::kLost));
    TrackMap::unhardened(*storage_, 0).set(3);
    fake.unreadable = 3;
    open();
    CPPUNIT_ASSERT(!tapped());
    CPPUNIT_ASSERT(storage_->device(0).duplex.load() & kVolumeSuspended);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, TrackMap::unhardened(*storage_, 0).count());
    CPPUNIT_ASSERT(logged("COULD NOT BE MENDED"));
  }

  void testChangedFileIsRefused() {
    open();
    close();
    open();
    CPPUNIT_ASSERT(tapped());
    close();
    std::ofstream(path_, std::ios::app) << "more";
    open();
    CPPUNIT_ASSERT(!tapped());
    CPPUNIT_ASSERT(logged("ITS FILE WAS CHANGED SINCE IT WAS CLOSED; COMPARE IT"));
  }

  void testWrongLabelIsRefused() {
    fake.tracks[0][5 + 12 + 4] = 0xC1;
    open();
    CPPUNIT_ASSERT(!tapped());
    CPPUNIT_ASSERT(logged("ITS VOLUME IS 'ANIT01', BUT THE SESSION HAS 'UNIT01'"));
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(TapDeviceTest);
