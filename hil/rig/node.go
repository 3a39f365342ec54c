//go:build linux && amd64

package main

import (
	"bytes"
	"context"
	"fmt"
	"image"
	"os"
	"os/exec"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// node is the writing end of a v4l2loopback device: what is written here, a
// program reads as a camera's picture.
type node struct {
	path   string
	file   *os.File
	format string // YUYV, GREY or MJPG
	size   image.Point
	fps    int
}

// pixFormat is struct v4l2_format with its v4l2_pix_format
// (include/uapi/linux/videodev2.h): 208 bytes on a 64-bit kernel.
type pixFormat struct {
	kind, _                                                   uint32
	width, height, pixel, field, line, size, colorspace, priv uint32
	flags, encoding, quantization, transfer                   uint32
	_                                                         [152]byte
}

const (
	setFormat   = 0xC0D05605 // VIDIOC_S_FMT
	videoOutput = 2          // V4L2_BUF_TYPE_VIDEO_OUTPUT
	fieldNone   = 1          // V4L2_FIELD_NONE
	srgb        = 8          // V4L2_COLORSPACE_SRGB
)

// openNode sets the format; the device has no picture before that.
func openNode(path, format string, size image.Point, fps int) (*node, error) {
	if format != "YUYV" && format != "GREY" && format != "MJPG" {
		return nil, fmt.Errorf("-format is %q: give YUYV, GREY or MJPG", format)
	}
	n := &node{path: path, format: format, size: size, fps: fps}
	return n, n.open()
}

// plug opens or closes the writing end.
func (n *node) plug(in bool) error {
	if !in {
		return n.file.Close()
	}
	return n.open()
}

func (n *node) open() error {
	perLine := map[string]int{"YUYV": 2 * n.size.X, "GREY": n.size.X}[n.format]
	path, format, size := n.path, n.format, n.size
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return fmt.Errorf("open the camera's writing end: %w", err)
	}
	want := pixFormat{
		kind: videoOutput, width: uint32(size.X), height: uint32(size.Y), field: fieldNone, colorspace: srgb,
		pixel: uint32(format[0]) | uint32(format[1])<<8 | uint32(format[2])<<16 | uint32(format[3])<<24,
		line:  uint32(perLine), size: uint32(2 * size.X * size.Y),
	}
	if perLine > 0 {
		want.size = uint32(perLine * size.Y)
	}
	got := want
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, f.Fd(), setFormat, uintptr(unsafe.Pointer(&got))); errno != 0 {
		f.Close()
		return fmt.Errorf("set the format of %s: %w", path, errno)
	}
	if got.pixel != want.pixel || got.width != want.width || got.height != want.height {
		f.Close()
		return fmt.Errorf("%s took another format than %s at %v: it has another writer or reader", path, format, size)
	}
	n.file = f
	return nil
}

// encode turns luma pictures into the node's format. MJPEG comes from FFmpeg,
// as 4:2:2 like a USB camera's, so that it is not our own encoder we read.
func (n *node) encode(ctx context.Context, pictures []*image.Gray) ([][]byte, error) {
	if n.format == "MJPG" {
		return n.jpegs(ctx, pictures)
	}
	out := make([][]byte, len(pictures))
	for i, p := range pictures {
		if n.format == "GREY" {
			out[i] = p.Pix
			continue
		}
		yuyv := make([]byte, 2*len(p.Pix))
		for j, y := range p.Pix {
			yuyv[2*j], yuyv[2*j+1] = y, 128
		}
		out[i] = yuyv
	}
	return out, nil
}

func (n *node) jpegs(ctx context.Context, pictures []*image.Gray) ([][]byte, error) {
	var in bytes.Buffer
	for _, p := range pictures {
		in.Write(p.Pix)
	}
	c := exec.CommandContext(ctx, "nice", "-n", "19", "ffmpeg", "-threads", "1", "-v", "error", "-f", "rawvideo", "-pix_fmt", "gray", "-s", fmt.Sprintf("%dx%d", n.size.X, n.size.Y), "-i", "-",
		"-vf", "scale=out_range=pc,format=yuvj422p", "-c:v", "mjpeg", "-q:v", "4", "-f", "image2pipe", "-")
	c.Stdin, c.Stderr = &in, os.Stderr
	all, err := c.Output()
	if err != nil {
		return nil, fmt.Errorf("encode with ffmpeg: %w", err)
	}
	end := []byte{0xFF, 0xD9} // EOI; inside the data every FF is followed by 00 (ITU-T T.81, B.1.1.5)
	var out [][]byte
	for len(all) > 0 {
		i := bytes.Index(all, end)
		if i < 0 {
			break
		}
		out, all = append(out, all[:i+2]), all[i+2:]
	}
	if len(out) != len(pictures) {
		return nil, fmt.Errorf("ffmpeg made %d pictures of %d", len(out), len(pictures))
	}
	return out, nil
}

// write puts one picture before the camera and returns when it began to.
func (n *node) write(picture []byte) (time.Time, error) {
	at := time.Now()
	if _, err := n.file.Write(picture); err != nil {
		return at, fmt.Errorf("write a picture: %w", err)
	}
	return at, nil
}
