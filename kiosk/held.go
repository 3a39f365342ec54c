package kiosk

import (
	"context"
	"time"

	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/display/lines"
)

// heldAfter is how long an admitted visitor is told so before they are told that
// the door will follow: the words of the answer, and a pause behind them.
const heldAfter = 1300 * time.Millisecond

// held is an admitted visitor before whom the door stays shut, because the other
// one is open. It belongs to the goroutine that attends.
type held struct {
	kiosk *Kiosk
	due   *time.Timer // when they are to be told
	told  bool
}

func (k *Kiosk) newHeld() *held {
	h := &held{kiosk: k, due: time.NewTimer(time.Hour)}
	h.due.Stop()
	return h
}

func (h *held) stop() { h.due.Stop() }

// door takes what became of the door.
func (h *held) door(e lines.Event) {
	k := h.kiosk
	if e == lines.DoorHeld {
		k.parts.Log.Info("a visitor waits for the other door to shut")
		h.told = false
		h.due.Reset(heldAfter)
		return
	}
	h.due.Stop()
	if !h.told {
		return // what they know is true
	}
	h.told = false
	if e == lines.DoorKept {
		k.face.giveUp(display.DoorHeld)
		return
	}
	a := answers[k.told.last()]
	k.face.verdict(a, display.State{Flash: k.parts.Muted()}, k.parts.Now())
	k.speech.say(a.prompt, nil, nil)
}

// tell tells them, once nobody is being told anything else.
func (h *held) tell(ctx context.Context) {
	if h.kiosk.speech.busy() {
		h.due.Reset(heldAfter / 10)
		return
	}
	now := h.kiosk.parts.Now()
	h.told = true
	h.kiosk.tell(ctx, ruling{verdict: DoorHeld}, now, now)
}

// giveUp takes a scene from the screen, if it stands there.
func (f *face) giveUp(s display.Scene) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.state.Scene == s {
		f.until = time.Time{}
	}
}
