// Which operator command a session takes, by the role of the site and the state of the session there; a refusal says which rule, which
// state and what to do. Pure; every function is thread safe.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "datamover/secondary_core.h"
#include "serializer/status.h"
#include "serializer/storage_layout.h"

namespace afterimage {

enum class SiteRole : std::uint8_t { kPrimary = 0, kSecondary = 1 };
inline constexpr std::size_t kSiteRoles = 2;

// A session's state as an operator sees it at one site.
//            at the primary                                    at the secondary
// INACTIVE   no session                                        nothing is received (never established, or ended in order)
// ACTIVE     writes are numbered and sent                      messages are accepted and applied
// SUSPENDED  writes go on, changed tracks are only recorded    the mover has stopped and says why; nothing is accepted
// FROZEN     guest writes are held until RUN or the limit      nothing more is accepted; the image waits for a decision
// RECOVERY   (never)                                           XRECOVER runs or is complete: the images belong to this site
enum class OperatorState : std::uint8_t { kInactive = 0, kActive = 1, kSuspended = 2, kFrozen = 3, kRecovery = 4 };
inline constexpr std::size_t kOperatorStates = 5;

enum class SessionCommand : std::uint8_t {
  kStart = 0,  // S DSM
  kStop,       // P DSM
  kXstart,
  kXquery,
  kXsuspend,
  kXend,
  kXrecover,
  kFreeze,  // CGROUP FREEZE
  kRun,     // CGROUP RUN
  kVerify,
  kDisplayQueue,    // D PWQ
  kDisplayStorage,  // D STOR
  kDisplayActive,   // D A,L
  kHelp,
};
inline constexpr std::size_t kSessionCommands = 14;

// How a session is ended or suspended. kDefault is what XSUSPEND and XEND do without an operand: DRAIN when it can be done, see
// session_rules.cpp.
enum class EndMode : std::uint8_t { kDefault = 0, kDrain = 1, kImmediate = 2 };

struct RuleInput {
  SessionCommand command = SessionCommand::kXquery;
  std::string session;    // for the sentence
  std::string peer_site;  // for the sentence; may be empty
  SiteRole role = SiteRole::kPrimary;
  OperatorState state = OperatorState::kInactive;
  EndMode mode = EndMode::kDefault;  // XSUSPEND, XEND
  bool check_only = false;           // XRECOVER CHECK(YES)
  bool link_up = false;
  bool image_held = false;         // secondary, INACTIVE: a session ended in order here and its images are still fenced
  bool recovery_complete = false;  // RECOVERY: the images hold exactly 1..A and their headers are restored
};

enum class RuleVerdict : std::uint8_t {
  kTake,       // taken in this state
  kRefuse,     // never in this state
  kCondition,  // depends on the link, the mode or what is held: decided by check_command
};

struct Rule {
  RuleVerdict verdict = RuleVerdict::kRefuse;
  const char* why = "";     // for a refusal: the rule, a clause that follows "because "
  const char* remedy = "";  // and what to do; may contain &SESSION and &PEER
};

// The row of the table. Every combination has one.
const Rule& session_rule(SessionCommand command, SiteRole role, OperatorState state);

// Good when the command is taken. Else one sentence with the command, the session, the role, the state, the rule and the remedy.
Status check_command(const RuleInput& input);

// What EndMode::kDefault means now: DRAIN while the link is up, IMMEDIATE otherwise (a drain could not end).
EndMode effective_mode(EndMode mode, bool link_up);

OperatorState operator_state(SessionState state);    // at the primary, from common storage
OperatorState operator_state(SecondaryState state);  // at the secondary

std::string_view state_name(OperatorState state);       // "ACTIVE"
std::string_view role_name(SiteRole role);              // "PRIMARY"
std::string_view command_name(SessionCommand command);  // "CGROUP FREEZE", "D PWQ"
std::string_view mode_name(EndMode mode);               // "DRAIN", "IMMEDIATE", "" for the default

}  // namespace afterimage
