// What operators type: well-formed commands in all their spellings, and lines with mistakes, from a seeded stream. Pure.
#pragma once

#include <string>
#include <vector>

#include "automation/session_rules.h"
#include "tests/sim/sim_splitmix.h"

namespace afterimage::sim {

// How often each kind is typed; 0 = never. Relative to each other.
struct CommandWeights {
  unsigned queries = 6;       // XQUERY, D, HELP, S DSM, XRECOVER CHECK(YES)
  unsigned starts = 2;        // XSTART
  unsigned blind_starts = 1;  // not 0: also with COMPARE(NO), which is the operator's word that the volumes are equal
  unsigned suspends = 1;      // XSUSPEND
  unsigned ends = 1;          // XEND at the primary
  unsigned freezes = 2;       // CGROUP FREEZE at the primary
  unsigned runs = 2;          // CGROUP RUN
  unsigned verifies = 2;      // VERIFY
  unsigned takeovers = 0;     // XRECOVER, CGROUP FREEZE and XEND IMMEDIATE at the secondary: they end the session there
  unsigned stops = 0;         // P DSM
  unsigned mistakes = 3;      // any of them, garbled
};

struct TypedLine {
  std::string text;
  // What it means; not to be trusted when garbled.
  bool garbled = false;
  SessionCommand command = SessionCommand::kHelp;
  EndMode mode = EndMode::kDefault;
  bool check_only = false, compare = true, another_session = false;
};

class CommandLines {
 public:
  CommandLines(std::string session, std::vector<std::string> volsers, std::uint64_t seed)
      : session_(std::move(session)), volsers_(std::move(volsers)), random_(seed) {}
  // A line typed at a site of that role; now and then it belongs to the other site.
  TypedLine next(SiteRole role, const CommandWeights& weights);

 private:
  TypedLine well_formed(SiteRole role, const CommandWeights& weights);
  TypedLine of(SessionCommand command, bool blind);
  TypedLine query();
  SessionCommand choose(SiteRole role, const CommandWeights& weights);
  std::string garble(std::string text);
  std::string session_operand(TypedLine& line);
  std::string keyword(const std::string& whole, bool may_be_short);
  std::string volumes();
  std::string one_of(std::initializer_list<const char*> choices) { return choices.begin()[random_.below(choices.size())]; }

  std::string session_;
  std::vector<std::string> volsers_;
  SplitMix random_;
};

}  // namespace afterimage::sim
