package display

import (
	"periph.io/x/conn/v3/i2c"
	"periph.io/x/conn/v3/physic"
)

// busCloser gives periph's fake buses the Close that real ones have.
type busCloser struct{ i2c.Bus }

func (busCloser) Close() error { return nil }

// failing is a bus whose device can be pulled out.
type failing struct {
	err    error
	sent   []byte
	closed bool
}

func (f *failing) Tx(addr uint16, w, r []byte) error {
	if f.err == nil {
		f.sent = append(f.sent, w...)
	}
	return f.err
}
func (f *failing) SetSpeed(physic.Frequency) error { return nil }
func (f *failing) String() string                  { return "failing" }
func (f *failing) Close() error                    { f.closed = true; return nil }
