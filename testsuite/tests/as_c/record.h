/* What a rune wrote, as a line: for each tensor its bytes, and after them, in case they are texts, what they point to. */
static void print_record(const uint8_t *memory, uint32_t size, uint32_t output, uint32_t at, unsigned tensors) {
    printf("output %u", (unsigned)output);
    for (; tensors > 0; tensors--) {
        uint32_t head[3];
        memcpy(head, memory + at, 12);
        at += 12 + 4 * head[2];
        putchar(' ');
        for (uint32_t i = 0; i < head[1]; i++) printf("%02x", memory[head[0] + i]);
        putchar(',');
        for (uint32_t i = 0; i + 8 <= head[1]; i += 8) {
            uint32_t text[2];
            memcpy(text, memory + head[0] + i, 8);
            if (text[0] > size || text[1] > size - text[0]) continue;
            putchar('t');
            for (uint32_t j = 0; j < text[1] && j < 4096; j++) printf("%02x", memory[text[0] + j]);
            putchar(',');
        }
    }
    puts("");
}
