// Knows every write of a session and every message that reached the secondary, and says what may be on its disk: the images are exactly
// writes 1..A of one A not below what was acknowledged, and the loss report is that of some number of whole messages not below the
// acknowledged ones. Uses none of the product's bookkeeping. Pure.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "channel/dasd_image_types.h"
#include "datamover/loss_report.h"
#include "tests/sim/sim_disk.h"
#include "vtam_link/message.h"

namespace afterimage::crash {

using Bytes = std::vector<std::uint8_t>;

// A volume of the secondary: one or two files, as Hercules keeps them.
struct CrashVolume {
  VolumeDescriptor descriptor;
  std::vector<std::string> files;  // on the simulated disk
  std::vector<std::uint32_t> cylinders;
};

struct CrashWrite {
  Token token;
  Bytes data;
  bool is_void = false;
};

class CrashOracle {
 public:
  explicit CrashOracle(std::vector<CrashVolume> volumes);
  const std::vector<CrashVolume>& volumes() const { return volumes_; }

  // A session begins: the images are now what `disk` holds, and its first write has this number.
  void begin(std::uint64_t epoch, Sequence first, const std::vector<Bytes>& tracks);
  std::uint64_t epoch() const { return epoch_; }
  // A write, in order. Its bytes count from now on for later digests.
  CrashWrite& add(CrashWrite write);
  void make_void(Sequence sequence);
  const CrashWrite& write(Sequence sequence) const { return writes_.at(sequence - first_); }
  Sequence last() const { return first_ + writes_.size() - 1; }
  Bytes track_now(VolumeId volume, std::uint32_t track) const;  // with every write so far

  // What the secondary was told and what it answered.
  void bound(std::uint64_t last_message);  // the messages behind that one never reached its disk
  void delivered(const Message& message);  // in order
  void acknowledged(const Acknowledgement& ack);
  const Acknowledgement& promise() const { return promise_; }
  bool established() const { return promise_.message_number != 0; }  // the secondary has said that it holds the session
  bool ended() const { return end_acknowledged_; }                   // ... and its end

  // Empty when right; else what is wrong.
  std::string judge_report(const LossReport& report) const;
  std::string judge_images(const sim::SimDisk& disk, Sequence through, bool fenced) const;
  // Whatever state it is in: an image without its fence is one that may be used.
  std::string judge_fences(const sim::SimDisk& disk) const;
  // What the tracks of all volumes are after writes up to `through`, one volume after another.
  std::vector<Bytes> tracks_after(Sequence through) const;
  static std::vector<Bytes> tracks_on(const sim::SimDisk& disk, const std::vector<CrashVolume>& volumes);
  // A damaged sector of an image, which the product cannot know of.
  void forgive(const std::string& file, std::uint64_t sector) { forgiven_ = {file, sector}; }

 private:
  struct Taken {  // a message that reached the secondary
    std::uint64_t number = 0;
    Sequence known = 0;
    std::vector<Sequence> settled;  // data or void
    std::vector<Sequence> void_here;
    bool terminates = false;
  };
  std::string why_not_after(std::size_t messages, const LossReport& report) const;
  std::string compare_tracks(const std::vector<Bytes>& expected, const sim::SimDisk& disk) const;
  bool damaged_id(const sim::SimDisk& disk, const std::string& file) const;
  bool forgives(std::size_t volume, std::size_t byte) const;

  std::vector<CrashVolume> volumes_;
  std::uint64_t epoch_ = 0;
  Sequence first_ = 1;
  std::vector<Bytes> base_, now_;
  std::vector<CrashWrite> writes_;
  std::vector<Taken> taken_;
  Acknowledgement promise_;
  bool end_acknowledged_ = false;
  std::pair<std::string, std::uint64_t> forgiven_;
};

}  // namespace afterimage::crash
