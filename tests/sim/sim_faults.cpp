// What befalls a plex in the safety phase, each kind from its own stream of random numbers.
#include <cerrno>

#include "tests/sim/sim_scenario.h"

namespace afterimage::sim {

namespace {
// Of the whole operation of a disk: the n-th call from now on of one kind.
constexpr std::uint64_t kCallsAhead = 60;
}  // namespace

void Scenario::repeat(std::uint64_t mean_us, Stream stream, std::function<void(SplitMix&)> what) {
  auto random = std::make_shared<SplitMix>(stream_seed(swarm_.seed, stream, 64 * index_ + ++streams_));
  if (mean_us == 0) return;
  auto next = std::make_shared<std::function<void()>>();
  const std::weak_ptr<std::function<void()>> weak = next;
  *next = [this, mean_us, random, what = std::move(what), faulty = std::weak_ptr(faulty_), keep = weak] {
    const auto lasts = faulty.lock();
    if (!lasts || !*lasts) return;
    what(*random);
    if (const auto again = keep.lock()) schedule_.after(1 + random->below(2 * mean_us), nullptr, [again] { (*again)(); });
  };
  schedule_.after(1 + random->below(2 * mean_us), nullptr, [next] { (*next)(); });
}

void Scenario::restart_later(SplitMix& random, std::function<void()> what) {
  schedule_.after(random.below(150'000), nullptr, [faulty = std::weak_ptr(faulty_), what = std::move(what)] {
    const auto lasts = faulty.lock();
    if (lasts && *lasts) what();
  });
}

void Scenario::kill_primary(SplitMix& random) {
  if (!plex_.primary().running()) return;
  plex_.primary().kill();
  restart_later(random, [this] {
    if (!plex_.primary().running()) plex_.start_primary();
  });
}

void Scenario::kill_secondary(SplitMix& random) {
  if (!plex_.secondary().running()) return;
  plex_.secondary().kill();
  restart_later(random, [this] {
    if (!plex_.secondary().running()) plex_.start_secondary();
  });
}

void Scenario::kill_hercules(SplitMix& random) {
  SimHercules& system = *plex_.systems()[random.below(plex_.systems().size())];
  system.kill();
  restart_later(random, [this, &system] {
    if (!system.running()) system.start(&plex_);
  });
}

void Scenario::shut_hercules(SplitMix& random) {
  SimHercules& system = *plex_.systems()[random.below(plex_.systems().size())];
  if (system.running()) system.shut_down();
  for (int n = 0; n < 3; ++n)
    restart_later(random, [this, &system] {
      if (!system.running()) system.start(&plex_);
    });
}

void Scenario::crash_secondary(SplitMix& random) {
  const auto damage = static_cast<Damage>(random.below(5));
  schedule_.trace.note(schedule_.now_us(), "host of the secondary crashes", static_cast<std::uint64_t>(damage));
  plex_.secondary().kill();
  plex_.oracle().secondary_crashed();
  plex_.site_b().disk.crash(random.next(), damage);
  restart_later(random, [this] {
    if (!plex_.secondary().running()) plex_.start_secondary();
  });
}

void Scenario::stop_someone(SplitMix& random) {
  const std::uint64_t which = random.below(2 + plex_.systems().size());
  ProcessPtr process;
  if (which == 0) process = plex_.primary().process();
  if (which == 1) process = plex_.secondary().process();
  if (which >= 2) process = plex_.systems()[which - 2]->process();
  if (!process || !process->alive) return;
  const std::uint64_t us = 1000 + random.below(random.chance(1, 4) ? 600'000 : 60'000);
  schedule_.trace.note(schedule_.now_us(), "is stopped", process->pid, us);
  schedule_.stop(process, us);
}

void Scenario::trouble_line(SplitMix& random) {
  Line& line = plex_.line();
  const std::uint64_t us = 5'000 + random.below(random.chance(1, 4) ? 900'000 : 150'000);
  const FaultRates& rates = swarm_.faults;
  const std::uint64_t kind = random.below(2);
  if (kind == 0 && rates.partition_us != 0) {
    const std::uint64_t ways = random.below(3);
    schedule_.trace.note(schedule_.now_us(), "partition", ways, us);
    line.cut[0] = ways != 1;
    line.cut[1] = ways != 0;
    schedule_.after(us, nullptr, [&line] { line.cut[0] = line.cut[1] = false; });
  } else if (rates.clog_us != 0) {
    schedule_.trace.note(schedule_.now_us(), "clog", us);
    line.clogged_until_us = schedule_.now_us() + us;
  }
}

void Scenario::set_clock(SplitMix& random) {
  Host& host = random.chance(1, 2) ? plex_.site_a() : plex_.site_b();
  const auto by = static_cast<std::int64_t>(random.below(random.chance(1, 4) ? 20'000'000 : 400'000));
  host.clock.offset_us += random.chance(1, 2) ? by : -by;
  schedule_.trace.note(schedule_.now_us(), "clock is set", static_cast<std::uint64_t>(host.clock.offset_us));
}

void Scenario::fill_disk(SplitMix& random) {
  SimDisk& disk = plex_.site_b().disk;
  schedule_.trace.note(schedule_.now_us(), "disk is full");
  plex_.secondary_may_stop = true;
  plex_.oracle().secondary_crashed();
  disk.set_capacity(disk.used_bytes());
  schedule_.after(10'000 + random.below(200'000), nullptr, [this, &disk] {
    disk.set_capacity(~std::uint64_t{0});
    schedule_.trace.note(schedule_.now_us(), "disk has room");
    if (plex_.secondary_stopped) plex_.secondary().kill();
    if (!plex_.secondary().running()) plex_.start_secondary();
  });
}

void Scenario::disk_error(SplitMix& random) {
  SimDisk& disk = plex_.site_b().disk;
  plex_.secondary_may_stop = true;
  const std::uint64_t from = disk.calls() + 1 + random.below(kCallsAhead);
  const std::uint64_t until = random.chance(3, 4) ? from : from + random.below(40);
  const std::uint64_t cut = random.next();
  disk.set_hook([this, from, until, cut](const SimCall& call) {
    SimFault fault;
    if (call.ordinal < from || call.ordinal > until || call.op == SimOp::kExamine) return fault;
    schedule_.trace.note(schedule_.now_us(), op_name(call.op), call.ordinal);
    plex_.oracle().secondary_crashed();
    fault.kind = call.op == SimOp::kWrite && cut % 3 == 0 ? SimFault::Kind::kShort : SimFault::Kind::kError;
    fault.error = EIO;
    fault.bytes = call.bytes == 0 ? 0 : cut % call.bytes;
    return fault;
  });
  schedule_.after(60'000 + random.below(200'000), nullptr, [this, &disk] {
    disk.set_hook({});
    if (plex_.secondary_stopped) plex_.secondary().kill();
    if (!plex_.secondary().running()) plex_.start_secondary();
  });
}

// Damage that the medium does by itself. It must be found, or do no harm.
void Scenario::rot(SplitMix& random) {
  SimDisk& disk = plex_.site_b().disk;
  std::vector<std::string> files;
  for (const std::string& file : disk.files())
    if (file.find("/dsm/") == 0 && disk.read_file(file).size() != 0) files.push_back(file);
  if (files.empty()) return;
  plex_.secondary_may_stop = true;
  const std::string& file = files[random.below(files.size())];
  const std::uint64_t bytes = disk.read_file(file).size();
  schedule_.trace.say(schedule_.now_us(), "rot", file);
  switch (random.below(3)) {
    case 0:
      disk.flip_bit(file, random.below(bytes), static_cast<unsigned>(random.below(8)));
      break;
    case 1:
      disk.zero_sector(file, random.below((bytes + 511) / 512));
      break;
    default:
      disk.copy_sector(file, random.below((bytes + 511) / 512), file, random.below((bytes + 511) / 512));
      break;
  }
}

// One of the two checkpoints is damaged while dsmd is down: the other must do.
void Scenario::rot_checkpoint(SplitMix& random) {
  SimDisk& disk = plex_.site_b().disk;
  if (plex_.secondary_may_stop || !plex_.secondary_ready()) return;
  if (!disk.exists("/dsm/checkpoint.1") || !disk.exists("/dsm/checkpoint.2")) return;
  const std::string file = random.chance(1, 2) ? "/dsm/checkpoint.1" : "/dsm/checkpoint.2";
  schedule_.trace.say(schedule_.now_us(), "rot", file);
  plex_.secondary().kill();
  disk.flip_bit(file, random.below(disk.read_file(file).size()), static_cast<unsigned>(random.below(8)));
  schedule_.after(1000, nullptr, [this] {
    if (!plex_.secondary().running()) plex_.start_secondary();
  });
}

void Scenario::arm_faults() {
  const FaultRates& rates = swarm_.faults;
  *faulty_ = true;
  repeat(rates.kill_primary_us, Stream::kCrash, [this](SplitMix& random) { kill_primary(random); });
  repeat(rates.kill_secondary_us, Stream::kCrash, [this](SplitMix& random) { kill_secondary(random); });
  repeat(rates.kill_hercules_us, Stream::kCrash, [this](SplitMix& random) { kill_hercules(random); });
  repeat(rates.shut_hercules_us, Stream::kCrash, [this](SplitMix& random) { shut_hercules(random); });
  repeat(rates.crash_secondary_us, Stream::kCrash, [this](SplitMix& random) { crash_secondary(random); });
  repeat(rates.stop_us, Stream::kCrash, [this](SplitMix& random) { stop_someone(random); });
  repeat(rates.cut_us, Stream::kLink, [this](SplitMix&) { plex_.line().cut_connections("The connection was reset."); });
  repeat(rates.half_cut_us, Stream::kLink, [this](SplitMix& random) { plex_.line().cut_half(static_cast<unsigned>(random.below(2))); });
  repeat(rates.partition_us + rates.clog_us, Stream::kLink, [this](SplitMix& random) { trouble_line(random); });
  repeat(rates.clock_us, Stream::kClock, [this](SplitMix& random) { set_clock(random); });
  repeat(rates.full_disk_us, Stream::kDisk, [this](SplitMix& random) { fill_disk(random); });
  repeat(rates.disk_error_us, Stream::kDisk, [this](SplitMix& random) { disk_error(random); });
  repeat(rates.rot_us, Stream::kDisk, [this](SplitMix& random) { rot(random); });
  repeat(rates.checkpoint_rot_us, Stream::kDisk, [this](SplitMix& random) { rot_checkpoint(random); });
  repeat(rates.write_back_us, Stream::kDisk,
         [this](SplitMix& random) { plex_.systems()[random.below(plex_.systems().size())]->fail_write_backs(1); });
  repeat(rates.what_if_us, Stream::kCrash, [this](SplitMix&) { what_if(); });
  for (auto& system : plex_.systems()) system->guests().kill_per_million = swarm_.kill_per_million;
  // A system that died by itself is started again by its operator.
  repeat(swarm_.kill_per_million != 0 ? 60'000 : 0, Stream::kCrash, [this](SplitMix&) {
    for (auto& system : plex_.systems())
      if (!system->running()) system->start(&plex_);
  });
  repeat(rates.what_if_us, Stream::kCrash, [this](SplitMix& random) { what_if_in_call(random); });
}

void Scenario::heal() {
  *faulty_ = false;
  plex_.line().heal();
  SimDisk& disk = plex_.site_b().disk;
  disk.set_capacity(~std::uint64_t{0});
  disk.set_hook({});
  for (auto& system : plex_.systems()) {
    system->guests().kill_per_million = 0;
    system->fail_write_backs(0);
    if (system->process()) system->process()->stopped_until_us = 0;
  }
  if (plex_.primary().process()) plex_.primary().process()->stopped_until_us = 0;
  if (plex_.secondary().process()) plex_.secondary().process()->stopped_until_us = 0;
}

}  // namespace afterimage::sim
