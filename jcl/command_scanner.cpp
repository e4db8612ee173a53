// Command line scanner. Pure.
#include "jcl/command_scanner.h"

#include "jcl/operator_command.h"

namespace afterimage {
namespace {

bool is_separator(char c) { return c == ' ' || c == ','; }
bool is_word_end(char c) { return is_separator(c) || c == '(' || c == ')' || c == '='; }

class Scanner {
 public:
  Scanner(std::string_view text, std::size_t from) : text_(text), at_(from) {}

  Result<std::vector<CommandOperand>> run() {
    std::vector<CommandOperand> operands;
    bool comma_before = false;
    std::size_t comma_column = 0;
    while (true) {
      skip_blanks();
      if (at_ >= text_.size()) break;
      if (text_[at_] == ',') {
        if (comma_before || operands.empty())
          return fail("An operand is missing before the comma", at_ + 1, ": write one comma or blanks between operands");
        comma_before = true;
        comma_column = ++at_;
        continue;
      }
      comma_before = false;
      CommandOperand operand;
      Status status = scan_one(operand);
      if (!status.good()) return failed<std::vector<CommandOperand>>(status);
      operands.push_back(std::move(operand));
    }
    if (comma_before) return fail("An operand is missing after the comma", comma_column, ": write it or remove the comma");
    return result_of(std::move(operands));
  }

 private:
  static Status error(const std::string& what, std::size_t column, const std::string& remedy) {
    return Status::error(what + " " + at_column(column) + remedy + ".");
  }
  static Result<std::vector<CommandOperand>> fail(const std::string& what, std::size_t column, const std::string& remedy) {
    return failed<std::vector<CommandOperand>>(error(what, column, remedy));
  }

  void skip_blanks() {
    while (at_ < text_.size() && text_[at_] == ' ') ++at_;
  }
  std::string take_word() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && !is_word_end(text_[at_])) ++at_;
    return std::string(text_.substr(begin, at_ - begin));
  }

  Status scan_one(CommandOperand& operand) {
    operand.column = at_ + 1;
    operand.word = take_word();
    if (operand.word.empty()) {
      if (text_[at_] == ')') return error("The closing parenthesis", at_ + 1, " has no opening one; remove it or write KEYWORD(value)");
      return error(std::string("The character ") + text_[at_], at_ + 1, " has no keyword before it; write KEYWORD(value) or KEYWORD=value");
    }
    if (at_ >= text_.size()) return Status::ok();
    if (text_[at_] == '=') return scan_value(operand);
    if (text_[at_] == '(') return scan_list(operand);
    if (text_[at_] == ')') return error("The closing parenthesis", at_ + 1, " has no opening one; remove it or write KEYWORD(value)");
    return Status::ok();
  }

  Status scan_value(CommandOperand& operand) {
    operand.has_value = true;
    ++at_;
    const std::size_t column = at_ + 1;
    std::string value = take_word();
    if (value.empty())
      return error("The value of " + shown_word(operand.word) + "=", column, " is missing; write it directly after the equals sign");
    operand.values.push_back(std::move(value));
    operand.columns.push_back(column);
    if (at_ < text_.size() && !is_separator(text_[at_])) {
      return error(std::string("The character ") + text_[at_], at_ + 1, " cannot follow the value of " + shown_word(operand.word) + "=");
    }
    return Status::ok();
  }

  Status scan_list(CommandOperand& operand) {
    operand.has_list = true;
    const std::size_t open_column = ++at_;
    bool want_value = true;
    std::size_t comma_column = open_column;
    while (true) {
      skip_blanks();
      if (at_ >= text_.size()) {
        return error("The parenthesis opened", open_column,
                     " is not closed; end the list of " + shown_word(operand.word) + " with a closing parenthesis");
      }
      const char c = text_[at_];
      if (c == ')') break;
      if (c == '(') return error("A second opening parenthesis", at_ + 1, ": lists cannot be nested; close the first one");
      if (c == '=') return error("The equals sign", at_ + 1, " cannot stand in a list; write names separated by commas");
      if (c == ',') {
        if (want_value) return error("A value is missing before the comma", at_ + 1, ": write one comma between values");
        want_value = true;
        comma_column = ++at_;
        continue;
      }
      operand.columns.push_back(at_ + 1);
      operand.values.push_back(take_word());
      want_value = false;
    }
    if (operand.values.empty()) return error("The list of " + shown_word(operand.word), open_column, " is empty; write at least one value");
    if (want_value) return error("A value is missing after the comma", comma_column, ": write it or remove the comma");
    ++at_;
    if (at_ < text_.size() && !is_separator(text_[at_])) {
      return error(std::string("The character ") + text_[at_], at_ + 1,
                   " cannot follow the list of " + shown_word(operand.word) + "; write a blank or a comma");
    }
    return Status::ok();
  }

  std::string_view text_;
  std::size_t at_;
};

}  // namespace

Result<std::string> normalize_line(std::string_view line) {
  if (line.size() > kMaxCommandLine) {
    return failed<std::string>(Status::error("The command has " + std::to_string(line.size()) + " characters and " +
                                             std::to_string(kMaxCommandLine) +
                                             " are allowed: shorten it, or name fewer volumes in one command."));
  }
  std::string text(line);
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 || byte > 0x7e) {
      constexpr char kHex[] = "0123456789ABCDEF";
      return failed<std::string>(Status::error(std::string("The character X'") + kHex[byte >> 4] + kHex[byte & 15] + "' " +
                                               at_column(i + 1) + " cannot be printed: use letters, digits and punctuation only."));
    }
    if (byte >= 'a' && byte <= 'z') text[i] = static_cast<char>(byte - 'a' + 'A');
  }
  return result_of(std::move(text));
}

Result<std::vector<CommandOperand>> scan_operands(std::string_view text, std::size_t from) { return Scanner(text, from).run(); }

std::string at_column(std::size_t column) { return "at column " + std::to_string(column); }

std::string shown_word(std::string_view word) {
  constexpr std::size_t kShown = 40;
  return word.size() <= kShown ? std::string(word) : std::string(word.substr(0, kShown)) + "...";
}

}  // namespace afterimage
