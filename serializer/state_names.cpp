// See state_names.h. Pure.
#include "serializer/state_names.h"

namespace afterimage {

const char* text_of(SessionState state) {
  switch (state) {
    case SessionState::kInactive:
      return "INACTIVE";
    case SessionState::kActive:
      return "ACTIVE";
    case SessionState::kSuspended:
      return "SUSPENDED";
    case SessionState::kFrozen:
      return "FROZEN";
  }
  return "UNKNOWN";
}

const char* text_of(SuspendReason reason) {
  switch (reason) {
    case SuspendReason::kNone:
      return "NONE";
    case SuspendReason::kOperator:
      return "OPERATOR";
    case SuspendReason::kBuffers:
      return "BUFFERS";
    case SuspendReason::kLink:
      return "LINK";
    case SuspendReason::kWriteBack:
      return "WRITE-BACK";
    case SuspendReason::kCheck:
      return "CHECK";
    case SuspendReason::kFreeze:
      return "FREEZE";
    case SuspendReason::kSecondary:
      return "SECONDARY";
    case SuspendReason::kImageChanged:
      return "IMAGE CHANGED";
  }
  return "UNKNOWN";
}

const char* text_of(DeviceState state) {
  switch (state) {
    case DeviceState::kUnused:
      return "UNUSED";
    case DeviceState::kDefined:
      return "DEFINED";
    case DeviceState::kOpen:
      return "OPEN";
    case DeviceState::kClosed:
      return "CLOSED";
    case DeviceState::kLost:
      return "LOST";
  }
  return "UNKNOWN";
}

}  // namespace afterimage
