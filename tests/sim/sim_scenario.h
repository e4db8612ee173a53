// The course of one run: a safety phase, in which everything that may go wrong does; then a phase without faults, in which the sites must
// come together again; or a takeover at the secondary. Pure.
#pragma once

#include <memory>
#include <vector>

#include "tests/sim/sim_console.h"
#include "tests/sim/sim_plex.h"

namespace afterimage::sim {

// One plex of a run and what befalls it.
class Scenario {
 public:
  Scenario(Schedule& schedule, const Swarm& swarm, unsigned index);
  Plex& plex() { return plex_; }
  void begin();
  bool over() const { return over_; }
  std::uint64_t what_ifs() const { return what_ifs_; }

 private:
  // Faults (sim_faults.cpp).
  void arm_faults();
  void repeat(std::uint64_t mean_us, Stream stream, std::function<void(SplitMix&)> what);
  void kill_primary(SplitMix& random);
  void kill_secondary(SplitMix& random);
  void kill_hercules(SplitMix& random);
  void shut_hercules(SplitMix& random);
  void crash_secondary(SplitMix& random);
  void stop_someone(SplitMix& random);
  void trouble_line(SplitMix& random);
  void set_clock(SplitMix& random);
  void fill_disk(SplitMix& random);
  void disk_error(SplitMix& random);
  void rot(SplitMix& random);
  void rot_checkpoint(SplitMix& random);
  void what_if();
  void what_if_in_call(SplitMix& random);
  void restart_later(SplitMix& random, std::function<void()> what);
  void heal();
  // The operator (sim_operator.cpp), in a thread of its own.
  void operate();
  void run_safety();
  void converge();
  void take_over();
  void lose_primary();
  void revive();
  bool session_up();
  bool secondary_takes_writes();
  bool resynchronise();
  std::optional<Answer> ask(SimDsmd& dsmd, const std::string& line);
  bool wait(std::uint64_t limit_us, const std::function<bool()>& done);
  void pause_guests(bool on);
  bool guests_quiet();
  void wipe_secondary();
  bool copy_volumes();
  void some_command(SplitMix& random);

  Schedule& schedule_;
  const Swarm& swarm_;
  unsigned index_;
  Plex plex_;
  Consoles consoles_;
  ProcessPtr operator_;
  SplitMix operator_random_;
  std::shared_ptr<bool> faulty_ = std::make_shared<bool>(false);  // the safety phase lasts
  bool over_ = false, commanding_ = false;
  std::uint64_t what_ifs_ = 0;
  std::uint32_t streams_ = 0;
};

// The whole of one seed. What it found is in `schedule`.
struct RunResult {
  std::string invariant, text;
  std::uint64_t hash = 0, events = 0, writes = 0, deaths = 0, what_ifs = 0, virtual_us = 0, longest_hold_us = 0, harmed = 0;
  std::deque<std::string> tail;
  bool good() const { return invariant.empty(); }
};
RunResult run_seed(std::uint64_t seed, bool print);

}  // namespace afterimage::sim
