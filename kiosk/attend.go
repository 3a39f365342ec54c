package kiosk

import (
	"context"
	"time"

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/display/lines"
	"github.com/munjigi/munjigi/pass"
)

// Corner is where the staff's field stands.
type Corner uint8

const (
	CornerNever   Corner = iota // on the staff's own panel alone
	CornerAtOnce                // in the visitors' screen's corner, too
	CornerOnPress               // there, where the staff press their button while the answer stands
)

const (
	// pressedOnce is how long a button's second push is the same one.
	pressedOnce = time.Second
	// greets is how long somebody who has arrived has to show a code until they
	// are told where the camera is, and rested how long nobody is told so again.
	greets = 2 * time.Second
	rested = 20 * time.Second
	// openFor is how long the staff's field stands when they have asked for it.
	openFor = 4 * time.Second
)

// attend answers buttons and the presence sensor.
func (k *Kiosk) attend(ctx context.Context) error {
	greet := time.NewTimer(time.Hour)
	greet.Stop()
	var pressed [lines.HelpPressed + 1]time.Time
	var greeted time.Time
	held := k.newHeld()
	defer held.stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-greet.C:
			if now := time.Now(); !k.speech.busy() && !k.Aiming() && !k.face.shut() && time.Since(k.start)-time.Duration(k.noticed.Load()) >= greets && now.Sub(greeted) >= rested {
				greeted = now
				k.speech.say(audio.Here, nil, nil)
			}
		case <-held.due.C:
			held.tell(ctx)
		case e := <-k.parts.Events:
			switch now := time.Now(); e {
			case lines.StaffPressed, lines.HelpPressed:
				if now.Sub(pressed[e]) < pressedOnce {
					continue
				}
				k.press(ctx, e)
				pressed[e] = time.Now() // what was pushed while the disk was slow is the same push, too
			case lines.Arrived:
				greet.Reset(greets)
			case lines.Left:
				greet.Stop()
			case lines.DoorHeld, lines.DoorFreed, lines.DoorKept:
				held.door(e)
			}
		}
	}
}

// press does what a button asks for.
func (k *Kiosk) press(ctx context.Context, e lines.Event) {
	now := k.parts.Now()
	if e == lines.HelpPressed {
		k.tell(ctx, ruling{verdict: HelpCalled}, now, now)
		return
	}
	if k.cfg.Corner == CornerOnPress && k.face.open(now) {
		return
	}
	r := ruling{verdict: StaffAdmitted}
	if b := k.parts.Trust.Bundle(); b == nil || b.Mode(k.parts.Facility(), now) != pass.ModeOff {
		// The number is all that is kept, and is on disk before the door opens.
		if err := k.patiently(func() error { return k.parts.Journal.AdmitByStaff(now) }); err != nil {
			r = ruling{verdict: OutOfOrder, err: err}
		}
	}
	k.tell(ctx, r, now, now)
}

// shut says that the screen shows the kiosk out of order, or would but for an
// answer: then nobody is asked to show a code.
func (f *face) shut() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.state.Status.Disk == display.Bad || f.state.Scene == display.OutOfOrder
}

// open shows the staff's field of the answer that stands on the screen. It is
// true also where that has just gone, or stands already: whoever pushes late, or
// twice, means no stranger to come in.
func (f *face) open(now time.Time) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !now.Before(f.theirs) {
		return false
	}
	if f.state.Staff != nil && !f.state.StaffOpen && now.Before(f.until) {
		f.state.StaffOpen = true
		f.until = now.Add(openFor)
		f.theirs = f.until
		f.screen.Show(f.state)
	}
	return true
}
