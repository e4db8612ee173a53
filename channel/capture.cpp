// See capture.h.
#include "channel/capture.h"

#include <algorithm>

#include "serializer/canary.h"

namespace afterimage {

void Capture::begin(const Token& token, SlotWriter* writer) {
  token_ = token;
  writer_ = writer;
  track_count_ = 0;
  first_offset_ = first_length_ = 0;
  overflowed_ = lost_ = false;
  open_ = true;
  if (writer_ != nullptr) writer_->begin(token_);
}

void Capture::add(std::uint32_t track, std::uint32_t offset, std::uint32_t length, const std::uint8_t* bytes) {
  if (!open_ || length == 0) return;
  const auto known = tracks();
  if (std::find(known.begin(), known.end(), track) == known.end()) {
    if (track_count_ < kMaxCaptureTracks) {
      tracks_[track_count_++] = track;
    } else {
      lost_ = true;
    }
  }
  if (track == tracks_[0]) {
    const std::uint32_t end = std::max(first_offset_ + first_length_, offset + length);
    first_offset_ = first_length_ == 0 ? offset : std::min(first_offset_, offset);
    first_length_ = end - first_offset_;
  }
  if (writer_ == nullptr || overflowed_) return;
  if (planted(Canary::kBoundaryInsideCcw) && !writer_->empty() && writer_->finish(0).outcome == NumberOutcome::kNumbered) {
    writer_->prepare();
    writer_->begin(token_);
  }
  const bool fits = offset <= kMaxTrackBytes && length <= kMaxTrackBytes &&
                    writer_->add(track, static_cast<std::uint16_t>(offset), bytes, static_cast<std::uint16_t>(length));
  if (!fits) {
    writer_->abandon();
    overflowed_ = true;
  }
}

void Capture::drop() {
  if (open_ && in_slot()) writer_->abandon();
  open_ = false;
  track_count_ = 0;
}

void Capture::set_record(std::uint16_t cylinder, std::uint16_t head, std::uint8_t record) {
  token_.cylinder = cylinder;
  token_.head = head;
  token_.record = record;
  if (in_slot()) writer_->set_record(cylinder, head, record);
}

Token Capture::change(unsigned from) const {
  Token token = token_;
  token.range_count = 0;
  token.data_length = 0;
  for (unsigned i = from; i < track_count_ && token.range_count < kMaxRanges; ++i) {
    token.ranges[token.range_count++] = TrackRange{tracks_[i], 0, 1};
    token.data_length += 1;
  }
  return token;
}

}  // namespace afterimage
