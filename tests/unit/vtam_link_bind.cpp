// BIND both ways: golden bytes of docs/FORMATS.md, round trips and refusals.
#include "vtam_link/bind.h"

#include "serializer/limits.h"
#include "vtam_link_samples.h"

namespace afterimage {
namespace {

using namespace samples;

BindRequest request() {
  BindRequest bind;
  bind.product_version = "0.1.0";
  bind.session = "DALLAS";
  bind.origin_lu = "SITEA.DSMLU";
  bind.destination_lu = "SITEB.DSMLU";
  bind.epoch = 2;
  bind.storage_id = 0x1122334455667788;
  bind.next_message = 10;
  bind.freed_through = 4600;
  bind.max_message_bytes = kDefaultMessageBytes;
  return bind;
}

BindResponse response() {
  BindResponse bind;
  bind.accepted = false;
  bind.reason = "Volumes differ.";
  bind.product_version = "0.1.0";
  bind.epoch = 2;
  bind.last_message = 9;
  bind.last_own_message = 5;
  bind.known_through = 4712;
  bind.complete_through = 4711;
  return bind;
}

void reseal_bind(Bytes& bytes) { put_u32(bytes.data() + bytes.size() - 4, crc32c(0, bytes.data(), bytes.size() - 4)); }

template <typename Bind>
Bytes changed(const Bind& bind, std::size_t at, std::initializer_list<int> values) {
  Bytes bytes = encode(bind);
  for (const int value : values) bytes.at(at++) = static_cast<std::uint8_t>(value);
  reseal_bind(bytes);
  return bytes;
}

void assert_names(const Status& status, const std::string& names) {
  CPPUNIT_ASSERT(!status.good());
  CPPUNIT_ASSERT_MESSAGE("'" + status.text() + "' should name '" + names + "'", status.text().find(names) != std::string::npos);
}

// docs/FORMATS.md, "Golden vectors".
const char kGoldenRequest[] =
    "414942510001006c44414c4c4153202053495445412e44534d4c552020202020"
    "2053495445422e44534d4c55202020202020302e312e30202020202020202020"
    "202000000004000000000000000000021122334455667788000000000000000a"
    "00000000000011f8ce2c8aad";
const char kGoldenResponse[] =
    "414942520001005b00000000000f0000302e312e302020202020202020202020"
    "0000000000000002000000000000000900000000000000050000000000001268"
    "0000000000001267566f6c756d6573206469666665722ec3d22da6";

}  // namespace

class BindTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(BindTest);
  CPPUNIT_TEST(testGoldenRequest);
  CPPUNIT_TEST(testGoldenResponse);
  CPPUNIT_TEST(testGoldenVectorsAreDocumented);
  CPPUNIT_TEST(testEveryTruncationAndFlippedBitIsRefused);
  CPPUNIT_TEST(testFieldsAreNamedWhenRefused);
  CPPUNIT_TEST(testAnotherVersionIsRefusedByName);
  CPPUNIT_TEST(testReasonIsMadeSafe);
  CPPUNIT_TEST(testVersionIsMadeSafe);
  CPPUNIT_TEST(testALongerRequestIsRefused);
  CPPUNIT_TEST_SUITE_END();

 public:
  void testGoldenRequest() {
    CPPUNIT_ASSERT_EQUAL(hex(from_hex(kGoldenRequest)), hex(encode(request())));
    const auto decoded = decode_bind_request(from_hex(kGoldenRequest));
    CPPUNIT_ASSERT_MESSAGE(decoded.status.text(), decoded.good());
    const BindRequest &want = request(), &have = decoded.value;
    CPPUNIT_ASSERT_EQUAL(want.version, have.version);
    CPPUNIT_ASSERT_EQUAL(want.product_version, have.product_version);
    CPPUNIT_ASSERT_EQUAL(want.session, have.session);
    CPPUNIT_ASSERT_EQUAL(want.origin_lu, have.origin_lu);
    CPPUNIT_ASSERT_EQUAL(want.destination_lu, have.destination_lu);
    CPPUNIT_ASSERT_EQUAL(want.epoch, have.epoch);
    CPPUNIT_ASSERT_EQUAL(want.storage_id, have.storage_id);
    CPPUNIT_ASSERT_EQUAL(want.next_message, have.next_message);
    CPPUNIT_ASSERT_EQUAL(want.freed_through, have.freed_through);
    CPPUNIT_ASSERT_EQUAL(want.max_message_bytes, have.max_message_bytes);
  }

  void testGoldenResponse() {
    CPPUNIT_ASSERT_EQUAL(hex(from_hex(kGoldenResponse)), hex(encode(response())));
    const auto decoded = decode_bind_response(from_hex(kGoldenResponse));
    CPPUNIT_ASSERT_MESSAGE(decoded.status.text(), decoded.good());
    const BindResponse &want = response(), &have = decoded.value;
    CPPUNIT_ASSERT_EQUAL(want.accepted, have.accepted);
    CPPUNIT_ASSERT_EQUAL(want.reason, have.reason);
    CPPUNIT_ASSERT_EQUAL(want.product_version, have.product_version);
    CPPUNIT_ASSERT_EQUAL(want.epoch, have.epoch);
    CPPUNIT_ASSERT_EQUAL(want.last_message, have.last_message);
    CPPUNIT_ASSERT_EQUAL(want.last_own_message, have.last_own_message);
    CPPUNIT_ASSERT_EQUAL(want.known_through, have.known_through);
    CPPUNIT_ASSERT_EQUAL(want.complete_through, have.complete_through);
  }

  void testGoldenVectorsAreDocumented() {
    assert_documented(kGoldenRequest);
    assert_documented(kGoldenResponse);
  }

  void testEveryTruncationAndFlippedBitIsRefused() {
    const auto refuse_all = [](const Bytes& whole, auto decoder) {
      for (std::size_t size = 0; size < whole.size(); ++size) {
        const Bytes part(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
        CPPUNIT_ASSERT(!decoder(part).good());
      }
      Bytes bytes = whole;
      for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
        CPPUNIT_ASSERT_MESSAGE("bit " + std::to_string(bit), !decoder(bytes).good());
        bytes[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
      }
      CPPUNIT_ASSERT(decoder(bytes).good());
      bytes.push_back(0);
      CPPUNIT_ASSERT(!decoder(bytes).good());
    };
    refuse_all(encode(request()), [](std::span<const std::uint8_t> b) { return decode_bind_request(b); });
    refuse_all(encode(response()), [](std::span<const std::uint8_t> b) { return decode_bind_response(b); });
  }

  void testFieldsAreNamedWhenRefused() {
    assert_names(decode_bind_request(changed(request(), 0, {'X'})).status, "AIBQ");
    assert_names(decode_bind_request(changed(request(), 7, {0})).status, "length field");
    assert_names(decode_bind_request(changed(request(), 8, {'1'})).status, "session name");
    assert_names(decode_bind_request(changed(request(), 16, {'.'})).status, "origin LU");
    assert_names(decode_bind_request(changed(request(), 33, {'.'})).status, "destination LU");
    assert_names(decode_bind_request(changed(request(), 34, {' '})).status, "blank inside");
    assert_names(decode_bind_request(changed(request(), 9, {' '})).status, "blank inside");
    assert_names(decode_bind_request(changed(request(), 17, {' '})).status, "blank inside");
    assert_names(decode_bind_request(changed(request(), 50, {7})).status, "product version");
    assert_names(decode_bind_request(changed(request(), 50, {' '})).status, "product version");
    assert_names(decode_bind_request(changed(request(), 50, {0xC3})).status, "product version");
    assert_names(decode_bind_request(changed(request(), 66, {1})).status, "reserved");
    assert_names(decode_bind_request(changed(request(), 68, {1})).status, "message size");
    assert_names(decode_bind_request(changed(request(), 95, {0})).status, "next message number");
    assert_names(decode_bind_request(changed(request(), 96, {1})).status, "freed");
    assert_names(decode_bind_response(changed(response(), 8, {2})).status, "accepted");
    assert_names(decode_bind_response(changed(response(), 9, {1})).status, "reserved");
    assert_names(decode_bind_response(changed(response(), 10, {1})).status, "reserved");
    assert_names(decode_bind_response(changed(response(), 11, {1})).status, "reserved");
    assert_names(decode_bind_response(changed(response(), 15, {1})).status, "reserved");
    assert_names(decode_bind_response(changed(response(), 16, {7})).status, "product version");
    assert_names(decode_bind_response(changed(response(), 13, {1})).status, "reason");
    assert_names(decode_bind_response(changed(response(), 12, {0xFF, 0xFF})).status, "reason");
    assert_names(decode_bind_response(changed(response(), 71, {0xFF})).status, "complete run");
    assert_names(decode_bind_response(changed(response(), 56, {1})).status, "too large");
    assert_names(decode_bind_response(changed(response(), 72, {10})).status, "control characters");
  }

  void testAnotherVersionIsRefusedByName() {
    BindRequest bind = request();
    bind.version = 2;
    assert_names(decode_bind_request(encode(bind)).status, "the peer speaks link version 2 and this side version 1");
  }

  void testReasonIsMadeSafe() {
    BindResponse bind = response();
    bind.reason = std::string(3000, 'y') + "\n";
    CPPUNIT_ASSERT_EQUAL(std::string(kMaxSentenceBytes, 'y'), decode_bind_response(encode(bind)).value.reason);
    bind.reason = "a\nb";
    CPPUNIT_ASSERT_EQUAL(std::string("a?b"), decode_bind_response(encode(bind)).value.reason);
  }

  // A build may carry any version text; what is sent is what the other side can show, and takes.
  void testVersionIsMadeSafe() {
    BindRequest bind = request();
    bind.product_version = "1.0\t\xC3\xA4 beta";
    const auto decoded = decode_bind_request(encode(bind));
    CPPUNIT_ASSERT_MESSAGE(decoded.status.text(), decoded.good());
    CPPUNIT_ASSERT_EQUAL(std::string("1.0??? beta"), decoded.value.product_version);
    bind.product_version.clear();
    CPPUNIT_ASSERT_EQUAL(std::string(), decode_bind_request(encode(bind)).value.product_version);
  }

  // Of a release that says more: its length and CRC are right, and what it says is not known here.
  void testALongerRequestIsRefused() {
    Bytes bytes = encode(request());
    bytes.insert(bytes.end() - 4, 8, 0);
    put_u16(bytes.data() + 6, static_cast<std::uint16_t>(bytes.size()));
    reseal_bind(bytes);
    assert_names(decode_bind_request(bytes).status, "bytes follow the last field");
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(BindTest);

}  // namespace afterimage
