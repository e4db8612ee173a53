// The host of the secondary dies between the append of a record and its sync: what is left of the record is a torn tail, which is cut off
// at the next start. A journal that does not check the data of its records takes it for whole, and the start is refused for ever.
#include "tests/regressions/stories.h"
#include "tests/regressions/story.h"

namespace afterimage::regressions {

namespace {

void die_before_sync(std::uint64_t seed, sim::Damage damage) {
  Story story;
  demand(story.start().good(), "the secondary does not start");
  story.begin_session(1);
  demand(story.bind(), "the sites do not bind");
  story.write(static_cast<unsigned>(1 + seed % 5));
  story.disk().set_hook([](const sim::SimCall& call) {
    sim::SimFault fault;
    if (call.op == sim::SimOp::kSync && call.path.find("journal") != std::string::npos) fault.kind = sim::SimFault::Kind::kKillBefore;
    return fault;
  });
  story.write(1);
  demand(story.dead(), "the story finds no sync of the journal");
  story.disk().set_hook({});
  story.kill();
  story.disk().crash(seed, damage);
  const Status started = story.start();
  demand(started.good(), "a torn last record stops the start: " + started.text());
  story.recover_and_judge();
}

}  // namespace

void torn_last_record() {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    for (const sim::Damage damage : {sim::Damage::kSubset, sim::Damage::kTorn}) die_before_sync(seed, damage);
  }
}

}  // namespace afterimage::regressions
