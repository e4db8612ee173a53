// io: see command_server.h.
#include "service/command_server.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <boost/asio.hpp>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <set>

namespace afterimage {

namespace asio = boost::asio;
using LocalSocket = asio::local::stream_protocol::socket;

namespace {
constexpr std::size_t kMaxConnections = 32;
constexpr std::size_t kMaxLine = 1024;  // the parser gives the sentence for what is over its own bound
constexpr std::chrono::seconds kArrivalLimit{30};

std::string with_errno(const std::string& what) { return what + ": " + std::strerror(errno) + "."; }

// A connected stream socket to `path`, or -1 with errno.
int connect_to(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    return -1;
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return -1;
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    const int saved = errno;
    ::close(fd);
    errno = saved;
    return -1;
  }
  return fd;
}
}  // namespace

struct CommandServer::Impl : std::enable_shared_from_this<CommandServer::Impl> {
  struct Connection : std::enable_shared_from_this<Connection> {
    explicit Connection(LocalSocket&& s) : socket(std::move(s)), timer(socket.get_executor()) {}
    LocalSocket socket;
    asio::steady_timer timer;
    asio::streambuf input{kMaxLine + 2};
    std::string output;
  };

  Impl(asio::io_context& io_context, std::string socket_path, CommandHandler command_handler)
      : io(io_context), acceptor(io_context), path(std::move(socket_path)), handler(std::move(command_handler)) {}

  void accept() {
    acceptor.async_accept([self = shared_from_this()](const boost::system::error_code& error, LocalSocket socket) {
      if (error) return;
      if (self->connections.size() < kMaxConnections) self->serve(std::make_shared<Connection>(std::move(socket)));
      self->accept();
    });
  }

  void serve(const std::shared_ptr<Connection>& connection) {
    connections.insert(connection);
    connection->timer.expires_after(kArrivalLimit);
    connection->timer.async_wait([connection](const boost::system::error_code& error) {
      boost::system::error_code ignored;
      if (!error) connection->socket.close(ignored);
    });
    asio::async_read_until(connection->socket, connection->input, '\n',
                           [self = shared_from_this(), connection](const boost::system::error_code& error, std::size_t) {
                             connection->timer.cancel();
                             if (error) {
                               self->connections.erase(connection);
                               return;
                             }
                             std::istream stream(&connection->input);
                             std::string line;
                             std::getline(stream, line);
                             self->dispatch(connection, line);
                           });
  }

  void dispatch(const std::shared_ptr<Connection>& connection, std::string line) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    const bool wants_code = !line.empty() && line.front() == '!';
    if (wants_code) line.erase(0, 1);
    std::weak_ptr<Impl> weak = shared_from_this();
    handler(line, [weak, connection, wants_code](Answer answer) {
      const auto self = weak.lock();
      if (!self) return;
      for (const auto& text : answer.lines) connection->output += text + "\n";
      if (wants_code) connection->output += "RC=" + std::to_string(answer.return_code) + "\n";
      asio::async_write(connection->socket, asio::buffer(connection->output),
                        [self, connection](const boost::system::error_code&, std::size_t) {
                          boost::system::error_code ignored;
                          connection->socket.close(ignored);
                          self->connections.erase(connection);
                        });
    });
  }

  asio::io_context& io;
  asio::local::stream_protocol::acceptor acceptor;
  std::string path;
  CommandHandler handler;
  std::set<std::shared_ptr<Connection>> connections;
  bool bound = false;
};

CommandServer::CommandServer(asio::io_context& io, std::string path, CommandHandler handler)
    : impl_(std::make_shared<Impl>(io, std::move(path), std::move(handler))) {}

CommandServer::~CommandServer() { stop(); }

Status CommandServer::start() {
  const std::string& path = impl_->path;
  const int live = connect_to(path);
  if (live >= 0) {
    ::close(live);
    return Status::error("Another dsmd answers at " + path + ". Stop it (P DSM), or give this site a directory of its own.");
  }
  if (errno == ENAMETOOLONG)
    return Status::error("The command socket's path " + path + " is too long (107 characters at most). Give the site a shorter directory.");
  ::unlink(path.c_str());
  boost::system::error_code error;
  impl_->acceptor.open(asio::local::stream_protocol(), error);
  // Connections must not be possible before the mode is right, hence the umask around bind.
  const mode_t mask = ::umask(0117);
  if (!error) impl_->acceptor.bind(asio::local::stream_protocol::endpoint(path), error);
  ::umask(mask);
  if (!error) impl_->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error)
    return Status::error("The command socket " + path + " cannot be made: " + error.message() +
                         ". Correct the site's directory or its permissions.");
  impl_->bound = true;
  impl_->accept();
  return Status::ok();
}

void CommandServer::stop() {
  boost::system::error_code ignored;
  impl_->acceptor.close(ignored);
  for (const auto& connection : impl_->connections) connection->socket.close(ignored);
  impl_->connections.clear();
  if (impl_->bound) ::unlink(impl_->path.c_str());
  impl_->bound = false;
}

Result<Answer> ask_command_socket(const std::string& path, const std::string& line, int timeout_s) {
  const int fd = connect_to(path);
  if (fd < 0)
    return failed<Answer>(Status::error(with_errno("No dsmd answers at " + path) + " Start it (S DSM), or check --config and --site."));
  const timeval limit{timeout_s, 0};
  ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  const std::string request = "!" + line + "\n";
  std::string text;
  bool complete = ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size());
  char buffer[4096];
  while (complete) {
    const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
    if (got == 0) break;
    if (got < 0) complete = false;
    if (got > 0) text.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(fd);
  Answer answer;
  answer.return_code = -1;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    answer.lines.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  if (!answer.lines.empty() && answer.lines.back().starts_with("RC=")) {
    const std::string& last = answer.lines.back();
    if (std::from_chars(last.data() + 3, last.data() + last.size(), answer.return_code).ec != std::errc()) answer.return_code = -1;
    answer.lines.pop_back();
  }
  if (!complete || answer.return_code < 0)
    return failed<Answer>(Status::error("dsmd at " + path + " did not answer within " + std::to_string(timeout_s) +
                                        " seconds. Display its log; the command may still take effect."));
  return result_of(std::move(answer));
}

}  // namespace afterimage
