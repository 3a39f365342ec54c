package camera

import (
	"context"
	"errors"
	"fmt"
	"image"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// script is a source whose Grab does what the test says.
type script struct {
	grab   func(ctx context.Context, n int, dst *image.Gray) error
	n      int
	closed atomic.Bool
}

func (s *script) Grab(ctx context.Context, dst *image.Gray) error {
	s.n++
	return s.grab(ctx, s.n, dst)
}
func (s *script) Close() error { s.closed.Store(true); return nil }

// paint fills a small picture with v, as a camera would: in place.
func paint(dst *image.Gray, v byte) {
	resize(dst, 8, 4)
	for i := range dst.Pix {
		dst.Pix[i] = v
	}
}

// every delivers a picture each d; its value is its number.
func every(d time.Duration) func(context.Context, int, *image.Gray) error {
	return func(ctx context.Context, n int, dst *image.Gray) error {
		select {
		case <-time.After(d):
			paint(dst, byte(n))
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// start runs a Latest over dial in the test's bubble and stops it at the end.
func start(t *testing.T, dial func(n int) (Source, error)) (*Latest, chan error) {
	t.Helper()
	dials := 0
	l := NewLatest(LatestOptions{
		Name: "test", Now: time.Now, Stuck: 3 * time.Second,
		Log: slog.New(slog.DiscardHandler),
		Dial: func(context.Context) (Source, error) {
			dials++
			return dial(dials)
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ran := make(chan error, 1)
	go func() { ran <- l.Run(ctx) }()
	t.Cleanup(cancel)
	return l, ran
}

func next(t *testing.T, l *Latest) Frame {
	t.Helper()
	f, err := l.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestLatestKeepsOnlyTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begin := time.Now()
		l, _ := start(t, func(int) (Source, error) { return &script{grab: every(100 * time.Millisecond)}, nil })
		f := next(t, l)
		if f.Seq != 1 || f.At.Sub(begin) != 100*time.Millisecond {
			t.Errorf("first frame: number %d after %v", f.Seq, f.At.Sub(begin))
		}
		<-l.Ready()
		time.Sleep(1050 * time.Millisecond) // the reader is slow: frames 2 to 11 pass
		synctest.Wait()
		if f.Gray.Pix[0] != 1 {
			t.Errorf("the frame handed out became %d", f.Gray.Pix[0])
		}
		if f = next(t, l); f.Seq != 11 || f.Gray.Pix[0] != 11 {
			t.Errorf("after the wait: number %d, picture %d; want the newest, 11", f.Seq, f.Gray.Pix[0])
		}
		if f = next(t, l); f.Seq != 12 {
			t.Errorf("next: number %d, want 12: each frame is handed out once", f.Seq)
		}
		s := l.Status()
		if !s.Live || s.Frames != 12 || s.Dropped != 9 || s.Size != image.Pt(8, 4) {
			t.Errorf("status %+v", s)
		}
	})
}

func TestLatestNextEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, ran := start(t, func(int) (Source, error) { return nil, ErrUnavailable })
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := l.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Next: %v", err)
		}
		select {
		case err := <-ran:
			t.Errorf("Run ended on a missing camera: %v", err)
		default:
		}
	})
}

func TestLatestDialsAgain(t *testing.T) {
	for _, tt := range []struct {
		name   string
		err    error
		within time.Duration
		dials  uint64
	}{
		{"missing: soon, then ever slower", fmt.Errorf("no node: %w", ErrUnavailable), 20 * time.Second, 13}, // at 0, .25, .75, 1.75 and then each 2 s
		{"no permission: slowly", fmt.Errorf("denied: %w", ErrPermission), 25 * time.Second, 3},
		{"an error of no class: like missing", errors.New("odd"), 1 * time.Second, 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l, _ := start(t, func(int) (Source, error) { return nil, tt.err })
				time.Sleep(tt.within)
				synctest.Wait()
				<-l.Ready() // known to be missing
				s := l.Status()
				if s.Live || s.Dials != tt.dials || s.Reason != tt.err.Error() {
					t.Errorf("status %+v, want %d dials", s, tt.dials)
				}
			})
		})
	}
}

func TestLatestUnpluggedAndBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var first *script
		l, _ := start(t, func(n int) (Source, error) {
			s := &script{grab: every(100 * time.Millisecond)}
			if n == 1 {
				first = s
				s.grab = func(ctx context.Context, n int, dst *image.Gray) error {
					if n > 3 {
						return fmt.Errorf("no such device: %w", ErrUnplugged)
					}
					return every(100*time.Millisecond)(ctx, n, dst)
				}
			}
			return s, nil
		})
		for l.Status().Frames < 3 {
			next(t, l)
		}
		synctest.Wait()
		if s := l.Status(); s.Live || !strings.Contains(s.Reason, "no such device") || !first.closed.Load() {
			t.Errorf("after the loss: %+v, closed %v", s, first.closed.Load())
		}
		if f := next(t, l); f.Seq != 4 {
			t.Errorf("after the return: number %d, want 4", f.Seq)
		}
		if s := l.Status(); !s.Live || s.Reason != "" || s.Dials != 2 {
			t.Errorf("after the return: %+v", s)
		}
	})
}

// A camera that has one old picture each time it is opened does not seem to
// work, fills no log, and is believed once it delivers.
func TestLatestLies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		l, _ := start(t, func(n int) (Source, error) {
			return &script{grab: func(ctx context.Context, i int, dst *image.Gray) error {
				switch {
				case n == 1 && i <= 100, i == 1, time.Since(began) > time.Minute:
					return every(100*time.Millisecond)(ctx, i, dst)
				case i < 9:
					return fmt.Errorf("3 bytes: %w", ErrBadFrame)
				}
				return fmt.Errorf("another format: %w", ErrUnplugged)
			}}, nil
		})
		for l.Status().Frames < 100 {
			next(t, l)
		}
		time.Sleep(5 * time.Second)
		before := l.Status()
		time.Sleep(40 * time.Second)
		if s := l.Status(); s.Live || s.Frames != before.Frames || s.Frames > 101 || s.Since != before.Since || s.Dials > before.Dials+20 {
			t.Errorf("while it lies: %+v, before %+v", s, before)
		}
		time.Sleep(15 * time.Second)
		if s := l.Status(); !s.Live || s.Frames < before.Frames+50 {
			t.Errorf("when it is well again: %+v", s)
		}
	})
}

// A slow camera whose plug was loose is believed again, too.
func TestLatestSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := start(t, func(n int) (Source, error) {
			return &script{grab: func(ctx context.Context, i int, dst *image.Gray) error {
				if n == 1 && i > 2 {
					return fmt.Errorf("no such device: %w", ErrUnplugged)
				}
				return every(time.Second)(ctx, i, dst)
			}}, nil
		})
		time.Sleep(time.Minute)
		if s := l.Status(); !s.Live || s.Frames < 30 || s.Dials != 2 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestLatestStuckCamera(t *testing.T) {
	for _, deaf := range []bool{false, true} { // deaf: it does not even mind its context
		t.Run(fmt.Sprintf("deaf %v", deaf), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				release := make(chan struct{})
				l, _ := start(t, func(n int) (Source, error) {
					if n > 1 {
						return &script{grab: every(100 * time.Millisecond)}, nil
					}
					return &script{grab: func(ctx context.Context, n int, dst *image.Gray) error {
						if n == 1 {
							paint(dst, 1)
							return nil
						}
						if !deaf {
							<-ctx.Done()
							return ctx.Err()
						}
						<-release
						paint(dst, 99) // comes back from the dead and writes to its old buffer
						return nil
					}}, nil
				})
				next(t, l)
				time.Sleep(10 * time.Second)
				f := next(t, l)
				before := f.Gray.Pix[0]
				close(release)
				time.Sleep(250 * time.Millisecond)
				synctest.Wait()
				if f.Gray.Pix[0] != before || before == 99 {
					t.Errorf("the frame handed out was %d and became %d", before, f.Gray.Pix[0])
				}
				if f = next(t, l); f.Gray.Pix[0] == 99 {
					t.Error("the source left behind delivered a frame")
				}
				if s := l.Status(); !s.Live || s.Dials != 2 {
					t.Errorf("status %+v", s)
				}
			})
		})
	}
}

func TestLatestBadFramesGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := start(t, func(int) (Source, error) {
			return &script{grab: func(ctx context.Context, n int, dst *image.Gray) error {
				if n%2 == 1 {
					return fmt.Errorf("3 bytes: %w", ErrBadFrame)
				}
				return every(100*time.Millisecond)(ctx, n, dst)
			}}, nil
		})
		for range 5 {
			next(t, l)
		}
		if s := l.Status(); !s.Live || s.Bad < 5 || s.Dials != 1 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestLatestOnlyBadFramesDialsAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, _ := start(t, func(int) (Source, error) {
			return &script{grab: func(context.Context, int, *image.Gray) error { return ErrBadFrame }}, nil
		})
		time.Sleep(10 * time.Second)
		if s := l.Status(); s.Live || s.Dials < 2 {
			t.Errorf("status %+v", s)
		}
	})
}

func TestLatestEnds(t *testing.T) {
	t.Run("finite source", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l, ran := start(t, func(int) (Source, error) {
				return &script{grab: func(ctx context.Context, n int, dst *image.Gray) error {
					if n > 2 {
						return io.EOF
					}
					return every(time.Second)(ctx, n, dst)
				}}, nil
			})
			if err := <-ran; err != nil {
				t.Errorf("Run: %v", err)
			}
			if f := next(t, l); f.Seq != 2 {
				t.Errorf("last frame has number %d", f.Seq)
			}
			if _, err := l.Next(t.Context()); err != io.EOF {
				t.Errorf("Next after the end: %v", err)
			}
		})
	})
	t.Run("cannot work", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			l, _ := start(t, func(n int) (Source, error) {
				if n < 3 {
					return nil, fmt.Errorf("no such thing: %w", ErrUnsupported)
				}
				return &script{grab: every(time.Second)}, nil
			})
			<-l.Ready()
			if s := l.Status(); s.Live || !strings.Contains(s.Reason, "no such thing") {
				t.Errorf("while it cannot work: %+v", s)
			}
			next(t, l) // a technician has put it right
		})
	})
	t.Run("cancelled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			s := &script{grab: every(time.Second)}
			l := NewLatest(LatestOptions{Name: "x", Now: time.Now, Log: slog.New(slog.DiscardHandler), Dial: func(context.Context) (Source, error) { return s, nil }})
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(1500*time.Millisecond, cancel)
			if err := l.Run(ctx); err != nil {
				t.Errorf("Run: %v", err)
			}
			if !s.closed.Load() {
				t.Error("the source was not closed")
			}
			if l.String() != "camera x" {
				t.Errorf("String: %q", l.String())
			}
		})
	})
}

// TestLatestAllocatesNothing: a frame costs no memory once the buffers are there.
func TestLatestAllocatesNothing(t *testing.T) {
	l := NewLatest(LatestOptions{Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	buf := l.filling
	turn := func() {
		paint(&buf.gray, 7)
		buf = l.publish(0, buf)
		if _, err := l.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		turn()
	}
	if n := testing.AllocsPerRun(100, turn); n != 0 {
		t.Errorf("%v allocations a frame", n)
	}
}
