// The secondary core, scripted: what it takes, what it refuses, what it says, what survives a restart.
#include <cppunit/TestFixture.h>

#include "datamover_scripted_secondary.h"

namespace afterimage::testing {
namespace {

class DatamoverSecondaryCore : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(DatamoverSecondaryCore);
  CPPUNIT_TEST(testA18_NothingIsAcknowledgedOrAppliedBeforeTheSync);
  CPPUNIT_TEST(testA18_ASyncThatCoversAPartAcknowledgesThatPart);
  CPPUNIT_TEST(testA17_WithheldDataHoldsBackTheRest);
  CPPUNIT_TEST(testA13_DataInALaterMessageAndInAnyOrder);
  CPPUNIT_TEST(testA10_DuplicateIsIgnoredAndAcknowledgedAgain);
  CPPUNIT_TEST(testA10_GapAndWrongNamesAreRefused);
  CPPUNIT_TEST(testA12_TokensMustBeContiguous);
  CPPUNIT_TEST(testA16_MisaddressedDataIsRefusedWhole);
  CPPUNIT_TEST(testEstablishmentMustAgreeWithTheConfiguration);
  CPPUNIT_TEST(testBindsAreRefusedWithTheReason);
  CPPUNIT_TEST(testA19A20_RecoveryAppliesTheRunAndReportsTheRest);
  CPPUNIT_TEST(testA19_FreezeTakesNothingMore);
  CPPUNIT_TEST(testA19_KilledWhileRecovering);
  CPPUNIT_TEST(testEndInOrder);
  CPPUNIT_TEST(testANewEpochAfterTheEnd);
  CPPUNIT_TEST(testAnOldSessionsLastCheckpointDoesNotEndTheNewOne);
  CPPUNIT_TEST(testVoidTokensAreNotApplied);
  CPPUNIT_TEST(testVerifyMismatchIsTold);
  CPPUNIT_TEST(testVerifyAfterARestartComparesOnlyWhatItCan);
  CPPUNIT_TEST(testASyncGivenByPositionAloneCoversNoLaterAppend);
  CPPUNIT_TEST(testConsistencyTimeFollowsWhatIsApplied);
  CPPUNIT_TEST(testAcknowledgementsAreWithheldWhileApplyingIsBehind);
  CPPUNIT_TEST(testAJournalWithoutRoomIsWaitedFor);
  CPPUNIT_TEST(testDiskErrorStops);
  CPPUNIT_TEST(testALostJournalIsNotAnEmptyOne);
  CPPUNIT_TEST(testAChangedConfigurationStopsARestart);
  CPPUNIT_TEST_SUITE_END();

  static std::size_t acknowledgements(const std::vector<Message>& messages) {
    std::size_t count = 0;
    for (const Message& each : messages) count += each.m0.content == ContentType::kAcknowledge;
    return count;
  }

 public:
  void testA18_NothingIsAcknowledgedOrAppliedBeforeTheSync() {
    Secondary s;
    s.establish();
    s.replies();
    Message m = s.message();
    s.deliver(s.field(Secondary::token(m, 1), 1));
    s.site.step(ms(30), secondary::Tick{});
    CPPUNIT_ASSERT(s.replies().empty());
    CPPUNIT_ASSERT(s.site.applying.empty());
    s.sync();
    const auto all = s.replies();
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, all.size());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, all[0].acknowledgement.message_number);
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, all[0].acknowledgement.complete_through);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, s.site.applying.size());
  }

  void testA18_ASyncThatCoversAPartAcknowledgesThatPart() {
    Secondary s;
    s.establish();
    s.replies();
    for (Sequence t = 1; t <= 3; ++t) {
      Message m = s.message();
      s.deliver(s.field(Secondary::token(m, t), t));
    }
    s.site.sync_journal(ms(50), 2);
    auto all = s.replies();
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, all.size());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, all[0].acknowledgement.message_number);
    CPPUNIT_ASSERT_EQUAL(Sequence{2}, all[0].acknowledgement.known_through);
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, s.site.applying.size());
  }

  void testA17_WithheldDataHoldsBackTheRest() {
    Secondary s;
    s.five_but_three();
    s.work();
    CPPUNIT_ASSERT_EQUAL(Sequence{2}, s.core().applied_through());
    CPPUNIT_ASSERT_EQUAL(Sequence{5}, s.core().queue().known_through());
    Message m = s.message();
    s.deliver(s.field(m, 3));
    s.work();
    CPPUNIT_ASSERT_EQUAL(Sequence{5}, s.core().applied_through());
  }

  void testA13_DataInALaterMessageAndInAnyOrder() {
    Secondary s;
    s.establish();
    Message tokens = s.message();
    for (Sequence t = 1; t <= 6; ++t) Secondary::token(tokens, t);
    s.deliver(tokens);
    for (const Sequence t : {6, 2, 4, 1, 5, 3}) {
      Message m = s.message();
      s.deliver(s.field(m, t));
      s.work();
    }
    CPPUNIT_ASSERT_EQUAL(Sequence{6}, s.core().applied_through());
    Image image(kImageBytes);
    for (Sequence t = 1; t <= 6; ++t) apply_to(image, write_token(t, 0, t % 4, 0, 4), bytes_of(4, static_cast<unsigned>(t)));
    CPPUNIT_ASSERT(s.site.disk.image == image);
  }

  void testA10_DuplicateIsIgnoredAndAcknowledgedAgain() {
    Secondary s;
    s.establish();
    Message m = s.message();
    s.field(Secondary::token(m, 1), 1);
    s.deliver(m);
    s.sync();
    s.replies();
    s.deliver(m);
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, s.site.disk.records.size());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, s.core().counters().duplicates);
    const auto all = s.replies();
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, acknowledgements(all));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, all[0].acknowledgement.message_number);
    CPPUNIT_ASSERT(!s.site.refused);
  }

  void testA10_GapAndWrongNamesAreRefused() {
    for (int which = 0; which < 4; ++which) {
      Secondary s;
      s.establish();
      Message m = s.message();
      if (which == 0) ++m.m0.message_number;
      if (which == 1) m.m0.epoch = 78;
      if (which == 2) m.m0.session = "OTHER";
      if (which == 3) m.m0.origin_lu = "SITEX.DSMLU";
      s.deliver(m);
      s.expect_refused(ExceptionCode::kContinuity, which == 1 ? "is in epoch 77" : "expected", 1);
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, s.core().last_message());
    }
  }

  void testA12_TokensMustBeContiguous() {
    for (int which = 0; which < 4; ++which) {
      Secondary s;
      s.establish();
      Message m = s.message();
      Secondary::token(m, 1);
      if (which == 0) Secondary::token(m, 3);
      if (which == 1) Secondary::token(m, 1);
      if (which == 2) m.m0.last_sequence = 2;
      if (which == 3) {
        Secondary::token(m, 2);
        m.m1[1].tod = m.m1[0].tod;
      }
      s.deliver(m);
      s.expect_refused(ExceptionCode::kContinuity, "the link is dropped", 1);
      CPPUNIT_ASSERT_EQUAL(Sequence{0}, s.core().queue().known_through());
    }
  }

  void testA16_MisaddressedDataIsRefusedWhole() {
    const auto refused = [](auto spoil, const std::string& part) {
      Secondary s;
      s.establish();
      Message m = s.message();
      Secondary::token(m, 1);
      Secondary::token(m, 2);
      s.field(m, 1);
      s.field(m, 2);
      spoil(m);
      s.deliver(m);
      s.expect_refused(ExceptionCode::kMisaddressed, part, 1);
      CPPUNIT_ASSERT_EQUAL(Sequence{0}, s.core().queue().known_through());
    };
    refused([](Message& m) { m.m2[1].token.volume = 1; }, "does not name the address");
    refused([](Message& m) { m.m2[1].token.ranges[0].offset = 8; }, "does not name the address");
    refused([](Message& m) { m.m2[1].token.sequence = 9; }, "does not know");
    refused([](Message& m) { m.m1[1].volume = m.m2[1].token.volume = 2; }, "the session has 2 volumes");
    refused([](Message& m) { m.m1[1].cylinder = m.m2[1].token.cylinder = 2; }, "cylinder 2 head 0 of volume PRIM01");
    refused([](Message& m) { m.m1[1].ranges[0].track = m.m2[1].token.ranges[0].track = 4; }, "of track 4 of volume PRIM01");
    refused([](Message& m) { m.m1[1].ranges[0].offset = m.m2[1].token.ranges[0].offset = 61; }, "bytes 61 to 65");
    Secondary s;  // in a later message
    s.five_but_three();
    Message m = s.message();
    s.field(m, 3);
    m.m2[0].token.record = 9;
    s.deliver(m);
    s.expect_refused(ExceptionCode::kMisaddressed, "misaddressed", 2);
  }

  void testEstablishmentMustAgreeWithTheConfiguration() {
    const auto refused = [](auto spoil, const std::string& part) {
      Secondary s;
      s.bind(s.request());
      Message m = s.message(ContentType::kEstablish);
      m.volumes = two_volumes();
      spoil(m);
      s.deliver(m);
      s.expect_refused(ExceptionCode::kRefused, part, 0);
      CPPUNIT_ASSERT(s.core().state() == SecondaryState::kEmpty);
    };
    refused([](Message& m) { m.volumes.pop_back(); }, "has 1 volumes and 2 are configured");
    refused([](Message& m) { m.volumes[1].volser = "OTHER1"; }, "OTHER1");
    refused([](Message& m) { m.volumes[1].cylinders = 3; }, "Volume PRIM02 is a 3390 of 3 cylinders");
    refused([](Message& m) { m.volumes[0].device_type = 0x3380; }, "is a 3380");
    Secondary s;  // tokens before any establishment
    s.bind(s.request());
    s.deliver(s.message());
    s.expect_refused(ExceptionCode::kContinuity, "before the session was established", 0);
  }

  void testBindsAreRefusedWithTheReason() {
    Secondary s;
    const auto refused = [&](const BindRequest& request, const std::string& part) {
      const BindResponse response = s.bind(request);
      CPPUNIT_ASSERT(!response.accepted);
      CPPUNIT_ASSERT_MESSAGE(response.reason, response.reason.find(part) != std::string::npos);
    };
    BindRequest request = s.request();
    request.version = 9;
    refused(request, "link version 9");
    request = s.request();
    request.session = "OTHER";
    refused(request, "session OTHER");
    request = s.request();
    request.origin_lu = "SITEX.DSMLU";
    refused(request, "SITEX.DSMLU");
    refused(s.request(0), "no session started");
    s.five_but_three();
    s.work();
    refused(s.request(78), "recover or end it before");
    request = s.request();
    request.storage_id = 5;
    refused(request, "made anew");
    request = s.request();
    request.freed_through = 3;
    refused(request, "has freed tokens up to 3");
    const BindResponse good = s.bind(s.request());
    CPPUNIT_ASSERT(good.accepted);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, good.last_message);
    CPPUNIT_ASSERT_EQUAL(Sequence{5}, good.known_through);
    CPPUNIT_ASSERT_EQUAL(Sequence{2}, good.complete_through);
    CPPUNIT_ASSERT_EQUAL(Tod{0}, s.core().next_wakeup());  // it acknowledges at the next step, without waiting for a message
    s.replies();
    s.site.step(ms(40), secondary::Tick{});
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, acknowledgements(s.replies()));
    s.site.step(ms(41), secondary::Recover{});
    s.work();
    refused(s.request(), "was taken over at");
    CPPUNIT_ASSERT(!s.core().may_recover().good());
    CPPUNIT_ASSERT(!s.core().may_freeze().good());
  }

  void testA19A20_RecoveryAppliesTheRunAndReportsTheRest() {
    Secondary s;
    s.five_but_three();
    s.site.step(ms(30), secondary::Recover{});
    CPPUNIT_ASSERT(s.site.refused);
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kRecovering);
    s.work();
    CPPUNIT_ASSERT(!s.site.report.has_value());  // that checkpoint said "recovering"
    s.work();
    CPPUNIT_ASSERT(s.site.report.has_value());
    const LossReport& report = *s.site.report;
    CPPUNIT_ASSERT_EQUAL(Sequence{2}, report.point_a);
    CPPUNIT_ASSERT_EQUAL(write_token(2, 0, 0, 0, 1).tod, report.point_a_time);
    CPPUNIT_ASSERT_EQUAL(Sequence{5}, report.point_b);
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, report.lost.size());
    CPPUNIT_ASSERT(!report.lost[0].data_held && report.lost[1].data_held && report.lost[2].data_held);
    CPPUNIT_ASSERT_EQUAL(ms(20), report.last_heard);
    CPPUNIT_ASSERT(!report.ended_in_order);
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kRecovered);
    s.site.report.reset();
    s.restart();
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kRecovered);
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, s.site.report->lost.size());
    CPPUNIT_ASSERT_EQUAL(ms(20), s.site.report->last_heard);
    CPPUNIT_ASSERT(s.site.applying.empty());
  }

  void testA19_FreezeTakesNothingMore() {
    Secondary s;
    CPPUNIT_ASSERT(!s.core().may_freeze().good());
    s.five_but_three();
    CPPUNIT_ASSERT(s.core().may_freeze().good());
    s.site.step(ms(30), secondary::Freeze{});
    CPPUNIT_ASSERT(s.site.refused);
    Message m = s.message();
    s.deliver(s.field(m, 3));
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, s.site.disk.records.size());
    s.work();
    CPPUNIT_ASSERT_EQUAL(Sequence{2}, s.core().applied_through());  // what had come is applied
    CPPUNIT_ASSERT(!s.bind(s.request()).accepted);
    s.restart();
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kFrozen);
    CPPUNIT_ASSERT(!s.bind(s.request()).accepted);
    CPPUNIT_ASSERT(s.core().may_recover().good());
  }

  void testA19_KilledWhileRecovering() {
    Secondary s;
    s.five_but_three();
    s.work();
    s.site.step(ms(30), secondary::Recover{});
    s.work();
    Secondary t;
    t.five_but_three();
    t.sync();
    t.site.step(ms(30), secondary::Recover{});
    t.site.finish_checkpoint(ms(31));
    t.restart();
    CPPUNIT_ASSERT(t.core().state() == SecondaryState::kRecovering);
    for (int i = 0; i < 3; ++i) t.work();
    CPPUNIT_ASSERT(t.site.report.has_value());
    CPPUNIT_ASSERT_EQUAL(Sequence{2}, t.site.report->point_a);
    CPPUNIT_ASSERT(t.site.disk.image == s.site.disk.image);
  }

  void testEndInOrder() {
    Secondary s;
    s.five_but_three();
    Message early = s.message(ContentType::kTerminate);
    early.ending.last_sequence = 5;
    s.deliver(early);
    s.expect_refused(ExceptionCode::kContinuity, "it stays established", 2);
    --s.number;
    CPPUNIT_ASSERT(s.bind(s.request()).accepted);
    Message m = s.message();
    s.deliver(s.field(m, 3));
    Message end = s.message(ContentType::kTerminate);
    end.ending.last_sequence = 5;
    s.deliver(end);
    Message late = s.message();
    s.deliver(s.field(Secondary::token(late, 6), 6));
    s.expect_refused(ExceptionCode::kContinuity, "after the session was ended", 4);
    for (int i = 0; i < 3; ++i) s.work();
    CPPUNIT_ASSERT(s.site.ended);
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kEnded);
    s.restart();
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kEnded);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{4}, s.bind(s.request()).last_message);
    CPPUNIT_ASSERT(s.core().may_recover().good());
    s.site.step(ms(90), secondary::Recover{});
    for (int i = 0; i < 3; ++i) s.work();
    CPPUNIT_ASSERT(s.site.report.has_value() && s.site.report->ended_in_order);
    CPPUNIT_ASSERT_EQUAL(Sequence{5}, s.site.report->point_a);
  }

  void testANewEpochAfterTheEnd() {
    Secondary s;
    s.establish();
    Message end = s.message(ContentType::kTerminate);
    s.deliver(end);
    for (int i = 0; i < 3; ++i) s.work();
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kEnded);
    s.restart();
    const BindResponse response = s.bind(s.request(78));
    CPPUNIT_ASSERT(response.accepted);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, response.epoch);
    s.number = 0;
    Message first = s.message(ContentType::kEstablish);
    first.m0.epoch = 78;
    first.m0.last_sequence = 40;  // the sequence goes on in the same common storage
    first.volumes = two_volumes();
    s.deliver(first);
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kDuplex);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{78}, s.core().epoch());
    CPPUNIT_ASSERT_EQUAL(Sequence{40}, s.core().queue().known_through());
    Message m = s.message();
    m.m0.epoch = 78;
    s.deliver(s.field(Secondary::token(m, 41), 41));
    s.work();
    CPPUNIT_ASSERT_EQUAL(Sequence{41}, s.core().applied_through());
    std::mt19937_64 random(3);
    s.site.core.reset();
    s.site.start(ms(99));
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{78}, s.core().epoch());
    CPPUNIT_ASSERT_EQUAL(Sequence{41}, s.core().queue().known_through());
  }

  // An idle primary's messages still came after the end; the checkpoint that covers them is being written when the next session begins.
  void testAnOldSessionsLastCheckpointDoesNotEndTheNewOne() {
    Secondary s;
    s.establish();
    s.deliver(s.message(ContentType::kTerminate));
    for (int i = 0; i < 3; ++i) s.work();
    CPPUNIT_ASSERT(std::exchange(s.site.ended, false));
    s.deliver(s.message());
    s.sync();
    s.site.step(ms(5000), secondary::Tick{});
    CPPUNIT_ASSERT(s.site.checkpointing.has_value());
    CPPUNIT_ASSERT(s.site.checkpointing->state == SecondaryState::kEnded);
    const std::uint64_t next = kEpoch + 1;
    CPPUNIT_ASSERT(s.bind(s.request(next)).accepted);
    s.number = 0;
    Message first = s.message(ContentType::kEstablish);
    first.m0.epoch = next;
    first.volumes = two_volumes();
    s.deliver(first);
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kDuplex);
    s.site.finish_checkpoint(ms(5001));
    CPPUNIT_ASSERT(!s.site.ended);
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kDuplex);
    CPPUNIT_ASSERT_EQUAL(next, s.core().epoch());
    // The new session goes on: it takes a write, survives a restart, and ends by its own checkpoint.
    Message m = s.message();
    m.m0.epoch = next;
    s.deliver(s.field(Secondary::token(m, 1), 1));
    s.work();
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, s.core().applied_through());
    s.restart();
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kDuplex);
    CPPUNIT_ASSERT(s.bind(s.request(next)).accepted);
    Message end = s.message(ContentType::kTerminate);
    end.m0.epoch = next;
    end.ending.last_sequence = 1;
    s.deliver(end);
    for (int i = 0; i < 3; ++i) s.work();
    CPPUNIT_ASSERT(s.site.ended);
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kEnded);
  }

  void testVoidTokensAreNotApplied() {
    Secondary s;
    s.establish();
    Message m = s.message();
    s.field(Secondary::token(m, 1), 1, true);
    s.field(Secondary::token(m, 2), 2);
    s.deliver(m);
    s.work();
    CPPUNIT_ASSERT_EQUAL(Sequence{2}, s.core().applied_through());
    Image image(kImageBytes);
    apply_to(image, write_token(2, 0, 2, 0, 4), bytes_of(4, 2));
    CPPUNIT_ASSERT(s.site.disk.image == image);
  }

  static void verify_token(Secondary& s, Message& m, Sequence sequence, const std::vector<std::uint8_t>& bytes) {
    Token token = write_token(sequence, 0, 1, 0, 64);
    token.kind = TokenKind::kVerify;
    token.data_length = 16;
    m.m1.push_back(token);
    m.m0.last_sequence = sequence;
    s.data.push_back(bytes);
    M2Field field;
    field.token = token;
    field.data = s.data.back();
    m.m2.push_back(field);
  }

  void testVerifyMismatchIsTold() {
    Secondary s;
    s.data.reserve(8);
    s.establish();
    s.replies();
    Message m = s.message();
    verify_token(s, m, 1, digest(s.site.disk.image, 0, 1));
    verify_token(s, m, 2, bytes_of(16, 1));
    s.deliver(m);
    s.work();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, s.core().counters().verified_equal);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, s.core().counters().verified_different);
    const auto all = s.replies();
    const auto told = std::find_if(all.begin(), all.end(), [](const Message& each) { return each.m0.content == ContentType::kException; });
    CPPUNIT_ASSERT(told != all.end());
    CPPUNIT_ASSERT_EQUAL(static_cast<std::uint16_t>(ExceptionCode::kVerifyMismatch), told->exception.code);
    CPPUNIT_ASSERT_EQUAL(Sequence{2}, told->exception.sequence);
    CPPUNIT_ASSERT(!s.site.refused);
  }

  // Token 1 is followed by a write to its track, which the images may hold already; token 3 is not.
  void testVerifyAfterARestartComparesOnlyWhatItCan() {
    Secondary s;
    s.data.reserve(8);
    s.establish();
    Message m = s.message();
    verify_token(s, m, 1, digest(s.site.disk.image, 0, 1));
    m.m1.push_back(write_token(2, 0, 1, 0, 4));
    s.data.push_back(bytes_of(4, 9));
    m.m2.push_back({m.m1.back(), 0, s.data.back()});
    Image after = s.site.disk.image;
    apply_to(after, m.m1.back(), s.data.back());
    verify_token(s, m, 3, digest(after, 0, 1));
    s.deliver(m);
    s.sync();
    s.site.apply_some(ms(30), ~0ull);
    s.restart();
    s.replies();
    s.work();
    CPPUNIT_ASSERT_EQUAL(Sequence{3}, s.core().applied_through());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, s.core().counters().verify_skipped);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, s.core().counters().verified_equal);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, s.core().counters().verified_different);
    s.bind(s.request());
    s.site.step(ms(40), secondary::Tick{});
    const auto all = s.replies();
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, all.size());
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, all[0].exception.sequence);
    CPPUNIT_ASSERT(all[0].exception.text.find("could not be compared") != std::string::npos);
  }

  void testASyncGivenByPositionAloneCoversNoLaterAppend() {
    Secondary s;
    s.establish();
    s.replies();
    for (Sequence t = 1; t <= 3; ++t) {
      Message m = s.message();
      s.deliver(s.field(Secondary::token(m, t), t));
    }
    s.site.disk.synced = 3;
    s.site.step(ms(50), secondary::JournalSynced{s.site.disk.records[3].position});
    auto all = s.replies();
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, all.size());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, all[0].acknowledgement.message_number);
    s.site.disk.synced = 4;
    s.site.step(ms(51), secondary::JournalSynced{s.site.disk.end});
    all = s.replies();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{4}, all.at(0).acknowledgement.message_number);
  }

  void testConsistencyTimeFollowsWhatIsApplied() {
    Secondary s;
    s.five_but_three();
    s.sync();
    CPPUNIT_ASSERT_EQUAL(ms(10), s.core().consistency_time());
    CPPUNIT_ASSERT_EQUAL(ms(20), s.core().primary_time());
    Message m = s.message();
    s.deliver(s.field(m, 3));
    s.sync();
    CPPUNIT_ASSERT_EQUAL(ms(10), s.core().consistency_time());
    s.site.apply_some(ms(31), ~0ull);
    CPPUNIT_ASSERT_EQUAL(ms(30), s.core().consistency_time());
    s.deliver(s.message());  // idle
    s.sync();
    CPPUNIT_ASSERT_EQUAL(ms(40), s.core().consistency_time());
    CPPUNIT_ASSERT_EQUAL(ms(40), s.core().last_heard());
  }

  void testAcknowledgementsAreWithheldWhileApplyingIsBehind() {
    Secondary s;
    s.establish();
    s.replies();
    Sequence t = 0;
    for (int i = 0; i < 200; ++i) {  // 64 bytes each, settings allow 4096 in memory
      Message m = s.message();
      Token token = write_token(++t, 0, 1, 0, 64);
      m.m1.push_back(token);
      m.m0.last_sequence = t;
      s.data.push_back(bytes_of(64, 1));
      M2Field field;
      field.token = token;
      field.data = s.data.back();
      m.m2.push_back(field);
      s.deliver(m);
      s.sync();
    }
    const std::size_t given = acknowledgements(s.replies());
    CPPUNIT_ASSERT(given >= 60 && given < 70);
    s.site.apply_some(ms(9000), ~0ull);
    const auto all = s.replies();
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, acknowledgements(all));
    CPPUNIT_ASSERT_EQUAL(Sequence{200}, all.back().acknowledgement.complete_through);
  }

  static void deliver_one(Secondary& s) {
    const Sequence t = s.core().queue().known_through() + 1;
    Message m = s.message();
    Token token = write_token(t, 0, 1, 0, 64);
    m.m1.push_back(token);
    m.m0.last_sequence = t;
    s.data.push_back(bytes_of(64, 1));
    M2Field field;
    field.token = token;
    field.data = s.data.back();
    m.m2.push_back(field);
    s.deliver(m);
  }
  static void two_checkpoints(Secondary& s, Tod at) {
    s.site.finish_checkpoint(at);
    for (int i = 0; i < 2; ++i) {
      s.site.step(at + ms(1000 * (i + 1)), secondary::Tick{});
      s.site.finish_checkpoint(at + ms(1000 * (i + 1)));
    }
  }

  // Found by faults on real processes: each bind opened the primary's window again, until the journal was full and the secondary stopped;
  // the same after a burst that arrived during one sync, so that all of it is known by one position, which checkpoints had reached.
  void testAJournalWithoutRoomIsWaitedFor() {
    for (const bool in_a_burst : {false, true}) {
      Secondary s;
      s.establish();
      const std::uint64_t capacity = secondary_settings().journal_bytes;
      if (in_a_burst) {
        while (s.site.disk.end < capacity * 2 / 5) deliver_one(s);
        s.sync();
        for (int i = 0; i < 3; ++i) {
          s.site.apply_some(ms(60000 + 1000 * i), 1);
          s.site.finish_checkpoint(ms(60000 + 1000 * i));
          s.site.step(ms(60500 + 1000 * i), secondary::Tick{});
        }
      }
      while (!s.site.refused) {
        deliver_one(s);
        s.sync();
        CPPUNIT_ASSERT(s.site.disk.end <= capacity);
      }
      CPPUNIT_ASSERT(s.site.disk.end > capacity / 4 * 3);
      CPPUNIT_ASSERT(s.core().state() == SecondaryState::kDuplex);
      --s.number;  // it was not taken
      const std::size_t records = s.site.disk.records.size();
      CPPUNIT_ASSERT(!s.bind(s.request()).accepted);
      CPPUNIT_ASSERT(s.site.answer->reason.find("no room") != std::string::npos);
      // What frees it needs no primary: it is applied, and two checkpoints pass it.
      s.site.apply_some(ms(90000), ~0ull);
      two_checkpoints(s, ms(90000));
      CPPUNIT_ASSERT_MESSAGE(s.bind(s.request()).reason, s.bind(s.request()).accepted);
      CPPUNIT_ASSERT_EQUAL(std::uint64_t{s.number}, s.site.answer->last_message);
      deliver_one(s);
      CPPUNIT_ASSERT(!s.site.refused);
      CPPUNIT_ASSERT_EQUAL(records + 1, s.site.disk.records.size());
    }
  }

  void testDiskErrorStops() {
    Secondary s;
    s.five_but_three();
    s.replies();
    std::vector<SecondaryOutput> out = s.core().step(ms(50), secondary::DiskError{"The disk is full.", true});
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kStopped);
    CPPUNIT_ASSERT_EQUAL(std::size_t{3}, out.size());
    auto exception = decode(std::get<secondary::Send>(out[0]).message.flat());
    CPPUNIT_ASSERT_EQUAL(static_cast<std::uint16_t>(ExceptionCode::kJournalFull), exception.value.exception.code);
    CPPUNIT_ASSERT(std::holds_alternative<secondary::Refuse>(out[1]));
    CPPUNIT_ASSERT_EQUAL(std::string("The disk is full."), std::get<secondary::Stopped>(out[2]).reason);
    CPPUNIT_ASSERT(s.core().step(ms(51), secondary::JournalSynced{1 << 20, 0}).empty());  // too late: nothing is acknowledged
    CPPUNIT_ASSERT(!s.bind(s.request()).accepted);
    CPPUNIT_ASSERT(!s.core().may_recover().good());
  }

  void testALostJournalIsNotAnEmptyOne() {
    Secondary s;
    s.five_but_three();
    s.work();
    s.checkpoint();
    s.site.disk.records.clear();
    s.site.core.reset();
    CPPUNIT_ASSERT_THROW(s.site.start(ms(60)), Broken);
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kStopped);
    CPPUNIT_ASSERT_MESSAGE(s.core().stop_reason(), s.core().stop_reason().find("journal was lost or set back") != std::string::npos);
    Secondary t;  // a journal that does not begin with an establishment
    t.five_but_three();
    t.work();
    t.site.disk.checkpoint.reset();
    t.site.disk.records.erase(t.site.disk.records.begin());
    CPPUNIT_ASSERT_THROW(t.site.start(ms(60)), Broken);
    CPPUNIT_ASSERT(t.core().stop_reason().find("does not begin with the establishment") != std::string::npos);
  }

  void testAChangedConfigurationStopsARestart() {
    Secondary s;
    s.five_but_three();
    s.work();
    s.checkpoint();
    SecondarySettings settings = secondary_settings();
    settings.volumes[1].volser = "NEW001";
    SecondaryCore core(settings);
    const auto out = core.step(ms(70), secondary::Restart{*s.site.disk.checkpoint});
    CPPUNIT_ASSERT(std::holds_alternative<secondary::Stopped>(out.at(0)));
    CPPUNIT_ASSERT(core.stop_reason().find("configuration was changed") != std::string::npos);
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DatamoverSecondaryCore);

}  // namespace
}  // namespace afterimage::testing
