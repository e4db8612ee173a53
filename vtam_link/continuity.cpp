// Logical continuity of the message stream (A10). Pure.
#include "vtam_link/continuity.h"

#include "serializer/canary.h"
#include "vtam_link/names.h"

namespace afterimage {

ContinuityChecker::ContinuityChecker(std::string session, std::string from_lu, std::string to_lu, std::uint64_t epoch,
                                     std::uint64_t last_number)
    : session_(std::move(session)), from_lu_(std::move(from_lu)), to_lu_(std::move(to_lu)), epoch_(epoch), last_number_(last_number) {}

ContinuityVerdict ContinuityChecker::accept(const M0& m0) {
  if (m0.session != session_) return ContinuityVerdict::kWrongSession;
  if (m0.origin_lu != from_lu_ || m0.destination_lu != to_lu_) return ContinuityVerdict::kWrongLu;
  if (m0.epoch != epoch_) return ContinuityVerdict::kWrongEpoch;
  if (m0.message_number <= last_number_) return ContinuityVerdict::kDuplicate;
  if (m0.message_number - last_number_ != 1 && !planted(Canary::kGapAccepted)) return ContinuityVerdict::kGap;
  last_number_ = m0.message_number;
  return ContinuityVerdict::kNext;
}

std::uint64_t ContinuityChecker::last_number() const { return last_number_; }

std::string ContinuityChecker::describe(ContinuityVerdict verdict, const M0& m0) const {
  const auto number = [](std::uint64_t n) { return std::to_string(n); };
  const auto name = [](const std::string& text) { return safe_sentence(text, kLuNameBytes); };
  switch (verdict) {
    case ContinuityVerdict::kNext:
      return "Message " + number(m0.message_number) + " of session " + name(m0.session) + " is the next one.";
    case ContinuityVerdict::kDuplicate:
      return "Message " + number(m0.message_number) + " of session " + session_ + " came again: everything through message " +
             number(last_number_) + " had come.";
    case ContinuityVerdict::kGap:
      return "Message " + number(m0.message_number) + " of session " + session_ + " came where message " + number(last_number_ + 1) +
             " was expected: " + number(m0.message_number - last_number_ - 1) + " are missing or out of order.";
    case ContinuityVerdict::kWrongEpoch:
      return "A message of epoch " + number(m0.epoch) + " came for session " + session_ + ", which is in epoch " + number(epoch_) + ".";
    case ContinuityVerdict::kWrongSession:
      return "A message of session " + name(m0.session) + " came where session " + session_ + " was expected.";
    case ContinuityVerdict::kWrongLu:
      return "A message from LU " + name(m0.origin_lu) + " to LU " + name(m0.destination_lu) + " came where one from " + from_lu_ + " to " +
             to_lu_ + " was expected.";
  }
  return "The message stream of session " + session_ + " has an unknown verdict.";
}

}  // namespace afterimage
