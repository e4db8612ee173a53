// The world around a secondary node at the crash points: virtual time, an event loop, workers for its disks and one link, all stepped by
// the test, one thing at a time in a seeded order. Pure. Threads: one.
#pragma once

#include <deque>
#include <map>
#include <vector>

#include "service/node_host.h"
#include "tests/sim/sim_disk.h"

namespace afterimage::crash {

// Code of the test called from inside the product: its allocations and file calls are not the product's.
class TestCode {
 public:
  TestCode();
  ~TestCode();
  TestCode(const TestCode&) = delete;
  TestCode& operator=(const TestCode&) = delete;

 private:
  sim::SimProcess* before_;
};

class CrashLink;

class CrashHost : public NodeHost {
 public:
  // What the node sends, as bytes of a message, while its process lives.
  using Sent = std::function<void(std::vector<std::uint8_t> bytes)>;
  CrashHost(sim::SimProcess& process, std::uint64_t seed, std::uint64_t& clock_us, Sent sent);
  ~CrashHost() override;

  Tod now() override;
  std::uint64_t monotonic_us() override { return clock_us_; }
  void post(std::function<void()> then) override;
  void after(std::uint64_t delay_us, std::function<void()> then) override;
  std::unique_ptr<NodeWorker> make_worker() override;
  std::unique_ptr<NodeLink> connect(const TlsFiles& files, const std::string& local_lu, const LuAddress& peer, LuSessionHandler handler,
                                    std::function<BindRequest()> make_bind) override;
  std::unique_ptr<NodeLink> listen(const TlsFiles& files, const LuAddress& local, const std::string& peer_lu,
                                   LuSessionHandler handler) override;

  // Runs one event or one piece of a worker's work; moves the clock to the next timer when there is neither.
  void step();
  bool workers_idle() const;
  CrashLink* link() { return link_; }

 private:
  friend class CrashWorker;
  friend class CrashLink;
  sim::SimProcess& process_;
  sim::SplitMix random_;
  std::uint64_t& clock_us_;
  Sent sent_;
  std::deque<std::function<void()>> ready_;
  std::multimap<std::uint64_t, std::function<void()>> timers_;
  std::vector<class CrashWorker*> workers_;
  CrashLink* link_ = nullptr;
};

// The listener's end. The test binds it and delivers to it.
class CrashLink : public NodeLink {
 public:
  CrashLink(CrashHost& host, LuSessionHandler handler) : host_(host), handler_(std::move(handler)) {}
  ~CrashLink() override;
  Status start() override { return Status::ok(); }
  void stop() override { up_ = false; }
  bool up() const override { return up_; }
  void send(EncodedMessage message) override;
  std::size_t queued_bytes() const override { return 0; }
  void drop(const std::string& reason) override;
  std::uint16_t port() const override { return 0; }

  // As the transport calls them: on the loop's thread.
  BindResponse bind(const BindRequest& request);
  void deliver(std::vector<std::uint8_t> bytes);
  void cut(const std::string& reason);

 private:
  CrashHost& host_;
  LuSessionHandler handler_;
  bool up_ = false;
};

}  // namespace afterimage::crash
