package wire

import (
	"fmt"

	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/cose"
)

// MaxHeartbeat is the largest size of a heartbeat, in bytes.
const MaxHeartbeat = 512

// Heartbeat is how a kiosk is, every 60 s. Nothing in it is personal: counts
// are of the device, not of a time of day.
type Heartbeat struct {
	Version     string     `cbor:"1,keyasint"`            // of the software, printable ASCII
	Queue       uint64     `cbor:"2,keyasint"`            // visits not yet taken by the registry
	Oldest      int64      `cbor:"3,keyasint,omitempty"`  // time of the oldest of them, Unix milliseconds
	Bundle      uint64     `cbor:"4,keyasint"`            // highest bundle number it has ever seen
	Clock       pass.Clock `cbor:"5,keyasint"`            // 0 wrong, 1 unsure, 2 sure
	FPS         uint16     `cbor:"6,keyasint"`            // frames looked at, in tenths per second
	Temperature int16      `cbor:"7,keyasint,omitempty"`  // of the processor, in tenths of a degree Celsius; 0: not known
	Disk        uint32     `cbor:"8,keyasint"`            // free space for the journal, MiB
	Refused     uint64     `cbor:"9,keyasint,omitempty"`  // visits the registry refused and the kiosk set aside
	Destroyed   uint64     `cbor:"10,keyasint,omitempty"` // visits destroyed unsent
	Uptime      uint64     `cbor:"11,keyasint"`           // seconds since the daemon started
	Mended      uint64     `cbor:"12,keyasint,omitempty"` // how often the journal's file was damaged and mended
	Salvaged    uint64     `cbor:"13,keyasint,omitempty"` // visits salvaged then; others may be lost
}

// Encode returns the body of a heartbeat, at most MaxHeartbeat bytes.
func (h Heartbeat) Encode() ([]byte, error) {
	if err := h.check(); err != nil {
		return nil, err
	}
	return cose.Marshal(h)
}

// DecodeHeartbeat reads the body of a heartbeat and checks its bounds.
func DecodeHeartbeat(body []byte) (Heartbeat, error) {
	var h Heartbeat
	if len(body) > MaxHeartbeat {
		return h, fmt.Errorf("a heartbeat has at most %d bytes, got %d", MaxHeartbeat, len(body))
	}
	if err := cose.Unmarshal(body, &h); err != nil {
		return Heartbeat{}, fmt.Errorf("read the heartbeat: %w", err)
	}
	if err := h.check(); err != nil {
		return Heartbeat{}, err
	}
	return h, nil
}

// maxCount keeps what a kiosk says about itself within a database's integers.
const maxCount = 1 << 53

func (h Heartbeat) check() error {
	if err := checkVersion(h.Version); err != nil {
		return err
	}
	for name, n := range map[string]uint64{"queue": h.Queue, "bundle number": h.Bundle, "refused": h.Refused, "destroyed": h.Destroyed, "uptime": h.Uptime, "mended": h.Mended, "salvaged": h.Salvaged} {
		if n > maxCount {
			return fmt.Errorf("a heartbeat's %s is at most 2^53", name)
		}
	}
	switch {
	case h.Oldest < 0 || h.Oldest > maxTime*1000:
		return fmt.Errorf("a heartbeat's oldest visit has no such time")
	case h.Clock > pass.ClockSure:
		return fmt.Errorf("a heartbeat's clock is 0 to %d, got %d", pass.ClockSure, h.Clock)
	case h.Temperature < -1000 || h.Temperature > 2000:
		return fmt.Errorf("a heartbeat's temperature is -100 to 200 degrees, got %d tenths", h.Temperature)
	}
	return nil
}
