package kiosk

import (
	"sync/atomic"

	"github.com/munjigi/munjigi/audio"
)

// speech is the voice, and whether it speaks.
type speech struct {
	voice Voice
	now   atomic.Int32
}

// say says a prompt, in place of the one before; started and done may be nil.
func (s *speech) say(p audio.Prompt, started func(), done func(audio.Outcome)) {
	s.now.Add(1)
	s.voice.SayTimed(p, started, func(o audio.Outcome) {
		s.now.Add(-1)
		if done != nil {
			done(o)
		}
	})
}

// busy says whether a prompt is being said.
func (s *speech) busy() bool { return s.now.Load() > 0 }
