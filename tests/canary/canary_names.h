// The planted bugs of serializer/canary.h by name, and the switch that puts one on.
#pragma once

#include <span>
#include <string>

#include "serializer/canary.h"
#include "serializer/status.h"

namespace afterimage {

struct CanaryName {
  const char* name;      // without its k
  const char* sentence;  // what the product does wrong while it is on
  Canary canary;
};
std::span<const CanaryName> canary_names();

// Switches that bug on and every other off; "" switches all off. Refused: a name that is none, and a build that has no planted bugs.
Status plant(const std::string& name);

}  // namespace afterimage
