// The world of one secondary node in a scripted story: virtual time, workers that a story can hold, and one end of a link that the story
// plays itself. Everything happens in run_for(), in order. Threads: one.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <vector>

#include "service/node_host.h"

namespace afterimage::regressions {

class ScriptHost final : public NodeHost {
 public:
  enum Worker : std::size_t { kJournal = 0, kImages = 1 };  // in the order in which a secondary node makes them

  explicit ScriptHost(std::uint64_t time_us) : time_us_(time_us) {}
  Tod now() override { return tod_from_us(time_us_); }
  std::uint64_t monotonic_us() override { return time_us_; }
  void post(std::function<void()> then) override { after(0, std::move(then)); }
  void after(std::uint64_t delay_us, std::function<void()> then) override;
  std::unique_ptr<NodeWorker> make_worker() override;
  std::unique_ptr<NodeLink> connect(const TlsFiles& files, const std::string& local_lu, const LuAddress& peer, LuSessionHandler handler,
                                    std::function<BindRequest()> make_bind) override;
  std::unique_ptr<NodeLink> listen(const TlsFiles& files, const LuAddress& local, const std::string& peer_lu,
                                   LuSessionHandler handler) override;

  void run_for(std::uint64_t us);
  void hold(Worker worker, bool held) { held_[worker] = held; }  // a held worker begins nothing, unless it is drained

  // The process was killed: nothing that waits is done any more.
  void die();

  // The primary's end of the link. The node's sends come in order into `sent`.
  BindResponse bind(const BindRequest& request);
  void deliver(std::vector<std::uint8_t> message);
  void cut();
  std::deque<std::vector<std::uint8_t>> sent;

 private:
  friend class ScriptLink;
  struct Job {
    std::function<void()> work, done;
  };
  using Jobs = std::deque<Job>;
  class ScriptWorker;
  bool work_one();
  void perform(Jobs& jobs);

  std::uint64_t time_us_;
  std::multimap<std::uint64_t, std::function<void()>> events_;
  std::vector<std::shared_ptr<Jobs>> jobs_;
  bool held_[2] = {false, false};
  LuSessionHandler handler_;
  bool up_ = false;
};

}  // namespace afterimage::regressions
