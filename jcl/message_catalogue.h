// Every message dsmd says to an operator: one table, by id, and the function that formats them. Pure; everything is thread safe.
// Ids are stable: a text may be reworded, an id never changes its meaning. Groups: O commands and reports, A failure monitor, M sessions
// and movers, L link, S systems and common storage. (The messages of the Hercules module, DSMC, are its own: docs/messages/channel.md.)
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "serializer/status.h"

namespace afterimage {

struct MessageEntry {
  std::string_view id;    // "DSMM101I"
  std::string_view text;  // with <VARIABLES>, each once, in the order of the arguments
  std::string_view explanation;
  std::string_view system_action;
  std::string_view operator_response;
};

// The whole table, ordered by id.
const std::vector<MessageEntry>& message_catalogue();
const MessageEntry* find_message(std::string_view id);  // nullptr: no such id

// "DSMM101I SESSION ..." with the variables replaced by the arguments in order. Refuses an id that is not in the table and a wrong number
// of arguments. Control characters in arguments become periods (nothing from outside can start a new line in a log), and an argument is cut
// at 2000 characters.
Result<std::string> format_message(std::string_view id, const std::vector<std::string>& arguments);

// The same for callers whose ids and counts a test has checked: never fails. What cannot be formatted comes out as DSMO999S with everything
// that was to be said, so that a mistake in a message loses nothing.
std::string message(std::string_view id, const std::vector<std::string>& arguments = {});

// The whole catalogue as Markdown, a section per id headed "### DSMM101I TEXT".
std::string catalogue_markdown();

}  // namespace afterimage
