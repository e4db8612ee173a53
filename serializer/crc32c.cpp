// CRC-32C by the SSE4.2 instruction when the CPU has it (found out once, at run time), else by table.
#include "serializer/crc32c.h"

#include <array>
#include <cstring>

#include "serializer/crc32c_table.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#endif

namespace afterimage {
namespace {

constexpr std::uint32_t kPolynomial = 0x82F63B78u;  // reflected 0x1EDC6F41
using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Tables make_tables() {
  Tables tables{};
  for (std::uint32_t n = 0; n < 256; ++n) {
    std::uint32_t crc = n;
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1u) != 0 ? kPolynomial : 0u);
    tables[0][n] = crc;
  }
  for (std::uint32_t n = 0; n < 256; ++n)
    for (std::size_t k = 1; k < 8; ++k) tables[k][n] = (tables[k - 1][n] >> 8) ^ tables[0][tables[k - 1][n] & 0xFFu];
  return tables;
}

constexpr Tables kTables = make_tables();

#if defined(__x86_64__)
// The instruction takes a new operand each cycle and answers after three: three pieces side by side cost as much as one. What a piece's
// CRC becomes behind the next one is linear in it, so a table per byte carries it over the piece's length in zeros.
constexpr std::size_t kPieceBytes = 256;
using OverPiece = std::array<std::array<std::uint32_t, 256>, 4>;

constexpr OverPiece make_over_piece() {
  OverPiece over{};
  for (unsigned bit = 0; bit < 32; ++bit) {
    std::uint32_t crc = 1u << bit;
    for (std::size_t n = 0; n < kPieceBytes; ++n) crc = (crc >> 8) ^ kTables[0][crc & 0xFFu];
    over[bit / 8][1u << bit % 8] = crc;
  }
  for (auto& table : over)
    for (unsigned n = 1; n < 256; ++n) table[n] = table[n & (n - 1)] ^ table[n & ~(n - 1)];
  return over;
}

constexpr OverPiece kOverPiece = make_over_piece();

std::uint64_t over_piece(std::uint64_t crc) {
  return kOverPiece[0][crc & 0xFFu] ^ kOverPiece[1][(crc >> 8) & 0xFFu] ^ kOverPiece[2][(crc >> 16) & 0xFFu] ^ kOverPiece[3][crc >> 24];
}

__attribute__((target("sse4.2"))) std::uint64_t next_word(std::uint64_t crc, const unsigned char* p) {
  std::uint64_t word = 0;
  std::memcpy(&word, p, 8);
  return _mm_crc32_u64(crc, word);
}

__attribute__((target("sse4.2"))) std::uint32_t crc_by_instruction(std::uint32_t seed, const unsigned char* p, std::size_t size) {
  std::uint64_t crc = ~seed;
  for (; size >= 3 * kPieceBytes; p += 3 * kPieceBytes, size -= 3 * kPieceBytes) {
    std::uint64_t second = 0, third = 0;
    for (std::size_t i = 0; i < kPieceBytes; i += 8) {
      crc = next_word(crc, p + i);
      second = next_word(second, p + kPieceBytes + i);
      third = next_word(third, p + 2 * kPieceBytes + i);
    }
    crc = over_piece(over_piece(crc) ^ second) ^ third;
  }
  for (; size >= 8; p += 8, size -= 8) crc = next_word(crc, p);
  std::uint32_t rest = static_cast<std::uint32_t>(crc);
  for (; size > 0; ++p, --size) rest = _mm_crc32_u8(rest, *p);
  return ~rest;
}

bool cpu_has_instruction() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("sse4.2") != 0;
}

// Not a function's static: its guard could be left taken by a longjmp. Until it is set the table answers, with the same result.
const bool by_instruction = cpu_has_instruction();
#endif

}  // namespace

std::uint32_t crc32c_by_table(std::uint32_t seed, const void* data, std::size_t size) {
  const auto* p = static_cast<const unsigned char*>(data);
  std::uint32_t crc = ~seed;
  for (; size >= 8; p += 8, size -= 8) {
    crc ^= static_cast<std::uint32_t>(p[0]) | static_cast<std::uint32_t>(p[1]) << 8 | static_cast<std::uint32_t>(p[2]) << 16 |
           static_cast<std::uint32_t>(p[3]) << 24;
    crc = kTables[7][crc & 0xFFu] ^ kTables[6][(crc >> 8) & 0xFFu] ^ kTables[5][(crc >> 16) & 0xFFu] ^ kTables[4][crc >> 24] ^
          kTables[3][p[4]] ^ kTables[2][p[5]] ^ kTables[1][p[6]] ^ kTables[0][p[7]];
  }
  for (; size > 0; ++p, --size) crc = (crc >> 8) ^ kTables[0][(crc ^ *p) & 0xFFu];
  return ~crc;
}

std::uint32_t crc32c(std::uint32_t seed, const void* data, std::size_t size) {
#if defined(__x86_64__)
  if (by_instruction) return crc_by_instruction(seed, static_cast<const unsigned char*>(data), size);
#endif
  return crc32c_by_table(seed, data, size);
}

}  // namespace afterimage
