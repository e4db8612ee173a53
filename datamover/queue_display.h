// The display of the pending write queue (document 002, FIG. 5; A16) and of the data held for one token (A22). Pure: lines without message
// ids.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "datamover/pending_write_queue.h"
#include "serializer/status.h"
#include "vtam_link/message.h"

namespace afterimage {

// Totals (A, B, entries, complete, incomplete, void, bytes), then one line per entry in sequence order with COMPLETE, INCOMPLETE or VOID,
// and the line that marks point A: what is above it may be applied, what is below waits for an incomplete entry. `most` bounds the entries
// shown (0 = all); what is left out is counted.
std::vector<std::string> queue_display_lines(const PendingWriteQueue& queue, const std::vector<VolumeDescriptor>& volumes,
                                             std::size_t most = 0);

// The token and its data: 16 bytes a line, track offset, hexadecimal, EBCDIC as characters, each range under a line of its own. An error
// when the token is not in the queue, is void or its data has not arrived. Nothing is applied by looking.
Result<std::vector<std::string>> held_data_lines(const PendingWriteQueue& queue, const std::vector<VolumeDescriptor>& volumes,
                                                 Sequence sequence);

// One byte of EBCDIC (code page 037) as the ASCII character it shows, '.' when it shows none.
char ebcdic_to_ascii(std::uint8_t byte);

}  // namespace afterimage
