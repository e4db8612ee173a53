// What waits to be sent on one connection, cut into writes that suit TLS. Pure.
#include "vtam_link/send_queue.h"

#include <algorithm>

namespace afterimage {

void SendQueue::push(FrameType type, EncodedMessage message, std::shared_ptr<void> keep_alive) {
  auto item = std::make_unique<Item>();
  put_frame_head(item->head, {type, static_cast<std::uint32_t>(message.total_bytes)});
  bytes_ += kFrameHeadBytes + message.total_bytes;
  item->message = std::move(message);
  item->keep_alive = std::move(keep_alive);
  items_.push_back(std::move(item));
}

std::span<const std::uint8_t> SendQueue::rest_of_piece() const {
  const Item& item = *items_[item_];
  const std::span<const std::uint8_t> piece = piece_ == 0 ? std::span<const std::uint8_t>(item.head) : item.message.pieces[piece_ - 1];
  return piece.subspan(offset_);
}

void SendQueue::advance(std::size_t count) {
  offset_ += count;
  in_flight_ += count;
  if (!rest_of_piece().empty()) return;
  offset_ = 0;
  ++piece_;
  if (piece_ > items_[item_]->message.pieces.size()) {
    piece_ = 0;
    ++item_;
  }
}

std::span<const std::uint8_t> SendQueue::next() {
  record_.clear();
  while (item_ < items_.size()) {
    const std::span<const std::uint8_t> rest = rest_of_piece();
    if (record_.empty() && rest.size() >= kRecordBytes) {
      const auto whole_records = rest.first(rest.size() - rest.size() % kRecordBytes);
      advance(whole_records.size());
      return whole_records;
    }
    if (record_.size() == kRecordBytes) break;
    if (record_.capacity() == 0) record_.reserve(kRecordBytes);
    const std::size_t count = std::min(rest.size(), kRecordBytes - record_.size());
    record_.insert(record_.end(), rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(count));
    advance(count);
  }
  return record_;
}

void SendQueue::written() {
  bytes_ -= in_flight_;
  in_flight_ = 0;
  for (; item_ > 0; --item_) items_.pop_front();
}

void SendQueue::clear() {
  items_.clear();
  item_ = piece_ = offset_ = in_flight_ = bytes_ = 0;
}

}  // namespace afterimage
