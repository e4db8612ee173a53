// The last checkpoint of a session that had ended was still being written when the next session was established: its end was taken for
// the end of the new session, which then took no write.
#include "tests/regressions/stories.h"
#include "tests/regressions/story.h"

namespace afterimage::regressions {

void old_checkpoint_of_an_ended_session() {
  Story story;
  demand(story.start().good(), "the secondary does not start");
  story.begin_session(1);
  demand(story.bind(), "the sites do not bind");
  story.write(3);
  // The termination arrives, the acknowledgement of it does not: it is sent again on the next link, under another number.
  story.lose_answers(true);
  story.end();
  story.exchange(20'000);
  demand(story.node().facts().state == SecondaryState::kEnded, "the secondary does not end the session");
  demand(!story.ended(), "the primary ends without an answer");
  story.cut();
  story.lose_answers(false);
  demand(story.bind(), "an ended session does not bind again");
  story.host().hold(ScriptHost::kImages, true);  // the checkpoint that the second termination asks for takes long
  story.exchange(20'000);
  demand(story.ended(), "the primary does not end the session");
  story.begin_session(2);
  demand(story.bind(), "the next session is not taken");
  story.exchange(20'000);
  story.host().hold(ScriptHost::kImages, false);
  story.exchange(20'000);
  demand(story.node().facts().state == SecondaryState::kDuplex, "the new session is not established, or was ended with the old one");
  story.write(2);
  demand(story.acknowledged() == 5, "the new session's writes are not acknowledged");
  story.recover_and_judge();
}

}  // namespace afterimage::regressions
