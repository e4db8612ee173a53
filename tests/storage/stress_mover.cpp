// io: the mover of the stress, which is its auditor too: reads every token when it is numbered and again before it is freed, knows from the
// writers alone what must be in it, buries the dead, and goes on from common storage as a mover started again does.
#include <deque>
#include <random>
#include <set>

#include "serializer/clock.h"
#include "serializer/consistency_clock.h"
#include "serializer/registry.h"
#include "serializer/track_map.h"
#include "stress_world.h"
#include "stress_write.h"

namespace afterimage::testing {
namespace {

constexpr Sequence kBatch = 256;

struct Seen {
  std::uint32_t device = 0, attempt = 0;
  Tod tod = 0;
  bool is_void = false;
};

class Mover {
 public:
  explicit Mover(StressWorld& world)
      : world_(world),
        storage_(world.storage),
        reader_(storage_),
        random_(static_cast<std::uint32_t>(mixed(world.options.seed))),
        last_attempt_(world.device_count(), 0),
        awaited_(world.device_count()) {}

  void run() {
    for (std::uint64_t round = 0; !world_.failed; ++round) {
      const bool last_round = world_.writers_left == 0;
      const bool moved = read_on(last_round ? ~Sequence{0} : kBatch);
      reconcile();
      if (round % 64 == 0) pulse();
      if (world_.bury != 0) bury(world_.bury - 1);
      free_some(last_round ? 0 : lag_);
      if (round % 4096 == 4095) start_again();
      if (last_round) break;
      if (!moved) ::sched_yield();
    }
    if (!world_.failed) at_the_end();
    world_.mover_done = true;
  }

 private:
  void fail(Sequence sequence, const std::string& what) { world_.fail("token " + std::to_string(sequence) + ": " + what); }

  bool read_on(Sequence most) {
    const Sequence last = reader_.last_numbered(), before = seen_;
    while (seen_ < last && seen_ - before < most && !world_.failed) look_at(seen_ + 1);
    world_.audited_through.store(seen_, std::memory_order_release);
    return seen_ != before;
  }

  void look_at(Sequence sequence) {
    const auto held = reader_.read(sequence);
    if (!held.good()) return fail(sequence, held.status.text());
    ++world_.reads;
    const Token& token = held.value.token;
    const std::string fault = fault_in(held.value, world_.options.per_system);
    if (!fault.empty()) return fail(sequence, fault);
    if (token.tod <= tod_) return fail(sequence, "its stamp does not rise");
    const std::uint32_t device = held.value.device;
    if (token.event <= last_attempt_[device]) return fail(sequence, "its device's order is lost, or it is there twice");
    if (held.value.is_void) return fail(sequence, "it is void and its system lives");
    tod_ = token.tod;
    last_attempt_[device] = token.event;
    awaited_[device].push_back({token.event, sequence});
    window_.push_back({device, token.event, token.tod, false});
    seen_ = sequence;
    world_.devices[device]->audited_last.store(sequence, std::memory_order_release);
  }

  // What each writer was told, in its order, against what was found: no token more, none less, none under another number.
  void reconcile() {
    for (std::uint32_t device = 0; device < awaited_.size() && !world_.failed; ++device) reconcile(device);
  }

  void reconcile(std::uint32_t device) {
    auto& results = world_.devices[device]->results;
    auto& awaited = awaited_[device];
    for (std::uint64_t word = results.front(); word != 0; word = results.front()) {
      const auto attempt = static_cast<std::uint32_t>(word >> 32), sequence = static_cast<std::uint32_t>(word);
      if (sequence == kUnnumbered) {
        if (!awaited.empty() && awaited.front().first <= attempt)
          return fail(awaited.front().second, "it holds a write that was told to have no number");
      } else {
        if (sequence > seen_) return;  // not read yet
        if (awaited.empty() || awaited.front() != std::pair<std::uint32_t, Sequence>{attempt, sequence})
          return fail(sequence, "device " + std::to_string(device) + " was given it for its write " + std::to_string(attempt) +
                                    " and it holds another");
        awaited.pop_front();
      }
      results.pop();
    }
  }

  // Only what is in the volume's file or void is freed, as the secondary's acknowledgement would have it; `keep` tokens stay.
  void free_some(std::size_t keep) {
    if (storage_.control().freed_through != freed_) return fail(freed_ + 1, "it was freed by somebody else");
    const Sequence before = freed_;
    while (window_.size() > keep && !world_.failed) {
      const auto held = reader_.read(freed_ + 1);
      if (!held.good()) return fail(freed_ + 1, held.status.text());
      if (!as_it_was(held.value)) return;
      if (!held.value.flushed && !held.value.is_void) break;
      window_.pop_front();
      ++freed_;
    }
    if (freed_ == before) return;
    storage_.control().acknowledged_through.store(freed_);
    if (world_.options.plant == Plant::kEarlyFree && freed_ > 2000 && seen_ - freed_ > 200) reader_.free_through(freed_ + 200);
    reader_.free_through(freed_);
  }

  bool as_it_was(const HeldToken& held) {
    const Seen& was = window_.front();
    const std::string fault = fault_in(held, world_.options.per_system);
    if (!fault.empty()) fail(held.token.sequence, "before it was freed: " + fault);
    if (held.device != was.device || held.token.event != was.attempt || held.token.tod != was.tod)
      fail(held.token.sequence, "it became another token while it was held");
    if (held.is_void != was.is_void) fail(held.token.sequence, "it is void and was not voided, or was voided and is not void");
    if (held.flushed && held.token.sequence > world_.devices[held.device]->flushed.load(std::memory_order_relaxed))
      fail(held.token.sequence, "it is told to be in the file before it was written there");
    return !world_.failed;
  }

  void pulse() {
    const Tod now = clock_tod();
    mover_heartbeat(storage_, now);
    if (random_() % 4 == 0) {
      // Everything stamped up to `now` is among the tokens up to the one returned.
      const Sequence through = advance_clock(storage_, now);
      read_on(~Sequence{0});
      if (through > seen_) fail(through, "the consistency time names it and it is not there");
    }
    lag_ = random_() % 700;
  }

  void bury(std::uint32_t system) {
    read_on(~Sequence{0});
    if (world_.failed) return;
    std::set<Sequence> unflushed;
    for (std::size_t i = 0; i < window_.size(); ++i)
      if (belongs(window_[i].device, system) && freed_ + 1 + i > storage_.device(window_[i].device).flushed_sequence.load())
        unflushed.insert(freed_ + 1 + i);
    const Burial burial = bury_system(storage_, system);
    if (!burial.done) return world_.fail("system " + std::to_string(system) + " is dead and was not buried");
    const std::set<Sequence> voided(burial.voided.begin(), burial.voided.end());
    for (const Sequence sequence : unflushed) {
      Seen& seen = window_[sequence - freed_ - 1];
      seen.is_void = true;
      const StressWrite write{seen.device, seen.attempt};
      if (voided.count(sequence) == 0) return fail(sequence, "it had not reached the file and was not voided");
      if (reader_.read(sequence).value.token.kind != TokenKind::kVerify && !TrackMap::unhardened(storage_, seen.device).test(write.track()))
        return fail(sequence, "it was voided and its track is not to be mended");
      ++world_.voids;
    }
    if (voided.size() != unflushed.size()) return fail(*voided.begin(), "of the voided tokens, not all had failed to reach the file");
    check_open_slots(system);
    ++world_.burials;
    world_.bury = 0;
    world_.buried = system + 1;
  }

  // A track that a dead writer had begun to change without a number: to be mended, or, if no numbers were given, copied: it is in the
  // change map, or was when that was read since the write began.
  void check_open_slots(std::uint32_t system) {
    for (std::uint32_t device = 0; device < awaited_.size(); ++device) {
      const StressDevice& dead = *world_.devices[device];
      const std::uint32_t track = dead.died_on_track.load(std::memory_order_relaxed) - 1;
      if (!belongs(device, system) || track == ~0u) continue;
      const bool collected = dead.collected[track].load(std::memory_order_relaxed) >= dead.died_since.load(std::memory_order_relaxed);
      if (!collected && !TrackMap::unhardened(storage_, device).test(track) && !TrackMap::changed(storage_, device).test(track))
        world_.fail("device " + std::to_string(device) + " died while it changed track " + std::to_string(track) + ", and no map says so");
    }
  }

  bool belongs(std::uint32_t device, std::uint32_t system) const { return storage_.device(device).system_index == system; }

  // As after a restart of dsmd: everything comes from common storage again, and is the same.
  void start_again() {
    SlotReader again(storage_);
    const Status good = again.rebuild();
    if (!good.good()) return world_.fail("taking up the work list: " + good.text());
    ++world_.restarts;
    for (std::size_t i = 0; i < window_.size() && !world_.failed; ++i) {
      const auto held = again.read(freed_ + 1 + i);
      if (!held.good()) return fail(freed_ + 1 + i, held.status.text());
      if (held.value.device != window_[i].device || held.value.token.event != window_[i].attempt)
        fail(freed_ + 1 + i, "it is another token after taking up the work list");
    }
  }

  void at_the_end() {
    read_on(~Sequence{0});
    reconcile();
    free_some(0);
    if (world_.failed) return;
    const Sequence last = control_view(storage_).sequence;
    if (seen_ != last || freed_ != last || storage_.control().freed_through != last) return fail(freed_ + 1, "it is left over at the end");
    for (std::uint32_t device = 0; device < awaited_.size(); ++device)
      if (!awaited_[device].empty() || world_.devices[device]->results.front() != 0)
        return world_.fail("device " + std::to_string(device) + ": what it was told and what was found differ at the end");
    for (std::uint32_t chunk = 0; chunk < storage_.chunk_count(); ++chunk)
      if (storage_.chunk_word(chunk).word.load() != 0) return world_.fail("chunk " + std::to_string(chunk) + " is lost at the end");
  }

  StressWorld& world_;
  CommonStorage& storage_;
  SlotReader reader_;
  std::mt19937 random_;
  std::vector<std::uint32_t> last_attempt_;
  std::vector<std::deque<std::pair<std::uint32_t, Sequence>>> awaited_;  // found, and the writer's word on it not yet read
  std::deque<Seen> window_;                                              // freed_ + 1 ... seen_
  Sequence seen_ = 0, freed_ = 0;
  Tod tod_ = 0;
  std::size_t lag_ = 0;
};

}  // namespace

void run_mover(StressWorld& world) { Mover(world).run(); }

}  // namespace afterimage::testing
