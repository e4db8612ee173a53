// io: executes operator commands at one site: parses, asks the session rules, calls the node, shapes the answer. Owns the nodes.
// Threads: the thread of the host's event loop.
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
  CommandProcessor(NodeHost& host, const Config& config, const SiteConfig& site, Say say);
  Status start();
  void stop();
  void on_stop(std::function<void()> stop) { stop_ = std::move(stop); }
  void execute(const std::string& line, Respond respond);
  // The node of this site's role; null before start().
  PrimaryNode* primary() { return primary_.get(); }
  SecondaryNode* secondary() { return secondary_.get(); }

 private:
  void at_primary(const OperatorCommand& command, Respond respond);
  void at_secondary(const OperatorCommand& command, Respond respond);
  RuleInput rule_input(const OperatorCommand& command);
  Answer query(const OperatorCommand& command);
  Answer display_queue(const OperatorCommand& command);
  Answer display_storage();
  Answer display_active();
  void recovered(const LossReport& report);

  NodeHost& host_;
  const Config& config_;
  const SiteConfig& site_;
  const SessionConfig* session_ = nullptr;  // the one session, so far
  Say say_;
  unsigned reports_ = 0;  // numbers the XQUERY reports of this started task
  std::function<void()> stop_;
  std::unique_ptr<PrimaryNode> primary_;
  std::unique_ptr<SecondaryNode> secondary_;
};

}  // namespace afterimage
