// How often refused connections are told: the first at once, the next ones at most once in an interval, with the count of those left out.
// Pure: it is given the time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

namespace afterimage {

class RefusalReport {
 public:
  explicit RefusalReport(std::uint32_t interval_ms) : interval_ms_(interval_ms) {}
  // The sentence to tell now, or nothing when this one is only counted.
  std::optional<std::string> refused(std::uint64_t now_ms, const std::string& reason) {
    if (told_ && now_ms - last_ms_ < interval_ms_) {
      ++left_out_;
      return std::nullopt;
    }
    std::string text = reason;
    if (left_out_ > 0) text += " " + std::to_string(left_out_) + " more connections were refused since the message before.";
    told_ = true;
    last_ms_ = now_ms;
    left_out_ = 0;
    return text;
  }

 private:
  std::uint32_t interval_ms_;
  std::uint64_t last_ms_ = 0, left_out_ = 0;
  bool told_ = false;
};

}  // namespace afterimage
