// io: storage_stress: many writers, the mover, an operator and a display at one common storage, in one process, so that ThreadSanitizer
// sees them all; an auditor who knows only what the writers wrote proves the sequence.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <thread>

#include "../unit/serializer_storage_fixture.h"
#include "serializer/clock.h"
#include "stress_world.h"
#include "tests/canary/canary_names.h"

namespace afterimage::testing {
namespace {

constexpr std::uint64_t kStuck_us = 180'000'000;  // nobody writes for so long: somebody holds the others

bool read_options(int argc, char** argv, StressOptions& options) {
  const std::map<std::string, Plant> plants{
      {"late-byte", Plant::kLateByte}, {"early-free", Plant::kEarlyFree}, {"lost-mark", Plant::kLostMark}, {"twice", Plant::kTwice}};
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i], value = argv[i + 1];
    const std::uint64_t number = std::strtoull(value.c_str(), nullptr, 10);
    if (name == "--operations")
      options.operations = number;
    else if (name == "--seconds")
      options.seconds = number;
    else if (name == "--seed")
      options.seed = number;
    else if (name == "--bug")
      options.bug = value;
    else if (name == "--plant" && plants.count(value) != 0)
      options.plant = plants.at(value);
    else
      return false;
  }
  return argc % 2 == 1;
}

// Until enough is done or the time is over. False if nobody writes any more.
void await_end(StressWorld& world) {
  const std::uint64_t start_us = monotonic_us();
  std::uint64_t last_writes = 0, moved_us = start_us;
  while (!world.failed && world.operations() < world.options.operations) {
    const std::uint64_t now_us = monotonic_us();
    if (world.options.seconds != 0 && now_us - start_us >= world.options.seconds * 1'000'000) break;
    if (world.writes != last_writes) {
      last_writes = world.writes;
      moved_us = now_us;
    } else if (now_us - moved_us > kStuck_us) {
      const ControlView view = control_view(world.storage);
      world.fail("nobody has written for " + std::to_string(kStuck_us / 1'000'000) + " seconds: numbered " + std::to_string(view.sequence) +
                 ", freed " + std::to_string(world.storage.control().freed_through) + ", state " +
                 std::to_string(static_cast<int>(view.state)));
    }
    ::usleep(2000);
  }
  world.stop = true;
}

int run(const StressOptions& options) {
  const std::uint32_t devices = options.systems * options.per_system;
  // Fewer chunks than are always enough, and few entries: both are fought for all the time.
  TestPlex plex(options.systems, options.per_system, small_shape(devices + 64, devices + 2, 1024));
  for (std::uint32_t system = 0; system < options.systems; ++system)
    if (!register_system(*plex, TestPlex::system_name(system)).good()) return 8;
  if (!register_mover(*plex).good()) return 8;
  StressWorld world(*plex, options);
  const Status planted = plant(options.bug);
  if (!planted.good()) {
    std::fprintf(stderr, "storage_stress: %s\n", planted.text().c_str());
    return 8;
  }
  world.writers_left = devices;
  const std::uint64_t start_us = monotonic_us();
  std::vector<std::thread> threads;
  threads.emplace_back([&] { run_mover(world); });
  threads.emplace_back([&] { run_operator(world); });
  for (std::uint32_t number : {0u, 1u}) threads.emplace_back([&, number] { run_display(world, number); });
  for (std::uint32_t device = 0; device < devices; ++device) threads.emplace_back([&, device] { run_writer(world, device); });
  await_end(world);
  for (auto& thread : threads) thread.join();
  const double seconds = static_cast<double>(monotonic_us() - start_us) / 1e6;
  const auto count = [](const Counter& value) { return static_cast<unsigned long long>(value); };
  std::printf(
      "storage_stress: %llu operations, seed %llu: %llu writes (%llu without a number), %llu tokens audited, %llu suspensions "
      "(%llu for want of room), %llu freezes, %llu volume suspensions, %llu burials with %llu void, %llu tracks mended, %llu waits for "
      "room, "
      "%llu displays, %llu movers started again; %.1f s, %.0f operations/s\n",
      static_cast<unsigned long long>(world.operations()), static_cast<unsigned long long>(options.seed), count(world.writes),
      count(world.unnumbered), count(world.reads), count(world.suspensions), count(world.buffer_suspensions), count(world.freezes),
      count(world.volume_suspensions), count(world.burials), count(world.voids), count(world.mended), count(world.waits),
      count(world.displays), count(world.restarts), seconds, static_cast<double>(world.operations()) / seconds);
  if (!world.failed) return 0;
  std::printf("storage_stress: FAILED: %s\n", world.fault().c_str());
  return 1;
}

}  // namespace
}  // namespace afterimage::testing

int main(int argc, char** argv) {
  afterimage::testing::StressOptions options;
  if (!afterimage::testing::read_options(argc, argv, options)) {
    std::fprintf(
        stderr,
        "usage: storage_stress [--operations N] [--seconds N] [--seed N] [--plant late-byte|early-free|lost-mark|twice] [--bug NAME]\n");
    return 8;
  }
  try {
    return afterimage::testing::run(options);
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "storage_stress: %s\n", problem.what());
    return 8;
  }
}
