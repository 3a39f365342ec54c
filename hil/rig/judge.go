//go:build linux && amd64

package main

import (
	"context"
	"crypto/ed25519"
	"database/sql"
	"errors"
	"fmt"
	"image"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	_ "modernc.org/sqlite" // the registry's database

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/kiosk"
	"github.com/munjigi/munjigi/pass"
)

// expected is what belongs to a verdict: the prompt and the scene. A lamp
// belongs to each but those that are no refusal; the door opens for the
// accepted alone.
var expected = map[string]struct {
	prompt string
	scene  display.Scene
	lamps  int
}{
	string(kiosk.Accepted):          {"accepted", display.Accepted, 1},
	string(kiosk.Used):              {"used", display.Used, 1},
	string(kiosk.OutOfOrder):        {"out-of-order", display.OutOfOrder, 1},
	pass.ReasonExpired.String():     {"expired", display.Expired, 1},
	pass.ReasonSignature.String():   {"refused", display.Forged, 1},
	pass.ReasonUnknownKey.String():  {"unknown-issuer", display.UnknownIssuer, 1},
	pass.ReasonNotYetValid.String(): {"phone-clock", display.NotYetValid, 1},
	pass.ReasonVersion.String():     {"out-of-order", display.ReaderTooOld, 1},
	pass.ReasonNotPass.String():     {"not-a-pass", display.NotAPass, 0},
	pass.ReasonClock.String():       {"clock", display.Clock, 1},
}

// The least that counts as the same sound and the same picture.
const (
	sameSound   = 0.9
	mostPieces  = 0.75 // of a sound that the guest's own stalls have torn
	samePicture = 0.97
	pulseSlack  = 300 * time.Millisecond // by which the door's pulse may differ from door_time, the guest's stalls aside
)

// With a clock of its own the guest never lacks time, and nothing is forgiven.
const (
	exactSound = 0.99
	exactPulse = 30 * time.Millisecond // the pins are looked at every 10 ms
)

// How long a guest on the machine's clock may be without time before what it
// did says nothing about the kiosk. ALSA asks for the next half of the sound
// device's buffer when the other half is left; the rest has more patience.
const (
	tears     = audio.Buffer / 2
	starved   = 2 * audio.Buffer
	saturated = 0.85 // of the guest's time in use: the kiosk's own threads wait for each other
	mostAgain = 12   // visitors whom the guest had no time for come again
)

var errStarved = errors.New("but the machine gave the guest no time for longer than its sound device holds out")

// signedTime is how exactly a kiosk without NTP knows the time: the registry's
// signed answer is right to half the way of question and answer.
const signedTime = 500 * time.Millisecond

// row is what was seen of one visitor.
type row struct {
	kind, want, got string
	from, to        time.Time
	prompt          string
	match           float64
	heard           time.Duration // first picture → first audible sample; with Travel, the way of the hand is in it
	picture         float64
	green, red      int
	door            []int64
	hint            time.Duration // of coaching heard before the prompt
	gaps            time.Duration // silence torn into the sound
	stall           time.Duration // the longest in which the guest gave the rig no time
	busy            float64       // share of the guest's time that was in use
	faults          []string
	torn            int  // of the faults: what was heard
	inPieces        bool // the right prompt was heard, with gaps
	unseen          bool // no picture of the screen is taken
	tolerant        bool // whatever the verdict is, it is judged elsewhere
	repeated        bool // judged by a later turn
}

// excused says whether the faults may be the machine's. A sound card may have
// stood still where the rig did not; a kiosk that tears its prompts does it each time.
func (w *row) excused() bool {
	short := w.stall > tears || w.busy > saturated || w.inPieces
	return len(w.faults) > 0 && (w.stall > starved || short && w.torn == len(w.faults))
}

func (w *row) fault(format string, args ...any) {
	w.faults = append(w.faults, fmt.Sprintf(format, args...))
}

// receive lets the visitors of the plan come, one after another, and judges.
// A visitor whom the guest had no time for comes again.
func (r *rig) receive(ctx context.Context, key ed25519.PrivateKey, known prompts) error {
	var rows []*row
	var last visit
	if len(r.drives) > 0 {
		if err := r.shut(ctx); err != nil {
			return err
		}
	}
	plan := strings.Split(r.plan, ",")
	for spare := mostAgain; len(plan) > 0; plan = plan[1:] {
		kind := plan[0]
		w := &row{kind: kind, want: string(kiosk.Used)}
		if _, ok := happenings[kind]; ok {
			if err := r.happen(ctx, w, key, known, fmt.Sprintf("%d-%s.png", len(rows)+1, kind)); err != nil {
				return err
			}
			rows = append(rows, w)
			continue
		}
		if kind == "again" {
			// Not the same presentation any more: kiosk.Same after the prompt's end, which the kiosk puts a buffer later.
			wait(ctx, 10*time.Second, func() bool { t, _ := r.ear.quietSince(); return time.Since(t) > kiosk.Same+time.Second })
		} else {
			var err error
			if last, err = r.prepare(ctx, kind, key); err != nil {
				return err
			}
			w.want = last.verdict
		}
		if last.old() && w.want == string(kiosk.Accepted) {
			if spare--; spare < 0 {
				return fmt.Errorf("%s: the pass was too old before it could be shown: %w", kind, errStarved)
			}
			plan = anew(plan) // plan[0] is taken off above
			continue
		}
		if err := r.visitor(ctx, w, last.pictures, fmt.Sprintf("%d-%s.png", len(rows)+1, kind)); err != nil {
			return err
		}
		r.judge(w, known)
		rows = append(rows, w)
		if w.excused() && !r.exact && spare > 0 {
			spare--
			w.repeated = true
			plan = anew(plan)
		}
	}
	faults := r.registered(ctx, rows, 15*time.Second)
	if r.screen != "" {
		wait(ctx, 5*time.Second, func() bool { return false }) // the longest that an answer stays
		img, err := screenshot(r.screen, r.shape, r.stride)
		if err == nil {
			err = keep(img, filepath.Join(r.out, "idle.png"))
		}
		if err != nil {
			return err
		}
	}
	fmt.Printf("\n%s %s, %d pictures a second (%d of %d late)\n", r.format, r.size, r.feeder.node.fps, r.feeder.late, r.feeder.count)
	t := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "visitor\tverdict\tprompt heard\tmatch\tscreen alike\tgreen\tred\tdoor ms\tguest stalled ms\tbusy %\tgaps ms\thint ms\t")
	starved := false
	for _, w := range rows {
		note := strings.Join(w.faults, "; ")
		if w.repeated {
			note += " (the guest had no time: came again)"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%.3f\t%.3f\t%d\t%d\t%v\t%d\t%.0f\t%d\t%d\t%s\n", w.kind, w.got, w.prompt, w.match, w.picture, w.green, w.red, w.door, w.stall.Milliseconds(), 100*w.busy, w.gaps.Milliseconds(), w.hint.Milliseconds(), note)
		if w.repeated {
			continue
		}
		for _, f := range w.faults {
			faults = append(faults, w.kind+": "+f)
		}
		starved = starved || w.excused() && !r.exact
	}
	t.Flush()
	if len(faults) > 0 {
		err := fmt.Errorf("not as expected:\n  %s", strings.Join(faults, "\n  "))
		if starved {
			return fmt.Errorf("%w; %w", err, errStarved)
		}
		return err
	}
	return ctx.Err()
}

// anew puts what has to be done again behind plan[0]: the code that is shown
// again needs a fresh one before it.
func anew(plan []string) []string {
	if plan[0] == "again" {
		return append([]string{"", "good", "again"}, plan[1:]...)
	}
	return append([]string{""}, plan...)
}

// visit is a visitor, ready to be played.
type visit struct {
	pictures [][]byte
	verdict  string // that belongs to the pass
	issued   time.Time
}

// began is when the rig did.
var began = time.Now()

// truth is the time that phones have, whatever the guest's clock is set to.
func truth() time.Time { return began.Add(time.Since(began)) }

// old says whether the pass's time may be over before the kiosk has answered.
func (v visit) old() bool { return truth().Sub(v.issued) > pass.Lifetime-3*time.Second }

func (r *rig) prepare(ctx context.Context, kind string, key ed25519.PrivateKey) (v visit, err error) {
	v.issued = truth()
	text, verdict, err := mint(kind, key, r.issuer, v.issued)
	if err != nil {
		return v, err
	}
	v.verdict = verdict
	v.pictures, err = r.feeder.visit(ctx, text)
	return v, err
}

// visitor shows a code and waits until the kiosk has done with it.
func (r *rig) visitor(ctx context.Context, w *row, pictures [][]byte, shot string) error {
	e, ok := expected[w.want]
	look := r.screen != "" && ok && !w.unseen
	var want, img *image.RGBA
	if look {
		want = drawn(r.painter, r.shape, e.scene, w.kind)
	}
	r.heart.since()
	began, ended, err := r.feeder.show(ctx, pictures)
	if err != nil {
		return err
	}
	w.from = began
	r.ear.longestStall()
	patience := 8 * time.Second
	if w.tolerant { // of a fault, which may keep everybody waiting
		patience = 20 * time.Second
	}
	if wait(ctx, patience, func() bool { return len(r.diary.between(began, time.Now())) > 0 }) && w.tolerant {
		e, ok = expected[r.diary.between(began, time.Now())[0].verdict]
		if look = r.screen != "" && ok; look {
			want = drawn(r.painter, r.shape, e.scene, w.kind)
		}
	}
	if look && len(r.diary.between(began, time.Now())) > 0 {
		// Once where it is there in time; comparing takes time that a prompt wants.
		for _, pause := range []time.Duration{300, 500, 1000} {
			wait(ctx, pause*time.Millisecond, func() bool { return false })
			if img, err = screenshot(r.screen, r.shape, r.stride); err != nil {
				return err
			}
			if w.picture = alike(img, want); w.picture >= samePicture || r.exact {
				break
			}
		}
	}
	select {
	case <-ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	wait(ctx, 15*time.Second, func() bool {
		last, silent := r.ear.quietSince() // a torn prompt is not yet its end
		spoke := len(r.ear.heard(began, time.Now())) > 0 || r.ear.deaf()
		return silent && time.Since(last) > time.Second && spoke && r.pins.allLow()
	})
	w.to = time.Now()
	w.stall, w.busy = r.heart.since()
	w.stall = max(w.stall, r.ear.longestStall())
	if img != nil && shot != "" {
		if err := keep(img, filepath.Join(r.out, shot)); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// judge compares what was seen with what belongs to the verdict.
func (r *rig) judge(w *row, known prompts) {
	e := expected[w.want]
	var got []string
	for _, a := range r.diary.between(w.from, w.to) {
		got = append(got, a.verdict)
	}
	w.got = strings.Join(got, "+")
	if w.got != w.want {
		w.fault("verdict %q, want %q", w.got, w.want)
	}
	sounds := r.ear.heard(w.from, w.to)
	if len(sounds) == 0 {
		w.fault("nothing was heard")
		w.torn++
	} else {
		w.heard = sounds[0].at.Sub(w.from)
		w.prompt, w.match = r.ear.name(sounds[0], known)
		if w.match < sameSound {
			if after, match := r.ear.behind(sounds[0], known[e.prompt], time.Second); match >= sameSound {
				w.prompt, w.match, w.hint = e.prompt, match, after
			}
		}
		if w.match < sameSound && !r.exact { // torn, perhaps
			var share float64
			share, w.gaps = r.ear.pieces(sounds[0], known[e.prompt])
			w.inPieces = share >= mostPieces
			if w.inPieces && (w.stall > tears || w.busy > saturated) {
				w.prompt, w.match = e.prompt, share
			}
		}
		least := mostPieces
		if r.exact {
			least = exactSound
		}
		if w.prompt != e.prompt || w.match < least {
			w.torn++
			w.fault("heard %q (match %.2f, gaps of %v), want %q", w.prompt, w.match, w.gaps, e.prompt)
		}
	}
	if r.screen != "" && w.picture < samePicture {
		w.fault("the screen is not %q (alike %.3f)", e.scene, w.picture)
	}
	if len(r.pins.files) == 0 {
		return
	}
	good := w.want == string(kiosk.Accepted)
	if _, there := r.pins.files["buzzer"]; there {
		buzzes, want := len(r.pins.pulses("buzzer", w.from, w.to)), 2*e.lamps // twice at a refusal
		if good {
			want = 1
		}
		if buzzes != want {
			w.fault("the buzzer sounded %d times, want %d", buzzes, want)
		}
	}
	w.green, w.red = len(r.pins.pulses("green", w.from, w.to)), len(r.pins.pulses("red", w.from, w.to))
	w.door = r.pins.pulses("door", w.from, w.to)
	if good && (w.green != 1 || w.red != 0 || len(w.door) != 1) || !good && (w.green != 0 || w.red != e.lamps || len(w.door) != 0) {
		w.fault("lamps and door: green %d, red %d, door %d", w.green, w.red, len(w.door))
	}
	slack := pulseSlack + w.stall
	if r.exact {
		slack = exactPulse
	}
	for _, ms := range w.door {
		if off := time.Duration(ms)*time.Millisecond - r.door; max(off, -off) > slack {
			w.fault("the door's pulse lasted %d ms, not %v", ms, r.door)
		}
	}
}

// registered waits for the visits of those whom the kiosk accepted to reach the
// registry, once each, with the time of their scan, for so long at most.
func (r *rig) registered(ctx context.Context, rows []*row, most time.Duration) (faults []string) {
	if r.db == "" {
		return nil
	}
	db, err := sql.Open("sqlite", "file:"+r.db+"?mode=ro")
	if err != nil {
		return []string{err.Error()}
	}
	defer db.Close()
	var want []*row
	for _, w := range rows {
		if w.got == string(kiosk.Accepted) {
			want = append(want, w)
		}
	}
	first := began.UnixMilli() // no row's: its clock may have been set
	var scans []int64
	wait(ctx, most, func() bool {
		if scans, err = scanned(ctx, db, first); err == nil && len(scans) >= len(want) {
			return true
		}
		wait(ctx, time.Second, func() bool { return false })
		return false
	})
	if err != nil {
		return []string{fmt.Sprintf("the registry's database: %v", err)}
	}
	fmt.Printf("registry: %d visits kept, %d accepted\n", len(scans), len(want))
	if len(scans) != len(want) {
		return []string{fmt.Sprintf("%d visits reached the registry, want %d", len(scans), len(want))}
	}
	for i, w := range want {
		if at := time.UnixMilli(scans[i]); at.Before(w.from.Add(-signedTime)) || at.After(w.to.Add(signedTime)) {
			faults = append(faults, fmt.Sprintf("%s: the registry has another time of the scan", w.kind))
		}
	}
	return faults
}

func scanned(ctx context.Context, db *sql.DB, since int64) (all []int64, err error) {
	rows, err := db.QueryContext(ctx, "SELECT scanned FROM visits WHERE scanned >= ? ORDER BY scanned", since)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var ms int64
		if err := rows.Scan(&ms); err != nil {
			return nil, err
		}
		all = append(all, ms)
	}
	return all, rows.Err()
}
