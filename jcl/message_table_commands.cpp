// Messages about commands: taken, refused, and the formatter's own. Pure.
#include "jcl/message_table.h"

namespace afterimage {
namespace {

constexpr MessageEntry kMessages[] = {
    {"DSMO001I", "COMMAND ACCEPTED: <COMMAND>", "An operator's command that can change something was read.",
     "The command is checked against the state of the session, then carried out or refused.", "None. The answer follows."},
    {"DSMO002E", "COMMAND NOT UNDERSTOOD: <REASON>",
     "The line is not a command of this started task. The reason gives the column, counted from 1 in the line as entered, and what is "
     "allowed there.",
     "Nothing was done.", "Correct the line and enter it again. HELP lists all forms."},
    {"DSMO003E", "SESSION <NAME> IS NOT KNOWN HERE, THIS SITE HAS <SESSION>",
     "The command names a session that is not configured for this site.", "Nothing was done.",
     "Enter the command with the session named, or without a name."},
    {"DSMO004E", "COMMAND REFUSED: <REASON>",
     "The session does not take this command in its present state or at this site. The reason names the rule, the state and what to do.",
     "Nothing was done.", "Do what the reason says. XQUERY shows the state."},
    {"DSMO005I", "DSM IS STARTED ALREADY AT SITE <SITE>", "S DSM was entered to a started task that runs.", "Nothing was done.",
     "None. D A,L shows what is active."},
    {"DSMO130E", "COMMAND FOR SESSION <SESSION> FAILED: <REASON>: <REMEDY>", "The command was taken and cannot be carried out.",
     "The session is as it was before the command.", "Do what the last part says, then enter the command again."},
    {"DSMO999S", "MESSAGE <ID> CANNOT BE FORMATTED: <VALUES>",
     "An error in the program: a message was given the wrong number of values. What was to be said follows in parentheses.",
     "Processing continues.", "Read the values as the message they were meant for, and report the error."},
};

}  // namespace

std::span<const MessageEntry> command_messages() { return kMessages; }

}  // namespace afterimage
