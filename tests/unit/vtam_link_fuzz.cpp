// Seeded fuzzing of the decoders: whatever the bytes are, they are refused, or encoding what was decoded gives them back.
#include "vtam_link_samples.h"

namespace afterimage {
namespace {

using namespace samples;
constexpr unsigned kSeed = 20021;

std::size_t below(std::mt19937& random, std::size_t limit) { return random() % limit; }

// True if it decoded.
bool judge(const Bytes& bytes, unsigned iteration) {
  const auto decoded = decode(bytes);
  if (!decoded.good()) {
    CPPUNIT_ASSERT(decoded.status.text().size() > 20);
    return false;
  }
  const auto again = encode(decoded.value);
  CPPUNIT_ASSERT_MESSAGE("iteration " + std::to_string(iteration) + ": " + again.status.text(), again.good());
  CPPUNIT_ASSERT_MESSAGE("iteration " + std::to_string(iteration), again.value.flat() == bytes);
  return true;
}

void disturb(std::mt19937& random, Bytes& bytes) {
  for (std::size_t changes = 1 + below(random, 3); changes > 0; --changes) {
    // Half of the changes go to the fields that steer the decoder: counts, length, content type.
    static constexpr std::size_t kSteering[] = {6, 7, 52, 54, 55, 56, 58, 59, 60, 62, 63, 160, 161};
    std::size_t at = random() % 2 == 0 ? kSteering[below(random, std::size(kSteering))] : below(random, bytes.size());
    at = std::min(at, bytes.size() - 1);
    bytes[at] = random() % 4 == 0 ? static_cast<std::uint8_t>(bytes[at] + 1) : static_cast<std::uint8_t>(random());
  }
  if (random() % 4 == 0 && bytes.size() > kM0Bytes) bytes.resize(kM0Bytes + below(random, bytes.size() - kM0Bytes + 1));
  if (random() % 4 == 0) bytes.insert(bytes.end(), 1 + below(random, 60), static_cast<std::uint8_t>(random()));
  if (random() % 2 == 0) put_u32(bytes.data() + 60, static_cast<std::uint32_t>(bytes.size() - kM0Bytes));
}

}  // namespace

class FuzzTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(FuzzTest);
  CPPUNIT_TEST(testRandomBytes);
  CPPUNIT_TEST(testResealedDisturbances);
  CPPUNIT_TEST(testRandomBodiesUnderAValidHeader);
  CPPUNIT_TEST_SUITE_END();

 public:
  void testRandomBytes() {
    std::mt19937 random(kSeed);
    for (unsigned i = 0; i < 30000; ++i) {
      Bytes bytes(below(random, 400));
      for (auto& b : bytes) b = static_cast<std::uint8_t>(random());
      if (bytes.size() > 6 && i % 2 == 0) std::copy_n("AIM0\0\1", 6, bytes.begin());
      CPPUNIT_ASSERT(!judge(bytes, i));
      CPPUNIT_ASSERT(!decode_m0(bytes).good());
      CPPUNIT_ASSERT(!decode_bind_request(bytes).good());
      CPPUNIT_ASSERT(!decode_bind_response(bytes).good());
    }
  }

  // Both CRCs are right, so the checks of every field are on their own.
  void testResealedDisturbances() {
    std::mt19937 random(kSeed + 1);
    std::vector<Bytes> valid;
    for (const Message& message : one_of_each()) valid.push_back(encoded(message));
    unsigned accepted = 0;
    for (unsigned i = 0; i < 100000; ++i) {
      Bytes bytes = valid[below(random, valid.size())];
      disturb(random, bytes);
      reseal(bytes);
      accepted += judge(bytes, i) ? 1 : 0;
    }
    CPPUNIT_ASSERT_MESSAGE("the fuzzer must reach valid messages too", accepted > 1000);
    CPPUNIT_ASSERT(accepted < 90000);
  }

  void testRandomBodiesUnderAValidHeader() {
    std::mt19937 random(kSeed + 2);
    const Bytes head = encoded(token_data());
    for (unsigned i = 0; i < 40000; ++i) {
      Bytes bytes(head.begin(), head.begin() + kM0Bytes);
      bytes.resize(kM0Bytes + below(random, 300));
      for (std::size_t at = kM0Bytes; at < bytes.size(); ++at) bytes[at] = static_cast<std::uint8_t>(random());
      if (bytes.size() > kM0Bytes) bytes[kM0Bytes] = static_cast<std::uint8_t>(0x20 | (random() % 4));
      put_u16(bytes.data() + 6, static_cast<std::uint16_t>(1 + below(random, 6)));
      put_u32(bytes.data() + 52, static_cast<std::uint32_t>(below(random, 4)));
      put_u32(bytes.data() + 56, static_cast<std::uint32_t>(below(random, 4)));
      put_u32(bytes.data() + 60, static_cast<std::uint32_t>(bytes.size() - kM0Bytes));
      reseal(bytes);
      judge(bytes, i);
    }
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(FuzzTest);

}  // namespace afterimage
