# bank: the log, data base, commit pattern of a data base system on three CKD volumes, with dependent writes and several transactions in flight.
#
# Transaction t moves an amount from a branch to an account:
#   write 1  log record t (old and new balances)            volume DEV
#   write 2  the branch's and the account's record           volume DEV+1, in one channel program, branch first
#   write 3  commit record t                                volume DEV+2
# Write 2 starts only after the I/O of write 1 has ended, write 3 only after that of write 2. The three volumes work at the same time on
# different transactions, at most WINDOW of them; log and commit records of several transactions may share a channel program.
# On volumes without a bank it formats them first; on volumes with one it backs out what was not committed and goes on.
#
# Symbols for --define: RATE transactions a second (0: no limit), COUNT transactions in this run (0: for ever), DEV, CONSOLE, CYLS.

.include "guest_arch.inc"
.include "guest_layout.inc"
.ifndef RATE
.set RATE, 300
.endif
.ifndef COUNT
.set COUNT, 0
.endif

# Records that may share one channel program.
.set BATCH, 8
# A tick adds RATE to the credit, so a transaction costs what one second has in ticks.
.set TICKS_A_SECOND, 200
.set CREDIT_LIMIT, RATE*20+BATCH*TICKS_A_SECOND

.macro program_name
put "BANK"
.endm
.macro error_prefix
put "BANK STOPPED"
.endm

.text
.org MAIN_AT
branch_names MAIN, %r12
program_entry
call_lib init_machine
la %r11,CONSOLE_BLOCK-DATA(%r13)
call_lib find_device
la %r2,DEVICE_TABLE-DATA(%r13)
find_volumes:
st %r2,CURSOR-DATA(%r13)
l %r11,0(%r2)
c %r11,CONSOLE_AT-DATA(%r13)
je volumes_found
call_lib find_device
ltr %r15,%r15
jnz no_device
l %r2,CURSOR-DATA(%r13)
la %r2,4(%r2)
j find_volumes
no_device:
call_lib device_absent

volumes_found:
la %r11,LOG_VOLUME-DATA(%r13)
call_shared read_control
ltr %r15,%r15
jnz format_all
call_main restart
j run
format_all:
call_main format
j run

# ---- the running bank ----

run:
mvc LOG_STARTED-DATA(4,%r13),COMMIT_ENDED-DATA(%r13)
mvc LOG_ENDED-DATA(4,%r13),COMMIT_ENDED-DATA(%r13)
mvc DATA_STARTED-DATA(4,%r13),COMMIT_ENDED-DATA(%r13)
mvc DATA_ENDED-DATA(4,%r13),COMMIT_ENDED-DATA(%r13)
mvc COMMIT_STARTED-DATA(4,%r13),COMMIT_ENDED-DATA(%r13)
l %r1,COMMIT_ENDED-DATA(%r13)
al %r1,COUNT_WORD-DATA(%r13)
st %r1,LAST_WANTED-DATA(%r13)
call_lib start_ticks
run_again:
call_main step_commit
call_main step_data
call_main step_log
call_main step_time
.if COUNT
clc COMMIT_ENDED-DATA(4,%r13),LAST_WANTED-DATA(%r13)
je finished
.endif
# An I/O that ended while it was started gives no interruption.
cli LOG_VOLUME-DATA+DV_STATE(%r13),STATE_DONE
je run_again
cli DATA_VOLUME-DATA+DV_STATE(%r13),STATE_DONE
je run_again
cli COMMIT_VOLUME-DATA+DV_STATE(%r13),STATE_DONE
je run_again
call_lib wait_event
j run_again

.if COUNT
finished:
call_main report
program_name
put " ENDED"
call_lib flush
la %r1,WAIT_OK
call_lib stop
.endif

# Log: starts the records of as many transactions as window, credit, batch and the end of the area allow.
step_log:
st %r14,STEP_RETURN-DATA(%r13)
la %r11,LOG_VOLUME-DATA(%r13)
call_main volume_free
jne step_end
mvc LOG_ENDED-DATA(4,%r13),LOG_STARTED-DATA(%r13)
l %r4,COMMIT_ENDED-DATA(%r13)
al %r4,WINDOW_WORD-DATA(%r13)
sl %r4,LOG_STARTED-DATA(%r13)
.if COUNT
l %r5,LAST_WANTED-DATA(%r13)
sl %r5,LOG_STARTED-DATA(%r13)
call_main least
.endif
.if RATE
l %r6,CREDIT-DATA(%r13)
srda %r6,32
d %r6,TICKS_WORD-DATA(%r13)
lr %r5,%r7
call_main least
.endif
l %r3,LOG_STARTED-DATA(%r13)
call_main batch_size
jnp step_end
st %r4,BATCH_SIZE-DATA(%r13)
.if RATE
lr %r7,%r4
m %r6,TICKS_WORD-DATA(%r13)
l %r5,CREDIT-DATA(%r13)
sr %r5,%r7
st %r5,CREDIT-DATA(%r13)
.endif
st %r1,BATCH_SLOT-DATA(%r13)
l %r8,LOG_BUFFERS_AT-DATA(%r13)
log_next:
l %r3,LOG_STARTED-DATA(%r13)
la %r3,1(%r3)
st %r3,LOG_STARTED-DATA(%r13)
call_main move_money
lr %r2,%r8
xc 0(REC_FILLER,%r2),0(%r2)
mvc REC_AMOUNT(28,%r2),0(%r5)
call_main make_next_record
jne log_next
l %r5,LOG_BUFFERS_AT-DATA(%r13)
j write_batch

# Data base: starts the two records of the next transaction whose log record is written.
step_data:
st %r14,STEP_RETURN-DATA(%r13)
la %r11,DATA_VOLUME-DATA(%r13)
call_main volume_free
jne step_end
l %r3,DATA_STARTED-DATA(%r13)
st %r3,DATA_ENDED-DATA(%r13)
c %r3,LOG_ENDED-DATA(%r13)
je step_end
la %r3,1(%r3)
st %r3,DATA_STARTED-DATA(%r13)
call_main ring_entry
lr %r8,%r5
l %r2,DATA_BUFFERS_AT-DATA(%r13)
xc 0(REC_FILLER,%r2),0(%r2)
mvc REC_BALANCE(4,%r2),12(%r8)
l %r1,4(%r8)
call_shared make_record
la %r2,DATA_LEN(%r2)
xc 0(REC_FILLER,%r2),0(%r2)
mvc REC_BALANCE(4,%r2),24(%r8)
l %r1,16(%r8)
call_shared make_record
l %r4,4(%r8)
lr %r3,%r1
st %r3,BATCH_SLOT-DATA(%r13)
call_shared plain_begin
l %r5,DATA_BUFFERS_AT-DATA(%r13)
l %r6,WRITE_DATA-DATA(%r13)
lr %r1,%r4
call_shared plain_add
la %r5,DATA_LEN(%r5)
l %r1,BATCH_SLOT-DATA(%r13)
call_shared plain_add
call_shared plain_end
call_lib start_io
j step_end

# Commit: starts the commit records of the transactions whose data base records are written.
step_commit:
st %r14,STEP_RETURN-DATA(%r13)
la %r11,COMMIT_VOLUME-DATA(%r13)
call_main volume_free
jne step_end
l %r3,COMMIT_STARTED-DATA(%r13)
st %r3,COMMIT_ENDED-DATA(%r13)
l %r4,DATA_ENDED-DATA(%r13)
sr %r4,%r3
call_main batch_size
jnp step_end
st %r4,BATCH_SIZE-DATA(%r13)
st %r1,BATCH_SLOT-DATA(%r13)
l %r8,COMMIT_BUFFERS_AT-DATA(%r13)
commit_next:
l %r3,COMMIT_STARTED-DATA(%r13)
la %r3,1(%r3)
st %r3,COMMIT_STARTED-DATA(%r13)
call_main ring_entry
lr %r2,%r8
xc 0(REC_FILLER,%r2),0(%r2)
mvc REC_AMOUNT(4,%r2),0(%r5)
call_main make_next_record
jne commit_next
l %r5,COMMIT_BUFFERS_AT-DATA(%r13)
j write_batch

# Makes record r3 at r8 in the slot that follows from r3; steps r8; BATCH_LEFT counts. Condition: not equal while the batch goes on.
make_next_record:
st %r14,MAKE_RETURN-DATA(%r13)
lr %r6,%r3
srda %r6,32
d %r6,DV_CAP(%r11)
lr %r1,%r6
call_shared make_record
al %r8,DV_LEN(%r11)
l %r4,BATCH_LEFT-DATA(%r13)
s %r4,ONE-DATA(%r13)
st %r4,BATCH_LEFT-DATA(%r13)
l %r14,MAKE_RETURN-DATA(%r13)
br %r14

# Starts the write of the batch in the buffers at r5. Several records, or the log: one ECKD program (z). Otherwise plain CKD.
write_batch:
l %r1,BATCH_SLOT-DATA(%r13)
l %r4,BATCH_SIZE-DATA(%r13)
.ifndef S370
clc DV_TYPE(4,%r11),LOG_TYPE-DATA(%r13)
je write_eckd
c %r4,ONE-DATA(%r13)
je write_plain
write_eckd:
call_shared eckd_write
call_lib start_io
j step_end
write_plain:
.endif
call_shared plain_begin
l %r6,WRITE_DATA-DATA(%r13)
write_plain_next:
call_shared plain_add
la %r1,1(%r1)
al %r5,DV_LEN(%r11)
loop %r4,write_plain_next
call_shared plain_end
call_lib start_io
step_end:
l %r14,STEP_RETURN-DATA(%r13)
br %r14

# Condition equal when volume r11 can take a channel program; a finished one is checked first.
volume_free:
cli DV_STATE(%r11),STATE_BUSY
je volume_busy
cli DV_STATE(%r11),STATE_IDLE
bcr 8,%r14
st %r14,MAKE_RETURN-DATA(%r13)
call_lib io_result
l %r14,MAKE_RETURN-DATA(%r13)
ltr %r15,%r15
bcr 8,%r14
call_lib io_failed
volume_busy:
ltr %r12,%r12
br %r14

# r4 = the lesser of r4 and r5.
least:
cr %r4,%r5
bcr 12,%r14
lr %r4,%r5
br %r14

# Limits r4, the records that may follow number r3, to BATCH and the end of the area; r1 = first slot; condition of r4.
batch_size:
st %r14,MAKE_RETURN-DATA(%r13)
la %r5,BATCH
call_main least
la %r6,1(%r3)
srda %r6,32
d %r6,DV_CAP(%r11)
lr %r1,%r6
l %r5,DV_CAP(%r11)
sr %r5,%r1
call_main least
st %r4,BATCH_LEFT-DATA(%r13)
l %r14,MAKE_RETURN-DATA(%r13)
ltr %r4,%r4
br %r14

# r5 = the ring entry of transaction r3: amount; branch slot, balance before, after; account slot, balance before, after.
ring_entry:
la %r5,WINDOW-1
nr %r5,%r3
sll %r5,6
al %r5,RING_AT-DATA(%r13)
br %r14

# Does transaction r3 in storage: balances and ring entry (r5). Changes r0-r2, r4, r6, r7.
move_money:
st %r14,MOVE_RETURN-DATA(%r13)
call_main ring_entry
call_shared transaction
st %r0,0(%r5)
st %r1,4(%r5)
st %r2,16(%r5)
sll %r1,3
al %r1,BALANCES_AT-DATA(%r13)
l %r4,4(%r1)
st %r4,8(%r5)
sr %r4,%r0
st %r4,12(%r5)
st %r3,0(%r1)
st %r4,4(%r1)
sll %r2,3
al %r2,BALANCES_AT-DATA(%r13)
l %r4,4(%r2)
st %r4,20(%r5)
ar %r4,%r0
st %r4,24(%r5)
st %r3,0(%r2)
st %r4,4(%r2)
l %r14,MOVE_RETURN-DATA(%r13)
br %r14

# Ticks since the last call become credit; once a second the progress is reported.
step_time:
st %r14,STEP_RETURN-DATA(%r13)
l %r1,TICKS-DATA(%r13)
l %r2,TICKS_SEEN-DATA(%r13)
cr %r1,%r2
je step_end
st %r1,TICKS_SEEN-DATA(%r13)
.if RATE
sr %r1,%r2
lr %r7,%r1
m %r6,RATE_WORD-DATA(%r13)
l %r4,CREDIT-DATA(%r13)
ar %r4,%r7
l %r5,CREDIT_LIMIT_WORD-DATA(%r13)
call_main least
st %r4,CREDIT-DATA(%r13)
l %r1,TICKS_SEEN-DATA(%r13)
.endif
c %r1,REPORT_AT-DATA(%r13)
jl step_end
la %r1,TICKS_A_SECOND(%r1)
st %r1,REPORT_AT-DATA(%r13)
cli CONSOLE_BLOCK-DATA+DV_STATE(%r13),STATE_BUSY
je step_end
call_main report
j step_end

report:
st %r14,REPORT_RETURN-DATA(%r13)
program_name
put " COMMITTED="
put_number COMMIT_ENDED
put " LOGGED="
put_number LOG_ENDED
call_lib flush
l %r14,REPORT_RETURN-DATA(%r13)
br %r14

.include "bank_start.inc"
.include "guest_format.inc"

.org LIB_AT
.include "guest_lib.inc"
.org SHARED_AT
.include "guest_bank.inc"
.org DATA_AT
.include "guest_data.inc"
.include "guest_bank_data.inc"
.include "guest_volumes.inc"
CURSOR: .long 0
CONSOLE_AT: .long CONSOLE_BLOCK
LOG_TYPE: .long TYPE_LOG
LOG_STARTED: .long 0
LOG_ENDED: .long 0
DATA_STARTED: .long 0
DATA_ENDED: .long 0
COMMIT_STARTED: .long 0
COMMIT_ENDED: .long 0
LAST_WANTED: .long 0
COUNT_WORD: .long COUNT
RATE_WORD: .long RATE
CREDIT: .long 0
CREDIT_LIMIT_WORD: .long CREDIT_LIMIT
TICKS_WORD: .long TICKS_A_SECOND
TICKS_SEEN: .long 0
REPORT_AT: .long 0
WINDOW_WORD: .long WINDOW
BATCH_SIZE: .long 0
BATCH_LEFT: .long 0
BATCH_SLOT: .long 0
STEP_RETURN: .long 0
MAKE_RETURN: .long 0
MOVE_RETURN: .long 0
REPORT_RETURN: .long 0
START_RETURN: .long 0
SCAN_SLOT: .long 0
BACK_OUT_TO: .long 0
BACKED_OUT: .long 0
LOG_BUFFERS_AT: .long LOG_BUFFERS
DATA_BUFFERS_AT: .long DATA_BUFFERS
COMMIT_BUFFERS_AT: .long COMMIT_BUFFERS
RING_AT: .long RING
BALANCES_AT: .long BALANCES
CONTROL_WORDS: .long WINDOW,CYLS
.include "guest_format_data.inc"
.include "bank_start_data.inc"
.org PROGRAM_END

# The audit program, which the bank puts on its third volume as IPL text when it formats.
AUDIT_TEXT:
.incbin "audit.bin"
.set AUDIT_LENGTH, .-AUDIT_TEXT
