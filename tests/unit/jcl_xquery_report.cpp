// Golden XQUERY reports from one set of facts at each site, and the cases in which something is not known.
#include <cppunit/extensions/HelperMacros.h>

#include <string>
#include <vector>

#include "jcl/xquery_report.h"
#include "serializer/tod.h"

using namespace afterimage;

namespace {

Tod time(const char* text) {
  const auto parsed = tod_parse(text);
  CPPUNIT_ASSERT_MESSAGE(text, parsed.good());
  return parsed.value;
}

VolumeRow row(const char* volser, const char* secondary, VolumeState state) {
  VolumeRow out;
  out.volser = volser;
  out.secondary_volser = secondary;
  out.system = "SYSA";
  out.device_number = 0x0A80;
  out.device_type = 0x3390;
  out.state = state;
  return out;
}

SessionFacts primary() {
  SessionFacts facts;
  facts.session = "DALLAS";
  facts.site = "SITEA";
  facts.peer_site = "SITEB";
  facts.report_number = 2;
  facts.state = OperatorState::kActive;
  facts.epoch = 77;
  facts.consistency_time = time("2026.326 19:41:27.998450");
  facts.delay_us = 1'830'000;
  facts.exposure_us = 680'000;
  facts.cause = DelayCause::kLink;
  facts.link.up = true;
  facts.link.local_lu = "SITEA.DSMLU";
  facts.link.peer_lu = "SITEB.DSMLU";
  facts.link.messages = 120;
  facts.link.bytes = 456789;
  facts.link.resent = 0;
  facts.sequences.numbered = 4711;
  facts.sequences.sent = 4700;
  facts.sequences.acknowledged = 4690;
  facts.sequences.applied = 4680;
  facts.ring = Usage{16'777'216, 67'108'864};
  facts.pace_count = 3;
  facts.pace_us = 250'000;
  facts.config = {"SESSION", 67'108'864, 262'144, 16'777'216, 268'435'456, 10, 2000, 120'000, 2, 3'000'000, LossAction::kRecover};
  facts.volumes = {row("PRIM01", "SEC001", VolumeState::kDup), row("PRIM02", "SEC002", VolumeState::kSus)};
  facts.volumes[0].command = "XST";
  facts.volumes[0].consistent = facts.consistency_time;
  facts.volumes[0].writes = 4000;
  facts.volumes[0].bytes = 16'384'000;
  facts.volumes[0].unflushed = 1;
  facts.volumes[0].unacknowledged = 21;
  facts.volumes[1].residual_tracks = 12;
  return facts;
}

std::vector<std::string> ask(const SessionFacts& facts, const std::string& line, int return_code = 0) {
  const auto command = parse_command(line);
  CPPUNIT_ASSERT_MESSAGE(command.status.text(), command.good());
  const XqueryAnswer answer = xquery_report(facts, command.value);
  CPPUNIT_ASSERT_EQUAL(return_code, answer.return_code);
  return answer.lines;
}

void expect(const std::vector<std::string>& wanted, const std::vector<std::string>& got) {
  for (std::size_t i = 0; i < std::min(wanted.size(), got.size()); ++i) CPPUNIT_ASSERT_EQUAL(wanted[i], got[i]);
  CPPUNIT_ASSERT_EQUAL(wanted.size(), got.size());
}

}  // namespace

class XqueryReportTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(XqueryReportTest);
  CPPUNIT_TEST(testSummary);
  CPPUNIT_TEST(testVolumeAndDetail);
  CPPUNIT_TEST(testVolumesNamed);
  CPPUNIT_TEST(testStatus);
  CPPUNIT_TEST(testStatusOfASecondaryWithTheLinkDown);
  CPPUNIT_TEST(testConfig);
  CPPUNIT_TEST(testRecover);
  CPPUNIT_TEST(testMaster);
  CPPUNIT_TEST(testWhatIsNotKnownIsNotGuessed);
  CPPUNIT_TEST(testAVolumeThatIsBeingCopiedShowsHowFar);
  CPPUNIT_TEST(testStatusSaysOnlyWhatIsKnown);
  CPPUNIT_TEST(testWhatIsWiderThanItsColumnIsNotCut);
  CPPUNIT_TEST(testMultiLineAnswer);
  CPPUNIT_TEST_SUITE_END();

 public:
  void testSummary() {
    expect({"DSMO200I XQUERY STARTED FOR SESSION(DALLAS) ASNAME(DSM)", "DSMO202I XQUERY SUMMARY REPORT - 002",
            "DSMO203I SITE(SITEA) ROLE(PRIMARY) STATE(ACTIVE)", "DSMO238I TOTAL=2 DUP=1 CPY=0 PND=0 SUS=1 SEQ=0 UTL=0",
            "DSMO231I DATA CONSISTENT(2026.326 19:41:27.998450) DELAY(00:00:01.83)", "DSMO232I DELAY CAUSE(LINK)",
            "DSMO240I DATA EXPOSURE(00:00:00.68)", "DSMO201I XQUERY SUMMARY REPORT COMPLETE FOR SESSION(DALLAS)", "DSMO299I END"},
           ask(primary(), "XQUERY DALLAS"));
  }

  void testVolumeAndDetail() {
    const auto lines = ask(primary(), "XQUERY DALLAS VOLUME(ALL)");
    CPPUNIT_ASSERT_EQUAL(std::string("DSMO202I XQUERY VOLUME REPORT - 002"), lines.at(1));
    CPPUNIT_ASSERT_EQUAL(std::string("DSMO210I PRIM   SEC    ERROR   SYNCH%"), lines.at(3));
    CPPUNIT_ASSERT_EQUAL(std::string("DSMO211I VOL    VOL    LEVEL          STA CMD OP  TIMESTAMP"), lines.at(4));
    CPPUNIT_ASSERT_EQUAL(std::string("DSMO212I PRIM01 SEC001 SESSION    100 DUP XST --- 2026.326 19:41:27.998450"), lines.at(5));
    CPPUNIT_ASSERT_EQUAL(std::string("DSMO212I PRIM02 SEC002 SESSION    --- SUS --- --- UNKNOWN"), lines.at(6));
    const auto detail = ask(primary(), "XQUERY DALLAS DETAIL");
    CPPUNIT_ASSERT_EQUAL(lines.size() + 2, detail.size());
    CPPUNIT_ASSERT_EQUAL(std::string("DSMO202I XQUERY DETAIL REPORT - 002"), detail.at(1));
    CPPUNIT_ASSERT_EQUAL(
        std::string("DSMO213I PRIM01 WRITES(4000) BYTES(16384000) UNFLUSHED(1) UNACKNOWLEDGED(21) RESIDUAL TRACKS(UNKNOWN)"), detail.at(6));
    CPPUNIT_ASSERT_EQUAL(
        std::string("DSMO213I PRIM02 WRITES(UNKNOWN) BYTES(UNKNOWN) UNFLUSHED(UNKNOWN) UNACKNOWLEDGED(UNKNOWN) RESIDUAL TRACKS(12)"),
        detail.at(8));
  }

  void testVolumesNamed() {
    const auto lines = ask(primary(), "XQUERY DALLAS VOLUME(SEC002,NOSUCH)", 4);
    CPPUNIT_ASSERT(lines.at(5).starts_with("DSMO212I PRIM02"));
    CPPUNIT_ASSERT_EQUAL(std::string("DSMO215W VOLUME(NOSUCH) IS NOT IN SESSION(DALLAS)"), lines.at(6));
    const auto by_primary = ask(primary(), "XQUERY DALLAS VOLUME(PRIM01)");
    CPPUNIT_ASSERT(by_primary.at(5).starts_with("DSMO212I PRIM01"));
    CPPUNIT_ASSERT(by_primary.at(6).starts_with("DSMO238I"));  // the other one is not listed
    const auto in_status = ask(primary(), "XQUERY DALLAS STATUS VOLUME(PRIM02)");
    CPPUNIT_ASSERT(in_status.at(10).starts_with("DSMO212I PRIM02"));
  }

  void testStatus() {
    expect({"DSMO200I XQUERY STARTED FOR SESSION(DALLAS) ASNAME(DSM)", "DSMO202I XQUERY STATUS REPORT - 002",
            "DSMO203I SITE(SITEA) ROLE(PRIMARY) STATE(ACTIVE)", "DSMO220I LINK(UP) LU(SITEA.DSMLU) PEER LU(SITEB.DSMLU)",
            "DSMO223I SEQUENCE NUMBERED(4711) SENT(4700) ACKNOWLEDGED(4690) APPLIED(4680)",
            "DSMO225I BUFFERS USED(16777216) OF(67108864) BYTES, 25 PERCENT", "DSMO227I GUESTS PACED(3) TIMES FOR(00:00:00.25)",
            "DSMO228I MESSAGES(120) BYTES(456789) RESENT(0)", "DSMO231I DATA CONSISTENT(2026.326 19:41:27.998450) DELAY(00:00:01.83)",
            "DSMO232I DELAY CAUSE(LINK)", "DSMO240I DATA EXPOSURE(00:00:00.68)",
            "DSMO201I XQUERY STATUS REPORT COMPLETE FOR SESSION(DALLAS)", "DSMO299I END"},
           ask(primary(), "XQUERY DALLAS STATUS"));
    CPPUNIT_ASSERT(ask(primary(), "XQUERY DALLAS STATUS DETAIL").size() > ask(primary(), "XQUERY DALLAS STATUS").size());
  }

  void testStatusOfASecondaryWithTheLinkDown() {
    SessionFacts facts = primary();
    facts.role = SiteRole::kSecondary;
    facts.site = "SITEB";
    facts.state = OperatorState::kFrozen;
    facts.stopped_at = 4690;
    facts.stop_reason = "PRIMARY LOST";
    facts.link.up = false;
    facts.link.reason = "The connection was reset";
    facts.link.last_heard = time("2026.326 19:41:28.5");
    facts.link.messages.reset();
    facts.sequences = {};
    facts.sequences.point_a = 4690;
    facts.sequences.point_b = 4700;
    facts.sequences.pending_tokens = 10;
    facts.sequences.pending_bytes = 40960;
    facts.ring.reset();
    facts.pace_count.reset();
    facts.journal = Usage{0, 0};
    facts.verify_differences = 2;
    const auto lines = ask(facts, "XQUERY STATUS");
    expect({"DSMO203I SITE(SITEB) ROLE(SECONDARY) STATE(FROZEN)", "DSMO204I STOPPED AT SEQUENCE(4690) REASON(PRIMARY LOST)",
            "DSMO220I LINK(DOWN) LU(SITEA.DSMLU) PEER LU(SITEB.DSMLU)", "DSMO221I LINK REASON(The connection was reset)",
            "DSMO222I LAST HEARD(2026.326 19:41:28.500000)",
            "DSMO223I SEQUENCE NUMBERED(UNKNOWN) SENT(UNKNOWN) ACKNOWLEDGED(UNKNOWN) APPLIED(UNKNOWN)",
            "DSMO224I POINT A(4690) POINT B(4700) PENDING(10) BYTES(40960)", "DSMO226I JOURNAL USED(0) OF(0) BYTES, 0 PERCENT",
            "DSMO229W VERIFICATION DIFFERENCES(2)"},
           {lines.begin() + 2, lines.begin() + 11});
  }

  void testConfig() {
    const auto lines = ask(primary(), "XQUERY DALLAS CONFIG");
    expect({"DSMO250I SESSIONTYPE(XRC) ERRORLEVEL(SESSION) EPOCH(77)",
            "DSMO251I BUFFERS RING(67108864) MESSAGE(262144) WINDOW(16777216) BYTES, INTERVAL(10) MS",
            "DSMO252I LIMITS PACE(2000) MS, FREEZE(120000) MS", "DSMO253I JOURNAL(268435456) BYTES IN(2) FILES",
            "DSMO254I FAILURE HEARTBEAT(3000) MS, ACTION(RECOVER)", "DSMO255I VOLUME(PRIM01,SEC001) SYSTEM(SYSA) DEVICE(0A80) TYPE(3390)",
            "DSMO255I VOLUME(PRIM02,SEC002) SYSTEM(SYSA) DEVICE(0A80) TYPE(3390)"},
           {lines.begin() + 3, lines.end() - 2});
  }

  void testRecover() {
    auto lines = ask(primary(), "XQUERY DALLAS RECOVER");
    CPPUNIT_ASSERT_EQUAL(std::string("DSMO264I RECOVERY IS MADE AT SITE(SITEB)"), lines.at(3));
    SessionFacts facts = primary();
    facts.recovery = RecoveryFacts{false, 4690, 4700, time("2026.326 19:41:27.998450"), 10, 7};
    lines = ask(facts, "XQUERY DALLAS RECOVER");
    expect({"DSMO260I RECOVERY NOW WOULD GIVE WRITES THROUGH(4690) CONSISTENT(2026.326 19:41:27.998450)",
            "DSMO261I TOKENS RECEIVED AND NOT RECOVERABLE(10) DATA HELD(7) MISSING(3)",
            "DSMO263I WRITES BEYOND(4700) ARE NOT KNOWN AT THIS SITE"},
           {lines.begin() + 3, lines.end() - 2});
    facts.recovery->complete = true;
    lines = ask(facts, "XQUERY DALLAS RECOVER");
    CPPUNIT_ASSERT_EQUAL(std::string("DSMO262I RECOVERED THROUGH(4690) CONSISTENT(2026.326 19:41:27.998450) LOST(10)"), lines.at(3));
  }

  void testMaster() {
    CPPUNIT_ASSERT_EQUAL(std::string("DSMO270I SESSION(DALLAS) IS NOT COUPLED TO A MASTER SESSION"),
                         ask(primary(), "XQUERY DALLAS MASTER").at(3));
  }

  void testWhatIsNotKnownIsNotGuessed() {
    SessionFacts facts;
    facts.session = "DALLAS";
    const auto lines = ask(facts, "XQUERY");
    CPPUNIT_ASSERT_EQUAL(std::string("DSMO231I DATA CONSISTENT(UNKNOWN) DELAY(UNKNOWN)"), lines.at(4));
    CPPUNIT_ASSERT_EQUAL(std::string("DSMO240I DATA EXPOSURE(UNKNOWN)"), lines.at(6));
    facts.report_number = 123456;
    facts.consistency_time = 0;
    CPPUNIT_ASSERT_EQUAL(std::string("DSMO202I XQUERY SUMMARY REPORT - 456"), ask(facts, "XQUERY").at(1));
    CPPUNIT_ASSERT_EQUAL(std::string("DSMO231I DATA CONSISTENT(UNKNOWN) DELAY(UNKNOWN)"), ask(facts, "XQUERY").at(4));
  }

  void testAVolumeThatIsBeingCopiedShowsHowFar() {
    SessionFacts facts = primary();
    facts.volumes[1].state = VolumeState::kCpy;
    facts.volumes[1].sync_percent = 37;
    const auto lines = ask(facts, "XQUERY DALLAS VOLUME(PRIM02)");
    CPPUNIT_ASSERT_EQUAL(std::string("DSMO212I PRIM02 SEC002 SESSION     37 CPY --- --- UNKNOWN"), lines.at(5));
  }

  // A link that is down for no known reason, and a secondary that has only heard of tokens.
  void testStatusSaysOnlyWhatIsKnown() {
    SessionFacts facts = primary();
    facts.link.up = false;
    facts.link.reason.clear();
    facts.sequences = {};
    facts.sequences.point_b = 4700;
    const auto lines = ask(facts, "XQUERY DALLAS STATUS");
    CPPUNIT_ASSERT(lines.at(3).starts_with("DSMO220I LINK(DOWN)"));
    CPPUNIT_ASSERT(lines.at(4).starts_with("DSMO223I"));
    CPPUNIT_ASSERT_EQUAL(std::string("DSMO224I POINT A(UNKNOWN) POINT B(4700) PENDING(UNKNOWN) BYTES(UNKNOWN)"), lines.at(5));
  }

  // Wider than its column is shown whole: a cut volser would be another volume's.
  void testWhatIsWiderThanItsColumnIsNotCut() {
    SessionFacts facts = primary();
    facts.volumes[0].error_level = "CONSISTENCY";
    facts.volumes[0].sync_percent = 12345678;
    facts.volumes[0].command = "XSUSPEND";
    const auto lines = ask(facts, "XQUERY DALLAS VOLUME(PRIM01)");
    CPPUNIT_ASSERT_EQUAL(std::string("DSMO212I PRIM01 SEC001 CONSISTENCY 12345678 DUP XSUSPEND --- 2026.326 19:41:27.998450"), lines.at(5));
  }

  void testMultiLineAnswer() { expect({"DSMO300I COMMANDS", "A", "B", "DSMO299I END"}, multi_line_answer("COMMANDS", {"A", "B"})); }
};
CPPUNIT_TEST_SUITE_REGISTRATION(XqueryReportTest);
