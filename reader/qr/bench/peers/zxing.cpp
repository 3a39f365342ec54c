// zxing-cpp 1.4 as a peer: its defaults, QR codes only, one symbol.
#define ZX_USE_UTF8 1
#include <ZXing/ReadBarcode.h>

#include "frame.h"

int main() {
  const auto hints = ZXing::DecodeHints().setFormats(ZXing::BarcodeFormat::QRCode).setMaxNumberOfSymbols(1);
  uint8_t *gray = nullptr;
  uint32_t width, height;
  while (next_frame(&gray, &width, &height)) {
    const uint64_t start = cpu_ns();
    const auto results = ZXing::ReadBarcodes({gray, int(width), int(height), ZXing::ImageFormat::Lum}, hints);
    put_head(cpu_ns() - start, uint32_t(results.size()));
    for (const auto &r : results) {
      const auto text = r.text();
      put_bytes(text.data(), text.size());
      put_bytes(r.bytes().data(), r.bytes().size());
    }
    fflush(stdout);
  }
}
