// Fuzz target: the message codec. What decode() takes is what docs/FORMATS.md allows, neither more nor less (reference_message.h); encoding
// what was decoded gives the same bytes; what encode() takes is decoded as it was. An input that begins with 'G' describes a message to be
// encoded; any other is the bytes of one, judged as it is, with its CRCs made right, and with its length made right too.
#include "serializer/limits.h"
#include "tests/fuzz/fuzz_check.h"
#include "tests/fuzz/reference_message.h"
#include "vtam_link/message.h"

namespace afterimage::fuzz {

namespace {

void check_bounds(const Message& message, View bytes) {
  // "What it allocates is bounded by a small multiple of bytes.size()": a token in memory has about 7 times its bytes.
  const std::size_t held = message.m1.capacity() * sizeof(Token) + message.m2.capacity() * sizeof(M2Field) +
                           message.volumes.capacity() * sizeof(VolumeDescriptor) + message.exception.text.capacity();
  FUZZ_CHECK(held <= 16 * bytes.size());
  const std::uint8_t* last = bytes.data() + kM0Bytes;
  for (const M2Field& field : message.m2) {
    FUZZ_CHECK(token_is_well_formed(field.token));
    if (field.data.empty()) continue;
    FUZZ_CHECK(field.data.data() >= last);  // data lies in the input, field behind field
    last = field.data.data() + field.data.size();
    FUZZ_CHECK(last <= bytes.data() + bytes.size());
  }
  for (const Token& token : message.m1) FUZZ_CHECK(token_is_well_formed(token));
}

void judge(View bytes) {
  const auto m0 = decode_m0(bytes);
  const auto message = decode(bytes);
  FUZZ_CHECK(m0.good() || is_sentence(m0.status.text()));
  FUZZ_CHECK(m0.good() || !message.good());
  FUZZ_CHECK_MORE(message.good() == is_message(bytes), message.status.text());
  if (!message.good()) {
    FUZZ_CHECK(is_sentence(message.status.text()));
    return;
  }
  check_bounds(message.value, bytes);
  const auto again = encode(message.value);
  FUZZ_CHECK_MORE(again.good(), again.status.text());
  FUZZ_CHECK(again.value.total_bytes == bytes.size());
  const Bytes flat = again.value.flat();
  FUZZ_CHECK(std::equal(flat.begin(), flat.end(), bytes.begin(), bytes.end()));
}

std::string name_of(Input& input) {
  static constexpr const char* kNames[] = {"DALLAS", "A", "SITEA.DSMLU", "@#$", "SYSA", "", "9A", "TOOLONGNAME", "A.B.C", "low"};
  const unsigned which = input.below(16);
  return which < std::size(kNames) ? kNames[which] : input.text(which - 8);
}

Token token_of(Input& input) {
  Token token;
  token.sequence = input.flag() ? input.below(32) : input.u64() >> 15;
  token.tod = input.u64();
  token.event = input.u32();
  token.volume = input.flag() ? input.u16() : static_cast<VolumeId>(input.below(4));
  token.system = input.u8() & 0x1F;
  token.kind = static_cast<TokenKind>(input.below(6));
  token.ccw_code = input.u8();
  token.record = input.u8();
  token.cylinder = input.u16();
  token.head = input.u16();
  token.range_count = static_cast<std::uint8_t>(input.below(20));
  for (unsigned i = 0; i < token.range_count && i < kMaxRanges; ++i) {
    token.ranges[i] = {input.u32() >> 10, input.u16(), input.flag() ? input.u16() : std::uint16_t{input.u8()}};
    token.data_length += token.ranges[i].length;
  }
  if (token.kind == TokenKind::kVerify) token.data_length = input.u8();
  if (input.below(32) == 1) token.data_length += 1;
  return token;
}

Message message_of(Input& input, Bytes& data) {
  Message message;
  M0& m0 = message.m0;
  m0.session = name_of(input);
  m0.origin_lu = name_of(input);
  m0.destination_lu = name_of(input);
  m0.epoch = input.u64();
  m0.message_number = input.u8();
  m0.content = static_cast<ContentType>(input.below(9));
  m0.sent = input.u64();
  m0.consistency_time = input.u64();
  m0.last_sequence = input.flag() ? input.u64() : input.u8();
  for (unsigned i = input.below(4); i > 0; --i) message.m1.push_back(token_of(input));
  data.assign(kMaxTokenData, 0xA5);
  for (unsigned i = input.below(4); i > 0; --i) {
    M2Field field{token_of(input), static_cast<std::uint8_t>(input.below(3)), {}};
    if (field.flags == 0) field.data = View(data).first(std::min<std::size_t>(field.token.data_length, data.size()));
    if (input.below(32) == 1 && !field.data.empty()) field.data = field.data.subspan(1);
    message.m2.push_back(field);
  }
  for (unsigned i = input.below(4); i > 0; --i)
    message.volumes.push_back(
        {name_of(input), name_of(input), input.u16(), input.u16(), input.u32() >> 10, input.u8(), input.u16(), name_of(input)});
  message.acknowledgement = {input.u8(), input.u8(), input.u8(), input.u8(), input.u64()};
  message.exception = {input.u16(), input.u8(), input.text(input.u8())};
  message.ending = {input.u64() >> input.below(64)};
  return message;
}

// Only the part that its content type carries.
bool same(const Message& sent, const Message& received) {
  switch (sent.m0.content) {
    case ContentType::kTokenData:
      if (sent.m1 != received.m1 || sent.m2.size() != received.m2.size()) return false;
      for (std::size_t i = 0; i < sent.m2.size(); ++i) {
        const M2Field &a = sent.m2[i], &b = received.m2[i];
        if (!(a.token == b.token) || a.flags != b.flags || !std::equal(a.data.begin(), a.data.end(), b.data.begin(), b.data.end()))
          return false;
      }
      return true;
    case ContentType::kEstablish:
      return sent.volumes == received.volumes;
    case ContentType::kTerminate:
      return sent.ending.last_sequence == received.ending.last_sequence;
    case ContentType::kAcknowledge:
      return sent.acknowledgement.message_number == received.acknowledgement.message_number &&
             sent.acknowledgement.known_through == received.acknowledgement.known_through &&
             sent.acknowledgement.consistent_time == received.acknowledgement.consistent_time;
    case ContentType::kException:  // its text is made safe on the way
      return sent.exception.code == received.exception.code && sent.exception.sequence == received.exception.sequence &&
             received.exception.text.size() <= kMaxSentenceBytes;
    case ContentType::kInitialCopy:
      break;
  }
  return false;
}

void judge_encoding(Input input) {
  Bytes data;
  const Message message = message_of(input, data);
  const auto encoded = encode(message);
  if (!encoded.good()) {
    FUZZ_CHECK(is_sentence(encoded.status.text()));
    return;
  }
  const Bytes flat = encoded.value.flat();
  FUZZ_CHECK(flat.size() == encoded.value.total_bytes);
  FUZZ_CHECK(flat.size() <= kMaxMessageBytes);
  const auto decoded = decode(flat);
  if (message.m0.content == ContentType::kInitialCopy) {  // encoded so that its refusal can be shown
    FUZZ_CHECK(!decoded.good());
    return;
  }
  FUZZ_CHECK_MORE(decoded.good(), decoded.status.text());
  FUZZ_CHECK(is_message(flat));
  FUZZ_CHECK(same(message, decoded.value));
}

}  // namespace

}  // namespace afterimage::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace afterimage::fuzz;
  if (size > 0 && data[0] == 'G') {
    judge_encoding(Input({data + 1, size - 1}));
    return 0;
  }
  Bytes bytes(data, data + size);
  judge(bytes);
  reseal_message(bytes, false);
  judge(bytes);
  reseal_message(bytes, true);
  judge(bytes);
  return 0;
}
