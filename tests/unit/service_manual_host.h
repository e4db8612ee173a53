// A node's world under a test's hand (service/node_host.h): nothing runs until the test runs it, work and completion of a worker each for
// itself. The listener's end is the test's; clocks stand still until it moves them.
#pragma once

#include <algorithm>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "service/node_host.h"

namespace afterimage::testing {

struct ManualJobs {
  struct Job {
    std::function<void()> work, done;
  };
  std::deque<Job> jobs;
  std::deque<std::function<void()>> done;

  bool work_one() {
    if (jobs.empty()) return false;
    Job job = std::move(jobs.front());
    jobs.pop_front();
    job.work();
    done.push_back(std::move(job.done));
    return true;
  }
  bool finish_one() {
    if (done.empty()) return false;
    const auto then = std::move(done.front());
    done.pop_front();
    if (then) then();
    return true;
  }
};

class ManualHost final : public NodeHost {
 public:
  Tod time = tod_from_us(4'000'000'000'000'000);
  LuSessionHandler peer;                             // how the test speaks to the listener's owner
  std::vector<std::vector<std::uint8_t>> sent;       // by the owner
  std::vector<std::string> drops;                    // reasons
  std::vector<std::shared_ptr<ManualJobs>> workers;  // in the order of their making
  bool up = false;

  Tod now() override { return time; }
  std::uint64_t monotonic_us() override { return tod_to_us(time); }
  void post(std::function<void()> then) override { posts_.push_back(std::move(then)); }
  void after(std::uint64_t, std::function<void()> then) override { timers_.push_back(std::move(then)); }
  std::unique_ptr<NodeWorker> make_worker() override {
    workers.push_back(std::make_shared<ManualJobs>());
    return std::make_unique<Worker>(workers.back());
  }
  std::unique_ptr<NodeLink> connect(const TlsFiles&, const std::string&, const LuAddress&, LuSessionHandler handler,
                                    std::function<BindRequest()>) override {
    peer = std::move(handler);
    return std::make_unique<Link>(*this);
  }
  std::unique_ptr<NodeLink> listen(const TlsFiles&, const LuAddress&, const std::string&, LuSessionHandler handler) override {
    peer = std::move(handler);
    return std::make_unique<Link>(*this);
  }

  void run_posts() {
    while (!posts_.empty()) {
      const auto then = std::move(posts_.front());
      posts_.pop_front();
      then();
    }
  }
  void run_timers() {
    for (const auto& then : std::exchange(timers_, {})) then();
  }
  // Everything but timers, until nothing is left.
  void run_all() {
    for (bool moved = true; moved;) {
      moved = !posts_.empty();
      run_posts();
      for (const auto& worker : std::vector(workers)) {
        while (worker->work_one()) moved = true;
        while (worker->finish_one()) moved = true;
      }
    }
  }

 private:
  class Worker final : public NodeWorker {
   public:
    explicit Worker(std::shared_ptr<ManualJobs> jobs) : jobs_(std::move(jobs)) {}
    ~Worker() override { drain(); }
    void submit(std::function<void()> work, std::function<void()> done) override {
      jobs_->jobs.push_back({std::move(work), std::move(done)});
    }
    std::size_t backlog() const override { return jobs_->jobs.size(); }
    void drain() override {
      while (jobs_->work_one()) {
      }
    }

   private:
    std::shared_ptr<ManualJobs> jobs_;
  };
  class Link final : public NodeLink {
   public:
    explicit Link(ManualHost& host) : host_(host) {}
    Status start() override { return Status::ok(); }
    void stop() override { host_.up = false; }
    bool up() const override { return host_.up; }
    void send(EncodedMessage message) override { host_.sent.push_back(message.flat()); }
    std::size_t queued_bytes() const override { return 0; }
    void drop(const std::string& reason) override {
      host_.up = false;
      host_.drops.push_back(reason);
    }
    std::uint16_t port() const override { return 1; }

   private:
    ManualHost& host_;
  };

  std::deque<std::function<void()>> posts_;
  std::vector<std::function<void()>> timers_;
};

}  // namespace afterimage::testing
