package kiosk

import (
	"context"
	"sync"
	"time"

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/display/lines"
	"github.com/munjigi/munjigi/uplink/journal"
)

// tell gives the answer: only now, when the visit is on disk.
func (k *Kiosk) tell(ctx context.Context, r ruling, at, decoded time.Time) {
	a := answers[r.verdict]
	good := r.verdict.good()
	if r.err != nil {
		k.parts.Log.Error("a visit could not be kept, nothing was announced: check the disk", "err", r.err)
	}
	event := Event{Stage: Decided, Verdict: r.verdict, Seq: r.admission.Seq, Again: r.admission.Again, Frame: at, Decoded: decoded, At: k.parts.Now()}
	if a.signal != 0 {
		k.parts.Lines.Signal(a.signal)
	}
	state, prompt := display.State{Seconds: r.seconds, Staff: r.staff, StaffOpen: r.staff != nil && k.cfg.Corner == CornerAtOnce, Flash: k.parts.Muted()}, a.prompt
	if r.renew && !k.speech.busy() { // a hint's prompt gives way to the answer that sounds
		prompt = audio.Renew
	}
	k.face.verdict(a, state, event.At)
	if a.signal == lines.Accept {
		k.told.until(event.At.Add(a.hold), r.verdict)
	}
	k.parts.Observe(event) // first: without a loudspeaker the prompt ends at once
	k.speech.say(prompt, func() {
		e := event
		e.Stage, e.At = Started, k.parts.Now()
		k.parts.Observe(e)
	}, func(outcome audio.Outcome) {
		e := event
		e.Stage, e.At, e.Outcome = Ended, k.parts.Now(), outcome
		k.parts.Observe(e)
		if !good || ctx.Err() != nil {
			return // stopped in mid-sentence: a showing after the restart is answered anew
		}
		select {
		case k.said <- said{r.admission, e.At}:
		default: // it will be answered again if it is shown again
			k.told.end(r.admission)
			k.parts.Log.Warn("the journal is slow: an announcement was not noted", "seq", event.Seq)
		}
	})
	k.parts.Log.Info("a code was answered", "verdict", string(r.verdict), "seq", event.Seq, "again", event.Again, "ms", event.At.Sub(at).Milliseconds())
}

// announce notes in the journal what has been said. It runs beside the scan so
// that no frame waits for the disk.
func (k *Kiosk) announce(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case s := <-k.said:
			if err := k.parts.Journal.Announced(s.admission, s.at); err != nil {
				k.parts.Log.Error("an announcement could not be noted: check the disk", "seq", s.admission.Seq, "err", err)
			}
			k.told.end(s.admission)
		}
	}
}

// said is an admission whose prompt has ended.
type said struct {
	admission journal.Admission
	at        time.Time
}

// told are the admissions whose announcement is under way: a pass that comes
// again meanwhile, perhaps with its attestation taken off, is the same
// presentation and not one that a crash left unannounced.
type told struct {
	mu  sync.Mutex
	now map[journal.Admission]bool
	// undisturbed is until when nobody's refusal takes the screen from the
	// visitor admitted last.
	undisturbed time.Time
	verdict     Verdict // that visitor's
}

// begin is false where the announcement is under way already.
func (t *told) begin(a journal.Admission) bool {
	a.Again = false
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now[a] {
		return false
	}
	if t.now == nil {
		t.now = map[journal.Admission]bool{}
	}
	t.now[a] = true
	return true
}

// busy says whether an admitted visitor is being told so at a moment.
func (t *told) busy(at time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.now) > 0 || at.Before(t.undisturbed)
}

// until keeps the screen for the visitor just admitted.
func (t *told) until(at time.Time, v Verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.undisturbed, t.verdict = at, v
}

// last is what the visitor admitted last was told.
func (t *told) last() Verdict {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.verdict
}

func (t *told) end(a journal.Admission) {
	a.Again = false
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.now, a)
}
