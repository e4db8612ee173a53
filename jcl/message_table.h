// The parts of the message table, one per group; used by message_catalogue.cpp only. Pure.
#pragma once

#include <span>

#include "jcl/message_catalogue.h"

namespace afterimage {

std::span<const MessageEntry> command_messages();    // DSMO0xx, DSMO1xx, DSMO9xx
std::span<const MessageEntry> report_messages();     // DSMO2xx, DSMO3xx
std::span<const MessageEntry> session_messages();    // DSMM at a primary and for dsmd itself, DSMS
std::span<const MessageEntry> secondary_messages();  // DSMA, DSMM at a secondary
std::span<const MessageEntry> link_messages();       // DSML

}  // namespace afterimage
