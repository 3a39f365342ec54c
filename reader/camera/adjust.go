package camera

import (
	"fmt"
	"math"
)

// Adjustment is all that is wished of a camera's own settings. It is a state and
// not a step: a newer one replaces it, and the zero value leaves everything to
// the camera.
type Adjustment struct {
	// Stops of exposure from what the camera had chosen itself, each a doubling:
	// -1 is half the light. 0: the camera chooses.
	Stops int8
	// Focus is a place of the lens from one end (1) to the other ([FocusPlaces]);
	// which end is near differs between cameras. 0: the camera focuses.
	Focus int8
}

// FocusPlaces is how many places of the lens there are to choose from. At a door
// phones are held at 10 to 50 cm, where eighths of a lens's way are sharp enough.
const FocusPlaces = 8

// Adjuster is a [Source] whose device can be adjusted while it delivers. Adjust
// is called between two Grabs, by the same goroutine. What the device does not
// have is passed over without an error, and values stay within what it allows.
// An error says that it refused what it claims to have.
type Adjuster interface {
	Adjust(Adjustment) error
}

// control is a V4L2 control's number, V4L2_CID_… of linux/v4l2-controls.h.
type control uint32

const (
	brightness         control = 0x00980900
	autoGain           control = 0x00980912
	gain               control = 0x00980913
	powerLineFrequency control = 0x00980918
	exposureAuto       control = 0x009a0901
	exposureAbsolute   control = 0x009a0902 // in 100 µs
	exposurePriority   control = 0x009a0903 // whether the rate may drop for the sake of light
	focusAbsolute      control = 0x009a090a
	focusAuto          control = 0x009a090c
)

// Values of exposureAuto (enum v4l2_exposure_auto_type); USB cameras have Manual
// and one or both of the others, mostly AperturePriority.
const (
	exposureFull             = 0
	exposureManual           = 1
	exposureAperturePriority = 3
)

// mains is V4L2_CID_POWER_LINE_FREQUENCY_60HZ: lamps in Korea.
const mains = 2

// span is what a control's value may be.
type span struct{ min, max, step int32 }

func (s span) fit(v float64) int32 {
	v = min(max(v, float64(s.min)), float64(s.max))
	if s.step > 1 {
		v = float64(s.min) + math.Floor((v-float64(s.min))/float64(s.step)+0.5)*float64(s.step)
		if v > float64(s.max) {
			v -= float64(s.step)
		}
	}
	return int32(math.Round(v))
}

// panel is the part of a V4L2 device that can be turned and switched.
type panel interface {
	Spans() map[control]span
	Value(control) (int32, error)
	Turn(control, int32) error
}

// knobs knows which controls a device has and what they were turned to.
type knobs struct {
	panel panel
	spans map[control]span
	now   Adjustment
	base  int32 // the exposure, gain or brightness that counts as 0 stops
}

// newKnobs gives a device its first settings: no flicker from lamps on 60 Hz, no
// rate that drops in the dark, exposure and focus left to the camera, also where
// a program before us, or we before a power cut, had taken them over. A device
// that refuses one of these still delivers pictures, so nothing is an error.
func newKnobs(p panel) *knobs {
	k := &knobs{panel: p, spans: p.Spans()}
	_ = k.turn(powerLineFrequency, mains)
	_ = k.turn(exposurePriority, 0)
	_ = k.autoExposure()
	_ = k.turn(autoGain, 1)
	_ = k.turn(focusAuto, 1)
	return k
}

func (k *knobs) has(c control) bool { _, ok := k.spans[c]; return ok }

// turn sets a control that the device has, and nothing otherwise.
func (k *knobs) turn(c control, v float64) error {
	s, ok := k.spans[c]
	if !ok {
		return nil
	}
	if err := k.panel.Turn(c, s.fit(v)); err != nil {
		return fmt.Errorf("set control %#x to %d: %w", uint32(c), s.fit(v), err)
	}
	return nil
}

func (k *knobs) autoExposure() error {
	if k.turn(exposureAuto, exposureAperturePriority) == nil {
		return nil
	}
	return k.turn(exposureAuto, exposureFull)
}

// adjust turns what differs from the last wish. What failed is tried again with
// the next wish.
func (k *knobs) adjust(a Adjustment, fps int) error {
	if a.Stops != k.now.Stops {
		if err := k.expose(a.Stops, fps); err != nil {
			return err
		}
		k.now.Stops = a.Stops
	}
	if a.Focus != k.now.Focus {
		if err := k.focus(a.Focus); err != nil {
			return err
		}
		k.now.Focus = a.Focus
	}
	return nil
}

// expose goes by the exposure time where the device lets us, else by the gain,
// else by the brightness, which most cameras aim their own exposure at.
func (k *knobs) expose(stops int8, fps int) error {
	value, linear := exposureAbsolute, false
	switch {
	case k.has(exposureAbsolute) && k.has(exposureAuto):
	case k.has(gain):
		value, linear = gain, true
	case k.has(brightness):
		value, linear = brightness, true
	default:
		return nil
	}
	if k.now.Stops == 0 { // what the camera had chosen, before it is told to stop choosing
		v, err := k.panel.Value(value)
		if err != nil {
			return fmt.Errorf("ask control %#x: %w", uint32(value), err)
		}
		k.base = v
	}
	switch {
	case stops == 0 && value == exposureAbsolute:
		return k.autoExposure()
	case stops == 0 && value == gain && k.has(autoGain):
		return k.turn(autoGain, 1)
	case stops == 0:
		return k.turn(value, float64(k.base))
	}
	// The switch first: drivers refuse the value while the camera chooses it.
	var err error
	switch value {
	case exposureAbsolute:
		err = k.turn(exposureAuto, exposureManual)
	case gain:
		err = k.turn(autoGain, 0)
	}
	if err != nil {
		return err
	}
	s := k.spans[value]
	if linear {
		return k.turn(value, float64(k.base)+float64(stops)*(float64(s.max)-float64(s.min))/16)
	}
	// Not longer than a frame lasts: the rate would drop, and hands move.
	longest := max(10_000/float64(fps), float64(s.min))
	return k.turn(value, min(float64(k.base)*math.Pow(2, float64(stops)), longest))
}

func (k *knobs) focus(place int8) error {
	s, ok := k.spans[focusAbsolute]
	if !ok {
		return nil
	}
	if place == 0 {
		return k.turn(focusAuto, 1)
	}
	if err := k.turn(focusAuto, 0); err != nil {
		return err
	}
	part := float64(place-1) / (FocusPlaces - 1)
	return k.turn(focusAbsolute, float64(s.min)+part*(float64(s.max)-float64(s.min)))
}
