// See sim_command_lines.h.
#include "tests/sim/sim_command_lines.h"

#include <utility>

namespace afterimage::sim {

namespace {

// What was drawn for the other site is typed here only if it would be refused here, or if its effect here is wanted too.
bool is_wanted(SessionCommand command, SiteRole role, const CommandWeights& weights) {
  const bool primary = role == SiteRole::kPrimary;
  switch (command) {
    case SessionCommand::kXend:
      return (primary ? weights.ends : weights.takeovers) != 0;
    case SessionCommand::kFreeze:
      return (primary ? weights.freezes : weights.takeovers) != 0;
    case SessionCommand::kXrecover:
      return primary || weights.takeovers != 0;
    case SessionCommand::kRun:
      return !primary || weights.runs != 0;
    default:
      return true;
  }
}

}  // namespace

SessionCommand CommandLines::choose(SiteRole role, const CommandWeights& weights) {
  // Now and then at the wrong site: it must be refused there.
  const bool elsewhere = random_.chance(1, 12);
  const bool primary = (role == SiteRole::kPrimary) != elsewhere;
  const unsigned takeovers = role == SiteRole::kSecondary ? weights.takeovers : (elsewhere ? 1u : 0u);
  const std::pair<SessionCommand, unsigned> primary_ones[] = {
      {SessionCommand::kXstart, weights.starts},  {SessionCommand::kXsuspend, weights.suspends},
      {SessionCommand::kXend, weights.ends},      {SessionCommand::kFreeze, weights.freezes},
      {SessionCommand::kRun, weights.runs},       {SessionCommand::kVerify, weights.verifies},
      {SessionCommand::kXquery, weights.queries}, {SessionCommand::kStop, weights.stops},
  };
  const std::pair<SessionCommand, unsigned> secondary_ones[] = {
      {SessionCommand::kXrecover, 2 * takeovers}, {SessionCommand::kFreeze, takeovers},
      {SessionCommand::kXend, takeovers},         {SessionCommand::kRun, 1},
      {SessionCommand::kXquery, weights.queries}, {SessionCommand::kStop, weights.stops},
  };
  const auto draw = [&](const auto& list) {
    unsigned sum = 0;
    for (const auto& [command, weight] : list) sum += weight;
    std::uint64_t at = random_.below(sum);
    for (const auto& [command, weight] : list) {
      if (at < weight) return command;
      at -= weight;
    }
    return SessionCommand::kXquery;
  };
  const SessionCommand drawn = primary ? draw(primary_ones) : draw(secondary_ones);
  return is_wanted(drawn, role, weights) ? drawn : SessionCommand::kXquery;
}

std::string CommandLines::session_operand(TypedLine& line) {
  if (random_.chance(1, 24)) {
    line.another_session = true;
    return " NOWHERE";
  }
  return random_.chance(3, 4) ? " " + session_ : std::string();
}

// Keywords may be shortened to three letters or more, but where the session's name may stand they would be taken for it.
std::string CommandLines::keyword(const std::string& whole, bool may_be_short) {
  if (!may_be_short || random_.chance(2, 3)) return whole;
  return whole.substr(0, 3 + random_.below(whole.size() - 2));
}

std::string CommandLines::volumes() {
  if (random_.chance(1, 3)) return "(ALL)";
  std::string list;
  for (const std::string& volser : volsers_)
    if (random_.chance(1, 2)) list += (list.empty() ? "" : random_.chance(1, 2) ? "," : " ") + volser;
  if (random_.chance(1, 8)) list += list.empty() ? "NOVOL1" : ",NOVOL1";
  return list.empty() ? "(ALL)" : "(" + list + ")";
}

TypedLine CommandLines::query() {
  TypedLine line;
  switch (random_.below(7)) {
    case 0:
      line.command = SessionCommand::kDisplayQueue;
      line.text = "D PWQ";
      if (random_.chance(1, 2)) line.text += "," + session_;
      if (random_.chance(1, 3))
        line.text += ",MAX=" + std::to_string(1 + random_.below(20));
      else if (random_.chance(1, 3))
        line.text += ",SEQ=" + std::to_string(1 + random_.below(400));
      return line;
    case 1:
      line.command = SessionCommand::kDisplayStorage;
      line.text = "D STOR";
      return line;
    case 2:
      line.command = SessionCommand::kDisplayActive;
      line.text = "D A,L";
      return line;
    case 3:
      line.command = random_.chance(1, 2) ? SessionCommand::kHelp : SessionCommand::kStart;
      line.text = line.command == SessionCommand::kHelp ? one_of({"HELP", "HELP XSTART", "HELP CGROUP", "HELP D"}) : "S DSM";
      return line;
    case 4:
      line.command = SessionCommand::kXrecover;
      line.check_only = true;
      line.text = "XRECOVER" + session_operand(line) + " " + keyword("CHECK", true) + "(YES)";
      return line;
    default: {
      line.command = SessionCommand::kXquery;
      const std::string session = session_operand(line);
      line.text = one_of({"XQUERY", "XQ"}) + session;
      if (random_.chance(1, 8)) {
        line.text += " VOLUME" + volumes() + one_of({"", " DETAIL", " STATUS"});
      } else if (random_.chance(3, 4)) {
        line.text += " " + keyword(one_of({"STATUS", "CONFIG", "RECOVER", "MASTER", "DETAIL"}), !session.empty());
      }
      return line;
    }
  }
}

TypedLine CommandLines::of(SessionCommand command, bool blind) {
  TypedLine line;
  line.command = command;
  const auto mode = [&](bool may_be_short) {
    line.mode = static_cast<EndMode>(random_.below(3));
    if (line.mode == EndMode::kDefault) return std::string();
    return " " + keyword(line.mode == EndMode::kDrain ? "DRAIN" : "IMMEDIATE", may_be_short);
  };
  const std::string session = session_operand(line);
  switch (command) {
    case SessionCommand::kXstart:
      line.text = "XSTART" + session;
      if (random_.chance(1, 4)) line.text += " " + keyword("SESSIONTYPE", true) + "(XRC)";
      if (random_.chance(1, 4)) line.text += " " + keyword("ERRORLEVEL", true) + "(SESSION)";
      if (random_.chance(1, 2)) {
        line.compare = random_.chance(3, 4) || !blind;
        line.text += " " + keyword("COMPARE", true) + (line.compare ? "(YES)" : "(NO)");
      }
      break;
    case SessionCommand::kXsuspend:
      line.text = "XSUSPEND" + session + one_of({"", " SESSION", " VOLUME(ALL)"}) + mode(!session.empty());
      break;
    case SessionCommand::kXend:
      line.text = "XEND" + session + mode(!session.empty());
      break;
    case SessionCommand::kXrecover:
      line.text = "XRECOVER" + session + one_of({"", "", " CHECK(NO)"});
      break;
    case SessionCommand::kFreeze:
      line.text = one_of({"CGROUP FREEZE", "FREEZE"}) + session;
      break;
    case SessionCommand::kRun:
      line.text = one_of({"CGROUP RUN", "RUN"}) + session;
      break;
    case SessionCommand::kVerify:
      line.text = "VERIFY" + session;
      if (random_.chance(1, 2)) line.text += " VOLUME" + volumes();
      break;
    case SessionCommand::kStop:
      line.text = "P DSM";
      line.another_session = false;
      break;
    default:
      return query();
  }
  return line;
}

TypedLine CommandLines::well_formed(SiteRole role, const CommandWeights& weights) {
  TypedLine line = of(choose(role, weights), weights.blind_starts != 0);
  const bool modify = line.command != SessionCommand::kDisplayQueue && line.command != SessionCommand::kDisplayStorage &&
                      line.command != SessionCommand::kDisplayActive && line.command != SessionCommand::kStart &&
                      line.command != SessionCommand::kStop;
  if (modify && random_.chance(1, 3)) line.text = one_of({"F DSM,", "f dsm,", "F  DSM,"}) + line.text;
  if (random_.chance(1, 4))
    for (char& c : line.text)
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  if (random_.chance(1, 6)) line.text += "  ";
  return line;
}

std::string CommandLines::garble(std::string text) {
  static constexpr char kCharacters[] = "ABXYZ019 ,()=.'\"\x7f\xc3\n\t&<>%-";
  for (std::uint64_t times = 1 + random_.below(3); times > 0; --times) {
    const std::size_t at = random_.below(text.size() + 1);
    switch (random_.below(6)) {
      case 0:
        if (at < text.size()) text.erase(at, 1 + random_.below(3));
        break;
      case 1:
        text.insert(at, 1, kCharacters[random_.below(sizeof kCharacters - 1)]);
        break;
      case 2:
        if (at < text.size()) text[at] = kCharacters[random_.below(sizeof kCharacters - 1)];
        break;
      case 3:
        text += one_of(
            {" DRAIN IMMEDIATE", " COMPARE(MAYBE)", " VOLUME()", " VOLUME(ALL,ALL)", " CHECK", ",", " TIMEOUT(5)", " ATTIME(1)", "("});
        break;
      case 4:
        text.resize(at);
        break;
      default:
        text.append(random_.below(400), kCharacters[random_.below(8)]);
        break;
    }
  }
  return text;
}

TypedLine CommandLines::next(SiteRole role, const CommandWeights& weights) {
  TypedLine line = well_formed(role, weights);
  const unsigned others =
      weights.queries + weights.starts + weights.suspends + weights.ends + weights.freezes + weights.runs + weights.verifies;
  // A garbled line may still be one that is taken: XRECOVER CHECK(YES) without its end is a takeover.
  if (line.command == SessionCommand::kXrecover && role == SiteRole::kSecondary && weights.takeovers == 0) return line;
  if (!random_.chance(weights.mistakes, others + weights.mistakes + 1)) return line;
  line.text = garble(std::move(line.text));
  line.garbled = true;
  return line;
}

}  // namespace afterimage::sim
