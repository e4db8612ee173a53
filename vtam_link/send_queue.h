// What waits to be sent on one connection, cut into writes that suit TLS: small pieces are gathered into one record, large ones are
// handed over where they lie. Pure. Threads: one at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <vector>

#include "vtam_link/frame.h"
#include "vtam_link/message.h"

namespace afterimage {

class SendQueue {
 public:
  static constexpr std::size_t kRecordBytes = 16384;  // the most one TLS record carries

  // Adds one frame. The pieces and `keep_alive` are held until written() has covered them.
  void push(FrameType type, EncodedMessage message, std::shared_ptr<void> keep_alive);
  // The bytes to write next; empty when there are none. They stay valid until written() or clear(). No call to next() in between.
  std::span<const std::uint8_t> next();
  // What next() gave was handed to TCP: everything it covered is released.
  void written();
  void clear();
  bool empty() const { return bytes_ == 0; }
  std::size_t bytes() const { return bytes_; }  // frame heads included, what next() gave included

 private:
  struct Item {
    std::uint8_t head[kFrameHeadBytes];
    EncodedMessage message;
    std::shared_ptr<void> keep_alive;
  };
  std::span<const std::uint8_t> rest_of_piece() const;
  void advance(std::size_t count);

  std::deque<std::unique_ptr<Item>> items_;
  std::size_t item_ = 0, piece_ = 0, offset_ = 0;  // where next() goes on; piece 0 is the frame's head
  std::size_t in_flight_ = 0;                      // bytes next() gave
  std::size_t bytes_ = 0;
  std::vector<std::uint8_t> record_;
};

}  // namespace afterimage
