// A token's bytes on the wire (docs/FORMATS.md, "Token"): 28 bytes, 7 for each range, 4 more for a verification. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "serializer/status.h"
#include "serializer/token.h"

namespace afterimage {

inline constexpr std::size_t kTokenFixedBytes = 28;
inline constexpr std::size_t kTokenRangeBytes = 7;
inline constexpr std::size_t kTokenDigestBytes = 4;                // the length of a kVerify token's data
inline constexpr Sequence kMaxSequence = (Sequence{1} << 48) - 1;  // as in the control word of common storage

// Good when the token can be carried: well formed, and every field within its width. The sentence names the field.
Status check_token(const Token& token);

// Writes encoded_token_bytes(token) bytes at `p`; the token has passed check_token(). `flags` < 16.
void put_token(std::uint8_t* p, const Token& token, std::uint8_t flags);

struct DecodedToken {
  Token token;
  std::uint8_t flags = 0;
  std::size_t bytes = 0;  // consumed
};
// Reads a token at the beginning of `bytes`, which may be longer. Never reads past the end; refuses what check_token() refuses.
Result<DecodedToken> get_token(std::span<const std::uint8_t> bytes);

}  // namespace afterimage
