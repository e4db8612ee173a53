// The failure monitor by table: each row is one look (milliseconds, last heard, link, watching) and what it must say.
#include <cppunit/extensions/HelperMacros.h>

#include <set>
#include <string>
#include <vector>

#include "automation/failure_monitor.h"

using namespace afterimage;

namespace {

constexpr std::uint64_t kStart_us = 4'000'000'000'000'000;  // some day in 2026
constexpr bool kUp = true, kDown = false, kWatch = true;

struct Look {
  std::int64_t at_ms;
  std::int64_t heard_ms;
  bool link;
  bool watching;
  MonitorVerdict verdict;
  MonitorEvent event;
};

Tod tod(std::int64_t ms) { return tod_from_us(kStart_us + static_cast<std::uint64_t>(ms * 1000)); }

void run(const std::vector<Look>& looks, LossAction action = LossAction::kFreeze) {
  FailureMonitor monitor(MonitorSettings{2'000'000, action});
  for (const Look& look : looks) {
    const MonitorOutput out = monitor.step({tod(look.at_ms), tod(look.heard_ms), look.link, look.watching});
    const std::string where = "at " + std::to_string(look.at_ms) + " ms: " + std::string(verdict_name(out.verdict));
    CPPUNIT_ASSERT_MESSAGE(where, out.verdict == look.verdict);
    CPPUNIT_ASSERT_MESSAGE(where + ", event " + std::to_string(static_cast<int>(out.event)), out.event == look.event);
    CPPUNIT_ASSERT_MESSAGE(where, out.action == (look.event == MonitorEvent::kPrimaryLost ? action : LossAction::kNone));
  }
}

using V = MonitorVerdict;
using E = MonitorEvent;

}  // namespace

class FailureMonitorTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(FailureMonitorTest);
  CPPUNIT_TEST(testHealthyWhileHeard);
  CPPUNIT_TEST(testLinkBackWithinTheLimitDoesNothing);
  CPPUNIT_TEST(testLinkDownBeyondTheLimitIsALoss);
  CPPUNIT_TEST(testSilenceOnALinkThatIsUpIsALoss);
  CPPUNIT_TEST(testConnectionWithoutMessagesIsNotBack);
  CPPUNIT_TEST(testTimeNotWatchedDoesNotCount);
  CPPUNIT_TEST(testClockSetBackOrForward);
  CPPUNIT_TEST(testActionIsGivenOnce);
  CPPUNIT_TEST(testPrimaryHeardAgainAfterALoss);
  CPPUNIT_TEST(testNotWatchingForgets);
  CPPUNIT_TEST(testNeverHeardCountsFromTheFirstLook);
  CPPUNIT_TEST(testALinkThatGoesAfterTheLossIsNotTold);
  CPPUNIT_TEST(testNames);
  CPPUNIT_TEST(testSettingsBounds);
  CPPUNIT_TEST_SUITE_END();

 public:
  void testHealthyWhileHeard() {
    std::vector<Look> looks;
    for (std::int64_t at = 0; at < 60'000; at += 500) looks.push_back({at, at, kUp, kWatch, V::kHealthy, E::kNone});
    run(looks);
  }

  void testLinkBackWithinTheLimitDoesNothing() {
    run({{0, 0, kUp, kWatch, V::kHealthy, E::kNone},
         {500, 0, kDown, kWatch, V::kLinkLost, E::kLinkLost},
         {1000, 0, kDown, kWatch, V::kLinkLost, E::kNone},
         {1500, 0, kDown, kWatch, V::kLinkLost, E::kNone},
         {1999, 1999, kUp, kWatch, V::kHealthy, E::kLinkBack},
         {2499, 2499, kUp, kWatch, V::kHealthy, E::kNone},
         {2999, 2499, kDown, kWatch, V::kLinkLost, E::kLinkLost},
         {3499, 3499, kUp, kWatch, V::kHealthy, E::kLinkBack}});
  }

  void testLinkDownBeyondTheLimitIsALoss() {
    run({{0, 0, kUp, kWatch, V::kHealthy, E::kNone},
         {500, 0, kDown, kWatch, V::kLinkLost, E::kLinkLost},
         {1000, 0, kDown, kWatch, V::kLinkLost, E::kNone},
         {1500, 0, kDown, kWatch, V::kLinkLost, E::kNone},
         {1999, 0, kDown, kWatch, V::kLinkLost, E::kNone},
         {2000, 0, kDown, kWatch, V::kPrimaryLost, E::kPrimaryLost}});
  }

  void testSilenceOnALinkThatIsUpIsALoss() {
    run({{0, 0, kUp, kWatch, V::kHealthy, E::kNone},
         {500, 0, kUp, kWatch, V::kHealthy, E::kNone},
         {1000, 0, kUp, kWatch, V::kSilent, E::kNone},
         {1500, 0, kUp, kWatch, V::kSilent, E::kNone},
         {2000, 0, kUp, kWatch, V::kPrimaryLost, E::kPrimaryLost}});
  }

  void testConnectionWithoutMessagesIsNotBack() {
    run({{0, 0, kUp, kWatch, V::kHealthy, E::kNone},
         {500, 0, kDown, kWatch, V::kLinkLost, E::kLinkLost},
         {1000, 0, kUp, kWatch, V::kSilent, E::kNone},
         {1500, 0, kDown, kWatch, V::kLinkLost, E::kNone},
         {2000, 0, kUp, kWatch, V::kPrimaryLost, E::kPrimaryLost}});
  }

  void testTimeNotWatchedDoesNotCount() {
    // A mover stopped for a minute and continued: its first look must give the waiting messages their chance.
    run({{0, 0, kUp, kWatch, V::kHealthy, E::kNone},
         {60'000, 0, kUp, kWatch, V::kHealthy, E::kNone},
         {60'001, 60'001, kUp, kWatch, V::kHealthy, E::kNone},
         {120'000, 60'001, kUp, kWatch, V::kHealthy, E::kNone},
         {180'000, 60'001, kUp, kWatch, V::kSilent, E::kNone},
         {240'000, 60'001, kUp, kWatch, V::kSilent, E::kNone},
         {300'000, 60'001, kUp, kWatch, V::kPrimaryLost, E::kPrimaryLost}});
  }

  void testClockSetBackOrForward() {
    run({{0, 0, kUp, kWatch, V::kHealthy, E::kNone},
         {-3'600'000, 0, kUp, kWatch, V::kHealthy, E::kNone},
         {-3'599'500, -3'599'500, kUp, kWatch, V::kHealthy, E::kNone},
         {3'600'000, -3'599'500, kUp, kWatch, V::kHealthy, E::kNone},
         {3'600'100, 3'600'100, kUp, kWatch, V::kHealthy, E::kNone}});
  }

  void testActionIsGivenOnce() {
    for (const LossAction action : {LossAction::kNone, LossAction::kFreeze, LossAction::kRecover}) {
      run({{0, 0, kDown, kWatch, V::kLinkLost, E::kLinkLost},
           {500, 0, kDown, kWatch, V::kLinkLost, E::kNone},
           {1000, 0, kDown, kWatch, V::kLinkLost, E::kNone},
           {1500, 0, kDown, kWatch, V::kLinkLost, E::kNone},
           {2000, 0, kDown, kWatch, V::kPrimaryLost, E::kPrimaryLost},
           {2500, 0, kDown, kWatch, V::kPrimaryLost, E::kNone},
           {9000, 0, kUp, kWatch, V::kPrimaryLost, E::kNone}},
          action);
    }
  }

  void testPrimaryHeardAgainAfterALoss() {
    run({{0, 0, kDown, kWatch, V::kLinkLost, E::kLinkLost},
         {500, 0, kDown, kWatch, V::kLinkLost, E::kNone},
         {1000, 0, kDown, kWatch, V::kLinkLost, E::kNone},
         {1500, 0, kDown, kWatch, V::kLinkLost, E::kNone},
         {2000, 0, kDown, kWatch, V::kPrimaryLost, E::kPrimaryLost},
         {2500, 2500, kUp, kWatch, V::kHealthy, E::kPrimaryBack},
         {3000, 3000, kUp, kWatch, V::kHealthy, E::kNone}},
        LossAction::kNone);
  }

  void testNotWatchingForgets() {
    run({{0, 0, kDown, kWatch, V::kLinkLost, E::kLinkLost},
         {500, 0, kDown, kWatch, V::kLinkLost, E::kNone},
         {1000, 0, kDown, kWatch, V::kLinkLost, E::kNone},
         {1500, 0, kDown, false, V::kIdle, E::kNone},
         {2000, 0, kUp, kWatch, V::kHealthy, E::kNone},
         {2500, 0, kUp, kWatch, V::kHealthy, E::kNone},
         {3000, 0, kUp, kWatch, V::kSilent, E::kNone}});
  }

  void testNeverHeardCountsFromTheFirstLook() {
    FailureMonitor monitor(MonitorSettings{2'000'000, LossAction::kRecover});
    for (std::int64_t at = 0; at < 2000; at += 500) {
      CPPUNIT_ASSERT(monitor.step({tod(at), 0, false, true}).verdict == V::kLinkLost);
    }
    const MonitorOutput out = monitor.step({tod(2000), 0, false, true});
    CPPUNIT_ASSERT(out.event == E::kPrimaryLost);
    CPPUNIT_ASSERT(out.action == LossAction::kRecover);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2'000'000}, out.silence_us);
  }

  // The loss was told; that the connection goes too is no news.
  void testALinkThatGoesAfterTheLossIsNotTold() {
    run({{0, 0, kUp, kWatch, V::kHealthy, E::kNone},
         {500, 0, kUp, kWatch, V::kHealthy, E::kNone},
         {1000, 0, kUp, kWatch, V::kSilent, E::kNone},
         {1500, 0, kUp, kWatch, V::kSilent, E::kNone},
         {2000, 0, kUp, kWatch, V::kPrimaryLost, E::kPrimaryLost},
         {2500, 0, kDown, kWatch, V::kPrimaryLost, E::kNone},
         {3000, 3000, kUp, kWatch, V::kHealthy, E::kPrimaryBack},
         {3500, 3000, kDown, kWatch, V::kLinkLost, E::kLinkLost}});
  }

  // The words of the configuration and of XQUERY, each its own.
  void testNames() {
    CPPUNIT_ASSERT_EQUAL(std::string("NONE"), std::string(action_name(LossAction::kNone)));
    CPPUNIT_ASSERT_EQUAL(std::string("FREEZE"), std::string(action_name(LossAction::kFreeze)));
    CPPUNIT_ASSERT_EQUAL(std::string("RECOVER"), std::string(action_name(LossAction::kRecover)));
    std::set<std::string_view> names;
    for (const V verdict : {V::kIdle, V::kHealthy, V::kLinkLost, V::kSilent, V::kPrimaryLost}) names.insert(verdict_name(verdict));
    CPPUNIT_ASSERT_EQUAL(std::size_t{5}, names.size());
  }

  void testSettingsBounds() {
    CPPUNIT_ASSERT(check_monitor_settings({kMinHeartbeatLimit_us, LossAction::kNone}).good());
    CPPUNIT_ASSERT(check_monitor_settings({kMaxHeartbeatLimit_us, LossAction::kNone}).good());
    CPPUNIT_ASSERT(!check_monitor_settings({kMinHeartbeatLimit_us - 1, LossAction::kNone}).good());
    CPPUNIT_ASSERT(!check_monitor_settings({kMaxHeartbeatLimit_us + 1, LossAction::kNone}).good());
    CPPUNIT_ASSERT(!check_monitor_settings({0, LossAction::kNone}).good());
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(FailureMonitorTest);
