// What the fuzz targets share: an assertion that is on in every build, and the input taken apart piece by piece. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>
#include <string_view>
#include <vector>

// A target has no state between two inputs: the same bytes give the same answer, alone or after a million others.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace afterimage::fuzz {

using Bytes = std::vector<std::uint8_t>;
using View = std::span<const std::uint8_t>;

[[noreturn]] inline void does_not_hold(const char* expression, const std::string& more, const char* file, int line) {
  std::fprintf(stderr, "fuzz: does not hold: %s%s%s (%s:%d)\n", expression, more.empty() ? "" : ": ", more.c_str(), file, line);
  std::abort();
}

// With FUZZ_TRACE set in the environment the steps of an input are told, to understand one that fails.
inline void trace(const std::string& step) {
  static const bool wanted = std::getenv("FUZZ_TRACE") != nullptr;
  if (wanted) std::fprintf(stderr, "%s\n", step.c_str());
}

// Takes an input apart from its front. What is not there any more is zero: every input means something.
class Input {
 public:
  explicit Input(View bytes) : rest_(bytes) {}
  bool empty() const { return rest_.empty(); }
  View rest() const { return rest_; }
  std::uint8_t u8() {
    if (rest_.empty()) return 0;
    const std::uint8_t value = rest_.front();
    rest_ = rest_.subspan(1);
    return value;
  }
  std::uint16_t u16() {
    const unsigned high = u8();
    return static_cast<std::uint16_t>(high << 8 | u8());
  }
  std::uint32_t u32() {
    const std::uint32_t high = u16();
    return high << 16 | u16();
  }
  std::uint64_t u64() {
    const std::uint64_t high = u32();
    return high << 32 | u32();
  }
  bool flag() { return (u8() & 1) != 0; }
  std::uint32_t below(std::uint32_t limit) { return limit <= 256 ? u8() % limit : u16() % limit; }
  // At most `size` bytes.
  View bytes(std::size_t size) {
    const View taken = rest_.first(size < rest_.size() ? size : rest_.size());
    rest_ = rest_.subspan(taken.size());
    return taken;
  }
  std::string text(std::size_t size) {
    const View taken = bytes(size);
    return {taken.begin(), taken.end()};
  }

 private:
  View rest_;
};

// A refusal that a person can act on: some words, one line, an end.
inline bool is_sentence(std::string_view text) {
  if (text.size() < 10 || text.size() > 4000) return false;
  for (const char c : text)
    if (static_cast<unsigned char>(c) < 0x20) return false;
  return true;
}

}  // namespace afterimage::fuzz

#define FUZZ_CHECK(expression)                                                                 \
  do {                                                                                         \
    if (!(expression)) ::afterimage::fuzz::does_not_hold(#expression, {}, __FILE__, __LINE__); \
  } while (false)
#define FUZZ_CHECK_MORE(expression, more)                                                          \
  do {                                                                                             \
    if (!(expression)) ::afterimage::fuzz::does_not_hold(#expression, (more), __FILE__, __LINE__); \
  } while (false)
