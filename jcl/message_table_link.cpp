// Messages of the link between the sites. Pure.
#include "jcl/message_table.h"

namespace afterimage {
namespace {

constexpr std::string_view kRetry = "The connection is tried again without a command.";

constexpr MessageEntry kMessages[] = {
    {"DSML101I", "LINK FROM <LU> TO <PEER> IS UP, PEER HAS AFTERIMAGE <VERSION>",
     "Both sides have shown their certificates and agreed where to resume.", "Messages flow.", "None."},
    {"DSML102W", "LINK TO <PEER> IS DOWN: <REASON>", "The session between the two LUs has ended or cannot be made; the reason says why.",
     "The connection is tried again without a command. The primary keeps what is not acknowledged; guests go on.",
     "Correct what the reason names. A link that stays down fills the ring (XQUERY STATUS) and in the end suspends the session."},
    {"DSML103E", "LINK TO <PEER> CANNOT BE STARTED: <REASON>",
     "The certificate, key or authority of this site cannot be used now; the reason names the file.",
     "No connection is made. The files are read again for every connection; the message comes once for each reason.",
     "Correct the file, or the clock of this machine: nothing has to be stopped or started."},
    {"DSML104E", "LINK TO <PEER> DROPPED: <REASON>",
     "The stream of messages is not continuous, or the two sites do not agree on where they are.",
     "The connection is tried again without a command. If the sites cannot agree, the session is suspended (DSMM113E) and it is not tried "
     "again.",
     "After DSMM113E: XEND at the primary, make the volumes equal, XSTART."},
    {"DSML105E", "SECONDARY <PEER> REFUSED THE SESSION: <REASON>",
     "The other site answered and does not take this session; the reason is its sentence.", kRetry,
     "Do what the reason says, usually at the other site. \"Taken over\" means that the secondary was recovered: stop the work here."},
    {"DSML106W", "SESSION FROM <PEER> REFUSED HERE: <REASON>", "This site did not take a session that the other offered.",
     "The link is closed; the other site says DSML105E.", "Do what the reason says."},
    {"DSML107W", "CONNECTION REFUSED BEFORE IT WAS BOUND: <REASON>",
     "Somebody connected to this site's LU without being the peer of the session: no or a wrong certificate, another LU name, or not our "
     "protocol at all.",
     "The connection is closed; nothing else is affected. Repeated refusals are told at intervals.",
     "If it was the peer, correct what the reason names (certificate, LU name, configuration) at its site. If not, find out who connects."},
};

}  // namespace

std::span<const MessageEntry> link_messages() { return kMessages; }

}  // namespace afterimage
