// The one place that says which tokens are acceptable.
#include "serializer/token.h"

#include "serializer/limits.h"

namespace afterimage {
namespace {

bool kind_is_known(TokenKind kind) {
  switch (kind) {
    case TokenKind::kWrite:
    case TokenKind::kSharedWrite:
    case TokenKind::kTrackImage:
    case TokenKind::kVerify:
      return true;
  }
  return false;
}

}  // namespace

bool token_is_well_formed(const Token& token) {
  if (!kind_is_known(token.kind)) return false;
  if (token.range_count > kMaxRanges) return false;
  if (token.data_length > kMaxTokenData) return false;
  std::uint32_t sum = 0;
  for (unsigned i = 0; i < token.range_count; ++i) {
    const TrackRange& range = token.ranges[i];
    if (range.track >= kMaxTracks) return false;
    if (static_cast<std::uint32_t>(range.offset) + range.length > kMaxTrackBytes) return false;
    sum += range.length;
  }
  if (token.kind == TokenKind::kVerify) return token.range_count == 1 && token.data_length <= kMaxDigestBytes;
  return sum == token.data_length;
}

}  // namespace afterimage
