// Seeded simulation of both movers: writes, flushes, voids, a link that breaks, loses and repeats, either process killed at any step.
// AFTERIMAGE_SEED=n runs one seed, AFTERIMAGE_SEEDS=n that many.
#include <cppunit/TestFixture.h>
#include <cppunit/extensions/HelperMacros.h>

#include <cstdlib>
#include <iostream>

#include "datamover_two_sites.h"

namespace afterimage::testing {
namespace {

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed, SecondarySite::Plant plant = SecondarySite::Plant::kNone)
      : random_(seed), secondary_(SecondaryDisk()), withhold_(seed % 3 == 0) {
    secondary_.plant = plant;
    secondary_.start(now_);
    start_primary();
  }

  void run(int steps) {
    for (int i = 0; i < steps; ++i) {
      now_ += tod_from_us(pick(3000));
      act();
      check();
      if (i % 16 == 0) recover_a_copy();
    }
    recover_a_copy();
  }

  // Everything works again: the sites become equal and the session ends in order.
  void settle() {
    withhold_ = false;
    for (int i = 0; i < 4000 && !primary_ended_; ++i) {
      now_ += tod_from_us(5000);
      if (!primary_) start_primary();
      if (!secondary_.core) secondary_.start(now_);
      for (auto& each : history_)
        if (each->token.sequence > freed_ && !each->flushed && !each->is_void) flush(*each);
      connect();
      step_primary(primary::ClockRead{history_.size()});
      if (freed_ == history_.size()) step_primary(primary::End{});
      while (!to_secondary_.empty()) deliver_to_secondary();
      secondary_.sync_journal(now_, ~0ull);
      secondary_.apply_some(now_, ~0ull);
      secondary_.finish_checkpoint(now_);
      while (!secondary_.to_primary.empty()) deliver_to_primary();
      check();
    }
    demand(primary_ended_, "the primary did not end");
    for (int i = 0; i < 10 && !secondary_.ended; ++i) {
      secondary_.sync_journal(now_, ~0ull);
      secondary_.apply_some(now_, ~0ull);
      secondary_.finish_checkpoint(now_);
    }
    demand(secondary_.core->state() == SecondaryState::kEnded, "the secondary did not end");
    demand(secondary_.disk.image == replay(history_.size()), "after the end the sites differ");
    demand(secondary_.mismatches == 0, "a verification cried wolf");
  }

  std::size_t writes() const { return history_.size(); }
  std::uint64_t crashes() const { return crashes_; }
  std::uint64_t recoveries() const { return recoveries_; }
  std::uint64_t lost_held() const { return lost_held_; }
  std::uint64_t lost_missing() const { return lost_missing_; }

 private:
  std::uint64_t pick(std::uint64_t below) { return random_() % below; }

  Image replay(Sequence through) const {
    Image image(kImageBytes);
    for (Sequence s = 1; s <= through; ++s)
      if (!history_[s - 1]->is_void) apply_to(image, history_[s - 1]->token, history_[s - 1]->data);
    return image;
  }

  void act() {
    const std::uint64_t dice = pick(100);
    if (dice < 22)
      write();
    else if (dice < 42)
      settle_some();
    else if (dice < 56)
      deliver_to_secondary();
    else if (dice < 66)
      deliver_to_primary();
    else if (dice < 74)
      secondary_.sync_journal(now_, 1 + pick(4));
    else if (dice < 80)
      secondary_.apply_some(now_, 1 + pick(6));
    else if (dice < 83)
      secondary_.finish_checkpoint(now_);
    else if (dice < 89)
      tick();
    else if (dice < 95)
      connect();
    else if (dice < 96)
      cut();
    else if (dice < 97)
      disturb();
    else if (dice < 98)
      kill_secondary();
    else if (dice < 99)
      kill_primary();
    else
      revive();
  }

  void write() {
    auto written = std::make_unique<Written>();
    const Sequence sequence = history_.size() + 1;
    const auto track = static_cast<std::uint32_t>(pick(kVolumeTracks));
    const auto offset = static_cast<std::uint16_t>(pick(40));
    written->token = write_token(sequence, static_cast<VolumeId>(pick(2)), track, offset, static_cast<std::uint16_t>(1 + pick(24)));
    written->token.tod = now_ += tod_from_us(1);
    written->token.system = static_cast<std::uint8_t>(pick(2));
    const bool all_settled = std::all_of(history_.begin() + static_cast<std::ptrdiff_t>(freed_), history_.end(),
                                         [](auto& h) { return h->flushed || h->is_void; });
    if (pick(8) == 0 && all_settled) {  // everything before it is in the file or void: its digest is exact
      written->token.kind = TokenKind::kVerify;
      written->token.data_length = 16;
      written->data = digest(replay(history_.size()), written->token.volume, track);
      written->flushed = true;
    } else {
      for (unsigned i = 0; i < written->token.data_length; ++i) written->data.push_back(static_cast<std::uint8_t>(random_()));
    }
    history_.push_back(std::move(written));
    step_primary(numbered(*history_.back()));
  }

  static primary::TokenNumbered numbered(const Written& written) { return {written.token, written.data, written.flushed, written.is_void}; }

  void flush(Written& written) {
    written.flushed = true;
    step_primary(primary::DataFlushed{written.token.sequence});
  }

  void settle_some() {
    for (std::size_t i = freed_; i < history_.size(); ++i) {
      Written& written = *history_[i];
      if (written.flushed || written.is_void) continue;
      if (withhold_ && written.token.system == 1 && pick(8) != 0) continue;
      if (pick(3) == 0) continue;  // the next one may overtake it
      if (pick(12) == 0) {
        written.is_void = true;
        step_primary(primary::TokenVoided{written.token.sequence});
      } else {
        flush(written);
      }
    }
  }

  void tick() {
    now_ += tod_from_us(pick(20000));
    step_primary(primary::ClockRead{history_.size()});
    step_primary(primary::Tick{});
    secondary_.step(now_, secondary::Tick{});
  }

  void start_primary() {
    primary_ = std::make_unique<PrimaryCore>(primary_settings());
    step_primary(primary::Start{kEpoch, two_volumes(), 1, freed_});
    for (std::size_t i = freed_; i < history_.size(); ++i) step_primary(numbered(*history_[i]));
  }

  void step_primary(PrimaryInput input) {
    if (!primary_) return;
    for (PrimaryOutput& output : primary_->step(now_, std::move(input))) {
      if (auto* send = std::get_if<primary::Send>(&output)) {
        to_secondary_.push_back(send->message.flat());
      } else if (auto* free = std::get_if<primary::Free>(&output)) {
        demand(free->through <= proof_of(secondary_.synced_records()).a, "something was freed that the secondary does not hold durably");
        freed_ = free->through;
      } else if (auto* drop = std::get_if<primary::DropLink>(&output)) {
        if (!expect_drop_) throw Broken("the primary dropped the link: " + drop->reason);
        cut();
      } else if (std::get_if<primary::Ended>(&output)) {
        primary_ended_ = true;
      }
    }
  }

  void connect() {
    if (up_ || !primary_ || !secondary_.core) return;
    to_secondary_.clear();
    secondary_.to_primary.clear();
    secondary_.answer.reset();
    secondary_.step(now_, secondary::BindArrived{primary_->make_bind(kStorageId, freed_)});
    demand(secondary_.answer.has_value(), "a bind was not answered at once");
    demand(secondary_.answer->accepted, "a bind was refused: " + secondary_.answer->reason);
    up_ = true;
    secondary_.refused = false;
    step_primary(primary::LinkUp{*secondary_.answer});
  }

  void cut() {
    if (!up_) return;
    up_ = false;
    to_secondary_.clear();
    secondary_.to_primary.clear();
    if (primary_) primary_->step(now_, primary::LinkDown{});
    secondary_.step(now_, secondary::LinkDown{});
  }

  void deliver_to_secondary() {
    if (!up_ || to_secondary_.empty()) return;
    std::vector<std::uint8_t> bytes = std::move(to_secondary_.front());
    to_secondary_.pop_front();
    secondary_.step(now_, secondary::MessageArrived{std::move(bytes)});
    if (secondary_.refused) cut();
  }

  void deliver_to_primary() {
    if (!up_ || secondary_.to_primary.empty()) return;
    const std::vector<std::uint8_t> bytes = std::move(secondary_.to_primary.front());
    secondary_.to_primary.pop_front();
    auto message = decode(bytes);
    demand(message.good(), "a message of the secondary does not decode");
    step_primary(primary::MessageArrived{std::move(message.value)});
  }

  // The link loses, repeats or damages a message.
  void disturb() {
    if (!up_ || to_secondary_.empty()) return;
    const std::size_t records = secondary_.disk.records.size();
    switch (pick(3)) {
      case 0:
        to_secondary_.pop_front();
        break;
      case 1: {
        const std::vector<std::uint8_t> bytes = to_secondary_.front();
        deliver_to_secondary();
        if (!up_) return;
        secondary_.step(now_, secondary::MessageArrived{bytes});
        demand(secondary_.disk.records.size() <= records + 1, "a repeated message was taken twice");
        demand(!secondary_.refused, "a repeated message was refused");
        break;
      }
      default: {
        std::vector<std::uint8_t> bytes = to_secondary_.front();
        bytes[pick(bytes.size())] ^= static_cast<std::uint8_t>(1u << pick(8));
        secondary_.step(now_, secondary::MessageArrived{bytes});
        demand(secondary_.refused, "a damaged message was not refused");
        demand(secondary_.disk.records.size() == records, "a damaged message was journalled");
        cut();
        break;
      }
    }
  }

  void kill_secondary() {
    if (!secondary_.core) return;
    ++crashes_;
    cut();
    secondary_.crash(random_);
  }

  void kill_primary() {
    if (!primary_) return;
    ++crashes_;
    cut();
    primary_.reset();
  }

  void revive() {
    if (!primary_) start_primary();
    if (!secondary_.core) secondary_.start(now_);
  }

  void check() {
    if (!secondary_.core) return;
    const Sequence applied = secondary_.core->applied_through();
    Sequence through = applied;  // the images may be ahead of what was reported, by what apply_some has just written
    demand(secondary_.applying.empty() || secondary_.applying.front().token.sequence == through + 1, "writes are given out of order");
    if (through >= secondary_.dirty_through) demand(secondary_.disk.image == replay(through), "the images are not writes 1..A");
  }

  // Both sites are lost now; the secondary is started from what its disks would hold, and recovered.
  void recover_a_copy() {
    SecondarySite copy(secondary_.disk);
    if (secondary_.core) copy.crash(random_);
    if (copy.disk.records.empty()) return;
    const Proof proof = proof_of(copy.disk.records);
    copy.start(now_);
    copy.step(now_, secondary::Recover{});
    for (int i = 0; i < 8 && !copy.report; ++i) {
      copy.apply_some(now_, pick(2) == 0 ? 3 : ~0ull);
      if (i == 1 && pick(4) == 0) {  // killed again while recovering
        copy.crash(random_);
        copy.start(now_);
        copy.step(now_, secondary::Recover{});
      }
      if (pick(2) == 0 || i > 2) copy.apply_some(now_, ~0ull);
      copy.finish_checkpoint(now_);
    }
    demand(copy.report.has_value(), "a recovery did not complete");
    check_report(*copy.report, proof, copy);
    demand(copy.report->point_a >= freed_, "point A is before what was acknowledged");
    ++recoveries_;
    for (const LostWrite& lost : copy.report->lost) ++(lost.data_held ? lost_held_ : lost_missing_);
    // Started once more, a recovered secondary says the same and gives nothing out to be applied.
    const LossReport first = *copy.report;
    copy.report.reset();
    copy.start(now_);
    demand(copy.report.has_value() && copy.report->point_a == first.point_a && copy.report->lost.size() == first.lost.size(),
           "a recovered secondary reports differently after a restart");
    demand(copy.applying.empty(), "a recovered secondary would write to its volumes again");
  }

  void check_report(const LossReport& report, const Proof& proof, const SecondarySite& copy) const {
    demand(report.point_a == proof.a, "point A is not the end of the complete run");
    demand(report.point_b == proof.b, "point B is not the last token received");
    demand(copy.disk.image == replay(report.point_a), "the recovered images are not exactly writes 1..A");
    demand(report.lost.size() == proof.b - proof.a, "the report does not name every token between A and B");
    for (std::size_t i = 0; i < report.lost.size(); ++i) {
      const LostWrite& lost = report.lost[i];
      demand(lost.token == history_[proof.a + i]->token, "the report names another write");
      demand(lost.data_held == (proof.held.count(lost.token.sequence) != 0), "HELD or MISSING is wrong");
      demand(lost.is_void == (proof.voided.count(lost.token.sequence) != 0), "VOID is wrong");
    }
  }

  std::mt19937_64 random_;
  Tod now_ = tod_from_us(1000000);
  std::vector<std::unique_ptr<Written>> history_;
  Sequence freed_ = 0;
  std::unique_ptr<PrimaryCore> primary_;
  SecondarySite secondary_;
  std::deque<std::vector<std::uint8_t>> to_secondary_;
  bool up_ = false, primary_ended_ = false, expect_drop_ = false;
  bool withhold_;  // one system's data is slow to reach its volume
  std::uint64_t crashes_ = 0, recoveries_ = 0, lost_held_ = 0, lost_missing_ = 0;
};

class DatamoverSimulation : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(DatamoverSimulation);
  CPPUNIT_TEST(testA7A13A18A19A20_EveryKillPointRecoversExactlyOneToA);
  CPPUNIT_TEST(testCanary_AnAcknowledgementBeforeTheSyncIsCaught);
  CPPUNIT_TEST(testCanary_AForgottenWriteIsCaught);
  CPPUNIT_TEST_SUITE_END();

  static bool caught(SecondarySite::Plant plant) {
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      try {
        Simulation simulation(seed, plant);
        simulation.run(400);
        simulation.settle();
      } catch (const Broken&) {
        return true;
      }
    }
    return false;
  }

 public:
  void testCanary_AnAcknowledgementBeforeTheSyncIsCaught() { CPPUNIT_ASSERT(caught(SecondarySite::Plant::kSyncReportedEarly)); }
  void testCanary_AForgottenWriteIsCaught() { CPPUNIT_ASSERT(caught(SecondarySite::Plant::kWriteForgotten)); }

  void testA7A13A18A19A20_EveryKillPointRecoversExactlyOneToA() {
    const char* one = std::getenv("AFTERIMAGE_SEED");
    const char* many = std::getenv("AFTERIMAGE_SEEDS");
    const std::uint64_t first = one != nullptr ? std::strtoull(one, nullptr, 10) : 1;
    const std::uint64_t last = one != nullptr ? first : many != nullptr ? std::strtoull(many, nullptr, 10) : 240;
    std::uint64_t writes = 0, crashes = 0, recoveries = 0, held = 0, missing = 0;
    for (std::uint64_t seed = first; seed <= last; ++seed) {
      try {
        Simulation simulation(seed);
        simulation.run(400);
        simulation.settle();
        writes += simulation.writes();
        crashes += simulation.crashes();
        recoveries += simulation.recoveries();
        held += simulation.lost_held();
        missing += simulation.lost_missing();
      } catch (const Broken& broken) {
        CPPUNIT_FAIL("AFTERIMAGE_SEED=" + std::to_string(seed) + ": " + broken.what());
      }
    }
    CPPUNIT_ASSERT_MESSAGE("the simulation did too little", writes > (last - first + 1) * 20);
    if (many != nullptr)
      std::cerr << " writes " << writes << ", kills " << crashes << ", recoveries " << recoveries << ", lost with data held " << held
                << ", without " << missing << " ";
    CPPUNIT_ASSERT_MESSAGE("no write was lost between A and B", one != nullptr || (held > 0 && missing > 0));
    CPPUNIT_ASSERT_MESSAGE("nothing was killed", one != nullptr || crashes > last - first);
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DatamoverSimulation);

}  // namespace
}  // namespace afterimage::testing
