// The operator of a plex: gives commands in the safety phase, brings the sites together again, takes over. As docs/OPERATIONS.md says.
#include <algorithm>

#include "tests/sim/sim_scenario.h"

namespace afterimage::sim {

namespace {
constexpr std::uint64_t kPatience_us = 30'000'000;  // for anything that must come when nothing fails any more
}

std::optional<Answer> Scenario::ask(SimDsmd& dsmd, const std::string& line) {
  if (!dsmd.running()) return {};
  plex_.comparison_asked = line.find("COMPARE(NO)") == std::string::npos;
  auto answer = std::make_shared<std::optional<Answer>>();
  schedule_.trace.say(schedule_.now_us(), "operator", line);
  dsmd.command(line, [answer](Answer given) { *answer = std::move(given); });
  const ProcessPtr asked = dsmd.process();
  wait(kPatience_us, [&] { return answer->has_value() || !asked->alive; });
  if (*answer) plex_.duties().answered((*answer)->lines);
  if (*answer) schedule_.trace.note(schedule_.now_us(), "answered", static_cast<std::uint64_t>((*answer)->return_code));
  return *answer;
}

bool Scenario::wait(std::uint64_t limit_us, const std::function<bool()>& done) {
  const std::uint64_t until = schedule_.now_us() + limit_us;
  while (!done()) {
    if (schedule_.now_us() >= until) return false;
    schedule_.sleep_us(2000);
  }
  return true;
}

void Scenario::pause_guests(bool on) {
  for (auto& system : plex_.systems()) system->pause(on);
}

bool Scenario::guests_quiet() {
  return std::all_of(plex_.systems().begin(), plex_.systems().end(),
                     [](const auto& system) { return !system->running() || system->quiet(); });
}

void Scenario::some_command(SplitMix& random) {
  SimDsmd& primary = plex_.primary();
  switch (random.below(12)) {
    case 0:
      ask(primary, random.chance(1, 2) ? "XSUSPEND DRAIN" : "XSUSPEND IMMEDIATE");
      break;
    case 1:
    case 2: {
      ask(primary, "CGROUP FREEZE");
      schedule_.sleep_us(random.below(100'000));
      ask(primary, "CGROUP RUN");
      break;
    }
    case 3:
    case 4:
      ask(primary, "VERIFY");
      break;
    case 5:
    case 6: {
      // Ended with everything at the secondary and begun again, with no write between.
      pause_guests(true);
      if (!wait(400'000, [&] { return guests_quiet(); })) break;
      const auto ended = ask(primary, "XEND DRAIN");
      if (ended && ended->return_code == 0 && guests_quiet())
        ask(primary, random.chance(1, 3) ? "XSTART COMPARE(YES)" : "XSTART COMPARE(NO)");
      break;
    }
    case 7:
      ask(primary, "XQUERY STATUS");
      break;
    case 8:
      ask(primary, "D STOR");
      break;
    case 9:
      ask(plex_.secondary(), "XQUERY STATUS");
      break;
    case 10:
      ask(plex_.secondary(), "XRECOVER CHECK(YES)");
      break;
    default:
      ask(plex_.secondary(), "D PWQ");
      break;
  }
  pause_guests(false);
}

void Scenario::run_safety() {
  const std::uint64_t until = schedule_.now_us() + swarm_.safety_us;
  if (swarm_.faults.console_us != 0) consoles_.begin();
  while (schedule_.now_us() < until) {
    if (swarm_.faults.operator_us == 0) {
      schedule_.sleep_us(until - schedule_.now_us());
      break;
    }
    schedule_.sleep_us(1 + operator_random_.below(2 * swarm_.faults.operator_us));
    if (schedule_.now_us() < until) some_command(operator_random_);
  }
  consoles_.end();
}

void Scenario::operate() {
  plex_.start_secondary();
  plex_.start_primary();
  if (!wait(kPatience_us, [&] { return plex_.primary_ready() && plex_.secondary_ready(); }))
    schedule_.violation("liveness", "the movers do not start");
  for (auto& system : plex_.systems()) system->start(&plex_);
  for (auto& system : plex_.systems()) system->pause(true);
  if (!wait(kPatience_us, [&] {
        return std::all_of(plex_.systems().begin(), plex_.systems().end(), [](const auto& each) { return each->volumes_open(); });
      }))
    schedule_.violation("liveness", "the systems do not start");
  const auto started = ask(plex_.primary(), swarm_.compare_at_start ? "XSTART" : "XSTART COMPARE(NO)");
  if (!started || started->return_code != 0)
    schedule_.violation("liveness", "the session does not start: " + (started ? started->lines.front() : std::string("no answer")));
  pause_guests(false);
  arm_faults();
  run_safety();
  switch (swarm_.ending) {
    case Ending::kConverge:
      converge();
      break;
    case Ending::kTakeOver:
      take_over();
      break;
    case Ending::kLosePrimary:
      lose_primary();
      break;
  }
  over_ = true;
}

// Whatever died is started again.
void Scenario::revive() {
  if (plex_.secondary_stopped && plex_.secondary().running()) plex_.secondary().kill();
  if (!plex_.secondary().running()) plex_.start_secondary();
  if (!plex_.primary().running()) plex_.start_primary();
  for (auto& system : plex_.systems())
    if (!system->running()) system->start(&plex_);
}

bool Scenario::copy_volumes() {
  for (const OracleVolume& volume : plex_.oracle().volumes())
    plex_.site_b().disk.write_file(volume.secondary_image, plex_.site_a().disk.read_file(volume.image));
  plex_.copied = true;
  plex_.oracle().copied();
  return true;
}

// An empty directory, and a journal large enough for what it was too small for.
void Scenario::wipe_secondary() {
  plex_.secondary().kill();
  SimDisk& disk = plex_.site_b().disk;
  for (const std::string& file : disk.files())
    if (file.find("/dsm/") == 0) disk.unlink(nullptr, file);
  plex_.enlarge_journal();
  plex_.secondary_stopped = false;
}

// XEND at the primary, give up at the secondary, copy, XSTART with a comparison. The guests wait.
bool Scenario::resynchronise() {
  pause_guests(true);
  if (!wait(kPatience_us, [&] { return guests_quiet(); })) schedule_.violation("liveness", "the guests' programs do not end");
  if (plex_.session_begun()) ask(plex_.primary(), "XEND IMMEDIATE");
  if (plex_.session_begun()) schedule_.violation("liveness", "XEND IMMEDIATE does not end the session");
  if (!plex_.secondary().running() && !plex_.secondary_stopped) {
    plex_.start_secondary();
    wait(kPatience_us, [&] { return plex_.secondary_ready() || plex_.secondary_stopped; });
  }
  // Refused as long as the secondary still believes in its link.
  bool ended_there = false;
  for (int attempt = 0; attempt < 300 && !ended_there && plex_.secondary().running(); ++attempt) {
    const auto given_up = ask(plex_.secondary(), "XEND IMMEDIATE");
    ended_there = given_up && (given_up->return_code < 8 || given_up->lines.front().find("no session") != std::string::npos);
    if (!ended_there) schedule_.sleep_us(20'000);
  }
  plex_.secondary().kill();
  // As the runbook has it, with the systems ended; or with their guests at rest. A volume that its system refused must be closed.
  const bool ended = plex_.volume_refused() || operator_random_.chance(1, 2);
  if (ended) {
    for (auto& system : plex_.systems()) system->shut_down();
    if (!wait(kPatience_us, [&] {
          return std::none_of(plex_.systems().begin(), plex_.systems().end(), [](const auto& each) { return each->running(); });
        }))
      schedule_.violation("liveness", "a system does not end");
    schedule_.sleep_us(operator_random_.below(300'000));  // dsmd may not have seen its end yet
  }
  copy_volumes();
  if (plex_.secondary_stopped || !ended_there) wipe_secondary();  // a console may have stopped it before it could be asked
  plex_.start_secondary();
  wait(kPatience_us, [&] { return plex_.secondary_ready() || plex_.secondary_stopped; });
  if (plex_.secondary_stopped) {  // with a sentence, which was judged; its files are of no use any more
    wipe_secondary();
    plex_.start_secondary();
    if (!wait(kPatience_us, [&] { return plex_.secondary_ready(); }))
      schedule_.violation("liveness", "the secondary does not start in an empty directory: " + plex_.stopped_sentence);
  }
  const auto started = ask(plex_.primary(), "XSTART COMPARE(YES)");
  if (!started || started->return_code != 0)
    schedule_.violation("liveness", "the session does not start again: " + (started ? started->lines.front() : std::string("no answer")));
  if (ended) {
    for (auto& system : plex_.systems()) system->start(&plex_);
    if (!wait(kPatience_us, [&] {
          return std::all_of(plex_.systems().begin(), plex_.systems().end(), [](const auto& each) { return each->volumes_open(); });
        }))
      schedule_.violation("liveness", "a system does not start again");
  }
  pause_guests(false);
  return true;
}

bool Scenario::secondary_takes_writes() {
  CommandProcessor* const processor = plex_.secondary().processor();
  if (processor == nullptr || processor->secondary() == nullptr) return false;
  const SecondaryState state = processor->secondary()->facts().state;
  return state == SecondaryState::kDuplex || state == SecondaryState::kEmpty || state == SecondaryState::kEnded;
}

bool Scenario::session_up() { return plex_.state() == SessionState::kActive && plex_.all_volumes_duplex(); }

void Scenario::converge() {
  heal();
  revive();
  const auto all_there = [&] {
    for (auto& system : plex_.systems())  // one that was ending when everything was healed
      if (!system->running()) system->start(&plex_);
    return plex_.primary_ready() && (plex_.secondary_ready() || plex_.secondary_stopped) &&
           std::all_of(plex_.systems().begin(), plex_.systems().end(), [](const auto& each) { return each->volumes_open(); });
  };
  if (!wait(kPatience_us, all_there)) schedule_.violation("liveness", "not everything starts again");
  schedule_.sleep_us(50'000);
  if (plex_.state() == SessionState::kFrozen) ask(plex_.primary(), "CGROUP RUN");
  // A console may have begun it on unequal volumes, or frozen or recovered the secondary, which the primary may not have heard of yet.
  if (!session_up() || plex_.secondary_stopped || plex_.oracle().differences_possible() || !secondary_takes_writes()) resynchronise();
  schedule_.sleep_us(30'000);
  pause_guests(true);
  if (!wait(kPatience_us,
            [&] { return guests_quiet() && (plex_.freed() == plex_.numbered() || !session_up() || plex_.secondary_stopped); }))
    schedule_.violation("liveness", "number " + std::to_string(plex_.numbered()) + " was given and only " + std::to_string(plex_.freed()) +
                                        " acknowledged, with nothing in the way");
  if (!session_up() || plex_.secondary_stopped) {  // suspended meanwhile: once more, with no guest in the way
    resynchronise();
    pause_guests(true);
    if (!wait(kPatience_us, [&] { return guests_quiet() && plex_.freed() == plex_.numbered(); }))
      schedule_.violation("liveness", "the session does not catch up after a copy");
  }
  std::optional<Answer> ended;
  for (int attempt = 0; attempt < 100 && plex_.session_begun(); ++attempt) {  // refused while the link is down
    ended = ask(plex_.primary(), "XEND DRAIN");
    if (ended && ended->return_code == 0) break;
    schedule_.sleep_us(20'000);
  }
  if (!ended || ended->return_code != 0)
    schedule_.violation("liveness", "XEND DRAIN does not end in order: " + (ended ? ended->lines.front() : std::string("no answer")));
  if (!wait(kPatience_us, [&] { return plex_.ended_there; })) schedule_.violation("liveness", "the secondary does not end the session");
  std::string difference;
  if (!plex_.oracle().sites_equal(difference)) schedule_.violation("equal", "both sites are at rest and differ: " + difference);
  if (operator_random_.chance(1, 2)) take_over();
}

void Scenario::take_over() {
  heal();
  if (plex_.secondary_stopped && plex_.secondary().running()) plex_.secondary().kill();
  if (!plex_.secondary().running()) plex_.start_secondary();
  for (int attempt = 0; attempt < 4; ++attempt) {
    if (!wait(kPatience_us, [&] { return plex_.secondary_ready() || plex_.secondary_stopped; }))
      schedule_.violation("liveness", "dsmd of the secondary does not start");
    if (plex_.secondary_stopped) return;  // it said why; heard_secondary has judged whether it may
    ask(plex_.secondary(), "CGROUP FREEZE");
    const auto answer = ask(plex_.secondary(), "XRECOVER");
    if (plex_.recovered) return;
    if (plex_.secondary_stopped) return;
    if (answer && answer->return_code >= 8 && !plex_.oracle().promised_something()) return;  // nothing was ever established
    if (plex_.secondary().running() && !wait(2'000'000, [&] { return plex_.recovered; }) && attempt == 3)
      schedule_.violation("liveness", "XRECOVER does not recover: " + (answer ? answer->lines.front() : std::string("no answer")));
    if (plex_.recovered) return;
    if (!plex_.secondary().running()) plex_.start_secondary();
  }
}

// The site is gone: hosts, guests, common storage.
void Scenario::lose_primary() {
  *faulty_ = false;
  schedule_.trace.note(schedule_.now_us(), "primary site is lost");
  for (auto& system : plex_.systems()) system->kill();
  plex_.primary().kill();
  schedule_.sleep_us(operator_random_.below(100'000));
  if (operator_random_.chance(1, 3)) {
    plex_.secondary().kill();
    plex_.oracle().secondary_crashed();
    plex_.site_b().disk.crash(operator_random_.next(), static_cast<Damage>(operator_random_.below(5)));
  }
  take_over();
}

}  // namespace afterimage::sim
