// What a recovery says: A, B, every token between them, and what cannot be known (A20-A22). Pure.
#pragma once

#include <string>
#include <vector>

#include "serializer/token.h"
#include "vtam_link/message.h"

namespace afterimage {

struct LostWrite {
  Token token;
  bool data_held = false;  // its data arrived and can be looked at, but an earlier write is missing
  bool is_void = false;
};

struct LossReport {
  std::string session;
  std::uint64_t epoch = 0;
  Sequence point_a = 0;  // the image is exactly writes 1..A
  Tod point_a_time = 0;
  Sequence point_b = 0;  // last token received
  Tod point_b_time = 0;
  Tod last_heard = 0;           // the primary's own time in its last message
  bool ended_in_order = false;  // the session was ended or drained: nothing can lie beyond B
  std::vector<LostWrite> lost;  // A+1 .. B, all of them
  std::vector<VolumeDescriptor> volumes;
};

// As an operator reads it (no message ids): header lines, one line per token (volser, device, CCHHR, CCW, time, HELD or MISSING), and the
// statement of what cannot be known beyond B. `max_tokens` bounds the lines (0 = all); what is left out is counted.
std::vector<std::string> loss_report_lines(const LossReport& report, std::size_t max_tokens = 0);

}  // namespace afterimage
