// HELP: the forms of every command. Pure.
#include <string_view>

#include "jcl/operator_command.h"

namespace afterimage {
namespace {

struct HelpLine {
  std::string_view topic;
  std::string_view form;
  std::string_view meaning;
};

constexpr HelpLine kHelp[] = {
    {"XSTART", "XSTART session [SESSIONTYPE(XRC)] [ERRORLEVEL(SESSION)] [COMPARE(YES|NO)]",
     "START MIRRORING (PRIMARY); COMPARE(YES) VERIFIES ALL VOLUMES ONCE STARTED"},
    {"XQUERY", "XQUERY session [STATUS|CONFIG|RECOVER|MASTER]", "SUMMARY OR THE REPORT NAMED; XQ IS THE SHORT FORM"},
    {"XQUERY", "XQUERY session [VOLUME(ALL|volser,...)] [DETAIL] [STATUS]", "ONE LINE A VOLUME; DETAIL ADDS RESIDUAL COUNTS"},
    {"XSUSPEND", "XSUSPEND session [SESSION|VOLUME(ALL)] [DRAIN|IMMEDIATE]", "STOP COPYING, LET THE WRITES GO ON (PRIMARY)"},
    {"XEND", "XEND session [DRAIN|IMMEDIATE]", "END THE SESSION (PRIMARY); IMMEDIATE AT THE SECONDARY GIVES THE COPY UP"},
    {"XRECOVER", "XRECOVER session [CHECK(YES|NO)]", "TAKE OVER AT THE SECONDARY; CHECK(YES) ONLY REPORTS"},
    {"CGROUP", "CGROUP FREEZE session", "HOLD WRITES (PRIMARY) OR ACCEPT NOTHING MORE (SECONDARY); SHORT: FREEZE session"},
    {"CGROUP", "CGROUP RUN session", "LET HELD WRITES GO ON, SUSPENDED (PRIMARY); SHORT: RUN session"},
    {"VERIFY", "VERIFY session [VOLUME(ALL|volser,...)]", "COMPARE BOTH SITES WHILE THE SESSION RUNS (PRIMARY)"},
    {"D", "D PWQ[,session][,MAX=number]", "LIST THE PENDING WRITE QUEUE (SECONDARY)"},
    {"D", "D PWQ[,session],SEQ=number", "SHOW THE HELD DATA OF ONE TOKEN (SECONDARY)"},
    {"D", "D STOR", "COMMON STORAGE: SYSTEMS, DEVICES, BUFFERS (PRIMARY)"},
    {"D", "D A,L", "WHAT IS ACTIVE IN THIS STARTED TASK"},
    {"S", "S DSM", "START THE STARTED TASK (FROM THE SHELL OR THE SERVICE MANAGER)"},
    {"P", "P DSM", "STOP THE STARTED TASK; SESSIONS STAY AS THEY ARE"},
    {"F", "F DSM,command", "ANY OF THESE COMMANDS IN ITS MVS FORM"},
    {"HELP", "HELP [command]", "THIS LIST, OR THE FORMS OF ONE COMMAND"},
};

std::string_view canonical(std::string_view topic) {
  if (topic == "XQ") return "XQUERY";
  return topic == "FREEZE" || topic == "RUN" ? "CGROUP" : topic;
}

}  // namespace

std::vector<std::string> help_lines(const std::string& topic) {
  std::vector<std::string> lines;
  const std::string_view wanted = canonical(topic);
  for (const HelpLine& line : kHelp) {
    if (!wanted.empty() && line.topic != wanted) continue;
    lines.push_back(std::string(line.form) + " - " + std::string(line.meaning));
  }
  return lines;
}

}  // namespace afterimage
