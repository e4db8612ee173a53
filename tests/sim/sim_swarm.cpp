// See sim_swarm.h.
#include "tests/sim/sim_swarm.h"

#include "serializer/limits.h"

namespace afterimage::sim {

std::uint64_t stream_seed(std::uint64_t seed, Stream stream, unsigned index) {
  SplitMix mix(seed * 0x9E3779B97F4A7C15u + static_cast<std::uint64_t>(stream) * 0x2545F4914F6CDD1Du + index);
  return mix.next();
}

namespace {

// None in half of the seeds, else between a fifth of the usual interval and twice of it.
std::uint64_t rate(SplitMix& random, std::uint64_t usual_us) {
  return random.chance(1, 2) ? 0 : usual_us / 5 + random.below(usual_us * 9 / 5);
}

std::uint32_t share(SplitMix& random, std::uint32_t most_per_million) {
  return random.chance(2, 3) ? 0 : static_cast<std::uint32_t>(1 + random.below(most_per_million));
}

}  // namespace

Swarm::Swarm(std::uint64_t seed_of_all) : seed(seed_of_all) {
  SplitMix random(stream_seed(seed, Stream::kSwarm));
  plexes = random.chance(1, 10) ? 2 : 1;
  systems = 1 + static_cast<unsigned>(random.below(3));
  volumes_per_system = 1 + static_cast<unsigned>(random.below(systems == 1 ? 3 : 2));
  cylinders = 1 + static_cast<std::uint32_t>(random.below(3));
  heads = 2 + static_cast<std::uint32_t>(random.below(5));
  track_bytes = 256 * (2 + static_cast<std::uint32_t>(random.below(7)));
  safety_us = 600'000 + random.below(1'400'000);
  ring_chunks = 2 + static_cast<std::uint32_t>(random.below(5));
  pace_limit_ms = 5 + static_cast<std::uint32_t>(random.below(150));
  freeze_limit_ms = 20 + static_cast<std::uint32_t>(random.below(300));
  message_bytes = 4096 + static_cast<std::uint32_t>(random.below(12288));
  interval_ms = 1 + static_cast<std::uint32_t>(random.below(15));
  window_messages = random.chance(1, 3) ? 2 + static_cast<std::uint32_t>(random.below(6)) : 64;
  window_bytes = 16384 + random.below(262144);
  sequence_entries = random.chance(1, 3) ? 64u << random.below(3) : 0;
  // What an incomplete token holds back is bounded by the ring, what comes meanwhile by the window. Smaller ones may fill up, and say so.
  small_journal = random.chance(1, 10);
  journal_bytes = small_journal ? (128u + random.below(256)) << 10 : 2 * (ring_chunks * std::uint64_t{kMinChunkBytes}) + 4 * window_bytes;
  queue_bytes = random.chance(1, 4) ? 8192 + random.below(65536) : 1u << 20;
  checkpoint_ms = 20 + static_cast<std::uint32_t>(random.below(400));
  checkpoint_bytes = (8u + random.below(128)) << 10;
  idle_interval_ms = 20 + static_cast<std::uint32_t>(random.below(200));
  compare_at_start = random.chance(1, 4);
  guest_threads = 1 + static_cast<std::uint32_t>(random.below(3));
  hot_tracks = 1 + static_cast<std::uint32_t>(random.below(8));
  ccws = 1 + static_cast<std::uint32_t>(random.below(6));
  preempt_per_cent = random.chance(1, 4) ? 0 : static_cast<std::uint32_t>(random.below(40));
  kill_per_million = random.chance(1, 2) ? 0 : static_cast<std::uint32_t>(random.below(4000));
  guest_pause_us = 1500 + random.below(12000);
  network = {share(random, 40000), share(random, 40000), share(random, 40000), share(random, 40000)};
  line.delay_us = 100 + random.below(4000);
  line.jitter_us = random.below(4000);
  line.bytes_per_ms = 2000 + random.below(200'000);
  line.first_retry_us = 10'000 + random.below(60'000);
  line.last_retry_us = line.first_retry_us * 4;
  line.give_up_us = 100'000 + random.below(500'000);
  line.handshake_limit_us = 100'000 + random.below(400'000);
  if (random.chance(1, 2)) {
    for (std::int64_t& drift : drift_ppm) drift = static_cast<std::int64_t>(random.below(20001)) - 10000;
  }
  disk_call_us = random.chance(1, 3) ? random.below(40) : 0;
  disk_sync_us = random.below(random.chance(1, 4) ? 20000 : 800);
  faults.kill_primary_us = rate(random, 900'000);
  faults.kill_secondary_us = rate(random, 900'000);
  faults.kill_hercules_us = rate(random, 900'000);
  faults.shut_hercules_us = rate(random, 2'000'000);
  faults.crash_secondary_us = rate(random, 1'500'000);
  faults.stop_us = rate(random, 900'000);
  faults.cut_us = rate(random, 500'000);
  faults.half_cut_us = rate(random, 900'000);
  faults.partition_us = rate(random, 1'200'000);
  faults.clog_us = rate(random, 1'200'000);
  faults.clock_us = rate(random, 900'000);
  faults.full_disk_us = random.chance(1, 2) ? rate(random, 2'000'000) : 0;
  faults.disk_error_us = random.chance(1, 2) ? rate(random, 2'000'000) : 0;
  faults.write_back_us = random.chance(1, 2) ? rate(random, 2'000'000) : 0;
  faults.rot_us = random.chance(1, 6) ? rate(random, 1'000'000) : 0;
  faults.operator_us = rate(random, 500'000);
  faults.what_if_us = rate(random, 1'500'000);
  ending = random.chance(3, 5) ? Ending::kConverge : random.chance(1, 2) ? Ending::kTakeOver : Ending::kLosePrimary;
  if (faults.rot_us != 0 && ending == Ending::kConverge) ending = Ending::kTakeOver;
  if (random.chance(1, 8)) network.misdirection = static_cast<std::uint32_t>(1 + random.below(60000));
  faults.checkpoint_rot_us = random.chance(1, 4) ? rate(random, 900'000) : 0;
  // The lines of the consoles have a stream of their own.
  SplitMix lines(stream_seed(seed, Stream::kConsole));
  faults.console_us = lines.chance(1, 3) ? 0 : 20'000 + lines.below(300'000);
  consoles.suspends = lines.chance(1, 3) ? 1 : 0;
  // What ends the copy is the operator's (sim_operator.cpp), who brings the sites together again; so is the word that volumes are equal.
  consoles.ends = consoles.takeovers = consoles.blind_starts = 0;
  consoles.starts = static_cast<unsigned>(lines.below(4));
  consoles.freezes = static_cast<unsigned>(lines.below(4));
  consoles.runs = consoles.freezes + static_cast<unsigned>(lines.below(2));
  consoles.verifies = static_cast<unsigned>(lines.below(4));
  consoles.mistakes = static_cast<unsigned>(lines.below(8));
  consoles.stops = lines.chance(1, 6) ? 1 : 0;
}

std::string Swarm::describe() const {
  const auto name = [](std::uint64_t interval, const char* what) { return interval == 0 ? std::string() : std::string(" ") + what; };
  return std::to_string(systems) + " systems of " + std::to_string(volumes_per_system) +
         " volumes, faults:" + name(faults.kill_primary_us, "kill-primary") + name(faults.kill_secondary_us, "kill-secondary") +
         name(faults.kill_hercules_us + kill_per_million, "kill-hercules") + name(faults.shut_hercules_us, "shut-hercules") +
         name(faults.crash_secondary_us, "crash-secondary") + name(faults.stop_us, "stop") + name(faults.cut_us, "cut") +
         name(faults.half_cut_us, "half-cut") + name(faults.partition_us, "partition") + name(faults.clog_us, "clog") +
         name(faults.clock_us, "clock") + name(faults.full_disk_us, "full-disk") + name(faults.disk_error_us, "disk-error") +
         name(faults.write_back_us, "write-back") + name(faults.rot_us, "rot") + name(network.loss, "loss") +
         name(network.duplication, "duplication") + name(network.reordering, "reordering") + name(network.damage, "damage") +
         name(network.misdirection, "misdirection") + name(faults.checkpoint_rot_us, "checkpoint-rot");
}

}  // namespace afterimage::sim
