//go:build linux && amd64

package main

import (
	"bufio"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"image"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"time"

	"github.com/munjigi/munjigi/pass/base45"
	"github.com/munjigi/munjigi/pass/symbol"
	"github.com/munjigi/munjigi/reader/camera/virtual"
)

// crowd shows code after code, as fast as the kiosk answers, and says on the
// standard output, which is the guest's console, what was announced:
//
//	HIL ready                     the kiosk sees and can speak
//	HIL shown TEXT                a new code is before the camera
//	HIL told SEQ HASH AGAIN       it was accepted as visit SEQ; AGAIN is true for a visit from before a crash
//	HIL other VERDICT             it was answered otherwise
//
// HASH is the start of the signed pass's SHA-256, in hex. It ends with limit
// visitors, or never where that is 0: then the power is cut.
type crowd struct {
	node    *node
	key     ed25519.PrivateKey
	issuer  string
	answers chan told
	mark    string // device mapper's log of writes, in which each announcement is marked, "" for none
	limit   int
	soak    string // the journal's folder: visitors come slower, what the kiosk takes is sampled, and judged at the end
	most    int    // goroutines that it may have at the end of a soak, 0 for any
}

type told struct {
	verdict, seq, again string
}

var crowdLine = regexp.MustCompile(`msg="a code was answered" verdict=(\S+) seq=(\d+) again=(\S+)`)

// Each visitor is told anything within patience; the machine may be slow.
const patience = 60 * time.Second

var errSilence = errors.New("a code was not answered")

// run starts the kiosk and lets the codes in the file again come first, then
// new ones.
func (c *crowd) run(ctx context.Context, again string, command []string, log string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	kiosk := exec.CommandContext(ctx, command[0], command[1:]...)
	kiosk.Cancel = func() error { return kiosk.Process.Signal(os.Interrupt) }
	out, err := kiosk.StderrPipe()
	if err != nil {
		return err
	}
	copied, err := os.Create(log)
	if err != nil {
		return err
	}
	defer copied.Close()
	if err := kiosk.Start(); err != nil {
		return err
	}
	working, over := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		var d diary
		for in := bufio.NewScanner(out); in.Scan(); {
			fmt.Fprintln(copied, in.Text())
			if was := d.working(); !was {
				if d.note(in.Text()); d.working() {
					close(working)
				}
			}
			if m := crowdLine.FindStringSubmatch(in.Text()); m != nil {
				c.answers <- told{m[1], m[2], m[3]}
			}
		}
	}()
	room := image.NewGray(image.Rectangle{Max: c.node.size})
	for ready := false; !ready; {
		if err := c.show(ctx, room); err != nil {
			return err
		}
		select {
		case <-working:
			ready = true
		case <-over:
			return fmt.Errorf("the kiosk ended: %w", kiosk.Wait())
		case <-time.After(time.Second / time.Duration(c.node.fps)):
		}
	}
	fmt.Println("HIL ready")
	old, _ := os.ReadFile(again) // there is none at first
	texts := strings.Fields(string(old))
	scene := virtual.NewScene(1, c.node.size, virtual.Look{})
	for _, text := range texts {
		// One that was just announced is the same presentation still, and not answered.
		if err := c.visitor(ctx, scene, text, 2*time.Second); err != nil && !errors.Is(err, errSilence) {
			return err
		}
	}
	var samples []sample
	for n := 0; c.limit == 0 || n < c.limit; n++ {
		if c.soak != "" {
			for range c.node.fps {
				if err := c.show(ctx, room); err != nil {
					return err
				}
				wait(ctx, time.Second/time.Duration(c.node.fps), func() bool { return false })
			}
		}
		if c.soak != "" && n%max(c.limit/20, 1) == 0 {
			s, err := take(kiosk.Process.Pid, n, c.soak)
			if err != nil {
				return err
			}
			samples = append(samples, s)
		}
		text, _, err := mint("good", c.key, c.issuer, time.Now())
		if err != nil {
			return err
		}
		if err := c.visitor(ctx, scene, text, patience); err != nil {
			return err
		}
	}
	if c.soak != "" {
		n, err := goroutines(ctx, kiosk, over, log)
		if err != nil {
			return err
		}
		fmt.Println("goroutines", n)
		if c.most > 0 && n > c.most+3 {
			return fmt.Errorf("it ended with %d goroutines, and with %d after a few visitors", n, c.most)
		}
		if c.most > 0 {
			return soaked(samples)
		}
		return nil
	}
	if err := kiosk.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	<-over
	return kiosk.Wait()
}

// visitor holds a code before the camera until it is answered.
func (c *crowd) visitor(ctx context.Context, scene *virtual.Scene, text string, most time.Duration) error {
	code, err := symbol.Encode(text)
	if err != nil {
		return err
	}
	picture := new(image.Gray)
	// Close enough for every size: the code fills 290 of 480 lines.
	scene.Render(picture, scene.NewScreen(code), virtual.Pose{X: float64(c.node.size.X) / 2, Y: float64(c.node.size.Y) / 2, Scale: 5}, 0)
	fmt.Println("HIL shown", text)
	tick := time.NewTicker(time.Second / time.Duration(c.node.fps))
	defer tick.Stop()
	for end := time.Now().Add(most); time.Now().Before(end); {
		if err := c.show(ctx, picture); err != nil {
			return err
		}
		select {
		case a := <-c.answers:
			if a.verdict != "accepted" {
				fmt.Println("HIL other", a.verdict)
				return nil
			}
			hash, err := hashOf(text)
			if err != nil {
				return err
			}
			fmt.Println("HIL told", a.seq, hash, a.again)
			if c.mark == "" {
				return nil
			}
			return exec.CommandContext(ctx, "dmsetup", "message", c.mark, "0", "mark", "told:"+a.seq+":"+hash).Run()
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("%w within %v", errSilence, most)
}

// hashOf tells passes apart: by the signed bytes that a journal keeps.
func hashOf(text string) (string, error) {
	raw, err := base45.AppendDecoded(nil, strings.TrimPrefix(text, "MJ1"))
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return fmt.Sprintf("%x", sum[:8]), nil
}

func (c *crowd) show(ctx context.Context, picture *image.Gray) error {
	encoded, err := c.node.encode(ctx, []*image.Gray{picture})
	if err != nil {
		return err
	}
	_, err = c.node.write(encoded[0])
	return err
}
