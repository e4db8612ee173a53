// XQUERY reports. Pure.
#include "jcl/xquery_report.h"

#include <algorithm>
#include <cstdio>

#include "jcl/message_catalogue.h"
#include "serializer/tod.h"

namespace afterimage {
namespace {

using Lines = std::vector<std::string>;

std::string shown(const std::optional<std::uint64_t>& number) { return number ? std::to_string(*number) : "UNKNOWN"; }
std::string shown_time(const std::optional<Tod>& time) { return time && *time != 0 ? tod_text(*time) : "UNKNOWN"; }
std::string shown_duration(const std::optional<std::uint64_t>& us) { return us ? duration_text(*us) : "UNKNOWN"; }
std::string shown_hex(std::uint16_t number) {
  char text[8];
  std::snprintf(text, sizeof text, "%04X", static_cast<unsigned>(number));
  return text;
}
std::string percent(const Usage& usage) {
  if (usage.size_bytes == 0) return "0";
  return std::to_string(static_cast<unsigned>(static_cast<double>(std::min(usage.used_bytes, usage.size_bytes)) * 100.0 /
                                              static_cast<double>(usage.size_bytes)));
}
std::string left(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}
std::string right(const std::string& text, std::size_t width) {
  return text.size() < width ? std::string(width - text.size(), ' ') + text : text;
}

std::string report_name(const OperatorCommand& command) {
  switch (command.report) {
    case QueryReport::kSummary:
      return "SUMMARY";
    case QueryReport::kVolume:
      return command.detail ? "DETAIL" : "VOLUME";
    case QueryReport::kStatus:
      return "STATUS";
    case QueryReport::kConfig:
      return "CONFIG";
    case QueryReport::kRecover:
      return "RECOVER";
    case QueryReport::kMaster:
      return "MASTER";
  }
  return "SUMMARY";
}

void add_state(Lines& lines, const SessionFacts& facts) {
  lines.push_back(message("DSMO203I", {facts.site, std::string(role_name(facts.role)), std::string(state_name(facts.state))}));
  if (!facts.stop_reason.empty()) lines.push_back(message("DSMO204I", {shown(facts.stopped_at), facts.stop_reason}));
}

void add_times(Lines& lines, const SessionFacts& facts) {
  lines.push_back(message("DSMO231I", {shown_time(facts.consistency_time), shown_duration(facts.delay_us)}));
  lines.push_back(message("DSMO232I", {std::string(delay_cause_name(facts.cause))}));
  lines.push_back(message("DSMO240I", {shown_duration(facts.exposure_us)}));
}

void add_counts(Lines& lines, const SessionFacts& facts) {
  VolumeCounts counts;
  for (const VolumeRow& row : facts.volumes) counts.add(row.state);
  const auto text = [](std::uint32_t count) { return std::to_string(count); };
  lines.push_back(message("DSMO238I", {text(counts.total), text(counts.dup), text(counts.cpy), text(counts.pnd), text(counts.sus),
                                       text(counts.seq), text(counts.utl)}));
}

std::string row_text(const VolumeRow& row) {
  std::optional<unsigned> sync = row.sync_percent;
  if (!sync && row.state == VolumeState::kDup) sync = 100;
  const auto or_dashes = [](const std::string& text) { return text.empty() ? std::string("---") : text; };
  return left(row.volser, 6) + " " + left(row.secondary_volser, 6) + " " + left(row.error_level, 7) + " " +
         right(sync ? std::to_string(*sync) : "---", 6) + " " + std::string(volume_state_name(row.state)) + " " +
         left(or_dashes(row.command), 3) + " " + left(or_dashes(row.operation), 3) + " " + shown_time(row.consistent);
}

bool selected(const VolumeRow& row, const std::vector<std::string>& volumes) {
  if (volumes.empty()) return true;
  return std::any_of(volumes.begin(), volumes.end(),
                     [&](const std::string& volser) { return volser == row.volser || volser == row.secondary_volser; });
}

void add_volumes(XqueryAnswer& answer, const SessionFacts& facts, const OperatorCommand& command) {
  answer.lines.push_back(message("DSMO210I", {"PRIM   SEC    ERROR   SYNCH%"}));
  answer.lines.push_back(message("DSMO211I", {"VOL    VOL    LEVEL          STA CMD OP  TIMESTAMP"}));
  for (const VolumeRow& row : facts.volumes) {
    if (!selected(row, command.volumes)) continue;
    answer.lines.push_back(message("DSMO212I", {row_text(row)}));
    if (!command.detail) continue;
    answer.lines.push_back(message("DSMO213I", {row.volser, shown(row.writes), shown(row.bytes), shown(row.unflushed),
                                                shown(row.unacknowledged), shown(row.residual_tracks)}));
  }
  for (const std::string& volser : command.volumes) {
    const bool known =
        std::any_of(facts.volumes.begin(), facts.volumes.end(), [&](const VolumeRow& row) { return selected(row, {volser}); });
    if (known) continue;
    answer.lines.push_back(message("DSMO215W", {volser, facts.session}));
    answer.return_code = 4;
  }
}

void add_status(Lines& lines, const SessionFacts& facts) {
  const LinkFacts& link = facts.link;
  lines.push_back(message("DSMO220I", {link.up ? "UP" : "DOWN", link.local_lu, link.peer_lu}));
  if (!link.up && !link.reason.empty()) lines.push_back(message("DSMO221I", {link.reason}));
  if (link.last_heard) lines.push_back(message("DSMO222I", {shown_time(link.last_heard)}));
  const SequenceFacts& at = facts.sequences;
  lines.push_back(message("DSMO223I", {shown(at.numbered), shown(at.sent), shown(at.acknowledged), shown(at.applied)}));
  if (at.point_a || at.point_b)
    lines.push_back(message("DSMO224I", {shown(at.point_a), shown(at.point_b), shown(at.pending_tokens), shown(at.pending_bytes)}));
  if (facts.ring)
    lines.push_back(
        message("DSMO225I", {std::to_string(facts.ring->used_bytes), std::to_string(facts.ring->size_bytes), percent(*facts.ring)}));
  if (facts.journal)
    lines.push_back(message(
        "DSMO226I", {std::to_string(facts.journal->used_bytes), std::to_string(facts.journal->size_bytes), percent(*facts.journal)}));
  if (facts.pace_count) lines.push_back(message("DSMO227I", {shown(facts.pace_count), shown_duration(facts.pace_us)}));
  if (link.messages) lines.push_back(message("DSMO228I", {shown(link.messages), shown(link.bytes), shown(link.resent)}));
  if (facts.verify_differences != 0) lines.push_back(message("DSMO229W", {std::to_string(facts.verify_differences)}));
}

void add_config(Lines& lines, const SessionFacts& facts) {
  const ConfigFacts& config = facts.config;
  const auto text = [](std::uint64_t number) { return std::to_string(number); };
  lines.push_back(message("DSMO250I", {config.error_level, text(facts.epoch)}));
  lines.push_back(
      message("DSMO251I", {text(config.ring_bytes), text(config.message_bytes), text(config.window_bytes), text(config.interval_ms)}));
  lines.push_back(message("DSMO252I", {text(config.pace_limit_ms), text(config.freeze_limit_ms)}));
  lines.push_back(message("DSMO253I", {text(config.journal_bytes), text(config.journal_files)}));
  lines.push_back(message("DSMO254I", {text(config.heartbeat_limit_us / 1000), std::string(action_name(config.action))}));
  for (const VolumeRow& row : facts.volumes) {
    lines.push_back(
        message("DSMO255I", {row.volser, row.secondary_volser, row.system, shown_hex(row.device_number), shown_hex(row.device_type)}));
  }
}

void add_recovery(Lines& lines, const SessionFacts& facts) {
  if (!facts.recovery) {
    lines.push_back(message("DSMO264I", {facts.peer_site}));
    return;
  }
  const RecoveryFacts& recovery = *facts.recovery;
  const std::string through = std::to_string(recovery.point_a);
  if (recovery.complete) {
    lines.push_back(message("DSMO262I", {through, shown_time(recovery.point_a_time), std::to_string(recovery.lost)}));
  } else {
    lines.push_back(message("DSMO260I", {through, shown_time(recovery.point_a_time)}));
    const std::uint64_t held = std::min(recovery.lost_held, recovery.lost);
    lines.push_back(message("DSMO261I", {std::to_string(recovery.lost), std::to_string(held), std::to_string(recovery.lost - held)}));
  }
  lines.push_back(message("DSMO263I", {std::to_string(recovery.point_b)}));
}

}  // namespace

XqueryAnswer xquery_report(const SessionFacts& facts, const OperatorCommand& command) {
  XqueryAnswer answer;
  Lines& lines = answer.lines;
  const std::string name = report_name(command);
  const std::string number = std::to_string(facts.report_number % 1000);
  lines.push_back(message("DSMO200I", {facts.session, facts.as_name}));
  lines.push_back(message("DSMO202I", {name, std::string(3 - number.size(), '0') + number}));
  add_state(lines, facts);
  switch (command.report) {
    case QueryReport::kSummary:
      add_counts(lines, facts);
      add_times(lines, facts);
      break;
    case QueryReport::kVolume:
      add_volumes(answer, facts, command);
      add_counts(lines, facts);
      add_times(lines, facts);
      break;
    case QueryReport::kStatus:
      add_status(lines, facts);
      if (command.detail || !command.volumes.empty()) add_volumes(answer, facts, command);
      add_times(lines, facts);
      break;
    case QueryReport::kConfig:
      add_config(lines, facts);
      break;
    case QueryReport::kRecover:
      add_recovery(lines, facts);
      break;
    case QueryReport::kMaster:
      lines.push_back(message("DSMO270I", {facts.session}));
      break;
  }
  lines.push_back(message("DSMO201I", {name, facts.session}));
  lines.push_back(message("DSMO299I"));
  return answer;
}

std::vector<std::string> multi_line_answer(const std::string& title, const std::vector<std::string>& lines) {
  Lines out{message("DSMO300I", {title})};
  out.insert(out.end(), lines.begin(), lines.end());
  out.push_back(message("DSMO299I"));
  return out;
}

}  // namespace afterimage
