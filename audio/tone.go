package audio

import (
	"math"
	"time"

	"github.com/faiface/beep"
)

// The aiming tone: pulses that come faster and higher the nearer the code is
// to the middle, as a car's parking aid, but soft: a hand can follow it without
// eyes.
const (
	aimHold  = 300 * time.Millisecond // how long a call of Aim sounds
	aimPulse = 60 * time.Millisecond

	aimFar, aimNear         = 700 * time.Millisecond, 120 * time.Millisecond // from pulse to pulse
	aimLow, aimHigh         = 392.0, 1175.0                                  // Hz: G4 to D6
	aimLevel                = 0.1                                            // of full scale
	aimFade                 = 50 * time.Millisecond                          // at the end of aimHold
	aimSecond               = 0.25                                           // the octave above, for small loudspeakers
	aimLoudest      float64 = 1 + aimSecond
)

// aim plays the tone. The zero value is silent.
type aim struct {
	near  float64
	left  int     // frames until it is silent
	since int     // frames since the last pulse began
	phase float64 // of the sine, in turns
	pulse float64 // Hz of the pulse that sounds
}

// call is Aim's: it sounds for aimHold more.
func (a *aim) call(near float64, rate beep.SampleRate) {
	if a.left == 0 {
		a.since = rate.N(aimFar) // begins at once
	}
	if a.near = 0; near > 0 { // NaN is not
		a.near = min(1, near)
	}
	a.left = rate.N(aimHold)
}

func (a *aim) stop() { a.left = 0 }

// stream fills all samples.
func (a *aim) stream(samples [][2]float64, rate beep.SampleRate) {
	length, fade := rate.N(aimPulse), float64(rate.N(aimFade))
	every := int(float64(rate.N(aimFar)) * math.Pow(float64(aimNear)/float64(aimFar), a.near))
	for i := range samples {
		if a.left == 0 {
			clear(samples[i:])
			return
		}
		if a.since >= every { // a pulse keeps its pitch
			a.since, a.phase = 0, 0
			a.pulse = aimLow * math.Pow(aimHigh/aimLow, a.near)
		}
		v := 0.0
		if a.since < length {
			bow := math.Sin(math.Pi * float64(a.since) / float64(length))
			turn := 2 * math.Pi * a.phase
			v = (math.Sin(turn) + aimSecond*math.Sin(2*turn)) / aimLoudest * aimLevel * bow * bow * min(1, float64(a.left)/fade)
			_, a.phase = math.Modf(a.phase + a.pulse/float64(rate))
		}
		samples[i] = [2]float64{v, v}
		a.since++
		a.left--
	}
}
