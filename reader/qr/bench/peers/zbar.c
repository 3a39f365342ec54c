// ZBar as a peer: its scanner's defaults, QR codes only.
#include <zbar.h>

#include "frame.h"

int main(void) {
  zbar_image_scanner_t *scanner = zbar_image_scanner_create();
  zbar_image_scanner_set_config(scanner, 0, ZBAR_CFG_ENABLE, 0);
  zbar_image_scanner_set_config(scanner, ZBAR_QRCODE, ZBAR_CFG_ENABLE, 1);
  uint8_t *gray = NULL;
  uint32_t width, height;
  while (next_frame(&gray, &width, &height)) {
    zbar_image_t *image = zbar_image_create();
    zbar_image_set_format(image, zbar_fourcc('Y', '8', '0', '0'));
    zbar_image_set_size(image, width, height);
    zbar_image_set_data(image, gray, (unsigned long)width * height, NULL);
    uint64_t start = cpu_ns();
    int n = zbar_scan_image(scanner, image);
    put_head(cpu_ns() - start, n > 0 ? n : 0);
    if (n > 0) {
      const zbar_symbol_t *s = zbar_image_first_symbol(image);
      for (; s; s = zbar_symbol_next(s)) {
        put_bytes(zbar_symbol_get_data(s), zbar_symbol_get_data_length(s));
        put_bytes(zbar_symbol_get_data(s), zbar_symbol_get_data_length(s));
      }
    }
    fflush(stdout);
    zbar_image_destroy(image);
  }
  zbar_image_scanner_destroy(scanner);
  return 0;
}
