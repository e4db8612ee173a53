// A simulated dsmd: the product's own CommandProcessor and nodes in a process of the schedule. As service/dsmd_main.cpp, without its
// socket, signals and log file. Threads: one.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "service/command_processor.h"
#include "tests/sim/sim_host.h"

namespace afterimage::sim {

class SimDsmd {
 public:
  using Say = std::function<void(const std::string& line)>;
  // `config` outlives it.
  SimDsmd(Schedule& schedule, LinkMaker& links, Host& host, const Config& config, const std::string& site, Say say, std::uint64_t seed);
  ~SimDsmd();
  SimDsmd(const SimDsmd&) = delete;
  SimDsmd& operator=(const SimDsmd&) = delete;

  // Begins a process: ready when `ready` says good, else it has ended with the sentence. Nothing comes if it is killed meanwhile.
  void start(std::function<void(const Status&)> ready);
  bool running() const { return process_ != nullptr && process_->alive; }
  const ProcessPtr& process() const { return process_; }
  // What an operator enters; the answer comes in an event of the process, or never (it died, or a command does not answer).
  void command(const std::string& line, Respond respond);
  void kill();  // SIGKILL
  // SIGTERM: in order, in an event of the process.
  void stop();
  // Null unless running.
  CommandProcessor* processor() { return life_ ? life_->processor.get() : nullptr; }

 private:
  struct Life {
    std::unique_ptr<SimHost> host;
    std::unique_ptr<CommandProcessor> processor;
  };
  void end(const ProcessPtr& process);

  Schedule& schedule_;
  LinkMaker& links_;
  Host& host_;
  const Config& config_;
  const SiteConfig& site_;
  Say say_;
  SplitMix random_;
  ProcessPtr process_;
  std::unique_ptr<Life> life_;
};

}  // namespace afterimage::sim
