// Planted bugs that show that the tests can fail (docs/FAULT_MODEL.md, "Planted bugs"). Each is a branch in product code that exists only
// in a build with AFTERIMAGE_CANARIES and does nothing until a test switches exactly it on; in any other build planted() is false at
// compile time and the branch is gone. Threads: set before any other thread starts.
#pragma once

#include <cstdint>

namespace afterimage {

// One line a bug, which says what the product does wrong while it is on. tests/canary/ takes names and sentences from these lines.
enum class Canary : std::uint8_t {
  kNone = 0,
  // numbering and common storage
  kNumberedAfterTheIo,          // a token gets its number when its device is next written to, after the guest's I/O ended
  kSequenceReusedAfterRestart,  // a mover that starts sets the numbering back by one
  kSequenceReusedAfterEnd,      // the end of a session sets the numbering back by one
  kStampNotRising,              // a token is stamped with its writer's clock, also when that was set back
  kBoundaryInsideCcw,           // each piece of a write CCW is numbered as a token of its own
  kRangesJoinedOverGap,         // two ranges of a track are joined although bytes lie between them
  kSlotReusedEarly,             // a device begins its full chunk again while slots in it are still needed
  kChunkTakenEarly,             // a chunk is taken by another device up to four tokens before it is free
  kChunkFreedEarly,             // a closed chunk is freed while its slots are still needed
  kFreedOneTooMany,             // the mover frees one token more than was acknowledged
  kDataSentBeforeItsFile,       // data goes before it is in the volume's file
  kBurialSkipsDevice,           // the clean-up after a dead system passes over the first device
  kUnhardenedNotMarked,         // the clean-up after a dead system does not mark the tracks that are to be read again
  kMarksClearedBeforeImages,    // the marks of tracks to be read again are cleared before their images are numbered
  kPaceLimitIgnored,            // a guest is held for ring space without a limit
  kFreezeLimitIgnored,          // a freeze that nobody ends has no limit
  kWriteBackFailureIgnored,     // a track that could not be written to its file is not noticed
  kFreezeLetsWritesPass,        // writes are numbered and go on while the session is frozen
  kCutOneTooLow,                // a suspension or freeze names the number before its cut
  kChangeNotRecorded,           // the first range of a write made while suspended is not recorded in the change map
  kChangesForgottenEarly,       // changes are forgotten when the digests are published, before the secondary has compared them
  // primary mover and link
  kVoidSentAsWritten,       // a token that became void is sent with its data
  kVoidNotTold,             // a token that became void is never told
  kTokensNotTakenOver,      // a mover that starts leaves out the tokens that were not yet acknowledged
  kDrainToldEarly,          // DRAIN is answered when the secondary knows the tokens, before it holds their data
  kDataNotSentAgain,        // data that was lost with a link is not sent again when its token had arrived
  kFreedBeforeData,         // a token is freed when the secondary knows it, before it holds its data
  kWindowIgnored,           // messages are sent without a bound on what is unacknowledged
  kClockAheadOfTokens,      // a message carries a consistency time ahead of tokens that it does not carry
  kGapAccepted,             // a message is taken although messages before it are missing
  kDuplicateTaken,          // a message that comes again is taken again
  kMessageChecksumSkipped,  // the body of a message is not checked
  kDataMatchedBySequence,   // data is matched to its token by number but not by address
  // secondary mover
  kAcknowledgeBeforeSync,     // the secondary acknowledges a message whose journal record is not yet durable
  kApplyBeforeSync,           // a write is applied before its journal record is durable
  kApplyPastA,                // a write is applied past one whose data has not come
  kConsistencyTimeAhead,      // the consistency time moves before the writes up to it are applied
  kRecoveredTakesWrites,      // a recovered secondary goes on to take the old primary's messages
  kGivenUpComesBack,          // a session that was given up is not taken out of the checkpoint
  kOldCheckpointEndsSession,  // the last checkpoint of the old session ends the new one
  kFenceLiftedEarly,          // the fence is lifted before the checkpoint of the recovery is durable
  kHeldAndMissingExchanged,   // the loss report calls held what is missing and missing what is held
  kPointBOneTooLow,           // the loss report ends one token before the last that was received
  kVerificationBlind,         // a verification finds every track equal
  // journal, checkpoint and images
  kJournalNotSynced,            // a sync of the journal does nothing
  kJournalChecksumSkipped,      // the data of a journal record is not checked
  kReplayStartsLate,            // a replay leaves out the first record that the checkpoint needs
  kCheckpointPastPending,       // a checkpoint gives up journal records of writes that are not yet applied
  kReleasedOneCheckpointEarly,  // journal space is released that the older checkpoint needs
  kOtherCheckpointIgnored,      // a damaged checkpoint is not replaced by the other generation
  kCheckpointNotSynced,         // a checkpoint takes its name before its bytes are durable
  kAppliedMarkNotWritten,       // neither the mark of what the images hold nor that of what is durable in the journal is written
  kOneImageNotSynced,           // the last image is not synced with the others
  kImagesNotSynced,             // a checkpoint is written before the images are synced
  kFenceNotWritten,             // an image is taken for fenced and its header is not changed
};

#ifdef AFTERIMAGE_CANARIES
inline Canary planted_bug = Canary::kNone;
inline bool planted(Canary which) { return planted_bug == which; }
#else
constexpr bool planted(Canary) { return false; }
#endif

}  // namespace afterimage
