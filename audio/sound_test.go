package audio

import (
	"log/slog"
	"math"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// strike is a note of a chime as it is measured in a prompt's file.
type strike struct {
	at time.Duration
	hz float64
}

// strikes finds the notes at the beginning of a sound: where another strongest pitch
// comes in. A quarter of the samples will do for pitches up to 2 kHz.
func strikes(all []float64, rate float64, within time.Duration) (notes []strike) {
	var samples []float64
	for i := 0; i < len(all); i += 4 {
		samples = append(samples, all[i])
	}
	rate /= 4
	step, window := int(rate*0.02), int(rate*0.06)
	for at := 0; at+window < len(samples) && float64(at)/rate < within.Seconds(); at += step {
		piece := samples[at : at+window]
		if rms(piece) < 0.01 {
			continue
		}
		hz := pitch(piece, rate)
		if len(notes) == 0 || math.Abs(math.Log2(hz/notes[len(notes)-1].hz)) > 1.5/12 {
			notes = append(notes, strike{time.Duration(float64(at) / rate * float64(time.Second)), hz})
		}
	}
	return notes
}

// TestYesAndNoDiffer: positive and negative prompts differ in pitch and in rhythm,
// measured in the built-in files before the words begin.
func TestYesAndNoDiffer(t *testing.T) {
	for _, lang := range spoken {
		clips, _, err := load("", lang)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range kinds {
			if k.chime != chimeYes && k.chime != chimeNo {
				continue
			}
			c := clips[k.prompt]
			notes := strikes(mono(c), float64(c.rate), k.chime.lead)
			if len(notes) < 2 {
				t.Errorf("%s/%s: %v, want two notes", lang, k.prompt, notes)
				continue
			}
			first, second := notes[0], notes[1]
			gap := second.at - first.at
			if k.chime == chimeYes && (first.hz < 900 || second.hz < first.hz*1.3 || gap > 100*time.Millisecond) {
				t.Errorf("%s/%s: %v, want two quick notes above 900 Hz that rise", lang, k.prompt, notes)
			}
			if k.chime == chimeNo && (first.hz > 700 || second.hz > first.hz/1.15 || gap < 200*time.Millisecond) {
				t.Errorf("%s/%s: %v, want two slow notes below 700 Hz that fall", lang, k.prompt, notes)
			}
		}
	}
}

// TestCoachingYields: no coaching cuts off an answer, an answer cuts off coaching,
// and coaching the coaching before it.
func TestCoachingYields(t *testing.T) {
	s := &sound{}
	runVoice(t, s, func(v *Voice, d *diary) {
		v.clips[Closer], v.clips[Glare] = tone(300*time.Millisecond, 3), tone(300*time.Millisecond, 4)
		d.say(v, Accepted)
		time.Sleep(100 * time.Millisecond)
		d.say(v, Closer) // dropped
		time.Sleep(900 * time.Millisecond)
		d.say(v, Closer)
		time.Sleep(100 * time.Millisecond)
		d.say(v, Glare)
		time.Sleep(100 * time.Millisecond)
		d.say(v, Used)
		time.Sleep(time.Second)
		d.say(v, Accepted)
		d.say(v, Closer) // at once: still dropped
		time.Sleep(time.Second)
		d.want(t,
			"20ms accepted started", "110ms closer cut", "430ms accepted heard",
			"1.02s closer started", "1.11s closer cut", "1.14s glare started",
			"1.21s glare cut", "1.24s used started", "1.85s used heard",
			"2.2s closer cut", "2.21s accepted started", "2.62s accepted heard")
	})
}

// TestVolume: what is heard follows volume, mute and the hours of the day, and
// nothing cracks at the change.
func TestVolume(t *testing.T) {
	s := &sound{}
	synctest.Test(t, func(t *testing.T) {
		var clock atomic.Pointer[time.Time]
		at := func(hour, minute int) {
			now := time.Date(2026, 1, 1, hour, minute, 0, 0, time.Local)
			clock.Store(&now)
		}
		at(21, 59)
		v, d := newVoice(t, s, Config{Volume: 50, Quiet: "22:00-07:00", QuietVolume: 20, Now: func() time.Time { return *clock.Load() }}, slog.New(slog.DiscardHandler))
		loud := func(want float64) {
			t.Helper()
			s.set(func(s *sound) { s.played = nil })
			d.say(v, Used)
			time.Sleep(900 * time.Millisecond)
			synctest.Wait()
			high := 0.0
			for _, f := range s.heard() {
				high = max(high, f[0])
			}
			full := float64(1+soundRate.N(500*time.Millisecond)) / (1 << 15)
			if math.Abs(high/full-want) > 0.01 {
				t.Errorf("heard at %.3f of its level, want %.3f", high/full, want)
			}
		}
		loud(0.25)
		if got := v.Volume(); got != 50 {
			t.Errorf("volume %d by day", got)
		}
		at(22, 0)
		loud(0.04)
		v.SetVolume(30)
		loud(0.09)
		v.SetMuted(true)
		loud(0)
		if !v.Muted() || !v.Inaudible() || v.Volume() != 30 {
			t.Errorf("muted %v, inaudible %v, volume %d", v.Muted(), v.Inaudible(), v.Volume())
		}
		v.SetMuted(false)
		if v.Inaudible() {
			t.Error("at volume 30 nothing is heard")
		}
		if v.SetVolume(0); !v.Inaudible() {
			t.Error("at volume 0 something is heard")
		}
		at(7, 0)
		loud(0.25)
		// In the middle of a prompt the change is spread over a block.
		s.set(func(s *sound) { s.played = nil })
		d.say(v, Used)
		time.Sleep(300 * time.Millisecond)
		v.SetMuted(true)
		time.Sleep(time.Second)
		synctest.Wait()
		heard := s.heard()
		for i := 1; i < len(heard); i++ {
			if step := math.Abs(heard[i][0] - heard[i-1][0]); step > 0.002 {
				t.Errorf("a step of %.3f at sample %d", step, i)
				break
			}
		}
		if n := len(heard); n > soundRate.N(400*time.Millisecond) {
			t.Errorf("%v were heard after the mute", soundRate.D(n))
		}
	})
}

func TestHours(t *testing.T) {
	for _, tc := range []struct {
		hours string
		in    []int // of the day
	}{
		{"", nil},
		{"22:00-02:00", []int{22, 23, 0, 1}},
		{"12:30-14:30", []int{13, 14}},
		{"00:00-03:00", []int{0, 1, 2}},
	} {
		h, err := parseHours(tc.hours)
		if err != nil {
			t.Error(err)
		}
		want := map[int]bool{}
		for _, n := range tc.in {
			want[n] = true
		}
		for n := range 24 {
			if got := h.contain(time.Date(2026, 1, 1, n, 0, 0, 0, time.UTC)); got != want[n] {
				t.Errorf("%q contains %d:00: %v", tc.hours, n, got)
			}
		}
	}
}

// TestAim: pulses come faster and higher the nearer the code is, are soft beside a
// prompt, fade after 300 ms, and end for a prompt.
func TestAim(t *testing.T) {
	s := &sound{}
	runVoice(t, s, func(v *Voice, d *diary) {
		type heard struct {
			pulses int
			hz     float64
			loud   float64
		}
		listen := func(near float64) (h heard) {
			s.set(func(s *sound) { s.played = nil })
			for range 100 { // 3 s of pictures
				v.Aim(near)
				time.Sleep(30 * time.Millisecond)
			}
			time.Sleep(time.Second)
			synctest.Wait()
			var samples []float64
			s.set(func(s *sound) {
				for _, f := range s.played {
					samples = append(samples, f[0])
				}
			})
			quiet := soundRate.N(10 * time.Millisecond)
			for i, since := 0, quiet; i < len(samples); i++ {
				if math.Abs(samples[i]) < 0.001 {
					since++
					continue
				}
				if since >= quiet {
					h.pulses++
					if h.hz == 0 {
						h.hz = pitch(samples[i:i+soundRate.N(aimPulse)], float64(soundRate))
					}
				}
				since = 0
				h.loud = max(h.loud, math.Abs(samples[i]))
			}
			rest := len(trim(s.played))
			if d := soundRate.D(rest); d > 3400*time.Millisecond {
				t.Errorf("the tone lasts %v, want 3 s and 300 ms", d)
			}
			return h
		}
		var last heard
		for _, near := range []float64{0, 0.25, 0.5, 0.75, 1} {
			h := listen(near)
			if h.pulses <= last.pulses || h.hz <= last.hz {
				t.Errorf("at %.2f %+v, at the last %+v: want more pulses and a higher pitch", near, h, last)
			}
			if h.loud < 0.05 || h.loud > 0.15 {
				t.Errorf("at %.2f the tone reaches %.2f of full scale, want it soft", near, h.loud)
			}
			last = h
		}
		if last.pulses < 20 || last.hz < 1100 {
			t.Errorf("in the middle: %+v", last)
		}
		for _, near := range []float64{-1, 2, math.NaN(), math.Inf(1)} {
			if h := listen(near); h.pulses < 4 {
				t.Errorf("at %v: %+v", near, h)
			}
		}
		// While a prompt sounds nothing else does, and the tone does not come back by itself.
		s.set(func(s *sound) { s.played = nil })
		for range 5 {
			v.Aim(1)
			time.Sleep(30 * time.Millisecond)
		}
		synctest.Wait()
		s.set(func(s *sound) { s.played = nil })
		d.say(v, Used)
		for range 10 {
			v.Aim(1)
			time.Sleep(30 * time.Millisecond)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		used, got := play(v.clips[Used]), s.heard()
		for len(got) > 0 && got[0] != used[0] { // what was in the block already
			got = got[1:]
		}
		if len(got) != len(used) {
			t.Errorf("%d samples were heard beginning with the prompt's %d", len(got), len(used))
		}
	})
}
