package audio

import (
	"fmt"
	"strings"
	"time"
)

// hours are a part of the day, in minutes since midnight, local time; it may go
// over midnight. from = to is never.
type hours struct{ from, to int }

// parseHours reads "22:00-07:00"; "" is never.
func parseHours(s string) (h hours, err error) {
	if s == "" {
		return h, nil
	}
	from, to, ok := strings.Cut(s, "-")
	if ok {
		h.from, err = minutes(from)
		if err == nil {
			h.to, err = minutes(to)
		}
	}
	if !ok || err != nil || h.from == h.to {
		return h, fmt.Errorf(`sound.quiet = %q: give a time from and to, like "22:00-07:00", or ""`, s)
	}
	return h, nil
}

func minutes(s string) (int, error) {
	t, err := time.Parse("15:04", strings.TrimSpace(s))
	return t.Hour()*60 + t.Minute(), err
}

func (h hours) contain(at time.Time) bool {
	m := at.Hour()*60 + at.Minute()
	if h.from <= h.to {
		return h.from <= m && m < h.to
	}
	return m >= h.from || m < h.to
}

// SetVolume sets the volume of now, 0 to 100: that of the quiet hours while they
// last, else that of the day. It lasts until the process ends.
func (v *Voice) SetVolume(percent int) {
	percent = max(0, min(100, percent))
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.quiet.contain(v.now()) {
		v.quietVolume = percent
	} else {
		v.dayVolume = percent
	}
}

// Volume is that of now, whether muted or not.
func (v *Voice) Volume() int {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.volume()
}

func (v *Voice) volume() int {
	if v.quiet.contain(v.now()) {
		return v.quietVolume
	}
	return v.dayVolume
}

// Quiet tells whether the quiet hours last, whose volume Volume and SetVolume
// are about then.
func (v *Voice) Quiet() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.quiet.contain(v.now())
}

// SetMuted silences the loudspeaker, or ends that. Prompts take their time
// all the same and are answered with Heard.
func (v *Voice) SetMuted(muted bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.muted = muted
}

// Muted tells whether the loudspeaker is silenced.
func (v *Voice) Muted() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.muted
}

// Inaudible tells whether nothing is heard by choice: muted, or at volume 0.
func (v *Voice) Inaudible() bool { return v.gain() == 0 }

// gain is the amplitude now, 0 to 1: the square of the volume, so that the ear
// hears even steps.
func (v *Voice) gain() float64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.muted {
		return 0
	}
	level := float64(v.volume()) / 100
	return level * level
}
