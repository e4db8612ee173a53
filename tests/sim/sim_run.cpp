// One seed from its beginning to its end.
#include "tests/sim/sim_calls.h"
#include "tests/sim/sim_scenario.h"

namespace afterimage::sim {

namespace {
constexpr std::uint64_t kLongest_us = 400'000'000;
}

Scenario::Scenario(Schedule& schedule, const Swarm& swarm, unsigned index)
    : schedule_(schedule),
      swarm_(swarm),
      index_(index),
      plex_(schedule, swarm, index),
      consoles_(schedule, plex_.primary(), plex_.secondary(), plex_.oracle(), plex_.config().sessions.front().name, plex_.volsers(),
                {plex_.config().storage.segment, swarm.consoles, swarm.faults.console_us},
                stream_seed(swarm.seed, Stream::kConsole, index)),
      operator_random_(stream_seed(swarm.seed, Stream::kOperator, index)) {}

void Scenario::begin() {
  operator_ = schedule_.make_process("operator", plex_.site_a());
  schedule_.start_thread(operator_, [this] { operate(); });
}

RunResult run_seed(std::uint64_t seed, bool print) {
  const Swarm swarm(seed);
  RunResult result;
  {
    Schedule schedule(print);
    schedule.trace.say(0, "seed " + std::to_string(seed), swarm.describe());
    std::vector<std::unique_ptr<Scenario>> scenarios;
    for (unsigned index = 0; index < swarm.plexes; ++index) {
      scenarios.push_back(std::make_unique<Scenario>(schedule, swarm, index));
      scenarios.back()->begin();
    }
    const auto over = [&] {
      for (const auto& scenario : scenarios)
        if (!scenario->over()) return false;
      return true;
    };
    const bool ended = schedule.run_until(over, kLongest_us);
    if (!ended && !schedule.violated()) schedule.as(nullptr, [&] { schedule.violation("liveness", "the run comes to no end"); });
    result.invariant = schedule.invariant();
    result.text = schedule.violation_text();
    result.hash = schedule.trace.hash();
    result.events = schedule.trace.events();
    result.virtual_us = schedule.now_us();
    result.tail = schedule.trace.tail();
    for (const auto& scenario : scenarios) {
      result.writes += scenario->plex().oracle().writes();
      result.deaths += scenario->plex().deaths;
      result.what_ifs += scenario->what_ifs();
      result.harmed += scenario->plex().line().messages_harmed();
      result.longest_hold_us = std::max(result.longest_hold_us, scenario->plex().oracle().longest_hold_us());
    }
    schedule.forget();
    scenarios.clear();
  }
  forget_shared_memory();
  return result;
}

}  // namespace afterimage::sim
