// Operator command parser: from words to a typed command. Pure.
#include "jcl/operator_command.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>

#include "jcl/command_scanner.h"
#include "serializer/tod.h"

namespace afterimage {
namespace {

constexpr Sequence kMaxSequence = (1ULL << 48) - 1;  // as wide as the control word of common storage

enum class Form : std::uint8_t { kPlain, kList };
enum class Key : std::uint8_t {
  kSessionType,
  kErrorLevel,
  kCompare,
  kVolume,
  kDetail,
  kStatus,
  kConfig,
  kRecover,
  kMaster,
  kSession,
  kDrain,
  kImmediate,
  kAtTime,
  kTimeout,
  kCheck,
};
struct Keyword {
  std::string_view name;
  Form form;
  Key key;
};

constexpr Keyword kStartKeywords[] = {{"SESSIONTYPE", Form::kList, Key::kSessionType},
                                      {"ERRORLEVEL", Form::kList, Key::kErrorLevel},
                                      {"COMPARE", Form::kList, Key::kCompare}};
constexpr Keyword kQueryKeywords[] = {{"VOLUME", Form::kList, Key::kVolume},    {"DETAIL", Form::kPlain, Key::kDetail},
                                      {"STATUS", Form::kPlain, Key::kStatus},   {"CONFIG", Form::kPlain, Key::kConfig},
                                      {"RECOVER", Form::kPlain, Key::kRecover}, {"MASTER", Form::kPlain, Key::kMaster}};
constexpr Keyword kSuspendKeywords[] = {{"SESSION", Form::kPlain, Key::kSession}, {"VOLUME", Form::kList, Key::kVolume},
                                        {"DRAIN", Form::kPlain, Key::kDrain},     {"IMMEDIATE", Form::kPlain, Key::kImmediate},
                                        {"ATTIME", Form::kList, Key::kAtTime},    {"TIMEOUT", Form::kList, Key::kTimeout}};
constexpr Keyword kEndKeywords[] = {{"DRAIN", Form::kPlain, Key::kDrain},
                                    {"IMMEDIATE", Form::kPlain, Key::kImmediate},
                                    {"ATTIME", Form::kList, Key::kAtTime},
                                    {"TIMEOUT", Form::kList, Key::kTimeout}};
constexpr Keyword kRecoverKeywords[] = {{"CHECK", Form::kList, Key::kCheck}};
constexpr Keyword kVerifyKeywords[] = {{"VOLUME", Form::kList, Key::kVolume}};

constexpr std::size_t kShortestAbbreviation = 3;
constexpr bool distinct(std::span<const Keyword> keywords) {
  for (std::size_t i = 0; i < keywords.size(); ++i) {
    for (std::size_t j = 0; j < i; ++j) {
      if (keywords[i].name.substr(0, kShortestAbbreviation) == keywords[j].name.substr(0, kShortestAbbreviation)) return false;
    }
  }
  return true;
}
static_assert(distinct(kStartKeywords) && distinct(kQueryKeywords), "an abbreviation must name one keyword");
static_assert(distinct(kSuspendKeywords) && distinct(kEndKeywords), "an abbreviation must name one keyword");

struct Grammar {
  std::string_view word;  // as typed
  SessionCommand verb;
  std::span<const Keyword> keywords;
  const char* allowed;  // follows "it takes "
};

constexpr Grammar kGrammars[] = {
    {"XSTART", SessionCommand::kXstart, kStartKeywords, "SESSIONTYPE(XRC), ERRORLEVEL(SESSION) and COMPARE(YES or NO)"},
    {"XQUERY", SessionCommand::kXquery, kQueryKeywords, "VOLUME(ALL or volsers), DETAIL and one of STATUS, CONFIG, RECOVER, MASTER"},
    {"XQ", SessionCommand::kXquery, kQueryKeywords, "VOLUME(ALL or volsers), DETAIL and one of STATUS, CONFIG, RECOVER, MASTER"},
    {"XSUSPEND", SessionCommand::kXsuspend, kSuspendKeywords, "SESSION or VOLUME(ALL), and DRAIN or IMMEDIATE"},
    {"XEND", SessionCommand::kXend, kEndKeywords, "DRAIN or IMMEDIATE"},
    {"XRECOVER", SessionCommand::kXrecover, kRecoverKeywords, "CHECK(YES or NO)"},
    {"VERIFY", SessionCommand::kVerify, kVerifyKeywords, "VOLUME(ALL or volsers)"},
    {"FREEZE", SessionCommand::kFreeze, {}, "only the session name"},
    {"RUN", SessionCommand::kRun, {}, "only the session name"},
};

constexpr std::string_view kTopics[] = {"XSTART", "XQUERY", "XQ", "XSUSPEND", "XEND", "XRECOVER", "CGROUP", "FREEZE",
                                        "RUN",    "VERIFY", "D",  "S",        "P",    "F",        "HELP"};
constexpr const char* kAllCommands = "XSTART, XQUERY, XSUSPEND, XEND, XRECOVER, CGROUP, FREEZE, RUN, VERIFY, D, P or HELP";

const Grammar* find_grammar(std::string_view word) {
  const auto* found = std::find_if(std::begin(kGrammars), std::end(kGrammars), [&](const Grammar& g) { return g.word == word; });
  return found == std::end(kGrammars) ? nullptr : found;
}

Status bad(const std::string& what, std::size_t column, const std::string& remedy) {
  return Status::error(what + " " + at_column(column) + " " + remedy + ".");
}
Status bad_operand(const CommandOperand& operand, const std::string& remedy) {
  return bad("Operand " + shown_word(operand.word), operand.column, remedy);
}

Status check_session_name(const CommandOperand& operand) {
  if (is_name(operand.word)) return Status::ok();
  return bad("Session name " + shown_word(operand.word), operand.column,
             "is not valid: a name has 1 to 8 characters of A-Z 0-9 @ # $ and does not begin with a digit");
}

bool is_time_of_day(std::string_view text) {  // hh.mm.ss
  if (text.size() != 8 || text[2] != '.' || text[5] != '.') return false;
  for (const std::size_t i : {0U, 1U, 3U, 4U, 6U, 7U}) {
    if (text[i] < '0' || text[i] > '9') return false;
  }
  return text[3] < '6' && text[6] < '6';
}

// Fills one command from the operands behind its name.
class OperandReader {
 public:
  OperandReader(const Grammar& grammar, OperatorCommand& command) : grammar_(grammar), command_(command) {}

  Status read(std::span<const CommandOperand> operands) {
    for (std::size_t i = 0; i < operands.size(); ++i) {
      const CommandOperand& operand = operands[i];
      if (i == 0 && is_session(operand)) {
        if (Status status = check_session_name(operand); !status.good()) return status;
        command_.session = operand.word;
        continue;
      }
      if (Status status = read_one(operand); !status.good()) return status;
    }
    return Status::ok();
  }

 private:
  bool is_session(const CommandOperand& operand) const {
    if (operand.has_list || operand.has_value) return false;
    return std::none_of(grammar_.keywords.begin(), grammar_.keywords.end(), [&](const Keyword& k) { return k.name == operand.word; });
  }
  const Keyword* find(std::string_view word) const {
    for (const Keyword& keyword : grammar_.keywords) {
      if (keyword.name == word) return &keyword;
      if (word.size() >= kShortestAbbreviation && keyword.name.starts_with(word)) return &keyword;
    }
    return nullptr;
  }

  Status read_one(const CommandOperand& operand) {
    const Keyword* keyword = find(operand.word);
    if (keyword == nullptr) return bad_operand(operand, "is not known to " + std::string(grammar_.word) + ": it takes " + grammar_.allowed);
    const std::string name(keyword->name);
    if (operand.has_value || operand.has_list != (keyword->form == Form::kList)) {
      return bad_operand(operand, keyword->form == Form::kList ? "needs its value in parentheses: write " + name + "(value)"
                                                               : "takes no value: write " + name + " alone");
    }
    const auto index = static_cast<std::size_t>(keyword->key);
    if (seen_.at(index)) return bad_operand(operand, "is given twice: write " + name + " once");
    seen_.at(index) = true;
    return apply(*keyword, operand);
  }

  Status apply(const Keyword& keyword, const CommandOperand& operand) {
    switch (keyword.key) {
      case Key::kSessionType:
        return only_value(operand, "XRC", "sessions of another type are not available in this release");
      case Key::kErrorLevel:
        return only_value(operand, "SESSION", "one volume or group cannot leave the session alone in this release");
      case Key::kCompare:
        return yes_or_no(operand, command_.compare);
      case Key::kCheck:
        return yes_or_no(operand, command_.check_only);
      case Key::kVolume:
        return read_volumes(operand);
      case Key::kDetail:
        return read_detail(operand);
      case Key::kStatus:
        return read_report(operand, QueryReport::kStatus);
      case Key::kConfig:
        return read_report(operand, QueryReport::kConfig);
      case Key::kRecover:
        return read_report(operand, QueryReport::kRecover);
      case Key::kMaster:
        return read_report(operand, QueryReport::kMaster);
      case Key::kSession:
        return exclusive(operand, Key::kVolume, "VOLUME(ALL)");
      case Key::kDrain:
        command_.mode = EndMode::kDrain;
        return exclusive(operand, Key::kImmediate, "IMMEDIATE");
      case Key::kImmediate:
        command_.mode = EndMode::kImmediate;
        return exclusive(operand, Key::kDrain, "DRAIN");
      case Key::kAtTime:
        return refuse_attime(operand);
      case Key::kTimeout:
        return refuse_timeout(operand);
    }
    return bad_operand(operand, "is not known");
  }

  Status exclusive(const CommandOperand& operand, Key other, const char* other_name) const {
    if (!seen_.at(static_cast<std::size_t>(other))) return Status::ok();
    return bad_operand(operand, std::string("cannot be combined with ") + other_name + ": write one of them");
  }

  Status one_value(const CommandOperand& operand) const {
    if (operand.values.size() == 1) return Status::ok();
    return bad("Value " + shown_word(operand.values[1]) + " of " + shown_word(operand.word), operand.columns[1],
               "is one too many: write one value");
  }

  Status only_value(const CommandOperand& operand, const std::string& value, const char* reason) const {
    if (Status status = one_value(operand); !status.good()) return status;
    if (operand.values[0] == value) return Status::ok();
    return bad(
        "Value " + shown_word(operand.values[0]) + " of " + shown_word(operand.word), operand.columns[0],
        "is not allowed, " + std::string(reason) + ": write " + shown_word(operand.word) + "(" + value + ") or leave the operand out");
  }

  Status yes_or_no(const CommandOperand& operand, bool& answer) const {
    if (Status status = one_value(operand); !status.good()) return status;
    if (operand.values[0] != "YES" && operand.values[0] != "NO") {
      return bad("Value " + shown_word(operand.values[0]) + " of " + shown_word(operand.word), operand.columns[0],
                 "is not allowed: write YES or NO");
    }
    answer = operand.values[0] == "YES";
    return Status::ok();
  }

  Status read_volumes(const CommandOperand& operand) {
    if (operand.values.size() > kMaxCommandVolumes) {
      return bad_operand(operand, "names " + std::to_string(operand.values.size()) + " volumes: name at most " +
                                      std::to_string(kMaxCommandVolumes) + ", or ALL");
    }
    const bool all = std::find(operand.values.begin(), operand.values.end(), "ALL") != operand.values.end();
    if (all && operand.values.size() > 1) return bad_operand(operand, "names ALL together with volsers: write VOLUME(ALL) or the volsers");
    if (grammar_.verb == SessionCommand::kXsuspend) {
      if (!all)
        return bad_operand(operand,
                           "names volsers, and the volumes of a session are suspended together in this release: write VOLUME(ALL)");
      return exclusive(operand, Key::kSession, "SESSION");
    }
    if (grammar_.verb == SessionCommand::kXquery) {
      if (Status status = volume_report(operand); !status.good()) return status;
    }
    if (all) return Status::ok();
    for (std::size_t i = 0; i < operand.values.size(); ++i) {
      const std::string& volser = operand.values[i];
      if (!is_volser(volser))
        return bad("Volser " + shown_word(volser), operand.columns[i], "is not valid: a volser has 1 to 6 characters of A-Z 0-9 @ # $");
      if (std::find(command_.volumes.begin(), command_.volumes.end(), volser) != command_.volumes.end()) {
        return bad("Volser " + volser, operand.columns[i], "is named twice: name it once");
      }
      command_.volumes.push_back(volser);
    }
    return Status::ok();
  }

  // VOLUME and DETAIL ask for the volume report; STATUS keeps its own and lists the volumes behind it.
  Status volume_report(const CommandOperand& operand) {
    if (command_.report == QueryReport::kSummary) command_.report = QueryReport::kVolume;
    if (command_.report == QueryReport::kVolume || command_.report == QueryReport::kStatus) return Status::ok();
    return bad_operand(operand, "cannot be combined with CONFIG, RECOVER or MASTER: enter two commands");
  }

  Status read_detail(const CommandOperand& operand) {
    command_.detail = true;
    return volume_report(operand);
  }

  Status read_report(const CommandOperand& operand, QueryReport report) {
    if (command_.report == QueryReport::kVolume) {
      if (report != QueryReport::kStatus) return bad_operand(operand, "cannot be combined with VOLUME or DETAIL: enter two commands");
    } else if (command_.report != QueryReport::kSummary) {
      return bad_operand(operand, "asks for a second report: write one of STATUS, CONFIG, RECOVER, MASTER");
    }
    command_.report = report;
    return Status::ok();
  }

  Status refuse_attime(const CommandOperand& operand) const {
    std::string text;
    for (const std::string& value : operand.values) text += (text.empty() ? "" : " ") + value;
    if (!tod_parse(text).good())
      return bad("Time " + shown_word(text), operand.columns[0], "is not valid: a time is written yyyy.ddd hh:mm:ss.thmiju");
    return bad_operand(operand, "is not available in this release: enter the command with DRAIN or IMMEDIATE at that time");
  }

  Status refuse_timeout(const CommandOperand& operand) const {
    if (Status status = one_value(operand); !status.good()) return status;
    if (!is_time_of_day(operand.values[0]))
      return bad("Time " + shown_word(operand.values[0]), operand.columns[0], "is not valid: a duration is written hh.mm.ss");
    return bad_operand(operand,
                       "is not available in this release: a DRAIN that takes too long is ended by the same command with IMMEDIATE");
  }

  const Grammar& grammar_;
  OperatorCommand& command_;
  std::array<bool, 15> seen_{};
};

Status nothing_behind(std::span<const CommandOperand> operands, std::size_t taken, const std::string& command) {
  if (operands.size() <= taken) return Status::ok();
  return bad_operand(operands[taken], "is not known to " + command + ": it takes no further operand");
}

Status read_number(const CommandOperand& operand, std::uint64_t highest, std::uint64_t& number) {
  const std::string& text = operand.values[0];
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size() && number >= 1 && number <= highest) return Status::ok();
  return bad("Value " + shown_word(text) + " of " + operand.word + "=", operand.columns[0],
             "is not allowed: write a number from 1 to " + std::to_string(highest));
}

Status read_queue_display(std::span<const CommandOperand> operands, OperatorCommand& command) {
  command.verb = SessionCommand::kDisplayQueue;
  bool max_given = false;
  for (std::size_t i = 0; i < operands.size(); ++i) {
    const CommandOperand& operand = operands[i];
    if (i == 0 && !operand.has_value && !operand.has_list && operand.word != "SEQ" && operand.word != "MAX") {
      if (Status status = check_session_name(operand); !status.good()) return status;
      command.session = operand.word;
      continue;
    }
    if (operand.word != "SEQ" && operand.word != "MAX")
      return bad_operand(operand, "is not known to D PWQ: it takes a session name, SEQ=number or MAX=number");
    if (!operand.has_value) return bad_operand(operand, "needs a number: write " + operand.word + "=number");
    const bool is_max = operand.word == "MAX";
    if (is_max ? max_given : command.sequence != 0) return bad_operand(operand, "is given twice: write it once");
    if (is_max ? command.sequence != 0 : max_given)
      return bad_operand(operand, "cannot be combined: SEQ= shows one token, MAX= bounds the list of all");
    std::uint64_t number = 0;
    if (Status status = read_number(operand, is_max ? kMaxQueueLines : kMaxSequence, number); !status.good()) return status;
    if (is_max) {
      command.max_lines = static_cast<std::uint32_t>(number);
      max_given = true;
    } else {
      command.sequence = number;
    }
  }
  return Status::ok();
}

Status read_display(std::span<const CommandOperand> operands, OperatorCommand& command) {
  constexpr const char* kAllowed = "D PWQ, D STOR or D A,L are allowed";
  if (operands.empty()) return Status::error(std::string("D needs to know what to display: ") + kAllowed + ".");
  const CommandOperand& first = operands[0];
  if (first.has_list || first.has_value) return bad_operand(first, std::string("takes no value: ") + kAllowed);
  if (first.word == "PWQ") return read_queue_display(operands.subspan(1), command);
  if (first.word == "STOR") {
    command.verb = SessionCommand::kDisplayStorage;
    return nothing_behind(operands, 1, "D STOR");
  }
  if (first.word == "A") {
    command.verb = SessionCommand::kDisplayActive;
    const bool list = operands.size() >= 2 && operands[1].word == "L" && !operands[1].has_list && !operands[1].has_value;
    if (!list) return bad_operand(operands.size() >= 2 ? operands[1] : first, "is not a display of ours: write D A,L");
    return nothing_behind(operands, 2, "D A,L");
  }
  return bad_operand(first, std::string("cannot be displayed: ") + kAllowed);
}

Status read_help(std::span<const CommandOperand> operands, OperatorCommand& command) {
  command.verb = SessionCommand::kHelp;
  if (operands.empty()) return Status::ok();
  const CommandOperand& topic = operands[0];
  if (topic.has_list || topic.has_value || std::find(std::begin(kTopics), std::end(kTopics), topic.word) == std::end(kTopics)) {
    return bad_operand(topic, std::string("is no command: HELP takes the name of one of ") + kAllCommands);
  }
  command.topic = topic.word;
  return nothing_behind(operands, 1, "HELP");
}

Status read_started_task(std::span<const CommandOperand> operands, const std::string& word, SessionCommand verb, OperatorCommand& command) {
  command.verb = verb;
  if (operands.empty()) return Status::error(word + " needs the name of the started task: write " + word + " DSM.");
  if (operands[0].word != "DSM" || operands[0].has_list || operands[0].has_value) {
    return bad_operand(operands[0], "is not a started task of ours: write " + word + " DSM");
  }
  return nothing_behind(operands, 1, word + " DSM");
}

Status read_group(std::span<const CommandOperand> operands, OperatorCommand& command) {
  const bool good =
      !operands.empty() && !operands[0].has_list && !operands[0].has_value && (operands[0].word == "FREEZE" || operands[0].word == "RUN");
  if (!good) {
    const char* remedy = "write CGROUP FREEZE session or CGROUP RUN session";
    if (operands.empty()) return Status::error(std::string("CGROUP needs FREEZE or RUN: ") + remedy + ".");
    return bad_operand(operands[0], std::string("is not known to CGROUP: ") + remedy);
  }
  const Grammar& grammar = *find_grammar(operands[0].word);
  command.verb = grammar.verb;
  return OperandReader(grammar, command).read(operands.subspan(1));
}

// Index behind `F DSM,` (and blanks), 0 if the line does not begin with MODIFY.
Result<std::size_t> skip_modify(std::string_view text) {
  std::size_t at = text.find_first_not_of(' ');
  const std::size_t word_end = std::min(text.find(' ', at), text.size());
  const std::string_view word = text.substr(at, word_end - at);
  if (word != "F" && word != "MODIFY") return result_of(std::size_t{0});
  at = text.find_first_not_of(' ', word_end);
  if (at == std::string_view::npos)
    return failed<std::size_t>(Status::error(std::string(word) + " needs the name of the started task: write F DSM,command."));
  const std::size_t name_end = std::min(text.find_first_of(" ,", at), text.size());
  const std::string_view name = text.substr(at, name_end - at);
  if (name != "DSM") {
    return failed<std::size_t>(bad("Name " + shown_word(name), at + 1, "is not a started task of ours: write F DSM,command"));
  }
  if (name_end >= text.size() || text[name_end] != ',') {
    return failed<std::size_t>(bad("A comma and the command are missing", name_end + 1, "behind F DSM: write F DSM,command"));
  }
  const std::size_t begin = text.find_first_not_of(' ', name_end + 1);
  if (begin == std::string_view::npos) {
    return failed<std::size_t>(bad("The command is missing", name_end + 2, "behind F DSM,: write one of " + std::string(kAllCommands)));
  }
  return result_of(begin);
}

Status read_command(std::span<const CommandOperand> operands, bool modified, OperatorCommand& command) {
  const CommandOperand& first = operands[0];
  const std::string& word = first.word;
  const auto rest = operands.subspan(1);
  if (first.has_list || first.has_value)
    return bad("Command " + shown_word(word), first.column, "takes no value directly behind its name: write a blank between them");
  if (word == "F" || word == "MODIFY" || ((word == "S" || word == "START") && modified)) {
    return bad("Command " + word, first.column, "cannot be given inside F DSM,: write the command itself");
  }
  if (word == "S" || word == "START") return read_started_task(rest, word, SessionCommand::kStart, command);
  if (word == "P" || word == "STOP") return read_started_task(rest, word, SessionCommand::kStop, command);
  if (word == "D" || word == "DISPLAY") return read_display(rest, command);
  if (word == "HELP") return read_help(rest, command);
  if (word == "CGROUP") return read_group(rest, command);
  if (const Grammar* grammar = find_grammar(word); grammar != nullptr) {
    command.verb = grammar->verb;
    return OperandReader(*grammar, command).read(rest);
  }
  return bad("Command " + shown_word(word), first.column, std::string("is not known: write ") + kAllCommands);
}

}  // namespace

bool is_name(std::string_view text) {
  if (text.empty() || text.size() > 8 || (text[0] >= '0' && text[0] <= '9')) return false;
  return text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@#$") == std::string_view::npos;
}

bool is_volser(std::string_view text) {
  if (text.empty() || text.size() > 6) return false;
  return text.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@#$") == std::string_view::npos;
}

Result<OperatorCommand> parse_command(std::string_view line) {
  Result<std::string> normal = normalize_line(line);
  if (!normal.good()) return failed<OperatorCommand>(normal.status);
  const std::string& text = normal.value;
  if (text.find_first_not_of(' ') == std::string::npos) {
    return failed<OperatorCommand>(Status::error(std::string("The line has no command: write one of ") + kAllCommands + "."));
  }
  const Result<std::size_t> begin = skip_modify(text);
  if (!begin.good()) return failed<OperatorCommand>(begin.status);
  const Result<std::vector<CommandOperand>> operands = scan_operands(text, begin.value);
  if (!operands.good()) return failed<OperatorCommand>(operands.status);
  OperatorCommand command;
  const std::size_t from = text.find_first_not_of(' ', begin.value);
  command.text = text.substr(from, text.find_last_not_of(' ') - from + 1);
  if (Status status = read_command(operands.value, begin.value != 0, command); !status.good()) return failed<OperatorCommand>(status);
  return result_of(std::move(command));
}

}  // namespace afterimage
