package camera

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"unsafe"

	"github.com/blackjack/webcam"
	"golang.org/x/sys/unix"
)

func openV4L2(c Config) (_ Source, err error) {
	cam, err := webcam.Open(c.Source)
	if err != nil {
		return nil, classifyV4L2(c.Source, err)
	}
	defer func() {
		if err != nil {
			cam.Close()
		}
	}()
	offers, names := offersOf(cam, c)
	wishes := choose(offers, c.Width, c.Height, c.FPS)
	if names == "" { // a loopback before its writer has come
		return nil, fmt.Errorf("%s has no picture format; start what writes to it, or use the camera's first node, often /dev/video0: %w", c.Source, ErrUnavailable)
	}
	if len(wishes) == 0 {
		return nil, fmt.Errorf("%s offers %s, none of GREY, YUYV, MJPG; use another camera: %w", c.Source, names, ErrUnsupported)
	}
	var agreed layout
	for _, w := range wishes {
		agreed, err = agree(cam, c.Source, w)
		if err == nil || errors.Is(err, syscall.EBUSY) {
			break
		}
	}
	if err != nil {
		return nil, classifyV4L2(c.Source, err)
	}
	// The rate is a wish: many devices know only one, and a slower camera still reads.
	_ = cam.SetFramerate(float32(c.FPS))
	if err := cam.SetBufferCount(buffers); err != nil {
		return nil, classifyV4L2(c.Source, err)
	}
	if err := cam.StartStreaming(); err != nil {
		return nil, classifyV4L2(c.Source, err)
	}
	v := &v4l2{path: c.Source, layout: agreed, dev: kernel{cam}, fps: c.FPS}
	if c.Control {
		v.knobs = newKnobs(kernel{cam})
	}
	return v, nil
}

// kernel is the library's device with its time-out made comparable.
type kernel struct{ *webcam.Webcam }

func (k kernel) WaitForFrame(seconds uint32) error {
	err := k.Webcam.WaitForFrame(seconds)
	var timeout *webcam.Timeout
	if errors.As(err, &timeout) {
		return errTimeout
	}
	return err
}

// Spans, Value and Turn make the library's controls a panel.

func (k kernel) Spans() map[control]span {
	spans := map[control]span{}
	for id, c := range k.GetControls() {
		spans[control(id)] = span{c.Min, c.Max, c.Step}
	}
	return spans
}

func (k kernel) Value(c control) (int32, error) { return k.GetControl(webcam.ControlID(c)) }

func (k kernel) Turn(c control, v int32) error { return k.SetControl(webcam.ControlID(c), v) }

func offersOf(cam *webcam.Webcam, c Config) (offers []offer, names string) {
	var all []string
	for f := range cam.GetSupportedFormats() {
		all = append(all, fourCC(f).String())
		o := offer{format: fourCC(f)}
		for _, s := range cam.GetSupportedFrameSizes(f) {
			entry := sizes{
				minW: int(s.MinWidth), maxW: int(s.MaxWidth), stepW: int(s.StepWidth),
				minH: int(s.MinHeight), maxH: int(s.MaxHeight), stepH: int(s.StepHeight),
			}
			w, h := entry.nearest(c.Width, c.Height)
			for _, r := range cam.GetSupportedFramerates(f, uint32(w), uint32(h)) {
				// The rate is the inverse of the interval, so the fastest has the smallest numerator.
				if r.MinNumerator > 0 {
					entry.fps = max(entry.fps, float64(r.MaxDenominator)/float64(r.MinNumerator))
				}
			}
			o.sizes = append(o.sizes, entry)
		}
		offers = append(offers, o)
	}
	slices.Sort(all) // the library gives them in no order, and the words should not change
	return offers, strings.Join(all, " ")
}

// agree sets the format and asks what the driver made of it: the library's
// SetImageFormat returns the size that was asked for, and no row length.
func agree(cam *webcam.Webcam, path string, w wish) (layout, error) {
	got, _, _, err := cam.SetImageFormat(webcam.PixelFormat(w.format), uint32(w.w), uint32(w.h))
	if err != nil {
		return layout{}, fmt.Errorf("set %v %d×%d: %w", w.format, w.w, w.h, err)
	}
	if fourCC(got) != w.format {
		return layout{}, fmt.Errorf("asked for %v, got %v: %w", w.format, fourCC(got), ErrUnsupported)
	}
	pix, err := currentFormat(path)
	if err != nil {
		return layout{}, fmt.Errorf("ask for the format: %w", err)
	}
	l := layout{format: fourCC(pix.format), width: int(pix.width), height: int(pix.height), stride: int(pix.stride)}
	if err := checkSize(l.width, l.height); err != nil {
		return layout{}, err
	}
	if l.format != w.format {
		return layout{}, fmt.Errorf("agreed on %v, but it now has %v: %w", w.format, l.format, ErrUnavailable)
	}
	row := l.width
	if l.format == formatYUYV {
		row *= 2
	}
	if l.stride == 0 { // drivers may leave it out
		l.stride = row
	}
	return l, nil
}

// pixFormat is struct v4l2_pix_format of linux/videodev2.h in the union of struct v4l2_format.
type pixFormat struct {
	_                     [0]uintptr // the union is aligned as its pointers are
	width, height, format uint32
	field, stride, size   uint32
	_                     [200 - 24]byte
}

type v4l2Format struct {
	kind uint32
	pix  pixFormat
}

const (
	captureKind = 1 // V4L2_BUF_TYPE_VIDEO_CAPTURE
	// VIDIOC_G_FMT: _IOWR('V', 4, struct v4l2_format).
	getFormat = 3<<30 | unsafe.Sizeof(v4l2Format{})<<16 | 'V'<<8 | 4
)

// currentFormat asks through a handle of its own, because the library keeps its handle to itself.
func currentFormat(path string) (pixFormat, error) {
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		return pixFormat{}, err
	}
	defer unix.Close(fd)
	f := &v4l2Format{kind: captureKind}
	if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), getFormat, uintptr(unsafe.Pointer(f))); errno != 0 {
		return pixFormat{}, errno
	}
	return f.pix, nil
}

// classifyV4L2 goes by the error number where the library keeps it, else by its words.
func classifyV4L2(path string, err error) error {
	text := err.Error()
	switch {
	case errors.Is(err, ErrUnsupported), errors.Is(err, ErrUnavailable):
		return fmt.Errorf("%s: %w", path, err)
	case errors.Is(err, syscall.EBUSY), strings.Contains(text, syscall.EBUSY.Error()):
		return fmt.Errorf("%s: %w; another program uses it, close that: %w", path, err, ErrUnavailable)
	case errors.Is(err, syscall.ENOTTY), errors.Is(err, syscall.ENOSYS): // the second where an emulator knows no such call
		return fmt.Errorf("%s is not a camera: %w", path, ErrUnsupported)
	case strings.HasPrefix(text, "Not a video capture device"):
		// Also a loopback whose writer has not come yet.
		return fmt.Errorf("%s delivers no pictures; use the camera's first node, often /dev/video0, or start what writes to it: %w", path, ErrUnavailable)
	case strings.Contains(text, "streaming I/O"):
		return fmt.Errorf("%s cannot stream; use another camera: %w", path, ErrUnsupported)
	}
	return classify(path, err)
}
