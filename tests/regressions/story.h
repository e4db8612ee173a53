// What every scripted regression needs: the real secondary node on a simulated disk, a primary core whose link the story plays, and a
// judge that knows every write and uses none of the product's bookkeeping.
#pragma once

#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "datamover/primary_core.h"
#include "service/secondary_node.h"
#include "tests/regressions/script_host.h"
#include "tests/sim/sim_posix.h"

namespace afterimage::regressions {

struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};
inline void demand(bool holds, const std::string& what) {
  if (!holds) throw Broken(what);
}

class Story {
 public:
  Story();
  ~Story();

  // The secondary's process. start() after kill() begins another on what the disk then holds.
  Status start();
  void kill();
  bool dead() const { return process_ && process_->dead(); }  // killed at one of its disk calls
  SecondaryNode& node() { return *node_; }
  ScriptHost& host() { return *host_; }
  sim::SimDisk& disk() { return disk_; }
  void run_for(std::uint64_t us);

  // The primary. A session begins behind everything written so far, which is the base of its volumes.
  void begin_session(std::uint64_t epoch);
  bool bind();
  void cut();
  void write(unsigned count);  // one after another, each of them sent alone and acknowledged if the link lets it
  void end() { primary(primary::End{}); }
  void exchange(std::uint64_t us);  // time goes on; messages go both ways
  void lose_answers(bool lost) { answers_lost_ = lost; }
  bool ended() const { return ended_; }
  Sequence acknowledged() const { return acknowledged_; }
  Sequence written() const { return static_cast<Sequence>(writes_.size()); }

  void give_up();
  // Recovers here, and demands that the images are exactly writes 1..A, that the report says so, and that A is not below what was
  // acknowledged.
  void recover_and_judge();
  // The number of writes whose image this is, exactly.
  std::optional<Sequence> writes_in_images() const;

 private:
  struct Write {
    Token token;
    std::vector<std::uint8_t> data;
  };
  using Images = std::vector<std::vector<std::uint8_t>>;
  void as_process(const std::function<void()>& what);
  void primary(PrimaryInput input);
  void hand_over();
  static SecondaryNodeSettings node_settings();
  Images images() const;

  sim::SimDisk disk_;
  sim::SimMount mount_{"story", disk_};
  std::unique_ptr<sim::SimProcess> process_;
  std::unique_ptr<ScriptHost> host_;
  std::unique_ptr<SecondaryNode> node_;
  std::unique_ptr<PrimaryCore> primary_;
  std::deque<std::vector<std::uint8_t>> to_secondary_;
  std::vector<Write> writes_;
  Images base_;
  std::optional<LossReport> report_;
  Sequence acknowledged_ = 0;
  bool ended_ = false, answers_lost_ = false;
  std::uint64_t time_us_ = 4'000'000'000'000'000;  // of the host that ran last; some day of 2026
};

}  // namespace afterimage::regressions
