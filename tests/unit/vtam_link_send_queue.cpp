// What waits to be sent: order and bytes kept, small pieces gathered, large ones not copied, and the report of refused connections.
#include "vtam_link/send_queue.h"

#include "vtam_link/refusal_report.h"
#include "vtam_link_samples.h"

namespace afterimage {
namespace {

using namespace samples;

EncodedMessage pieces_of(std::initializer_list<std::span<const std::uint8_t>> pieces) {
  EncodedMessage message;
  for (const auto& piece : pieces) {
    message.pieces.push_back(piece);
    message.total_bytes += piece.size();
  }
  return message;
}

}  // namespace

class SendQueueTest : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(SendQueueTest);
  CPPUNIT_TEST(testRandomPiecesComeOutInOrder);
  CPPUNIT_TEST(testSmallPiecesShareARecord);
  CPPUNIT_TEST(testLargePieceIsNotCopied);
  CPPUNIT_TEST(testKeepAliveIsHeldUntilWritten);
  CPPUNIT_TEST(testFrameHeads);
  CPPUNIT_TEST(testRefusalsAreCountedWhenNotTold);
  CPPUNIT_TEST_SUITE_END();

 public:
  void testRandomPiecesComeOutInOrder() {
    std::mt19937 random(77);
    for (int round = 0; round < 60; ++round) {
      SendQueue queue;
      Bytes expected, sent;
      std::vector<std::shared_ptr<Bytes>> owners;
      for (int m = 0; m < 12; ++m) {
        EncodedMessage message;
        for (unsigned p = 1 + random() % 4; p > 0; --p) {
          owners.push_back(std::make_shared<Bytes>(1 + random() % (random() % 3 == 0 ? 60000 : 300), static_cast<std::uint8_t>(random())));
          message.pieces.emplace_back(*owners.back());
          message.total_bytes += owners.back()->size();
        }
        const Bytes flat = message.flat();
        Bytes head(kFrameHeadBytes);
        put_frame_head(head.data(), {FrameType::kMessage, static_cast<std::uint32_t>(flat.size())});
        expected.insert(expected.end(), head.begin(), head.end());
        expected.insert(expected.end(), flat.begin(), flat.end());
        queue.push(FrameType::kMessage, std::move(message), {});
        if (random() % 2 == 0) take_one(queue, sent);
      }
      CPPUNIT_ASSERT_EQUAL(expected.size(), sent.size() + queue.bytes());
      while (!queue.empty()) take_one(queue, sent);
      CPPUNIT_ASSERT(sent == expected);
      CPPUNIT_ASSERT(queue.next().empty());
    }
  }

  void testSmallPiecesShareARecord() {
    const Bytes data(100, 1);
    SendQueue queue;
    for (int i = 0; i < 1000; ++i) queue.push(FrameType::kMessage, pieces_of({data}), {});
    unsigned writes = 0;
    for (Bytes sent; !queue.empty(); ++writes) take_one(queue, sent);
    CPPUNIT_ASSERT_EQUAL(7u, writes);  // 108,000 bytes in records of 16,384
  }

  void testLargePieceIsNotCopied() {
    const Bytes small(50, 1), large(100000, 2);
    SendQueue queue;
    queue.push(FrameType::kMessage, pieces_of({small, large, small}), {});
    const auto first = queue.next();
    CPPUNIT_ASSERT_EQUAL(SendQueue::kRecordBytes, first.size());
    queue.written();
    const auto second = queue.next();
    CPPUNIT_ASSERT(second.data() == large.data() + (SendQueue::kRecordBytes - 58));
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, second.size() % SendQueue::kRecordBytes);
    queue.written();
    CPPUNIT_ASSERT_EQUAL(100108 - first.size() - second.size(), queue.next().size());
    queue.written();
    CPPUNIT_ASSERT(queue.empty());
  }

  void testKeepAliveIsHeldUntilWritten() {
    const Bytes data(10, 1);
    SendQueue queue;
    auto first = std::make_shared<int>(1), second = std::make_shared<int>(2);
    std::weak_ptr<int> first_seen = first, second_seen = second;
    queue.push(FrameType::kMessage, pieces_of({data}), std::move(first));
    queue.next();
    CPPUNIT_ASSERT(!first_seen.expired());
    queue.push(FrameType::kMessage, pieces_of({data}), std::move(second));  // while the first is on its way
    queue.written();
    CPPUNIT_ASSERT(first_seen.expired());
    CPPUNIT_ASSERT(!second_seen.expired());
    queue.clear();
    CPPUNIT_ASSERT(second_seen.expired());
    CPPUNIT_ASSERT(queue.empty());
  }

  void testFrameHeads() {
    std::array<std::uint8_t, kFrameHeadBytes> bytes{};
    put_frame_head(bytes.data(), {FrameType::kBindResponse, 0x010203});
    CPPUNIT_ASSERT_EQUAL(std::string("0001020300020000"), hex(bytes));
    CPPUNIT_ASSERT(get_frame_head(bytes, 0x010203).good());
    CPPUNIT_ASSERT(!get_frame_head(bytes, 0x010202).good());
    bytes[7] = 1;
    CPPUNIT_ASSERT(!get_frame_head(bytes, kMaxMessageBytes).good());
    bytes = {0, 0, 0, 0, 0, 1, 0, 0};
    CPPUNIT_ASSERT(!get_frame_head(bytes, kMaxMessageBytes).good());
    bytes = {0, 0, 0, 9, 0, 4, 0, 0};
    CPPUNIT_ASSERT(!get_frame_head(bytes, kMaxMessageBytes).good());
  }

  void testRefusalsAreCountedWhenNotTold() {
    RefusalReport report(1000);
    CPPUNIT_ASSERT_EQUAL(std::string("One."), *report.refused(5000, "One."));
    CPPUNIT_ASSERT(!report.refused(5001, "Two."));
    CPPUNIT_ASSERT(!report.refused(5999, "Three."));
    CPPUNIT_ASSERT_EQUAL(std::string("Four. 2 more connections were refused since the message before."), *report.refused(6000, "Four."));
    CPPUNIT_ASSERT_EQUAL(std::string("Five."), *report.refused(7000, "Five."));
  }

 private:
  static void take_one(SendQueue& queue, Bytes& sent) {
    const auto bytes = queue.next();
    sent.insert(sent.end(), bytes.begin(), bytes.end());
    queue.written();
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(SendQueueTest);

}  // namespace afterimage
