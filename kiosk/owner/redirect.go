package owner

import (
	"bufio"
	"bytes"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// redirecting sends a browser on that asks without TLS, as it does for an address
// typed without https://: to the same address with it.
type redirecting struct{ net.Listener }

func (p redirecting) Accept() (net.Conn, error) {
	c, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &plainConn{Conn: c}, nil
}

// plainConn looks at the first byte that comes.
type plainConn struct {
	net.Conn
	once sync.Once
	head []byte // read and not yet handed on
	err  error
}

// handshake is the first byte of every TLS connection (RFC 8446, section 5.1).
const handshake = 22

func (c *plainConn) Read(b []byte) (int, error) {
	c.once.Do(func() {
		var first [1]byte
		if _, c.err = io.ReadFull(c.Conn, first[:]); c.err != nil {
			return
		}
		if c.head = first[:]; first[0] != handshake {
			c.redirect()
			c.head, c.err = nil, io.EOF
		}
	})
	switch {
	case c.err != nil:
		return 0, c.err
	case len(c.head) > 0:
		n := copy(b, c.head)
		c.head = c.head[n:]
		return n, nil
	}
	return c.Conn.Read(b)
}

// redirect answers one request; what is none, or meant for another name, gets
// nothing.
func (c *plainConn) redirect() {
	const most = 8 << 10
	r, err := http.ReadRequest(bufio.NewReader(io.LimitReader(io.MultiReader(bytes.NewReader(c.head), c.Conn), most)))
	if err != nil || r.Method != http.MethodGet || !ourName(r.Host) {
		return
	}
	to := http.Response{
		StatusCode: http.StatusTemporaryRedirect, ProtoMajor: 1, ProtoMinor: 1, Close: true,
		Header: http.Header{"Location": {"https://" + r.Host + "/"}},
	}
	if err := c.SetWriteDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return
	}
	_ = to.Write(c.Conn) // a browser that has gone
}
