// Fuzz target: from write CCWs to tokens. The input is a program of what two devices do and what is done to their session: captures begun,
// filled, finished, dropped, cut off; suspension, freeze, volume suspension; the mover reading and freeing. A model follows with plain
// bytes. Every numbered token names exactly the bytes written, in order; what could not be numbered is in the change map, or its tracks
// are told; nothing that is not freed ever changes; numbers are contiguous and stamps rise.
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <deque>
#include <memory>
#include <set>

#include "channel/capture.h"
#include "serializer/registry.h"
#include "serializer/slot_reader.h"
#include "serializer/track_map.h"
#include "tests/fuzz/fuzz_check.h"

namespace afterimage::fuzz {

namespace {

constexpr std::uint32_t kDevices = 2, kTracks = 1024;

// One segment for all inputs, without a name; everything but the guests' data is put back before each.
class Storage {
 public:
  static Storage& get() {
    static Storage storage;
    return storage;
  }
  CommonStorage& fresh() {
    std::memcpy(static_cast<void*>(&storage_->header()), first_.data(), first_.size());
    return *storage_;
  }

 private:
  Storage() {
    const std::string name = "afterimage.fuzz." + std::to_string(::getpid());
    StorageShape shape;
    shape.plex = "FUZZ";
    shape.ring_bytes = 4ull * kMinChunkBytes;
    shape.chunk_bytes = kMinChunkBytes;
    shape.sequence_entries = 64;
    shape.max_tracks = kTracks;
    shape.devices = kDevices;
    auto made = CommonStorage::create_or_open(name, shape);
    FUZZ_CHECK_MORE(made.good(), made.status.text());
    storage_ = std::move(made.value);
    for (std::uint16_t i = 0; i < kDevices; ++i) {
      const DeviceDefinition definition{
          "FUZZ0" + std::to_string(i), "SYSA", static_cast<std::uint16_t>(0xA80 + i), i, 0x3390, 60, 15, 56832, 900,
          "/nowhere/fuzz.ckd",         false};
      const auto defined = define_device(*storage_, definition);
      FUZZ_CHECK_MORE(defined.good(), defined.status.text());
      storage_->device(i).duplex.store(kDuplex);
    }
    CommonStorage::remove(name);
    change_session_state(*storage_, SessionState::kInactive, SessionState::kActive);
    const auto* begin = reinterpret_cast<const std::uint8_t*>(&storage_->header());
    first_.assign(begin, static_cast<const std::uint8_t*>(storage_->chunk(0)));
  }
  std::unique_ptr<CommonStorage> storage_;
  Bytes first_;
};

struct Piece {
  std::uint32_t track = 0, offset = 0, length = 0;
};

struct Expected {
  Token begun;
  std::vector<Piece> pieces;  // as written, one after another
  Bytes data;
  std::set<std::uint32_t> tracks;
};

// The same places in the same order, however they are cut into ranges.
bool same_places(const std::vector<Piece>& written, const Token& token) {
  std::size_t range = 0;
  std::uint32_t done = 0;  // of that range
  for (Piece left : written) {
    while (left.length > 0) {
      if (range == token.range_count) return false;
      const TrackRange& named = token.ranges[range];
      if (named.track != left.track || named.offset + done != left.offset) return false;
      const std::uint32_t count = std::min(left.length, named.length - done);
      if (count == 0) return false;
      left.offset += count;
      left.length -= count;
      done += count;
      if (done == named.length) {
        ++range;
        done = 0;
      }
    }
  }
  return range == token.range_count && done == 0;
}

class Device {
 public:
  Device(CommonStorage& storage, std::uint32_t index) : storage_(storage), index_(index), writer_(storage, index) {}

  // As pass_gate() does: room first, else only the tracks are kept.
  void begin(Input& input) {
    if (capture_.open()) return;
    expected_ = {};
    expected_.begun.kind = input.flag() ? TokenKind::kWrite : TokenKind::kSharedWrite;
    expected_.begun.ccw_code = input.u8();
    expected_.begun.event = input.u8();
    expected_.begun.volume = static_cast<VolumeId>(index_);
    const bool small = input.flag();
    take_interrupted(input.flag());
    const SlotRoom room = writer_.prepare(small ? input.u16() : kMaxTokenData);
    judge_unhardened();
    capture_.begin(expected_.begun, room == SlotRoom::kReady ? &writer_ : nullptr);
  }

  void add(Input& input) {
    if (!capture_.open()) return;
    const std::uint32_t track = input.flag() ? input.below(4) : input.u16() % 900;
    std::uint32_t offset = input.flag() ? input.u8() : input.u16(), length = input.below(3) == 1 ? input.u16() : input.below(64);
    if (input.below(4) == 1) offset = next_offset_;  // goes on behind the last
    if (offset + length > kMaxTrackBytes) length = 0;
    next_offset_ = offset + length;
    const std::uint8_t seed = input.u8();
    // A run of a table, so that making it costs no more than copying it.
    static const Bytes table = [] {
      Bytes bytes(kMaxTrackBytes + 256);
      for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(31 * i + i / 256);
      return bytes;
    }();
    const View data = View(table).subspan(seed, length);
    const bool remembered = capture_.tracks().size() < kMaxCaptureTracks || expected_.tracks.contains(track);
    capture_.add(track, offset, length, data.data());
    if (length == 0) return;
    if (remembered)
      expected_.tracks.insert(track);
    else
      FUZZ_CHECK(capture_.lost_track());
    expected_.pieces.push_back({track, offset, length});
    expected_.data.insert(expected_.data.end(), data.begin(), data.end());
    FUZZ_CHECK(!capture_.empty());
    FUZZ_CHECK(std::set<std::uint32_t>(capture_.tracks().begin(), capture_.tracks().end()) == expected_.tracks);
  }

  void name_record(Input& input) {
    if (!capture_.open() || capture_.empty()) return;
    Token& begun = expected_.begun;
    begun.cylinder = input.u8();
    begun.head = input.u8();
    begun.record = input.u8();
    capture_.set_record(begun.cylinder, begun.head, begun.record);
  }

  // The sequence number, or 0 when the capture was not numbered.
  Sequence finish(std::uint64_t now_us) {
    if (!capture_.open()) return 0;
    const ControlView before = control_view(storage_);
    const std::uint32_t duplex = storage_.device(index_).duplex.load();
    Sequence sequence = 0;
    if (capture_.in_slot()) {
      const bool empty = writer_.empty();
      const Numbered numbered = writer_.finish(now_us);
      if (empty) FUZZ_CHECK(numbered.outcome == NumberOutcome::kNotActive);
      if (numbered.outcome == NumberOutcome::kNumbered) {
        FUZZ_CHECK(before.state == SessionState::kActive && (duplex & (kDuplex | kVolumeSuspended)) == kDuplex);
        sequence = numbered.sequence;
        FUZZ_CHECK(sequence == before.sequence + 1);
        tod = numbered.tod;
      } else if (!empty) {
        judge_unnumbered(numbered.outcome, before.state, duplex);
        writer_.abandon();  // kFull leaves it open
      }
    } else {
      record_tracks();
    }
    capture_.close();
    return sequence;
  }

  void drop() { capture_.drop(); }

  // The thread is taken out between two instructions; the next capture finds what it left.
  void cut_off() {
    if (!capture_.open()) return;
    interrupted_ = capture_.in_slot() && !writer_.empty();
    interrupted_tracks_ = expected_.tracks;
    capture_.close();
  }

  void release() {
    if (capture_.open()) return;
    writer_.release();
    interrupted_ = false;
  }

  const Expected& expected() const { return expected_; }
  Tod tod = 0;

 private:
  void take_interrupted(bool ask) {
    const bool was = std::exchange(interrupted_, false);
    if (!ask) {  // prepare() marks them then
      unhardened_due_ = was;
      return;
    }
    Token token;
    const bool taken = writer_.take_interrupted(token);
    FUZZ_CHECK(taken == was);
    if (!taken) return;
    std::set<std::uint32_t> named;
    for (unsigned i = 0; i < token.range_count; ++i) named.insert(token.ranges[i].track);
    FUZZ_CHECK(named == interrupted_tracks_);
  }

  void judge_unhardened() {
    if (!std::exchange(unhardened_due_, false)) return;
    const TrackMap map = TrackMap::unhardened(storage_, index_);
    for (const std::uint32_t track : interrupted_tracks_) FUZZ_CHECK(map.test(track));
  }

  // As record_only() does for a capture that no slot could hold.
  void record_tracks() {
    const auto tracks = capture_.tracks();
    for (unsigned from = 0; from < tracks.size(); from += kMaxRanges) {
      const Token change = capture_.change(from);
      FUZZ_CHECK(token_is_well_formed(change));
      for (unsigned i = 0; i < change.range_count; ++i) FUZZ_CHECK(change.ranges[i].track == tracks[from + i]);
      FUZZ_CHECK(change.range_count == std::min<std::size_t>(kMaxRanges, tracks.size() - from));
      record_change(storage_, index_, change);
    }
  }

  void judge_unnumbered(NumberOutcome outcome, SessionState state, std::uint32_t duplex) {
    const bool duplexed = (duplex & kDuplex) != 0, stopped = (duplex & kVolumeSuspended) != 0;
    FUZZ_CHECK(outcome != NumberOutcome::kNotActive || !duplexed || state == SessionState::kSuspended || state == SessionState::kInactive);
    FUZZ_CHECK(outcome != NumberOutcome::kVolumeSuspended || (stopped && state == SessionState::kActive));
    FUZZ_CHECK(outcome != NumberOutcome::kFrozen || state == SessionState::kFrozen);
    FUZZ_CHECK(outcome != NumberOutcome::kFull || state == SessionState::kActive);
    if (outcome == NumberOutcome::kFull || state == SessionState::kInactive || !duplexed) return;
    const TrackMap map = TrackMap::changed(storage_, index_);
    for (const std::uint32_t track : expected_.tracks) FUZZ_CHECK(map.test(track));
  }

  CommonStorage& storage_;
  std::uint32_t index_;
  SlotWriter writer_;
  Capture capture_;
  Expected expected_;
  std::set<std::uint32_t> interrupted_tracks_;
  std::uint32_t next_offset_ = 0;
  bool interrupted_ = false, unhardened_due_ = false;
};

class World {
 public:
  explicit World(Input input)
      : input_(input), storage_(Storage::get().fresh()), devices_{{storage_, 0}, {storage_, 1}}, reader_(storage_) {}

  void run() {
    FUZZ_CHECK(reader_.rebuild().good());
    for (unsigned step = 0; step < 96 && !input_.empty(); ++step) one_step();
    judge_held();
    for (const Sequence through = reader_.last_numbered(); freed_ < through;) free_through(through);
    for (Device& device : devices_) {
      device.drop();
      device.release();
    }
    FUZZ_CHECK(reader_.ring_bytes_used() == 0);
  }

 private:
  void one_step() {
    const std::uint8_t word = input_.u8();
    Device& device = devices_[word >> 7];
    switch (word % 20) {
      case 0:
      case 1:
        return device.begin(input_);
      case 2:
      case 3:
      case 4:
      case 5:
      case 6:
        return device.add(input_);
      case 7:
        return device.name_record(input_);
      case 8:
      case 9:
      case 10:
        return finish(device);
      case 11:
        return device.drop();
      case 12:
        return device.cut_off();
      case 13:
        return device.release();
      case 14:
        return change_state();
      case 15:
        return volume(word >> 7);
      case 16:
        return judge_held();
      case 17:
        return free_through(freed_ + input_.below(8));
      case 18:
        storage_.device(word >> 7).flushed_sequence.store(storage_.device(word >> 7).last_sequence.load());
        return;
      default:
        if (freed_ < next_) void_entry(storage_, freed_ + 1), voided_.insert(freed_ + 1);
    }
  }

  void finish(Device& device) {
    now_us_ += input_.below(3);  // the clock may stand
    const Sequence sequence = device.finish(now_us_);
    if (sequence == 0) return;
    FUZZ_CHECK(sequence == next_ + 1);
    FUZZ_CHECK(device.tod > last_tod_);
    last_tod_ = device.tod;
    next_ = sequence;
    held_.push_back(device.expected());
  }

  void change_state() {
    static constexpr SessionState kStates[] = {SessionState::kInactive, SessionState::kActive, SessionState::kSuspended,
                                               SessionState::kFrozen};
    const StateChange change = change_session_state(storage_, control_view(storage_).state, kStates[input_.below(4)]);
    FUZZ_CHECK(change.changed && change.cut == next_);
  }

  void volume(std::uint32_t index) {
    if (input_.flag()) {
      FUZZ_CHECK(suspend_device(storage_, index, SuspendReason::kOperator) == next_);
    } else {
      storage_.device(index).duplex.store(input_.flag() ? kDuplex : 0u);
      FUZZ_CHECK(bump_generation(storage_) == next_);
    }
  }

  void judge_held() {
    FUZZ_CHECK(reader_.last_numbered() == next_);
    for (std::size_t i = 0; i < held_.size(); ++i) {
      const Sequence sequence = freed_ + 1 + i;
      const auto held = reader_.read(sequence);
      FUZZ_CHECK_MORE(held.good(), held.status.text());
      const Token& token = held.value.token;
      const Expected& expected = held_[i];
      FUZZ_CHECK(token_is_well_formed(token));
      FUZZ_CHECK(token.sequence == sequence && token.kind == expected.begun.kind && token.ccw_code == expected.begun.ccw_code);
      FUZZ_CHECK(token.event == expected.begun.event && token.volume == expected.begun.volume && held.value.device == token.volume);
      FUZZ_CHECK(token.cylinder == expected.begun.cylinder && token.head == expected.begun.head && token.record == expected.begun.record);
      FUZZ_CHECK(held.value.is_void == voided_.contains(sequence));
      FUZZ_CHECK(same_places(expected.pieces, token));
      FUZZ_CHECK(std::ranges::equal(held.value.data, expected.data));
    }
    FUZZ_CHECK(!reader_.read(next_ + 1).good());
    FUZZ_CHECK(!reader_.read(freed_).good());
  }

  void free_through(Sequence through) {
    reader_.free_through(through);
    const Sequence last = std::min(through, next_);
    for (; freed_ < last; ++freed_) held_.pop_front();
    FUZZ_CHECK(storage_.control().freed_through.load() == freed_);
  }

  Input input_;
  CommonStorage& storage_;
  Device devices_[kDevices];
  SlotReader reader_;
  std::deque<Expected> held_;  // of freed_ + 1 and following
  std::set<Sequence> voided_;
  Sequence next_ = 0, freed_ = 0;
  Tod last_tod_ = 0;
  std::uint64_t now_us_ = 1;
};

}  // namespace

}  // namespace afterimage::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace afterimage::fuzz;
  World(Input({data, size})).run();
  return 0;
}
