// Lines of the pending write queue's display.
#include "datamover/queue_display.h"

#include <algorithm>

#include "datamover/token_text.h"

namespace afterimage {

namespace {

// Code page 037, one character for each byte value from X'00' to X'FF'.
constexpr char kEbcdic[257] =
    "................................................................"
    " ...........<(+|&.........!$*);.-/.........,%_>?.........`:#@'=\""
    ".abcdefghi.......jklmnopqr.......~stuvwxyz......^.........[]...."
    "{ABCDEFGHI......}JKLMNOPQR......\\.STUVWXYZ......0123456789......";

const char* condition_text(EntryCondition condition) {
  switch (condition) {
    case EntryCondition::kIncomplete:
      return "INCOMPLETE";
    case EntryCondition::kComplete:
      return "COMPLETE";
    case EntryCondition::kVoid:
      return "VOID";
  }
  return "?";
}

std::string totals_line(const PendingWriteQueue& queue) {
  std::size_t complete = 0, voided = 0;
  for (const PendingWrite& entry : queue.all()) {
    if (entry.condition == EntryCondition::kComplete) ++complete;
    if (entry.condition == EntryCondition::kVoid) ++voided;
  }
  return "ENTRIES=" + std::to_string(queue.entries()) + " COMPLETE=" + std::to_string(complete) +
         " INCOMPLETE=" + std::to_string(queue.entries() - complete - voided) + " VOID=" + std::to_string(voided) +
         " BYTES=" + std::to_string(queue.data_bytes());
}

std::string dump_line(std::uint32_t offset, std::span<const std::uint8_t> bytes) {
  std::string hex, text;
  for (std::size_t i = 0; i < 16; ++i) {
    if (i != 0 && i % 4 == 0) hex += ' ';
    hex += i < bytes.size() ? hex_text(bytes[i], 2) : "  ";
    if (i < bytes.size()) text += ebcdic_to_ascii(bytes[i]);
  }
  return "+" + hex_text(offset, 4) + "  " + hex + "  *" + text + "*";
}

void dump_range(std::uint32_t offset, std::span<const std::uint8_t> bytes, std::vector<std::string>& lines) {
  for (std::size_t at = 0; at < bytes.size(); at += 16)
    lines.push_back(dump_line(offset + static_cast<std::uint32_t>(at), bytes.subspan(at, std::min<std::size_t>(16, bytes.size() - at))));
}

}  // namespace

char ebcdic_to_ascii(std::uint8_t byte) { return kEbcdic[byte]; }

std::vector<std::string> queue_display_lines(const PendingWriteQueue& queue, const std::vector<VolumeDescriptor>& volumes,
                                             std::size_t most) {
  std::vector<std::string> lines;
  lines.push_back("APPLIED THROUGH " + std::to_string(queue.applied_through()) + ", POINT A " + std::to_string(queue.complete_through()) +
                  ", POINT B " + std::to_string(queue.known_through()));
  lines.push_back(totals_line(queue));
  if (queue.entries() == 0) return lines;
  lines.push_back(token_heading() + " CONDITION");
  std::size_t shown = 0;
  bool marked = queue.complete_through() == queue.applied_through();
  if (marked) lines.push_back("----- A: NOTHING BELOW MAY BE APPLIED YET");
  for (const PendingWrite& entry : queue.all()) {
    if (most != 0 && shown == most) break;
    ++shown;
    lines.push_back(token_columns(entry.token, volumes) + " " + condition_text(entry.condition));
    if (!marked && entry.token.sequence == queue.complete_through()) lines.push_back("----- A: NOTHING BELOW MAY BE APPLIED YET");
  }
  if (shown < queue.entries()) lines.push_back(std::to_string(queue.entries() - shown) + " MORE NOT SHOWN");
  return lines;
}

Result<std::vector<std::string>> held_data_lines(const PendingWriteQueue& queue, const std::vector<VolumeDescriptor>& volumes,
                                                 Sequence sequence) {
  using Lines = std::vector<std::string>;
  const std::string name = "Token " + std::to_string(sequence);
  const PendingWrite* entry = queue.find(sequence);
  if (entry == nullptr)
    return failed<Lines>(Status::error(name + " is not in the pending write queue, which holds tokens after " +
                                       std::to_string(queue.applied_through()) + " up to " + std::to_string(queue.known_through()) + "."));
  if (entry->condition == EntryCondition::kIncomplete) return failed<Lines>(Status::error("The data of " + name + " has not arrived."));
  if (entry->condition == EntryCondition::kVoid)
    return failed<Lines>(Status::error(name + " is void: its write never reached the primary's volume, so it has no data."));
  Lines lines{token_heading(), token_columns(entry->token, volumes)};
  std::span<const std::uint8_t> rest(entry->data);
  if (entry->token.kind == TokenKind::kVerify) {
    lines.push_back("DIGEST");
    dump_range(0, rest, lines);
    return result_of(std::move(lines));
  }
  for (unsigned i = 0; i < entry->token.range_count; ++i) {
    const TrackRange& range = entry->token.ranges[i];
    lines.push_back("TRACK " + std::to_string(range.track) + " BYTES " + std::to_string(range.length));
    dump_range(range.offset, rest.first(range.length), lines);
    rest = rest.subspan(range.length);
  }
  return result_of(std::move(lines));
}

}  // namespace afterimage
