//go:build linux && amd64

package main

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"sync"
	"time"

	"github.com/munjigi/munjigi/display"
)

// gaze looks at a screen at a few places that have another colour in one scene
// than in those before it, and notes when the first of them has changed.
type gaze struct {
	screen *os.File
	width  int
	points []point

	mu    sync.Mutex
	armed bool
	at    time.Time
}

type point struct {
	image.Point
	want [3]uint8 // blue, green, red
}

// newGaze chooses the places.
func newGaze(device string, size image.Point, painter *display.Painter, scene display.Scene, before ...display.Scene) (*gaze, error) {
	f, err := os.Open(device)
	if err != nil {
		return nil, err
	}
	g := &gaze{screen: f, width: size.X}
	want := drawn(painter, size, scene, "")
	var others []*image.RGBA
	for _, s := range before {
		others = append(others, drawn(painter, size, s, ""))
	}
	for y := 8; y < size.Y*7/8; y += size.Y / 16 {
	next:
		for x := 8; x < size.X; x += size.X / 16 {
			c := want.RGBAAt(x, y)
			if max(c.R, c.G, c.B)-min(c.R, c.G, c.B) < 90 {
				continue // the live picture has any grey, and the ground around it
			}
			for _, o := range others {
				if d := o.RGBAAt(x, y); near(c.R, d.R) && near(c.G, d.G) && near(c.B, d.B) {
					continue next
				}
			}
			g.points = append(g.points, point{image.Pt(x, y), [3]uint8{c.B, c.G, c.R}})
		}
	}
	if len(g.points) == 0 {
		return nil, fmt.Errorf("the scene %s differs from the others nowhere", scene)
	}
	return g, nil
}

// run looks every 2 ms while it is armed, until ctx ends.
func (g *gaze) run(ctx context.Context) error {
	defer g.screen.Close()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		g.mu.Lock()
		if g.armed && g.changed() {
			g.armed, g.at = false, time.Now()
		}
		g.mu.Unlock()
	}
}

func (g *gaze) changed() bool {
	var pixel [4]byte
	for _, p := range g.points {
		if _, err := g.screen.ReadAt(pixel[:], int64(4*(p.Y*g.width+p.X))); err != nil {
			return false
		}
		if near(pixel[0], p.want[0]) && near(pixel[1], p.want[1]) && near(pixel[2], p.want[2]) {
			return true
		}
	}
	return false
}

// arm begins to look, when the last answer has gone: that of a fresh enrolment
// stays a while.
func (g *gaze) arm(ctx context.Context) error {
	shown := func() bool {
		g.mu.Lock()
		defer g.mu.Unlock()
		return g.changed()
	}
	if !wait(ctx, 2*time.Minute, func() bool { return !shown() }) {
		return errors.New("the screen does not go back to what it shows between visitors")
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.armed, g.at = true, time.Time{}
	return nil
}

// seen is when the first place had changed, zero if none has.
func (g *gaze) seen() time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.at
}
