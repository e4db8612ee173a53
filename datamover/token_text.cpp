// Columns of a token line.
#include "datamover/token_text.h"

#include "serializer/tod.h"

namespace afterimage {

namespace {

std::string left(std::string text, std::size_t width) {
  if (text.size() < width) text.append(width - text.size(), ' ');
  return text;
}

std::string right(std::string text, std::size_t width) {
  if (text.size() < width) text.insert(0, width - text.size(), ' ');
  return text;
}

constexpr std::size_t kSequenceWidth = 12, kVolserWidth = 8, kDeviceWidth = 4, kCchhrWidth = 10, kCcwWidth = 3, kKindWidth = 6,
                      kTimeWidth = 24;

std::string row(const std::string& sequence, const std::string& volser, const std::string& device, const std::string& cchhr,
                const std::string& ccw, const std::string& kind, const std::string& time) {
  return right(sequence, kSequenceWidth) + ' ' + left(volser, kVolserWidth) + ' ' + left(device, kDeviceWidth) + ' ' +
         left(cchhr, kCchhrWidth) + ' ' + left(ccw, kCcwWidth) + ' ' + left(kind, kKindWidth) + ' ' + left(time, kTimeWidth);
}

}  // namespace

std::string hex_text(std::uint64_t value, unsigned digits) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string text(digits, '0');
  for (unsigned i = digits; i > 0; --i, value >>= 4) text[i - 1] = kDigits[value & 15];
  return text;
}

std::string token_kind_text(TokenKind kind) {
  switch (kind) {
    case TokenKind::kWrite:
      return "WRITE";
    case TokenKind::kSharedWrite:
      return "SHARED";
    case TokenKind::kTrackImage:
      return "IMAGE";
    case TokenKind::kVerify:
      return "VERIFY";
  }
  return "?";
}

std::string token_heading() { return row("SEQUENCE", "VOLSER", "DEV", "CCHHR", "CCW", "KIND", "TIME"); }

std::string token_columns(const Token& token, const std::vector<VolumeDescriptor>& volumes) {
  std::string volser, device;
  if (token.volume < volumes.size()) {
    volser = volumes[token.volume].volser;
    device = hex_text(volumes[token.volume].device_number, 4);
  } else {
    const std::string number = std::to_string(token.volume);
    volser = "V(" + std::string(5 - number.size(), '0') + number + ")";
    device = "----";
  }
  const std::string cchhr = hex_text(token.cylinder, 4) + hex_text(token.head, 4) + hex_text(token.record, 2);
  return row(std::to_string(token.sequence), volser, device, cchhr, hex_text(token.ccw_code, 2), token_kind_text(token.kind),
             tod_text(token.tod));
}

}  // namespace afterimage
