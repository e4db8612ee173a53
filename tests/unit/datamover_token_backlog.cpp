// The primary's backlog against a model that keeps every token and scans: after any sequence of events both name the same next token, the
// same next data and the same number of bytes that wait.
#include "datamover/token_backlog.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <list>
#include <random>

#include "datamover_support.h"

namespace afterimage::testing {
namespace {

struct Modelled {
  Token token;
  bool ready = false, is_void = false, m1_sent = false, m2_sent = false;
};

class DatamoverTokenBacklog : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(DatamoverTokenBacklog);
  CPPUNIT_TEST(testRandomEventsAgreeWithAModel);
  CPPUNIT_TEST(testWhatIsFreedNeedsNoSending);
  CPPUNIT_TEST(testLateNewsOfFreedTokensIsIgnored);
  CPPUNIT_TEST(testDataWaitsForItsToken);
  CPPUNIT_TEST(testTheFirstNewsOfATokenCounts);
  CPPUNIT_TEST_SUITE_END();

  static std::size_t m2_bytes(const Modelled& item) {
    M2Field field;
    field.token = item.token;
    const auto data = bytes_of(item.token.data_length, 1);
    if (item.is_void)
      field.flags = kM2Void;
    else
      field.data = data;
    return encoded_m2_bytes(field);
  }

  TokenBacklog backlog;
  std::list<std::vector<std::uint8_t>> data;

  void add(Sequence sequence, bool flushed, bool is_void = false, std::uint16_t length = 8) {
    data.push_back(bytes_of(length, static_cast<unsigned>(sequence)));
    backlog.add(write_token(sequence, 0, 1, 0, length), data.back(), flushed, is_void);
  }
  Sequence send_m1() {
    const Token* token = backlog.next_m1();
    if (token == nullptr) return 0;
    const Sequence sequence = token->sequence;
    backlog.take_m1();
    return sequence;
  }
  // Sequence of the data sent, 0 if there was none to send.
  Sequence send_m2(bool* is_void = nullptr) {
    M2Field field;
    if (!backlog.next_m2(field)) return 0;
    backlog.take_m2();
    if (is_void != nullptr) *is_void = (field.flags & kM2Void) != 0;
    CPPUNIT_ASSERT_EQUAL((field.flags & kM2Void) != 0 ? std::size_t{0} : std::size_t{field.token.data_length}, field.data.size());
    return field.token.sequence;
  }

 public:
  void testRandomEventsAgreeWithAModel() {
    for (unsigned seed = 1; seed <= 40; ++seed) {
      std::mt19937 random(seed);
      backlog = TokenBacklog();
      std::vector<Modelled> model;  // model[i] has sequence freed + 1 + i
      Sequence freed = 0;
      const auto last = [&] { return freed + model.size(); };
      const auto any = [&] { return freed + 1 + random() % std::max<std::size_t>(model.size(), 1); };
      const auto at = [&](Sequence sequence) -> Modelled& { return model[sequence - freed - 1]; };
      for (int round = 0; round < 2000; ++round) {
        switch (random() % 8) {
          case 0:
          case 1: {
            const bool flushed = random() % 2 == 0, is_void = random() % 8 == 0;
            const auto length = static_cast<std::uint16_t>(1 + random() % 40);
            model.push_back({write_token(last() + 1, 0, 1, 0, length), flushed || is_void, is_void});
            add(last(), flushed, is_void, length);
            break;
          }
          case 2:
            if (model.empty()) break;
            if (const Sequence s = any(); true) {
              at(s).ready = true;
              backlog.flushed(s);
            }
            break;
          case 3:
            if (model.empty()) break;
            if (const Sequence s = any(); true) {
              if (!at(s).ready) at(s).ready = at(s).is_void = true;
              backlog.voided(s);
            }
            break;
          case 4: {
            const auto next = std::find_if(model.begin(), model.end(), [](const Modelled& m) { return !m.m1_sent; });
            CPPUNIT_ASSERT_EQUAL(next == model.end() ? Sequence{0} : next->token.sequence, send_m1());
            if (next != model.end()) next->m1_sent = true;
            break;
          }
          case 5: {
            const auto next = std::find_if(model.begin(), model.end(), [](const Modelled& m) { return m.ready && !m.m2_sent; });
            const bool goes = next != model.end() && next->m1_sent;
            CPPUNIT_ASSERT_EQUAL(goes ? next->token.sequence : Sequence{0}, send_m2());
            if (goes) next->m2_sent = true;
            break;
          }
          case 6: {
            if (random() % 4 != 0) break;
            const Sequence through = freed + random() % (model.size() + 1);
            backlog.free_through(through);
            model.erase(model.begin(), model.begin() + static_cast<std::ptrdiff_t>(through - freed));
            freed = through;
            // What is freed was sent; tokens before it too.
            break;
          }
          default: {
            if (random() % 8 != 0) break;
            const Sequence known = freed + random() % (model.size() + 1);
            const Sequence complete = freed + random() % (known - freed + 1);
            backlog.rewind(known, complete);
            for (Modelled& m : model) {
              m.m1_sent = m.token.sequence <= known;
              m.m2_sent = m.ready && m.token.sequence <= complete;
            }
            break;
          }
        }
        std::uint64_t waiting = 0;
        for (const Modelled& m : model) {
          if (!m.m1_sent) waiting += encoded_token_bytes(m.token);
          if (m.ready && !m.m2_sent) waiting += m2_bytes(m);
        }
        CPPUNIT_ASSERT_EQUAL_MESSAGE("seed " + std::to_string(seed) + " round " + std::to_string(round), waiting, backlog.waiting_bytes());
        CPPUNIT_ASSERT_EQUAL(freed, backlog.freed_through());
        CPPUNIT_ASSERT_EQUAL(last(), backlog.taken_through());
      }
    }
  }

  // The secondary held it from the binding before: it does not go again.
  void testWhatIsFreedNeedsNoSending() {
    add(1, true);
    add(2, false);
    add(3, true);
    backlog.free_through(2);
    CPPUNIT_ASSERT_EQUAL(Sequence{2}, backlog.sent_through());
    CPPUNIT_ASSERT_EQUAL(write_token(2, 0, 1, 0, 8).tod, backlog.sent_tod());
    CPPUNIT_ASSERT_EQUAL(Sequence{3}, send_m1());
    CPPUNIT_ASSERT_EQUAL(Sequence{3}, send_m2());
    CPPUNIT_ASSERT_EQUAL(Sequence{0}, send_m1());
    CPPUNIT_ASSERT_EQUAL(Sequence{0}, send_m2());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, backlog.waiting_bytes());
  }

  void testLateNewsOfFreedTokensIsIgnored() {
    add(1, true);
    add(2, false);
    backlog.free_through(1);
    const std::uint64_t waiting = backlog.waiting_bytes();
    backlog.flushed(1);
    backlog.voided(1);
    CPPUNIT_ASSERT_EQUAL(waiting, backlog.waiting_bytes());
    CPPUNIT_ASSERT_EQUAL(Sequence{2}, send_m1());
    CPPUNIT_ASSERT_EQUAL(Sequence{0}, send_m2());
  }

  void testDataWaitsForItsToken() {
    add(1, true);
    CPPUNIT_ASSERT_EQUAL(Sequence{0}, send_m2());
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, send_m1());
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, send_m2());
  }

  // Data that may have gone stays what it is; a token told void stays void.
  void testTheFirstNewsOfATokenCounts() {
    add(1, true);
    add(2, false);
    backlog.voided(1);
    backlog.voided(2);
    backlog.flushed(2);
    send_m1();
    send_m1();
    bool is_void = true;
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, send_m2(&is_void));
    CPPUNIT_ASSERT(!is_void);
    CPPUNIT_ASSERT_EQUAL(Sequence{2}, send_m2(&is_void));
    CPPUNIT_ASSERT(is_void);
    CPPUNIT_ASSERT_EQUAL(Sequence{0}, send_m2());
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DatamoverTokenBacklog);

}  // namespace
}  // namespace afterimage::testing
