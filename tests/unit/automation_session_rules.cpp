// Every command in every state at each role against an independent table, the conditions, and the form of every refusal.
#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "automation/session_rules.h"

using namespace afterimage;

namespace {

constexpr OperatorState kStates[] = {OperatorState::kInactive, OperatorState::kActive, OperatorState::kSuspended, OperatorState::kFrozen,
                                     OperatorState::kRecovery};

// T taken, R refused, C decided by link, mode or what is held; columns INACTIVE ACTIVE SUSPENDED FROZEN RECOVERY.
const std::map<SessionCommand, std::pair<std::string, std::string>> kExpected = {
    {SessionCommand::kStart, {"TTTTT", "TTTTT"}},         {SessionCommand::kStop, {"TTTTT", "TTTTT"}},
    {SessionCommand::kXstart, {"TRRRR", "RRRRR"}},        {SessionCommand::kXquery, {"TTTTT", "TTTTT"}},
    {SessionCommand::kXsuspend, {"RCRCR", "RRRRR"}},      {SessionCommand::kXend, {"RCCCR", "CCCCC"}},
    {SessionCommand::kXrecover, {"RRRRR", "CCRTC"}},      {SessionCommand::kFreeze, {"RTRRR", "RTRRR"}},
    {SessionCommand::kRun, {"RRRTR", "RRRRR"}},           {SessionCommand::kVerify, {"RCRRR", "RRRRR"}},
    {SessionCommand::kDisplayQueue, {"RRRRR", "TTTTT"}},  {SessionCommand::kDisplayStorage, {"TTTTT", "RRRRR"}},
    {SessionCommand::kDisplayActive, {"TTTTT", "TTTTT"}}, {SessionCommand::kHelp, {"TTTTT", "TTTTT"}},
};

RuleInput input(SessionCommand command, SiteRole role, OperatorState state) {
  RuleInput in;
  in.command = command;
  in.role = role;
  in.state = state;
  in.session = "DALLAS";
  in.peer_site = "SITEX";
  return in;
}

// With nothing that would meet a condition of the table.
RuleInput refused_input(SessionCommand command, SiteRole role, OperatorState state) {
  RuleInput in = input(command, role, state);
  in.mode = command == SessionCommand::kXsuspend || command == SessionCommand::kXend ? EndMode::kDrain : EndMode::kDefault;
  in.recovery_complete = true;
  in.link_up = state == OperatorState::kActive && command == SessionCommand::kXrecover;
  return in;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

}  // namespace

class SessionRulesTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(SessionRulesTest);
  CPPUNIT_TEST(testEveryCommandInEveryState);
  CPPUNIT_TEST(testEveryRefusalSaysWhyAndWhatToDo);
  CPPUNIT_TEST(testEveryRefusalIsTheReviewedOne);
  CPPUNIT_TEST(testNoRemedyIsRefusedInItsTurn);
  CPPUNIT_TEST(testRefusalsWithoutSessionOrPeer);
  CPPUNIT_TEST(testDrainNeedsTheLink);
  CPPUNIT_TEST(testXendAtTheSecondaryTakesTheExplicitWord);
  CPPUNIT_TEST(testXrecoverIsRefusedWhileThePrimaryIsAlive);
  CPPUNIT_TEST(testVerifyNeedsTheLink);
  CPPUNIT_TEST(testStatesOfTheMoversMapToOperatorStates);
  CPPUNIT_TEST_SUITE_END();

 public:
  void testEveryCommandInEveryState() {
    CPPUNIT_ASSERT_EQUAL(kSessionCommands, kExpected.size());
    for (const auto& [command, rows] : kExpected) {
      for (const SiteRole role : {SiteRole::kPrimary, SiteRole::kSecondary}) {
        const std::string& row = role == SiteRole::kPrimary ? rows.first : rows.second;
        for (std::size_t i = 0; i < kOperatorStates; ++i) {
          const auto verdict = session_rule(command, role, kStates[i]).verdict;
          const char letter = verdict == RuleVerdict::kTake ? 'T' : verdict == RuleVerdict::kRefuse ? 'R' : 'C';
          const std::string where =
              std::string(command_name(command)) + " " + std::string(role_name(role)) + " " + std::string(state_name(kStates[i]));
          CPPUNIT_ASSERT_EQUAL_MESSAGE(where, row[i], letter);
          if (letter == 'T') CPPUNIT_ASSERT_MESSAGE(where, check_command(input(command, role, kStates[i])).good());
          if (letter == 'R') CPPUNIT_ASSERT_EQUAL_MESSAGE(where, 8, check_command(input(command, role, kStates[i])).return_code());
        }
      }
    }
  }

  void testEveryRefusalSaysWhyAndWhatToDo() {
    int refusals = 0;
    for (const auto& [command, rows] : kExpected) {
      for (const SiteRole role : {SiteRole::kPrimary, SiteRole::kSecondary}) {
        for (const OperatorState state : kStates) {
          const Rule& rule = session_rule(command, role, state);
          if (rule.verdict == RuleVerdict::kTake) continue;
          CPPUNIT_ASSERT(*rule.why != '\0');
          CPPUNIT_ASSERT(*rule.remedy != '\0');
          RuleInput in = input(command, role, state);
          in.mode = EndMode::kDrain;
          in.recovery_complete = true;
          if (state == OperatorState::kActive && command == SessionCommand::kXrecover) in.link_up = true;
          const Status status = check_command(in);
          const std::string& text = status.text();
          CPPUNIT_ASSERT_MESSAGE(text, !status.good());
          CPPUNIT_ASSERT_MESSAGE(text, text.starts_with(command_name(command)));
          CPPUNIT_ASSERT_MESSAGE(text, contains(text, state_name(state)));
          CPPUNIT_ASSERT_MESSAGE(text, contains(text, "DALLAS"));
          CPPUNIT_ASSERT_MESSAGE(text, text.back() == '.');
          CPPUNIT_ASSERT_MESSAGE(text, !contains(text, "&"));
          ++refusals;
        }
      }
    }
    CPPUNIT_ASSERT(refusals > 50);
  }

  // Every sentence an operator can be refused with, as a person has read it. AFTERIMAGE_REWRITE=1 writes the file anew: read the
  // difference.
  void testEveryRefusalIsTheReviewedOne() {
    std::string text;
    for (const auto& [command, rows] : kExpected)
      for (const SiteRole role : {SiteRole::kPrimary, SiteRole::kSecondary})
        for (const OperatorState state : kStates) {
          const Status status = check_command(refused_input(command, role, state));
          if (!status.good()) text += status.text() + "\n";
        }
    const std::string path = std::string(TEST_SOURCE_DIR) + "/unit/automation_refusals.txt";
    if (std::getenv("AFTERIMAGE_REWRITE") != nullptr) std::ofstream(path) << text;
    std::ifstream in(path);
    const std::string reviewed((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
    CPPUNIT_ASSERT_EQUAL(reviewed, text);
  }

  // What a refusal tells the operator to enter is taken where it says to enter it.
  void testNoRemedyIsRefusedInItsTurn() {
    const std::pair<const char*, SessionCommand> named[] = {
        {"XSTART DALLAS", SessionCommand::kXstart},     {"XEND DALLAS", SessionCommand::kXend},
        {"XRECOVER DALLAS", SessionCommand::kXrecover}, {"CGROUP FREEZE DALLAS", SessionCommand::kFreeze},
        {"CGROUP RUN DALLAS", SessionCommand::kRun},    {"XQUERY DALLAS", SessionCommand::kXquery},
    };
    unsigned seen = 0;
    for (const auto& [command, rows] : kExpected)
      for (const SiteRole role : {SiteRole::kPrimary, SiteRole::kSecondary})
        for (const OperatorState state : kStates) {
          const std::string text = check_command(refused_input(command, role, state)).text();
          const std::string remedy = text.substr(std::min(text.find("; "), text.size()));
          const std::string now = remedy.substr(0, remedy.find(" then "));  // what follows has its turn when this was done
          const bool there = contains(remedy, "at SITEX");
          const SiteRole where = there ? (role == SiteRole::kPrimary ? SiteRole::kSecondary : SiteRole::kPrimary) : role;
          for (const auto& [words, told] : named) {
            if (!contains(now, words)) continue;
            ++seen;
            bool taken = false;  // at the other site in some state; here in this one
            for (const OperatorState each : kStates)
              taken = taken || ((there || each == state) && session_rule(told, where, each).verdict != RuleVerdict::kRefuse);
            CPPUNIT_ASSERT_MESSAGE(text, taken);
          }
        }
    CPPUNIT_ASSERT(seen > 15);
  }

  void testRefusalsWithoutSessionOrPeer() {
    RuleInput in = input(SessionCommand::kDisplayStorage, SiteRole::kSecondary, OperatorState::kActive);
    in.session.clear();
    in.peer_site.clear();
    CPPUNIT_ASSERT_EQUAL(
        std::string("D STOR is refused at this secondary site: common storage is at the primary site; enter it at the other site."),
        check_command(in).text());
    in = input(SessionCommand::kDisplayQueue, SiteRole::kPrimary, OperatorState::kActive);
    in.session.clear();
    CPPUNIT_ASSERT_EQUAL(
        std::string("D PWQ is refused at this primary site: the pending write queue is at the secondary site; enter it at SITEX."),
        check_command(in).text());
    in = input(SessionCommand::kXend, SiteRole::kPrimary, OperatorState::kInactive);
    CPPUNIT_ASSERT_EQUAL(
        std::string(
            "XEND is refused: session DALLAS is INACTIVE at this primary site, and there is no session; start it with XSTART DALLAS."),
        check_command(in).text());
    CPPUNIT_ASSERT(mode_name(EndMode::kDefault).empty());
    CPPUNIT_ASSERT(mode_name(EndMode::kDrain) == "DRAIN" && mode_name(EndMode::kImmediate) == "IMMEDIATE");
  }

  void testDrainNeedsTheLink() {
    for (const SessionCommand command : {SessionCommand::kXsuspend, SessionCommand::kXend}) {
      RuleInput in = input(command, SiteRole::kPrimary, OperatorState::kActive);
      in.mode = EndMode::kDrain;
      in.link_up = false;
      const Status refused = check_command(in);
      CPPUNIT_ASSERT(!refused.good());
      CPPUNIT_ASSERT_MESSAGE(refused.text(), contains(refused.text(), "DRAIN") && contains(refused.text(), "IMMEDIATE"));
      in.mode = EndMode::kImmediate;
      CPPUNIT_ASSERT(check_command(in).good());
      in.mode = EndMode::kDefault;
      CPPUNIT_ASSERT(check_command(in).good());
      in.mode = EndMode::kDrain;
      in.link_up = true;
      CPPUNIT_ASSERT(check_command(in).good());
    }
    CPPUNIT_ASSERT(effective_mode(EndMode::kDefault, true) == EndMode::kDrain);
    CPPUNIT_ASSERT(effective_mode(EndMode::kDefault, false) == EndMode::kImmediate);
    CPPUNIT_ASSERT(effective_mode(EndMode::kDrain, false) == EndMode::kDrain);
  }

  void testXendAtTheSecondaryTakesTheExplicitWord() {
    for (const OperatorState state : kStates) {
      RuleInput in = input(SessionCommand::kXend, SiteRole::kSecondary, state);
      in.image_held = true;
      in.recovery_complete = true;
      in.link_up = false;
      CPPUNIT_ASSERT(!check_command(in).good());
      in.mode = EndMode::kImmediate;
      CPPUNIT_ASSERT_MESSAGE(check_command(in).text(), check_command(in).good());
    }
    RuleInput in = input(SessionCommand::kXend, SiteRole::kSecondary, OperatorState::kActive);
    in.mode = EndMode::kImmediate;
    in.link_up = true;
    const Status alive = check_command(in);
    CPPUNIT_ASSERT(!alive.good());
    CPPUNIT_ASSERT_MESSAGE(alive.text(), contains(alive.text(), "at SITEX"));
    in.state = OperatorState::kRecovery;
    CPPUNIT_ASSERT(!check_command(in).good());
  }

  void testXrecoverIsRefusedWhileThePrimaryIsAlive() {
    RuleInput in = input(SessionCommand::kXrecover, SiteRole::kSecondary, OperatorState::kActive);
    in.link_up = true;
    const Status refused = check_command(in);
    CPPUNIT_ASSERT(!refused.good());
    CPPUNIT_ASSERT_MESSAGE(refused.text(), contains(refused.text(), "CGROUP FREEZE DALLAS"));
    in.check_only = true;
    CPPUNIT_ASSERT(check_command(in).good());
    in.check_only = false;
    in.link_up = false;
    CPPUNIT_ASSERT(check_command(in).good());

    in.state = OperatorState::kInactive;
    CPPUNIT_ASSERT(!check_command(in).good());
    in.image_held = true;
    CPPUNIT_ASSERT(check_command(in).good());

    in.state = OperatorState::kRecovery;
    CPPUNIT_ASSERT_MESSAGE("one that is running is waited for", check_command(in).good());
    in.recovery_complete = true;
    CPPUNIT_ASSERT(!check_command(in).good());
    in.check_only = true;
    CPPUNIT_ASSERT(check_command(in).good());
  }

  void testVerifyNeedsTheLink() {
    RuleInput in = input(SessionCommand::kVerify, SiteRole::kPrimary, OperatorState::kActive);
    CPPUNIT_ASSERT(!check_command(in).good());
    in.link_up = true;
    CPPUNIT_ASSERT(check_command(in).good());
  }

  void testStatesOfTheMoversMapToOperatorStates() {
    CPPUNIT_ASSERT(operator_state(SessionState::kInactive) == OperatorState::kInactive);
    CPPUNIT_ASSERT(operator_state(SessionState::kActive) == OperatorState::kActive);
    CPPUNIT_ASSERT(operator_state(SessionState::kSuspended) == OperatorState::kSuspended);
    CPPUNIT_ASSERT(operator_state(SessionState::kFrozen) == OperatorState::kFrozen);
    CPPUNIT_ASSERT(operator_state(SecondaryState::kEmpty) == OperatorState::kInactive);
    CPPUNIT_ASSERT(operator_state(SecondaryState::kEnded) == OperatorState::kInactive);
    CPPUNIT_ASSERT(operator_state(SecondaryState::kDuplex) == OperatorState::kActive);
    CPPUNIT_ASSERT(operator_state(SecondaryState::kFrozen) == OperatorState::kFrozen);
    CPPUNIT_ASSERT(operator_state(SecondaryState::kRecovering) == OperatorState::kRecovery);
    CPPUNIT_ASSERT(operator_state(SecondaryState::kRecovered) == OperatorState::kRecovery);
    CPPUNIT_ASSERT(operator_state(SecondaryState::kStopped) == OperatorState::kSuspended);
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(SessionRulesTest);
