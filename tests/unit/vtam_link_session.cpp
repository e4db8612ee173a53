// LU sessions over TLS on the loopback interface: carriage, order, outage and reconnection, lifetimes (A15).
#include "vtam_link/continuity.h"
#include "vtam_link_site.h"

namespace afterimage {

using namespace samples;

class SessionTest : public LinkFixture {
  CPPUNIT_TEST_SUITE(SessionTest);
  CPPUNIT_TEST(testBindAndMessagesBothWays);
  CPPUNIT_TEST(testA15_ThousandsOfMessagesIntactAndInOrder);
  CPPUNIT_TEST(testA15_OutageThenDeliveryInOrder);
  CPPUNIT_TEST(testLargestMessage);
  CPPUNIT_TEST(testSendInsideOnBindGoesBehindTheAnswer);
  CPPUNIT_TEST(testRefusedBindSaysWhyAtBothSides);
  CPPUNIT_TEST(testConnectionRefusedIsToldAndRetried);
  CPPUNIT_TEST(testReconnectsAfterListenerRestart);
  CPPUNIT_TEST(testDropInTheMiddle);
  CPPUNIT_TEST(testSecondConnectionReplacesTheFirst);
  CPPUNIT_TEST(testSendWithoutASessionIsDropped);
  CPPUNIT_TEST(testKeepAliveOfPiecesIsReleased);
  CPPUNIT_TEST(testDestroyedInsideEveryCallback);
  CPPUNIT_TEST(testStoppedAtAnyMoment);
  CPPUNIT_TEST(testStartedAgainAfterStop);
  CPPUNIT_TEST_SUITE_END();

  // Token-data with data of many sizes; the content tells its number.
  static Message numbered_message(std::uint64_t number, std::vector<Bytes>& data) {
    std::mt19937 random(static_cast<unsigned>(number));
    Message message;
    message.m0 = header(ContentType::kTokenData, number);
    data.clear();
    for (unsigned i = random() % 4; i > 0; --i) {
      const std::size_t length = random() % 10 == 0 ? 20000 + random() % 36000 : 1 + random() % 4096;
      data.emplace_back(length, static_cast<std::uint8_t>(number + i));
    }
    for (const Bytes& bytes : data) {
      Token t = token(message.m2.size() + 1);
      t.ranges[0] = {7, 0, static_cast<std::uint16_t>(bytes.size())};
      t.data_length = static_cast<std::uint32_t>(bytes.size());
      message.m1.push_back(t);
      message.m2.push_back({t, 0, bytes});
    }
    return message;
  }
  static EncodedMessage encoded_numbered(std::uint64_t number, std::shared_ptr<void>& keep_alive) {
    auto data = std::make_shared<std::vector<Bytes>>();
    const Message message = numbered_message(number, *data);
    auto result = encode(message);
    CPPUNIT_ASSERT_MESSAGE(result.status.text(), result.good());
    keep_alive = data;
    return std::move(result.value);
  }
  static void assert_numbered(const Bytes& bytes, std::uint64_t number) {
    std::vector<Bytes> data;
    const Message expected = numbered_message(number, data);
    CPPUNIT_ASSERT_MESSAGE("message " + std::to_string(number), bytes == encoded(expected));
  }

 public:
  void testBindAndMessagesBothWays() {
    b.answer.last_message = 17;
    establish();
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, b.binds.size());
    CPPUNIT_ASSERT_EQUAL(std::string("DALLAS"), b.binds[0].session);
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, a.bound.size());
    CPPUNIT_ASSERT(a.bound[0].accepted);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{17}, a.bound[0].last_message);
    connector->send(idle_message(18));
    listener->send(idle_message(3));
    run_until([this] { return a.messages.size() == 1 && b.messages.size() == 1; }, "a message each way");
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{18}, decode(b.messages[0]).value.m0.message_number);
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{3}, decode(a.messages[0]).value.m0.message_number);
    run_until([this] { return a.drained > 0 && b.drained > 0; }, "drained");
    CPPUNIT_ASSERT(a.down.empty());
    CPPUNIT_ASSERT(b.down.empty());
    CPPUNIT_ASSERT(b.refused.empty());
  }

  void testA15_ThousandsOfMessagesIntactAndInOrder() {
    establish();
    constexpr std::uint64_t kMessages = 3000;
    std::uint64_t queued = 0;
    ContinuityChecker checker("DALLAS", kLuA, kLuB, 2, 0);
    run_until(
        [&] {
          while (queued < kMessages && connector->queued_bytes() < (1u << 20)) {
            std::shared_ptr<void> keep_alive;
            EncodedMessage message = encoded_numbered(++queued, keep_alive);
            connector->send(std::move(message), std::move(keep_alive));
            if (queued % 10 == 0) listener->send(idle_message(queued / 10));
          }
          for (const Bytes& bytes : b.messages) {
            assert_numbered(bytes, checker.last_number() + 1);
            CPPUNIT_ASSERT(checker.accept(decode_m0(bytes).value) == ContinuityVerdict::kNext);
          }
          b.messages.clear();
          return checker.last_number() == kMessages && a.messages.size() == kMessages / 10;
        },
        "all messages", std::chrono::seconds(60));
    for (std::uint64_t i = 0; i < a.messages.size(); ++i) {
      CPPUNIT_ASSERT_EQUAL(i + 1, decode(a.messages[i]).value.m0.message_number);
    }
  }

  // The link is cut again and again; what was not confirmed is sent again after the BIND that says where to go on.
  void testA15_OutageThenDeliveryInOrder() {
    constexpr std::uint64_t kMessages = 400;
    std::uint64_t taken = 0, queued = 0, next_cut = 30, cuts = 0;
    LuSessionHandler secondary = b.handler();
    secondary.on_bind = [&](const BindRequest&) {
      b.answer.last_message = taken;
      return b.answer;
    };
    secondary.on_message = [&](Bytes&& bytes) {
      assert_numbered(bytes, taken + 1);
      ++taken;
    };
    LuSessionHandler primary = a.handler();
    primary.on_bound = [&](const BindResponse& response) { queued = response.last_message; };
    listener.emplace(io, material().b, LuAddress{kLuB, "127.0.0.1", 0}, kLuA, secondary, quick_times());
    CPPUNIT_ASSERT(listener->start().good());
    connector.emplace(io, material().a, kLuA, LuAddress{kLuB, "127.0.0.1", listener->port()}, primary, bind_from_a, quick_times());
    CPPUNIT_ASSERT(connector->start().good());
    run_until(
        [&] {
          while (connector->up() && queued < kMessages && queued - taken < 8) {
            std::shared_ptr<void> keep_alive;
            EncodedMessage message = encoded_numbered(++queued, keep_alive);
            connector->send(std::move(message), std::move(keep_alive));
          }
          if (taken >= next_cut && listener->up() && connector->up()) {
            next_cut = taken + 30;
            if (++cuts % 2 == 0) {
              listener->drop("Cut by the test.");
            } else {
              connector->drop("Cut by the test.");
            }
          }
          return taken == kMessages;
        },
        "all messages", std::chrono::seconds(60));
    CPPUNIT_ASSERT(cuts >= 10);
    CPPUNIT_ASSERT(a.down.size() >= cuts - 1);
  }

  void testLargestMessage() {
    establish();
    const Bytes data(65000, 0x3C);
    Message message;
    message.m0 = header(ContentType::kTokenData, 1);
    for (Sequence sequence = 1; sequence <= 64; ++sequence) {
      Token t = token(sequence);
      t.ranges[0] = {1, 0, 65000};
      t.data_length = 65000;
      message.m2.push_back({t, 0, data});
    }
    auto large = encode(message);
    CPPUNIT_ASSERT(large.good());
    CPPUNIT_ASSERT(large.value.total_bytes > kMaxMessageBytes - 65000);
    const Bytes expected = large.value.flat();
    connector->send(std::move(large.value));
    CPPUNIT_ASSERT(connector->queued_bytes() > expected.size());
    run_until([this] { return b.messages.size() == 1; }, "the message");
    CPPUNIT_ASSERT(b.messages[0] == expected);
    run_until([this] { return connector->queued_bytes() == 0; }, "drained");
    CPPUNIT_ASSERT_EQUAL(1u, a.drained);
  }

  void testSendInsideOnBindGoesBehindTheAnswer() {
    LuSessionHandler handler = b.handler();
    handler.on_bind = [this](const BindRequest&) {
      listener->send(idle_message(1));
      listener->send(idle_message(2));
      return b.answer;
    };
    listener.emplace(io, material().b, LuAddress{kLuB, "127.0.0.1", 0}, kLuA, handler, quick_times());
    CPPUNIT_ASSERT(listener->start().good());
    connect(listener->port());
    run_until([this] { return a.messages.size() == 2; }, "both messages");
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, a.bound.size());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{1}, decode(a.messages[0]).value.m0.message_number);
  }

  void testRefusedBindSaysWhyAtBothSides() {
    b.answer.accepted = false;
    b.answer.reason = "The volume table differs at PRIM01.";
    listen();
    connect(listener->port());
    run_until([this] { return a.down.size() >= 2 && b.refused.size() >= 2; }, "two refusals");
    CPPUNIT_ASSERT(!a.bound.at(0).accepted);
    CPPUNIT_ASSERT_EQUAL(b.answer.reason, a.bound.at(0).reason);
    assert_says(a.down[0], "SITEB.DSMLU at 127.0.0.1:" + std::to_string(listener->port()) + " refused the BIND: The volume table differs");
    assert_says(b.refused[0], "was refused: The volume table differs at PRIM01.");
    CPPUNIT_ASSERT(!connector->up());
    CPPUNIT_ASSERT(!listener->up());
    CPPUNIT_ASSERT(b.down.empty());
  }

  void testConnectionRefusedIsToldAndRetried() {
    listen();
    const std::uint16_t port = listener->port();
    listener.reset();
    connect(port);
    std::vector<std::chrono::steady_clock::time_point> when;
    run_until(
        [&] {
          if (a.down.size() > when.size()) when.push_back(std::chrono::steady_clock::now());
          return when.size() == 5;
        },
        "five attempts");
    assert_says(a.down[0], "Connection refused by 127.0.0.1:" + std::to_string(port));
    for (int i = 1; i < 5; ++i) CPPUNIT_ASSERT(when[i] - when[i - 1] >= std::chrono::milliseconds(std::min(80, 10 << (i - 1)) - 1));
    listen(quick_times(), port);
    run_until([this] { return connector->up(); }, "the session is up once there is a listener");
  }

  void testReconnectsAfterListenerRestart() {
    establish();
    const std::uint16_t port = listener->port();
    for (int round = 1; round <= 3; ++round) {
      listener.reset();
      run_until([this] { return !connector->up(); }, "the connector notices");
      listen(quick_times(), port);
      run_until([this] { return connector->up() && listener->up(); }, "the session is up again");
      connector->send(idle_message(static_cast<std::uint64_t>(round)));
      run_until([&] { return b.messages.size() == static_cast<std::size_t>(round); }, "a message over the new session");
    }
    assert_says(a.down.at(0), "SITEB.DSMLU at 127.0.0.1:" + std::to_string(port));
  }

  void testDropInTheMiddle() {
    establish();
    static const Bytes kLarge(1000000, 1);
    for (int i = 0; i < 4; ++i) {
      EncodedMessage message;
      message.pieces = {kLarge};
      message.total_bytes = kLarge.size();
      connector->send(std::move(message));
    }
    run_until([this] { return b.messages.size() == 1; }, "the first message");
    connector->drop("Nothing was heard for 30 s.");
    CPPUNIT_ASSERT(!connector->up());
    CPPUNIT_ASSERT(a.down.empty());  // told later, not inside drop()
    connector->drop("A second reason.");
    const std::size_t before = b.messages.size();
    run_until([this] { return a.down.size() == 1 && b.down.size() == 1; }, "both sides are told");
    CPPUNIT_ASSERT_EQUAL(std::string("Nothing was heard for 30 s."), a.down[0]);
    assert_says(b.down[0], "SITEA.DSMLU at 127.0.0.1:");
    run_until([this] { return connector->up() && listener->up(); }, "a new session");
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, a.down.size());
    CPPUNIT_ASSERT_EQUAL(std::size_t{1}, b.down.size());
    CPPUNIT_ASSERT(b.messages.size() < before + 4);
    listener->drop("Asked to.");
    run_until([this] { return a.down.size() == 2 && b.down.size() == 2; }, "both sides are told");
    CPPUNIT_ASSERT_EQUAL(std::string("Asked to."), b.down[1]);
  }

  void testSecondConnectionReplacesTheFirst() {
    establish();
    Told second;
    LuConnector other(io, material().a, kLuA, LuAddress{kLuB, "127.0.0.1", listener->port()}, second.handler(), bind_from_a, quick_times());
    std::size_t binds_when_down = 0;
    CPPUNIT_ASSERT(other.start().good());
    run_until(
        [&] {
          if (b.down.size() == 1 && binds_when_down == 0) binds_when_down = b.binds.size();
          return !b.down.empty() && other.up() && listener->up();
        },
        "the second one is up");
    assert_says(b.down[0], "replaced this one");
    run_until([this] { return a.down.size() == 1; }, "the first connector is told");
    other.send(idle_message(1));
    run_until([this] { return !b.messages.empty() || b.down.size() > 1; }, "its message, unless the first one has come back");
    other.stop();
    run_until([this] { return connector->up() && listener->up(); }, "the first one is up again");
    CPPUNIT_ASSERT(b.binds.size() >= 3);
    CPPUNIT_ASSERT_EQUAL(b.binds.size(), b.down.size() + 1);  // every accepted bind but the present one went down once
  }

  void testSendWithoutASessionIsDropped() {
    listen();
    auto keep_alive = std::make_shared<int>(1);
    std::weak_ptr<int> seen = keep_alive;
    listener->send(idle_message(1), std::move(keep_alive));
    CPPUNIT_ASSERT(seen.expired());
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, listener->queued_bytes());
    connect(listener->port());
    connector->send(idle_message(1));
    run_until([this] { return connector->up() && listener->up(); }, "the session is up");
    connector->send(idle_message(2));
    run_until([this] { return b.messages.size() == 1; }, "a message");
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{2}, decode(b.messages[0]).value.m0.message_number);
    CPPUNIT_ASSERT(a.messages.empty());
  }

  void testKeepAliveOfPiecesIsReleased() {
    establish();
    auto keep_alive = std::make_shared<Bytes>(300000, 5);
    std::weak_ptr<Bytes> seen = keep_alive;
    const auto send = [&](std::shared_ptr<Bytes> bytes) {
      EncodedMessage message;
      message.pieces = {*bytes};
      message.total_bytes = bytes->size();
      connector->send(std::move(message), std::move(bytes));
    };
    send(std::move(keep_alive));
    CPPUNIT_ASSERT(!seen.expired());
    run_until([this] { return connector->queued_bytes() == 0; }, "drained");
    CPPUNIT_ASSERT(seen.expired());
    keep_alive = std::make_shared<Bytes>(3000000, 5);
    seen = keep_alive;
    send(std::move(keep_alive));
    connector->drop("Cut.");
    run_until([this] { return a.down.size() == 1; }, "down");
    CPPUNIT_ASSERT(seen.expired());
  }

  // Each callback of each side destroys its own connector or listener.
  void testDestroyedInsideEveryCallback() {
    for (int which = 0; which < 9; ++which) {
      listener.reset();
      connector.reset();
      io.restart();
      a = Told();
      b = Told();
      bool destroyed = false;
      LuSessionHandler primary = a.handler(), secondary = b.handler();
      const auto end_a = [&] {
        connector.reset();
        destroyed = true;
      };
      const auto end_b = [&] {
        listener.reset();
        destroyed = true;
      };
      std::function<BindRequest()> make_bind = bind_from_a;
      if (which == 0) primary.on_bound = [&](const BindResponse&) { end_a(); };
      if (which == 1) primary.on_message = [&](Bytes&&) { end_a(); };
      if (which == 2) primary.on_down = [&](const std::string&) { end_a(); };
      if (which == 3) primary.on_drained = [&] { end_a(); };
      if (which == 4) {
        make_bind = [&] {
          end_a();
          return bind_from_a();
        };
      }
      if (which == 5) {
        secondary.on_bind = [&](const BindRequest&) {
          end_b();
          return b.answer;
        };
      }
      if (which == 6) secondary.on_message = [&](Bytes&&) { end_b(); };
      if (which == 7) secondary.on_down = [&](const std::string&) { end_b(); };
      if (which == 8) secondary.on_refused = [&](const std::string&) { end_b(); };
      if (which == 8) b.answer.accepted = false;
      listener.emplace(io, material().b, LuAddress{kLuB, "127.0.0.1", 0}, kLuA, secondary, quick_times());
      CPPUNIT_ASSERT(listener->start().good());
      connector.emplace(io, material().a, kLuA, LuAddress{kLuB, "127.0.0.1", listener->port()}, primary, make_bind, quick_times());
      CPPUNIT_ASSERT(connector->start().good());
      bool exchanged = false;
      run_until(
          [&] {
            if (connector && listener && connector->up() && listener->up() && !exchanged) {
              exchanged = true;
              connector->send(idle_message(1));
              listener->send(idle_message(1));
              if (which == 2) listener->drop("Down for the connector.");
              if (which == 7) connector->drop("Down for the listener.");
            }
            return destroyed;
          },
          ("destruction in callback " + std::to_string(which)).c_str());
      run_for(std::chrono::milliseconds(30));
    }
  }

  // After stop() there is no callback, whatever was under way.
  void testStoppedAtAnyMoment() {
    std::mt19937 random(4711);
    for (int round = 0; round < 60; ++round) {
      a = Told();
      b = Told();
      listen();
      connect(listener->port());
      for (unsigned steps = random() % 40; steps > 0; --steps) {
        if (io.stopped()) io.restart();
        io.run_one_for(std::chrono::milliseconds(20));
        if (connector->up() && random() % 2 == 0) connector->send(idle_message(steps + 1));
      }
      connector->stop();
      listener->stop();
      const std::size_t before = a.down.size() + a.bound.size() + b.down.size() + b.binds.size() + b.messages.size() + b.refused.size();
      if (round % 3 == 0) listener.reset();
      if (round % 3 == 1) connector.reset();
      if (io.stopped()) io.restart();
      io.run();  // returns: nothing is left behind
      CPPUNIT_ASSERT_EQUAL(before, a.down.size() + a.bound.size() + b.down.size() + b.binds.size() + b.messages.size() + b.refused.size());
    }
  }

  void testStartedAgainAfterStop() {
    establish();
    connector->stop();
    listener->stop();
    CPPUNIT_ASSERT_EQUAL(std::uint16_t{0}, listener->port());
    CPPUNIT_ASSERT(listener->start().good());
    CPPUNIT_ASSERT(!listener->start().good());
    connector.reset();
    connect(listener->port());
    CPPUNIT_ASSERT(!connector->start().good());
    run_until([this] { return connector->up() && listener->up(); }, "up again");
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(SessionTest);

}  // namespace afterimage
