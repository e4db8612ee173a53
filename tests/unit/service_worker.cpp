// io: the worker of disk jobs (service/worker.h).
#include "service/worker.h"

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <thread>
#include <vector>

namespace afterimage {
namespace {

class ServiceWorker : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ServiceWorker);
  CPPUNIT_TEST(testJobsAndCompletionsKeepTheirOrder);
  CPPUNIT_TEST(testWorkIsElsewhereAndCompletionsOnTheLoop);
  CPPUNIT_TEST(testTheEndFinishesWhatWasSubmitted);
  CPPUNIT_TEST(testDrainWaitsForTheJobUnderWay);
  CPPUNIT_TEST(testACompletionMaySubmit);
  CPPUNIT_TEST_SUITE_END();

  void testJobsAndCompletionsKeepTheirOrder() {
    boost::asio::io_context io;
    std::vector<int> worked, done;
    {
      Worker worker(io);
      for (int i = 0; i < 200; ++i) worker.submit([&worked, i] { worked.push_back(i); }, [&done, i] { done.push_back(i); });
      worker.drain();
      CPPUNIT_ASSERT_EQUAL(std::size_t{0}, worker.backlog());
    }
    CPPUNIT_ASSERT(done.empty());
    io.run();
    CPPUNIT_ASSERT_EQUAL(std::size_t{200}, worked.size());
    CPPUNIT_ASSERT(std::is_sorted(worked.begin(), worked.end()));
    CPPUNIT_ASSERT(worked == done);
  }

  void testWorkIsElsewhereAndCompletionsOnTheLoop() {
    boost::asio::io_context io;
    std::thread::id worked, done;
    Worker worker(io);
    worker.submit([&worked] { worked = std::this_thread::get_id(); }, [&done] { done = std::this_thread::get_id(); });
    worker.drain();
    io.run();
    CPPUNIT_ASSERT(worked != std::this_thread::get_id());
    CPPUNIT_ASSERT(done == std::this_thread::get_id());
  }

  void testTheEndFinishesWhatWasSubmitted() {
    boost::asio::io_context io;
    std::promise<void> go;
    std::atomic<int> worked{0};
    {
      Worker worker(io);
      worker.submit([ready = go.get_future().share(), &worked] {
        ready.wait();
        ++worked;
      });
      for (int i = 0; i < 10; ++i) worker.submit([&worked] { ++worked; });
      CPPUNIT_ASSERT_EQUAL(std::size_t{11}, worker.backlog());
      go.set_value();
    }
    CPPUNIT_ASSERT_EQUAL(11, worked.load());
  }

  void testDrainWaitsForTheJobUnderWay() {
    boost::asio::io_context io;
    Worker worker(io);
    std::promise<void> go;
    std::atomic<bool> finished{false};
    worker.submit([ready = go.get_future().share(), &finished] {
      ready.wait();
      finished = true;
    });
    std::thread later([&go] { go.set_value(); });
    worker.drain();
    CPPUNIT_ASSERT(finished.load());
    later.join();
  }

  void testACompletionMaySubmit() {
    boost::asio::io_context io;
    Worker worker(io);
    bool second = false;
    worker.submit([] {}, [&] { worker.submit([] {}, [&second] { second = true; }); });
    worker.drain();
    io.run();
    worker.drain();
    io.restart();
    io.run();
    CPPUNIT_ASSERT(second);
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ServiceWorker);

}  // namespace
}  // namespace afterimage
