package qr

import "encoding/binary"

// smooth draws src into dst through the kernel 1 2 1 in both directions, which takes
// five eighths of the noise. Means of bytes are taken eight at a time:
// (a & b) + ((a ^ b) >> 1) per byte (H. S. Warren, "Hacker's Delight", 2–5).
func smooth(dst *plane, src *plane, row []byte) []byte {
	w, h := src.w, src.h
	dst.w, dst.h, dst.stride = w, h, w
	dst.pix = grow(dst.pix, w*h)
	row = grow(row, w+2)
	for y := range h {
		mid := src.pix[y*src.stride:][:w]
		up, down := mid, mid
		if y > 0 {
			up = src.pix[(y-1)*src.stride:][:w]
		}
		if y < h-1 {
			down = src.pix[(y+1)*src.stride:][:w]
		}
		mean3(row[1:], up, mid, down, w)
		row[0], row[w+1] = row[1], row[w]
		mean3(dst.pix[y*w:], row, row[1:], row[2:], w)
	}
	return row
}

// mean3 is (a + 2b + c)/4 of w bytes.
func mean3(dst, a, b, c []byte, w int) {
	dst, a, b, c = dst[:w], a[:w], b[:w], c[:w]
	one := func(x int) {
		p := binary.LittleEndian.Uint64(a[x:])
		q := binary.LittleEndian.Uint64(c[x:])
		m := binary.LittleEndian.Uint64(b[x:])
		p = p&q + (p^q)>>1&0x7f7f7f7f7f7f7f7f
		// Rounded up where the first mean was rounded down, so that no darkness creeps in.
		binary.LittleEndian.PutUint64(dst[x:], (p|m)-(p^m)>>1&0x7f7f7f7f7f7f7f7f)
	}
	for x := 0; x+8 <= w; x += 8 {
		one(x)
	}
	if w%8 != 0 {
		one(w - 8)
	}
}
