// Short texts in common storage that are read while another process writes them: eight bytes in one step, so that nobody reads half a
// name, and a process killed in between leaves none. The fields are aligned to eight bytes and padded with NUL.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace afterimage {

typedef std::uint64_t TextWord __attribute__((may_alias));

template <std::size_t kSize>
std::string shared_text(const char (&field)[kSize]) {
  static_assert(kSize % sizeof(TextWord) == 0);
  char copy[kSize];
  for (std::size_t i = 0; i < kSize; i += sizeof(TextWord)) {
    const std::uint64_t word = __atomic_load_n(reinterpret_cast<const TextWord*>(field + i), __ATOMIC_ACQUIRE);
    std::memcpy(copy + i, &word, sizeof word);
  }
  return std::string(copy, strnlen(copy, kSize));
}

template <std::size_t kSize>
void set_shared_text(char (&field)[kSize], std::string_view text) {
  static_assert(kSize % sizeof(TextWord) == 0);
  for (std::size_t i = 0; i < kSize; i += sizeof(TextWord)) {
    std::uint64_t word = 0;
    if (i < text.size()) std::memcpy(&word, text.data() + i, std::min(text.size() - i, sizeof word));
    __atomic_store_n(reinterpret_cast<TextWord*>(field + i), word, __ATOMIC_RELEASE);
  }
}

}  // namespace afterimage
