// Splits a command line into words, punctuation and their columns. Pure; used by the command parser only.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "serializer/status.h"

namespace afterimage {

// One operand: WORD, WORD(value,value ...) or WORD=value.
struct CommandOperand {
  std::string word;
  std::size_t column = 0;            // of the word, from 1
  bool has_list = false;             // parentheses were given
  bool has_value = false;            // = was given
  std::vector<std::string> values;   // of the list, or the one after =
  std::vector<std::size_t> columns;  // of each value
};

// The line in upper case. Refuses more than kMaxCommandLine characters and anything but printable ASCII, with the column.
Result<std::string> normalize_line(std::string_view line);

// `text` is a normalized line; scanning begins at index `from`. Refuses, with the column: unbalanced or nested parentheses, empty operands
// (two commas, a comma at an end), values without a word, missing values.
Result<std::vector<CommandOperand>> scan_operands(std::string_view text, std::size_t from);

// "at column 7"
std::string at_column(std::size_t column);
// A word for a message: cut to 40 characters.
std::string shown_word(std::string_view word);

}  // namespace afterimage
