// Package camera turns light into luma pictures.
//
// Every source stands behind the small interface [Source]: a V4L2 device, still
// pictures and folders, a Raspberry Pi camera through rpicam-vid, and, in
// builds with the tag opencv, whatever OpenCV reads (files, RTSP, HTTP,
// GStreamer). [Open] picks one by its name. Package virtual beside this one
// renders a phone held by a hand and needs no hardware at all.
//
// A kiosk does not read a Source directly but through [Latest], which dials,
// dials again after a loss, and keeps only the newest picture, so that a slow
// reader never sees an old one. Programs that must see every picture (the scan
// command, tests) call Open and Grab themselves.
package camera

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"strings"
)

// Source delivers luma pictures one after another. It is used by one goroutine
// at a time; Close may be called from another and ends a waiting Grab.
type Source interface {
	// Grab waits for the next picture and writes its luma (0 black … 255 white)
	// into dst, whose Pix is reused when large enough (Stride == width).
	//
	// Errors: io.EOF when a finite source is finished; [ErrUnplugged] when the
	// device went away (dial again); [ErrBadFrame] when this one picture was
	// unusable (grab again); ctx.Err(). After an error dst holds nothing of use.
	Grab(ctx context.Context, dst *image.Gray) error
	Close() error
}

// The classes of error. Test with errors.Is; the text around them says what
// happened and what to do.
var (
	// ErrUnavailable: missing, busy, or without a signal at the moment; it may work later.
	ErrUnavailable = errors.New("camera is not available")
	// ErrPermission: the operating system does not let this user open the device.
	ErrPermission = errors.New("no permission to use the camera")
	// ErrUnsupported: the source can never work as configured.
	ErrUnsupported = errors.New("camera source is not supported")
	// ErrUnplugged: the device delivered and then went away; close it and dial again.
	ErrUnplugged = errors.New("camera went away")
	// ErrBadFrame: one picture was short, broken or of another format; the next may be good.
	ErrBadFrame = errors.New("bad frame")
)

// Limits of a picture, for every source that reads sizes from outside.
const (
	MaxSide   = 8192    // pixels, width or height
	MaxPixels = 1 << 25 // 33.5 million, width × height
)

// Config names a source and the picture wanted of it.
type Config struct {
	// Source is one of
	//
	//	/dev/video0                  V4L2 device (Linux)
	//	rpicam                       Raspberry Pi camera through rpicam-vid
	//	rpicam:/opt/bin/rpicam-vid   the same with the program named
	//	folder:/path                 each PNG, JPEG and PGM there once, in name order
	//	folder:/path?loop&fps=30     the same again and again, paced
	//	picture.png                  one picture (.png .jpg .jpeg .pgm)
	//	opencv:…                     what OpenCV reads: file, rtsp://…, http://…, GStreamer pipeline
	Source string
	// Width and Height in pixels; the nearest size on offer is taken. Zero means 1280×720.
	// Stills and folders keep their own size.
	Width, Height int
	// FPS in frames per second; zero means 30. A folder's own fps wins; without it a folder is not paced.
	FPS int
	// Control lets us set a V4L2 device's own controls: at once against lamps on
	// 60 Hz and for a steady rate, later by [Adjuster]. Without it they stay as
	// they were found.
	Control bool
}

// withDefaults fills the zero fields and refuses what no camera can do.
func (c Config) withDefaults() (Config, error) {
	if c.Width == 0 && c.Height == 0 {
		c.Width, c.Height = 1280, 720
	}
	if c.FPS == 0 {
		c.FPS = 30
	}
	if err := checkSize(c.Width, c.Height); err != nil {
		return c, fmt.Errorf("camera size: %w", err)
	}
	if c.FPS < 1 || c.FPS > 240 {
		return c, fmt.Errorf("camera fps is %d, use 1 to 240: %w", c.FPS, ErrUnsupported)
	}
	return c, nil
}

// Open dials the source that c names. The error's class is [ErrUnavailable]
// (try again), [ErrPermission] (tell the technician) or [ErrUnsupported] (the
// configuration must change). ctx bounds the life of a source that runs a child
// process as well as the dialling.
func Open(ctx context.Context, c Config) (Source, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	kind, rest, _ := strings.Cut(c.Source, ":")
	switch {
	case c.Source == "":
		return nil, fmt.Errorf("no camera source named, use for example /dev/video0: %w", ErrUnsupported)
	case kind == "rpicam":
		return openRpicam(ctx, rest, c)
	case kind == "folder":
		return openFolder(rest)
	case kind == "opencv":
		return openOpenCV(rest, c)
	case strings.HasPrefix(c.Source, "/dev/"):
		return openV4L2(c)
	case isStill(c.Source):
		return openStill(c.Source)
	}
	return nil, fmt.Errorf("camera source %q is not known, use /dev/videoN, rpicam, folder:PATH, a .png .jpg or .pgm file, or opencv:…: %w",
		c.Source, ErrUnsupported)
}

// classify gives an operating system's error its class and its hint.
func classify(what string, err error) error {
	switch {
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%s: %w; add the user to group video: %w", what, err, ErrPermission)
	case errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("%s: %w; is it plugged in: %w", what, err, ErrUnavailable)
	}
	return fmt.Errorf("%s: %w: %w", what, err, ErrUnavailable)
}

func checkSize(w, h int) error {
	if w < 1 || h < 1 || w > MaxSide || h > MaxSide || w*h > MaxPixels {
		return fmt.Errorf("%d×%d is outside 1×1 … %d a side, %d pixels: %w", w, h, MaxSide, MaxPixels, ErrUnsupported)
	}
	return nil
}

// resize makes g a w×h picture with Stride == w and keeps its Pix when it is large enough.
func resize(g *image.Gray, w, h int) {
	if n := w * h; cap(g.Pix) >= n {
		g.Pix = g.Pix[:n]
	} else {
		g.Pix = make([]byte, n)
	}
	g.Stride, g.Rect = w, image.Rect(0, 0, w, h)
}
