// Keyword operands of commands. Pure.
#include "jcl/command_operands.h"

#include <algorithm>
#include <array>

#include "serializer/tod.h"

namespace afterimage {

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

namespace {

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
    if (keyword == nullptr)
      return operand_mistake(operand, "is not known to " + std::string(grammar_.word) + ": it takes " + grammar_.allowed);
    const std::string name(keyword->name);
    if (operand.has_value || operand.has_list != (keyword->form == Form::kList)) {
      return operand_mistake(operand, keyword->form == Form::kList ? "needs its value in parentheses: write " + name + "(value)"
                                                                   : "takes no value: write " + name + " alone");
    }
    const auto index = static_cast<std::size_t>(keyword->key);
    if (seen_.at(index)) return operand_mistake(operand, "is given twice: write " + name + " once");
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
    return operand_mistake(operand, "is not known");
  }

  Status exclusive(const CommandOperand& operand, Key other, const char* other_name) const {
    if (!seen_.at(static_cast<std::size_t>(other))) return Status::ok();
    return operand_mistake(operand, std::string("cannot be combined with ") + other_name + ": write one of them");
  }

  Status one_value(const CommandOperand& operand) const {
    if (operand.values.size() == 1) return Status::ok();
    return mistake_at("Value " + shown_word(operand.values[1]) + " of " + shown_word(operand.word), operand.columns[1],
                      "is one too many: write one value");
  }

  Status only_value(const CommandOperand& operand, const std::string& value, const char* reason) const {
    if (Status status = one_value(operand); !status.good()) return status;
    if (operand.values[0] == value) return Status::ok();
    return mistake_at(
        "Value " + shown_word(operand.values[0]) + " of " + shown_word(operand.word), operand.columns[0],
        "is not allowed, " + std::string(reason) + ": write " + shown_word(operand.word) + "(" + value + ") or leave the operand out");
  }

  Status yes_or_no(const CommandOperand& operand, bool& answer) const {
    if (Status status = one_value(operand); !status.good()) return status;
    if (operand.values[0] != "YES" && operand.values[0] != "NO") {
      return mistake_at("Value " + shown_word(operand.values[0]) + " of " + shown_word(operand.word), operand.columns[0],
                        "is not allowed: write YES or NO");
    }
    answer = operand.values[0] == "YES";
    return Status::ok();
  }

  Status read_volumes(const CommandOperand& operand) {
    if (operand.values.size() > kMaxCommandVolumes) {
      return operand_mistake(operand, "names " + std::to_string(operand.values.size()) + " volumes: name at most " +
                                          std::to_string(kMaxCommandVolumes) + ", or ALL");
    }
    const bool all = std::find(operand.values.begin(), operand.values.end(), "ALL") != operand.values.end();
    if (all && operand.values.size() > 1)
      return operand_mistake(operand, "names ALL together with volsers: write VOLUME(ALL) or the volsers");
    if (grammar_.verb == SessionCommand::kXsuspend) {
      if (!all)
        return operand_mistake(operand,
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
        return mistake_at("Volser " + shown_word(volser), operand.columns[i],
                          "is not valid: a volser has 1 to 6 characters of A-Z 0-9 @ # $");
      if (std::find(command_.volumes.begin(), command_.volumes.end(), volser) != command_.volumes.end()) {
        return mistake_at("Volser " + volser, operand.columns[i], "is named twice: name it once");
      }
      command_.volumes.push_back(volser);
    }
    return Status::ok();
  }

  // VOLUME and DETAIL ask for the volume report; STATUS keeps its own and lists the volumes behind it.
  Status volume_report(const CommandOperand& operand) {
    if (command_.report == QueryReport::kSummary) command_.report = QueryReport::kVolume;
    if (command_.report == QueryReport::kVolume || command_.report == QueryReport::kStatus) return Status::ok();
    return operand_mistake(operand, "cannot be combined with CONFIG, RECOVER or MASTER: enter two commands");
  }

  Status read_detail(const CommandOperand& operand) {
    command_.detail = true;
    return volume_report(operand);
  }

  Status read_report(const CommandOperand& operand, QueryReport report) {
    if (command_.report == QueryReport::kVolume) {
      if (report != QueryReport::kStatus) return operand_mistake(operand, "cannot be combined with VOLUME or DETAIL: enter two commands");
    } else if (command_.report != QueryReport::kSummary) {
      return operand_mistake(operand, "asks for a second report: write one of STATUS, CONFIG, RECOVER, MASTER");
    }
    command_.report = report;
    return Status::ok();
  }

  Status refuse_attime(const CommandOperand& operand) const {
    std::string text;
    for (const std::string& value : operand.values) text += (text.empty() ? "" : " ") + value;
    if (!tod_parse(text).good())
      return mistake_at("Time " + shown_word(text), operand.columns[0], "is not valid: a time is written yyyy.ddd hh:mm:ss.thmiju");
    return operand_mistake(operand, "is not available in this release: enter the command with DRAIN or IMMEDIATE at that time");
  }

  Status refuse_timeout(const CommandOperand& operand) const {
    if (Status status = one_value(operand); !status.good()) return status;
    if (!is_time_of_day(operand.values[0]))
      return mistake_at("Time " + shown_word(operand.values[0]), operand.columns[0], "is not valid: a duration is written hh.mm.ss");
    return operand_mistake(operand,
                           "is not available in this release: a DRAIN that takes too long is ended by the same command with IMMEDIATE");
  }

  const Grammar& grammar_;
  OperatorCommand& command_;
  std::array<bool, 15> seen_{};
};

}  // namespace

const Grammar* find_grammar(std::string_view word) {
  const auto* found = std::find_if(std::begin(kGrammars), std::end(kGrammars), [&](const Grammar& g) { return g.word == word; });
  return found == std::end(kGrammars) ? nullptr : found;
}

Status mistake_at(const std::string& what, std::size_t column, const std::string& remedy) {
  return Status::error(what + " " + at_column(column) + " " + remedy + ".");
}
Status operand_mistake(const CommandOperand& operand, const std::string& remedy) {
  return mistake_at("Operand " + shown_word(operand.word), operand.column, remedy);
}

Status check_session_name(const CommandOperand& operand) {
  if (is_name(operand.word)) return Status::ok();
  return mistake_at("Session name " + shown_word(operand.word), operand.column,
                    "is not valid: a name has 1 to 8 characters of A-Z 0-9 @ # $ and does not begin with a digit");
}

Status read_operands(const Grammar& grammar, std::span<const CommandOperand> operands, OperatorCommand& command) {
  return OperandReader(grammar, command).read(operands);
}

}  // namespace afterimage
