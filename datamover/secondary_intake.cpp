// The secondary's checks of a message.
#include "datamover/secondary_intake.h"

#include "datamover/token_text.h"
#include "serializer/canary.h"
#include "serializer/check.h"

namespace afterimage {

namespace {

std::string number(std::uint64_t value) { return std::to_string(value); }

using Objected = std::optional<Objection>;
Objected object(ExceptionCode code, Sequence sequence, std::string text) { return Objection{code, sequence, std::move(text)}; }

std::string geometry_text(const VolumeDescriptor& volume) {
  return "a " + hex_text(volume.device_type, 4) + " of " + number(volume.cylinders) + " cylinders, " + number(volume.heads) + " heads, " +
         number(volume.track_bytes) + " bytes per track";
}

Objected object_to_m1(const Message& message, const PendingWriteQueue& queue, const std::vector<VolumeDescriptor>& volumes, Tod known_tod,
                      bool replaying) {
  Sequence known = queue.known_through();
  for (const Token& token : message.m1) {
    if (replaying && token.sequence <= queue.applied_through()) continue;
    if (token.sequence != known + 1)
      return object(ExceptionCode::kContinuity, token.sequence,
                    "Token " + number(token.sequence) + " came in M1 of message " + number(message.m0.message_number) + " where token " +
                        number(known + 1) + " was expected; the link is dropped.");
    if (token.tod <= known_tod)
      return object(
          ExceptionCode::kContinuity, token.sequence,
          "The stamp of token " + number(token.sequence) + " is not later than that of the token before it; the link is dropped.");
    const Status address = check_address(token, volumes);
    if (!address) return object(ExceptionCode::kMisaddressed, token.sequence, address.text());
    known = token.sequence;
    known_tod = token.tod;
  }
  const Sequence last = message.m0.last_sequence;
  if (last != known && !(replaying && last < queue.applied_through()))
    return object(ExceptionCode::kContinuity, last,
                  "M0 of message " + number(message.m0.message_number) + " names " + number(last) + " as the last token and M1 ends with " +
                      number(known) + "; the link is dropped.");
  return {};
}

// The M1 token of this message with that sequence number, or null. M1 is contiguous by now. A number before the first wraps round to an
// index behind the last.
const Token* in_m1(const Message& message, Sequence sequence) {
  if (message.m1.empty()) return nullptr;
  const Sequence index = sequence - message.m1.front().sequence;
  return index < message.m1.size() ? &message.m1[index] : nullptr;
}

bool is_settled(const PendingWriteQueue& queue, Sequence sequence) {
  const PendingWrite* entry = queue.find(sequence);
  return entry != nullptr && entry->condition != EntryCondition::kIncomplete;
}

Objected object_to_m2(const Message& message, const PendingWriteQueue& queue, bool replaying) {
  for (const M2Field& field : message.m2) {
    const Sequence sequence = field.token.sequence;
    // When it came its write may have been given out already, and what comes for such a one is not looked at: a journal with it in must be
    // read again.
    if (replaying && is_settled(queue, sequence)) continue;
    const bool is_void = (field.flags & kM2Void) != 0;
    const std::size_t bytes = is_void ? field.token.data_length : field.data.size();
    const Token* announced = sequence > queue.known_through() ? in_m1(message, sequence) : nullptr;
    const bool same = announced != nullptr && (*announced == field.token || planted(Canary::kDataMatchedBySequence));
    if (same && bytes == field.token.data_length) continue;
    if (announced != nullptr)
      return object(ExceptionCode::kMisaddressed, sequence,
                    "The data of token " + number(sequence) + " does not name the address and length its token in M1 did; it is refused.");
    const Status matched = queue.check_data(field.token, bytes);
    if (!matched) return object(ExceptionCode::kMisaddressed, sequence, matched.text());
  }
  return {};
}

}  // namespace

Status check_address(const Token& token, const std::vector<VolumeDescriptor>& volumes) {
  const std::string name = "Token " + number(token.sequence);
  if (token.volume >= volumes.size())
    return Status::error(name + " names volume number " + number(token.volume) + ", and the session has " + number(volumes.size()) +
                         " volumes; it is refused.");
  const VolumeDescriptor& volume = volumes[token.volume];
  if (token.cylinder >= volume.cylinders || token.head >= volume.heads)
    return Status::error(name + " names cylinder " + number(token.cylinder) + " head " + number(token.head) + " of volume " +
                         volume.volser + ", which is " + geometry_text(volume) + "; it is refused.");
  if (!token_is_well_formed(token)) return Status::error(name + " for volume " + volume.volser + " is not well formed; it is refused.");
  const std::uint64_t tracks = std::uint64_t{volume.cylinders} * volume.heads;
  for (unsigned i = 0; i < token.range_count; ++i) {
    const TrackRange& range = token.ranges[i];
    if (range.track >= tracks || std::uint32_t{range.offset} + range.length > volume.track_bytes)
      return Status::error(name + " names bytes " + number(range.offset) + " to " + number(std::uint32_t{range.offset} + range.length) +
                           " of track " + number(range.track) + " of volume " + volume.volser + ", which is " + geometry_text(volume) +
                           "; it is refused.");
  }
  return Status::ok();
}

std::string why_not_volumes(const std::vector<VolumeDescriptor>& configured, const std::vector<VolumeDescriptor>& sent) {
  if (configured.size() != sent.size())
    return "The primary's session has " + number(sent.size()) + " volumes and " + number(configured.size()) +
           " are configured here; make both configurations agree.";
  for (std::size_t i = 0; i < sent.size(); ++i) {
    const VolumeDescriptor& here = configured[i];
    const VolumeDescriptor& there = sent[i];
    if (here.volser != there.volser || here.secondary_volser != there.secondary_volser)
      return "Volume " + number(i + 1) + " of the session is " + there.volser + " with secondary " + there.secondary_volser +
             " at the primary and " + here.volser + " with secondary " + here.secondary_volser + " here; make both configurations agree.";
    if (here.device_type != there.device_type || here.cylinders != there.cylinders || here.heads != there.heads ||
        here.track_bytes != there.track_bytes)
      return "Volume " + there.volser + " is " + geometry_text(there) + " at the primary and " + geometry_text(here) +
             " here; a secondary must be of the same type and size.";
  }
  return {};
}

std::optional<Objection> object_to_tokens(const Message& message, const PendingWriteQueue& queue,
                                          const std::vector<VolumeDescriptor>& volumes, Tod known_tod, bool replaying) {
  Objected objection = object_to_m1(message, queue, volumes, known_tod, replaying);
  if (!objection) objection = object_to_m2(message, queue, replaying);
  return objection;
}

void take_tokens(const Message& message, PendingWriteQueue& queue, std::uint64_t journal_position) {
  for (const Token& token : message.m1) {
    const Status taken = queue.add_token(token, journal_position);
    AI_CHECK(taken.good());
  }
  for (const M2Field& field : message.m2) {
    if (is_settled(queue, field.token.sequence)) continue;
    const bool is_void = (field.flags & kM2Void) != 0;
    const Status taken =
        is_void ? queue.add_void(field.token, journal_position) : queue.add_data(field.token, field.data, journal_position);
    AI_CHECK(taken.good());
  }
}

}  // namespace afterimage
