// io: reads the XML of a configuration into a small tree with line numbers, validated against afterimage.xsd by Xerces-C++. No document
// type declaration, so no entities of its own, internal or external; nothing outside the given text is ever read. The only file that knows
// Xerces. Threads: one at a time.
#pragma once

#include <string>

#include "service/config_tree.h"

namespace afterimage {

XmlDocument read_xml(const std::string& text);

}  // namespace afterimage
