// io: executes operator commands at one site: parses, asks the session rules, calls the node, shapes the answer. Owns the nodes.
// Threads: the io_context's thread.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "jcl/operator_command.h"
#include "service/compose.h"

namespace afterimage {

class CommandProcessor {
 public:
  using Say = std::function<void(const std::string&)>;
  CommandProcessor(boost::asio::io_context& io, const Config& config, const SiteConfig& site, Say say);
  Status start();
  void stop();
  void on_stop(std::function<void()> stop) { stop_ = std::move(stop); }
  void execute(const std::string& line, Respond respond);

 private:
  void at_primary(const OperatorCommand& command, Respond respond);
  void at_secondary(const OperatorCommand& command, Respond respond);
  RuleInput rule_input(const OperatorCommand& command);
  Answer query(const OperatorCommand& command);
  Answer display_queue(const OperatorCommand& command);
  Answer display_storage();
  Answer display_active();
  void recovered(const LossReport& report);

  boost::asio::io_context& io_;
  const Config& config_;
  const SiteConfig& site_;
  const SessionConfig* session_ = nullptr;  // the one session, so far
  Say say_;
  std::function<void()> stop_;
  std::unique_ptr<PrimaryNode> primary_;
  std::unique_ptr<SecondaryNode> secondary_;
};

}  // namespace afterimage
