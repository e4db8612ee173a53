# Stand-alone ESA/390 program: runs the table of channel programs that the test has put behind it. Loaded at 0, begun by RESTART.
# An entry has 32 bytes: +0 subchannel id (0 = end, -1 = back to the first entry), +4 ORB, +8 operation, +12 delay count,
# +16 unit status, channel status, residual count, +20 CCW address, +24 first word of the SCSW.
# Operations: 0 START and wait, 1 START only, 2 CLEAR and wait, 3 HALT and wait, 4 delay, 5 wait only.
        .machine g5
        .text
        .org 0x000
        .long 0x00080000, 0x80001000    # restart new PSW
        .org 0x068
        .long 0x000A0000, 0x0000DEAD    # program new PSW: the test fails
        .org 0x078
        .long 0x00080000, 0x80001100    # I/O new PSW
        .org 0x800
        .long 0xFF000000                # CR6: all I/O interruption subclasses
        .long 0x00002000                # the table
        .long 0x020A0000, 0x80000000    # enabled wait
        .long 0                         # 0x810: rounds made
        .long 0                         # 0x814: rounds to be made, if the table goes back to its first entry
        .long 0x000A0000, 0x00000000    # 0x818: disabled wait: done
        .org 0x1000
start:  lctl  6,6,0x800
        l     4,0x804
next:   icm   1,15,0(4)
        jz    done
        chi   1,-1
        je    again
        stsch 0x900
        oi    0x905,0x80                # enable
        msch  0x900
        l     6,8(4)
        chi   6,4
        je    delay
        chi   6,5
        je    wait
        chi   6,2
        je    clear
        chi   6,3
        je    halt
        l     5,4(4)
ssch:   ssch  0(5)
        jz    started
        tsch  0x940                     # cc 1: status pending from before; cc 2: busy
        j     ssch
started: chi  6,1
        je    skip
wait:   lpsw  0x808
clear:  csch
        j     wait
halt:   hsch
        jnz   halt
        j     wait
delay:  l     7,12(4)
turn:   brct  7,turn
        j     skip
again:  l     4,0x804
        l     7,0x810
        ahi   7,1
        st    7,0x810
        c     7,0x814
        jl    next
done:   lpsw  0x818
        .org 0x1100
ioint:  l     1,0xB8
        tsch  0x940
        c     1,0(4)
        jne   wait
        l     6,8(4)
        chi   6,0
        jne   finish                    # a clear or halt ends without secondary status
        tm    0x943,0x02
        jz    wait
finish: mvc   16(4,4),0x948
        mvc   20(4,4),0x944
        mvc   24(4,4),0x940
skip:   ahi   4,32
        j     next
        .org 0x2000
