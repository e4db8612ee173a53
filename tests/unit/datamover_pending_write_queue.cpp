// The pending write queue, its display, the data held in it, and the loss report.
#include "datamover/pending_write_queue.h"

#include <cppunit/TestFixture.h>

#include <algorithm>
#include <random>

#include "datamover/loss_report.h"
#include "datamover/queue_display.h"
#include "datamover/token_text.h"
#include "datamover_support.h"

namespace afterimage::testing {
namespace {

class DatamoverPendingWriteQueue : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(DatamoverPendingWriteQueue);
  CPPUNIT_TEST(testA16_TokensComeInOrderWithoutGap);
  CPPUNIT_TEST(testA16_MisaddressedDataIsRefused);
  CPPUNIT_TEST(testA16_QueueDisplayShowsCompleteAndIncompleteEntries);
  CPPUNIT_TEST(testA17_OnlyTheCompleteRunLeaves);
  CPPUNIT_TEST(testA13_AnyOrderOfDataGivesTheSameQueue);
  CPPUNIT_TEST(testA22_HeldDataIsShownInHexadecimalAndEbcdic);
  CPPUNIT_TEST(testA20A21_LossReportNamesEveryTokenAndSaysWhatCannotBeKnown);
  CPPUNIT_TEST(testA21_EveryKindOfTokenHasItsColumns);
  CPPUNIT_TEST(testA21_AReportIsCutOnlyWhereItIsLonger);
  CPPUNIT_TEST(testA22_DataThatIsNoWriteIsShownForWhatItIs);
  CPPUNIT_TEST(testA22_TheMarkOfPointAStandsBeforeWhatMayNotBeApplied);
  CPPUNIT_TEST(testJournalPositionIsTheOlderOfTokenAndData);
  CPPUNIT_TEST_SUITE_END();

  static bool has(const std::vector<std::string>& lines, const std::string& part) {
    return std::any_of(lines.begin(), lines.end(), [&](const std::string& line) { return line.find(part) != std::string::npos; });
  }
  static std::string all(const std::vector<std::string>& lines) {
    std::string text;
    for (const std::string& line : lines) text += line + "\n";
    return text;
  }

  // The snapshot of FIG. 5: 128 to 130 complete, 131 held, and gaps, up to 136.
  static PendingWriteQueue figure_5() {
    PendingWriteQueue queue(127);
    for (Sequence s = 128; s <= 136; ++s) CPPUNIT_ASSERT(queue.add_token(write_token(s, 0, s % 4, 8, 4), s).good());
    for (const Sequence s : {128, 129, 131, 135})
      CPPUNIT_ASSERT(queue.add_data(write_token(s, 0, s % 4, 8, 4), bytes_of(4, 0xC1), 200).good());
    CPPUNIT_ASSERT(queue.add_void(write_token(133, 0, 133 % 4, 8, 4), 200).good());
    return queue;
  }

 public:
  void testA16_TokensComeInOrderWithoutGap() {
    PendingWriteQueue queue(10);
    CPPUNIT_ASSERT(!queue.add_token(write_token(12, 0, 0, 0, 1), 1).good());
    CPPUNIT_ASSERT(queue.add_token(write_token(11, 0, 0, 0, 1), 1).good());
    CPPUNIT_ASSERT(queue.add_token(write_token(11, 0, 0, 0, 1), 2).good());
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, queue.entries());
    CPPUNIT_ASSERT(!queue.add_token(write_token(11, 0, 0, 0, 2), 1).good());
    CPPUNIT_ASSERT(queue.add_token(write_token(7, 1, 3, 3, 3), 1).good());  // applied long ago
    CPPUNIT_ASSERT_EQUAL(Sequence{11}, queue.known_through());
  }

  void testA16_MisaddressedDataIsRefused() {
    PendingWriteQueue queue;
    CPPUNIT_ASSERT(queue.add_token(write_token(1, 0, 2, 8, 4), 1).good());
    Token other = write_token(1, 0, 2, 8, 4);
    other.volume = 1;
    CPPUNIT_ASSERT(queue.add_data(other, bytes_of(4, 1), 1).text().find("misaddressed") != std::string::npos);
    CPPUNIT_ASSERT(!queue.add_data(write_token(1, 0, 3, 8, 4), bytes_of(4, 1), 1).good());
    CPPUNIT_ASSERT(!queue.add_data(write_token(1, 0, 2, 9, 4), bytes_of(4, 1), 1).good());
    CPPUNIT_ASSERT(!queue.add_data(write_token(1, 0, 2, 8, 4), bytes_of(3, 1), 1).good());
    CPPUNIT_ASSERT(!queue.add_data(write_token(2, 0, 2, 8, 4), bytes_of(4, 1), 1).good());
    CPPUNIT_ASSERT(!queue.add_void(other, 1).good());
    CPPUNIT_ASSERT_EQUAL(Sequence{0}, queue.complete_through());
    CPPUNIT_ASSERT(queue.add_data(write_token(1, 0, 2, 8, 4), bytes_of(4, 1), 1).good());
    CPPUNIT_ASSERT(queue.add_data(write_token(1, 0, 2, 8, 4), bytes_of(4, 9), 1).good());  // held already: the first stays
    CPPUNIT_ASSERT_EQUAL(std::uint8_t{1}, queue.find(1)->data[0]);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{4}, queue.data_bytes());
  }

  void testA16_QueueDisplayShowsCompleteAndIncompleteEntries() {
    const auto lines = queue_display_lines(figure_5(), two_volumes());
    CPPUNIT_ASSERT_EQUAL(std::string("APPLIED THROUGH 127, POINT A 129, POINT B 136"), lines[0]);
    CPPUNIT_ASSERT_EQUAL(std::string("ENTRIES=9 COMPLETE=4 INCOMPLETE=4 VOID=1 BYTES=16"), lines[1]);
    CPPUNIT_ASSERT_EQUAL(std::size_t{13}, lines.size());
    CPPUNIT_ASSERT_MESSAGE(all(lines), lines[3] == "         128 PRIM01   0A80 0000000001 05  WRITE  1900.001 00:00:01.001280 COMPLETE");
    CPPUNIT_ASSERT_MESSAGE(all(lines), lines[5].find("A: NOTHING BELOW") != std::string::npos);
    CPPUNIT_ASSERT(lines[6].find("INCOMPLETE") != std::string::npos);
    CPPUNIT_ASSERT(has(lines, "VOID"));
    const auto few = queue_display_lines(figure_5(), {}, 2);
    CPPUNIT_ASSERT_EQUAL(std::string("7 MORE NOT SHOWN"), few.back());
    CPPUNIT_ASSERT(has(few, "V(00000)"));
    CPPUNIT_ASSERT_EQUAL(std::size_t{2}, queue_display_lines(PendingWriteQueue(5), two_volumes()).size());
  }

  void testA17_OnlyTheCompleteRunLeaves() {
    PendingWriteQueue queue = figure_5();
    CPPUNIT_ASSERT_EQUAL(Sequence{128}, queue.take_front().token.sequence);
    CPPUNIT_ASSERT_EQUAL(Sequence{129}, queue.take_front().token.sequence);
    CPPUNIT_ASSERT_EQUAL(queue.applied_through(), queue.complete_through());
    CPPUNIT_ASSERT(queue.add_data(write_token(130, 0, 2, 8, 4), bytes_of(4, 1), 1).good());
    CPPUNIT_ASSERT_EQUAL(Sequence{131}, queue.complete_through());
    CPPUNIT_ASSERT(queue.find(129) == nullptr);
    CPPUNIT_ASSERT(queue.find(137) == nullptr);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{12}, queue.data_bytes());
  }

  void testA13_AnyOrderOfDataGivesTheSameQueue() {
    std::mt19937 random(7);
    for (int round = 0; round < 200; ++round) {
      std::vector<Sequence> order(12);
      for (std::size_t i = 0; i < order.size(); ++i) order[i] = i + 1;
      PendingWriteQueue queue;
      for (const Sequence s : order) CPPUNIT_ASSERT(queue.add_token(write_token(s, 0, s % 4, 0, 2), 1).good());
      std::shuffle(order.begin(), order.end(), random);
      std::vector<bool> held(order.size() + 2);
      for (const Sequence s : order) {
        CPPUNIT_ASSERT(queue.add_data(write_token(s, 0, s % 4, 0, 2), bytes_of(2, static_cast<unsigned>(s)), 1).good());
        held[s] = true;
        Sequence a = 0;
        while (held[a + 1]) ++a;
        CPPUNIT_ASSERT_EQUAL(a, queue.complete_through());
      }
      for (Sequence s = 1; s <= order.size(); ++s) CPPUNIT_ASSERT(queue.take_front().data == bytes_of(2, static_cast<unsigned>(s)));
    }
  }

  void testA22_HeldDataIsShownInHexadecimalAndEbcdic() {
    PendingWriteQueue queue;
    Token token = write_token(1, 1, 2, 0x20, 18);
    token.range_count = 2;
    token.ranges[1] = {3, 0x10, 2};
    token.data_length = 20;
    CPPUNIT_ASSERT(queue.add_token(token, 1).good());
    const auto before = held_data_lines(queue, two_volumes(), 1);
    CPPUNIT_ASSERT(before.status.text().find("has not arrived") != std::string::npos);
    Bytes data{0xC8, 0xC5, 0xD3, 0xD3, 0xD6, 0x40, 0x00, 0xFF, 0xF1, 0xF2, 0xF3, 0xF4, 0xF5, 0xF6, 0xF7, 0xF8, 0x81, 0x4B, 0xE7, 0xE8};
    CPPUNIT_ASSERT(queue.add_data(token, data, 1).good());
    const auto lines = held_data_lines(queue, two_volumes(), 1);
    CPPUNIT_ASSERT(lines.good());
    CPPUNIT_ASSERT_EQUAL(std::string("TRACK 2 BYTES 18"), lines.value[2]);
    CPPUNIT_ASSERT_EQUAL(std::string("+0020  C8C5D3D3 D64000FF F1F2F3F4 F5F6F7F8  *HELLO ..12345678*"), lines.value[3]);
    CPPUNIT_ASSERT_EQUAL(std::string("+0030  814B                                 *a.*"), lines.value[4]);
    CPPUNIT_ASSERT_EQUAL(std::string("+0010  E7E8                                 *XY*"), lines.value[6]);
    CPPUNIT_ASSERT_EQUAL(Sequence{0}, queue.applied_through());
    CPPUNIT_ASSERT(held_data_lines(queue, two_volumes(), 2).status.text().find("not in the pending write queue") != std::string::npos);
  }

  void testA20A21_LossReportNamesEveryTokenAndSaysWhatCannotBeKnown() {
    LossReport report;
    report.session = kSession;
    report.epoch = 3;
    report.point_a = 129;
    report.point_a_time = write_token(129, 0, 0, 0, 1).tod;
    report.point_b = 132;
    report.point_b_time = write_token(132, 0, 0, 0, 1).tod;
    report.last_heard = tod_from_us(9000000);
    report.volumes = two_volumes();
    report.lost = {{write_token(130, 1, 3, 0, 1), false, false},
                   {write_token(131, 0, 1, 0, 1), true, false},
                   {write_token(132, 0, 1, 0, 1), false, true}};
    const auto lines = loss_report_lines(report);
    CPPUNIT_ASSERT_MESSAGE(all(lines), has(lines, "BETWEEN A AND B: TOTAL=3 HELD=1 MISSING=1 VOID=1"));
    CPPUNIT_ASSERT_MESSAGE(all(lines), has(lines, "         130 PRIM02   0A81 0001000101 05  WRITE  1900.001 00:00:01.001300 MISSING"));
    CPPUNIT_ASSERT(has(lines, "00:00:01.001310 HELD"));
    CPPUNIT_ASSERT(has(lines, "00:00:01.001320 VOID"));
    CPPUNIT_ASSERT(has(lines, "BEYOND B: NOT KNOWN AT THIS SITE"));
    CPPUNIT_ASSERT(has(lines, "LAST HEARD FROM THE PRIMARY: 1900.001 00:00:09.000000"));
    CPPUNIT_ASSERT(has(loss_report_lines(report, 1), "2 MORE NOT SHOWN"));
    report.ended_in_order = true;
    report.lost.clear();
    report.point_a = report.point_b = 0;
    report.point_a_time = report.point_b_time = 0;
    const auto ended = loss_report_lines(report);
    CPPUNIT_ASSERT(has(ended, "BEYOND B: NOTHING, THE SESSION WAS ENDED IN ORDER"));
    CPPUNIT_ASSERT(has(ended, "AS THEY WERE WHEN IT WAS ESTABLISHED"));
    CPPUNIT_ASSERT(!has(ended, "NOT KNOWN"));
  }

  // One token of each kind, of a volume the table has and of one it has not; what cannot be told is said to be so.
  void testA21_EveryKindOfTokenHasItsColumns() {
    const auto columns = [](TokenKind kind, VolumeId volume) {
      Token token = write_token(7, 0, 3, 0, 1);
      token.kind = kind;
      token.volume = volume;
      return token_columns(token, two_volumes());
    };
    CPPUNIT_ASSERT_EQUAL(std::string("           7 PRIM01   0A80 0001000101 05  WRITE  1900.001 00:00:01.000070"),
                         columns(TokenKind::kWrite, 0));
    CPPUNIT_ASSERT_EQUAL(std::string("           7 PRIM02   0A81 0001000101 05  SHARED 1900.001 00:00:01.000070"),
                         columns(TokenKind::kSharedWrite, 1));
    CPPUNIT_ASSERT_EQUAL(std::string("           7 V(00002) ---- 0001000101 05  IMAGE  1900.001 00:00:01.000070"),
                         columns(TokenKind::kTrackImage, 2));
    CPPUNIT_ASSERT_EQUAL(std::string("           7 V(01023) ---- 0001000101 05  VERIFY 1900.001 00:00:01.000070"),
                         columns(TokenKind::kVerify, 1023));
    Token late = write_token(7, 0, 3, 0, 1);
    late.sequence = (Sequence{1} << 48) - 1;
    CPPUNIT_ASSERT(token_columns(late, two_volumes()).starts_with("281474976710655 PRIM01"));
  }

  void testA21_AReportIsCutOnlyWhereItIsLonger() {
    LossReport report;
    report.volumes = two_volumes();
    report.lost = {{write_token(1, 0, 1, 0, 1), true, false}, {write_token(2, 0, 1, 0, 1), false, false}};
    const std::size_t whole = loss_report_lines(report).size();
    for (const std::size_t most : {2u, 3u, 1000u}) {
      CPPUNIT_ASSERT_EQUAL(whole, loss_report_lines(report, most).size());
      CPPUNIT_ASSERT(!has(loss_report_lines(report, most), "MORE NOT SHOWN"));
    }
    CPPUNIT_ASSERT(has(loss_report_lines(report, 1), "1 MORE NOT SHOWN"));
    CPPUNIT_ASSERT(has(loss_report_lines(report), "LAST HEARD FROM THE PRIMARY: NOTHING IN THIS SESSION"));
  }

  void testA22_DataThatIsNoWriteIsShownForWhatItIs() {
    PendingWriteQueue queue;
    CPPUNIT_ASSERT(queue.add_token(write_token(1, 0, 1, 0, 4), 1).good());
    CPPUNIT_ASSERT(queue.add_void(write_token(1, 0, 1, 0, 4), 1).good());
    CPPUNIT_ASSERT(held_data_lines(queue, two_volumes(), 1).status.text().find("Token 1 is void") != std::string::npos);
    Token verify = write_token(2, 0, 1, 0, 64);
    verify.kind = TokenKind::kVerify;
    verify.data_length = 16;
    CPPUNIT_ASSERT(queue.add_token(verify, 1).good());
    CPPUNIT_ASSERT(queue.add_data(verify, bytes_of(16, 0xC1), 1).good());
    const auto lines = held_data_lines(queue, two_volumes(), 2);
    CPPUNIT_ASSERT_MESSAGE(lines.status.text(), lines.good());
    CPPUNIT_ASSERT_EQUAL(std::string("DIGEST"), lines.value.at(2));
    CPPUNIT_ASSERT_EQUAL(std::string("+0000  C1C1C1C1 C1C1C1C1 C1C1C1C1 C1C1C1C1  *AAAAAAAAAAAAAAAA*"), lines.value.at(3));
    CPPUNIT_ASSERT_EQUAL(std::size_t{4}, lines.value.size());
  }

  void testA22_TheMarkOfPointAStandsBeforeWhatMayNotBeApplied() {
    PendingWriteQueue queue(5);
    CPPUNIT_ASSERT(queue.add_token(write_token(6, 0, 1, 0, 4), 1).good());
    CPPUNIT_ASSERT(queue.add_token(write_token(7, 0, 1, 0, 4), 1).good());
    auto lines = queue_display_lines(queue, two_volumes());
    CPPUNIT_ASSERT(lines.at(3).starts_with("----- A"));  // nothing is complete: before the first token
    CPPUNIT_ASSERT_EQUAL(std::size_t{6}, lines.size());
    CPPUNIT_ASSERT(queue.add_data(write_token(6, 0, 1, 0, 4), bytes_of(4, 1), 1).good());
    lines = queue_display_lines(queue, two_volumes());
    CPPUNIT_ASSERT(lines.at(4).starts_with("----- A"));
    CPPUNIT_ASSERT_EQUAL(std::size_t{6}, lines.size());
  }

  void testJournalPositionIsTheOlderOfTokenAndData() {
    PendingWriteQueue queue;
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{0}, queue.oldest_journal_position());
    CPPUNIT_ASSERT(queue.add_token(write_token(1, 0, 0, 0, 1), 64).good());
    CPPUNIT_ASSERT(queue.add_token(write_token(2, 0, 0, 0, 1), 128).good());
    CPPUNIT_ASSERT(queue.add_data(write_token(1, 0, 0, 0, 1), bytes_of(1, 1), 192).good());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{64}, queue.oldest_journal_position());
    queue.take_front();
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{128}, queue.oldest_journal_position());
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(DatamoverPendingWriteQueue);

}  // namespace
}  // namespace afterimage::testing
