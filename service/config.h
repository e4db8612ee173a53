// io: the configuration of a plex: one XML file, checked against afterimage.xsd and then as a whole; every mistake is reported at
// once, with file, line and remedy. docs/CONFIGURATION.md describes the file for people. Both sites may share it.
// Threads: values; load_config from one thread at a time.
#pragma once

#include <string>
#include <vector>

#include "service/config_types.h"

namespace afterimage {

struct ConfigLoad {
  Config config;                    // to be used only when good()
  std::vector<std::string> errors;  // "dsm.xml line 12: <what>: <remedy>.", in the order of the file
  bool good() const { return errors.empty(); }
};

// Reads, validates, checks. Does not look whether the images, certificates and directories exist: they may be at the other site.
ConfigLoad load_config(const std::string& path);
// The same for text already read; `path` names it in the errors and is what relative paths are relative to.
ConfigLoad parse_config(const std::string& text, const std::string& path);
}  // namespace afterimage
