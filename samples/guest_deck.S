# An IPL deck for a card reader: a program image cut into 80-byte cards, loaded by the IPL channel program alone.
#
# The first card holds the IPL PSW and two CCWs: read the next card to A, continue there. Every ninth card holds ten CCWs: they read the
# next eight cards of the program to their place, then the following card of CCWs to B (or A), and continue there.
# Symbols: MAIN_AT, DECK_LENGTH (bytes of program.bin), S370.
.set A, 0x200
.set B, 0x280
.set CARDS, (DECK_LENGTH+79)/80
.set GROUPS, (CARDS+7)/8
.text
.ifdef S370
.long 0,MAIN_AT
.else
.long 0x00080000,0x80000000+MAIN_AT
.endif
.long 0x02000000+A,0x40000050, 0x08000000+A,0
.org 80
.set here, A
.set card, 0
.rept GROUPS
.set first, card
.rept 8
.if card < CARDS-1
.long 0x02000000+MAIN_AT+card*80,0x40000050
.elseif card == CARDS-1
.long 0x02000000+MAIN_AT+card*80,0x00000050
.else
.long 0,0
.endif
.set card, card+1
.endr
.set here, A+B-here
.long 0x02000000+here,0x40000050, 0x08000000+here,0
.set card, first
.rept 8
.if card < CARDS-1
.incbin "program.bin",card*80,80
.elseif card == CARDS-1
.incbin "program.bin",card*80,DECK_LENGTH-card*80
.skip 80-(DECK_LENGTH-card*80)
.endif
.set card, card+1
.endr
.endr
