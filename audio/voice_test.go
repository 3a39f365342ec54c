package audio

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/faiface/beep"
	"github.com/google/go-cmp/cmp"
)

// sound is a device whose writes take as long as the sound, in the test's time.
type sound struct {
	mu     sync.Mutex
	opens  int
	absent bool // open fails
	fail   bool // write fails
	hang   bool // write never returns
	torn   int
	played [][2]float64
}

const soundRate beep.SampleRate = 22050

func (s *sound) open() (device, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.opens++
	if s.absent {
		return nil, errors.New("no card")
	}
	return s, nil
}
func (s *sound) name() string          { return "test" }
func (s *sound) rate() beep.SampleRate { return soundRate }
func (s *sound) paced() bool           { return true }
func (s *sound) tail() time.Duration   { return 100 * time.Millisecond }
func (s *sound) queued() time.Duration { return 0 }
func (s *sound) hurry() error          { return nil }
func (s *sound) tears() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.torn
}
func (s *sound) close() error { return nil }
func (s *sound) write(frames [][2]float64) error {
	s.mu.Lock()
	s.played = append(s.played, frames...)
	fail, hang := s.fail, s.hang
	s.mu.Unlock()
	if hang {
		time.Sleep(30 * time.Second)
	}
	time.Sleep(soundRate.D(len(frames)))
	if fail {
		return errors.New("unplugged")
	}
	return nil
}
func (s *sound) set(change func(*sound)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

// heard is what was played, without the silence before and after.
func (s *sound) heard() [][2]float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return trim(s.played)
}

func trim(p [][2]float64) [][2]float64 {
	for len(p) > 0 && p[0] == [2]float64{} {
		p = p[1:]
	}
	for len(p) > 0 && p[len(p)-1] == [2]float64{} {
		p = p[:len(p)-1]
	}
	return p
}

// diary notes what the voice answers, and when.
type diary struct {
	mu    sync.Mutex
	began time.Time
	lines []string
}

func (d *diary) say(v *Voice, p Prompt) {
	note := func(what any) {
		d.mu.Lock()
		defer d.mu.Unlock()
		at := time.Since(d.began).Round(10 * time.Millisecond)
		d.lines = append(d.lines, fmt.Sprintf("%v %s %v", at, p, what))
	}
	v.SayTimed(p, func() { note("started") }, func(o Outcome) { note(o) })
}

func (d *diary) want(t *testing.T, lines ...string) {
	t.Helper()
	synctest.Wait()
	d.mu.Lock()
	defer d.mu.Unlock()
	if diff := cmp.Diff(lines, d.lines); diff != "" {
		t.Errorf("what was answered (-want +got):\n%s", diff)
	}
}

// runVoice runs a voice on s; accepted lasts 300 ms, used 500 ms.
func runVoice(t *testing.T, s output, test func(v *Voice, d *diary)) {
	synctest.Test(t, func(t *testing.T) {
		v, d := newVoice(t, s, Config{Volume: 100}, slog.New(slog.DiscardHandler))
		test(v, d)
	})
}

// newVoice is a voice that runs until the test ends.
func newVoice(t *testing.T, s output, c Config, log *slog.Logger) (*Voice, *diary) {
	v, err := New(c, log)
	if err != nil {
		t.Fatal(err)
	}
	v.output = s
	v.clips = map[Prompt]*clip{Accepted: tone(300*time.Millisecond, 1), Used: tone(500*time.Millisecond, 2)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- v.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	<-v.Ready()
	synctest.Wait()
	return v, &diary{began: time.Now()}
}

// tone is a clip whose samples count, so that none can be missed or doubled.
func tone(d time.Duration, first int) *clip {
	c := &clip{rate: soundRate, channels: 1, width: 2}
	for i := range soundRate.N(d) {
		c.pcm = int16Mono(c.pcm, int16(first+i))
	}
	return c
}

func int16Mono(b []byte, v int16) []byte { return append(b, byte(v), byte(v>>8)) }

func TestHeard(t *testing.T) {
	s := &sound{}
	runVoice(t, s, func(v *Voice, d *diary) {
		if st := v.State(); !st.Playing || st.Text != "test" {
			t.Errorf("state is %+v", st)
		}
		d.say(v, Accepted)
		time.Sleep(time.Second)
		// 10 ms until the block in the device is taken, 300 ms of sound, 100 ms
		// in the device's buffer, each up to a whole block.
		d.want(t, "20ms accepted started", "430ms accepted heard")
		if diff := cmp.Diff(play(v.clips[Accepted]), s.heard()); diff != "" {
			t.Errorf("the device got other samples:\n%s", diff[:min(len(diff), 500)])
		}
	})
}

func TestNewestWins(t *testing.T) {
	s := &sound{}
	runVoice(t, s, func(v *Voice, d *diary) {
		d.say(v, Used)
		time.Sleep(200 * time.Millisecond)
		d.say(v, Accepted)
		time.Sleep(350 * time.Millisecond) // all written, not yet heard
		d.say(v, Used)
		d.say(v, Accepted)
		d.say(v, Used)
		time.Sleep(2 * time.Second)
		d.want(t,
			"20ms used started", "210ms used cut", "240ms accepted started", "560ms accepted cut",
			"560ms used cut", "560ms accepted cut", "570ms used started", "1.18s used heard")
		used, accepted := play(v.clips[Used]), play(v.clips[Accepted])
		got := s.heard()
		// The first prompt up to a block's edge and its fade, the second whole, a
		// pause, the third whole.
		block := soundRate.N(blockTime)
		cut := 0
		for cut < len(got) && got[cut] == used[cut] {
			cut++
		}
		cut-- // the fade begins with a factor of 1
		if cut%block != 0 || cut <= 0 {
			t.Errorf("the first prompt was cut after %d samples", cut)
		}
		want := append([][2]float64{}, used[:cut]...)
		for n, i := soundRate.N(fadeTime), 0; i < n; i++ {
			v := used[cut+i][0] * (float64(n-i) / float64(n))
			want = append(want, [2]float64{v, v})
		}
		want = append(want, accepted...)
		if len(got) < len(want)+len(used) {
			t.Fatalf("%d samples were played", len(got))
		}
		if diff := cmp.Diff(want, got[:len(want)]); diff != "" {
			t.Error("first and second prompt differ from what was to be heard")
		}
		if diff := cmp.Diff(used, trim(got[len(want):])); diff != "" {
			t.Error("the third prompt differs from what was to be heard")
		}
	})
}

func TestMissingDevice(t *testing.T) {
	s := &sound{absent: true}
	runVoice(t, s, func(v *Voice, d *diary) {
		d.say(v, Accepted)
		d.want(t, "0s accepted silent")
		if st := v.State(); st.Playing || st.Off || st.Text != "no card" {
			t.Errorf("state is %+v", st)
		}
		s.set(func(s *sound) { s.absent = false })
		time.Sleep(retryEvery + time.Second)
		if st := v.State(); !st.Playing {
			t.Errorf("the card is back and the state is %+v", st)
		}
		d.say(v, Accepted)
		time.Sleep(time.Second)
		s.set(func(s *sound) { s.fail = true })
		time.Sleep(time.Second)
		d.say(v, Used)
		d.want(t, "0s accepted silent", "4.02s accepted started", "4.43s accepted heard", "6s used silent")
		s.set(func(s *sound) { s.fail = false })
		time.Sleep(retryEvery)
		if st := v.State(); !st.Playing {
			t.Errorf("the card is back again and the state is %+v", st)
		}
	})
}

// TestHangingDevice: a device that never returns is given up and everything
// that waits for it is answered, once.
func TestHangingDevice(t *testing.T) {
	s := &sound{}
	runVoice(t, s, func(v *Voice, d *diary) {
		d.say(v, Used)
		time.Sleep(100 * time.Millisecond)
		s.set(func(s *sound) { s.hang = true })
		time.Sleep(100 * time.Millisecond)
		d.say(v, Accepted)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		d.mu.Lock()
		got := strings.Join(d.lines, ", ")
		d.mu.Unlock()
		for _, p := range []string{"used silent", "accepted silent"} {
			if strings.Count(got, p) != 1 {
				t.Errorf("answers are %q, want %q once", got, p)
			}
		}
		if st := v.State(); st.Playing || !strings.Contains(st.Text, "takes no sound") {
			t.Errorf("state is %+v", st)
		}
		s.set(func(s *sound) { s.hang = false })
		time.Sleep(retryEvery)
		d.say(v, Accepted)
		time.Sleep(time.Minute) // the one that hung comes back, and says nothing
		synctest.Wait()
		d.mu.Lock()
		defer d.mu.Unlock()
		if n := len(d.lines); n != 5 || !strings.HasSuffix(d.lines[4], "accepted heard") {
			t.Errorf("answers are %q", d.lines)
		}
	})
}

func TestOff(t *testing.T) {
	runVoice(t, nil, func(v *Voice, d *diary) {
		d.say(v, Accepted)
		d.want(t, "0s accepted silent")
		if st := v.State(); !st.Off || st.Playing {
			t.Errorf("state is %+v", st)
		}
	})
}

// TestStop: what plays and what comes later is answered too.
func TestStop(t *testing.T) {
	var v *Voice
	var d *diary
	runVoice(t, &sound{}, func(voice *Voice, diary *diary) {
		v, d = voice, diary
		d.say(v, Used)
		time.Sleep(100 * time.Millisecond)
	})
	later := make(chan Outcome, 1)
	v.Say(Accepted, func(o Outcome) { later <- o })
	if o := <-later; o != Silent {
		t.Errorf("after the stop: %v, want silent", o)
	}
	if got := d.lines[len(d.lines)-1]; !strings.HasSuffix(got, "used cut") {
		t.Errorf("the last answer is %q, want that used was cut", got)
	}
}

// TestWAVOutput: the file holds exactly the prompts' samples.
func TestWAVOutput(t *testing.T) {
	file := filepath.Join(t.TempDir(), "out.wav")
	v, err := New(Config{Output: "wav:" + file, Volume: 100}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- v.Run(ctx) }()
	var want [][2]float64
	for _, p := range []Prompt{Accepted, Used} {
		outcome := make(chan Outcome)
		v.Say(p, func(o Outcome) { outcome <- o })
		if o := <-outcome; o != Heard {
			t.Errorf("%s: %v, want heard", p, o)
		}
		want = append(want, play(v.clips[p])...)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	c, err := parseWAV(data)
	if err != nil {
		t.Fatal(err)
	}
	if !cmp.Equal(want, play(c)) {
		t.Error("the file holds other samples than the prompts")
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// TestSpeaker: with or without a sound card, opening it answers at once.
func TestSpeaker(t *testing.T) {
	dev, err := newSpeaker().open()
	if err != nil {
		if !strings.Contains(err.Error(), "sound.output") {
			t.Errorf("the error does not say what to do: %v", err)
		}
		return
	}
	if err := dev.write(make([][2]float64, dev.rate().N(blockTime))); err != nil {
		t.Error(err)
	}
	dev.close()
}

// TestTorn: what tears in a prompt is told, what tears in a pause is not.
func TestTorn(t *testing.T) {
	s := &sound{}
	var log bytes.Buffer
	synctest.Test(t, func(t *testing.T) {
		v, d := newVoice(t, s, Config{Volume: 100}, slog.New(slog.NewTextHandler(&log, nil)))
		s.set(func(s *sound) { s.torn = 3 })
		time.Sleep(2 * stallAfter)
		d.say(v, Used)
		time.Sleep(100 * time.Millisecond)
		s.set(func(s *sound) { s.torn++ })
		time.Sleep(2 * stallAfter)
	})
	if n := strings.Count(log.String(), "a prompt was torn"); n != 1 || !strings.Contains(log.String(), "times=1") {
		t.Errorf("the log is %s", log.String())
	}
}

// TestStartedBeforeDone: a device that is given up for hanging at the moment in
// which it comes back ends no prompt before that has begun.
func TestStartedBeforeDone(t *testing.T) {
	var mu sync.Mutex
	var calls []string
	note := func(s string) {
		mu.Lock()
		defer mu.Unlock()
		calls = append(calls, s)
	}
	p := &player{dev: &sound{}, block: make([][2]float64, 10)}
	ended := make(chan struct{})
	p.current = &utterance{prompt: Accepted, started: func() {
		go func() { defer close(ended); p.end(Silent) }()
		for range 1000 {
			runtime.Gosched()
		}
		note("started")
	}, done: func(o Outcome) { note(o.String()) }}
	p.pending = 100
	p.settle(10, true)
	<-ended
	if diff := cmp.Diff([]string{"started", "silent"}, calls); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
}

// buffered is a sound card with a buffer of its own: what is written is heard
// when all before it has been, and write waits for room.
type buffered struct {
	sound
	began  time.Time
	frames int   // written
	least  []int // frames that waited when a block was written
}

func (b *buffered) open() (device, error) { return b, nil }

func (b *buffered) waiting() int {
	if b.began.IsZero() {
		return 0
	}
	return b.frames - soundRate.N(time.Since(b.began))
}

func (b *buffered) queued() time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return soundRate.D(b.waiting())
}

func (b *buffered) write(frames [][2]float64) error {
	time.Sleep(soundRate.D(b.take(frames)))
	return nil
}

// take returns how many frames are too many.
func (b *buffered) take(frames [][2]float64) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.least = append(b.least, b.waiting())
	b.played = append(b.played, frames...)
	b.frames += len(frames)
	full := soundRate.N(Buffer)
	if b.began.IsZero() && b.frames >= full {
		b.began = time.Now()
	}
	return max(b.waiting()-full, 0)
}

// TestPromptSoon: after a pause a prompt does not wait behind a buffer of silence,
// and has all of the buffer behind it nevertheless.
func TestPromptSoon(t *testing.T) {
	dev := &buffered{}
	runVoice(t, dev, func(v *Voice, d *diary) {
		for i := range 7 {
			time.Sleep(2*time.Second + time.Duration(i)*3700*time.Microsecond)
			dev.mu.Lock()
			from, said, blocks := len(dev.played), soundRate.N(time.Since(dev.began)), len(dev.least)
			dev.mu.Unlock()
			ended := make(chan Outcome)
			v.Say(Accepted, func(o Outcome) { ended <- o })
			if o := <-ended; o != Heard {
				t.Errorf("it was %v", o)
			}
			dev.mu.Lock()
			for dev.played[from] == [2]float64{} {
				from++
			}
			if wait := soundRate.D(from - said); wait < 0 || wait > lull+blockTime+20*time.Millisecond {
				t.Errorf("it was heard %v after it was said", wait)
			}
			length := soundRate.N(v.clips[Accepted].lasts())
			if heard := soundRate.N(time.Since(dev.began)); heard < from+length {
				t.Errorf("it was said to be heard %v before its end", soundRate.D(from+length-heard))
			}
			few := dev.least[blocks+12:][:12] // of a prompt of 30 blocks
			if q := soundRate.D(slices.Min(few)); q < Buffer-2*blockTime {
				t.Errorf("only %v waited within a prompt", q)
			}
			dev.mu.Unlock()
		}
	})
}
