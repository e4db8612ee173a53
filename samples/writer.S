# writer: a load of writes to one or more CKD volumes. Each record describes itself (README.md), so that a reader can check every byte.
#
# Symbols for --define: SIZE record length in bytes (a multiple of 4); PATTERN 0 sequential, 1 random, 2 one hot record rewritten;
# VOLUMES 1 to 8, devices DEV, DEV+1, ...; RATE records a second in all (0: no limit); COUNT records in all (0: for ever); SEED of the
# random pattern; FORMAT 0 to write on volumes formatted by an earlier run of the same SIZE; CYLS of each volume.

.include "guest_arch.inc"
.set MAGIC, 0xE6D9E3D9
.include "guest_layout.inc"
.irp name, SIZE, PATTERN, VOLUMES, RATE, COUNT, SEED, FORMAT
.ifndef \name
.set NO_\name, 1
.endif
.endr
.ifdef NO_SIZE
.set SIZE, 4096
.endif
.ifdef NO_PATTERN
.set PATTERN, 0
.endif
.ifdef NO_VOLUMES
.set VOLUMES, 1
.endif
.ifdef NO_RATE
.set RATE, 300
.endif
.ifdef NO_COUNT
.set COUNT, 0
.endif
.ifdef NO_SEED
.set SEED, 1
.endif
.ifdef NO_FORMAT
.set FORMAT, 1
.endif

# Records per track, by the capacity formula of each type.
.ifdef S370
.set LARGEST, 19069
.set RPT, 19254/(SIZE+185)
.else
.set LARGEST, 56664
.set SEGMENTS, (SIZE+6+231)/232
.set RPT, 1729/(19+(SIZE+6*SEGMENTS+6+33)/34)
.endif
.if (SIZE%4) || (SIZE < REC_FILLER+8) || (SIZE > LARGEST)
.error "SIZE must be a multiple of 4 from 72 to the largest record of the volume (56664 on 3390, 19069 on 3350)"
.endif
.if (VOLUMES < 1) || (VOLUMES > 8)
.error "VOLUMES must be 1 to 8"
.endif
.if (PATTERN < 0) || (PATTERN > 2)
.error "PATTERN must be 0 (sequential), 1 (random) or 2 (hot)"
.endif
.set CAP, AREA_TRACKS*RPT
.set TYPE_WRITER, 0xE6D9C9E3
.set TICKS_A_SECOND, 200
.set CREDIT_LIMIT, RATE*20+8*TICKS_A_SECOND
# A record buffer of 64 KiB for each volume.
.set BUFFERS, 0x100000

.macro program_name
put "WRITER"
.endm
.macro error_prefix
put "WRITER STOPPED"
.endm

.text
.org MAIN_AT
branch_names MAIN, %r12
program_entry
call_lib init_machine
la %r11,CONSOLE_BLOCK-DATA(%r13)
call_lib find_device
mvc BANK_ID+4-DATA(4,%r13),RANDOM-DATA(%r13)
la %r11,VOLUME_BLOCKS-DATA(%r13)
find_volumes:
call_lib find_device
ltr %r15,%r15
jnz no_device
la %r11,DV_SIZE(%r11)
c %r11,VOLUMES_END-DATA(%r13)
jl find_volumes
.if FORMAT
program_name
put " FORMATS THE VOLUMES"
call_lib flush
la %r11,VOLUME_BLOCKS-DATA(%r13)
format_volumes:
call_main format_area
la %r11,DV_SIZE(%r11)
c %r11,VOLUMES_END-DATA(%r13)
jl format_volumes
.endif
call_lib start_ticks

run_again:
sr %r0,%r0
st %r0,PENDING-DATA(%r13)
la %r11,VOLUME_BLOCKS-DATA(%r13)
next_volume:
call_main step_volume
la %r11,DV_SIZE(%r11)
c %r11,VOLUMES_END-DATA(%r13)
jl next_volume
call_main step_time
.if COUNT
clc ENDED-DATA(4,%r13),COUNT_WORD-DATA(%r13)
je finished
.endif
# An I/O that ended while it was started gives no interruption.
cli PENDING-DATA+3(%r13),0
jne run_again
call_lib wait_event
j run_again
no_device:
call_lib device_absent

.if COUNT
finished:
call_main report
program_name
put " ENDED"
call_lib flush
la %r1,WAIT_OK
call_lib stop
.endif

# Takes the result of volume r11's write, and starts the next one when there is credit.
step_volume:
cli DV_STATE(%r11),STATE_BUSY
bcr 8,%r14
st %r14,STEP_RETURN-DATA(%r13)
cli DV_STATE(%r11),STATE_IDLE
je volume_idle
call_lib io_result
ltr %r15,%r15
jnz volume_failed
l %r1,ENDED-DATA(%r13)
la %r1,1(%r1)
st %r1,ENDED-DATA(%r13)
volume_idle:
l %r3,STARTED-DATA(%r13)
.if COUNT
c %r3,COUNT_WORD-DATA(%r13)
jnl step_end
.endif
.if RATE
l %r1,CREDIT-DATA(%r13)
s %r1,TICKS_WORD-DATA(%r13)
jm step_end
st %r1,CREDIT-DATA(%r13)
.endif
la %r3,1(%r3)
st %r3,STARTED-DATA(%r13)
call_main choose_slot
l %r2,DV_BUFFER(%r11)
xc 0(REC_FILLER,%r2),0(%r2)
call_shared make_record
lr %r5,%r2
.ifdef S370
call_shared plain_begin
l %r6,WRITE_DATA-DATA(%r13)
call_shared plain_add
call_shared plain_end
.else
la %r4,1
call_shared eckd_write
.endif
call_lib start_io
cli DV_STATE(%r11),STATE_DONE
jne step_end
mvi PENDING-DATA+3(%r13),1
step_end:
l %r14,STEP_RETURN-DATA(%r13)
br %r14
volume_failed:
call_lib io_failed

# r1 = the slot for the next record of volume r11. Changes r6, r7.
choose_slot:
.if PATTERN == 2
sr %r1,%r1
.else
.if PATTERN == 1
l %r7,RANDOM-DATA(%r13)
m %r6,RANDOM_FACTOR-DATA(%r13)
al %r7,ONE-DATA(%r13)
st %r7,RANDOM-DATA(%r13)
srl %r7,8
sr %r6,%r6
.else
# By the volume's own count: the volumes need not take their turns one by one, and no record may be written over another.
l %r6,DV_NEXT(%r11)
lr %r1,%r6
al %r1,ONE-DATA(%r13)
st %r1,DV_NEXT(%r11)
srda %r6,32
.endif
d %r6,CAP_WORD-DATA(%r13)
lr %r1,%r6
.endif
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
al %r7,CREDIT-DATA(%r13)
c %r7,CREDIT_LIMIT_WORD-DATA(%r13)
jnh credit_set
l %r7,CREDIT_LIMIT_WORD-DATA(%r13)
credit_set:
st %r7,CREDIT-DATA(%r13)
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
put " WRITTEN="
put_number ENDED
call_lib flush
l %r14,REPORT_RETURN-DATA(%r13)
br %r14

.include "guest_format.inc"

.org LIB_AT
.include "guest_lib.inc"
.org SHARED_AT
.include "guest_bank.inc"
.org DATA_AT
.include "guest_data.inc"
.include "guest_bank_data.inc"
.include "guest_format_data.inc"
.balign 8
VOLUME_BLOCKS:
.set volume, 0
.rept VOLUMES
device_block DEV+volume, CCW_LOG+volume*0x1000, TYPE_WRITER, RPT, SIZE, CAP, BUFFERS+volume*0x10000
.set volume, volume+1
.endr
DEVICE_TABLE:
.set volume, 0
.rept VOLUMES
.long VOLUME_BLOCKS+volume*DV_SIZE
.set volume, volume+1
.endr
.long CONSOLE_BLOCK,0
VOLUMES_END: .long VOLUME_BLOCKS+VOLUMES*DV_SIZE
CAP_WORD: .long CAP
STARTED: .long 0
ENDED: .long 0
COUNT_WORD: .long COUNT
RATE_WORD: .long RATE
CREDIT: .long 0
CREDIT_LIMIT_WORD: .long CREDIT_LIMIT
TICKS_WORD: .long TICKS_A_SECOND
TICKS_SEEN: .long 0
REPORT_AT: .long 0
PENDING: .long 0
RANDOM: .long SEED
RANDOM_FACTOR: .long 69069
STEP_RETURN: .long 0
REPORT_RETURN: .long 0
.org PROGRAM_END
