// A simulated Hercules: threads of guests and the product's own tap (channel/tap*.cpp, driven through tap.h as hercules_shim.c does it), on
// CKD volumes with Hercules's buffer of one track for each device. Bytes reach the file when the track changes and when the channel
// program ends.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "channel/tap.h"
#include "channel/tap_module.h"
#include "tests/sim/sim_oracle.h"

namespace afterimage::sim {
class SimHercules;
}

// The shim's handle of a device; here the device itself.
struct TapWrapped {
  afterimage::sim::SimHercules* hercules = nullptr;
  unsigned volume = 0;  // the oracle's
  std::uint16_t number = 0;
  TapDevice* tap = nullptr;
  const TapFast* fast = nullptr;
  int fd = -1;
  std::vector<std::uint8_t> buffer;
  std::int64_t track = -1;  // in the buffer
  std::uint32_t dirty_low = 0, dirty_high = 0;
  bool open = false, ready = false, closing = false, service_io = false, busy = false, parked = false;
  int in_exec = 0;
  unsigned held = 0;
};

namespace afterimage::sim {

struct GuestSettings {
  unsigned threads = 2;
  std::uint64_t pause_us = 4000;        // between channel programs, up to twice this
  unsigned hot_tracks = 6;              // most writes go to so many tracks
  unsigned ccws = 4;                    // write CCWs in a channel program at most
  std::uint32_t kill_per_million = 0;   // that the process dies at a moment when it could
  std::uint32_t preempt_per_cent = 20;  // that another runs at such a moment
  std::uint32_t clock_tick_us = 1;
};

class SimHercules {
 public:
  struct Device {
    unsigned volume = 0;
    std::uint16_t number = 0;
  };
  SimHercules(Schedule& schedule, Oracle& oracle, Host& host, std::string plex, std::string segment, std::string system, unsigned index,
              std::vector<Device> devices, GuestSettings guests, std::uint64_t seed);
  ~SimHercules();
  SimHercules(const SimHercules&) = delete;
  SimHercules& operator=(const SimHercules&) = delete;

  void start(void* plex);
  void kill();
  // The guests end their work, the volumes are closed, the process ends.
  void shut_down();
  bool running() const { return process_ && process_->alive; }
  const ProcessPtr& process() const { return process_; }
  // Guests begin no new channel program until further notice; `quiet` when none is under way.
  void pause(bool on) { paused_ = on; }
  bool quiet() const;
  bool volumes_open() const;
  void fail_write_backs(unsigned n) { failing_write_backs_ = n; }
  GuestSettings& guests() { return guests_; }
  TapModule& module() { return *module_; }
  void note_freeze() { ++freezes_; }
  // A moment at which the scheduler may take the processor away, or the process may die.
  void may_be_preempted();
  void log(const char* line);
  static SimHercules* present();
  static const TapHost* host();

 private:
  friend struct TapCalls;
  void run_guest(unsigned thread);
  void open_device(TapWrapped& device);
  void close_device(TapWrapped& device);
  bool run_program(TapWrapped& device);
  bool run_ccw(TapWrapped& device);
  bool read_track(TapWrapped& device, std::int64_t track);  // the base handler's
  bool wrapped_read(TapWrapped& device, std::int64_t track);
  void change(TapWrapped& device, std::uint32_t track, std::uint32_t offset, const std::vector<std::uint8_t>& bytes);
  void make_pieces(const TapWrapped& device, std::uint32_t track, std::vector<Piece>& pieces, std::uint8_t& code);
  std::vector<std::uint8_t> random_bytes(std::size_t bytes);
  bool tokens_are_taken(const TapWrapped& device) const;
  bool changes_are_recorded(const TapWrapped& device) const;
  std::uint64_t hold_bound_us() const;
  static bool in_session(const TapWrapped& device) { return __atomic_load_n(device.fast->duplex, __ATOMIC_RELAXED) != 0; }

  Schedule& schedule_;
  Oracle& oracle_;
  Host& host_;
  std::string plex_, segment_, system_;
  unsigned index_;
  std::vector<Device> wanted_;
  GuestSettings guests_;
  SplitMix random_;
  ProcessPtr process_;
  std::unique_ptr<TapModule> module_;
  std::vector<std::unique_ptr<TapModule>> old_modules_;
  std::vector<std::unique_ptr<TapWrapped>> devices_, old_devices_;
  bool paused_ = false, opening_ = false, ending_ = false, shutting_down_ = false;
  unsigned threads_running_ = 0, failing_write_backs_ = 0;
  std::uint64_t freezes_ = 0, stamp_ = 0;
};

}  // namespace afterimage::sim
