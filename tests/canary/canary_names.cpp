// See canary_names.h.
#include "tests/canary/canary_names.h"

namespace afterimage {

namespace {

constexpr CanaryName kNames[] = {
#include "canary_table.inc"
};

}  // namespace

std::span<const CanaryName> canary_names() { return kNames; }

Status plant(const std::string& name) {
#ifdef AFTERIMAGE_CANARIES
  planted_bug = Canary::kNone;
  if (name.empty()) return Status::ok();
  for (const CanaryName& each : kNames) {
    if (name != each.name) continue;
    planted_bug = each.canary;
    return Status::ok();
  }
  return Status::error("No planted bug is named " + name + "; serializer/canary.h has their names.");
#else
  if (name.empty()) return Status::ok();
  return Status::error("This program was built without planted bugs; build it by tests/variant.sh proof.");
#endif
}

}  // namespace afterimage
