// See sim_dsmd.h.
#include "tests/sim/sim_dsmd.h"

#include <utility>

namespace afterimage::sim {

SimDsmd::SimDsmd(Schedule& schedule, LinkMaker& links, Host& host, const Config& config, const std::string& site, Say say,
                 std::uint64_t seed)
    : schedule_(schedule), links_(links), host_(host), config_(config), site_(*config.site(site)), say_(std::move(say)), random_(seed) {}

SimDsmd::~SimDsmd() { kill(); }

void SimDsmd::start(std::function<void(const Status&)> ready) {
  kill();
  process_ = schedule_.make_process("dsmd." + site_.name, host_);
  const ProcessPtr process = process_;
  life_ = std::make_unique<Life>();
  life_->host = std::make_unique<SimHost>(schedule_, process, links_, random_.next());
  life_->processor = std::make_unique<CommandProcessor>(*life_->host, config_, site_, [this, process](const std::string& line) {
    if (process->alive && !process->files.dead()) say_(line);
  });
  life_->processor->on_stop([this, process] { end(process); });
  process->on_death = [this, process] {
    if (process_ == process) life_.reset();
  };
  schedule_.after(0, process, [this, process, ready = std::move(ready)] {
    const Status started = life_->processor->start();
    if (process->files.dead()) return;
    if (!started) {
      schedule_.trace.say(schedule_.now_us(), process->name, started.text());
      schedule_.kill(process);  // dsmd ends with DSMM192E
    }
    if (ready) ready(started);
  });
}

void SimDsmd::command(const std::string& line, Respond respond) {
  if (!running()) return;
  schedule_.after(0, process_, [this, process = process_, line, respond = std::move(respond)] {
    life_->processor->execute(line, [process, respond](Answer answer) {
      if (process->alive && !process->files.dead() && respond) respond(std::move(answer));
    });
  });
}

void SimDsmd::kill() {
  if (running()) schedule_.kill(process_);
}

void SimDsmd::stop() {
  if (running()) schedule_.after(0, process_, [this, process = process_] { end(process); });
}

void SimDsmd::end(const ProcessPtr& process) {
  if (process_ != process || !life_) return;
  life_->processor->stop();
  schedule_.kill(process);
}

}  // namespace afterimage::sim
