# audit: reads the bank's three volumes and says whether they are a state that the bank can have left at some instant.
#
# The rule is "commit implies data implies log". Because the bank writes each volume in the order of its transactions, more can be asked: with H, D and M
# the highest transactions in log, data base and commit log,
#   - the log holds every transaction up to H, and the commit log every one up to M, as far back as their areas reach;
#   - no update of a transaction up to M is missing from the data base; D <= H; H - M is at most the window;
#   - each data base record was last written by the last transaction up to D that updates it (the account of D may still be to come);
#   - each balance is the one the log record of that transaction gives, and no money has been lost or made.
# Every byte of every record is checked. The verdict is one line on the console; the disabled wait code is WAIT_OK or WAIT_AUDIT_FAILED.
# It reads only.

.include "guest_arch.inc"
.include "guest_layout.inc"
.set COMMIT_TABLE, 0x90000
.if LOG_TABLE+LOG_CAP*12 > COMMIT_TABLE
.error "CYLS is too large for the tables of audit"
.endif

.macro error_prefix
put "AUDIT FAILED"
.endm

# Ends the audit with this rule broken, at slot r1 of volume r11, transaction r3.
.macro broken rule
call_main broken_begin
put "\rule"
j broken_end
.endm

.text
.org MAIN_AT
branch_names MAIN, %r12
program_entry
call_lib init_machine
la %r11,CONSOLE_BLOCK-DATA(%r13)
call_lib find_device
la %r8,DEVICE_TABLE-DATA(%r13)
find_volumes:
l %r11,0(%r8)
c %r11,CONSOLE_AT-DATA(%r13)
je volumes_found
call_lib find_device
ltr %r15,%r15
jnz no_device
la %r8,4(%r8)
j find_volumes
no_device:
call_lib device_absent

volumes_found:
la %r11,LOG_VOLUME-DATA(%r13)
call_shared read_control
l %r2,TRACK_BUFFER_AT-DATA(%r13)
mvc BANK_ID-DATA(8,%r13),REC_BANK(%r2)
call_main check_control
la %r11,DATA_VOLUME-DATA(%r13)
call_shared read_control
call_main check_control
la %r11,COMMIT_VOLUME-DATA(%r13)
call_shared read_control
call_main check_control

la %r11,LOG_VOLUME-DATA(%r13)
la %r1,keep_log-MAIN(%r12)
call_main scan
mvc LOGGED-DATA(4,%r13),HIGHEST-DATA(%r13)
la %r11,COMMIT_VOLUME-DATA(%r13)
la %r1,keep_commit-MAIN(%r12)
call_main scan
mvc COMMITTED-DATA(4,%r13),HIGHEST-DATA(%r13)
la %r11,DATA_VOLUME-DATA(%r13)
la %r1,keep_data-MAIN(%r12)
call_main scan
mvc UPDATED-DATA(4,%r13),HIGHEST-DATA(%r13)

# Nothing committed or updated that is not logged.
la %r11,COMMIT_VOLUME-DATA(%r13)
l %r3,COMMITTED-DATA(%r13)
c %r3,LOGGED-DATA(%r13)
jh commit_not_logged
la %r11,DATA_VOLUME-DATA(%r13)
l %r3,UPDATED-DATA(%r13)
c %r3,LOGGED-DATA(%r13)
jh update_not_logged

# No gap in the log.
la %r11,LOG_VOLUME-DATA(%r13)
sr %r1,%r1
l %r8,LOG_TABLE_AT-DATA(%r13)
log_gap_next:
l %r3,LOGGED-DATA(%r13)
call_main number_in_slot
c %r3,8(%r8)
jne log_gap
la %r8,12(%r8)
la %r1,1(%r1)
c %r1,DV_CAP(%r11)
jl log_gap_next

# No gap in the commit log.
la %r11,COMMIT_VOLUME-DATA(%r13)
sr %r1,%r1
l %r8,COMMIT_TABLE_AT-DATA(%r13)
commit_gap_next:
l %r3,COMMITTED-DATA(%r13)
call_main number_in_slot
c %r3,0(%r8)
jne commit_gap
la %r8,4(%r8)
la %r1,1(%r1)
c %r1,DV_CAP(%r11)
jl commit_gap_next

# The data base, record by record.
la %r11,DATA_VOLUME-DATA(%r13)
sr %r1,%r1
l %r8,BALANCES_AT-DATA(%r13)
data_next:
l %r3,COMMITTED-DATA(%r13)
call_shared last_update
c %r3,0(%r8)
jh commit_not_updated
l %r3,UPDATED-DATA(%r13)
call_shared last_update
c %r3,0(%r8)
je data_balance
call_main account_to_come
jne data_order
data_balance:
l %r3,0(%r8)
l %r4,OPENING-DATA(%r13)
ltr %r3,%r3
jz data_compare
call_main log_balance
data_compare:
c %r4,4(%r8)
jne data_money
a %r4,MONEY-DATA(%r13)
st %r4,MONEY-DATA(%r13)
la %r8,8(%r8)
la %r1,1(%r1)
c %r1,DV_CAP(%r11)
jl data_next
l %r3,UPDATED-DATA(%r13)
l %r4,MONEY-DATA(%r13)
c %r4,ALL_MONEY-DATA(%r13)
jne money_lost

# No more in flight than the bank allows: otherwise commit records are missing at the end.
l %r3,LOGGED-DATA(%r13)
s %r3,COMMITTED-DATA(%r13)
st %r3,IN_FLIGHT-DATA(%r13)
c %r3,WINDOW_WORD-DATA(%r13)
jh commits_lost

put "AUDIT PASSED COMMITTED="
put_number COMMITTED
put " LOGGED="
put_number LOGGED
put " IN FLIGHT="
put_number IN_FLIGHT
call_lib flush
la %r1,WAIT_OK
call_lib stop

commit_not_logged:
call_main slot_of
broken "COMMITTED BUT NOT LOGGED"
update_not_logged:
call_shared transaction
broken "IN THE DATA BASE BUT NOT LOGGED"
log_gap:
broken "LOG RECORD MISSING"
commit_gap:
broken "COMMIT RECORD MISSING"
commit_not_updated:
broken "COMMITTED BUT NOT IN THE DATA BASE"
data_order:
broken "DATA BASE UPDATE MISSING OR OUT OF ORDER"
data_money:
broken "BALANCE IS NOT THE ONE IN THE LOG"
money_lost:
call_shared transaction
broken "SUM OF ALL BALANCES IS WRONG"
commits_lost:
l %r3,COMMITTED-DATA(%r13)
la %r3,1(%r3)
la %r11,COMMIT_VOLUME-DATA(%r13)
call_main slot_of
broken "MORE IN FLIGHT THAN THE BANK ALLOWS"

# The control record in TRACK_BUFFER (r15: read_control's answer) must be sound, and of the same bank and sizes as the others.
check_control:
st %r14,CONTROL_RETURN-DATA(%r13)
ltr %r15,%r15
jnz not_formatted
l %r2,TRACK_BUFFER_AT-DATA(%r13)
l %r1,ALL_ONES-DATA(%r13)
call_shared check_record
ltr %r15,%r15
jnz control_damaged
clc REC_WINDOW(8,%r2),CONTROL_WORDS-DATA(%r13)
jne control_other
clc REC_WINDOW+8(4,%r2),DV_CAP(%r11)
jne control_other
l %r14,CONTROL_RETURN-DATA(%r13)
br %r14
not_formatted:
call_main control_slot
broken "NO BANK ON THE VOLUME"
control_damaged:
call_main control_slot
broken "CONTROL RECORD DAMAGED OR OF ANOTHER BANK"
control_other:
call_main control_slot
broken "CONTROL RECORD HAS OTHER SIZES THAN THIS AUDIT"
control_slot:
l %r1,DV_RPT(%r11)
lcr %r1,%r1
sr %r3,%r3
br %r14

# r3 = the highest number not above r3 whose slot on volume r11 is r1, or 0. Changes r6, r7.
number_in_slot:
lr %r6,%r3
sr %r6,%r1
jm number_none
lr %r7,%r6
sr %r6,%r6
d %r6,DV_CAP(%r11)
sr %r3,%r6
br %r14
number_none:
sr %r3,%r3
br %r14

# r1 = the slot of number r3 on volume r11. Changes r6, r7.
slot_of:
lr %r6,%r3
srda %r6,32
d %r6,DV_CAP(%r11)
lr %r1,%r6
br %r14

# Condition equal when record r1 (table entry r8) is the account of the last update and only that update is to come. It is counted as if it had come.
account_to_come:
st %r14,CONTROL_RETURN-DATA(%r13)
st %r1,SLOT-DATA(%r13)
l %r3,UPDATED-DATA(%r13)
call_shared transaction
lr %r5,%r0
l %r1,SLOT-DATA(%r13)
cr %r1,%r2
jne account_end
s %r3,ONE-DATA(%r13)
call_shared last_update
c %r3,0(%r8)
jne account_end
a %r5,MONEY-DATA(%r13)
st %r5,MONEY-DATA(%r13)
cr %r1,%r1
account_end:
l %r3,UPDATED-DATA(%r13)
l %r14,CONTROL_RETURN-DATA(%r13)
br %r14

# r4 = the balance that the log record of transaction r3 gives record r1. Changes r5-r7.
log_balance:
lr %r6,%r3
srda %r6,32
d %r6,LOG_CAP_WORD-DATA(%r13)
lr %r7,%r6
mh %r7,TWELVE-DATA(%r13)
al %r7,LOG_TABLE_AT-DATA(%r13)
l %r4,0(%r7)
c %r1,BRANCHES_WORD-DATA(%r13)
bcr 4,%r14
l %r4,4(%r7)
br %r14

# Reads the area of volume r11, checks every record, and gives each to the routine at r1 (record r2, slot r1, number r3; it may change r4-r7).
# HIGHEST = the highest number.
scan:
st %r14,SCAN_RETURN-DATA(%r13)
st %r1,KEEP-DATA(%r13)
sr %r1,%r1
st %r1,HIGHEST-DATA(%r13)
scan_track:
st %r1,SLOT-DATA(%r13)
call_shared read_track
l %r8,DV_RPT(%r11)
l %r2,TRACK_BUFFER_AT-DATA(%r13)
scan_record:
l %r1,SLOT-DATA(%r13)
call_shared check_record
ltr %r15,%r15
jnz record_bad
c %r3,HIGHEST-DATA(%r13)
jnh scan_keep
st %r3,HIGHEST-DATA(%r13)
scan_keep:
l %r15,KEEP-DATA(%r13)
balr %r14,%r15
l %r1,SLOT-DATA(%r13)
la %r1,1(%r1)
st %r1,SLOT-DATA(%r13)
al %r2,DV_LEN(%r11)
loop %r8,scan_record
c %r1,DV_CAP(%r11)
jl scan_track
l %r14,SCAN_RETURN-DATA(%r13)
br %r14

record_bad:
c %r15,BAD_WORDS-DATA(%r13)
jne record_bad_2
broken "RECORD TORN OR DAMAGED"
record_bad_2:
c %r15,BAD_WORDS-DATA+4(%r13)
jne record_bad_3
broken "RECORD OF ANOTHER PLACE OR BANK"
record_bad_3:
c %r15,BAD_WORDS-DATA+8(%r13)
jne record_bad_4
broken "TRANSACTION NUMBER OUT OF RANGE"
record_bad_4:
broken "CONTENT IS NOT THAT OF THE TRANSACTION"

# Log: the transaction must be what its number says; both new balances and the number are kept.
keep_log:
st %r14,CONTROL_RETURN-DATA(%r13)
lr %r5,%r1
mh %r5,TWELVE-DATA(%r13)
al %r5,LOG_TABLE_AT-DATA(%r13)
mvc 0(4,%r5),REC_BRANCH+8(%r2)
mvc 4(4,%r5),REC_ACCOUNT+8(%r2)
st %r3,8(%r5)
ltr %r3,%r3
bcr 8,%r14
lr %r4,%r2
call_shared transaction
lr %r5,%r2
lr %r2,%r4
c %r0,REC_AMOUNT(%r2)
jne keep_bad
c %r1,REC_BRANCH(%r2)
jne keep_bad
c %r5,REC_ACCOUNT(%r2)
jne keep_bad
l %r1,REC_BRANCH+4(%r2)
sr %r1,%r0
c %r1,REC_BRANCH+8(%r2)
jne keep_bad
l %r1,REC_ACCOUNT+4(%r2)
ar %r1,%r0
c %r1,REC_ACCOUNT+8(%r2)
jne keep_bad
l %r14,CONTROL_RETURN-DATA(%r13)
br %r14
keep_bad:
l %r1,SLOT-DATA(%r13)
j record_bad_4

keep_commit:
lr %r5,%r1
sll %r5,2
al %r5,COMMIT_TABLE_AT-DATA(%r13)
st %r3,0(%r5)
br %r14

keep_data:
lr %r5,%r1
sll %r5,3
al %r5,BALANCES_AT-DATA(%r13)
st %r3,0(%r5)
mvc 4(4,%r5),REC_BALANCE(%r2)
br %r14

# The verdict on a broken rule.
broken_begin:
st %r14,SCAN_RETURN-DATA(%r13)
st %r1,SLOT-DATA(%r13)
st %r3,NUMBER-DATA(%r13)
put "AUDIT FAILED: "
l %r14,SCAN_RETURN-DATA(%r13)
br %r14
broken_end:
put " TRANSACTION="
put_number NUMBER
put " VOLUME="
call_lib put_device
put " CCHHR="
l %r1,SLOT-DATA(%r13)
call_shared locate
st %r2,CCHHR-DATA(%r13)
stc %r3,CCHHR-DATA+4(%r13)
la %r1,CCHHR-DATA(%r13)
la %r2,5
call_lib put_hex
call_lib flush
la %r1,WAIT_AUDIT_FAILED
call_lib stop


.org LIB_AT
.include "guest_lib.inc"
.org SHARED_AT
.include "guest_bank.inc"
.org DATA_AT
.include "guest_data.inc"
.include "guest_bank_data.inc"
.include "guest_volumes.inc"
CONSOLE_AT: .long CONSOLE_BLOCK
CONTROL_WORDS: .long WINDOW,CYLS
CONTROL_RETURN: .long 0
SCAN_RETURN: .long 0
KEEP: .long 0
SLOT: .long 0
NUMBER: .long 0
HIGHEST: .long 0
LOGGED: .long 0
COMMITTED: .long 0
UPDATED: .long 0
IN_FLIGHT: .long 0
MONEY: .long 0
ALL_MONEY: .long DATA_CAP*OPENING_BALANCE
OPENING: .long OPENING_BALANCE
WINDOW_WORD: .long WINDOW
LOG_CAP_WORD: .long LOG_CAP
LOG_TABLE_AT: .long LOG_TABLE
COMMIT_TABLE_AT: .long COMMIT_TABLE
BALANCES_AT: .long BALANCES
BAD_WORDS: .long BAD_CHECKSUM,BAD_IDENTITY,BAD_NUMBER
TWELVE: .short 12
CCHHR: .skip 5
.org PROGRAM_END
