// io: storage_kill: systems and mover as real processes on one common storage, killed (SIGKILL) and stopped (SIGSTOP) at random
// instructions of its steps; the others go on, each one struck comes back, and the whole history is judged.
#include <cstdio>
#include <cstdlib>

#include "kill_round.h"
#include "serializer/clock.h"
#include "tests/canary/canary_names.h"

namespace afterimage::testing {
namespace {

struct KillOptions {
  std::uint64_t kills = 20, stops = 20, mover_strikes = 10, seed = 1, seconds = 0;
  std::string bug;  // of serializer/canary.h, in a build that has them
};

bool read_options(int argc, char** argv, KillOptions& options) {
  const std::map<std::string, std::uint64_t*> names{{"--kills", &options.kills},
                                                    {"--stops", &options.stops},
                                                    {"--mover-strikes", &options.mover_strikes},
                                                    {"--seed", &options.seed},
                                                    {"--seconds", &options.seconds}};
  for (int i = 1; i + 1 < argc; i += 2) {
    if (argv[i] == std::string("--bug")) {
      options.bug = argv[i + 1];
      continue;
    }
    if (names.count(argv[i]) == 0) return false;
    *names.at(argv[i]) = std::strtoull(argv[i + 1], nullptr, 10);
  }
  return argc % 2 == 1;
}

bool strikes_mover(const Target& target) {
  return target.victim == Victim::kMover || target.victim == Victim::kStartingMover || target.victim == Victim::kBurial;
}

// The target struck least of those whose turn it may be, so that every step has its share.
Target* next_target(std::vector<Target>& targets, const KillCounts& counts, const KillOptions& options, std::mt19937& random, bool& kill) {
  const bool owners_kill = counts.kills < options.kills, owners_stop = counts.stops < options.stops;
  const bool mover = counts.mover_kills + counts.mover_stops < options.mover_strikes;
  if (!owners_kill && !owners_stop && !mover) return nullptr;
  const bool of_mover = mover && ((!owners_kill && !owners_stop) || random() % 4 == 0);
  kill = of_mover ? random() % 2 == 0 : owners_kill && (!owners_stop || random() % 2 == 0);
  Target* chosen = nullptr;
  for (Target& target : targets) {
    if (strikes_mover(target) != of_mover) continue;
    const auto struck = [](const Target& t) { return t.kills + t.stops + t.missed; };
    if (chosen == nullptr || struck(target) < struck(*chosen) || (struck(target) == struck(*chosen) && random() % 3 == 0)) chosen = &target;
  }
  return chosen;
}

void print(const std::vector<Target>& targets, const KillCounts& counts, const KillOptions& options, double seconds) {
  const auto number = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
  for (const Target& target : targets)
    std::printf("  %-10s %-28s %5llu kills %5llu stops %4llu not reached; %ld instructions\n", target.step, target.function,
                number(target.kills), number(target.stops), number(target.missed), target.length);
  std::printf(
      "  %llu tokens, %llu writes without a number; %llu cut off, of which %llu were numbered and %llu more had changed a track; %llu "
      "found "
      "between number and entry; %llu void, %llu burials, %llu tracks mended; %llu suspensions, %llu of volumes, %llu freezes, %llu waits "
      "for "
      "room\n",
      number(counts.audit.tokens), number(counts.audit.unnumbered), number(counts.audit.cut_off), number(counts.audit.cut_off_numbered),
      number(counts.audit.cut_off_changed), number(counts.between), number(counts.audit.voids), number(counts.burials),
      number(counts.mended), number(counts.suspensions), number(counts.volume_suspensions), number(counts.freezes), number(counts.waits));
  std::printf(
      "storage_kill: %llu kills, %llu stops, %llu mover kills, %llu mover stops, seed %llu; the others' writes took at most %.0f ms; "
      "%.1f s\n",
      number(counts.kills), number(counts.stops), number(counts.mover_kills), number(counts.mover_stops), number(options.seed),
      static_cast<double>(counts.longest_us) / 1e3, seconds);
}

int run(const KillOptions& options) {
  std::vector<Target> targets = all_targets();
  KillCounts counts;
  std::mt19937 random(static_cast<std::uint32_t>(mixed(options.seed)));
  const std::uint64_t began_us = monotonic_us();
  const auto elapsed = [&] { return static_cast<double>(monotonic_us() - began_us) / 1e6; };
  const auto in_time = [&] { return options.seconds == 0 || elapsed() < static_cast<double>(options.seconds); };
  bool kill = false, more = true;
  try {
    for (std::uint64_t round_number = 0; more && in_time(); ++round_number) {
      KillRound round(targets, options.seed * 1000 + round_number, counts);
      round.start();
      while (round.has_room() && in_time()) {
        Target* target = next_target(targets, counts, options, random, kill);
        more = target != nullptr;
        if (!more) break;
        round.strike(*target, kill);
      }
      round.finish();
    }
  } catch (const std::exception& problem) {
    print(targets, counts, options, elapsed());
    std::printf("storage_kill: FAILED: %s\n", problem.what());
    return 1;
  }
  print(targets, counts, options, elapsed());
  return 0;
}

}  // namespace
}  // namespace afterimage::testing

int main(int argc, char** argv) {
  afterimage::testing::KillOptions options;
  if (!afterimage::testing::read_options(argc, argv, options)) {
    std::fprintf(stderr, "usage: storage_kill [--kills N] [--stops N] [--mover-strikes N] [--seed N] [--seconds N] [--bug NAME]\n");
    return 8;
  }
  const afterimage::Status planted = afterimage::plant(options.bug);
  if (!planted.good()) {
    std::fprintf(stderr, "storage_kill: %s\n", planted.text().c_str());
    return 8;
  }
  return afterimage::testing::run(options);
}
