// Messages: golden bytes of docs/FORMATS.md, round trips, and refusal of everything that is not exactly right (A11, A13).
#include "vtam_link/message.h"

#include "serializer/limits.h"
#include "vtam_link/names.h"
#include "vtam_link_samples.h"

namespace afterimage {
namespace {

using namespace samples;

void assert_same(const Message& a, const Message& b) {
  CPPUNIT_ASSERT_EQUAL(a.m0.session, b.m0.session);
  CPPUNIT_ASSERT_EQUAL(a.m0.origin_lu, b.m0.origin_lu);
  CPPUNIT_ASSERT_EQUAL(a.m0.destination_lu, b.m0.destination_lu);
  CPPUNIT_ASSERT_EQUAL(a.m0.epoch, b.m0.epoch);
  CPPUNIT_ASSERT_EQUAL(a.m0.message_number, b.m0.message_number);
  CPPUNIT_ASSERT(a.m0.content == b.m0.content);
  CPPUNIT_ASSERT_EQUAL(a.m0.sent, b.m0.sent);
  CPPUNIT_ASSERT_EQUAL(a.m0.consistency_time, b.m0.consistency_time);
  CPPUNIT_ASSERT_EQUAL(a.m0.last_sequence, b.m0.last_sequence);
  CPPUNIT_ASSERT(a.m1 == b.m1);
  CPPUNIT_ASSERT_EQUAL(a.m2.size(), b.m2.size());
  for (std::size_t i = 0; i < a.m2.size(); ++i) {
    CPPUNIT_ASSERT(a.m2[i].token == b.m2[i].token);
    CPPUNIT_ASSERT_EQUAL(int{a.m2[i].flags}, int{b.m2[i].flags});
    CPPUNIT_ASSERT(std::equal(a.m2[i].data.begin(), a.m2[i].data.end(), b.m2[i].data.begin(), b.m2[i].data.end()));
  }
  CPPUNIT_ASSERT(a.volumes == b.volumes);
  CPPUNIT_ASSERT_EQUAL(a.exception.code, b.exception.code);
  CPPUNIT_ASSERT_EQUAL(a.exception.sequence, b.exception.sequence);
  CPPUNIT_ASSERT_EQUAL(a.exception.text, b.exception.text);
  CPPUNIT_ASSERT_EQUAL(a.ending.last_sequence, b.ending.last_sequence);
  CPPUNIT_ASSERT_EQUAL(a.acknowledgement.message_number, b.acknowledgement.message_number);
  CPPUNIT_ASSERT_EQUAL(a.acknowledgement.complete_through, b.acknowledgement.complete_through);
  CPPUNIT_ASSERT_EQUAL(a.acknowledgement.known_through, b.acknowledgement.known_through);
  CPPUNIT_ASSERT_EQUAL(a.acknowledgement.applied_through, b.acknowledgement.applied_through);
  CPPUNIT_ASSERT_EQUAL(a.acknowledgement.consistent_time, b.acknowledgement.consistent_time);
}

void assert_round_trip(const Message& message) {
  const Bytes bytes = encoded(message);
  const auto decoded = decode(bytes);
  CPPUNIT_ASSERT_MESSAGE(decoded.status.text(), decoded.good());
  assert_same(message, decoded.value);
  CPPUNIT_ASSERT_EQUAL(hex(bytes), hex(encoded(decoded.value)));
  CPPUNIT_ASSERT_EQUAL(bytes.size(), std::size_t{kM0Bytes + decoded.value.m0.body_bytes});
}

void assert_refused(const Bytes& bytes, const std::string& names) {
  const auto decoded = decode(bytes);
  CPPUNIT_ASSERT(!decoded.good());
  CPPUNIT_ASSERT_MESSAGE("'" + decoded.status.text() + "' should name '" + names + "'",
                         decoded.status.text().find(names) != std::string::npos);
}

void assert_not_encoded(const Message& message, const std::string& names) {
  const auto result = encode(message);
  CPPUNIT_ASSERT(!result.good());
  CPPUNIT_ASSERT_MESSAGE("'" + result.status.text() + "' should name '" + names + "'",
                         result.status.text().find(names) != std::string::npos);
}

// A valid message with bytes at `at` replaced and both CRCs made right.
Bytes changed(const Message& message, std::size_t at, std::initializer_list<int> values) {
  Bytes bytes = encoded(message);
  for (const int value : values) bytes.at(at++) = static_cast<std::uint8_t>(value);
  reseal(bytes);
  return bytes;
}

// docs/FORMATS.md, "Golden vectors".
const char kGoldenM0[] =
    "41494d300001000144414c4c4153202053495445412e44534d4c552020202020"
    "2053495445422e44534d4c552020202020200000000000020000000200000094"
    "00000000000000020000000000000009e24a1b2c3f000000e24a1b2c3efff000"
    "0000000000001268000000000000000000000000000000000000000000000000"
    "000000000000000000000000000000000000000000000000e1712e8369b5cf52";
const char kGoldenToken[] =
    "21010003000000001267e24a1b2c3e74c0000000004d00120007048500011512"
    "340008";
const char kGoldenTokenData[] =
    "41494d300001000144414c4c4153202053495445412e44534d4c552020202020"
    "2053495445422e44534d4c552020202020200000000000020000000200000094"
    "00000000000000020000000000000009e24a1b2c3f000000e24a1b2c3efff000"
    "0000000000001268000000000000000000000000000000000000000000000000"
    "000000000000000000000000000000000000000000000000e1712e8369b5cf52"
    "21010003000000001267e24a1b2c3e74c0000000004d00120007048500011512"
    "34000821010003000000001268e24a1b2c3e74d0000000004d00120007048500"
    "01151234000821010003000000001267e24a1b2c3e74c0000000004d00120007"
    "048500011512340008c1c2c3c4c5c6c7c82111000300000000125ce24a1b2c3e"
    "7410000000004d00120007048500011512340008";
const char kGoldenAcknowledge[] =
    "41494d300001000544414c4c4153202053495445412e44534d4c552020202020"
    "2053495445422e44534d4c552020202020200000000000000000000000000028"
    "00000000000000020000000000000009e24a1b2c3f000000e24a1b2c3efff000"
    "0000000000001268000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000000000000000000046b194638ab227a5"
    "000000000000000900000000000012670000000000001268000000000000125c"
    "e24a1b2c3e741000";

}  // namespace

class MessageTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(MessageTest);
  CPPUNIT_TEST(testGoldenTokenDataMessage);
  CPPUNIT_TEST(testGoldenAcknowledgement);
  CPPUNIT_TEST(testGoldenVectorsAreDocumented);
  CPPUNIT_TEST(testA11_EachContentTypeRoundTrips);
  CPPUNIT_TEST(testA11_UnknownContentTypeIsRefused);
  CPPUNIT_TEST(testA11_InitialCopyIsRefusedWithItsReason);
  CPPUNIT_TEST(testA11_EveryTruncationIsRefused);
  CPPUNIT_TEST(testA11_EveryFlippedBitIsRefused);
  CPPUNIT_TEST(testA11_EveryTrailingByteIsRefused);
  CPPUNIT_TEST(testA13_M2InAnyOrderAndWithoutM1);
  CPPUNIT_TEST(testEveryTokenShapeRoundTrips);
  CPPUNIT_TEST(testTokenOverheadBudget);
  CPPUNIT_TEST(testDataIsNotCopied);
  CPPUNIT_TEST(testIdleMessage);
  CPPUNIT_TEST(testLargestMessageAndOneByteMore);
  CPPUNIT_TEST(testM0FieldsAreNamedWhenRefused);
  CPPUNIT_TEST(testTokenFieldsAreNamedWhenRefused);
  CPPUNIT_TEST(testBodyFieldsAreNamedWhenRefused);
  CPPUNIT_TEST(testEncoderRefusesWhatTheDecoderWould);
  CPPUNIT_TEST(testExceptionTextIsMadeSafe);
  CPPUNIT_TEST(testOnlyShownCharactersOfUtf8AreText);
  CPPUNIT_TEST_SUITE_END();

 public:
  void testGoldenTokenDataMessage() {
    const Bytes bytes = encoded(token_data());
    CPPUNIT_ASSERT_EQUAL(hex(from_hex(kGoldenM0)), hex(std::span(bytes).first(kM0Bytes)));
    CPPUNIT_ASSERT_EQUAL(hex(from_hex(kGoldenToken)), hex(std::span(bytes).subspan(kM0Bytes, 35)));
    CPPUNIT_ASSERT_EQUAL(hex(from_hex(kGoldenTokenData)), hex(bytes));
    const Bytes golden = from_hex(kGoldenTokenData);
    const auto decoded = decode(golden);
    CPPUNIT_ASSERT_MESSAGE(decoded.status.text(), decoded.good());
    assert_same(token_data(), decoded.value);
  }

  void testGoldenAcknowledgement() {
    CPPUNIT_ASSERT_EQUAL(hex(from_hex(kGoldenAcknowledge)), hex(encoded(acknowledge())));
    const Bytes golden = from_hex(kGoldenAcknowledge);
    const auto decoded = decode(golden);
    CPPUNIT_ASSERT_MESSAGE(decoded.status.text(), decoded.good());
    assert_same(acknowledge(), decoded.value);
  }

  void testGoldenVectorsAreDocumented() {
    for (const char* golden : {kGoldenM0, kGoldenToken, kGoldenTokenData, kGoldenAcknowledge}) assert_documented(golden);
  }

  void testA11_EachContentTypeRoundTrips() {
    for (const Message& message : one_of_each()) assert_round_trip(message);
  }

  void testA11_UnknownContentTypeIsRefused() {
    for (const int type : {0, 7, 255}) assert_refused(changed(acknowledge(), 6, {0, type}), "content type");
    assert_refused(changed(acknowledge(), 6, {1, 5}), "content type 261");
    Message message = acknowledge();
    message.m0.content = static_cast<ContentType>(7);
    assert_not_encoded(message, "content type 7");
  }

  void testA11_InitialCopyIsRefusedWithItsReason() {
    Message message;
    message.m0 = header(ContentType::kInitialCopy);
    const Bytes bytes = encoded(message);
    CPPUNIT_ASSERT(decode_m0(bytes).good());
    assert_refused(bytes, "initial copy");
  }

  void testA11_EveryTruncationIsRefused() {
    for (const Message& message : one_of_each()) {
      const Bytes bytes = encoded(message);
      for (std::size_t size = 0; size < bytes.size(); ++size) {
        const Bytes part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));  // its own block: a read past the end is seen
        CPPUNIT_ASSERT_MESSAGE("cut at " + std::to_string(size), !decode(part).good());
        if (size < kM0Bytes) CPPUNIT_ASSERT(!decode_m0(part).good());
      }
    }
  }

  // The same with M0's length and both CRCs made to agree with what is left.
  void refuse_resealed_truncations(const Message& message) {
    const Bytes bytes = encoded(message);
    for (std::size_t size = kM0Bytes; size < bytes.size(); ++size) {
      Bytes part(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      put_u32(part.data() + 60, static_cast<std::uint32_t>(size - kM0Bytes));
      reseal(part);
      CPPUNIT_ASSERT_MESSAGE("cut at " + std::to_string(size), !decode(part).good());
    }
  }

  void testA11_EveryFlippedBitIsRefused() {
    for (const Message& message : one_of_each()) {
      Bytes bytes = encoded(message);
      for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
        CPPUNIT_ASSERT_MESSAGE("bit " + std::to_string(bit), !decode(bytes).good());
        bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
      }
      CPPUNIT_ASSERT(decode(bytes).good());
      refuse_resealed_truncations(message);
    }
  }

  void testA11_EveryTrailingByteIsRefused() {
    for (const Message& message : one_of_each()) {
      Bytes bytes = encoded(message);
      bytes.push_back(0);
      assert_refused(bytes, "bytes");
      put_u32(bytes.data() + 60, static_cast<std::uint32_t>(bytes.size() - kM0Bytes));
      reseal(bytes);
      assert_refused(bytes, "bytes");
    }
  }

  void testA13_M2InAnyOrderAndWithoutM1() {
    Message message;
    message.m0 = header(ContentType::kTokenData);
    std::vector<M2Field> fields;
    std::vector<Bytes> data;
    for (Sequence sequence = 1; sequence <= 40; ++sequence) data.emplace_back(8, static_cast<std::uint8_t>(sequence));
    for (Sequence sequence = 1; sequence <= 40; ++sequence) fields.push_back({token(sequence), 0, data[sequence - 1]});
    std::mt19937 random(13);
    std::shuffle(fields.begin(), fields.end(), random);
    message.m2 = fields;
    assert_round_trip(message);
  }

  void testEveryTokenShapeRoundTrips() {
    const Bytes data(kMaxTokenData, 0x5A);
    for (unsigned ranges = 1; ranges <= kMaxRanges; ++ranges) {
      Token t = token(ranges);
      t.range_count = static_cast<std::uint8_t>(ranges);
      t.data_length = 0;
      for (unsigned i = 0; i < ranges; ++i) {
        t.ranges[i] = {kMaxTracks - ranges + i, static_cast<std::uint16_t>(100 * i), static_cast<std::uint16_t>(i + 1)};
        t.data_length += i + 1;
      }
      Message message;
      message.m0 = header(ContentType::kTokenData);
      message.m1 = {t};
      message.m2 = {{t, 0, std::span(data).first(t.data_length)}, {t, kM2Void, {}}};
      assert_round_trip(message);
    }
    Token extreme = token((Sequence{1} << 48) - 1);
    extreme.tod = ~Tod{0};
    extreme.event = 0xFFFFFFFF;
    extreme.volume = kMaxDevices - 1;
    extreme.system = kMaxSystems - 1;
    extreme.cylinder = 0xFFFF;
    extreme.head = 0xFFFF;
    extreme.record = 0xFF;
    extreme.ccw_code = 0xFF;
    extreme.kind = TokenKind::kTrackImage;
    extreme.range_count = 2;
    extreme.ranges[0] = {0, 0, kMaxTrackBytes};
    extreme.ranges[1] = {kMaxTracks - 1, 0, kMaxTrackBytes};
    extreme.data_length = 2 * kMaxTrackBytes;
    Token verify = token(5);
    verify.kind = TokenKind::kVerify;
    verify.ranges[0] = {9, 0, 0};
    verify.data_length = 32;
    Message message;
    message.m0 = header(ContentType::kTokenData);
    message.m1 = {verify, extreme};
    message.m2 = {{extreme, 0, std::span(data).first(extreme.data_length)}, {verify, 0, std::span(data).first(32)}};
    assert_round_trip(message);
  }

  // 4 KiB records in messages of the default size: at most 1.02 bytes on the wire for each byte written.
  void testTokenOverheadBudget() {
    const Bytes data(4096, 0x11);
    Token t = token(1);
    t.ranges[0].length = 4096;
    t.data_length = 4096;
    CPPUNIT_ASSERT(encoded_token_bytes(t) + encoded_m2_bytes({t, 0, data}) - data.size() <= 70);
    Message message;
    message.m0 = header(ContentType::kTokenData);
    std::size_t bytes = kM0Bytes;
    while (bytes < kDefaultMessageBytes) {
      t.sequence = message.m1.size() + 1;
      message.m1.push_back(t);
      message.m2.push_back({t, 0, data});
      bytes += encoded_token_bytes(t) + encoded_m2_bytes(message.m2.back());
    }
    CPPUNIT_ASSERT_EQUAL(bytes, encoded(message).size());
    const double ratio = static_cast<double>(bytes) / static_cast<double>(message.m2.size() * data.size());
    CPPUNIT_ASSERT_MESSAGE(std::to_string(ratio), ratio <= 1.019);  // leaves 0.001 for frames and TLS records (22 bytes in 16 KiB: 0.0014)
  }

  void testDataIsNotCopied() {
    const Message message = token_data();
    auto result = encode(message);
    CPPUNIT_ASSERT(result.good());
    EncodedMessage moved = std::move(result.value);
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, moved.pieces.size());
    CPPUNIT_ASSERT(moved.pieces[0].data() == moved.head.data());
    CPPUNIT_ASSERT(moved.pieces[1].data() == kData);
    CPPUNIT_ASSERT(moved.pieces[2].data() == moved.head.data() + moved.pieces[0].size());
    CPPUNIT_ASSERT_EQUAL(moved.total_bytes, moved.flat().size());
  }

  void testIdleMessage() {
    Message message;
    message.m0 = header(ContentType::kTokenData);
    CPPUNIT_ASSERT_EQUAL(kM0Bytes, encoded(message).size());
    assert_round_trip(message);
  }

  void testLargestMessageAndOneByteMore() {
    const Bytes data(65000, 0x77);
    Message message;
    message.m0 = header(ContentType::kTokenData);
    std::size_t room = kMaxMessageBytes - kM0Bytes;
    while (room > 0) {
      Token t = token(message.m2.size() + 1);
      std::size_t length = std::min<std::size_t>(data.size(), room - 35);
      if (room - 35 - length > 0 && room - 35 - length < 36) length -= 40;  // the last field needs its token and a byte
      t.ranges[0] = {1, 0, static_cast<std::uint16_t>(length)};
      t.data_length = static_cast<std::uint32_t>(length);
      message.m2.push_back({t, 0, std::span(data).first(length)});
      room -= 35 + length;
    }
    CPPUNIT_ASSERT_EQUAL(std::size_t{kMaxMessageBytes}, encoded(message).size());
    assert_round_trip(message);
    M2Field& last = message.m2.back();
    ++last.token.ranges[0].length;
    ++last.token.data_length;
    last.data = std::span(data).first(last.token.data_length);
    assert_not_encoded(message, "limit");
  }

  void testM0FieldsAreNamedWhenRefused() {
    const Message message = token_data();
    Bytes bytes = encoded(message);
    bytes[0] = 'B';
    assert_refused(bytes, "AIM0");
    assert_refused(changed(message, 4, {0, 2}), "version is 2");
    bytes = encoded(message);
    bytes[159] ^= 1;
    assert_refused(bytes, "header CRC");
    bytes = encoded(message);
    bytes.back() ^= 1;
    assert_refused(bytes, "body CRC");
    assert_refused(changed(message, 8, {'1'}), "session name");
    assert_refused(changed(message, 8, {'d'}), "session name");
    assert_refused(changed(message, 9, {' '}), "session name");
    assert_refused(changed(message, 8, {' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '}), "session name");
    assert_refused(changed(message, 16, {'.'}), "origin LU name");
    assert_refused(changed(message, 18, {' '}), "origin LU name");
    assert_refused(changed(message, 38, {'+'}), "destination LU name");
    assert_refused(changed(message, 50, {1}), "reserved");
    assert_refused(changed(message, 104, {1}), "reserved");
    assert_refused(changed(message, 151, {1}), "reserved");
    assert_refused(changed(message, 79, {0}), "message number is 0");
    assert_refused(changed(message, 96, {1}), "last sequence");
    assert_refused(changed(message, 60, {0, 0x40, 0, 0}), "body length");
    assert_refused(changed(message, 60, {0xFF, 0xFF, 0xFF, 0xFF}), "body length");
    assert_refused(changed(message, 63, {0x95}), "announces a body");
    assert_refused(changed(message, 52, {0xFF, 0xFF, 0xFF, 0xFF}), "counts");
    assert_refused(changed(message, 56, {0xFF, 0xFF, 0xFF, 0xFF}), "counts");
    assert_refused(changed(message, 55, {1}), "M2");
    assert_refused(changed(message, 59, {1}), "follow the last M2 field");
    assert_refused(changed(acknowledge(), 55, {1}), "not token-data");
  }

  void testTokenFieldsAreNamedWhenRefused() {
    const Message message = token_data();
    const std::size_t m1 = kM0Bytes, m2 = kM0Bytes + 70;
    assert_refused(changed(message, m1, {0x01}), "unknown kind 0");
    assert_refused(changed(message, m1, {0xA1}), "unknown kind 5");
    assert_refused(changed(message, m1, {0x3F}), "31 ranges");
    assert_refused(changed(message, m1, {0x22}), "in M1");
    assert_refused(changed(message, m1 + 1, {0x11}), "has flags");
    assert_refused(changed(message, m2 + 1, {0x21}), "unknown flags");
    assert_refused(changed(message, m2 + 1, {0x11}), "M2");
    assert_refused(changed(message, m1 + 2, {4, 0}), "volume index 1024");
    assert_refused(changed(message, m1 + 4, {0, 0, 0, 0, 0, 0}), "sequence number outside");
    assert_refused(changed(message, m1 + 28, {0x20, 0, 0}), "track 2097152");
    assert_refused(changed(message, m1 + 31, {0xFF, 0xFF}), "range that ends behind");
    assert_refused(changed(message, m2 + 33, {0x01, 0x00}), "needs 256 bytes");
  }

  void testBodyFieldsAreNamedWhenRefused() {
    const std::size_t table = kM0Bytes + 4;
    assert_refused(changed(establish(), kM0Bytes, {0xFF, 0xFF}), "volume table");
    assert_refused(changed(establish(), kM0Bytes, {0, 1}), "volume table has 76 bytes");
    assert_refused(changed(establish(), kM0Bytes + 2, {1}), "reserved");
    assert_refused(changed(establish(), table, {'p'}), "volser");
    assert_refused(changed(establish(), table + 1, {' '}), "blank inside");
    assert_refused(changed(establish(), table + 6, {'?'}), "secondary volser");
    assert_refused(changed(establish(), table + 28, {'1'}), "system name");
    assert_refused(changed(establish(), table + 16, {0, 0, 0, 0}), "cylinders");
    assert_refused(changed(establish(), table + 20, {0, 0, 0, 0}), "cylinders or heads");
    assert_refused(changed(establish(), table + 24, {0, 0, 0, 0}), "track length");
    assert_refused(changed(establish(), table + 7, {' '}), "blank inside");
    assert_refused(changed(establish(), table + 29, {' ', 'A'}), "blank inside");
    assert_refused(changed(establish(), table + 16, {0xFF}), "tracks");
    assert_refused(changed(establish(), table + 24, {1}), "track length");
    assert_refused(changed(acknowledge(), kM0Bytes + 15, {0xFF}), "complete through");
    assert_refused(changed(acknowledge(), kM0Bytes + 31, {0x68}), "applied through");
    assert_refused(changed(acknowledge(), kM0Bytes + 16, {1}), "too large");
    assert_refused(changed(exception(), kM0Bytes, {0, 0}), "code 0");
    assert_refused(changed(exception(), kM0Bytes + 3, {1}), "exception has");
    assert_refused(changed(exception(), kM0Bytes + 4, {1}), "sequence number");
    assert_refused(changed(exception(), kM0Bytes + 12, {27}), "control characters");
    assert_refused(changed(terminate(), kM0Bytes, {1}), "last sequence");
    Bytes long_text = encoded(exception());
    const std::size_t text_bytes = kMaxSentenceBytes + 1;
    long_text.resize(kM0Bytes + 12);
    long_text.insert(long_text.end(), text_bytes, 'x');
    put_u16(long_text.data() + kM0Bytes + 2, static_cast<std::uint16_t>(text_bytes));
    put_u32(long_text.data() + 60, static_cast<std::uint32_t>(12 + text_bytes));
    reseal(long_text);
    assert_refused(long_text, "too long");
  }

  void testEncoderRefusesWhatTheDecoderWould() {
    Message message = token_data();
    message.m2[0].data = std::span(kData).first(7);
    assert_not_encoded(message, "7 bytes, its token needs 8");
    message = token_data();
    message.m2[1].data = kData;
    assert_not_encoded(message, "needs 0");
    message = token_data();
    message.m2[0].flags = 2;
    assert_not_encoded(message, "unknown flags");
    message = token_data();
    message.m2[0].token.volume = kMaxDevices;
    assert_not_encoded(message, "in M2, the token of sequence 4711 has volume index 1024");
    message = token_data();
    message.m1[0].data_length = 9;
    assert_not_encoded(message, "add up to 8");
    message = token_data();
    message.m1[0].sequence = Sequence{1} << 48;
    assert_not_encoded(message, "sequence number outside");
    message = token_data();
    message.m1[0].system = 16;
    assert_not_encoded(message, "system index 16");
    message = token_data();
    message.m1[1].range_count = 17;
    assert_not_encoded(message, "17 ranges");
    message = token_data();
    message.m0.session = "TOOLONGNAME";
    assert_not_encoded(message, "session name");
    message = acknowledge();
    message.m1 = {token(1)};
    assert_not_encoded(message, "only token-data");
    message = acknowledge();
    message.m2 = token_data().m2;
    assert_not_encoded(message, "only token-data");
    message = acknowledge();
    message.acknowledgement.complete_through = message.acknowledgement.known_through + 1;
    assert_not_encoded(message, "complete through");
    message = terminate();
    message.ending.last_sequence = Sequence{1} << 48;
    assert_not_encoded(message, "last sequence number of the ending");
    message = exception();
    message.exception.code = 0;
    assert_not_encoded(message, "code 0");
    message = exception();
    message.exception.sequence = Sequence{1} << 48;
    assert_not_encoded(message, "sequence number of the exception");
    message = terminate();
    message.m0.content = static_cast<ContentType>(7);
    assert_not_encoded(message, "content type 7");
    message = establish();
    message.volumes[1].volser.clear();
    assert_not_encoded(message, "volser");
    message = establish();
    message.volumes.resize(kMaxDevices + 1, message.volumes[0]);
    assert_not_encoded(message, "more than 1024");
    message.volumes.resize(kMaxDevices);
    assert_round_trip(message);
  }

  void testExceptionTextIsMadeSafe() {
    Message message = exception();
    message.exception.text = "line one\nline \x1b[2Jtwo \xC3\xA4";
    Bytes bytes = encoded(message);
    CPPUNIT_ASSERT_EQUAL(std::string("line one?line ?[2Jtwo \xC3\xA4"), decode(bytes).value.exception.text);
    message.exception.text = std::string(kMaxSentenceBytes - 1, 'x') + "\xC3\xA4";
    bytes = encoded(message);
    CPPUNIT_ASSERT_EQUAL(std::string(kMaxSentenceBytes - 1, 'x'), decode(bytes).value.exception.text);
  }

  // A terminal obeys U+009B as it obeys ESC [, and what is not UTF-8 may be anything in the reader's character set.
  void testOnlyShownCharactersOfUtf8AreText() {
    for (const std::string bad : {"\xC2\x9B", "\xC2\x80", "\x9B", "\xFF", "\xC3", "\xC0\xAF", "\xE0\x80\xAF", "\xED\xA0\x80",
                                  "\xF0\x80\x80\x80", "\xF4\x90\x80\x80", "\xF8\x88\x80\x80\x80", "\xE2\x82", "\x7F"}) {
      CPPUNIT_ASSERT(!is_safe_sentence("a" + bad + "b", 100));
      const std::string safe = safe_sentence("a" + bad + "b", 100);
      CPPUNIT_ASSERT(is_safe_sentence(safe, 100));
      CPPUNIT_ASSERT(safe.starts_with("a?") && safe.ends_with("b"));
      Message message = exception();
      message.exception.text = std::string(bad.size(), 'x');
      Bytes bytes = encoded(message);
      std::copy(bad.begin(), bad.end(), bytes.end() - static_cast<std::ptrdiff_t>(bad.size()));
      reseal(bytes);
      CPPUNIT_ASSERT(!decode(bytes).good());
    }
    for (const std::string good :
         {"\xC2\xA0", "\xDF\xBF", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
      CPPUNIT_ASSERT(is_safe_sentence(good, 4));
      CPPUNIT_ASSERT_EQUAL(good, safe_sentence(good, 4));
      CPPUNIT_ASSERT_EQUAL(std::string(), safe_sentence(good, 1));
    }
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(MessageTest);

}  // namespace afterimage
