// See sim_schedule.h.
#include "tests/sim/sim_schedule.h"

#include <algorithm>
#include <utility>

namespace afterimage::sim {

namespace {
Schedule* present_schedule = nullptr;
// Virtual time begins on a day of its own; every run on the same.
constexpr std::uint64_t kFirstDay_us = 1'700'000'000'000'000;
}  // namespace

Tod HostClock::tod(std::uint64_t now_us) const {
  const auto now = static_cast<std::int64_t>(now_us);
  return tod_from_unix_us(kFirstDay_us + static_cast<std::uint64_t>(now + now * drift_ppm / 1'000'000 + offset_us));
}

Schedule::~Schedule() = default;

Schedule* Schedule::present() { return present_schedule; }

void Schedule::at(std::uint64_t time_us, const ProcessPtr& process, std::function<void()> what) {
  events_.push_back({std::max(time_us, now_us_), ++order_, process, std::move(what)});
  std::push_heap(events_.begin(), events_.end());
}

bool Schedule::run_one() {
  if (events_.empty() || violated()) return false;
  std::pop_heap(events_.begin(), events_.end());
  Event event = std::move(events_.back());
  events_.pop_back();
  now_us_ = std::max(now_us_, event.time_us);
  dispatch(std::move(event));
  return !violated();
}

void Schedule::run_until(std::uint64_t time_us) {
  while (!events_.empty() && events_.front().time_us <= time_us && run_one()) {
  }
  if (!violated()) now_us_ = std::max(now_us_, time_us);
}

bool Schedule::run_until(const std::function<bool()>& done, std::uint64_t limit_us) {
  while (!done()) {
    if (violated() || events_.empty() || events_.front().time_us > limit_us) return false;
    run_one();
  }
  return !violated();
}

void Schedule::dispatch(Event event) {
  if (event.process) {
    if (!event.process->alive) return;
    if (event.process->stopped_until_us > now_us_) {
      const std::uint64_t later = event.process->stopped_until_us;
      at(later, event.process, std::move(event.what));
      return;
    }
  }
  as(event.process, event.what);
}

void Schedule::as(const ProcessPtr& process, const std::function<void()>& what) {
  Schedule* outer = std::exchange(present_schedule, this);
  ProcessPtr before = std::exchange(running_, process);
  {
    const SimRunning running(process ? &process->files : nullptr);
    try {
      what();
    } catch (const SimKilled&) {
    } catch (const RunOver&) {
    }
  }
  running_ = std::move(before);
  if (process && process->alive && process->files.dead()) kill(process);
  present_schedule = outer;
  // What a process leaves behind is taken down outside of it.
  while (!running_ && !dying_.empty()) {
    const ProcessPtr dead = dying_.back();
    dying_.pop_back();
    bury(dead);
  }
}

ProcessPtr Schedule::make_process(const std::string& name, Host& host) {
  ++last_pid_;
  auto process = std::make_shared<Process>(name, host, last_pid_, last_pid_ * 0x9E37u);
  processes_.erase(std::remove_if(processes_.begin(), processes_.end(), [](const auto& each) { return each.expired(); }), processes_.end());
  processes_.push_back(process);
  return process;
}

void Schedule::kill(const ProcessPtr& process) {
  if (!process->alive) return;
  trace.note(now_us_, "dies", process->pid);
  process->alive = false;
  process->host.disk.kill(process->files);
  dying_.push_back(process);
  if (Fiber::running() != nullptr && running_ == process) {
    Fiber::leave();  // for good
  } else if (!running_) {
    as(nullptr, [] {});
  }
}

void Schedule::bury(const ProcessPtr& process) {
  if (process->on_death) {
    const auto on_death = std::move(process->on_death);
    process->on_death = nullptr;
    on_death();
  }
  process->threads.clear();
}

bool Schedule::is_alive(std::uint32_t pid, std::uint64_t start) const { return pid != 0 && start != 0 && start_time(pid) == start; }

std::uint64_t Schedule::start_time(std::uint32_t pid) const {
  for (const auto& each : processes_) {
    const auto process = each.lock();
    if (process && process->pid == pid) return process->alive ? pid + 1 : 0;
  }
  return 0;
}

void Schedule::start_thread(const ProcessPtr& process, std::function<void()> body) {
  auto thread = std::make_shared<Fiber>(std::move(body));
  process->threads.push_back(thread);
  after(0, process, [this, thread] { resume(thread); });
}

void Schedule::resume(const std::shared_ptr<Fiber>& thread) {
  if (!thread->finished()) thread->resume();
}

void Schedule::sleep_us(std::uint64_t us) {
  Fiber* const self = Fiber::running();
  if (self == nullptr || !running_) return violation("bystander", "a process waits outside of its threads");
  for (const auto& thread : running_->threads) {
    if (thread.get() != self) continue;
    after(us, running_, [this, thread] { resume(thread); });
    break;
  }
  Fiber::leave();
}

void Schedule::forget() {
  events_.clear();
  for (const auto& each : processes_) {
    const auto process = each.lock();
    if (!process || !process->alive) continue;
    process->on_death = nullptr;
    kill(process);
  }
}

void Schedule::violation(const std::string& invariant, const std::string& what) {
  if (!violated()) {
    invariant_ = invariant;
    violation_text_ = what;
  }
  if (Fiber::running() != nullptr) {
    Fiber::leave();  // for good: the run is over
  } else {
    throw RunOver{};
  }
}

}  // namespace afterimage::sim
