// Cuts what arrives on one connection into frames, by the rules of the link: a BIND of bounded length first, then messages
// (docs/FORMATS.md, "Frames"). It says how many bytes it wants next and where; whoever has the connection reads exactly those. Pure.
// Threads: one at a time.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "vtam_link/frame.h"

namespace afterimage {

struct Frame {
  FrameType type = FrameType::kMessage;
  std::vector<std::uint8_t> bytes;
};

class FrameReader {
 public:
  // `first`: what the peer must say until both sides are bound.
  explicit FrameReader(FrameType first) : expected_(first) {}
  // Both sides are bound: messages and nothing else, of a message's size. Holds for a frame whose head is not yet read.
  void set_bound() {
    expected_ = FrameType::kMessage;
    limit_ = kMaxMessageBytes;
  }
  // Where the next bytes go, all of them, never none; valid until filled(). Memory is taken when a head was found good, not before.
  std::span<std::uint8_t> wanted();
  // What was wanted is there: a whole frame, or nothing yet. An error (a phrase for a sentence) ends the connection: the frame is of an
  // unknown type, out of turn, empty or too long.
  Result<std::optional<Frame>> filled();

 private:
  FrameType expected_;
  std::uint32_t limit_ = kMaxBindBytes;
  bool in_body_ = false;
  std::array<std::uint8_t, kFrameHeadBytes> head_{};
  Frame frame_;
};

}  // namespace afterimage
