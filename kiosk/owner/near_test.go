package owner

import (
	"net"
	"slices"
	"testing"
)

// TestCrowd: one phone leaves room for others, and has it again when it hangs up.
func TestCrowd(t *testing.T) {
	from := slices.Repeat([]string{"192.168.0.20"}, maxEach+1)
	l := newNear(&callers{slices.Concat(from, []string{"192.168.0.21", "::ffff:192.168.0.20", "192.168.0.20"})}, maxConns, maxEach)
	var got []net.Conn
	accept := func() {
		t.Helper()
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, c)
	}
	for range maxEach + 1 {
		accept()
	}
	if last := got[maxEach].RemoteAddr().String(); last != "192.168.0.21:4000" {
		t.Errorf("%s got through after %d", last, maxEach)
	}
	for range 2 { // twice is once
		got[0].Close()
	}
	accept()
	if c, err := l.Accept(); err == nil {
		t.Errorf("%s got through beside %d others", c.RemoteAddr(), maxEach)
	}
}
