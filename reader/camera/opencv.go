//go:build opencv

package camera

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"strings"
	"sync"

	"gocv.io/x/gocv"
)

// opencv reads whatever OpenCV's videoio reads. Build it with
//
//	go build -tags opencv,gocv_specific_modules,gocv_videoio
type opencv struct {
	name string
	live bool // a stream has no end: what stops has gone away

	mu  sync.Mutex // OpenCV's handle must not be freed while it is read
	cap *gocv.VideoCapture
	mat gocv.Mat
}

func openOpenCV(name string, c Config) (Source, error) {
	if name == "" {
		return nil, fmt.Errorf("opencv: needs a file, an rtsp:// or http:// address or a GStreamer pipeline after the colon: %w", ErrUnsupported)
	}
	pipeline := strings.Contains(name, "!")
	api := gocv.VideoCaptureAny
	if pipeline {
		api = gocv.VideoCaptureGstreamer
	}
	dev, err := gocv.OpenVideoCaptureWithAPI(name, api)
	if err != nil {
		return nil, fmt.Errorf("opencv cannot open %s: %w; is it there and can it be read: %w", redact(name), err, ErrUnavailable)
	}
	if !pipeline { // a pipeline says its own size; files ignore the wish
		dev.Set(gocv.VideoCaptureFrameWidth, float64(c.Width))
		dev.Set(gocv.VideoCaptureFrameHeight, float64(c.Height))
	}
	return &opencv{name: redact(name), live: pipeline || strings.Contains(name, "://"), cap: dev, mat: gocv.NewMat()}, nil
}

// redact takes user and password out of an address: errors end up in logs and on screens.
func redact(name string) string {
	scheme, rest, ok := strings.Cut(name, "://")
	if !ok {
		return name
	}
	host, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		host = host[at+1:]
	}
	return strings.TrimSuffix(scheme+"://"+host+"/"+path, "/")
}

// Grab blocks in OpenCV, which knows no context: a stream that stands still is
// noticed by Latest, or ends by OpenCV's own time-out of 30 s.
func (o *opencv) Grab(ctx context.Context, dst *image.Gray) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cap == nil {
		return fmt.Errorf("opencv %s: closed: %w", o.name, ErrUnplugged)
	}
	if !o.cap.Read(&o.mat) || o.mat.Empty() {
		if o.live {
			return fmt.Errorf("opencv %s: the stream stopped: %w", o.name, ErrUnplugged)
		}
		return io.EOF
	}
	if o.mat.Type() != gocv.MatTypeCV8UC3 && o.mat.Type() != gocv.MatTypeCV8UC1 {
		return fmt.Errorf("opencv %s: pixels of type %v, want 8 bits: %w", o.name, o.mat.Type(), ErrBadFrame)
	}
	w, h := o.mat.Cols(), o.mat.Rows()
	if err := checkSize(w, h); err != nil {
		return fmt.Errorf("opencv %s: %w: %w", o.name, err, ErrBadFrame)
	}
	pix, err := o.mat.DataPtrUint8()
	if err != nil {
		return fmt.Errorf("opencv %s: %w: %w", o.name, err, ErrBadFrame)
	}
	resize(dst, w, h)
	if o.mat.Channels() == 1 {
		copy(dst.Pix, pix)
		return nil
	}
	for i := range dst.Pix { // BGR to luma by ITU-R BT.601; imgproc would cost a second module
		b, g, r := uint32(pix[3*i]), uint32(pix[3*i+1]), uint32(pix[3*i+2])
		dst.Pix[i] = uint8((7471*b + 38470*g + 19595*r + 1<<15) >> 16)
	}
	return nil
}

func (o *opencv) Close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cap == nil {
		return nil
	}
	err := errors.Join(o.cap.Close(), o.mat.Close())
	o.cap = nil
	return err
}
