// The words of the loss report.
#include "datamover/loss_report.h"

#include "datamover/token_text.h"
#include "serializer/tod.h"

namespace afterimage {

namespace {

void add_points(const LossReport& report, std::vector<std::string>& lines) {
  lines.push_back("SESSION(" + report.session + ") EPOCH(" + std::to_string(report.epoch) + ") VOLUMES(" +
                  std::to_string(report.volumes.size()) + ")");
  if (report.point_a_time == 0)
    lines.push_back("POINT A: SEQUENCE " + std::to_string(report.point_a) +
                    ", NO WRITE OF THIS SESSION IS ON THE VOLUMES: THEY ARE AS THEY WERE WHEN IT WAS ESTABLISHED");
  else
    lines.push_back("POINT A: SEQUENCE " + std::to_string(report.point_a) + " AT " + tod_text(report.point_a_time) +
                    ", THE VOLUMES HOLD EVERY WRITE UP TO THIS ONE AND NONE AFTER IT");
  if (report.point_b_time == 0)
    lines.push_back("POINT B: SEQUENCE " + std::to_string(report.point_b) + ", NO TOKEN WAS RECEIVED");
  else
    lines.push_back("POINT B: SEQUENCE " + std::to_string(report.point_b) + " AT " + tod_text(report.point_b_time) +
                    ", THE LAST WRITE WHOSE TOKEN WAS RECEIVED");
}

void add_totals(const LossReport& report, std::vector<std::string>& lines) {
  std::size_t held = 0, voided = 0;
  for (const LostWrite& lost : report.lost) {
    if (lost.is_void)
      ++voided;
    else if (lost.data_held)
      ++held;
  }
  lines.push_back("BETWEEN A AND B: TOTAL=" + std::to_string(report.lost.size()) + " HELD=" + std::to_string(held) +
                  " MISSING=" + std::to_string(report.lost.size() - held - voided) + " VOID=" + std::to_string(voided));
}

void add_tokens(const LossReport& report, std::size_t max_tokens, std::vector<std::string>& lines) {
  if (report.lost.empty()) return;
  const std::size_t shown = max_tokens == 0 || report.lost.size() < max_tokens ? report.lost.size() : max_tokens;
  lines.push_back(token_heading() + " DATA");
  for (std::size_t i = 0; i < shown; ++i) {
    const LostWrite& lost = report.lost[i];
    lines.push_back(token_columns(lost.token, report.volumes) + (lost.is_void ? " VOID" : lost.data_held ? " HELD" : " MISSING"));
  }
  if (shown < report.lost.size()) lines.push_back(std::to_string(report.lost.size() - shown) + " MORE NOT SHOWN");
}

void add_beyond(const LossReport& report, std::vector<std::string>& lines) {
  if (report.ended_in_order) {
    lines.push_back("BEYOND B: NOTHING, THE SESSION WAS ENDED IN ORDER");
    return;
  }
  lines.push_back(
      "BEYOND B: NOT KNOWN AT THIS SITE. WRITES MADE AT THE PRIMARY AFTER THE LAST TOKEN RECEIVED CANNOT BE NAMED OR COUNTED HERE");
  if (report.last_heard == 0)
    lines.push_back("LAST HEARD FROM THE PRIMARY: NOTHING IN THIS SESSION");
  else
    lines.push_back("LAST HEARD FROM THE PRIMARY: " + tod_text(report.last_heard) + " BY ITS OWN CLOCK");
}

}  // namespace

std::vector<std::string> loss_report_lines(const LossReport& report, std::size_t max_tokens) {
  std::vector<std::string> lines;
  add_points(report, lines);
  add_totals(report, lines);
  add_tokens(report, max_tokens, lines);
  add_beyond(report, lines);
  return lines;
}

}  // namespace afterimage
