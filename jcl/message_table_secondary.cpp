// Messages of the secondary: establishment, journal, freeze, recovery, and of the failure monitor. Pure.
#include "jcl/message_table.h"

namespace afterimage {
namespace {

constexpr std::string_view kNone = "None.";

constexpr MessageEntry kMessages[] = {
    {"DSMA101E", "SESSION <SESSION>: PRIMARY <LU> IS LOST, NOTHING HEARD FOR <DURATION>, ACTION <ACTION>",
     "Nothing was heard from the primary for the heartbeat limit of the configuration.",
     "NONE: nothing. FREEZE: nothing more is accepted (DSMM136I). RECOVER: frozen and recovered (DSMM140I, DSMM141I).",
     "Find out whether the primary site still runs. If it is lost and the action was not RECOVER, enter XRECOVER. If it runs, see the "
     "runbook, \"The primary is called lost and runs\"."},
    {"DSMA102I", "SESSION <SESSION>: PRIMARY <LU> IS HEARD AGAIN", "After DSMA101E with ACTION NONE, the primary spoke again.",
     "The session goes on.", kNone},
    {"DSMM130I", "SESSION <SESSION> ESTABLISHED HERE, <COUNT> VOLUMES", "The primary's XSTART has reached this site and the volumes agree.",
     "The images are fenced: Hercules refuses to open them (HHCDA010E) until they are recovered.", kNone},
    {"DSMM131I", "SESSION <SESSION> CONTINUED, APPLIED THROUGH SEQUENCE <SEQUENCE>, <COUNT> MESSAGES READ FROM THE JOURNAL",
     "The started task was started again; everything acknowledged was in its journal.", "The session goes on when the primary binds.",
     kNone},
    {"DSMM132I", "SESSION <SESSION> ENDED BY THE PRIMARY, COMPLETE THROUGH SEQUENCE <SEQUENCE>",
     "The session was ended in order; every write is in the images.", "The images stay fenced.",
     "To use the images at this site, enter XRECOVER."},
    {"DSMM133S", "SESSION <SESSION> STOPPED HERE: <REASON>", "The secondary cannot go on without risking a wrong image.",
     "Nothing more is accepted or acknowledged. The images and the journal are kept as they are.",
     "Correct what the reason names, stop and start the started task: it continues from its journal. If the primary is lost, then enter "
     "XRECOVER."},
    {"DSMM134E", "SESSION <SESSION>: DISK ERROR: <TEXT>",
     "A journal, checkpoint, image or report could not be read or written; the text names the file. A full disk and an image that is "
     "refused are reported here.",
     "Nothing that is not durable is acknowledged. If the mover cannot go on, DSMM133S follows.",
     "Correct what the text names (free space, permissions), then start the started task again."},
    {"DSMM135E", "SESSION <SESSION>: TRACK DIFFERS: <TEXT>", "A verification found that a track of the image is not what the primary has.",
     "The primary is told (DSMM123E there).", "See DSMM122E."},
    {"DSMM136I", "SESSION <SESSION> FROZEN HERE, COMPLETE THROUGH <A>, TOKENS KNOWN THROUGH <B>",
     "CGROUP FREEZE at the secondary, or the action after a lost primary.",
     "Nothing more is accepted from the primary. The image can be recovered to A.", "Enter XRECOVER to take over."},
    {"DSMM137W", "SESSION <SESSION>: CHECKPOINT: <TEXT>", "The newest checkpoint could not be used and the one before it was taken.",
     "More of the journal is read again; the result is the same.", "Look at the disk of the site's directory."},
    {"DSMM138W", "SESSION <SESSION> GIVEN UP HERE, THIS SITE CAN BE THE SECONDARY OF A NEW ONE",
     "XEND IMMEDIATE was entered at the secondary: journal, pending write queue and the record of the session are forgotten.",
     "The images stay as they are: fenced, unless they were recovered before. They are closed and may be replaced.",
     "Copy the primary's volumes here, then XSTART with COMPARE(YES) at the primary."},
    {"DSMM140I", "SESSION <SESSION>: RECOVERY STARTED", "XRECOVER, or the action after a lost primary.",
     "Nothing more is accepted; every complete write in front of the first incomplete one is applied, in order.", "Wait for DSMM141I."},
    {"DSMM141I", "SESSION <SESSION>: RECOVERY COMPLETE, WRITES THROUGH SEQUENCE <A> CONSISTENT(<TIME>), <COUNT> LATER TOKENS LOST",
     "The images hold exactly the writes up to A. The count is of the writes whose tokens had been received; later ones are not known at "
     "this site.",
     "The images' headers are restored: Hercules opens them.", "Read the loss report (DSMM142I), then start the work here (DSMM143I)."},
    {"DSMM142I", "LOSS REPORT IN <PATH>", "Every token between A and B, with volume, CCHHR, time, and whether its data is held.", kNone,
     "Give it to those who own the data."},
    {"DSMM143I", "SESSION <SESSION>: START THE WORK HERE WITH THE CONFIGURATION THAT `<COMMAND>` WRITES",
     "The recovered volumes can be used by a Hercules at this site.", kNone,
     "Enter the shell command shown; it writes a Hercules configuration and says how to start it."},
};

}  // namespace

std::span<const MessageEntry> secondary_messages() { return kMessages; }

}  // namespace afterimage
