// io: dsmd's own world of a node (service/asio_host.h): what is posted and timed runs on the loop, in order, and never too early.
#include "service/asio_host.h"

#include <cppunit/extensions/HelperMacros.h>

#include <optional>
#include <string>

#include "serializer/clock.h"
#include "tests/unit/vtam_link_certificates.h"

namespace afterimage {
namespace {

class ServiceAsioHost : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ServiceAsioHost);
  CPPUNIT_TEST(testPostsAndTimersKeepTheirOrder);
  CPPUNIT_TEST(testTimersLeftBehindNeverRun);
  CPPUNIT_TEST(testWorkersBringTheirResultsToTheLoop);
  CPPUNIT_TEST(testLinksAreOfTheRightKind);
  CPPUNIT_TEST(testClocksAreTheHosts);
  CPPUNIT_TEST_SUITE_END();

  boost::asio::io_context io_;
  AsioHost host_{io_};

  void testPostsAndTimersKeepTheirOrder() {
    std::string order;
    const std::uint64_t begun = host_.monotonic_us();
    std::uint64_t late = 0;
    host_.after(20000, [&] {
      order += "c";
      late = host_.monotonic_us();
    });
    host_.after(0, [&] {
      order += "b";
      host_.post([&] { order += "B"; });
    });
    host_.post([&] { order += "a"; });
    host_.post([&] { order += "A"; });
    CPPUNIT_ASSERT(order.empty());
    io_.run();
    CPPUNIT_ASSERT_EQUAL(std::string("aAbBc"), order);
    CPPUNIT_ASSERT(late - begun >= 20000);
  }

  void testTimersLeftBehindNeverRun() {
    bool ran = false;
    auto held = std::make_shared<int>(1);
    {
      boost::asio::io_context io;
      AsioHost host(io);
      host.after(0, [&ran, held] { ran = true; });
      host.after(1000000, [&ran, held] { ran = true; });
      CPPUNIT_ASSERT_EQUAL(3L, held.use_count());
    }
    CPPUNIT_ASSERT(!ran);
    CPPUNIT_ASSERT_EQUAL(1L, held.use_count());
  }

  void testWorkersBringTheirResultsToTheLoop() {
    const auto worker = host_.make_worker();
    int worked = 0, done = 0;
    for (int i = 0; i < 10; ++i) worker->submit([&] { ++worked; }, [&, i] { CPPUNIT_ASSERT_EQUAL(i, done++); });
    worker->drain();
    CPPUNIT_ASSERT_EQUAL(10, worked);
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, worker->backlog());
    CPPUNIT_ASSERT_EQUAL(0, done);
    io_.run();
    CPPUNIT_ASSERT_EQUAL(10, done);
  }

  void testLinksAreOfTheRightKind() {
    samples::TemporaryDirectory directory;
    samples::TestAuthority authority{directory, "ca"};
    std::optional<BindRequest> asked;
    std::optional<BindResponse> answered;
    LuSessionHandler at_listener, at_connector;
    at_listener.on_bind = [&](const BindRequest& bind) {
      asked = bind;
      BindResponse response;
      response.accepted = true;
      return response;
    };
    at_connector.on_bound = [&](const BindResponse& response) { answered = response; };
    const auto listener = host_.listen(authority.issue_lu("SITEB.DSMLU"), {"SITEB.DSMLU", "127.0.0.1", 0}, "SITEA.DSMLU", at_listener);
    const Status listening = listener->start();
    CPPUNIT_ASSERT_MESSAGE(listening.text(), listening.good());
    CPPUNIT_ASSERT(listener->port() != 0);
    const auto connector =
        host_.connect(authority.issue_lu("SITEA.DSMLU"), "SITEA.DSMLU", {"SITEB.DSMLU", "127.0.0.1", listener->port()}, at_connector, [] {
          BindRequest bind;
          bind.session = "DALLAS";
          bind.origin_lu = "SITEA.DSMLU";
          bind.destination_lu = "SITEB.DSMLU";
          bind.epoch = 7;
          bind.max_message_bytes = 65536;
          return bind;
        });
    CPPUNIT_ASSERT_EQUAL(std::uint16_t{0}, connector->port());
    CPPUNIT_ASSERT(connector->start().good());
    const std::uint64_t limit = host_.monotonic_us() + 10'000'000;
    while (!answered && host_.monotonic_us() < limit) io_.run_one_for(std::chrono::milliseconds(20));
    CPPUNIT_ASSERT(answered && answered->accepted && connector->up() && listener->up());
    CPPUNIT_ASSERT_EQUAL(std::uint64_t{7}, asked->epoch);
    CPPUNIT_ASSERT_EQUAL(std::size_t{0}, connector->queued_bytes() + listener->queued_bytes());
    connector->stop();
    listener->stop();
    CPPUNIT_ASSERT(!connector->up() && !listener->up());
  }

  void testClocksAreTheHosts() {
    const Tod before = clock_tod();
    const Tod now = host_.now();
    CPPUNIT_ASSERT(before <= now && now <= clock_tod());
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ServiceAsioHost);

}  // namespace
}  // namespace afterimage
