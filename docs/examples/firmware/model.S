/* The model among the program's constants. MODEL is the path of the file. */
    .section .rodata.model, "a"
    .balign 64
    .global model, model_end
model:
    .incbin MODEL
model_end:
    .byte 0
