// The rules of docs/FORMATS.md on messages and BINDs, one after another.
#include "tests/fuzz/reference_message.h"

#include "serializer/bytes.h"
#include "serializer/crc32c.h"

namespace afterimage::fuzz {

namespace {

constexpr std::size_t kHeader = 160, kMost = 4194304;
constexpr std::uint64_t kLastSequence = (1ull << 48) - 1;

// A field of the bytes, or of what is behind them: then everything is refused.
class Fields {
 public:
  explicit Fields(View bytes) : rest_(bytes) {}
  std::uint64_t number(std::size_t width) {
    if (rest_.size() < width) return fail();
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < width; ++i) value = value << 8 | rest_[i];
    rest_ = rest_.subspan(width);
    return value;
  }
  std::string text(std::size_t width) {
    if (rest_.size() < width) {
      fail();
      return {};
    }
    std::string value(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(width));
    rest_ = rest_.subspan(width);
    return value;
  }
  void need(bool rule) { good_ = good_ && rule; }
  void zero(std::size_t width) {
    for (std::size_t i = 0; i < width && good_; ++i) need(number(1) == 0);
  }
  std::size_t left() const { return rest_.size(); }
  bool good() const { return good_; }
  bool whole() const { return good_ && rest_.empty(); }

 private:
  std::uint64_t fail() {
    good_ = false;
    rest_ = {};
    return 0;
  }
  View rest_;
  bool good_ = true;
};

std::string without_padding(std::string field) {
  while (!field.empty() && field.back() == ' ') field.pop_back();
  return field;
}

bool of_name(char c, bool first) {
  if (c >= 'A' && c <= 'Z') return true;
  if (c == '@' || c == '#' || c == '$') return true;
  return !first && c >= '0' && c <= '9';
}

bool is_name_text(const std::string& name) {
  if (name.empty() || name.size() > 8) return false;
  for (std::size_t i = 0; i < name.size(); ++i)
    if (!of_name(name[i], i == 0)) return false;
  return true;
}

bool is_lu_text(const std::string& name) {
  const auto dot = name.find('.');
  if (dot == std::string::npos) return is_name_text(name);
  return is_name_text(name.substr(0, dot)) && is_name_text(name.substr(dot + 1));
}

bool is_volser_text(const std::string& name) {
  if (name.empty() || name.size() > 6) return false;
  for (const char c : name)
    if (!of_name(c, false) && c != '-') return false;
  return true;
}

// UTF-8 in its shortest form, no surrogate, nothing above U+10FFFF, no control character (C0, DEL, C1).
bool is_text(const std::string& text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const unsigned length = lead < 0x80                   ? 1
                            : lead >= 0xC2 && lead < 0xE0 ? 2
                            : lead >= 0xE0 && lead < 0xF0 ? 3
                            : lead >= 0xF0 && lead < 0xF5 ? 4
                                                          : 0;
    if (length == 0 || i + length > text.size()) return false;
    std::uint32_t point = length == 1 ? lead : lead & (0xFFu >> (length + 1));
    for (unsigned k = 1; k < length; ++k) {
      const auto next = static_cast<unsigned char>(text[i + k]);
      if ((next & 0xC0) != 0x80) return false;
      point = point << 6 | (next & 0x3F);
    }
    if (point < 0x20 || (point >= 0x7F && point < 0xA0)) return false;
    if ((length == 3 && point < 0x800) || (length == 4 && point < 0x10000)) return false;
    if ((point >= 0xD800 && point < 0xE000) || point > 0x10FFFF) return false;
    i += length;
  }
  return true;
}

struct TokenFacts {
  unsigned flags = 0;
  std::uint64_t data_bytes = 0;
};

TokenFacts take_token(Fields& fields) {
  TokenFacts facts;
  const auto first = fields.number(1), second = fields.number(1);
  const auto kind = first >> 5, ranges = first & 0x1F;
  fields.need(kind >= 1 && kind <= 4);
  fields.need(ranges <= 16);
  facts.flags = static_cast<unsigned>(second >> 4);
  fields.need(fields.number(2) < 1024);
  const auto sequence = fields.number(6);
  fields.need(sequence >= 1 && sequence <= kLastSequence);
  fields.number(8);  // TOD
  fields.number(4);  // event
  fields.number(6);  // CC HH R, CCW code
  for (std::uint64_t i = 0; i < ranges && fields.good(); ++i) {
    fields.need(fields.number(3) < 2097152);
    const auto offset = fields.number(2), length = fields.number(2);
    fields.need(offset + length <= 65535);
    facts.data_bytes += length;
  }
  if (kind == 4) {
    fields.need(ranges == 1);
    facts.data_bytes = fields.number(4);
    fields.need(facts.data_bytes <= 64);
  }
  fields.need(facts.data_bytes <= 131072);
  return facts;
}

void take_token_data(Fields& fields, std::uint64_t m1, std::uint64_t m2) {
  for (std::uint64_t i = 0; i < m1 && fields.good(); ++i) fields.need(take_token(fields).flags == 0);
  for (std::uint64_t i = 0; i < m2 && fields.good(); ++i) {
    const TokenFacts facts = take_token(fields);
    fields.need(facts.flags <= 1);
    if (facts.flags == 0 && fields.good()) fields.text(facts.data_bytes);
  }
}

void take_volumes(Fields& fields) {
  const auto count = fields.number(2);
  fields.need(count <= 1024);
  fields.zero(2);
  for (std::uint64_t i = 0; i < count && fields.good(); ++i) {
    fields.need(is_volser_text(without_padding(fields.text(6))));
    fields.need(is_volser_text(without_padding(fields.text(6))));
    fields.number(4);
    const auto cylinders = fields.number(4), heads = fields.number(4), track = fields.number(4);
    fields.need(cylinders > 0 && heads > 0 && cylinders * heads <= 2097152);
    fields.need(track >= 1 && track <= 65535);
    const std::string system = without_padding(fields.text(8));
    fields.need(system.empty() || is_name_text(system));
  }
}

void take_acknowledgement(Fields& fields) {
  fields.number(8);
  const auto complete = fields.number(8), known = fields.number(8), applied = fields.number(8);
  fields.need(known <= kLastSequence);
  fields.need(complete <= known);
  fields.need(applied <= complete);
  fields.number(8);
}

void take_exception(Fields& fields) {
  fields.need(fields.number(2) != 0);
  const auto length = fields.number(2);
  fields.need(length <= 1024);
  fields.need(fields.number(8) <= kLastSequence);
  if (fields.good()) fields.need(is_text(fields.text(length)));
}

void take_body(Fields& body, std::uint64_t content, std::uint64_t m1, std::uint64_t m2) {
  switch (content) {
    case 1:
      return take_token_data(body, m1, m2);
    case 2:
      return take_volumes(body);
    case 3:
      return body.need(body.number(8) <= kLastSequence);
    case 5:
      return take_acknowledgement(body);
    case 6:
      return take_exception(body);
    default:
      return body.need(false);
  }
}

void take_version(Fields& fields) {
  const std::string version = without_padding(fields.text(16));
  fields.need(version.empty() || version.front() != ' ');
  for (const char c : version) fields.need(c >= ' ' && c <= '~');
}

bool bind_envelope(Fields& fields, View bytes, const char* mark) {
  fields.need(fields.text(4) == mark);
  fields.need(fields.number(2) == 1);
  fields.need(fields.number(2) == bytes.size());
  return fields.good();
}

bool ends_with_crc(View bytes) {
  return bytes.size() >= 4 && get_u32(bytes.data() + bytes.size() - 4) == crc32c(0, bytes.data(), bytes.size() - 4);
}

}  // namespace

bool is_message(View bytes) {
  if (bytes.size() < kHeader || bytes.size() > kMost) return false;
  const View body = bytes.subspan(kHeader);
  if (get_u32(bytes.data() + 152) != crc32c(0, body.data(), body.size())) return false;
  if (get_u32(bytes.data() + 156) != crc32c(0, bytes.data(), 156)) return false;
  Fields fields(bytes.first(152));
  fields.need(fields.text(4) == "AIM0");
  fields.need(fields.number(2) == 1);
  const auto content = fields.number(2);
  fields.need(is_name_text(without_padding(fields.text(8))));
  fields.need(is_lu_text(without_padding(fields.text(17))));
  fields.need(is_lu_text(without_padding(fields.text(17))));
  fields.zero(2);
  const auto m1 = fields.number(4), m2 = fields.number(4);
  fields.need(content == 1 || (m1 == 0 && m2 == 0));
  fields.need(fields.number(4) == body.size());
  fields.number(8);
  fields.need(fields.number(8) != 0);
  fields.number(16);
  fields.need(fields.number(8) <= kLastSequence);
  fields.zero(48);
  if (!fields.whole()) return false;
  Fields body_fields(body);
  take_body(body_fields, content, m1, m2);
  return body_fields.whole();
}

bool is_bind_request(View bytes) {
  Fields fields(bytes);
  if (!bind_envelope(fields, bytes, "AIBQ")) return false;
  fields.need(is_name_text(without_padding(fields.text(8))));
  fields.need(is_lu_text(without_padding(fields.text(17))));
  fields.need(is_lu_text(without_padding(fields.text(17))));
  take_version(fields);
  fields.zero(2);
  fields.need(fields.number(4) <= kMost);
  fields.number(16);
  fields.need(fields.number(8) != 0);
  fields.need(fields.number(8) <= kLastSequence);
  fields.number(4);
  return fields.whole() && ends_with_crc(bytes);
}

bool is_bind_response(View bytes) {
  Fields fields(bytes);
  if (!bind_envelope(fields, bytes, "AIBR")) return false;
  fields.need(fields.number(1) <= 1);
  fields.zero(3);
  const auto reason = fields.number(2);
  fields.need(reason <= 1024);
  fields.zero(2);
  take_version(fields);
  fields.number(24);
  const auto known = fields.number(8), complete = fields.number(8);
  fields.need(known <= kLastSequence);
  fields.need(complete <= known);
  if (fields.good()) fields.need(is_text(fields.text(reason)));
  fields.number(4);
  return fields.whole() && ends_with_crc(bytes);
}

void reseal_message(Bytes& bytes, bool length_too) {
  if (bytes.size() < kHeader) return;
  if (length_too) put_u32(bytes.data() + 60, static_cast<std::uint32_t>(bytes.size() - kHeader));
  put_u32(bytes.data() + 152, crc32c(0, bytes.data() + kHeader, bytes.size() - kHeader));
  put_u32(bytes.data() + 156, crc32c(0, bytes.data(), 156));
}

void reseal_bind(Bytes& bytes) {
  if (bytes.size() < 12) return;
  put_u16(bytes.data() + 6, static_cast<std::uint16_t>(bytes.size()));
  put_u32(bytes.data() + bytes.size() - 4, crc32c(0, bytes.data(), bytes.size() - 4));
}

}  // namespace afterimage::fuzz
