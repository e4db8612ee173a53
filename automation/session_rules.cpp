// The table of commands by role and state, and the sentences of its refusals. Pure.
#include "automation/session_rules.h"

#include "serializer/check.h"

namespace afterimage {
namespace {

constexpr Rule kTake{RuleVerdict::kTake, "", ""};
using StateRow = std::array<Rule, kOperatorStates>;  // INACTIVE ACTIVE SUSPENDED FROZEN RECOVERY
using RoleRows = std::array<StateRow, kSiteRoles>;   // primary, secondary

constexpr Rule refuse(const char* why, const char* remedy) { return {RuleVerdict::kRefuse, why, remedy}; }
constexpr Rule condition(const char* why, const char* remedy) { return {RuleVerdict::kCondition, why, remedy}; }
constexpr StateRow all(Rule rule) { return {rule, rule, rule, rule, rule}; }

// A primary site never runs a recovery, so the RECOVERY column of a primary refuses what changes anything.
constexpr Rule kNoRecoveryHere = refuse("a primary site has no recovery", "display the session with XQUERY at &PEER");
constexpr Rule kAtPrimary = refuse("it is a command of the primary site", "enter it at &PEER");
constexpr Rule kAtSecondary = refuse("it is a command of the secondary site", "enter it at &PEER");
constexpr Rule kStartNeedsInactive = refuse("a session starts only from INACTIVE", "look at it with XQUERY; it is started already");
constexpr Rule kDrainNeedsLink = condition("DRAIN waits for acknowledgements and the link is down",
                                           "restore the link, or use IMMEDIATE, which leaves the unacknowledged writes out of the copy");
constexpr Rule kRestartHere = refuse("the mover has stopped and applies nothing more",
                                     "correct what DSMM133S names, stop DSM here (P DSM), start it again, and enter the command again");
constexpr Rule kOverLiveLink =
    condition("the link to the primary is up, so the primary is alive", "enter CGROUP FREEZE &SESSION here first, then XRECOVER &SESSION");
constexpr Rule kNothingHeld =
    condition("no session was established here, so there is nothing to recover", "start the session at &PEER with XSTART &SESSION");

constexpr RoleRows kXstart = {{
    {kTake, kStartNeedsInactive,
     refuse("the copy lacks the writes made since the suspension and they can only be copied as whole volumes",
            "enter XEND &SESSION, make the volumes equal again (dsm verify shows where they differ), then XSTART &SESSION"),
     refuse("a frozen session is still a session", "enter CGROUP RUN &SESSION to let the writes go on, or XEND &SESSION to end it"),
     kNoRecoveryHere},
    all(kAtPrimary),
}};

constexpr Rule kNoSession = refuse("there is no session", "start it with XSTART &SESSION");

constexpr RoleRows kXsuspend = {{
    {kNoSession, kDrainNeedsLink, refuse("it is suspended already", "XQUERY &SESSION STATUS gives the reason; XEND &SESSION ends it"),
     kDrainNeedsLink, kNoRecoveryHere},
    all(kAtPrimary),
}};

// At the secondary XEND gives up the copy, so it takes the explicit word; the site can then be the secondary of a new session.
constexpr const char* kGiveUp = "XEND &SESSION IMMEDIATE gives the copy up for a new session; XRECOVER &SESSION would use it";
constexpr RoleRows kXend = {{
    {kNoSession, kDrainNeedsLink, kDrainNeedsLink, kDrainNeedsLink, kNoRecoveryHere},
    {condition("nothing is held here, or only IMMEDIATE gives up what an ended session left", kGiveUp),
     condition("a session whose link is up is ended by its primary, and without the link only IMMEDIATE ends it",
               "enter XEND &SESSION at &PEER; if that site is lost, XEND &SESSION IMMEDIATE here gives the copy up"),
     condition("only IMMEDIATE gives up the copy of a stopped mover",
               "XEND &SESSION IMMEDIATE gives the copy up for a new session; to use it, stop DSM here (P DSM), start it again, then enter "
               "XRECOVER &SESSION"),
     condition("only IMMEDIATE gives up a frozen image", kGiveUp),
     condition("a recovery is running, or only IMMEDIATE ends the record of a complete one",
               "XQUERY &SESSION RECOVER shows which; XEND &SESSION IMMEDIATE ends the record of a complete one, for a new session")},
}};

constexpr RoleRows kXrecover = {{
    all(kAtSecondary),
    {kNothingHeld, kOverLiveLink, kRestartHere, kTake,
     condition("it is recovered already", "XQUERY &SESSION RECOVER shows the result; start the work on the recovered volumes")},
}};

constexpr RoleRows kFreeze = {{
    {kNoSession, kTake,
     refuse("a suspended session copies nothing, so there is no order to protect",
            "XQUERY &SESSION STATUS gives the reason for the suspension"),
     refuse("it is frozen already", "enter CGROUP RUN &SESSION to let the writes go on"), kNoRecoveryHere},
    {refuse("no session is established here", "start the session at &PEER with XSTART &SESSION"), kTake, kRestartHere,
     refuse("it is frozen already", "enter XRECOVER &SESSION to take over"),
     refuse("its images belong to this site already", "XQUERY &SESSION RECOVER shows the result")},
}};

constexpr RoleRows kRun = {{
    {kNoSession, refuse("it is not frozen", "nothing needs to be done: its writes are going on"),
     refuse("it is not frozen any more: the writes went on when it was suspended",
            "XQUERY &SESSION STATUS gives the reason; XEND &SESSION ends the session"),
     kTake, kNoRecoveryHere},
    {refuse("no session is established here", "enter it at &PEER if writes are held there"),
     refuse("it is not frozen here", "enter it at &PEER if writes are held there"), kRestartHere,
     refuse("a frozen secondary has refused messages and cannot go on from where it stopped",
            "enter XRECOVER &SESSION to take over, or begin anew as the runbook says under USE THE SITE AS SECONDARY AGAIN"),
     refuse("its images belong to this site already", "XQUERY &SESSION RECOVER shows the result")},
}};

constexpr Rule kOffline =
    refuse("only an active session can be compared at one sequence number", "compare the closed images with the shell command dsm verify");
constexpr RoleRows kVerify = {{
    {kOffline,
     condition("the digests travel over the link and it is down",
               "restore the link, or compare the closed images with the shell command dsm verify"),
     kOffline,
     refuse("digests are held with the writes while it is frozen",
            "verify before a freeze, or compare the closed images with the shell command dsm verify"),
     kNoRecoveryHere},
    {kOffline, kAtPrimary, kOffline, kOffline, kOffline},
}};

constexpr RoleRows kEverywhere = {{all(kTake), all(kTake)}};
constexpr RoleRows kDisplayQueue = {{all(refuse("the pending write queue is at the secondary site", "enter it at &PEER")), all(kTake)}};
constexpr RoleRows kDisplayStorage = {{all(kTake), all(refuse("common storage is at the primary site", "enter it at &PEER"))}};

constexpr std::array<const RoleRows*, kSessionCommands> kTable = {&kEverywhere,   &kEverywhere,     &kXstart,     &kEverywhere, &kXsuspend,
                                                                  &kXend,         &kXrecover,       &kFreeze,     &kRun,        &kVerify,
                                                                  &kDisplayQueue, &kDisplayStorage, &kEverywhere, &kEverywhere};

constexpr std::array<std::string_view, kSessionCommands> kCommandNames = {"S DSM", "P DSM",    "XSTART",        "XQUERY",     "XSUSPEND",
                                                                          "XEND",  "XRECOVER", "CGROUP FREEZE", "CGROUP RUN", "VERIFY",
                                                                          "D PWQ", "D STOR",   "D A,L",         "HELP"};
constexpr std::array<std::string_view, kOperatorStates> kStateNames = {"INACTIVE", "ACTIVE", "SUSPENDED", "FROZEN", "RECOVERY"};

bool may_give_up(const RuleInput& in) {
  if (in.mode != EndMode::kImmediate) return false;
  if (in.state == OperatorState::kInactive) return in.image_held;
  if (in.state == OperatorState::kActive) return !in.link_up;
  if (in.state == OperatorState::kRecovery) return in.recovery_complete;
  return true;
}

bool condition_met(const RuleInput& in) {
  switch (in.command) {
    case SessionCommand::kXsuspend:
    case SessionCommand::kXend:
      if (in.role == SiteRole::kSecondary) return may_give_up(in);
      return effective_mode(in.mode, in.link_up) == EndMode::kImmediate || in.link_up;
    case SessionCommand::kXrecover:
      if (in.state == OperatorState::kInactive) return in.image_held;
      if (in.state == OperatorState::kActive) return in.check_only || !in.link_up;
      return in.check_only || !in.recovery_complete;
    case SessionCommand::kVerify:
      return in.link_up;
    default:
      return false;
  }
}

std::string expand(const std::string& text, const RuleInput& in) {
  std::string out;
  const std::string peer = in.peer_site.empty() ? "the other site" : in.peer_site;
  for (std::size_t at = 0; at < text.size();) {
    if (text.compare(at, 8, "&SESSION") == 0) {
      out += in.session;
      at += 8;
    } else if (text.compare(at, 5, "&PEER") == 0) {
      out += peer;
      at += 5;
    } else {
      out += text[at++];
    }
  }
  return out;
}

}  // namespace

const Rule& session_rule(SessionCommand command, SiteRole role, OperatorState state) {
  AI_CHECK(static_cast<std::size_t>(command) < kSessionCommands);
  AI_CHECK(static_cast<std::size_t>(role) < kSiteRoles);
  AI_CHECK(static_cast<std::size_t>(state) < kOperatorStates);
  return (*kTable.at(static_cast<std::size_t>(command))).at(static_cast<std::size_t>(role)).at(static_cast<std::size_t>(state));
}

Status check_command(const RuleInput& input) {
  const Rule& rule = session_rule(input.command, input.role, input.state);
  if (rule.verdict == RuleVerdict::kTake) return Status::ok();
  if (rule.verdict == RuleVerdict::kCondition && condition_met(input)) return Status::ok();
  std::string text = std::string(command_name(input.command));
  if (input.mode != EndMode::kDefault) text += " " + std::string(mode_name(input.mode));
  text += " is refused";
  if (!input.session.empty()) {
    text += ": session " + input.session + " is " + std::string(state_name(input.state)) + " at this " +
            (input.role == SiteRole::kPrimary ? "primary" : "secondary") + " site, and ";
  } else {
    text += std::string(" at this ") + (input.role == SiteRole::kPrimary ? "primary" : "secondary") + " site: ";
  }
  return Status::error(text + expand(rule.why, input) + "; " + expand(rule.remedy, input) + ".");
}

EndMode effective_mode(EndMode mode, bool link_up) {
  if (mode != EndMode::kDefault) return mode;
  return link_up ? EndMode::kDrain : EndMode::kImmediate;
}

OperatorState operator_state(SessionState state) {
  switch (state) {
    case SessionState::kInactive:
      return OperatorState::kInactive;
    case SessionState::kActive:
      return OperatorState::kActive;
    case SessionState::kSuspended:
      return OperatorState::kSuspended;
    case SessionState::kFrozen:
      return OperatorState::kFrozen;
  }
  return OperatorState::kSuspended;
}

OperatorState operator_state(SecondaryState state) {
  switch (state) {
    case SecondaryState::kEmpty:
    case SecondaryState::kEnded:
      return OperatorState::kInactive;
    case SecondaryState::kDuplex:
      return OperatorState::kActive;
    case SecondaryState::kFrozen:
      return OperatorState::kFrozen;
    case SecondaryState::kRecovering:
    case SecondaryState::kRecovered:
      return OperatorState::kRecovery;
    case SecondaryState::kStopped:
      return OperatorState::kSuspended;
  }
  return OperatorState::kSuspended;
}

std::string_view state_name(OperatorState state) { return kStateNames.at(static_cast<std::size_t>(state)); }
std::string_view role_name(SiteRole role) { return role == SiteRole::kPrimary ? "PRIMARY" : "SECONDARY"; }
std::string_view command_name(SessionCommand command) { return kCommandNames.at(static_cast<std::size_t>(command)); }
std::string_view mode_name(EndMode mode) {
  switch (mode) {
    case EndMode::kDefault:
      return "";
    case EndMode::kDrain:
      return "DRAIN";
    case EndMode::kImmediate:
      return "IMMEDIATE";
  }
  return "";
}

}  // namespace afterimage
