// Turns the XML tree of a configuration into a Config, checking each element by itself (names, forms, bounds, unknown and missing
// attributes); config_rules.h then checks the whole. Pure. Every mistake is added, none stops the reading.
#pragma once

#include <string>
#include <vector>

#include "service/config_mistakes.h"
#include "service/config_tree.h"
#include "service/config_types.h"

namespace afterimage {

// Where each thing of the Config stood, for the sentences of config_rules: same order as in Config.
struct VolumeLine {
  int line = 0;
  bool device_read = false;  // its device number had its form
};

struct ConfigLines {
  int root = 0;     // 0 = the outermost element is not ours, and nothing was read
  int storage = 0;  // 0 = not stated
  std::vector<int> sites, systems, sessions;
  std::vector<std::vector<VolumeLine>> volumes;  // per session
};

// `directory` is what relative paths are relative to.
Config read_config_tree(const XmlElement& root, const std::string& directory, ConfigLines& lines, ConfigMistakes& mistakes);

}  // namespace afterimage
