// Look-up and formatting of messages. Pure.
#include "jcl/message_catalogue.h"

#include <algorithm>

#include "jcl/message_table.h"

namespace afterimage {
namespace {

constexpr std::size_t kMaxArgument = 2000;

std::vector<MessageEntry> assemble() {
  std::vector<MessageEntry> all;
  for (const auto part : {command_messages(), report_messages(), session_messages(), secondary_messages(), link_messages()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  std::sort(all.begin(), all.end(), [](const MessageEntry& a, const MessageEntry& b) { return a.id < b.id; });
  return all;
}

std::string printable(const std::string& argument) {
  std::string out = argument.substr(0, kMaxArgument);
  for (char& c : out) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f) c = '.';
  }
  return out;
}

}  // namespace

const std::vector<MessageEntry>& message_catalogue() {
  static const std::vector<MessageEntry> all = assemble();
  return all;
}

const MessageEntry* find_message(std::string_view id) {
  const auto& all = message_catalogue();
  const auto found =
      std::lower_bound(all.begin(), all.end(), id, [](const MessageEntry& entry, std::string_view wanted) { return entry.id < wanted; });
  return found == all.end() || found->id != id ? nullptr : &*found;
}

Result<std::string> format_message(std::string_view id, const std::vector<std::string>& arguments) {
  const MessageEntry* entry = find_message(id);
  if (entry == nullptr)
    return failed<std::string>(Status::error("Message id " + printable(std::string(id)) + " is not in the catalogue; add it there."));
  std::string out(entry->id);
  out += ' ';
  std::size_t next = 0;
  std::string_view rest = entry->text;
  while (!rest.empty()) {
    const std::size_t open = rest.find('<');
    out += rest.substr(0, open);
    if (open == std::string_view::npos) break;
    const std::size_t close = rest.find('>', open);
    if (next < arguments.size()) out += printable(arguments[next]);
    ++next;
    rest = close == std::string_view::npos ? std::string_view{} : rest.substr(close + 1);
  }
  if (next != arguments.size()) {
    return failed<std::string>(Status::error("Message " + std::string(id) + " has " + std::to_string(next) + " variables and was given " +
                                             std::to_string(arguments.size()) + " values; correct the call."));
  }
  return result_of(std::move(out));
}

std::string message(std::string_view id, const std::vector<std::string>& arguments) {
  Result<std::string> formatted = format_message(id, arguments);
  if (formatted.good()) return formatted.value;
  std::string out = "DSMO999S MESSAGE " + printable(std::string(id)) + " CANNOT BE FORMATTED:";
  for (const std::string& argument : arguments) out += " (" + printable(argument) + ")";
  return out;
}

std::string catalogue_markdown() {
  std::string out;
  for (const MessageEntry& entry : message_catalogue()) {
    out += "### " + std::string(entry.id) + " " + std::string(entry.text) + "\n\n";
    out += "- **Explanation:** " + std::string(entry.explanation) + "\n";
    out += "- **System action:** " + std::string(entry.system_action) + "\n";
    out += "- **Operator response:** " + std::string(entry.operator_response) + "\n\n";
  }
  return out;
}

}  // namespace afterimage
