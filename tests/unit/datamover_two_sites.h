// Two cores and everything around them in memory: common storage, link, journal, checkpoint, images, each able to fail at any step.
// The oracle recomputes A, B and the images from the history of writes and from the journal's bytes, not from the cores.
#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "datamover/primary_core.h"
#include "datamover/secondary_core.h"
#include "datamover_support.h"

namespace afterimage::testing {

struct Broken : std::runtime_error {
  using std::runtime_error::runtime_error;
};
inline void demand(bool holds, const std::string& what) {
  if (!holds) throw Broken(what);
}

using Image = std::vector<std::uint8_t>;  // both volumes, track after track
inline constexpr std::size_t kTrackBytes = 64, kVolumeTracks = 4, kImageBytes = 2 * kVolumeTracks * kTrackBytes;

inline std::size_t image_offset(VolumeId volume, std::uint32_t track) { return (volume * kVolumeTracks + track) * kTrackBytes; }

inline std::vector<std::uint8_t> digest(const Image& image, VolumeId volume, std::uint32_t track) {
  std::uint64_t h = 1469598103934665603ull;
  for (std::size_t i = 0; i < kTrackBytes; ++i) h = (h ^ image[image_offset(volume, track) + i]) * 1099511628211ull;
  std::vector<std::uint8_t> bytes;
  for (int i = 0; i < 16; ++i) bytes.push_back(static_cast<std::uint8_t>(h >> (i % 8 * 8)));
  return bytes;
}

inline void apply_to(Image& image, const Token& token, const std::vector<std::uint8_t>& data) {
  if (token.kind == TokenKind::kVerify) return;
  std::size_t at = 0;
  for (unsigned i = 0; i < token.range_count; ++i) {
    const TrackRange& range = token.ranges[i];
    std::copy_n(data.begin() + static_cast<std::ptrdiff_t>(at), range.length,
                image.begin() + static_cast<std::ptrdiff_t>(image_offset(token.volume, range.track) + range.offset));
    at += range.length;
  }
}

struct Written {  // the history: what the primary's guests did
  Token token;
  std::vector<std::uint8_t> data;
  bool flushed = false, is_void = false;
};

struct Record {
  std::uint64_t position = 0;
  std::vector<std::uint8_t> bytes;
};

// What the records of a journal prove, decoded independently.
struct Proof {
  Sequence a = 0, b = 0;
  std::uint64_t last_message = 0;
  std::set<Sequence> held, voided;
};
inline Proof proof_of(const std::vector<Record>& records) {
  Proof proof;
  for (const Record& record : records) {
    auto message = decode(record.bytes);
    demand(message.good(), "a journal record does not decode: " + message.status.text());
    if (message.value.m0.content == ContentType::kEstablish) {
      proof = {};
      proof.a = proof.b = message.value.m0.last_sequence;
    }
    demand(message.value.m0.message_number == proof.last_message + 1, "the journal's messages are not contiguous");
    proof.last_message = message.value.m0.message_number;
    for (const Token& token : message.value.m1) {
      demand(token.sequence == proof.b + 1, "M1 does not carry each token once, in order");
      proof.b = token.sequence;
    }
    for (const M2Field& field : message.value.m2) {
      demand(field.token.sequence <= proof.b, "data before its token");
      ((field.flags & kM2Void) ? proof.voided : proof.held).insert(field.token.sequence);
    }
  }
  while (proof.a < proof.b && (proof.held.count(proof.a + 1) || proof.voided.count(proof.a + 1))) ++proof.a;
  return proof;
}

// Everything of the secondary site that survives its process, and what may not.
struct SecondaryDisk {
  std::vector<Record> records;  // all of this epoch; nothing is really released, so that the proof can read them
  std::uint64_t end = 0;
  std::size_t synced = 0;  // records durable
  std::optional<Checkpoint> checkpoint;
  Image durable_image = Image(kImageBytes), image = Image(kImageBytes);
  std::vector<std::pair<Token, std::vector<std::uint8_t>>> unsynced_writes;
};

inline constexpr std::uint64_t kEpoch = 77, kStorageId = 4711;

inline SecondarySettings secondary_settings() {
  SecondarySettings settings;
  settings.session = kSession;
  settings.local_lu = kSecondaryLu;
  settings.peer_lu = kPrimaryLu;
  settings.volumes = two_volumes();
  settings.queue_bytes = 4096;
  settings.journal_bytes = 1u << 20;
  settings.checkpoint_ms = 50;
  return settings;
}

inline PrimarySettings primary_settings() {
  PrimarySettings settings;
  settings.session = kSession;
  settings.local_lu = kPrimaryLu;
  settings.peer_lu = kSecondaryLu;
  settings.message_bytes = 4096;
  settings.window_messages = 6;
  return settings;
}

class SecondarySite {
 public:
  explicit SecondarySite(SecondaryDisk disk) : disk(std::move(disk)) {}

  SecondaryDisk disk;
  std::unique_ptr<SecondaryCore> core;
  std::deque<std::vector<std::uint8_t>> to_primary;
  std::deque<PendingWrite> applying;
  std::optional<Checkpoint> checkpointing;
  std::optional<BindResponse> answer;
  std::optional<LossReport> report;
  bool refused = false, ended = false, stopped = false;
  std::uint64_t appends = 0, appends_synced = 0;
  Sequence dirty_through = 0;  // images may hold writes up to here from before a crash
  Sequence written_through = 0;
  std::uint64_t mismatches = 0;
  enum class Plant { kNone, kSyncReportedEarly, kWriteForgotten } plant = Plant::kNone;  // bugs the oracle must catch

  void start(Tod now) {
    core = std::make_unique<SecondaryCore>(secondary_settings());
    applying.clear();
    checkpointing.reset();
    to_primary.clear();
    appends = appends_synced = 0;
    if (disk.checkpoint) step(now, secondary::Restart{*disk.checkpoint});
    for (const Record& record : disk.records)
      if (!disk.checkpoint || record.position >= disk.checkpoint->journal_position)
        step(now, secondary::Replayed{record.bytes, record.position});
    step(now, secondary::ReplayDone{disk.end});
  }

  // SIGKILL or power failure: unsynced records survive as a prefix, unsynced image writes in any combination.
  void crash(std::mt19937_64& random) {
    core.reset();
    const std::size_t keep = disk.synced + random() % (disk.records.size() - disk.synced + 1);
    disk.records.resize(keep);
    disk.synced = keep;
    disk.end = disk.records.empty() ? 0 : disk.records.back().position + space(disk.records.back().bytes.size());
    Image after = disk.durable_image;
    for (const auto& [token, data] : disk.unsynced_writes)
      if (random() % 4 != 0) apply_to(after, token, data);
    dirty_through = written_through;
    disk.image = disk.durable_image = after;
    disk.unsynced_writes.clear();
  }

  void step(Tod now, SecondaryInput input) {
    if (!core) return;
    for (SecondaryOutput& output : core->step(now, std::move(input))) take(output);
  }

  void sync_journal(Tod now, std::uint64_t how_many) {
    if (!core || appends == appends_synced) return;
    how_many = std::min(how_many, appends - appends_synced);
    appends_synced += how_many;
    if (plant != Plant::kSyncReportedEarly) disk.synced = disk.records.size() - (appends - appends_synced);
    const std::size_t reported = disk.records.size() - (appends - appends_synced);
    const std::uint64_t through = reported < disk.records.size() ? disk.records[reported].position : disk.end;
    step(now, secondary::JournalSynced{through, appends_synced});
  }

  void apply_some(Tod now, std::size_t how_many) {
    Sequence last = 0;
    while (core && how_many-- > 0 && !applying.empty()) {
      PendingWrite write = std::move(applying.front());
      applying.pop_front();
      last = write.token.sequence;
      if (write.condition == EntryCondition::kVoid) continue;
      if (write.token.kind == TokenKind::kVerify) {
        const bool equal = digest(disk.image, write.token.volume, write.token.ranges[0].track) == write.data;
        if (!equal) ++mismatches;
        step(now, secondary::VerifyResult{write.token.sequence, equal, "A track differs."});
        continue;
      }
      if (plant != Plant::kWriteForgotten || write.token.sequence % 8 != 0) apply_to(disk.image, write.token, write.data);
      written_through = std::max(written_through, write.token.sequence);
      disk.unsynced_writes.emplace_back(write.token, write.data);
    }
    if (last != 0) step(now, secondary::Applied{last});
  }

  void finish_checkpoint(Tod now) {
    if (!core || !checkpointing) return;
    disk.durable_image = disk.image;
    disk.unsynced_writes.clear();
    disk.checkpoint = *checkpointing;
    checkpointing.reset();
    step(now, secondary::CheckpointDone{*disk.checkpoint});
  }

  std::vector<Record> synced_records() const {
    return {disk.records.begin(), disk.records.begin() + static_cast<std::ptrdiff_t>(disk.synced)};
  }

 private:
  static std::uint64_t space(std::size_t bytes) { return (bytes + 32 + 63) / 64 * 64; }

  void take(SecondaryOutput& output) {
    if (auto* append = std::get_if<secondary::Append>(&output)) {
      disk.records.push_back({disk.end, append->message});
      disk.end += space(append->message.size());
      ++appends;
    } else if (auto* send = std::get_if<secondary::Send>(&output)) {
      check_sent(send->message.flat());
    } else if (auto* apply = std::get_if<secondary::Apply>(&output)) {
      demand(apply->write.token.sequence <= proof_of(synced_records()).a, "a write was given out before its sync");
      applying.push_back(std::move(apply->write));
    } else if (auto* write = std::get_if<secondary::WriteCheckpoint>(&output)) {
      demand(!checkpointing, "two checkpoints at once");
      checkpointing = write->checkpoint;
    } else if (auto* bind = std::get_if<secondary::AnswerBind>(&output)) {
      answer = bind->response;
    } else if (std::get_if<secondary::Refuse>(&output)) {
      refused = true;
    } else if (auto* complete = std::get_if<secondary::RecoveryComplete>(&output)) {
      report = complete->report;
    } else if (std::get_if<secondary::Ended>(&output)) {
      ended = true;
    } else if (auto* stop = std::get_if<secondary::Stopped>(&output)) {
      stopped = true;
      throw Broken("the secondary stopped: " + stop->reason);
    }
  }

  // An acknowledgement may never be ahead of the synced journal.
  void check_sent(std::vector<std::uint8_t> bytes) {
    auto message = decode(bytes);
    demand(message.good(), "the secondary sent what does not decode");
    if (message.value.m0.content == ContentType::kAcknowledge) {
      const Proof proof = proof_of(synced_records());
      const Acknowledgement& ack = message.value.acknowledgement;
      demand(ack.message_number <= proof.last_message, "an acknowledgement is ahead of the synced journal");
      demand(ack.complete_through <= proof.a, "an acknowledgement names data that is not durable");
      demand(ack.known_through <= proof.b, "an acknowledgement names tokens that are not durable");
    }
    to_primary.push_back(std::move(bytes));
  }
};

}  // namespace afterimage::testing
