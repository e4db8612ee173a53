// See sim_host.h.
#include "tests/sim/sim_host.h"

#include <algorithm>
#include <deque>
#include <utility>

namespace afterimage::sim {

namespace {

// Held by its worker and by the events under way, which may come when the worker is gone.
class WorkQueue : public std::enable_shared_from_this<WorkQueue> {
 public:
  WorkQueue(Schedule& schedule, ProcessPtr process, std::uint64_t seed, std::uint64_t latency_us)
      : schedule_(schedule), process_(std::move(process)), random_(seed), latency_us_(latency_us) {}

  void submit(std::function<void()> work, std::function<void()> done) {
    jobs_.push_back({std::move(work), std::move(done)});
    if (!busy_) begin_later();
  }
  std::size_t backlog() const { return jobs_.size() + (busy_ ? 1 : 0); }
  // Now, in order; the loop hears of it later.
  void run_all() {
    while (!jobs_.empty() && process_->alive && !process_->files.dead()) {
      Job job = take();
      perform(job);
      tell_loop(std::move(job.done), 0);
    }
  }
  void forget() { jobs_.clear(); }

 private:
  struct Job {
    std::function<void()> work, done;
  };

  Job take() {
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    return job;
  }
  // What the disk calls of the work cost, in virtual time.
  std::uint64_t perform(const Job& job) {
    const std::uint64_t before_us = process_->host.io_cost_us;
    job.work();
    return process_->host.io_cost_us - before_us;
  }
  void begin_later() {
    if (beginning_) return;
    beginning_ = true;
    schedule_.after(random_.below(latency_us_ + 1), process_, [self = shared_from_this()] {
      self->beginning_ = false;
      self->begin();
    });
  }
  void begin() {
    if (busy_ || jobs_.empty()) return;
    Job job = take();
    const std::uint64_t cost_us = perform(job);
    busy_ = true;
    schedule_.after(cost_us, process_, [self = shared_from_this(), done = std::move(job.done)]() mutable {
      self->busy_ = false;
      self->tell_loop(std::move(done), self->random_.below(self->latency_us_ + 1));
      if (!self->jobs_.empty()) self->begin_later();
    });
  }
  // In the order of the jobs, whatever the delays.
  void tell_loop(std::function<void()> done, std::uint64_t delay_us) {
    if (!done) return;
    last_told_us_ = std::max(last_told_us_, schedule_.now_us() + delay_us);
    schedule_.at(last_told_us_, process_, std::move(done));
  }

  Schedule& schedule_;
  ProcessPtr process_;
  SplitMix random_;
  std::uint64_t latency_us_, last_told_us_ = 0;
  std::deque<Job> jobs_;
  bool busy_ = false, beginning_ = false;
};

class SimWorker final : public NodeWorker {
 public:
  SimWorker(Schedule& schedule, ProcessPtr process, std::uint64_t seed, std::uint64_t latency_us)
      : queue_(std::make_shared<WorkQueue>(schedule, std::move(process), seed, latency_us)) {}
  // Of a process that was killed nothing more is done. One that stops in order finishes what was submitted.
  ~SimWorker() override {
    queue_->run_all();
    queue_->forget();
  }
  void submit(std::function<void()> work, std::function<void()> done) override { queue_->submit(std::move(work), std::move(done)); }
  std::size_t backlog() const override { return queue_->backlog(); }
  void drain() override { queue_->run_all(); }

 private:
  std::shared_ptr<WorkQueue> queue_;
};

}  // namespace

SimHost::SimHost(Schedule& schedule, ProcessPtr process, LinkMaker& links, std::uint64_t seed, SimHostTimes times)
    : schedule_(schedule), process_(std::move(process)), links_(links), random_(seed), times_(times) {}

Tod SimHost::now() { return process_->host.clock.tod(schedule_.now_us()); }
std::uint64_t SimHost::monotonic_us() { return schedule_.now_us(); }

void SimHost::post(std::function<void()> then) {
  last_post_us_ = std::max(last_post_us_, schedule_.now_us() + random_.below(times_.loop_us + 1));
  schedule_.at(last_post_us_, process_, std::move(then));
}

void SimHost::after(std::uint64_t delay_us, std::function<void()> then) {
  schedule_.after(delay_us + random_.below(times_.timer_late_us + 1), process_, std::move(then));
}

std::unique_ptr<NodeWorker> SimHost::make_worker() {
  return std::make_unique<SimWorker>(schedule_, process_, random_.next(), times_.worker_us);
}

std::unique_ptr<NodeLink> SimHost::connect(const TlsFiles&, const std::string& local_lu, const LuAddress& peer, LuSessionHandler handler,
                                           std::function<BindRequest()> make_bind) {
  return links_.connect(process_, local_lu, peer, std::move(handler), std::move(make_bind));
}

std::unique_ptr<NodeLink> SimHost::listen(const TlsFiles&, const LuAddress& local, const std::string& peer_lu, LuSessionHandler handler) {
  return links_.listen(process_, local, peer_lu, std::move(handler));
}

}  // namespace afterimage::sim
