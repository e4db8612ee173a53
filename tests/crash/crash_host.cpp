// io: virtual loop, workers and link; see crash_host.h.
#include "tests/crash/crash_host.h"

#include <algorithm>

#include "tests/crash/crash_memory.h"
#include "tests/sim/sim_posix.h"

namespace afterimage::crash {

namespace {
constexpr Tod kStart = 0xE24A1B2C3E740000u;  // any time later than the epoch of the clock
}

TestCode::TestCode() : before_(sim::SimRunning::now()) {
  sim::SimRunning::set(nullptr);
  pause_allocation_faults();
}
TestCode::~TestCode() {
  resume_allocation_faults();
  sim::SimRunning::set(before_);
}

// Jobs in order; each is one step of the host, so that other work and deaths come between them.
class CrashWorker : public NodeWorker {
 public:
  explicit CrashWorker(CrashHost& host) : host_(host) { host_.workers_.push_back(this); }
  ~CrashWorker() override {
    std::erase(host_.workers_, this);
    if (host_.process_.dead()) return;
    while (!jobs_.empty()) run_one();
  }
  void submit(std::function<void()> work, std::function<void()> done) override { jobs_.push_back({std::move(work), std::move(done)}); }
  std::size_t backlog() const override { return jobs_.size(); }
  void drain() override {
    while (!jobs_.empty() && !host_.process_.dead()) run_one();
  }
  void run_one() {
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    job.work();
    if (job.done) host_.post(std::move(job.done));
  }

 private:
  struct Job {
    std::function<void()> work, done;
  };
  CrashHost& host_;
  std::deque<Job> jobs_;
};

CrashHost::CrashHost(sim::SimProcess& process, std::uint64_t seed, std::uint64_t& clock_us, Sent sent)
    : process_(process), random_(seed), clock_us_(clock_us), sent_(std::move(sent)) {}
CrashHost::~CrashHost() = default;

Tod CrashHost::now() { return kStart + tod_from_us(clock_us_); }
void CrashHost::post(std::function<void()> then) { ready_.push_back(std::move(then)); }
void CrashHost::after(std::uint64_t delay_us, std::function<void()> then) { timers_.emplace(clock_us_ + delay_us, std::move(then)); }
std::unique_ptr<NodeWorker> CrashHost::make_worker() { return std::make_unique<CrashWorker>(*this); }

std::unique_ptr<NodeLink> CrashHost::connect(const TlsFiles&, const std::string&, const LuAddress&, LuSessionHandler,
                                             std::function<BindRequest()>) {
  return nullptr;  // a secondary only listens
}

std::unique_ptr<NodeLink> CrashHost::listen(const TlsFiles&, const LuAddress&, const std::string&, LuSessionHandler handler) {
  auto link = std::make_unique<CrashLink>(*this, std::move(handler));
  link_ = link.get();
  return link;
}

bool CrashHost::workers_idle() const {
  return std::all_of(workers_.begin(), workers_.end(), [](const CrashWorker* worker) { return worker->backlog() == 0; });
}

void CrashHost::step() {
  clock_us_ += random_.below(200);
  while (!timers_.empty() && timers_.begin()->first <= clock_us_) {
    ready_.push_back(std::move(timers_.begin()->second));
    timers_.erase(timers_.begin());
  }
  std::array<CrashWorker*, 8> busy{};
  std::size_t count = 0;
  for (CrashWorker* worker : workers_)
    if (worker->backlog() != 0 && count < busy.size()) busy[count++] = worker;
  const std::size_t choices = count + (ready_.empty() ? 0 : 1);
  if (choices == 0) {
    if (!timers_.empty()) clock_us_ = std::max(clock_us_, timers_.begin()->first);
    return;
  }
  const std::size_t choice = random_.below(choices);
  if (choice < count) return busy[choice]->run_one();
  const std::function<void()> then = std::move(ready_.front());
  ready_.pop_front();
  then();
}

CrashLink::~CrashLink() {
  if (host_.link_ == this) host_.link_ = nullptr;
}

void CrashLink::send(EncodedMessage message) {
  const TestCode test;
  if (up_ && !host_.process_.dead()) host_.sent_(message.flat());
}

// on_down comes from the loop, as from a real link.
void CrashLink::drop(const std::string& reason) {
  if (!up_) return;
  up_ = false;
  host_.post([handler = handler_, reason] { handler.on_down(reason); });
}

BindResponse CrashLink::bind(const BindRequest& request) {
  BindResponse response = handler_.on_bind(request);
  up_ = response.accepted;
  return response;
}

void CrashLink::deliver(std::vector<std::uint8_t> bytes) {
  if (up_) handler_.on_message(std::move(bytes));
}

void CrashLink::cut(const std::string& reason) {
  if (!up_) return;
  up_ = false;
  handler_.on_down(reason);
}

}  // namespace afterimage::crash
