// io: one run of a workload; see crash_run.h.
#include "tests/crash/crash_run.h"

#include <algorithm>
#include <cerrno>

#include "datamover/loss_report.h"
#include "service/hercules_config.h"
#include "tests/crash/crash_memory.h"

namespace afterimage::crash {

namespace {

using sim::Damage;
using sim::SimCall;
using sim::SimFault;
using sim::SimOp;
using Kind = sim::SimFault::Kind;

constexpr std::uint64_t kPatience_us = 20'000'000;  // of virtual time: a step that takes longer is stuck
constexpr const char* kStateFile = "/sim/b/primary/session.state";
constexpr const char* kConfigurationFile = "/sim/b/primary/hercules.cnf";

struct Violation {
  std::string text;
};

std::string number(std::uint64_t value) { return std::to_string(value); }
bool is_sentence(const std::string& text) { return text.size() > 10 && text.back() == '.'; }

constexpr std::pair<Wrong, const char*> kWrongNames[] = {{Wrong::kNothing, "nothing"},
                                                         {Wrong::kKill, "kill"},
                                                         {Wrong::kHost, "host"},
                                                         {Wrong::kErrorOnce, "eio"},
                                                         {Wrong::kErrorLasts, "eio-lasting"},
                                                         {Wrong::kFullOnce, "enospc"},
                                                         {Wrong::kFullLasts, "enospc-lasting"},
                                                         {Wrong::kShort, "short"},
                                                         {Wrong::kMemoryOnce, "memory"},
                                                         {Wrong::kMemoryLasts, "memory-lasting"},
                                                         {Wrong::kRot, "rot"},
                                                         {Wrong::kAstray, "astray"}};

class Run {
 public:
  Run(const Workload& workload, const Plan& plan)
      : workload_(workload),
        plan_(plan),
        random_(plan.seed * 77 + plan.point * 1001 + static_cast<unsigned>(plan.wrong) * 31 + static_cast<unsigned>(plan.damage)),
        oracle_(crash_volumes()),
        primary_(oracle_, plan.seed),
        site_(crash_volumes(), workload.shape, plan.seed, [this](const Bytes& bytes) { secondary_sent(bytes); }) {
    site_.disk().make_directory("/primary");
    state_.set_path(kStateFile);
  }

  Outcome run() {
    try {
      arm_first();
      revive();
      for (const Step& step : workload_.steps) {
        if (over_) break;
        carry_out(step);
      }
      if (!over_) finish();
    } catch (const Violation& violation) {
      outcome_.violation = violation.text;
    }
    outcome_.allocations = allocations_counted();
    disarm_allocation_faults();
    if (oracle_.epoch() != 0 || !outcome_.violation.empty()) outcome_.log = site_.log();
    if (!outcome_.violation.empty()) outcome_.log.push_back("state: " + site_.reason());
    return std::move(outcome_);
  }

 private:
  [[noreturn]] void wrong(const std::string& text) { throw Violation{text}; }
  void must(const std::string& reason) {
    if (!reason.empty()) wrong(reason);
  }

  // Faults.
  void arm_first();
  void arm_again();
  SimFault first_fault(const SimCall& call);
  SimFault error_fault(const SimCall& call, int error);
  void after_death();
  void damage_something(bool checkpoint);
  bool lasting() const {
    return plan_.wrong == Wrong::kErrorLasts || plan_.wrong == Wrong::kFullLasts || plan_.wrong == Wrong::kMemoryLasts;
  }
  bool may_refuse() const { return plan_.wrong == Wrong::kRot || plan_.wrong == Wrong::kAstray; }
  void repair();

  // The course of things.
  void carry_out(const Step& step);
  void begin_step(const Step& step);
  bool step_done(const Step& step);
  void operate(const Step& step);
  void drive();
  void revive();
  void connect();
  void recover_now();
  void copy_volumes();
  void remember(unsigned count);
  void judge_configuration();
  void judge_recovered();
  void finish();
  void tell_again();
  void secondary_sent(const Bytes& bytes);
  SecondaryState state() { return site_.node().core().state(); }
  bool running() const { return site_.life() == Life::kRunning; }

  const Workload& workload_;
  Plan plan_;
  sim::SplitMix random_;
  CrashOracle oracle_;
  std::optional<CrashOracle> before_;  // the session before this one, which was ended in order
  CrashPrimary primary_;
  CrashSite site_;
  SessionStateFile state_;
  std::vector<std::uint64_t> configurations_ = {0};  // versions that may be in the file for Hercules; 0: none
  std::optional<std::uint64_t> remembered_, being_remembered_;
  Outcome outcome_;
  std::uint64_t step_began_us_ = 0, next_bind_us_ = 0, epoch_ = 0;
  unsigned lives_ = 0, deaths_ = 0;
  bool over_ = false, asked_ = false, giving_up_ = false, faulty_ = false, died_ = false;
  std::uint64_t again_left_ = 0;
  std::string stray_file_;
  bool spare_checkpoint_ = false;  // what was damaged is one of two generations
  unsigned syncs_after_stray_ = 0;
};

// ---- faults ----

void Run::arm_first() {
  if (plan_.wrong == Wrong::kMemoryOnce || plan_.wrong == Wrong::kMemoryLasts) {
    arm_allocation_faults(plan_.point, plan_.wrong == Wrong::kMemoryLasts);
    return;
  }
  if (plan_.wrong == Wrong::kNothing) {
    arm_allocation_faults(0, false);
    site_.disk().set_hook([this](const SimCall& call) {
      outcome_.calls.push_back(call.op);
      return SimFault{};
    });
    return;
  }
  site_.disk().set_hook([this](const SimCall& call) { return first_fault(call); });
}

SimFault Run::error_fault(const SimCall& call, int error) {
  SimFault fault;
  fault.kind = Kind::kError;
  fault.error = error;
  if (call.op == SimOp::kWrite && random_.chance(1, 2)) fault.bytes = random_.below(call.bytes + 1);
  return fault;
}

SimFault Run::first_fault(const SimCall& call) {
  const bool here = call.ordinal == plan_.point;
  if (here) outcome_.reached = true;
  SimFault fault;
  switch (plan_.wrong) {
    case Wrong::kKill:
      if (!here) return {};
      fault.kind = call.op == SimOp::kWrite ? Kind::kKillInside : Kind::kKillBefore;
      fault.bytes = random_.below(call.bytes + 1);
      return fault;
    case Wrong::kHost:
    case Wrong::kRot:
      if (here) fault.kind = Kind::kKillBefore;
      return fault;
    case Wrong::kErrorOnce:
      return here ? error_fault(call, EIO) : fault;
    case Wrong::kErrorLasts:
      faulty_ = faulty_ || here;
      return faulty_ && (here || sim::op_changes(call.op)) ? error_fault(call, EIO) : fault;
    case Wrong::kFullOnce:
      return here ? error_fault(call, ENOSPC) : fault;
    case Wrong::kFullLasts:
      if (here) {
        faulty_ = true;
        site_.disk().set_capacity(site_.disk().used_bytes());
      }
      return {};
    case Wrong::kShort:
      if (!here) return {};
      fault.kind = Kind::kShort;
      fault.bytes = random_.below(call.bytes);
      return fault;
    case Wrong::kAstray:
      if (here && (!call.path.starts_with("/site/") || call.path.find("report") != std::string::npos)) {
        outcome_.reached = false;  // nothing in an image or a text tells a stray write from a right one
      } else if (here) {
        stray_file_ = call.path;
        fault.kind = random_.chance(1, 2) ? Kind::kLost : Kind::kAstray;
        fault.shift_bytes = static_cast<std::int64_t>((1 + random_.below(8)) * sim::kSectorBytes) * (random_.chance(1, 2) ? 1 : -1);
      } else if (!stray_file_.empty()) {
        // Whoever says that it is written and has not written it is found out with the second sync after it: the mark of the first is
        // then on the disk.
        if (call.op == SimOp::kSync && call.path == stray_file_) ++syncs_after_stray_;
        const bool late = syncs_after_stray_ > 2 || stray_file_.find("journal") == std::string::npos;
        if (late && sim::op_changes(call.op) && random_.chance(1, 8)) fault.kind = Kind::kKillBefore;
      }
      return fault;
    default:
      return {};
  }
}

void Run::arm_again() {
  site_.disk().set_hook({});
  if (plan_.again == 0 || deaths_ != 1) {
    if (deaths_ == 1)
      site_.disk().set_hook([this](const SimCall& call) {
        if (sim::op_changes(call.op)) ++outcome_.next_life_calls;
        return SimFault{};
      });
    return;
  }
  again_left_ = plan_.again;
  site_.disk().set_hook([this](const SimCall& call) {
    SimFault fault;
    if (!sim::op_changes(call.op)) return fault;
    ++outcome_.next_life_calls;
    if (again_left_ == 0 || --again_left_ != 0) return fault;
    fault.kind = plan_.wrong == Wrong::kKill && call.op == SimOp::kWrite ? Kind::kKillInside : Kind::kKillBefore;
    fault.bytes = random_.below(call.bytes + 1);
    return fault;
  });
}

// A bit, a sector, or a sector that landed in the wrong place, in any durable file of the site or the header of an image.
void Run::damage_something(bool checkpoint) {
  sim::SimDisk& disk = site_.disk();
  std::vector<std::string> files;
  for (const std::string& file : disk.files())
    if (!disk.read_file(file).empty() && (!checkpoint || file.starts_with("/site/checkpoint."))) files.push_back(file);
  if (files.empty()) return;
  const std::string file = files[random_.below(files.size())];
  const bool image = file.starts_with("/images/");
  const std::uint64_t bytes = disk.read_file(file).size();
  // The used part of a journal is found at its front more often than not.
  const std::uint64_t reach = random_.chance(1, 2) ? std::min<std::uint64_t>(bytes, 8192) : bytes;
  const std::uint64_t at = image ? random_.below(20) : random_.below(reach);
  oracle_.forgive(file, at / sim::kSectorBytes);
  if (before_) before_->forgive(file, at / sim::kSectorBytes);
  // The journal is kept as far as the older of the two needs it.
  spare_checkpoint_ = file.starts_with("/site/checkpoint.") && disk.exists("/site/checkpoint.1") && disk.exists("/site/checkpoint.2");
  const std::uint64_t how = random_.below(image ? 1 : 3);
  if (how == 0) disk.flip_bit(file, at, static_cast<unsigned>(random_.below(8)));
  if (how == 1) disk.zero_sector(file, at / sim::kSectorBytes);
  if (how == 2) {
    const std::string& from = files[random_.below(files.size())];
    disk.copy_sector(from, random_.below(disk.read_file(from).size()) / sim::kSectorBytes, file, at / sim::kSectorBytes);
  }
}

void Run::repair() {
  faulty_ = false;
  disarm_allocation_faults();
  site_.disk().set_capacity(~std::uint64_t{0});
  site_.disk().set_hook({});
}

// A process has ended. What the host lost with it, and what may be seen of the images now.
void Run::after_death() {
  died_ = true;
  ++deaths_;
  outcome_.reached = outcome_.reached || allocation_failed();
  primary_.link_down(site_.now());
  site_.discard();
  bool host_died = plan_.wrong == Wrong::kHost || plan_.wrong == Wrong::kRot || plan_.wrong == Wrong::kAstray;
  // A disk that fails often takes its host with it.
  const bool failing = plan_.wrong == Wrong::kErrorOnce || plan_.wrong == Wrong::kErrorLasts || plan_.wrong == Wrong::kFullOnce;
  if (failing) host_died = deaths_ > 1 || random_.chance(1, 3);
  // A killed process leaves in the page cache what the next one takes for durable: the host may die after that.
  if (plan_.wrong == Wrong::kKill && deaths_ > 1) host_died = random_.chance(1, 2);
  if (host_died) site_.disk().crash(random_.next(), plan_.damage);
  must(oracle_.judge_fences(site_.disk()));
  if (plan_.wrong == Wrong::kRot && deaths_ == 1) {
    // Data at rest: dsmd has been started and ended since the host died. One of two checkpoints may be damaged at any time.
    const bool at_once = random_.chance(1, 3);
    site_.disk().set_hook({});
    if (!at_once) {
      if (site_.start() != Life::kRunning) wrong("the start is refused: " + site_.reason());
      site_.stop();
      site_.discard();
    }
    damage_something(at_once);
  }
  if (plan_.recover) primary_.stop();
}

// ---- the course of things ----

void Run::secondary_sent(const Bytes& bytes) {
  auto message = decode(bytes);
  if (!message.good()) wrong("the secondary sent what cannot be decoded: " + message.status.text());
  if (message.value.m0.content == ContentType::kAcknowledge) oracle_.acknowledged(message.value.acknowledgement);
  primary_.arrived(site_.now(), bytes);
}

// Starts processes until one runs.
void Run::revive() {
  while (!over_) {
    if (lives_ != 0) {
      // A clean end is no death; everything else is looked at.
      after_death();
      if (!lasting() || lives_ >= 2) repair();
    }
    ++lives_;
    if (lives_ > 1 && !faulty_) arm_again();
    if (lives_ > 12) wrong("dsmd was started twelve times and does not stay: " + site_.reason());
    const Life life = site_.start();
    if (life == Life::kBroken) wrong(site_.reason());
    if (life == Life::kRunning) break;
    if (life == Life::kRefused || life == Life::kStopped) {
      if (!is_sentence(site_.reason())) wrong("refused without a sentence: " + site_.reason());
      if (may_refuse()) {
        if (spare_checkpoint_) wrong("one of two checkpoints is damaged and the start is refused: " + site_.reason());
        outcome_.detected = over_ = true;
      } else if (plan_.wrong == Wrong::kNothing || plan_.wrong == Wrong::kKill || plan_.wrong == Wrong::kHost ||
                 (lives_ > 2 && !lasting()) || lives_ > 3) {
        wrong("the start is refused: " + site_.reason());
      }
    }
  }
  asked_ = false;
  next_bind_us_ = site_.clock_us();
}

void Run::connect() {
  CrashLink* link = site_.link();
  if (link == nullptr || primary_.link_is_up() || !primary_.active() || site_.clock_us() < next_bind_us_) return;
  next_bind_us_ = site_.clock_us() + 2000;
  BindResponse response;
  site_.call([&] { response = link->bind(primary_.make_bind()); });
  if (running() && response.accepted) primary_.link_up(site_.now(), response);
}

void Run::drive() {
  if (!running()) {
    if (site_.life() == Life::kBroken) wrong(site_.reason());
    if (site_.life() == Life::kStopped) {
      if (!is_sentence(site_.reason())) wrong("stopped without a sentence: " + site_.reason());
      if (may_refuse()) {
        outcome_.detected = over_ = true;
        return;
      }
      if (plan_.wrong == Wrong::kNothing || plan_.wrong == Wrong::kKill || plan_.wrong == Wrong::kHost)
        wrong("the secondary stopped: " + site_.reason());
      site_.stop();
    }
    revive();
    if (over_) return;
    if (plan_.recover && died_) return recover_now();
    return;
  }
  connect();
  primary_.tick(site_.now());
  for (Bytes& bytes : primary_.take_messages()) {
    CrashLink* link = site_.link();
    if (!running() || link == nullptr || !link->up()) break;
    const auto message = decode(bytes);
    if (message.good()) oracle_.delivered(message.value);
    site_.call([&] { link->deliver(std::move(bytes)); });
    const unsigned between = static_cast<unsigned>(random_.below(3));
    for (unsigned i = 0; i < between && running(); ++i) site_.step();
  }
  if (!running()) return;
  if (primary_.wants_to_drop() && site_.link() != nullptr) site_.call([&] { site_.link()->cut("the primary dropped the link"); });
  if (running() && primary_.link_is_up() && !site_.link()->up()) primary_.link_down(site_.now());
  if (running()) site_.step();
}

void Run::begin_step(const Step& step) {
  const Tod now = site_.now();
  switch (step.act) {
    case Act::kBegin: {
      const Sequence first = oracle_.epoch() == 0 ? 1 : oracle_.last() + 1;
      before_.reset();
      if (oracle_.ended()) before_ = oracle_;
      oracle_.begin(++epoch_, first, CrashOracle::tracks_on(site_.disk(), oracle_.volumes()));
      primary_.start(now, epoch_, first);
      break;
    }
    case Act::kWrite:
      primary_.write(now, step.count);
      break;
    case Act::kVerify:
      primary_.flush(now);
      primary_.verify(now);
      break;
    case Act::kFlush:
      primary_.flush(now);
      break;
    case Act::kEnd:
      primary_.flush(now);
      primary_.end(now);
      break;
    case Act::kRecover:
      primary_.stop();
      site_.forget_report();
      break;
    case Act::kGiveUp:
      primary_.stop();
      giving_up_ = true;
      break;
    case Act::kRestart:
      primary_.link_down(now);
      site_.stop();
      site_.discard();
      if (site_.start() != Life::kRunning && site_.life() != Life::kKilled && plan_.wrong == Wrong::kNothing)
        wrong("a start after an end in order: " + site_.reason());
      break;
    case Act::kCopy:
    case Act::kRemember:
    case Act::kSettle:
    case Act::kIdle:
    case Act::kFreeze:
      break;
  }
}

bool Run::step_done(const Step& step) {
  if (!running()) return false;
  switch (step.act) {
    case Act::kBegin:
      return oracle_.established();
    case Act::kSettle:
    case Act::kVerify:
      return primary_.all_freed() && site_.node().core().applied_through() == oracle_.last();
    case Act::kIdle:
      return site_.clock_us() >= step_began_us_ + step.count * 1000;
    case Act::kFreeze:
      return state() == SecondaryState::kFrozen || state() == SecondaryState::kRecovering || state() == SecondaryState::kRecovered;
    case Act::kRecover:
      return site_.report().has_value();
    case Act::kEnd:
      return primary_.ended() && state() == SecondaryState::kEnded;
    case Act::kGiveUp:
      return state() == SecondaryState::kEmpty;
    default:
      return true;
  }
}

// What the operator of the secondary does, again in each life until it is so.
void Run::operate(const Step& step) {
  if (step.act == Act::kFreeze && state() == SecondaryState::kDuplex) {
    site_.call([this] { site_.node().freeze(); });
  } else if (step.act == Act::kRecover && !asked_) {
    asked_ = true;
    if (state() == SecondaryState::kRecovered) return;  // it tells by itself
    site_.call([this] { site_.node().recover([](const Answer&) {}); });
  } else if (step.act == Act::kGiveUp && !asked_ && state() != SecondaryState::kEmpty) {
    asked_ = true;
    site_.call([this] { site_.node().give_up([](const Answer&) {}); });
  }
}

void Run::carry_out(const Step& step) {
  step_began_us_ = site_.clock_us();
  asked_ = false;
  begin_step(step);
  if (step.act == Act::kRemember) return remember(step.count);
  if (step.act == Act::kCopy) return copy_volumes();
  do {
    drive();
    if (over_) return;
    if (running()) operate(step);
    if (site_.clock_us() > step_began_us_ + kPatience_us)
      wrong("step " + number(static_cast<std::uint64_t>(&step - workload_.steps.data())) + " does not come to its end");
  } while (!step_done(step));
  if (step.act == Act::kGiveUp) giving_up_ = false;
  if (step.act == Act::kRecover) judge_recovered();
  if (step.act == Act::kEnd) must(oracle_.judge_images(site_.disk(), oracle_.last(), true));
}

// The operator copies the primary's volumes: what is on them does not matter here, only that they are whole and alike.
void Run::copy_volumes() {
  site_.stop();
  site_.discard();
  site_.lay_out(oracle_.volumes());
  oracle_.begin(epoch_, oracle_.last() + 1, CrashOracle::tracks_on(site_.disk(), oracle_.volumes()));
  site_.start();
}

std::string configuration_text(std::uint64_t version) {
  std::string text;
  for (unsigned i = 0; i < (version == 0 ? 0 : 200u); ++i) text += "# version " + number(version) + " line " + number(i) + "\n";
  return text;
}

// The state file of the primary site, and a configuration for Hercules: whole and old, or whole and new; new once save() has said so.
void Run::remember(unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    SessionMemory memory;
    memory.session = "DALLAS";
    memory.epoch = 100 * epoch_ + i + 1;
    memory.first_sequence = memory.epoch * 3;
    memory.storage_id = memory.epoch * 5;
    memory.active = i % 2 == 0;
    being_remembered_ = memory.epoch;
    bool saved = false, written = false;
    site_.call([&] { saved = state_.save(memory).good(); });
    if (saved && running()) remembered_ = memory.epoch;
    RecoveryConfig config;
    config.path = kConfigurationFile;
    config.text = configuration_text(memory.epoch);
    configurations_.push_back(memory.epoch);
    if (running()) site_.call([&] { written = save_recovery_config(config, false).good(); });
    if (written && running()) configurations_ = {memory.epoch};
    if (site_.life() == Life::kBroken) wrong(site_.reason());
    while (!running() && !over_) revive();
    if (over_) return;
    judge_configuration();
    const auto loaded = state_.load();
    if (!loaded.good()) {
      if (may_refuse() && died_) {
        outcome_.detected = over_ = true;
        return;
      }
      wrong("the primary's state file: " + loaded.status.text());
    }
    const std::uint64_t found = loaded.value.epoch;
    if (found != remembered_.value_or(0) && found != *being_remembered_)
      wrong("the primary's state file holds save " + number(found) + " after save " + number(remembered_.value_or(0)));
    if (found != 0 && (loaded.value.first_sequence != found * 3 || loaded.value.storage_id != found * 5))
      wrong("the primary's state file mixes two saves");
    remembered_ = found;
    if (plan_.recover && died_) return recover_now();
  }
}

// Of the versions since the last one that was said to be written, any, but whole.
void Run::judge_configuration() {
  const Bytes bytes = site_.disk().read_file(std::string(kConfigurationFile).substr(std::string("/sim/b").size()));
  const std::string text(bytes.begin(), bytes.end());
  for (const std::uint64_t version : configurations_)
    if (text == configuration_text(version)) return;
  if (!may_refuse()) wrong("the configuration for Hercules is neither the old nor the new one");
}

// After a death with the primary lost for good: whatever state the secondary is in, its recovery must be right.
void Run::recover_now() {
  over_ = true;
  primary_.stop();
  site_.forget_report();
  if (oracle_.epoch() == 0) return;
  const Step recover{Act::kRecover, 0};
  step_began_us_ = site_.clock_us();
  asked_ = false;
  for (;;) {
    if (running()) {
      if (state() == SecondaryState::kEmpty) {
        if (oracle_.established() && !giving_up_) wrong("an established session is not there after the restart");
        return;
      }
      operate(recover);
      if (running()) site_.step();
      if (step_done(recover)) break;
    } else if (site_.life() == Life::kBroken) {
      wrong(site_.reason());
    } else {
      if (site_.life() == Life::kStopped) {
        if (!is_sentence(site_.reason())) wrong("stopped without a sentence: " + site_.reason());
        if (may_refuse()) {
          outcome_.detected = true;
          return;
        }
        if (plan_.wrong == Wrong::kKill || plan_.wrong == Wrong::kHost) wrong("the secondary stopped: " + site_.reason());
        site_.stop();
      }
      over_ = false;
      revive();
      if (over_) return;
      over_ = true;
    }
    if (site_.clock_us() > step_began_us_ + kPatience_us) wrong("the recovery does not come to its end");
  }
  judge_recovered();
}

void Run::judge_recovered() {
  const LossReport report = *site_.report();
  const CrashOracle* oracle = &oracle_;
  if (before_ && !oracle_.established() && report.epoch == before_->epoch()) oracle = &*before_;
  must(oracle->judge_report(report));
  must(oracle->judge_images(site_.disk(), report.point_a, false));
  const auto durable = site_.disk().crashed_copy(1, Damage::kDropped);
  const std::string not_durable = oracle->judge_images(*durable, report.point_a, false);
  if (!not_durable.empty()) wrong("told as recovered, but not durable: " + not_durable);
  std::string text;
  for (const std::string& line : loss_report_lines(report)) text += line + "\n";
  const Bytes written = durable->read_file("/site/loss-report." + number(report.epoch) + ".txt");
  if (std::string(written.begin(), written.end()) != text && !(died_ && plan_.wrong == Wrong::kRot)) {
    const bool told_so = std::any_of(site_.log().begin(), site_.log().end(),
                                     [](const std::string& line) { return line.find("DSMM134E") != std::string::npos; });
    if (!told_so) wrong("the report's file is not what was reported");
  }
  if (site_.differences() != 0) wrong("a verification of equal tracks found a difference");
}

// The session goes on to the end of the workload: both sites are equal.
void Run::finish() {
  if (state() == SecondaryState::kRecovered) return tell_again();
  if (site_.differences() != 0) wrong("a verification of equal tracks found a difference");
  must(oracle_.judge_images(site_.disk(), oracle_.last(), true));
  site_.stop();
}

// A recovered secondary that is started again tells the same once more and leaves the volumes alone.
void Run::tell_again() {
  const LossReport told = *site_.report();
  const std::vector<Bytes> tracks = CrashOracle::tracks_on(site_.disk(), oracle_.volumes());
  site_.stop();
  site_.discard();
  site_.forget_report();
  repair();
  if (site_.start() != Life::kRunning) wrong("a recovered secondary does not start again: " + site_.reason());
  step_began_us_ = site_.clock_us();
  while (!site_.report()) {
    if (!running()) wrong("a recovered secondary started again ends: " + site_.reason());
    site_.step();
    if (site_.clock_us() > step_began_us_ + kPatience_us) wrong("a recovered secondary started again does not tell its report");
  }
  if (loss_report_lines(*site_.report()) != loss_report_lines(told)) wrong("a recovered secondary started again tells another report");
  if (CrashOracle::tracks_on(site_.disk(), oracle_.volumes()) != tracks) wrong("a recovered secondary started again changed the volumes");
}

}  // namespace

const char* wrong_name(Wrong wrong) {
  for (const auto& [value, name] : kWrongNames)
    if (value == wrong) return name;
  return "?";
}

std::optional<Wrong> wrong_from(const std::string& name) {
  for (const auto& [value, text] : kWrongNames)
    if (name == text) return value;
  return {};
}

Outcome run_case(const Workload& workload, const Plan& plan) { return Run(workload, plan).run(); }

std::string command_of(const Workload& workload, const Plan& plan) {
  std::string command = " --workload " + workload.name + " --seed " + number(plan.seed) + " --fault " + wrong_name(plan.wrong) +
                        " --point " + number(plan.point) + " --damage " + sim::damage_name(plan.damage);
  if (plan.recover) command += " --recover";
  if (plan.again != 0) command += " --again " + number(plan.again);
  return command;
}

}  // namespace afterimage::crash
