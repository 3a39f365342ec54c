package device_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/prove"
	"github.com/munjigi/munjigi/cmd/internal/town"
	"github.com/munjigi/munjigi/kiosk"
	"github.com/munjigi/munjigi/pass/wire"
)

// TestOffline is laws 2 and 7: no network from the start, a restart in the
// middle, then a network whose first answers are lost after the registry has
// taken the visits. Everything arrives once, with its original time.
func TestOffline(t *testing.T) {
	var up atomic.Bool
	var posts atomic.Int64
	p := newParty(t, func(r *http.Request) prove.Fault {
		switch {
		case !up.Load():
			return prove.Down
		case strings.HasSuffix(r.URL.Path, wire.VisitsPath) && posts.Add(1) <= 2:
			return prove.Lost
		}
		return prove.None
	})
	board := prove.NewBoard()
	scanned := map[uint64]time.Time{}
	r := p.open(board)
	for n := range 8 {
		if n == 4 {
			r.stop()
			r = p.open(board)
		}
		if err := board.Show(p.pass(town.Good)); err != nil {
			t.Fatal(err)
		}
		e := r.answer()
		if e.Verdict != kiosk.Accepted || e.Again || !scanned[e.Seq].IsZero() {
			t.Fatalf("visitor %d was told %+v", n, e)
		}
		scanned[e.Seq] = e.Frame
	}
	if len(p.visits()) != 0 {
		t.Error("visits came through a wire that is down")
	}
	if state := r.device.Sender.State(); state.Err == nil || state.Sent != 0 {
		t.Errorf("the sender says %+v while the registry is away", state)
	}
	r.stop() // and once more, so that the journal alone carries them
	if err := board.Show(""); err != nil {
		t.Fatal(err)
	}
	up.Store(true)
	r = p.open(board)
	p.arrived(len(scanned))
	r.acknowledged()
	for _, v := range p.visits() {
		at, ok := scanned[v.Seq]
		if !ok {
			t.Errorf("visit %d is there twice or was never announced", v.Seq)
		}
		delete(scanned, v.Seq)
		if want := at.Truncate(time.Millisecond); !v.Scanned.Equal(want) {
			t.Errorf("visit %d was scanned at %v, the registry says %v", v.Seq, want, v.Scanned)
		}
		if v.Received.Before(v.Scanned) || v.Kiosk != p.kiosk {
			t.Errorf("visit %d: %+v", v.Seq, v)
		}
	}
	if len(scanned) != 0 {
		t.Errorf("%d announced visits are missing", len(scanned))
	}
	if p.wire.Lost() != 2 || p.wire.Twice() != 0 {
		t.Errorf("%d answers were lost, %d passes were sent as two visits", p.wire.Lost(), p.wire.Twice())
	}
}
