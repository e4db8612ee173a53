// What the product owes besides right images: no more under way than its window allows, cuts at the number they name, nothing promised
// after a takeover, no suspension that nothing explains. Told by the line and by the calls led away; knows the settings of the run. Pure.
#pragma once

#include <string>

#include "serializer/numbering.h"
#include "tests/sim/sim_network.h"
#include "tests/sim/sim_oracle.h"

namespace afterimage::sim {

class Duties {
 public:
  Duties(Schedule& schedule, const Oracle& oracle, std::uint32_t window_messages)
      : schedule_(schedule), oracle_(oracle), window_messages_(window_messages) {}

  // The primary's end of the line: what its mover gives it, and what arrives there.
  void primary_sends(const Message& message);
  void arrived_at_primary(FrameKind kind, const std::vector<std::uint8_t>& bytes);
  // A suspension, freeze or end of numbering took effect behind `cut`.
  void cut_at(Sequence cut);
  void secondary_acknowledges(const Message& message);
  // A recovery is told: from now on the images may be used, whatever dies.
  void recovered(std::uint64_t epoch, const SimDisk& secondary);
  // An operator was told so.
  void answered(const std::vector<std::string>& lines);
  void numbered_in(SessionState state);
  void primary_says(const std::string& line);

 private:
  Schedule& schedule_;
  const Oracle& oracle_;
  std::uint32_t window_messages_;
  std::uint64_t acknowledged_message_ = 0, epoch_ = 0;  // as far as the primary can know
  std::uint64_t recovered_epoch_ = 0;
};

}  // namespace afterimage::sim
