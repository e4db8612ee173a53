// What may be on the secondary's disk; see crash_oracle.h.
#include "tests/crash/crash_oracle.h"

#include <algorithm>
#include <set>

namespace afterimage::crash {

namespace {

constexpr std::size_t kHeaderBytes = 512;  // of each file of a volume
constexpr const char* kFence = "DSM_P370";
constexpr const char* kOpen = "CKD_P370";

std::string number(std::uint64_t value) { return std::to_string(value); }

void put(const CrashWrite& write, std::vector<Bytes>& tracks, std::uint32_t track_bytes) {
  if (write.is_void || write.token.kind == TokenKind::kVerify) return;
  std::size_t from = 0;
  for (unsigned i = 0; i < write.token.range_count; ++i) {
    const TrackRange& range = write.token.ranges[i];
    const std::size_t at = std::size_t{range.track} * track_bytes + range.offset;
    std::copy_n(write.data.begin() + static_cast<std::ptrdiff_t>(from), range.length,
                tracks[write.token.volume].begin() + static_cast<std::ptrdiff_t>(at));
    from += range.length;
  }
}

bool begins_with(const Bytes& bytes, const char* mark) {
  return bytes.size() >= 8 && std::equal(bytes.begin(), bytes.begin() + 8, reinterpret_cast<const std::uint8_t*>(mark));
}

}  // namespace

CrashOracle::CrashOracle(std::vector<CrashVolume> volumes) : volumes_(std::move(volumes)) {}

void CrashOracle::begin(std::uint64_t epoch, Sequence first, const std::vector<Bytes>& tracks) {
  epoch_ = epoch;
  first_ = first;
  base_ = now_ = tracks;
  writes_.clear();
  taken_.clear();
  promise_ = {};
  promise_.complete_through = promise_.known_through = first - 1;
  end_acknowledged_ = false;
}

CrashWrite& CrashOracle::add(CrashWrite write) {
  writes_.push_back(std::move(write));
  put(writes_.back(), now_, volumes_[writes_.back().token.volume].descriptor.track_bytes);
  return writes_.back();
}

void CrashOracle::make_void(Sequence sequence) {
  writes_.at(sequence - first_).is_void = true;
  now_ = tracks_after(last());
}

Bytes CrashOracle::track_now(VolumeId volume, std::uint32_t track) const {
  const std::uint32_t bytes = volumes_[volume].descriptor.track_bytes;
  const auto begin = now_[volume].begin() + static_cast<std::ptrdiff_t>(std::size_t{track} * bytes);
  return {begin, begin + bytes};
}

void CrashOracle::bound(std::uint64_t last_message) {
  while (!taken_.empty() && taken_.back().number > last_message) taken_.pop_back();
}

void CrashOracle::delivered(const Message& message) {
  if (!taken_.empty() && message.m0.message_number <= taken_.back().number) return;
  Taken taken;
  taken.number = message.m0.message_number;
  taken.known = message.m0.last_sequence;
  for (const M2Field& field : message.m2) taken.settled.push_back(field.token.sequence);
  for (const M2Field& field : message.m2)
    if ((field.flags & kM2Void) != 0) taken.void_here.push_back(field.token.sequence);
  taken.terminates = message.m0.content == ContentType::kTerminate;
  taken_.push_back(std::move(taken));
}

void CrashOracle::acknowledged(const Acknowledgement& ack) {
  if (ack.message_number < promise_.message_number) return;
  promise_ = ack;
  for (const Taken& taken : taken_)
    if (taken.number <= ack.message_number && taken.terminates) end_acknowledged_ = true;
}

std::vector<Bytes> CrashOracle::tracks_after(Sequence through) const {
  std::vector<Bytes> tracks = base_;
  for (const CrashWrite& write : writes_)
    if (write.token.sequence <= through) put(write, tracks, volumes_[write.token.volume].descriptor.track_bytes);
  return tracks;
}

std::vector<Bytes> CrashOracle::tracks_on(const sim::SimDisk& disk, const std::vector<CrashVolume>& volumes) {
  std::vector<Bytes> tracks;
  for (const CrashVolume& volume : volumes) {
    Bytes all;
    for (const std::string& file : volume.files) {
      const Bytes bytes = disk.read_file(file);
      if (bytes.size() > kHeaderBytes) all.insert(all.end(), bytes.begin() + kHeaderBytes, bytes.end());
    }
    tracks.push_back(std::move(all));
  }
  return tracks;
}

// Whether that byte of a volume's tracks lies in the sector that was damaged.
bool CrashOracle::forgives(std::size_t volume, std::size_t byte) const {
  for (const std::string& file : volumes_[volume].files) {
    const std::size_t index = static_cast<std::size_t>(&file - volumes_[volume].files.data());
    const std::size_t bytes =
        std::size_t{volumes_[volume].cylinders[index]} * volumes_[volume].descriptor.heads * volumes_[volume].descriptor.track_bytes;
    if (byte < bytes) return file == forgiven_.first && (byte + kHeaderBytes) / sim::kSectorBytes == forgiven_.second;
    byte -= bytes;
  }
  return false;
}

std::string CrashOracle::compare_tracks(const std::vector<Bytes>& expected, const sim::SimDisk& disk) const {
  const std::vector<Bytes> found = tracks_on(disk, volumes_);
  for (std::size_t v = 0; v < expected.size(); ++v) {
    if (found[v].size() != expected[v].size()) return "volume " + number(v) + " has another size";
    for (std::size_t i = 0; i < expected[v].size(); ++i)
      if (found[v][i] != expected[v][i] && !forgives(v, i))
        return "volume " + number(v) + " differs at byte " + number(i % volumes_[v].descriptor.track_bytes) + " of track " +
               number(i / volumes_[v].descriptor.track_bytes);
  }
  return {};
}

std::string CrashOracle::judge_images(const sim::SimDisk& disk, Sequence through, bool fenced) const {
  for (const CrashVolume& volume : volumes_)
    for (const std::string& file : volume.files)
      if (!begins_with(disk.read_file(file), fenced ? kFence : kOpen) && !damaged_id(disk, file))
        return file + (fenced ? " is not fenced" : " is still fenced");
  const std::string different = compare_tracks(tracks_after(through), disk);
  if (different.empty()) return {};
  for (Sequence other = first_ - 1; other <= last(); ++other)
    if (compare_tracks(tracks_after(other), disk).empty())
      return "the images are not writes 1.." + number(through) + " but 1.." + number(other) + ": " + different;
  return "the images are not writes 1.." + number(through) + " nor any other prefix: " + different;
}

// A header that was damaged and is neither of the two: nothing opens such an image.
bool CrashOracle::damaged_id(const sim::SimDisk& disk, const std::string& file) const {
  const Bytes bytes = disk.read_file(file);
  return forgiven_ == std::pair(file, std::uint64_t{0}) && !begins_with(bytes, kFence) && !begins_with(bytes, kOpen);
}

// The first file decides: Hercules opens it first.
std::string CrashOracle::judge_fences(const sim::SimDisk& disk) const {
  bool any_open = false;
  for (const CrashVolume& volume : volumes_) any_open = any_open || begins_with(disk.read_file(volume.files.front()), kOpen);
  if (!any_open || compare_tracks(base_, disk).empty()) return {};
  for (Sequence through = promise_.complete_through; through <= last(); ++through)
    if (compare_tracks(tracks_after(through), disk).empty()) return {};
  return "an image without a fence is neither as it was before the session nor a prefix of at least the " +
         number(promise_.complete_through) + " writes promised";
}

// What the secondary must say when it holds the first `messages` of the messages it was sent.
std::string CrashOracle::why_not_after(std::size_t messages, const LossReport& report) const {
  Sequence known = first_ - 1;
  std::set<Sequence> settled, voids;
  bool terminated = false;
  for (std::size_t i = 0; i < messages; ++i) {
    known = std::max(known, taken_[i].known);
    settled.insert(taken_[i].settled.begin(), taken_[i].settled.end());
    voids.insert(taken_[i].void_here.begin(), taken_[i].void_here.end());
    terminated = terminated || taken_[i].terminates;
  }
  Sequence complete = first_ - 1;
  while (complete < known && settled.count(complete + 1) != 0) ++complete;
  if (report.point_a != complete) return "A is " + number(report.point_a) + " and should be " + number(complete);
  if (report.point_b != known) return "B is " + number(report.point_b) + " and should be " + number(known);
  if (report.ended_in_order != terminated) return "the end in order is told wrong";
  if (report.lost.size() != known - complete) return "it lists " + number(report.lost.size()) + " writes";
  for (std::size_t i = 0; i < report.lost.size(); ++i) {
    const LostWrite& lost = report.lost[i];
    const Sequence sequence = complete + 1 + i;
    if (lost.token != write(sequence).token) return "token " + number(sequence) + " is not the one that was written";
    if (lost.is_void != (voids.count(sequence) != 0)) return "token " + number(sequence) + " is void or not, told wrong";
    if (lost.data_held != (settled.count(sequence) != 0 && voids.count(sequence) == 0))
      return "the data of token " + number(sequence) + " is held or missing, told wrong";
  }
  if (complete > first_ - 1 && report.point_a_time != write(complete).token.tod) return "the time of A is wrong";
  if (known > complete && report.point_b_time != write(known).token.tod) return "the time of B is wrong";
  return {};
}

std::string CrashOracle::judge_report(const LossReport& report) const {
  if (report.epoch != epoch_) return "the report is of epoch " + number(report.epoch) + " and the session is epoch " + number(epoch_);
  if (report.point_a < promise_.complete_through)
    return "A is " + number(report.point_a) + " and writes up to " + number(promise_.complete_through) + " were promised";
  if (report.point_b < promise_.known_through)
    return "B is " + number(report.point_b) + " and tokens up to " + number(promise_.known_through) + " were acknowledged";
  std::string first_reason;
  for (std::size_t messages = 0; messages <= taken_.size(); ++messages) {
    if (messages < taken_.size() && taken_[messages].number <= promise_.message_number) continue;
    const std::string reason = why_not_after(messages, report);
    if (reason.empty()) return {};
    if (first_reason.empty()) first_reason = reason;
  }
  return "the report is that of no number of whole messages from " + number(promise_.message_number) + ": " + first_reason;
}

}  // namespace afterimage::crash
