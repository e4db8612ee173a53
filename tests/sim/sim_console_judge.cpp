// The judgement of operators' answers (sim_console.h).
#include <algorithm>
#include <cctype>

#include "jcl/message_catalogue.h"
#include "tests/sim/sim_console.h"

namespace afterimage::sim {

namespace {

bool begins_with(const std::string& line, const char* id) { return line.rfind(id, 0) == 0; }

const std::string* line_of(const Answer& answer, const char* id) {
  const auto found =
      std::find_if(answer.lines.begin(), answer.lines.end(), [id](const std::string& line) { return begins_with(line, id); });
  return found == answer.lines.end() ? nullptr : &*found;
}

// The number behind a word of the message.
std::uint64_t number_behind(const std::string& line, const std::string& word) {
  const std::size_t at = line.find(word + " ");
  if (at == std::string::npos) return 0;
  std::uint64_t value = 0;
  for (std::size_t i = at + word.size() + 1; i < line.size() && std::isdigit(static_cast<unsigned char>(line[i])) != 0; ++i)
    value = value * 10 + static_cast<std::uint64_t>(line[i] - '0');
  return value;
}

bool is_query(const TypedLine& line) {
  switch (line.command) {
    case SessionCommand::kXquery:
    case SessionCommand::kDisplayQueue:
    case SessionCommand::kDisplayStorage:
    case SessionCommand::kDisplayActive:
    case SessionCommand::kHelp:
    case SessionCommand::kStart:
      return true;
    default:
      return line.command == SessionCommand::kXrecover && line.check_only;
  }
}

bool is_active(SessionState state) { return state == SessionState::kActive; }

}  // namespace

void Consoles::take_answer(const EnteredPtr& entered, const Answer& answer) {
  if (entered->answered) return fail(*entered, "was answered twice", &answer);
  entered->answered = true;
  const std::string first = answer.lines.empty() ? std::string("nothing") : answer.lines.front().substr(0, 8);
  ++answers_[std::to_string(answer.return_code) + " " + first];
  schedule_.trace.say(schedule_.now_us(), entered->process->name + " ->", std::to_string(answer.return_code) + " " + first);
  judge_form(*entered, answer);
  if (schedule_.violated()) return;
  const Sight now = look(entered->site);
  if (answer.return_code == 8 && entered->at_once) {
    ++refused_;
    judge_refusal(*entered, answer, now);
  }
  if (schedule_.violated() || entered->line.garbled) return;
  judge_rules(*entered, answer);
  if (schedule_.violated()) return;
  judge_promise(*entered, answer);
  if (schedule_.violated() || answer.return_code == 8) return;
  if (entered->site == SiteRole::kPrimary)
    judge_done_at_primary(*entered, answer, now);
  else
    judge_done_at_secondary(*entered, answer, now);
}

// Each answer says something; its first word is a message of the catalogue, and its kind fits the return code.
void Consoles::judge_form(const Entered& entered, const Answer& answer) {
  if (answer.return_code != 0 && answer.return_code != 4 && answer.return_code != 8)
    return fail(entered, "has an unknown return code", &answer);
  if (answer.lines.empty()) return fail(entered, "was answered with nothing", &answer);
  if (answer.lines.front().size() < 9 || find_message(answer.lines.front().substr(0, 8)) == nullptr)
    return fail(entered, "was answered with a line that is no message", &answer);
  const char kind = answer.lines.front()[7];
  if (answer.return_code == 0 && (kind == 'E' || kind == 'S')) return fail(entered, "is said to be done and to have failed", &answer);
  if (answer.return_code == 8 && kind == 'I') return fail(entered, "is said to have failed and does not say why", &answer);
  for (const std::string& line : answer.lines)
    if (std::any_of(line.begin(), line.end(), [](char c) { return static_cast<unsigned char>(c) < ' '; }))
      return fail(entered, "was answered with a control character", &answer);
}

void Consoles::judge_refusal(const Entered& entered, const Answer& answer, const Sight& now) {
  if (!now.same_as(entered.before)) return fail(entered, "was refused, and something changed all the same", &answer);
  const bool not_taken =
      line_of(answer, "DSMO002E") != nullptr || line_of(answer, "DSMO003E") != nullptr || line_of(answer, "DSMO004E") != nullptr;
  if (not_taken && now.calls != entered.before.calls) return fail(entered, "was not taken, and files were touched", &answer);
  if (!entered.line.garbled && line_of(answer, "DSMO002E") != nullptr) return fail(entered, "was not understood", &answer);
}

// What must be refused, told from what was to be seen when it was entered; independent of the table the product goes by.
void Consoles::judge_rules(const Entered& entered, const Answer& answer) {
  const TypedLine& line = entered.line;
  const Sight& before = entered.before;
  const bool refused = answer.return_code == 8;
  if (line.another_session && line.command != SessionCommand::kStop && !refused)
    return fail(entered, "was taken for a session that is not here", &answer);
  if (line.another_session) return;
  if (is_query(line)) {
    const Sight now = look(entered.site);
    if (!now.same_as(before) || now.calls != before.calls) return fail(entered, "only asks, and something changed", &answer);
    return;
  }
  const bool primary = entered.site == SiteRole::kPrimary;
  bool never = false;
  switch (line.command) {
    case SessionCommand::kXstart:
      never = !primary || before.epoch != 0;
      break;
    case SessionCommand::kXsuspend:
      never = !primary || (before.state != SessionState::kActive && before.state != SessionState::kFrozen);
      break;
    case SessionCommand::kVerify:
      never = !primary || before.state != SessionState::kActive;
      break;
    case SessionCommand::kRun:
      never = !primary || before.state != SessionState::kFrozen;
      break;
    case SessionCommand::kFreeze:
      never = primary ? before.state != SessionState::kActive : before.secondary != SecondaryState::kDuplex;
      break;
    case SessionCommand::kXend:
      never = primary ? before.epoch == 0
                      : line.mode != EndMode::kImmediate || (before.secondary == SecondaryState::kDuplex && before.link_up) ||
                            before.secondary == SecondaryState::kRecovering || before.secondary == SecondaryState::kEmpty;
      break;
    case SessionCommand::kXrecover:
      never = primary || (before.secondary == SecondaryState::kDuplex && before.link_up) || before.secondary == SecondaryState::kEmpty ||
              before.secondary == SecondaryState::kRecovered || before.secondary == SecondaryState::kStopped;
      break;
    default:
      break;
  }
  if (never && !refused) fail(entered, "was taken in a state in which it must not be", &answer);
}

// "The secondary holds everything through": no more than it has acknowledged. A session that is said to have ended in order is held whole.
void Consoles::judge_promise(const Entered& entered, const Answer& answer) {
  for (const char* id : {"DSMM115I", "DSMM104I"}) {
    const std::string* line = line_of(answer, id);
    if (line == nullptr) continue;
    const Sequence claimed = number_behind(*line, "SEQUENCE");
    if (claimed > oracle_.promise())
      return fail(entered,
                  "is answered with a promise of writes up to " + std::to_string(claimed) + ", and the secondary promised " +
                      std::to_string(oracle_.promise()),
                  &answer);
    if (claimed < entered.before.numbered && line_of(answer, "DSMM115I") != nullptr)
      return fail(entered, "is answered with a cut below writes that were numbered before", &answer);
  }
}

void Consoles::judge_done_at_primary(const Entered& entered, const Answer& answer, const Sight& now) {
  const Sight& before = entered.before;
  switch (entered.line.command) {
    case SessionCommand::kXstart:
      if (now.epoch == 0 || !is_active(now.state)) return fail(entered, "is said to be done and no session is active", &answer);
      if (now.numbered < before.numbered) return fail(entered, "gives numbers again that were given before", &answer);
      if (std::any_of(now.duplex.begin(), now.duplex.end(),
                      [](std::uint32_t bits) { return bits != 0 && (bits & kDuplex) == 0 && (bits & kVolumeSuspended) == 0; }))
        return fail(entered, "is said to be done and a volume is not in the copy", &answer);
      break;
    case SessionCommand::kXsuspend:
      if (entered.at_once && now.state != SessionState::kSuspended)
        return fail(entered, "is said to be done and the session is not suspended", &answer);
      if (now.epoch == before.epoch && (is_active(now.state) || now.state == SessionState::kFrozen))
        return fail(entered, "is said to be done and the session goes on", &answer);
      break;
    case SessionCommand::kFreeze:
      // Until it is let go no write is numbered.
      if (now.epoch == before.epoch && now.state == SessionState::kFrozen && now.numbered != now.suspended_at)
        return fail(entered, "froze the session and writes were numbered behind its cut", &answer);
      if (now.epoch == before.epoch && is_active(now.state)) return fail(entered, "is said to be done and the session is active", &answer);
      break;
    case SessionCommand::kRun:
      if (now.state != SessionState::kSuspended) return fail(entered, "is said to be done and the session is not suspended", &answer);
      break;
    case SessionCommand::kXend:
      if (line_of(answer, "DSMM106W") == nullptr && now.epoch == before.epoch)
        return fail(entered, "is said to be done and the session is there", &answer);
      if (now.epoch == before.epoch && now.state != SessionState::kInactive)
        return fail(entered, "is under way and writes are still numbered", &answer);
      break;
    default:
      break;
  }
}

void Consoles::judge_done_at_secondary(const Entered& entered, const Answer& answer, const Sight& now) {
  switch (entered.line.command) {
    case SessionCommand::kFreeze:
      if (now.secondary != SecondaryState::kFrozen) return fail(entered, "is said to be done and the image is not frozen", &answer);
      if (number_behind(answer.lines.front(), "COMPLETE THROUGH") != now.complete)
        return fail(entered, "names another point than the image is frozen at", &answer);
      break;
    case SessionCommand::kXend:
      if (now.secondary != SecondaryState::kEmpty) return fail(entered, "is said to be done and something of the session is left", &answer);
      break;
    case SessionCommand::kXrecover:
      if (entered.line.check_only) break;
      if (now.secondary != SecondaryState::kRecovered) return fail(entered, "is said to be done and the images are not recovered", &answer);
      if ((answer.return_code == 0) != (now.known == now.complete))
        return fail(entered, "says that nothing is lost, or that something is, and it is not so", &answer);
      break;
    default:
      break;
  }
}

}  // namespace afterimage::sim
