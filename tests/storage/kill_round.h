// One round: real processes on one segment, struck at random instructions, judged at its end.
#pragma once

#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "../unit/serializer_storage_fixture.h"
#include "kill_ledger.h"
#include "kill_targets.h"
#include "tracee.h"

namespace afterimage::testing {

struct KillCounts {
  std::uint64_t kills = 0, stops = 0, mover_kills = 0, mover_stops = 0, missed = 0, instructions = 0, between = 0;
  std::uint64_t longest_us = 0;  // that the others needed for their share while one stood still or was dead
  std::uint64_t voided = 0, mended = 0, suspensions = 0, freezes = 0, volume_suspensions = 0, burials = 0, waits = 0;
  AuditCounts audit;
};

class KillRound {
 public:
  KillRound(std::vector<Target>& targets, std::uint64_t seed, KillCounts& counts);
  ~KillRound();
  KillRound(const KillRound&) = delete;
  KillRound& operator=(const KillRound&) = delete;

  void start();
  bool has_room() const;  // for another strike: tracks are not used twice in a round
  // Drives the target's process to an instruction in it and kills or stops it there; the others must go on, and it must come back.
  void strike(Target& target, bool kill);
  void finish();  // ends everything in order and judges

 private:
  // A process is named by its system; kSystems is the mover. `but` has a bit for each that is not to be waited for.
  void fork_child(std::uint32_t which, bool held);
  void grant(std::uint32_t victim);
  bool land(Target& target, Tracee& tracee);
  void strike_running(Target& target, bool kill, std::uint32_t which);
  void strike_starting(Target& target, bool kill, std::uint32_t which);
  void strike_burial(Target& target, bool kill);
  void strike_heir(Target& target, bool kill);
  void kill_at_work(std::uint32_t which);
  void not_reached(Target& target, Tracee& tracee);
  void act(Target& target, bool kill, std::uint32_t which, Tracee& tracee, std::uint32_t but);
  void others_go_on(std::uint32_t but);
  void end_child(std::uint32_t which);
  void restart(std::uint32_t which);
  void await_ready(std::uint32_t which);
  void await_exit(std::uint32_t which);
  template <typename Condition>
  void await(const std::string& what, const Condition& condition);
  void look_after_children();
  [[noreturn]] void broken(const std::string& what);

  std::vector<Target>& targets_;
  std::uint64_t seed_;
  KillCounts& counts_;
  std::mt19937 random_;
  TestPlex plex_;
  SharedLedger ledger_;
  std::vector<pid_t> children_ = std::vector<pid_t>(kSystems + 1, 0);
  std::string striking_;
};

}  // namespace afterimage::testing
