// The primary site at the crash points; see crash_primary.h.
#include "tests/crash/crash_primary.h"

#include "channel/track.h"
#include "serializer/check.h"

namespace afterimage::crash {

CrashPrimary::CrashPrimary(CrashOracle& oracle, std::uint64_t seed) : oracle_(oracle), random_(seed) {
  settings_.session = "DALLAS";
  settings_.local_lu = "SITEA.DSMLU";
  settings_.peer_lu = "SITEB.DSMLU";
  settings_.message_bytes = 1500;
  settings_.interval_ms = 1;
  settings_.idle_interval_ms = 20;
  settings_.window_messages = 4;  // a small journal must not be filled by what is on its way
}

void CrashPrimary::start(Tod now, std::uint64_t epoch, Sequence first) {
  std::vector<VolumeDescriptor> volumes;
  for (const CrashVolume& volume : oracle_.volumes()) volumes.push_back(volume.descriptor);
  core_ = std::make_unique<PrimaryCore>(settings_);
  storage_id_ = 0x1000 + epoch;
  freed_ = first - 1;
  unflushed_.clear();
  messages_.clear();
  ended_ = drop_ = false;
  step(now, primary::Start{epoch, volumes, first, 0});
}

void CrashPrimary::stop() {
  core_.reset();
  messages_.clear();
  unflushed_.clear();
}

Token CrashPrimary::next_token(Tod now) {
  Token token;
  token.sequence = oracle_.last() + 1;
  last_tod_ = std::max(last_tod_ + 16, now);
  token.tod = last_tod_;
  token.volume = static_cast<VolumeId>(random_.below(oracle_.volumes().size()));
  return token;
}

// Ranges of one or two tracks; a quarter of the writes go to the same place, so that the order of writes shows.
void CrashPrimary::write(Tod now, unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    CrashWrite write;
    write.token = next_token(now);
    Token& token = write.token;
    const VolumeDescriptor& volume = oracle_.volumes()[token.volume].descriptor;
    const bool hot = random_.chance(1, 4);
    const std::uint32_t track = hot ? 1 : static_cast<std::uint32_t>(random_.below(volume.cylinders * volume.heads));
    token.ccw_code = 0x85;
    token.record = 1;
    token.cylinder = static_cast<std::uint16_t>(track / volume.heads);
    token.head = static_cast<std::uint16_t>(track % volume.heads);
    token.range_count = static_cast<std::uint8_t>(1 + random_.below(2));
    std::uint32_t at = hot ? 64 : static_cast<std::uint32_t>(random_.below(volume.track_bytes / 2));
    for (unsigned r = 0; r < token.range_count; ++r) {
      const std::uint32_t length = 1 + static_cast<std::uint32_t>(random_.below(volume.track_bytes / 4 - 1));
      token.ranges[r] = {track, static_cast<std::uint16_t>(at), static_cast<std::uint16_t>(length)};
      token.data_length += length;
      at += length + 1;
      if (at + volume.track_bytes / 4 > volume.track_bytes) at = 8;
    }
    for (std::uint32_t b = 0; b < token.data_length; ++b) write.data.push_back(static_cast<std::uint8_t>(random_.next() | 1));
    const bool flushed = !random_.chance(1, 5);
    if (!flushed) unflushed_.insert(token.sequence);
    data_.push_back(std::make_unique<Bytes>(write.data));
    const Token given = token;
    oracle_.add(std::move(write));
    step(now, primary::TokenNumbered{given, *data_.back(), flushed, false});
  }
}

// Exact only when every write so far is certain to be written: the caller flushes first.
void CrashPrimary::verify(Tod now) {
  CrashWrite write;
  write.token = next_token(now);
  const VolumeDescriptor& volume = oracle_.volumes()[write.token.volume].descriptor;
  const auto track = static_cast<std::uint32_t>(random_.below(volume.cylinders * volume.heads));
  write.token.kind = TokenKind::kVerify;
  write.token.cylinder = static_cast<std::uint16_t>(track / volume.heads);
  write.token.head = static_cast<std::uint16_t>(track % volume.heads);
  write.token.range_count = 1;
  write.token.ranges[0] = {track, 0, static_cast<std::uint16_t>(volume.track_bytes)};
  write.data = track_digest(oracle_.track_now(write.token.volume, track));
  write.token.data_length = static_cast<std::uint32_t>(write.data.size());
  data_.push_back(std::make_unique<Bytes>(write.data));
  const Token given = write.token;
  oracle_.add(std::move(write));
  step(now, primary::TokenNumbered{given, *data_.back(), true, false});
}

void CrashPrimary::flush(Tod now) {
  for (const Sequence sequence : unflushed_) {
    if (random_.chance(1, 6)) {
      oracle_.make_void(sequence);
      step(now, primary::TokenVoided{sequence});
    } else {
      step(now, primary::DataFlushed{sequence});
    }
  }
  unflushed_.clear();
}

void CrashPrimary::end(Tod now) { step(now, primary::End{}); }

void CrashPrimary::tick(Tod now) {
  if (!core_) return;
  step(now, primary::ClockRead{oracle_.last()});
  step(now, primary::Tick{});
}

void CrashPrimary::link_up(Tod now, const BindResponse& response) {
  if (response.accepted) oracle_.bound(response.epoch == oracle_.epoch() ? response.last_message : 0);
  step(now, primary::LinkUp{response});
}

void CrashPrimary::link_down(Tod now) {
  messages_.clear();
  if (core_ && core_->link_up()) step(now, primary::LinkDown{});
}

void CrashPrimary::arrived(Tod now, const std::vector<std::uint8_t>& bytes) {
  if (!core_) return;
  auto message = decode(bytes);
  AI_CHECK(message.good());
  step(now, primary::MessageArrived{std::move(message.value)});
}

void CrashPrimary::step(Tod now, PrimaryInput input) {
  for (PrimaryOutput& output : core_->step(now, std::move(input))) {
    if (auto* send = std::get_if<primary::Send>(&output)) {
      messages_.push_back(send->message.flat());
    } else if (const auto* free = std::get_if<primary::Free>(&output)) {
      freed_ = free->through;
    } else if (std::holds_alternative<primary::DropLink>(output)) {
      drop_ = true;
    } else if (const auto* seen = std::get_if<primary::ExceptionSeen>(&output)) {
      exceptions_.push_back(seen->exception.text);
    } else if (std::holds_alternative<primary::Ended>(output)) {
      ended_ = true;
    }
  }
}

std::vector<std::vector<std::uint8_t>> CrashPrimary::take_messages() { return std::exchange(messages_, {}); }
bool CrashPrimary::wants_to_drop() { return std::exchange(drop_, false); }

}  // namespace afterimage::crash
