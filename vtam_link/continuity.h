// Logical continuity of the message stream (A10): dropped, duplicated and reordered messages are all detected. Pure.
#pragma once

#include "vtam_link/message.h"

namespace afterimage {

enum class ContinuityVerdict : std::uint8_t { kNext, kDuplicate, kGap, kWrongEpoch, kWrongSession, kWrongLu };

class ContinuityChecker {
 public:
  ContinuityChecker() = default;
  // Expects the message after `last_number` of this session, epoch and pair of LUs.
  ContinuityChecker(std::string session, std::string from_lu, std::string to_lu, std::uint64_t epoch, std::uint64_t last_number);
  // kNext moves on; anything else changes nothing.
  ContinuityVerdict accept(const M0& m0);
  std::uint64_t last_number() const;
  // A sentence for a verdict that is not kNext: what was expected, what came.
  std::string describe(ContinuityVerdict verdict, const M0& m0) const;

 private:
  std::string session_, from_lu_, to_lu_;
  std::uint64_t epoch_ = 0, last_number_ = 0;
};

}  // namespace afterimage
