package owner

import (
	"bytes"
	"context"
	"image"
	"image/jpeg"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/munjigi/munjigi/reader/qr"
)

const (
	// AimLimit ends aim mode by itself: visitors wait meanwhile.
	AimLimit = 5 * time.Minute
	// aimSilence ends it when no page asks for pictures any more.
	aimSilence = 6 * time.Second
	// aimRenew is how often the kiosk is told that it goes on.
	aimRenew = 10 * time.Second

	aimEvery = 120 * time.Millisecond // between pictures
	aimWidth = 640                    // pixels at most, and room for a height of as many
	aimWait  = 4 * time.Second        // how long a page waits for a picture
)

// aim is aim mode: the newest picture, while somebody looks.
type aim struct {
	now func() time.Time
	on  atomic.Bool // read on the frame path before anything else

	turning sync.Mutex // held while it is turned on or off here and at the kiosk, so that both end alike

	mu      sync.Mutex
	until   time.Time
	asked   time.Time // when a page last asked for a picture
	renewed time.Time
	taken   time.Time
	serial  int
	gray    image.Gray
	finding qr.Finding
	sharp   int
	best    int
	changed chan struct{}
}

// start turns aim mode on, for AimLimit from now.
func (a *aim) start() {
	now := a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.until, a.asked, a.renewed = now.Add(AimLimit), now, now
	a.serial, a.best, a.sharp = 0, 0, 0
	if a.changed == nil {
		a.changed = make(chan struct{})
	}
	a.on.Store(true)
}

// stop turns it off and forgets the picture; whoever waits is told.
func (a *aim) stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.on.Swap(false) {
		return
	}
	clear(a.gray.Pix)
	a.serial = 0
	close(a.changed)
	a.changed = make(chan struct{})
}

// left is how long aim mode lasts still, 0 while it is off.
func (a *aim) left() time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.on.Load() {
		return 0
	}
	return max(a.until.Sub(a.now()), 0)
}

// due says whether aim mode is to end, and whether the kiosk is to be told that
// it goes on.
func (a *aim) due() (end, renew bool) {
	now := a.now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.on.Load() {
		return false, false
	}
	if !now.Before(a.until) || now.Sub(a.asked) >= aimSilence {
		return true, false
	}
	if renew = now.Sub(a.renewed) >= aimRenew; renew {
		a.renewed = now
	}
	return false, renew
}

// watchAim ends aim mode when it is time, and at the stop.
func (s *Server) watchAim(ctx context.Context) {
	for ctx.Err() == nil {
		sleep(ctx, time.Second)
		s.lookAfterAim(ctx.Err() != nil)
	}
}

func (s *Server) lookAfterAim(stopping bool) {
	s.aim.turning.Lock()
	defer s.aim.turning.Unlock()
	switch end, renew := s.aim.due(); {
	case end || stopping:
		s.turnOff()
	case renew:
		s.Aimer.Aim(true)
	}
}

func (s *Server) beginAim() {
	s.aim.turning.Lock()
	defer s.aim.turning.Unlock()
	s.aim.start()
	s.Aimer.Aim(true)
	s.Log.Info("aim mode begins: nobody is admitted until it ends")
}

func (s *Server) endAim() {
	s.aim.turning.Lock()
	defer s.aim.turning.Unlock()
	s.turnOff()
}

// turnOff is for who holds aim.turning.
func (s *Server) turnOff() {
	if s.aim.on.Load() {
		s.Aimer.Aim(false)
		s.aim.stop()
		s.Log.Info("aim mode has ended, visitors are admitted again")
	}
}

func (s *Server) aimPage(w http.ResponseWriter, r *http.Request, v *visit) error {
	return s.show(w, r, v, http.StatusOK, "aim", s.aim.left())
}

func (s *Server) startAim(w http.ResponseWriter, r *http.Request, _ *visit) error {
	s.beginAim()
	http.Redirect(w, r, "/aim", http.StatusSeeOther)
	return nil
}

func (s *Server) stopAim(w http.ResponseWriter, r *http.Request, _ *visit) error {
	s.endAim()
	return back(w, r, "/aim", "aimed")
}

// Aimed takes a picture while aim mode is on, with what the reader found in it.
// It is called on the frame path: it copies at most one picture in 120 ms, made
// smaller, into a buffer that it keeps.
func (s *Server) Aimed(g *image.Gray, f qr.Finding) {
	a := &s.aim
	if !a.on.Load() || !a.mu.TryLock() {
		return
	}
	defer a.mu.Unlock()
	now := a.now()
	if !a.on.Load() { // it ended meanwhile, and the last picture is forgotten
		return
	}
	if now.Sub(a.taken) < aimEvery || g.Rect.Empty() {
		return
	}
	a.taken, a.finding = now, f
	a.sharp = sharpness(g)
	a.best = max(a.best, a.sharp)
	shrink(&a.gray, g)
	a.serial++
	close(a.changed)
	a.changed = make(chan struct{})
}

// shrink copies a picture, each pixel the mean of four where it is more than
// twice too wide.
func shrink(to, from *image.Gray) {
	w, h := from.Rect.Dx(), from.Rect.Dy()
	step := max((w+aimWidth-1)/aimWidth, (h+aimWidth-1)/aimWidth, 1)
	w, h = w/step, h/step
	if cap(to.Pix) < w*h {
		to.Pix = make([]byte, w*h)
	}
	to.Pix, to.Stride, to.Rect = to.Pix[:w*h], w, image.Rect(0, 0, w, h)
	half := step / 2
	for y := range h {
		a, b := from.Pix[y*step*from.Stride:], from.Pix[(y*step+half)*from.Stride:]
		row := to.Pix[y*w : (y+1)*w]
		for x := range row {
			i := x * step
			row[x] = byte((int(a[i]) + int(a[i+half]) + int(b[i]) + int(b[i+half])) / 4)
		}
	}
}

// sharpness is 0…100, by how much neighbours differ in the picture's middle
// third, of how much all pixels there do: light and contrast leave it alone.
func sharpness(g *image.Gray) int {
	w, h := g.Rect.Dx(), g.Rect.Dy()
	var n, sum, squares, steps int64
	for y := h / 3; y < 2*h/3; y += 2 {
		row := g.Pix[y*g.Stride : y*g.Stride+w]
		for x := w/3 + 1; x < 2*w/3; x++ {
			v, d := int64(row[x]), int64(row[x])-int64(row[x-1])
			n, sum, squares, steps = n+1, sum+v, squares+v*v, steps+d*d
		}
	}
	if n == 0 {
		return 0
	}
	spread := float64(squares)/float64(n) - math.Pow(float64(sum)/float64(n), 2)
	if spread < 25 { // a wall: what differs there is the camera's noise
		return 0
	}
	return min(int(100*math.Sqrt(float64(steps)/float64(n)/spread)), 100)
}

// aimFrame answers GET /aim/frame?after=N with the picture whose number is not
// N, as soon as there is one: a JPEG with its number in Frame-Serial and its
// facts beside it. 204 means: ask again; 410: aim mode has ended.
func (s *Server) aimFrame(w http.ResponseWriter, r *http.Request, v *visit) error {
	after, _ := strconv.Atoi(r.FormValue("after")) // what is no number is none we gave
	timeout := time.NewTimer(aimWait)
	defer timeout.Stop()
	a := &s.aim
	for {
		a.mu.Lock()
		if !a.on.Load() {
			a.mu.Unlock()
			w.WriteHeader(http.StatusGone)
			return nil
		}
		a.asked = a.now()
		if a.serial != after && a.serial != 0 {
			var coded bytes.Buffer
			err := jpeg.Encode(&coded, &a.gray, &jpeg.Options{Quality: 80})
			h := w.Header()
			h.Set("Frame-Serial", strconv.Itoa(a.serial))
			h.Set("Frame-Words", url.PathEscape(v.words.say("finding."+finding(a.finding))))
			h.Set("Frame-Sharp", strconv.Itoa(a.sharp))
			h.Set("Frame-Best", strconv.Itoa(a.best))
			h.Set("Frame-Left", strconv.Itoa(int(max(a.until.Sub(a.now()), 0)/time.Second)))
			a.mu.Unlock()
			if err != nil {
				return err
			}
			h.Set("Content-Type", "image/jpeg")
			w.Write(coded.Bytes())
			return nil
		}
		changed := a.changed
		a.mu.Unlock()
		select {
		case <-changed:
		case <-timeout.C:
			w.WriteHeader(http.StatusNoContent)
			return nil
		case <-r.Context().Done():
			return nil
		}
	}
}

// findings name what the reader says in the texts.
var findings = map[qr.Problem]string{
	qr.NoCode: "no_code", qr.None: "good", qr.TooSmall: "too_small", qr.TooLarge: "too_large", qr.Moving: "moving", qr.OutOfFocus: "out_of_focus",
	qr.Glare: "glare", qr.TooDark: "too_dark", qr.TooBright: "too_bright", qr.Tilted: "tilted",
}

func finding(f qr.Finding) string {
	if name, ok := findings[f.Problem]; ok {
		return name
	}
	return "unclear"
}
