// io: starts, strikes and ends the processes of a round.
#include "kill_round.h"

#include <sched.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "serializer/clock.h"

namespace afterimage::testing {
namespace {

constexpr std::uint32_t kShare = 40;                 // writes each device makes between two strikes
constexpr std::uint32_t kVictimShare = 160;          // and the victim's, so that it is at work when it is struck
constexpr std::uint64_t kLandPatience_us = 400'000;  // a step that is not taken in this time is not waited for
constexpr long kLongestWalk = 1500, kUnknownLength = 600;

constexpr std::uint32_t bit(std::uint32_t which) { return 1u << which; }

}  // namespace

KillRound::KillRound(std::vector<Target>& targets, std::uint64_t seed, KillCounts& counts)
    : targets_(targets),
      seed_(seed),
      counts_(counts),
      random_(static_cast<std::uint32_t>(mixed(seed))),
      plex_(kSystems, kPerSystem, small_shape(kDevices, kDevices + 3, 256)) {}

KillRound::~KillRound() {
  for (const pid_t child : children_)
    if (child > 0) {
      ::kill(child, SIGKILL);
      ::waitpid(child, nullptr, 0);
    }
}

void KillRound::broken(const std::string& what) {
  for (const std::uint64_t end_us = monotonic_us() + 1'000'000; ledger_->failed == 1 && monotonic_us() < end_us;) ::sched_yield();
  const std::string noted = ledger_->failed == 2 ? std::string(": ") + ledger_->fault : std::string();
  throw std::runtime_error(what + noted + (striking_.empty() ? "" : " (struck last: " + striking_ + ")"));
}

void KillRound::fork_child(std::uint32_t which, bool held) {
  const pid_t parent = ::getpid();
  ledger_->held[which] = held ? 1 : 0;
  const std::uint64_t seed = random_();
  const std::string segment = plex_.name();
  const pid_t child = ::fork();
  if (child < 0) broken("no process could be started");
  if (child != 0) {
    children_[which] = child;
    return;
  }
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(99);
  while (ledger_->held[which] != 0) ::sched_yield();
  int code = 98;
  try {
    code = which == kSystems ? run_mover_process(segment, *ledger_, seed) : run_system(segment, which, *ledger_, seed);
  } catch (const std::exception& problem) {
    note_fault(*ledger_, problem.what());
  }
  ::_exit(code);
}

// Nobody ends by itself.
void KillRound::look_after_children() {
  for (std::uint32_t which = 0; which <= kSystems; ++which) {
    int status = 0;
    if (children_[which] == 0 || ::waitpid(children_[which], &status, WNOHANG) != children_[which]) continue;
    children_[which] = 0;
    broken((which == kSystems ? std::string("the mover") : "system " + std::to_string(which)) + " ended by itself with status " +
           std::to_string(status));
  }
  if (ledger_->failed == 2) broken("a process found a fault");
}

template <typename Condition>
void KillRound::await(const std::string& what, const Condition& condition) {
  const std::uint64_t end_us = monotonic_us() + kPatience_us;
  while (!condition()) {
    look_after_children();
    if (monotonic_us() >= end_us) broken("waited in vain for " + what);
    ::usleep(100);
  }
}

void KillRound::await_ready(std::uint32_t which) {
  const auto& ready = which == kSystems ? ledger_->mover_ready : ledger_->ready[which];
  await("a process to be ready again", [&] { return ready == static_cast<std::uint32_t>(children_[which]); });
}

void KillRound::start() {
  for (std::uint32_t which = 0; which <= kSystems; ++which) fork_child(which, false);
  for (std::uint32_t which = 0; which <= kSystems; ++which) await_ready(which);
}

bool KillRound::has_room() const {
  auto& ledger = const_cast<SharedLedger&>(ledger_);
  return std::all_of(std::begin(ledger->attempt), std::end(ledger->attempt), [](const auto& n) { return n + 800 < kMostAttempts; });
}

void KillRound::grant(std::uint32_t victim) {
  for (std::uint32_t device = 0; device < kDevices; ++device)
    ledger_->quota[device] = ledger_->attempt[device] + (device / kPerSystem == victim ? kVictimShare : kShare);
}

// However one stands still or is dead, the others make their writes.
void KillRound::others_go_on(std::uint32_t but) {
  const std::uint64_t began_us = monotonic_us();
  for (std::uint32_t device = 0; device < kDevices; ++device) {
    if ((but & bit(device / kPerSystem)) != 0) continue;
    ledger_->quota[device] = std::max<std::uint32_t>(ledger_->quota[device], ledger_->attempt[device] + kShare / 2);
  }
  await("the other systems to make their writes while one process stands still", [&] {
    for (std::uint32_t device = 0; device < kDevices; ++device)
      if ((but & bit(device / kPerSystem)) == 0 && ledger_->attempt[device] < std::min(ledger_->quota[device].load(), kMostAttempts))
        return false;
    return true;
  });
  counts_.longest_us = std::max(counts_.longest_us, monotonic_us() - began_us);
}

void KillRound::end_child(std::uint32_t which) {
  ::kill(children_[which], SIGKILL);
  ::waitpid(children_[which], nullptr, 0);
  children_[which] = 0;
}

void KillRound::restart(std::uint32_t which) {
  fork_child(which, false);
  await_ready(which);
}

// At a random instruction of it, from its first to its last as far as is known.
bool KillRound::land(Target& target, Tracee& tracee) {
  if (target.length == 0 && (target.victim == Victim::kWriter || target.victim == Victim::kMover)) {
    if (!tracee.run_to(target.address, target.entry, 1, kLandPatience_us)) return false;
    const long steps = tracee.step(kLongestWalk);
    counts_.instructions += static_cast<std::uint64_t>(steps);
    target.length = tracee.returned() ? steps : kUnknownLength;  // one that goes so slowly may lose its swaps for ever
  }
  if (!tracee.run_to(target.address, target.entry, 1 + random_() % target.hits, kLandPatience_us)) return false;
  const long most = target.length == 0 ? kUnknownLength : target.length;
  const long steps = tracee.step(static_cast<long>(random_() % static_cast<unsigned long>(most)));
  counts_.instructions += static_cast<std::uint64_t>(steps);
  if (tracee.returned()) target.length = std::max(1l, steps);
  const ControlView view = control_view(*plex_);
  if (!tracee.ended() && view.sequence != 0 && entry_view(*plex_, view.sequence).sequence < view.sequence) ++counts_.between;
  return !tracee.ended();
}

void KillRound::act(Target& target, bool kill, std::uint32_t which, Tracee& tracee, std::uint32_t but) {
  const bool mover = which == kSystems;
  if (kill) {
    tracee.kill();
    children_[which] = 0;
    ++(mover ? counts_.mover_kills : counts_.kills);
    ++target.kills;
  } else {
    tracee.stop();
    if (tracee.ended()) broken("a process ended by itself when it was stopped");
    ++(mover ? counts_.mover_stops : counts_.stops);
    ++target.stops;
  }
  others_go_on(but | bit(which));
  if (!kill && random_() % 2 == 0) {
    ::kill(children_[which], SIGCONT);
    await_ready(which);
    return;
  }
  if (!kill) end_child(which);
  restart(which);
}

void KillRound::not_reached(Target& target, Tracee& tracee) {
  if (tracee.ended()) broken("a process ended by itself with status " + std::to_string(tracee.status()));
  ++target.missed;
  ++counts_.missed;
  tracee.release();
}

void KillRound::strike_running(Target& target, bool kill, std::uint32_t which) {
  grant(which);
  Tracee tracee(children_[which]);
  if (!land(target, tracee)) return not_reached(target, tracee);
  act(target, kill, which, tracee, 0);
}

void KillRound::strike_starting(Target& target, bool kill, std::uint32_t which) {
  grant(which);
  end_child(which);
  fork_child(which, true);
  Tracee tracee(children_[which]);
  ledger_->held[which] = 0;
  if (land(target, tracee)) return act(target, kill, which, tracee, 0);
  not_reached(target, tracee);
  await_ready(which);
}

// In the middle of something, so that there is something to clean up.
void KillRound::kill_at_work(std::uint32_t which) {
  Tracee dying(children_[which]);
  dying.run_to(address_of(&number_slot), true, 1 + random_() % 10, kLandPatience_us);
  dying.step(static_cast<long>(random_() % 300));
  dying.kill();
  children_[which] = 0;
}

// A system dies, and the mover is struck while it cleans up after it.
void KillRound::strike_burial(Target& target, bool kill) {
  const std::uint32_t dead = random_() % kSystems;
  grant(dead);
  Tracee tracee(children_[kSystems]);  // stands still until it is driven to its burial
  kill_at_work(dead);
  if (land(target, tracee)) {
    act(target, kill, kSystems, tracee, bit(dead));
  } else {
    not_reached(target, tracee);
  }
  restart(dead);
}

// A system and the mover die, and the system's next process is struck while it cleans up.
void KillRound::strike_heir(Target& target, bool kill) {
  const std::uint32_t dead = random_() % kSystems;
  grant(dead);
  kill_at_work(dead);
  end_child(kSystems);
  fork_child(dead, true);
  Tracee tracee(children_[dead]);
  ledger_->held[dead] = 0;
  if (land(target, tracee)) {
    act(target, kill, dead, tracee, 0);
  } else {
    not_reached(target, tracee);
    await_ready(dead);
  }
  restart(kSystems);
}

void KillRound::strike(Target& target, bool kill) {
  striking_ = std::string(target.function) + (kill ? ", killed" : ", stopped");
  switch (target.victim) {
    case Victim::kWriter:
      return strike_running(target, kill, random_() % kSystems);
    case Victim::kMover:
      return strike_running(target, kill, kSystems);
    case Victim::kStartingSystem:
      return strike_starting(target, kill, random_() % kSystems);
    case Victim::kHeir:
      return strike_heir(target, kill);
    case Victim::kStartingMover:
      return strike_starting(target, kill, kSystems);
    case Victim::kBurial:
      return strike_burial(target, kill);
  }
}

void KillRound::await_exit(std::uint32_t which) {
  const std::uint64_t end_us = monotonic_us() + kPatience_us;
  int status = 0;
  while (::waitpid(children_[which], &status, WNOHANG) == 0) {
    if (monotonic_us() >= end_us) broken("a process does not end");
    ::usleep(100);
  }
  children_[which] = 0;
  if (status != 0) broken("a process ended with status " + std::to_string(status));
}

void KillRound::finish() {
  ledger_->stop_systems = 1;
  for (std::uint32_t which = 0; which < kSystems; ++which) await_exit(which);
  ledger_->stop_mover = 1;
  await_exit(kSystems);
  const std::string fault = audit(*plex_, *ledger_, counts_.audit);
  if (!fault.empty()) broken(fault);
  counts_.voided += ledger_->voided;
  counts_.mended += ledger_->mended;
  counts_.suspensions += ledger_->suspensions;
  counts_.freezes += ledger_->freezes;
  counts_.volume_suspensions += ledger_->volume_suspensions;
  counts_.burials += ledger_->burials;
  counts_.waits += ledger_->waits;
}

}  // namespace afterimage::testing
