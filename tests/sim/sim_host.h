// The world of a simulated mover (service/node_host.h over virtual time): its host's clocks, its loop, its workers. A worker's `work` and
// `done` are events of their own at seeded moments, so that a kill can come between them; how long a work takes is what its disk calls
// cost. Everything of a process that was killed comes to nothing. Threads: one.
#pragma once

#include <functional>
#include <memory>

#include "service/node_host.h"
#include "tests/sim/sim_schedule.h"
#include "tests/sim/sim_splitmix.h"

namespace afterimage::sim {

// Who makes the ends of links for simulated processes; the contract of NodeHost's connect and listen. An end does nothing once its
// process is dead, its destructor included.
class LinkMaker {
 public:
  virtual ~LinkMaker() = default;
  virtual std::unique_ptr<NodeLink> connect(const ProcessPtr& process, const std::string& local_lu, const LuAddress& peer,
                                            LuSessionHandler handler, std::function<BindRequest()> make_bind) = 0;
  virtual std::unique_ptr<NodeLink> listen(const ProcessPtr& process, const LuAddress& local, const std::string& peer_lu,
                                           LuSessionHandler handler) = 0;
};

struct SimHostTimes {
  std::uint64_t loop_us = 5;         // at most, until what was posted runs
  std::uint64_t timer_late_us = 50;  // at most, that a timer is late
  std::uint64_t worker_us = 100;     // at most, until a worker takes what it was given, and until the loop hears of it
};

class SimHost final : public NodeHost {
 public:
  SimHost(Schedule& schedule, ProcessPtr process, LinkMaker& links, std::uint64_t seed, SimHostTimes times = {});
  Tod now() override;
  std::uint64_t monotonic_us() override;
  void post(std::function<void()> then) override;
  void after(std::uint64_t delay_us, std::function<void()> then) override;
  std::unique_ptr<NodeWorker> make_worker() override;
  std::unique_ptr<NodeLink> connect(const TlsFiles& files, const std::string& local_lu, const LuAddress& peer, LuSessionHandler handler,
                                    std::function<BindRequest()> make_bind) override;
  std::unique_ptr<NodeLink> listen(const TlsFiles& files, const LuAddress& local, const std::string& peer_lu,
                                   LuSessionHandler handler) override;

 private:
  Schedule& schedule_;
  ProcessPtr process_;
  LinkMaker& links_;
  SplitMix random_;
  SimHostTimes times_;
  std::uint64_t last_post_us_ = 0;  // what is posted runs in the order of posting
};

}  // namespace afterimage::sim
