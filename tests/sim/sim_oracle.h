// Knows every write of a plex and judges what the product makes of them: it is told by the simulated Hercules what guests changed and what
// reached the files, and by the calls led away (sim_calls.cpp) what was numbered, voided, freed, sent and applied. From the product it
// takes only the numbers it gives and which message says what; every image is folded from the guests' own bytes. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "channel/dasd_image_types.h"
#include "datamover/loss_report.h"
#include "datamover/pending_write_queue.h"
#include "tests/sim/sim_schedule.h"
#include "vtam_link/message.h"

namespace afterimage::sim {

inline constexpr std::uint32_t kImageHeader_bytes = 512;  // the tracks lie behind it

struct OracleVolume {
  std::string volser, image, secondary_image;  // paths on the sites' disks
  Geometry geometry;
  unsigned system = 0;
};

// Bytes replaced in one track.
struct Piece {
  std::uint32_t track = 0, offset = 0;
  std::vector<std::uint8_t> bytes;
};

struct LoggedWrite {
  unsigned volume = 0;
  TokenKind kind = TokenKind::kWrite;
  Tod tod = 0;
  std::vector<Piece> pieces;
  std::uint64_t life = 0;  // of its system
  bool is_void = false;
  bool in_file = false;            // its bytes have reached the primary's file
  bool told_flushed = false;       // and the product was told so
  std::uint64_t data_message = 0;  // last message that carried its data
};

class Oracle {
 public:
  Oracle(Schedule& schedule, std::vector<OracleVolume> volumes, SimDisk& primary, SimDisk& secondary);
  const std::vector<OracleVolume>& volumes() const { return volumes_; }

  // What guests do, told by the simulated Hercules.
  void ccw_begins(unsigned volume);
  void guest_changed(unsigned volume, std::uint32_t track, std::uint32_t offset, std::span<const std::uint8_t> bytes);
  // `numbered`: the session took numbers for it all the time; `recorded`: it recorded changes of it all the time.
  void ccw_ends(unsigned volume, bool numbered, bool recorded, const std::function<bool(std::uint32_t)>& is_recorded);
  void reached_file(unsigned volume);
  void write_back_failed(unsigned volume);
  void told_flushed(unsigned volume);
  void system_died(unsigned system);
  void system_started(unsigned system);
  void take_live_from_file(unsigned volume);
  std::span<const std::uint8_t> live_track(unsigned volume, std::uint32_t track) const;
  void held(std::uint64_t us, std::uint64_t bound_us);

  // What the product does.
  // `copied`: the secondary's images are what they are; else they are what the session before ends with.
  void epoch_begins(std::uint64_t epoch, Sequence last_numbered, bool copied, bool compares);
  bool said_ended(std::uint64_t epoch);  // whether it is of the present session
  // A verification may find one: a volume was changed without a number since the sites were last equal.
  bool differences_possible() const;
  void copied();
  void numbered(unsigned volume, Sequence sequence, Tod tod, const Token& token);
  void voided(Sequence sequence);
  void frees(Sequence through, bool session_ends);
  void message_on_line(const Message& message);  // primary to secondary
  void acknowledgement(const Message& message);  // the other way, when it is handed to the link
  void applied(const PendingWrite& write);
  void secondary_restarted() { exact_ = false; }
  void secondary_crashed() { exact_ = false; }
  void recovered(const LossReport& report);
  // A verification says that all volumes are equal now.
  void said_equal(bool active);

  // The secondary's images are exactly writes 1..A; `what` says at which occasion. Files on `disk`, folded from the writes known.
  void check_images(SimDisk& disk, Sequence point_a, const std::string& what);
  void check_report(const LossReport& report, Sequence promise);
  void check_now(const std::string& what);  // when nothing is being replayed
  void check_fences(SimDisk& disk, bool fenced, const std::string& what);
  bool sites_equal(std::string& difference);  // live primary against the images, as records
  Sequence promise() const { return promise_; }
  Sequence applied_through() const { return applied_; }
  Sequence last_numbered() const { return last_; }
  std::uint64_t epoch() const { return epoch_; }
  // Something of this session was acknowledged: a recovery must find it.
  // The secondary forgot the session because an operator told it to: nothing is judged by it any more, until the next begins.
  void given_up() { epoch_ = 0; }
  bool promised_something() const { return epoch_ != 0 && acknowledged_message_ != 0; }
  bool in_doubt() const { return !exact_; }
  std::uint64_t writes() const { return writes_; }
  std::uint64_t longest_hold_us() const { return longest_hold_us_; }
  void damage_expected() { damage_expected_ = true; }

 private:
  using Image = std::vector<std::uint8_t>;  // tracks, without the device header
  struct OpenCcw {
    bool open = false;
    std::vector<Piece> pieces;
    std::vector<Sequence> numbers;
    std::set<std::uint32_t> imaged;  // tracks sent whole
  };
  struct VolumeState {
    Image live;      // as the guests see it
    Image mirrored;  // the secondary's at applied_
    OpenCcw ccw;
    std::vector<Sequence> in_buffer;  // numbered, in Hercules's buffer only
    std::vector<Sequence> untold;     // in the file, the product not told
    std::set<std::uint32_t> owed;     // changed without a number since the sites were last equal
    bool write_back_failed = false;
  };
  void fail(const std::string& invariant, const std::string& what) { schedule_.violation(invariant, what); }
  static void fold(Image& image, const Geometry& geometry, const LoggedWrite& write);
  void find_differences(unsigned volume);
  LoggedWrite* find(Sequence sequence);
  Image read_image(SimDisk& disk, const std::string& path) const;
  void compare(unsigned volume, const Image& wanted, const Image& found, const std::string& what);
  void check_track(SimDisk& disk, unsigned volume, std::uint32_t track, Sequence sequence);

  Schedule& schedule_;
  std::vector<OracleVolume> volumes_;
  SimDisk& primary_;
  SimDisk& secondary_;
  std::vector<VolumeState> states_;
  struct Life {
    std::uint64_t number = 0;
    bool alive = false;
  };
  std::map<unsigned, Life> lives_;  // of systems
  std::vector<LoggedWrite> log_;    // of the epoch: log_[sequence - first_]
  Sequence first_ = 1, last_ = 0, applied_ = 0, promise_ = 0, known_promise_ = 0;
  std::uint64_t epoch_ = 0, last_message_ = 0, acknowledged_message_ = 0;
  Sequence sent_ = 0;  // highest token in M1
  Tod last_tod_ = 0;
  std::uint64_t writes_ = 0, longest_hold_us_ = 0;
  bool differs_at_start_ = false, outside_ = false;
  std::string difference_;
  bool exact_ = true, terminate_sent_ = false, end_said_ = false, end_of_last_awaited_ = false, damage_expected_ = false;
};

// Bytes of a track up to and with its end marker; the whole when there is none. Written for the oracle, not the product's.
std::size_t used_part(std::span<const std::uint8_t> track);

}  // namespace afterimage::sim
