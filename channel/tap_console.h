// `dsm ...` at the Hercules panel.
#pragma once

#include <string>

namespace afterimage {

// What this Hercules knows by itself: attachment, session, devices. Works without dsmd.
void show_status();
// Sends the command to dsmd's command socket and writes its answer into the log, at most ten seconds.
void ask_dsmd(const std::string& command);

}  // namespace afterimage
