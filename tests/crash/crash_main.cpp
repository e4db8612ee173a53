// io: program `crash`: runs the workloads with a death, an error or damage at one point after another and judges what is left. Usage:
//   crash [--seed S] [--seeds N] [--points N|all] [--damages 1..6] [--failures N] [--rot N] [--again N] [--part I/N] [--canary NAME]
//     all kinds; with --part every N-th case; with --canary a planted bug, which must be seen (tests/canary)
//   crash --workload W --seed S --fault F --point P [--damage D] [--recover] [--again A] [--canary NAME]
//     one case, with its log
//   crash --list
//     the workloads and how many points they have
// Ends with 1 when something did not hold; every violation prints the command that repeats it.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string>

#include "tests/canary/canary_names.h"
#include "tests/crash/crash_run.h"

namespace afterimage::crash {
namespace {

struct Options {
  std::uint64_t points = 300, damages = 2, failures = 200, rot = 100, again = 100, seed = 1, seeds = 1, part = 1, parts = 1;
  std::string program;
  bool list = false;
  std::string workload, canary;
  Plan plan;
};

struct Tally {
  std::uint64_t cases = 0, reached = 0, detected = 0, violations = 0;
};

struct Task {
  const Workload* workload = nullptr;
  Plan plan;
};

int usage(const std::string& why) {
  std::fprintf(stderr, "crash: %s. The first lines of tests/crash/crash_main.cpp tell the options.\n", why.c_str());
  return 8;
}

bool take_number(const char* text, std::uint64_t& into) {
  if (std::strcmp(text, "all") == 0) {
    into = ~std::uint64_t{0};
    return true;
  }
  const auto [end, error] = std::from_chars(text, text + std::strlen(text), into);
  return error == std::errc() && *end == 0;
}

const Workload* find_workload(const std::string& name) {
  for (const Workload& workload : workloads())
    if (workload.name == name) return &workload;
  return nullptr;
}

std::string parse(int argc, char** argv, Options& options) {
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto number = [&](std::uint64_t& into) { return i + 1 < argc && take_number(argv[++i], into); };
    bool good = true;
    if (word == "--points") {
      good = number(options.points);
    } else if (word == "--damages") {
      good = number(options.damages) && options.damages >= 1 && options.damages <= 6;
    } else if (word == "--failures") {
      good = number(options.failures);
    } else if (word == "--rot") {
      good = number(options.rot);
    } else if (word == "--again") {
      good = number(options.again);
      options.plan.again = options.again;
    } else if (word == "--seed") {
      good = number(options.seed);
      options.plan.seed = options.seed;
    } else if (word == "--seeds") {
      good = number(options.seeds);
    } else if (word == "--point") {
      good = number(options.plan.point);
    } else if (word == "--recover") {
      options.plan.recover = true;
    } else if (word == "--list") {
      options.list = true;
    } else if (word == "--workload" && i + 1 < argc) {
      options.workload = argv[++i];
    } else if (word == "--canary" && i + 1 < argc) {
      options.canary = argv[++i];
    } else if (word == "--fault" && i + 1 < argc) {
      const auto wrong = wrong_from(argv[++i]);
      good = wrong.has_value();
      if (good) options.plan.wrong = *wrong;
    } else if (word == "--damage" && i + 1 < argc) {
      const std::string name = argv[++i];
      good = false;
      for (const sim::Damage damage : sim::kAllDamages)
        if (name == sim::damage_name(damage)) options.plan.damage = damage, good = true;
    } else if (word == "--part" && i + 1 < argc) {
      good = std::sscanf(argv[++i], "%lu/%lu", &options.part, &options.parts) == 2 && options.part >= 1 && options.part <= options.parts;
    } else {
      return "unknown word " + word;
    }
    if (!good) return "what follows " + word + " is not right";
  }
  return {};
}

void tell_violation(const Task& task, const Outcome& outcome, const Options& options) {
  std::printf(
      "VIOLATION: %s\n  repeat with: %s\n", outcome.violation.c_str(),
      (options.program + command_of(*task.workload, task.plan) + (options.canary.empty() ? "" : " --canary " + options.canary)).c_str());
  const std::size_t from = outcome.log.size() > 6 ? outcome.log.size() - 6 : 0;
  for (std::size_t i = from; i < outcome.log.size(); ++i) std::printf("    %s\n", outcome.log[i].c_str());
}

bool run_tasks(const std::vector<Task>& tasks, const Options& options, const char* what) {
  Tally tally;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    if (i % options.parts != options.part - 1) continue;
    const Outcome outcome = run_case(*tasks[i].workload, tasks[i].plan);
    ++tally.cases;
    tally.reached += outcome.reached ? 1 : 0;
    tally.detected += outcome.detected ? 1 : 0;
    if (outcome.violation.empty()) continue;
    if (++tally.violations <= 10) tell_violation(tasks[i], outcome, options);
  }
  std::printf("%s cases=%lu reached=%lu detected=%lu violations=%lu\n", what, tally.cases, tally.reached, tally.detected, tally.violations);
  std::fflush(stdout);
  return tally.violations == 0;
}

// Draws `count` of the tasks, in their order; all when there are fewer.
std::vector<Task> sample(std::vector<Task> tasks, std::uint64_t count, sim::SplitMix& random) {
  std::vector<Task> drawn;
  for (std::size_t i = 0; i < tasks.size(); ++i) {
    const std::uint64_t left = tasks.size() - i;
    if (drawn.size() < count && random.below(left) < count - drawn.size()) drawn.push_back(tasks[i]);
  }
  return drawn;
}

struct Baseline {
  const Workload* workload = nullptr;
  std::vector<sim::SimOp> calls;
  std::uint64_t allocations = 0;
};

struct Death {
  Wrong wrong;
  sim::Damage damage;
};
constexpr Death kDeaths[] = {{Wrong::kHost, sim::Damage::kSubset},    {Wrong::kKill, sim::Damage::kKept},
                             {Wrong::kHost, sim::Damage::kTorn},      {Wrong::kHost, sim::Damage::kDropped},
                             {Wrong::kHost, sim::Damage::kNamesKept}, {Wrong::kHost, sim::Damage::kKept}};

std::vector<Task> death_points(const std::vector<Baseline>& all, std::uint64_t seed) {
  std::vector<Task> points;
  for (const Baseline& baseline : all)
    for (std::size_t i = 0; i < baseline.calls.size(); ++i)
      if (sim::op_changes(baseline.calls[i])) {
        Task task{baseline.workload, {}};
        task.plan.seed = seed;
        task.plan.point = i + 1;
        points.push_back(task);
      }
  return points;
}

std::vector<Task> with_deaths(const std::vector<Task>& points, std::uint64_t damages, sim::SplitMix& random) {
  std::vector<Task> tasks;
  for (const Task& point : points)
    for (std::uint64_t d = 0; d < damages; ++d) {
      Task task = point;
      task.plan.wrong = kDeaths[d].wrong;
      task.plan.damage = kDeaths[d].damage;
      task.plan.recover = random.chance(1, 2);
      if (random.chance(1, 3)) task.plan.again = 1 + random.below(40);
      tasks.push_back(task);
    }
  return tasks;
}

// Every changing call of the restart and recovery that follow one death is itself a point.
std::vector<Task> recoveries(const std::vector<Task>& points, sim::SplitMix& random) {
  std::vector<Task> tasks;
  for (const Task& point : points) {
    Task task = point;
    const Death& death = kDeaths[random.below(std::size(kDeaths))];
    task.plan.wrong = death.wrong;
    task.plan.damage = death.damage;
    task.plan.recover = true;
    const std::uint64_t calls = run_case(*task.workload, task.plan).next_life_calls;
    for (task.plan.again = 1; task.plan.again <= calls; ++task.plan.again) tasks.push_back(task);
  }
  return tasks;
}

std::vector<Task> failures(const std::vector<Baseline>& all, std::uint64_t seed, sim::SplitMix& random) {
  std::vector<Task> tasks;
  for (const Baseline& baseline : all) {
    Task task{baseline.workload, {}};
    task.plan.seed = seed;
    task.plan.damage = sim::Damage::kSubset;
    for (std::size_t i = 0; i < baseline.calls.size(); ++i)
      for (const Wrong wrong : {Wrong::kErrorOnce, Wrong::kErrorLasts, Wrong::kFullOnce, Wrong::kFullLasts, Wrong::kShort}) {
        const sim::SimOp op = baseline.calls[i];
        const bool moves = op == sim::SimOp::kRead || op == sim::SimOp::kWrite;
        if (wrong == Wrong::kShort && !moves) continue;
        if ((wrong == Wrong::kFullOnce || wrong == Wrong::kFullLasts) && !sim::op_changes(op)) continue;
        task.plan.wrong = wrong;
        task.plan.point = i + 1;
        task.plan.recover = random.chance(1, 2);
        task.plan.again = random.chance(1, 2) ? 0 : 1 + random.below(60);
        tasks.push_back(task);
      }
  }
  return tasks;
}

std::vector<Task> allocations(const std::vector<Baseline>& all, std::uint64_t seed, std::uint64_t count, sim::SplitMix& random) {
  std::vector<Task> tasks;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Baseline& baseline = all[random.below(all.size())];
    Task task{baseline.workload, {}};
    task.plan.seed = seed;
    task.plan.wrong = random.chance(1, 2) ? Wrong::kMemoryOnce : Wrong::kMemoryLasts;
    task.plan.point = 1 + random.below(baseline.allocations);
    task.plan.recover = random.chance(1, 2);
    tasks.push_back(task);
  }
  return tasks;
}

std::vector<Task> damages(const std::vector<Baseline>& all, std::uint64_t seed, std::uint64_t count, sim::SplitMix& random) {
  std::vector<Task> tasks;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Baseline& baseline = all[random.below(all.size())];
    Task task{baseline.workload, {}};
    task.plan.seed = seed;
    task.plan.wrong = random.chance(1, 4) ? Wrong::kAstray : Wrong::kRot;
    task.plan.damage = random.chance(1, 2) ? sim::Damage::kKept : sim::Damage::kDropped;
    do {
      task.plan.point = 1 + random.below(baseline.calls.size());
    } while (!sim::op_changes(baseline.calls[task.plan.point - 1]) ||
             (task.plan.wrong == Wrong::kAstray && baseline.calls[task.plan.point - 1] != sim::SimOp::kWrite));
    task.plan.recover = true;
    tasks.push_back(task);
  }
  return tasks;
}

int run_all(const Options& options) {
  std::vector<Baseline> all;
  sim::SplitMix random(options.seed);
  for (const Workload& workload : workloads()) {
    Plan nothing;
    nothing.seed = options.seed;
    const Outcome outcome = run_case(workload, nothing);
    if (!outcome.violation.empty()) {
      tell_violation({&workload, nothing}, outcome, options);
      return 1;
    }
    std::uint64_t changing = 0;
    for (const sim::SimOp op : outcome.calls) changing += sim::op_changes(op) ? 1 : 0;
    if (options.list)
      std::printf("workload %s (%s): %zu calls, %lu of them points, %lu allocations\n", workload.name.c_str(), workload.about.c_str(),
                  outcome.calls.size(), changing, outcome.allocations);
    all.push_back({&workload, outcome.calls, outcome.allocations});
  }
  if (options.list) return 0;
  const std::vector<Task> points = death_points(all, options.seed);
  const std::vector<Task> drawn = sample(points, options.points, random);
  std::printf("points=%zu of %zu seed=%lu\n", drawn.size(), points.size(), options.seed);
  bool held = run_tasks(with_deaths(drawn, options.damages, random), options, "deaths");
  held &=
      run_tasks(sample(recoveries(sample(points, options.again / 20 + 1, random), random), options.again, random), options, "recoveries");
  held &= run_tasks(sample(failures(all, options.seed, random), options.failures * 3 / 5, random), options, "errors");
  held &= run_tasks(allocations(all, options.seed, options.failures - options.failures * 3 / 5, random), options, "allocations");
  held &= run_tasks(damages(all, options.seed, options.rot, random), options, "damage");
  return held ? 0 : 1;
}

}  // namespace
}  // namespace afterimage::crash

int main(int argc, char** argv) {
  using namespace afterimage::crash;  // NOLINT(google-build-using-namespace)
  Options options;
  const std::string reason = parse(argc, argv, options);
  if (!reason.empty()) return usage(reason);
  throw_failed_checks();
  if (const afterimage::Status planted = afterimage::plant(options.canary); !planted) return usage(planted.text());
  options.program = argv[0];
  int rc = 0;
  if (options.workload.empty()) {
    for (std::uint64_t i = 0; i < options.seeds; ++i, ++options.seed) rc = std::max(rc, run_all(options));
    return rc;
  }
  const Workload* workload = find_workload(options.workload);
  if (workload == nullptr) return usage("there is no workload " + options.workload);
  const Outcome outcome = run_case(*workload, options.plan);
  for (const std::string& line : outcome.log) std::printf("%s\n", line.c_str());
  std::printf("reached=%d detected=%d next life: %lu points\n%s\n", outcome.reached, outcome.detected, outcome.next_life_calls,
              outcome.violation.empty() ? "everything held" : ("VIOLATION: " + outcome.violation).c_str());
  return outcome.violation.empty() ? 0 : 1;
}
