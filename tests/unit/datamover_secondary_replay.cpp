// The secondary core's restart: what of a journal and a checkpoint it believes, and what it refuses with the place and the reason. A record
// that was synced may be damaged, missing or of another session; then no image is recovered from the rest.
#include <cppunit/TestFixture.h>

#include <functional>

#include "datamover_scripted_secondary.h"

namespace afterimage::testing {
namespace {

class DatamoverSecondaryReplay : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(DatamoverSecondaryReplay);
  CPPUNIT_TEST(testARecordThatDoesNotDecodeStops);
  CPPUNIT_TEST(testAMissingRecordStops);
  CPPUNIT_TEST(testAJournalBehindTheCheckpointsEndStops);
  CPPUNIT_TEST(testAJournalThatEndsBeforeTheCheckpointStops);
  CPPUNIT_TEST(testARecordOfAnotherSessionStops);
  CPPUNIT_TEST(testRecordsThatContradictTheirHeaderStop);
  CPPUNIT_TEST(testAnEstablishmentInTheMiddleStops);
  CPPUNIT_TEST(testCompleteWritesBehindPointAStop);
  CPPUNIT_TEST(testAnEndInOrderIsReplayedBehindItsWrites);
  CPPUNIT_TEST(testAnIdleMessageAfterTheEndIsReplayed);
  CPPUNIT_TEST(testNothingIsDoneAfterAStop);
  CPPUNIT_TEST(testNothingIsTakenBeforeTheReplayIsDone);
  CPPUNIT_TEST_SUITE_END();

  static std::vector<std::uint8_t> changed(const std::vector<std::uint8_t>& record, const std::function<void(Message&)>& change) {
    auto decoded = decode(record);
    CPPUNIT_ASSERT_MESSAGE(decoded.status.text(), decoded.good());
    change(decoded.value);
    auto encoded = encode(decoded.value);
    CPPUNIT_ASSERT_MESSAGE(encoded.status.text(), encoded.good());
    return encoded.value.flat();
  }
  static void stops(Secondary& s, const std::string& part) {
    s.site.core.reset();
    CPPUNIT_ASSERT_THROW(s.site.start(ms(900)), Broken);
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kStopped);
    CPPUNIT_ASSERT_MESSAGE(s.core().stop_reason() + " lacks " + part, s.core().stop_reason().find(part) != std::string::npos);
  }
  // Messages 2 to 4 with tokens 1 to 3 and their data, all durable; no checkpoint since the establishment.
  static void three_writes(Secondary& s) {
    s.establish();
    for (Sequence t = 1; t <= 3; ++t) {
      Message m = s.message();
      s.deliver(s.field(Secondary::token(m, t), t));
    }
    s.sync();
  }

 public:
  void testARecordThatDoesNotDecodeStops() {
    Secondary s;
    three_writes(s);
    s.site.disk.records[2].bytes[kM0Bytes] ^= 1;
    stops(s, "cannot be replayed at position " + std::to_string(s.site.disk.records[2].position) + ": ");
    CPPUNIT_ASSERT(s.core().stop_reason().find("CRC") != std::string::npos);
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, s.core().queue().known_through());
  }

  void testAMissingRecordStops() {
    Secondary s;
    three_writes(s);
    s.site.disk.records.erase(s.site.disk.records.begin() + 2);
    stops(s, "Token 3 came in M1 of message 4 where token 2 was expected");
    Secondary idle;  // without tokens the message numbers tell
    idle.establish();
    for (int i = 0; i < 3; ++i) idle.deliver(idle.message());
    idle.sync();
    idle.site.disk.records.erase(idle.site.disk.records.begin() + 2);
    stops(idle, "came where message 3 was expected");
  }

  void testAJournalBehindTheCheckpointsEndStops() {
    Secondary s;
    s.establish();
    for (int i = 0; i < 3; ++i) s.deliver(s.message());
    s.sync();
    auto& records = s.site.disk.records;
    records.erase(records.begin(), records.begin() + 3);
    stops(s, "The journal begins with message 4 and the checkpoint ends with message 1");
  }

  void testAJournalThatEndsBeforeTheCheckpointStops() {
    Secondary messages;
    messages.establish();
    for (int i = 0; i < 3; ++i) messages.deliver(messages.message());
    messages.sync();
    messages.checkpoint();
    messages.site.disk.checkpoint->journal_position = 0;
    messages.site.disk.records.pop_back();
    stops(messages, "The journal ends with message 3 and the checkpoint has seen message 4: the journal was lost or set back");
    Secondary tokens;  // the same number of messages, and fewer tokens in them
    tokens.five_but_three();
    tokens.work();
    tokens.checkpoint();
    tokens.site.disk.checkpoint->journal_position = 0;
    tokens.site.disk.checkpoint->known_through = 7;
    stops(tokens, "The journal ends with token 5 and the checkpoint has seen token 7: the journal was lost or set back");
  }

  void testARecordOfAnotherSessionStops() {
    Secondary s;
    three_writes(s);
    s.site.disk.records[2].bytes = changed(s.site.disk.records[2].bytes, [](Message& m) { m.m0.session = "OTHER"; });
    stops(s, "A message of session OTHER came where session DALLAS was expected");
  }

  void testRecordsThatContradictTheirHeaderStop() {
    Secondary s;
    three_writes(s);
    s.site.disk.records[3].bytes = changed(s.site.disk.records[3].bytes, [](Message& m) { m.m0.last_sequence = 9; });
    stops(s, "names 9 as the last token and M1 ends with 3");
    Secondary ends;  // an ending that names more than was written
    three_writes(ends);
    Message end = ends.message(ContentType::kTerminate);
    end.ending.last_sequence = 3;
    ends.deliver(end);
    ends.sync();
    ends.site.disk.records[4].bytes = changed(ends.site.disk.records[4].bytes, [](Message& m) { m.ending.last_sequence = 8; });
    stops(ends, "The session was ended at token 8 and this secondary knows token 3");
    Secondary lacks;  // the right number, and data of it missing
    lacks.five_but_three();
    Message early = lacks.message(ContentType::kTerminate);
    early.ending.last_sequence = 5;
    lacks.site.disk.records.push_back({lacks.site.disk.end, encode(early).value.flat()});
    stops(lacks, "with data up to 2; it stays established");
  }

  void testAnEstablishmentInTheMiddleStops() {
    Secondary s;
    three_writes(s);
    s.site.disk.checkpoint.reset();
    const auto first = s.site.disk.records[0].bytes;
    s.site.disk.records[2].bytes = changed(first, [](Message& m) { m.m0.message_number = 3; });
    stops(s, "Session DALLAS is established already");
  }

  void testCompleteWritesBehindPointAStop() {
    Secondary s;
    s.five_but_three();
    s.site.step(ms(30), secondary::Recover{});
    for (int i = 0; i < 3; ++i) s.work();
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kRecovered);
    Message late = s.message();  // a journal put back from a copy that went on
    s.field(late, 3);
    late.m0.last_sequence = 5;
    auto& disk = s.site.disk;
    disk.records.push_back({disk.end, encode(late).value.flat()});
    stops(s, "complete writes behind point A of the recovered volumes");
  }

  void testAnEndInOrderIsReplayedBehindItsWrites() {
    Secondary s;
    three_writes(s);
    Message end = s.message(ContentType::kTerminate);
    end.ending.last_sequence = 3;
    s.deliver(end);
    for (int i = 0; i < 3; ++i) s.work();
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kEnded);
    s.site.disk.checkpoint->journal_position = 0;  // the older of two checkpoints: every record comes again
    s.restart();
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kEnded);
    CPPUNIT_ASSERT_EQUAL(Sequence{3}, s.core().applied_through());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{5}, s.core().last_message());
    CPPUNIT_ASSERT(s.site.applying.empty());
  }

  void testAnIdleMessageAfterTheEndIsReplayed() {
    Secondary s;
    three_writes(s);
    Message end = s.message(ContentType::kTerminate);
    end.ending.last_sequence = 3;
    s.deliver(end);
    s.deliver(s.message());  // the primary goes on telling the time until the end is acknowledged
    CPPUNIT_ASSERT(!s.site.refused);
    s.sync();
    s.restart();
    for (int i = 0; i < 3; ++i) s.work();
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kEnded);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{6}, s.core().last_message());
  }

  void testNothingIsDoneAfterAStop() {
    Secondary s;
    three_writes(s);
    s.site.disk.records[1].bytes[kM0Bytes] ^= 1;
    stops(s, "cannot be replayed");
    const std::string reason = s.core().stop_reason();
    CPPUNIT_ASSERT(s.core().step(ms(901), secondary::Replayed{s.site.disk.records[2].bytes, 0}).empty());
    CPPUNIT_ASSERT(s.core().step(ms(902), secondary::ReplayDone{0}).empty());
    CPPUNIT_ASSERT(s.core().step(ms(903), secondary::Applied{0}).empty());
    CPPUNIT_ASSERT(s.core().step(ms(904), secondary::DiskError{"Another error.", false}).empty());
    CPPUNIT_ASSERT_EQUAL(reason, s.core().stop_reason());
    CPPUNIT_ASSERT_EQUAL(SecondaryCore::kNever, s.core().next_wakeup());
    CPPUNIT_ASSERT_EQUAL(reason, s.core().may_freeze().text());
    CPPUNIT_ASSERT_EQUAL(reason, s.core().may_recover().text());
    CPPUNIT_ASSERT(s.bind(s.request()).reason.find("has stopped: " + reason) != std::string::npos);
  }

  void testNothingIsTakenBeforeTheReplayIsDone() {
    Secondary s;
    three_writes(s);
    s.work();
    s.checkpoint();
    SecondaryCore core(secondary_settings());
    CPPUNIT_ASSERT(core.step(ms(900), secondary::Restart{*s.site.disk.checkpoint}).empty());
    CPPUNIT_ASSERT(core.may_freeze().text().find("The journal is still being read") != std::string::npos);
    CPPUNIT_ASSERT(core.may_recover().text().find("The journal is still being read") != std::string::npos);
    CPPUNIT_ASSERT(core.step(ms(901), secondary::Freeze{}).empty());
    CPPUNIT_ASSERT(core.step(ms(902), secondary::Recover{}).empty());
    CPPUNIT_ASSERT(core.state() == SecondaryState::kDuplex);
    const auto out = core.step(ms(903), secondary::BindArrived{s.request()});
    const BindResponse& response = std::get<secondary::AnswerBind>(out.at(0)).response;
    CPPUNIT_ASSERT(!response.accepted);
    CPPUNIT_ASSERT_EQUAL(std::string("The secondary is still reading its journal; try again."), response.reason);
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DatamoverSecondaryReplay);

}  // namespace
}  // namespace afterimage::testing
