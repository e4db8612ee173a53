// What if both sites died now: a copy of the secondary's disk, as a crash of its host would leave it, is recovered by a secondary of its
// own in a time of its own, and judged. The run itself goes on as if nothing had happened.
#include <optional>

#include "tests/sim/sim_scenario.h"

namespace afterimage::sim {

namespace {

class NoLinks final : public LinkMaker {
 public:
  NoLinks(Schedule& schedule, Line& line) : schedule_(schedule), line_(line) {}
  std::unique_ptr<NodeLink> connect(const ProcessPtr& process, const std::string&, const LuAddress&, LuSessionHandler handler,
                                    std::function<BindRequest()> make_bind) override {
    return make_connector(schedule_, process, line_, std::move(handler), std::move(make_bind));
  }
  std::unique_ptr<NodeLink> listen(const ProcessPtr& process, const LuAddress&, const std::string&, LuSessionHandler handler) override {
    return make_listener(schedule_, process, line_, std::move(handler));
  }

 private:
  Schedule& schedule_;
  Line& line_;
};

}  // namespace

void Scenario::what_if() {
  if (!plex_.session_begun() || plex_.secondary_may_stop || plex_.recovered || plex_.oracle().promise() == 0) return;
  ++what_ifs_;
  SplitMix random(stream_seed(swarm_.seed, Stream::kCrash, 1000 + static_cast<unsigned>(what_ifs_)));
  const auto damage = static_cast<Damage>(random.below(5));
  Schedule time(false);
  time.start_at(schedule_.now_us());
  // The mount of the copy covers that of the disk itself while it lasts.
  const std::string& name = plex_.site_b().name;
  auto copy = plex_.site_b().disk.crashed_copy(random.next(), damage);
  std::optional<LossReport> report;
  std::string stopped;
  {
    Host host(name, std::move(copy));
    host.clock = plex_.site_b().clock;
    Line line(time, 1);
    NoLinks links(time, line);
    bool ready = false;
    SimDsmd dsmd(
        time, links, host, plex_.config(), "SITEB",
        [&](const std::string& said) {
          if (said.compare(0, 8, "DSMM133S") == 0) stopped = said;
          if (said.compare(0, 8, "DSMM141I") == 0) report = Plex::last_report;
        },
        random.next());
    dsmd.start([&](const Status& status) {
      ready = status.good();
      if (!status) stopped = status.text();
    });
    dsmd.process()->plex = nullptr;
    time.run_until([&] { return ready || !stopped.empty(); }, time.now_us() + 10'000'000);
    std::optional<Answer> answer;
    if (ready) dsmd.command("XRECOVER", [&](Answer given) { answer = std::move(given); });
    time.run_until([&] { return report || !stopped.empty() || (answer && answer->return_code >= 8); }, time.now_us() + 20'000'000);
    const Sequence promise = plex_.oracle().promise();
    const std::string what = std::string("had both sites died now (unsynced writes ") + damage_name(damage) + ")";
    schedule_.trace.note(schedule_.now_us(), "what if", report ? report->point_a : 0, promise);
    if (time.violated()) {
      schedule_.violation(time.invariant(), what + ": " + time.violation_text());
    } else if (report) {
      if (report->epoch == plex_.oracle().epoch()) {
        plex_.oracle().check_report(*report, promise);
        if (!schedule_.violated()) plex_.oracle().check_images(host.disk, report->point_a, what);
        if (!schedule_.violated()) plex_.oracle().check_fences(host.disk, false, what);
      }
    } else if (!stopped.empty()) {
      schedule_.violation("unexplained stop", what + ": " + stopped);
    } else if (plex_.oracle().promised_something()) {
      schedule_.violation(
          "promise", what + ": nothing can be recovered, and writes up to " + std::to_string(promise) +
                         " were acknowledged: " + (answer && !answer->lines.empty() ? answer->lines.front() : std::string("no answer")));
    }
    time.forget();
  }
}

// The same in the middle of a worker's job: before one of its writes or syncs, so that what came before it in the job is not yet durable.
void Scenario::what_if_in_call(SplitMix& random) {
  constexpr std::uint64_t kCallsAhead = 40;
  if (plex_.secondary_may_stop || swarm_.faults.disk_error_us != 0) return;  // that one has the hook
  SimDisk& disk = plex_.site_b().disk;
  const std::uint64_t from = disk.calls() + 1 + random.below(kCallsAhead);
  disk.set_hook([this, from, asked = false](const SimCall& call) mutable {
    if (asked || call.ordinal < from || (call.op != SimOp::kWrite && call.op != SimOp::kSync)) return SimFault{};
    asked = true;
    schedule_.as(nullptr, [this] { what_if(); });
    return SimFault{};
  });
}

}  // namespace afterimage::sim
