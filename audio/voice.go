// Package audio says what the kiosk has to say: a chime and a sentence, from
// files that an owner can replace, through one loudspeaker.
//
// Use [New] and run the [Voice] as a task; [Voice.Say] never blocks, the
// newest prompt wins, what it cuts off fades, and two never sound at once. Only
// coaching ([Closer], [Here], …) never cuts off an answer. Each Say is
// answered exactly once: [Heard], [Cut] or [Silent]. A missing loudspeaker stops
// nothing: everything is Silent, [Voice.State] says what to do, and the device
// is tried again every few seconds.
//
// # An owner's prompts
//
// In Config.Dir, ko/accepted.ogg (or .wav, .mp3) has the words of [Accepted] in
// Korean, and accepted.ogg those in whatever language is spoken. The prompt's chime
// is played before them; chime-yes, chime-no, chime-wait, chime-hint and chime-here
// are replaced in the same way, before an owner's words alone. All are brought to
// [Loudness].
package audio

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Buffer is the sound device's buffer: samples are heard that much after they
// were handed over at most. 100 ms plays clean on small boards.
const Buffer = 100 * time.Millisecond

// Outcome is how a prompt ended.
type Outcome int

const (
	Heard  Outcome = iota + 1 // played to its end, the device's buffer included
	Cut                       // a newer prompt took its place, or the voice was stopped
	Silent                    // no working loudspeaker
)

func (o Outcome) String() string {
	switch o {
	case Heard:
		return "heard"
	case Cut:
		return "cut"
	case Silent:
		return "silent"
	}
	return fmt.Sprintf("Outcome(%d)", int(o))
}

// Config is the [sound] part of the kiosk's configuration.
type Config struct {
	// Output is "speaker" (or empty): the system's default sound device;
	// "off"; or "wav:FILE": what would be played is written to FILE.
	Output string
	// Dir is a folder whose files replace the prompts of the same name; empty
	// for none.
	Dir string
	// Languages are the screen's; the first is spoken. None is Korean.
	Languages []string
	// Volume is 0 to 100: the amplitude is its square, so that the ear hears
	// even steps; 100 is Loudness.
	Volume int
	// Quiet are hours of the day like "22:00-07:00", local time, in which
	// QuietVolume counts instead; empty for none.
	Quiet       string
	QuietVolume int
	// Now is asked for the time of day; nil is time.Now.
	Now func() time.Time
}

// State is what the status strip and `kiosk check` show of the loudspeaker.
type State struct {
	Playing bool   // a device is open and takes sound
	Off     bool   // there is none by choice: nothing is amiss
	Text    string // the device, or what is wrong and what to do
}

// retryEvery is how often a missing device is tried again.
const retryEvery = 3 * time.Second

// stallAfter is how long a device may take no sound at all before it counts
// as gone: an unplugged one can block for ever.
const stallAfter = 2 * time.Second

// Voice plays prompts, one at a time. Create it with [New].
type Voice struct {
	clips    map[Prompt]*clip
	output   output
	warnings []error
	quiet    hours
	now      func() time.Time
	log      *slog.Logger
	ready    chan struct{}
	opened   sync.Once     // closes ready
	wake     chan struct{} // capacity 1: something was said

	mu      sync.Mutex
	said    []*utterance // not yet taken up, oldest first
	stopped bool
	state   State
	muted   bool
	aimed   bool    // Aim was called since it was taken
	near    float64 // with this

	dayVolume, quietVolume int
}

// utterance is one call of Say.
type utterance struct {
	prompt  Prompt
	started func()
	done    func(Outcome)
}

// New loads the prompts. A broken file in cfg.Dir is a warning in the log and
// in Warnings, not an error; a wrong setting is an error that names its key.
func New(cfg Config, log *slog.Logger) (*Voice, error) {
	out, quiet, err := cfg.parse()
	if err != nil {
		return nil, err
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	lang := ""
	if len(cfg.Languages) > 0 {
		lang = cfg.Languages[0]
	}
	clips, warnings, err := load(cfg.Dir, lang)
	if err != nil {
		return nil, err
	}
	for _, w := range warnings {
		log.Warn("a prompt is not as it was meant to be", "err", w)
	}
	return &Voice{
		clips: clips, dayVolume: cfg.Volume, quiet: quiet, quietVolume: cfg.QuietVolume, now: cfg.Now,
		output: out, warnings: warnings, log: log,
		ready: make(chan struct{}), wake: make(chan struct{}, 1),
		state: State{Text: "not opened yet", Off: out == nil},
	}, nil
}

// Check says which setting is wrong, by its key, and what to give.
func (c Config) Check() error {
	_, _, err := c.parse()
	return err
}

func (c Config) parse() (out output, quiet hours, err error) {
	if c.Volume < 0 || c.Volume > 100 {
		return nil, quiet, fmt.Errorf("sound.volume = %d: give 0 to 100", c.Volume)
	}
	if c.QuietVolume < 0 || c.QuietVolume > 100 {
		return nil, quiet, fmt.Errorf("sound.quiet_volume = %d: give 0 to 100", c.QuietVolume)
	}
	if quiet, err = parseHours(c.Quiet); err != nil {
		return nil, quiet, err
	}
	out, err = newOutput(c.Output)
	return out, quiet, err
}

func newOutput(name string) (output, error) {
	file, isFile := strings.CutPrefix(name, "wav:")
	switch {
	case name == "" || name == "speaker":
		return newSpeaker(), nil
	case name == "off":
		return nil, nil
	case isFile && file != "":
		return wavOutput(filepath.Clean(file)), nil
	}
	return nil, fmt.Errorf(`sound.output = %q: give "speaker", "off" or "wav:FILE"`, name)
}

// Warnings are the owner's prompts that could not be used, and why.
func (v *Voice) Warnings() []error { return v.warnings }

// State tells how the loudspeaker is.
func (v *Voice) State() State {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state
}

func (v *Voice) setState(s State) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.state = s
}

// Ready is closed once the device was tried for the first time.
func (v *Voice) Ready() <-chan struct{} { return v.ready }

func (v *Voice) tried() { v.opened.Do(func() { close(v.ready) }) }

func (v *Voice) String() string { return "voice" }

// Say plays p in place of whatever is playing. It never blocks. done, which
// may be nil, is called exactly once, from another goroutine, and must not
// block.
func (v *Voice) Say(p Prompt, done func(Outcome)) { v.SayTimed(p, nil, done) }

// SayTimed is Say with a hook that is called when the first samples have been
// handed to the device; they are heard 40 ms later, after another prompt one
// [Buffer].
// started may be nil, is called at most once and before done, and must not block
// either.
func (v *Voice) SayTimed(p Prompt, started func(), done func(Outcome)) {
	if started == nil {
		started = func() {}
	}
	if done == nil {
		done = func(Outcome) {}
	}
	v.mu.Lock()
	if v.stopped {
		v.mu.Unlock()
		go done(Silent)
		return
	}
	v.said = append(v.said, &utterance{p, started, done})
	v.mu.Unlock()
	select {
	case v.wake <- struct{}{}:
	default:
	}
}

// Aim sounds the aiming tone: pulses that come faster and higher the nearer
// the code is to the middle of the picture, 0 … 1. It fades 300 ms after the last
// call; any prompt silences it. It never blocks.
func (v *Voice) Aim(near float64) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.near, v.aimed = near, true
}

// takeAim returns what Aim was called with since the last time.
func (v *Voice) takeAim() (near float64, aimed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	aimed, v.aimed = v.aimed, false
	return v.near, aimed
}

// take returns what is to be heard in place of current, which may be nil (and
// nil to leave it as it is), and what is not to be heard any more.
func (v *Voice) take(current *utterance) (newest *utterance, replaced []*utterance) {
	v.mu.Lock()
	defer v.mu.Unlock()
	top := current
	for _, u := range v.said {
		if top != nil && u.prompt.yields(top.prompt) {
			replaced = append(replaced, u)
			continue
		}
		if top != nil {
			replaced = append(replaced, top)
		}
		top = u
	}
	v.said = nil
	if top == current {
		top = nil
	}
	return top, replaced
}

// silence answers everything that waits with Silent.
func (v *Voice) silence() {
	v.mu.Lock()
	said := v.said
	v.said = nil
	v.mu.Unlock()
	for _, u := range said {
		u.done(Silent)
	}
}

// Run opens the loudspeaker and plays until ctx ends. It returns nil then; a
// device's failure is a State, not an error.
func (v *Voice) Run(ctx context.Context) error {
	defer func() {
		v.mu.Lock()
		v.stopped = true
		v.mu.Unlock()
		v.silence()
	}()
	for ctx.Err() == nil {
		err := v.session(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if v.output != nil {
			if old := v.State(); old.Text != err.Error() {
				v.log.Warn("no loudspeaker: the kiosk is silent", "err", err)
			}
			v.setState(State{Text: err.Error()})
		}
		v.tried()
		v.waitSilently(ctx)
	}
	return nil
}

// waitSilently answers Silent at once until the device is due to be tried again.
func (v *Voice) waitSilently(ctx context.Context) {
	var again <-chan time.Time
	if v.output == nil {
		v.setState(State{Off: true, Text: "off"})
	} else {
		timer := time.NewTimer(retryEvery)
		defer timer.Stop()
		again = timer.C
	}
	for {
		v.silence()
		select {
		case <-ctx.Done():
			return
		case <-again:
			return
		case <-v.wake:
		}
	}
}

// session plays on one opened device until it fails, stalls or ctx ends.
func (v *Voice) session(ctx context.Context) error {
	if v.output == nil {
		return nil
	}
	dev, err := v.output.open()
	if err != nil {
		return err
	}
	v.setState(State{Playing: true, Text: dev.name()})
	v.log.Info("the loudspeaker is open", "device", dev.name())
	v.tried()
	pl := &player{voice: v, dev: dev, block: make([][2]float64, dev.rate().N(blockTime))}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer dev.close()
	failed := make(chan error, 1)
	go func() { failed <- pl.run(ctx) }()

	watch := time.NewTicker(stallAfter)
	defer watch.Stop()
	seen, torn := int64(-1), int64(0)
	for {
		select {
		case err := <-failed:
			pl.end(endOf(ctx))
			return err
		case <-watch.C:
			if n := pl.torn.Load(); n > torn {
				v.log.Warn("a prompt was torn: the processor is too slow or too busy", "times", n-torn)
				torn = n
			}
			if n := pl.taken.Load(); n != seen || !dev.paced() {
				seen = n
				continue
			}
			// Its goroutine hangs in the device and is left to it: nothing
			// can call it back. It answers nothing any more (see player.end).
			pl.end(Silent)
			return fmt.Errorf("%s takes no sound: check its plug; it is tried again every %v", dev.name(), retryEvery)
		case <-ctx.Done():
			select {
			case <-failed:
			case <-time.After(stallAfter):
			}
			pl.end(Cut)
			return ctx.Err()
		}
	}
}

func endOf(ctx context.Context) Outcome {
	if ctx.Err() != nil {
		return Cut
	}
	return Silent
}
