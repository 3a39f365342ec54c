package kiosk

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"image"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/munjigi/munjigi/audio"
	"github.com/munjigi/munjigi/display"
	"github.com/munjigi/munjigi/display/lines"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/reader/camera"
	"github.com/munjigi/munjigi/reader/qr"
	"github.com/munjigi/munjigi/uplink/journal"
)

func testKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("munjigi kiosk test " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

// rig is a kiosk with fakes at its edges and a real journal, inside a synctest
// bubble: its calls are recorded in their order.
type rig struct {
	t       testing.TB
	k       *Kiosk
	path    string // of the journal
	journal *journal.Journal
	keeper  *keeper
	voice   *voice
	screen  *screen
	bundle  *pass.Bundle
	clock   pass.Clock
	events  chan lines.Event
	hints   []time.Duration // what the clock was told
	frames  chan camera.Frame
	codes   map[*image.Gray]reading
	stop    func()

	mu    sync.Mutex
	calls []string
	told  []Event
	see   qr.Finding // what the decoder says of pictures without a text
}

type reading struct {
	texts   []string
	finding qr.Finding
	err     error
}

// setting is what a test wants otherwise; fields may be nil.
type setting struct {
	config Config
	kind   string // of facility
	enrol  Enroller
	status func() display.Status
	path   string // of a journal that exists
	edit   func(*pass.Contents)
}

func newRig(t testing.TB, s setting) *rig {
	t.Helper()
	r := &rig{t: t, path: s.path, frames: make(chan camera.Frame), codes: map[*image.Gray]reading{}, clock: pass.ClockSure, events: make(chan lines.Event)}
	if r.path == "" {
		r.path = filepath.Join(t.TempDir(), "journal.db")
	}
	var err error
	if r.journal, err = journal.Open(r.path); err != nil {
		t.Fatal(err)
	}
	r.bundle = newBundle(t, s.edit)
	r.keeper, r.voice, r.screen = &keeper{rig: r}, &voice{rig: r, lasts: 900 * time.Millisecond}, &screen{rig: r}
	if s.config == (Config{}) {
		s.config = Config{Skew: pass.Skew}
	}
	if s.kind == "" {
		s.kind = "restaurant"
	}
	r.k = New(s.config, Parts{
		Frames: r, Decoder: r, Trust: r, Journal: r.keeper, Voice: r.voice, Screen: r.screen, Lines: r, Clock: r, Findings: r, Events: r.events,
		Facility: func() string { return s.kind }, Enrol: s.enrol, Status: s.status,
		Observe: func(e Event) { r.mu.Lock(); r.told = append(r.told, e); r.mu.Unlock() },
		Now:     time.Now, Log: slog.New(slog.DiscardHandler),
	})
	return r
}

func newBundle(t testing.TB, edit func(*pass.Contents)) *pass.Bundle {
	t.Helper()
	now := time.Now()
	kko, root := testKey("kko"), testKey("root")
	c := pass.Contents{
		Number: 1, Issued: now.Add(-time.Hour).Unix(), Expires: now.Add(24 * time.Hour).Unix(),
		Issuers: []pass.Issuer{{ID: "kko", Keys: []pass.Key{pass.NewKey(kko.Public().(ed25519.PublicKey), now.Add(-time.Hour), now.Add(24*time.Hour))}}},
		Policies: map[string]pass.Policy{
			"museum": {Mode: pass.ModeVerifyOnly}, "park": {Mode: pass.ModeOff},
		},
	}
	if edit != nil {
		edit(&c)
	}
	raw, err := pass.SignBundle(root, c)
	if err != nil {
		t.Fatal(err)
	}
	b, err := pass.OpenBundle(raw, root.Public().(ed25519.PublicKey))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// run starts the kiosk; stop ends it and closes the journal.
func (r *rig) run() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.k.Run(ctx) }()
	r.stop = sync.OnceFunc(func() {
		cancel()
		r.voice.cut()
		if err := <-done; !errors.Is(err, context.Canceled) {
			r.t.Errorf("Run: %v", err)
		}
		if err := r.journal.Close(); err != nil {
			r.t.Error(err)
		}
	})
	<-r.k.Ready()
	synctest.Wait()
}

// show holds codes before the camera for one frame and waits until it is dealt with.
func (r *rig) show(texts ...string) { r.frame(reading{texts: texts}) }

func (r *rig) frame(read reading) {
	g := image.NewGray(image.Rect(0, 0, 1, 1))
	r.codes[g] = read
	r.frames <- camera.Frame{Gray: g, At: time.Now()}
	synctest.Wait()
}

// hold shows codes for a time, 20 frames a second.
func (r *rig) hold(d time.Duration, texts ...string) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		r.show(texts...)
	}
}

// suffer holds something before the camera that cannot be read.
func (r *rig) suffer(d time.Duration, p qr.Problem) {
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		r.frame(reading{finding: qr.Finding{Problem: p, Located: p != qr.NoCode, X: 0.4, Y: 0.5}})
	}
}

// press lets something happen at the lines.
func (r *rig) press(e lines.Event) {
	r.events <- e
	synctest.Wait()
}

// said lists the prompts so far.
func (r *rig) said() []audio.Prompt {
	r.voice.mu.Lock()
	defer r.voice.mu.Unlock()
	return slices.Clone(r.voice.said)
}

func (r *rig) note(call string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls = append(r.calls, call)
}

// record is what was called and observed so far.
func (r *rig) record() ([]string, []Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.calls), slices.Clone(r.told)
}

func (r *rig) wantSaid(want ...audio.Prompt) {
	r.t.Helper()
	if got := r.said(); !slices.Equal(got, want) {
		r.t.Errorf("said %v, want %v", got, want)
	}
}

// wantVisits counts the visits in the journal.
func (r *rig) wantVisits(want int) {
	r.t.Helper()
	visits, err := r.journal.Pending(0, 100)
	if err != nil {
		r.t.Fatal(err)
	}
	if len(visits) != want {
		r.t.Errorf("%d visits in the journal, want %d", len(visits), want)
	}
}

// pass issues pass number n now, or as much later as ahead says.
func (r *rig) pass(n byte, ahead time.Duration, h *pass.Health) string {
	r.t.Helper()
	text, err := pass.Issue(testKey("kko"), "kko", pass.ID{n}, time.Now().Add(ahead), h)
	if err != nil {
		r.t.Fatal(err)
	}
	return text
}

// Next, Decode, Bundle, State and Signal are the simplest of the parts.

func (r *rig) Next(ctx context.Context) (camera.Frame, error) {
	select {
	case f := <-r.frames:
		return f, nil
	case <-ctx.Done():
		return camera.Frame{}, ctx.Err()
	}
}

func (r *rig) Decode(g *image.Gray) (symbols []qr.Symbol, err error) {
	read := r.codes[g]
	if r.see = read.finding; len(read.texts) > 0 {
		r.see = qr.Finding{Problem: qr.None, Located: true, X: 0.5, Y: 0.5}
	}
	for _, text := range read.texts {
		symbols = append(symbols, qr.Symbol{Text: text, Bytes: []byte(text)})
	}
	return symbols, read.err
}

func (r *rig) Finding() qr.Finding        { return r.see }
func (r *rig) Bundle() *pass.Bundle       { return r.bundle }
func (r *rig) State(time.Time) pass.Clock { return r.clock }
func (r *rig) Hint(by time.Duration)      { r.hints = append(r.hints, by) }
func (r *rig) Signal(s lines.Signal) {
	r.note(map[lines.Signal]string{lines.Accept: "green", lines.Refuse: "red", lines.Help: "help"}[s])
}

// keeper is the journal with the faults of a disk.
type keeper struct {
	*rig
	fault    error
	persists bool // the write gets through although it is said to have failed
	slow     time.Duration
	writes   int
}

func (k *keeper) Admit(p *pass.Pass, at time.Time) (journal.Admission, error) {
	k.writes++
	time.Sleep(k.slow)
	if k.fault != nil && !k.persists {
		return journal.Admission{}, k.fault
	}
	a, err := k.journal.Admit(p, at)
	k.note("on disk")
	if k.fault != nil {
		return journal.Admission{}, k.fault
	}
	return a, err
}

func (k *keeper) Announced(a journal.Admission, at time.Time) error {
	k.note("noted")
	return k.journal.Announced(a, at)
}

func (k *keeper) AdmitByStaff(at time.Time) error {
	time.Sleep(k.slow)
	if k.fault != nil && !k.persists {
		return k.fault
	}
	err := k.journal.AdmitByStaff(at)
	k.note("counted")
	if k.fault != nil {
		return k.fault
	}
	return err
}

// voice takes its time for each prompt, and cuts it short for the next.
type voice struct {
	*rig
	lasts time.Duration

	mu   sync.Mutex
	said []audio.Prompt
	end  func(audio.Outcome)
	near float64 // of the tone
}

func (v *voice) SayTimed(p audio.Prompt, started func(), done func(audio.Outcome)) {
	v.cut()
	v.note("say " + string(p))
	if started == nil {
		started = func() {}
	}
	if done == nil {
		done = func(audio.Outcome) {}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.said = append(v.said, p)
	var once sync.Once
	end := func(o audio.Outcome) { once.Do(func() { done(o) }) }
	v.end = end
	time.AfterFunc(v.lasts, func() { end(audio.Heard) })
	go started()
}

func (v *voice) Aim(near float64) { v.note("tone"); v.near = near }

func (v *voice) cut() {
	v.mu.Lock()
	end := v.end
	v.end = nil
	v.mu.Unlock()
	if end != nil {
		end(audio.Cut)
	}
}

// screen keeps the states it was shown.
type screen struct {
	*rig
	mu     sync.Mutex
	states []display.State
}

func (s *screen) Show(st display.State) {
	s.mu.Lock()
	s.states = append(s.states, st)
	s.mu.Unlock()
	if st.Scene != display.Idle && st.Scene != display.Wait {
		s.note("show " + string(st.Scene))
	}
}

// now is the state on the screen.
func (s *screen) now() display.State {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.states) == 0 {
		return display.State{}
	}
	return s.states[len(s.states)-1]
}
