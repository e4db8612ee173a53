// Messages of dsmd itself, of sessions at the primary and of the systems that write. Pure.
#include "jcl/message_table.h"

namespace afterimage {
namespace {

constexpr std::string_view kNone = "None.";

constexpr MessageEntry kMessages[] = {
    {"DSMM100I", "DSM STARTED AT SITE <SITE>, AFTERIMAGE <VERSION>", "The started task is ready for commands.",
     "A session that was running is continued (DSMM103I or DSMM131I).", kNone},
    {"DSMM101I", "SESSION <SESSION> STARTED, <COUNT> VOLUMES, FIRST SEQUENCE <SEQUENCE>",
     "XSTART was carried out. From this sequence number on, writes to the session's volumes are numbered and sent.",
     "The link is opened; the secondary is established when it is up (DSMM130I there).",
     "XQUERY shows the volumes as DUP when both sites agree."},
    {"DSMM103I", "SESSION <SESSION> CONTINUED AT SEQUENCE <SEQUENCE>, <COUNT> WRITES NOT ACKNOWLEDGED",
     "The started task was replaced or had died while a session was running. Everything not acknowledged was kept in common storage.",
     "The session goes on where it stopped.", kNone},
    {"DSMM104I", "SESSION <SESSION> ENDED AT SEQUENCE <SEQUENCE>", "The session has ended at the primary.",
     "Writes are no longer numbered. Volumes can be written without being copied.",
     "If it was drained, the secondary holds everything (DSMM132I there); XRECOVER there makes the images usable."},
    {"DSMM105W", "SESSION <SESSION> ENDED WITHOUT DRAINING AT SEQUENCE <SEQUENCE>",
     "XEND was IMMEDIATE, or the link was down: writes not acknowledged were not copied.",
     "The session is ended at the primary. The secondary was not told; it holds what it had acknowledged.",
     "Copy the volumes again before the next XSTART."},
    {"DSMM106W", "SESSION <SESSION> IS STILL DRAINING TOWARDS SEQUENCE <SEQUENCE>",
     "XEND waits for the secondary to hold everything, and it takes long.", "The session ends by itself when that is done (DSMM104I).",
     "XQUERY shows how far it is. If the link stays down, enter XEND with IMMEDIATE."},
    {"DSMM107W", "SESSION <SESSION> HAD BEEN SUSPENDED: THE COPY LACKS THE WRITES MADE SINCE",
     "The session that has now ended was suspended before.", "The secondary's image is consistent at the point of the suspension.",
     "Copy the volumes again, compare them with dsm verify, then XSTART."},
    {"DSMM110I", "SESSION <SESSION> FROZEN AT SEQUENCE <SEQUENCE>, WRITES ARE HELD FOR <SECONDS> SECONDS AT MOST",
     "CGROUP FREEZE was carried out: no write is numbered after this sequence.",
     "Guests that write wait. At the limit the session is suspended and they go on (DSMM112W).",
     "Do what the freeze was for, then enter CGROUP RUN."},
    {"DSMM111I", "SESSION <SESSION> RUNS AGAIN, SUSPENDED AT SEQUENCE <SEQUENCE>",
     "CGROUP RUN was carried out: the held writes go on. As with PPRC, the copy stays at the point of the freeze.",
     "Changed tracks are recorded; nothing is sent.",
     "The secondary can be recovered at that point. To mirror again: XEND, make the volumes equal, XSTART."},
    {"DSMM112W", "SESSION <SESSION> SUSPENDED AT SEQUENCE <SEQUENCE>, REASON <REASON>",
     "Writes go on and are no longer copied. Reasons: OPERATOR (XSUSPEND), BUFFERS (the ring stayed full beyond the pace limit), FREEZE "
     "(its limit), WRITE-BACK (a track could not be written), CHECK, LINK, "
     "SECONDARY, IMAGE CHANGED.",
     "What was numbered before is still sent. Changed tracks are recorded.",
     "See XQUERY STATUS for the cause. Then XEND, make the volumes equal, XSTART."},
    {"DSMM113E", "SESSION <SESSION> SUSPENDED AT SEQUENCE <SEQUENCE>, REASON <REASON>: <TEXT>",
     "As DSMM112W, decided by the data mover; the text says why.", "As for DSMM112W.", "As for DSMM112W."},
    {"DSMM114E", "SESSION <SESSION>: <TEXT>", "Something went wrong at this site or was reported by the secondary; the text says what.",
     "The session goes on, or a message about its suspension follows.",
     "Correct what the text names. If the text says that the journal is full: look at the disks of the secondary."},
    {"DSMM115I", "SESSION <SESSION>: THE SECONDARY HOLDS EVERYTHING THROUGH SEQUENCE <SEQUENCE>",
     "Everything written before the suspension or freeze is held durably at the secondary.", kNone, kNone},
    {"DSMM116W", "SESSION <SESSION>: THE SECONDARY DOES NOT YET HOLD EVERYTHING THROUGH SEQUENCE <SEQUENCE>",
     "The command is carried out, but writes made before it are still on their way.", "They are sent as the link allows.",
     "XQUERY shows ACKNOWLEDGED; wait until it reaches this sequence before you rely on the copy."},
    {"DSMM117E", "SESSION <SESSION> CANNOT BE CONTINUED: ITS COMMON STORAGE IS GONE",
     "The host went down, or the shared memory was removed, while the session was running. Writes that were not acknowledged are not known "
     "any more, and after a host failure the primary's own files may lack completed writes.",
     "The session is inactive here. The secondary holds its image at the last acknowledged write.",
     "Decide which site has the data to go on with. Make the volumes equal, compare with dsm verify, then XSTART; or XRECOVER at the "
     "secondary."},
    {"DSMM120I", "SESSION <SESSION>: VERIFICATION OF <COUNT> VOLUMES STARTED",
     "Both sites are compared track by track, each track at one sequence number.", "DSMM121I or DSMM122E follows.", kNone},
    {"DSMM121I", "SESSION <SESSION>: VERIFICATION COMPLETE, NO DIFFERENCE, AT SEQUENCE <SEQUENCE>", "Every track compared equal.", kNone,
     kNone},
    {"DSMM122E", "SESSION <SESSION>: VERIFICATION COMPLETE, <COUNT> TRACKS DIFFER, AT SEQUENCE <SEQUENCE>", "The copies are not equal.",
     "The session goes on, unless the comparison was part of XSTART: then it is suspended.",
     "The tracks are named by DSMM123E. Do not rely on this copy: XEND, copy the volumes, XSTART with COMPARE(YES), and find out what "
     "wrote to a volume behind the session's back."},
    {"DSMM123E", "SESSION <SESSION>: TRACK DIFFERS: <TEXT>", "One track found different, with volume and CCHH.",
     "The verification continues.", "See DSMM122E."},
    {"DSMM124W", "SESSION <SESSION>: THE VERIFICATION IS STILL RUNNING", "The answer to VERIFY does not wait longer.",
     "The verification goes on; its result is in the log.", "Wait for DSMM121I or DSMM122E."},
    {"DSMM125E", "SESSION <SESSION>: VERIFICATION INCOMPLETE, NOT ALL TRACKS COMPARED OF <VOLUMES>",
     "Tracks of these volumes could not be read, or the volumes left the copy while they were compared (DSMC031E, DSMC010E or DSMC022W in "
     "the "
     "Hercules log). What was compared was equal.",
     "The session goes on. After XSTART with COMPARE(YES) the volumes stay PND.",
     "Correct what the Hercules log names. A volume that left the copy: XEND, copy, XSTART with COMPARE(YES); else enter VERIFY again."},
    {"DSMM190I", "DSM ENDED AT SITE <SITE>: <REASON>", "The started task ends in order (P DSM or a signal).",
     "Sessions stay as they are. At the primary, writes are recorded in common storage until it is full; then they are paced and the "
     "session is suspended.",
     "Start it again soon if a session is active."},
    {"DSMM191E", "CONFIGURATION: <ERROR>", "A mistake in the configuration, with file, line and remedy. All mistakes are given at once.",
     "The started task does not start.", "Correct the file."},
    {"DSMM192E", "DSM CANNOT START: <REASON>",
     "Something needed was refused: common storage, a certificate, an image, the journal, a port. The reason says which and why.",
     "The started task ends with return code 8. Nothing was changed.", "Correct what the reason names."},
    {"DSMM199S", "DSM STOPPED BY A FAILED CHECK: <EXPRESSION> IN <FILE> LINE <LINE>",
     "An error in the program was found before it could do damage.", "The process ends.",
     "Start it again: it continues from common storage or from its journal. Report the message."},
    {"DSMS110W", "SYSTEM <SYSTEM> (PROCESS <PID>) DIED, <COUNT> WRITES ARE VOID",
     "A Hercules ended without closing its volumes. The writes counted were numbered, but had not reached the volumes' files; the "
     "secondary is told not to apply them.",
     "The session goes on for the other systems. The tracks in question are read again when the volumes are opened.",
     "Start the Hercules again. It repairs the copy before its guest runs."},
    {"DSMS111I", "SYSTEM <SYSTEM> (PROCESS <PID>) JOINED", "A Hercules with the module attached to common storage.", kNone, kNone},
};

}  // namespace

std::span<const MessageEntry> session_messages() { return kMessages; }

}  // namespace afterimage
