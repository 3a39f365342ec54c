package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"
	"time"

	"golang.org/x/term"

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/cmd/internal/device"
	"github.com/munjigi/munjigi/cmd/internal/town"
	"github.com/munjigi/munjigi/kiosk"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/symbol"
	"github.com/munjigi/munjigi/reader/camera/virtual"
)

// part is one visitor of the programme, which begins again when it is over.
type part struct {
	name string
	kind town.Kind
	want kiosk.Verdict
}

// replayed shows the picture that the visitor before left behind.
const replayed town.Kind = "replayed"

var programme = []part{
	{"good", town.Good, kiosk.Accepted},
	{"used twice", replayed, kiosk.Used},
	{"expired", town.Expired, kiosk.Verdict(pass.ReasonExpired.String())},
	{"forged", town.Forged, kiosk.Verdict(pass.ReasonSignature.String())},
	{"vaccinated", town.Vaccinated, kiosk.Accepted},
}

// visit is what became of a visitor.
type visit struct {
	part
	got      kiosk.Verdict
	seq      uint64
	heard    time.Duration // frame → first sample at the device, 0: no loudspeaker
	shown    time.Duration // frame → verdict on screen
	uploaded bool
}

// show brings the visitors and writes what they were told.
type show struct {
	town    *town.Town
	device  *device.Device
	phone   *virtual.Phone // nil with a real camera
	events  <-chan kiosk.Event
	options options
	out     io.Writer
	visits  []visit
}

// apart is how long after the first showing the second one comes.
const apart = kiosk.Same + 500*time.Millisecond

func (s *show) run(ctx context.Context) error {
	if s.phone == nil {
		return s.watch(ctx)
	}
	last := "" // the code shown last
	for n := 0; s.options.visitors == 0 || n < s.options.visitors; n++ {
		p := programme[n%len(programme)]
		if p.kind != replayed {
			text, err := s.town.Pass(p.kind, s.options.now())
			if err != nil {
				return err
			}
			last = text
		} else if !s.pass(ctx, apart) {
			return nil
		}
		v, err := s.visitor(ctx, p, last)
		if err != nil || ctx.Err() != nil {
			return err
		}
		s.visits = append(s.visits, v)
		s.line(ctx, n+1, v)
	}
	if !s.options.exit {
		fmt.Fprintln(s.out, "\nthe last visitor has gone; stop with Ctrl-C")
		<-ctx.Done()
		return nil
	}
	return s.settle(ctx)
}

// visitor holds one code before the camera until it is answered.
func (s *show) visitor(ctx context.Context, p part, text string) (visit, error) {
	v := visit{part: p}
	code, err := symbol.Encode(text)
	if err != nil {
		return v, err
	}
	for len(s.events) > 0 { // nothing of the visitor before
		<-s.events
	}
	s.phone.Present(code)
	deadline := time.NewTimer(s.options.patience)
	defer deadline.Stop()
	for answered := false; !answered; {
		select {
		case <-ctx.Done():
			return v, nil
		case <-deadline.C:
			answered = true
		case e := <-s.events:
			switch {
			case e.Stage == kiosk.Decided:
				v.got, v.seq, v.shown = e.Verdict, e.Seq, e.At.Sub(e.Frame)
			case e.Stage == kiosk.Started && e.Verdict == v.got:
				v.heard = e.At.Sub(e.Frame) + audio.Buffer
			case e.Stage == kiosk.Ended && e.Verdict == v.got:
				answered = true
			}
		}
	}
	wait(ctx, 700*time.Millisecond) // people lower the phone after the word, not with it
	s.phone.Leave()
	for !s.phone.Away() && wait(ctx, 50*time.Millisecond) {
	}
	return v, nil
}

// watch writes what real visitors are told, and how the camera is.
func (s *show) watch(ctx context.Context) error {
	camera := time.NewTicker(time.Second)
	defer camera.Stop()
	last := ""
	for n := 1; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-camera.C:
			now := "camera delivers, hold a phone to it"
			if c := s.device.Camera.Status(); !c.Live {
				now = "no picture: " + c.Reason
			}
			if now != last {
				fmt.Fprintln(s.out, now)
				last = now
			}
		case e := <-s.events:
			if e.Stage == kiosk.Decided {
				s.line(ctx, n, visit{part: part{name: "visitor", want: e.Verdict}, got: e.Verdict, seq: e.Seq, shown: e.At.Sub(e.Frame)})
				n++
			}
		}
	}
}

// line is one visitor's line, and below it the line of progress.
func (s *show) line(ctx context.Context, n int, v visit) {
	if s.terminal() {
		fmt.Fprint(s.out, "\r\x1b[K")
	}
	mark := "✓"
	if v.got != v.want {
		mark = "✗ expected " + string(v.want)
	}
	fmt.Fprintf(s.out, "%s  visitor %-3d %-11s → %-14s %3d ms to the screen  %s\n", time.Now().Format(time.TimeOnly), n, v.name, none(string(v.got)), v.shown.Milliseconds(), mark)
	if !s.terminal() {
		return
	}
	uploaded, err := s.town.Uploaded(ctx, place)
	if err != nil {
		return
	}
	status := s.device.Status()
	fmt.Fprintf(s.out, "          %d visitors · %d uploaded · %d waiting · %d frames", n, len(uploaded), status.Waiting, s.device.Kiosk.Frames())
}

func (s *show) terminal() bool {
	f, ok := s.out.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// settle waits until the registry has what was admitted.
func (s *show) settle(ctx context.Context) error {
	for deadline := time.Now().Add(s.options.patience); ; {
		uploaded, err := s.town.Uploaded(ctx, place)
		if err != nil {
			return err
		}
		all := true
		for i := range s.visits {
			v := &s.visits[i]
			v.uploaded = v.seq != 0 && uploaded[v.seq] == 1
			all = all && (v.seq == 0 || v.uploaded)
		}
		if all || time.Now().After(deadline) || !wait(ctx, 100*time.Millisecond) {
			return nil
		}
	}
}

// verdict prints the table and says whether all went right.
func (s *show) verdict() error {
	wrong, heard := 0, false
	for _, v := range s.visits {
		heard = heard || v.heard > 0
	}
	column := "frame→heard ms"
	if !heard {
		column = "frame→shown ms"
	}
	fmt.Fprintln(s.out)
	w := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "visitor\tverdict\t%s\trecorded\tuploaded\t\n", column)
	for _, v := range s.visits {
		ms := v.shown
		if heard {
			ms = v.heard
		}
		mark := ""
		if admitted := v.want == kiosk.Accepted; v.got != v.want || admitted != (v.seq != 0) || admitted != v.uploaded {
			wrong++
			mark = "✗ expected " + string(v.want)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%s\t%s\t%s\n", v.name, none(string(v.got)), ms.Milliseconds(), yes(v.seq != 0), yes(v.uploaded), mark)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if !heard {
		fmt.Fprintln(s.out, "\nno loudspeaker here: nothing was heard, the times are those of the screen")
	}
	if len(s.visits) < s.options.visitors {
		return fmt.Errorf("stopped after %d of %d visitors", len(s.visits), s.options.visitors)
	}
	if wrong > 0 {
		return errors.New("not every visitor was told the right thing, or not every visit reached the registry: see the marked lines")
	}
	return nil
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "–"
}

func none(s string) string {
	if s == "" {
		return "no answer"
	}
	return s
}

// pass lets time pass on the demo's clock; false when ctx ended first.
func (s *show) pass(ctx context.Context, d time.Duration) bool {
	for end := s.options.now().Add(d); s.options.now().Before(end); {
		if !wait(ctx, 50*time.Millisecond) {
			return false
		}
	}
	return true
}

// wait is false when ctx ended first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
