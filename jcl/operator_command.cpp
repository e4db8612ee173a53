// Operator command parser: from words to a typed command. Pure.
#include "jcl/operator_command.h"

#include <algorithm>
#include <charconv>
#include <span>

#include "jcl/command_operands.h"
#include "jcl/command_scanner.h"

namespace afterimage {
namespace {

constexpr Sequence kMaxSequence = (1ULL << 48) - 1;  // as wide as the control word of common storage

constexpr std::string_view kTopics[] = {"XSTART", "XQUERY", "XQ", "XSUSPEND", "XEND", "XRECOVER", "CGROUP", "FREEZE",
                                        "RUN",    "VERIFY", "D",  "S",        "P",    "F",        "HELP"};
constexpr const char* kAllCommands = "XSTART, XQUERY, XSUSPEND, XEND, XRECOVER, CGROUP, FREEZE, RUN, VERIFY, D, P or HELP";

Status nothing_behind(std::span<const CommandOperand> operands, std::size_t taken, const std::string& command) {
  if (operands.size() <= taken) return Status::ok();
  return operand_mistake(operands[taken], "is not known to " + command + ": it takes no further operand");
}

Status read_number(const CommandOperand& operand, std::uint64_t highest, std::uint64_t& number) {
  const std::string& text = operand.values[0];
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc{} && end == text.data() + text.size() && number >= 1 && number <= highest) return Status::ok();
  return mistake_at("Value " + shown_word(text) + " of " + operand.word + "=", operand.columns[0],
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
      return operand_mistake(operand, "is not known to D PWQ: it takes a session name, SEQ=number or MAX=number");
    if (!operand.has_value) return operand_mistake(operand, "needs a number: write " + operand.word + "=number");
    const bool is_max = operand.word == "MAX";
    if (is_max ? max_given : command.sequence != 0) return operand_mistake(operand, "is given twice: write it once");
    if (is_max ? command.sequence != 0 : max_given)
      return operand_mistake(operand, "cannot be combined: SEQ= shows one token, MAX= bounds the list of all");
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
  if (first.has_list || first.has_value) return operand_mistake(first, std::string("takes no value: ") + kAllowed);
  if (first.word == "PWQ") return read_queue_display(operands.subspan(1), command);
  if (first.word == "STOR") {
    command.verb = SessionCommand::kDisplayStorage;
    return nothing_behind(operands, 1, "D STOR");
  }
  if (first.word == "A") {
    command.verb = SessionCommand::kDisplayActive;
    const bool list = operands.size() >= 2 && operands[1].word == "L" && !operands[1].has_list && !operands[1].has_value;
    if (!list) return operand_mistake(operands.size() >= 2 ? operands[1] : first, "is not a display of ours: write D A,L");
    return nothing_behind(operands, 2, "D A,L");
  }
  return operand_mistake(first, std::string("cannot be displayed: ") + kAllowed);
}

Status read_help(std::span<const CommandOperand> operands, OperatorCommand& command) {
  command.verb = SessionCommand::kHelp;
  if (operands.empty()) return Status::ok();
  const CommandOperand& topic = operands[0];
  if (topic.has_list || topic.has_value || std::find(std::begin(kTopics), std::end(kTopics), topic.word) == std::end(kTopics)) {
    return operand_mistake(topic, std::string("is no command: HELP takes the name of one of ") + kAllCommands);
  }
  command.topic = topic.word;
  return nothing_behind(operands, 1, "HELP");
}

Status read_started_task(std::span<const CommandOperand> operands, const std::string& word, SessionCommand verb, OperatorCommand& command) {
  command.verb = verb;
  if (operands.empty()) return Status::error(word + " needs the name of the started task: write " + word + " DSM.");
  if (operands[0].word != "DSM" || operands[0].has_list || operands[0].has_value) {
    return operand_mistake(operands[0], "is not a started task of ours: write " + word + " DSM");
  }
  return nothing_behind(operands, 1, word + " DSM");
}

Status read_group(std::span<const CommandOperand> operands, OperatorCommand& command) {
  const bool good =
      !operands.empty() && !operands[0].has_list && !operands[0].has_value && (operands[0].word == "FREEZE" || operands[0].word == "RUN");
  if (!good) {
    const char* remedy = "write CGROUP FREEZE session or CGROUP RUN session";
    if (operands.empty()) return Status::error(std::string("CGROUP needs FREEZE or RUN: ") + remedy + ".");
    return operand_mistake(operands[0], std::string("is not known to CGROUP: ") + remedy);
  }
  const Grammar& grammar = *find_grammar(operands[0].word);
  command.verb = grammar.verb;
  return read_operands(grammar, operands.subspan(1), command);
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
    return failed<std::size_t>(mistake_at("Name " + shown_word(name), at + 1, "is not a started task of ours: write F DSM,command"));
  }
  if (name_end >= text.size() || text[name_end] != ',') {
    return failed<std::size_t>(mistake_at("A comma and the command are missing", name_end + 1, "behind F DSM: write F DSM,command"));
  }
  const std::size_t begin = text.find_first_not_of(' ', name_end + 1);
  if (begin == std::string_view::npos) {
    return failed<std::size_t>(
        mistake_at("The command is missing", name_end + 2, "behind F DSM,: write one of " + std::string(kAllCommands)));
  }
  return result_of(begin);
}

Status read_command(std::span<const CommandOperand> operands, bool modified, OperatorCommand& command) {
  const CommandOperand& first = operands[0];
  const std::string& word = first.word;
  const auto rest = operands.subspan(1);
  if (first.has_list || first.has_value)
    return mistake_at("Command " + shown_word(word), first.column, "takes no value directly behind its name: write a blank between them");
  if (word == "F" || word == "MODIFY" || ((word == "S" || word == "START") && modified)) {
    return mistake_at("Command " + word, first.column, "cannot be given inside F DSM,: write the command itself");
  }
  if (word == "S" || word == "START") return read_started_task(rest, word, SessionCommand::kStart, command);
  if (word == "P" || word == "STOP") return read_started_task(rest, word, SessionCommand::kStop, command);
  if (word == "D" || word == "DISPLAY") return read_display(rest, command);
  if (word == "HELP") return read_help(rest, command);
  if (word == "CGROUP") return read_group(rest, command);
  if (const Grammar* grammar = find_grammar(word); grammar != nullptr) {
    command.verb = grammar->verb;
    return read_operands(*grammar, rest, command);
  }
  return mistake_at("Command " + shown_word(word), first.column, std::string("is not known: write ") + kAllCommands);
}

}  // namespace

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
