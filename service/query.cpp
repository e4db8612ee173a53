// io: see query.h.
#include "service/query.h"

#include <algorithm>
#include <cstdio>

#include "datamover/queue_display.h"
#include "jcl/message_catalogue.h"
#include "jcl/xquery_report.h"
#include "serializer/storage_display.h"

namespace afterimage {

namespace {

// A session that is being ended is not INACTIVE before it has ended.
OperatorState state_at_primary(const PrimaryFacts& facts) {
  return facts.epoch != 0 && facts.state == SessionState::kInactive ? OperatorState::kSuspended : operator_state(facts.state);
}

ConfigFacts config_facts(const SessionConfig& session, std::uint64_t ring_bytes) {
  ConfigFacts facts;
  facts.ring_bytes = ring_bytes;
  facts.message_bytes = session.buffers.message_bytes;
  facts.window_bytes = session.buffers.window_bytes;
  facts.journal_bytes = session.journal.bytes;
  facts.interval_ms = session.buffers.interval_ms;
  facts.pace_limit_ms = session.buffers.pace_limit_ms;
  facts.freeze_limit_ms = session.buffers.freeze_limit_ms;
  facts.journal_files = session.journal.files;
  facts.heartbeat_limit_us = std::uint64_t{session.failure.heartbeat_ms} * 1000;
  facts.action = session.failure.action;
  return facts;
}

// A copy that is at the present has no delay, however old its last write.
std::uint64_t between_us(Tod earlier, Tod later) { return later > earlier ? tod_to_us(later) - tod_to_us(earlier) : 0; }

VolumeRow primary_row(PrimaryNode& node, std::uint32_t index, const PrimaryFacts& facts, const StorageFacts& storage) {
  const VolumeDescriptor& volume = node.settings().volumes[index].descriptor;
  VolumeRow row;
  row.volser = volume.volser;
  row.secondary_volser = volume.secondary_volser;
  row.system = volume.system;
  row.device_number = volume.device_number;
  row.device_type = volume.device_type;
  VolumeFacts state;
  state.role = SiteRole::kPrimary;
  state.session = state_at_primary(facts);
  state.established = facts.acknowledged.message_number != 0;
  const auto found =
      std::find_if(storage.devices.begin(), storage.devices.end(), [index](const DeviceFacts& device) { return device.volume == index; });
  if (found != storage.devices.end()) {
    const DeviceFacts& device = *found;
    state.duplex = (device.duplex & kDuplex) != 0;
    state.volume_suspended = (device.duplex & kVolumeSuspended) != 0;
    state.pending = (device.duplex & kPending) != 0;
    state.lost = device.state == DeviceState::kLost;
    row.writes = device.tokens;
    row.bytes = device.bytes;
    row.residual_tracks = device.changed_tracks;
    row.unflushed = node.unflushed(device.index);
  }
  row.state = volume_state(state);
  if (facts.acknowledged.consistent_time != 0) row.consistent = facts.acknowledged.consistent_time;
  return row;
}

LinkFacts link_facts(bool up, const std::string& local, const std::string& peer, const std::string& reason) {
  LinkFacts link;
  link.up = up;
  link.local_lu = local;
  link.peer_lu = peer;
  link.reason = reason;
  return link;
}

SessionFacts primary_session(PrimaryNode& node, const SessionConfig& session, const SiteConfig& site) {
  const PrimaryFacts facts = node.facts();
  const StorageFacts storage = storage_display(node.storage());
  SessionFacts report;
  report.session = session.name;
  report.site = site.name;
  report.peer_site = session.secondary;
  report.role = SiteRole::kPrimary;
  report.state = state_at_primary(facts);
  report.epoch = facts.epoch;
  if (facts.state == SessionState::kSuspended || facts.state == SessionState::kFrozen) {
    report.stopped_at = facts.suspended_at;
    report.stop_reason = text_of(facts.reason);
  }
  report.link = link_facts(facts.link_up, node.settings().mover.local_lu, node.settings().peer.lu, facts.link_reason);
  report.link.messages = facts.counters.messages_sent;
  report.link.bytes = facts.counters.bytes_sent;
  report.link.resent = facts.counters.resent_messages;
  report.ring = Usage{facts.ring_used, facts.ring_bytes};
  report.pace_count = facts.pace_count;
  report.pace_us = facts.pace_us;
  report.verify_differences = facts.differences;
  report.config = config_facts(session, facts.ring_bytes);
  for (std::uint32_t i = 0; i < node.settings().volumes.size(); ++i) report.volumes.push_back(primary_row(node, i, facts, storage));
  if (facts.epoch == 0) return report;
  report.sequences.numbered = facts.numbered;
  report.sequences.sent = facts.sent;
  report.sequences.acknowledged = facts.acknowledged.complete_through;
  report.sequences.applied = facts.acknowledged.applied_through;
  DelayFacts delay;
  if (facts.acknowledged.consistent_time != 0) {
    report.consistency_time = facts.acknowledged.consistent_time;
    report.delay_us = between_us(facts.acknowledged.consistent_time, facts.now);
    delay.delay_us = *report.delay_us;
  }
  // Once suspended, every write since the cut would be lost, numbered or not.
  if (facts.state == SessionState::kSuspended && report.delay_us)
    report.exposure_us = report.delay_us;
  else
    report.exposure_us = facts.oldest_unacknowledged == 0 ? 0 : between_us(facts.oldest_unacknowledged, facts.now);
  delay.link_up = facts.link_up;
  delay.ring_used_bytes = facts.ring_used;
  delay.ring_bytes = facts.ring_bytes;
  delay.unsent_tokens = facts.numbered - std::min(facts.numbered, facts.sent);
  delay.unacknowledged_tokens = facts.sent - std::min(facts.sent, facts.acknowledged.complete_through);
  for (const VolumeRow& row : report.volumes) delay.unflushed_tokens += row.unflushed.value_or(0);
  delay.unapplied_tokens =
      facts.acknowledged.complete_through - std::min(facts.acknowledged.complete_through, facts.acknowledged.applied_through);
  report.cause = delay_cause(delay);
  return report;
}

RecoveryFacts recovery_facts(SecondaryNode& node, const SecondaryFacts& facts) {
  RecoveryFacts recovery;
  if (const auto done = node.core().report()) {
    recovery.complete = true;
    recovery.point_a = done->point_a;
    recovery.point_a_time = done->point_a_time;
    recovery.point_b = done->point_b;
    recovery.lost = done->lost.size();
    for (const LostWrite& write : done->lost) recovery.lost_held += write.data_held ? 1 : 0;
    return recovery;
  }
  const PendingWriteQueue& queue = node.core().queue();
  recovery.point_a = facts.complete;
  recovery.point_b = facts.known;
  if (const PendingWrite* last = queue.find(facts.complete))
    recovery.point_a_time = last->token.tod;
  else if (facts.applied == facts.complete && facts.consistency_time != 0)
    recovery.point_a_time = facts.consistency_time;
  recovery.lost = facts.known - facts.complete;
  for (const PendingWrite& write : queue.all()) {
    if (write.token.sequence > facts.complete && write.condition == EntryCondition::kComplete) ++recovery.lost_held;
  }
  return recovery;
}

SessionFacts secondary_session(SecondaryNode& node, const SessionConfig& session, const SiteConfig& site) {
  const SecondaryFacts facts = node.facts();
  SessionFacts report;
  report.session = session.name;
  report.site = site.name;
  report.peer_site = session.primary;
  report.role = SiteRole::kSecondary;
  report.state = operator_state(facts.state);
  report.epoch = facts.epoch;
  report.link = link_facts(facts.link_up, node.settings().local.lu, node.settings().peer_lu, facts.link_reason);
  if (facts.last_heard != 0) report.link.last_heard = facts.last_heard;
  report.journal = Usage{facts.journal_bytes - std::min(facts.journal_bytes, facts.journal_free), facts.journal_bytes};
  report.verify_differences = facts.differences;
  report.config = config_facts(session, 0);
  report.sequences.applied = facts.applied;
  report.sequences.point_a = facts.complete;
  report.sequences.point_b = facts.known;
  report.sequences.pending_tokens = facts.queue_entries;
  report.sequences.pending_bytes = facts.queue_bytes;
  DelayFacts delay;
  if (facts.consistency_time != 0) {
    report.consistency_time = facts.consistency_time;
    report.delay_us = between_us(facts.consistency_time, facts.now);
    delay.delay_us = *report.delay_us;
  }
  delay.link_up = facts.link_up;
  delay.unapplied_tokens = facts.complete - std::min(facts.complete, facts.applied);
  delay.journal_used_bytes = report.journal->used_bytes;
  delay.journal_bytes = facts.journal_bytes;
  report.cause = delay_cause(delay);
  report.recovery = recovery_facts(node, facts);
  for (const VolumeDescriptor& volume : node.settings().mover.volumes) {
    VolumeRow row;
    row.volser = volume.volser;
    row.secondary_volser = volume.secondary_volser;
    row.system = volume.system;
    row.device_number = volume.device_number;
    row.device_type = volume.device_type;
    VolumeFacts state;
    state.role = SiteRole::kSecondary;
    state.session = report.state;
    state.duplex = facts.epoch != 0;
    state.established = facts.epoch != 0;
    row.state = volume_state(state);
    if (facts.consistency_time != 0) row.consistent = facts.consistency_time;
    report.volumes.push_back(std::move(row));
  }
  return report;
}

Answer shaped(SessionFacts facts, const OperatorCommand& command, unsigned report_number) {
  facts.report_number = report_number;
  XqueryAnswer answer = xquery_report(facts, command);
  return {answer.return_code, std::move(answer.lines)};
}

std::string hexadecimal(std::uint32_t value) {
  char text[16];
  std::snprintf(text, sizeof text, "%04X", value);
  return text;
}

}  // namespace

Answer query_primary(PrimaryNode& node, const SessionConfig& session, const SiteConfig& site, const OperatorCommand& command,
                     unsigned report_number) {
  return shaped(primary_session(node, session, site), command, report_number);
}

Answer query_secondary(SecondaryNode& node, const SessionConfig& session, const SiteConfig& site, const OperatorCommand& command,
                       unsigned report_number) {
  return shaped(secondary_session(node, session, site), command, report_number);
}

Answer display_pending_writes(SecondaryNode& node, const OperatorCommand& command) {
  const PendingWriteQueue& queue = node.core().queue();
  if (command.sequence == 0)
    return {0, multi_line_answer("PENDING WRITE QUEUE OF SESSION " + node.settings().mover.session,
                                 queue_display_lines(queue, node.core().volumes(), command.max_lines))};
  auto held = held_data_lines(queue, node.core().volumes(), command.sequence);
  if (!held.good()) return {8, {message("DSMO004E", {held.status.text()})}};
  return {0, multi_line_answer("DATA HELD FOR TOKEN " + std::to_string(command.sequence) + ", NOT APPLIED", held.value)};
}

Answer check_recovery(SecondaryNode& node, const SessionConfig& session, const SiteConfig& site, unsigned report_number) {
  OperatorCommand command;
  command.verb = SessionCommand::kXquery;
  command.session = session.name;
  command.report = QueryReport::kRecover;
  return query_secondary(node, session, site, command, report_number);
}

Answer active_primary(PrimaryNode& node, const SessionConfig& session, const SiteConfig& site) {
  const PrimaryFacts facts = node.facts();
  std::vector<std::string> lines = {"DSM AT SITE " + site.name + ", PRIMARY OF SESSION " + session.name + ", " +
                                    std::string(state_name(state_at_primary(facts)))};
  for (const SystemFacts& system : storage_display(node.storage()).systems)
    lines.push_back("SYSTEM " + system.name +
                    (system.alive ? " PROCESS " + std::to_string(system.pid) + " AFTERIMAGE " + system.product_version
                                  : std::string(" IS NOT RUNNING")));
  return {0, multi_line_answer("ACTIVE", lines)};
}

Answer active_secondary(SecondaryNode& node, const SessionConfig& session, const SiteConfig& site) {
  const SecondaryFacts facts = node.facts();
  return {0, multi_line_answer("ACTIVE", {"DSM AT SITE " + site.name + ", SECONDARY OF SESSION " + session.name + ", " +
                                          std::string(state_name(operator_state(facts.state)))})};
}

std::vector<std::string> storage_lines(CommonStorage& storage) {
  const StorageFacts facts = storage_display(storage);
  std::vector<std::string> lines = {
      "PLEX=" + facts.plex + " LAYOUT=" + std::to_string(facts.layout) + " MADE BY AFTERIMAGE " + facts.product_version + " AT " +
          tod_text(facts.created),
      "SESSION=" + (facts.session.empty() ? "NONE" : facts.session) + " STATE=" + text_of(facts.control.state) +
          " EPOCH=" + std::to_string(facts.epoch),
      "NUMBERED=" + std::to_string(facts.control.sequence) + " ACKNOWLEDGED=" + std::to_string(facts.acknowledged_through) +
          " FREED=" + std::to_string(facts.freed_through),
      "RING=" + std::to_string(facts.ring_bytes) + " USED=" + std::to_string(facts.ring_bytes_used) +
          " CHUNKS=" + std::to_string(facts.chunks) + " FREE=" + std::to_string(facts.chunks_free),
      "MOVER " + (facts.mover_alive ? "PROCESS " + std::to_string(facts.mover_pid) : std::string("IS NOT RUNNING"))};
  for (const SystemFacts& system : facts.systems)
    lines.push_back("SYSTEM " + system.name + (system.alive ? " PROCESS " + std::to_string(system.pid) : std::string(" IS NOT RUNNING")));
  for (const DeviceFacts& device : facts.devices) {
    lines.push_back("VOLUME " + device.volser + " SYSTEM=" + device.system + " DEVICE=" + hexadecimal(device.device_number) + " " +
                    text_of(device.state) + " LAST=" + std::to_string(device.last_sequence) +
                    " FLUSHED=" + std::to_string(device.flushed_sequence) + " TOKENS=" + std::to_string(device.tokens) +
                    " BYTES=" + std::to_string(device.bytes) + " CHANGED=" + std::to_string(device.changed_tracks) +
                    " UNHARDENED=" + std::to_string(device.unhardened_tracks));
  }
  return lines;
}

}  // namespace afterimage
