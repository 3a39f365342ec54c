package camera

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

// rpicam reads the luma plane of planar YUV 4:2:0 pictures that rpicam-vid
// writes to its standard output. A child process, because the Raspberry Pi's
// CSI cameras speak libcamera, which has neither a V4L2 face of use nor a Go one.
type rpicam struct {
	out    *os.File
	cancel context.CancelFunc
	w, h   int
	chroma []byte
	done   chan struct{} // closed when the child has been waited for
	err    error         // why it ended; read after done
	stderr lastLine

	ctx  context.Context // the one that unblock watches
	stop func() bool
}

// rpicamArgs asks for pictures without end, preview or buffering.
func rpicamArgs(w, h, fps int) []string {
	return []string{"--codec", "yuv420", "--timeout", "0", "--nopreview", "--flush",
		"--width", strconv.Itoa(w), "--height", strconv.Itoa(h), "--framerate", strconv.Itoa(fps), "--output", "-"}
}

func openRpicam(ctx context.Context, program string, c Config) (Source, error) {
	if program == "" {
		program = "rpicam-vid"
	}
	// Rows of 64 bytes' multiple have no padding on any Raspberry Pi; chroma wants even heights.
	w, h := max(64, (c.Width+32)/64*64), max(2, c.Height&^1)
	r, wr, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("rpicam: %w: %w", err, ErrUnavailable)
	}
	ctx, cancel := context.WithCancel(ctx)
	p := &rpicam{out: r, cancel: cancel, w: w, h: h, chroma: make([]byte, w*h/2), done: make(chan struct{})}
	cmd := exec.CommandContext(ctx, program, rpicamArgs(w, h, c.FPS)...)
	cmd.Stdout, cmd.Stderr = wr, &p.stderr
	cmd.WaitDelay = time.Second // should a grandchild keep stderr open
	err = cmd.Start()
	wr.Close()
	if err != nil {
		cancel()
		r.Close()
		switch {
		case errors.Is(err, exec.ErrNotFound) || errors.Is(err, os.ErrNotExist):
			return nil, fmt.Errorf("%w; install rpicam-apps: %w", err, ErrUnsupported)
		case errors.Is(err, os.ErrPermission):
			return nil, fmt.Errorf("%w; make it executable for this user: %w", err, ErrPermission)
		}
		return nil, fmt.Errorf("rpicam: %w: %w", err, ErrUnavailable)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	return p, nil
}

// Grab reads one picture. After ctx has ended the stream stands in the middle
// of a picture: only Close is of use then.
func (p *rpicam) Grab(ctx context.Context, dst *image.Gray) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if ctx != p.ctx { // watched once, not once a frame
		if p.stop != nil {
			p.stop()
		}
		p.ctx, p.stop = ctx, context.AfterFunc(ctx, func() { p.out.SetReadDeadline(time.Unix(1, 0)) })
	}
	resize(dst, p.w, p.h)
	_, err := io.ReadFull(p.out, dst.Pix)
	if err == nil {
		_, err = io.ReadFull(p.out, p.chroma)
	}
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, os.ErrClosed):
		return fmt.Errorf("rpicam-vid was stopped: %w", ErrUnplugged)
	}
	p.cancel()
	<-p.done
	if line := p.stderr.String(); line != "" {
		return fmt.Errorf("rpicam-vid ended: %s: %w", line, ErrUnplugged)
	}
	if p.err != nil {
		return fmt.Errorf("rpicam-vid ended: %w: %w", p.err, ErrUnplugged)
	}
	return fmt.Errorf("rpicam-vid ended: %w", ErrUnplugged)
}

// Close kills the child and waits for its end.
func (p *rpicam) Close() error {
	p.cancel()
	<-p.done
	return p.out.Close()
}

// lastLine keeps the last line that is not empty, of at most 300 bytes.
type lastLine struct {
	mu   sync.Mutex
	line []byte
	last string
}

func (l *lastLine) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range p {
		if c != '\n' && c != '\r' {
			if len(l.line) < 300 {
				l.line = append(l.line, c)
			}
			continue
		}
		l.keep()
	}
	return len(p), nil
}

func (l *lastLine) keep() {
	if s := strings.TrimSpace(strings.ToValidUTF8(string(l.line), "?")); s != "" {
		l.last = s
	}
	l.line = l.line[:0]
}

func (l *lastLine) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.keep()
	return l.last
}
