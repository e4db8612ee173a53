// The operator command parser: every form it takes, every mistake with its column, and random lines that must never be half taken.
#include <cppunit/extensions/HelperMacros.h>

#include <random>
#include <string>
#include <vector>

#include "jcl/operator_command.h"

using namespace afterimage;

namespace {

OperatorCommand good(const std::string& line) {
  const auto result = parse_command(line);
  CPPUNIT_ASSERT_MESSAGE(line + " -> " + result.status.text(), result.good());
  return result.value;
}

struct Mistake {
  std::string line;
  std::vector<std::string> parts;  // all must be in the sentence
};

void check(const std::vector<Mistake>& mistakes) {
  for (const Mistake& mistake : mistakes) {
    const auto result = parse_command(mistake.line);
    CPPUNIT_ASSERT_MESSAGE("taken: " + mistake.line, !result.good());
    const std::string& text = result.status.text();
    CPPUNIT_ASSERT_EQUAL_MESSAGE(text, 8, result.status.return_code());
    CPPUNIT_ASSERT_MESSAGE(text, text.back() == '.');
    CPPUNIT_ASSERT_MESSAGE(text, text.find('\n') == std::string::npos);
    for (const std::string& part : mistake.parts) {
      CPPUNIT_ASSERT_MESSAGE(mistake.line + " -> " + text + " lacks " + part, text.find(part) != std::string::npos);
    }
  }
}

}  // namespace

class OperatorCommandTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(OperatorCommandTest);
  CPPUNIT_TEST(testXstart);
  CPPUNIT_TEST(testXquery);
  CPPUNIT_TEST(testXsuspendAndXend);
  CPPUNIT_TEST(testXrecoverAndVerify);
  CPPUNIT_TEST(testFreezeAndRun);
  CPPUNIT_TEST(testA16_DisplayOfThePendingWriteQueue);
  CPPUNIT_TEST(testA22_DisplayOfHeldData);
  CPPUNIT_TEST(testOtherDisplaysAndTheStartedTask);
  CPPUNIT_TEST(testModifyForm);
  CPPUNIT_TEST(testSessionNameLeftOut);
  CPPUNIT_TEST(testAbbreviations);
  CPPUNIT_TEST(testSeparators);
  CPPUNIT_TEST(testMistakesInTheLine);
  CPPUNIT_TEST(testMistakesInOperands);
  CPPUNIT_TEST(testMistakesInVolumes);
  CPPUNIT_TEST(testTimesAreCheckedAndRefused);
  CPPUNIT_TEST(testMistakesInDisplays);
  CPPUNIT_TEST(testMistakesInModify);
  CPPUNIT_TEST(testColumnCountsInTheLineAsGiven);
  CPPUNIT_TEST(testEveryFormOfHelpIsKnown);
  CPPUNIT_TEST(testRandomLinesGiveACommandOrASentence);
  CPPUNIT_TEST(testNames);
  CPPUNIT_TEST_SUITE_END();

 public:
  void testXstart() {
    OperatorCommand c = good("xstart dallas");
    CPPUNIT_ASSERT(c.verb == SessionCommand::kXstart);
    CPPUNIT_ASSERT_EQUAL(std::string("DALLAS"), c.session);
    CPPUNIT_ASSERT_EQUAL(std::string("XSTART DALLAS"), c.text);
    CPPUNIT_ASSERT(c.compare);  // nothing is believed equal that was not compared, unless the operator says so
    c = good("XSTART DALLAS SESSIONTYPE(XRC) ERRORLEVEL(SESSION) COMPARE(YES)");
    CPPUNIT_ASSERT(c.compare);
    CPPUNIT_ASSERT(!good("XSTART DALLAS COMPARE(NO)").compare);
  }

  void testXquery() {
    CPPUNIT_ASSERT(good("XQUERY DALLAS").report == QueryReport::kSummary);
    CPPUNIT_ASSERT(good("XQ DALLAS").verb == SessionCommand::kXquery);
    OperatorCommand c = good("XQUERY DALLAS VOLUME(ALL)");
    CPPUNIT_ASSERT(c.report == QueryReport::kVolume);
    CPPUNIT_ASSERT(c.volumes.empty());
    c = good("XQUERY DALLAS VOLUME(PRIM01, 111111 @SYS#1) DETAIL");
    CPPUNIT_ASSERT(c.report == QueryReport::kVolume);
    CPPUNIT_ASSERT(c.detail);
    CPPUNIT_ASSERT((c.volumes == std::vector<std::string>{"PRIM01", "111111", "@SYS#1"}));
    c = good("XQUERY DALLAS DETAIL");
    CPPUNIT_ASSERT(c.report == QueryReport::kVolume && c.detail);
    CPPUNIT_ASSERT(good("XQUERY DALLAS STATUS").report == QueryReport::kStatus);
    CPPUNIT_ASSERT(good("XQUERY DALLAS CONFIG").report == QueryReport::kConfig);
    CPPUNIT_ASSERT(good("XQUERY DALLAS RECOVER").report == QueryReport::kRecover);
    CPPUNIT_ASSERT(good("XQUERY DALLAS MASTER").report == QueryReport::kMaster);
    for (const char* line :
         {"XQUERY DALLAS STATUS DETAIL VOLUME(A)", "XQUERY DALLAS VOLUME(A) DETAIL STATUS", "XQUERY DALLAS DETAIL STATUS VOLUME(A)"}) {
      c = good(line);
      CPPUNIT_ASSERT(c.report == QueryReport::kStatus && c.detail);
      CPPUNIT_ASSERT_EQUAL(std::size_t{1}, c.volumes.size());
    }
  }

  void testXsuspendAndXend() {
    CPPUNIT_ASSERT(good("XSUSPEND DALLAS SESSION").mode == EndMode::kDefault);
    CPPUNIT_ASSERT(good("XSUSPEND DALLAS VOLUME(ALL) DRAIN").mode == EndMode::kDrain);
    CPPUNIT_ASSERT(good("XSUSPEND DALLAS IMMEDIATE").mode == EndMode::kImmediate);
    CPPUNIT_ASSERT(good("XSUSPEND DALLAS").verb == SessionCommand::kXsuspend);
    CPPUNIT_ASSERT(good("XEND DALLAS").verb == SessionCommand::kXend);
    CPPUNIT_ASSERT(good("XEND DALLAS DRAIN").mode == EndMode::kDrain);
    CPPUNIT_ASSERT(good("XEND DALLAS IMMEDIATE").mode == EndMode::kImmediate);
  }

  void testXrecoverAndVerify() {
    CPPUNIT_ASSERT(good("XRECOVER DALLAS").verb == SessionCommand::kXrecover);
    CPPUNIT_ASSERT(!good("XRECOVER DALLAS").check_only);
    CPPUNIT_ASSERT(good("XRECOVER DALLAS CHECK(YES)").check_only);
    CPPUNIT_ASSERT(!good("XRECOVER DALLAS CHECK(NO)").check_only);
    CPPUNIT_ASSERT(good("VERIFY DALLAS").volumes.empty());
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, good("VERIFY DALLAS VOLUME(PRIM01,PRIM02)").volumes.size());
  }

  void testFreezeAndRun() {
    for (const char* line : {"CGROUP FREEZE DALLAS", "FREEZE DALLAS", "F DSM,CGROUP FREEZE DALLAS"}) {
      CPPUNIT_ASSERT(good(line).verb == SessionCommand::kFreeze);
      CPPUNIT_ASSERT_EQUAL(std::string("DALLAS"), good(line).session);
    }
    for (const char* line : {"CGROUP RUN", "RUN"}) {
      CPPUNIT_ASSERT(good(line).verb == SessionCommand::kRun);
      CPPUNIT_ASSERT_EQUAL(std::string(), good(line).session);
    }
  }

  void testA16_DisplayOfThePendingWriteQueue() {
    OperatorCommand c = good("D PWQ");
    CPPUNIT_ASSERT(c.verb == SessionCommand::kDisplayQueue);
    CPPUNIT_ASSERT_EQUAL(kDefaultQueueLines, c.max_lines);
    CPPUNIT_ASSERT_EQUAL(Sequence{0}, c.sequence);
    c = good("D PWQ,DALLAS,MAX=200");
    CPPUNIT_ASSERT_EQUAL(std::string("DALLAS"), c.session);
    CPPUNIT_ASSERT_EQUAL(200u, c.max_lines);
    CPPUNIT_ASSERT_EQUAL(5u, good("D PWQ,MAX=5").max_lines);
  }

  void testA22_DisplayOfHeldData() {
    const OperatorCommand c = good("F DSM,D PWQ,DALLAS,SEQ=4711");
    CPPUNIT_ASSERT(c.verb == SessionCommand::kDisplayQueue);
    CPPUNIT_ASSERT_EQUAL(Sequence{4711}, c.sequence);
    CPPUNIT_ASSERT_EQUAL(Sequence{281474976710655}, good("D PWQ,SEQ=281474976710655").sequence);
  }

  void testOtherDisplaysAndTheStartedTask() {
    CPPUNIT_ASSERT(good("D STOR").verb == SessionCommand::kDisplayStorage);
    CPPUNIT_ASSERT(good("D A,L").verb == SessionCommand::kDisplayActive);
    CPPUNIT_ASSERT(good("DISPLAY A,L").verb == SessionCommand::kDisplayActive);
    CPPUNIT_ASSERT(good("S DSM").verb == SessionCommand::kStart);
    CPPUNIT_ASSERT(good("START DSM").verb == SessionCommand::kStart);
    CPPUNIT_ASSERT(good("P DSM").verb == SessionCommand::kStop);
    CPPUNIT_ASSERT(good("STOP DSM").verb == SessionCommand::kStop);
    CPPUNIT_ASSERT(good("HELP").topic.empty());
    CPPUNIT_ASSERT_EQUAL(std::string("XQUERY"), good("help xquery").topic);
  }

  void testModifyForm() {
    for (const char* line : {"F DSM,XQUERY DALLAS", "f dsm,xquery dallas", "MODIFY DSM,XQUERY DALLAS", "  F   DSM,  XQUERY   DALLAS  "}) {
      const OperatorCommand c = good(line);
      CPPUNIT_ASSERT(c.verb == SessionCommand::kXquery);
      CPPUNIT_ASSERT_EQUAL(std::string("DALLAS"), c.session);
      CPPUNIT_ASSERT(c.text.starts_with("XQUERY") && c.text.ends_with("DALLAS"));
    }
    CPPUNIT_ASSERT(good("F DSM,P DSM").verb == SessionCommand::kStop);
  }

  void testSessionNameLeftOut() {
    CPPUNIT_ASSERT(good("XQUERY").session.empty());
    CPPUNIT_ASSERT(good("XQUERY DETAIL").session.empty());
    CPPUNIT_ASSERT(good("XQUERY DETAIL").detail);
    CPPUNIT_ASSERT(good("XQUERY VOL(ALL)").session.empty());
    CPPUNIT_ASSERT(good("XSUSPEND SESSION DRAIN").session.empty());
    CPPUNIT_ASSERT(good("XEND IMMEDIATE").session.empty());
    // A shortened keyword in the first place is a session name: only a keyword in full cannot be one.
    CPPUNIT_ASSERT_EQUAL(std::string("DET"), good("XQUERY DET").session);
  }

  void testAbbreviations() {
    CPPUNIT_ASSERT(good("XQUERY DALLAS DET").detail);
    CPPUNIT_ASSERT(good("XQUERY DALLAS STAT").report == QueryReport::kStatus);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, good("XQUERY DALLAS VOL(PRIM01)").volumes.size());
    CPPUNIT_ASSERT(good("XEND DALLAS IMM").mode == EndMode::kImmediate);
    CPPUNIT_ASSERT(good("XSTART DALLAS SESS(XRC) ERR(SESSION) COMP(YES)").compare);
    check({{"XQUERY DALLAS DE", {"Operand DE at column 15"}},
           {"XEND DALLAS IMMX", {"IMMX"}},
           {"XQU DALLAS", {"Command XQU at column 1"}},
           {"XSTA DALLAS", {"XSTA"}}});
  }

  void testSeparators() {
    for (const char* line :
         {"XQUERY DALLAS,VOLUME(A,B),DETAIL", "XQUERY,DALLAS VOLUME( A , B ) , DETAIL", "XQUERY DALLAS  VOLUME(A B)  DETAIL"}) {
      const OperatorCommand c = good(line);
      CPPUNIT_ASSERT_EQUAL(std::size_t{2}, c.volumes.size());
      CPPUNIT_ASSERT(c.detail);
    }
  }

  void testMistakesInTheLine() {
    check({{"", {"no command", "XSTART"}},
           {"    ", {"no command"}},
           {std::string(257, 'X'), {"257 characters", "256"}},
           {std::string("XQUERY\tDALLAS"), {"X'09'", "column 7"}},
           {std::string("XQUERY D\xC3\x84LLAS"), {"X'C3'", "column 9"}},
           {std::string("XQUERY\0DALLAS", 13), {"X'00'", "column 7"}},
           {"XQUERY DALLAS VOLUME(A", {"parenthesis opened at column 21 is not closed; end the list of VOLUME"}},
           {"XQUERY DALLAS VOLUME(A))", {"column 24"}},
           {"XQUERY DALLAS )", {"closing parenthesis at column 15"}},
           {"XQUERY DALLAS VOLUME((A))", {"second opening", "column 22"}},
           {"XQUERY DALLAS VOLUME()", {"is empty", "column 21"}},
           {"XQUERY DALLAS VOLUME(A,)", {"missing after the comma", "column 23"}},
           {"XQUERY DALLAS VOLUME(,A)", {"missing before the comma", "column 22"}},
           {"XQUERY DALLAS VOLUME(A=B)", {"equals sign at column 23"}},
           {"XQUERY DALLAS VOLUME(A)DETAIL", {"character D at column 24 cannot follow the list of VOLUME"}},
           {"XQUERY DALLAS,,DETAIL", {"missing before the comma at column 15"}},
           {"XQUERY DALLAS,", {"missing after the comma at column 14"}},
           {",XQUERY", {"column 1"}},
           {"XQUERY DALLAS (A)", {"character ( at column 15"}},
           {"XQUERY(DALLAS)", {"XQUERY at column 1"}},
           {"XQUERY {DALLAS}", {"{DALLAS} at column 8"}},
           {"CATCH 22", {"Command CATCH at column 1", "XQUERY"}}});
    CPPUNIT_ASSERT(parse_command("XQUERY DALLAS" + std::string(243, ' ')).good());
  }

  void testMistakesInOperands() {
    check({{"XQUERY DALLAS DETIAL", {"Operand DETIAL at column 15", "VOLUME(", "DETAIL"}},
           {"XQUERY DALLAS DETAIL DETAIL", {"DETAIL at column 22", "twice"}},
           {"XQUERY DALLAS DET DETAIL", {"DETAIL at column 19", "twice"}},
           {"XQUERY DALLAS DETAIL(YES)", {"takes no value"}},
           {"XQUERY DALLAS DETAIL=YES", {"takes no value"}},
           {"XQUERY DALLAS VOLUME", {"needs its value in parentheses", "VOLUME(value)"}},
           {"XQUERY DALLAS STATUS CONFIG", {"CONFIG at column 22", "second report"}},
           {"XQUERY DALLAS VOLUME(A) CONFIG", {"CONFIG at column 25", "cannot be combined"}},
           {"XQUERY DALLAS RECOVER DETAIL", {"DETAIL at column 23", "cannot be combined"}},
           {"XQUERY 1DALLAS", {"Session name 1DALLAS at column 8", "digit"}},
           {"XQUERY DALLASTEXAS", {"DALLASTEXAS at column 8", "1 to 8"}},
           {"XQUERY DAL-LAS", {"DAL-LAS"}},
           {"XQUERY DALLAS HOUSTON", {"HOUSTON at column 15"}},
           {"XSTART DALLAS SESSIONTYPE(PPRC)", {"Value PPRC of SESSIONTYPE at column 27", "SESSIONTYPE(XRC)"}},
           {"XSTART DALLAS ERRORLEVEL(VOLUME)", {"Value VOLUME", "column 26", "ERRORLEVEL(SESSION)"}},
           {"XSTART DALLAS COMPARE(MAYBE)", {"MAYBE", "column 23", "YES or NO"}},
           {"XSTART DALLAS COMPARE(YES,NO)", {"NO of COMPARE at column 27", "one too many"}},
           {"XSTART DALLAS SESSIONTYPE(XRC,XRC)", {"XRC of SESSIONTYPE at column 31", "one too many"}},
           {"XRECOVER DALLAS CHECK(YES,YES)", {"YES of CHECK at column 27", "one too many"}},
           {"XQUERY DALLAS CONFIG VOLUME(PRIM01)", {"VOLUME at column 22", "cannot be combined with CONFIG"}},
           {"XSTART DALLAS HLQ(SYS1)", {"HLQ at column 15", "COMPARE"}},
           {"XSUSPEND DALLAS DRAIN IMMEDIATE", {"IMMEDIATE at column 23", "cannot be combined with DRAIN"}},
           {"XSUSPEND DALLAS SESSION VOLUME(ALL)", {"VOLUME at column 25", "SESSION"}},
           {"XSUSPEND DALLAS VOLUME(ALL) SESSION", {"SESSION at column 29", "VOLUME(ALL)"}},
           {"XSUSPEND DALLAS VOLUME(PRIM01)", {"VOLUME at column 17", "VOLUME(ALL)"}},
           {"XEND DALLAS SESSION", {"SESSION at column 13", "DRAIN or IMMEDIATE"}},
           {"XRECOVER DALLAS CHECK", {"CHECK(value)"}},
           {"CGROUP DALLAS", {"DALLAS at column 8", "CGROUP FREEZE session"}},
           {"CGROUP", {"FREEZE or RUN"}},
           {"CGROUP FREEZE(DALLAS)", {"FREEZE at column 8", "CGROUP FREEZE session"}},
           {"CGROUP FREEZE=DALLAS", {"FREEZE at column 8", "CGROUP FREEZE session"}},
           {"HELP XEND(1)", {"XEND at column 6"}},
           {"HELP XEND=1", {"XEND at column 6"}},
           {"FREEZE DALLAS NOW", {"NOW at column 15", "only the session name"}},
           {"HELP DALLAS", {"DALLAS at column 6", "XSTART"}},
           {"HELP XEND XSTART", {"XSTART at column 11"}}});
  }

  void testMistakesInVolumes() {
    std::string many = "VERIFY VOLUME(";
    for (int i = 0; i < 101; ++i) many += std::string(i == 0 ? "" : ",") + static_cast<char>('A' + i % 26);
    many += ')';
    check({{"VERIFY DALLAS VOLUME(ALL,PRIM01)", {"VOLUME at column 15", "ALL together"}},
           {"VERIFY DALLAS VOLUME(PRIM0001)", {"Volser PRIM0001 at column 22", "1 to 6"}},
           {"VERIFY DALLAS VOLUME(PRIM01,PRIM01)", {"PRIM01 at column 29", "twice"}},
           {"VERIFY DALLAS VOLUME(PR*)", {"PR*"}},
           {many, {"101 volumes", "100"}}});
  }

  void testTimesAreCheckedAndRefused() {
    check({{"XSUSPEND DALLAS SESSION ATTIME(2026.326 19:41:20.231440)", {"ATTIME at column 25", "not available"}},
           {"XSUSPEND DALLAS SESSION ATTIME(2026.366 19:41:20)", {"2026.366", "column 32", "yyyy.ddd"}},
           {"XEND DALLAS ATTIME(TOMORROW)", {"TOMORROW at column 20", "yyyy.ddd"}},
           {"XEND DALLAS DRAIN TIMEOUT(00.01.00)", {"TIMEOUT at column 19", "not available", "IMMEDIATE"}},
           {"XEND DALLAS TIMEOUT(00.61.00)", {"00.61.00 at column 21", "hh.mm.ss"}},
           {"XEND DALLAS TIMEOUT(1.2.3)", {"hh.mm.ss"}},
           {"XEND DALLAS TIMEOUT(00:01.00)", {"00:01.00 at column 21", "hh.mm.ss"}},
           {"XEND DALLAS TIMEOUT(00.01:00)", {"hh.mm.ss"}},
           {"XEND DALLAS TIMEOUT(00.01.60)", {"hh.mm.ss"}},
           {"XEND DALLAS TIMEOUT(-1.01.00)", {"hh.mm.ss"}},
           {"XEND DALLAS TIMEOUT(00.01.00,00.02.00)", {"00.02.00 of TIMEOUT at column 30", "one too many"}},
           {"XEND DALLAS TIMEOUT(0a.00.00)", {"hh.mm.ss"}}});
  }

  void testMistakesInDisplays() {
    check({{"D", {"D PWQ, D STOR or D A,L"}},
           {"D R,L", {"R at column 3", "D PWQ"}},
           {"D A", {"column 3", "D A,L"}},
           {"D A,X", {"X at column 5", "D A,L"}},
           {"D A,L,X", {"X at column 7"}},
           {"D A,L(1)", {"L at column 5", "D A,L"}},
           {"D A,L=1", {"L at column 5", "D A,L"}},
           {"D PWQ(1)", {"PWQ at column 3", "takes no value"}},
           {"D PWQ=1", {"PWQ at column 3", "takes no value"}},
           {"D PWQ,DALLAS(1)", {"DALLAS at column 7", "SEQ=number"}},
           {"D PWQ,MAX", {"MAX at column 7", "MAX=number"}},
           {"D PWQ,MAX=1,SEQ=2", {"SEQ at column 13", "cannot be combined"}},
           {"D STOR,ALL", {"ALL at column 8"}},
           {"D PWQ,SEQ", {"SEQ at column 7", "SEQ=number"}},
           {"D PWQ,SEQ=", {"column 11", "missing"}},
           {"D PWQ,SEQ=0", {"Value 0 of SEQ= at column 11", "from 1"}},
           {"D PWQ,SEQ=281474976710656", {"281474976710655"}},
           {"D PWQ,SEQ=99999999999999999999999", {"281474976710655"}},
           {"D PWQ,SEQ=-1", {"-1"}},
           {"D PWQ,SEQ=12X", {"12X"}},
           {"D PWQ,SEQ=1,SEQ=2", {"SEQ at column 13", "twice"}},
           {"D PWQ,MAX=1,MAX=2", {"MAX at column 13", "twice"}},
           {"D PWQ,SEQ=1,MAX=2", {"MAX at column 13", "cannot be combined"}},
           {"D PWQ,MAX=100001", {"100000"}},
           {"D PWQ,SEQ(1)", {"SEQ=number"}},
           {"D PWQ,DALLAS,HOUSTON", {"HOUSTON at column 14"}},
           {"D PWQ,SEQ=1(2)", {"character ( at column 12 cannot follow the value of SEQ="}},
           {"D PWQ,1X", {"Session name 1X at column 7"}}});
  }

  void testMistakesInModify() {
    check({{"F", {"F DSM,command"}},
           {"F JES2,XQUERY", {"Name JES2 at column 3"}},
           {"F DSM", {"column 6", "F DSM,command"}},
           {"F DSM XQUERY", {"column 6"}},
           {"F DSM,", {"column 7"}},
           {"F DSM,F DSM,XQUERY", {"Command F at column 7"}},
           {"F DSM,S DSM", {"Command S at column 7"}},
           {"F DSM,START DSM", {"Command START at column 7"}},
           {"F DSM,MODIFY DSM,XQUERY", {"Command MODIFY at column 7"}},
           {"S DSM(1)", {"DSM at column 3", "S DSM"}},
           {"P DSM=1", {"DSM at column 3", "P DSM"}},
           {"F DSM,CATCH", {"CATCH at column 7"}},
           {"S", {"S DSM"}},
           {"S JES2", {"JES2 at column 3"}},
           {"P DSM NOW", {"NOW at column 7"}}});
  }

  void testColumnCountsInTheLineAsGiven() { check({{"   F DSM,   XQUERY DALLAS DETIAL", {"DETIAL at column 27"}}}); }

  void testEveryFormOfHelpIsKnown() {
    CPPUNIT_ASSERT(help_lines("").size() >= 15);
    for (const char* topic :
         {"XSTART", "XQUERY", "XQ", "XSUSPEND", "XEND", "XRECOVER", "CGROUP", "FREEZE", "RUN", "VERIFY", "D", "S", "P", "F", "HELP"}) {
      CPPUNIT_ASSERT_MESSAGE(topic, !help_lines(topic).empty());
      CPPUNIT_ASSERT_MESSAGE(topic, parse_command(std::string("HELP ") + topic).good());
    }
    CPPUNIT_ASSERT(help_lines("XQUERY").size() < help_lines("").size());
  }

  void testRandomLinesGiveACommandOrASentence() {
    const std::vector<std::string> pieces = {"XQUERY",  "XSTART",   "F DSM,", "D ",  "PWQ", "DALLAS", "VOLUME", "(",      ")",
                                             ",",       " ",        "=",      "ALL", "SEQ", "MAX",    "7",      "DETAIL", "XEND",
                                             "DRAIN",   "CGROUP",   "FREEZE", "A",   "L",   "HELP",   "\x01",   "x",      "COMPARE(YES)",
                                             "ATTIME(", "2026.001 "};
    std::mt19937 random(20261122);
    int taken = 0;
    for (int i = 0; i < 60'000; ++i) {
      std::string line;
      const unsigned count = random() % 9;
      for (unsigned k = 0; k < count; ++k) line += pieces[random() % pieces.size()];
      const auto result = parse_command(line);
      if (result.good()) {
        ++taken;
        // What was taken is taken again from its own text, with the same meaning.
        const auto again = parse_command(result.value.text);
        CPPUNIT_ASSERT_MESSAGE(line, again.good());
        CPPUNIT_ASSERT(again.value.verb == result.value.verb && again.value.session == result.value.session);
        CPPUNIT_ASSERT(again.value.volumes == result.value.volumes && again.value.sequence == result.value.sequence);
      } else {
        CPPUNIT_ASSERT_MESSAGE(line, result.status.text().size() > 20 && result.status.text().back() == '.');
      }
    }
    CPPUNIT_ASSERT(taken > 100);
  }

  void testNames() {
    for (const char* name : {"A", "DALLAS", "@SYS#1$", "ABCDEFGH"}) CPPUNIT_ASSERT_MESSAGE(name, is_name(name));
    for (const char* name : {"", "1A", "ABCDEFGHI", "a", "A-B", "A B", "A."}) CPPUNIT_ASSERT_MESSAGE(name, !is_name(name));
    for (const char* volser : {"A", "111111", "PRIM01", "$#@"}) CPPUNIT_ASSERT_MESSAGE(volser, is_volser(volser));
    for (const char* volser : {"", "1234567", "a", "A*"}) CPPUNIT_ASSERT_MESSAGE(volser, !is_volser(volser));
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(OperatorCommandTest);
