// Virtual time: events in order, each of a simulated process (or of the world), and the threads of processes. A process that was killed
// runs nothing any more; one that was stopped runs its events when it is continued. Pure but for the stacks of the threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <queue>
#include <string>
#include <vector>

#include "serializer/tod.h"
#include "tests/sim/sim_fiber.h"
#include "tests/sim/sim_posix.h"
#include "tests/sim/sim_trace.h"

namespace afterimage::sim {

// A host's clocks as its processes see them. Monotonic time is virtual time; the realtime clock drifts and is set.
struct HostClock {
  std::int64_t drift_ppm = 0, offset_us = 0;
  Tod tod(std::uint64_t now_us) const;
};

struct Host {
  Host(std::string host_name, std::uint64_t seed) : Host(std::move(host_name), std::make_unique<SimDisk>(SimDiskSettings{}, seed)) {}
  Host(std::string host_name, std::unique_ptr<SimDisk> its_disk)
      : name(std::move(host_name)), owned(std::move(its_disk)), disk(*owned), mount(name, disk) {}
  std::string name;
  std::unique_ptr<SimDisk> owned;
  SimDisk& disk;
  SimMount mount;
  HostClock clock;
  std::uint64_t io_cost_us = 0;  // of the disk calls since it was last taken
};

struct Process {
  Process(std::string process_name, Host& on, std::uint32_t number, std::uint64_t seed)
      : name(std::move(process_name)), host(on), pid(number), files(name, seed) {}
  std::string name;
  Host& host;
  std::uint32_t pid;  // its start time is pid + 1: never the same process twice
  SimProcess files;
  bool alive = true;
  std::uint64_t stopped_until_us = 0;
  std::vector<std::shared_ptr<Fiber>> threads;
  void* hercules = nullptr;  // SimHercules, of one
  void* plex = nullptr;      // Plex, of its processes
  std::function<void()> on_death;
};
using ProcessPtr = std::shared_ptr<Process>;

// Ends a run: thrown where an invariant does not hold, outside of threads.
struct RunOver {};

class Schedule {
 public:
  explicit Schedule(bool print) : trace(print) {}
  ~Schedule();
  Schedule(const Schedule&) = delete;
  Schedule& operator=(const Schedule&) = delete;
  // The schedule whose events run now: what the led-away calls (clock, sleep, identity of processes) ask.
  static Schedule* present();

  std::uint64_t now_us() const { return now_us_; }
  void start_at(std::uint64_t now_us) { now_us_ = now_us; }
  void at(std::uint64_t time_us, const ProcessPtr& process, std::function<void()> what);
  void after(std::uint64_t delay_us, const ProcessPtr& process, std::function<void()> what) {
    at(now_us_ + delay_us, process, std::move(what));
  }
  // Runs the next event; false if there is none, or the run is over.
  bool run_one();
  void run_until(std::uint64_t time_us);
  // Runs events until `done` or the time limit; whether it was done.
  bool run_until(const std::function<bool()>& done, std::uint64_t limit_us);

  ProcessPtr make_process(const std::string& name, Host& host);
  // May be called by the process itself, inside one of its threads: it does not come back then.
  void kill(const ProcessPtr& process);
  void stop(const ProcessPtr& process, std::uint64_t for_us) { process->stopped_until_us = now_us_ + for_us; }
  bool is_alive(std::uint32_t pid, std::uint64_t start_time) const;
  std::uint64_t start_time(std::uint32_t pid) const;
  const ProcessPtr& running() const { return running_; }
  // Runs `what` as this process would.
  void as(const ProcessPtr& process, const std::function<void()>& what);

  void start_thread(const ProcessPtr& process, std::function<void()> body);
  void sleep_us(std::uint64_t us);  // inside a thread

  // Nothing that waits happens any more.
  void forget();
  // An invariant does not hold: the run ends here.
  void violation(const std::string& invariant, const std::string& what);
  bool violated() const { return !invariant_.empty(); }
  const std::string& invariant() const { return invariant_; }
  const std::string& violation_text() const { return violation_text_; }

  Trace trace;

 private:
  struct Event {
    std::uint64_t time_us = 0, order = 0;
    ProcessPtr process;
    std::function<void()> what;
    bool operator<(const Event& other) const { return time_us != other.time_us ? time_us > other.time_us : order > other.order; }
  };
  void dispatch(Event event);
  void bury(const ProcessPtr& process);
  void resume(const std::shared_ptr<Fiber>& thread);

  std::uint64_t now_us_ = 0, order_ = 0;
  std::uint32_t last_pid_ = 1000;
  std::vector<Event> events_;  // a heap
  std::vector<std::weak_ptr<Process>> processes_;
  ProcessPtr running_;
  std::vector<ProcessPtr> dying_;
  std::string invariant_, violation_text_;
};

}  // namespace afterimage::sim
