// Lines of the XQUERY reports and of displays. Pure.
#include "jcl/message_table.h"

namespace afterimage {
namespace {

constexpr std::string_view kNone = "None.";
constexpr std::string_view kPart = "A line of the answer to XQUERY.";

constexpr MessageEntry kMessages[] = {
    {"DSMO200I", "XQUERY STARTED FOR SESSION(<SESSION>) ASNAME(<ASNAME>)",
     "First line of the answer to XQUERY. ASNAME is the started task.", "The report follows.", kNone},
    {"DSMO201I", "XQUERY <REPORT> REPORT COMPLETE FOR SESSION(<SESSION>)", "The report has been shown.", kNone, kNone},
    {"DSMO202I", "XQUERY <REPORT> REPORT - <NUMBER>", "Head of a report. The number counts the reports of this started task.", kNone,
     kNone},
    {"DSMO203I", "SITE(<SITE>) ROLE(<ROLE>) STATE(<STATE>)",
     "Role and state of the session at the site asked: INACTIVE, ACTIVE, SUSPENDED, FROZEN or RECOVERY. The two sites of a session can be "
     "in different states.",
     kPart, "If the state is not the expected one, see the runbook in docs/OPERATIONS.md."},
    {"DSMO204I", "STOPPED AT SEQUENCE(<SEQUENCE>) REASON(<REASON>)",
     "The session is suspended or frozen: the last write before that, and why.", kPart,
     "See the message that was given at that time (DSMM110I, DSMM112W, DSMM113E or DSMM133S)."},
    {"DSMO210I", "<COLUMNS>", "First head line of the volume report.", kPart, kNone},
    {"DSMO211I", "<COLUMNS>", "Second head line of the volume report.", kPart, kNone},
    {"DSMO212I", "<ROW>",
     "One volume: its volser at the primary and at the secondary, error level, percent in step, state (DUP duplexed, CPY copying, PND "
     "pending, SUS suspended, SEQ timed suspend, UTL utility), "
     "last command, operation under way, time up to which its copy is consistent.",
     kPart, "A volume that is not DUP in an active session is named in an earlier message; see there."},
    {"DSMO213I",
     "<VOLSER> WRITES(<WRITES>) BYTES(<BYTES>) UNFLUSHED(<UNFLUSHED>) UNACKNOWLEDGED(<UNACKNOWLEDGED>) RESIDUAL TRACKS(<TRACKS>)",
     "DETAIL of one volume: writes and bytes since the start, writes not yet in the volume's file, writes the secondary does not yet hold, "
     "tracks changed while suspended.",
     kPart, kNone},
    {"DSMO215W", "VOLUME(<VOLSER>) IS NOT IN SESSION(<SESSION>)",
     "The volser named in the command is not one of the session's primary or secondary volumes.", "The others are shown.",
     "Enter XQUERY with VOLUME(ALL) to see the volumes."},
    {"DSMO220I", "LINK(<STATE>) LU(<LU>) PEER LU(<PEER>)", "State of the link and the two LU names.", kPart,
     "If it is DOWN, the next line says why."},
    {"DSMO221I", "LINK REASON(<REASON>)", "Why the link is down, in the words of its last message.", kPart,
     "Correct what it names; the link is tried again without a command."},
    {"DSMO222I", "LAST HEARD(<TIME>)", "When anything last came from the other site.", kPart, kNone},
    {"DSMO223I", "SEQUENCE NUMBERED(<NUMBERED>) SENT(<SENT>) ACKNOWLEDGED(<ACKNOWLEDGED>) APPLIED(<APPLIED>)",
     "How far the writes are: last one numbered at the primary, last one whose token was sent, last one up to which the secondary holds "
     "everything durably, last one applied to the images.",
     kPart, kNone},
    {"DSMO224I", "POINT A(<A>) POINT B(<B>) PENDING(<PENDING>) BYTES(<BYTES>)",
     "The pending write queue: a recovery now would give exactly the writes up to A; B is the last token received; between them data is "
     "missing.",
     kPart, "D PWQ lists the queue."},
    {"DSMO225I", "BUFFERS USED(<USED>) OF(<SIZE>) BYTES, <PERCENT> PERCENT",
     "The ring of common storage, which holds every write until the secondary has it.", kPart,
     "Near 100 percent the guests are paced and then the session is suspended: look at the link."},
    {"DSMO226I", "JOURNAL USED(<USED>) OF(<SIZE>) BYTES, <PERCENT> PERCENT", "The journal of the secondary.", kPart,
     "Near 100 percent the images cannot keep up: look at the disks of the secondary."},
    {"DSMO227I", "GUESTS PACED(<COUNT>) TIMES FOR(<DURATION>)",
     "How often, and how long in all, writes were held because the ring was full.", kPart, kNone},
    {"DSMO228I", "MESSAGES(<MESSAGES>) BYTES(<BYTES>) RESENT(<RESENT>)",
     "What was sent over the link since the start of this started task.", kPart, kNone},
    {"DSMO229W", "VERIFICATION DIFFERENCES(<COUNT>)", "Tracks that differed between the sites when they were compared.", kPart,
     "See DSMM122E."},
    {"DSMO231I", "DATA CONSISTENT(<TIME>) DELAY(<DELAY>)",
     "The copy is exactly what the primary held at this time, and this far behind it. UNKNOWN: nothing was acknowledged yet.", kPart,
     "If the delay grows, the next line names the cause."},
    {"DSMO232I", "DELAY CAUSE(<CAUSE>)",
     "What makes the copy late: PRIMARY (writes not yet in the volume's file, or the primary is silent), BUFFERS (the ring is nearly "
     "full), LINK, JOURNAL (nearly full), SECONDARY (images), NONE.",
     kPart, "LINK: DSML messages say why. JOURNAL, SECONDARY: the disks of the secondary site."},
    {"DSMO238I", "TOTAL=<TOTAL> DUP=<DUP> CPY=<CPY> PND=<PND> SUS=<SUS> SEQ=<SEQ> UTL=<UTL>", "Number of volumes in each state.", kPart,
     "XQUERY with VOLUME(ALL) names them."},
    {"DSMO240I", "DATA EXPOSURE(<TIME>)",
     "How much would be lost if the primary site were lost now: the age of the oldest write the secondary does not hold.", kPart, kNone},
    {"DSMO250I", "SESSIONTYPE(XRC) ERRORLEVEL(<LEVEL>) EPOCH(<EPOCH>)",
     "Configuration of the session; the epoch is new with each XSTART, 0 means not started.", kPart, kNone},
    {"DSMO251I", "BUFFERS RING(<RING>) MESSAGE(<MESSAGE>) WINDOW(<WINDOW>) BYTES, INTERVAL(<INTERVAL>) MS",
     "Sizes of the ring, of a message and of what may be unacknowledged; a message goes when full or at the interval.", kPart, kNone},
    {"DSMO252I", "LIMITS PACE(<PACE>) MS, FREEZE(<FREEZE>) MS",
     "The longest a write is held because the ring is full, and because of a freeze.", kPart, kNone},
    {"DSMO253I", "JOURNAL(<BYTES>) BYTES IN(<FILES>) FILES", "The journal of the secondary.", kPart, kNone},
    {"DSMO254I", "FAILURE HEARTBEAT(<LIMIT>) MS, ACTION(<ACTION>)",
     "After this much silence the secondary calls the primary lost, and does this.", kPart, kNone},
    {"DSMO255I", "VOLUME(<PRIMARY>,<SECONDARY>) SYSTEM(<SYSTEM>) DEVICE(<DEVICE>) TYPE(<TYPE>)",
     "One pair of volumes and where it is attached.", kPart, kNone},
    {"DSMO260I", "RECOVERY NOW WOULD GIVE WRITES THROUGH(<A>) CONSISTENT(<TIME>)", "What XRECOVER would do at this moment.", kPart, kNone},
    {"DSMO261I", "TOKENS RECEIVED AND NOT RECOVERABLE(<COUNT>) DATA HELD(<HELD>) MISSING(<MISSING>)",
     "Writes between A and B that would be lost although their tokens are known; for some the data is held and can be looked at.", kPart,
     "D PWQ lists them."},
    {"DSMO262I", "RECOVERED THROUGH(<A>) CONSISTENT(<TIME>) LOST(<LOST>)", "The result of the recovery that was made.", kPart,
     "Start the work on the recovered volumes. The loss report is in the site's directory."},
    {"DSMO263I", "WRITES BEYOND(<B>) ARE NOT KNOWN AT THIS SITE", "Writes whose tokens had not been received cannot be counted here.",
     kPart, kNone},
    {"DSMO264I", "RECOVERY IS MADE AT SITE(<SITE>)", "The report was asked at the primary site, which cannot know it.", kPart,
     "Enter XQUERY with RECOVER at that site."},
    {"DSMO270I", "SESSION(<SESSION>) IS NOT COUPLED TO A MASTER SESSION",
     "Answer to XQUERY MASTER: sessions are not coupled in this release.", kPart, kNone},
    {"DSMO299I", "END", "Last line of an answer of several lines.", kNone, kNone},
    {"DSMO300I", "<TITLE>", "Head of a display (D PWQ, D STOR, D A,L) or of HELP. The lines follow; DSMO299I is the last.", kNone, kNone},
};

}  // namespace

std::span<const MessageEntry> report_messages() { return kMessages; }

}  // namespace afterimage
