// io: from the configuration to the settings of the two nodes: reads the images' headers for their geometry. Threads: one.
#pragma once

#include "service/config.h"
#include "service/primary_node.h"
#include "service/secondary_node.h"

namespace afterimage {

std::string command_socket_path(const SiteConfig& site);
std::string segment_of(const Config& config);

// Each failure is one sentence that names the volume or file and what to do.
Result<PrimaryNodeSettings> primary_settings(const Config& config, const SessionConfig& session);
Result<SecondaryNodeSettings> secondary_settings(const Config& config, const SessionConfig& session);

}  // namespace afterimage
