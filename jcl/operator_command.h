// One operator command line, parsed into a typed command. Pure, thread safe.
//
// Forms: `F DSM,command` (MODIFY), `S DSM` (START), `P DSM` (STOP), `D ...` (DISPLAY), or the bare command. The line is upper-cased on
// entry. Operands are separated by blanks or one comma. The session name comes first and may be left out when the plex has one session (a
// word that is a keyword of the command, written in full, is taken as the keyword). Keyword operands behind it may be shortened, as TSO
// allows, to three letters or more when only one keyword of that command begins so; commands are never shortened, except XQ for XQUERY.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "automation/session_rules.h"
#include "serializer/status.h"
#include "serializer/token.h"
#include "vtam_link/names.h"

namespace afterimage {

inline constexpr std::size_t kMaxCommandLine = 256;  // characters
inline constexpr std::size_t kMaxCommandVolumes = 100;
inline constexpr std::uint32_t kDefaultQueueLines = 50;
inline constexpr std::uint32_t kMaxQueueLines = 100'000;

enum class QueryReport : std::uint8_t { kSummary = 0, kVolume, kStatus, kConfig, kRecover, kMaster };

struct OperatorCommand {
  SessionCommand verb = SessionCommand::kHelp;
  std::string text;                              // the command as taken: upper case, without `F DSM,` (for DSMO001I)
  std::string session;                           // empty: the only one
  std::vector<std::string> volumes;              // volsers in the order given; empty: all (VOLUME(ALL), or the operand left out)
  QueryReport report = QueryReport::kSummary;    // XQUERY
  bool detail = false;                           // XQUERY DETAIL (report is then kVolume, or kStatus if asked for)
  EndMode mode = EndMode::kDefault;              // XSUSPEND, XEND
  bool compare = true;                           // XSTART COMPARE(YES): compare all volumes once started
  bool check_only = false;                       // XRECOVER CHECK(YES): report A, B and the loss, change nothing
  Sequence sequence = 0;                         // D PWQ SEQ=: show the held data of this token; 0: list the queue
  std::uint32_t max_lines = kDefaultQueueLines;  // D PWQ MAX=
  std::string topic;                             // HELP command; empty: all
};

// A failure is one sentence with the column (from 1, in the line as given) and what is allowed there. Nothing is taken from a line with an
// error.
Result<OperatorCommand> parse_command(std::string_view line);

// What HELP answers: one line per form, or the lines of one command with its operands. `topic` is one that parse_command has taken.
std::vector<std::string> help_lines(const std::string& topic);

}  // namespace afterimage
