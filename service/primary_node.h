// io: the primary data mover at work: common storage on one side, the link on the other, PrimaryCore between them, and the operator's
// commands. Threads: everything on the thread of the host's event loop.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "datamover/primary_core.h"
#include "serializer/slot_reader.h"
#include "service/answer.h"
#include "service/node_host.h"
#include "service/session_state_file.h"

namespace afterimage {

struct PrimaryVolume {
  VolumeDescriptor descriptor;
  std::string image;  // as Hercules opens it
};

struct PrimaryNodeSettings {
  std::string plex, segment;  // segment: the shared-memory object's name
  StorageShape shape;
  std::string directory;       // the site's
  std::string command_socket;  // told to the modules, for the Hercules panel
  TlsFiles tls;
  LuAddress peer;
  PrimarySettings mover;
  std::uint32_t pace_limit_ms = kPaceLimit_ms, freeze_limit_ms = kFreezeLimit_ms;
  std::vector<PrimaryVolume> volumes;  // index = VolumeId
};

// What a display or report needs, read in one moment.
struct PrimaryFacts {
  SessionState state = SessionState::kInactive;
  SuspendReason reason = SuspendReason::kNone;
  Sequence suspended_at = 0, numbered = 0, sent = 0, freed = 0;
  Acknowledgement acknowledged;
  std::uint64_t ring_bytes = 0, ring_used = 0, unacknowledged_bytes = 0, pace_count = 0, pace_us = 0;
  bool link_up = false;
  std::string link_reason;
  PrimaryCounters counters;
  Tod now = 0, oldest_unacknowledged = 0;
  std::uint64_t differences = 0;  // found by the last verification
  std::uint64_t epoch = 0;
};

class PrimaryNode {
 public:
  using Say = std::function<void(const std::string& line)>;  // one whole message, id included
  PrimaryNode(NodeHost& host, PrimaryNodeSettings settings, Say say);
  ~PrimaryNode();  // without stop() it is as if the process had been killed: common storage stays as it is, its mover named
  // Opens common storage, takes over a running session if there is one. One sentence on failure.
  Status start();
  // In order: common storage names no mover any more. A session goes on being recorded there until the next dsmd (or until the ring is
  // full).
  void stop();

  Answer xstart(bool compare);
  // DRAIN answers when the secondary holds everything up to the cut (or says that it does not yet); IMMEDIATE at once.
  void xsuspend(bool drain, Respond respond);
  void xend(bool drain, Respond respond);
  void freeze(Respond respond);
  Answer run();
  void verify(const std::vector<std::string>& volsers, Respond respond);
  PrimaryFacts facts();
  CommonStorage& storage() { return *storage_; }
  // Writes of a device (by its index in common storage) that the mover has taken and whose bytes are not yet in its file.
  std::uint64_t unflushed(std::uint32_t device) const { return device < unflushed_.size() ? unflushed_[device].size() : 0; }
  const PrimaryNodeSettings& settings() const { return settings_; }

 private:
  struct Waiter {
    std::uint64_t deadline_us = 0;  // monotonic
    std::function<std::optional<Answer>(bool expired)> check;
  };
  struct Verification {
    bool running = false, at_start = false;
    Sequence done_after = 0;  // known when every module has published its last digest
    std::uint64_t differences = 0;
    std::vector<std::uint32_t> devices;
    std::string not_compared;  // volsers, when some tracks could not be read or a volume left the copy meanwhile
    bool good() const { return differences == 0 && not_compared.empty(); }
  };

  Status define_devices();
  Status take_over_session();
  Status continue_session(const SessionMemory& memory);
  Status check_session_devices();
  void arm(std::uint64_t delay_us);
  void poll();
  bool take_tokens(Tod now);
  bool look_for_flushes(Tod now);
  void look_for_deaths();
  void look_for_state_changes();
  void look_at_verification();
  void look_at_waiters();
  void feed(Tod now, PrimaryInput input);
  void carry_out(PrimaryOutput output);
  void on_bound(const BindResponse& response);
  void on_message(std::vector<std::uint8_t>&& bytes);
  void on_exception(const Exception& exception);
  void suspend(SuspendReason reason, const std::string& why);
  void stop_offering(const std::string& why);
  void finish_end(const std::string& how);
  void keep_unacknowledged_as_changed(Sequence last);
  void make_core();
  void open_link();
  void close_link();
  void wait_for(std::uint64_t limit_ms, std::function<std::optional<Answer>(bool expired)> check);
  void begin_verification(const std::vector<std::uint32_t>& devices, bool at_start);
  void verify_again(std::uint32_t system);
  std::string verification_result(const Verification& done) const;
  void forget_changes(const std::vector<std::uint32_t>& devices);
  std::string volser_of_device(std::uint32_t index);
  bool left_out_by_its_system(std::uint32_t index);
  void set_duplex(std::uint32_t bits);
  std::uint64_t epoch_now() { return storage_->control().epoch.load(); }
  DeviceEntry& device_of(std::size_t volume);

  NodeHost& host_;
  PrimaryNodeSettings settings_;
  Say say_;
  std::unique_ptr<CommonStorage> storage_;
  std::unique_ptr<SlotReader> reader_;
  std::unique_ptr<PrimaryCore> core_;
  std::unique_ptr<NodeLink> link_;
  std::string link_reason_ = "not started";
  std::vector<std::deque<HeldToken>> unflushed_;  // by device: tokens given to the core whose bytes are not yet in the file
  std::vector<std::uint32_t> devices_;            // device index by VolumeId
  std::deque<Waiter> waiters_;
  Verification verification_;
  SessionStateFile state_file_;
  std::array<std::uint32_t, kMaxSystems> joined_{};  // process of each system when it was last seen alive
  SessionState seen_state_ = SessionState::kInactive;
  Sequence taken_ = 0;
  std::uint64_t turn_ = 0;  // of the loop: only the last one armed takes place
  Tod last_death_check_ = 0, last_poll_ = 0;
  std::uint64_t drained_epoch_ = 0;  // of the last session that ended with everything acknowledged
  std::string drop_reason_;          // of the core's last DropLink
  unsigned reason_awaited_ = 0;      // polls
  unsigned objections_ = 0;          // of the secondary to the stream, since something was last freed
  bool ending_ = false, unreadable_ = false, registered_ = false, bind_refused_ = false;
  std::shared_ptr<const bool> lasts_ = std::make_shared<const bool>(true);  // held weakly by what is posted
};

}  // namespace afterimage
