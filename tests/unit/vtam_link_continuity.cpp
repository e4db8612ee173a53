// Logical continuity of the message stream (A10).
#include "vtam_link/continuity.h"

#include "vtam_link_samples.h"

namespace afterimage {

class ContinuityTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ContinuityTest);
  CPPUNIT_TEST(testA10_InOrderIsAccepted);
  CPPUNIT_TEST(testA10_DroppedMessageIsDetected);
  CPPUNIT_TEST(testA10_DuplicatedMessageIsDetected);
  CPPUNIT_TEST(testA10_ReorderedMessagesAreDetected);
  CPPUNIT_TEST(testA10_OtherEpochSessionOrLuIsDetected);
  CPPUNIT_TEST(testA10_EveryDisturbanceOfARandomStreamIsDetected);
  CPPUNIT_TEST(testA10_LastNumberOfAll);
  CPPUNIT_TEST(testTheNextMessageIsDescribedToo);
  CPPUNIT_TEST_SUITE_END();

  ContinuityChecker checker{"DALLAS", "SITEA.DSMLU", "SITEB.DSMLU", 2, 40};

  static M0 numbered(std::uint64_t number) { return samples::header(ContentType::kTokenData, number); }

  void expect(ContinuityVerdict verdict, const M0& m0, const std::string& says = {}) {
    const std::uint64_t before = checker.last_number();
    const ContinuityVerdict got = checker.accept(m0);
    CPPUNIT_ASSERT_EQUAL(static_cast<int>(verdict), static_cast<int>(got));
    if (verdict == ContinuityVerdict::kNext) {
      CPPUNIT_ASSERT_EQUAL(m0.message_number, checker.last_number());
    } else {
      CPPUNIT_ASSERT_EQUAL(before, checker.last_number());
      const std::string text = checker.describe(got, m0);
      CPPUNIT_ASSERT_MESSAGE(text, text.find(says) != std::string::npos);
      CPPUNIT_ASSERT_EQUAL('.', text.back());
    }
  }

 public:
  void testA10_InOrderIsAccepted() {
    for (std::uint64_t number = 41; number < 200; ++number) expect(ContinuityVerdict::kNext, numbered(number));
  }

  void testA10_DroppedMessageIsDetected() {
    expect(ContinuityVerdict::kNext, numbered(41));
    expect(ContinuityVerdict::kGap, numbered(43), "came where message 42 was expected: 1 are missing");
    expect(ContinuityVerdict::kNext, numbered(42));
  }

  void testA10_DuplicatedMessageIsDetected() {
    expect(ContinuityVerdict::kNext, numbered(41));
    expect(ContinuityVerdict::kDuplicate, numbered(41), "Message 41 of session DALLAS came again");
    expect(ContinuityVerdict::kDuplicate, numbered(7), "through message 41");
    expect(ContinuityVerdict::kNext, numbered(42));
  }

  void testA10_ReorderedMessagesAreDetected() {
    expect(ContinuityVerdict::kGap, numbered(42), "41");
    expect(ContinuityVerdict::kNext, numbered(41));
    expect(ContinuityVerdict::kNext, numbered(42));
    expect(ContinuityVerdict::kDuplicate, numbered(41), "41");
  }

  void testA10_OtherEpochSessionOrLuIsDetected() {
    M0 m0 = numbered(41);
    m0.epoch = 3;
    expect(ContinuityVerdict::kWrongEpoch, m0, "epoch 3");
    m0 = numbered(41);
    m0.session = "AUSTIN";
    expect(ContinuityVerdict::kWrongSession, m0, "AUSTIN");
    m0 = numbered(41);
    m0.origin_lu = "SITEX.DSMLU";
    expect(ContinuityVerdict::kWrongLu, m0, "SITEX.DSMLU");
    m0 = numbered(41);
    m0.destination_lu = "SITEX.DSMLU";
    expect(ContinuityVerdict::kWrongLu, m0, "to LU SITEX.DSMLU");
    m0 = numbered(41);
    std::swap(m0.origin_lu, m0.destination_lu);  // a message sent back to its origin
    expect(ContinuityVerdict::kWrongLu, m0, "SITEB.DSMLU");
    expect(ContinuityVerdict::kNext, numbered(41));
  }

  // Whatever a link does to a stream, what is accepted is the numbers in order without a gap.
  void testA10_EveryDisturbanceOfARandomStreamIsDetected() {
    std::mt19937 random(10);
    for (int round = 0; round < 200; ++round) {
      std::vector<std::uint64_t> stream;
      for (std::uint64_t number = 1; number <= 50; ++number) {
        const unsigned chance = random() % 10;
        if (chance == 0) continue;  // dropped
        stream.push_back(number);
        if (chance == 1) stream.push_back(number);  // duplicated
        if (chance == 2 && stream.size() > 1) std::swap(stream[stream.size() - 1], stream[random() % stream.size()]);
      }
      ContinuityChecker fresh("DALLAS", "SITEA.DSMLU", "SITEB.DSMLU", 2, 0);
      std::uint64_t expected = 1;
      for (const std::uint64_t number : stream) {
        const bool accepted = fresh.accept(numbered(number)) == ContinuityVerdict::kNext;
        CPPUNIT_ASSERT_EQUAL(number == expected, accepted);
        if (accepted) ++expected;
      }
    }
  }

  void testTheNextMessageIsDescribedToo() {
    CPPUNIT_ASSERT_EQUAL(std::string("Message 41 of session DALLAS is the next one."),
                         checker.describe(ContinuityVerdict::kNext, numbered(41)));
  }

  void testA10_LastNumberOfAll() {
    ContinuityChecker last("DALLAS", "SITEA.DSMLU", "SITEB.DSMLU", 2, ~std::uint64_t{0});
    CPPUNIT_ASSERT(last.accept(numbered(1)) == ContinuityVerdict::kDuplicate);
    CPPUNIT_ASSERT(last.accept(numbered(0)) == ContinuityVerdict::kDuplicate);
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ContinuityTest);

}  // namespace afterimage
