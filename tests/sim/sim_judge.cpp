// The oracle's judgement of images, reports and claims.
#include <algorithm>

#include "tests/sim/sim_oracle.h"

namespace afterimage::sim {

namespace {
std::string number(std::uint64_t value) { return std::to_string(value); }
}  // namespace

void Oracle::compare(unsigned volume, const Image& wanted, const Image& found, const std::string& what) {
  if (wanted == found) return;
  const std::size_t most = std::min(wanted.size(), found.size());
  const auto at = static_cast<std::size_t>(
      std::mismatch(wanted.begin(), wanted.begin() + static_cast<std::ptrdiff_t>(most), found.begin()).first - wanted.begin());
  const std::size_t bytes = volumes_[volume].geometry.track_bytes;
  fail("prefix", what + ": volume " + volumes_[volume].volser + " track " + number(at / bytes) + " byte " + number(at % bytes) +
                     " is not what the writes up to there give");
}

void Oracle::check_track(SimDisk& disk, unsigned volume, std::uint32_t track, Sequence sequence) {
  const std::size_t bytes = volumes_[volume].geometry.track_bytes;
  Image found = disk.read_file(volumes_[volume].secondary_image);
  if (found.size() <= kImageHeader_bytes || found[0] != 'D' || found[1] != 'S' || found[2] != 'M')
    return fail("fence", "number " + number(sequence) + " was applied to an image that has no fence");
  found.erase(found.begin(), found.begin() + kImageHeader_bytes);
  const auto from = static_cast<std::ptrdiff_t>(track * bytes), to = static_cast<std::ptrdiff_t>((track + 1) * bytes);
  const Image& wanted = states_[volume].mirrored;
  if (found.size() == wanted.size() && std::equal(wanted.begin() + from, wanted.begin() + to, found.begin() + from)) return;
  compare(volume, wanted, found, "after number " + number(sequence) + " was applied");
}

void Oracle::applied(const PendingWrite& write) {
  const Sequence sequence = write.token.sequence;
  if (epoch_ == 0) return;
  const LoggedWrite* logged = find(sequence);
  if (logged == nullptr) return;  // of an epoch given up meanwhile
  if (sequence > applied_ + 1) return fail("prefix", "number " + number(sequence) + " is applied next to number " + number(applied_));
  const bool is_void = write.condition == EntryCondition::kVoid;
  if (is_void != logged->is_void && logged->kind != TokenKind::kVerify)
    return fail("prefix", "number " + number(sequence) + (is_void ? " is left out and is not void" : " is applied and is void"));
  if (!is_void && sequence > sent_) return fail("prefix", "number " + number(sequence) + " is applied and was never sent");
  if (sequence <= applied_) return;  // a replay: judged when it has caught up
  if (!exact_) {
    // Everything was applied again: from here on the images must be exact.
    exact_ = true;
    if (applied_ >= first_) check_now("after a restart");
    if (schedule_.violated()) return;
  }
  applied_ = sequence;
  if (logged->is_void || logged->kind == TokenKind::kVerify) return;
  fold(states_[logged->volume].mirrored, volumes_[logged->volume].geometry, *logged);
  std::set<std::uint32_t> tracks;
  for (const Piece& piece : logged->pieces) tracks.insert(piece.track);
  for (const std::uint32_t track : tracks) check_track(secondary_, logged->volume, track, sequence);
}

void Oracle::check_now(const std::string& what) {
  if (epoch_ == 0 || !exact_) return;
  // The write under way at this moment is in the file already and not yet folded: it is the next one.
  for (unsigned v = 0; v < volumes_.size(); ++v) {
    Image wanted = states_[v].mirrored;
    Image found = read_image(secondary_, volumes_[v].secondary_image);
    if (wanted == found) continue;
    if (const LoggedWrite* next = find(applied_ + 1); next != nullptr && next->volume == v) fold(wanted, volumes_[v].geometry, *next);
    compare(v, wanted, found, what);
  }
}

void Oracle::check_images(SimDisk& disk, Sequence point_a, const std::string& what) {
  if (epoch_ == 0) return;
  if (point_a < applied_)
    return fail("prefix", what + ": point A is " + number(point_a) + " and number " + number(applied_) + " was applied");
  if (point_a > last_) return fail("prefix", what + ": point A is " + number(point_a) + " and only " + number(last_) + " was given");
  for (unsigned v = 0; v < volumes_.size(); ++v) {
    Image wanted = states_[v].mirrored;
    for (Sequence sequence = applied_ + 1; sequence <= point_a; ++sequence) {
      const LoggedWrite& write = log_[sequence - first_];
      if (write.volume == v) fold(wanted, volumes_[v].geometry, write);
    }
    compare(v, wanted, read_image(disk, volumes_[v].secondary_image), what);
    if (schedule_.violated()) return;
  }
}

void Oracle::check_report(const LossReport& report, Sequence promise) {
  if (epoch_ == 0 || report.epoch != epoch_) return;
  const Sequence a = report.point_a;
  if (a < promise) return fail("promise", "point A is " + number(a) + " and writes up to " + number(promise) + " were acknowledged");
  if (report.point_b < known_promise_)
    return fail("report", "point B is " + number(report.point_b) + " and tokens up to " + number(known_promise_) + " were acknowledged");
  if (report.point_b > std::max(sent_, a))
    return fail("report", "point B is " + number(report.point_b) + " and only " + number(sent_) + " was sent");
  if (report.lost.size() != report.point_b - a) return fail("report", "the report does not name every token between A and B");
  if (report.ended_in_order && !terminate_sent_) return fail("report", "the report says the session ended in order and it did not");
  Sequence sequence = a;
  for (const LostWrite& lost : report.lost) {
    ++sequence;
    const LoggedWrite* write = find(sequence);
    if (lost.token.sequence != sequence || write == nullptr) return fail("report", "the report names token " + number(lost.token.sequence));
    if (lost.token.volume != write->volume || lost.token.tod != write->tod)
      return fail("report", "the report tells of another write than token " + number(sequence));
    if (lost.is_void && !write->is_void) return fail("report", "the report calls token " + number(sequence) + " void and it is not");
    if (lost.data_held && (write->data_message == 0 || write->is_void))
      return fail("report", "the report calls token " + number(sequence) + " held and its data was never sent");
    if (!lost.data_held && !lost.is_void && write->data_message != 0 && write->data_message <= acknowledged_message_)
      return fail("report", "the report calls token " + number(sequence) + " missing and its data was acknowledged");
    if (sequence == a + 1 && (lost.data_held || lost.is_void)) return fail("report", "point A stops before a token that is complete");
  }
}

void Oracle::recovered(const LossReport& report) {
  if (epoch_ == 0) return;
  check_report(report, promise_);
  if (schedule_.violated()) return;
  exact_ = true;
  check_images(secondary_, report.point_a, "after the recovery");
  if (report.point_a != applied_)
    fail("prefix", "point A is " + number(report.point_a) + " and number " + number(applied_) + " was applied");
}

void Oracle::check_fences(SimDisk& disk, bool fenced, const std::string& what) {
  for (const OracleVolume& volume : volumes_) {
    const auto bytes = disk.read_file(volume.secondary_image);
    const bool found = bytes.size() > 8 && bytes[0] == 'D' && bytes[1] == 'S' && bytes[2] == 'M';
    if (found != fenced)
      return fail("fence", what + ": the image of volume " + volume.volser + (fenced ? " has no fence" : " still has its fence"));
  }
}

void Oracle::said_equal(bool active) {
  if (epoch_ == 0 || !active) return;  // what was written after a suspension is not in question
  for (unsigned v = 0; v < volumes_.size(); ++v) {
    Image mirrored = states_[v].mirrored;
    for (Sequence sequence = applied_ + 1; sequence <= last_; ++sequence)
      if (log_[sequence - first_].volume == v) fold(mirrored, volumes_[v].geometry, log_[sequence - first_]);
    std::set<std::uint32_t> under_way;
    if (states_[v].ccw.open)
      for (const Piece& piece : states_[v].ccw.pieces) under_way.insert(piece.track);
    const std::size_t bytes = volumes_[v].geometry.track_bytes;
    for (std::uint32_t track = 0; track < volumes_[v].geometry.tracks(); ++track) {
      if (under_way.count(track) != 0) continue;
      const auto live = live_track(v, track);
      const auto copy = std::span<const std::uint8_t>(mirrored).subspan(track * bytes, bytes);
      const std::size_t used = used_part(live);
      if (used != used_part(copy) || !std::equal(live.begin(), live.begin() + static_cast<std::ptrdiff_t>(used), copy.begin()))
        return fail("proof",
                    "a verification found no difference, and track " + number(track) + " of volume " + volumes_[v].volser + " differs");
    }
    states_[v].owed.clear();
  }
}

bool Oracle::sites_equal(std::string& difference) {
  for (unsigned v = 0; v < volumes_.size(); ++v) {
    const Image copy = read_image(secondary_, volumes_[v].secondary_image);
    const std::size_t bytes = volumes_[v].geometry.track_bytes;
    for (std::uint32_t track = 0; track < volumes_[v].geometry.tracks(); ++track) {
      const auto live = live_track(v, track);
      const auto other = std::span<const std::uint8_t>(copy).subspan(track * bytes, bytes);
      const std::size_t used = used_part(live);
      if (used == used_part(other) && std::equal(live.begin(), live.begin() + static_cast<std::ptrdiff_t>(used), other.begin())) continue;
      difference = "volume " + volumes_[v].volser + " track " + number(track);
      return false;
    }
  }
  return true;
}

}  // namespace afterimage::sim
