/* A host for images on the emulated board: each is copied to a slot, is given a block and a stack, and is asked what its
   header says. After whatever it asks for, all registers but the stack pointer hold rubbish. */
#include "metal.h"
#include "images.h"
#include "record.h"

enum { SLOT = 192 << 10, BLOCK = 256 << 10, STACK = 16 << 10, BELOW = 256 };

/* Three places, of which the second and third are aligned to no more than they must be. */
static uint8_t slots[3 * SLOT + 128] __attribute__((aligned(1024)));
static uint8_t blocks[3 * BLOCK + 128] __attribute__((aligned(1024)));
static uint8_t stacks[3 * STACK + 128] __attribute__((aligned(1024)));
static const uint32_t shifts[3] = {0, 32, 96};

static const struct image *image;
static uint8_t *memory;
static uint32_t size;
static const uint8_t *next;
static uint32_t trapped;
uint32_t saved;

uint32_t enter(void *block, uint32_t operation, uint32_t answer, uint32_t entry, void *stack);
void resume(void);
void service(uint32_t *frame, uint32_t kind);

__asm__(".syntax unified\n.section .text.enter,\"ax\",%progbits\n.globl enter\n.thumb_func\nenter:\n"
        "ldr r12, [sp]\npush {r4-r12, lr}\nvpush {d8-d15}\nldr r4, =saved\nstr sp, [r4]\nmsr psp, r12\n"
        "movs r4, #2\nmsr control, r4\nisb\nbx r3\n.ltorg\n"
        ".globl resume\n.type resume, %function\n.thumb_func\nresume:\n"
        "movs r4, #0\nmsr control, r4\nisb\nldr r4, =saved\nldr sp, [r4]\nvpop {d8-d15}\npop {r4-r12, pc}\n.ltorg\n"
        ".section .text.svc_handler,\"ax\",%progbits\n.globl svc_handler\n.type svc_handler, %function\n.thumb_func\nsvc_handler:\n"
        "mrs r0, psp\nmov r1, lr\npush {r1, lr}\nbl service\npop {r1, lr}\n"
        "movw r4, #0xdead\nmovt r4, #0xdead\nmov r5, r4\nmov r6, r4\nmov r7, r4\nmov r8, r4\nmov r9, r4\nmov r10, r4\nmov r11, r4\n"
        "vmov d8, r4, r4\nvmov d9, r4, r4\nvmov d10, r4, r4\nvmov d11, r4, r4\n"
        "vmov d12, r4, r4\nvmov d13, r4, r4\nvmov d14, r4, r4\nvmov d15, r4, r4\nbx lr\n.text\n");

static uint32_t sample(uint32_t at, uint32_t bytes) {
    if (at > size || bytes > size - at) puts("a sample lies outside of memory");
    memcpy(memory + at, next, bytes);
    next += bytes;
    return bytes;
}

void service(uint32_t *frame, uint32_t kind) {
    const uint32_t number = *(const uint8_t *)(frame[6] - 2), a = frame[0], b = frame[1], c = frame[2];
    switch (number) {
    case 0:
        if (b != 0) print_record(memory, size, (b >> 28) - 1, b & ((1u << 28) - 1), image->tensors[(b >> 28) - 1]);
        /* fall through */
    case 1:
        if (number == 1) trapped = a;
        frame[6] = (uint32_t)resume & ~1u;
        frame[7] = 1u << 24;
        return;
    case 16:
        frame[0] = sample(b, c);
        break;
    case 17:
        print_record(memory, size, a, b, image->tensors[a]);
        frame[0] = 0;
        break;
    case 18:
    case 19:
    case 20:
        break;
    default:
        printf("no service has the number %u\n", (unsigned)number);
        exit(5);
    }
    frame[1] = frame[2] = frame[3] = frame[4] = frame[5] = 0xdeaddead;
    if ((kind & 16) == 0)
        for (int i = 8; i < 24; i++) frame[i] = 0xdeaddead;
}

static uint32_t word(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, 4);
    return value;
}

static void run(unsigned place) {
    const uint32_t length = (uint32_t)(image->end - image->start);
    uint8_t *slot = slots + place * SLOT + shifts[place], *block = blocks + place * BLOCK + shifts[place];
    const uint32_t room = word(image->start + 32), stack = word(image->start + 44);
    uint8_t *bottom = stacks + place * STACK + shifts[place] + BELOW;
    uint32_t used = 0;
    if (length > SLOT || room > BLOCK || stack + BELOW > STACK) {
        puts("the image does not fit");
        exit(6);
    }
    memset(slot, 0xee, SLOT);
    memcpy(slot, image->start, length);
    /* Whatever was in RAM. */
    memset(block, 0x5b, room + 64);
    memset(bottom - BELOW, 0xa5, stack + BELOW);
    memory = block + word(slot + 36);
    size = word(slot + 40);
    const uint32_t entry = (uint32_t)slot + word(slot + 48) + 1;
    trapped = 0;
    enter(block, 0, 0, entry, bottom + stack);
    for (int round = 0; round < 2 && trapped == 0; round++) {
        if (round > 0 && (word(slot + 28) & 1) != 0) enter(block, 2, 0, entry, bottom + stack);
        puts("rune");
        next = image->feeds;
        for (unsigned call = 0; call < image->calls; call++) {
            /* What the header says that a call begins with reading. */
            const int reads = (word(slot + 28) & 2) != 0;
            const uint32_t answer = reads ? sample(word(slot + 88), word(slot + 92)) : 0;
            const uint32_t code = enter(block, 1, answer, entry, bottom + stack);
            if (trapped != 0) {
                printf("trap %u\n", (unsigned)trapped);
                break;
            }
            printf("call %d\n", (int)code);
            if ((int32_t)code < 0) break;
        }
    }
    for (uint32_t i = 0; i < BELOW; i++)
        if (bottom[(int32_t)i - BELOW] != 0xa5) used = 1;
    for (uint32_t i = 0; i < 64; i++)
        if (block[room + i] != 0x5b) used = 1;
    if (used != 0) puts("it wrote beyond its block or its stack");
    for (uint32_t i = 0; i < length; i++)
        if (slot[i] != image->start[i]) used = 1;
    if (used == 0)
        while (used < stack && bottom[used] == 0xa5) used++;
    printf("stack %u %u\n", (unsigned)(stack - used), (unsigned)stack);
}

int main(void) {
    for (unsigned i = 0; i < IMAGES; i++) {
        image = &images[i];
        for (unsigned place = 0; place < 3; place++) run(place);
    }
    return 0;
}
