// The primary core, scripted: what goes when, what an acknowledgement frees, when the link is dropped.
#include "datamover/primary_core.h"

#include <cppunit/TestFixture.h>

#include <chrono>
#include <list>

#include "datamover_support.h"

namespace afterimage::testing {
namespace {

constexpr Tod ms(std::uint64_t n) { return tod_from_us((1000 + n) * 1000); }

struct Primary {
  explicit Primary(PrimarySettings settings = defaults()) : core(settings) {}
  static PrimarySettings defaults() {
    PrimarySettings settings;
    settings.session = kSession;
    settings.local_lu = kPrimaryLu;
    settings.peer_lu = kSecondaryLu;
    settings.message_bytes = 4096;
    settings.interval_ms = 10;
    settings.idle_interval_ms = 500;
    return settings;
  }
  PrimaryCore core;
  std::vector<Message> sent;
  std::vector<Sequence> freed;
  std::vector<std::string> dropped;
  std::vector<Exception> exceptions;
  bool ended = false;
  std::uint64_t own = 0;
  std::list<std::vector<std::uint8_t>> kept, data;

  void step(Tod now, PrimaryInput input) {
    for (auto& output : core.step(now, std::move(input))) {
      if (auto* send = std::get_if<primary::Send>(&output)) {
        kept.push_back(send->message.flat());
        auto message = decode(kept.back());
        CPPUNIT_ASSERT_MESSAGE(message.status.text(), message.good());
        sent.push_back(std::move(message.value));
      } else if (auto* free = std::get_if<primary::Free>(&output)) {
        freed.push_back(free->through);
      } else if (auto* drop = std::get_if<primary::DropLink>(&output)) {
        dropped.push_back(drop->reason);
      } else if (auto* seen = std::get_if<primary::ExceptionSeen>(&output)) {
        exceptions.push_back(seen->exception);
      } else if (std::get_if<primary::Ended>(&output)) {
        ended = true;
      }
    }
  }
  void start(Sequence first = 1, Sequence freed_through = 0) { step(ms(0), primary::Start{7, two_volumes(), first, freed_through}); }
  void number(Tod now, Sequence s, bool flushed, std::uint16_t length = 8, bool is_void = false) {
    data.push_back(bytes_of(length, static_cast<unsigned>(s)));
    step(now, primary::TokenNumbered{write_token(s, 0, s % 4, 0, length), data.back(), flushed, is_void});
  }
  static BindResponse bind(std::uint64_t epoch, std::uint64_t last = 0, Sequence known = 0, Sequence complete = 0) {
    BindResponse response;
    response.accepted = true;
    response.epoch = epoch;
    response.last_message = last;
    response.known_through = known;
    response.complete_through = complete;
    return response;
  }
  void up(Tod now, const BindResponse& response) {
    own = response.last_own_message;
    step(now, primary::LinkUp{response});
  }
  void acknowledge(Tod now, std::uint64_t message_number, Sequence known, Sequence complete) {
    Message message;
    message.m0.session = kSession;
    message.m0.origin_lu = kSecondaryLu;
    message.m0.destination_lu = kPrimaryLu;
    message.m0.epoch = 7;
    message.m0.message_number = ++own;
    message.m0.content = ContentType::kAcknowledge;
    message.acknowledgement = {message_number, complete, known, complete, 0};
    step(now, primary::MessageArrived{message});
  }
  std::vector<Sequence> m1() const {
    std::vector<Sequence> all;
    for (const Message& message : sent)
      for (const Token& token : message.m1) all.push_back(token.sequence);
    return all;
  }
  std::vector<Sequence> m2() const {
    std::vector<Sequence> all;
    for (const Message& message : sent)
      for (const M2Field& field : message.m2) all.push_back(field.token.sequence);
    return all;
  }
};

using Sequences = std::vector<Sequence>;

class DatamoverPrimaryCore : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(DatamoverPrimaryCore);
  CPPUNIT_TEST(testA12_EachTokenGoesInM1OnceAndAsSoonAsItIsNumbered);
  CPPUNIT_TEST(testA13_DataOvertakesAnUnflushedToken);
  CPPUNIT_TEST(testA14_BufferFull);
  CPPUNIT_TEST(testA14_IntervalSinceThePrecedingMessage);
  CPPUNIT_TEST(testA14_ALargeFieldGoesAlone);
  CPPUNIT_TEST(testA8A9_TenThousandRewritesOfOneRecordAllGo);
  CPPUNIT_TEST(testA9_ARestartedMoverSendsWhatWasNotAcknowledged);
  CPPUNIT_TEST(testA10_ResumesBehindWhatTheSecondaryHolds);
  CPPUNIT_TEST(testA10_ReverseDirectionIsChecked);
  CPPUNIT_TEST(testA18_OnlyAnAcknowledgementFrees);
  CPPUNIT_TEST(testA18_AnAcknowledgementOfWhatWasNotSentIsRefused);
  CPPUNIT_TEST(testA18_NothingIsFreedThatAWaitingMessageRefersTo);
  CPPUNIT_TEST(testVoidTokens);
  CPPUNIT_TEST(testWindow);
  CPPUNIT_TEST(testIdleMovesConsistencyTime);
  CPPUNIT_TEST(testConsistencyTimeNeverPassesAnUnsentToken);
  CPPUNIT_TEST(testEndWaitsForEverything);
  CPPUNIT_TEST(testBindsThatCannotGoOn);
  CPPUNIT_TEST(testClockSetBackDoesNotSilenceTheLink);
  CPPUNIT_TEST(testABindWithoutAReasonIsTold);
  CPPUNIT_TEST(testABindAfterTheEndIsDropped);
  CPPUNIT_TEST(testANewBindingTakesTheOldOnesPlace);
  CPPUNIT_TEST(testWhatComesOfAGivenUpLinkIsIgnored);
  CPPUNIT_TEST(testWhatOnlyAPrimarySendsDropsTheLink);
  CPPUNIT_TEST(testAnExceptionIsHandedOn);
  CPPUNIT_TEST(testTheEndNeedsItsOwnAcknowledgement);
  CPPUNIT_TEST(testMoreTokensThanAMessageHolds);
  CPPUNIT_TEST(testAMessageWithTokensIsTheIdleOne);
  CPPUNIT_TEST(testLongBacklogIsNotScanned);
  CPPUNIT_TEST_SUITE_END();

 public:
  void testA12_EachTokenGoesInM1OnceAndAsSoonAsItIsNumbered() {
    Primary p;
    p.start();
    p.up(ms(0), Primary::bind(0));
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, p.sent.size());
    CPPUNIT_ASSERT(p.sent[0].m0.content == ContentType::kEstablish);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, p.sent[0].m0.message_number);
    CPPUNIT_ASSERT(p.sent[0].volumes == two_volumes());
    for (Sequence s = 1; s <= 30; ++s) p.number(ms(10 * s), s, false);
    CPPUNIT_ASSERT(p.m2().empty());
    Sequences expected;
    for (Sequence s = 1; s <= 30; ++s) expected.push_back(s);
    CPPUNIT_ASSERT(p.m1() == expected);
    for (Sequence s = 1; s <= 30; ++s) p.step(ms(400), primary::DataFlushed{s});
    p.step(ms(420), primary::Tick{});
    CPPUNIT_ASSERT(p.m1() == expected);
    CPPUNIT_ASSERT(p.m2() == expected);
    for (std::size_t i = 0; i < p.sent.size(); ++i) CPPUNIT_ASSERT_EQUAL(std::uint64_t{i + 1}, p.sent[i].m0.message_number);
    CPPUNIT_ASSERT_EQUAL(Sequence{30}, p.sent.back().m0.last_sequence);
  }

  void testA13_DataOvertakesAnUnflushedToken() {
    Primary p;
    p.start();
    p.up(ms(0), Primary::bind(0));
    p.number(ms(1), 1, false);
    p.number(ms(1), 2, true);
    p.number(ms(1), 3, true);
    p.step(ms(20), primary::Tick{});
    CPPUNIT_ASSERT((p.m2() == Sequences{2, 3}));
    p.step(ms(40), primary::DataFlushed{1});
    CPPUNIT_ASSERT((p.m2() == Sequences{2, 3, 1}));
    p.step(ms(60), primary::DataFlushed{1});  // said again
    p.step(ms(80), primary::Tick{});
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, p.m2().size());
  }

  void testA14_BufferFull() {
    PrimarySettings settings = Primary::defaults();
    settings.interval_ms = 1000000;
    Primary p(settings);
    p.start();
    p.up(ms(0), Primary::bind(0));
    for (Sequence s = 1; s <= 400; ++s) p.number(ms(1), s, true, 50);
    CPPUNIT_ASSERT(p.sent.size() > 10);
    for (std::size_t i = 1; i < p.sent.size(); ++i) CPPUNIT_ASSERT(kM0Bytes + p.sent[i].m0.body_bytes <= settings.message_bytes);
    CPPUNIT_ASSERT_EQUAL(p.sent.size() - 1, static_cast<std::size_t>(p.core.counters().sent_by_full));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, p.core.counters().sent_by_interval);
    CPPUNIT_ASSERT(p.m2().size() < 400);  // the rest waits: the buffer is not full
  }

  void testA14_IntervalSinceThePrecedingMessage() {
    Primary p;
    p.start();
    p.up(ms(0), Primary::bind(0));
    p.number(ms(3), 1, true);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, p.sent.size());
    CPPUNIT_ASSERT_EQUAL(ms(10), p.core.next_wakeup());
    p.step(ms(10) - 1, primary::Tick{});
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, p.sent.size());
    p.step(ms(10), primary::Tick{});
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, p.sent.size());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, p.core.counters().sent_by_interval);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, p.core.counters().sent_by_full);
    CPPUNIT_ASSERT((p.m1() == Sequences{1}) && (p.m2() == Sequences{1}));
    CPPUNIT_ASSERT_EQUAL(ms(510), p.core.next_wakeup());
  }

  void testA14_ALargeFieldGoesAlone() {
    Primary p;
    p.start();
    p.up(ms(0), Primary::bind(0));
    p.number(ms(1), 1, true, 60000);
    p.number(ms(1), 2, true, 60000);
    p.step(ms(20), primary::Tick{});
    CPPUNIT_ASSERT((p.m1() == Sequences{1, 2}) && (p.m2() == Sequences{1, 2}));
    for (const Message& message : p.sent) CPPUNIT_ASSERT(message.m2.size() <= 1);
  }

  void testA8A9_TenThousandRewritesOfOneRecordAllGo() {
    PrimarySettings settings = Primary::defaults();
    settings.window_messages = 100000;
    settings.message_bytes = kDefaultMessageBytes;
    Primary p(settings);
    p.start();
    p.up(ms(0), Primary::bind(0));
    for (Sequence s = 1; s <= 10000; ++s) {
      p.data.push_back({static_cast<std::uint8_t>(s >> 8), static_cast<std::uint8_t>(s)});
      p.step(ms(1), primary::TokenNumbered{write_token(s, 0, 1, 20, 2), p.data.back(), true, false});
    }
    p.step(ms(20), primary::Tick{});
    Sequence next = 1;
    for (const Message& message : p.sent)
      for (const M2Field& field : message.m2) {
        CPPUNIT_ASSERT_EQUAL(next, field.token.sequence);
        CPPUNIT_ASSERT_EQUAL(next, Sequence{field.data[0]} << 8 | field.data[1]);
        ++next;
      }
    CPPUNIT_ASSERT_EQUAL(Sequence{10001}, next);
  }

  void testA9_ARestartedMoverSendsWhatWasNotAcknowledged() {
    Primary p;
    p.start(1, 20);  // 1 to 20 were freed by the mover that died
    for (Sequence s = 21; s <= 25; ++s) p.number(ms(1), s, s != 23);
    CPPUNIT_ASSERT_EQUAL(Sequence{25}, p.core.taken_through());
    p.up(ms(2), Primary::bind(7, 40, 23, 21));
    p.step(ms(30), primary::Tick{});
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{41}, p.sent[0].m0.message_number);
    CPPUNIT_ASSERT(p.sent[0].m0.content == ContentType::kTokenData);
    CPPUNIT_ASSERT((p.m1() == Sequences{24, 25}));
    CPPUNIT_ASSERT((p.m2() == Sequences{22, 24, 25}));
    CPPUNIT_ASSERT(p.dropped.empty());
  }

  void testA10_ResumesBehindWhatTheSecondaryHolds() {
    Primary p;
    p.start();
    p.up(ms(0), Primary::bind(0));
    for (Sequence s = 1; s <= 6; ++s) p.number(ms(20 * s), s, true);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{7}, p.sent.back().m0.message_number);
    p.step(ms(130), primary::LinkDown{});
    CPPUNIT_ASSERT(!p.core.link_up());
    CPPUNIT_ASSERT_EQUAL(PrimaryCore::kNever, p.core.next_wakeup());
    p.sent.clear();
    p.up(ms(140), Primary::bind(7, 4, 3, 3));
    p.step(ms(160), primary::Tick{});
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{5}, p.sent[0].m0.message_number);
    CPPUNIT_ASSERT((p.m1() == Sequences{4, 5, 6}) && (p.m2() == Sequences{4, 5, 6}));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, p.core.counters().resent_messages);
  }

  void testA10_ReverseDirectionIsChecked() {
    Primary p;
    p.start();
    BindResponse response = Primary::bind(7, 3, 0, 0);
    response.last_own_message = 12;
    p.up(ms(0), response);
    p.acknowledge(ms(1), 3, 0, 0);
    CPPUNIT_ASSERT(p.dropped.empty());
    p.own = 14;
    p.acknowledge(ms(2), 3, 0, 0);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, p.dropped.size());
    CPPUNIT_ASSERT(!p.core.link_up());
  }

  void testA18_OnlyAnAcknowledgementFrees() {
    Primary p;
    p.start();
    p.up(ms(0), Primary::bind(0));
    for (Sequence s = 1; s <= 4; ++s) p.number(ms(20 * s), s, s != 3);
    p.step(ms(100), primary::LinkDown{});
    p.up(ms(110), Primary::bind(7, 5, 4, 2));  // a bind frees nothing: what it names may not be synced yet
    CPPUNIT_ASSERT(p.freed.empty());
    p.acknowledge(ms(120), 3, 4, 2);
    CPPUNIT_ASSERT((p.freed == Sequences{2}));
    p.acknowledge(ms(130), 5, 4, 2);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, p.freed.size());
    p.step(ms(140), primary::DataFlushed{3});
    p.acknowledge(ms(150), 7, 4, 4);
    CPPUNIT_ASSERT((p.freed == Sequences{2, 4}));
  }

  void testA18_AnAcknowledgementOfWhatWasNotSentIsRefused() {
    for (int which = 0; which < 3; ++which) {
      Primary p;
      p.start();
      p.up(ms(0), Primary::bind(0));
      p.number(ms(20), 1, true);
      if (which == 0) p.acknowledge(ms(30), 99, 1, 1);
      if (which == 1) p.acknowledge(ms(30), 2, 2, 1);
      if (which == 2) p.acknowledge(ms(30), 2, 0, 1);
      CPPUNIT_ASSERT_EQUAL(std::size_t{1}, p.dropped.size());
      CPPUNIT_ASSERT(p.freed.empty());
    }
  }

  // The secondary holds 2 from the binding before; when 1 arrives it acknowledges both, and 2 is still on its way again.
  void testA18_NothingIsFreedThatAWaitingMessageRefersTo() {
    Primary p;
    p.start();
    p.number(ms(1), 1, true, 3900);
    p.number(ms(1), 2, true, 3900);
    p.up(ms(5), Primary::bind(7, 4, 2, 0));
    p.step(ms(20), primary::Tick{});
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, p.sent.size());
    p.acknowledge(ms(30), 5, 2, 2);
    CPPUNIT_ASSERT((p.freed == Sequences{1}));
    p.acknowledge(ms(31), 6, 2, 2);
    CPPUNIT_ASSERT((p.freed == Sequences{1, 2}));
  }

  void testVoidTokens() {
    Primary p;
    p.start();
    p.up(ms(0), Primary::bind(0));
    p.number(ms(1), 1, false);
    p.number(ms(1), 2, false, 8, true);
    p.step(ms(20), primary::TokenVoided{1});
    p.step(ms(40), primary::DataFlushed{1});
    p.step(ms(60), primary::Tick{});
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, p.m2().size());
    for (const Message& message : p.sent)
      for (const M2Field& field : message.m2) {
        CPPUNIT_ASSERT_EQUAL(kM2Void, field.flags);
        CPPUNIT_ASSERT(field.data.empty());
      }
  }

  void testWindow() {
    PrimarySettings settings = Primary::defaults();
    settings.window_messages = 3;
    Primary p(settings);
    p.start();
    p.up(ms(0), Primary::bind(0));
    for (Sequence s = 1; s <= 9; ++s) p.number(ms(20 * s), s, true);
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, p.sent.size());
    CPPUNIT_ASSERT_EQUAL(PrimaryCore::kNever, p.core.next_wakeup());
    p.acknowledge(ms(300), 1, 0, 0);
    CPPUNIT_ASSERT_EQUAL(std::size_t{4}, p.sent.size());
    CPPUNIT_ASSERT((p.m1() == Sequences{1, 2, 3, 4, 5, 6, 7, 8, 9}));
    p.acknowledge(ms(310), 4, 9, 9);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, p.core.unacknowledged_bytes());

    settings.window_messages = 100;
    settings.window_bytes = 1;
    Primary q(settings);
    q.start();
    q.up(ms(0), Primary::bind(0));
    q.number(ms(20), 1, true);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, q.sent.size());
  }

  void testIdleMovesConsistencyTime() {
    Primary p;
    p.start();
    p.up(ms(0), Primary::bind(0));
    p.step(ms(400), primary::ClockRead{0});
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, p.sent.size());
    p.step(ms(501), primary::Tick{});
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, p.sent.size());
    CPPUNIT_ASSERT(p.sent[1].m1.empty() && p.sent[1].m2.empty());
    CPPUNIT_ASSERT_EQUAL(ms(400), p.sent[1].m0.consistency_time);
    CPPUNIT_ASSERT_EQUAL(ms(1001), p.core.next_wakeup());
  }

  void testConsistencyTimeNeverPassesAnUnsentToken() {
    PrimarySettings settings = Primary::defaults();
    settings.window_messages = 2;
    Primary p(settings);
    p.start();
    p.up(ms(0), Primary::bind(0));
    p.number(ms(20), 1, true);
    p.number(ms(30), 2, true);
    p.step(ms(40), primary::ClockRead{2});
    CPPUNIT_ASSERT_EQUAL(write_token(1, 0, 1, 0, 8).tod, p.sent[1].m0.consistency_time);
    p.acknowledge(ms(50), 2, 1, 1);
    CPPUNIT_ASSERT_EQUAL(ms(40), p.sent[2].m0.consistency_time);
  }

  void testEndWaitsForEverything() {
    Primary p;
    p.start();
    p.up(ms(0), Primary::bind(0));
    p.number(ms(20), 1, false);
    p.step(ms(30), primary::End{});
    p.step(ms(40), primary::DataFlushed{1});
    CPPUNIT_ASSERT(p.sent.back().m0.content == ContentType::kTokenData);
    p.acknowledge(ms(50), p.sent.back().m0.message_number, 1, 1);
    CPPUNIT_ASSERT(p.sent.back().m0.content == ContentType::kTerminate);
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, p.sent.back().ending.last_sequence);
    CPPUNIT_ASSERT(!p.ended);
    const std::uint64_t last = p.sent.back().m0.message_number;
    p.step(ms(60), primary::LinkDown{});  // it is said again after a cut
    p.up(ms(70), Primary::bind(7, last, 1, 1));
    CPPUNIT_ASSERT(p.sent.back().m0.content == ContentType::kTerminate);
    CPPUNIT_ASSERT_EQUAL(last + 1, p.sent.back().m0.message_number);
    p.acknowledge(ms(80), last + 1, 1, 1);
    CPPUNIT_ASSERT(p.ended);
  }

  void testBindsThatCannotGoOn() {
    const auto reason = [](Sequence freed, const BindResponse& response) {
      Primary p;
      p.start(1, freed);
      for (Sequence s = freed + 1; s <= freed + 3; ++s) p.number(ms(1), s, true);
      p.up(ms(2), response);
      CPPUNIT_ASSERT_EQUAL(std::size_t{1}, p.dropped.size());
      CPPUNIT_ASSERT(p.sent.empty());
      return p.dropped[0];
    };
    const auto says = [](const std::string& text, const std::string& part) {
      CPPUNIT_ASSERT_MESSAGE(text, text.find(part) != std::string::npos);
    };
    says(reason(5, Primary::bind(0)), "its checkpoint or journal was lost");
    says(reason(5, Primary::bind(8, 1, 5, 5)), "end or recover the older one");
    says(reason(5, Primary::bind(7, 9, 4, 4)), "its journal was lost or set back");
    says(reason(5, Primary::bind(7, 9, 9, 5)), "common storage was lost");
    says(reason(5, Primary::bind(7, 9, 6, 7)), "it is refused");
    BindResponse no;
    no.reason = "The secondary was taken over.";
    says(reason(0, no), "taken over");
    Primary idle;
    idle.up(ms(1), Primary::bind(0));
    says(idle.dropped.at(0), "No session is active");
  }

  void testClockSetBackDoesNotSilenceTheLink() {
    Primary p;
    p.start();
    p.up(ms(5000), Primary::bind(0));
    p.number(ms(100), 1, true);
    p.step(ms(110), primary::Tick{});
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, p.sent.size());
  }

  void testABindWithoutAReasonIsTold() {
    Primary p;
    p.start();
    p.up(ms(1), BindResponse{});
    CPPUNIT_ASSERT_EQUAL(std::string("The secondary refused the bind and gave no reason."), p.dropped.at(0));
  }

  void testABindAfterTheEndIsDropped() {
    Primary p;
    p.start();
    p.up(ms(0), Primary::bind(0));
    p.step(ms(10), primary::End{});
    p.acknowledge(ms(20), p.sent.back().m0.message_number, 0, 0);
    CPPUNIT_ASSERT(p.ended);
    CPPUNIT_ASSERT(!p.core.link_up());
    p.up(ms(30), Primary::bind(7, 2, 0, 0));
    CPPUNIT_ASSERT(p.dropped.at(0).find("No session is active") != std::string::npos);
    p.start();  // and a new session may begin
    p.up(ms(40), Primary::bind(0));
    CPPUNIT_ASSERT(p.core.link_up());
  }

  // The peer bound again before this side saw the old link go.
  void testANewBindingTakesTheOldOnesPlace() {
    Primary p;
    p.start();
    p.up(ms(0), Primary::bind(0));
    p.number(ms(20), 1, true);
    CPPUNIT_ASSERT(p.core.unacknowledged_bytes() > 0);
    p.sent.clear();
    p.up(ms(30), Primary::bind(7, 1, 0, 0));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, p.core.unacknowledged_bytes());
    p.step(ms(40), primary::Tick{});
    CPPUNIT_ASSERT((p.m1() == Sequences{1}) && (p.m2() == Sequences{1}));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, p.sent[0].m0.message_number);
    CPPUNIT_ASSERT(p.dropped.empty());
  }

  void testWhatComesOfAGivenUpLinkIsIgnored() {
    Primary p;
    p.start();
    p.up(ms(0), Primary::bind(0));
    p.number(ms(20), 1, true);
    p.step(ms(30), primary::LinkDown{});
    p.acknowledge(ms(40), 2, 1, 1);
    CPPUNIT_ASSERT(p.freed.empty());
    CPPUNIT_ASSERT(p.dropped.empty());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, p.core.last_acknowledgement().message_number);
  }

  static Message from_secondary(ContentType content) {
    Message message;
    message.m0.session = kSession;
    message.m0.origin_lu = kSecondaryLu;
    message.m0.destination_lu = kPrimaryLu;
    message.m0.epoch = 7;
    message.m0.message_number = 1;
    message.m0.content = content;
    return message;
  }

  void testWhatOnlyAPrimarySendsDropsTheLink() {
    for (const auto content : {ContentType::kTokenData, ContentType::kEstablish, ContentType::kTerminate}) {
      Primary p;
      p.start();
      p.up(ms(0), Primary::bind(0));
      p.step(ms(10), primary::MessageArrived{from_secondary(content)});
      CPPUNIT_ASSERT(p.dropped.at(0).find("only acknowledgements and exceptions come from a secondary") != std::string::npos);
      CPPUNIT_ASSERT(!p.core.link_up());
    }
  }

  void testAnExceptionIsHandedOn() {
    Primary p;
    p.start();
    p.up(ms(0), Primary::bind(0));
    Message message = from_secondary(ContentType::kException);
    message.exception = {static_cast<std::uint16_t>(ExceptionCode::kJournalFull), 3, "The journal is full."};
    p.step(ms(10), primary::MessageArrived{message});
    CPPUNIT_ASSERT_EQUAL(std::string("The journal is full."), p.exceptions.at(0).text);
    CPPUNIT_ASSERT(p.core.link_up());
  }

  // An acknowledgement still on its way when the end was sent does not end the session.
  void testTheEndNeedsItsOwnAcknowledgement() {
    Primary p;
    p.start();
    p.up(ms(0), Primary::bind(0));
    p.step(ms(10), primary::End{});
    CPPUNIT_ASSERT(p.sent.back().m0.content == ContentType::kTerminate);
    const std::size_t sent = p.sent.size();
    CPPUNIT_ASSERT_EQUAL(PrimaryCore::kNever, p.core.next_wakeup());
    p.step(ms(2000), primary::Tick{});
    CPPUNIT_ASSERT_EQUAL(sent, p.sent.size());  // nothing follows the end
    p.acknowledge(ms(2010), 1, 0, 0);
    CPPUNIT_ASSERT(!p.ended);
    p.acknowledge(ms(2020), 2, 0, 0);
    CPPUNIT_ASSERT(p.ended);
  }

  void testMoreTokensThanAMessageHolds() {
    Primary p;
    p.start();
    for (Sequence s = 1; s <= 300; ++s) p.number(ms(1), s, true, 2);  // 35 bytes each: 300 do not fit into 4,096
    p.up(ms(2), Primary::bind(0));
    p.step(ms(30), primary::Tick{});
    Sequences expected;
    for (Sequence s = 1; s <= 300; ++s) expected.push_back(s);
    CPPUNIT_ASSERT(p.m1() == expected);
    CPPUNIT_ASSERT(p.m2() == expected);
    Sequence known = 0;
    for (const Message& message : p.sent) {
      CPPUNIT_ASSERT(kM0Bytes + message.m0.body_bytes <= 4096);
      if (!message.m1.empty()) known = message.m1.back().sequence;
      for (const M2Field& field : message.m2) CPPUNIT_ASSERT(field.token.sequence <= known);
    }
  }

  void testAMessageWithTokensIsTheIdleOne() {
    PrimarySettings settings = Primary::defaults();
    settings.interval_ms = 400;
    settings.idle_interval_ms = 100;
    Primary p(settings);
    p.start();
    p.up(ms(0), Primary::bind(0));
    p.number(ms(50), 1, true);
    p.step(ms(200), primary::Tick{});
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, p.sent.size());  // a token waits for its interval: no empty message overtakes it
    p.step(ms(400), primary::Tick{});
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, p.sent.size());  // and none goes with it
    CPPUNIT_ASSERT((p.m1() == Sequences{1}));
    p.step(ms(500), primary::Tick{});
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, p.sent.size());
  }

  // 200,000 tokens wait for a link; steps cost the same as with none.
  void testLongBacklogIsNotScanned() {
    PrimaryCore core(Primary::defaults());
    core.step(ms(0), primary::Start{7, two_volumes(), 1, 0});
    const std::vector<std::uint8_t> data = bytes_of(8, 1);
    const auto begun = std::chrono::steady_clock::now();
    for (Sequence s = 1; s <= 200000; ++s) {
      core.step(ms(1), primary::TokenNumbered{write_token(s, 0, 1, 0, 8), data, false, false});
      core.step(ms(1), primary::DataFlushed{s});
      if (s > 1000) core.step(ms(1), primary::DataFlushed{s - 1000});
    }
    const auto took = std::chrono::steady_clock::now() - begun;
    CPPUNIT_ASSERT_EQUAL(Sequence{200000}, core.taken_through());
    CPPUNIT_ASSERT_MESSAGE("600,000 steps over a backlog took too long", took < std::chrono::seconds(20));
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DatamoverPrimaryCore);

}  // namespace
}  // namespace afterimage::testing
