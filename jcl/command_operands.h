// Commands of the form COMMAND [session] [keyword ...], table driven. Pure; used by the command parser only.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "jcl/command_scanner.h"
#include "jcl/operator_command.h"

namespace afterimage {

struct Keyword;

// One command: its name as typed, what it means, its keywords.
struct Grammar {
  std::string_view word;
  SessionCommand verb;
  std::span<const Keyword> keywords;
  const char* allowed;  // follows "it takes "
};
const Grammar* find_grammar(std::string_view word);  // nullptr: no such command

// Fills `command` (session, volumes, report, mode ...) from the operands behind the command's name.
Status read_operands(const Grammar& grammar, std::span<const CommandOperand> operands, OperatorCommand& command);

Status check_session_name(const CommandOperand& operand);
// "WHAT at column N REMEDY."
Status mistake_at(const std::string& what, std::size_t column, const std::string& remedy);
Status operand_mistake(const CommandOperand& operand, const std::string& remedy);

}  // namespace afterimage
