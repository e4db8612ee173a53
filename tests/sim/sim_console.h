// The consoles of both sites: operators' lines at seeded moments, wrong ones among them, through the product's own CommandProcessor; and
// the judgement of every answer by what can be seen in the world: a refusal changes nothing, a query changes nothing, a command that is
// said to be done is done, "the secondary holds everything" is no more than it has promised, every command is answered once and in time.
// Threads: one.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "serializer/numbering.h"
#include "tests/sim/sim_command_lines.h"
#include "tests/sim/sim_dsmd.h"
#include "tests/sim/sim_oracle.h"

namespace afterimage::sim {

struct ConsoleSettings {
  std::string segment;  // of common storage
  CommandWeights weights;
  std::uint64_t mean_us = 200'000;  // between two lines of one site
};

class Consoles {
 public:
  // What is given outlives it; the lines are those of `session` with these volumes.
  Consoles(Schedule& schedule, SimDsmd& primary, SimDsmd& secondary, Oracle& oracle, std::string session, std::vector<std::string> volsers,
           ConsoleSettings settings, std::uint64_t seed);
  void begin();
  void end() { running_ = false; }
  // One line now, judged as the others. `told` gets the answer too.
  void enter(SiteRole site, const TypedLine& line, Respond told = {});
  std::uint64_t entered() const { return entered_; }
  std::uint64_t refused() const { return refused_; }
  // Answers by return code and first message, for a look at what a run has reached.
  const std::map<std::string, std::uint64_t>& answers() const { return answers_; }

 private:
  // What a command may change, as seen from outside of the node that answers.
  struct Sight {
    bool storage = false;
    SessionState state = SessionState::kInactive;
    Sequence numbered = 0, suspended_at = 0;
    std::uint64_t epoch = 0, calls = 0;
    std::vector<std::uint32_t> duplex, requests;
    SecondaryState secondary = SecondaryState::kEmpty;
    std::uint64_t secondary_epoch = 0;
    Sequence complete = 0, known = 0;
    bool link_up = false;
    bool same_as(const Sight& other) const;
  };
  struct Entered {
    SiteRole site = SiteRole::kPrimary;
    TypedLine line;
    ProcessPtr process;
    Sight before;
    bool at_once = true, answered = false;
    std::uint64_t number = 0;
  };
  using EnteredPtr = std::shared_ptr<Entered>;

  SimDsmd& at(SiteRole site) { return site == SiteRole::kPrimary ? primary_ : secondary_; }
  void next_line(SiteRole site);
  Sight look(SiteRole site);
  void take_answer(const EnteredPtr& entered, const Answer& answer);
  void judge_form(const Entered& entered, const Answer& answer);
  void judge_refusal(const Entered& entered, const Answer& answer, const Sight& now);
  void judge_rules(const Entered& entered, const Answer& answer);
  void judge_done_at_primary(const Entered& entered, const Answer& answer, const Sight& now);
  void judge_done_at_secondary(const Entered& entered, const Answer& answer, const Sight& now);
  void judge_promise(const Entered& entered, const Answer& answer);
  void expect_answer(const EnteredPtr& entered, unsigned looks);
  void fail(const Entered& entered, const std::string& what, const Answer* answer = nullptr);

  Schedule& schedule_;
  SimDsmd& primary_;
  SimDsmd& secondary_;
  Oracle& oracle_;
  ConsoleSettings settings_;
  CommandLines lines_[2];
  SplitMix random_;
  bool running_ = false;
  std::uint64_t entered_ = 0, refused_ = 0;
  std::map<std::string, std::uint64_t> answers_;
};

}  // namespace afterimage::sim
