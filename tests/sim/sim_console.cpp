// See sim_console.h: entering lines and looking at the world.
#include "tests/sim/sim_console.h"

#include <cstring>
#include <utility>

#include "serializer/common_storage.h"

namespace afterimage::sim {

Consoles::Consoles(Schedule& schedule, SimDsmd& primary, SimDsmd& secondary, Oracle& oracle, std::string session,
                   std::vector<std::string> volsers, ConsoleSettings settings, std::uint64_t seed)
    : schedule_(schedule),
      primary_(primary),
      secondary_(secondary),
      oracle_(oracle),
      settings_(std::move(settings)),
      lines_{CommandLines(session, volsers, seed ^ 0xA5A5u), CommandLines(session, volsers, seed ^ 0x5A5Au)},
      random_(seed) {}

void Consoles::begin() {
  running_ = true;
  next_line(SiteRole::kPrimary);
  next_line(SiteRole::kSecondary);
}

void Consoles::next_line(SiteRole site) {
  schedule_.after(random_.below(2 * settings_.mean_us) + 1, nullptr, [this, site] {
    if (!running_) return;
    // Drawn whether somebody listens or not, so that a death does not shift the lines behind it.
    const TypedLine line = lines_[static_cast<std::size_t>(site)].next(site, settings_.weights);
    enter(site, line);
    next_line(site);
  });
}

Consoles::Sight Consoles::look(SiteRole site) {
  Sight sight;
  auto opened = CommonStorage::open(settings_.segment);
  if (opened.good()) {
    CommonStorage& storage = *opened.value;
    const ControlView view = control_view(storage);
    sight.storage = true;
    sight.state = view.state;
    sight.numbered = view.sequence;
    sight.epoch = storage.control().epoch.load();
    sight.suspended_at = storage.control().suspended_at.load();
    for (std::uint32_t i = 0; i < storage.device_count(); ++i) {
      sight.duplex.push_back(storage.device(i).duplex.load());
      sight.requests.push_back(storage.device(i).verify_request.load());
    }
  }
  CommandProcessor* const processor = at(site).processor();
  if (site == SiteRole::kSecondary && processor != nullptr && processor->secondary() != nullptr) {
    const SecondaryFacts facts = processor->secondary()->facts();
    sight.secondary = facts.state;
    sight.secondary_epoch = facts.epoch;
    sight.complete = facts.complete;
    sight.known = facts.known;
    sight.link_up = facts.link_up;
  }
  if (site == SiteRole::kPrimary && processor != nullptr && processor->primary() != nullptr)
    sight.link_up = processor->primary()->facts().link_up;
  if (at(site).process() != nullptr) sight.calls = at(site).process()->host.disk.calls();
  return sight;
}

bool Consoles::Sight::same_as(const Sight& other) const {
  return storage == other.storage && state == other.state && epoch == other.epoch && suspended_at == other.suspended_at &&
         duplex == other.duplex && requests == other.requests && secondary == other.secondary && secondary_epoch == other.secondary_epoch &&
         complete == other.complete && known == other.known;
}

void Consoles::enter(SiteRole site, const TypedLine& line, Respond told) {
  SimDsmd& dsmd = at(site);
  if (!dsmd.running()) return;
  auto entered = std::make_shared<Entered>();
  entered->site = site;
  entered->line = line;
  entered->process = dsmd.process();
  entered->number = ++entered_;
  schedule_.after(0, entered->process, [this, entered, told = std::move(told)] {
    CommandProcessor* const processor = at(entered->site).processor();
    if (processor == nullptr || at(entered->site).process() != entered->process) return;
    if (processor->primary() == nullptr && processor->secondary() == nullptr) return;  // the socket is served when dsmd has started
    schedule_.trace.say(schedule_.now_us(), entered->process->name + " <-", entered->line.text);
    entered->before = look(entered->site);
    processor->execute(entered->line.text, [this, entered, told](Answer answer) {
      if (!entered->process->alive || entered->process->files.dead()) return;
      take_answer(entered, answer);
      if (told) told(std::move(answer));
    });
    entered->at_once = false;
    if (!entered->answered) expect_answer(entered, 0);
  });
}

// The limits of the commands themselves and time for the loop to notice. A stopped process is given its time when it goes on.
void Consoles::expect_answer(const EnteredPtr& entered, unsigned looks) {
  const std::uint64_t limit_us = entered->line.command == SessionCommand::kVerify ? 600'000'000 : 20'000'000;
  schedule_.after(looks == 0 ? limit_us : 1'000'000, entered->process, [this, entered, looks] {
    if (entered->answered) return;
    if (looks < 3) return expect_answer(entered, looks + 1);
    if (entered->site == SiteRole::kSecondary) return;  // a recovery waits for its disk
    fail(*entered, "was never answered");
  });
}

void Consoles::fail(const Entered& entered, const std::string& what, const Answer* answer) {
  std::string text =
      std::string("'") + entered.line.text + "' at the " + (entered.site == SiteRole::kPrimary ? "primary" : "secondary") + " " + what;
  if (answer != nullptr) {
    text += "; answer " + std::to_string(answer->return_code) + ":";
    for (const std::string& line : answer->lines) text += " | " + line;
  }
  schedule_.violation("operator", text);
}

}  // namespace afterimage::sim
