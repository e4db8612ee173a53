// io: the Hercules configuration of the recovery site: the devices of the session at the secondary's images, the other statements copied
// from the primary's configuration when there is one, and the command that starts it. Issue: site recovery; document 002 row A27.
// Threads: one at a time.
#pragma once

#include <string>
#include <vector>

#include "serializer/status.h"
#include "service/config.h"

namespace afterimage {

struct RecoveryConfigRequest {
  std::string session;      // "" = the only one
  std::string system;       // whose devices; "" = the session's only system
  std::string from;         // the primary's Hercules configuration; "" = what the <system> states, if that can be read, else none
  std::string loadparm;     // "" = as in `from`
  std::string output_path;  // where the caller will write the text; "" = hercules-SYSTEM.cnf in the secondary site's directory
};

struct RecoveryConfig {
  std::string text;                // the whole configuration file
  std::string path;                // where it is to stand: absolute, and never the configuration it was made from
  std::string command;             // what to type to start it
  std::vector<std::string> notes;  // sentences: what was left out or changed, and why
};

// Refused with one sentence: unknown session or system, an unreadable `from`, a path or LOADPARM Hercules cannot take. Reads `from` and the
// files it includes; writes nothing.
Result<RecoveryConfig> make_recovery_config(const Config& config, const RecoveryConfigRequest& request);

// Puts the text in its place as a whole: a crash leaves the file as it was or complete. A configuration that was completed by hand is not
// replaced (`only_new`) unless it was named.
Status save_recovery_config(const RecoveryConfig& made, bool only_new);

// One device statement; quotes what must be quoted. An error if the path cannot be written in a Hercules statement.
Result<std::string> hercules_device_statement(std::uint16_t device, const std::string& type, const std::string& path,
                                              const std::vector<std::string>& options);

}  // namespace afterimage
