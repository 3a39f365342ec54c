package display

import (
	"errors"
	"fmt"
	"image"
)

// pixelFormat is how a framebuffer stores a pixel, little endian.
type pixelFormat int

const (
	rgb565   pixelFormat = iota + 1 // 2 bytes: rrrrrggg gggbbbbb
	xrgb8888                        // 4 bytes: b g r x
	xbgr8888                        // 4 bytes: r g b x
)

func (f pixelFormat) bytes() int {
	if f == rgb565 {
		return 2
	}
	return 4
}

// bitfield is where a colour lies in a pixel (fb_bitfield in linux/fb.h).
type bitfield struct{ offset, length uint32 }

func formatOf(bits uint32, r, g, b bitfield) (pixelFormat, error) {
	switch {
	case bits == 16 && r == bitfield{11, 5} && g == bitfield{5, 6} && b == bitfield{0, 5}:
		return rgb565, nil
	case bits == 32 && r == bitfield{16, 8} && g == bitfield{8, 8} && b == bitfield{0, 8}:
		return xrgb8888, nil
	case bits == 32 && r == bitfield{0, 8} && g == bitfield{8, 8} && b == bitfield{16, 8}:
		return xbgr8888, nil
	}
	return 0, fmt.Errorf("%d bits a pixel with red %v green %v blue %v: only RGB565 and XRGB8888 are drawn; set framebuffer_depth=16 or 32", bits, r, g, b)
}

// surface is a framebuffer's memory.
type surface struct {
	mem           []byte
	width, height int // pixels of the device
	stride        int // bytes a line (line_length)
	format        pixelFormat
	rotate        int // degrees clockwise that the picture is turned: 0, 90, 180, 270
}

func (s *surface) check() error {
	if s.rotate%90 != 0 || s.rotate < 0 || s.rotate > 270 {
		return fmt.Errorf("rotation %d: give 0, 90, 180 or 270", s.rotate)
	}
	if s.width <= 0 || s.height <= 0 || s.stride < s.width*s.format.bytes() ||
		len(s.mem) < (s.height-1)*s.stride+s.width*s.format.bytes() {
		return errors.New("the framebuffer's memory is smaller than its picture")
	}
	return nil
}

// size is the picture's, before it is turned.
func (s *surface) size() image.Point {
	if s.rotate%180 == 90 {
		return image.Pt(s.height, s.width)
	}
	return image.Pt(s.width, s.height)
}

// onDevice is where a part of the picture lies on the device.
func (s *surface) onDevice(r image.Rectangle) image.Rectangle {
	switch s.rotate {
	case 90:
		return image.Rect(s.width-r.Max.Y, r.Min.X, s.width-r.Min.Y, r.Max.X)
	case 180:
		return image.Rect(s.width-r.Max.X, s.height-r.Max.Y, s.width-r.Min.X, s.height-r.Min.Y)
	case 270:
		return image.Rect(r.Min.Y, s.height-r.Max.X, r.Max.Y, s.height-r.Min.X)
	}
	return r
}

// copy converts a part of img, which has the surface's size, into the memory. It
// returns how many bytes it wrote.
func (s *surface) copy(img *image.RGBA, part image.Rectangle) (written int) {
	// The picture's offset for the device's first pixel, and its steps for one
	// pixel right and one line down on the device.
	w, h := s.size().X, s.size().Y
	start, right, down := 0, 4, img.Stride
	switch s.rotate {
	case 90:
		start, right, down = (h-1)*img.Stride, -img.Stride, 4
	case 180:
		start, right, down = (h-1)*img.Stride+(w-1)*4, -4, -img.Stride
	case 270:
		start, right, down = (w-1)*4, img.Stride, -4
	}
	r := s.onDevice(part.Intersect(image.Rect(0, 0, w, h)))
	for y := r.Min.Y; y < r.Max.Y; y++ {
		line := s.mem[y*s.stride+r.Min.X*s.format.bytes():][:r.Dx()*s.format.bytes()]
		written += len(line)
		at := start + y*down + r.Min.X*right
		switch s.format {
		case rgb565:
			for i := 0; i < len(line); i += 2 {
				px := img.Pix[at : at+3 : at+3]
				v := uint16(px[0]>>3)<<11 | uint16(px[1]>>2)<<5 | uint16(px[2]>>3)
				line[i], line[i+1] = byte(v), byte(v>>8)
				at += right
			}
		case xrgb8888:
			for i := 0; i < len(line); i += 4 {
				px, out := img.Pix[at:at+3:at+3], line[i:i+4:i+4]
				out[0], out[1], out[2], out[3] = px[2], px[1], px[0], 255
				at += right
			}
		default:
			for i := 0; i < len(line); i += 4 {
				px, out := img.Pix[at:at+3:at+3], line[i:i+4:i+4]
				out[0], out[1], out[2], out[3] = px[0], px[1], px[2], 255
				at += right
			}
		}
	}
	return written
}
