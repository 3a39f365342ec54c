//go:build linux && amd64

package main

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"image"
	"strings"
	"time"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/symbol"
	"github.com/munjigi/munjigi/reader/camera/virtual"
)

// feeder stands in for a visitor's phone and the light between it and the
// camera: it plays pictures into the node at a steady rate, the empty room
// while nobody is there. A visit is rendered before it is played, so that the
// rendering takes no processor time from the kiosk at the moment that counts.
type feeder struct {
	node *node
	look virtual.Look
	hold time.Duration
	seed uint64

	room  [][]byte
	plays chan play
	wrong chan spoiling
	late  int // pictures that came more than half a frame late
	count int
}

type play struct {
	pictures [][]byte
	began    chan<- time.Time // when the first picture was written
	ended    chan<- struct{}
}

func newFeeder(ctx context.Context, n *node, look virtual.Look, hold time.Duration) (*feeder, error) {
	f := &feeder{node: n, look: look, hold: hold, plays: make(chan play), wrong: make(chan spoiling)}
	phone := virtual.New(virtual.Options{Size: n.size, FPS: n.fps, Unpaced: true, Look: look})
	defer phone.Close()
	room, err := f.grab(ctx, phone, 8)
	if err != nil {
		return nil, err
	}
	f.room, err = n.encode(ctx, room)
	return f, err
}

func (f *feeder) grab(ctx context.Context, phone *virtual.Phone, n int) ([]*image.Gray, error) {
	out := make([]*image.Gray, n)
	for i := range out {
		out[i] = image.NewGray(image.Rectangle{Max: f.node.size})
		if err := phone.Grab(ctx, out[i]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// visit renders a phone that comes with text, is held, and goes.
func (f *feeder) visit(ctx context.Context, text string) ([][]byte, error) {
	code, err := symbol.Encode(text)
	if err != nil {
		return nil, fmt.Errorf("draw the code: %w", err)
	}
	f.seed++
	phone := virtual.New(virtual.Options{Seed: f.seed, Size: f.node.size, FPS: f.node.fps, Unpaced: true, Look: f.look})
	defer phone.Close()
	phone.Present(code)
	frames := func(d time.Duration) int { return int(d * time.Duration(f.node.fps) / time.Second) }
	there, err := f.grab(ctx, phone, frames(f.look.Travel+f.hold))
	if err != nil {
		return nil, err
	}
	phone.Leave()
	gone, err := f.grab(ctx, phone, frames(f.look.Travel)+1)
	if err != nil {
		return nil, err
	}
	return f.node.encode(ctx, append(there, gone...))
}

// show plays a visit; it returns when the first picture has been written.
func (f *feeder) show(ctx context.Context, pictures [][]byte) (began time.Time, ended <-chan struct{}, err error) {
	first, last := make(chan time.Time, 1), make(chan struct{})
	select {
	case f.plays <- play{pictures, first, last}:
	case <-ctx.Done():
		return began, nil, ctx.Err()
	}
	select {
	case began = <-first:
		return began, last, nil
	case <-ctx.Done():
		return began, nil, ctx.Err()
	}
}

// spoiling is what a camera does instead of its work.
type spoiling int

const (
	none   spoiling = iota
	frozen          // it delivers nothing more
	short           // it delivers less than its format says
	gone            // it is unplugged
)

// spoil makes the camera go wrong; with none it is well again.
func (f *feeder) spoil(ctx context.Context, how spoiling) {
	select {
	case f.wrong <- how:
	case <-ctx.Done():
	}
}

// run feeds the camera until ctx ends.
func (f *feeder) run(ctx context.Context) error {
	period := time.Second / time.Duration(f.node.fps)
	ticker := time.NewTicker(period)
	defer ticker.Stop()
	var now play
	var wrong spoiling
	for next := time.Now(); ; f.count++ {
		if len(now.pictures) == 0 {
			if now.ended != nil {
				close(now.ended)
			}
			now = play{}
			select {
			case now = <-f.plays:
			default:
			}
		}
		picture := f.room[f.count%len(f.room)]
		if len(now.pictures) > 0 {
			picture, now.pictures = now.pictures[0], now.pictures[1:]
		}
		select {
		case to := <-f.wrong:
			if (to == gone) != (wrong == gone) {
				if err := f.node.plug(to != gone); err != nil {
					return err
				}
			}
			wrong = to
		default:
		}
		at, err := time.Now(), error(nil)
		switch wrong {
		case none:
			at, err = f.node.write(picture)
		case short:
			at, err = f.node.write(picture[:len(picture)/3])
		}
		if err != nil {
			return err
		}
		if now.began != nil {
			now.began <- at
			now.began = nil
		}
		if next = next.Add(period); time.Since(next) > period/2 {
			f.late++
			next = time.Now()
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// mint makes the text of a visitor's code, and the verdict it must get.
func mint(kind string, key ed25519.PrivateKey, issuer string, now time.Time) (text, verdict string, err error) {
	var id pass.ID
	rand.Read(id[:]) // never fails
	switch kind {
	case "good":
		text, err = pass.Issue(key, issuer, id, now, nil)
		return text, "accepted", err
	case "vaccinated":
		day := func(month time.Month) time.Time { return time.Date(2021, month, 9, 0, 0, 0, 0, time.UTC) }
		text, err = pass.Issue(key, issuer, id, now, &pass.Health{Complete: true, Doses: []pass.Dose{{Number: 1, Date: day(6)}, {Number: 2, Date: day(9)}}})
		return text, "accepted", err
	case "expired":
		text, err = pass.Issue(key, issuer, id, now.Add(-time.Minute), nil)
		return text, pass.ReasonExpired.String(), err
	case "early": // of a phone whose clock is ahead
		text, err = pass.Issue(key, issuer, id, now.Add(time.Minute), nil)
		return text, pass.ReasonNotYetValid.String(), err
	case "stranger":
		_, other, err := ed25519.GenerateKey(nil)
		if err != nil {
			return "", "", err
		}
		text, err = pass.Issue(other, issuer, id, now, nil)
		return text, pass.ReasonUnknownKey.String(), err
	case "newer": // of a version to come
		text, err = pass.Issue(key, issuer, id, now, nil)
		return strings.Replace(text, "MJ1", "MJ2", 1), pass.ReasonVersion.String(), err
	case "menu": // another's QR code
		return "HTTPS://EXAMPLE.ORG/MENU", pass.ReasonNotPass.String(), nil
	case "forged":
		text, err = pass.Issue(key, issuer, id, now, nil)
		if err != nil {
			return "", "", err
		}
		// The third character from the end is the low digit of the signature's last two bytes (RFC 9285, section 4).
		b := []byte(text)
		if i := len(b) - 3; b[i] == '0' {
			b[i] = '1'
		} else {
			b[i] = '0'
		}
		return string(b), pass.ReasonSignature.String(), nil
	}
	return "", "", fmt.Errorf("-plan holds %q: give good, again, vaccinated, expired, early, stranger, newer, menu or forged", kind)
}
