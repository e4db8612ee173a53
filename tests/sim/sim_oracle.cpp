// The oracle's log: what guests wrote, what was numbered, voided, sent, acknowledged.
#include "tests/sim/sim_oracle.h"

#include <algorithm>
#include <utility>

namespace afterimage::sim {

namespace {
std::string number(std::uint64_t value) { return std::to_string(value); }
}  // namespace

std::size_t used_part(std::span<const std::uint8_t> track) {
  std::size_t at = 5;
  while (at + 8 <= track.size()) {
    if (std::all_of(track.begin() + static_cast<std::ptrdiff_t>(at), track.begin() + static_cast<std::ptrdiff_t>(at + 8),
                    [](std::uint8_t b) { return b == 0xFF; }))
      return at + 8;
    at += 8u + track[at + 5] + static_cast<std::size_t>(track[at + 6] << 8 | track[at + 7]);
  }
  return track.size();
}

Oracle::Oracle(Schedule& schedule, std::vector<OracleVolume> volumes, SimDisk& primary, SimDisk& secondary)
    : schedule_(schedule), volumes_(std::move(volumes)), primary_(primary), secondary_(secondary), states_(volumes_.size()) {
  for (unsigned v = 0; v < volumes_.size(); ++v) take_live_from_file(v);
}

Oracle::Image Oracle::read_image(SimDisk& disk, const std::string& path) const {
  Image whole = disk.read_file(path);
  if (whole.size() < kImageHeader_bytes) return {};
  return {whole.begin() + kImageHeader_bytes, whole.end()};
}

void Oracle::take_live_from_file(unsigned volume) {
  states_[volume].live = read_image(primary_, volumes_[volume].image);
  states_[volume].in_buffer.clear();
  states_[volume].ccw = {};
}

std::span<const std::uint8_t> Oracle::live_track(unsigned volume, std::uint32_t track) const {
  const std::size_t bytes = volumes_[volume].geometry.track_bytes;
  return std::span(states_[volume].live).subspan(track * bytes, bytes);
}

void Oracle::fold(Image& image, const Geometry& geometry, const LoggedWrite& write) {
  if (write.is_void || write.kind == TokenKind::kVerify) return;
  for (const Piece& piece : write.pieces)
    std::copy(piece.bytes.begin(), piece.bytes.end(),
              image.begin() + static_cast<std::ptrdiff_t>(std::size_t{piece.track} * geometry.track_bytes + piece.offset));
}

LoggedWrite* Oracle::find(Sequence sequence) {
  if (epoch_ == 0 || sequence < first_ || sequence > last_) return nullptr;
  return &log_[sequence - first_];
}

void Oracle::ccw_begins(unsigned volume) {
  states_[volume].ccw = {};
  states_[volume].ccw.open = true;
}

void Oracle::guest_changed(unsigned volume, std::uint32_t track, std::uint32_t offset, std::span<const std::uint8_t> bytes) {
  VolumeState& state = states_[volume];
  std::copy(bytes.begin(), bytes.end(),
            state.live.begin() + static_cast<std::ptrdiff_t>(std::size_t{track} * volumes_[volume].geometry.track_bytes + offset));
  state.ccw.pieces.push_back({track, offset, {bytes.begin(), bytes.end()}});
}

// Numbered before the guest's I/O ends, or recorded as changed.
void Oracle::ccw_ends(unsigned volume, bool numbered, bool recorded, const std::function<bool(std::uint32_t)>& is_recorded) {
  VolumeState& state = states_[volume];
  OpenCcw& ccw = state.ccw;
  ccw.open = false;
  if (ccw.pieces.empty()) return;
  ++writes_;
  if (!ccw.numbers.empty()) return;
  for (const Piece& piece : ccw.pieces) state.owed.insert(piece.track);
  if (!numbered && !recorded) outside_ = true;
  const std::string which = "a write of volume " + volumes_[volume].volser + " track " + number(ccw.pieces.front().track);
  if (numbered && epoch_ != 0) return fail("order", which + " ended in an active session and has no number");
  if (!recorded) return;
  for (const Piece& piece : ccw.pieces)
    if (!is_recorded(piece.track))
      return fail("proof", which + " was made while the session is suspended, and the track is not recorded as changed");
}

// Volumes whose primary is not what the secondary holds, as records.
void Oracle::find_differences(unsigned volume) {
  if (volume == 0) differs_at_start_ = false;
  const std::size_t bytes = volumes_[volume].geometry.track_bytes;
  for (std::uint32_t track = 0; track < volumes_[volume].geometry.tracks(); ++track) {
    const auto live = live_track(volume, track);
    const auto copy = std::span<const std::uint8_t>(states_[volume].mirrored).subspan(track * bytes, bytes);
    const std::size_t used = used_part(live);
    if (used == used_part(copy) && std::equal(live.begin(), live.begin() + static_cast<std::ptrdiff_t>(used), copy.begin())) continue;
    differs_at_start_ = true;
    difference_ = "volume " + volumes_[volume].volser + " track " + number(track);
  }
}

bool Oracle::differences_possible() const {
  if (differs_at_start_) return true;
  return std::any_of(states_.begin(), states_.end(),
                     [](const VolumeState& state) { return !state.owed.empty() || state.write_back_failed; });
}

void Oracle::copied() {
  outside_ = false;
  for (VolumeState& state : states_) {
    state.owed.clear();
    state.write_back_failed = false;
  }
}

void Oracle::reached_file(unsigned volume) {
  VolumeState& state = states_[volume];
  for (const Sequence sequence : state.in_buffer) {
    if (LoggedWrite* write = find(sequence)) write->in_file = true;
    state.untold.push_back(sequence);
  }
  state.in_buffer.clear();
}

void Oracle::write_back_failed(unsigned volume) {
  states_[volume].write_back_failed = true;
  take_live_from_file(volume);
}

void Oracle::told_flushed(unsigned volume) {
  for (const Sequence sequence : states_[volume].untold)
    if (LoggedWrite* write = find(sequence)) write->told_flushed = true;
  states_[volume].untold.clear();
}

void Oracle::system_died(unsigned system) {
  lives_[system].alive = false;
  for (unsigned v = 0; v < volumes_.size(); ++v) {
    if (volumes_[v].system != system) continue;
    take_live_from_file(v);
    states_[v].untold.clear();
  }
}

void Oracle::system_started(unsigned system) { lives_[system] = {lives_[system].number + 1, true}; }

void Oracle::held(std::uint64_t us, std::uint64_t bound_us) {
  longest_hold_us_ = std::max(longest_hold_us_, us);
  if (us > bound_us) fail("bystander", "a guest was held " + number(us) + " us, and its bound was " + number(bound_us));
}

// The images are copies of one another now, or the comparison will say that they are not.
void Oracle::epoch_begins(std::uint64_t epoch, Sequence last_numbered, bool copied, bool compares) {
  if (last_numbered < last_)
    return fail("order", "a session begins behind number " + number(last_numbered) + " and number " + number(last_) + " was given already");
  for (unsigned v = 0; v < volumes_.size(); ++v) {
    VolumeState& state = states_[v];
    if (copied || epoch_ == 0) {
      state.mirrored = read_image(secondary_, volumes_[v].secondary_image);
    } else {
      for (Sequence sequence = applied_ + 1; sequence <= last_; ++sequence)
        if (log_[sequence - first_].volume == v) fold(state.mirrored, volumes_[v].geometry, log_[sequence - first_]);
    }
    state.in_buffer.clear();
    state.untold.clear();
    find_differences(v);
  }
  // What guests wrote outside of a session nobody sees. What was written in the last one must be equal, or a comparison is asked for.
  if (differs_at_start_ && !compares && !outside_)
    return fail("proof", "a session begins without a comparison, and the sites differ: " + difference_);
  outside_ = false;
  exact_ = copied || epoch_ == 0;
  epoch_ = epoch;
  log_.clear();
  first_ = last_numbered + 1;
  last_ = applied_ = promise_ = known_promise_ = sent_ = last_numbered;
  last_message_ = acknowledged_message_ = 0;
  end_of_last_awaited_ = terminate_sent_ && !end_said_ && !copied;
  terminate_sent_ = end_said_ = false;
}

bool Oracle::said_ended(std::uint64_t epoch) {
  if (std::exchange(end_of_last_awaited_, false) && epoch != epoch_) return false;
  if (epoch_ == 0) return true;
  if (!terminate_sent_) fail("end", "the secondary says that the session was ended by the primary, and it was not");
  end_said_ = true;
  return true;
}

void Oracle::numbered(unsigned volume, Sequence sequence, Tod tod, const Token& token) {
  if (sequence != last_ + 1)
    return fail("order", "number " + number(sequence) + " was given behind number " + number(last_) + ": a gap, or a number used again");
  if (tod <= last_tod_) return fail("order", "the stamp of number " + number(sequence) + " does not rise");
  last_tod_ = tod;
  last_ = sequence;
  if (epoch_ == 0) {
    first_ = last_ + 1;
    return;
  }
  VolumeState& state = states_[volume];
  LoggedWrite write;
  write.volume = volume;
  write.kind = token.kind;
  write.tod = tod;
  write.life = lives_[volumes_[volume].system].number;
  if (token.kind == TokenKind::kWrite || token.kind == TokenKind::kSharedWrite) {
    if (!state.ccw.open) return fail("order", "number " + number(sequence) + " was given when no write was under way on its volume");
    if (!state.ccw.numbers.empty()) return fail("order", "a second number, " + number(sequence) + ", was given to one write CCW");
    write.pieces = state.ccw.pieces;
    state.ccw.numbers.push_back(sequence);
  } else if (token.kind == TokenKind::kTrackImage) {
    const std::uint32_t track = token.ranges[0].track;
    const auto image = live_track(volume, track);
    write.pieces.push_back({track, 0, {image.begin(), image.begin() + static_cast<std::ptrdiff_t>(used_part(image))}});
    if (state.ccw.open) state.ccw.numbers.push_back(sequence);
    write.in_file = !state.ccw.open;
  } else {
    write.in_file = true;
  }
  if (!write.in_file) state.in_buffer.push_back(sequence);
  log_.push_back(std::move(write));
}

void Oracle::voided(Sequence sequence) {
  LoggedWrite* write = find(sequence);
  if (write == nullptr) return;
  if (write->told_flushed)
    return fail("promise", "number " + number(sequence) + " became void and the mover had been told that it is in its file");
  const Life& life = lives_[volumes_[write->volume].system];
  const bool alive = life.alive && life.number == write->life;
  if (alive && !states_[write->volume].write_back_failed)
    return fail("promise", "number " + number(sequence) + " became void while its system runs and its file took every write");
  write->is_void = true;
}

void Oracle::frees(Sequence through, bool session_ends) {
  if (epoch_ == 0 || session_ends || through <= promise_) return;
  fail("promise", "common storage is freed up to number " + number(through) + " and the secondary has promised " + number(promise_));
}

void Oracle::message_on_line(const Message& message) {
  if (epoch_ == 0 || message.m0.epoch != epoch_) return;
  for (const Token& token : message.m1) {
    const LoggedWrite* write = find(token.sequence);
    if (write == nullptr) return fail("order", "token " + number(token.sequence) + " is sent and was never numbered");
    if (token.tod != write->tod) return fail("order", "token " + number(token.sequence) + " is sent with another stamp than it was given");
    sent_ = std::max(sent_, token.sequence);
  }
  // A new binding counts on from what the secondary has: what went under these numbers before may be lost, and its number says nothing.
  if (message.m0.message_number <= last_message_) {
    for (LoggedWrite& write : log_)
      if (write.data_message >= message.m0.message_number) write.data_message = ~std::uint64_t{0};
  }
  last_message_ = message.m0.message_number;
  for (const M2Field& field : message.m2) {
    LoggedWrite* write = find(field.token.sequence);
    if (write == nullptr) return fail("order", "data of token " + number(field.token.sequence) + " is sent and it was never numbered");
    if ((field.flags & kM2Void) != 0) {
      if (!write->is_void) return fail("promise", "token " + number(field.token.sequence) + " is told to be void and is not");
      continue;
    }
    if (write->is_void) return fail("promise", "data of token " + number(field.token.sequence) + " is sent and it is void");
    if (!write->in_file)
      return fail("promise", "data of token " + number(field.token.sequence) + " is sent before it is in the volume's file");
    write->data_message = message.m0.message_number;
  }
  // Consistency time: every write stamped up to it has its token in this message or an earlier one.
  for (Sequence sequence = std::max(sent_ + 1, first_); sequence <= last_; ++sequence) {
    if (log_[sequence - first_].tod > message.m0.consistency_time) break;
    return fail("consistency time", "message " + number(message.m0.message_number) + " names a consistency time at which token " +
                                        number(sequence) + " was stamped already, and that token was not sent");
  }
  if (message.m0.content == ContentType::kTerminate) terminate_sent_ = true;
}

void Oracle::acknowledgement(const Message& message) {
  if (epoch_ == 0 || message.m0.epoch != epoch_ || message.m0.content != ContentType::kAcknowledge) return;
  const Acknowledgement& ack = message.acknowledgement;
  if (ack.complete_through > last_)
    return fail("promise", "number " + number(ack.complete_through) + " is acknowledged and was never given");
  promise_ = std::max(promise_, ack.complete_through);
  known_promise_ = std::max(known_promise_, ack.known_through);
  acknowledged_message_ = std::max(acknowledged_message_, ack.message_number);
  if (ack.applied_through > applied_) return fail("promise", "the secondary says it applied more than it did");
  for (Sequence sequence = std::max(applied_ + 1, first_); sequence <= last_ && exact_; ++sequence) {
    if (log_[sequence - first_].tod > ack.consistent_time) break;
    return fail("consistency time", "the secondary says its images are consistent at a time when token " + number(sequence) +
                                        " was stamped already, and that token is not applied");
  }
}

}  // namespace afterimage::sim
