// The tap's own thread inside Hercules: heartbeat, late attachment, verification, messages about the session. Never on a guest's path.
#pragma once

namespace afterimage {

void start_service();
void stop_service();  // waits for the thread

}  // namespace afterimage
