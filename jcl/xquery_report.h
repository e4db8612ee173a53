// The answers to XQUERY, line by line, from plain facts. Pure, thread safe.
// What a site cannot know is left empty and shown as UNKNOWN: nothing is guessed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "automation/delay_cause.h"
#include "automation/failure_monitor.h"
#include "automation/volume_state.h"
#include "jcl/operator_command.h"

namespace afterimage {

struct VolumeRow {
  std::string volser, secondary_volser, system;
  std::string error_level = "SESSION";
  std::uint16_t device_number = 0, device_type = 0;
  VolumeState state = VolumeState::kPnd;
  std::optional<unsigned> sync_percent;  // 100 for DUP when empty, else UNKNOWN
  std::string command;                   // last command that concerned it: "XST", "XSU"; empty: shown as ---
  std::string operation;                 // under way: "VER"; empty: shown as ---
  std::optional<Tod> consistent;         // its copy holds everything written up to here
  // DETAIL
  std::optional<std::uint64_t> writes, bytes, unflushed, unacknowledged, residual_tracks;
};

struct LinkFacts {
  bool up = false;
  std::string local_lu, peer_lu;
  std::string reason;  // why it is down, a sentence; empty: not known
  std::optional<Tod> last_heard;
  std::optional<std::uint64_t> messages, bytes, resent;
};

struct SequenceFacts {
  std::optional<Sequence> numbered, sent, acknowledged, applied;  // as in DSMO223I
  std::optional<Sequence> point_a, point_b;                       // of the pending write queue (secondary)
  std::optional<std::uint64_t> pending_tokens, pending_bytes;
};

struct Usage {
  std::uint64_t used_bytes = 0, size_bytes = 0;
};

struct ConfigFacts {
  std::string error_level = "SESSION";
  std::uint64_t ring_bytes = 0, message_bytes = 0, window_bytes = 0, journal_bytes = 0;
  std::uint32_t interval_ms = 0, pace_limit_ms = 0, freeze_limit_ms = 0, journal_files = 0;
  std::uint64_t heartbeat_limit_us = 0;
  LossAction action = LossAction::kNone;
};

// What a recovery would give now, or has given (secondary).
struct RecoveryFacts {
  bool complete = false;
  Sequence point_a = 0, point_b = 0;
  std::optional<Tod> point_a_time;
  std::uint64_t lost = 0, lost_held = 0;  // tokens A+1..B; of these: their data is held
};

struct SessionFacts {
  std::string session, site, peer_site;
  std::string as_name = "DSM";
  unsigned report_number = 1;  // counts the reports of this started task
  SiteRole role = SiteRole::kPrimary;
  OperatorState state = OperatorState::kInactive;
  std::uint64_t epoch = 0;
  std::optional<Sequence> stopped_at;  // suspended or frozen
  std::string stop_reason;
  std::optional<Tod> consistency_time;       // the copy is exactly what the primary held then
  std::optional<std::uint64_t> delay_us;     // how far behind
  std::optional<std::uint64_t> exposure_us;  // what would be lost now
  DelayCause cause = DelayCause::kNone;
  LinkFacts link;
  SequenceFacts sequences;
  std::optional<Usage> ring, journal;
  std::optional<std::uint64_t> pace_count, pace_us;
  std::uint64_t verify_differences = 0;
  ConfigFacts config;
  std::optional<RecoveryFacts> recovery;  // only at the secondary
  std::vector<VolumeRow> volumes;         // all of the session; the report selects
};

// The report that the command asks for, from DSMO200I to DSMO299I. The return code of the answer is 4 if a volume named in the
// command is not in the session, else 0.
struct XqueryAnswer {
  int return_code = 0;
  std::vector<std::string> lines;
};
XqueryAnswer xquery_report(const SessionFacts& facts, const OperatorCommand& command);

// Any other answer of several lines: DSMO300I TITLE, the lines as they are, DSMO299I END.
std::vector<std::string> multi_line_answer(const std::string& title, const std::vector<std::string>& lines);

}  // namespace afterimage
