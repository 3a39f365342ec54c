package registry

import (
	"bytes"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/pass/wire"
)

// listening serves the house once more, until stop is called.
func (h *house) listening(t *testing.T) (address string, stop func(), ended chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended = make(chan error, 1)
	go func() { ended <- h.Serve(ctx, l) }()
	return l.Addr().String(), cancel, ended
}

// started sends the beginning of a door's batch and says when the handler has it.
func (h *house) started(t *testing.T, address string, body []byte) *tls.Conn {
	t.Helper()
	d := h.doors["door-1"]
	conn, err := tls.Dial("tcp", address, &tls.Config{
		RootCAs: h.book.CA.Pool(), ServerName: "127.0.0.1", Time: h.time, Certificates: []tls.Certificate{{Certificate: [][]byte{d.Certificate}, PrivateKey: d.key}},
	})
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: x\r\nContent-Type: %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", wire.VisitsPath, wire.ContentType, len(body))
	// The server asks for the body as soon as the handler reads it.
	line := make([]byte, len("HTTP/1.1 100 Continue\r\n\r\n"))
	if _, err := io.ReadFull(conn, line); err != nil {
		t.Fatal(err)
	}
	return conn
}

// A batch that is under way when the server is told to end gets its receipt.
func TestGracefulStop(t *testing.T) {
	h := newHouse(t)
	address, stop, ended := h.listening(t)
	body, batch := h.encode(t, "door-1", visit(t, "kko", 1, t0))
	conn := h.started(t, address, body)
	defer conn.Close()
	stop()
	if _, err := conn.Write(body); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil && len(answer) == 0 {
		t.Fatal(err)
	}
	head, receipt, _ := bytes.Cut(answer, []byte("\r\n\r\n"))
	if !bytes.HasPrefix(head, []byte("HTTP/1.1 200")) {
		t.Fatalf("%s", answer)
	}
	if _, err := wire.OpenReceipt(receipt, h.Bundles.Bundle().ReceiptKeys(), body, batch); err != nil {
		t.Error(err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", address); err == nil {
		t.Error("it still listens")
	}
}

// One that never goes on does not hold the server up.
func TestStopCutsOff(t *testing.T) {
	h := newHouse(t, func(c *Config) { c.Limits.Stop = time.Millisecond })
	address, stop, ended := h.listening(t)
	body, _ := h.encode(t, "door-1", visit(t, "kko", 1, t0))
	conn := h.started(t, address, body)
	defer conn.Close()
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !strings.Contains(h.log.String(), "cut off") {
		t.Error("nobody is told that requests were cut off")
	}
}

func TestServeSaysWhatIsWrong(t *testing.T) {
	h := newHouse(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	if err := h.Serve(t.Context(), l); err == nil {
		t.Error("a closed listener is served")
	}
}
