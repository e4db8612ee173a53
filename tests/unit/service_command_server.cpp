// io: dsmd's command socket (service/command_server.h): what clients of every kind get, and who may have the path.
#include "service/command_server.h"

#include <cppunit/extensions/HelperMacros.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio/post.hpp>
#include <cstring>
#include <future>
#include <thread>

#include "tests/unit/channel_dasd_support.h"

namespace afterimage {
namespace {

using testing::TemporaryDirectory;
using testing::write_text;

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

// A server on a thread of its own; it is stopped and joined when the test ends.
class RunningServer {
 public:
  RunningServer(const std::string& path, CommandHandler handler) : server_(io_, path, std::move(handler)) {
    started = server_.start();
    if (started) thread_ = std::thread([this] { io_.run(); });
  }
  ~RunningServer() {
    if (!thread_.joinable()) return;
    boost::asio::post(io_, [this] {
      server_.stop();
      io_.stop();
    });
    thread_.join();
  }
  Status started;

 private:
  boost::asio::io_context io_;
  CommandServer server_;
  std::thread thread_;
};

// A client that does only what it is told.
class RawClient {
 public:
  explicit RawClient(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    CPPUNIT_ASSERT_EQUAL(0, ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address));
  }
  ~RawClient() { ::close(fd_); }
  void send(const std::string& text) { ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL); }
  std::string read_all() {
    std::string text;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::recv(fd_, buffer, sizeof buffer, 0)) > 0;) text.append(buffer, static_cast<std::size_t>(got));
    return text;
  }

 private:
  int fd_;
};

void echo(const std::string& line, Respond respond) { respond({line == "bad" ? 8 : 0, {"GOT " + line}}); }

class ServiceCommandServer : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ServiceCommandServer);
  CPPUNIT_TEST(testAnswerAndReturnCode);
  CPPUNIT_TEST(testBadLines);
  CPPUNIT_TEST(testAClientThatSendsNothingHoldsNobodyUp);
  CPPUNIT_TEST(testManyClients);
  CPPUNIT_TEST(testAnAnswerIsGivenOnce);
  CPPUNIT_TEST(testAServerThatEndsIsNotATimeOut);
  CPPUNIT_TEST(testASecondServerIsRefusedAndTheFirstGoesOn);
  CPPUNIT_TEST(testADeadServersSocketIsReplaced);
  CPPUNIT_TEST(testAnotherKindOfFileIsLeftAlone);
  CPPUNIT_TEST(testPathsThatCannotBe);
  CPPUNIT_TEST_SUITE_END();

  void testAnswerAndReturnCode() {
    TemporaryDirectory directory;
    RunningServer server(directory / "dsmd.sock", echo);
    CPPUNIT_ASSERT(server.started.good());
    const auto good = ask_command_socket(directory / "dsmd.sock", "XQUERY", 10);
    CPPUNIT_ASSERT(good.good());
    CPPUNIT_ASSERT_EQUAL(0, good.value.return_code);
    CPPUNIT_ASSERT_EQUAL(std::string("GOT XQUERY"), good.value.lines.at(0));
    CPPUNIT_ASSERT_EQUAL(8, ask_command_socket(directory / "dsmd.sock", "bad", 10).value.return_code);
    RawClient panel(directory / "dsmd.sock");
    panel.send("XQUERY\r\n");
    CPPUNIT_ASSERT_EQUAL(std::string("GOT XQUERY\n"), panel.read_all());
  }

  void testBadLines() {
    TemporaryDirectory directory;
    std::size_t longest = 0;
    {
      RunningServer server(directory / "dsmd.sock", [&longest](const std::string& line, Respond respond) {
        longest = std::max(longest, line.size());
        respond({8, {"NO"}});
      });
      for (const std::string& text : {std::string("\n"), std::string("!\n"), std::string("\0\x1b[2J\xff\n", 7)}) {
        RawClient client(directory / "dsmd.sock");
        client.send(text);
        CPPUNIT_ASSERT(has(client.read_all(), "NO\n"));
      }
      RawClient endless(directory / "dsmd.sock");
      endless.send(std::string(100000, 'X'));
      CPPUNIT_ASSERT_EQUAL(std::string("NO\n"), endless.read_all());
    }
    CPPUNIT_ASSERT(longest > 256 && longest < 2048);
  }

  void testAClientThatSendsNothingHoldsNobodyUp() {
    TemporaryDirectory directory;
    RunningServer server(directory / "dsmd.sock", echo);
    RawClient silent(directory / "dsmd.sock");
    RawClient half(directory / "dsmd.sock");
    half.send("XQUE");
    CPPUNIT_ASSERT(ask_command_socket(directory / "dsmd.sock", "XQUERY", 10).good());
    half.send("RY\n");
    CPPUNIT_ASSERT_EQUAL(std::string("GOT XQUERY\n"), half.read_all());
  }

  // More than are served at once: the rest are told so by the end of the connection, and the places become free again.
  void testManyClients() {
    TemporaryDirectory directory;
    RunningServer server(directory / "dsmd.sock", echo);
    std::vector<std::unique_ptr<RawClient>> waiting;
    for (int i = 0; i < 32; ++i) waiting.push_back(std::make_unique<RawClient>(directory / "dsmd.sock"));
    const auto refused = ask_command_socket(directory / "dsmd.sock", "XQUERY", 10);
    CPPUNIT_ASSERT(has(refused.status.text(), "too many commands"));
    for (auto& client : waiting) client->send("A\n");
    for (auto& client : waiting) CPPUNIT_ASSERT_EQUAL(std::string("GOT A\n"), client->read_all());
    CPPUNIT_ASSERT(ask_command_socket(directory / "dsmd.sock", "XQUERY", 10).good());
  }

  void testAnAnswerIsGivenOnce() {
    TemporaryDirectory directory;
    RunningServer server(directory / "dsmd.sock", [](const std::string&, Respond respond) {
      respond({0, {"ONE"}});
      respond({0, {"TWO"}});
    });
    RawClient client(directory / "dsmd.sock");
    client.send("A\n");
    CPPUNIT_ASSERT_EQUAL(std::string("ONE\n"), client.read_all());
  }

  void testAServerThatEndsIsNotATimeOut() {
    TemporaryDirectory directory;
    std::promise<void> asked;
    Respond kept;
    auto server = std::make_unique<RunningServer>(directory / "dsmd.sock", [&](const std::string&, Respond respond) {
      kept = std::move(respond);
      asked.set_value();
    });
    std::string text;
    std::thread client([&] { text = ask_command_socket(directory / "dsmd.sock", "XQUERY", 30).status.text(); });
    asked.get_future().wait();
    server.reset();
    client.join();
    CPPUNIT_ASSERT_MESSAGE(text, has(text, "gave no answer") && !has(text, "seconds"));
    kept({0, {"LATE"}});  // comes to nothing
  }

  void testASecondServerIsRefusedAndTheFirstGoesOn() {
    TemporaryDirectory directory;
    RunningServer first(directory / "dsmd.sock", echo);
    {
      RunningServer second(directory / "dsmd.sock", echo);
      CPPUNIT_ASSERT(has(second.started.text(), "Another dsmd answers"));
    }
    CPPUNIT_ASSERT(ask_command_socket(directory / "dsmd.sock", "XQUERY", 10).good());
  }

  void testADeadServersSocketIsReplaced() {
    TemporaryDirectory directory;
    const std::string path = directory / "dsmd.sock";
    const int dead = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
    CPPUNIT_ASSERT_EQUAL(0, ::bind(dead, reinterpret_cast<const sockaddr*>(&address), sizeof address));
    ::close(dead);
    {
      RunningServer server(path, echo);
      CPPUNIT_ASSERT_MESSAGE(server.started.text(), server.started.good());
      CPPUNIT_ASSERT(ask_command_socket(path, "XQUERY", 10).good());
    }
    CPPUNIT_ASSERT(!std::filesystem::exists(path));
  }

  void testAnotherKindOfFileIsLeftAlone() {
    TemporaryDirectory directory;
    write_text(directory / "dsmd.sock", "somebody's notes\n");
    RunningServer server(directory / "dsmd.sock", echo);
    CPPUNIT_ASSERT(has(server.started.text(), "is not a dead dsmd's socket"));
    CPPUNIT_ASSERT(std::filesystem::is_regular_file(directory / "dsmd.sock"));
  }

  void testPathsThatCannotBe() {
    TemporaryDirectory directory;
    RunningServer too_long(directory / std::string(120, 'x'), echo);
    CPPUNIT_ASSERT(has(too_long.started.text(), "too long"));
    RunningServer nowhere(directory / "absent/dsmd.sock", echo);
    CPPUNIT_ASSERT(has(nowhere.started.text(), "cannot be made"));
    CPPUNIT_ASSERT(has(ask_command_socket(directory / "dsmd.sock", "XQUERY", 1).status.text(), "No dsmd answers"));
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ServiceCommandServer);

}  // namespace
}  // namespace afterimage
