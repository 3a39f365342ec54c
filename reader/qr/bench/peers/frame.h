// The talk between the benchmark and a peer, over stdin and stdout; all numbers
// are little-endian.
//   to the peer:   u32 width, u32 height, u32 place, width × height bytes of gray
//   from the peer: u64 CPU time of the decode call in ns, u64 allocations (0: not counted),
//                  u32 n, then n times: u32 length, text in UTF-8, u32 length, bytes as encoded
// place is 0 for a picture that has nothing to do with the one before it, 1 for
// the first frame of a stream and 2 for those that follow.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static uint64_t cpu_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// next_frame reads a frame into *gray, which it makes larger as needed; 0 at the end.
static int next_frame(uint8_t **gray, uint32_t *width, uint32_t *height) {
  static size_t room;
  uint32_t head[3];
  if (fread(head, sizeof head, 1, stdin) != 1) return 0;
  size_t n = (size_t)head[0] * head[1];
  if (n > room) {
    free(*gray);
    *gray = (uint8_t *)malloc(n);
    room = n;
    if (!*gray) exit(1);
  }
  *width = head[0];
  *height = head[1];
  return n == 0 || fread(*gray, n, 1, stdin) == 1;
}

static void put_head(uint64_t ns, uint32_t n) {
  uint64_t head[2] = {ns, 0};
  fwrite(head, sizeof head, 1, stdout);
  fwrite(&n, sizeof n, 1, stdout);
}

static void put_bytes(const void *data, size_t size) {
  uint32_t n = (uint32_t)size;
  fwrite(&n, sizeof n, 1, stdout);
  fwrite(data, 1, size, stdout);
}
