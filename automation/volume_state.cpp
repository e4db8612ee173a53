// Volume states from facts. Pure.
#include "automation/volume_state.h"

namespace afterimage {

VolumeState volume_state(const VolumeFacts& facts) {
  if (facts.utility) return VolumeState::kUtl;
  const bool frozen_copy = facts.role == SiteRole::kSecondary && facts.session == OperatorState::kFrozen;
  const bool session_suspended = facts.session == OperatorState::kSuspended || facts.session == OperatorState::kRecovery || frozen_copy;
  if (facts.duplex && (session_suspended || facts.volume_suspended)) {
    return facts.timed_suspend ? VolumeState::kSeq : VolumeState::kSus;
  }
  if (facts.volume_suspended) return VolumeState::kSus;
  if (facts.session == OperatorState::kInactive || !facts.duplex) return VolumeState::kPnd;
  if (facts.copying) return VolumeState::kCpy;
  if (facts.pending || facts.lost || !facts.established) return VolumeState::kPnd;
  return VolumeState::kDup;
}

std::string_view volume_state_name(VolumeState state) {
  switch (state) {
    case VolumeState::kPnd:
      return "PND";
    case VolumeState::kCpy:
      return "CPY";
    case VolumeState::kDup:
      return "DUP";
    case VolumeState::kSus:
      return "SUS";
    case VolumeState::kSeq:
      return "SEQ";
    case VolumeState::kUtl:
      return "UTL";
  }
  return "???";
}

void VolumeCounts::add(VolumeState state) {
  ++total;
  switch (state) {
    case VolumeState::kPnd:
      ++pnd;
      break;
    case VolumeState::kCpy:
      ++cpy;
      break;
    case VolumeState::kDup:
      ++dup;
      break;
    case VolumeState::kSus:
      ++sus;
      break;
    case VolumeState::kSeq:
      ++seq;
      break;
    case VolumeState::kUtl:
      ++utl;
      break;
  }
}

}  // namespace afterimage
