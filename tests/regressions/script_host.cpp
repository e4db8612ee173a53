// See script_host.h.
#include "tests/regressions/script_host.h"

#include <stdexcept>
#include <utility>

namespace afterimage::regressions {

class ScriptHost::ScriptWorker final : public NodeWorker {
 public:
  ScriptWorker(ScriptHost& host, std::shared_ptr<Jobs> jobs) : host_(host), jobs_(std::move(jobs)) {}
  ~ScriptWorker() override { drain(); }
  void submit(std::function<void()> work, std::function<void()> done) override { jobs_->push_back({std::move(work), std::move(done)}); }
  std::size_t backlog() const override { return jobs_->size(); }
  void drain() override {
    while (!jobs_->empty()) host_.perform(*jobs_);
  }

 private:
  ScriptHost& host_;
  std::shared_ptr<Jobs> jobs_;
};

class ScriptLink final : public NodeLink {
 public:
  explicit ScriptLink(ScriptHost& host) : host_(host) {}
  Status start() override { return Status::ok(); }
  void stop() override { host_.up_ = false; }
  bool up() const override { return host_.up_; }
  void send(EncodedMessage message) override {
    if (host_.up_) host_.sent.push_back(message.flat());
  }
  std::size_t queued_bytes() const override { return 0; }
  void drop(const std::string&) override { host_.cut(); }
  std::uint16_t port() const override { return 1; }

 private:
  ScriptHost& host_;
};

void ScriptHost::after(std::uint64_t delay_us, std::function<void()> then) { events_.emplace(time_us_ + delay_us, std::move(then)); }

std::unique_ptr<NodeWorker> ScriptHost::make_worker() {
  jobs_.push_back(std::make_shared<Jobs>());
  return std::make_unique<ScriptWorker>(*this, jobs_.back());
}

std::unique_ptr<NodeLink> ScriptHost::connect(const TlsFiles&, const std::string&, const LuAddress&, LuSessionHandler,
                                              std::function<BindRequest()>) {
  throw std::logic_error("a scripted host has a secondary node only");
}

std::unique_ptr<NodeLink> ScriptHost::listen(const TlsFiles&, const LuAddress&, const std::string&, LuSessionHandler handler) {
  handler_ = std::move(handler);
  return std::make_unique<ScriptLink>(*this);
}

void ScriptHost::perform(Jobs& jobs) {
  Job job = std::move(jobs.front());
  jobs.pop_front();
  job.work();
  if (job.done) post(std::move(job.done));
}

bool ScriptHost::work_one() {
  for (std::size_t i = 0; i < jobs_.size(); ++i) {
    if (jobs_[i]->empty() || (i < 2 && held_[i])) continue;
    perform(*jobs_[i]);
    return true;
  }
  return false;
}

// What is posted comes before a worker's next job, and both before time goes on.
void ScriptHost::run_for(std::uint64_t us) {
  const std::uint64_t until_us = time_us_ + us;
  for (;;) {
    if (!events_.empty() && events_.begin()->first <= time_us_) {
      auto event = events_.extract(events_.begin());
      event.mapped()();
      continue;
    }
    if (work_one()) continue;
    if (events_.empty() || events_.begin()->first > until_us) break;
    time_us_ = events_.begin()->first;
  }
  time_us_ = until_us;
}

void ScriptHost::die() {
  events_.clear();
  for (auto& jobs : jobs_) jobs->clear();
}

BindResponse ScriptHost::bind(const BindRequest& request) {
  cut();
  sent.clear();
  const BindResponse response = handler_.on_bind(request);
  up_ = response.accepted;
  return response;
}

void ScriptHost::deliver(std::vector<std::uint8_t> message) {
  if (up_) handler_.on_message(std::move(message));
}

void ScriptHost::cut() {
  if (std::exchange(up_, false)) handler_.on_down("the connection was cut");
}

}  // namespace afterimage::regressions
