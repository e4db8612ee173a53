// Volume states and delay causes from facts, by table.
#include <cppunit/extensions/HelperMacros.h>

#include <string>

#include "automation/delay_cause.h"
#include "automation/volume_state.h"

using namespace afterimage;

class VolumeAndDelayTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(VolumeAndDelayTest);
  CPPUNIT_TEST(testVolumeStates);
  CPPUNIT_TEST(testAVolumeThatMissesWritesIsNeverDuplex);
  CPPUNIT_TEST(testCounts);
  CPPUNIT_TEST(testDelayCauses);
  CPPUNIT_TEST(testNamesOfDelayCauses);
  CPPUNIT_TEST_SUITE_END();

  static VolumeFacts duplexed(OperatorState session = OperatorState::kActive) {
    VolumeFacts facts;
    facts.session = session;
    facts.duplex = facts.established = true;
    return facts;
  }

 public:
  void testVolumeStates() {
    CPPUNIT_ASSERT(volume_state({}) == VolumeState::kPnd);
    CPPUNIT_ASSERT(volume_state(duplexed()) == VolumeState::kDup);
    CPPUNIT_ASSERT(volume_state(duplexed(OperatorState::kInactive)) == VolumeState::kPnd);
    CPPUNIT_ASSERT(volume_state(duplexed(OperatorState::kSuspended)) == VolumeState::kSus);
    CPPUNIT_ASSERT(volume_state(duplexed(OperatorState::kFrozen)) == VolumeState::kDup);
    CPPUNIT_ASSERT(volume_state(duplexed(OperatorState::kRecovery)) == VolumeState::kSus);
    VolumeFacts facts = duplexed(OperatorState::kFrozen);
    facts.role = SiteRole::kSecondary;
    CPPUNIT_ASSERT(volume_state(facts) == VolumeState::kSus);
    facts = duplexed();
    facts.established = false;
    CPPUNIT_ASSERT(volume_state(facts) == VolumeState::kPnd);
    facts = duplexed();
    facts.lost = true;
    CPPUNIT_ASSERT(volume_state(facts) == VolumeState::kPnd);
    facts = duplexed();
    facts.copying = true;
    CPPUNIT_ASSERT(volume_state(facts) == VolumeState::kCpy);
    facts = duplexed(OperatorState::kSuspended);
    facts.timed_suspend = true;
    CPPUNIT_ASSERT(volume_state(facts) == VolumeState::kSeq);
    facts.utility = true;
    CPPUNIT_ASSERT(volume_state(facts) == VolumeState::kUtl);
  }

  void testAVolumeThatMissesWritesIsNeverDuplex() {
    for (int bits = 0; bits < 256; ++bits) {
      for (std::size_t state = 0; state < kOperatorStates; ++state) {
        VolumeFacts facts;
        facts.session = static_cast<OperatorState>(state);
        facts.role = (bits & 1) != 0 ? SiteRole::kSecondary : SiteRole::kPrimary;
        facts.duplex = (bits & 2) != 0;
        facts.volume_suspended = (bits & 4) != 0;
        facts.pending = (bits & 8) != 0;
        facts.lost = (bits & 16) != 0;
        facts.established = (bits & 32) != 0;
        facts.copying = (bits & 64) != 0;
        facts.timed_suspend = (bits & 128) != 0;
        const bool whole =
            facts.duplex && facts.established && !facts.volume_suspended && !facts.pending && !facts.lost && !facts.copying &&
            (facts.session == OperatorState::kActive || (facts.session == OperatorState::kFrozen && facts.role == SiteRole::kPrimary));
        CPPUNIT_ASSERT_EQUAL(whole, volume_state(facts) == VolumeState::kDup);
      }
    }
  }

  void testCounts() {
    VolumeCounts counts;
    for (const VolumeState state : {VolumeState::kDup, VolumeState::kDup, VolumeState::kCpy, VolumeState::kPnd, VolumeState::kSus,
                                    VolumeState::kSeq, VolumeState::kUtl}) {
      counts.add(state);
    }
    CPPUNIT_ASSERT_EQUAL(7u, counts.total);
    CPPUNIT_ASSERT_EQUAL(2u, counts.dup);
    CPPUNIT_ASSERT_EQUAL(1u, counts.cpy);
    CPPUNIT_ASSERT_EQUAL(1u, counts.pnd);
    CPPUNIT_ASSERT_EQUAL(1u, counts.sus);
    CPPUNIT_ASSERT_EQUAL(1u, counts.seq);
    CPPUNIT_ASSERT_EQUAL(1u, counts.utl);
    std::string names;
    for (const VolumeState state :
         {VolumeState::kPnd, VolumeState::kCpy, VolumeState::kDup, VolumeState::kSus, VolumeState::kSeq, VolumeState::kUtl}) {
      names += std::string(volume_state_name(state)) + " ";
    }
    CPPUNIT_ASSERT_EQUAL(std::string("PND CPY DUP SUS SEQ UTL "), names);
  }

  void testNamesOfDelayCauses() {
    std::string names;
    for (const DelayCause cause :
         {DelayCause::kNone, DelayCause::kPrimary, DelayCause::kBuffers, DelayCause::kLink, DelayCause::kJournal, DelayCause::kSecondary}) {
      names += std::string(delay_cause_name(cause)) + " ";
    }
    CPPUNIT_ASSERT_EQUAL(std::string("NONE PRIMARY BUFFERS LINK JOURNAL SECONDARY "), names);
  }

  void testDelayCauses() {
    DelayFacts facts;
    CPPUNIT_ASSERT(delay_cause(facts) == DelayCause::kNone);
    facts.unsent_tokens = 1000;
    CPPUNIT_ASSERT(delay_cause(facts) == DelayCause::kNone);
    facts.delay_us = 5'000'000;
    CPPUNIT_ASSERT(delay_cause(facts) == DelayCause::kLink);
    facts.unapplied_tokens = 2000;
    CPPUNIT_ASSERT(delay_cause(facts) == DelayCause::kSecondary);
    facts.unflushed_tokens = 3000;
    CPPUNIT_ASSERT(delay_cause(facts) == DelayCause::kPrimary);
    facts.ring_bytes = 1000;
    facts.ring_used_bytes = 900;
    CPPUNIT_ASSERT(delay_cause(facts) == DelayCause::kPrimary);
    facts.ring_used_bytes = 901;
    CPPUNIT_ASSERT(delay_cause(facts) == DelayCause::kBuffers);
    facts.journal_bytes = 100;
    facts.journal_used_bytes = 95;
    CPPUNIT_ASSERT(delay_cause(facts) == DelayCause::kJournal);
    facts.link_up = false;
    CPPUNIT_ASSERT(delay_cause(facts) == DelayCause::kLink);
    DelayFacts silent;
    silent.delay_us = 5'000'000;
    CPPUNIT_ASSERT(delay_cause(silent) == DelayCause::kPrimary);
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(VolumeAndDelayTest);
