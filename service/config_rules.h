// The rules a configuration must keep as a whole: references, duplicates, sizes that depend on each other. Pure.
#pragma once

#include "service/config_mistakes.h"
#include "service/config_reader.h"
#include "service/config_types.h"

namespace afterimage {

void check_config_rules(const Config& config, const ConfigLines& lines, ConfigMistakes& mistakes);

}  // namespace afterimage
