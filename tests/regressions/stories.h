// The scripted regressions: what once went wrong, told step by step, because the meaning of a simulator's seed changes with the simulator.
// Each throws Broken where the product does wrong again, and each is shown to notice by the planted bug that brings the old fault back.
#pragma once

namespace afterimage::regressions {

void damaged_last_record();
void old_checkpoint_of_an_ended_session();
void session_given_up_comes_back();
void torn_last_record();

}  // namespace afterimage::regressions
