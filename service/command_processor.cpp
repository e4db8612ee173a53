// io: see command_processor.h.
#include "service/command_processor.h"

#include "datamover/queue_display.h"
#include "jcl/message_catalogue.h"
#include "jcl/xquery_report.h"
#include "serializer/storage_display.h"
#include "service/query.h"

namespace afterimage {

CommandProcessor::CommandProcessor(NodeHost& host, const Config& config, const SiteConfig& site, Say say)
    : host_(host), config_(config), site_(site), say_(std::move(say)) {
  for (const SessionConfig& session : config.sessions) {
    if (session.primary == site.name || session.secondary == site.name) session_ = &session;
  }
}

Status CommandProcessor::start() {
  if (session_ == nullptr)
    return Status::error("Site " + site_.name + " is neither primary nor secondary of a session in " + config_.path +
                         ". Name it in a <session>, or start dsmd for another site.");
  if (session_->primary == site_.name) {
    auto settings = primary_settings(config_, *session_);
    if (!settings.good()) return settings.status;
    primary_ = std::make_unique<PrimaryNode>(host_, std::move(settings.value), say_);
    return primary_->start();
  }
  auto settings = secondary_settings(config_, *session_);
  if (!settings.good()) return settings.status;
  secondary_ =
      std::make_unique<SecondaryNode>(host_, std::move(settings.value), say_, [this](const LossReport& report) { recovered(report); });
  return secondary_->start();
}

void CommandProcessor::stop() {
  if (primary_) primary_->stop();
  if (secondary_) secondary_->stop();
}

void CommandProcessor::execute(const std::string& line, Respond respond) {
  auto parsed = parse_command(line);
  if (!parsed.good()) return respond({8, {message("DSMO002E", {parsed.status.text()})}});
  OperatorCommand& command = parsed.value;
  if (command.session.empty()) command.session = session_->name;
  if (command.session != session_->name) return respond({8, {message("DSMO003E", {command.session, session_->name})}});
  const bool changes = command.verb != SessionCommand::kXquery && command.verb != SessionCommand::kDisplayQueue &&
                       command.verb != SessionCommand::kDisplayStorage && command.verb != SessionCommand::kDisplayActive &&
                       command.verb != SessionCommand::kHelp;
  if (changes) say_(message("DSMO001I", {command.text}));
  if (Status taken = check_command(rule_input(command)); !taken) return respond({8, {message("DSMO004E", {taken.text()})}});
  switch (command.verb) {
    case SessionCommand::kHelp:
      return respond({0, multi_line_answer("HELP", help_lines(command.topic))});
    case SessionCommand::kXquery:
      return respond(query(command));
    case SessionCommand::kDisplayQueue:
      return respond(display_queue(command));
    case SessionCommand::kDisplayStorage:
      return respond(display_storage());
    case SessionCommand::kDisplayActive:
      return respond(display_active());
    case SessionCommand::kStart:
      return respond({4, {message("DSMO005I", {site_.name})}});
    case SessionCommand::kStop:
      respond({0, {message("DSMM190I", {site_.name, "P DSM"})}});
      // The answer is written before the loop ends.
      return host_.post([this] { stop_(); });
    default:
      break;
  }
  if (primary_) return at_primary(command, std::move(respond));
  at_secondary(command, std::move(respond));
}

void CommandProcessor::at_primary(const OperatorCommand& command, Respond respond) {
  switch (command.verb) {
    case SessionCommand::kXstart:
      return respond(primary_->xstart(command.compare));
    case SessionCommand::kXsuspend:
      return primary_->xsuspend(effective_mode(command.mode, primary_->facts().link_up) == EndMode::kDrain, std::move(respond));
    case SessionCommand::kXend:
      return primary_->xend(effective_mode(command.mode, primary_->facts().link_up) == EndMode::kDrain, std::move(respond));
    case SessionCommand::kFreeze:
      return primary_->freeze(std::move(respond));
    case SessionCommand::kRun:
      return respond(primary_->run());
    case SessionCommand::kVerify:
      return primary_->verify(command.volumes, std::move(respond));
    default:
      return respond({8, {message("DSMO004E", {std::string(command_name(command.verb)) + " is not taken at a primary site."})}});
  }
}

void CommandProcessor::at_secondary(const OperatorCommand& command, Respond respond) {
  switch (command.verb) {
    case SessionCommand::kFreeze:
      return respond(secondary_->freeze());
    case SessionCommand::kXend:
      return secondary_->give_up(std::move(respond));
    case SessionCommand::kXrecover:
      if (command.check_only) return respond(check_recovery(*secondary_, *session_, site_, ++reports_));
      return secondary_->recover(std::move(respond));
    default:
      return respond({8, {message("DSMO004E", {std::string(command_name(command.verb)) + " is not taken at a secondary site."})}});
  }
}

RuleInput CommandProcessor::rule_input(const OperatorCommand& command) {
  RuleInput input;
  input.command = command.verb;
  input.session = session_->name;
  input.mode = command.mode;
  input.check_only = command.check_only;
  if (primary_) {
    const PrimaryFacts facts = primary_->facts();
    input.role = SiteRole::kPrimary;
    input.peer_site = session_->secondary;
    // A session that is being ended is not INACTIVE before it has ended.
    input.state = facts.epoch != 0 && facts.state == SessionState::kInactive ? OperatorState::kSuspended : operator_state(facts.state);
    input.link_up = facts.link_up;
  } else {
    const SecondaryFacts facts = secondary_->facts();
    input.role = SiteRole::kSecondary;
    input.peer_site = session_->primary;
    input.state = operator_state(facts.state);
    input.link_up = facts.link_up;
    input.image_held = facts.state == SecondaryState::kEnded;
    input.recovery_complete = facts.state == SecondaryState::kRecovered;
  }
  return input;
}

Answer CommandProcessor::query(const OperatorCommand& command) {
  return primary_ ? query_primary(*primary_, *session_, site_, command, ++reports_)
                  : query_secondary(*secondary_, *session_, site_, command, ++reports_);
}

Answer CommandProcessor::display_queue(const OperatorCommand& command) {
  if (!secondary_)
    return {
        8,
        {message("DSMO004E", {"The pending write queue is kept at the secondary site " + session_->secondary + ": enter D PWQ there."})}};
  return display_pending_writes(*secondary_, command);
}

Answer CommandProcessor::display_storage() {
  if (!primary_)
    return {8, {message("DSMO004E", {"Common storage is at the primary site " + session_->primary + ": enter D STOR there."})}};
  return {0, multi_line_answer("COMMON STORAGE OF PLEX " + config_.plex, storage_lines(primary_->storage()))};
}

Answer CommandProcessor::display_active() {
  return primary_ ? active_primary(*primary_, *session_, site_) : active_secondary(*secondary_, *session_, site_);
}

void CommandProcessor::recovered(const LossReport&) {
  say_(message("DSMM143I", {session_->name, "dsm recovery-config " + session_->name}));
}

}  // namespace afterimage
