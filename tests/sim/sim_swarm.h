// What one seed is made of: the plex's shape, which faults it has and how often. Every seed leaves out a random part of the faults and
// weighs the rest (swarm testing), and each stream of randomness has its own seed, so that a change in one does not shift the others. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "tests/sim/sim_command_lines.h"
#include "tests/sim/sim_network.h"

namespace afterimage::sim {

enum class Stream : std::uint64_t { kSwarm = 1, kWorkload, kLink, kDisk, kCrash, kClock, kOperator, kTiming, kConsole };
std::uint64_t stream_seed(std::uint64_t seed, Stream stream, unsigned index = 0);

// Mean time between two of a kind, in virtual microseconds; 0 = none.
struct FaultRates {
  std::uint64_t kill_primary_us = 0, kill_secondary_us = 0, kill_hercules_us = 0, shut_hercules_us = 0;
  std::uint64_t crash_secondary_us = 0;
  std::uint64_t stop_us = 0;  // SIGSTOP of any process
  std::uint64_t cut_us = 0, half_cut_us = 0, partition_us = 0, clog_us = 0;
  std::uint64_t clock_us = 0;
  std::uint64_t full_disk_us = 0, disk_error_us = 0, write_back_us = 0;
  std::uint64_t checkpoint_rot_us = 0;  // of one of the two checkpoints, just before dsmd starts again: survived
  std::uint64_t rot_us = 0;             // bit rot, lost and misdirected writes: outside of what is survived
  std::uint64_t operator_us = 0, what_if_us = 0, console_us = 0;
};

enum class Ending : std::uint8_t { kConverge, kTakeOver, kLosePrimary };

struct Swarm {
  explicit Swarm(std::uint64_t seed);
  std::uint64_t seed;
  unsigned plexes = 1, systems = 1, volumes_per_system = 2;
  std::uint32_t cylinders = 2, heads = 5, track_bytes = 1024;
  std::uint64_t safety_us = 2'000'000;
  std::uint32_t ring_chunks = 4, pace_limit_ms = 60, freeze_limit_ms = 120, message_bytes = 8192, interval_ms = 5, window_messages = 64;
  std::uint64_t window_bytes = 1u << 20, sequence_entries = 0, journal_bytes = 512u << 10, queue_bytes = 1u << 20,
                checkpoint_bytes = 64u << 10;
  std::uint32_t checkpoint_ms = 200, idle_interval_ms = 100;
  bool small_journal = false;
  bool compare_at_start = false;
  std::uint32_t guest_threads = 2, hot_tracks = 5, ccws = 3, preempt_per_cent = 15, kill_per_million = 0;
  std::uint64_t guest_pause_us = 4000;
  NetworkFaults network;
  NetworkTimes line;
  std::int64_t drift_ppm[2] = {0, 0};
  std::uint64_t disk_call_us = 0, disk_sync_us = 200;
  std::uint32_t damage_kind = 0;  // of host crashes: 0 = any
  FaultRates faults;
  CommandWeights consoles;
  Ending ending = Ending::kConverge;
  std::string describe() const;
};

}  // namespace afterimage::sim
