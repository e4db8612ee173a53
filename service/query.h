// io: what displays and reports say, from the facts of the nodes (common storage, journal): fills the report inputs of
// jcl/xquery_report.h. Threads: the loop's.
#pragma once

#include "jcl/operator_command.h"
#include "service/compose.h"

namespace afterimage {

Answer query_primary(PrimaryNode& node, const SessionConfig& session, const SiteConfig& site, const OperatorCommand& command,
                     unsigned report_number);
Answer query_secondary(SecondaryNode& node, const SessionConfig& session, const SiteConfig& site, const OperatorCommand& command,
                       unsigned report_number);
Answer display_pending_writes(SecondaryNode& node, const OperatorCommand& command);
// XRECOVER CHECK(YES): what a recovery would give now; changes nothing.
Answer check_recovery(SecondaryNode& node, const SessionConfig& session, const SiteConfig& site, unsigned report_number);
Answer active_primary(PrimaryNode& node, const SessionConfig& session, const SiteConfig& site);
Answer active_secondary(SecondaryNode& node, const SessionConfig& session, const SiteConfig& site);
// D STOR, and `dsm storage display` (which reads a plex whose dsmd is dead).
std::vector<std::string> storage_lines(CommonStorage& storage);

}  // namespace afterimage
