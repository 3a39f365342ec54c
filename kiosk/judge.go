package kiosk

import (
	"context"
	"crypto/sha256"
	"errors"
	"sync"
	"time"

	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/uplink/journal"
)

const (
	// rejudge is how often a code that may become good while it is held is
	// looked at again.
	rejudge = 500 * time.Millisecond
	// patience is how long a visit may take to reach the disk before the
	// visitor is asked to wait.
	patience = 800 * time.Millisecond
)

// symbol answers one code, unless it has been answered.
func (k *Kiosk) symbol(ctx context.Context, text string, at, decoded time.Time) {
	if wire.IsCode(text) {
		k.enrol.see(text, at)
		return
	}
	digest := sha256.Sum256([]byte(text))
	known := k.codes.find(digest, at)
	if known != nil && (answers[known.verdict].final || at.Sub(known.judged) < rejudge) {
		k.still(known, at)
		return
	}
	k.parts.Log.Debug("a code is being judged")
	r := k.judge(text, at)
	if known != nil && known.verdict == r.verdict {
		known.judged = at
		k.still(known, at)
		return
	}
	if !r.verdict.good() && k.told.busy(at) {
		// Whoever has just been admitted must hear and see it: a poster behind
		// them, or the next phone's old code, can wait for its answer.
		return
	}
	k.codes.put(digest, r.verdict, at)
	if r.same {
		return // the same presentation
	}
	r.renew = k.coach.answered(r.verdict, at)
	k.tell(ctx, r, at, decoded)
}

func (k *Kiosk) still(p *presentation, at time.Time) {
	p.seen = at
	k.face.still(answers[p.verdict], at)
}

// ruling is a verdict with what is needed to tell it.
type ruling struct {
	verdict   Verdict
	same      bool // the answer to it is being given, or was heard less than Same ago
	admission journal.Admission
	seconds   int
	staff     *display.Staff
	renew     bool  // and it is to be asked for a new code: the last was too old, as well
	err       error // why a good pass could not be kept
}

// judge verifies a text and, if it is a good pass, keeps the visit.
func (k *Kiosk) judge(text string, at time.Time) ruling {
	p, err := k.verify(text, at)
	if err != nil {
		r := ruling{verdict: of(pass.ReasonOf(err))}
		var e *pass.Error
		if errors.As(err, &e) && e.Reason == pass.ReasonNotYetValid {
			r.seconds = int((e.By + time.Second - 1) / time.Second)
			k.parts.Clock.Hint(e.By)
		}
		return r
	}
	k.parts.Clock.Hint(0)
	var admission journal.Admission
	err = k.patiently(func() (err error) { admission, err = k.parts.Journal.Admit(p, at); return err })
	var used *journal.UsedError
	switch {
	case errors.As(err, &used):
		if since := at.Sub(used.At); since < Same {
			return ruling{verdict: verdictOf(p), same: true}
		}
		return ruling{verdict: Used}
	case err != nil:
		return ruling{verdict: OutOfOrder, err: err}
	}
	r := ruling{verdict: verdictOf(p), same: !k.told.begin(admission), admission: admission}
	if h := p.Health(); h != nil && k.cfg.Staff {
		r.staff = &display.Staff{Complete: h.Complete, TwoWeeksOn: h.Settled(at), Doses: len(h.Doses)}
	}
	return r
}

// patiently writes to the journal, and asks the visitor for patience where the
// disk is slow.
func (k *Kiosk) patiently(write func() error) error {
	var (
		mu   sync.Mutex
		done bool
	)
	slow := time.AfterFunc(patience, func() {
		mu.Lock()
		defer mu.Unlock()
		if !done {
			k.face.verdict(pleaseWait, display.State{}, k.parts.Now())
			k.speech.say(pleaseWait.prompt, nil, nil)
		}
	})
	defer slow.Stop()
	err := write()
	mu.Lock()
	defer mu.Unlock()
	done = true
	return err
}

func verdictOf(p *pass.Pass) Verdict {
	if p.Mode() == pass.ModeVerifyOnly {
		return Verified
	}
	return Accepted
}

func (k *Kiosk) verify(text string, at time.Time) (*pass.Pass, error) {
	u, err := pass.Parse(text)
	if err != nil {
		return nil, err
	}
	return u.Verify(at, k.parts.Trust.Bundle(), pass.Conditions{
		Skew: k.cfg.Skew, Facility: k.parts.Facility(), Clock: k.parts.Clock.State(at), AdmitUnsure: k.cfg.AdmitUnsure,
	})
}
