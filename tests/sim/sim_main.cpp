// io: the simulator's program: runs seeds, prints what does not hold and how to see it again.
//   sim --seeds N [--first S] [--jobs J] [--check-determinism PERCENT] [--seconds LIMIT] [--canary NAME]
//   sim --seed S [--trace] [--canary NAME]
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "serializer/canary.h"
#include "tests/canary/canary_names.h"
#include "tests/sim/sim_scenario.h"

namespace afterimage::sim {
namespace {

constexpr unsigned kMaxJobs = 64;

struct Options {
  std::uint64_t first = 1, seeds = 1, seconds = 0;
  unsigned jobs = 1, determinism_percent = 0;
  bool trace = false, one = false;
  std::string canary;
};

// Of one job, in memory shared with the parent, so that a job that crashes leaves its seed behind.
struct Tally {
  std::uint64_t present = 0, done = 0, twice = 0, writes = 0, events = 0, deaths = 0, what_ifs = 0, harmed = 0, longest_hold_us = 0,
                virtual_us = 0;
  std::uint64_t bad_seed = 0;
  char invariant[64] = {};
};

double now_s() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::string command(const Options& options, std::uint64_t seed) {
  return "sim --seed " + std::to_string(seed) + " --trace" + (options.canary.empty() ? "" : " --canary " + options.canary);
}

void tell(const Options& options, std::uint64_t seed, const RunResult& result) {
  std::printf("VIOLATION of %s with seed %llu: %s\n", result.invariant.c_str(), static_cast<unsigned long long>(seed), result.text.c_str());
  if (!options.trace)
    for (const std::string& line : result.tail) std::printf("  %s\n", line.c_str());
  std::printf("Repeat it with: %s\n", command(options, seed).c_str());
  std::fflush(stdout);
}

bool run_one(const Options& options, std::uint64_t seed, Tally& tally) {
  tally.present = seed;
  RunResult result = run_seed(seed, options.trace);
  if (result.good() && options.determinism_percent != 0 && SplitMix(seed).below(100) < options.determinism_percent) {
    const RunResult again = run_seed(seed, false);
    ++tally.twice;
    if (again.hash != result.hash) {
      result.invariant = "determinism";
      result.text = "two runs of the seed give different traces";
    }
  }
  ++tally.done;
  tally.writes += result.writes;
  tally.events += result.events;
  tally.deaths += result.deaths;
  tally.what_ifs += result.what_ifs;
  tally.harmed += result.harmed;
  tally.virtual_us += result.virtual_us;
  tally.longest_hold_us = std::max(tally.longest_hold_us, result.longest_hold_us);
  if (options.one)
    std::printf("seed %llu trace %016llx, %llu events\n", static_cast<unsigned long long>(seed),
                static_cast<unsigned long long>(result.hash), static_cast<unsigned long long>(result.events));
  if (result.good()) return true;
  tally.bad_seed = seed;
  std::snprintf(tally.invariant, sizeof tally.invariant, "%s", result.invariant.c_str());
  tell(options, seed, result);
  return false;
}

void run_job(const Options& options, unsigned job, Tally* tallies) {
  const double end = options.seconds == 0 ? 1e300 : now_s() + static_cast<double>(options.seconds);
  for (std::uint64_t n = job; n < options.seeds && now_s() < end; n += options.jobs) {
    for (unsigned other = 0; other < options.jobs; ++other)
      if (tallies[other].bad_seed != 0) return;
    if (!run_one(options, options.first + n, tallies[job])) return;
  }
}

int run_jobs(const Options& options) {
  void* memory = ::mmap(nullptr, sizeof(Tally) * kMaxJobs, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return 8;
  auto* tallies = static_cast<Tally*>(memory);
  for (unsigned job = 0; job < options.jobs; ++job) new (tallies + job) Tally;
  const double began = now_s();
  bool crashed = false;
  if (options.jobs == 1) {
    run_job(options, 0, tallies);
  } else {
    std::fflush(stdout);
    std::vector<pid_t> children;
    for (unsigned job = 0; job < options.jobs; ++job) {
      const pid_t child = ::fork();
      if (child < 0) return 8;
      if (child == 0) {
        run_job(options, job, tallies);
        std::fflush(stdout);
        ::_exit(0);
      }
      children.push_back(child);
    }
    for (unsigned job = 0; job < options.jobs; ++job) {
      int status = 0;
      while (::waitpid(children[job], &status, 0) < 0 && errno == EINTR) {
      }
      if (WIFEXITED(status) && WEXITSTATUS(status) == 0) continue;
      crashed = true;
      std::printf("VIOLATION of check with seed %llu: the product crashed (signal %d)\nRepeat it with: %s\n",
                  static_cast<unsigned long long>(tallies[job].present), WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                  command(options, tallies[job].present).c_str());
    }
  }
  const double took = now_s() - began;
  Tally sum;
  bool bad = crashed;
  for (unsigned job = 0; job < options.jobs; ++job) {
    const Tally& one = tallies[job];
    sum.done += one.done;
    sum.twice += one.twice;
    sum.writes += one.writes;
    sum.events += one.events;
    sum.deaths += one.deaths;
    sum.what_ifs += one.what_ifs;
    sum.harmed += one.harmed;
    sum.virtual_us += one.virtual_us;
    sum.longest_hold_us = std::max(sum.longest_hold_us, one.longest_hold_us);
    bad = bad || one.bad_seed != 0;
  }
  std::printf(
      "SEEDS done=%llu twice=%llu seconds=%.1f per_second=%.1f writes=%llu deaths=%llu messages_harmed=%llu what_ifs=%llu "
      "virtual_hours=%.2f longest_hold_ms=%.1f violations=%d\n",
      static_cast<unsigned long long>(sum.done), static_cast<unsigned long long>(sum.twice), took,
      static_cast<double>(sum.done) / (took > 0 ? took : 1), static_cast<unsigned long long>(sum.writes),
      static_cast<unsigned long long>(sum.deaths), static_cast<unsigned long long>(sum.harmed),
      static_cast<unsigned long long>(sum.what_ifs), static_cast<double>(sum.virtual_us) / 3.6e9,
      static_cast<double>(sum.longest_hold_us) / 1e3, bad ? 1 : 0);
  return bad ? 1 : 0;
}

bool parse(int argc, char* argv[], Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--trace") {
      options.trace = true;
      continue;
    }
    if (i + 1 >= argc) return false;
    const char* value = argv[++i];
    const std::uint64_t number = std::strtoull(value, nullptr, 10);
    if (word == "--seeds") {
      options.seeds = number;
    } else if (word == "--first") {
      options.first = number;
    } else if (word == "--seed") {
      options.first = number;
      options.one = true;
    } else if (word == "--jobs") {
      options.jobs = static_cast<unsigned>(std::clamp<std::uint64_t>(number, 1, kMaxJobs));
    } else if (word == "--seconds") {
      options.seconds = number;
    } else if (word == "--check-determinism") {
      options.determinism_percent = static_cast<unsigned>(number);
    } else if (word == "--canary") {
      options.canary = value;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace
}  // namespace afterimage::sim

int main(int argc, char* argv[]) {
  using namespace afterimage::sim;  // NOLINT(google-build-using-namespace)
  Options options;
  if (!parse(argc, argv, options)) {
    std::fprintf(stderr,
                 "usage: sim --seeds N [--first S] [--jobs J] [--check-determinism PERCENT] [--seconds LIMIT] [--canary NAME]\n"
                 "       sim --seed S [--trace] [--canary NAME]\n");
    return 8;
  }
  if (const afterimage::Status planted = options.canary.empty() ? afterimage::Status::ok() : afterimage::plant(options.canary); !planted) {
    std::fprintf(stderr, "%s\n", planted.text().c_str());
    return 8;
  }
  return run_jobs(options);
}
