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
constexpr std::chrono::milliseconds kAcceptRetry{100};  // after accept failed, for example because file descriptors ran out

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
    bool answered = false;

    // For a client that sends nothing, or does not read its answer.
    void close_after(std::chrono::seconds limit) {
      timer.expires_after(limit);
      timer.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
        boost::system::error_code ignored;
        if (!error) self->socket.close(ignored);
      });
    }
  };

  Impl(asio::io_context& io_context, std::string socket_path, CommandHandler command_handler)
      : io(io_context), acceptor(io_context), accept_retry(io_context), path(std::move(socket_path)), handler(std::move(command_handler)) {}

  void accept() {
    acceptor.async_accept([self = shared_from_this()](const boost::system::error_code& error, LocalSocket socket) {
      if (!self->bound || error == asio::error::operation_aborted) return;
      if (error) return self->accept_later();
      if (self->connections.size() < kMaxConnections) self->serve(std::make_shared<Connection>(std::move(socket)));
      self->accept();
    });
  }

  void accept_later() {
    accept_retry.expires_after(kAcceptRetry);
    accept_retry.async_wait([self = shared_from_this()](const boost::system::error_code& cancelled) {
      if (!cancelled && self->bound) self->accept();
    });
  }

  void serve(const std::shared_ptr<Connection>& connection) {
    connections.insert(connection);
    connection->close_after(kArrivalLimit);
    asio::async_read_until(connection->socket, connection->input, '\n',
                           [self = shared_from_this(), connection](const boost::system::error_code& error, std::size_t) {
                             connection->timer.cancel();
                             // A line that is too long goes on as far as it came: the parser says so.
                             if (error && error != asio::error::not_found) {
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
      if (!self || connection->answered) return;
      connection->answered = true;
      for (const auto& text : answer.lines) connection->output += text + "\n";
      if (wants_code) connection->output += "RC=" + std::to_string(answer.return_code) + "\n";
      connection->close_after(kArrivalLimit);
      asio::async_write(connection->socket, asio::buffer(connection->output),
                        [self, connection](const boost::system::error_code&, std::size_t) {
                          boost::system::error_code ignored;
                          connection->timer.cancel();
                          connection->socket.close(ignored);
                          self->connections.erase(connection);
                        });
    });
  }

  asio::io_context& io;
  asio::local::stream_protocol::acceptor acceptor;
  asio::steady_timer accept_retry;
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
  // Only a socket that nobody listens at is a dead dsmd's; a stopped one with a full backlog, or another kind of file, is not.
  const bool dead = errno == ECONNREFUSED;
  struct stat about {};
  if (::lstat(path.c_str(), &about) == 0) {
    if (!dead || !S_ISSOCK(about.st_mode))
      return Status::error("The command socket's path " + path + " is taken by something that is not a dead dsmd's socket. Remove it, or " +
                           "end the dsmd that does not answer.");
    ::unlink(path.c_str());
  }
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
  impl_->accept_retry.cancel();
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
  bool in_time = true;
  bool more = ::send(fd, request.data(), request.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(request.size());
  char buffer[4096];
  while (more) {
    const ssize_t got = ::recv(fd, buffer, sizeof buffer, 0);
    more = got > 0 || (got < 0 && errno == EINTR);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) in_time = false;
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
  if (in_time && answer.return_code < 0)
    return failed<Answer>(Status::error("dsmd at " + path + " ended, or has too many commands under way, and gave no answer. Display its " +
                                        "log; the command may still take effect."));
  if (!in_time)
    return failed<Answer>(Status::error("dsmd at " + path + " did not answer within " + std::to_string(timeout_s) +
                                        " seconds. Display its log; the command may still take effect."));
  return result_of(std::move(answer));
}

}  // namespace afterimage
