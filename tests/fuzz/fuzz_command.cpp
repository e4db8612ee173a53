// Fuzz target: operator commands. A line is refused with a sentence that names a place in it, or taken; what is taken means the same in
// lower case, with more blanks, behind `F DSM,`, as the text that is logged, and in the canonical form written here from its fields.
#include <algorithm>
#include <cctype>

#include "automation/session_rules.h"
#include "jcl/command_scanner.h"
#include "jcl/operator_command.h"
#include "tests/fuzz/fuzz_check.h"

namespace afterimage::fuzz {

namespace {

bool same(const OperatorCommand& a, const OperatorCommand& b) {
  return a.verb == b.verb && a.session == b.session && a.volumes == b.volumes && a.report == b.report && a.detail == b.detail &&
         a.mode == b.mode && a.compare == b.compare && a.check_only == b.check_only && a.sequence == b.sequence &&
         a.max_lines == b.max_lines && a.topic == b.topic;
}

// "... at column N ..." with N inside the line or just behind it, and words that do not run into the number.
void check_refusal(const std::string& text, std::size_t line_bytes) {
  FUZZ_CHECK_MORE(is_sentence(text), text);
  FUZZ_CHECK_MORE(text.back() == '.', text);
  FUZZ_CHECK_MORE(text.size() < 800, text);
  constexpr std::string_view kColumn = " at column ";
  const auto at = text.find(kColumn);
  if (at == std::string::npos) return;
  std::size_t end = at + kColumn.size(), column = 0;
  while (end < text.size() && std::isdigit(static_cast<unsigned char>(text[end])))
    column = column * 10 + static_cast<std::size_t>(text[end++] - '0');
  FUZZ_CHECK_MORE(column >= 1 && column <= line_bytes + 1, text);
  FUZZ_CHECK_MORE(end < text.size() && (text[end] == ' ' || text[end] == '.' || text[end] == ':' || text[end] == ','), text);
}

void check_columns(const std::string& line) {
  const auto normal = normalize_line(line);
  if (!normal.good()) return;
  FUZZ_CHECK(normal.value.size() == line.size());
  const auto operands = scan_operands(normal.value, 0);
  if (!operands.good()) return check_refusal(operands.status.text(), line.size());
  for (const CommandOperand& operand : operands.value) {
    FUZZ_CHECK(!operand.word.empty());
    FUZZ_CHECK(normal.value.compare(operand.column - 1, operand.word.size(), operand.word) == 0);
    FUZZ_CHECK(operand.values.size() == operand.columns.size());
    FUZZ_CHECK(!(operand.has_list && operand.has_value));
    FUZZ_CHECK(operand.values.empty() == !(operand.has_list || operand.has_value));
    for (std::size_t i = 0; i < operand.values.size(); ++i) {
      FUZZ_CHECK(!operand.values[i].empty());
      FUZZ_CHECK(normal.value.compare(operand.columns[i] - 1, operand.values[i].size(), operand.values[i]) == 0);
    }
  }
}

std::string volume_operand(const OperatorCommand& command) {
  std::string text = " VOLUME(";
  if (command.volumes.empty()) return text + "ALL)";
  for (const std::string& volser : command.volumes) text += (volser == command.volumes.front() ? "" : ",") + volser;
  return text + ")";
}

std::string query_text(const OperatorCommand& command) {
  std::string text = "XQUERY" + (command.session.empty() ? "" : " " + command.session);
  switch (command.report) {
    case QueryReport::kSummary:
      return text;
    case QueryReport::kVolume:
      return text + volume_operand(command) + (command.detail ? " DETAIL" : "");
    case QueryReport::kStatus:
      return text + " STATUS" + (command.volumes.empty() ? "" : volume_operand(command)) + (command.detail ? " DETAIL" : "");
    case QueryReport::kConfig:
      return text + " CONFIG";
    case QueryReport::kRecover:
      return text + " RECOVER";
    case QueryReport::kMaster:
      return text + " MASTER";
  }
  return text;
}

// The one way of writing it.
std::string canonical(const OperatorCommand& command) {
  const std::string session = command.session.empty() ? "" : " " + command.session;
  const std::string mode = command.mode == EndMode::kDrain ? " DRAIN" : command.mode == EndMode::kImmediate ? " IMMEDIATE" : "";
  switch (command.verb) {
    case SessionCommand::kStart:
      return "S DSM";
    case SessionCommand::kStop:
      return "P DSM";
    case SessionCommand::kXstart:
      return "XSTART" + session + (command.compare ? " COMPARE(YES)" : " COMPARE(NO)");
    case SessionCommand::kXquery:
      return query_text(command);
    case SessionCommand::kXsuspend:
      return "XSUSPEND" + session + mode;
    case SessionCommand::kXend:
      return "XEND" + session + mode;
    case SessionCommand::kXrecover:
      return "XRECOVER" + session + (command.check_only ? " CHECK(YES)" : "");
    case SessionCommand::kFreeze:
      return "CGROUP FREEZE" + session;
    case SessionCommand::kRun:
      return "CGROUP RUN" + session;
    case SessionCommand::kVerify:
      return "VERIFY" + session + volume_operand(command);
    case SessionCommand::kDisplayQueue:
      return "D PWQ" + (command.session.empty() ? "" : "," + command.session) +
             (command.sequence != 0 ? ",SEQ=" + std::to_string(command.sequence) : ",MAX=" + std::to_string(command.max_lines));
    case SessionCommand::kDisplayStorage:
      return "D STOR";
    case SessionCommand::kDisplayActive:
      return "D A,L";
    case SessionCommand::kHelp:
      return "HELP" + (command.topic.empty() ? "" : " " + command.topic);
  }
  return {};
}

OperatorCommand taken(const std::string& line) {
  auto command = parse_command(line);
  FUZZ_CHECK_MORE(command.good(), line + ": " + command.status.text());
  return std::move(command.value);
}

void check_fields(const OperatorCommand& command) {
  FUZZ_CHECK(command.session.empty() || is_name(command.session));
  FUZZ_CHECK(command.volumes.size() <= kMaxCommandVolumes);
  for (const std::string& volser : command.volumes) {
    FUZZ_CHECK(is_volser(volser));
    FUZZ_CHECK(std::count(command.volumes.begin(), command.volumes.end(), volser) == 1);
  }
  FUZZ_CHECK(command.max_lines >= 1 && command.max_lines <= kMaxQueueLines);
  FUZZ_CHECK(command.sequence < 1ull << 48);
  FUZZ_CHECK(!command.text.empty() && command.text.front() != ' ' && command.text.back() != ' ');
  if (command.verb == SessionCommand::kHelp) FUZZ_CHECK(!help_lines(command.topic).empty());
}

// Whatever is taken here is judged by the session's rules next: an answer or a sentence in every role and state.
void check_rules(const OperatorCommand& command) {
  for (std::size_t i = 0; i < kSiteRoles * kOperatorStates * 4; ++i) {
    RuleInput input;
    input.command = command.verb;
    input.session = command.session.empty() ? "DALLAS" : command.session;
    input.role = static_cast<SiteRole>(i % kSiteRoles);
    input.state = static_cast<OperatorState>(i / kSiteRoles % kOperatorStates);
    input.mode = command.mode;
    input.check_only = command.check_only;
    input.link_up = i / kSiteRoles / kOperatorStates % 2 == 1;
    input.recovery_complete = input.image_held = i / kSiteRoles / kOperatorStates / 2 == 1;
    const Status status = check_command(input);
    FUZZ_CHECK_MORE(status.good() || is_sentence(status.text()), status.text());
    FUZZ_CHECK_MORE(status.text().find('&') == std::string::npos, status.text());
  }
}

}  // namespace

}  // namespace afterimage::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace afterimage::fuzz;
  using namespace afterimage;
  const std::string line(data, data + size);
  check_columns(line);
  const auto command = parse_command(line);
  if (!command.good()) {
    check_refusal(command.status.text(), line.size());
    return 0;
  }
  const OperatorCommand& given = command.value;
  check_fields(given);
  std::string lower = line;
  std::transform(lower.begin(), lower.end(), lower.begin(), [](unsigned char c) { return std::tolower(c); });
  FUZZ_CHECK(same(given, taken(lower)));
  if (line.size() + 3 <= kMaxCommandLine) FUZZ_CHECK(same(given, taken(" " + line + "  ")));
  FUZZ_CHECK(same(given, taken(given.text)));
  FUZZ_CHECK(taken(given.text).text == given.text);
  const std::string canon = canonical(given);
  // The full words can make a line longer than is allowed.
  if (canon.size() <= kMaxCommandLine) FUZZ_CHECK_MORE(same(given, taken(canon)), canon);
  if (given.text.size() + 6 <= kMaxCommandLine && given.verb != SessionCommand::kStart)
    FUZZ_CHECK(same(given, taken("F DSM," + given.text)));
  check_rules(given);
  return 0;
}
