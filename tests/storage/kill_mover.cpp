// io: the mover as a process of its own. What it must remember is in common storage; what it saw goes into the ledger, where the next
// mover finds it and must see the same.
#include <sched.h>
#include <unistd.h>

#include <optional>
#include <random>
#include <set>

#include "kill_ledger.h"
#include "serializer/clock.h"
#include "serializer/consistency_clock.h"
#include "serializer/process_identity.h"
#include "serializer/registry.h"
#include "serializer/track_map.h"

namespace afterimage::testing {
namespace {

class Mover {
 public:
  Mover(CommonStorage& storage, KillLedger& ledger, std::uint64_t seed)
      : storage_(storage), ledger_(ledger), reader_(storage), random_(static_cast<std::uint32_t>(mixed(seed + 5))) {}

  int run() {
    const Status entered = register_mover(storage_);
    if (!entered.good()) return fail(entered.text());
    const Status good = reader_.rebuild();
    if (!good.good()) return fail(good.text());
    seen_ = storage_.control().freed_through;
    if (seen_ > ledger_.freeing) return fail("more was freed than a mover had said");
    if (ledger_.collecting != 0) collect();  // the last one had resumed the session and was killed
    ledger_.mover_ready = own_pid();
    for (std::uint64_t round = 0; ledger_.failed == 0; ++round) {
      read_on();
      if (round % 8 == 0) look_for_deaths();
      free_some();
      keep_the_session();
      pulse();
      if (ledger_.stop_mover != 0 && seen_ == reader_.last_numbered() && storage_.control().freed_through == seen_) break;
      ::sched_yield();
    }
    free_some();  // and the chunks that were closed last
    if (ledger_.failed != 0) return 1;
    unregister_mover(storage_);
    return 0;
  }

 private:
  int fail(const std::string& what) {
    note_fault(ledger_, "mover: " + what);
    return 1;
  }
  int fail(Sequence sequence, const std::string& what) { return fail("token " + std::to_string(sequence) + ": " + what); }

  void read_on() {
    const Sequence last = reader_.last_numbered();
    while (seen_ < last && ledger_.failed == 0) look_at(seen_ + 1);
  }

  void look_at(Sequence sequence) {
    const auto held = reader_.read(sequence);
    if (!held.good()) return (void)fail(sequence, held.status.text());
    const std::string fault = fault_in(held.value, kPerSystem);
    if (!fault.empty()) return (void)fail(sequence, fault);
    if (sequence > kMostSequences) return (void)fail(sequence, "there were never so many writes");
    const std::uint64_t write = (static_cast<std::uint64_t>(held.value.device) << 32) | held.value.token.event;
    TokenNote& note = ledger_.tokens[sequence];
    const std::uint64_t before = note.write.exchange(write), tod_before = note.tod.exchange(held.value.token.tod);
    if ((before != 0 && before != write) || (tod_before != 0 && tod_before != held.value.token.tod))
      return (void)fail(sequence, "the mover before this one saw another");
    seen_ = sequence;
  }

  void free_some() {
    const Sequence freed = storage_.control().freed_through;
    if (freed > ledger_.freeing) return (void)fail(freed, "it was freed before the mover freed it");
    Sequence through = freed;
    while (through < seen_ && ledger_.failed == 0) {
      const auto held = reader_.read(through + 1);
      if (!held.good()) return (void)fail(through + 1, held.status.text());
      const std::string fault = fault_in(held.value, kPerSystem);
      if (!fault.empty()) return (void)fail(through + 1, "before it was freed: " + fault);
      if (!held.value.flushed && !held.value.is_void) break;
      const std::uint8_t how = held.value.is_void ? 2 : 1, before = ledger_.tokens[through + 1].freed.exchange(how);
      if (before != 0 && before != how) return (void)fail(through + 1, "void once and not void once");
      ++through;
    }
    if (through > ledger_.freeing) ledger_.freeing = through;
    storage_.control().acknowledged_through.store(through);
    reader_.free_through(through);
  }

  void look_for_deaths() {
    for (std::uint32_t index = 0; index < kSystems && ledger_.failed == 0; ++index) {
      const SystemEntry& system = storage_.system(index);
      const std::uint32_t pid = system.pid;
      if (pid == 0 || process_alive(pid, system.start_time)) continue;
      read_on();  // what it numbered before it died
      bury(index);
    }
  }

  // Void is exactly what had not reached the file. From here on the system may be there again: only what is old is looked at.
  void bury(std::uint32_t index) {
    std::uint64_t flushed[kPerSystem] = {};
    for (std::uint32_t i = 0; i < kPerSystem; ++i) flushed[i] = storage_.device(index * kPerSystem + i).flushed_sequence;
    std::set<Sequence> void_before;  // by the burial of an earlier process, whose heir wrote on and flushed
    for (Sequence sequence = storage_.control().freed_through + 1; sequence <= seen_; ++sequence)
      if (entry_view(storage_, sequence).state == EntryState::kVoid) void_before.insert(sequence);
    const Burial burial = bury_system(storage_, index);
    if (!burial.done) {  // it may have ended in order since it was looked at
      if (storage_.system(index).pid != 0) fail("system " + std::to_string(index) + " is dead and was not buried");
      return;
    }
    ++ledger_.burials;
    for (Sequence sequence = storage_.control().freed_through + 1; sequence <= seen_ && ledger_.failed == 0; ++sequence) {
      const EntryView entry = entry_view(storage_, sequence);
      if (entry.device / kPerSystem != index || void_before.count(sequence) != 0) continue;
      const bool in_file = sequence <= flushed[entry.device % kPerSystem];
      if ((entry.state == EntryState::kVoid) == in_file)
        return (void)fail(sequence, in_file ? "it was in the file and is void" : "it is not void");
      if (!in_file) ++ledger_.voided;
    }
  }

  // Resumes what was suspended, as an operator would, once there is room again; then the change maps are read. Only the mover ends a
  // state in which no numbers are given, so what it has seen of one holds to its end.
  void keep_the_session() {
    const ControlView view = control_view(storage_);
    if (cut_ && view.sequence != *cut_) return (void)fail(view.sequence, "it was numbered above the cut " + std::to_string(*cut_));
    if (view.state == SessionState::kFrozen) {
      if (frozen_looks_ > 0 && --frozen_looks_ > 0) return;
      const StateChange change = change_session_state(storage_, SessionState::kFrozen, SessionState::kSuspended);
      if (change.changed) cut_holds(change.cut);
    } else if (view.state == SessionState::kSuspended) {
      cut_ = view.sequence;
      if (view.sequence - storage_.control().freed_through > storage_.sequence_entries() / 4) return;
      ledger_.collecting = 1;
      const StateChange change = change_session_state(storage_, SessionState::kSuspended, SessionState::kActive);
      if (change.changed) cut_holds(change.cut);
      cut_.reset();
      collect();
    } else if (random_() % 3000 == 0) {
      const StateChange change = change_session_state(storage_, SessionState::kActive, SessionState::kFrozen);
      if (!change.changed) return;
      ++ledger_.freezes;
      cut_ = change.cut;
      frozen_looks_ = random_() % 100;
    }
    resume_volumes();
  }

  void cut_holds(Sequence cut) {
    if (cut_ && *cut_ != cut) fail(cut, "it was numbered above the cut " + std::to_string(*cut_));
    cut_ = cut;
  }

  void resume_volumes() {
    for (std::uint32_t device = 0; device < kDevices; ++device) {
      if ((storage_.device(device).duplex & kVolumeSuspended) == 0) continue;
      ledger_.collecting = 1;
      storage_.device(device).duplex = kDuplex;
      bump_generation(storage_);
      collect();
    }
  }

  // What is found is kept before it is cleared.
  void collect() {
    const std::uint32_t now = ledger_.collections + 1;
    for (std::uint32_t device = 0; device < kDevices; ++device) {
      TrackMap map = TrackMap::changed(storage_, device);
      for (std::uint64_t track = map.next(0); track < map.tracks(); track = map.next(track + 1)) {
        ledger_.collected_track[device][track] = now;
        map.clear(static_cast<std::uint32_t>(track));
      }
    }
    ledger_.collections = now;
    ledger_.collecting = 0;
  }

  void pulse() {
    const std::uint64_t now_us = monotonic_us();
    if (now_us < next_pulse_us_) return;
    next_pulse_us_ = now_us + kDefaultInterval_ms * 1000;
    mover_heartbeat(storage_, clock_tod());
    const Sequence through = advance_clock(storage_, clock_tod());
    read_on();
    if (through > seen_) fail(through, "the consistency time names it and it is not there");
  }

  CommonStorage& storage_;
  KillLedger& ledger_;
  SlotReader reader_;
  std::mt19937 random_;
  Sequence seen_ = 0;
  std::optional<Sequence> cut_;     // of the state that now gives no numbers
  std::uint32_t frozen_looks_ = 0;  // how often a freeze is yet looked at before it ends
  std::uint64_t next_pulse_us_ = 0;
};

}  // namespace

int run_mover_process(const std::string& segment, KillLedger& ledger, std::uint64_t seed) {
  auto opened = CommonStorage::open(segment);
  if (!opened.good()) {
    note_fault(ledger, opened.status.text());
    return 1;
  }
  return Mover(*opened.value, ledger, seed).run();
}

}  // namespace afterimage::testing
