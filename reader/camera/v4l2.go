package camera

import (
	"context"
	"errors"
	"fmt"
	"image"
	"math"
	"slices"
	"sync"
	"syscall"
	"time"
)

// device is the part of a V4L2 device that delivers: three calls of the
// library, so that tests can stand in for the kernel.
type device interface {
	// WaitForFrame waits at most so many seconds; errTimeout when nothing came.
	WaitForFrame(seconds uint32) error
	// GetFrame takes a filled buffer; syscall.EAGAIN when there is none.
	GetFrame() (data []byte, index uint32, err error)
	ReleaseFrame(index uint32) error
	Close() error
}

var errTimeout = errors.New("no frame within the time")

// v4l2 reads a Video4Linux2 capture device.
type v4l2 struct {
	path   string
	layout layout
	bad    int // pictures in a row that were not what was agreed
	fps    int
	knobs  *knobs // nil: the device's settings are left alone

	mu     sync.Mutex // held while the device's memory is looked at
	dev    device
	closed bool
}

const (
	buffers = 4 // enough for the driver to fill while one is read
	// mismatches in a row after which the device must have changed its format
	// behind our back (v4l2loopback does when its writer comes), and is dialled again.
	mismatches = 8
	emptyWait  = 5 * time.Millisecond
)

// Grab takes the newest picture the driver has and gives the older ones back.
func (v *v4l2) Grab(ctx context.Context, dst *image.Gray) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		done, err := v.try(dst)
		if done || err != nil {
			return err
		}
	}
}

// try waits up to a second; done is false when nothing came.
func (v *v4l2) try(dst *image.Gray) (done bool, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return false, v.gone(errors.New("closed"))
	}
	if err := v.dev.WaitForFrame(1); errors.Is(err, errTimeout) {
		return false, nil
	} else if err != nil && !errors.Is(err, syscall.EINTR) {
		return false, v.gone(err)
	}
	data, index, err := v.dev.GetFrame()
	if errors.Is(err, syscall.EAGAIN) {
		// poll(2) reports a device without a stream as ready at once: do not spin.
		time.Sleep(emptyWait)
		return false, nil
	}
	if err != nil {
		return false, v.gone(err)
	}
	for range 2 * buffers {
		newer, i, err := v.dev.GetFrame()
		if err != nil {
			break // none newer; a real fault shows at the next Grab
		}
		if err := v.dev.ReleaseFrame(index); err != nil {
			return false, v.gone(err)
		}
		data, index = newer, i
	}
	unpacked := v.layout.unpack(dst, data)
	if err := v.dev.ReleaseFrame(index); err != nil {
		return false, v.gone(err)
	}
	if unpacked == nil {
		v.bad = 0
		return true, nil
	}
	v.bad++
	if v.bad >= mismatches {
		return false, v.gone(fmt.Errorf("it does not keep to the agreed format: %v", unpacked))
	}
	return false, fmt.Errorf("%s: %w", v.path, unpacked)
}

func (v *v4l2) gone(err error) error { return fmt.Errorf("%s: %w: %w", v.path, err, ErrUnplugged) }

// Adjust implements [Adjuster].
func (v *v4l2) Adjust(a Adjustment) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed || v.knobs == nil {
		return nil
	}
	if err := v.knobs.adjust(a, v.fps); err != nil {
		return fmt.Errorf("%s: %w", v.path, err)
	}
	return nil
}

// Close waits for a Grab under way, a second at most.
func (v *v4l2) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.closed {
		return nil
	}
	v.closed = true
	return v.dev.Close()
}

// offer is one pixel format that a device has.
type offer struct {
	format fourCC
	sizes  []sizes // none: the driver does not say
}

// sizes is one size, or a range of them in steps; fps is the fastest rate there, 0 if unknown.
type sizes struct {
	minW, maxW, stepW int
	minH, maxH, stepH int
	fps               float64
}

// nearest is the size in s closest to w×h.
func (s sizes) nearest(w, h int) (int, int) {
	if s.maxW == 0 || s.maxH == 0 { // a continuous range that the library does not spell out
		return w, h
	}
	fit := func(v, lo, hi, step int) int {
		v = min(max(v, lo), hi)
		if step > 1 {
			v = lo + (v-lo+step/2)/step*step
		}
		return min(v, hi)
	}
	return fit(w, s.minW, s.maxW, s.stepW), fit(h, s.minH, s.maxH, s.stepH)
}

// wish is one format and size to ask the device for.
type wish struct {
	format fourCC
	w, h   int
}

// choose orders what to ask a device for, best first: the nearest size, then a
// rate that keeps up, then the format that costs least to read.
func choose(offers []offer, w, h, fps int) []wish {
	type scored struct {
		wish
		score float64
	}
	var all []scored
	for _, o := range offers {
		cost := slices.Index([]fourCC{formatGrey, formatYUYV, formatMJPEG, formatJPEG}, o.format)
		if cost < 0 {
			continue
		}
		ss := o.sizes
		if len(ss) == 0 {
			ss = []sizes{{}}
		}
		for _, s := range ss {
			nw, nh := s.nearest(w, h)
			if checkSize(nw, nh) != nil {
				continue
			}
			// Octaves away from the size wanted, both ways.
			far := math.Abs(math.Log2(float64(nw)/float64(w))) + math.Abs(math.Log2(float64(nh)/float64(h)))
			score := 100*far + float64(cost)
			if s.fps > 0 && s.fps < 0.9*float64(fps) {
				score += 10
			}
			all = append(all, scored{wish{o.format, nw, nh}, score})
		}
	}
	slices.SortStableFunc(all, func(a, b scored) int {
		switch {
		case a.score < b.score:
			return -1
		case a.score > b.score:
			return 1
		}
		return 0
	})
	out := make([]wish, len(all))
	for i, s := range all {
		out[i] = s.wish
	}
	return out
}
