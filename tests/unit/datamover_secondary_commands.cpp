// The secondary core's answers to commands and to primaries in every state it can be in, its limits, and what an old session's last
// checkpoint may still say.
#include <cppunit/TestFixture.h>

#include <functional>

#include "datamover/secondary_intake.h"
#include "datamover_scripted_secondary.h"

namespace afterimage::testing {
namespace {

class DatamoverSecondaryCommands : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(DatamoverSecondaryCommands);
  CPPUNIT_TEST(testWhatFreezeAndRecoverAnswerInEachState);
  CPPUNIT_TEST(testACommandThatIsNotAllowedChangesNothing);
  CPPUNIT_TEST(testBindsWhileARecoveryRuns);
  CPPUNIT_TEST(testBindsOfAnotherSecondaryAndWithoutAStorage);
  CPPUNIT_TEST(testAnEstablishmentOfAnotherEpochThanTheBind);
  CPPUNIT_TEST(testASecondEstablishmentIsRefused);
  CPPUNIT_TEST(testWhatOnlyASecondarySendsIsRefused);
  CPPUNIT_TEST(testAnExceptionOfThePrimaryIsKeptInOrder);
  CPPUNIT_TEST(testOnlyIdleMessagesFollowTheEnd);
  CPPUNIT_TEST(testAnOldSessionsCheckpointDoesNotEndTheNewOne);
  CPPUNIT_TEST(testANewEpochAsksForACheckpointThoughItsNumbersAreTheOldOnes);
  CPPUNIT_TEST(testADiskErrorIsToldAsOne);
  CPPUNIT_TEST(testADifferenceFoundWithoutALinkIsCounted);
  CPPUNIT_TEST(testAFullJournalHoldsBackAcknowledgementsAndAsksForACheckpoint);
  CPPUNIT_TEST(testAnUnknownJournalSizeHoldsNothingBack);
  CPPUNIT_TEST(testManyBytesAskForACheckpointBeforeItsTime);
  CPPUNIT_TEST(testAddressesAreJudged);
  CPPUNIT_TEST(testDataShorterThanItsTokenIsRefused);
  CPPUNIT_TEST(testDataForASettledTokenDoesNotStopAReplay);
  CPPUNIT_TEST(testVolumesThatDifferAreNamed);
  CPPUNIT_TEST_SUITE_END();

  static void answers(Secondary& s, const std::string& freeze, const std::string& recover) {
    const auto same = [](const std::string& wanted, const Status& status) {
      CPPUNIT_ASSERT_EQUAL(wanted.empty(), status.good());
      CPPUNIT_ASSERT_MESSAGE("'" + status.text() + "' lacks '" + wanted + "'", status.text().find(wanted) != std::string::npos);
    };
    same(freeze, s.core().may_freeze());
    same(recover, s.core().may_recover());
  }
  static void end(Secondary& s, Sequence last) {
    Message m = s.message(ContentType::kTerminate);
    m.ending.last_sequence = last;
    s.deliver(m);
  }

 public:
  void testWhatFreezeAndRecoverAnswerInEachState() {
    Secondary s;
    answers(s, "No session is established", "No session was ever established");
    s.five_but_three();
    answers(s, "", "");
    s.site.step(ms(30), secondary::Freeze{});
    answers(s, "is frozen already", "");
    s.site.step(ms(31), secondary::Recover{});
    answers(s, "recovered or being recovered", "in progress");
    for (int i = 0; i < 3; ++i) s.work();
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kRecovered);
    answers(s, "recovered or being recovered", "was recovered at " + tod_text(ms(31)));
    Secondary ended;
    ended.establish();
    end(ended, 0);
    for (int i = 0; i < 3; ++i) ended.work();
    answers(ended, "No session is established", "");
  }

  void testACommandThatIsNotAllowedChangesNothing() {
    Secondary s;
    CPPUNIT_ASSERT(s.core().step(ms(1), secondary::Freeze{}).empty());
    CPPUNIT_ASSERT(s.core().step(ms(2), secondary::Recover{}).empty());
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kEmpty);
    s.five_but_three();
    s.site.step(ms(30), secondary::Recover{});
    for (int i = 0; i < 3; ++i) s.work();
    CPPUNIT_ASSERT(s.core().step(ms(60), secondary::Freeze{}).empty());
    CPPUNIT_ASSERT(s.core().step(ms(61), secondary::Recover{}).empty());
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kRecovered);
  }

  void testBindsWhileARecoveryRuns() {
    Secondary s;
    s.five_but_three();
    s.site.step(ms(30), secondary::Recover{});
    const BindResponse response = s.bind(s.request());
    CPPUNIT_ASSERT(!response.accepted);
    CPPUNIT_ASSERT_MESSAGE(response.reason, response.reason.find("was taken over at " + tod_text(ms(30))) != std::string::npos);
  }

  void testBindsOfAnotherSecondaryAndWithoutAStorage() {
    Secondary s;
    BindRequest request = s.request();
    request.destination_lu = "SITEX.DSMLU";
    CPPUNIT_ASSERT(s.bind(request).reason.find("to LU SITEX.DSMLU") != std::string::npos);
    s.establish();
    request = s.request();
    request.storage_id = 0;  // a primary that cannot tell is not refused for it
    CPPUNIT_ASSERT(s.bind(request).accepted);
    request.storage_id = kStorageId + 1;
    CPPUNIT_ASSERT(!s.bind(request).accepted);
  }

  void testAnEstablishmentOfAnotherEpochThanTheBind() {
    Secondary s;
    CPPUNIT_ASSERT(s.bind(s.request()).accepted);
    Message first = s.message(ContentType::kEstablish);
    first.volumes = two_volumes();
    first.m0.epoch = kEpoch + 1;
    s.deliver(first);
    s.expect_refused(ExceptionCode::kContinuity, "before the session was established", 0);
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kEmpty);
  }

  void testASecondEstablishmentIsRefused() {
    Secondary s;
    s.establish();
    Message again = s.message(ContentType::kEstablish);
    again.volumes = two_volumes();
    s.deliver(again);
    s.expect_refused(ExceptionCode::kRefused, "is established already", 1);
    Secondary ended;  // neither may an ended epoch begin again
    ended.establish();
    end(ended, 0);
    for (int i = 0; i < 3; ++i) ended.work();
    CPPUNIT_ASSERT(ended.bind(ended.request()).accepted);
    again = ended.message(ContentType::kEstablish);
    again.volumes = two_volumes();
    ended.deliver(again);
    ended.expect_refused(ExceptionCode::kRefused, "is established already", 2);
    CPPUNIT_ASSERT(ended.core().state() == SecondaryState::kEnded);
  }

  void testWhatOnlyASecondarySendsIsRefused() {
    Secondary s;
    s.establish();
    s.deliver(s.message(ContentType::kAcknowledge));
    s.expect_refused(ExceptionCode::kRefused, "Content type 5 is not taken from a primary", 1);
  }

  void testAnExceptionOfThePrimaryIsKeptInOrder() {
    Secondary s;
    s.establish();
    Message told = s.message(ContentType::kException);
    told.exception.code = 8;
    told.exception.text = "The verification is done.";
    s.deliver(told);
    CPPUNIT_ASSERT(!s.site.refused);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, s.core().last_message());
    Message m = s.message();
    s.deliver(s.field(Secondary::token(m, 1), 1));
    s.work();
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, s.core().applied_through());
  }

  void testOnlyIdleMessagesFollowTheEnd() {
    for (const bool token : {true, false}) {
      Secondary s;
      s.establish();
      Message m = s.message();
      s.deliver(s.field(Secondary::token(m, 1), 1));
      end(s, 1);
      s.deliver(s.message());
      CPPUNIT_ASSERT(!s.site.refused);
      Message late = s.message();
      if (token)
        Secondary::token(late, 2);
      else
        s.field(late, 1);  // data of an old token sent again
      s.deliver(late);
      s.expect_refused(ExceptionCode::kContinuity, "Writes came after the session was ended at token 1", 4);
    }
  }

  // The checkpoint of the ended session is still being written when a new one is established.
  void testAnOldSessionsCheckpointDoesNotEndTheNewOne() {
    Secondary s;
    s.establish();
    end(s, 0);
    for (int i = 0; i < 3; ++i) s.work();
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kEnded);
    CPPUNIT_ASSERT(s.bind(s.request()).accepted);
    s.deliver(s.message());
    s.sync();
    s.site.step(ms(5000), secondary::Tick{});
    CPPUNIT_ASSERT(s.site.checkpointing.has_value());
    CPPUNIT_ASSERT(s.site.checkpointing->state == SecondaryState::kEnded);
    CPPUNIT_ASSERT(s.bind(s.request(kEpoch + 1)).accepted);
    s.number = 0;
    Message first = s.message(ContentType::kEstablish);
    first.m0.epoch = kEpoch + 1;
    first.volumes = two_volumes();
    s.deliver(first);
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kDuplex);
    s.site.ended = false;
    s.site.finish_checkpoint(ms(5001));
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kDuplex);
    CPPUNIT_ASSERT(!s.site.ended);
    Message m = s.message();
    m.m0.epoch = kEpoch + 1;
    s.deliver(s.field(Secondary::token(m, 1), 1));
    s.work();
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, s.core().applied_through());
    s.restart();
    CPPUNIT_ASSERT(s.core().state() == SecondaryState::kDuplex);
    CPPUNIT_ASSERT_EQUAL(kEpoch + 1, s.core().epoch());
  }

  void testANewEpochAsksForACheckpointThoughItsNumbersAreTheOldOnes() {
    Secondary s;
    s.establish();
    end(s, 0);
    for (int i = 0; i < 3; ++i) s.work();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, s.site.disk.checkpoint->last_message);
    CPPUNIT_ASSERT(s.bind(s.request(kEpoch + 1)).accepted);
    s.number = 0;
    Message first = s.message(ContentType::kEstablish);
    first.m0.epoch = kEpoch + 1;
    first.volumes = two_volumes();
    s.deliver(first);
    Message idle = s.message();
    idle.m0.epoch = kEpoch + 1;
    s.deliver(idle);
    s.sync();
    CPPUNIT_ASSERT(s.site.checkpointing.has_value());
    CPPUNIT_ASSERT_EQUAL(kEpoch + 1, s.site.checkpointing->epoch);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, s.site.checkpointing->last_message);
  }

  void testADiskErrorIsToldAsOne() {
    Secondary s;
    s.five_but_three();
    const auto out = s.core().step(ms(50), secondary::DiskError{"The image cannot be written.", false});
    const auto told = decode(std::get<secondary::Send>(out.at(0)).message.flat());
    CPPUNIT_ASSERT(told.good());
    CPPUNIT_ASSERT_EQUAL(static_cast<std::uint16_t>(ExceptionCode::kDiskError), told.value.exception.code);
    CPPUNIT_ASSERT_EQUAL(std::string("The image cannot be written."), told.value.exception.text);
    CPPUNIT_ASSERT_EQUAL(SecondaryCore::kNever, s.core().next_wakeup());
  }

  void testADifferenceFoundWithoutALinkIsCounted() {
    Secondary s;
    s.establish();
    s.site.step(ms(20), secondary::LinkDown{});
    CPPUNIT_ASSERT(s.core().step(ms(21), secondary::VerifyResult{1, false, "A track differs."}).empty());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, s.core().counters().verified_different);
  }

  // A message with one write, given to a core of its own settings; the journal's position is moved on as if each record took `bytes`.
  struct Alone {
    Secondary maker;
    SecondaryCore core;
    std::uint64_t position = 0, appends = 0, acknowledged = 0;
    std::optional<Checkpoint> asked;
    Sequence applying = 0;

    explicit Alone(const SecondarySettings& settings) : core(settings) {
      core.step(ms(0), secondary::ReplayDone{0});
      core.step(ms(1), secondary::BindArrived{maker.request()});
      Message first = maker.message(ContentType::kEstablish);
      first.volumes = two_volumes();
      give(first, 64);
      done();
    }
    void take(const std::vector<SecondaryOutput>& out) {
      for (const SecondaryOutput& output : out) {
        if (const auto* checkpoint = std::get_if<secondary::WriteCheckpoint>(&output)) asked = checkpoint->checkpoint;
        if (const auto* apply = std::get_if<secondary::Apply>(&output)) applying = apply->write.token.sequence;
        if (const auto* send = std::get_if<secondary::Send>(&output)) {
          const auto flat = send->message.flat();
          if (const auto message = decode(flat); message.value.m0.content == ContentType::kAcknowledge)
            acknowledged = message.value.acknowledgement.message_number;
        }
      }
    }
    void give(const Message& message, std::uint64_t bytes) {
      const Tod now = ms(2);
      take(core.step(now, secondary::MessageArrived{encode(message).value.flat()}));
      position += bytes;
      take(core.step(now, secondary::JournalSynced{position, ++appends}));
    }
    void write(Sequence sequence, std::uint64_t bytes) {
      Message m = maker.message();
      give(maker.field(Secondary::token(m, sequence), sequence), bytes);
    }
    void apply() { take(core.step(ms(3), secondary::Applied{applying})); }
    void done() {
      CPPUNIT_ASSERT(asked.has_value());
      const Checkpoint checkpoint = *asked;
      asked.reset();
      take(core.step(ms(3), secondary::CheckpointDone{checkpoint}));
    }
  };

  void testAFullJournalHoldsBackAcknowledgementsAndAsksForACheckpoint() {
    SecondarySettings settings = secondary_settings();
    settings.journal_bytes = 100000;
    settings.checkpoint_ms = 1000000;
    Alone alone(settings);
    alone.write(1, 80000);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, alone.acknowledged);  // its data is on its way into the images: space will come of itself
    alone.done();                                                // frees the establishment's record only
    alone.apply();
    CPPUNIT_ASSERT(alone.asked.has_value());  // more than half is used, and now a checkpoint frees it
    alone.write(2, 1000);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, alone.acknowledged);
    alone.done();  // checkpoints have two generations: the space goes with the next one
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, alone.acknowledged);
    alone.done();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, alone.acknowledged);
  }

  void testAnUnknownJournalSizeHoldsNothingBack() {
    SecondarySettings settings = secondary_settings();
    settings.journal_bytes = 0;
    settings.checkpoint_ms = 1000000;
    Alone alone(settings);
    alone.write(1, 1ull << 40);
    alone.apply();
    alone.write(2, 64);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, alone.acknowledged);
  }

  void testManyBytesAskForACheckpointBeforeItsTime() {
    SecondarySettings settings = secondary_settings();
    settings.journal_bytes = 0;
    settings.checkpoint_ms = 1000000;
    settings.checkpoint_bytes = 5000;
    Alone alone(settings);
    alone.write(1, 4000);
    CPPUNIT_ASSERT(!alone.asked.has_value());
    alone.write(2, 1000);
    CPPUNIT_ASSERT(alone.asked.has_value());
  }

  void testAddressesAreJudged() {
    const auto judge = [](const std::function<void(Token&)>& change) {
      Token token = write_token(1, 0, 1, 0, 4);
      change(token);
      return check_address(token, two_volumes()).text();
    };
    const auto lacks = [](const std::string& text, const std::string& part) {
      CPPUNIT_ASSERT_MESSAGE("'" + text + "' lacks '" + part + "'", text.find(part) != std::string::npos);
    };
    CPPUNIT_ASSERT_EQUAL(std::string(), judge([](Token&) {}));
    lacks(judge([](Token& t) { t.volume = 2; }), "names volume number 2, and the session has 2 volumes");
    lacks(judge([](Token& t) { t.cylinder = 2; }), "cylinder 2 head 1 of volume PRIM01, which is a 3390 of 2 cylinders, 2 heads");
    lacks(judge([](Token& t) { t.head = 2; }), "cylinder 0 head 2 of volume PRIM01");
    lacks(judge([](Token& t) { t.data_length = 5; }), "is not well formed");
    lacks(judge([](Token& t) { t.ranges[0].track = 4; }), "of track 4 of volume PRIM01");
    lacks(judge([](Token& t) { t.ranges[0].offset = 61; }), "names bytes 61 to 65 of track 1");
  }

  void testDataShorterThanItsTokenIsRefused() {
    PendingWriteQueue queue;
    Message message;
    message.m0.last_sequence = 1;
    message.m1 = {write_token(1, 0, 1, 0, 4)};
    const auto data = bytes_of(3, 1);
    message.m2 = {{message.m1[0], 0, data}};
    const auto objection = object_to_tokens(message, queue, two_volumes(), 0, false);
    CPPUNIT_ASSERT(objection.has_value());
    CPPUNIT_ASSERT(objection->code == ExceptionCode::kMisaddressed);
    CPPUNIT_ASSERT_EQUAL(Sequence{1}, objection->sequence);
    message.m1.clear();  // and data without any token
    message.m0.last_sequence = 0;
    CPPUNIT_ASSERT(object_to_tokens(message, queue, two_volumes(), 0, false).has_value());
    message.m1 = {write_token(1, 0, 1, 0, 4)};
    message.m0.last_sequence = 1;
    const auto whole = bytes_of(4, 1);
    message.m2[0].data = whole;
    CPPUNIT_ASSERT(!object_to_tokens(message, queue, two_volumes(), 0, false).has_value());
  }

  // Live, data for a write that was given out is not looked at; the journal with it in must be read again when the write is pending anew.
  void testDataForASettledTokenDoesNotStopAReplay() {
    PendingWriteQueue queue;
    Message message;
    message.m0.last_sequence = 1;
    message.m1 = {write_token(1, 0, 1, 0, 4)};
    const auto data = bytes_of(4, 1), other = bytes_of(4, 9);
    message.m2 = {{message.m1[0], 0, data}};
    take_tokens(message, queue, 64);
    message.m1.clear();
    message.m2 = {{write_token(1, 0, 2, 0, 4), 0, other}};  // another track
    CPPUNIT_ASSERT(object_to_tokens(message, queue, two_volumes(), 0, false).has_value());
    CPPUNIT_ASSERT(!object_to_tokens(message, queue, two_volumes(), 0, true).has_value());
    take_tokens(message, queue, 128);
    CPPUNIT_ASSERT(queue.find(1)->data == data);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{64}, queue.find(1)->journal_position);
  }

  void testVolumesThatDifferAreNamed() {
    const auto differ = [](const std::function<void(VolumeDescriptor&)>& change) {
      auto sent = two_volumes();
      change(sent[1]);
      return why_not_volumes(two_volumes(), sent);
    };
    const auto lacks = [](const std::string& text, const std::string& part) {
      CPPUNIT_ASSERT_MESSAGE("'" + text + "' lacks '" + part + "'", text.find(part) != std::string::npos);
    };
    CPPUNIT_ASSERT_EQUAL(std::string(), differ([](VolumeDescriptor&) {}));
    CPPUNIT_ASSERT_EQUAL(std::string(), differ([](VolumeDescriptor& v) { v.device_number = 0x0FFF; }));  // each site has its own
    lacks(differ([](VolumeDescriptor& v) { v.volser = "OTHER1"; }), "is OTHER1 with secondary SEC002 at the primary");
    lacks(differ([](VolumeDescriptor& v) { v.secondary_volser = "OTHER1"; }), "with secondary OTHER1 at the primary");
    lacks(differ([](VolumeDescriptor& v) { v.device_type = 0x3380; }), "is a 3380");
    lacks(differ([](VolumeDescriptor& v) { v.cylinders = 3; }), "3 cylinders");
    lacks(differ([](VolumeDescriptor& v) { v.heads = 3; }), "3 heads");
    lacks(differ([](VolumeDescriptor& v) { v.track_bytes = 65; }), "65 bytes per track");
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DatamoverSecondaryCommands);

}  // namespace
}  // namespace afterimage::testing
