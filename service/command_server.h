// io: dsmd's command socket (AF_UNIX, in the site's directory): one line in, the answer's lines out, then end of file. A line that
// begins with "!" asks for a last line "RC=nn" (the shell command uses it; the Hercules panel does not).
// Threads: the io_context's thread. Bounds: 32 connections, lines of 256 characters, 30 s for a command to arrive.
#pragma once

#include <boost/asio/io_context.hpp>
#include <functional>
#include <memory>
#include <string>

#include "serializer/status.h"
#include "service/answer.h"

namespace afterimage {

using CommandHandler = std::function<void(const std::string& line, Respond respond)>;

class CommandServer {
 public:
  CommandServer(boost::asio::io_context& io, std::string path, CommandHandler handler);
  ~CommandServer();
  // Refuses a path in use by a live dsmd, too long, or not writable, each with a sentence. Removes a dead one's socket.
  Status start();
  void stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

// The client's side, blocking: connects, sends, reads to the end. Used by `dsm`.
Result<Answer> ask_command_socket(const std::string& path, const std::string& line, int timeout_s);

}  // namespace afterimage
