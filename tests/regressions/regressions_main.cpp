// io: the scripted regressions. Usage: regressions [--canary NAME] [STORY...]; without a name all of them. Prints each with what it held or
// found; ends with 1 if one found something, with 8 if it was asked for what there is not.
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "serializer/check.h"
#include "tests/canary/canary_names.h"
#include "tests/regressions/stories.h"
#include "tests/regressions/story.h"

namespace {

using namespace afterimage;
using namespace afterimage::regressions;

struct Told {
  const char* name;
  void (*story)();
  const char* canary;  // the planted bug that brings the old fault back
};
constexpr Told kStories[] = {
    {"damaged-last-record", damaged_last_record, "AppliedMarkNotWritten"},
    {"old-checkpoint-of-an-ended-session", old_checkpoint_of_an_ended_session, "OldCheckpointEndsSession"},
    {"torn-last-record", torn_last_record, "JournalChecksumSkipped"},
    {"session-given-up-comes-back", session_given_up_comes_back, "GivenUpComesBack"},
};

void broken_check(const char* expression, const char* file, int line) {
  throw Broken(std::string("the product's own check failed: ") + expression + " (" + file + ":" + std::to_string(line) + ")");
}

bool holds(const Told& told) {
  try {
    told.story();
    std::printf("%s: holds\n", told.name);
    return true;
  } catch (const Broken& broken) {
    std::printf("%s: VIOLATION: %s\n", told.name, broken.what());
    return false;
  }
}

int refuse(const std::string& why) {
  std::fprintf(stderr, "regressions: %s\n", why.c_str());
  return 8;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> wanted;
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--list") == 0) {
      for (const Told& told : kStories) std::printf("%s %s\n", told.name, told.canary);
      return 0;
    }
    if (std::strcmp(argv[i], "--canary") == 0 && i + 1 < argc) {
      if (const Status done = plant(argv[++i]); !done) return refuse(done.text());
      continue;
    }
    wanted.emplace_back(argv[i]);
  }
  set_check_handler(broken_check);
  unsigned told_stories = 0, broken = 0;
  for (const Told& told : kStories) {
    bool chosen = wanted.empty();
    for (const std::string& name : wanted) chosen = chosen || name == told.name;
    if (!chosen) continue;
    ++told_stories;
    if (!holds(told)) ++broken;
  }
  if (told_stories == 0) return refuse("there is no such story; --list names them.");
  return broken == 0 ? 0 : 1;
}
