// A session given up at the secondary came back with the next start of dsmd: nothing had taken it out of the checkpoint.
#include "tests/regressions/stories.h"
#include "tests/regressions/story.h"

namespace afterimage::regressions {

void session_given_up_comes_back() {
  Story story;
  demand(story.start().good(), "the secondary does not start");
  story.begin_session(1);
  demand(story.bind(), "the sites do not bind");
  story.write(3);
  story.give_up();
  demand(story.node().facts().state == SecondaryState::kEmpty, "the session is not given up");
  story.kill();
  demand(story.start().good(), "the secondary does not start after a session was given up");
  demand(story.node().facts().state == SecondaryState::kEmpty, "the session that was given up is there again");
  demand(story.node().facts().known == 0, "tokens of the session that was given up are there again");
  story.begin_session(2);
  demand(story.bind(), "the next session is not taken");
  story.write(2);
  demand(story.writes_in_images() == Sequence{5}, "the next session's writes are not applied");
}

}  // namespace afterimage::regressions
