// Assertions that stay on in production. What a failed one does depends on the process: in dsmd it stops the process (the restart
// recovers from journal and common storage); inside Hercules the handler suspends mirroring and the guest goes on.
#pragma once

namespace afterimage {

// Called once per failed assertion with the expression, file and line. Must not return in dsmd; in Hercules it may return,
// and the caller of the failed operation then takes its "suspended" path. Set it before any thread starts.
using CheckHandler = void (*)(const char* expression, const char* file, int line);
void set_check_handler(CheckHandler handler);
void check_failed(const char* expression, const char* file, int line);

// The one place that decides: a check is no branch of the code it stands in, which its tests could never take.
inline void check_that(bool holds, const char* expression, const char* file, int line) {
  if (!holds) [[unlikely]]
    check_failed(expression, file, line);
}

}  // namespace afterimage

// Compound conditions are split into several checks, so that the message names the one that failed.
#define AI_CHECK(expression) ::afterimage::check_that(static_cast<bool>(expression), #expression, __FILE__, __LINE__)
